/* The CPU device apart from its operators: loss, update, and what happens when memory runs out or a layer does not
 * suit. */
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

#define SAMPLES 9
#define CLASSES 100

static void fill(float *values, size_t count, uint64_t key)
{
	struct tp_prng prng;
	tp_prng_init(&prng, 3, key);
	for (size_t i = 0; i < count; i++)
		values[i] = (float)tp_prng_normal(&prng);
}

static void widen(const float *from, double *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (double)from[i];
}

static void compare(const char *what, const float *found, const double *expected, size_t count, double tolerance)
{
	for (size_t i = 0; i < count; i++)
		if (!(fabs((double)found[i] - expected[i]) <= tolerance))
			fail_msg("%s %zu: expected %.9g, found %.9g", what, i, expected[i], (double)found[i]);
}

static void loss_matches_the_reference(void **unused)
{
	(void)unused;
	static float logits[SAMPLES * CLASSES], probabilities[SAMPLES * CLASSES], gradient[SAMPLES * CLASSES];
	static double wide[SAMPLES * CLASSES], wide_probabilities[SAMPLES * CLASSES], wide_gradient[SAMPLES * CLASSES];
	int32_t labels[SAMPLES];
	struct tp_loss_result found, expected;
	fill(logits, SAMPLES * CLASSES, 1);
	for (int32_t n = 0; n < SAMPLES; n++)
		labels[n] = n * 31 % CLASSES;
	for (int32_t c = 0; c < CLASSES; c++) {
		logits[c] *= 200.0F;                 /* does not fit an exponential */
		logits[CLASSES + c] = 1.0F;          /* all equal: the lower classes come first */
		logits[2 * CLASSES + c] = (float)-c; /* sorted */
	}
	labels[0] = 0;
	labels[1] = 4;
	labels[2] = 0;
	widen(logits, wide, SAMPLES * CLASSES);
	tp_device_cpu.loss_forward(NULL, SAMPLES, CLASSES, logits, labels, probabilities, &found);
	tp_device_reference.loss_forward(NULL, SAMPLES, CLASSES, wide, labels, wide_probabilities, &expected);
	assert_true(fabs(found.loss_sum - expected.loss_sum) <= 1e-5 * fabs(expected.loss_sum));
	assert_int_equal(found.top1, expected.top1);
	assert_int_equal(found.top5, expected.top5);
	compare("probability", probabilities, wide_probabilities, SAMPLES * CLASSES, 1e-6);
	tp_device_cpu.loss_backward(NULL, SAMPLES, CLASSES, probabilities, labels, 1.0 / SAMPLES, gradient);
	tp_device_reference.loss_backward(NULL, SAMPLES, CLASSES, wide_probabilities, labels, 1.0 / SAMPLES,
	                                  wide_gradient);
	compare("gradient", gradient, wide_gradient, SAMPLES * CLASSES, 1e-6);

	struct tp_loss_result alone;
	tp_device_cpu.loss_forward(NULL, SAMPLES, CLASSES, logits, labels, NULL, &alone);
	assert_true(alone.loss_sum == found.loss_sum);
}

static void a_label_without_a_number_is_never_right(void **unused)
{
	(void)unused;
	float logits[3] = {0.0F, NAN, 1.0F};
	const int32_t label = 1;
	struct tp_loss_result result;
	tp_device_cpu.loss_forward(NULL, 1, 3, logits, &label, NULL, &result);
	assert_int_equal(result.top1, 0);
	assert_int_equal(result.top5, 0);
	assert_true(isnan(result.loss_sum));
}

#define WEIGHTS 1003 /* fills no vector */

static void check_sgd(bool in_place)
{
	static float weights[WEIGHTS], updated[WEIGHTS], gradient[WEIGHTS], moment[WEIGHTS];
	static double wide[WEIGHTS], wide_updated[WEIGHTS], wide_gradient[WEIGHTS], wide_moment[WEIGHTS];
	struct tp_sgd sgd = {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.05, .first_step = true};
	fill(weights, WEIGHTS, 10);
	widen(weights, wide, WEIGHTS);
	for (size_t i = 0; i < WEIGHTS; i++)
		moment[i] = NAN; /* the first step may not look at it */
	for (int step = 0; step < 3; step++) {
		fill(gradient, WEIGHTS, 20 + (uint64_t)step);
		widen(gradient, wide_gradient, WEIGHTS);
		float *to = in_place ? weights : updated;
		tp_device_cpu.sgd(NULL, &sgd, weights, to, gradient, moment, sizeof weights);
		tp_device_reference.sgd(NULL, &sgd, wide, wide_updated, wide_gradient, wide_moment, sizeof wide);
		compare("weight", to, wide_updated, WEIGHTS, 1e-5);
		compare("moment", moment, wide_moment, WEIGHTS, 1e-5);
		if (!in_place) {
			compare("weight before", weights, wide, WEIGHTS, 1e-5);
			memcpy(weights, updated, sizeof weights);
		}
		memcpy(wide, wide_updated, sizeof wide);
		sgd.first_step = false;
	}
}

