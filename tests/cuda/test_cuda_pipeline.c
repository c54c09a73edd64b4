/* Whole runs on the cuda device: every schedule, transport and order; the weights are those of the reference device.
 * Over fakecuda, for many orders in which a GPU might do the work, no access to memory may be unordered and nothing may
 * be left behind. The arguments: libfakecuda.so, the transport, how many GPUs, and in how many orders every schedule is
 * tried; or, on the GPUs of the machine, the transport alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "tests/cuda/stand_in.h"
#include "tests/run/training.h"

/* Float against double, over a few mini-batches of a small network. */
#define TOLERANCE 2e-4

/* Orders in which each schedule is tried, where not one is tried in many. */
static uint64_t few_seeds = 2;
static const char *transport = "cuda-copy";

static struct tp_run_config config_for(const char *schedule, int32_t stages, int32_t micro_batches)
{
	struct tp_run_config config = training_config(schedule, stages, micro_batches);
	(void)snprintf(config.device, sizeof config.device, "cuda");
	(void)snprintf(config.transport, sizeof config.transport, "%s", transport);
	config.mini_batches = 8;
	config.timeout_ns = 60 * INT64_C(1000000000);
	return config;
}

/* The order in which the stand-in does the work; a GPU chooses its own. */
static void begin_order(uint64_t seed)
{
	if (stand_in.reset)
		stand_in.reset(seed);
}

/* No fault, and nothing left, where there is somebody who knows. */
static void expect_clean(const char *what)
{
	print_message("%s\n", what);
	if (stand_in.counts)
		(void)stand_in_clean(NULL);
}

static struct tp_run_config on_reference(struct tp_run_config config)
{
	(void)snprintf(config.device, sizeof config.device, "reference");
	(void)snprintf(config.transport, sizeof config.transport, "auto");
	return config;
}

/* Against the same run on the reference device, which is static and so has the same versions. */
static void compare_with_reference(const struct tp_run_config *config, const struct tp_dataset *dataset,
                                   const char *what, const double *expected)
{
	struct tp_run_config untrained = on_reference(*config);
	struct training shape;
	size_t count;
	double *found = training_run(config, dataset, &count);
	expect_clean(what);
	untrained.epochs = 0;
	double *start = training_run(&untrained, dataset, &count);
	training_begin(&shape, &untrained, dataset);
	double distance = training_distance(&shape, expected, found, start);
	training_end(&shape);
	if (!(distance < TOLERANCE))
		fail_msg("%s: weights are %.2e of their change away from the reference device's", what, distance);
	free(found);
	free(start);
}

static void run_seeds(const struct tp_run_config *config, const struct tp_dataset *dataset, uint64_t seeds)
{
	char what[160];
	size_t count;
	struct tp_run_config reference = on_reference(*config);
	double *expected = training_run(&reference, dataset, &count);
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		(void)snprintf(what, sizeof what, "%s, %s, W %d, N %d, seed %llu", config->schedule, transport,
		               config->stages, config->micro_batches, (unsigned long long)seed);
		begin_order(seed);
		compare_with_reference(config, dataset, what, expected);
	}
	free(expected);
}

static void test_every_schedule_is_ordered(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	for (const struct tp_policy *const *policy = tp_policies; *policy; policy++) {
		struct tp_run_config config = config_for((*policy)->name, 3, 3);
		run_seeds(&config, dataset, few_seeds);
	}
	tp_dataset_free(dataset);
}

static void test_twenty_orders_of_timeprest(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	struct tp_run_config config = config_for("timeprest", 4, 2);
	run_seeds(&config, dataset, STAND_IN_SEEDS);
	tp_dataset_free(dataset);
}

static void test_other_axes(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	struct tp_run_config config = config_for("timeprest", 3, 2);
	config.backward = TP_BACKWARD_RECOMPUTE;
	run_seeds(&config, dataset, few_seeds);
	config = config_for("timeprest", 3, 2);
	config.sequence = TP_SEQUENCE_INDEPENDENT;
	run_seeds(&config, dataset, few_seeds);
	config = config_for("timeprest", 3, 1);
	config.max_staleness = 1;
	run_seeds(&config, dataset, few_seeds);
	tp_dataset_free(dataset);
}

