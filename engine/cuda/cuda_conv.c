/* Convolution through cuDNN: forward and both backwards, each with descriptors and an algorithm for every batch size.
 *
 * Scratch of a forward: the weights in the type of values, and the library's workspace. Of a backward: dy behind the
 * ReLU, those weights, the gradient of the weights in the type of values, the parts of the bias's sums, the workspace.
 * Where values are float32 weights are used and gradients added as they lie. */
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/cuda/cuda_conv_choice.h"
#include "engine/cuda/cuda_descriptors.h"
#include "engine/cuda/cuda_kernel.h"

/* Timing every size of a pass would take minutes where any run of micro-batches can occur. */
enum { TIMED_SIZES = 8 };

struct conv_op {
	cudnnTensorDescriptor_t x, y;
	cudnnConvolutionDescriptor_t conv;
	struct tp_cuda_conv_choice choice;
};

struct conv_pass {
	struct tp_kernel_sizes sizes;
	struct conv_op op[TP_KERNEL_SIZES];
};

struct conv_kernel {
	struct tp_cuda_kernel head;
	cudnnFilterDescriptor_t filter;
	struct conv_pass pass[TP_CUDA_CONV_PASSES];
	size_t masked_bytes, typed_bytes, gradient_bytes, sums_bytes; /* of backward's scratch, in this order */
};

static const float zero = 0, one = 1;

static const struct conv_op *op_of(const struct conv_kernel *conv, enum tp_cuda_conv_pass pass, int32_t samples)
{
	const struct conv_pass *of = &conv->pass[pass];
	return &of->op[tp_kernel_size_index(&of->sizes, samples)];
}

