/* The engine against the oracle: final weights of the `mlp` on the reference device under static order, for every
 * schedule, axis, W and N, over two epochs, with momentum, weight decay, shuffling and uneven micro-batches; and the
 * virtual clock against the real one, bit for bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
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

/* What is asked for beside the schedule, as the command line and as the oracle know it. */
struct axes {
	const char *backward_version, *backward, *sequence; /* NULL: the default */
	int max_staleness, in_flight;
	double decay;
};

static struct tp_run_config config_of(const char *schedule, const struct axes *axes, int32_t stages, int32_t n)
{
	static const char *const versions[] = {"default", "committed", "latest", "stashed"};
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
	for (int i = 0; axes->backward_version && i < 4; i++) {
		if (strcmp(axes->backward_version, versions[i]) == 0)
			config.backward_version = (enum tp_backward_version)i;
	}
	if (axes->backward)
		config.backward = TP_BACKWARD_RECOMPUTE;
	if (axes->sequence)
		config.sequence = TP_SEQUENCE_INDEPENDENT;
	config.max_staleness = axes->max_staleness;
	config.in_flight = axes->in_flight;
	if (axes->decay > 0)
		config.staleness_decay = axes->decay;
	return config;
}

/* What the oracle makes of it: the weights after all epochs, from `start`. */
static double *recompute(const char *schedule, const struct axes *axes, const struct tp_run_config *config,
                         const struct tp_dataset *dataset, const double *start, size_t count)
{
	int inputs = (int)tp_shape_elements(dataset->shape);
	double *samples = calloc((size_t)(EPOCHS * MINIS * BATCH * inputs), sizeof *samples);
	int *labels = calloc(EPOCHS * MINIS * BATCH, sizeof *labels);
	double *expected = calloc(count, sizeof *expected);
	assert_true(samples && labels && expected);
	draw_samples(dataset, config->seed, samples, labels);
	struct oracle_plan *plan = oracle_plan_new(&(struct oracle_pipeline){
	        .schedule = schedule,
	        .backward_version = axes->backward_version,
	        .stages = config->stages,
	        .micro_batches = config->micro_batches,
	        .mini_batches = MINIS,
	        .epochs = EPOCHS,
	        .backward = axes->backward,
	        .sequence = axes->sequence,
	        .max_staleness = axes->max_staleness,
	        .in_flight = axes->in_flight,
	        .decay = axes->decay,
	});
	assert_non_null(plan);
	struct oracle_training training = {
	        .mlp = {{inputs, HIDDEN, HIDDEN, HIDDEN, dataset->classes}},
	        .blocks = blocks[config->stages],
	        .batch = BATCH,
	        .lr = config->lr,
	        .momentum = config->momentum,
	        .weight_decay = config->weight_decay,
	        .weights = start,
	        .samples = samples,
	        .labels = labels,
	};
	assert_int_equal(count, oracle_mlp_size(&training.mlp, 0, ORACLE_LAYERS));
	assert_true(oracle_train(plan, &training, expected, NULL));
	oracle_plan_free(plan);
	free(samples);
	free(labels);
	return expected;
}

static void check(const char *schedule, const struct axes *axes, int32_t stages, int32_t n)
{
	struct tp_dataset *dataset = training_dataset(MINIS * BATCH, 10);
	struct tp_run_config config = config_of(schedule, axes, stages, n), untrained = config;
	untrained.epochs = 0;
	size_t count;
	double *start = training_run(&untrained, dataset, &count);
	double *found = training_run(&config, dataset, &count);
	double *expected = recompute(schedule, axes, &config, dataset, start, count);

	struct training shape;
	training_begin(&shape, &untrained, dataset);
	double distance = training_distance(&shape, expected, found, start);
	if (!(distance < 1e-9))
		fail_msg("%s %s %s %s V=%d K=%d W=%d N=%d: %.1e of the change", schedule,
		         axes->backward_version ? axes->backward_version : "", axes->backward ? axes->backward : "",
		         axes->sequence ? axes->sequence : "", axes->max_staleness, axes->in_flight, stages, n,
		         distance);
	training_end(&shape);

	/* The virtual clock in static order: the same bits. */
	config.clock = TP_CLOCK_VIRTUAL;
	(void)snprintf(config.costs, sizeof config.costs, "uniform:70us,130us,11us");
	(void)snprintf(config.link, sizeof config.link, "100mbit,20us");
	double *virtual = training_run(&config, dataset, &count);
	if (memcmp(virtual, found, count * sizeof *found) != 0)
		fail_msg("%s W=%d N=%d: other weights under the virtual clock", schedule, stages, n);
	free(virtual);
	free(start);
	free(found);
	free(expected);
	tp_dataset_free(dataset);
}

