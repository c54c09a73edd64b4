/* Schedules that compute the same thing give the same weights; edge cases of slicing and depth; the same weights again
 * whatever the timing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/run/training.h"

static const char *const schedules[] = {"sequential", "gpipe", "pipedream", "timeprest", "zb-h1"};
/* Those that update once a mini-batch, when nothing is under way: none of them is out of step. */
static const char *const flushing[] = {"gpipe", "1f1b", "zb-h1"};
enum { FLUSHING = sizeof flushing / sizeof *flushing };

/* What `sequential` makes of the same samples, and what it starts from. */
struct expected {
	double *weights, *start;
	size_t count;
};

static struct expected run_sequential(const struct tp_run_config *config, const struct tp_dataset *dataset)
{
	struct tp_run_config sequential = *config, untrained = *config;
	struct expected expected;
	(void)snprintf(sequential.schedule, sizeof sequential.schedule, "sequential");
	untrained.epochs = 0;
	expected.weights = training_run(&sequential, dataset, &expected.count);
	expected.start = training_run(&untrained, dataset, &expected.count);
	return expected;
}

static void release(struct expected *expected)
{
	free(expected->weights);
	free(expected->start);
}

/* Distance of `config`'s result from that of `sequential`, relative to the change. */
static double distance_from(const struct expected *expected, const struct tp_run_config *config,
                            const struct tp_dataset *dataset)
{
	struct tp_run_config untrained = *config;
	struct training shape;
	size_t count;
	untrained.epochs = 0;
	double *found = training_run(config, dataset, &count);
	training_begin(&shape, &untrained, dataset);
	double distance = training_distance(&shape, expected->weights, found, expected->start);
	training_end(&shape);
	free(found);
	return distance;
}

static double distance_from_sequential(const struct tp_run_config *config, const struct tp_dataset *dataset)
{
	struct expected expected = run_sequential(config, dataset);
	double distance = distance_from(&expected, config, dataset);
	release(&expected);
	return distance;
}

static void test_flushing_equal_sequential(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 10);
	for (int i = 0; i < FLUSHING; i++) {
		for (int32_t stages = 1; stages <= 4; stages++) {
			for (int32_t n = 1; n <= 5; n += 2) { /* 12 samples in 5 parts are uneven */
				struct tp_run_config config = training_config(flushing[i], stages, n);
				assert_true(distance_from_sequential(&config, dataset) < 1e-9);
				config.order = TP_ORDER_DYNAMIC;
				assert_true(distance_from_sequential(&config, dataset) < 1e-9);
			}
		}
	}
	tp_dataset_free(dataset);
}

/* The same through convolutions and pooling, two mini-batches. */
static void test_flushing_equal_sequential_vgg11(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(8, 10);
	struct expected expected = {0};
	for (int i = 0; i < FLUSHING; i++) {
		struct tp_run_config config = training_config(flushing[i], 3, 2);
		(void)snprintf(config.model, sizeof config.model, "vgg11");
		config.batch = 4;
		config.mini_batches = 2;
		if (!expected.weights)
			expected = run_sequential(&config, dataset);
		assert_true(distance_from(&expected, &config, dataset) < 1e-9);
	}
	release(&expected);
	tp_dataset_free(dataset);
}

/* One stage has nobody to be out of step with. */
static void test_one_stage_equals_sequential(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 10);
	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		struct tp_run_config config = training_config(schedules[i], 1, 3);
		assert_true(distance_from_sequential(&config, dataset) < 1e-9);
	}
	tp_dataset_free(dataset);
}

/* And with several, the pipelined ones do differ: the comparison above can fail. */
static void test_staleness_is_real(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 10);
	static const char *const stale[] = {"pipedream", "timeprest", "i-timeprest"};
	for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
		struct tp_run_config config = training_config(stale[i], 3, 2);
		assert_true(distance_from_sequential(&config, dataset) > 1e-6);
	}
	tp_dataset_free(dataset);
}

