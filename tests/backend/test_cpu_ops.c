/* Every operator of the CPU device, forward, inference and backward, against the reference device: in several shapes
 * (channel counts that fill no vector among them), over slices of uneven size, with each way to do convolutions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/backend/devices.h"
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/model/builder.h"
#include "tests/backend/graph.h"

static struct tp_model model;
static struct graph cpu, reference;

static void randomise(float *values, int64_t count, uint64_t key)
{
	struct tp_prng prng;
	tp_prng_init(&prng, 5, key);
	for (int64_t i = 0; i < count; i++)
		values[i] = (float)tp_prng_normal(&prng);
}

static void *buffer(size_t bytes)
{
	void *memory = tp_alloc(bytes);
	assert_non_null(memory);
	return memory;
}

/* Where channel c of pixel p of a sample lies, in floats: plain order, or blocks of `layout` channels. */
static int64_t offset_of(struct tp_tensor_desc desc, int64_t sample, int32_t c, int32_t p)
{
	int64_t pixels = (int64_t)desc.shape.h * desc.shape.w, block = desc.layout;
	int64_t start = sample * (int64_t)(desc.sample_bytes / sizeof(float));
	if (desc.layout == TP_LAYOUT_PLAIN)
		block = 1;
	else if (desc.layout == 1) /* channels last */
		block = desc.shape.c;
	return start + (c / block * pixels + p) * block + c % block;
}

/* A value of the CPU device against the same of the reference; its padding must be zero. */
static void compare_value(const char *what, int32_t value, const float *found, const double *expected, int64_t samples,
                          double tolerance)
{
	struct tp_tensor_desc desc = cpu.descs[value];
	int32_t pixels = desc.shape.h * desc.shape.w;
	int64_t stored = samples * (int64_t)(desc.sample_bytes / sizeof(float));
	double largest = 0, magnitude_found = 0, magnitude_real = 0;
	for (int64_t i = 0; i < samples * tp_shape_elements(desc.shape); i++)
		largest = fmax(largest, fabs(expected[i]));
	for (int64_t sample = 0; sample < samples; sample++) {
		for (int32_t c = 0; c < desc.shape.c; c++) {
			for (int32_t p = 0; p < pixels; p++, expected++) {
				double here = (double)found[offset_of(desc, sample, c, p)];
				magnitude_real += fabs(here);
				if (!(fabs(here - *expected) <= tolerance * largest))
					fail_msg("%s %s, value %d, sample %d, channel %d, pixel %d: expected %.9g, "
					         "found "
					         "%.9g (largest %g)",
					         model.name, what, value, (int)sample, c, p, *expected, here, largest);
			}
		}
	}
	for (int64_t i = 0; i < stored; i++)
		magnitude_found += fabs((double)found[i]);
	if (!(fabs(magnitude_found - magnitude_real) <= 1e-9 * magnitude_real))
		fail_msg("%s %s, value %d: padding is not zero", model.name, what, value);
}

static void compare_values(int64_t samples, double tolerance)
{
	for (int32_t value = 1; value < cpu.value_count; value++)
		compare_value("forward", value, cpu.values[value], reference.values[value], samples, tolerance);
}

/* A layer's tensor as plain doubles. Trainable ones come from `block`, the others from the layer's state. */
static double *exported(const struct graph *graph, int32_t layer, const struct tp_param *param, int32_t index,
                        const void *block)
{
	double *plain = buffer((size_t)param->elements * sizeof *plain);
	graph->kernels[layer]->ops->export_param(graph->kernels[layer], index,
	                                         param->trainable ? block : graph->state[layer], plain);
	return plain;
}

/* All tensors of a layer, each element as exact as the layer's largest: behind a normalisation the gradient of a bias
 * is zero, a sum of terms that are not. */
