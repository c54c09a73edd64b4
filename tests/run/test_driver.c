/* The real driver's promises: recorded versions are the plan's, nothing is allocated while stages work, a run can be
 * stopped and times out cleanly, records and memory add up. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/schedule/simulator.h"
#include "tests/run/training.h"

static const char *const schedules[] = {"sequential", "gpipe", "pipedream", "timeprest"};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

/* --- counting every allocation of stage threads, the C library's included -------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_MALLOC 0
#else
#define COUNTS_MALLOC 1
static _Atomic int64_t stage_allocations;
static _Thread_local bool is_main_thread;

static void count_allocation(void)
{
	if (!is_main_thread)
		atomic_fetch_add(&stage_allocations, 1);
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
void *malloc(size_t size)
{
	count_allocation();
	return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
	count_allocation();
	return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size)
{
	count_allocation();
	return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
	count_allocation();
	return __libc_memalign(alignment, size);
}
#endif

static void test_no_allocation_in_the_window(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 10);
	for (int i = 0; i < SCHEDULES; i++) {
		for (int dynamic = 0; dynamic < 2; dynamic++) {
			struct tp_run_config config = training_config(schedules[i], 3, 2);
			config.order = dynamic ? TP_ORDER_DYNAMIC : TP_ORDER_STATIC;
			struct training training;
			training_begin(&training, &config, dataset);
#if COUNTS_MALLOC
			is_main_thread = true;
			atomic_store(&stage_allocations, 0);
#endif
			assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
			assert_int_equal(training.result.allocations_in_window, 0);
#if COUNTS_MALLOC
			assert_int_equal(atomic_load(&stage_allocations), 0);
#endif
			training_end(&training);
		}
	}
	tp_dataset_free(dataset);
}

#if COUNTS_MALLOC
/* What the compute library allocates while stages work is not ours to forbid, but it is counted: our own stays zero. */
static void test_library_allocations_are_counted(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(24, 10);
	struct tp_run_config config = training_config("timeprest", 2, 2);
	(void)snprintf(config.device, sizeof config.device, "cpu");
	(void)snprintf(config.model, sizeof config.model, "vgg11");
	config.batch = 6;
	struct training training;
	training_begin(&training, &config, dataset);
	is_main_thread = true;
	atomic_store(&stage_allocations, 0);
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	assert_int_equal(training.result.allocations_in_window, 0);
	print_message("libraries allocated %lld times in %lld operations\n", (long long)atomic_load(&stage_allocations),
	              (long long)training.result.records.op_count);
	training_end(&training);
	tp_dataset_free(dataset);
}
#endif

/* --- recorded versions -------------------------------------------------------------------------------------------- */

struct expected_op {
	struct tp_sim_op *ops; /* [stage][position], as the slot plan has them */
	int64_t per_stage;
	int64_t filled[16];
};

static enum tp_status expect(void *context, const struct tp_sim_op *op)
{
	struct expected_op *expected = context;
	expected->ops[op->stage * expected->per_stage + expected->filled[op->stage]++] = *op;
	return TP_OK;
}

static void check_op(const struct tp_op_record *found, const struct tp_sim_op *plan, int64_t minis_before)
{
	assert_int_equal(found->kind, plan->action.kind);
	assert_int_equal(found->mini, plan->action.mini + minis_before);
	assert_int_equal(found->micro, plan->action.micro);
	assert_int_equal(found->version_read, plan->version_read + minis_before);
	assert_int_equal(found->version_live, plan->version_live + minis_before);
	assert_int_equal(found->version_committed, plan->seen.committed + minis_before);
	assert_int_equal(found->version_forward, plan->version_oldest_forward + minis_before);
	assert_true(found->end_ns >= found->start_ns);
}

/* Under static order everything recorded of versions is the slot plan's, in every epoch, and each stage holds exactly
 * as many versions as the plan says after each operation. */