/* Static order: bit for bit the same, though threads meet differently each time. */
static void check_repeatable(const char *device, const char *model, int32_t batch, int32_t minis)
{
	struct tp_dataset *dataset = training_dataset((int64_t)batch * minis, 10);
	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		struct tp_run_config config = training_config(schedules[i], 4, 3);
		(void)snprintf(config.device, sizeof config.device, "%s", device);
		(void)snprintf(config.model, sizeof config.model, "%s", model);
		config.batch = batch;
		config.epochs = 2;
		size_t count;
		double *first = training_run(&config, dataset, &count);
		for (int again = 0; again < 3; again++) {
			config.pin = again == 2; /* other timings */
			double *second = training_run(&config, dataset, &count);
			assert_memory_equal(first, second, count * sizeof *first);
			free(second);
		}
		free(first);
	}
	tp_dataset_free(dataset);
}

static void test_static_order_is_repeatable(void **state)
{
	(void)state;
	check_repeatable("reference", "mlp", 12, 20);
}

static void test_static_order_is_repeatable_on_cpu(void **state)
{
	(void)state;
	check_repeatable("cpu", "mlp", 12, 20);
	check_repeatable("cpu", "vgg11-bn", 6, 4);
}

/* Uneven micro-batches, one mini-batch, one micro-batch, one stage, with batch normalisation: all run, and what can be
 * compared agrees. */
static void test_edges(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(100, 30);
	static const struct {
		int32_t stages, micro_batches, batch, minis;
	} cases[] = {{2, 3, 50, 2}, {3, 2, 20, 1}, {4, 1, 20, 3}, {1, 3, 20, 2}, {2, 20, 20, 2}};
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
			struct tp_run_config config =
			        training_config(schedules[i], cases[c].stages, cases[c].micro_batches);
			(void)snprintf(config.device, sizeof config.device, "cpu");
			(void)snprintf(config.model, sizeof config.model, "vgg11-bn");
			config.batch = cases[c].batch;
			config.mini_batches = cases[c].minis;
			config.evaluate = true;
			config.order = c % 2 ? TP_ORDER_DYNAMIC : TP_ORDER_STATIC;
			struct training training;
			training_begin(&training, &config, dataset);
			assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
			assert_int_equal(training.result.minis, cases[c].minis);
			assert_int_equal(training.result.samples, cases[c].minis * cases[c].batch);
			assert_int_equal(training.result.test_samples, 30);
			assert_true(training.result.test_loss > 0 && training.result.test_loss < 100);
			assert_true(training.result.test_top5 >= training.result.test_top1);
			training_end(&training);
		}
	}
	tp_dataset_free(dataset);
}

/* The loss of the first epoch's forwards is that of an untrained model, and training brings it down. */
static void test_loss_falls(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 60);
	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		struct tp_run_config config = training_config(schedules[i], 2, 3);
		config.evaluate = true;
		config.hidden = 256;
		config.lr = 0.01;
		(void)snprintf(config.device, sizeof config.device, "cpu");
		struct training training;
		training_begin(&training, &config, dataset);
		double first = 0;
		for (int32_t e = 0; e < 8; e++) {
			assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
			if (e == 0)
				first = training.result.train_loss;
		}
		assert_true(first > 4.2 && first < 5.0); /* ln 100 = 4.6 */
		assert_true(training.result.train_loss < 0.5 * first);
		training_end(&training);
	}
	tp_dataset_free(dataset);
}

/* argv[1] is the device: `reference` or `cpu`. */
int main(int argc, char **argv)
{
	const struct CMUnitTest reference[] = {
	        cmocka_unit_test(test_flushing_equal_sequential),
	        cmocka_unit_test(test_flushing_equal_sequential_vgg11),
	        cmocka_unit_test(test_one_stage_equals_sequential),
	        cmocka_unit_test(test_staleness_is_real),
	        cmocka_unit_test(test_static_order_is_repeatable),
	};
	const struct CMUnitTest cpu[] = {
	        cmocka_unit_test(test_static_order_is_repeatable_on_cpu),
	        cmocka_unit_test(test_edges),
	        cmocka_unit_test(test_loss_falls),
	};
	if (argc < 2)
		return 2;
	return strcmp(argv[1], "cpu") == 0 ? cmocka_run_group_tests(cpu, NULL, NULL)
	                                   : cmocka_run_group_tests(reference, NULL, NULL);
}
