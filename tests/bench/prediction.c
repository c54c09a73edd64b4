/* How well the virtual clock predicts the real one: an epoch on real threads against the epoch that is simulated from
 * costs measured before, while the other stages ran (--costs loaded). Schedules take turns; for each the median of the
 * rounds, and the mean absolute error over all of them.
 *
 * Usage: prediction [MODEL [STAGES [MICRO_BATCHES [BATCH [ROUNDS]]]]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "baselines/policies.h"
#include "engine/run/cost_source.h"
#include "engine/schedule/simulator.h"
#include "tests/bench/bench.h"

enum { MINIS = 16, MOST_ROUNDS = 50 };

static const char *const schedules[] = {"gpipe", "pipedream", "timeprest"};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

struct contestant {
	struct tp_run_config config;
	struct tp_trainer *trainer;
	double measured[MOST_ROUNDS], predicted[MOST_ROUNDS], ratio[MOST_ROUNDS];
};

/* The prediction first, from costs of its own epochs; then the epoch that it is about. */
static void measure_round(struct contestant *contestant, int round)
{
	struct tp_sim_summary summary;
	struct tp_epoch_result result;
	if (tp_trainer_forecast(contestant->trainer, NULL, NULL, &summary) != TP_OK)
		bench_fail(tp_detail());
	contestant->predicted[round] = (double)summary.makespan;
	tp_sim_summary_release(&summary);
	bench_epoch(contestant->trainer, &result);
	contestant->measured[round] = (double)(result.end_ns - result.start_ns);
	contestant->ratio[round] = contestant->measured[round] / contestant->predicted[round];
}

int main(int argc, char **argv)
{
	static struct contestant contestants[SCHEDULES];
	const struct bench_arguments arguments = bench_arguments(argc, argv, 5, MOST_ROUNDS);
	double error = 0;
	struct tp_dataset *dataset = bench_dataset((int64_t)MINIS * arguments.batch);
	for (int i = 0; i < SCHEDULES; i++) {
		struct tp_run_config *config = &contestants[i].config;
		struct tp_epoch_result warm_up;
		bench_configure(config, &arguments);
		(void)snprintf(config->costs, sizeof config->costs, "loaded");
		contestants[i].trainer = bench_trainer(config, schedules[i], dataset);
		bench_epoch(contestants[i].trainer, &warm_up);
	}
	for (int round = 0; round < arguments.rounds; round++) {
		for (int i = 0; i < SCHEDULES; i++)
			measure_round(&contestants[i], round);
	}
	printf("%s, W = %d, N = %d, M = %d, %d mini-batches, median of %d rounds\n", contestants[0].config.model,
	       arguments.stages, arguments.micro_batches, arguments.batch, MINIS, arguments.rounds);
	printf("%-12s %14s %14s %8s %8s\n", "schedule", "measured ms", "predicted ms", "ratio", "error");
	for (int i = 0; i < SCHEDULES; i++) {
		struct contestant *contestant = &contestants[i];
		double ratio = bench_median(contestant->ratio, arguments.rounds);
		printf("%-12s %14.1f %14.1f %8.3f %7.1f%%\n", schedules[i],
		       bench_median(contestant->measured, arguments.rounds) * 1e-6,
		       bench_median(contestant->predicted, arguments.rounds) * 1e-6, ratio, 100 * (ratio - 1));
		error += fabs(ratio - 1) / SCHEDULES;
		tp_trainer_free(contestant->trainer);
	}
	printf("mean absolute error %.1f %%\n", 100 * error);
	tp_dataset_free(dataset);
	return 0;
}
