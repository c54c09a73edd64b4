/* The CPU device: oneDNN for what it is good at, loops of ours for the rest. One thread per stage. */
#include <string.h>

#include "engine/backend/cpu_choice.h"
#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "engine/backend/cpu_loss.h"
#include "engine/backend/devices.h"
#include "engine/base/memory.h"

static void close_device(struct tp_device *device)
{
	struct tp_cpu_device *cpu = (struct tp_cpu_device *)device;
	if (cpu->stream)
		tp_dnnl_stream_free(cpu->stream);
	tp_free(cpu->choice_file);
	tp_free(cpu);
}

static enum tp_status open_device(const struct tp_device_options *options, int32_t stage, struct tp_device **device)
{
	struct tp_cpu_device *cpu = tp_alloc(sizeof *cpu);
	if (!cpu)
		return TP_ERR_NOMEM;
	cpu->base = (struct tp_device){&tp_device_cpu, stage, options->kernel_names};
	cpu->conv = options->conv;
	cpu->choice_budget_ns = options->choice_budget_ns;
	enum tp_status status = tp_dnnl_stream_new(&cpu->stream);
	if (status == TP_OK && options->cache_dir && cpu->conv == TP_CONV_AUTO) {
		cpu->choice_file = tp_choice_file(options->cache_dir);
		if (cpu->choice_file)
			tp_choice_load(cpu->choice_file);
		else
			status = TP_ERR_NOMEM;
	}
	if (status != TP_OK) {
		close_device(&cpu->base);
		return status;
	}
	*device = &cpu->base;
	return TP_OK;
}

static enum tp_status kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec, struct tp_kernel **kernel)
{
	static tp_cpu_kernel_new_fn *const constructors[TP_LAYER_KINDS] = {
	        [TP_LAYER_CONV] = tp_cpu_conv_new,       [TP_LAYER_BATCHNORM] = tp_cpu_batchnorm_new,
	        [TP_LAYER_MAXPOOL] = tp_cpu_maxpool_new, [TP_LAYER_GLOBAL_AVGPOOL] = tp_cpu_avgpool_new,
	        [TP_LAYER_FLATTEN] = tp_cpu_flatten_new, [TP_LAYER_LINEAR] = tp_cpu_linear_new,
	        [TP_LAYER_ADD] = tp_cpu_add_new,
	};
	if (tp_kernel_backward_sizes(spec).count > TP_KERNEL_SIZES)
		return tp_fail(
		        TP_ERR_UNSUPPORTED,
		        "layer %s: runs of %d micro-batches can have more than %d sizes; expected fewer micro-batches "
		        "where they are read apart",
		        spec->layer->name, spec->slicing.count, TP_KERNEL_SIZES);
	tp_dnnl_use_one_thread(); /* an operation keeps the number of threads it was built with */
	enum tp_status status = constructors[spec->layer->kind]((struct tp_cpu_device *)device, spec, kernel);
	return status == TP_OK ? status : tp_fail_in(status, "layer %s", spec->layer->name);
}

static void upload(struct tp_device *device, const float *from, void *to, struct tp_shape shape, int32_t samples)
{
	(void)device;
	memcpy(to, from, sizeof *from * (size_t)(samples * tp_shape_elements(shape)));
}

static void sgd(struct tp_device *device, const struct tp_sgd *step, const void *from, void *to, void *gradient,
                void *momentum, size_t bytes)
{
	(void)device;
	const struct tp_cpu_sgd rounded = {(float)step->lr, (float)step->momentum, (float)step->weight_decay,
	                                   step->first_step};
	tp_cpu_sgd(&rounded, from, to, gradient, momentum, bytes / sizeof(float));
}

static void blend(struct tp_device *device, double a, const void *x, double b, const void *y, void *to, size_t bytes)
{
	(void)device;
	tp_cpu_mix((float)a, x, (float)b, y, to, bytes / sizeof(float));
}

const struct tp_device_ops tp_device_cpu = {
        .name = "cpu",
        .summary = "oneDNN on the processor, one thread per stage",
        .element_bytes = sizeof(float),
        .probe = tp_dnnl_describe,
        .open = open_device,
        .close = close_device,
        .enter_thread = tp_dnnl_use_one_thread,
        .kernel_new = kernel_new,
        .upload = upload,
        .sgd = sgd,
        .loss_forward = tp_cpu_loss_forward,
        .loss_backward = tp_cpu_loss_backward,
        .blend = blend,
};
