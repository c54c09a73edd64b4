/* Runs over the stand-in whose kernels are recorded: every kernel has its operation, operations and messages have the
 * times of their kernels and copies, and what the tracer loses or may not do is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cuda/stand_in.h"
#include "tests/run/training.h"

enum { STAGES = 3, MINIS = 6 };

static struct tp_dataset *dataset;
static struct training training;

static int make_dataset(void **state)
{
	(void)state;
	dataset = training_dataset(96, 10);
	return 0;
}

static int free_dataset(void **state)
{
	(void)state;
	tp_dataset_free(dataset);
	return 0;
}

static const struct tp_epoch_result *run(const char *transport, enum tp_profile profile, const char *injected)
{
	struct tp_run_config config = training_config("timeprest", STAGES, 2);
	(void)snprintf(config.device, sizeof config.device, "cuda");
	(void)snprintf(config.transport, sizeof config.transport, "%s", transport);
	config.mini_batches = MINIS;
	config.profile = profile;
	stand_in.reset(11);
	stand_in.inject(injected);
	training_begin(&training, &config, dataset);
	if (tp_trainer_epoch(training.trainer, &training.result) != TP_OK)
		fail_msg("%s", tp_detail());
	assert_non_null(training.result.gpu);
	assert_int_equal(training.result.allocations_in_window, 0);
	return &training.result;
}

static int end_run(void **state)
{
	training_end(&training);
	return stand_in_clean(state);
}

/* The first operation of a stage. */
static const struct tp_op_record *ops_of(const struct tp_records *records, int32_t stage)
{
	const struct tp_op_record *op = records->ops;
	while (op->stage < stage)
		op++;
	return op;
}

static void kernels_make_operations(void **state)
{
	(void)state;
	const struct tp_epoch_result *result = run("cuda-copy", TP_PROFILE_KERNELS, NULL);
	const struct tp_records *records = &result->records;
	int32_t names;
	(void)tp_trainer_kernel_names(training.trainer, &names);
	assert_int_equal(result->gpu->mode, TP_GPU_TRACE_CUPTI);
	assert_true(tp_gpu_trace_complete(result->gpu));
	assert_int_equal(result->gpu->allocations, 0);
	assert_true(records->kernel_count > records->op_count);
	for (int64_t i = 0; i < records->kernel_count; i++) {
		const struct tp_kernel_record *kernel = &records->kernels[i];
		assert_in_range(kernel->stage, 0, STAGES - 1);
		assert_true(kernel->operation >= 0);
		assert_in_range(kernel->name, 0, names - 1);
		const struct tp_op_record *op = ops_of(records, kernel->stage) + kernel->operation;
		assert_true(kernel->start_ns >= op->start_ns && kernel->end_ns <= op->end_ns);
	}
	/* Each operation ran something, and lasts no longer than that. */
	for (int64_t i = 0; i < records->op_count; i++) {
		const struct tp_op_record *op = &records->ops[i];
		bool begins = false, ends = false;
		for (int64_t k = 0; k < records->kernel_count; k++) {
			const struct tp_kernel_record *kernel = &records->kernels[k];
			bool own = kernel->stage == op->stage && ops_of(records, op->stage) + kernel->operation == op;
			begins = begins || (own && kernel->start_ns == op->start_ns);
			ends = ends || (own && kernel->end_ns == op->end_ns);
		}
		assert_true(begins && ends);
	}
}

static void messages_are_copies(void **state)
{
	(void)state;
	const struct tp_epoch_result *result = run("cuda-copy", TP_PROFILE_KERNELS, NULL);
	const struct tp_gpu_records *gpu = result->gpu_records;
	assert_true(result->records.message_count > 0);
	for (int64_t i = 0; i < result->records.message_count; i++) {
		const struct tp_message_record *message = &result->records.messages[i];
		int found = 0;
		for (int64_t c = 0; c < gpu->copy_count; c++) {
			const struct tp_gpu_copy *copy = &gpu->copies[c];
			if (copy->kind != 8 || copy->place.start_ns != message->sent_ns ||
			    copy->place.end_ns != message->arrived_ns || copy->bytes != message->bytes)
				continue;
			const struct tp_op_record *op =
			        ops_of(&result->records, copy->place.stage) + copy->place.operation;
			assert_int_equal(op->mini, message->mini);
			assert_int_equal(op->kind == TP_OP_F, !message->is_gradient);
			found++;
		}
		assert_int_equal(found, 1);
		assert_true(message->ready_ns <= message->sent_ns);
	}
}

/* What the tracer lost is told, and times are those of events. */
static void a_lost_record_leaves_the_times(void **state)
{
	(void)state;
	const struct tp_epoch_result *result = run("cuda-direct", TP_PROFILE_KERNELS, "cuptiRecord:200:1");
	assert_int_equal(result->gpu->mode, TP_GPU_TRACE_CUPTI);
	assert_int_equal(result->gpu->dropped, 1);
	assert_int_equal(result->dropped_records, 0);
	assert_true(result->records.op_count > 0);
}

static void another_tool_leaves_events(void **state)
{
	(void)state;
	const struct tp_epoch_result *result = run("cuda-copy", TP_PROFILE_KERNELS, "cuptiSubscribe_v2:1:39");
	assert_int_equal(result->gpu->mode, TP_GPU_TRACE_EVENTS);
	assert_string_equal(result->gpu->reason, "CUPTI is in use by CUPTI for another tool");
	assert_true(result->gpu->clock_error_ns > 0); /* of events: the clocks were compared */
	assert_null(result->gpu_records);
	assert_true(result->records.op_count > 0);
}

static void without_kernels_nothing_is_traced(void **state)
{
	(void)state;
	const struct tp_epoch_result *result = run("cuda-copy", TP_PROFILE_OPS, NULL);
	assert_int_equal(result->gpu->mode, TP_GPU_TRACE_EVENTS);
	assert_string_equal(result->gpu->reason, "kernels are not to be recorded (--profile)");
	assert_null(result->gpu_records);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s LIBFAKECUDA\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(kernels_make_operations, end_run),
	        cmocka_unit_test_teardown(messages_are_copies, end_run),
	        cmocka_unit_test_teardown(a_lost_record_leaves_the_times, end_run),
	        cmocka_unit_test_teardown(another_tool_leaves_events, end_run),
	        cmocka_unit_test_teardown(without_kernels_nothing_is_traced, end_run),
	};
	stand_in_load(argv[1], "1");
	return cmocka_run_group_tests(tests, make_dataset, free_dataset);
}