static bool few; /* of W and N: what there is time for under a sanitizer */

static void check_all(const char *schedule, const struct axes *axes)
{
	if (few) {
		check(schedule, axes, 3, 3);
		return;
	}
	bool delayed = strcmp(schedule, "pipedream-2bw") == 0; /* wants as many micro-batches as in flight */
	for (int32_t stages = 1; stages <= 4; stages++) {
		for (int32_t n = delayed ? stages : 1; n <= 4; n++)
			check(schedule, axes, stages, n);
	}
}

static void test_schedules(void **state)
{
	(void)state;
	static const struct axes none = {0};
	check("sequential", &none, 1, 1);
	for (size_t p = 1; tp_policies[p]; p++)
		check_all(tp_policies[p]->name, &none);
}

static void test_recomputation(void **state)
{
	(void)state;
	static const struct axes recompute_all = {.backward = "recompute"};
	for (size_t p = 1; tp_policies[p]; p++)
		check_all(tp_policies[p]->name, &recompute_all);
}

static void test_backward_versions(void **state)
{
	(void)state;
	static const char *const versions[] = {"committed", "latest", "stashed"};
	static const char *const schedules[] = {"timeprest", "timeprest-1f1b"};
	for (size_t s = 0; s < 2; s++) {
		for (size_t v = 0; v < 3; v++) {
			check_all(schedules[s], &(struct axes){.backward_version = versions[v]});
			check_all(schedules[s],
			          &(struct axes){.backward_version = versions[v], .backward = "recompute"});
		}
	}
}

static void test_independent_sequences(void **state)
{
	(void)state;
	check_all("timeprest", &(struct axes){.sequence = "independent"});
	check_all("timeprest-1f1b", &(struct axes){.sequence = "independent"});
	check_all("timeprest-1f1b", &(struct axes){.sequence = "independent", .backward = "recompute"});
}

static void test_max_staleness(void **state)
{
	(void)state;
	static const char *const schedules[] = {"timeprest", "timeprest-1f1b", "i-timeprest"};
	for (size_t s = 0; s < 3; s++) {
		for (int bound = 1; bound <= 2; bound++)
			check_all(schedules[s], &(struct axes){.max_staleness = bound});
	}
}

static void test_in_flight(void **state)
{
	(void)state;
	static const char *const schedules[] = {"1f1b",      "zb-h1",           "pipedream",   "pipedream-vsync",
	                                        "timeprest", "timeprest-stash", "v-timeprest", "i-timeprest"};
	for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
		for (int depth = 1; depth <= 6; depth += 2)
			check_all(schedules[s], &(struct axes){.in_flight = depth});
	}
	for (int depth = 1; depth <= 4; depth++)
		check("pipedream-2bw", &(struct axes){.in_flight = depth}, 3, 4);
}

static void test_staleness_decay(void **state)
{
	(void)state;
	check_all("i-timeprest", &(struct axes){.decay = 0.2});
	check_all("i-timeprest", &(struct axes){.decay = 3, .in_flight = 6});
}

int main(int argc, char **argv)
{
	few = argc > 1 && strcmp(argv[1], "few") == 0;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_schedules),         cmocka_unit_test(test_recomputation),
	        cmocka_unit_test(test_backward_versions), cmocka_unit_test(test_independent_sequences),
	        cmocka_unit_test(test_max_staleness),     cmocka_unit_test(test_in_flight),
	        cmocka_unit_test(test_staleness_decay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
