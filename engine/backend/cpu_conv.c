/* Convolution. Per pass and batch size either oneDNN's direct kernel or, where the library has it, Winograd's. */
#include <stdio.h>
#include <string.h>

#include "engine/backend/cpu_choice.h"
#include "engine/backend/cpu_kernel.h"
#include "engine/backend/cpu_loops.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

struct conv_pass {
	struct tp_cpu_sizes sizes;
	struct tp_cpu_weighted_op op[TP_CPU_SIZES];
	bool winograd[TP_CPU_SIZES];
};

struct conv_kernel {
	struct tp_cpu_kernel head;
	struct tp_cpu_weight weight;
	struct conv_pass pass[TP_DNNL_PASSES];
	size_t masked_bytes; /* of dy behind the ReLU, at the start of backward's scratch; 0: no ReLU */
	size_t accumulate_bytes;
	bool winograd_refused; /* it was asked for, and the library has none for some pass */
};

static enum tp_status run_forward(struct conv_kernel *conv, int32_t samples, const struct tp_forward_args *args)
{
	const struct conv_pass *pass = &conv->pass[TP_DNNL_FORWARD];
	int32_t i = tp_cpu_size_index(&pass->sizes, samples);
	return tp_cpu_weighted_forward(&conv->head, &pass->op[i], args->x[0], args->params, args->y, args->scratch);
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
	int32_t samples = tp_slice_size(head->slicing, args->slice);
	int32_t i = tp_cpu_size_index(&weights->sizes, samples);
	const void *dy = args->dy;
	char *scratch = args->scratch;

	TP_CHECK(!args->accumulate || conv->accumulate_bytes);
	if (conv->masked_bytes) {
		tp_cpu_relu_mask(args->dy, args->y, args->scratch,
		                 kernel->out.sample_bytes * (size_t)samples / sizeof(float));
		dy = args->scratch;
		scratch += conv->masked_bytes;
	}
	TP_TRY(tp_cpu_weighted_backward_weights(head, &weights->op[i], args->x[0], dy, args->dparams, args->accumulate,
	                                        scratch));
	if (!args->dx[0])
		return TP_OK;
	return tp_cpu_weighted_backward_data(head, &data->op[i], dy, args->params, args->dx[0], scratch);
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
			tp_cpu_weighted_op_release(&conv->pass[pass].op[i]);
	tp_cpu_weight_release(&conv->weight);
	tp_free(conv);
}

static const struct tp_kernel_ops conv_ops = {forward, infer, backward, import_param, export_param, free_kernel};

/* Buffers to time one pass on. */
struct trial {
	enum tp_dnnl_pass pass;
	float *x, *y, *params, *dparams, *scratch;
};

static void trial_release(struct trial *trial)
{
	tp_free(trial->x);
	tp_free(trial->y);
	tp_free(trial->params);
	tp_free(trial->dparams);
	tp_free(trial->scratch);
}

/* Memory that was never written is one page of zeros, far faster to read than what a run reads. */
static float *alloc_written(size_t bytes)
{
	float *memory = tp_alloc(bytes);
	for (size_t i = 0; memory && i < bytes / sizeof(float); i++)
		memory[i] = (float)(i % 61) * 0.01F - 0.3F;
	return memory;
}

static bool trial_init(struct trial *trial, const struct conv_kernel *conv, enum tp_dnnl_pass pass, int32_t samples,
                       size_t scratch_bytes)
{
	const struct tp_kernel *kernel = &conv->head.base;
	trial->pass = pass;
	trial->x = alloc_written(conv->head.in[0].sample_bytes * (size_t)samples);
	trial->y = alloc_written(kernel->out.sample_bytes * (size_t)samples);
	trial->params = alloc_written(kernel->params_bytes);
	trial->dparams = tp_alloc(kernel->params_bytes);
	trial->scratch = tp_alloc(scratch_bytes);
	return trial->x && trial->y && trial->params && trial->dparams && trial->scratch;
}

static enum tp_status trial_run(const struct trial *trial, const struct conv_kernel *conv,
                                const struct tp_cpu_weighted_op *op)
{
	const struct tp_cpu_kernel *head = &conv->head;
	switch (trial->pass) {
	case TP_DNNL_FORWARD:
		return tp_cpu_weighted_forward(head, op, trial->x, trial->params, trial->y, trial->scratch);
	case TP_DNNL_BACKWARD_DATA:
		return tp_cpu_weighted_backward_data(head, op, trial->y, trial->params, trial->x, trial->scratch);
	default:
		return tp_cpu_weighted_backward_weights(head, op, trial->x, trial->y, trial->dparams, false,
		                                        trial->scratch);
	}
}

/* The faster of two runs, after one to warm up; INT64_MAX when it cannot run. */
static int64_t trial_time(const struct trial *trial, const struct conv_kernel *conv,
                          const struct tp_cpu_weighted_op *op)
{
	int64_t best_ns = INT64_MAX;
	for (int run = 0; run < 3; run++) {
		int64_t start_ns = tp_now_ns();
		if (trial_run(trial, conv, op) != TP_OK)
			return INT64_MAX;
		int64_t took_ns = tp_now_ns() - start_ns;
		if (run > 0 && took_ns < best_ns)
			best_ns = took_ns;
	}
	return best_ns;
}

