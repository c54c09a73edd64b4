#include "engine/backend/cpu_conv_op.h"

#include "engine/backend/cpu_loops.h"
#include "engine/backend/cpu_tiny_conv.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

enum tp_status tp_cpu_conv_op_run(const struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head, const void *from,
                                  const void *params, void *to, void *scratch)
{
	const struct tp_layer *layer = head->base.layer;
	const void *bias = (const char *)params + head->base.params[1].offset_bytes;
	if (op->algorithm == TP_CONV_BY_TINY) {
		int64_t start_ns = tp_kernel_begin();
		if (op->pass == TP_DNNL_FORWARD)
			tp_tiny_conv_forward(layer, op->samples, from, params, bias, to, scratch);
		else
			tp_tiny_conv_backward_data(layer, op->samples, from, params, to, scratch);
		tp_kernel_end(start_ns, op->name);
		return TP_OK;
	}
	if (op->pass == TP_DNNL_FORWARD)
		return tp_cpu_weighted_forward(head, &op->library, from, params, to, scratch);
	return tp_cpu_weighted_backward_data(head, &op->library, from, params, to, scratch);
}

enum tp_status tp_cpu_conv_op_gradient(const struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head, const void *x,
                                       const void *dy, void *dparams, bool accumulate, void *scratch)
{
	if (op->algorithm != TP_CONV_BY_TINY)
		return tp_cpu_weighted_backward_weights(head, &op->library, x, dy, dparams, accumulate, scratch);
	char *gradient = accumulate ? scratch : dparams;
	char *rest = (char *)scratch + (accumulate ? head->base.params_bytes : 0);
	int64_t start_ns = tp_kernel_begin();
	tp_tiny_conv_backward_weights(head->base.layer, op->samples, x, dy, (void *)gradient,
	                              (void *)(gradient + head->base.params[1].offset_bytes), (void *)rest);
	tp_kernel_end(start_ns, op->name);
	if (!accumulate)
		return TP_OK;
	start_ns = tp_kernel_begin();
	/* channels fill their blocks: there are no gaps */
	tp_cpu_add_into((const void *)gradient, dparams, head->base.params_bytes / sizeof(float));
	tp_kernel_end(start_ns, head->sum_name);
	return TP_OK;
}

enum tp_status tp_cpu_conv_op_name(struct tp_cpu_conv_op *op, const struct tp_cpu_kernel *head)
{
	struct tp_kernel_names *names = head->device->base.kernel_names;
	if (op->algorithm != TP_CONV_BY_TINY)
		return tp_cpu_name_weighted_op(head, op->pass, op->samples, &op->library);
	if (!names)
		return TP_OK;
	struct tp_kernel_name name;
	struct tp_named_kernel described = tp_cpu_layer_kernel(head, "tiny_convolution", tp_cpu_pass_text(op->pass));
	described.fixed_bytes = (int64_t)head->base.params_bytes;
	described.sample_bytes = (int64_t)(head->in[0].sample_bytes + head->base.out.sample_bytes);
	tp_describe_kernel(&described, op->samples, &name);
	return tp_kernel_names_add(names, &name, &op->name);
}

void tp_cpu_conv_op_release(struct tp_cpu_conv_op *op)
{
	tp_cpu_weighted_op_release(&op->library);
	*op = (struct tp_cpu_conv_op){0};
}

/* The library computes images smaller than this too, on tiles that are mostly padding: half as fast as direct. */
#define WINOGRAD_TILE 4

