/* In place of fakecuda's queues: what is submitted runs inside the call. For tests of the libraries' arithmetic and
 * refusals. */
#ifndef TP_TESTS_FAKECUDA_RUN_AT_ONCE_H
#define TP_TESTS_FAKECUDA_RUN_AT_ONCE_H

#include "tests/fakecuda/fake.h"

/* What was submitted last, and how often anything was. */
struct run_at_once {
	cudaStream_t stream;
	struct fake_touches touches;
	int count;
	cudaError_t refuse; /* set by a test: the stream takes no work */
};
extern struct run_at_once run_at_once;

/* The next calls of `function` fail with `status`; NULL: none does. */
void run_at_once_fail(const char *function, int status);

/* The touch of `at`, which must be among the last one's; fails the test else. `writes`: the one that writes. */
const struct fake_touch *run_at_once_touch(const void *at, bool writes);

/* --- numbers for tests -------------------------------------------------------------------------------------------- */

/* Repeatable values in (-2, 2), in steps of 1/32: bfloat16 holds them exactly. */
void test_values(double *values, int64_t count, uint32_t seed);

/* Memory of the device aligned as cudaMalloc() does; to be freed. */
void *test_memory(size_t bytes);

/* found = expected within `tolerance` of the larger of it and 1; fails the test else. */
void test_near(double found, double expected, double tolerance);

#endif
