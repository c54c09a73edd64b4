/* Pooling: maxima of windows, which remembers where they were, and the mean of each channel. */
#include <string.h>

#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

struct maxpool_kernel {
	struct tp_cpu_kernel head;
	struct tp_kernel_sizes train_sizes, infer_sizes, backward_sizes;
	struct tp_dnnl_op train[TP_KERNEL_SIZES], infer[TP_KERNEL_SIZES], backward[TP_KERNEL_SIZES];
	size_t index_sample_bytes; /* where a sample's maxima were: `saved` is an array of these */
};

static void *indices_of(const struct maxpool_kernel *pool, void *saved, int32_t slice)
{
	int32_t first = tp_slot_first(pool->head.slicing, pool->head.span, slice);
	return (char *)saved + pool->index_sample_bytes * (size_t)first;
}

static enum tp_status maxpool_forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct maxpool_kernel *pool = (struct maxpool_kernel *)kernel;
	int32_t i = tp_kernel_size_index(&pool->train_sizes, tp_slice_size(pool->head.slicing, args->slice));
	return tp_dnnl_run(&pool->train[i], pool->head.device->stream,
	                   (const void *[]){args->x[0], args->y, indices_of(pool, args->saved, args->slice)},
	                   args->scratch);
}

static enum tp_status maxpool_infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	struct maxpool_kernel *pool = (struct maxpool_kernel *)kernel;
	int32_t i = tp_kernel_size_index(&pool->infer_sizes, samples);
	return tp_dnnl_run(&pool->infer[i], pool->head.device->stream, (const void *[]){args->x[0], args->y, NULL},
	                   args->scratch);
}

static enum tp_status maxpool_backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct maxpool_kernel *pool = (struct maxpool_kernel *)kernel;
	if (!args->dx[0] || args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK;
	int32_t i = tp_kernel_size_index(&pool->backward_sizes, tp_cpu_backward_samples(&pool->head, args));
	return tp_dnnl_run(&pool->backward[i], pool->head.device->stream,
	                   (const void *[]){args->dy, indices_of(pool, args->saved, args->first_slice), args->dx[0]},
	                   args->scratch);
}

static void maxpool_free(struct tp_kernel *kernel)
{
	struct maxpool_kernel *pool = (struct maxpool_kernel *)kernel;
	for (int32_t i = 0; i < TP_KERNEL_SIZES; i++) {
		tp_dnnl_op_release(&pool->backward[i]);
		tp_dnnl_op_release(&pool->train[i]);
		tp_dnnl_op_release(&pool->infer[i]);
	}
	tp_cpu_kernel_free(&pool->head);
}

static const struct tp_kernel_ops maxpool_ops = {maxpool_forward, maxpool_infer, maxpool_backward, NULL, NULL,
                                                 maxpool_free};

static void need_scratch(struct tp_kernel *kernel, const struct tp_dnnl_op *op)
{
	size_t bytes = tp_align_up(op->scratch_bytes);
	kernel->scratch_bytes = bytes > kernel->scratch_bytes ? bytes : kernel->scratch_bytes;
}

/* Build the operations of all batch sizes; the first forward decides y's layout. */
static enum tp_status maxpool_build(struct maxpool_kernel *pool, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &pool->head.base;
	const struct tp_layer *layer = spec->layer;
	const int32_t layout = spec->in[0].layout;
	struct tp_dnnl_values out = {0, layer->out_shape, TP_DNNL_LAYOUT_ANY};

	pool->train_sizes = tp_kernel_train_sizes(spec);
	pool->infer_sizes = tp_kernel_infer_sizes(spec);
	pool->backward_sizes = tp_kernel_backward_sizes(spec);
	for (int32_t i = 0; i < pool->train_sizes.count; i++) {
		out.samples = pool->train_sizes.samples[i];
		TP_TRY(tp_dnnl_maxpool(&pool->train[i], layer, out.samples, layout, true));
		TP_TRY(tp_cpu_name_op(&pool->head, "F", out.samples, &pool->train[i]));
		need_scratch(kernel, &pool->train[i]);
	}
	out.samples = pool->train_sizes.samples[0];
	TP_TRY(tp_dnnl_arg_layout(&pool->train[0], DNNL_ARG_DST, &out));
	kernel->out = tp_cpu_tensor(layer->out_shape, out.layout);
	pool->index_sample_bytes = tp_dnnl_arg_bytes(&pool->train[0], DNNL_ARG_WORKSPACE) / (size_t)out.samples;
	kernel->saved_bytes = pool->index_sample_bytes * (size_t)tp_slot_samples(spec->slicing, spec->span);

	for (int32_t i = 0; i < pool->infer_sizes.count; i++) {
		TP_TRY(tp_dnnl_maxpool(&pool->infer[i], layer, pool->infer_sizes.samples[i], layout, false));
		need_scratch(kernel, &pool->infer[i]);
	}
	for (int32_t i = 0; i < pool->backward_sizes.count; i++) {
		int32_t samples = pool->backward_sizes.samples[i];
		struct tp_dnnl_op hint;
		TP_TRY(tp_dnnl_maxpool(&hint, layer, samples, layout, true));
		enum tp_status status =
		        tp_dnnl_maxpool_backward(&pool->backward[i], layer, samples, layout, out.layout, &hint);
		size_t bytes = tp_dnnl_arg_bytes(&hint, DNNL_ARG_WORKSPACE);
		tp_dnnl_op_release(&hint);
		TP_TRY(status);
		if (bytes != pool->index_sample_bytes * (size_t)samples)
			return tp_fail(TP_ERR_UNSUPPORTED, "oneDNN's pooling indices do not grow with the batch");
		TP_TRY(tp_cpu_name_op(&pool->head, "BD", samples, &pool->backward[i]));
		need_scratch(kernel, &pool->backward[i]);
	}
	kernel->forward_kernels = kernel->backward_kernels = 1;
	return TP_OK;
}

