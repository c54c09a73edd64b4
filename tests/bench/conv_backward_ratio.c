/* What one backward over a mini-batch saves over one backward per micro-batch, for the convolutions of VGG-16 on one
 * core.
 *
 *   conv_backward_ratio [--batch M] [--micro-batches N] [--conv auto|direct|winograd] [--rounds R]
 *
 * Per layer: the time of one backward of M samples, against N backwards of M/N samples that add up their gradients, as
 * the engine would run them. The two are interleaved; each figure is the median over the rounds. Ratio above 1: one
 * backward is faster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/backend/device.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define MAX_ROUNDS 101

struct options {
	struct tp_slicing slicing;
	enum tp_conv_choice conv;
	int32_t rounds;
};

/* A layer with its backward over the whole mini-batch, or over each slice. */
struct backward {
	struct tp_kernel *kernel;
	int32_t slices; /* 0: whole */
	int64_t rounds_ns[MAX_ROUNDS];
};

struct buffers {
	void *x, *y, *dy, *dx, *params, *dparams, *saved, *scratch;
};

static void must(enum tp_status status)
{
	if (status == TP_OK)
		return;
	(void)fprintf(stderr, "conv_backward_ratio: %s\n", tp_detail());
	exit(1);
}

/* Written, so that it is memory of its own and not the page of zeros. */
static void *buffer(size_t bytes)
{
	float *memory = tp_alloc(bytes);
	if (!memory)
		must(TP_ERR_NOMEM);
	for (size_t i = 0; i < bytes / sizeof(float); i++)
		memory[i] = (float)(i % 61) * 0.01F - 0.3F;
	return memory;
}

static void run(const struct backward *backward, const struct buffers *buffers, struct tp_tensor_desc in,
                struct tp_slicing slicing)
{
	struct tp_kernel *kernel = backward->kernel;
	for (int32_t i = 0; i < (backward->slices ? backward->slices : 1); i++) {
		int32_t slice = backward->slices ? i : TP_WHOLE;
		size_t first = (size_t)tp_slice_first(slicing, slice);
		const struct tp_backward_args args = {
		        .first_slice = backward->slices ? i : 0,
		        .slice_count = backward->slices ? 1 : slicing.count,
		        .x = {(const char *)buffers->x + first * in.sample_bytes},
		        .y = (const char *)buffers->y + first * kernel->out.sample_bytes,
		        .dy = (const char *)buffers->dy + first * kernel->out.sample_bytes,
		        .dx = {buffers->dx ? (char *)buffers->dx + first * in.sample_bytes : NULL},
		        .params = buffers->params,
		        .dparams = buffers->dparams,
		        .accumulate = i > 0,
		        .saved = buffers->saved,
		        .scratch = buffers->scratch,
		};
		must(kernel->ops->backward(kernel, &args));
	}
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double median_ms(struct backward *backward, int32_t rounds)
{
	qsort(backward->rounds_ns, (size_t)rounds, sizeof backward->rounds_ns[0], compare_i64);
	return (double)backward->rounds_ns[rounds / 2] * 1e-6;
}

static struct tp_kernel *build(struct tp_device *device, const struct tp_layer *layer, struct tp_tensor_desc in,
                               const struct options *options, bool whole)
{
	struct tp_kernel *kernel = NULL;
	const struct tp_kernel_spec spec = {
	        .layer = layer,
	        .in = {in},
	        .slicing = options->slicing,
	        .span = whole ? TP_SPAN_MINI : TP_SPAN_RUNS,
	        .accumulate = !whole,
	        .input_gradient = in.shape.c > 3,
	};
	must(device->ops->kernel_new(device, &spec, &kernel));
	return kernel;
}

/* Time a convolution both ways and add to the totals. */
static void measure(const struct options *options, struct tp_tensor_desc in, struct tp_kernel *whole_kernel,
                    struct tp_kernel *sliced_kernel, double *whole_total_ms, double *sliced_total_ms)
{
	static struct backward whole, sliced;
	whole.kernel = whole_kernel;
	sliced.kernel = sliced_kernel;
	sliced.slices = options->slicing.count;
	const struct tp_layer *layer = whole_kernel->layer;
	size_t batch = (size_t)options->slicing.batch;
	size_t scratch_bytes = whole_kernel->scratch_bytes > sliced_kernel->scratch_bytes
	                               ? whole_kernel->scratch_bytes
	                               : sliced_kernel->scratch_bytes;
	struct buffers buffers = {
	        .x = buffer(batch * in.sample_bytes),
	        .y = buffer(batch * whole_kernel->out.sample_bytes),
	        .dy = buffer(batch * whole_kernel->out.sample_bytes),
	        .dx = in.shape.c > 3 ? buffer(batch * in.sample_bytes) : NULL,
	        .params = buffer(whole_kernel->params_bytes),
	        .dparams = buffer(whole_kernel->params_bytes),
	        .saved = buffer(whole_kernel->saved_bytes),
	        .scratch = buffer(scratch_bytes),
	};
	for (int32_t round = -1; round < options->rounds; round++) { /* the first to warm up */
		struct backward *const both[] = {round % 2 ? &sliced : &whole, round % 2 ? &whole : &sliced};
		for (int i = 0; i < 2; i++) {
			int64_t start_ns = tp_now_ns();
			run(both[i], &buffers, in, options->slicing);
			if (round >= 0)
				both[i]->rounds_ns[round] = tp_now_ns() - start_ns;
		}
	}
	double whole_ms = median_ms(&whole, options->rounds), sliced_ms = median_ms(&sliced, options->rounds);
	printf("%-12s %4d x %2d x %2d -> %4d  %9.2f  %9.2f  %6.3f  one: %s; each: %s\n", layer->name, layer->in_shape.c,
	       layer->in_shape.h, layer->in_shape.w, layer->out_shape.c, whole_ms, sliced_ms, sliced_ms / whole_ms,
	       whole_kernel->algorithms, sliced_kernel->algorithms);
	*whole_total_ms += whole_ms;
	*sliced_total_ms += sliced_ms;
	void *const all[] = {buffers.x,      buffers.y,       buffers.dy,    buffers.dx,
	                     buffers.params, buffers.dparams, buffers.saved, buffers.scratch};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		tp_free(all[i]);
}

static bool parse_conv(const char *text, enum tp_conv_choice *conv)
{
	static const char *const names[] = {
	        [TP_CONV_AUTO] = "auto", [TP_CONV_DIRECT] = "direct", [TP_CONV_WINOGRAD] = "winograd"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*conv = (enum tp_conv_choice)i;
			return true;
		}
	}
	return false;
}