/* Is Winograd faster? Winning by a hair is not worth its rounding and its scratch. */
static bool winograd_wins(const struct conv_kernel *conv, const struct tp_conv_key *key,
                          const struct tp_cpu_weighted_op *direct, const struct tp_cpu_weighted_op *winograd)
{
	int64_t *budget_ns = conv->head.device->choice_budget_ns;
	bool wins = false;
	if (tp_choice_find(key, &wins))
		return wins;
	if (!budget_ns || *budget_ns <= 0)
		return tp_choice_rule(key);

	int64_t start_ns = tp_now_ns();
	struct trial trial = {0};
	size_t scratch_bytes =
	        direct->scratch_bytes > winograd->scratch_bytes ? direct->scratch_bytes : winograd->scratch_bytes;
	if (trial_init(&trial, conv, key->pass, key->samples, scratch_bytes)) {
		int64_t direct_ns = trial_time(&trial, conv, direct);
		int64_t winograd_ns = trial_time(&trial, conv, winograd);
		wins = winograd_ns < direct_ns - direct_ns / 32;
		tp_choice_remember(key, wins);
	} else {
		wins = tp_choice_rule(key);
	}
	trial_release(&trial);
	*budget_ns -= tp_now_ns() - start_ns;
	return wins;
}

/* Build one pass with one algorithm. */
static enum tp_status build_op(const struct conv_kernel *conv, enum tp_dnnl_pass pass, int32_t samples, bool winograd,
                               struct tp_cpu_weighted_op *op)
{
	const struct tp_dnnl_conv desc = {conv->head.base.layer, samples, conv->head.in[0].layout,
	                                  conv->head.base.out.layout, winograd};
	*op = (struct tp_cpu_weighted_op){0};
	TP_TRY(tp_dnnl_conv(&op->op, pass, &desc));
	return tp_cpu_weighted_op_init(op, pass, &conv->weight,
	                               pass == TP_DNNL_BACKWARD_WEIGHTS ? conv->accumulate_bytes : 0);
}

/* Build one pass for one batch size with the algorithm that was asked for, or the faster one. */
static enum tp_status build_size(struct conv_kernel *conv, enum tp_dnnl_pass pass, int32_t index)
{
	const struct tp_layer *layer = conv->head.base.layer;
	const enum tp_conv_choice choice = conv->head.device->conv;
	struct conv_pass *built = &conv->pass[pass];
	int32_t samples = built->sizes.samples[index];
	const struct tp_conv_key key = {
	        pass, layer->in_shape, layer->out_shape.c, layer->kernel, layer->stride, layer->padding, samples};
	struct tp_cpu_weighted_op winograd;

	enum tp_status status = TP_ERR_UNSUPPORTED;
	if (choice != TP_CONV_DIRECT)
		status = build_op(conv, pass, samples, true, &winograd);
	if (status != TP_OK && status != TP_ERR_UNSUPPORTED)
		return status;
	if (status == TP_OK && choice == TP_CONV_WINOGRAD) {
		built->op[index] = winograd;
		built->winograd[index] = true;
		return TP_OK;
	}
	conv->winograd_refused |= choice == TP_CONV_WINOGRAD;
	bool both = status == TP_OK;
	status = build_op(conv, pass, samples, false, &built->op[index]);
	if (!both)
		return status;
	if (status == TP_OK && winograd_wins(conv, &key, &built->op[index], &winograd)) {
		tp_cpu_weighted_op_release(&built->op[index]);
		built->op[index] = winograd;
		built->winograd[index] = true;
		return TP_OK;
	}
	tp_cpu_weighted_op_release(&winograd);
	return status;
}

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

/* " BD=winograd", of the sizes from..to; both names when sizes differ. */
static void describe_pass(struct conv_kernel *conv, const char *name, enum tp_dnnl_pass pass, int32_t from, int32_t to)
{
	char *text = conv->head.base.algorithms;
	size_t length = strlen(text);
	bool direct = false, winograd = false;
	for (int32_t i = from; i < to; i++) {
		winograd |= conv->pass[pass].winograd[i];
		direct |= !conv->pass[pass].winograd[i];
	}
	if (direct || winograd)
		(void)snprintf(text + length, sizeof conv->head.base.algorithms - length, "%s%s=%s%s%s",
		               length ? " " : "", name, direct ? "direct" : "", direct && winograd ? "+" : "",
		               winograd ? "winograd" : "");
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

static enum tp_status build(struct conv_kernel *conv, const struct tp_kernel_spec *spec)
{
	struct tp_kernel *kernel = &conv->head.base;
	struct conv_pass *pass = conv->pass;
	struct tp_cpu_sizes backward_sizes = tp_cpu_backward_sizes(spec);

	pass[TP_DNNL_FORWARD].sizes = tp_cpu_forward_sizes(spec);
	pass[TP_DNNL_BACKWARD_WEIGHTS].sizes = backward_sizes;
	if (spec->input_gradient)
		pass[TP_DNNL_BACKWARD_DATA].sizes = backward_sizes;
	TP_TRY(settle_layouts(conv));
	if (spec->accumulate)
		conv->accumulate_bytes = kernel->params_bytes;
	if (spec->layer->relu)
		conv->masked_bytes = tp_align_up(kernel->out.sample_bytes * (size_t)backward_sizes.samples[0]);
	for (int p = 0; p < TP_DNNL_PASSES; p++) {
		for (int32_t i = 0; i < pass[p].sizes.count; i++)
			TP_TRY(build_size(conv, (enum tp_dnnl_pass)p, i));
		size_t bytes = largest_scratch(&pass[p]) + (p == TP_DNNL_FORWARD ? 0 : conv->masked_bytes);
		kernel->scratch_bytes = bytes > kernel->scratch_bytes ? bytes : kernel->scratch_bytes;
	}
	describe(conv, tp_cpu_train_sizes(spec).count);
	return TP_OK;
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
