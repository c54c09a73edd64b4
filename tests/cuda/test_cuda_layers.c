/* Every operator of the device cuda, forward, again, inference and backward, against the reference device: in float32,
 * TF32 and bfloat16, over slices of uneven size, in runs and in parts. On a GPU, or with the stand-in's file as
 * argument on that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "tests/cuda/layer_pair.h"
#include "tests/cuda/stand_in.h"

static struct tp_device *open_device(const struct tp_device_options *options)
{
	const struct tp_device_ops *ops = options->math == TP_MATH_BF16 ? &tp_cuda_device_bf16 : &tp_cuda_device_f32;
	struct tp_device *device = NULL;
	if (ops->open(options, 0, &device) != TP_OK)
		fail_msg("%s", tp_detail());
	return device;
}

/* Slice by slice, the last one first. */
static void backward_slices(const struct layer_pair *pair, const struct layer_side *side)
{
	const int32_t last = pair->options.slicing.count - 1;
	for (int32_t slice = last; slice >= 0; slice--)
		layer_backward(pair, side, TP_BACKWARD_BOTH, slice, 1, slice < last);
}

/* In runs that end where a bit of `cuts` is set, first all for the inputs, then all for the parameters. */
static void backward_runs(const struct layer_pair *pair, const struct layer_side *side, uint32_t cuts)
{
	const int32_t slices = pair->options.slicing.count;
	for (int part = TP_BACKWARD_INPUT; part <= TP_BACKWARD_WEIGHTS; part++) {
		for (int32_t first = 0, end = 1; end <= slices; end++) {
			if (end < slices && !(cuts >> (end - 1) & 1))
				continue;
			layer_backward(pair, side, (enum tp_backward_part)part, first, end - first, first > 0);
			first = end;
		}
	}
}

static void backward(const struct layer_pair *pair, const struct layer_side *side, uint32_t cuts)
{
	if (pair->options.span == TP_SPAN_MINI)
		layer_backward(pair, side, TP_BACKWARD_BOTH, 0, pair->options.slicing.count, false);
	else if (pair->options.span == TP_SPAN_SLICE)
		backward_slices(pair, side);
	else
		backward_runs(pair, side, cuts);
}

/* The same values to the bit, running statistics that stay. */
static void check_recomputation(const struct layer_pair *pair)
{
	const struct layer_side *cuda = &pair->cuda;
	const size_t state_bytes = cuda->kernel->state_bytes;
	const size_t y_bytes = cuda->kernel->out.sample_bytes * (size_t)pair->options.slicing.batch;
	void *state = layer_bytes(pair, cuda->state, state_bytes), *y = layer_bytes(pair, cuda->y, y_bytes);
	for (int32_t slice = 0; slice < pair->options.slicing.count; slice++)
		layer_forward(pair, cuda, slice, true);
	void *state_again = layer_bytes(pair, cuda->state, state_bytes), *y_again = layer_bytes(pair, cuda->y, y_bytes);
	assert_memory_equal(state_again, state, state_bytes);
	assert_memory_equal(y_again, y, y_bytes);
	tp_free(state);
	tp_free(y);
	tp_free(state_again);
	tp_free(y_again);
}

static void check(struct tp_device *device, const struct tp_layer *layer, const struct layer_options *options,
                  uint32_t cuts)
{
	struct layer_pair pair;
	layer_pair_open(&pair, device, layer, options);
	for (int32_t slice = 0; slice < options->slicing.count; slice++) {
		layer_forward(&pair, &pair.cuda, slice, false);
		layer_forward(&pair, &pair.reference, slice, false);
	}
	check_recomputation(&pair);
	layer_compare_state(&pair);
	layer_compare_output(&pair, "forward", options->slicing.batch);
	backward(&pair, &pair.cuda, cuts);
	backward(&pair, &pair.reference, cuts);
	layer_compare_gradients(&pair);
	layer_infer(&pair, &pair.cuda);
	layer_infer(&pair, &pair.reference);
	layer_compare_output(&pair, "inference", INFERRED);
	layer_pair_close(&pair);
}

/* In every way that a mini-batch is cut, with every arithmetic. */
static void check_layer(const struct tp_layer *layer)
{
	for (int math = 0; math < TP_MATHS; math++) {
		const struct tp_device_options device_options = {
		        .math = (enum tp_math)math, .stages = 1, .workspace_limit_bytes = 8 << 20};
		struct tp_device *device = open_device(&device_options);
		struct layer_options options = {{4, 1}, TP_SPAN_MINI, (enum tp_math)math, false};
		check(device, layer, &options, 0);
		options.slicing = (struct tp_slicing){7, 3};
		check(device, layer, &options, 0);
		options.span = TP_SPAN_SLICE;
		check(device, layer, &options, 0);
		options.no_input_gradient = true;
		check(device, layer, &options, 0);
		options.no_input_gradient = false;
		options.span = TP_SPAN_RUNS;
		for (uint32_t cuts = 0; cuts < 4; cuts++)
			check(device, layer, &options, cuts);
		device->ops->close(device);
	}
}

