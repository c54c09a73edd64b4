#include "tests/backend/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/memory.h"

static void must(enum tp_status status)
{
	if (status != TP_OK)
		fail_msg("%s: %s", tp_status_text(status), tp_detail());
}

static void *buffer(size_t bytes)
{
	void *memory = tp_alloc(bytes);
	assert_non_null(memory);
	return memory;
}

static int32_t block_of_layer(const struct tp_model *model, int32_t layer)
{
	int32_t block = 0;
	while (layer >= model->blocks[block].first_layer + model->blocks[block].layer_count)
		block++;
	return block;
}

/* The graph's number of the i-th value that a layer reads. */
static int32_t input_value(const struct tp_model *model, int32_t layer, int32_t i)
{
	return model->blocks[block_of_layer(model, layer)].first_layer + model->layers[layer].in[i];
}

static void import_initial(struct graph *graph, int32_t layer, uint64_t seed)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	int32_t count = tp_layer_params(&graph->model->layers[layer], params);
	for (int32_t p = 0; p < count; p++) {
		float *plain = buffer((size_t)params[p].elements * sizeof *plain);
		tp_param_initial(&graph->model->layers[layer], &params[p], seed, plain);
		graph->kernels[layer]->ops->import_param(graph->kernels[layer], p, plain,
		                                         params[p].trainable ? graph->params[layer]
		                                                             : graph->state[layer]);
		tp_free(plain);
	}
}

static void open_layer(struct graph *graph, int32_t layer, const struct graph_options *options, uint64_t seed)
{
	const struct tp_layer *of = &graph->model->layers[layer];
	struct tp_kernel_spec spec = {
	        .layer = of,
	        .slicing = options->slicing,
	        .span = options->span,
	        .accumulate = options->span != TP_SPAN_MINI,
	        .input_gradient = true,
	        .infer_sizes = {options->infer_samples, 0},
	};
	for (int32_t i = 0; i < of->inputs; i++)
		spec.in[i] = graph->descs[input_value(graph->model, layer, i)];
	must(graph->ops->kernel_new(graph->device, &spec, &graph->kernels[layer]));
	const struct tp_kernel *kernel = graph->kernels[layer];
	graph->descs[layer + 1] = kernel->out;
	if (kernel->aliases_input) {
		int32_t from = input_value(graph->model, layer, 0);
		graph->values[layer + 1] = graph->values[from];
		graph->gradients[layer + 1] = graph->gradients[from];
	} else {
		size_t samples = (size_t)(options->slicing.batch > options->infer_samples ? options->slicing.batch
		                                                                          : options->infer_samples);
		graph->values[layer + 1] = buffer(samples * kernel->out.sample_bytes);
		graph->gradients[layer + 1] = buffer(samples * kernel->out.sample_bytes);
	}
	graph->params[layer] = buffer(kernel->params_bytes);
	graph->dparams[layer] = buffer(kernel->params_bytes);
	graph->state[layer] = buffer(kernel->state_bytes);
	size_t areas = options->span == TP_SPAN_SLICE ? (size_t)options->slicing.count : 1;
	graph->saved[layer] = buffer(kernel->saved_bytes * areas);
	import_initial(graph, layer, seed);
}

void graph_open(struct graph *graph, const struct tp_device_ops *ops, const struct tp_model *model,
                const struct graph_options *options, uint64_t seed)
{
	memset(graph, 0, sizeof *graph);
	graph->ops = ops;
	graph->model = model;
	graph->slicing = options->slicing;
	graph->span = options->span;
	graph->value_count = model->layer_count + 1;
	must(ops->open(&options->device, 0, &graph->device));
	if (ops->enter_thread)
		ops->enter_thread();
	graph->descs[0] = tp_device_input(ops, model->input);
	size_t samples = (size_t)(options->slicing.batch > options->infer_samples ? options->slicing.batch
	                                                                          : options->infer_samples);
	graph->values[0] = buffer(samples * graph->descs[0].sample_bytes);
	graph->gradients[0] = buffer(samples * graph->descs[0].sample_bytes);
	size_t scratch_bytes = 0, value_bytes = 0;
	for (int32_t layer = 0; layer < model->layer_count; layer++) {
		open_layer(graph, layer, options, seed);
		if (graph->kernels[layer]->scratch_bytes > scratch_bytes)
			scratch_bytes = graph->kernels[layer]->scratch_bytes;
	}
	for (int32_t value = 0; value < graph->value_count; value++)
		if (graph->descs[value].sample_bytes > value_bytes)
			value_bytes = graph->descs[value].sample_bytes;
	graph->scratch = buffer(scratch_bytes);
	graph->spare_gradient = buffer(value_bytes * samples);
}

void graph_close(struct graph *graph)
{
	for (int32_t layer = 0; layer < graph->model->layer_count; layer++) {
		if (!graph->kernels[layer]->aliases_input) {
			tp_free(graph->values[layer + 1]);
			tp_free(graph->gradients[layer + 1]);
		}
		graph->kernels[layer]->ops->free(graph->kernels[layer]);
		tp_free(graph->params[layer]);
		tp_free(graph->dparams[layer]);
		tp_free(graph->state[layer]);
		tp_free(graph->saved[layer]);
	}
	tp_free(graph->values[0]);
	tp_free(graph->gradients[0]);
	tp_free(graph->scratch);
	tp_free(graph->spare_gradient);
	graph->ops->close(graph->device);
}

