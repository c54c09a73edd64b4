/* The stand-in for cuDNN's pooling: values against the definition in NCHW and double, where a maximum's gradient goes,
 * and what it refuses. */
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

struct shape {
	struct dims x;
	int window_h, window_w, pad_h, pad_w, stride_h, stride_w;
	struct dims y;
};

static const struct shape shapes[] = {
        {{2, 3, 6, 8}, 2, 2, 0, 0, 2, 2, {2, 3, 3, 4}},
        {{1, 5, 7, 5}, 3, 3, 1, 1, 2, 2, {1, 5, 4, 3}},
        {{3, 2, 5, 4}, 3, 2, 2, 1, 1, 3, {3, 2, 7, 2}},
        {{2, 7, 4, 3}, 4, 3, 0, 0, 1, 1, {2, 7, 1, 1}},
};
static const cudnnPoolingMode_t kinds[] = {CUDNN_POOLING_MAX, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING,
                                           CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING,
                                           CUDNN_POOLING_MAX_DETERMINISTIC};
enum { SHAPES = sizeof shapes / sizeof shapes[0], KINDS = sizeof kinds / sizeof kinds[0] };

struct fixture {
	cudnnHandle_t handle;
	cudnnPoolingDescriptor_t how;
	struct shape shape;
	cudnnPoolingMode_t kind;
	struct tensor x, y, dy, dx;
	double *expected_y, *expected_dx;
};

static void fixture_init(struct fixture *f, const struct shape *shape, cudnnPoolingMode_t kind, struct mode mode)
{
	f->shape = *shape;
	f->kind = kind;
	OK(cudnnCreate(&f->handle));
	OK(cudnnCreatePoolingDescriptor(&f->how));
	OK(cudnnSetPooling2dDescriptor(f->how, kind, CUDNN_NOT_PROPAGATE_NAN, shape->window_h, shape->window_w,
	                               shape->pad_h, shape->pad_w, shape->stride_h, shape->stride_w));
	tensor_init(&f->x, mode, shape->x, 1);
	tensor_init(&f->y, mode, shape->y, 2);
	tensor_init(&f->dy, mode, shape->y, 3);
	tensor_init(&f->dx, mode, shape->x, 4);
	f->expected_y = calloc((size_t)f->y.count, sizeof(double));
	f->expected_dx = calloc((size_t)f->x.count, sizeof(double));
	assert_true(f->expected_y && f->expected_dx);
}

static void fixture_release(struct fixture *f)
{
	free(f->expected_y);
	free(f->expected_dx);
	tensor_release(&f->x);
	tensor_release(&f->y);
	tensor_release(&f->dy);
	tensor_release(&f->dx);
	OK(cudnnDestroyPoolingDescriptor(f->how));
	OK(cudnnDestroy(f->handle));
}

/* One window, by all its places, those in the padding as well. */
static void compute_window(struct fixture *f, int64_t at)
{
	const struct shape *s = &f->shape;
	int64_t plane = at / (s->y.h * s->y.w), best = -1, seen = 0, places[64];
	double sum = 0;
	for (int i = 0; i < s->window_h * s->window_w; i++) {
		int64_t h = at / s->y.w % s->y.h * s->stride_h - s->pad_h + i / s->window_w;
		int64_t w = at % s->y.w * s->stride_w - s->pad_w + i % s->window_w;
		if (h < 0 || w < 0 || h >= s->x.h || w >= s->x.w)
			continue;
		int64_t place = (plane * s->x.h + h) * s->x.w + w;
		places[seen++] = place;
		sum += f->x.plain[place];
		if (best < 0 || f->x.plain[place] > f->x.plain[best])
			best = place;
	}
	if (f->kind == CUDNN_POOLING_MAX || f->kind == CUDNN_POOLING_MAX_DETERMINISTIC) {
		f->expected_y[at] = f->x.plain[best];
		f->expected_dx[best] += f->dy.plain[at];
		return;
	}
	double by = f->kind == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? s->window_h * s->window_w : (double)seen;
	f->expected_y[at] = sum / by;
	for (int64_t i = 0; i < seen; i++)
		f->expected_dx[places[i]] += f->dy.plain[at] / by;
}

static void compute(struct fixture *f)
{
	memset(f->expected_dx, 0, (size_t)f->x.count * sizeof(double));
	for (int64_t at = 0; at < f->y.count; at++)
		compute_window(f, at);
}

static cudnnStatus_t forward(struct fixture *f, float alpha, float beta)
{
	return cudnnPoolingForward(f->handle, f->how, &alpha, f->x.desc, f->x.memory, &beta, f->y.desc, f->y.memory);
}

static cudnnStatus_t backward(struct fixture *f, float alpha, float beta)
{
	return cudnnPoolingBackward(f->handle, f->how, &alpha, f->y.desc, f->y.memory, f->dy.desc, f->dy.memory,
	                            f->x.desc, f->x.memory, &beta, f->dx.desc, f->dx.memory);
}

/* The backward wants y as the forward left it, so the blend comes last. */
static void check_all(struct fixture *f)
{
	compute(f);
	OK(forward(f, 1, 0));
	tensor_expect(&f->y, f->expected_y, 1, 0);
	OK(backward(f, 1, 0));
	tensor_expect(&f->dx, f->expected_dx, 1, 0);
	tensor_put(&f->dx);
	OK(backward(f, 2, 0.5F));
	tensor_expect(&f->dx, f->expected_dx, 2, 0.5);
	tensor_put(&f->y);
	OK(forward(f, -1, 2));
	tensor_expect(&f->y, f->expected_y, -1, 2);
}

