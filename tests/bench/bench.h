/* What the benchmarks of whole runs share: a planned run on synthetic data, and medians. Failures end the program. */
#ifndef TP_TESTS_BENCH_BENCH_H
#define TP_TESTS_BENCH_BENCH_H

#include "engine/run/trainer.h"

/* What the command line of a comparison says: MODEL STAGES MICRO_BATCHES BATCH ROUNDS, each with a default. */
struct bench_arguments {
	const char *model;
	int stages, micro_batches, batch, rounds;
};

/* `rounds` is the default, also for a number that is not 1 to `most_rounds`. */
struct bench_arguments bench_arguments(int argc, char **argv, int rounds, int most_rounds);

/* The defaults of a run, with what `arguments` say. */
void bench_configure(struct tp_run_config *config, const struct bench_arguments *arguments);

/* Synthetic data, or exit. */
struct tp_dataset *bench_dataset(int64_t train_samples);

/* A planned run under `schedule`; `config` and `dataset` must outlive it. */
struct tp_trainer *bench_trainer(struct tp_run_config *config, const char *schedule, const struct tp_dataset *dataset);

/* Train one epoch, or exit. */
void bench_epoch(struct tp_trainer *trainer, struct tp_epoch_result *result);

/* Print `what` with the reason of the latest failure, and exit. */
_Noreturn void bench_fail(const char *what);

/* Median of `count` values, which are sorted in place. */
double bench_median(double *values, int count);

#endif