static void sgd_matches_the_reference(void **unused)
{
	(void)unused;
	check_sgd(false);
	check_sgd(true);
}

static void sgd_in_place_and_out_of_place_agree_to_the_bit(void **unused)
{
	(void)unused;
	static float weights[WEIGHTS], updated[WEIGHTS], gradient[WEIGHTS], moment[WEIGHTS], other[WEIGHTS];
	const struct tp_sgd sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4};
	fill(weights, WEIGHTS, 1);
	fill(gradient, WEIGHTS, 2);
	fill(moment, WEIGHTS, 3);
	memcpy(other, moment, sizeof moment);
	tp_device_cpu.sgd(NULL, &sgd, weights, updated, gradient, moment, sizeof weights);
	fill(gradient, WEIGHTS, 2);
	tp_device_cpu.sgd(NULL, &sgd, weights, weights, gradient, other, sizeof weights);
	assert_memory_equal(weights, updated, sizeof weights);
	assert_memory_equal(moment, other, sizeof moment);
}

static void gradients_add_up(void **unused)
{
	(void)unused;
	float a[37], b[37];
	double expected[37];
	fill(a, 37, 1);
	fill(b, 37, 2);
	for (int i = 0; i < 37; i++)
		expected[i] = (double)a[i] + (double)b[i];
	float sum[37];
	for (int i = 0; i < 37; i++)
		sum[i] = b[i] + a[i];
	tp_device_cpu.blend(NULL, 1, b, 1, a, b, sizeof a);
	compare("sum", b, expected, 37, 1e-6);
	assert_memory_equal(b, sum, sizeof b); /* nothing but the addition rounds */
}

static void blends_lie_between(void **unused)
{
	(void)unused;
	float a[37], b[37], to[37];
	double expected[37];
	fill(a, 37, 1);
	fill(b, 37, 2);
	for (int i = 0; i < 37; i++)
		expected[i] = 0.3 * (double)a[i] + 0.7 * (double)b[i];
	tp_device_cpu.blend(NULL, 0.3, a, 0.7, b, to, sizeof to);
	compare("blend", to, expected, 37, 1e-6);
	tp_device_cpu.blend(NULL, 0.3, a, 0.7, b, a, sizeof a);
	assert_memory_equal(a, to, sizeof a);
}

/* With 1024 micro-batches of one sample a run can have any number of samples up to 1024. */
static void too_many_sizes_of_runs_are_refused(void **unused)
{
	(void)unused;
	const struct tp_device_options options = {.conv = TP_CONV_DIRECT};
	struct tp_device *device = NULL;
	struct tp_kernel *kernel = NULL;
	struct tp_layer layer = {
	        .kind = TP_LAYER_LINEAR, .name = "head", .inputs = 1, .in_shape = {8, 1, 1}, .out_shape = {4, 1, 1}};
	struct tp_kernel_spec spec = {
	        .layer = &layer,
	        .in = {tp_tensor_plain(layer.in_shape, 4)},
	        .slicing = {1024, 1024},
	        .span = TP_SPAN_RUNS,
	        .accumulate = true,
	};
	assert_int_equal(tp_device_cpu.open(&options, 0, &device), TP_OK);
	assert_int_equal(tp_device_cpu.kernel_new(device, &spec, &kernel), TP_ERR_UNSUPPORTED);
	assert_non_null(strstr(tp_detail(), "layer head"));
	assert_non_null(strstr(tp_detail(), "1024 micro-batches"));
	spec.slicing = (struct tp_slicing){256, 256};
	assert_int_equal(tp_device_cpu.kernel_new(device, &spec, &kernel), TP_OK);
	kernel->ops->free(kernel);
	spec.slicing = (struct tp_slicing){1024, 1024};
	spec.span = TP_SPAN_SLICE;
	assert_int_equal(tp_device_cpu.kernel_new(device, &spec, &kernel), TP_OK);
	kernel->ops->free(kernel);
	tp_device_cpu.close(device);
}

