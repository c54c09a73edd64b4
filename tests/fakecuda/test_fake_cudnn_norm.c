/* The stand-in for cuDNN's batch normalisation: values against the formula in NCHW and double, gradients against finite
 * differences, running statistics, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakecuda/cudnn_fixture.h"

#define OK(call) assert_int_equal(call, CUDNN_STATUS_SUCCESS)

enum { N = 3, C = 4, IMAGE = 3 * 5, COUNT = N * C * IMAGE };
static const struct dims dims = {N, C, 3, 5};
static const double epsilon = 1e-3;
static const float one = 1, zero = 0;

struct fixture {
	cudnnHandle_t handle;
	struct tensor x, y, dy;
	cudnnTensorDescriptor_t params;
	float gamma[C], beta[C], running_mean[C], running_variance[C], save_mean[C], save_inverse[C], d_gamma[C],
	        d_beta[C];
};

static void fill(float *to, double first, double step)
{
	for (int c = 0; c < C; c++)
		to[c] = (float)(first + c * step);
}

static void fixture_init(struct fixture *f, struct mode mode)
{
	OK(cudnnCreate(&f->handle));
	tensor_init(&f->x, mode, dims, 1);
	tensor_init(&f->y, mode, dims, 2);
	tensor_init(&f->dy, mode, dims, 3);
	OK(cudnnCreateTensorDescriptor(&f->params));
	OK(cudnnSetTensor4dDescriptor(f->params, mode.format, CUDNN_DATA_FLOAT, 1, C, 1, 1));
	fill(f->gamma, 0.5, 0.25);
	fill(f->beta, -1, 0.5);
	fill(f->running_mean, 0.125, 1);
	fill(f->running_variance, 1, 0.5);
	fill(f->d_gamma, 1, 2);
	fill(f->d_beta, -2, 1);
}

static void fixture_release(struct fixture *f)
{
	OK(cudnnDestroyTensorDescriptor(f->params));
	tensor_release(&f->x);
	tensor_release(&f->y);
	tensor_release(&f->dy);
	OK(cudnnDestroy(f->handle));
}

static cudnnStatus_t forward(struct fixture *f, float alpha, float beta, double factor)
{
	return cudnnBatchNormalizationForwardTraining(f->handle, CUDNN_BATCHNORM_SPATIAL, &alpha, &beta, f->x.desc,
	                                              f->x.memory, f->y.desc, f->y.memory, f->params, f->gamma, f->beta,
	                                              factor, f->running_mean, f->running_variance, epsilon,
	                                              f->save_mean, f->save_inverse);
}

static double *channel_value(double *plain, int c, int i)
{
	return plain + (i / IMAGE * C + c) * IMAGE + i % IMAGE;
}

/* Sums over one channel by E[x^2] - E[x]^2, unlike the stand-in. */
static void moments(double *x, int c, double *mean, double *variance)
{
	double sum = 0, squares = 0;
	for (int i = 0; i < N * IMAGE; i++) {
		double value = *channel_value(x, c, i);
		sum += value;
		squares += value * value;
	}
	*mean = sum / (N * IMAGE);
	*variance = squares / (N * IMAGE) - *mean * *mean;
}

static void normalise(const struct fixture *f, double *x, double y[COUNT])
{
	for (int c = 0; c < C; c++) {
		double mean, variance;
		moments(x, c, &mean, &variance);
		for (int i = 0; i < N * IMAGE; i++)
			*channel_value(y, c, i) =
			        (*channel_value(x, c, i) - mean) / sqrt(variance + epsilon) * (double)f->gamma[c] +
			        (double)f->beta[c];
	}
}

