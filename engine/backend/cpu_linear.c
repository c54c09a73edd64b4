/* Fully connected layer: an inner product over plain rows. */
#include "engine/backend/cpu_kernel.h"
#include "engine/base/memory.h"

struct linear_kernel {
	struct tp_cpu_kernel head;
	struct tp_cpu_weight weight;
	struct tp_kernel_sizes sizes[TP_DNNL_PASSES];
	struct tp_cpu_weighted_op op[TP_DNNL_PASSES][TP_KERNEL_SIZES];
	size_t masked_bytes; /* of dy behind the ReLU, at the start of backward's scratch; 0: no ReLU */
	bool accumulates;
};

static enum tp_status run_forward(struct linear_kernel *linear, int32_t samples, const struct tp_forward_args *args)
{
	int32_t i = tp_kernel_size_index(&linear->sizes[TP_DNNL_FORWARD], samples);
	return tp_cpu_weighted_forward(&linear->head, &linear->op[TP_DNNL_FORWARD][i], args->x[0], args->params,
	                               args->y, args->scratch);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	return run_forward(linear, tp_slice_size(linear->head.slicing, args->slice), args);
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	return run_forward((struct linear_kernel *)kernel, samples, args);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	int32_t samples = tp_cpu_backward_samples(&linear->head, args);
	int32_t i = tp_kernel_size_index(&linear->sizes[TP_DNNL_BACKWARD_WEIGHTS], samples);
	const void *dy = args->dy;
	char *scratch = args->scratch;

	TP_CHECK(!args->accumulate || linear->accumulates);
	if (linear->masked_bytes) {
		tp_cpu_mask_gradient(&linear->head, args, args->scratch);
		dy = args->scratch;
		scratch += linear->masked_bytes;
	}
	if (args->part != TP_BACKWARD_INPUT)
		TP_TRY(tp_cpu_weighted_backward_weights(&linear->head, &linear->op[TP_DNNL_BACKWARD_WEIGHTS][i],
		                                        args->x[0], dy, args->dparams, args->accumulate, scratch));
	if (args->part == TP_BACKWARD_WEIGHTS || !args->dx[0])
		return TP_OK;
	return tp_cpu_weighted_backward_data(&linear->head, &linear->op[TP_DNNL_BACKWARD_DATA][i], dy, args->params,
	                                     args->dx[0], scratch);
}

static void import_param(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	if (index == 0)
		tp_cpu_weight_import(&linear->head, &linear->weight, plain, block);
	else
		tp_cpu_import_plain(&linear->head, index, plain, block);
}

static void export_param(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	if (index == 0)
		tp_cpu_weight_export(&linear->head, &linear->weight, block, plain);
	else
		tp_cpu_export_plain(&linear->head, index, block, plain);
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	for (int pass = 0; pass < TP_DNNL_PASSES; pass++)
		for (int32_t i = 0; i < linear->sizes[pass].count; i++)
			tp_cpu_weighted_op_release(&linear->op[pass][i]);
	tp_cpu_weight_release(&linear->weight);
	tp_cpu_kernel_free(&linear->head);
}

static const struct tp_kernel_ops linear_ops = {forward, infer, backward, import_param, export_param, free_kernel};

/* The forward decides the layout of the weights. */
static enum tp_status settle_layouts(struct linear_kernel *linear)
{
	const struct tp_layer *layer = linear->head.base.layer;
	struct tp_dnnl_op op;
	TP_TRY(tp_dnnl_linear(&op, TP_DNNL_FORWARD, layer, TP_CPU_LAYOUT_SAMPLES, NULL));
	enum tp_status status = tp_dnnl_md_of(&linear->weight.layout, &op, DNNL_ARG_WEIGHTS);
	tp_dnnl_op_release(&op);
	TP_TRY(status);
	TP_TRY(tp_cpu_weight_init(&linear->weight, layer));
	linear->head.base.out = tp_tensor_plain(layer->out_shape, sizeof(float));
	tp_cpu_place_param(&linear->head, 0, linear->weight.bytes, true);
	tp_cpu_place_param(&linear->head, 1, sizeof(float) * (size_t)layer->out_shape.c, true);
	return TP_OK;
}

