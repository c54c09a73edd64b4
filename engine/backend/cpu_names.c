/* Names of the CPU device's kernels. */
#include <stdio.h>
#include <string.h>

#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "profiler/kernel_probe.h"

static const char *const pass_texts[TP_DNNL_PASSES] = {"F", "BD", "BW"};

const char *tp_cpu_pass_text(enum tp_dnnl_pass pass)
{
	return pass_texts[pass];
}

struct tp_named_kernel tp_cpu_layer_kernel(const struct tp_cpu_kernel *kernel, const char *name, const char *pass)
{
	const struct tp_layer *layer = kernel->base.layer;
	return (struct tp_named_kernel){
	        .name = name,
	        .pass = pass,
	        .layer = layer,
	        .from = layer->in_shape,
	        .to = layer->out_shape,
	        .window = layer->kind == TP_LAYER_CONV || layer->kind == TP_LAYER_MAXPOOL,
	        .sample_flops = tp_layer_product_flops(layer),
	};
}

enum tp_status tp_cpu_name_op(const struct tp_cpu_kernel *kernel, const char *pass, int32_t samples,
                              struct tp_dnnl_op *op)
{
	struct tp_kernel_names *names = kernel->device->base.kernel_names;
	struct tp_kernel_name name;
	if (!names)
		return TP_OK;
	const struct tp_named_kernel described = tp_cpu_layer_kernel(kernel, "", pass);
	tp_describe_kernel(&described, samples, &name);
	tp_dnnl_op_describe(op, &name);
	return tp_kernel_names_add(names, &name, &op->name);
}

/* The first tensor's dimensions: "64x3x3x3". */
static void weight_shape(const struct tp_layer *layer, char *text, size_t size)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	(void)tp_layer_params(layer, params);
	text[0] = '\0';
	for (int32_t i = 0; i < params[0].rank; i++) {
		size_t length = strlen(text);
		(void)snprintf(text + length, size - length, "%s%lld", i ? "x" : "", (long long)params[0].dims[i]);
	}
}

enum tp_status tp_cpu_name_weighted_op(const struct tp_cpu_kernel *kernel, enum tp_dnnl_pass pass, int32_t samples,
                                       struct tp_cpu_weighted_op *op)
{
	struct tp_kernel_names *names = kernel->device->base.kernel_names;
	if (!names)
		return TP_OK;
	TP_TRY(tp_cpu_name_op(kernel, pass_texts[pass], samples, &op->op));
	if (!op->converted_bytes)
		return TP_OK;
	struct tp_kernel_name name;
	const struct tp_named_kernel described = tp_cpu_layer_kernel(kernel, "", pass_texts[pass]);
	tp_describe_kernel(&described, samples, &name);
	name.kernel_flops = 0;
	weight_shape(kernel->base.layer, name.shape, sizeof name.shape);
	tp_dnnl_op_describe(&op->convert, &name);
	return tp_kernel_names_add(names, &name, &op->convert.name);
}

enum tp_status tp_cpu_name_gradient_sum(struct tp_cpu_kernel *kernel)
{
	char shape[sizeof(((struct tp_kernel_name *)0)->shape)];
	const struct tp_named_kernel described = {
	        .name = "add",
	        .pass = kernel->base.layer->kind == TP_LAYER_BATCHNORM ? "B" : "BW",
	        .layer = kernel->base.layer,
	        .fixed_bytes = 2 * (int64_t)kernel->base.params_bytes,
	};
	weight_shape(kernel->base.layer, shape, sizeof shape);
	return tp_name_fixed(kernel->device->base.kernel_names, &described, shape, &kernel->sum_name);
}

enum tp_status tp_cpu_name_relu_mask(struct tp_cpu_kernel *kernel)
{
	const struct tp_named_kernel described = {
	        .name = "relu_mask",
	        .pass = "B",
	        .layer = kernel->base.layer,
	        .from = kernel->base.layer->out_shape,
	        .to = kernel->base.layer->out_shape,
	        .sample_bytes = 3 * (int64_t)kernel->base.out.sample_bytes,
	};
	return tp_name_backwards(kernel->device->base.kernel_names, &described, kernel->slicing, kernel->span,
	                         &kernel->backward_names);
}

void tp_cpu_mask_gradient(const struct tp_cpu_kernel *kernel, const struct tp_backward_args *args, void *masked)
{
	int32_t samples = tp_cpu_backward_samples(kernel, args);
	int64_t start_ns = tp_kernel_begin();
	tp_cpu_relu_mask(args->dy, args->y, masked, kernel->base.out.sample_bytes * (size_t)samples / sizeof(float));
	tp_kernel_end(start_ns, tp_name_of(kernel->backward_names, samples));
}