enum tp_status tp_cpu_maxpool_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	struct maxpool_kernel *pool = NULL;
	TP_TRY(tp_cpu_kernel_alloc(sizeof *pool, &maxpool_ops, device, spec, &pool));
	enum tp_status status = maxpool_build(pool, spec);
	if (status != TP_OK) {
		maxpool_free(&pool->head.base);
		return status;
	}
	*kernel = &pool->head.base;
	return TP_OK;
}

/* A sample as `blocks` runs of pixels, each pixel `pitch` channels wide. */
struct channel_blocks {
	int32_t blocks, pitch, pixels;
};

static struct channel_blocks blocks_of(struct tp_tensor_desc desc)
{
	const struct tp_shape shape = desc.shape;
	int32_t pitch = desc.layout;
	if (desc.layout == TP_LAYOUT_PLAIN)
		pitch = 1;
	else if (desc.layout == TP_DNNL_LAYOUT_CHANNELS_LAST)
		pitch = shape.c;
	return (struct channel_blocks){(shape.c + pitch - 1) / pitch, pitch, shape.h * shape.w};
}

/* Channels of a block that are not padding. */
static int32_t lanes_of(struct channel_blocks blocks, int32_t block, int32_t channels)
{
	int32_t rest = channels - block * blocks.pitch;
	return rest < blocks.pitch ? rest : blocks.pitch;
}

static void average(const struct tp_cpu_kernel *head, int32_t samples, const float *x, float *y)
{
	const struct channel_blocks blocks = blocks_of(head->in[0]);
	const int32_t channels = head->in[0].shape.c;
	const float factor = 1.0F / (float)blocks.pixels;
	for (int32_t sample = 0; sample < samples; sample++, y += channels)
		for (int32_t block = 0; block < blocks.blocks; block++, x += blocks.pixels * blocks.pitch)
			tp_cpu_mean_rows(x, y + block * blocks.pitch, blocks.pixels, blocks.pitch,
			                 lanes_of(blocks, block, channels), factor);
}

static enum tp_status avgpool_infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	average((struct tp_cpu_kernel *)kernel, samples, args->x[0], args->y);
	return TP_OK;
}

static enum tp_status avgpool_forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct tp_cpu_kernel *head = (struct tp_cpu_kernel *)kernel;
	int32_t samples = tp_slice_size(head->slicing, args->slice);
	int64_t start_ns = tp_kernel_begin();
	average(head, samples, args->x[0], args->y);
	tp_kernel_end(start_ns, tp_name_of(head->forward_names, samples));
	return TP_OK;
}

static enum tp_status avgpool_backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	const struct tp_cpu_kernel *head = (struct tp_cpu_kernel *)kernel;
	const struct channel_blocks blocks = blocks_of(head->in[0]);
	const int32_t channels = head->in[0].shape.c, samples = tp_cpu_backward_samples(head, args);
	const float factor = 1.0F / (float)blocks.pixels;
	const float *dy = args->dy;
	float *dx = args->dx[0];

	if (!dx || args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK;
	int64_t start_ns = tp_kernel_begin();
	for (int32_t sample = 0; sample < samples; sample++, dy += channels) {
		for (int32_t block = 0; block < blocks.blocks; block++, dx += blocks.pixels * blocks.pitch) {
			int32_t lanes = lanes_of(blocks, block, channels);
			if (lanes < blocks.pitch) /* padding stays zero */
				memset(dx, 0, sizeof(float) * (size_t)blocks.pixels * (size_t)blocks.pitch);
			tp_cpu_spread_rows(dy + block * blocks.pitch, dx, blocks.pixels, blocks.pitch, lanes, factor);
		}
	}
	tp_kernel_end(start_ns, tp_name_of(head->backward_names, samples));
	return TP_OK;
}

static void avgpool_free(struct tp_kernel *kernel)
{
	tp_cpu_kernel_free((struct tp_cpu_kernel *)kernel);
}

static const struct tp_kernel_ops avgpool_ops = {avgpool_forward, avgpool_infer, avgpool_backward, NULL, NULL,
                                                 avgpool_free};

static enum tp_status avgpool_name(struct tp_cpu_kernel *head)
{
	struct tp_kernel_names *names = head->device->base.kernel_names;
	struct tp_named_kernel described = tp_cpu_layer_kernel(head, "mean_rows", "F");
	described.sample_bytes = (int64_t)(head->in[0].sample_bytes + head->base.out.sample_bytes);
	head->base.forward_kernels = head->base.backward_kernels = 1;
	TP_TRY(tp_name_forwards(names, &described, head->slicing, &head->forward_names));
	described.name = "spread_rows";
	described.pass = "BD";
	return tp_name_backwards(names, &described, head->slicing, head->span, &head->backward_names);
}

enum tp_status tp_cpu_avgpool_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	struct tp_cpu_kernel *head = NULL;
	TP_TRY(tp_cpu_kernel_alloc(sizeof *head, &avgpool_ops, device, spec, &head));
	head->base.out = tp_tensor_plain(spec->layer->out_shape, sizeof(float));
	enum tp_status status = avgpool_name(head);
	if (status != TP_OK) {
		avgpool_free(&head->base);
		return status;
	}
	*kernel = &head->base;
	return TP_OK;
}
