/* How fast the simulator is, and how much memory it takes: operations per second in slot order and, with uneven costs
 * and an event queue, in dynamic order. Each measurement is a process of its own, so that its peak memory is its own;
 * the median of the rounds is shown.
 *
 * Usage: simulator_scale [STAGES [MICRO_BATCHES_IN_ALL [ROUNDS]]] (1024, 10000 and 5) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "baselines/policies.h"
#include "engine/base/clock.h"
#include "engine/schedule/cost_table.h"
#include "tests/bench/bench.h"

enum { MICRO_BATCHES = 4, MOST_ROUNDS = 25 };

struct sample {
	double operations_per_s;
	int64_t operations;
	double peak_mib;
};

/* Costs that no two stages share, so that hardly anything ends at the same moment. */
static void draw_costs(struct tp_cost_table *costs, const struct tp_pipeline *pipeline)
{
	uint64_t state = 88172645463325252U;
	if (tp_cost_table_init(costs, tp_cost_shape_of(pipeline)) != TP_OK)
		bench_fail("costs");
	for (int32_t s = 0; s < pipeline->stages; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			int32_t entries = tp_cost_entries(&costs->shape, kind);
			for (int32_t j = 0; j < entries; j++) {
				state ^= state << 13, state ^= state >> 7, state ^= state << 17;
				*tp_cost_entry(costs, s, kind, j) = 1000000 + (int64_t)(state % 200000);
			}
		}
	}
}

static struct sample simulate(const struct tp_policy *policy, int32_t stages, int64_t micro_batches, bool dynamic)
{
	struct tp_pipeline pipeline = {.policy = policy, .stages = stages};
	pipeline.micro_batches = policy->forward_unit == TP_UNIT_MICRO ? MICRO_BATCHES : 1;
	pipeline.minis = micro_batches / pipeline.micro_batches;
	struct tp_cost_table costs = {0};
	struct tp_sim_summary summary;
	struct rusage usage;
	if (dynamic)
		draw_costs(&costs, &pipeline);
	int64_t start_ns = tp_now_ns();
	if (tp_simulate(&pipeline, dynamic ? costs.stage : NULL, NULL, NULL, &summary) != TP_OK)
		bench_fail("simulate");
	double seconds = (double)(tp_now_ns() - start_ns) * 1e-9;
	(void)getrusage(RUSAGE_SELF, &usage);
	struct sample sample = {(double)summary.operations / seconds, summary.operations,
	                        (double)usage.ru_maxrss / 1024};
	tp_sim_summary_release(&summary);
	tp_cost_table_release(&costs);
	return sample;
}

static struct sample in_a_child(const struct tp_policy *policy, int32_t stages, int64_t micro_batches, bool dynamic)
{
	struct sample sample = {0};
	int ends[2];
	if (pipe(ends) != 0)
		bench_fail("pipe");
	pid_t child = fork();
	if (child < 0)
		bench_fail("fork");
	if (child == 0) {
		sample = simulate(policy, stages, micro_batches, dynamic);
		_exit(write(ends[1], &sample, sizeof sample) == (ssize_t)sizeof sample ? 0 : 1);
	}
	(void)close(ends[1]);
	if (read(ends[0], &sample, sizeof sample) != (ssize_t)sizeof sample)
		bench_fail("a simulation failed");
	(void)close(ends[0]);
	(void)waitpid(child, NULL, 0);
	return sample;
}

int main(int argc, char **argv)
{
	int stages = argc > 1 ? atoi(argv[1]) : 1024, micro_batches = argc > 2 ? atoi(argv[2]) : 10000;
	int rounds = argc > 3 ? atoi(argv[3]) : 5;
	if (stages < 1 || micro_batches < MICRO_BATCHES || rounds < 1 || rounds > MOST_ROUNDS)
		bench_fail("usage: simulator_scale [STAGES [MICRO_BATCHES_IN_ALL [ROUNDS]]]");
	printf("%d stages, %d micro-batches in all, N = %d where there are any, median of %d\n", stages, micro_batches,
	       MICRO_BATCHES, rounds);
	printf("%-16s %-8s %14s %16s %10s\n", "schedule", "order", "operations", "Moperations/s", "peak MiB");
	for (size_t p = 0; tp_policies[p]; p++) {
		if (tp_policies[p]->single_stage || tp_policies[p]->forward_reads == TP_READS_DELAYED)
			continue; /* no pipeline; wants as many micro-batches as stages */
		for (int dynamic = 0; dynamic < 2; dynamic++) {
			double speeds[MOST_ROUNDS];
			struct sample sample = {0};
			for (int round = 0; round < rounds; round++) {
				sample = in_a_child(tp_policies[p], stages, micro_batches, dynamic);
				speeds[round] = sample.operations_per_s;
			}
			printf("%-16s %-8s %14lld %16.2f %10.1f\n", tp_policies[p]->name, dynamic ? "dynamic" : "slots",
			       (long long)sample.operations, bench_median(speeds, rounds) * 1e-6, sample.peak_mib);
		}
	}
	return 0;
}