static struct tp_layer layer_of(enum tp_layer_kind kind, const char *name, struct tp_shape in, struct tp_shape out)
{
	struct tp_layer layer = {
	        .kind = kind, .inputs = 1, .in_shape = in, .out_shape = out, .eps = 1e-5, .momentum = 0.1};
	(void)snprintf(layer.name, sizeof layer.name, "%s", name);
	return layer;
}

static struct tp_layer conv_of(const char *name, struct tp_shape in, struct tp_shape out, int32_t kernel,
                               int32_t stride, int32_t padding)
{
	struct tp_layer layer = layer_of(TP_LAYER_CONV, name, in, out);
	layer.kernel = kernel;
	layer.stride = stride;
	layer.padding = padding;
	return layer;
}

static void with_and_without_relu(struct tp_layer layer)
{
	check_layer(&layer);
	layer.relu = true;
	check_layer(&layer);
}

static void convolutions_match(void **unused)
{
	(void)unused;
	with_and_without_relu(
	        conv_of("three channels", (struct tp_shape){3, 8, 8}, (struct tp_shape){8, 8, 8}, 3, 1, 1));
	with_and_without_relu(conv_of("stride", (struct tp_shape){16, 9, 7}, (struct tp_shape){24, 5, 4}, 3, 2, 1));
	with_and_without_relu(conv_of("pointwise", (struct tp_shape){32, 4, 4}, (struct tp_shape){16, 4, 4}, 1, 1, 0));
}

/* So many rows that the bias's gradient is summed in several passes. */
static void bias_gradients_of_many_rows_match(void **unused)
{
	(void)unused;
	struct tp_layer layer = conv_of("rows", (struct tp_shape){4, 40, 40}, (struct tp_shape){12, 40, 40}, 1, 1, 0);
	layer.relu = true;
	check_layer(&layer);
}

static void normalisations_match(void **unused)
{
	(void)unused;
	const struct tp_shape wide = {20, 4, 4}, few = {3, 8, 8};
	with_and_without_relu(layer_of(TP_LAYER_BATCHNORM, "norm", wide, wide));
	with_and_without_relu(layer_of(TP_LAYER_BATCHNORM, "few channels", few, few));
}

static void pools_match(void **unused)
{
	(void)unused;
	struct tp_layer layer =
	        layer_of(TP_LAYER_MAXPOOL, "halves", (struct tp_shape){8, 8, 8}, (struct tp_shape){8, 4, 4});
	layer.kernel = layer.stride = 2;
	check_layer(&layer);
	layer = layer_of(TP_LAYER_MAXPOOL, "overlapping", (struct tp_shape){8, 9, 11}, (struct tp_shape){8, 4, 5});
	layer.kernel = 3;
	layer.stride = 2;
	check_layer(&layer);
	layer = layer_of(TP_LAYER_GLOBAL_AVGPOOL, "means", (struct tp_shape){16, 5, 3}, (struct tp_shape){16, 1, 1});
	check_layer(&layer);
}

static void linear_layers_match(void **unused)
{
	(void)unused;
	with_and_without_relu(
	        layer_of(TP_LAYER_LINEAR, "ten", (struct tp_shape){100, 1, 1}, (struct tp_shape){10, 1, 1}));
	with_and_without_relu(
	        layer_of(TP_LAYER_LINEAR, "odd", (struct tp_shape){33, 1, 1}, (struct tp_shape){50, 1, 1}));
}

static void flattening_and_sums_match(void **unused)
{
	(void)unused;
	const struct tp_shape image = {8, 3, 5};
	struct tp_layer layer = layer_of(TP_LAYER_FLATTEN, "flat", image, (struct tp_shape){120, 1, 1});
	check_layer(&layer);
	layer = layer_of(TP_LAYER_FLATTEN, "flat already", (struct tp_shape){1, 6, 4}, (struct tp_shape){24, 1, 1});
	check_layer(&layer);
	layer = layer_of(TP_LAYER_ADD, "sum", image, image);
	layer.inputs = 2;
	with_and_without_relu(layer);
}

