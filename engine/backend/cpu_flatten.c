/* Flatten: to a vector in plain order. Nothing to do when the values lie so already, else a reorder. */
#include "engine/backend/cpu_kernel.h"
#include "engine/base/memory.h"

struct flatten_kernel {
	struct tp_cpu_kernel head;
	struct tp_kernel_sizes forward_sizes, backward_sizes;
	struct tp_dnnl_op forward[TP_KERNEL_SIZES], backward[TP_KERNEL_SIZES];
};

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	struct flatten_kernel *flatten = (struct flatten_kernel *)kernel;
	int32_t i = tp_kernel_size_index(&flatten->forward_sizes, samples);
	return tp_dnnl_run(&flatten->forward[i], flatten->head.device->stream, (const void *[]){args->x[0], args->y},
	                   args->scratch);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct tp_cpu_kernel *head = (struct tp_cpu_kernel *)kernel;
	return infer(kernel, tp_slice_size(head->slicing, args->slice), args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct flatten_kernel *flatten = (struct flatten_kernel *)kernel;
	if (!args->dx[0] || args->part == TP_BACKWARD_WEIGHTS)
		return TP_OK;
	int32_t i = tp_kernel_size_index(&flatten->backward_sizes, tp_cpu_backward_samples(&flatten->head, args));
	return tp_dnnl_run(&flatten->backward[i], flatten->head.device->stream, (const void *[]){args->dy, args->dx[0]},
	                   args->scratch);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct flatten_kernel *flatten = (struct flatten_kernel *)kernel;
	for (int32_t i = 0; i < TP_KERNEL_SIZES; i++) {
		tp_dnnl_op_release(&flatten->forward[i]);
		tp_dnnl_op_release(&flatten->backward[i]);
	}
	tp_cpu_kernel_free(&flatten->head);
}

static const struct tp_kernel_ops flatten_ops = {forward, infer, backward, NULL, NULL, free_kernel};

/* Blocks of channels of one pixel lie in plain order, if the last one is full. */
static bool is_plain(struct tp_tensor_desc desc)
{
	if (desc.layout == TP_LAYOUT_PLAIN)
		return true;
	return desc.shape.h * desc.shape.w == 1 && desc.shape.c % desc.layout == 0;
}

/* The reorder of `samples` to plain order, or back. */
static enum tp_status build_op(struct flatten_kernel *flatten, int32_t samples, bool back, struct tp_dnnl_op *op)
{
	struct tp_kernel *kernel = &flatten->head.base;
	const struct tp_tensor_desc in = flatten->head.in[0];
	struct tp_dnnl_md blocked = {0}, plain = {0};
	enum tp_status status = tp_dnnl_md_values(&blocked, (struct tp_dnnl_values){samples, in.shape, in.layout});
	if (status == TP_OK)
		status = tp_dnnl_md_values(&plain, (struct tp_dnnl_values){samples, in.shape, TP_LAYOUT_PLAIN});
	if (status == TP_OK)
		status = back ? tp_dnnl_reorder(op, &plain, &blocked) : tp_dnnl_reorder(op, &blocked, &plain);
	tp_dnnl_md_release(&blocked);
	tp_dnnl_md_release(&plain);
	size_t bytes = tp_align_up(op->scratch_bytes);
	kernel->scratch_bytes = bytes > kernel->scratch_bytes ? bytes : kernel->scratch_bytes;
	return status;
}

static enum tp_status build(struct flatten_kernel *flatten, const struct tp_kernel_spec *spec)
{
	flatten->head.base.out = tp_tensor_plain(spec->layer->out_shape, sizeof(float));
	flatten->head.base.aliases_input = is_plain(spec->in[0]);
	if (flatten->head.base.aliases_input)
		return TP_OK;
	flatten->forward_sizes = tp_kernel_forward_sizes(spec);
	flatten->backward_sizes = tp_kernel_backward_sizes(spec);
	for (int32_t i = 0; i < flatten->forward_sizes.count; i++)
		TP_TRY(build_op(flatten, flatten->forward_sizes.samples[i], false, &flatten->forward[i]));
	for (int32_t i = 0; i < flatten->backward_sizes.count; i++)
		TP_TRY(build_op(flatten, flatten->backward_sizes.samples[i], true, &flatten->backward[i]));
	flatten->head.base.forward_kernels = flatten->head.base.backward_kernels = 1;
	for (int32_t i = 0; i < tp_kernel_train_sizes(spec).count; i++)
		TP_TRY(tp_cpu_name_op(&flatten->head, "F", flatten->forward_sizes.samples[i], &flatten->forward[i]));
	for (int32_t i = 0; i < flatten->backward_sizes.count; i++)
		TP_TRY(tp_cpu_name_op(&flatten->head, "BD", flatten->backward_sizes.samples[i], &flatten->backward[i]));
	return TP_OK;
}

enum tp_status tp_cpu_flatten_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	struct flatten_kernel *flatten = NULL;
	TP_TRY(tp_cpu_kernel_alloc(sizeof *flatten, &flatten_ops, device, spec, &flatten));
	enum tp_status status = build(flatten, spec);
	if (status != TP_OK) {
		free_kernel(&flatten->head.base);
		return status;
	}
	*kernel = &flatten->head.base;
	return TP_OK;
}