static void compare_layer(const char *what, int32_t layer, const void *found_block, const void *expected_block,
                          double tolerance)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	double *found[TP_LAYER_MAX_PARAMS], *expected[TP_LAYER_MAX_PARAMS], largest = 0;
	int32_t count = tp_layer_params(&model.layers[layer], params);
	for (int32_t i = 0; i < count; i++) {
		found[i] = exported(&cpu, layer, &params[i], i, found_block);
		expected[i] = exported(&reference, layer, &params[i], i, expected_block);
		for (int64_t k = 0; k < params[i].elements; k++)
			largest = fmax(largest, fabs(expected[i][k]));
	}
	for (int32_t i = 0; i < count; i++) {
		for (int64_t k = 0; k < params[i].elements; k++)
			if (!(fabs(found[i][k] - expected[i][k]) <= tolerance * largest))
				fail_msg("%s %s, %s, element %d: expected %.9g, found %.9g (largest %g)", model.name,
				         what, params[i].name, (int)k, expected[i][k], found[i][k], largest);
		tp_free(found[i]);
		tp_free(expected[i]);
	}
}

static void import_random(struct graph *graph)
{
	for (int32_t layer = 0; layer < model.layer_count; layer++) {
		struct tp_param params[TP_LAYER_MAX_PARAMS];
		int32_t count = tp_layer_params(&model.layers[layer], params);
		for (int32_t i = 0; i < count; i++) {
			float *plain = buffer((size_t)params[i].elements * sizeof *plain);
			randomise(plain, params[i].elements, (uint64_t)(layer * 8 + i));
			for (int64_t k = 0; k < params[i].elements; k++) {
				/* keep values of order one through the layers */
				if (params[i].rank > 1)
					plain[k] /= sqrtf((float)(params[i].elements / params[i].dims[0]));
				/* ... and what divides away from zero */
				bool norm = model.layers[layer].kind == TP_LAYER_BATCHNORM;
				if (params[i].role == TP_PARAM_RUNNING_VAR ||
				    (norm && params[i].role == TP_PARAM_WEIGHT))
					plain[k] = 0.5F + fabsf(plain[k]);
			}
			graph->kernels[layer]->ops->import_param(graph->kernels[layer], i, plain,
			                                         params[i].trainable ? graph->params[layer]
			                                                             : graph->state[layer]);
			tp_free(plain);
		}
	}
}

static void poison(void)
{
	int32_t last = cpu.value_count - 1;
	size_t batch = (size_t)cpu.slicing.batch;
	for (int32_t value = 1; value < cpu.value_count; value++) {
		if (cpu.kernels[value - 1]->aliases_input)
			continue;
		memset(cpu.values[value], 0xff, batch * cpu.descs[value].sample_bytes);
		memset(cpu.gradients[value], value == last ? 0 : 0xff, batch * cpu.descs[value].sample_bytes);
	}
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		memset(cpu.dparams[layer], 0xff, cpu.kernels[layer]->params_bytes);
}

/* Give the CPU device's backward the reference's values, so that no value near zero is masked by one and not by the
 * other: such a pair would differ by a whole gradient. */
static void take_over_values(void)
{
	for (int32_t value = 1; value < cpu.value_count; value++) {
		struct tp_tensor_desc desc = cpu.descs[value];
		const double *from = reference.values[value];
		float *to = cpu.values[value];
		for (int64_t sample = 0; sample < cpu.slicing.batch; sample++)
			for (int32_t c = 0; c < desc.shape.c; c++)
				for (int32_t p = 0; p < desc.shape.h * desc.shape.w; p++)
					to[offset_of(desc, sample, c, p)] = (float)*from++;
	}
}

