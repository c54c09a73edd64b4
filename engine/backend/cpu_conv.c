/* Convolution: forward and both backwards, each for every batch size by the algorithm that suits it. */
#include <stdio.h>
#include <string.h>

#include "engine/backend/cpu_conv_op.h"
#include "engine/base/memory.h"

struct conv_pass {
	struct tp_kernel_sizes sizes;
	struct tp_cpu_conv_op op[TP_KERNEL_SIZES];
};

struct conv_kernel {
	struct tp_cpu_kernel head;
	struct tp_cpu_weight weight;
	struct conv_pass pass[TP_DNNL_PASSES];
	size_t masked_bytes; /* of dy behind the ReLU, at the start of backward's scratch; 0: no ReLU */
	bool accumulates;
	bool winograd_refused; /* it was asked for, and the library has none for some pass */
};

static enum tp_status run_forward(struct conv_kernel *conv, int32_t samples, const struct tp_forward_args *args)
{
	const struct conv_pass *pass = &conv->pass[TP_DNNL_FORWARD];
	int32_t i = tp_kernel_size_index(&pass->sizes, samples);
	return tp_cpu_conv_op_run(&pass->op[i], &conv->head, args->x[0], args->params, args->y, args->scratch);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	return run_forward(conv, tp_slice_size(conv->head.slicing, args->slice), args);
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	return run_forward((struct conv_kernel *)kernel, samples, args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	const struct tp_cpu_kernel *head = &conv->head;
	const struct conv_pass *data = &conv->pass[TP_DNNL_BACKWARD_DATA];
	const struct conv_pass *weights = &conv->pass[TP_DNNL_BACKWARD_WEIGHTS];
	int32_t samples = tp_cpu_backward_samples(head, args);
	int32_t i = tp_kernel_size_index(&weights->sizes, samples);
	const void *dy = args->dy;
	char *scratch = args->scratch;

	TP_CHECK(!args->accumulate || conv->accumulates);
	if (conv->masked_bytes) {
		tp_cpu_mask_gradient(head, args, args->scratch);
		dy = args->scratch;
		scratch += conv->masked_bytes;
	}
	if (args->part != TP_BACKWARD_INPUT)
		TP_TRY(tp_cpu_conv_op_gradient(&weights->op[i], head, args->x[0], dy, args->dparams, args->accumulate,
		                               scratch));
	if (args->part == TP_BACKWARD_WEIGHTS || !args->dx[0])
		return TP_OK;
	return tp_cpu_conv_op_run(&data->op[i], head, dy, args->params, args->dx[0], scratch);
}

static void import_param(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	if (index == 0)
		tp_cpu_weight_import(&conv->head, &conv->weight, plain, block);
	else
		tp_cpu_import_plain(&conv->head, index, plain, block);
}

static void export_param(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	if (index == 0)
		tp_cpu_weight_export(&conv->head, &conv->weight, block, plain);
	else
		tp_cpu_export_plain(&conv->head, index, block, plain);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	for (int pass = 0; pass < TP_DNNL_PASSES; pass++)
		for (int32_t i = 0; i < conv->pass[pass].sizes.count; i++)
			tp_cpu_conv_op_release(&conv->pass[pass].op[i]);
	tp_cpu_weight_release(&conv->weight);
	tp_cpu_kernel_free(&conv->head);
}

static const struct tp_kernel_ops conv_ops = {forward, infer, backward, import_param, export_param, free_kernel};

/* The direct forward decides the layouts of y and of the weights. */
static enum tp_status settle_layouts(struct conv_kernel *conv)
{
	struct tp_kernel *kernel = &conv->head.base;
	const struct tp_layer *layer = kernel->layer;
	const int32_t samples = TP_CPU_LAYOUT_SAMPLES;
	const struct tp_dnnl_conv desc = {layer, samples, conv->head.in[0].layout, TP_DNNL_LAYOUT_ANY, false};
	struct tp_dnnl_values out = {samples, layer->out_shape, TP_DNNL_LAYOUT_ANY};
	struct tp_dnnl_op op;

