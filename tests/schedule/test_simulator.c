/* The simulator's time: costs, updates and links against schedules worked out by hand, and replay of the slot plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/schedule/slot_plan.h"

struct expected_op {
	int32_t stage;
	enum tp_op_kind kind;
	int64_t mini, start, end, update_end;
	int64_t ready, sent, arrived; /* of its input; -1: takes none */
};

struct expectation {
	const struct expected_op *ops;
	size_t count, seen, begun;
};

static enum tp_status count_begin(void *context, const struct tp_sim_op *op)
{
	(void)op;
	((struct expectation *)context)->begun++;
	return TP_OK;
}

static enum tp_status compare(void *context, const struct tp_sim_op *op)
{
	struct expectation *expectation = context;
	assert_true(expectation->seen < expectation->count);
	const struct expected_op *expected = &expectation->ops[expectation->seen++];
	assert_int_equal(op->stage, expected->stage);
	assert_int_equal(op->action.kind, expected->kind);
	assert_int_equal(op->action.mini, expected->mini);
	assert_int_equal(op->start, expected->start);
	assert_int_equal(op->end, expected->end);
	assert_int_equal(op->update_end, expected->update_end);
	assert_int_equal(op->takes_message, expected->ready >= 0);
	if (op->takes_message) {
		assert_int_equal(op->message.ready, expected->ready);
		assert_int_equal(op->message.sent, expected->sent);
		assert_int_equal(op->message.arrived, expected->arrived);
	}
	return TP_OK;
}

/* Two stages of pipedream, forward 2, backward 20 and 30, update 4 at stage 0 only; downstream messages take 5 on the
 * link and 3 more to arrive, upstream ones 1 and 10. The second activation queues behind the first. */
static void test_links(void **state)
{
	(void)state;
	static const int64_t forward[] = {2}, backward0[] = {20}, backward1[] = {30}, down[] = {5}, up[] = {1};
	static const struct tp_stage_cost costs[] = {{forward, backward0, NULL, 4}, {forward, backward1, NULL, 0}};
	static const struct tp_boundary_cost boundary = {{down, 3}, {up, 10}};
	static const struct expected_op ops[] = {
	        {0, TP_OP_F, 1, 0, 2, 2, -1, 0, 0},
	        {0, TP_OP_F, 2, 2, 4, 4, -1, 0, 0},
	        {1, TP_OP_F, 1, 10, 12, 12, 2, 2, 10}, /* arrives at 2 + 5 + 3 */
	        {1, TP_OP_B, 1, 12, 42, 42, -1, 0, 0},
	        {1, TP_OP_F, 2, 42, 44, 44, 4, 7, 15}, /* left at 7, when the link was free */
	        {0, TP_OP_B, 1, 53, 73, 77, 42, 42, 53},
	        {1, TP_OP_B, 2, 44, 74, 74, -1, 0, 0},
	        {0, TP_OP_B, 2, 85, 105, 109, 74, 74, 85},
	};
	static const struct tp_sim_hooks hooks = {count_begin, compare};
	struct expectation expectation = {ops, sizeof ops / sizeof *ops, 0, 0};
	struct tp_pipeline pipeline = {.policy = &tp_policy_pipedream, .stages = 2, .micro_batches = 1, .minis = 2};
	const struct tp_sim_input input = {.pipeline = &pipeline,
	                                   .costs = costs,
	                                   .boundaries = &boundary,
	                                   .hooks = &hooks,
	                                   .context = &expectation};
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate_epoch(&input, &summary), TP_OK);
	assert_int_equal(expectation.seen, expectation.count);
	assert_int_equal(expectation.begun, expectation.count);
	assert_int_equal(summary.makespan, 109);
	assert_int_equal(summary.busy[0], 2 + 2 + 24 + 24);
	assert_int_equal(summary.busy[1], 2 + 2 + 30 + 30);
	tp_sim_summary_release(&summary);
}