/* The same random output gradient for both. */
static void set_output_gradient(void)
{
	int32_t last = cpu.value_count - 1;
	struct tp_tensor_desc desc = cpu.descs[last];
	int64_t per_sample = tp_shape_elements(desc.shape);
	int32_t pixels = desc.shape.h * desc.shape.w;
	float *plain = buffer((size_t)(per_sample * cpu.slicing.batch) * sizeof *plain);
	randomise(plain, per_sample * cpu.slicing.batch, 999);
	reference.ops->upload(reference.device, plain, reference.gradients[last], desc.shape, cpu.slicing.batch);
	float *to = cpu.gradients[last];
	for (int64_t i = 0; i < per_sample * cpu.slicing.batch; i++) {
		int32_t within = (int32_t)(i % per_sample);
		to[offset_of(desc, i / per_sample, within / pixels, within % pixels)] = plain[i];
	}
	tp_free(plain);
}

static void open_spans(struct tp_slicing slicing, enum tp_span span, enum tp_conv_choice conv)
{
	static int64_t budget_ns;
	budget_ns = 0; /* choose by rule */
	const struct graph_options options = {
	        .slicing = slicing,
	        .span = span,
	        .split = span == TP_SPAN_RUNS,
	        .infer_samples = 3,
	        .device = {.conv = conv, .choice_budget_ns = &budget_ns},
	};
	graph_open(&cpu, &tp_device_cpu, &model, &options, 1);
	graph_open(&reference, &tp_device_reference, &model, &options, 1);
	import_random(&cpu);
	import_random(&reference);
	int64_t count = slicing.batch * tp_shape_elements(model.input);
	float *x = buffer((size_t)count * sizeof *x);
	randomise(x, count, 77);
	cpu.ops->upload(cpu.device, x, cpu.values[0], model.input, slicing.batch);
	reference.ops->upload(reference.device, x, reference.values[0], model.input, slicing.batch);
	tp_free(x);
	poison();
}

static void open_both(struct tp_slicing slicing, bool whole, enum tp_conv_choice conv)
{
	open_spans(slicing, whole ? TP_SPAN_MINI : TP_SPAN_SLICE, conv);
}

static void close_both(void)
{
	graph_close(&cpu);
	graph_close(&reference);
}

/* Winograd rounds more: sums of transformed values are larger than what they cancel to. */
static double tolerance_of(enum tp_conv_choice conv)
{
	return conv == TP_CONV_DIRECT ? 2e-5 : 2e-4;
}

static void check(struct tp_slicing slicing, bool whole, enum tp_conv_choice conv)
{
	double tolerance = tolerance_of(conv);
	open_both(slicing, whole, conv);
	for (int32_t slice = 0; slice < slicing.count; slice++) {
		graph_forward(&cpu, slice);
		graph_forward(&reference, slice);
	}
	compare_values(slicing.batch, tolerance);
	take_over_values();
	set_output_gradient();
	for (int32_t slice = whole ? TP_WHOLE : slicing.count - 1; slice >= TP_WHOLE; slice--) {
		if (slice == TP_WHOLE && !whole)
			break;
		graph_backward(&cpu, slice, !whole && slice != slicing.count - 1);
		graph_backward(&reference, slice, !whole && slice != slicing.count - 1);
	}
	for (int32_t value = 0; value < cpu.value_count; value++)
		compare_value("backward", value, cpu.gradients[value], reference.gradients[value], slicing.batch,
		              4 * tolerance);
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		compare_layer("gradient or state", layer, cpu.dparams[layer], reference.dparams[layer], 4 * tolerance);

	graph_infer(&cpu, 3);
	graph_infer(&reference, 3);
	compare_values(3, tolerance);
	close_both();
}

