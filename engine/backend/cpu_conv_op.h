/* One pass of a convolution for one batch size, by one of the algorithms. */
#ifndef TP_ENGINE_BACKEND_CPU_CONV_OP_H
#define TP_ENGINE_BACKEND_CPU_CONV_OP_H

#include "engine/backend/cpu_choice.h"
#include "engine/backend/cpu_kernel.h"

/* What the operations of one layer have in common; borrowed. */
struct tp_cpu_conv_layer {
	const struct tp_cpu_kernel *head; /* layouts and parameters are settled */
	const struct tp_cpu_weight *weight;
	size_t accumulate_bytes; /* room for a gradient to be added; 0: backward overwrites */
};

struct tp_cpu_conv_op {
	enum tp_conv_algorithm algorithm;
	enum tp_dnnl_pass pass;
	int32_t samples;
	struct tp_cpu_weighted_op library; /* zeroed: ours */
	size_t scratch_bytes;
	int32_t name; /* of ours, when kernels are recorded */
};

/* Build with the algorithm that --conv names, or with the one that is known, timed or ruled to be fastest.
 * `*refused` is set, never cleared, when --conv names one that the library does not have for this layer and pass. */
enum tp_status tp_cpu_conv_op_init(struct tp_cpu_conv_op *op, const struct tp_cpu_conv_layer *layer,
                                   enum tp_dnnl_pass pass, int32_t samples, bool *refused);
/* Name it, as one that training runs. */
enum tp_status tp_cpu_conv_op_name(struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head);
void tp_cpu_conv_op_release(struct tp_cpu_conv_op *op);

/* Run a pass. `from` and `to`: x and y, or dy and dx. */
enum tp_status tp_cpu_conv_op_run(const struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head, const void *from,
                                  const void *params, void *to, void *scratch);
enum tp_status tp_cpu_conv_op_gradient(const struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head, const void *x,
                                       const void *dy, void *dparams, bool accumulate, void *scratch);

#endif
