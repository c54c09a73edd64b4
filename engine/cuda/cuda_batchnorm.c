/* Batch normalisation through cuDNN, optionally with the ReLU behind it. A slice is normalised by its own statistics,
 * so everything here runs slice by slice, the backward over a whole mini-batch too. */
#include "engine/base/memory.h"
#include "engine/cuda/cuda_descriptors.h"
#include "engine/cuda/cuda_kernel.h"

enum { SCALE, SHIFT, MEAN, VARIANCE, TENSORS }; /* as tp_layer_params() orders them */

/* CUDNN_BATCHNORM_SPATIAL_PERSISTENT is faster, but may overflow what it keeps in half precision. */
static const cudnnBatchNormMode_t mode = CUDNN_BATCHNORM_SPATIAL;
static const float zero = 0, one = 1;

struct batchnorm_kernel {
	struct tp_cuda_kernel head;
	struct tp_kernel_sizes train_sizes, infer_sizes;
	cudnnTensorDescriptor_t train[TP_KERNEL_SIZES], infer[TP_KERNEL_SIZES], channels;
	size_t statistics_bytes; /* of a slice's mean, and of its inverse deviation: a slice's part of `saved` is both
	                          */
	size_t masked_bytes;     /* of dy behind the ReLU, at the start of backward's scratch; dx follows if unwanted */
};

static size_t channel_bytes(const struct tp_layer *layer)
{
	return sizeof(float) * (size_t)layer->in_shape.c;
}

/* The mean of a slice; the inverse deviation follows. */
static char *saved_of(const struct batchnorm_kernel *norm, void *saved, int32_t slice)
{
	bool first = slice == TP_WHOLE || norm->head.span == TP_SPAN_SLICE;
	return (char *)saved + 2 * norm->statistics_bytes * (size_t)(first ? 0 : slice);
}

static enum tp_status relu_behind(const struct batchnorm_kernel *norm, int32_t samples, void *y)
{
	if (!norm->head.base.layer->relu)
		return TP_OK;
	return tp_cuda_bias_relu(&norm->head, samples, y, NULL, true);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	const struct tp_layer *layer = kernel->layer;
	const struct tp_kernel_param *at = kernel->params;
	const int32_t samples = tp_slice_size(norm->head.slicing, args->slice);
	const cudnnTensorDescriptor_t values = norm->train[tp_kernel_size_index(&norm->train_sizes, samples)];
	const char *params = args->params;
	char *state = args->state, *mean = saved_of(norm, args->saved, args->slice);
	char *running_mean = args->recompute ? NULL : state + at[MEAN].offset_bytes;
	char *running_variance = args->recompute ? NULL : state + at[VARIANCE].offset_bytes;
	TP_TRY(tp_cuda_enter(norm->head.device));
	TP_TRY(TP_CUDNN_CHECK(cudnnBatchNormalizationForwardTraining, norm->head.device->dnn, mode, &one, &zero, values,
	                      args->x[0], values, args->y, norm->channels, params + at[SCALE].offset_bytes,
	                      params + at[SHIFT].offset_bytes, layer->momentum, running_mean, running_variance,
	                      layer->eps, mean, mean + norm->statistics_bytes));
	return relu_behind(norm, samples, args->y);
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	const struct tp_kernel_param *at = kernel->params;
	const cudnnTensorDescriptor_t values = norm->infer[tp_kernel_size_index(&norm->infer_sizes, samples)];
	const char *params = args->params, *state = args->state;
	TP_TRY(tp_cuda_enter(norm->head.device));
	TP_TRY(TP_CUDNN_CHECK(cudnnBatchNormalizationForwardInference, norm->head.device->dnn, mode, &one, &zero,
	                      values, args->x[0], values, args->y, norm->channels, params + at[SCALE].offset_bytes,
	                      params + at[SHIFT].offset_bytes, state + at[MEAN].offset_bytes,
	                      state + at[VARIANCE].offset_bytes, kernel->layer->eps));
	return relu_behind(norm, samples, args->y);
}

