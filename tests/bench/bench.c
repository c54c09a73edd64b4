#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "baselines/policies.h"

static struct tp_run_control control;

_Noreturn void bench_fail(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, tp_detail());
	exit(1);
}

struct bench_arguments bench_arguments(int argc, char **argv, int rounds, int most_rounds)
{
	struct bench_arguments arguments = {
	        .model = argc > 1 ? argv[1] : "vgg16",
	        .stages = argc > 2 ? atoi(argv[2]) : 2,
	        .micro_batches = argc > 3 ? atoi(argv[3]) : 3,
	        .batch = argc > 4 ? atoi(argv[4]) : 48,
	        .rounds = argc > 5 ? atoi(argv[5]) : rounds,
	};
	if (arguments.rounds < 1 || arguments.rounds > most_rounds)
		arguments.rounds = rounds;
	return arguments;
}

void bench_configure(struct tp_run_config *config, const struct bench_arguments *arguments)
{
	tp_run_config_defaults(config);
	(void)snprintf(config->model, sizeof config->model, "%s", arguments->model);
	config->stages = arguments->stages;
	config->micro_batches = arguments->micro_batches;
	config->batch = arguments->batch;
}

struct tp_dataset *bench_dataset(int64_t train_samples)
{
	struct tp_dataset_options options = {.seed = 1, .synthetic_train = train_samples, .synthetic_test = 1};
	struct tp_dataset *dataset;
	if (tp_dataset_open("synthetic", &options, &dataset) != TP_OK)
		bench_fail("data");
	return dataset;
}

struct tp_trainer *bench_trainer(struct tp_run_config *config, const char *schedule, const struct tp_dataset *dataset)
{
	const struct tp_policy *policy;
	struct tp_trainer *trainer;
	(void)snprintf(config->schedule, sizeof config->schedule, "%s", schedule);
	config->evaluate = false;
	if (tp_policy_find(schedule, &policy) != TP_OK ||
	    tp_trainer_new(config, policy, dataset, &control, &trainer) != TP_OK)
		bench_fail(schedule);
	return trainer;
}

void bench_epoch(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	if (tp_trainer_epoch(trainer, result) != TP_OK)
		bench_fail("epoch");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, by_value);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}
