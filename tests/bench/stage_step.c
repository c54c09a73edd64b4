/* Speed of the CPU device without the engine: one step (forward, loss, backward, update) of a whole model on one core.
 *
 *   stage_step [model] [batch] [micro-batches] [auto|direct|winograd] [steps] [cache folder]
 *
 * Prints the median and the spread of the steps, and where the time of one step goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/backend/device.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define MAX_STEPS 1000
#define CLASSES 100

struct layer_state {
	struct tp_kernel *kernel;
	void *y, *gradient, *params, *dparams, *momentum, *state, *saved;
	int64_t forward_ns, backward_ns;
};

struct bench {
	struct tp_device *device;
	struct tp_model *model;
	struct tp_slicing slicing;
	struct layer_state layers[TP_MODEL_MAX_LAYERS];
	void *x, *dx, *scratch, *probabilities;
	int32_t *labels;
	size_t scratch_bytes;
	int64_t loss_ns, update_ns;
};

static void must(enum tp_status status)
{
	if (status == TP_OK)
		return;
	(void)fprintf(stderr, "stage_step: %s\n", tp_detail());
	exit(1);
}

static void *buffer(size_t bytes)
{
	void *memory = tp_alloc(bytes);
	if (!memory)
		must(TP_ERR_NOMEM);
	return memory;
}

static void build_layer(struct bench *bench, int32_t index)
{
	struct layer_state *state = &bench->layers[index];
	const struct tp_layer *layer = &bench->model->layers[index];
	size_t batch = (size_t)bench->slicing.batch;
	struct tp_kernel_spec spec = {
	        .layer = layer,
	        .slicing = bench->slicing,
	        .span = TP_SPAN_MINI,
	        .input_gradient = index > 0,
	};
	spec.in[0] = index ? bench->layers[index - 1].kernel->out : tp_tensor_plain(bench->model->input, sizeof(float));
	must(bench->device->ops->kernel_new(bench->device, &spec, &state->kernel));
	struct tp_kernel *kernel = state->kernel;
	if (kernel->aliases_input) {
		state->y = index ? bench->layers[index - 1].y : bench->x;
		state->gradient = index ? bench->layers[index - 1].gradient : bench->dx;
	} else {
		state->y = buffer(kernel->out.sample_bytes * batch);
		state->gradient = buffer(kernel->out.sample_bytes * batch);
	}
	state->params = buffer(kernel->params_bytes);
	state->dparams = buffer(kernel->params_bytes);
	state->momentum = buffer(kernel->params_bytes);
	state->state = buffer(kernel->state_bytes);
	state->saved = buffer(kernel->saved_bytes);
	if (kernel->scratch_bytes > bench->scratch_bytes)
		bench->scratch_bytes = kernel->scratch_bytes;

	struct tp_param params[TP_LAYER_MAX_PARAMS];
	int32_t count = tp_layer_params(layer, params);
	for (int32_t i = 0; i < count; i++) {
		float *plain = buffer(sizeof *plain * (size_t)params[i].elements);
		tp_param_initial(layer, &params[i], 1, plain);
		kernel->ops->import_param(kernel, i, plain, params[i].trainable ? state->params : state->state);
		tp_free(plain);
	}
}

static void build(struct bench *bench, const char *name, int32_t batch, int32_t count,
                  const struct tp_device_options *options)
{
	const struct tp_model_options model_options = {{3, 32, 32}, CLASSES, 256};
	const struct tp_device_ops *ops = NULL;
	must(tp_device_find("cpu", TP_MATH_FP32, &ops));
	ops->enter_thread();
	must(ops->open(options, 0, &bench->device));
	bench->model = buffer(sizeof *bench->model);
	must(tp_model_build(name, &model_options, bench->model));
	bench->slicing = (struct tp_slicing){batch, count};
	size_t inputs = (size_t)batch * (size_t)tp_shape_elements(bench->model->input);
	float *x = buffer(sizeof *x * inputs);
	for (size_t i = 0; i < inputs; i++)
		x[i] = (float)(i * 7919 % 997) / 500.0F - 1.0F;
	bench->x = x;
	bench->dx = buffer(sizeof *x * inputs);
	for (int32_t i = 0; i < bench->model->layer_count; i++)
		build_layer(bench, i);
	bench->scratch = buffer(bench->scratch_bytes);
	bench->probabilities = buffer(sizeof(float) * (size_t)batch * CLASSES);
	bench->labels = buffer(sizeof(int32_t) * (size_t)batch);
	for (int32_t i = 0; i < batch; i++)
		bench->labels[i] = i * 37 % CLASSES;
}

static const char *at(const void *base, const struct tp_kernel *kernel, int32_t first)
{
	return (const char *)base + kernel->out.sample_bytes * (size_t)first;
}

static void forward(struct bench *bench, int32_t slice)
{
	int32_t first = tp_slice_first(bench->slicing, slice);
	const char *x =
	        (const char *)bench->x + sizeof(float) * (size_t)first * (size_t)tp_shape_elements(bench->model->input);
	for (int32_t i = 0; i < bench->model->layer_count; i++) {
		struct layer_state *layer = &bench->layers[i];
		struct tp_forward_args args = {
		        .slice = slice,
		        .x = {x},
		        .y = (char *)layer->y + layer->kernel->out.sample_bytes * (size_t)first,
		        .params = layer->params,
		        .state = layer->state,
		        .saved = layer->saved,
		        .scratch = bench->scratch,
		};
		int64_t start_ns = tp_now_ns();
		if (!layer->kernel->aliases_input)
			must(layer->kernel->ops->forward(layer->kernel, &args));
		layer->forward_ns += tp_now_ns() - start_ns;
		x = at(layer->y, layer->kernel, first);
	}
}

static void backward(struct bench *bench)
{
	for (int32_t i = bench->model->layer_count - 1; i >= 0; i--) {
		struct layer_state *layer = &bench->layers[i];
		struct tp_backward_args args = {
		        .slice_count = bench->slicing.count,
		        .x = {i ? bench->layers[i - 1].y : bench->x},
		        .y = layer->y,
		        .dy = layer->gradient,
		        .dx = {i ? bench->layers[i - 1].gradient : NULL},
		        .params = layer->params,
		        .dparams = layer->dparams,
		        .saved = layer->saved,
		        .scratch = bench->scratch,
		};
		int64_t start_ns = tp_now_ns();
		if (!layer->kernel->aliases_input)
			must(layer->kernel->ops->backward(layer->kernel, &args));
		layer->backward_ns += tp_now_ns() - start_ns;
	}
}

/* Returns the loss. */
static double step(struct bench *bench, bool first)
{
	struct tp_device *device = bench->device;
	const struct tp_sgd sgd = {0.001, 0.9, 5e-4, first};
	const struct layer_state *last = &bench->layers[bench->model->layer_count - 1];
	struct tp_loss_result result;
	for (int32_t slice = 0; slice < bench->slicing.count; slice++)
		forward(bench, slice);
	int64_t start_ns = tp_now_ns();
	device->ops->loss_forward(device, bench->slicing.batch, CLASSES, last->y, bench->labels, bench->probabilities,
	                          &result);
	device->ops->loss_backward(device, bench->slicing.batch, CLASSES, bench->probabilities, bench->labels,
	                           1.0 / bench->slicing.batch, last->gradient);
	bench->loss_ns += tp_now_ns() - start_ns;
	backward(bench);
	start_ns = tp_now_ns();
	for (int32_t i = 0; i < bench->model->layer_count; i++) {
		struct layer_state *layer = &bench->layers[i];
		device->ops->sgd(device, &sgd, layer->params, layer->params, layer->dparams, layer->momentum,
		                 layer->kernel->params_bytes);
	}
	bench->update_ns += tp_now_ns() - start_ns;
	return result.loss_sum / bench->slicing.batch;
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static enum tp_conv_choice parse_conv(const char *text)
{
	if (strcmp(text, "direct") == 0)
		return TP_CONV_DIRECT;
	return strcmp(text, "winograd") == 0 ? TP_CONV_WINOGRAD : TP_CONV_AUTO;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	static int64_t steps_ns[MAX_STEPS];
	const char *model = argc > 1 ? argv[1] : "vgg16";
	int32_t batch = argc > 2 ? atoi(argv[2]) : 64, count = argc > 3 ? atoi(argv[3]) : 1;
	int steps = argc > 5 ? atoi(argv[5]) : 5;
	int64_t budget_ns = 10 * TP_NS_PER_S;
	const struct tp_device_options options = {
	        .conv = parse_conv(argc > 4 ? argv[4] : "auto"),
	        .cache_dir = argc > 6 ? argv[6] : NULL,
	        .choice_budget_ns = &budget_ns,
	};
	if (batch < 1 || count < 1 || count > batch || steps < 1 || steps > MAX_STEPS) {
		(void)fprintf(stderr,
		              "usage: stage_step [model] [batch] [micro-batches] [auto|direct|winograd] [steps] "
		              "[cache folder]\n");
		return 2;
	}
	int64_t start_ns = tp_now_ns();
	build(&bench, model, batch, count, &options);
	printf("built in %.2f s, %.2f s of it for choosing, scratch %.1f MiB\n",
	       (double)(tp_now_ns() - start_ns) * 1e-9, 10.0 - (double)budget_ns * 1e-9,
	       (double)bench.scratch_bytes / 1048576);

	double first_loss = step(&bench, true), loss = 0;
	for (int32_t i = 0; i < bench.model->layer_count; i++)
		bench.layers[i].forward_ns = bench.layers[i].backward_ns = 0;
	bench.loss_ns = bench.update_ns = 0;
	uint64_t allocations = tp_alloc_count();
	for (int i = 0; i < steps; i++) {
		start_ns = tp_now_ns();
		loss = step(&bench, false);
		steps_ns[i] = tp_now_ns() - start_ns;
	}
	allocations = tp_alloc_count() - allocations;
	for (int32_t i = 0; i < bench.model->layer_count; i++) {
		const struct layer_state *layer = &bench.layers[i];
		printf("%-16s F %7.2f ms  B %7.2f ms  %s\n", layer->kernel->layer->name,
		       (double)layer->forward_ns * 1e-6 / steps, (double)layer->backward_ns * 1e-6 / steps,
		       layer->kernel->algorithms);
	}
	printf("loss %.2f ms, update %.2f ms; loss %.4f -> %.4f; %llu allocations\n",
	       (double)bench.loss_ns * 1e-6 / steps, (double)bench.update_ns * 1e-6 / steps, first_loss, loss,
	       (unsigned long long)allocations);
	qsort(steps_ns, (size_t)steps, sizeof steps_ns[0], compare_i64);
	double median_s = (double)steps_ns[steps / 2] * 1e-9;
	printf("%s, batch %d, N=%d: %.1f images/s (median of %d; %.1f to %.1f)\n", model, batch, count,
	       batch / median_s, steps, batch / ((double)steps_ns[steps - 1] * 1e-9),
	       batch / ((double)steps_ns[0] * 1e-9));
	return 0;
}
