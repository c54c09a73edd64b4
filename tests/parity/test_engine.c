/* The engine against the oracle: final weights of the `mlp` on the reference device under static order, for every
 * schedule, W and N, over two epochs, with momentum, weight decay, shuffling and uneven micro-batches. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/parity/oracle.h"
#include "tests/run/training.h"

enum { EPOCHS = 2, MINIS = 7, BATCH = 11, HIDDEN = 10 };

/* Blocks per stage of the four-block model, by number of stages. */
static const char *const partitions[] = {"", "4", "1,3", "2,1,1", "1,1,1,1"};
static const int blocks[][4] = {{0}, {4}, {1, 3}, {2, 1, 1}, {1, 1, 1, 1}};

/* The samples of all epochs in the order of training, as the data set gives them. */
static void draw_samples(const struct tp_dataset *dataset, uint64_t seed, double *samples, int *labels)
{
	struct tp_sample_order order;
	int64_t inputs = tp_shape_elements(dataset->shape), rows = MINIS * BATCH;
	float *x = calloc((size_t)(rows * inputs), sizeof *x);
	int32_t *y = calloc((size_t)rows, sizeof *y);
	assert_true(x && y);
	assert_int_equal(tp_sample_order_init(&order, dataset, seed, true, false), TP_OK);
	for (int32_t epoch = 1; epoch <= EPOCHS; epoch++) {
		tp_sample_order_begin_epoch(&order, epoch);
		tp_batch_train(dataset, &order, 0, (int32_t)rows, x, y);
		for (int64_t i = 0; i < rows * inputs; i++)
			*samples++ = (double)x[i];
		for (int64_t i = 0; i < rows; i++)
			*labels++ = y[i];
	}
	tp_sample_order_release(&order);
	free(x);
	free(y);
}

static struct tp_run_config config_of(const char *schedule, const char *backward_version, int32_t stages, int32_t n)
{
	struct tp_run_config config = training_config(schedule, stages, n);
	config.hidden = HIDDEN;
	config.batch = BATCH;
	config.mini_batches = MINIS;
	config.epochs = EPOCHS;
	config.shuffle = true;
	config.lr = 0.02;
	config.momentum = 0.9;
	config.weight_decay = 0.01;
	(void)snprintf(config.partition, sizeof config.partition, "%s", partitions[stages]);
	if (strcmp(backward_version, "latest") == 0)
		config.backward_version = TP_BACKWARD_LATEST;
	return config;
}

static void check(const char *schedule, const char *backward_version, int32_t stages, int32_t n)
{
	struct tp_dataset *dataset = training_dataset(MINIS * BATCH, 10);
	int inputs = (int)tp_shape_elements(dataset->shape);
	struct tp_run_config config = config_of(schedule, backward_version, stages, n), untrained = config;
	untrained.epochs = 0;
	size_t count;
	double *start = training_run(&untrained, dataset, &count);
	double *found = training_run(&config, dataset, &count);

	double *samples = calloc((size_t)(EPOCHS * MINIS * BATCH * inputs), sizeof *samples);
	int *labels = calloc(EPOCHS * MINIS * BATCH, sizeof *labels);
	double *expected = calloc(count, sizeof *expected);
	assert_true(samples && labels && expected);
	draw_samples(dataset, config.seed, samples, labels);
	struct oracle_plan *plan = oracle_plan_new(&(struct oracle_pipeline){
	        .schedule = schedule,
	        .backward_version = backward_version,
	        .stages = stages,
	        .micro_batches = n,
	        .mini_batches = MINIS,
	        .epochs = EPOCHS,
	});
	assert_non_null(plan);
	struct oracle_training training = {
	        .mlp = {{inputs, HIDDEN, HIDDEN, HIDDEN, dataset->classes}},
	        .blocks = blocks[stages],
	        .batch = BATCH,
	        .lr = config.lr,
	        .momentum = config.momentum,
	        .weight_decay = config.weight_decay,
	        .weights = start,
	        .samples = samples,
	        .labels = labels,
	};
	assert_int_equal(count, oracle_mlp_size(&training.mlp, 0, ORACLE_LAYERS));
	assert_true(oracle_train(plan, &training, expected, NULL));

	struct training shape;
	training_begin(&shape, &untrained, dataset);
	double distance = training_distance(&shape, expected, found, start);
	if (!(distance < 1e-9))
		fail_msg("%s %s W=%d N=%d: %.1e of the change", schedule, backward_version, stages, n, distance);
	training_end(&shape);
	oracle_plan_free(plan);
	free(start);
	free(found);
	free(samples);
	free(labels);
	free(expected);
	tp_dataset_free(dataset);
}

static void check_all(const char *schedule, const char *backward_version)
{
	for (int32_t stages = 1; stages <= 4; stages++) {
		for (int32_t n = 1; n <= 4; n++)
			check(schedule, backward_version, stages, n);
	}
}

static void test_sequential(void **state)
{
	(void)state;
	check("sequential", "committed", 1, 1);
}

static void test_gpipe(void **state)
{
	(void)state;
	check_all("gpipe", "committed");
}

static void test_pipedream(void **state)
{
	(void)state;
	check_all("pipedream", "committed");
}

static void test_timeprest_committed(void **state)
{
	(void)state;
	check_all("timeprest", "committed");
}

static void test_timeprest_latest(void **state)
{
	(void)state;
	check_all("timeprest", "latest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sequential),       cmocka_unit_test(test_gpipe),
	        cmocka_unit_test(test_pipedream),        cmocka_unit_test(test_timeprest_committed),
	        cmocka_unit_test(test_timeprest_latest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
