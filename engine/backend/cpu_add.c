/* Sum of two values, optionally with the ReLU behind it: the end of a residual unit. */
#include <string.h>

#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

static size_t elements(const struct tp_kernel *kernel, int32_t samples)
{
	return kernel->out.sample_bytes * (size_t)samples / sizeof(float);
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	tp_cpu_sum(args->x[0], args->x[1], args->y, elements(kernel, samples), kernel->layer->relu);
	return TP_OK;
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct tp_cpu_kernel *head = (struct tp_cpu_kernel *)kernel;
	int32_t samples = tp_slice_size(head->slicing, args->slice);
	int64_t start_ns = tp_kernel_begin();
	enum tp_status status = infer(kernel, samples, args);
	tp_kernel_end(start_ns, tp_name_of(head->forward_names, samples));
	return status;
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct tp_cpu_kernel *head = (struct tp_cpu_kernel *)kernel;
	int32_t samples = tp_cpu_backward_samples(head, args);
	size_t count = elements(kernel, samples);
	for (int32_t i = 0; i < TP_LAYER_INPUTS; i++) {
		if (!args->dx[i] || args->part == TP_BACKWARD_WEIGHTS)
			continue;
		int64_t start_ns = tp_kernel_begin();
		if (kernel->layer->relu)
			tp_cpu_relu_mask(args->dy, args->y, args->dx[i], count);
		else
			memcpy(args->dx[i], args->dy, count * sizeof(float));
		tp_kernel_end(start_ns, tp_name_of(head->backward_names, samples));
	}
	return TP_OK;
}

static void free_kernel(struct tp_kernel *kernel)
{
	tp_cpu_kernel_free((struct tp_cpu_kernel *)kernel);
}

static const struct tp_kernel_ops add_ops = {forward, infer, backward, NULL, NULL, free_kernel};

static enum tp_status name_loops(struct tp_cpu_kernel *head)
{
	struct tp_kernel_names *names = head->device->base.kernel_names;
	bool relu = head->base.layer->relu;
	struct tp_named_kernel described = tp_cpu_layer_kernel(head, "add", "F");
	described.sample_bytes = 3 * (int64_t)head->base.out.sample_bytes;
	head->base.forward_kernels = 1;
	head->base.backward_kernels = TP_LAYER_INPUTS;
	TP_TRY(tp_name_forwards(names, &described, head->slicing, &head->forward_names));
	described.name = relu ? "relu_mask" : "copy";
	described.pass = "BD";
	described.sample_bytes = (relu ? 3 : 2) * (int64_t)head->base.out.sample_bytes;
	return tp_name_backwards(names, &described, head->slicing, head->span, &head->backward_names);
}

enum tp_status tp_cpu_add_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                              struct tp_kernel **kernel)
{
	struct tp_cpu_kernel *head = NULL;
	if (spec->in[0].layout != spec->in[1].layout)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "expected both values in one layout, found %d and %d: the input of a model cannot "
		               "be added to what a convolution computed",
		               spec->in[0].layout, spec->in[1].layout);
	TP_TRY(tp_cpu_kernel_alloc(sizeof *head, &add_ops, device, spec, &head));
	head->base.out = spec->in[0];
	enum tp_status status = name_loops(head);
	if (status != TP_OK) {
		free_kernel(&head->base);
		return status;
	}
	*kernel = &head->base;
	return TP_OK;
}
