/* Flatten: to a vector in plain order. Nothing to do when the values lie so already, else a permutation. */
#include "engine/base/memory.h"
#include "engine/cuda/cuda_kernel.h"

static enum tp_status permute(const struct tp_kernel *kernel, int32_t samples, const void *from, void *to,
                              bool to_plain)
{
	const struct tp_cuda_kernel *head = (const struct tp_cuda_kernel *)kernel;
	const struct tp_shape shape = kernel->layer->in_shape;
	const struct tpb_permute_args args = {
	        .from = from,
	        .to = to,
	        .samples = samples,
	        .c = shape.c,
	        .hw = shape.h * shape.w,
	        .to_plain = to_plain,
	        .type = head->device->type,
	};
	return tp_cuda_launch(head->device, TPB_PERMUTE, &args, samples * tp_shape_elements(shape));
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	return permute(kernel, samples, args->x[0], args->y, true);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	return infer(kernel, tp_slice_size(((struct tp_cuda_kernel *)kernel)->slicing, args->slice), args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	if (!args->dx[0] || args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK;
	const int32_t samples = tp_cuda_backward_samples((struct tp_cuda_kernel *)kernel, args);
	return permute(kernel, samples, args->dy, args->dx[0], false);
}

static void free_kernel(struct tp_kernel *kernel)
{
	tp_free(kernel);
}

static const struct tp_kernel_ops flatten_ops = {forward, infer, backward, NULL, NULL, free_kernel};

enum tp_status tp_cuda_flatten_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                   struct tp_kernel **kernel)
{
	struct tp_cuda_kernel *head = NULL;
	TP_TRY(tp_cuda_kernel_alloc(sizeof *head, &flatten_ops, device, spec, &head));
	head->base.out = tp_cuda_tensor(head->device, spec->layer->out_shape);
	head->base.aliases_input = tp_cuda_is_plain(spec->in[0]);
	*kernel = &head->base;
	return TP_OK;
}
