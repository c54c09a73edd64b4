/* Batch normalisation, optionally with the ReLU behind it. A slice is normalised by its own statistics, so everything
 * here runs slice by slice, the backward over a whole mini-batch too. */
#include <stdio.h>

#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

enum { SCALE, SHIFT, MEAN, VARIANCE, TENSORS }; /* as tp_layer_params() orders them */

struct batchnorm_kernel {
	struct tp_cpu_kernel head;
	struct tp_kernel_sizes train_sizes, infer_sizes;
	struct tp_dnnl_op train[TP_KERNEL_SIZES], infer[TP_KERNEL_SIZES], backward[TP_KERNEL_SIZES];
	size_t statistics_bytes;  /* of a slice's mean, and of its variance: at the start of its part of `saved` */
	size_t saved_slice_bytes; /* both, and the ReLU's mask */
	size_t unwanted_dx_bytes; /* where dx goes when nobody wants it */
};

static size_t channel_bytes(const struct tp_layer *layer)
{
	return sizeof(float) * (size_t)layer->in_shape.c;
}

/* The mean of a slice; the variance and the mask follow. */
static char *saved_of(const struct batchnorm_kernel *norm, void *saved, int32_t slice)
{
	bool first = slice == TP_WHOLE || norm->head.span == TP_SPAN_SLICE;
	return (char *)saved + norm->saved_slice_bytes * (size_t)(first ? 0 : slice);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	const struct tp_layer *layer = kernel->layer;
	int32_t samples = tp_slice_size(norm->head.slicing, args->slice);
	int32_t i = tp_kernel_size_index(&norm->train_sizes, samples);
	char *mean = saved_of(norm, args->saved, args->slice);
	char *variance = mean + norm->statistics_bytes;
	const char *params = args->params;
	char *state = args->state;

	TP_TRY(tp_dnnl_run(&norm->train[i], norm->head.device->stream,
	                   (const void *[]){args->x[0], params + kernel->params[SCALE].offset_bytes,
	                                    params + kernel->params[SHIFT].offset_bytes, mean, variance, args->y,
	                                    variance + norm->statistics_bytes},
	                   args->scratch));
	if (args->recompute)
		return TP_OK;
	/* the running variance is the unbiased one, as PyTorch's */
	double count = (double)samples * layer->in_shape.h * layer->in_shape.w;
	double unbiased = count > 1 ? count / (count - 1) : 1;
	int64_t start_ns = tp_kernel_begin();
	tp_cpu_blend((void *)(state + kernel->params[MEAN].offset_bytes), (const void *)mean, (float)layer->momentum,
	             1.0F, (size_t)layer->in_shape.c);
	tp_cpu_blend((void *)(state + kernel->params[VARIANCE].offset_bytes), (const void *)variance,
	             (float)layer->momentum, (float)unbiased, (size_t)layer->in_shape.c);
	tp_kernel_end(start_ns, norm->head.state_name);
	return TP_OK;
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	int32_t i = tp_kernel_size_index(&norm->infer_sizes, samples);
	const char *params = args->params, *state = args->state;
	return tp_dnnl_run(&norm->infer[i], norm->head.device->stream,
	                   (const void *[]){args->x[0], params + kernel->params[SCALE].offset_bytes,
	                                    params + kernel->params[SHIFT].offset_bytes,
	                                    state + kernel->params[MEAN].offset_bytes,
	                                    state + kernel->params[VARIANCE].offset_bytes, args->y, NULL},
	                   args->scratch);
}