/* One slice, `first` samples after the start of the arguments' buffers. */
static enum tp_status backward_slice(struct batchnorm_kernel *norm, const struct tp_backward_args *args, const char *dy,
                                     int32_t slice, int32_t first, bool accumulate)
{
	const struct tp_kernel *kernel = &norm->head.base;
	const struct tp_kernel_param *at = kernel->params;
	const int32_t samples = tp_slice_size(norm->head.slicing, slice);
	const cudnnTensorDescriptor_t values = norm->train[tp_kernel_size_index(&norm->train_sizes, samples)];
	const size_t offset = kernel->out.sample_bytes * (size_t)first;
	const char *mean = saved_of(norm, args->saved, slice);
	char *dparams = args->dparams;
	char *dx = args->dx[0] ? (char *)args->dx[0] + offset : (char *)args->scratch + norm->masked_bytes;
	return TP_CUDNN_CHECK(cudnnBatchNormalizationBackward, norm->head.device->dnn, mode, &one, &zero, &one,
	                      accumulate ? &one : &zero, values, (const char *)args->x[0] + offset, values, dy + offset,
	                      values, dx, norm->channels, (const char *)args->params + at[SCALE].offset_bytes,
	                      dparams + at[SCALE].offset_bytes, dparams + at[SHIFT].offset_bytes, kernel->layer->eps,
	                      mean, mean + norm->statistics_bytes);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	const struct tp_slicing slicing = norm->head.slicing;
	const int32_t begin = args->first_slice;
	const void *dy = args->dy;
	if (args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK; /* was computed with the input part */
	TP_TRY(tp_cuda_enter(norm->head.device));
	if (norm->masked_bytes) {
		TP_TRY(tp_cuda_mask_gradient(&norm->head, args, args->scratch));
		dy = args->scratch;
	}
	for (int32_t slice = begin; slice < begin + args->slice_count; slice++)
		TP_TRY(backward_slice(norm, args, dy, slice, tp_slices_samples(slicing, begin, slice - begin),
		                      args->accumulate || slice > begin));
	return args->accumulate ? TP_OK : tp_cuda_clear_gaps(&norm->head, args->dparams);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	for (int32_t i = 0; i < TP_KERNEL_SIZES; i++) {
		tp_cuda_forget_values(norm->train[i]);
		tp_cuda_forget_values(norm->infer[i]);
	}
	tp_cuda_forget_values(norm->channels);
	tp_free(norm);
}

static const struct tp_kernel_ops batchnorm_ops = {
        forward, infer, backward, tp_cuda_import_plain, tp_cuda_export_plain, free_kernel};

/* What the library cannot do. */
static enum tp_status check(const struct batchnorm_kernel *norm)
{
	const struct tp_layer *layer = norm->head.base.layer;
	const double least = CUDNN_BN_MIN_EPSILON;
	if (layer->eps < least)
		return tp_fail(TP_ERR_UNSUPPORTED, "cuDNN normalises with an epsilon of %g at least, found %g", least,
		               layer->eps);
	const int32_t fewest = norm->train_sizes.samples[norm->train_sizes.count - 1];
	if (fewest * tp_shape_elements(layer->in_shape) == layer->in_shape.c)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "expected more than one value per channel in a micro-batch: one has no variance");
	return tp_cuda_check_alignment(&norm->head);
}

static enum tp_status build(struct batchnorm_kernel *norm, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &norm->head.base;
	const struct tp_layer *layer = spec->layer;
	const enum tpb_type type = norm->head.device->type;
	kernel->out = spec->in[0];
	for (int32_t param = SCALE; param < TENSORS; param++)
		tp_cuda_place_param(&norm->head, param, channel_bytes(layer), param <= SHIFT);
	norm->train_sizes = tp_kernel_train_sizes(spec);
	norm->infer_sizes = tp_kernel_infer_sizes(spec);
	TP_TRY(check(norm));
	for (int32_t i = 0; i < norm->train_sizes.count; i++)
		TP_TRY(tp_cuda_describe_values(type, norm->train_sizes.samples[i], layer->in_shape, &norm->train[i]));
	for (int32_t i = 0; i < norm->infer_sizes.count; i++)
		TP_TRY(tp_cuda_describe_values(type, norm->infer_sizes.samples[i], layer->in_shape, &norm->infer[i]));
	TP_TRY(tp_cuda_describe_channels(layer->in_shape.c, &norm->channels));
	if (layer->relu)
		norm->masked_bytes =
		        tp_align_up(kernel->out.sample_bytes * (size_t)tp_kernel_backward_sizes(spec).samples[0]);
	const size_t slice_bytes = tp_align_up(kernel->out.sample_bytes * (size_t)norm->train_sizes.samples[0]);
	tp_cuda_need_scratch(&norm->head, norm->masked_bytes + (spec->input_gradient ? 0 : slice_bytes));
	norm->statistics_bytes = tp_align_up(channel_bytes(layer));
	kernel->saved_bytes =
	        2 * norm->statistics_bytes * (size_t)(spec->span == TP_SPAN_SLICE ? 1 : spec->slicing.count);
	return TP_OK;
}

enum tp_status tp_cuda_batchnorm_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                     struct tp_kernel **kernel)
{
	struct batchnorm_kernel *norm = NULL;
	TP_TRY(tp_cuda_kernel_alloc(sizeof *norm, &batchnorm_ops, device, spec, &norm));
	enum tp_status status = build(norm, spec);
	if (status != TP_OK) {
		free_kernel(&norm->head.base);
		return status;
	}
	*kernel = &norm->head.base;
	return TP_OK;
}