/* A backward in runs that end where a bit of `cuts` is set, each in two parts, against the reference's whole one. */
static void check_runs(struct tp_slicing slicing, uint32_t cuts)
{
	double tolerance = tolerance_of(TP_CONV_DIRECT);
	open_spans(slicing, TP_SPAN_RUNS, TP_CONV_DIRECT);
	for (int32_t slice = 0; slice < slicing.count; slice++) {
		graph_forward(&cpu, slice);
		graph_forward(&reference, slice);
	}
	take_over_values();
	set_output_gradient();
	graph_backward(&reference, TP_WHOLE, false);
	for (int part = TP_BACKWARD_INPUT; part <= TP_BACKWARD_WEIGHTS; part++) {
		for (int32_t first = 0, end = 1; end <= slicing.count; end++) {
			if (end < slicing.count && !(cuts >> (end - 1) & 1))
				continue;
			graph_backward_run(&cpu, (enum tp_backward_part)part, first, end - first, first > 0);
			first = end;
		}
	}
	for (int32_t value = 0; value < cpu.value_count; value++)
		compare_value("runs", value, cpu.gradients[value], reference.gradients[value], slicing.batch,
		              4 * tolerance);
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		compare_layer("gradient of runs", layer, cpu.dparams[layer], reference.dparams[layer], 4 * tolerance);
	close_both();
}

static void check_all(void)
{
	for (uint32_t cuts = 0; cuts < 4; cuts++)
		check_runs((struct tp_slicing){7, 3}, cuts);
	static const enum tp_conv_choice convs[] = {TP_CONV_DIRECT, TP_CONV_WINOGRAD};
	for (size_t i = 0; i < sizeof convs / sizeof convs[0]; i++) {
		check((struct tp_slicing){4, 1}, true, convs[i]);
		check((struct tp_slicing){7, 3}, true, convs[i]);
		check((struct tp_slicing){7, 3}, false, convs[i]);
	}
}

static struct tp_builder begin(const char *name, struct tp_shape input)
{
	struct tp_builder builder;
	const struct tp_model_options options = {input, 10, 0};
	tp_builder_init(&builder, name, &options, &model);
	tp_build_block(&builder);
	return builder;
}

static void end(const struct tp_builder *builder)
{
	assert_int_equal(tp_builder_finish(builder), TP_OK);
	check_all();
}

static void convolutions_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("convolutions", (struct tp_shape){3, 12, 12});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 64, 3, 1, 1));
	v = tp_build_relu(&b, tp_build_conv(&b, "b", v, 64, 3, 1, 1));
	v = tp_build_conv(&b, "c", v, 128, 3, 1, 1);
	(void)tp_build_relu(&b, tp_build_conv(&b, "d", v, 32, 1, 1, 0));
	end(&b);
}

static void odd_channels_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("odd", (struct tp_shape){20, 9, 7});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 100, 3, 2, 1));
	v = tp_build_conv(&b, "b", v, 20, 1, 1, 0);
	v = tp_build_relu(&b, tp_build_conv(&b, "c", v, 7, 3, 1, 1));
	(void)tp_build_conv(&b, "d", v, 33, 3, 1, 1);
	end(&b);
}

static void norms_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("norms", (struct tp_shape){3, 8, 8});
	int32_t v = tp_build_batchnorm(&b, "input", 0);
	v = tp_build_conv(&b, "a", v, 20, 3, 1, 1);
	v = tp_build_relu(&b, tp_build_batchnorm(&b, "b", v));
	v = tp_build_conv(&b, "c", v, 32, 3, 1, 1);
	v = tp_build_batchnorm(&b, "d", v);
	v = tp_build_maxpool(&b, "e", v, 2, 2);
	(void)tp_build_relu(&b, tp_build_batchnorm(&b, "f", v));
	end(&b);
}

static void pools_and_head_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("pools", (struct tp_shape){3, 13, 11});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 100, 3, 1, 1));
	v = tp_build_maxpool(&b, "b", v, 3, 2);
	v = tp_build_global_avgpool(&b, "c", v);
	(void)tp_build_linear(&b, "d", v, 10, 0.01);
	end(&b);
}

static void plain_pools_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("plain pools", (struct tp_shape){5, 8, 8});
	int32_t v = tp_build_maxpool(&b, "a", 0, 2, 2);
	(void)tp_build_global_avgpool(&b, "b", v);
	end(&b);
}

