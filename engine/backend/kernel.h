/* A kernel: one layer, made ready for the batch sizes of one stage on one device.
 *
 * A mini-batch of M samples is cut into `slice_count` micro-batches. Values lie in slots, which hold a mini-batch or,
 * where a backward covers one micro-batch, that; a forward of slice j gets pointers to the slice's first sample.
 * `saved` is what the backward needs beyond input and output (pooling indices, batch statistics, masks): one area per
 * slot, always passed from its start; the kernel finds the slice in it. A backward covers consecutive slices; only
 * batch normalisation treats them apart, since each was normalised by its own statistics.
 *
 * A kernel is used by one thread at a time. It allocates nothing in forward and backward. */
#ifndef TP_ENGINE_BACKEND_KERNEL_H
#define TP_ENGINE_BACKEND_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/model/model.h"
#include "engine/tensor/shape.h"
#include "profiler/records.h" /* TP_WHOLE */

#define TP_MAX_SLICES 1024

/* How a mini-batch is cut. Sizes differ by at most one, larger ones first. */
struct tp_slicing {
	int32_t batch; /* M */
	int32_t count; /* N */
};

static inline int32_t tp_slice_size(struct tp_slicing slicing, int32_t slice)
{
	if (slice == TP_WHOLE)
		return slicing.batch;
	return slicing.batch / slicing.count + (slice < slicing.batch % slicing.count);
}

/* First sample of a slice; 0 for TP_WHOLE. */
static inline int32_t tp_slice_first(struct tp_slicing slicing, int32_t slice)
{
	if (slice == TP_WHOLE)
		return 0;
	int32_t longer = slicing.batch % slicing.count;
	return slice * (slicing.batch / slicing.count) + (slice < longer ? slice : longer);
}

/* Samples of `count` consecutive slices from `first` on. */
static inline int32_t tp_slices_samples(struct tp_slicing slicing, int32_t first, int32_t count)
{
	return tp_slice_first(slicing, first + count) - tp_slice_first(slicing, first);
}

/* What one call of a backward covers, and with it what a slot holds. */
enum tp_span {
	TP_SPAN_SLICE, /* one micro-batch; so does a slot */
	TP_SPAN_MINI,  /* the mini-batch */
	TP_SPAN_RUNS,  /* any run of consecutive micro-batches; a slot holds the mini-batch */
};

/* Samples that a slot holds, and where a slice (or TP_WHOLE) begins in its slot. */
static inline int32_t tp_slot_samples(struct tp_slicing slicing, enum tp_span span)
{
	return span == TP_SPAN_SLICE ? tp_slice_size(slicing, 0) : slicing.batch;
}
static inline int32_t tp_slot_first(struct tp_slicing slicing, enum tp_span span, int32_t slice)
{
	return span == TP_SPAN_SLICE ? 0 : tp_slice_first(slicing, slice);
}

/* A backward may come in two parts: first the gradient of the inputs, later, from the same x, y and dy, that of the
 * parameters. Batch normalisation computes both in one pass and does so in the first part; what has no parameters has
 * nothing to do in the second. */
enum tp_backward_part { TP_BACKWARD_BOTH, TP_BACKWARD_INPUT, TP_BACKWARD_WEIGHTS, TP_BACKWARD_PARTS };

struct tp_kernel_spec {
	const struct tp_layer *layer; /* must outlive the kernel */
	struct tp_tensor_desc in[TP_LAYER_INPUTS];
	struct tp_slicing slicing;
	enum tp_span span;
	bool accumulate;        /* backward will be asked to add to dparams */
	bool input_gradient;    /* false for the first layer of the model: nobody wants dx */
	int32_t infer_sizes[2]; /* batch sizes of evaluation, 0 where unused */
};

struct tp_kernel_param {
	size_t offset_bytes; /* in the layer's parameter block (trainable) or state block */
	size_t bytes;        /* in the device's layout */
};

/* Arguments of forward. Pointers to the first sample of the slice, `saved` to the start of the slot's area. */
struct tp_forward_args {
	int32_t slice;  /* TP_WHOLE or 0 .. count - 1; ignored by inference */
	bool recompute; /* once more, for a backward: running statistics do not advance */
	const void *x[TP_LAYER_INPUTS];
	void *y;
	const void *params; /* this layer's block of the version to read */
	void *state;        /* running statistics; advanced by training forwards */
	void *saved;
	void *scratch; /* at least scratch_bytes, aligned */
};

/* Arguments of backward. `x` and `y` are what forward read and wrote. */
struct tp_backward_args {
	int32_t first_slice, slice_count;
	enum tp_backward_part part;
	const void *x[TP_LAYER_INPUTS];
	const void *y;
	const void *dy;
	void *dx[TP_LAYER_INPUTS]; /* overwritten; NULL: not wanted */
	const void *params;
	void *dparams;   /* gradient of the trainable tensors, laid out as `params` */
	bool accumulate; /* add to dparams; else overwrite */
	void *saved;
	void *scratch;
};

struct tp_kernel;

struct tp_kernel_ops {
	/* Training forward of one slice. */
	enum tp_status (*forward)(struct tp_kernel *kernel, const struct tp_forward_args *args);
	/* Inference of `samples` (one of infer_sizes): no statistics of the batch, nothing saved. */
	enum tp_status (*infer)(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args);
	enum tp_status (*backward)(struct tp_kernel *kernel, const struct tp_backward_args *args);
	/* Between plain order and the device's layout; `index` as in tp_layer_params(), `block` is the start of the
	 * layer's parameter or state block, whichever the tensor lives in. NULL when the layer has no tensors. */
	void (*import_param)(struct tp_kernel *kernel, int32_t index, const float *plain, void *block);
	void (*export_param)(struct tp_kernel *kernel, int32_t index, const void *block, double *plain);
	void (*free)(struct tp_kernel *kernel);
};

/* The public head of a kernel; a device's own fields follow it. Filled by kernel_new, then read-only. */
struct tp_kernel {
	const struct tp_kernel_ops *ops;
	const struct tp_layer *layer;
	struct tp_tensor_desc out;
	size_t params_bytes;  /* block of trainable tensors */
	size_t state_bytes;   /* block of running statistics */
	size_t saved_bytes;   /* per slot */
	size_t scratch_bytes; /* shared by all kernels of a stage */
	struct tp_kernel_param params[TP_LAYER_MAX_PARAMS];
	bool aliases_input; /* y is x under another shape: no buffer, no call (flatten of a plain value) */
	/* How many kernels are recorded at most: of a forward, of a backward, and more of it for each slice */
	int32_t forward_kernels, backward_kernels, slice_kernels;
	char algorithms[96]; /* what was chosen, for the record: "F=winograd BD=winograd BW=direct"; "" when no choice
	                      */
};

#endif