static void test_values_follow_the_definition(void **unused)
{
	(void)unused;
	for (int shape = 0; shape < SHAPES; shape++)
		for (int kind = 0; kind < KINDS; kind++)
			for (int mode = 0; mode < MODES; mode++) {
				struct fixture f;
				fixture_init(&f, &shapes[shape], kinds[kind], modes[mode]);
				check_all(&f);
				fixture_release(&f);
			}
}

static void test_first_of_equals_gets_the_gradient(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], CUDNN_POOLING_MAX, modes[0]);
	for (int64_t i = 0; i < f.x.count; i++)
		f.x.plain[i] = -3;
	tensor_put(&f.x);
	OK(forward(&f, 1, 0));
	OK(backward(&f, 1, 0));
	for (int64_t i = 0; i < f.x.count; i++) {
		int64_t h = i / f.shape.x.w % f.shape.x.h, w = i % f.shape.x.w;
		int64_t at = (i / (f.shape.x.h * f.shape.x.w) * f.shape.y.h + h / 2) * f.shape.y.w + w / 2;
		test_near(tensor_get(&f.dx, i), h % 2 == 0 && w % 2 == 0 ? f.dy.plain[at] : 0, 0);
	}
	fixture_release(&f);
}

static void test_nan_is_passed_on_when_asked(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], CUDNN_POOLING_MAX, modes[0]);
	f.x.plain[0] = (double)NAN;
	tensor_put(&f.x);
	OK(forward(&f, 1, 0));
	assert_false(isnan(tensor_get(&f.y, 0)));
	OK(cudnnSetPooling2dDescriptor(f.how, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
	OK(forward(&f, 1, 0));
	assert_true(isnan(tensor_get(&f.y, 0)));
	fixture_release(&f);
}

static void test_output_dims(void **unused)
{
	(void)unused;
	for (int shape = 0; shape < SHAPES; shape++) {
		struct fixture f;
		struct dims found;
		fixture_init(&f, &shapes[shape], CUDNN_POOLING_MAX, modes[0]);
		OK(cudnnGetPooling2dForwardOutputDim(f.how, f.x.desc, &found.n, &found.c, &found.h, &found.w));
		assert_memory_equal(&found, &shapes[shape].y, sizeof found);
		fixture_release(&f);
	}
}

static void test_touches(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], CUDNN_POOLING_MAX, modes[2]);
	OK(forward(&f, 1, 0));
	assert_int_equal(run_at_once.touches.count, 2);
	assert_int_equal(run_at_once_touch(f.x.memory, false)->bytes, f.x.bytes);
	assert_int_equal(run_at_once_touch(f.y.memory, true)->bytes, f.y.bytes);
	OK(backward(&f, 1, 1));
	assert_int_equal(run_at_once.touches.count, 5);
	assert_int_equal(run_at_once_touch(f.dx.memory, false)->bytes, f.dx.bytes);
	fixture_release(&f);
}

static cudnnStatus_t set(cudnnPoolingDescriptor_t how, int window, int pad, int stride)
{
	return cudnnSetPooling2dDescriptor(how, CUDNN_POOLING_MAX, CUDNN_NOT_PROPAGATE_NAN, window, window, pad, pad,
	                                   stride, stride);
}

static void test_wrong_arguments_are_refused(void **unused)
{
	(void)unused;
	const float one = 1, zero = 0;
	struct fixture f;
	cudnnPoolingDescriptor_t never_set;
	fixture_init(&f, &shapes[0], CUDNN_POOLING_MAX, modes[0]);
	int before = run_at_once.count;
	assert_int_equal(set(NULL, 2, 0, 2), CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(set(f.how, 0, 0, 2), CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(set(f.how, 2, 2, 2), CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(set(f.how, 2, 0, 0), CUDNN_STATUS_BAD_PARAM);
	OK(cudnnCreatePoolingDescriptor(&never_set));
	assert_int_equal(
	        cudnnPoolingForward(f.handle, never_set, &one, f.x.desc, f.x.memory, &zero, f.y.desc, f.y.memory),
	        CUDNN_STATUS_BAD_PARAM);
	OK(cudnnDestroyPoolingDescriptor(never_set));
	assert_int_equal(cudnnPoolingForward(NULL, f.how, &one, f.x.desc, f.x.memory, &zero, f.y.desc, f.y.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnPoolingForward(f.handle, f.how, &one, f.x.desc, f.x.memory, &zero, f.dx.desc, f.y.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnPoolingForward(f.handle, f.how, NULL, f.x.desc, f.x.memory, &zero, f.y.desc, f.y.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnPoolingForward(f.handle, f.how, &one, f.x.desc, (char *)f.x.memory + 4, &zero, f.y.desc,
	                                     f.y.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnPoolingBackward(f.handle, f.how, &one, f.y.desc, f.y.memory, f.dy.desc, NULL, f.x.desc,
	                                      f.x.memory, &zero, f.dx.desc, f.dx.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnPoolingBackward(f.handle, f.how, &one, f.y.desc, f.y.memory, f.x.desc, f.dy.memory,
	                                      f.x.desc, f.x.memory, &zero, f.dx.desc, f.dx.memory),
	                 CUDNN_STATUS_BAD_PARAM);
	run_at_once_fail("cudnnPoolingBackward", CUDNN_STATUS_EXECUTION_FAILED);
	assert_int_equal(backward(&f, 1, 0), CUDNN_STATUS_EXECUTION_FAILED);
	run_at_once_fail(NULL, 0);
	assert_int_equal(run_at_once.count, before);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_values_follow_the_definition),
	        cmocka_unit_test(test_first_of_equals_gets_the_gradient),
	        cmocka_unit_test(test_nan_is_passed_on_when_asked),
	        cmocka_unit_test(test_output_dims),
	        cmocka_unit_test(test_touches),
	        cmocka_unit_test(test_wrong_arguments_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