/* Build with one algorithm; TP_ERR_UNSUPPORTED: the layer does not suit it. */
static enum tp_status build(struct tp_cpu_conv_op *op, const struct tp_cpu_conv_layer *conv,
                            enum tp_conv_algorithm algorithm, enum tp_dnnl_pass pass, int32_t samples)
{
	const struct tp_layer *layer = conv->head->base.layer;
	const int32_t in_layout = conv->head->in[0].layout, out_layout = conv->head->base.out.layout;
	const size_t accumulate_bytes = pass == TP_DNNL_BACKWARD_WEIGHTS ? conv->accumulate_bytes : 0;
	*op = (struct tp_cpu_conv_op){
	        .algorithm = algorithm, .pass = pass, .samples = samples, .name = TP_KERNEL_UNNAMED};
	if (algorithm == TP_CONV_BY_TINY) {
		op->scratch_bytes = accumulate_bytes + tp_tiny_conv_scratch_bytes(layer, samples);
		return tp_tiny_conv_suits(layer, in_layout, out_layout, &conv->weight->layout) ? TP_OK
		                                                                               : TP_ERR_UNSUPPORTED;
	}
	if (algorithm == TP_CONV_BY_WINOGRAD &&
	    (layer->out_shape.h < WINOGRAD_TILE || layer->out_shape.w < WINOGRAD_TILE))
		return TP_ERR_UNSUPPORTED;
	const struct tp_dnnl_conv desc = {layer, samples, in_layout, out_layout, algorithm == TP_CONV_BY_WINOGRAD};
	TP_TRY(tp_dnnl_conv(&op->library.op, pass, &desc));
	TP_TRY(tp_cpu_weighted_op_init(&op->library, pass, conv->weight, accumulate_bytes));
	op->scratch_bytes = op->library.scratch_bytes;
	return TP_OK;
}

/* Choosing. */

/* The operations among which to choose; those of algorithms that do not suit are absent. */
struct candidates {
	struct tp_cpu_conv_op op[TP_CONV_ALGORITHMS];
	bool present[TP_CONV_ALGORITHMS];
};

/* Buffers to time one pass on. */
struct trial {
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

static bool trial_init(struct trial *trial, const struct tp_cpu_kernel *head, const struct candidates *candidates,
                       int32_t samples)
{
	size_t scratch_bytes = 0;
	for (int a = 0; a < TP_CONV_ALGORITHMS; a++)
		if (candidates->present[a] && candidates->op[a].scratch_bytes > scratch_bytes)
			scratch_bytes = candidates->op[a].scratch_bytes;
	trial->x = alloc_written(head->in[0].sample_bytes * (size_t)samples);
	trial->y = alloc_written(head->base.out.sample_bytes * (size_t)samples);
	trial->params = alloc_written(head->base.params_bytes);
	trial->dparams = tp_alloc(head->base.params_bytes);
	trial->scratch = tp_alloc(scratch_bytes);
	return trial->x && trial->y && trial->params && trial->dparams && trial->scratch;
}

static enum tp_status trial_run(const struct trial *trial, const struct tp_cpu_kernel *head,
                                const struct tp_cpu_conv_op *op)
{
	switch (op->pass) {
	case TP_DNNL_FORWARD:
		return tp_cpu_conv_op_run(op, head, trial->x, trial->params, trial->y, trial->scratch);
	case TP_DNNL_BACKWARD_DATA:
		return tp_cpu_conv_op_run(op, head, trial->y, trial->params, trial->x, trial->scratch);
	default:
		return tp_cpu_conv_op_gradient(op, head, trial->x, trial->y, trial->dparams, false, trial->scratch);
	}
}

/* The faster of two runs, after one to warm up; INT64_MAX when it cannot run. */
static int64_t trial_time(const struct trial *trial, const struct tp_cpu_kernel *head, const struct tp_cpu_conv_op *op)
{
	int64_t best_ns = INT64_MAX;
	for (int run = 0; run < 3; run++) {
		int64_t start_ns = tp_now_ns();
		if (trial_run(trial, head, op) != TP_OK)
			return INT64_MAX;
		int64_t took_ns = tp_now_ns() - start_ns;
		if (run > 0 && took_ns < best_ns)
			best_ns = took_ns;
	}
	return best_ns;
}

/* Time the candidates. Beating the plainest by a hair is not worth the rounding and the scratch of another. */
static bool find_fastest(const struct tp_cpu_kernel *head, const struct candidates *candidates, int32_t samples,
                         enum tp_conv_algorithm *fastest)
{
	struct trial trial = {0};
	bool timed = trial_init(&trial, head, candidates, samples);
	*fastest = TP_CONV_BY_DIRECT;
	if (timed) {
		int64_t best_ns = trial_time(&trial, head, &candidates->op[TP_CONV_BY_DIRECT]);
		best_ns -= best_ns / 32;
		for (int a = TP_CONV_BY_DIRECT + 1; a < TP_CONV_ALGORITHMS; a++) {
			int64_t ns = candidates->present[a] ? trial_time(&trial, head, &candidates->op[a]) : INT64_MAX;
			if (ns < best_ns) {
				best_ns = ns;
				*fastest = (enum tp_conv_algorithm)a;
			}
		}
	}
	trial_release(&trial);
	return timed;
}

/* Which candidate to take when the user leaves it to us. */
static enum tp_conv_algorithm choose(const struct tp_cpu_kernel *head, const struct candidates *candidates,
                                     enum tp_dnnl_pass pass, int32_t samples)
{
	const struct tp_layer *layer = head->base.layer;
	const struct tp_conv_key key = {
	        pass, layer->in_shape, layer->out_shape.c, layer->kernel, layer->stride, layer->padding, samples};
	int64_t *budget_ns = head->device->choice_budget_ns;
	int32_t others = 0;
	for (int a = TP_CONV_BY_DIRECT + 1; a < TP_CONV_ALGORITHMS; a++)
		others += candidates->present[a];
	if (others == 0)
		return TP_CONV_BY_DIRECT;

