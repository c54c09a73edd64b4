/* Inside the reference device: how its kernels are put together.
 *
 * Values are doubles in plain NCHW order. A kernel's operator computes without ReLU and always writes gradients anew;
 * what all operators share (ReLU and its mask, slices, accumulation, import and export) is in reference_kernel.c. */
#ifndef TP_ENGINE_BACKEND_REFERENCE_KERNEL_H
#define TP_ENGINE_BACKEND_REFERENCE_KERNEL_H

#include "engine/backend/device.h"

/* One layer of the reference device. */
struct tp_reference_kernel {
	struct tp_kernel base;
	const struct tp_reference_operator *op;
	struct tp_slicing slicing;
	enum tp_span span;
	int64_t in_elements, out_elements; /* of one sample */
	/* Names of a forward and of each part of a backward, by samples, where kernels are recorded. */
	int32_t *forward_names, *backward_names[TP_BACKWARD_PARTS];
};

/* Arguments of an operator: a run of samples that were normalised together, if they were normalised at all. */
struct tp_reference_batch {
	int32_t samples;
	const double *x[TP_LAYER_INPUTS];
	const double *params; /* trainable tensors, one after another */
	double *state;        /* running statistics, one after another; NULL: they do not advance */
	void *saved;          /* this run's part of the saved area */
	double *scratch;
};

struct tp_reference_operator {
	/* Sizes in bytes. NULL: none. */
	size_t (*saved_sample_bytes)(const struct tp_reference_kernel *kernel);
	size_t (*saved_slice_bytes)(const struct tp_reference_kernel *kernel);
	size_t (*scratch_bytes)(const struct tp_reference_kernel *kernel);
	/* y of a training forward */
	void (*forward)(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y);
	/* y of inference; NULL: as forward, with batch->saved NULL */
	void (*infer)(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y);
	bool both_at_once; /* backward computes dx and dparams in one pass, and that is the input part of a split one */
	/* dx[i] is overwritten unless NULL; dparams is added to unless NULL */
	void (*backward)(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
	                 const double *dy, double *const dx[TP_LAYER_INPUTS], double *dparams);
};

extern const struct tp_reference_operator tp_reference_conv;
extern const struct tp_reference_operator tp_reference_batchnorm;
extern const struct tp_reference_operator tp_reference_maxpool;
extern const struct tp_reference_operator tp_reference_global_avgpool;
extern const struct tp_reference_operator tp_reference_linear;
extern const struct tp_reference_operator tp_reference_add;

enum tp_status tp_reference_kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                       struct tp_kernel **kernel);

/* sum of a[i] * b[i], in four interleaved partial sums */
static inline double tp_reference_dot(const double *a, const double *b, int64_t count)
{
	double sum[4] = {0};
	int64_t i = 0;
	for (; i + 4 <= count; i += 4)
		for (int lane = 0; lane < 4; lane++)
			sum[lane] += a[i + lane] * b[i + lane];
	for (; i < count; i++)
		sum[0] += a[i] * b[i];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* to[i] += factor * from[i] */
static inline void tp_reference_axpy(double factor, const double *from, double *restrict to, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		to[i] += factor * from[i];
}

#endif
