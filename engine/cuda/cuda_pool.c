/* Pooling through cuDNN: maxima of windows, and the mean of each channel. The backward finds the maxima again in x and
 * y, so nothing is saved. */
#include "engine/base/memory.h"
#include "engine/cuda/cuda_descriptors.h"
#include "engine/cuda/cuda_kernel.h"

struct pool_pass {
	struct tp_kernel_sizes sizes;
	cudnnTensorDescriptor_t x[TP_KERNEL_SIZES], y[TP_KERNEL_SIZES];
};

struct pool_kernel {
	struct tp_cuda_kernel head;
	cudnnPoolingDescriptor_t window;
	struct pool_pass forward, backward;
};

static const float zero = 0, one = 1;

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	const struct pool_kernel *pool = (const struct pool_kernel *)kernel;
	const int32_t i = tp_kernel_size_index(&pool->forward.sizes, samples);
	TP_TRY(tp_cuda_enter(pool->head.device));
	return TP_CUDNN_CHECK(cudnnPoolingForward, pool->head.device->dnn, pool->window, &one, pool->forward.x[i],
	                      args->x[0], &zero, pool->forward.y[i], args->y);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	return infer(kernel, tp_slice_size(((struct tp_cuda_kernel *)kernel)->slicing, args->slice), args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	const struct pool_kernel *pool = (const struct pool_kernel *)kernel;
	if (!args->dx[0] || args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK;
	const struct pool_pass *pass = &pool->backward;
	const int32_t i = tp_kernel_size_index(&pass->sizes, tp_cuda_backward_samples(&pool->head, args));
	TP_TRY(tp_cuda_enter(pool->head.device));
	return TP_CUDNN_CHECK(cudnnPoolingBackward, pool->head.device->dnn, pool->window, &one, pass->y[i], args->y,
	                      pass->y[i], args->dy, pass->x[i], args->x[0], &zero, pass->x[i], args->dx[0]);
}

static void release_pass(struct pool_pass *pass)
{
	for (int32_t i = 0; i < pass->sizes.count; i++) {
		tp_cuda_forget_values(pass->x[i]);
		tp_cuda_forget_values(pass->y[i]);
	}
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct pool_kernel *pool = (struct pool_kernel *)kernel;
	release_pass(&pool->forward);
	release_pass(&pool->backward);
	tp_cuda_forget_pool(pool->window);
	tp_free(pool);
}

static const struct tp_kernel_ops pool_ops = {forward, infer, backward, NULL, NULL, free_kernel};

static enum tp_status build_pass(const struct pool_kernel *pool, struct tp_kernel_sizes sizes, struct pool_pass *pass)
{
	const struct tp_layer *layer = pool->head.base.layer;
	const enum tpb_type type = pool->head.device->type;
	pass->sizes = sizes;
	for (int32_t i = 0; i < sizes.count; i++) {
		TP_TRY(tp_cuda_describe_values(type, sizes.samples[i], layer->in_shape, &pass->x[i]));
		TP_TRY(tp_cuda_describe_values(type, sizes.samples[i], layer->out_shape, &pass->y[i]));
	}
	return TP_OK;
}

static enum tp_status build(struct pool_kernel *pool, const struct tp_kernel_spec *spec)
{
	pool->head.base.out = tp_cuda_tensor(pool->head.device, spec->layer->out_shape);
	TP_TRY(tp_cuda_check_alignment(&pool->head));
	TP_TRY(tp_cuda_describe_pool(spec->layer, pool->head.device->deterministic, &pool->window));
	TP_TRY(build_pass(pool, tp_kernel_forward_sizes(spec), &pool->forward));
	return build_pass(pool, tp_kernel_backward_sizes(spec), &pool->backward);
}

enum tp_status tp_cuda_pool_new(struct tp_device *device, const struct tp_kernel_spec *spec, struct tp_kernel **kernel)
{
	struct pool_kernel *pool = NULL;
	TP_TRY(tp_cuda_kernel_alloc(sizeof *pool, &pool_ops, device, spec, &pool));
	enum tp_status status = build(pool, spec);
	if (status != TP_OK) {
		free_kernel(&pool->head.base);
		return status;
	}
	*kernel = &pool->head.base;
	return TP_OK;
}