static bool parse_option(const char *name, const char *value, struct options *options)
{
	if (strcmp(name, "--conv") == 0)
		return parse_conv(value, &options->conv);
	if (strcmp(name, "--batch") == 0)
		options->slicing.batch = atoi(value);
	else if (strcmp(name, "--micro-batches") == 0)
		options->slicing.count = atoi(value);
	else if (strcmp(name, "--rounds") == 0)
		options->rounds = atoi(value);
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){{96, 3}, TP_CONV_AUTO, 7};
	for (int i = 1; i + 1 < argc; i += 2)
		if (!parse_option(argv[i], argv[i + 1], options))
			return false;
	return argc % 2 == 1 && options->slicing.count >= 1 && options->slicing.count <= options->slicing.batch &&
	       options->rounds >= 1 && options->rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv)
{
	static struct tp_model model;
	struct options options;
	int64_t budget_ns = 30 * TP_NS_PER_S;
	double whole_ms = 0, sliced_ms = 0;
	if (!parse(argc, argv, &options)) {
		(void)fprintf(stderr, "usage: conv_backward_ratio [--batch M] [--micro-batches N] "
		                      "[--conv auto|direct|winograd] [--rounds R, at most 101]\n");
		return 2;
	}
	const struct tp_device_options device_options = {.conv = options.conv, .choice_budget_ns = &budget_ns};
	const struct tp_device_ops *ops = NULL;
	struct tp_device *device = NULL;
	must(tp_device_find("cpu", TP_MATH_FP32, &ops));
	ops->enter_thread();
	must(ops->open(&device_options, 0, &device));
	must(tp_model_build("vgg16", &(struct tp_model_options){{3, 32, 32}, 100, 256}, &model));

	printf("one backward of %d against %d of %d/%d, ms, median of %d\n", options.slicing.batch,
	       options.slicing.count, options.slicing.batch, options.slicing.count, options.rounds);
	printf("%-12s %-23s %9s  %9s  %6s\n", "layer", "shape", "one", "each", "ratio");
	struct tp_tensor_desc in = tp_tensor_plain(model.input, ops->element_bytes);
	for (int32_t i = 0; i < model.layer_count && model.layers[i].kind != TP_LAYER_GLOBAL_AVGPOOL; i++) {
		struct tp_kernel *whole = build(device, &model.layers[i], in, &options, true);
		if (model.layers[i].kind == TP_LAYER_CONV) {
			struct tp_kernel *sliced = build(device, &model.layers[i], in, &options, false);
			measure(&options, in, whole, sliced, &whole_ms, &sliced_ms);
			sliced->ops->free(sliced);
		}
		in = whole->out;
		whole->ops->free(whole);
	}
	printf("%-12s %-23s %9.2f  %9.2f  %6.3f\n", "all", "", whole_ms, sliced_ms, sliced_ms / whole_ms);
	ops->close(device);
	return 0;
}
