/* One layer on the device cuda and on the reference device, with the same parameters, inputs and output gradient. Each
 * buffer is memory of its own, as large as it has to be. Failures end the test. */
#ifndef TP_TESTS_CUDA_LAYER_PAIR_H
#define TP_TESTS_CUDA_LAYER_PAIR_H

#include "engine/cuda/cuda_devices.h"

enum { INFERRED = 3 }; /* samples of an inference */

struct layer_options {
	struct tp_slicing slicing;
	enum tp_span span;
	enum tp_math math;
	bool no_input_gradient;
};

/* Values hold a mini-batch, whatever the span; `saved` has an area for each slot. */
struct layer_side {
	const struct tp_device_ops *ops;
	struct tp_device *device;
	struct tp_kernel *kernel;
	struct tp_tensor_desc in;
	void *x[TP_LAYER_INPUTS], *dx[TP_LAYER_INPUTS];
	void *y, *dy, *params, *dparams, *state, *saved, *scratch;
};

struct layer_pair {
	struct tp_layer layer;
	struct layer_options options;
	struct layer_side cuda, reference;
	double tolerance; /* of values, relative to the largest */
};

/* On a device cuda that is open; the reference is opened here. */
void layer_pair_open(struct layer_pair *pair, struct tp_device *cuda, const struct tp_layer *layer,
                     const struct layer_options *options);
void layer_pair_close(struct layer_pair *pair);

void layer_forward(const struct layer_pair *pair, const struct layer_side *side, int32_t slice, bool recompute);
void layer_infer(const struct layer_pair *pair, const struct layer_side *side);
void layer_backward(const struct layer_pair *pair, const struct layer_side *side, enum tp_backward_part part,
                    int32_t first_slice, int32_t slice_count, bool accumulate);

/* `samples` of the device's y against the reference's, which becomes the device's: no value near zero is masked by one
 * and not by the other afterwards. */
void layer_compare_output(struct layer_pair *pair, const char *what, int32_t samples);
/* Gradients of the inputs and of the parameters. */
void layer_compare_gradients(struct layer_pair *pair);
/* Running statistics. */
void layer_compare_state(struct layer_pair *pair);

/* Bytes of the device cuda as they are, in memory that the caller frees with tp_free(). */
void *layer_bytes(const struct layer_pair *pair, const void *at, size_t bytes);

#endif