	enum tp_conv_algorithm chosen = tp_choice_rule(&key);
	if (!tp_choice_find(&key, &chosen) && budget_ns && *budget_ns > 0) {
		int64_t start_ns = tp_now_ns();
		enum tp_conv_algorithm fastest;
		if (find_fastest(head, candidates, samples, &fastest)) {
			tp_choice_remember(&key, fastest);
			chosen = fastest;
		}
		*budget_ns -= tp_now_ns() - start_ns;
	}
	return candidates->present[chosen] ? chosen : TP_CONV_BY_DIRECT;
}

/* Does `--conv` allow the algorithm? Direct always is the way out. */
static bool allowed(enum tp_conv_choice conv, enum tp_conv_algorithm algorithm)
{
	return algorithm == TP_CONV_BY_DIRECT || conv == TP_CONV_AUTO ||
	       (conv == TP_CONV_WINOGRAD && algorithm == TP_CONV_BY_WINOGRAD);
}

enum tp_status tp_cpu_conv_op_init(struct tp_cpu_conv_op *op, const struct tp_cpu_conv_layer *layer,
                                   enum tp_dnnl_pass pass, int32_t samples, bool *refused)
{
	const enum tp_conv_choice conv = layer->head->device->conv;
	struct candidates candidates = {0};
	enum tp_status status = TP_OK;
	for (int a = 0; a < TP_CONV_ALGORITHMS && status == TP_OK; a++) {
		if (!allowed(conv, (enum tp_conv_algorithm)a))
			continue;
		status = build(&candidates.op[a], layer, (enum tp_conv_algorithm)a, pass, samples);
		candidates.present[a] = status == TP_OK;
		if (status == TP_ERR_UNSUPPORTED && a != TP_CONV_BY_DIRECT)
			status = TP_OK;
	}
	enum tp_conv_algorithm chosen = TP_CONV_BY_DIRECT;
	if (status == TP_OK && conv == TP_CONV_AUTO)
		chosen = choose(layer->head, &candidates, pass, samples);
	else if (conv == TP_CONV_WINOGRAD && candidates.present[TP_CONV_BY_WINOGRAD])
		chosen = TP_CONV_BY_WINOGRAD;
	*refused |= conv == TP_CONV_WINOGRAD && chosen != TP_CONV_BY_WINOGRAD;
	for (int a = 0; a < TP_CONV_ALGORITHMS; a++)
		if (status != TP_OK || a != (int)chosen)
			tp_cpu_conv_op_release(&candidates.op[a]);
	*op = candidates.op[chosen];
	return status;
}