/* What cuDNN cannot do is said before the run, with the reason. */
static void expect_refusal(struct tp_device *device, const struct tp_layer *layer, struct tp_slicing slicing,
                           const char *reason)
{
	const struct tp_tensor_desc in = tp_device_input(device->ops, layer->in_shape);
	const struct tp_kernel_spec spec = {.layer = layer, .in = {in, in}, .slicing = slicing, .span = TP_SPAN_MINI};
	struct tp_kernel *kernel = NULL;
	assert_int_equal(device->ops->kernel_new(device, &spec, &kernel), TP_ERR_UNSUPPORTED);
	assert_non_null(strstr(tp_detail(), reason));
	assert_non_null(strstr(tp_detail(), layer->name));
}

static void what_the_libraries_cannot_do_is_refused(void **unused)
{
	(void)unused;
	const struct tp_device_options options = {.math = TP_MATH_FP32, .stages = 1};
	struct tp_device *device = open_device(&options);
	const struct tp_shape vector = {8, 1, 1}, image = {8, 2, 2}, odd = {5, 3, 3};
	struct tp_layer layer = layer_of(TP_LAYER_BATCHNORM, "single", vector, vector);
	expect_refusal(device, &layer, (struct tp_slicing){3, 3}, "more than one value per channel");
	layer = layer_of(TP_LAYER_BATCHNORM, "epsilon", image, image);
	layer.eps = -1;
	expect_refusal(device, &layer, (struct tp_slicing){4, 2}, "epsilon");
	layer = conv_of("unaligned", odd, odd, 1, 1, 0);
	expect_refusal(device, &layer, (struct tp_slicing){4, 2}, "multiples of 16 bytes");
	layer = layer_of(TP_LAYER_LINEAR, "image", image, vector);
	expect_refusal(device, &layer, (struct tp_slicing){4, 2}, "flatten");
	device->ops->close(device);
}

/* Scratch and algorithms of a convolution on a device with these options. */
static size_t scratch_of(const struct tp_device_options *options, const struct tp_layer *layer, char *algorithms,
                         size_t size)
{
	struct tp_device *device = open_device(options);
	const struct tp_kernel_spec spec = {
	        .layer = layer,
	        .in = {tp_device_input(device->ops, layer->in_shape)},
	        .slicing = {6, 1},
	        .span = TP_SPAN_MINI,
	        .input_gradient = true,
	};
	struct tp_kernel *kernel = NULL;
	if (device->ops->kernel_new(device, &spec, &kernel) != TP_OK)
		fail_msg("%s", tp_detail());
	const size_t bytes = kernel->scratch_bytes;
	(void)snprintf(algorithms, size, "%s", kernel->algorithms);
	kernel->ops->free(kernel);
	device->ops->close(device);
	return bytes;
}

static void algorithms_keep_to_the_workspace_limit(void **unused)
{
	(void)unused;
	enum { LIMIT_BYTES = 1 << 20 };
	const struct tp_layer layer =
	        conv_of("limited", (struct tp_shape){32, 16, 16}, (struct tp_shape){32, 16, 16}, 3, 1, 1);
	char algorithms[96];
	struct tp_device_options options = {.math = TP_MATH_TF32, .stages = 1, .workspace_limit_bytes = LIMIT_BYTES};
	/* beside the workspace: sums of the bias's gradient */
	assert_in_range(scratch_of(&options, &layer, algorithms, sizeof algorithms), 0, LIMIT_BYTES + 64 * 1024);
	assert_non_null(strstr(algorithms, "F="));
	assert_non_null(strstr(algorithms, " BD="));
	assert_non_null(strstr(algorithms, " BW="));
	options.deterministic = true;
	(void)scratch_of(&options, &layer, algorithms, sizeof algorithms);
	assert_null(strstr(algorithms, "BD=0")); /* these two add in any order */
	assert_null(strstr(algorithms, "BW=0"));
	assert_null(strstr(algorithms, "BW=3"));
}

/* Where timing fails cuDNN's rule decides, and the record says so; what was found once is not asked for again. */
static void shapes_are_timed_once_or_ruled(void **unused)
{
	(void)unused;
	if (!stand_in.inject)
		skip(); /* failures are injected */
	const struct tp_device_options options = {.math = TP_MATH_FP32, .stages = 1};
	struct tp_layer layer = conv_of("once", (struct tp_shape){16, 6, 6}, (struct tp_shape){32, 6, 6}, 3, 1, 1);
	char first[96], again[96];
	(void)scratch_of(&options, &layer, first, sizeof first);
	assert_null(strstr(first, "not all timed"));
	stand_in.inject(
	        "cudnnFindConvolutionForwardAlgorithmEx:1:3000+,cudnnGetConvolutionForwardAlgorithm_v7:1:3000+");
	(void)scratch_of(&options, &layer, again, sizeof again);
	assert_string_equal(again, first);
	stand_in.inject("cudnnFindConvolutionForwardAlgorithmEx:1:3000+");
	layer.in_shape.c = 48;
	(void)scratch_of(&options, &layer, again, sizeof again);
	assert_non_null(strstr(again, "not all timed"));
	stand_in.inject(NULL);
}