static void check_static_records(const char *schedule, int32_t stages, int32_t n)
{
	struct tp_dataset *dataset = training_dataset(240, 10);
	struct tp_run_config config = training_config(schedule, stages, n);
	(void)snprintf(config.device, sizeof config.device, "null");
	struct tp_pipeline pipeline = {.stages = stages, .micro_batches = n, .minis = 20};
	assert_int_equal(tp_policy_find(schedule, &pipeline.policy), TP_OK);
	struct expected_op expected = {
	        .per_stage =
	                20 * (tp_forwards_per_mini(pipeline.policy, n) + tp_backwards_per_mini(pipeline.policy, n)),
	};
	expected.ops = calloc((size_t)(expected.per_stage * stages), sizeof *expected.ops);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(&pipeline, NULL, expect, &expected, &summary), TP_OK);
	tp_sim_summary_release(&summary);

	struct training training;
	training_begin(&training, &config, dataset);
	for (int64_t epoch = 0; epoch < 3; epoch++) {
		assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
		const struct tp_epoch_result *result = &training.result;
		int64_t at = 0;
		for (int32_t s = 0; s < tp_trainer_info(training.trainer)->stages; s++) {
			for (int64_t i = 0; i < expected.per_stage; i++) {
				const struct tp_sim_op *plan = &expected.ops[s * expected.per_stage + i];
				const struct tp_op_record *found = &result->records.ops[at++];
				assert_int_equal(found->stage, s);
				check_op(found, plan, epoch * 20);
				if (plan->updates) {
					found = &result->records.ops[at++];
					assert_int_equal(found->kind, TP_OP_U);
					assert_int_equal(found->in_place, plan->update.in_place);
				}
				assert_int_equal(found->versions_alive, plan->versions_alive);
			}
		}
		assert_int_equal(at, result->records.op_count);
		assert_int_equal(result->dropped_records, 0);
	}
	training_end(&training);
	free(expected.ops);
	tp_dataset_free(dataset);
}

static void test_static_records_are_the_plan(void **state)
{
	(void)state;
	for (int i = 0; i < SCHEDULES; i++) {
		check_static_records(schedules[i], 2, 3);
		check_static_records(schedules[i], 4, 2);
		check_static_records(schedules[i], 3, 1);
	}
}

/* Dynamic order: whatever happened, the records keep the rules. */
static void test_dynamic_records_keep_the_rules(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(2400, 10);
	for (int i = 0; i < SCHEDULES; i++) {
		struct tp_run_config config = training_config(schedules[i], 4, 2);
		(void)snprintf(config.device, sizeof config.device, "null");
		config.order = TP_ORDER_DYNAMIC;
		config.mini_batches = 200;
		struct training training;
		training_begin(&training, &config, dataset);
		assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
		int32_t stages = tp_trainer_info(training.trainer)->stages;
		const struct tp_policy *policy = tp_trainer_info(training.trainer)->policy;
		int64_t tags[200][2] = {{0}};
		for (int64_t o = 0; o < training.result.records.op_count; o++) {
			const struct tp_op_record *op = &training.result.records.ops[o];
			int64_t behind = op->mini - 1;
			assert_true(op->version_read <= op->version_live);
			if (op->kind == TP_OP_U)
				assert_int_equal(op->version_live, behind);
			if (op->kind == TP_OP_F && policy->forward_reads == TP_READS_TAG) {
				int64_t *tag = &tags[behind][op->micro];
				if (op->stage == 0)
					*tag = op->version_read;
				assert_int_equal(op->version_read, *tag); /* vertical synchronisation */
			}
			if (op->kind == TP_OP_B && policy->backward_reads == TP_READS_STASHED)
				assert_int_equal(op->version_read, op->version_forward);
			if (op->kind == TP_OP_B && op->stage == stages - 1)
				assert_in_range(op->mini - op->version_committed, 1, stages);
			if (op->kind == TP_OP_B && op->stage == stages - 1 &&
			    policy->backward_reads == TP_READS_COMMITTED)
				assert_int_equal(op->version_read, op->version_committed);
		}
		training_end(&training);
	}
	tp_dataset_free(dataset);
}