static struct tp_model model;

/* Build every kind of kernel, each from what the one before it computes; false when one failed. */
static bool build_all(void)
{
	const struct tp_device_options options = {.conv = TP_CONV_AUTO, .cache_dir = "/dev/null/nowhere"};
	struct tp_device *device = NULL;
	struct tp_kernel *kernels[TP_MODEL_MAX_LAYERS];
	struct tp_tensor_desc in = tp_tensor_plain(model.input, sizeof(float));
	int32_t built = 0;
	if (tp_device_cpu.open(&options, 0, &device) != TP_OK)
		return false;
	while (built < model.layer_count) {
		const struct tp_kernel_spec spec = {
		        .layer = &model.layers[built],
		        .in = {in, in},
		        .slicing = {5, 2},
		        .accumulate = true,
		        .input_gradient = true,
		        .infer_sizes = {3, 0},
		};
		enum tp_status status = tp_device_cpu.kernel_new(device, &spec, &kernels[built]);
		if (status != TP_OK) {
			assert_int_equal(status, TP_ERR_NOMEM);
			assert_non_null(strstr(tp_detail(), model.layers[built].name));
			break;
		}
		in = kernels[built++]->out;
	}
	bool complete = built == model.layer_count;
	while (built > 0) {
		built--;
		kernels[built]->ops->free(kernels[built]);
	}
	tp_device_cpu.close(device);
	return complete;
}

static void running_out_of_memory_leaks_nothing(void **unused)
{
	(void)unused;
	struct tp_builder b;
	tp_builder_init(&b, "all", &(struct tp_model_options){{3, 8, 8}, 10, 0}, &model);
	tp_build_block(&b);
	int32_t v = tp_build_conv(&b, "conv", 0, 20, 3, 1, 1);
	v = tp_build_maxpool(&b, "pool", tp_build_batchnorm(&b, "norm", v), 2, 2);
	v = tp_build_add(&b, "sum", v, v);
	v = tp_build_flatten(&b, "flatten", v);
	(void)tp_build_linear(&b, "linear", tp_build_global_avgpool(&b, "mean", v), 10, 0.0);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
	uint64_t before = tp_alloc_bytes();
	int64_t successes = 0;
	bool complete = false;
	for (; !complete && successes < 100; successes++) {
		tp_alloc_fail_after(successes);
		complete = build_all();
		tp_alloc_fail_after(-1);
		assert_int_equal(tp_alloc_bytes(), before);
	}
	assert_true(complete);
	assert_true(successes > model.layer_count); /* it did fail at every kernel */
}

static void layers_that_do_not_suit_are_named(void **unused)
{
	(void)unused;
	const struct tp_device_options options = {.conv = TP_CONV_DIRECT};
	struct tp_device *device = NULL;
	struct tp_kernel *kernel = NULL;
	struct tp_layer layer = {
	        .kind = TP_LAYER_LINEAR, .name = "head", .inputs = 1, .in_shape = {8, 2, 2}, .out_shape = {4, 1, 1}};
	const struct tp_kernel_spec spec = {
	        .layer = &layer, .in = {tp_tensor_plain(layer.in_shape, 4)}, .slicing = {2, 1}};
	assert_int_equal(tp_device_cpu.open(&options, 0, &device), TP_OK);
	assert_int_equal(tp_device_cpu.kernel_new(device, &spec, &kernel), TP_ERR_UNSUPPORTED);
	assert_non_null(strstr(tp_detail(), "layer head"));
	assert_non_null(strstr(tp_detail(), "8x2x2"));
	tp_device_cpu.close(device);
}

static void the_probe_names_the_library(void **unused)
{
	(void)unused;
	struct tp_text line = {0};
	assert_true(tp_device_cpu.probe(&line));
	assert_non_null(strstr(tp_text_get(&line), "oneDNN "));
	tp_text_release(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(loss_matches_the_reference),
	        cmocka_unit_test(a_label_without_a_number_is_never_right),
	        cmocka_unit_test(sgd_matches_the_reference),
	        cmocka_unit_test(sgd_in_place_and_out_of_place_agree_to_the_bit),
	        cmocka_unit_test(gradients_add_up),
	        cmocka_unit_test(blends_lie_between),
	        cmocka_unit_test(too_many_sizes_of_runs_are_refused),
	        cmocka_unit_test(running_out_of_memory_leaks_nothing),
	        cmocka_unit_test(layers_that_do_not_suit_are_named),
	        cmocka_unit_test(the_probe_names_the_library),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