static void the_hot_path_allocates_nothing(void **unused)
{
	(void)unused;
	const struct tp_device_options device_options = {.math = TP_MATH_BF16, .stages = 1};
	const struct layer_options options = {{6, 2}, TP_SPAN_SLICE, TP_MATH_BF16, false};
	struct tp_device *device = open_device(&device_options);
	struct tp_layer layers[] = {
	        conv_of("conv", (struct tp_shape){16, 8, 8}, (struct tp_shape){16, 8, 8}, 3, 1, 1),
	        layer_of(TP_LAYER_LINEAR, "linear", (struct tp_shape){64, 1, 1}, (struct tp_shape){16, 1, 1}),
	        layer_of(TP_LAYER_BATCHNORM, "norm", (struct tp_shape){16, 4, 4}, (struct tp_shape){16, 4, 4}),
	};
	for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
		struct layer_pair pair;
		layers[i].relu = true;
		layer_pair_open(&pair, device, &layers[i], &options);
		const uint64_t before = tp_alloc_count();
		for (int32_t slice = 0; slice < 2; slice++)
			layer_forward(&pair, &pair.cuda, slice, false);
		backward_slices(&pair, &pair.cuda);
		layer_infer(&pair, &pair.cuda);
		assert_int_equal(tp_alloc_count(), before);
		layer_pair_close(&pair);
	}
	device->ops->close(device);
}

/* Parameters go in and come out the same, in any order of their dimensions. */
static void parameters_survive_import_and_export(void **unused)
{
	(void)unused;
	const struct tp_device_options device_options = {.math = TP_MATH_FP32, .stages = 1};
	const struct layer_options options = {{4, 2}, TP_SPAN_MINI, TP_MATH_FP32, false};
	struct tp_device *device = open_device(&device_options);
	const struct tp_layer layer = conv_of("trip", (struct tp_shape){4, 4, 4}, (struct tp_shape){12, 4, 4}, 3, 1, 1);
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	struct layer_pair pair;
	layer_pair_open(&pair, device, &layer, &options);
	(void)tp_layer_params(&layer, params);
	float *in = tp_alloc_array((size_t)params[0].elements, sizeof *in);
	double *out = tp_alloc_array((size_t)params[0].elements, sizeof *out);
	for (int64_t i = 0; i < params[0].elements; i++)
		in[i] = (float)i;
	pair.cuda.kernel->ops->import_param(pair.cuda.kernel, 0, in, pair.cuda.params);
	pair.cuda.kernel->ops->export_param(pair.cuda.kernel, 0, pair.cuda.params, out);
	for (int64_t i = 0; i < params[0].elements; i++)
		assert_true(out[i] == (double)i);
	float *raw = layer_bytes(&pair, pair.cuda.params, pair.cuda.kernel->params_bytes);
	assert_true(raw[1] == 9.0F); /* the second input channel's first weight follows the first's */
	tp_free(in);
	tp_free(out);
	tp_free(raw);
	layer_pair_close(&pair);
	device->ops->close(device);
}

static int clean(void **state)
{
	return stand_in.counts ? stand_in_clean(state) : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		stand_in_load(argv[1], "1");
	struct tp_text line = {0};
	if (!tp_cuda_probe(&line)) {
		(void)printf("test_cuda_layers: %s: %s\n", argc > 1 ? "failed" : "skipped", tp_text_get(&line));
		tp_text_release(&line);
		return argc > 1 ? 1 : 77; /* the stand-in is always there */
	}
	tp_text_release(&line);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(convolutions_match, clean),
	        cmocka_unit_test_teardown(bias_gradients_of_many_rows_match, clean),
	        cmocka_unit_test_teardown(normalisations_match, clean),
	        cmocka_unit_test_teardown(pools_match, clean),
	        cmocka_unit_test_teardown(linear_layers_match, clean),
	        cmocka_unit_test_teardown(flattening_and_sums_match, clean),
	        cmocka_unit_test_teardown(what_the_libraries_cannot_do_is_refused, clean),
	        cmocka_unit_test_teardown(algorithms_keep_to_the_workspace_limit, clean),
	        cmocka_unit_test_teardown(shapes_are_timed_once_or_ruled, clean),
	        cmocka_unit_test_teardown(the_hot_path_allocates_nothing, clean),
	        cmocka_unit_test_teardown(parameters_survive_import_and_export, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