static void test_training_forward(void **unused)
{
	(void)unused;
	for (int mode = 0; mode < MODES; mode++) {
		struct fixture f;
		double expected[COUNT];
		fixture_init(&f, modes[mode]);
		normalise(&f, f.x.plain, expected);
		OK(forward(&f, 1, 0, 0.25));
		tensor_expect(&f.y, expected, 1, 0);
		for (int c = 0; c < C; c++) {
			double mean, variance, values = N * IMAGE;
			moments(f.x.plain, c, &mean, &variance);
			test_near((double)f.running_mean[c], 0.25 * mean + 0.75 * (0.125 + c), 1e-6);
			test_near((double)f.running_variance[c],
			          0.25 * variance * values / (values - 1) + 0.75 * (1 + 0.5 * c), 1e-6);
			test_near((double)f.save_mean[c], mean, 1e-6);
			test_near((double)f.save_inverse[c], 1 / sqrt(variance + epsilon), 1e-6);
		}
		tensor_put(&f.y);
		OK(forward(&f, 0.5F, 2, 1));
		tensor_expect(&f.y, expected, 0.5, 2);
		test_near((double)f.running_mean[1], (double)f.save_mean[1], 1e-6);
		fixture_release(&f);
	}
}

static void test_inference_uses_the_running_statistics(void **unused)
{
	(void)unused;
	for (int mode = 0; mode < MODES; mode++) {
		struct fixture f;
		double expected[COUNT];
		fixture_init(&f, modes[mode]);
		for (int i = 0; i < COUNT; i++) {
			int c = i / IMAGE % C;
			expected[i] = (f.x.plain[i] - (0.125 + c)) / sqrt(1 + 0.5 * c + epsilon) * (0.5 + 0.25 * c) -
			              1 + 0.5 * c;
		}
		OK(cudnnBatchNormalizationForwardInference(f.handle, CUDNN_BATCHNORM_SPATIAL, &one, &one, f.x.desc,
		                                           f.x.memory, f.y.desc, f.y.memory, f.params, f.gamma, f.beta,
		                                           f.running_mean, f.running_variance, epsilon));
		tensor_expect(&f.y, expected, 1, 1);
		fixture_release(&f);
	}
}

struct scale {
	float alpha, beta;
};

/* dx goes where y is. */
static cudnnStatus_t backward(struct fixture *f, struct scale data, struct scale params, bool saved)
{
	return cudnnBatchNormalizationBackward(
	        f->handle, CUDNN_BATCHNORM_SPATIAL, &data.alpha, &data.beta, &params.alpha, &params.beta, f->x.desc,
	        f->x.memory, f->dy.desc, f->dy.memory, f->y.desc, f->y.memory, f->params, f->gamma, f->d_gamma,
	        f->d_beta, epsilon, saved ? f->save_mean : NULL, saved ? f->save_inverse : NULL);
}

/* What the output's sum, weighted by dy, is. */
static double objective(const struct fixture *f, double *x)
{
	double y[COUNT], sum = 0;
	normalise(f, x, y);
	for (int i = 0; i < COUNT; i++)
		sum += y[i] * f->dy.plain[i];
	return sum;
}

static void finite_differences(struct fixture *f, double dx[COUNT])
{
	const double step = 1e-5;
	for (int i = 0; i < COUNT; i++) {
		double at = f->x.plain[i];
		f->x.plain[i] = at + step;
		double above = objective(f, f->x.plain);
		f->x.plain[i] = at - step;
		dx[i] = (above - objective(f, f->x.plain)) / (2 * step);
		f->x.plain[i] = at;
	}
}

/* y is linear in scale and bias: the difference to where they are 0 is their gradient times them. */
static void check_params(struct fixture *f, double alpha, double beta)
{
	double y[COUNT];
	normalise(f, f->x.plain, y);
	for (int c = 0; c < C; c++) {
		double scale = 0, bias = 0;
		for (int i = 0; i < N * IMAGE; i++) {
			double dy = *channel_value(f->dy.plain, c, i);
			bias += dy;
			scale += dy * (*channel_value(y, c, i) - (double)f->beta[c]) / (double)f->gamma[c];
		}
		test_near((double)f->d_gamma[c], alpha * scale + beta * (1 + 2 * c), 1e-5);
		test_near((double)f->d_beta[c], alpha * bias + beta * (c - 2), 1e-5);
	}
}

