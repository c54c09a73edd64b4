/* The reference device's values: forward passes, statistics, loss and optimizer against independent arithmetic. */
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

/* Three images of CIFAR. */
#define BATCH_ELEMENTS INT64_C(9216)

static const struct tp_device_ops *const ops = &tp_device_reference;
static struct tp_model model;
static struct graph graph;

static void assert_near(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected))))
		fail_msg("expected %.15g, found %.15g", expected, found);
}

static void randomise(double *values, int64_t count, uint64_t key)
{
	struct tp_prng prng;
	tp_prng_init(&prng, 3, key);
	for (int64_t i = 0; i < count; i++)
		values[i] = tp_prng_normal(&prng);
}

static struct tp_builder begin(struct tp_shape input)
{
	struct tp_builder builder;
	struct tp_model_options options = {input, 1, 0};
	tp_builder_init(&builder, "one", &options, &model);
	tp_build_block(&builder);
	return builder;
}

static void open_model(struct tp_slicing slicing, int32_t infer_samples)
{
	struct graph_options options = {.slicing = slicing, .span = TP_SPAN_RUNS, .infer_samples = infer_samples};
	graph_open(&graph, ops, &model, &options, 1);
}

/* One output of a convolution, by its definition. */
static double convolved(const struct tp_layer *layer, const double *x, const double *weight, double bias, int32_t oy,
                        int32_t ox)
{
	struct tp_shape in = layer->in_shape;
	double sum = bias;
	for (int32_t c = 0; c < in.c; c++)
		for (int32_t y = 0; y < in.h; y++)
			for (int32_t x_at = 0; x_at < in.w; x_at++) {
				int32_t ky = y - oy * layer->stride + layer->padding;
				int32_t kx = x_at - ox * layer->stride + layer->padding;
				if (ky >= 0 && ky < layer->kernel && kx >= 0 && kx < layer->kernel)
					sum += x[(c * in.h + y) * in.w + x_at] *
					       weight[(c * layer->kernel + ky) * layer->kernel + kx];
			}
	return sum;
}

static void check_convolution(int32_t kernel, int32_t stride, int32_t padding, bool relu)
{
	struct tp_builder builder = begin((struct tp_shape){3, 6, 5});
	int32_t value = tp_build_conv(&builder, "conv", 0, 4, kernel, stride, padding);
	if (relu)
		tp_build_relu(&builder, value);
	open_model((struct tp_slicing){3, 2}, 0);
	const struct tp_layer *layer = &model.layers[0];
	struct tp_shape out = layer->out_shape;
	const double *x = graph.values[0], *y = graph_output(&graph);
	double *weight = graph.params[0];
	int64_t taps = INT64_C(3) * kernel * kernel, image = INT64_C(90);
	randomise(graph.values[0], 3 * image, 1);
	randomise(weight, 4 * taps + 4, 2);
	graph_forward(&graph, 0);
	graph_forward(&graph, 1);
	for (int32_t n = 0; n < 3; n++)
		for (int32_t c = 0; c < 4; c++)
			for (int32_t i = 0; i < out.h * out.w; i++, y++) {
				double expected = convolved(layer, x + n * image, weight + c * taps,
				                            weight[4 * taps + c], i / out.w, i % out.w);
				assert_near(*y, relu && expected < 0 ? 0 : expected);
			}
	graph_close(&graph);
}

static void test_convolution_by_definition(void **state)
{
	(void)state;
	check_convolution(3, 1, 1, true);
	check_convolution(3, 1, 1, false);
	check_convolution(5, 2, 1, false);
	check_convolution(1, 1, 0, false);
	check_convolution(3, 3, 2, true);
}

