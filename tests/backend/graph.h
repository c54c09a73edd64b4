/* A whole model on one device, run layer by layer through the kernel interface: what the tests of devices need, and
 * nothing of the engine's trainer. Failures end the test. */
#ifndef TP_TESTS_BACKEND_GRAPH_H
#define TP_TESTS_BACKEND_GRAPH_H

#include "engine/backend/device.h"

struct graph_options {
	struct tp_slicing slicing;
	enum tp_span span; /* backwards of less than a mini-batch add to the gradients */
	bool split;
	int32_t infer_samples;
	struct tp_device_options device;
};

/* Value 0 is the model's input, value k the output of layer k - 1. Buffers hold a mini-batch in the device's layout. */
struct graph {
	const struct tp_device_ops *ops;
	struct tp_device *device;
	const struct tp_model *model; /* borrowed */
	struct tp_slicing slicing;
	enum tp_span span;
	bool recompute; /* what forwards are told */
	int32_t value_count;
	struct tp_kernel *kernels[TP_MODEL_MAX_LAYERS];
	struct tp_tensor_desc descs[TP_MODEL_MAX_LAYERS + 1];
	void *values[TP_MODEL_MAX_LAYERS + 1];
	void *gradients[TP_MODEL_MAX_LAYERS + 1];
	void *params[TP_MODEL_MAX_LAYERS];
	void *dparams[TP_MODEL_MAX_LAYERS];
	void *state[TP_MODEL_MAX_LAYERS];
	void *saved[TP_MODEL_MAX_LAYERS]; /* TP_SPAN_SLICE: one area per slice, one after another */
	void *scratch;
	void *spare_gradient; /* of the second and later readers of a value */
};

/* Parameters and state start at the model's initial values for `seed`. */
void graph_open(struct graph *graph, const struct tp_device_ops *ops, const struct tp_model *model,
                const struct graph_options *options, uint64_t seed);
void graph_close(struct graph *graph);

/* Training forward of one slice or TP_WHOLE, from values[0]. */
void graph_forward(struct graph *graph, int32_t slice);
void graph_infer(struct graph *graph, int32_t samples);
/* From the gradient of the last value to dparams and the gradients of all other values; of a slice or TP_WHOLE, or of a
 * run of slices, or one part of it. */
void graph_backward(struct graph *graph, int32_t slice, bool accumulate);
void graph_backward_run(struct graph *graph, enum tp_backward_part part, int32_t first_slice, int32_t slice_count,
                        bool accumulate);

/* The logits, and their gradient. */
static inline void *graph_output(const struct graph *graph)
{
	return graph->values[graph->value_count - 1];
}

static inline void *graph_output_gradient(const struct graph *graph)
{
	return graph->gradients[graph->value_count - 1];
}

#endif
