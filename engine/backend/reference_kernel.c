/* What all operators of the reference device share. */
#include "engine/backend/reference_kernel.h"

#include <stdio.h>
#include <string.h>

#include "engine/backend/kernel_naming.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

static const struct tp_reference_operator *const operators[TP_LAYER_KINDS] = {
        [TP_LAYER_CONV] = &tp_reference_conv,
        [TP_LAYER_BATCHNORM] = &tp_reference_batchnorm,
        [TP_LAYER_MAXPOOL] = &tp_reference_maxpool,
        [TP_LAYER_GLOBAL_AVGPOOL] = &tp_reference_global_avgpool,
        [TP_LAYER_FLATTEN] = NULL, /* nothing to do: plain order is flat */
        [TP_LAYER_LINEAR] = &tp_reference_linear,
        [TP_LAYER_ADD] = &tp_reference_add,
};

static const struct tp_reference_kernel *self(const struct tp_kernel *kernel)
{
	return (const struct tp_reference_kernel *)kernel;
}

static size_t bytes_of(size_t (*size)(const struct tp_reference_kernel *), const struct tp_reference_kernel *kernel)
{
	return size ? size(kernel) : 0;
}

static void *saved_of_slice(const struct tp_reference_kernel *kernel, void *saved, int32_t j)
{
	if (kernel->span == TP_SPAN_SLICE)
		return saved;
	size_t before = (size_t)tp_slice_first(kernel->slicing, j) * bytes_of(kernel->op->saved_sample_bytes, kernel) +
	                (size_t)j * bytes_of(kernel->op->saved_slice_bytes, kernel);
	return before ? (unsigned char *)saved + before : saved;
}

static void apply_relu(const struct tp_reference_kernel *kernel, double *y, int32_t samples)
{
	if (!kernel->base.layer->relu)
		return;
	for (int64_t i = 0; i < samples * kernel->out_elements; i++)
		y[i] = y[i] > 0 ? y[i] : 0;
}

static enum tp_status forward(struct tp_kernel *base, const struct tp_forward_args *args)
{
	const struct tp_reference_kernel *kernel = self(base);
	int32_t first = args->slice == TP_WHOLE ? 0 : args->slice;
	int32_t end = args->slice == TP_WHOLE ? kernel->slicing.count : first + 1;
	int64_t start_ns = tp_kernel_begin();
	for (int32_t j = first; j < end; j++) {
		int64_t offset = tp_slices_samples(kernel->slicing, first, j - first);
		double *y = (double *)args->y + offset * kernel->out_elements;
		struct tp_reference_batch batch = {
		        .samples = tp_slice_size(kernel->slicing, j),
		        .params = args->params,
		        .state = args->recompute ? NULL : args->state,
		        .saved = saved_of_slice(kernel, args->saved, j),
		        .scratch = args->scratch,
		};
		for (int32_t i = 0; i < base->layer->inputs; i++)
			batch.x[i] = (const double *)args->x[i] + offset * kernel->in_elements;
		kernel->op->forward(kernel, &batch, y);
		apply_relu(kernel, y, batch.samples);
	}
	tp_kernel_end(start_ns,
	              tp_name_of(kernel->forward_names, tp_slices_samples(kernel->slicing, first, end - first)));
	return TP_OK;
}

static enum tp_status infer(struct tp_kernel *base, int32_t samples, const struct tp_forward_args *args)
{
	const struct tp_reference_kernel *kernel = self(base);
	struct tp_reference_batch batch = {
	        .samples = samples,
	        .params = args->params,
	        .state = args->state,
	        .scratch = args->scratch,
	};
	for (int32_t i = 0; i < base->layer->inputs; i++)
		batch.x[i] = args->x[i];
	if (kernel->op->infer)
		kernel->op->infer(kernel, &batch, args->y);
	else
		kernel->op->forward(kernel, &batch, args->y);
	apply_relu(kernel, args->y, samples);
	return TP_OK;
}

/* The gradient before the fused ReLU: dy where y > 0. */
static void mask_gradient(const double *y, const double *dy, double *masked, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		masked[i] = y[i] > 0 ? dy[i] : 0;
}

static enum tp_status backward(struct tp_kernel *base, const struct tp_backward_args *args)
{
	const struct tp_reference_kernel *kernel = self(base);
	enum tp_backward_part part =
	        kernel->op->both_at_once && args->part == TP_BACKWARD_INPUT ? TP_BACKWARD_BOTH : args->part;
	bool weights = base->params_bytes && part != TP_BACKWARD_INPUT;
	int32_t first = args->first_slice;
	if (part == TP_BACKWARD_WEIGHTS && (!weights || kernel->op->both_at_once))
		return TP_OK;
	int64_t start_ns = tp_kernel_begin();
	if (weights && !args->accumulate)
		memset(args->dparams, 0, base->params_bytes);
	for (int32_t j = first; j < first + args->slice_count; j++) {
		int64_t offset = tp_slices_samples(kernel->slicing, first, j - first);
		struct tp_reference_batch batch = {
		        .samples = tp_slice_size(kernel->slicing, j),
		        .params = args->params,
		        .saved = saved_of_slice(kernel, args->saved, j),
		        .scratch = args->scratch,
		};
		const double *dy = (const double *)args->dy + offset * kernel->out_elements;
		double *dx[TP_LAYER_INPUTS] = {NULL};
		for (int32_t i = 0; i < base->layer->inputs; i++) {
			batch.x[i] = (const double *)args->x[i] + offset * kernel->in_elements;
			if (args->dx[i] && part != TP_BACKWARD_WEIGHTS)
				dx[i] = (double *)args->dx[i] + offset * kernel->in_elements;
		}
		if (base->layer->relu) {
			int64_t count = batch.samples * kernel->out_elements;
			mask_gradient((const double *)args->y + offset * kernel->out_elements, dy, batch.scratch,
			              count);
			dy = batch.scratch;
			batch.scratch += count;
		}
		kernel->op->backward(kernel, &batch, dy, dx, weights ? args->dparams : NULL);
	}
	tp_kernel_end(start_ns, tp_name_of(kernel->backward_names[part],
	                                   tp_slices_samples(kernel->slicing, first, args->slice_count)));
	return TP_OK;
}