	TP_TRY(tp_dnnl_conv(&op, TP_DNNL_FORWARD, &desc));
	enum tp_status status = tp_dnnl_arg_layout(&op, DNNL_ARG_DST, &out);
	if (status == TP_OK)
		status = tp_dnnl_md_of(&conv->weight.layout, &op, DNNL_ARG_WEIGHTS);
	tp_dnnl_op_release(&op);
	TP_TRY(status);
	TP_TRY(tp_cpu_weight_init(&conv->weight, layer));
	kernel->out = tp_cpu_tensor(layer->out_shape, out.layout);
	tp_cpu_place_param(&conv->head, 0, conv->weight.bytes, true);
	tp_cpu_place_param(&conv->head, 1, sizeof(float) * (size_t)layer->out_shape.c, true);
	return TP_OK;
}

/* " BD=winograd", of the sizes from..to; names parted by '+' where sizes differ. */
static void describe_pass(struct conv_kernel *conv, const char *name, enum tp_dnnl_pass pass, int32_t from, int32_t to)
{
	struct tp_kernel *kernel = &conv->head.base;
	bool used[TP_CONV_ALGORITHMS] = {false};
	const char *before = "=";
	size_t length = strlen(kernel->algorithms);
	if (from < to)
		(void)snprintf(kernel->algorithms + length, sizeof kernel->algorithms - length, "%s%s",
		               length ? " " : "", name);
	for (int32_t i = from; i < to; i++) {
		enum tp_conv_algorithm algorithm = conv->pass[pass].op[i].algorithm;
		length = strlen(kernel->algorithms);
		if (!used[algorithm])
			(void)snprintf(kernel->algorithms + length, sizeof kernel->algorithms - length, "%s%s", before,
			               tp_conv_algorithm_text(algorithm));
		used[algorithm] = true;
		before = "+";
	}
}

static void describe(struct conv_kernel *conv, int32_t train_sizes)
{
	const struct conv_pass *pass = conv->pass;
	describe_pass(conv, "F", TP_DNNL_FORWARD, 0, train_sizes);
	describe_pass(conv, "BD", TP_DNNL_BACKWARD_DATA, 0, pass[TP_DNNL_BACKWARD_DATA].sizes.count);
	describe_pass(conv, "BW", TP_DNNL_BACKWARD_WEIGHTS, 0, pass[TP_DNNL_BACKWARD_WEIGHTS].sizes.count);
	describe_pass(conv, "infer", TP_DNNL_FORWARD, train_sizes, pass[TP_DNNL_FORWARD].sizes.count);
	char *text = conv->head.base.algorithms;
	size_t length = strlen(text);
	if (conv->winograd_refused)
		(void)snprintf(text + length, sizeof conv->head.base.algorithms - length,
		               " (no winograd for the rest)");
}

static size_t largest_scratch(const struct conv_pass *pass)
{
	size_t bytes = 0;
	for (int32_t i = 0; i < pass->sizes.count; i++)
		bytes = pass->op[i].scratch_bytes > bytes ? pass->op[i].scratch_bytes : bytes;
	return bytes;
}

/* A weight's pass is two at most, the other a change of layout; a backward may mask dy and add the gradient. */
static enum tp_status name_kernels(struct conv_kernel *conv, int32_t train_sizes)
{
	for (int p = 0; p < TP_DNNL_PASSES; p++) {
		int32_t count = p == TP_DNNL_FORWARD ? train_sizes : conv->pass[p].sizes.count;
		for (int32_t i = 0; i < count; i++)
			TP_TRY(tp_cpu_conv_op_name(&conv->pass[p].op[i], &conv->head));
	}
	conv->head.base.forward_kernels = 2;
	conv->head.base.backward_kernels = 2 + 2 + 2;
	if (conv->masked_bytes)
		TP_TRY(tp_cpu_name_relu_mask(&conv->head));
	return conv->accumulates ? tp_cpu_name_gradient_sum(&conv->head) : TP_OK;
}

static enum tp_status build(struct conv_kernel *conv, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &conv->head.base;
	struct conv_pass *pass = conv->pass;
	struct tp_cpu_conv_layer layer = {.head = &conv->head, .weight = &conv->weight};
	struct tp_kernel_sizes backward_sizes = tp_kernel_backward_sizes(spec);

	pass[TP_DNNL_FORWARD].sizes = tp_kernel_forward_sizes(spec);
	pass[TP_DNNL_BACKWARD_WEIGHTS].sizes = backward_sizes;
	if (spec->input_gradient)
		pass[TP_DNNL_BACKWARD_DATA].sizes = backward_sizes;
	TP_TRY(settle_layouts(conv));
	conv->accumulates = spec->accumulate;
	if (spec->accumulate)
		layer.accumulate_bytes = kernel->params_bytes;
	if (spec->layer->relu)
		conv->masked_bytes = tp_align_up(kernel->out.sample_bytes * (size_t)backward_sizes.samples[0]);
	for (int p = 0; p < TP_DNNL_PASSES; p++) {
		for (int32_t i = 0; i < pass[p].sizes.count; i++)
			TP_TRY(tp_cpu_conv_op_init(&pass[p].op[i], &layer, (enum tp_dnnl_pass)p,
			                           pass[p].sizes.samples[i], &conv->winograd_refused));
		size_t bytes = largest_scratch(&pass[p]) + (p == TP_DNNL_FORWARD ? 0 : conv->masked_bytes);
		kernel->scratch_bytes = bytes > kernel->scratch_bytes ? bytes : kernel->scratch_bytes;
	}
	describe(conv, tp_kernel_train_sizes(spec).count);
	return name_kernels(conv, tp_kernel_train_sizes(spec).count);
}

enum tp_status tp_cpu_conv_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                               struct tp_kernel **kernel)
{
	struct conv_kernel *conv = NULL;
	TP_TRY(tp_cpu_kernel_alloc(sizeof *conv, &conv_ops, device, spec, &conv));
	enum tp_status status = build(conv, spec);
	if (status != TP_OK) {
		free_kernel(&conv->head.base);
		return status;
	}
	if (device->choice_file && device->conv == TP_CONV_AUTO)
		tp_choice_save(device->choice_file);
	*kernel = &conv->head.base;
	return TP_OK;
}