/* Where a slice begins in a buffer of a value. */
static void *at_slice(const struct graph *graph, void *base, int32_t value, int32_t slice)
{
	size_t first = (size_t)tp_slice_first(graph->slicing, slice);
	return (unsigned char *)base + first * graph->descs[value].sample_bytes;
}

static void *saved_of(const struct graph *graph, int32_t layer, int32_t slice)
{
	size_t area = graph->span == TP_SPAN_SLICE && slice != TP_WHOLE ? (size_t)slice : 0;
	return (unsigned char *)graph->saved[layer] + area * graph->kernels[layer]->saved_bytes;
}

static struct tp_forward_args forward_args(const struct graph *graph, int32_t layer, int32_t slice)
{
	struct tp_forward_args args = {
	        .slice = slice,
	        .y = at_slice(graph, graph->values[layer + 1], layer + 1, slice),
	        .params = graph->params[layer],
	        .recompute = graph->recompute,
	        .state = graph->state[layer],
	        .saved = saved_of(graph, layer, slice),
	        .scratch = graph->scratch,
	};
	for (int32_t i = 0; i < graph->model->layers[layer].inputs; i++) {
		int32_t value = input_value(graph->model, layer, i);
		args.x[i] = at_slice(graph, graph->values[value], value, slice);
	}
	return args;
}

void graph_forward(struct graph *graph, int32_t slice)
{
	for (int32_t layer = 0; layer < graph->model->layer_count; layer++) {
		struct tp_kernel *kernel = graph->kernels[layer];
		struct tp_forward_args args = forward_args(graph, layer, slice);
		if (!kernel->aliases_input)
			must(kernel->ops->forward(kernel, &args));
	}
}

void graph_infer(struct graph *graph, int32_t samples)
{
	for (int32_t layer = 0; layer < graph->model->layer_count; layer++) {
		struct tp_kernel *kernel = graph->kernels[layer];
		struct tp_forward_args args = forward_args(graph, layer, TP_WHOLE);
		args.saved = NULL;
		if (!kernel->aliases_input)
			must(kernel->ops->infer(kernel, samples, &args));
	}
}

static void backward_of_layer(struct graph *graph, int32_t layer, const struct tp_backward_args *run, bool *written)
{
	struct tp_kernel *kernel = graph->kernels[layer];
	int32_t slice = run->first_slice;
	size_t samples = (size_t)tp_slices_samples(graph->slicing, slice, run->slice_count);
	int32_t inputs = graph->model->layers[layer].inputs, met = -1;
	struct tp_backward_args args = {
	        .part = run->part,
	        .first_slice = slice,
	        .slice_count = run->slice_count,
	        .y = at_slice(graph, graph->values[layer + 1], layer + 1, slice),
	        .dy = at_slice(graph, graph->gradients[layer + 1], layer + 1, slice),
	        .params = graph->params[layer],
	        .dparams = graph->dparams[layer],
	        .accumulate = run->accumulate,
	        .saved = saved_of(graph, layer, slice),
	        .scratch = graph->scratch,
	};
	for (int32_t i = 0; i < inputs; i++) {
		int32_t value = input_value(graph->model, layer, i);
		args.x[i] = at_slice(graph, graph->values[value], value, slice);
		if (run->part == TP_BACKWARD_WEIGHTS)
			continue;
		args.dx[i] = at_slice(graph, graph->gradients[value], value, slice);
		if (written[value]) { /* another reader was here before: the two gradients meet */
			assert_int_equal(met, -1);
			met = i;
			args.dx[i] = graph->spare_gradient;
		}
		written[value] = true;
	}
	if (!kernel->aliases_input)
		must(kernel->ops->backward(kernel, &args));
	if (met >= 0) {
		int32_t value = input_value(graph->model, layer, met);
		void *sum = at_slice(graph, graph->gradients[value], value, slice);
		graph->ops->blend(graph->device, 1, sum, 1, graph->spare_gradient, sum,
		                  samples * graph->descs[value].sample_bytes);
	}
}

void graph_backward_run(struct graph *graph, enum tp_backward_part part, int32_t first_slice, int32_t slice_count,
                        bool accumulate)
{
	const struct tp_backward_args run = {
	        .part = part, .first_slice = first_slice, .slice_count = slice_count, .accumulate = accumulate};
	bool written[TP_MODEL_MAX_LAYERS + 1] = {false};
	for (int32_t layer = graph->model->layer_count - 1; layer >= 0; layer--)
		backward_of_layer(graph, layer, &run, written);
}

void graph_backward(struct graph *graph, int32_t slice, bool accumulate)
{
	if (slice == TP_WHOLE)
		graph_backward_run(graph, TP_BACKWARD_BOTH, 0, graph->slicing.count, accumulate);
	else
		graph_backward_run(graph, TP_BACKWARD_BOTH, slice, 1, accumulate);
}