static void test_backward_is_the_gradient(void **unused)
{
	(void)unused;
	for (int mode = 0; mode < MODES; mode++)
		for (int saved = 0; saved < 2; saved++) {
			struct fixture f;
			double dx[COUNT];
			fixture_init(&f, modes[mode]);
			finite_differences(&f, dx);
			OK(forward(&f, 1, 0, 1));
			OK(backward(&f, (struct scale){1, 0}, (struct scale){1, 0}, saved));
			for (int i = 0; i < COUNT; i++)
				test_near(tensor_get(&f.y, i), dx[i], fmax(mode_tolerance(modes[mode]), 2e-6));
			check_params(&f, 1, 0);
			tensor_put(&f.y);
			fill(f.d_gamma, 1, 2);
			fill(f.d_beta, -2, 1);
			OK(backward(&f, (struct scale){2, 1}, (struct scale){0.5F, 1}, saved));
			for (int i = 0; i < COUNT; i++)
				test_near(tensor_get(&f.y, i), 2 * dx[i] + f.y.plain[i],
				          fmax(mode_tolerance(modes[mode]), 4e-6));
			check_params(&f, 0.5, 1);
			fixture_release(&f);
		}
}

static void test_touches(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, modes[0]);
	OK(forward(&f, 1, 0, 0.5));
	assert_int_equal(run_at_once.touches.count, 10);
	assert_int_equal(run_at_once_touch(f.y.memory, true)->bytes, f.y.bytes);
	assert_int_equal(run_at_once_touch(f.running_mean, false)->bytes, sizeof f.running_mean);
	assert_int_equal(run_at_once_touch(f.running_variance, true)->bytes, sizeof f.running_variance);
	assert_int_equal(run_at_once_touch(f.save_inverse, true)->bytes, sizeof f.save_inverse);
	OK(backward(&f, (struct scale){1, 0}, (struct scale){1, 1}, true));
	assert_int_equal(run_at_once.touches.count, 10);
	assert_int_equal(run_at_once_touch(f.d_gamma, false)->bytes, sizeof f.d_gamma);
	assert_int_equal(run_at_once_touch(f.save_mean, false)->bytes, sizeof f.save_mean);
	fixture_release(&f);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

struct attempt {
	cudnnHandle_t handle;
	cudnnBatchNormMode_t mode;
	const void *alpha;
	void *x, *y, *scale, *running_mean, *running_variance, *save_mean, *save_inverse;
	cudnnTensorDescriptor_t y_desc, params;
	double factor, epsilon;
};

static struct attempt good_attempt(struct fixture *f)
{
	return (struct attempt){f->handle,
	                        CUDNN_BATCHNORM_SPATIAL,
	                        &one,
	                        f->x.memory,
	                        f->y.memory,
	                        f->gamma,
	                        f->running_mean,
	                        f->running_variance,
	                        f->save_mean,
	                        f->save_inverse,
	                        f->y.desc,
	                        f->params,
	                        0.1,
	                        epsilon};
}

static cudnnStatus_t attempt(struct fixture *f, const struct attempt *a)
{
	return cudnnBatchNormalizationForwardTraining(a->handle, a->mode, a->alpha, &zero, f->x.desc, a->x, a->y_desc,
	                                              a->y, a->params, a->scale, f->beta, a->factor, a->running_mean,
	                                              a->running_variance, a->epsilon, a->save_mean, a->save_inverse);
}