static void test_linear_by_hand(void **state)
{
	(void)state;
	struct tp_builder builder = begin((struct tp_shape){3, 1, 1});
	tp_build_relu(&builder, tp_build_linear(&builder, "linear", 0, 2, 0));
	open_model((struct tp_slicing){2, 1}, 0);
	const float weight[] = {1, 2, 3, -1, 0, 1}, bias[] = {0.5F, -0.25F}, x[] = {1, 1, 1, 4, 0, -2};
	struct tp_kernel *kernel = graph.kernels[0];
	kernel->ops->import_param(kernel, 0, weight, graph.params[0]);
	kernel->ops->import_param(kernel, 1, bias, graph.params[0]);
	ops->upload(graph.device, x, graph.values[0], graph.descs[0].shape, 2);
	graph_forward(&graph, TP_WHOLE);
	const double *y = graph_output(&graph);
	assert_near(y[0], 6.5);
	assert_near(y[1], 0); /* -0.25 */
	assert_near(y[2], 0); /* -1.5 */
	assert_near(y[3], 0); /* -6.25 */
	double exported[6];
	kernel->ops->export_param(kernel, 0, graph.params[0], exported);
	for (int i = 0; i < 6; i++)
		assert_near(exported[i], (double)weight[i]);
	graph_close(&graph);
}

static void test_maxpool_takes_the_first_of_equals(void **state)
{
	(void)state;
	struct tp_builder builder = begin((struct tp_shape){1, 2, 4});
	tp_build_maxpool(&builder, "pool", 0, 2, 2);
	open_model((struct tp_slicing){1, 1}, 1);
	const float x[] = {5, 5, -1, -3, 5, 5, -2, -1};
	ops->upload(graph.device, x, graph.values[0], graph.descs[0].shape, 1);
	graph_forward(&graph, TP_WHOLE);
	const double *y = graph_output(&graph), *dx = graph.gradients[0];
	double *dy = graph_output_gradient(&graph);
	assert_near(y[0], 5);
	assert_near(y[1], -1);
	dy[0] = 3;
	dy[1] = 4;
	graph_backward(&graph, TP_WHOLE, false);
	const double expected[] = {3, 0, 4, 0, 0, 0, 0, 0};
	assert_memory_equal(dx, expected, sizeof expected);
	graph_infer(&graph, 1);
	assert_near(y[0], 5);
	graph_close(&graph);
}

/* A batch of 1, 3 | 10 in two slices: each is normalised by its own mean and variance, and advances the running ones.
 */
static void test_batchnorm_statistics(void **state)
{
	(void)state;
	struct tp_builder builder = begin((struct tp_shape){1, 1, 2});
	tp_build_batchnorm(&builder, "norm", 0);
	open_model((struct tp_slicing){3, 2}, 2);
	const float x[] = {1, 3, 5, 7, 10, 14};
	double *running = graph.state[0];
	const double *y = graph_output(&graph);
	assert_near(running[0], 0);
	assert_near(running[1], 1);
	ops->upload(graph.device, x, graph.values[0], graph.descs[0].shape, 3);
	graph_forward(&graph, 0); /* 1 3 5 7: mean 4, variance 5 biased, 20/3 unbiased */
	assert_near(y[0], -3 / sqrt(5 + 1e-5));
	assert_near(y[3], 3 / sqrt(5 + 1e-5));
	assert_near(running[0], 0.4);
	assert_near(running[1], 0.9 + 0.1 * 20 / 3);
	graph_forward(&graph, 1); /* 10 14: mean 12, variance 4 biased, 8 unbiased */
	assert_near(y[4], -2 / sqrt(4 + 1e-5));
	double mean = 0.9 * 0.4 + 1.2, variance = 0.9 * (0.9 + 0.1 * 20 / 3) + 0.8;
	assert_near(running[0], mean);
	assert_near(running[1], variance);

	graph.recompute = true; /* for a backward: the same values, and nothing advances */
	double first = y[0];
	((double *)graph_output(&graph))[0] = 0;
	graph_forward(&graph, 0);
	graph_forward(&graph, 1);
	assert_true(y[0] == first);
	assert_near(running[0], mean);
	assert_near(running[1], variance);

	double *dy = graph_output_gradient(&graph);
	for (int i = 0; i < 6; i++)
		dy[i] = i;
	graph_backward(&graph, TP_WHOLE, false);
	graph_infer(&graph, 2);
	assert_near(running[0], mean);
	assert_near(running[1], variance);
	assert_near(y[3], (7 - mean) / sqrt(variance + 1e-5));
	graph_close(&graph);
}