/* One slice, `first` samples after the start of the arguments' buffers. */
static enum tp_status backward_slice(struct batchnorm_kernel *norm, const struct tp_backward_args *args, int32_t slice,
                                     int32_t first, bool accumulate)
{
	const struct tp_kernel *kernel = &norm->head.base;
	int32_t i = tp_kernel_size_index(&norm->train_sizes, tp_slice_size(norm->head.slicing, slice));
	size_t offset = kernel->out.sample_bytes * (size_t)first;
	const char *mean = saved_of(norm, args->saved, slice);
	const char *variance = mean + norm->statistics_bytes;
	const char *params = args->params;
	char *scratch = args->scratch;
	char *dparams = accumulate ? scratch : args->dparams; /* the library overwrites */
	char *dx = args->dx[0];

	scratch += kernel->params_bytes;
	if (dx) {
		dx += offset;
	} else {
		TP_CHECK(norm->unwanted_dx_bytes);
		dx = scratch;
		scratch += norm->unwanted_dx_bytes;
	}
	TP_TRY(tp_dnnl_run(&norm->backward[i], norm->head.device->stream,
	                   (const void *[]){(const char *)args->x[0] + offset, (const char *)args->dy + offset,
	                                    params + kernel->params[SCALE].offset_bytes,
	                                    params + kernel->params[SHIFT].offset_bytes, mean, variance,
	                                    variance + norm->statistics_bytes, dx,
	                                    dparams + kernel->params[SCALE].offset_bytes,
	                                    dparams + kernel->params[SHIFT].offset_bytes},
	                   scratch));
	if (!accumulate) {
		tp_cpu_clear_gaps(&norm->head, dparams);
		return TP_OK;
	}
	int64_t start_ns = tp_kernel_begin();
	for (int32_t param = SCALE; param <= SHIFT; param++) {
		size_t at = kernel->params[param].offset_bytes;
		tp_cpu_add_into((const void *)(dparams + at), (void *)((char *)args->dparams + at),
		                (size_t)kernel->layer->in_shape.c);
	}
	tp_kernel_end(start_ns, norm->head.sum_name);
	return TP_OK;
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	const struct tp_slicing slicing = norm->head.slicing;
	int32_t begin = args->first_slice;
	if (args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK; /* was computed with the input part */
	for (int32_t slice = begin; slice < begin + args->slice_count; slice++)
		TP_TRY(backward_slice(norm, args, slice, tp_slices_samples(slicing, begin, slice - begin),
		                      args->accumulate || slice > begin));
	return TP_OK;
}

static void import_param(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	tp_cpu_import_plain((struct tp_cpu_kernel *)kernel, index, plain, block);
}

static void export_param(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	tp_cpu_export_plain((struct tp_cpu_kernel *)kernel, index, block, plain);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct batchnorm_kernel *norm = (struct batchnorm_kernel *)kernel;
	for (int32_t i = 0; i < TP_KERNEL_SIZES; i++) {
		tp_dnnl_op_release(&norm->backward[i]);
		tp_dnnl_op_release(&norm->train[i]);
		tp_dnnl_op_release(&norm->infer[i]);
	}
	tp_cpu_kernel_free(&norm->head);
}

static const struct tp_kernel_ops batchnorm_ops = {forward, infer, backward, import_param, export_param, free_kernel};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Each slice is normalised, and its gradient added. */
static enum tp_status name_loops(struct batchnorm_kernel *norm)
{
	struct tp_kernel *kernel = &norm->head.base;
	char shape[16];
	const struct tp_named_kernel described = {
	        .name = "running_statistics",
	        .pass = "F",
	        .layer = kernel->layer,
	        .fixed_bytes = 2 * 2 * (int64_t)channel_bytes(kernel->layer),
	};
	kernel->forward_kernels = 2;
	kernel->slice_kernels = 2;
	(void)snprintf(shape, sizeof shape, "%d", kernel->layer->in_shape.c);
	TP_TRY(tp_name_fixed(norm->head.device->base.kernel_names, &described, shape, &norm->head.state_name));
	return norm->head.slicing.count > 1 ? tp_cpu_name_gradient_sum(&norm->head) : TP_OK;
}

static enum tp_status build(struct batchnorm_kernel *norm, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &norm->head.base;
	const struct tp_layer *layer = spec->layer;
	const int32_t layout = spec->in[0].layout;
	size_t library_bytes = 0, mask_bytes = 0;

	kernel->out = spec->in[0];
	for (int32_t param = SCALE; param < TENSORS; param++)
		tp_cpu_place_param(&norm->head, param, channel_bytes(layer), param <= SHIFT);
	norm->train_sizes = tp_kernel_train_sizes(spec);
	norm->infer_sizes = tp_kernel_infer_sizes(spec);
	for (int32_t i = 0; i < norm->train_sizes.count; i++) {
		int32_t samples = norm->train_sizes.samples[i];
		TP_TRY(tp_dnnl_batchnorm(&norm->train[i], layer, samples, layout, true));
		TP_TRY(tp_dnnl_batchnorm_backward(&norm->backward[i], layer, samples, layout, &norm->train[i]));
		TP_TRY(tp_cpu_name_op(&norm->head, "F", samples, &norm->train[i]));
		TP_TRY(tp_cpu_name_op(&norm->head, "B", samples, &norm->backward[i]));
		library_bytes = larger(library_bytes, norm->train[i].scratch_bytes);
		library_bytes = larger(library_bytes, norm->backward[i].scratch_bytes);
		mask_bytes = larger(mask_bytes, tp_dnnl_arg_bytes(&norm->train[i], DNNL_ARG_WORKSPACE));
	}
	for (int32_t i = 0; i < norm->infer_sizes.count; i++) {
		TP_TRY(tp_dnnl_batchnorm(&norm->infer[i], layer, norm->infer_sizes.samples[i], layout, false));
		library_bytes = larger(library_bytes, norm->infer[i].scratch_bytes);
	}
	if (!spec->input_gradient)
		norm->unwanted_dx_bytes = tp_align_up(kernel->out.sample_bytes * (size_t)norm->train_sizes.samples[0]);
	norm->statistics_bytes = tp_align_up(channel_bytes(layer));
	norm->saved_slice_bytes = 2 * norm->statistics_bytes + tp_align_up(mask_bytes);
	kernel->saved_bytes = norm->saved_slice_bytes * (size_t)(spec->span == TP_SPAN_SLICE ? 1 : spec->slicing.count);
	kernel->scratch_bytes = kernel->params_bytes + norm->unwanted_dx_bytes + tp_align_up(library_bytes);
	return name_loops(norm);
}

enum tp_status tp_cpu_batchnorm_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                    struct tp_kernel **kernel)
{
	struct batchnorm_kernel *norm = NULL;
	TP_TRY(tp_cpu_kernel_alloc(sizeof *norm, &batchnorm_ops, device, spec, &norm));
	enum tp_status status = build(norm, spec);
	if (status != TP_OK) {
		free_kernel(&norm->head.base);
		return status;
	}
	*kernel = &norm->head.base;
	return TP_OK;
}