/* What is read depends on timing, so weights are not compared: but two epochs end, in order, evaluated, and with all
 * records. */
static void test_dynamic_order(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 24);
	for (const struct tp_policy *const *policy = tp_policies; *policy; policy++) {
		struct tp_run_config config = config_for((*policy)->name, 3, 3);
		struct training training;
		config.order = TP_ORDER_DYNAMIC;
		config.evaluate = true;
		begin_order(7);
		training_begin(&training, &config, dataset);
		for (int epoch = 0; epoch < 2; epoch++) {
			if (tp_trainer_epoch(training.trainer, &training.result) != TP_OK)
				fail_msg("%s: %s", config.schedule, tp_detail());
			assert_true(training.result.evaluated);
			assert_int_equal(training.result.test_samples, 24);
			assert_true(training.result.train_loss > 0);
			assert_int_equal(training.result.allocations_in_window, 0);
			assert_int_equal(training.result.dropped_records, 0);
		}
		training_end(&training);
		expect_clean(config.schedule);
	}
	tp_dataset_free(dataset);
}

/* Operations of a stage follow one another, messages arrive after they were sent and before they were used. */
static void check_records(const struct tp_epoch_result *result)
{
	const struct tp_records *records = &result->records;
	assert_true(records->op_count > 0);
	for (int64_t i = 0; i < records->op_count; i++) {
		const struct tp_op_record *op = &records->ops[i];
		assert_true(op->start_ns <= op->end_ns);
		assert_true(op->start_ns >= result->start_ns && op->end_ns <= result->end_ns);
		if (i > 0 && op->stage == op[-1].stage)
			assert_true(op->start_ns >= op[-1].end_ns);
	}
	assert_true(records->message_count > 0);
	for (int64_t i = 0; i < records->message_count; i++) {
		const struct tp_message_record *message = &records->messages[i];
		assert_true(message->ready_ns <= message->sent_ns && message->sent_ns <= message->arrived_ns);
		assert_int_equal(message->handed_over, strcmp(transport, "cuda-direct") == 0);
	}
	for (int64_t i = 1; i < records->change_count; i++) {
		const struct tp_memory_change *change = &records->changes[i];
		if (change->stage == change[-1].stage)
			assert_true(change->time_ns >= change[-1].time_ns);
	}
}

static void test_records_have_times_of_the_device(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 24);
	struct tp_run_config config = config_for("timeprest", 3, 3);
	struct training training;
	begin_order(3);
	training_begin(&training, &config, dataset);
	for (int epoch = 0; epoch < 2; epoch++) {
		assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
		check_records(&training.result);
		assert_int_equal(training.result.minis, 8);
		assert_int_equal(training.result.allocations_in_window, 0);
	}
	training_end(&training);
	tp_dataset_free(dataset);
}

/* Convolutions, normalisation and pooling, too; two mini-batches, since a sanitizer makes each take seconds. */
static void test_vgg11_bn(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(8, 4);
	struct tp_run_config config = config_for("timeprest", 2, 2);
	(void)snprintf(config.model, sizeof config.model, "vgg11-bn");
	config.batch = 4;
	config.mini_batches = 2;
	config.lr = 0.001;
	size_t count;
	begin_order(5);
	double *weights = training_run(&config, dataset, &count);
	expect_clean("vgg11-bn");
	free(weights);
	tp_dataset_free(dataset);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_schedule_is_ordered),
	        cmocka_unit_test(test_twenty_orders_of_timeprest),
	        cmocka_unit_test(test_other_axes),
	        cmocka_unit_test(test_dynamic_order),
	        cmocka_unit_test(test_records_have_times_of_the_device),
	        cmocka_unit_test(test_vgg11_bn),
	};
	if (argc != 2 && argc != 4 && argc != 5)
		return 1;
	transport = argv[argc == 2 ? 1 : 2];
	if (argc == 5)
		few_seeds = strtoull(argv[4], NULL, 10);
	if (argc >= 4) {
		stand_in_load(argv[1], argv[3]);
	} else {
		const struct tp_device_ops *ops;
		if (tp_device_find("cuda", TP_MATH_FP32, &ops) != TP_OK) {
			(void)printf("test_cuda_pipeline: skipped: %s\n", tp_detail());
			return 77;
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