/* Of a single value the unbiased variance is undefined: it counts as 0 and nothing becomes infinite. */
static void test_batchnorm_of_one_value(void **state)
{
	(void)state;
	struct tp_builder builder = begin((struct tp_shape){1, 1, 1});
	tp_build_batchnorm(&builder, "norm", 0);
	open_model((struct tp_slicing){1, 1}, 0);
	*(double *)graph.values[0] = 2;
	graph_forward(&graph, 0);
	const double *running = graph.state[0], *y = graph_output(&graph);
	assert_near(y[0], 0);
	assert_near(running[0], 0.2);
	assert_near(running[1], 0.9);
	graph_close(&graph);
}

static void test_loss(void **state)
{
	(void)state;
	struct tp_device_options options = {0};
	struct tp_device *device;
	struct tp_loss_result result;
	assert_int_equal(ops->open(&options, 0, &device), TP_OK);
	const double logits[] = {1, 2, 3, 0, 0, 0, 1000, 0, -1000};
	const int32_t labels[] = {2, 1, 0};
	double probabilities[9], dlogits[9];
	ops->loss_forward(device, 3, 3, logits, labels, probabilities, &result);
	double sum = exp(1) + exp(2) + exp(3);
	assert_near(result.loss_sum, log(sum) - 3 + log(3));
	assert_int_equal(result.top1, 2); /* in the tie of the second row class 0 comes first */
	assert_int_equal(result.top5, 3);
	assert_near(probabilities[0], exp(1) / sum);
	assert_near(probabilities[4], 1.0 / 3);
	assert_near(probabilities[6], 1);
	ops->loss_backward(device, 3, 3, probabilities, labels, 0.5, dlogits);
	assert_near(dlogits[0], 0.5 * exp(1) / sum);
	assert_near(dlogits[2], 0.5 * (exp(3) / sum - 1));
	assert_near(dlogits[4], -1.0 / 3);
	struct tp_loss_result again;
	ops->loss_forward(device, 3, 3, logits, labels, NULL, &again);
	assert_true(again.loss_sum == result.loss_sum);
	ops->close(device);
}

static void test_loss_counts_ranks(void **state)
{
	(void)state;
	struct tp_device_options options = {0};
	struct tp_device *device;
	struct tp_loss_result result;
	assert_int_equal(ops->open(&options, 0, &device), TP_OK);
	const double row[] = {7, 6, 5, 4, 3, 3, 2, (double)NAN};
	for (int32_t label = 0; label < 7; label++) {
		ops->loss_forward(device, 1, 7, row, &label, NULL, &result);
		assert_int_equal(result.top1, label == 0);
		assert_int_equal(result.top5, label < 5); /* of the two 3s the lower class */
	}
	int32_t diverged = 7;
	ops->loss_forward(device, 1, 8, row, &diverged, NULL, &result);
	assert_int_equal(result.top1 + result.top5, 0);
	ops->close(device);
}

/* torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.01) on w = 1 with gradients 2, 3, -1. */
static void test_sgd(void **state)
{
	(void)state;
	struct tp_device_options options = {0};
	struct tp_device *device;
	assert_int_equal(ops->open(&options, 0, &device), TP_OK);
	const double gradients[] = {2, 3, -1};
	double weight = 1, momentum = (double)NAN, expected_weight = 1, expected_momentum = 0;
	for (int step = 0; step < 3; step++) {
		struct tp_sgd sgd = {0.1, 0.9, 0.01, step == 0};
		double gradient = gradients[step], next = (double)NAN, before = weight;
		double decayed = gradients[step] + 0.01 * expected_weight;
		expected_momentum = step == 0 ? decayed : 0.9 * expected_momentum + decayed;
		expected_weight -= 0.1 * expected_momentum;
		if (step == 1) { /* into a new buffer */
			ops->sgd(device, &sgd, &weight, &next, &gradient, &momentum, sizeof weight);
			assert_true(weight == before);
			weight = next;
		} else { /* in place */
			ops->sgd(device, &sgd, &weight, &weight, &gradient, &momentum, sizeof weight);
		}
		assert_near(momentum, expected_momentum);
		assert_near(weight, expected_weight);
	}
	assert_near(weight, 1 - 0.1 * 2.01 - 0.1 * (0.9 * 2.01 + 3.00799) -
	                            0.1 * (0.9 * (0.9 * 2.01 + 3.00799) - 1 + 0.01 * (1 - 0.201 - 0.481699)));
	ops->close(device);
}