static enum tp_status run_forward(struct conv_kernel *conv, int32_t samples, const struct tp_forward_args *args)
{
	const struct tp_cuda_kernel *head = &conv->head;
	const struct conv_op *op = op_of(conv, TP_CUDA_FORWARD, samples);
	const char *params = args->params;
	const void *typed = NULL;
	TP_TRY(tp_cuda_enter(head->device));
	TP_TRY(tp_cuda_typed_params(head, args->params, args->scratch, &typed));
	TP_TRY(TP_CUDNN_CHECK(
	        cudnnConvolutionForward, head->device->dnn, &one, op->x, args->x[0], conv->filter,
	        tp_cuda_typed_param(head, typed, 0), op->conv, (cudnnConvolutionFwdAlgo_t)op->choice.algorithm,
	        (char *)args->scratch + conv->typed_bytes, op->choice.workspace_bytes, &zero, op->y, args->y));
	return tp_cuda_bias_relu(head, samples, args->y, (const void *)(params + head->base.params[1].offset_bytes),
	                         head->base.layer->relu);
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

/* Areas of a backward's scratch. */
struct areas {
	char *masked, *typed, *gradient, *sums, *workspace;
};

static struct areas areas_of(const struct conv_kernel *conv, void *scratch)
{
	struct areas areas = {.masked = scratch};
	areas.typed = areas.masked + conv->masked_bytes;
	areas.gradient = areas.typed + conv->typed_bytes;
	areas.sums = areas.gradient + conv->gradient_bytes;
	areas.workspace = areas.sums + conv->sums_bytes;
	return areas;
}

static enum tp_status backward_weights(struct conv_kernel *conv, const struct tp_backward_args *args, const void *dy,
                                       struct areas areas)
{
	const struct tp_cuda_kernel *head = &conv->head;
	const struct tp_kernel_param *weight = &head->base.params[0], *bias = &head->base.params[1];
	const int32_t samples = tp_cuda_backward_samples(head, args);
	const struct conv_op *op = op_of(conv, TP_CUDA_BACKWARD_WEIGHTS, samples);
	const bool typed = conv->gradient_bytes > 0;
	char *dparams = args->dparams;
	TP_TRY(TP_CUDNN_CHECK(cudnnConvolutionBackwardFilter, head->device->dnn, &one, op->x, args->x[0], op->y, dy,
	                      op->conv, (cudnnConvolutionBwdFilterAlgo_t)op->choice.algorithm, areas.workspace,
	                      op->choice.workspace_bytes, args->accumulate && !typed ? &one : &zero, conv->filter,
	                      typed ? areas.gradient : dparams + weight->offset_bytes));
	if (typed)
		TP_TRY(tp_cuda_convert(head, areas.gradient, head->device->type, dparams + weight->offset_bytes,
		                       TPB_F32, (int64_t)(weight->bytes / sizeof(float)), args->accumulate));
	TP_TRY(tp_cuda_bias_gradient(head, samples, dy, (void *)(dparams + bias->offset_bytes), args->accumulate,
	                             areas.sums));
	return args->accumulate ? TP_OK : tp_cuda_clear_gaps(head, dparams);
}

static enum tp_status backward_data(struct conv_kernel *conv, const struct tp_backward_args *args, const void *dy,
                                    struct areas areas)
{
	const struct tp_cuda_kernel *head = &conv->head;
	const struct conv_op *op = op_of(conv, TP_CUDA_BACKWARD_DATA, tp_cuda_backward_samples(head, args));
	const void *typed = NULL;
	TP_TRY(tp_cuda_typed_params(head, args->params, areas.typed, &typed));
	return TP_CUDNN_CHECK(cudnnConvolutionBackwardData, head->device->dnn, &one, conv->filter,
	                      tp_cuda_typed_param(head, typed, 0), op->y, dy, op->conv,
	                      (cudnnConvolutionBwdDataAlgo_t)op->choice.algorithm, areas.workspace,
	                      op->choice.workspace_bytes, &zero, op->x, args->dx[0]);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	const struct areas areas = areas_of(conv, args->scratch);
	const void *dy = args->dy;
	TP_TRY(tp_cuda_enter(conv->head.device));
	if (conv->masked_bytes) {
		TP_TRY(tp_cuda_mask_gradient(&conv->head, args, areas.masked));
		dy = areas.masked;
	}
	if (args->part != TP_BACKWARD_INPUT)
		TP_TRY(backward_weights(conv, args, dy, areas));
	if (args->part == TP_BACKWARD_WEIGHTS || !args->dx[0])
		return TP_OK;
	return backward_data(conv, args, dy, areas);
}

/* Where a weight of [out][in][h][w] lies among those of [out][h][w][in]. */
static size_t place_of(const struct tp_layer *layer, size_t plain)
{
	const size_t window = (size_t)layer->kernel * (size_t)layer->kernel, in = (size_t)layer->in_shape.c;
	const size_t out = plain / (in * window), within = plain % (in * window);
	return (out * window + within % window) * in + within / window;
}

static void import_param(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	if (index > 0) {
		tp_cuda_import_plain(kernel, index, plain, block);
		return;
	}
	const size_t count = kernel->params[0].bytes / sizeof(float);
	float *weights = tp_alloc(kernel->params[0].bytes);
	if (!weights) {
		(void)tp_cuda_keep(((struct tp_cuda_kernel *)kernel)->device, TP_ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < count; i++)
		weights[place_of(kernel->layer, i)] = plain[i];
	tp_cuda_import_plain(kernel, 0, weights, block);
	tp_free(weights);
}

static void export_param(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	const size_t count = kernel->params[index].bytes / sizeof(float);
	double *weights = index > 0 ? NULL : tp_alloc_array(count, sizeof *weights);
	tp_cuda_export_plain(kernel, index, block, weights ? weights : plain);
	if (index > 0)
		return;
	if (!weights) {
		(void)tp_cuda_keep(((struct tp_cuda_kernel *)kernel)->device, TP_ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < count; i++)
		plain[i] = weights[place_of(kernel->layer, i)];
	tp_free(weights);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct conv_kernel *conv = (struct conv_kernel *)kernel;
	for (int p = 0; p < TP_CUDA_CONV_PASSES; p++) {
		for (int32_t i = 0; i < conv->pass[p].sizes.count; i++) {
			tp_cuda_forget_values(conv->pass[p].op[i].x);
			tp_cuda_forget_values(conv->pass[p].op[i].y);
			tp_cuda_forget_conv(conv->pass[p].op[i].conv);
		}
	}
	tp_cuda_forget_filter(conv->filter);
	tp_free(conv);
}

static const struct tp_kernel_ops conv_ops = {forward, infer, backward, import_param, export_param, free_kernel};

static enum tp_status build_op(struct conv_kernel *conv, enum tp_cuda_conv_pass pass, int32_t index)
{
	struct tp_cuda_device *device = conv->head.device;
	const struct tp_layer *layer = conv->head.base.layer;
	const int32_t samples = conv->pass[pass].sizes.samples[index];
	struct conv_op *op = &conv->pass[pass].op[index];
	TP_TRY(tp_cuda_describe_values(device->type, samples, layer->in_shape, &op->x));
	TP_TRY(tp_cuda_describe_values(device->type, samples, layer->out_shape, &op->y));
	TP_TRY(tp_cuda_describe_conv(layer, tp_cuda_conv_math(device), &op->conv));
	const struct tp_cuda_conv asked = {layer, pass, samples, op->x, op->y, conv->filter, op->conv};
	TP_TRY(tp_cuda_conv_choose(device, &asked, index < TIMED_SIZES, &op->choice));
	return TP_CUDNN_CHECK(cudnnSetConvolutionMathType, op->conv, op->choice.math);
}

/* " BD=fft", of the sizes from..to; names parted by '+' where sizes differ. */
static void describe_pass(struct conv_kernel *conv, const char *name, enum tp_cuda_conv_pass pass, int32_t from,
                          int32_t to)
{
	char *text = conv->head.base.algorithms;
	const size_t size = sizeof conv->head.base.algorithms;
	unsigned used = 0;
	const char *before = "=";
	size_t length = strlen(text);
	if (from < to)
		(void)snprintf(text + length, size - length, "%s%s", length ? " " : "", name);
	for (int32_t i = from; i < to; i++) {
		const int algorithm = conv->pass[pass].op[i].choice.algorithm;
		length = strlen(text);
		if (!(used & 1U << algorithm))
			(void)snprintf(text + length, size - length, "%s%s", before,
			               tp_cuda_conv_algorithm_text(pass, algorithm));
		used |= 1U << algorithm;
		before = "+";
	}
}

static void describe(struct conv_kernel *conv, int32_t train_sizes)
{
	const struct conv_pass *pass = conv->pass;
	describe_pass(conv, "F", TP_CUDA_FORWARD, 0, train_sizes);
	describe_pass(conv, "BD", TP_CUDA_BACKWARD_DATA, 0, pass[TP_CUDA_BACKWARD_DATA].sizes.count);
	describe_pass(conv, "BW", TP_CUDA_BACKWARD_WEIGHTS, 0, pass[TP_CUDA_BACKWARD_WEIGHTS].sizes.count);
	describe_pass(conv, "infer", TP_CUDA_FORWARD, train_sizes, pass[TP_CUDA_FORWARD].sizes.count);
	bool timed = true;
	for (int p = 0; p < TP_CUDA_CONV_PASSES; p++)
		for (int32_t i = 0; i < pass[p].sizes.count; i++)
			timed = timed && pass[p].op[i].choice.timed;
	char *text = conv->head.base.algorithms;
	const size_t length = strlen(text);
	if (!timed)
		(void)snprintf(text + length, sizeof conv->head.base.algorithms - length, " (not all timed)");
}

static size_t largest_workspace(const struct conv_pass *pass)
{
	size_t bytes = 0;
	for (int32_t i = 0; i < pass->sizes.count; i++)
		if (pass->op[i].choice.workspace_bytes > bytes)
			bytes = pass->op[i].choice.workspace_bytes;
	return bytes;
}

static void lay_out(struct conv_kernel *conv, const struct tp_kernel_spec *spec)
{
	struct tp_cuda_kernel *head = &conv->head;
	const struct tp_layer *layer = spec->layer;
	const int64_t window = (int64_t)layer->kernel * layer->kernel;
	const int64_t weights = layer->out_shape.c * layer->in_shape.c * window;
	const int32_t largest = conv->pass[TP_CUDA_BACKWARD_WEIGHTS].sizes.samples[0];
	head->base.out = tp_cuda_tensor(head->device, layer->out_shape);
	tp_cuda_place_param(head, 0, sizeof(float) * (size_t)weights, true);
	tp_cuda_place_param(head, 1, sizeof(float) * (size_t)layer->out_shape.c, true);
	if (layer->relu)
		conv->masked_bytes = tp_align_up(head->base.out.sample_bytes * (size_t)largest);
	conv->typed_bytes = tp_cuda_typed_params_bytes(head);
	if (head->device->type != TPB_F32)
		conv->gradient_bytes = tp_align_up((size_t)(weights * head->base.out.element_bytes));
	conv->sums_bytes = tp_cuda_bias_gradient_bytes(head, largest);
}

static enum tp_status build(struct conv_kernel *conv, const struct tp_kernel_spec *spec)
{
	struct tp_cuda_kernel *head = &conv->head;
	const struct tp_kernel_sizes backward_sizes = tp_kernel_backward_sizes(spec);
	conv->pass[TP_CUDA_FORWARD].sizes = tp_kernel_forward_sizes(spec);
	conv->pass[TP_CUDA_BACKWARD_WEIGHTS].sizes = backward_sizes;
	if (spec->input_gradient)
		conv->pass[TP_CUDA_BACKWARD_DATA].sizes = backward_sizes;
	lay_out(conv, spec);
	TP_TRY(tp_cuda_check_alignment(head));
	TP_TRY(tp_cuda_describe_filter(head->device->type, spec->layer, &conv->filter));
	const size_t before_workspace =
	        conv->masked_bytes + conv->typed_bytes + conv->gradient_bytes + conv->sums_bytes;
	for (int p = 0; p < TP_CUDA_CONV_PASSES; p++) {
		for (int32_t i = 0; i < conv->pass[p].sizes.count; i++)
			TP_TRY(build_op(conv, (enum tp_cuda_conv_pass)p, i));
		tp_cuda_need_scratch(head, largest_workspace(&conv->pass[p]) +
		                                   (p == TP_CUDA_FORWARD ? conv->typed_bytes : before_workspace));
	}
	describe(conv, tp_kernel_train_sizes(spec).count);
	return TP_OK;
}

enum tp_status tp_cuda_conv_new(struct tp_device *device, const struct tp_kernel_spec *spec, struct tp_kernel **kernel)
{
	struct conv_kernel *conv = NULL;
	TP_TRY(tp_cuda_kernel_alloc(sizeof *conv, &conv_ops, device, spec, &conv));
	enum tp_status status = build(conv, spec);
	if (status != TP_OK) {
		free_kernel(&conv->head.base);
		return status;
	}
	*kernel = &conv->head.base;
	return TP_OK;
}
