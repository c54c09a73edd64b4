/* A GPU's clock over a long run: events tell milliseconds as float, and times must stay true to microseconds. The GPU
 * is this test's, and its time is a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/cuda/cuda_gpu.h"

/* What stands for an event: when it was reached. */
struct moment {
	double ns;
};

static double gpu_ns;
static int64_t moments;

static cudaError_t create(cudaEvent_t *event, unsigned flags)
{
	(void)flags;
	moments++;
	struct moment *moment = calloc(1, sizeof *moment);
	*event = (cudaEvent_t)(void *)moment;
	return moment ? cudaSuccess : cudaErrorMemoryAllocation;
}

static cudaError_t destroy(cudaEvent_t event)
{
	moments--;
	free(event);
	return cudaSuccess;
}

static struct moment *moment_of(cudaEvent_t event)
{
	return (struct moment *)(void *)event;
}

static cudaError_t record(cudaEvent_t event, cudaStream_t stream)
{
	(void)stream;
	moment_of(event)->ns = gpu_ns;
	return cudaSuccess;
}

static cudaError_t query(cudaEvent_t event)
{
	return moment_of(event)->ns <= gpu_ns ? cudaSuccess : cudaErrorNotReady;
}

static cudaError_t elapsed(float *ms, cudaEvent_t from, cudaEvent_t to)
{
	*ms = (float)((moment_of(to)->ns - moment_of(from)->ns) / 1e6);
	return cudaSuccess;
}

static int fill_table(void **state)
{
	(void)state;
	tp_cuda.cudaEventCreateWithFlags = create;
	tp_cuda.cudaEventDestroy = destroy;
	tp_cuda.cudaEventRecord = record;
	tp_cuda.cudaEventQuery = query;
	tp_cuda.cudaEventElapsedTime = elapsed;
	return 0;
}

static void expect_near(int64_t ns, double expected)
{
	if ((double)ns < expected - 1000 || (double)ns > expected + 1000)
		fail_msg("the clock says %.0f ns, and it is %.0f ns", (double)ns, expected);
}

static void hour_keeps_microseconds(void **state)
{
	(void)state;
	static struct tp_cuda_device device;
	struct moment at = {0};
	int64_t error_ns = 0, ns = 0;
	assert_int_equal(tp_cuda_gpu_join(&device), TP_OK);
	gpu_ns = 1e15; /* since the machine was started: that must not matter */
	assert_int_equal(tp_cuda_clock_start(&device, &error_ns), TP_OK);
	const int64_t monotonic_ns = device.shared->clock.monotonic_ns;
	assert_true(monotonic_ns <= tp_now_ns() && error_ns >= 0);
	const double start_ns = gpu_ns;
	for (int64_t step = 1; step <= 1200000; step++) { /* of 3 ms and a bit: an hour */
		gpu_ns = start_ns + (double)step * 3000137;
		assert_int_equal(tp_cuda_clock_tick(&device, monotonic_ns + step * 3000137), TP_OK);
		at.ns = gpu_ns - 1234567; /* a moment ago */
		if (step % 10 == 0) {
			assert_int_equal(tp_cuda_clock_read(&device, (cudaEvent_t)(void *)&at, &ns), TP_OK);
			expect_near(ns - monotonic_ns, at.ns - start_ns);
		}
	}
	at.ns = gpu_ns - 4e9; /* and one of some seconds before */
	assert_int_equal(tp_cuda_clock_read(&device, (cudaEvent_t)(void *)&at, &ns), TP_OK);
	expect_near(ns - monotonic_ns, at.ns - start_ns);
	tp_cuda_gpu_leave(&device);
	assert_int_equal(moments, 0);
}

/* All devices on a GPU share the start; whoever starts again begins anew, for all. */
static void stages_share_the_start(void **state)
{
	(void)state;
	static struct tp_cuda_device a, b;
	int64_t error_ns = 0, ns = 0;
	struct moment at = {0};
	assert_int_equal(tp_cuda_gpu_join(&a), TP_OK);
	assert_int_equal(tp_cuda_gpu_join(&b), TP_OK);
	assert_int_equal(tp_cuda_clock_read(&a, (cudaEvent_t)(void *)&at, &ns), TP_ERR_DEVICE);
	gpu_ns = 5000;
	assert_int_equal(tp_cuda_clock_start(&a, &error_ns), TP_OK);
	const struct tp_cuda_clock *clock = &a.shared->clock;
	const int64_t first_ns = clock->monotonic_ns;
	gpu_ns = 9000;
	assert_int_equal(tp_cuda_clock_start(&b, &error_ns), TP_OK);
	assert_int_equal(clock->monotonic_ns, first_ns);
	at.ns = 9000;
	assert_int_equal(tp_cuda_clock_read(&b, (cudaEvent_t)(void *)&at, &ns), TP_OK);
	assert_int_equal(ns - first_ns, 4000);
	assert_int_equal(tp_cuda_clock_start(&b, &error_ns), TP_OK);
	const int64_t third_ns = clock->monotonic_ns;
	assert_true(third_ns > first_ns);
	assert_int_equal(tp_cuda_clock_start(&a, &error_ns), TP_OK);
	assert_int_equal(clock->monotonic_ns, third_ns);
	tp_cuda_gpu_leave(&a);
	assert_int_equal(tp_cuda_clock_read(&b, (cudaEvent_t)(void *)&at, &ns), TP_OK);
	assert_int_equal(ns, third_ns);
	tp_cuda_gpu_leave(&b);
	assert_int_equal(moments, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hour_keeps_microseconds),
	        cmocka_unit_test(stages_share_the_start),
	};
	return cmocka_run_group_tests(tests, fill_table, NULL);
}