/* Slices write into one mini-batch: without normalisation the result is that of the whole. */
static void test_slices_agree_with_the_whole(void **state)
{
	(void)state;
	const struct tp_model_options options = {{3, 32, 32}, 10, 0};
	assert_int_equal(tp_model_build("vgg11", &options, &model), TP_OK);
	double whole[30];
	open_model((struct tp_slicing){3, 1}, 2);
	randomise(graph.values[0], BATCH_ELEMENTS, 1);
	graph_forward(&graph, 0);
	memcpy(whole, graph_output(&graph), sizeof whole);
	graph_infer(&graph, 2);
	assert_memory_equal(graph_output(&graph), whole, 20 * sizeof *whole);
	graph_close(&graph);

	open_model((struct tp_slicing){3, 2}, 0);
	randomise(graph.values[0], BATCH_ELEMENTS, 1);
	graph_forward(&graph, 1);
	graph_forward(&graph, 0);
	assert_memory_equal(graph_output(&graph), whole, sizeof whole);
	double *dy = graph_output_gradient(&graph);
	randomise(dy, 30, 2);
	graph_backward(&graph, TP_WHOLE, false);
	size_t bytes = graph.kernels[0]->params_bytes;
	double *of_whole = tp_alloc(bytes);
	assert_non_null(of_whole);
	memcpy(of_whole, graph.dparams[0], bytes);
	graph_backward(&graph, 1, false);
	graph_backward(&graph, 0, true);
	for (size_t i = 0; i < bytes / sizeof(double); i++)
		assert_near(((double *)graph.dparams[0])[i], of_whole[i]);
	tp_free(of_whole);
	graph_close(&graph);
}

static void test_blend(void **state)
{
	(void)state;
	double x[] = {1, -2, 0.1}, y[] = {3, 5, 0.2}, to[3];
	ops->blend(NULL, 0.25, x, 0.75, y, to, sizeof to);
	assert_near(to[0], 2.5);
	assert_near(to[1], 3.25);
	ops->blend(NULL, 1, x, 1, y, x, sizeof x); /* in place */
	assert_true(x[0] == 4 && x[1] == 3 && x[2] == 0.1 + 0.2);
	ops->blend(NULL, 2, x, -1, y, y, sizeof y);
	assert_true(y[0] == 5 && y[1] == 1);
}

static void test_nothing_is_allocated_in_a_step(void **state)
{
	(void)state;
	const struct tp_model_options options = {{1, 8, 8}, 10, 16};
	assert_int_equal(tp_model_build("mlp", &options, &model), TP_OK);
	uint64_t held = tp_alloc_bytes();
	open_model((struct tp_slicing){4, 2}, 4);
	uint64_t before = tp_alloc_count();
	graph_forward(&graph, 0);
	graph_forward(&graph, 1);
	graph_backward(&graph, TP_WHOLE, false);
	graph_infer(&graph, 4);
	assert_true(tp_alloc_count() == before);
	graph_close(&graph);
	assert_true(tp_alloc_bytes() == held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_convolution_by_definition),
	        cmocka_unit_test(test_linear_by_hand),
	        cmocka_unit_test(test_maxpool_takes_the_first_of_equals),
	        cmocka_unit_test(test_batchnorm_statistics),
	        cmocka_unit_test(test_batchnorm_of_one_value),
	        cmocka_unit_test(test_loss),
	        cmocka_unit_test(test_loss_counts_ranks),
	        cmocka_unit_test(test_sgd),
	        cmocka_unit_test(test_slices_agree_with_the_whole),
	        cmocka_unit_test(test_blend),
	        cmocka_unit_test(test_nothing_is_allocated_in_a_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
