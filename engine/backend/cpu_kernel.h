/* Inside the CPU device: what its kernels share. Values are float32 in a layout of oneDNN's choice; see dnnl_shim.h. */
#ifndef TP_ENGINE_BACKEND_CPU_KERNEL_H
#define TP_ENGINE_BACKEND_CPU_KERNEL_H

#include "engine/backend/device.h"
#include "engine/backend/dnnl_shim.h"
#include "engine/backend/kernel_naming.h"
#include "engine/backend/kernel_sizes.h"

struct tp_cpu_device {
	struct tp_device base;
	enum tp_conv_choice conv;
	int64_t *choice_budget_ns; /* NULL: nothing is timed */
	char *choice_file;         /* NULL: choices are not kept */
	dnnl_stream_t stream;
};

/* The batch size for which the library is asked about layouts: always the same one, so that parameters of a layer lie
 * the same way however a mini-batch is cut. */
#define TP_CPU_LAYOUT_SAMPLES 64

/* Head of every kernel of this device. */
struct tp_cpu_kernel {
	struct tp_kernel base;
	struct tp_cpu_device *device;
	struct tp_slicing slicing;
	enum tp_span span;
	struct tp_tensor_desc in[TP_LAYER_INPUTS];
	/* Names of the loops of ours, where they are recorded: by samples, or of one size. */
	int32_t *forward_names, *backward_names;
	int32_t sum_name;   /* adding to the gradient of the parameters */
	int32_t state_name; /* advancing the running statistics */
};

/* Samples that a backward covers. */
static inline int32_t tp_cpu_backward_samples(const struct tp_cpu_kernel *kernel, const struct tp_backward_args *args)
{
	return tp_slices_samples(kernel->slicing, args->first_slice, args->slice_count);
}

/* Allocate a zeroed kernel of `bytes` and fill its head; the operator fills `out` and the sizes. */
enum tp_status tp_cpu_kernel_alloc(size_t bytes, const struct tp_kernel_ops *ops, struct tp_cpu_device *device,
                                   const struct tp_kernel_spec *spec, void *kernel);
/* The head's part of it, and the kernel itself. */
void tp_cpu_kernel_free(struct tp_cpu_kernel *kernel);

/* Place tensors one after another in the parameter block (or, for state, the state block). */
void tp_cpu_place_param(struct tp_cpu_kernel *kernel, int32_t index, size_t bytes, bool trainable);

/* Zero what lies between the tensors of a gradient, so that an update leaves the gaps of the parameters alone. */
void tp_cpu_clear_gaps(const struct tp_cpu_kernel *kernel, void *dparams);

/* A value of `shape` in `layout`. */
struct tp_tensor_desc tp_cpu_tensor(struct tp_shape shape, int32_t layout);

/* Import and export of a tensor that is plain on the device too. */
void tp_cpu_import_plain(const struct tp_cpu_kernel *kernel, int32_t index, const float *plain, void *block);
void tp_cpu_export_plain(const struct tp_cpu_kernel *kernel, int32_t index, const void *block, double *plain);

/* A weight whose layout is oneDNN's, and the way to it and back. */
struct tp_cpu_weight {
	struct tp_dnnl_md layout;
	size_t bytes;
	struct tp_dnnl_op from_plain, to_plain;
};

/* `layout` was taken over from an operation; it is released with the weight, on failure too. */
enum tp_status tp_cpu_weight_init(struct tp_cpu_weight *weight, const struct tp_layer *layer);
void tp_cpu_weight_release(struct tp_cpu_weight *weight);
void tp_cpu_weight_import(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weight *weight, const float *plain,
                          void *block);
void tp_cpu_weight_export(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weight *weight, const void *block,
                          double *plain);

/* One pass of a layer with weights. When the pass wants them in another layout than the parameters' they are
 * converted in scratch, first thing (forward, backward data) or last thing (backward weights). */
struct tp_cpu_weighted_op {
	struct tp_dnnl_op op;
	struct tp_dnnl_op convert; /* zeroed: not needed */
	size_t converted_bytes;    /* of the weights in the pass's layout, aligned; 0: not needed */
	size_t scratch_bytes;
};

/* Complete `op->op`, a pass over weights: compare layouts, size the scratch. `accumulate`: room for a gradient of the
 * kernel's parameters, for a backward over weights that adds. On failure `op` is released. */
enum tp_status tp_cpu_weighted_op_init(struct tp_cpu_weighted_op *op, enum tp_dnnl_pass pass,
                                       const struct tp_cpu_weight *weight, size_t accumulate_bytes);
void tp_cpu_weighted_op_release(struct tp_cpu_weighted_op *op);

enum tp_status tp_cpu_weighted_forward(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                       const void *x, const void *params, void *y, void *scratch);
enum tp_status tp_cpu_weighted_backward_data(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                             const void *dy, const void *params, void *dx, void *scratch);
enum tp_status tp_cpu_weighted_backward_weights(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                                const void *x, const void *dy, void *dparams, bool accumulate,
                                                void *scratch);

/* Naming kernels, while one is made; see kernel_naming.h for when none are wanted. */

/* "F", "BD", "BW" */
const char *tp_cpu_pass_text(enum tp_dnnl_pass pass);
/* The layer's own kernel, to be completed by what it moves. */
struct tp_named_kernel tp_cpu_layer_kernel(const struct tp_cpu_kernel *kernel, const char *name, const char *pass);
/* Operations that training runs; those that only evaluation runs have no name. */
enum tp_status tp_cpu_name_op(const struct tp_cpu_kernel *kernel, const char *pass, int32_t samples,
                              struct tp_dnnl_op *op);
enum tp_status tp_cpu_name_weighted_op(const struct tp_cpu_kernel *kernel, enum tp_dnnl_pass pass, int32_t samples,
                                       struct tp_cpu_weighted_op *op);
/* The loop that adds a gradient of the parameters, and the mask of a ReLU (backward_names). */
enum tp_status tp_cpu_name_gradient_sum(struct tp_cpu_kernel *kernel);
enum tp_status tp_cpu_name_relu_mask(struct tp_cpu_kernel *kernel);

/* masked = dy where y > 0, of all samples that the backward covers. */
void tp_cpu_mask_gradient(const struct tp_cpu_kernel *kernel, const struct tp_backward_args *args, void *masked);

/* One constructor per kind of layer. */
typedef enum tp_status tp_cpu_kernel_new_fn(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                            struct tp_kernel **kernel);
tp_cpu_kernel_new_fn tp_cpu_conv_new, tp_cpu_batchnorm_new, tp_cpu_maxpool_new, tp_cpu_avgpool_new, tp_cpu_flatten_new,
        tp_cpu_linear_new, tp_cpu_add_new;

#endif