/* A gradient leaves at the end of its backward, not of the update behind it; the stage is free after the update. */
static void test_update_is_behind_the_message(void **state)
{
	(void)state;
	static const int64_t forward[] = {10}, backward[] = {20};
	static const struct tp_stage_cost costs[] = {{forward, backward, NULL, 7}, {forward, backward, NULL, 100}};
	static const struct expected_op ops[] = {
	        {0, TP_OP_F, 1, 0, 10, 10, -1, 0, 0},     {0, TP_OP_F, 2, 10, 20, 20, -1, 0, 0},
	        {1, TP_OP_F, 1, 10, 20, 20, 10, 10, 10},  {1, TP_OP_B, 1, 20, 40, 140, -1, 0, 0},
	        {0, TP_OP_B, 1, 40, 60, 67, 40, 40, 40},  {1, TP_OP_F, 2, 140, 150, 150, 20, 20, 20},
	        {1, TP_OP_B, 2, 150, 170, 270, -1, 0, 0}, {0, TP_OP_B, 2, 170, 190, 197, 170, 170, 170},
	};
	static const struct tp_sim_hooks hooks = {count_begin, compare};
	struct expectation expectation = {ops, sizeof ops / sizeof *ops, 0, 0};
	struct tp_pipeline pipeline = {.policy = &tp_policy_pipedream, .stages = 2, .micro_batches = 1, .minis = 2};
	const struct tp_sim_input input = {
	        .pipeline = &pipeline, .costs = costs, .hooks = &hooks, .context = &expectation};
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate_epoch(&input, &summary), TP_OK);
	assert_int_equal(expectation.seen, expectation.count);
	assert_int_equal(summary.makespan, 270);
	tp_sim_summary_release(&summary);
}

/* --- replay ---------------------------------------------------------------------------------------------------------
 */

struct versions {
	int64_t read[4][400], live[4][400], stamp[4][400];
	struct tp_action action[4][400];
	int64_t count[4];
};

static enum tp_status note(void *context, const struct tp_sim_op *op)
{
	struct versions *versions = context;
	int64_t at = versions->count[op->stage]++;
	versions->read[op->stage][at] = op->version_read;
	versions->live[op->stage][at] = op->version_live;
	versions->stamp[op->stage][at] = op->stamp;
	versions->action[op->stage][at] = op->action;
	return TP_OK;
}

/* Static order under any costs: every operation reads what it reads in slots. */
static void test_replay(void **state)
{
	(void)state;
	static struct versions planned, replayed;
	srand(5);
	for (size_t p = 0; tp_policies[p]; p++) {
		struct tp_pipeline pipeline = {.policy = tp_policies[p], .stages = 4, .micro_batches = 4, .minis = 20};
		if (pipeline.policy->single_stage)
			pipeline.stages = 1;
		if (tp_policy_stamps(pipeline.policy))
			pipeline.max_staleness = 1;
		struct tp_slot_plan plan;
		struct tp_sim_summary summary;
		int64_t values[4][12];
		struct tp_stage_cost costs[4];
		for (int s = 0; s < 4; s++) {
			for (int j = 0; j < 12; j++)
				values[s][j] = 1 + rand() % 1000;
			costs[s] = (struct tp_stage_cost){values[s], values[s] + 4, values[s] + 8, rand() % 300};
		}
		memset(&planned, 0, sizeof planned);
		memset(&replayed, 0, sizeof replayed);
		assert_int_equal(tp_slot_plan_init(&plan, &pipeline), TP_OK);
		assert_int_equal(tp_simulate(&pipeline, NULL, note, &planned, &summary), TP_OK);
		tp_sim_summary_release(&summary);
		const struct tp_sim_hooks hooks = {.end = note};
		const struct tp_sim_input input = {
		        .pipeline = &pipeline, .costs = costs, .plan = &plan, .hooks = &hooks, .context = &replayed};
		assert_int_equal(tp_simulate_epoch(&input, &summary), TP_OK);
		assert_memory_equal(&planned, &replayed, sizeof planned);
		tp_sim_summary_release(&summary);
		tp_slot_plan_release(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_links),
	        cmocka_unit_test(test_update_is_behind_the_message),
	        cmocka_unit_test(test_replay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