static void flattened_heads_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("flattened", (struct tp_shape){3, 6, 6});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 20, 3, 1, 1));
	v = tp_build_flatten(&b, "b", tp_build_maxpool(&b, "p", v, 2, 2));
	v = tp_build_relu(&b, tp_build_linear(&b, "c", v, 50, 0.0));
	(void)tp_build_linear(&b, "d", v, 10, 0.0);
	end(&b);
}

static void vectors_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("vectors", (struct tp_shape){3, 10, 10});
	int32_t v = tp_build_flatten(&b, "a", 0);
	v = tp_build_relu(&b, tp_build_linear(&b, "b", v, 256, 0.0));
	v = tp_build_relu(&b, tp_build_linear(&b, "c", v, 100, 0.0));
	(void)tp_build_linear(&b, "d", v, 10, 0.0);
	end(&b);
}

static void residual_units_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("residual", (struct tp_shape){3, 8, 8});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "stem", 0, 20, 3, 1, 1));
	tp_build_block(&b);
	v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 20, 3, 1, 1));
	v = tp_build_conv(&b, "b", v, 20, 3, 1, 1);
	(void)tp_build_relu(&b, tp_build_add(&b, "sum", v, 0));
	tp_build_block(&b);
	v = tp_build_conv(&b, "c", 0, 20, 3, 1, 1);
	v = tp_build_add(&b, "sum2", v, 0);
	(void)tp_build_global_avgpool(&b, "pool", v);
	end(&b);
}

/* 2x2 images in full blocks of channels: our own kernel where there is AVX-512. */
static void build_tiny_images(void)
{
	struct tp_builder b = begin("tiny", (struct tp_shape){3, 4, 4});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 64, 3, 1, 1));
	v = tp_build_maxpool(&b, "p", v, 2, 2);
	v = tp_build_relu(&b, tp_build_conv(&b, "b", v, 48, 3, 1, 1));
	(void)tp_build_conv(&b, "c", v, 32, 3, 1, 1);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
}

static void tiny_images_match(void **unused)
{
	(void)unused;
	build_tiny_images();
	open_both((struct tp_slicing){9, 1}, true, TP_CONV_AUTO);
	if (cpu.descs[2].layout == 16) /* blocks of 16 channels: there is AVX-512 */
		assert_string_equal(cpu.kernels[2]->algorithms, "F=tiny BD=tiny BW=tiny infer=direct");
	close_both();
	check((struct tp_slicing){9, 1}, true, TP_CONV_AUTO);
	check((struct tp_slicing){22, 2}, true, TP_CONV_AUTO);
	check((struct tp_slicing){29, 3}, false, TP_CONV_AUTO);
}

/* All of VGG's shapes, down to 2x2 images. */
static void vgg_matches(void **unused)
{
	(void)unused;
	const struct tp_model_options options = {{3, 32, 32}, 100, 0};
	assert_int_equal(tp_model_build("vgg11", &options, &model), TP_OK);
	check((struct tp_slicing){2, 2}, true, TP_CONV_DIRECT);
	check((struct tp_slicing){2, 1}, true, TP_CONV_WINOGRAD);
}

static void uneven_slices_of_a_large_batch_match(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("uneven", (struct tp_shape){3, 4, 4});
	int32_t v = tp_build_relu(&b, tp_build_batchnorm(&b, "n", tp_build_conv(&b, "a", 0, 20, 3, 1, 1)));
	(void)tp_build_linear(&b, "b", tp_build_global_avgpool(&b, "p", v), 10, 0.0);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	check((struct tp_slicing){50, 3}, true, TP_CONV_AUTO);
	check((struct tp_slicing){50, 3}, false, TP_CONV_AUTO);
	for (int32_t cut = 0; cut < 15; cut += 7) /* runs of 16 slices of 3 or 4: dozens of sizes */
		check_runs((struct tp_slicing){55, 16}, UINT32_C(1) << cut | UINT32_C(1) << (cut + 5) % 15);
}

