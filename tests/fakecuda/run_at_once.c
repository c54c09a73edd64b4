#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakecuda/run_at_once.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct run_at_once run_at_once;
static const char *failing;
static int failing_status;

cudaError_t fake_submit(cudaStream_t stream, const char *call, const char *name, const struct fake_touches *touches,
                        void (*run)(const void *args), const void *args, size_t args_bytes)
{
	assert_non_null(call);
	assert_non_null(name);
	assert_true(args_bytes > 0);
	if (run_at_once.refuse)
		return run_at_once.refuse;
	run_at_once.stream = stream;
	run_at_once.touches = *touches;
	run_at_once.count++;
	run(args);
	return cudaSuccess;
}

int fake_injected(const char *function)
{
	return failing && strcmp(function, failing) == 0 ? failing_status : 0;
}

void run_at_once_fail(const char *function, int status)
{
	failing = function;
	failing_status = status;
}

const struct fake_touch *run_at_once_touch(const void *at, bool writes)
{
	for (int i = 0; i < run_at_once.touches.count; i++)
		if (run_at_once.touches.touch[i].at == at && run_at_once.touches.touch[i].writes == writes)
			return &run_at_once.touches.touch[i];
	fail_msg("%s is not declared", writes ? "a write" : "a read");
	return NULL;
}

void test_values(double *values, int64_t count, uint32_t seed)
{
	uint32_t state = seed * 2654435761U + 1;
	for (int64_t i = 0; i < count; i++) {
		state = state * 1664525U + 1013904223U;
		values[i] = (double)((int32_t)(state >> 16) % 127 - 63) / 32;
	}
}

void *test_memory(size_t bytes)
{
	void *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
	assert_non_null(memory);
	return memory;
}

void test_near(double found, double expected, double tolerance)
{
	if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
		fail_msg("expected %.9g, found %.9g", expected, found);
}