#define REFUSED(field, value, expected, reason)                                         \
	do {                                                                            \
		struct attempt bad = good_attempt(&f);                                  \
		char text[256];                                                         \
		bad.field = (value);                                                    \
		assert_int_equal(attempt(&f, &bad), expected);                          \
		cudnnGetLastErrorString(text, sizeof text);                             \
		if (!strstr(text, reason))                                              \
			fail_msg("%s is refused for another reason: %s", #field, text); \
	} while (0)

static void test_wrong_arguments_are_refused(void **unused)
{
	(void)unused;
	struct fixture f;
	struct tensor other;
	fixture_init(&f, modes[0]);
	tensor_init(&other, modes[1], dims, 0);
	struct attempt good = good_attempt(&f);
	OK(attempt(&f, &good));
	int before = run_at_once.count;
	REFUSED(handle, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(mode, CUDNN_BATCHNORM_PER_ACTIVATION, CUDNN_STATUS_NOT_SUPPORTED, "only spatial");
	REFUSED(alpha, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(x, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(y, (char *)f.y.memory + 4, CUDNN_STATUS_BAD_PARAM, "aligned");
	REFUSED(scale, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(scale, (char *)f.gamma + 2, CUDNN_STATUS_BAD_PARAM, "aligned");
	REFUSED(running_mean, NULL, CUDNN_STATUS_BAD_PARAM, "pair");
	REFUSED(running_variance, NULL, CUDNN_STATUS_BAD_PARAM, "pair");
	REFUSED(save_mean, NULL, CUDNN_STATUS_BAD_PARAM, "pair");
	REFUSED(save_inverse, NULL, CUDNN_STATUS_BAD_PARAM, "pair");
	REFUSED(y_desc, other.desc, CUDNN_STATUS_BAD_PARAM, "differ");
	REFUSED(params, f.x.desc, CUDNN_STATUS_BAD_PARAM, "1 x C x 1 x 1");
	REFUSED(params, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(factor, 1.5, CUDNN_STATUS_BAD_PARAM, "factor");
	REFUSED(epsilon, -1, CUDNN_STATUS_BAD_PARAM, "epsilon");
	assert_int_equal(run_at_once.count, before);
	tensor_release(&other);
	fixture_release(&f);
}

static void test_optional_pairs_may_be_missing(void **unused)
{
	(void)unused;
	struct fixture f;
	double expected[COUNT];
	fixture_init(&f, modes[0]);
	struct attempt bare = good_attempt(&f);
	bare.running_mean = bare.running_variance = bare.save_mean = bare.save_inverse = NULL;
	normalise(&f, f.x.plain, expected);
	OK(attempt(&f, &bare));
	tensor_expect(&f.y, expected, 1, 0);
	assert_int_equal(run_at_once.touches.count, 4);
	assert_int_equal(cudnnBatchNormalizationBackward(f.handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one, &zero,
	                                                 f.x.desc, f.x.memory, f.dy.desc, f.dy.memory, f.y.desc,
	                                                 f.y.memory, f.params, f.gamma, f.d_gamma, f.d_beta, epsilon,
	                                                 f.save_mean, NULL),
	                 CUDNN_STATUS_BAD_PARAM);
	fixture_release(&f);
}

static void test_injected_failures(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, modes[0]);
	run_at_once_fail("cudnnBatchNormalizationForwardTraining", CUDNN_STATUS_EXECUTION_FAILED);
	assert_int_equal(forward(&f, 1, 0, 1), CUDNN_STATUS_EXECUTION_FAILED);
	run_at_once_fail("cudnnBatchNormalizationBackward", CUDNN_STATUS_INTERNAL_ERROR);
	assert_int_equal(backward(&f, (struct scale){1, 0}, (struct scale){1, 0}, true), CUDNN_STATUS_INTERNAL_ERROR);
	run_at_once_fail(NULL, 0);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_training_forward),
	        cmocka_unit_test(test_inference_uses_the_running_statistics),
	        cmocka_unit_test(test_backward_is_the_gradient),
	        cmocka_unit_test(test_touches),
	        cmocka_unit_test(test_wrong_arguments_are_refused),
	        cmocka_unit_test(test_optional_pairs_may_be_missing),
	        cmocka_unit_test(test_injected_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