static void test_messages(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 30);
	struct tp_run_config config = training_config("timeprest", 3, 2);
	config.evaluate = true; /* must leave the records of the epoch alone */
	struct training training;
	training_begin(&training, &config, dataset);
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	const struct tp_epoch_result *result = &training.result;
	assert_int_equal(result->test_samples, 30);
	/* Two boundaries; N activations and one gradient for each of 20 mini-batches. */
	assert_int_equal(result->records.message_count, 2 * 20 * (2 + 1));
	int64_t activation_bytes = 0, gradient_bytes = 0;
	for (int64_t i = 0; i < result->records.message_count; i++) {
		const struct tp_message_record *message = &result->records.messages[i];
		assert_int_equal(message->to_stage - message->from_stage, message->is_gradient ? -1 : 1);
		assert_true(message->ready_ns <= message->sent_ns && message->sent_ns <= message->arrived_ns);
		*(message->is_gradient ? &gradient_bytes : &activation_bytes) += message->bytes;
	}
	/* Hidden width 16 in double precision at both boundaries. */
	assert_int_equal(activation_bytes, 2 * 20 * 12 * 16 * 8);
	assert_int_equal(gradient_bytes, activation_bytes);
	training_end(&training);
	tp_dataset_free(dataset);
}

/* The parts at the peak add up to it, and weights are counted as they are. */
static void test_memory(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(240, 10);
	struct tp_run_config config = training_config("timeprest", 3, 2);
	struct training training;
	training_begin(&training, &config, dataset);
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	assert_int_equal(training.result.memory_count, 4);
	for (int32_t i = 0; i < 4; i++) {
		const struct tp_memory_record *memory = &training.result.memory[i];
		int64_t sum = 0;
		for (int k = 0; k < TP_MEM_KINDS; k++) {
			sum += memory->at_peak_bytes[k];
			assert_true(memory->now_bytes[k] <= memory->peak_bytes[k]);
			if (k != TP_MEM_UNACCOUNTED) /* which nobody reserved */
				assert_true(memory->peak_bytes[k] <= memory->reserved_bytes[k]);
		}
		assert_int_equal(sum, memory->peak_total_bytes);
		/* drained: no mini-batch in flight, no version but the live one */
		assert_int_equal(memory->now_bytes[TP_MEM_ACTIVATIONS], 0);
		assert_int_equal(memory->now_bytes[TP_MEM_WEIGHTS_RETAINED], 0);
	}
	/* Stage s retains s versions beside the live one (W = 3, N = 2: 1, 2, 3 alive). */
	for (int32_t s = 0; s < 3; s++) {
		const struct tp_memory_record *memory = &training.result.memory[s];
		assert_int_equal(memory->peak_bytes[TP_MEM_WEIGHTS_RETAINED],
		                 s * memory->now_bytes[TP_MEM_WEIGHTS_LIVE]);
	}
	training_end(&training);
	tp_dataset_free(dataset);
}

/* --- ending early ---------------------------------------------------------------------------------------------------
 */

static void *stop_soon(void *argument)
{
	struct tp_run_control *control = argument;
	while (atomic_load(&control->minis_done) < 3)
		(void)usleep(200);
	atomic_store(&control->stop, true);
	return NULL;
}

static void test_stop(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(24000, 10);
	for (int i = 0; i < SCHEDULES; i++) {
		struct tp_run_config config = training_config(schedules[i], 3, 2);
		config.mini_batches = 2000;
		struct training training;
		training_begin(&training, &config, dataset);
		pthread_t stopper;
		assert_int_equal(pthread_create(&stopper, NULL, stop_soon, &training.control), 0);
		assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_ERR_INTERRUPTED);
		assert_int_equal(pthread_join(stopper, NULL), 0);
		/* what was done until then is there */
		assert_in_range(training.result.minis, 3, 1999);
		assert_true(training.result.records.op_count > 0);
		training_end(&training);
	}
	tp_dataset_free(dataset);
}

/* A stage that waits for too long ends the run for all, with a reason that names it. */
static void test_timeout(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(64, 10);
	struct tp_run_config config = training_config("timeprest", 3, 2);
	(void)snprintf(config.model, sizeof config.model, "vgg11"); /* its first forward takes a while */
	config.batch = 16;
	config.timeout_ns = 1000000;
	struct training training;
	training_begin(&training, &config, dataset);
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_ERR_TIMEOUT);
	assert_non_null(strstr(tp_detail(), "--timeout"));
	training_end(&training);
	tp_dataset_free(dataset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_allocation_in_the_window),
#if COUNTS_MALLOC
		cmocka_unit_test(test_library_allocations_are_counted),
#endif
		cmocka_unit_test(test_static_records_are_the_plan),
		cmocka_unit_test(test_dynamic_records_keep_the_rules),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_timeout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