/* In the parameters' layout when the library can, else converted. */
static enum tp_status build_op(struct linear_kernel *linear, enum tp_dnnl_pass pass, int32_t index,
                               size_t accumulate_bytes)
{
	const struct tp_layer *layer = linear->head.base.layer;
	struct tp_cpu_weighted_op *op = &linear->op[pass][index];
	int32_t samples = linear->sizes[pass].samples[index];
	enum tp_status status = tp_dnnl_linear(&op->op, pass, layer, samples, &linear->weight.layout);
	if (status == TP_ERR_UNSUPPORTED)
		status = tp_dnnl_linear(&op->op, pass, layer, samples, NULL);
	TP_TRY(status);
	return tp_cpu_weighted_op_init(op, pass, &linear->weight, accumulate_bytes);
}

/* As for a convolution: a pass and a change of layout; a backward may mask dy and add the gradient. */
static enum tp_status name_kernels(struct linear_kernel *linear, int32_t train_sizes)
{
	for (int p = 0; p < TP_DNNL_PASSES; p++) {
		const struct tp_kernel_sizes *sizes = &linear->sizes[p];
		int32_t count = p == TP_DNNL_FORWARD ? train_sizes : sizes->count;
		for (int32_t i = 0; i < count; i++)
			TP_TRY(tp_cpu_name_weighted_op(&linear->head, (enum tp_dnnl_pass)p, sizes->samples[i],
			                               &linear->op[p][i]));
	}
	linear->head.base.forward_kernels = 2;
	linear->head.base.backward_kernels = 2 + 2 + 2;
	if (linear->masked_bytes)
		TP_TRY(tp_cpu_name_relu_mask(&linear->head));
	return linear->accumulates ? tp_cpu_name_gradient_sum(&linear->head) : TP_OK;
}

static enum tp_status build(struct linear_kernel *linear, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &linear->head.base;
	struct tp_kernel_sizes backward_sizes = tp_kernel_backward_sizes(spec);

	linear->sizes[TP_DNNL_FORWARD] = tp_kernel_forward_sizes(spec);
	linear->sizes[TP_DNNL_BACKWARD_WEIGHTS] = backward_sizes;
	if (spec->input_gradient)
		linear->sizes[TP_DNNL_BACKWARD_DATA] = backward_sizes;
	TP_TRY(settle_layouts(linear));
	linear->accumulates = spec->accumulate;
	if (spec->layer->relu)
		linear->masked_bytes = tp_align_up(kernel->out.sample_bytes * (size_t)backward_sizes.samples[0]);
	for (int p = 0; p < TP_DNNL_PASSES; p++) {
		bool gradient = p == TP_DNNL_BACKWARD_WEIGHTS && spec->accumulate;
		for (int32_t i = 0; i < linear->sizes[p].count; i++) {
			TP_TRY(build_op(linear, (enum tp_dnnl_pass)p, i, gradient ? kernel->params_bytes : 0));
			size_t bytes =
			        linear->op[p][i].scratch_bytes + (p == TP_DNNL_FORWARD ? 0 : linear->masked_bytes);
			kernel->scratch_bytes = bytes > kernel->scratch_bytes ? bytes : kernel->scratch_bytes;
		}
	}
	return name_kernels(linear, tp_kernel_train_sizes(spec).count);
}

enum tp_status tp_cpu_linear_new(struct tp_cpu_device *device, const struct tp_kernel_spec *spec,
                                 struct tp_kernel **kernel)
{
	struct linear_kernel *linear = NULL;
	const struct tp_shape in = spec->in[0].shape;
	if (in.h != 1 || in.w != 1 || spec->in[0].layout != TP_LAYOUT_PLAIN)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "expected a plain vector as input, found %dx%dx%d in layout %d: "
		               "put a flatten layer before it",
		               in.c, in.h, in.w, spec->in[0].layout);
	TP_TRY(tp_cpu_kernel_alloc(sizeof *linear, &linear_ops, device, spec, &linear));
	enum tp_status status = build(linear, spec);
	if (status != TP_OK) {
		free_kernel(&linear->head.base);
		return status;
	}
	*kernel = &linear->head.base;
	return TP_OK;
}
