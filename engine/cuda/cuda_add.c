/* Sum of two values, optionally with the ReLU behind it: the end of a residual unit. */
#include "engine/base/memory.h"
#include "engine/cuda/cuda_kernel.h"

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	const struct tp_cuda_kernel *head = (const struct tp_cuda_kernel *)kernel;
	const struct tpb_add_args add = {
	        .a = args->x[0],
	        .b = args->x[1],
	        .y = args->y,
	        .count = samples * tp_shape_elements(kernel->out.shape),
	        .relu = kernel->layer->relu,
	        .type = head->device->type,
	};
	return tp_cuda_launch(head->device, TPB_ADD_RELU, &add, add.count);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	return infer(kernel, tp_slice_size(((struct tp_cuda_kernel *)kernel)->slicing, args->slice), args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	const struct tp_cuda_kernel *head = (const struct tp_cuda_kernel *)kernel;
	const size_t bytes = kernel->out.sample_bytes * (size_t)tp_cuda_backward_samples(head, args);
	TP_TRY(tp_cuda_enter(head->device));
	for (int32_t i = 0; i < TP_LAYER_INPUTS; i++) {
		if (!args->dx[i] || args->part == TP_BACKWARD_WEIGHTS)
			continue;
		if (kernel->layer->relu)
			TP_TRY(tp_cuda_mask_gradient(head, args, args->dx[i]));
		else
			TP_TRY(TP_CUDA_CHECK(cudaMemcpyAsync, args->dx[i], args->dy, bytes, cudaMemcpyDeviceToDevice,
			                     head->device->compute));
	}
	return TP_OK;
}

static void free_kernel(struct tp_kernel *kernel)
{
	tp_free(kernel);
}

static const struct tp_kernel_ops add_ops = {forward, infer, backward, NULL, NULL, free_kernel};

enum tp_status tp_cuda_add_new(struct tp_device *device, const struct tp_kernel_spec *spec, struct tp_kernel **kernel)
{
	struct tp_cuda_kernel *head = NULL;
	TP_TRY(tp_cuda_kernel_alloc(sizeof *head, &add_ops, device, spec, &head));
	head->base.out = spec->in[0];
	*kernel = &head->base;
	return TP_OK;
}