/* A slot of one slice saves what one slice needs. */
static void a_slot_of_a_slice_saves_less(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("saved", (struct tp_shape){3, 8, 8});
	(void)tp_build_maxpool(&b, "p", tp_build_batchnorm(&b, "n", 0), 2, 2);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	size_t mini[2][2];
	open_both((struct tp_slicing){8, 4}, true, TP_CONV_DIRECT);
	for (int layer = 0; layer < 2; layer++) {
		mini[0][layer] = cpu.kernels[layer]->saved_bytes;
		mini[1][layer] = reference.kernels[layer]->saved_bytes;
	}
	close_both();
	open_both((struct tp_slicing){8, 4}, false, TP_CONV_DIRECT);
	for (int layer = 0; layer < 2; layer++) {
		assert_true(mini[0][layer] > 0);
		assert_int_equal(4 * cpu.kernels[layer]->saved_bytes, mini[0][layer]);
		assert_int_equal(4 * reference.kernels[layer]->saved_bytes, mini[1][layer]);
	}
	close_both();
}

/* Running statistics advance once per forward, not in a recomputation, whose values are the same. */
static void recomputation_leaves_running_statistics(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("again", (struct tp_shape){3, 8, 8});
	(void)tp_build_relu(&b, tp_build_batchnorm(&b, "n", 0));
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	open_both((struct tp_slicing){7, 3}, true, TP_CONV_DIRECT);
	size_t state_bytes = cpu.kernels[0]->state_bytes, saved_bytes = cpu.kernels[0]->saved_bytes;
	size_t value_bytes = 7 * cpu.descs[1].sample_bytes;
	char *initial = buffer(state_bytes), *state = buffer(state_bytes);
	char *saved = buffer(saved_bytes), *values = buffer(value_bytes);
	memcpy(initial, cpu.state[0], state_bytes);
	for (int32_t slice = 0; slice < 3; slice++)
		graph_forward(&cpu, slice);
	assert_memory_not_equal(cpu.state[0], initial, state_bytes);
	memcpy(state, cpu.state[0], state_bytes);
	memcpy(saved, cpu.saved[0], saved_bytes);
	memcpy(values, cpu.values[1], value_bytes);
	memset(cpu.saved[0], 0, saved_bytes);
	memset(cpu.values[1], 0, value_bytes);
	cpu.recompute = true;
	for (int32_t slice = 0; slice < 3; slice++)
		graph_forward(&cpu, slice);
	assert_memory_equal(cpu.state[0], state, state_bytes);
	assert_memory_equal(cpu.saved[0], saved, saved_bytes);
	assert_memory_equal(cpu.values[1], values, value_bytes);
	tp_free(initial);
	tp_free(state);
	tp_free(saved);
	tp_free(values);
	close_both();
}

/* What the schedules rely on: a mini-batch forwarded in slices is the mini-batch forwarded at once, to the bit. */
static void compare_slices_with_whole(int32_t batch, int32_t count, enum tp_conv_choice conv)
{
	open_both((struct tp_slicing){batch, 1}, true, conv);
	graph_forward(&cpu, TP_WHOLE);
	struct graph whole = cpu;
	graph_close(&reference);
	open_both((struct tp_slicing){batch, count}, true, conv);
	for (int32_t slice = 0; slice < count; slice++)
		graph_forward(&cpu, slice);
	for (int32_t value = 1; value < cpu.value_count; value++)
		assert_memory_equal(cpu.values[value], whole.values[value],
		                    (size_t)batch * cpu.descs[value].sample_bytes);
	graph_close(&whole);
	close_both();
}

static void slices_equal_the_whole_bit_for_bit(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("slices", (struct tp_shape){3, 16, 16});
	int32_t v = tp_build_relu(&b, tp_build_conv(&b, "a", 0, 64, 3, 1, 1));
	v = tp_build_maxpool(&b, "b", tp_build_relu(&b, tp_build_conv(&b, "c", v, 100, 3, 1, 1)), 2, 2);
	(void)tp_build_global_avgpool(&b, "d", v);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	compare_slices_with_whole(8, 3, TP_CONV_DIRECT);
	build_tiny_images();
	compare_slices_with_whole(27, 3, TP_CONV_AUTO);
}

