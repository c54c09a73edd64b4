/* A stage: consecutive blocks of the model made ready on one device, with the memory for its mini-batches in flight. It
 * computes what it is told to, on the thread that tells it; which operation, which version and which slot is the
 * driver's business.
 *
 * Values of a stage are numbered: 0 is its input, k the output of its k-th layer. */
#ifndef TP_ENGINE_RUN_STAGE_H
#define TP_ENGINE_RUN_STAGE_H

#include "engine/backend/device.h"
#include "engine/state/activations.h"
#include "engine/state/weights.h"

struct tp_stage_spec {
	const struct tp_model *model;
	int32_t index, stages;
	int32_t first_block, block_count;
	struct tp_tensor_desc input; /* of the stage; its shape only matters at stage 0 */
	struct tp_slicing slicing;
	bool backward_whole;
	int32_t infer_sizes[2];
	int32_t slots;           /* mini-batches in flight */
	int32_t version_buffers; /* versions alive at most */
};

struct tp_stage_layer {
	struct tp_kernel *kernel;
	int32_t in[TP_LAYER_INPUTS]; /* values of the stage */
	size_t params_offset, state_offset, saved_offset;
};

struct tp_stage_value {
	struct tp_tensor_desc desc;
	int32_t root;           /* the value whose memory it is: itself unless a layer only gives it another shape */
	size_t offset;          /* in a slot */
	int32_t readers;        /* layers that read it, for roots */
	int32_t gradient_index; /* gradient buffer of a root, -1 for input and output, whose gradients are messages */
};

struct tp_stage {
	struct tp_stage_spec spec;
	struct tp_device *device;
	const struct tp_device_ops *ops;
	int32_t layer_count;
	int32_t first_layer;  /* in the model */
	int32_t input_layers; /* the first so many layers include all that read the stage's input */
	struct tp_stage_layer *layers;
	struct tp_stage_value *values; /* layer_count + 1 */
	bool *gradient_written;        /* per value, during a backward */
	size_t probabilities_offset;   /* last stage: in a slot */
	void **gradient_buffers;
	void *gradient_sum_buffer; /* for values with several readers; NULL when there are none */
	void *scratch;
	struct tp_arena workspace;
	struct tp_weights weights;
	struct tp_activations activations;
	struct tp_memory_ledger memory;
};

/* Build the kernels and reserve all memory. Weights start as zeros, see tp_stage_import(). Safe to release after a
 * failure. */
enum tp_status tp_stage_init(struct tp_stage *stage, const struct tp_stage_spec *spec, const struct tp_device_ops *ops,
                             const struct tp_device_options *options);
void tp_stage_release(struct tp_stage *stage);

/* The stage's output, which is the next one's input. */
const struct tp_tensor_desc *tp_stage_output(const struct tp_stage *stage);

/* The mini-batch buffer of the stage's output in a slot, first sample. */
void *tp_stage_output_data(struct tp_stage *stage, struct tp_activation_slot *slot);

/* Stage 0: where the samples of a slot go, first sample. */
void *tp_stage_input_data(struct tp_stage *stage, struct tp_activation_slot *slot);

/* Forward and backward of one slice (or TP_WHOLE) with the weights in buffer `version_buffer`. Backward reads the
 * slot's output_gradient and writes its input_gradient; `accumulate` adds to the stage's gradient instead of
 * overwriting it. */
enum tp_status tp_stage_forward(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                                int32_t version_buffer);
enum tp_status tp_stage_backward(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                                 int32_t version_buffer, bool accumulate);

/* Last stage, after the forward and before the backward of a slice: the loss, and its gradient as output_gradient,
 * scaled by 1 / M so that the slices of a mini-batch add up to the gradient of its mean. */
void tp_stage_loss(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                   struct tp_loss_result *result);
void tp_stage_loss_gradient(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice);

/* Apply the gradient: from one version buffer to another or in place. */
void tp_stage_update(struct tp_stage *stage, int32_t from_buffer, int32_t to_buffer, double lr, double momentum,
                     double weight_decay);

/* Inference of `samples` (one of the infer sizes) while the pipeline is drained, in the memory of the first slot, in
 * two parts: after the first the input has been read for the last time. `input` is the output of the stage before; at
 * stage 0 the samples lie in the slot and it is ignored. The output (tp_stage_output_data) stays valid until the next
 * inference. */
enum tp_status tp_stage_infer_input(struct tp_stage *stage, int32_t samples, const void *input, int32_t version_buffer);
enum tp_status tp_stage_infer_rest(struct tp_stage *stage, int32_t samples, int32_t version_buffer);

/* One tensor of one of the stage's layers (0-based in the stage), in plain order, in and out of a version buffer. */
void tp_stage_import(struct tp_stage *stage, int32_t layer, int32_t param, const float *plain, int32_t version_buffer);
void tp_stage_export(struct tp_stage *stage, int32_t layer, int32_t param, int32_t version_buffer, double *plain);

#endif
