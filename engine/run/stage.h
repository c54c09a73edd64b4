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
	enum tp_span span; /* what a backward covers, and a slot holds */
	bool split;        /* a backward comes in two parts */
	bool recompute;    /* a backward runs the forward again first, with its own weights */
	bool blends;       /* a backward may read between two versions */
	bool copies;       /* messages are copied between stages, not handed over */
	int32_t infer_sizes[2];
	int32_t slots;            /* mini-batches, or with TP_SPAN_SLICE micro-batches, in flight */
	int32_t version_buffers;  /* versions alive at most */
	int64_t timeout_ns;       /* for tp_stage_finish() */
	int32_t momentum_buffers; /* lineages of versions at most, 1 unless sequences are independent */
};

/* The weights that a backward reads: lambda * version + (1 - lambda) * newest; with lambda 1 version alone. */
struct tp_stage_read {
	int32_t version_buffer, newest_buffer;
	double lambda;
};

struct tp_stage_backward {
	enum tp_backward_part part; /* TP_BACKWARD_BOTH unless the stage's backward is split */
	int32_t first_slice, slice_count;
	struct tp_stage_read read;
	bool accumulate; /* add to the stage's gradient instead of overwriting it */
};

struct tp_stage_layer {
	struct tp_kernel *kernel;
	int32_t in[TP_LAYER_INPUTS]; /* values of the stage */
	size_t params_offset, state_offset, saved_offset;
};

struct tp_stage_value {
	struct tp_tensor_desc desc;
	int32_t root;           /* the value whose memory it is: itself unless a layer only gives it another shape */
	bool passing;           /* lies in the work area, not in a slot: a backward computes it again */
	size_t offset;          /* in a slot, or in the work area */
	int32_t readers;        /* layers that read it, for roots */
	int32_t gradient_index; /* gradient buffer of a root; -1 for input and output, whose gradients are messages, and
	                           where gradients lie in the slot: */
	size_t gradient_offset; /* there, when a backward is split */
	int32_t *sum_names;     /* of adding up its gradient, see tp_stage_names; NULL where nothing is added up */
};

/* Names of the loops around the layers' kernels, where kernels are recorded; tables are by samples. */
struct tp_stage_names {
	int32_t *draw, *upload, *keep_input, *loss_forward, *loss_backward;
	int32_t blend, update, fork_momentum;
};

struct tp_stage {
	struct tp_stage_spec spec;
	struct tp_device *device;
	const struct tp_device_ops *ops;
	struct tp_memory_source source; /* of the device's memory */
	int32_t layer_count;
	int32_t first_layer;  /* in the model */
	int32_t input_layers; /* the first so many layers include all that read the stage's input */
	struct tp_stage_layer *layers;
	struct tp_stage_value *values; /* layer_count + 1 */
	bool *gradient_written;        /* per value, during a backward */
	size_t probabilities_offset;   /* last stage: where saved areas are */
	bool owns_input;               /* the stage's input lies in its slots, not in those of the stage before */
	bool recomputes;               /* values pass through the work area, see tp_stage_value */
	void *work;                    /* one slot's worth of passing values and saved areas; NULL: none */
	void *blended;                 /* weights between two versions; NULL: never asked for */
	void **gradient_buffers;
	void *gradient_sum_buffer; /* for values with several readers; NULL when there are none */
	void *scratch;
	struct tp_arena workspace;
	struct tp_weights weights;
	struct tp_activations activations;
	struct tp_memory_ledger memory;
	struct tp_stage_names names;
};

/* Build the kernels and reserve all memory. Weights start as zeros, see tp_stage_import(). Safe to release after a
 * failure. */
enum tp_status tp_stage_init(struct tp_stage *stage, const struct tp_stage_spec *spec, const struct tp_device_ops *ops,
                             const struct tp_device_options *options);
void tp_stage_release(struct tp_stage *stage);

/* On a device that works on its own: wait until all that was issued is done, for spec.timeout_ns at most. Nothing
 * elsewhere. */
enum tp_status tp_stage_finish(struct tp_stage *stage);

/* A version's buffer is free: tell a device that wants to know. */
void tp_stage_retire(struct tp_stage *stage, int32_t version_buffer);

/* Last stage: add what its losses have come to since the last call, where tp_stage_loss() could not say; blocks.
 * Nothing on a blocking device. */
enum tp_status tp_stage_collect_loss(struct tp_stage *stage, struct tp_loss_result *result);

/* The stage's output, which is the next one's input. */
const struct tp_tensor_desc *tp_stage_output(const struct tp_stage *stage);

/* First sample of a slice (or TP_WHOLE) in its slot. */
int32_t tp_stage_slot_first(const struct tp_stage *stage, int32_t slice);

/* The buffer of the stage's output in a slot, first sample. */
void *tp_stage_output_data(struct tp_stage *stage, struct tp_activation_slot *slot);

/* Stage 0: where the samples of a slot go, first sample. */
void *tp_stage_input_data(struct tp_stage *stage, struct tp_activation_slot *slot);

/* Forward of one slice (or TP_WHOLE) with the weights in buffer `version_buffer`. */
enum tp_status tp_stage_forward(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                                int32_t version_buffer);

/* Last stage, after the forward of a slice: the loss. */
void tp_stage_loss(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                   struct tp_loss_result *result);

/* Backward of consecutive slices: from the slot's output_gradient to its input_gradient and the stage's gradient. At
 * the last stage the output's gradient is that of the loss, scaled by 1 / M so that the slices of a mini-batch add up
 * to the gradient of its mean. When recomputing, forward and loss run again first; not for the weight part, which finds
 * the values where the input part left them. */
enum tp_status tp_stage_backward(struct tp_stage *stage, struct tp_activation_slot *slot,
                                 const struct tp_stage_backward *backward);

/* Apply the gradient: from one version buffer to another or in place, with one of the momentum buffers; and copy such a
 * buffer, when a lineage forks. */
void tp_stage_update(struct tp_stage *stage, int32_t from_buffer, int32_t to_buffer, int32_t momentum_buffer, double lr,
                     double momentum, double weight_decay);
void tp_stage_fork_momentum(struct tp_stage *stage, int32_t from, int32_t to);

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
