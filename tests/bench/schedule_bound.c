/* How near an epoch comes to the bound of its schedule: the simulator's makespan with zero link, from operation costs
 * measured in the same epoch while the other stages ran (loaded), and from costs measured by themselves (alone). The
 * schedules take turns; medians over the rounds.
 *
 * Usage: schedule_bound [MODEL [STAGES [MICRO_BATCHES [BATCH [ROUNDS]]]]] */
#include <stdio.h>
#include <stdlib.h>

#include "engine/run/costs.h"
#include "tests/bench/bench.h"

enum { MINIS = 12, MOST_ROUNDS = 50 };

static const char *const schedules[] = {"gpipe", "pipedream", "timeprest"};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

static struct tp_pipeline pipeline_of(const struct tp_trainer *trainer)
{
	const struct tp_run_info *info = tp_trainer_info(trainer);
	return (struct tp_pipeline){
	        .policy = info->policy,
	        .stages = info->stages,
	        .micro_batches = info->micro_batches,
	        .minis = info->minis_per_epoch,
	};
}

/* Nanoseconds of one epoch with these costs and messages that take no time. */
static double makespan(const struct tp_trainer *trainer, const struct tp_cost_table *costs)
{
	const struct tp_pipeline pipeline = pipeline_of(trainer);
	struct tp_sim_summary summary;
	if (tp_simulate(&pipeline, costs->stage, NULL, NULL, &summary) != TP_OK)
		bench_fail("simulate");
	double ns = (double)summary.makespan;
	tp_sim_summary_release(&summary);
	return ns;
}

struct contestant {
	struct tp_run_config config;
	struct tp_trainer *trainer;
	double measured[MOST_ROUNDS], loaded[MOST_ROUNDS], loaded_ratio[MOST_ROUNDS];
	double alone;
};

static void measure_round(struct contestant *contestant, int round)
{
	struct tp_epoch_result result;
	struct tp_cost_table costs;
	bench_epoch(contestant->trainer, &result);
	const struct tp_pipeline pipeline = pipeline_of(contestant->trainer);
	if (tp_costs_from_records(tp_cost_shape_of(&pipeline), result.records.ops, result.records.op_count, &costs) !=
	    TP_OK)
		bench_fail("costs");
	contestant->measured[round] = (double)(result.end_ns - result.start_ns);
	contestant->loaded[round] = makespan(contestant->trainer, &costs);
	contestant->loaded_ratio[round] = contestant->measured[round] / contestant->loaded[round];
	tp_cost_table_release(&costs);
}

static double bound_alone(struct contestant *contestant, const char *name, const struct tp_dataset *dataset)
{
	struct tp_cost_table costs;
	struct tp_trainer *trainer = bench_trainer(&contestant->config, name, dataset);
	if (tp_costs_alone(trainer, 9, &costs) != TP_OK)
		bench_fail("costs alone");
	double ns = makespan(trainer, &costs);
	tp_cost_table_release(&costs);
	tp_trainer_free(trainer);
	return ns;
}

int main(int argc, char **argv)
{
	static struct contestant contestants[SCHEDULES];
	const struct bench_arguments arguments = bench_arguments(argc, argv, 9, MOST_ROUNDS);
	struct tp_dataset *dataset = bench_dataset((int64_t)MINIS * arguments.batch);
	for (int i = 0; i < SCHEDULES; i++) {
		struct tp_run_config *config = &contestants[i].config;
		struct tp_epoch_result warm_up;
		bench_configure(config, &arguments);
		contestants[i].trainer = bench_trainer(config, schedules[i], dataset);
		bench_epoch(contestants[i].trainer, &warm_up);
		contestants[i].alone = bound_alone(&contestants[i], schedules[i], dataset);
	}
	for (int round = 0; round < arguments.rounds; round++) {
		for (int i = 0; i < SCHEDULES; i++)
			measure_round(&contestants[i], round);
	}
	printf("%s, W = %d, N = %d, M = %d, %d mini-batches, median of %d epochs\n", contestants[0].config.model,
	       arguments.stages, arguments.micro_batches, arguments.batch, MINIS, arguments.rounds);
	printf("%-10s %12s | %12s %8s | %12s %8s | %9s\n", "schedule", "measured ms", "bound loaded", "ratio",
	       "bound alone", "ratio", "samples/s");
	for (int i = 0; i < SCHEDULES; i++) {
		struct contestant *contestant = &contestants[i];
		double measured = bench_median(contestant->measured, arguments.rounds);
		printf("%-10s %12.1f | %12.1f %8.3f | %12.1f %8.3f | %9.1f\n", schedules[i], measured * 1e-6,
		       bench_median(contestant->loaded, arguments.rounds) * 1e-6,
		       bench_median(contestant->loaded_ratio, arguments.rounds), contestant->alone * 1e-6,
		       measured / contestant->alone, MINIS * arguments.batch / (measured * 1e-9));
		tp_trainer_free(contestant->trainer);
	}
	tp_dataset_free(dataset);
	return 0;
}
