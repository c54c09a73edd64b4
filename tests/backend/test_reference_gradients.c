/* Every operator's gradient on the reference device against central finite differences, over slices, over the whole
 * mini-batch, and over runs of slices in two parts. The scalar that is differentiated is a fixed random weighting of
 * all outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "engine/backend/devices.h"
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/model/builder.h"
#include "tests/backend/graph.h"

#define STEP 1e-6
#define TOLERANCE 1e-6

static struct tp_model model;
static struct graph graph;
static double *weighting; /* of the last value's elements */

static int64_t elements(int32_t value)
{
	return graph.slicing.batch * tp_shape_elements(graph.descs[value].shape);
}

static void randomise(double *values, int64_t count, uint64_t key)
{
	struct tp_prng prng;
	tp_prng_init(&prng, 11, key);
	for (int64_t i = 0; i < count; i++)
		values[i] = tp_prng_normal(&prng);
}

static double objective(void)
{
	int32_t last = graph.value_count - 1;
	const double *y = graph.values[last];
	double sum = 0;
	for (int32_t slice = 0; slice < graph.slicing.count; slice++)
		graph_forward(&graph, slice);
	for (int64_t i = 0; i < elements(last); i++)
		sum += weighting[i] * y[i];
	return sum;
}

static double difference(double *at)
{
	double kept = *at;
	*at = kept + STEP;
	double above = objective();
	*at = kept - STEP;
	double below = objective();
	*at = kept;
	return (above - below) / (2 * STEP);
}

static void check(const char *what, double *values, const double *gradient, int64_t count)
{
	double largest = 1e-3; /* below that the differences are all noise */
	for (int64_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(gradient[i]));
	for (int64_t i = 0; i < count; i++) {
		double expected = difference(&values[i]);
		if (!(fabs(gradient[i] - expected) <= TOLERANCE * largest))
			fail_msg("%s, batch %d in %d: gradient %lld: expected %.12g, found %.12g (largest %g)", what,
			         graph.slicing.batch, graph.slicing.count, (long long)i, expected, gradient[i],
			         largest);
	}
}

static void poison(void)
{
	for (int32_t value = 0; value < graph.value_count - 1; value++)
		for (int64_t i = 0; i < elements(value); i++)
			((double *)graph.gradients[value])[i] = (double)NAN;
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		for (size_t i = 0; i < graph.kernels[layer]->params_bytes / sizeof(double); i++)
			((double *)graph.dparams[layer])[i] = (double)NAN;
}

static void run_backward(void)
{
	int32_t last = graph.value_count - 1, slices = graph.slicing.count;
	for (int64_t i = 0; i < elements(last); i++)
		((double *)graph.gradients[last])[i] = weighting[i];
	switch (graph.span) {
	case TP_SPAN_MINI:
		graph_backward(&graph, TP_WHOLE, false);
		break;
	case TP_SPAN_SLICE:
		for (int32_t slice = slices - 1; slice >= 0; slice--)
			graph_backward(&graph, slice, slice != slices - 1);
		break;
	case TP_SPAN_RUNS: /* all but the last slice, and the last */
		if (slices > 1)
			graph_backward_run(&graph, TP_BACKWARD_INPUT, 0, slices - 1, false);
		graph_backward_run(&graph, TP_BACKWARD_INPUT, slices - 1, 1, slices > 1);
		graph_backward_run(&graph, TP_BACKWARD_WEIGHTS, slices - 1, 1, false);
		if (slices > 1)
			graph_backward_run(&graph, TP_BACKWARD_WEIGHTS, 0, slices - 1, true);
		break;
	}
}

static void check_model_in(struct tp_slicing slicing, enum tp_span span)
{
	struct graph_options options = {.slicing = slicing, .span = span, .split = span == TP_SPAN_RUNS};
	graph_open(&graph, &tp_device_reference, &model, &options, 1);
	int32_t last = graph.value_count - 1;
	weighting = tp_alloc((size_t)elements(last) * sizeof(double));
	assert_non_null(weighting);
	randomise(weighting, elements(last), 1);
	randomise(graph.values[0], elements(0), 2);
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		randomise(graph.params[layer], (int64_t)(graph.kernels[layer]->params_bytes / sizeof(double)),
		          3 + (uint64_t)layer);
	poison();
	objective();
	run_backward();
	check("input", graph.values[0], graph.gradients[0], elements(0));
	for (int32_t layer = 0; layer < model.layer_count; layer++)
		check(model.layers[layer].name, graph.params[layer], graph.dparams[layer],
		      (int64_t)(graph.kernels[layer]->params_bytes / sizeof(double)));
	tp_free(weighting);
	graph_close(&graph);
}