static void import_param(struct tp_kernel *base, int32_t index, const float *plain, void *block)
{
	const struct tp_kernel_param *param = &base->params[index];
	double *to = (double *)((unsigned char *)block + param->offset_bytes);
	for (size_t i = 0; i < param->bytes / sizeof(double); i++)
		to[i] = (double)plain[i];
}

static void export_param(struct tp_kernel *base, int32_t index, const void *block, double *plain)
{
	const struct tp_kernel_param *param = &base->params[index];
	memcpy(plain, (const unsigned char *)block + param->offset_bytes, param->bytes);
}

static void free_kernel(struct tp_kernel *base)
{
	struct tp_reference_kernel *kernel = (struct tp_reference_kernel *)base;
	tp_free(kernel->forward_names);
	for (int part = 0; part < TP_BACKWARD_PARTS; part++)
		tp_free(kernel->backward_names[part]);
	tp_free(kernel);
}

static const struct tp_kernel_ops with_params = {forward, infer, backward, import_param, export_param, free_kernel};
static const struct tp_kernel_ops without_params = {forward, infer, backward, NULL, NULL, free_kernel};
static const struct tp_kernel_ops alias = {NULL, NULL, NULL, NULL, NULL, free_kernel};

/* Tensors one after another: trainable ones in the parameter block, the others in the state block. */
static void lay_out_params(struct tp_kernel *base)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	int32_t count = tp_layer_params(base->layer, params);
	base->ops = count ? &with_params : &without_params;
	for (int32_t i = 0; i < count; i++) {
		size_t *block_bytes = params[i].trainable ? &base->params_bytes : &base->state_bytes;
		base->params[i].offset_bytes = *block_bytes;
		base->params[i].bytes = (size_t)params[i].elements * sizeof(double);
		*block_bytes += base->params[i].bytes;
	}
}

/* A layer is one kernel forward, and one for each part of its backward. */
static enum tp_status name_kernels(struct tp_kernel_names *names, struct tp_reference_kernel *kernel)
{
	static const char *const passes[TP_BACKWARD_PARTS] = {"B", "BD", "BW"};
	struct tp_kernel *base = &kernel->base;
	const struct tp_layer *layer = base->layer;
	int64_t values = layer->inputs * kernel->in_elements + kernel->out_elements;
	struct tp_named_kernel described = {
	        .name = tp_layer_kind_text(layer->kind),
	        .pass = "F",
	        .layer = layer,
	        .from = layer->in_shape,
	        .to = layer->out_shape,
	        .window = layer->kind == TP_LAYER_CONV || layer->kind == TP_LAYER_MAXPOOL,
	        .fixed_bytes = (int64_t)base->params_bytes,
	        .sample_bytes = values * (int64_t)sizeof(double),
	        .sample_flops = tp_layer_product_flops(layer),
	};
	base->forward_kernels = base->backward_kernels = 1;
	TP_TRY(tp_name_forwards(names, &described, kernel->slicing, &kernel->forward_names));
	for (int part = 0; part < TP_BACKWARD_PARTS; part++) {
		struct tp_named_kernel backward = described;
		backward.pass = passes[part];
		backward.sample_flops *= part == TP_BACKWARD_BOTH ? 2 : 1;
		TP_TRY(tp_name_backwards(names, &backward, kernel->slicing, kernel->span,
		                         &kernel->backward_names[part]));
	}
	return TP_OK;
}

enum tp_status tp_reference_kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                       struct tp_kernel **out)
{
	const struct tp_layer *layer = spec->layer;
	enum tp_status status = TP_OK;
	struct tp_reference_kernel *kernel = tp_alloc(sizeof *kernel);
	if (!kernel)
		return TP_ERR_NOMEM;
	kernel->op = operators[layer->kind];
	kernel->slicing = spec->slicing;
	kernel->span = spec->span;
	kernel->in_elements = tp_shape_elements(layer->in_shape);
	kernel->out_elements = tp_shape_elements(layer->out_shape);
	struct tp_kernel *base = &kernel->base;
	base->layer = layer;
	base->out = tp_tensor_plain(layer->out_shape, sizeof(double));
	if (kernel->op) {
		size_t batch = (size_t)tp_slot_samples(spec->slicing, spec->span);
		size_t slices = spec->span == TP_SPAN_SLICE ? 1 : (size_t)spec->slicing.count;
		lay_out_params(base);
		base->saved_bytes = batch * bytes_of(kernel->op->saved_sample_bytes, kernel) +
		                    slices * bytes_of(kernel->op->saved_slice_bytes, kernel);
		base->scratch_bytes = bytes_of(kernel->op->scratch_bytes, kernel);
		if (layer->relu) /* the masked gradient of the largest slice */
			base->scratch_bytes += (size_t)tp_slice_size(spec->slicing, 0) * base->out.sample_bytes;
		status = name_kernels(device->kernel_names, kernel);
	} else {
		base->ops = &alias;
		base->aliases_input = true;
	}
	if (status != TP_OK) {
		free_kernel(base);
		return status;
	}
	*out = base;
	return TP_OK;
}
