/* What a range costs when no tool listens, payload included: ns per push and pop, median of nine rounds.
 *
 * Usage: nvtx_cost */
#include <stdio.h>

#include "engine/base/clock.h"
#include "profiler/nvtx.h"
#include "tests/bench/bench.h"

enum { ROUNDS = 9, RANGES = 10000000 };

static double ns_per_range(void)
{
	int64_t start_ns = tp_now_ns();
	for (int64_t i = 0; i < RANGES; i++) {
		tp_nvtx_push(TP_NVTX_F, (struct tp_nvtx_payload){1, 0, (int32_t)(i & 3), i, i});
		__asm__ volatile(
		        "" ::
		                : "memory"); /* what a range is around: whether a tool listens is looked up anew */
		tp_nvtx_pop();
	}
	return (double)(tp_now_ns() - start_ns) / RANGES;
}

int main(void)
{
	double ns[ROUNDS];
	tp_nvtx_init();
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = ns_per_range();
	double median = bench_median(ns, ROUNDS); /* sorts */
	printf("NVTX %s; ns per push and pop: median %.2f, min %.2f, max %.2f\n", tp_nvtx_build_text(), median, ns[0],
	       ns[ROUNDS - 1]);
	return 0;
}