static void parameters_survive_import_and_export(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("round trip", (struct tp_shape){20, 4, 4});
	int32_t v = tp_build_batchnorm(&b, "n", tp_build_conv(&b, "a", 0, 100, 3, 1, 1));
	(void)tp_build_linear(&b, "l", tp_build_flatten(&b, "f", v), 33, 0.0);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	open_both((struct tp_slicing){4, 2}, true, TP_CONV_AUTO);
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		compare_layer("round trip", layer, cpu.params[layer], reference.params[layer], 0);
	close_both();
}

/* Parameters of equal specs must have equal layouts, whatever the batch sizes and algorithms. */
static void layouts_do_not_depend_on_batch_or_algorithm(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("layouts", (struct tp_shape){64, 8, 8});
	int32_t v = tp_build_conv(&b, "a", 0, 64, 3, 1, 1);
	(void)tp_build_linear(&b, "l", tp_build_flatten(&b, "f", v), 32, 0.0);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	open_both((struct tp_slicing){48, 3}, true, TP_CONV_WINOGRAD);
	struct graph first = cpu;
	graph_close(&reference);
	open_both((struct tp_slicing){5, 5}, false, TP_CONV_DIRECT);
	for (int32_t layer = 0; layer < model.layer_count; layer++) {
		size_t bytes = first.kernels[layer]->params_bytes;
		assert_int_equal(cpu.kernels[layer]->params_bytes, bytes);
		assert_memory_equal(cpu.params[layer], first.params[layer], bytes);
		assert_int_equal(cpu.descs[layer + 1].layout, first.descs[layer + 1].layout);
		assert_int_equal(cpu.descs[layer + 1].sample_bytes, first.descs[layer + 1].sample_bytes);
	}
	graph_close(&first);
	close_both();
}

static void the_hot_path_allocates_nothing(void **unused)
{
	(void)unused;
	struct tp_builder b = begin("allocations", (struct tp_shape){3, 8, 8});
	int32_t v = tp_build_relu(&b, tp_build_batchnorm(&b, "n", tp_build_conv(&b, "a", 0, 32, 3, 1, 1)));
	v = tp_build_maxpool(&b, "p", v, 2, 2);
	(void)tp_build_linear(&b, "l", tp_build_flatten(&b, "f", v), 10, 0.0);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	open_both((struct tp_slicing){6, 2}, false, TP_CONV_WINOGRAD);
	set_output_gradient();
	uint64_t before = tp_alloc_count();
	for (int32_t slice = 0; slice < 2; slice++)
		graph_forward(&cpu, slice);
	for (int32_t slice = 0; slice < 2; slice++)
		graph_backward(&cpu, slice, slice > 0);
	graph_infer(&cpu, 3);
	assert_int_equal(tp_alloc_count(), before);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(convolutions_match),
	        cmocka_unit_test(odd_channels_match),
	        cmocka_unit_test(norms_match),
	        cmocka_unit_test(pools_and_head_match),
	        cmocka_unit_test(plain_pools_match),
	        cmocka_unit_test(flattened_heads_match),
	        cmocka_unit_test(vectors_match),
	        cmocka_unit_test(residual_units_match),
	        cmocka_unit_test(tiny_images_match),
	        cmocka_unit_test(vgg_matches),
	        cmocka_unit_test(uneven_slices_of_a_large_batch_match),
	        cmocka_unit_test(a_slot_of_a_slice_saves_less),
	        cmocka_unit_test(recomputation_leaves_running_statistics),
	        cmocka_unit_test(slices_equal_the_whole_bit_for_bit),
	        cmocka_unit_test(parameters_survive_import_and_export),
	        cmocka_unit_test(layouts_do_not_depend_on_batch_or_algorithm),
	        cmocka_unit_test(the_hot_path_allocates_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