static void check_model(struct tp_builder *builder)
{
	static const struct tp_slicing slicings[] = {{4, 1}, {5, 2}, {5, 3}, {3, 3}};
	assert_int_equal(tp_builder_finish(builder), TP_OK);
	for (size_t i = 0; i < sizeof slicings / sizeof slicings[0]; i++) {
		check_model_in(slicings[i], TP_SPAN_MINI);
		check_model_in(slicings[i], TP_SPAN_SLICE);
		check_model_in(slicings[i], TP_SPAN_RUNS);
	}
}

static struct tp_builder begin(int32_t c, int32_t h, int32_t w)
{
	struct tp_builder builder;
	struct tp_model_options options = {{c, h, w}, 1, 0};
	tp_builder_init(&builder, "one", &options, &model);
	tp_build_block(&builder);
	return builder;
}

static void test_conv(void **state)
{
	(void)state;
	struct tp_builder builder = begin(2, 5, 4);
	tp_build_relu(&builder, tp_build_conv(&builder, "padded", 0, 3, 3, 1, 1));
	check_model(&builder);
	builder = begin(2, 7, 6);
	tp_build_conv(&builder, "strided", 0, 3, 5, 2, 1);
	check_model(&builder);
	builder = begin(3, 2, 2);
	tp_build_conv(&builder, "one by one", 0, 2, 1, 1, 0);
	check_model(&builder);
}

static void test_batchnorm(void **state)
{
	(void)state;
	struct tp_builder builder = begin(3, 3, 2);
	tp_build_batchnorm(&builder, "plain", 0);
	check_model(&builder);
	builder = begin(2, 2, 3);
	tp_build_relu(&builder, tp_build_batchnorm(&builder, "with relu", 0));
	check_model(&builder);
}

static void test_pooling(void **state)
{
	(void)state;
	struct tp_builder builder = begin(2, 4, 6);
	tp_build_maxpool(&builder, "max", 0, 2, 2);
	check_model(&builder);
	builder = begin(2, 6, 5); /* overlapping windows, and a last column that none reaches */
	tp_build_maxpool(&builder, "overlapping max", 0, 3, 2);
	check_model(&builder);
	builder = begin(3, 3, 4);
	tp_build_global_avgpool(&builder, "average", 0);
	check_model(&builder);
}

static void test_linear(void **state)
{
	(void)state;
	struct tp_builder builder = begin(2, 2, 3);
	int32_t value = tp_build_flatten(&builder, "flatten", 0);
	tp_build_relu(&builder, tp_build_linear(&builder, "linear", value, 5, 0));
	check_model(&builder);
}

static void test_add(void **state)
{
	(void)state;
	struct tp_builder builder = begin(2, 3, 2);
	int32_t value = tp_build_conv(&builder, "branch", 0, 2, 1, 1, 0);
	tp_build_relu(&builder, tp_build_add(&builder, "sum", value, 0));
	check_model(&builder);
}

/* Two residual units, the second with a convolution on its short cut, then a head: all operators in one graph. */
static void test_residual_network(void **state)
{
	(void)state;
	struct tp_builder builder = begin(2, 6, 6);
	int32_t value = tp_build_conv(&builder, "stem", 0, 3, 3, 1, 1);
	value = tp_build_relu(&builder, tp_build_batchnorm(&builder, "stem norm", value));
	tp_build_maxpool(&builder, "stem pool", value, 2, 2);
	for (int unit = 0; unit < 2; unit++) {
		tp_build_block(&builder);
		value = tp_build_conv(&builder, "a", 0, 3 + unit, 3, 1 + unit, 1);
		value = tp_build_relu(&builder, tp_build_batchnorm(&builder, "a norm", value));
		value = tp_build_conv(&builder, "b", value, 3 + unit, 3, 1, 1);
		int32_t main = tp_build_batchnorm(&builder, "b norm", value);
		int32_t around = unit ? tp_build_conv(&builder, "short cut", 0, 4, 1, 2, 0) : 0;
		tp_build_relu(&builder, tp_build_add(&builder, "sum", main, around));
	}
	tp_build_block(&builder);
	value = tp_build_global_avgpool(&builder, "average", 0);
	tp_build_linear(&builder, "head", value, 3, 0);
	check_model(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_conv),    cmocka_unit_test(test_batchnorm),
	        cmocka_unit_test(test_pooling), cmocka_unit_test(test_linear),
	        cmocka_unit_test(test_add),     cmocka_unit_test(test_residual_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
