/* Which versions are read and kept: hand-derived counts, and properties of the slot plan over a grid of (W, N). The
 * retention rule is checked against a second implementation that keeps sets instead of counting references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/schedule/simulator.h"

static struct tp_pipeline pipeline_of(const char *schedule, int32_t stages, int32_t micro_batches, int64_t minis)
{
	struct tp_pipeline pipeline = {.stages = stages, .micro_batches = micro_batches, .minis = minis};
	assert_int_equal(tp_policy_find(schedule, &pipeline.policy), TP_OK);
	return pipeline;
}

static void check_alive(const char *schedule, int32_t stages, int32_t micro_batches, const int32_t *expected)
{
	struct tp_pipeline pipeline = pipeline_of(schedule, stages, micro_batches, 40);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(&pipeline, NULL, NULL, NULL, &summary), TP_OK);
	for (int32_t s = 0; s < stages; s++)
		assert_int_equal(summary.versions_alive_max[s], expected[s]);
	tp_sim_summary_release(&summary);
}

static void test_versions_alive(void **state)
{
	(void)state;
	check_alive("timeprest", 3, 2, (const int32_t[]){1, 2, 3});
	check_alive("pipedream", 3, 2, (const int32_t[]){3, 2, 1});
	check_alive("timeprest", 8, 2, (const int32_t[]){3, 3, 3, 4, 5, 6, 7, 8});
	check_alive("pipedream", 8, 2, (const int32_t[]){8, 7, 6, 5, 4, 3, 2, 1});
	check_alive("gpipe", 4, 3, (const int32_t[]){1, 1, 1, 1});
}

/* In the steady state v is ceil(W / (N + 1)); the largest over an epoch is the same. */
static void test_version_difference(void **state)
{
	(void)state;
	for (int32_t w = 1; w <= 24; w++) {
		for (int32_t n = 1; n <= 9; n++) {
			struct tp_pipeline pipeline = pipeline_of("timeprest", w, n, 3 * w + 4);
			struct tp_sim_summary summary;
			assert_int_equal(tp_simulate(&pipeline, NULL, NULL, NULL, &summary), TP_OK);
			assert_int_equal(summary.version_difference_max, tp_version_difference_exact(w, n));
			tp_sim_summary_release(&summary);
		}
	}
	/* The paper's Eq. 3 agrees up to W = 5 for N >= 2, and not at (6, 2). */
	assert_int_equal(tp_version_difference_paper(5, 2), tp_version_difference_exact(5, 2));
	assert_int_equal(tp_version_difference_paper(6, 2), 3);
	assert_int_equal(tp_version_difference_exact(6, 2), 2);
}

/* --- every operation once, in order, within limits ------------------------------------------------------------- */

struct seen_stage {
	int64_t forwards, backwards, updates, last_end;
};

struct order_check {
	struct tp_pipeline pipeline;
	struct seen_stage *stages;
	int64_t *forward_end;  /* [stage][forward index] */
	int64_t *backward_end; /* [stage][backward position] */
	int32_t fpm, bpm;
};

static enum tp_status check_order(void *context, const struct tp_sim_op *op)
{
	struct order_check *check = context;
	struct seen_stage *stage = &check->stages[op->stage];
	int64_t forwards = check->pipeline.minis * check->fpm, backwards = check->pipeline.minis * check->bpm;
	assert_true(op->start >= stage->last_end);
	stage->last_end = op->end;
	if (op->action.kind == TP_OP_F) {
		int64_t index = tp_forward_index(&op->action, check->fpm);
		assert_int_equal(index, stage->forwards);
		stage->forwards++;
		check->forward_end[op->stage * forwards + index] = op->end;
		if (op->stage > 0)
			assert_true(check->forward_end[(op->stage - 1) * forwards + index] <= op->start);
		assert_true(op->version_read <= op->version_live);
	} else {
		int64_t position = stage->backwards++;
		assert_int_equal(op->action.mini, position / check->bpm + 1);
		check->backward_end[op->stage * backwards + position] = op->end;
		if (op->stage < check->pipeline.stages - 1)
			assert_true(check->backward_end[(op->stage + 1) * backwards + position] <= op->start);
		/* Its own forwards are done here. */
		assert_true(stage->forwards >= op->action.mini * check->fpm || op->action.micro != TP_WHOLE);
		if (op->updates)
			assert_int_equal(++stage->updates, op->action.mini);
	}
	int64_t begun = (stage->forwards + check->fpm - 1) / check->fpm;
	assert_true(begun - stage->updates <= tp_minis_in_flight(&check->pipeline, op->stage));
	return TP_OK;
}

static void check_plan(const char *schedule, int32_t w, int32_t n)
{
	struct order_check check = {.pipeline = pipeline_of(schedule, w, n, 2 * w + 3)};
	check.fpm = tp_forwards_per_mini(check.pipeline.policy, n);
	check.bpm = tp_backwards_per_mini(check.pipeline.policy, n);
	if (check.pipeline.policy->single_stage)
		check.pipeline.stages = 1;
	size_t stages = (size_t)check.pipeline.stages, minis = (size_t)check.pipeline.minis;
	check.stages = calloc(stages, sizeof *check.stages);
	check.forward_end = calloc(stages * minis * (size_t)check.fpm, sizeof *check.forward_end);
	check.backward_end = calloc(stages * minis * (size_t)check.bpm, sizeof *check.backward_end);
	assert_true(check.stages && check.forward_end && check.backward_end);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(&check.pipeline, NULL, check_order, &check, &summary), TP_OK);
	for (size_t s = 0; s < stages; s++) {
		assert_int_equal(check.stages[s].forwards, check.pipeline.minis * check.fpm);
		assert_int_equal(check.stages[s].updates, check.pipeline.minis);
	}
	tp_sim_summary_release(&summary);
	free(check.stages);
	free(check.forward_end);
	free(check.backward_end);
}

static void test_order(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		for (int32_t w = 1; w <= 9; w++) {
			for (int32_t n = 1; n <= 6; n++)
				check_plan(tp_policies[p]->name, w, n);
		}
	}
}

/* --- the retention rule, said again with sets ------------------------------------------------------------------- */

/* After the fact, from the complete list of operations: when a forward ends at stage s, having looked at the others
 * when it started, version k is needed there if it is live, or (under tags or stamps, s > 0) not older than the
 * committed version, or the tag of a micro-batch that had entered and finishes its forward here later, or read by a
 * backward that had started at the last stage and finishes here later, or (stashing) was read here by a forward whose
 * backward finishes here later. */
struct recording {
	struct tp_sim_op *ops;
	size_t count, capacity;
};

static enum tp_status record(void *context, const struct tp_sim_op *op)
{
	struct recording *recording = context;
	assert_true(recording->count < recording->capacity);
	recording->ops[recording->count++] = *op;
	return TP_OK;
}

static bool needed(const struct recording *all, const struct tp_pipeline *pipeline, const struct tp_sim_op *at,
                   int64_t k)
{
	const struct tp_policy *policy = pipeline->policy;
	bool tags = policy->forward_reads == TP_READS_TAG, stamps = policy->backward_reads == TP_READS_COMMITTED;
	if (k == at->version_live || ((tags || stamps) && at->stage > 0 && k >= at->seen.committed))
		return k <= at->version_live;
	for (size_t i = 0; i < all->count; i++) {
		const struct tp_sim_op *op = &all->ops[i];
		if (op->stage != at->stage || op->version_read != k || op->end <= at->end)
			continue;
		bool forward = op->action.kind == TP_OP_F;
		int64_t index = tp_forward_index(&op->action, tp_forwards_per_mini(policy, pipeline->micro_batches));
		if (forward && tags && index < at->seen.entered)
			return true;
		if (!forward && stamps && op->action.mini <= at->seen.started)
			return true;
		/* a stashed version was read by a forward that started before */
		for (size_t f = 0; f < all->count && !forward && policy->backward_reads == TP_READS_STASHED; f++) {
			const struct tp_sim_op *own = &all->ops[f];
			if (own->stage == op->stage && own->action.kind == TP_OP_F &&
			    own->action.mini == op->action.mini && own->start <= at->start)
				return true;
		}
	}
	return false;
}

static void check_retention(const char *schedule, int32_t w, int32_t n)
{
	struct tp_pipeline pipeline = pipeline_of(schedule, w, n, 2 * w + 2);
	struct recording all = {.capacity = (size_t)(w * (n + n) * (2 * w + 2))};
	all.ops = calloc(all.capacity, sizeof *all.ops);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(&pipeline, NULL, record, &all, &summary), TP_OK);
	for (size_t i = 0; i < all.count; i++) {
		const struct tp_sim_op *op = &all.ops[i];
		if (op->action.kind != TP_OP_F)
			continue; /* a forward changes nothing but what it lets go itself */
		int32_t count = 0;
		for (int64_t k = 0; k <= op->version_live; k++)
			count += needed(&all, &pipeline, op, k);
		assert_int_equal(op->versions_alive, count);
	}
	tp_sim_summary_release(&summary);
	free(all.ops);
}

static void test_retention(void **state)
{
	(void)state;
	for (int32_t w = 2; w <= 6; w++) {
		for (int32_t n = 1; n <= 4; n++) {
			check_retention("timeprest", w, n);
			check_retention("pipedream", w, n);
		}
	}
}

/* With --backward-version latest a mini-batch's backward reads version i - 1 at every stage, whatever W and N. */
static enum tp_status check_latest(void *context, const struct tp_sim_op *op)
{
	(void)context;
	if (op->action.kind == TP_OP_B)
		assert_int_equal(op->version_read, op->action.mini - 1);
	return TP_OK;
}

static void test_latest(void **state)
{
	(void)state;
	struct tp_policy latest = tp_policy_timeprest;
	latest.backward_reads = TP_READS_LIVE;
	for (int32_t w = 1; w <= 8; w++) {
		struct tp_pipeline pipeline = {.policy = &latest, .stages = w, .micro_batches = 2, .minis = 20};
		struct tp_sim_summary summary;
		assert_int_equal(tp_simulate(&pipeline, NULL, check_latest, NULL, &summary), TP_OK);
		tp_sim_summary_release(&summary);
	}
}

/* With the paper's tag rule every stage reads the same version for one micro-batch, and with stamps for one backward.
 */
struct agreement {
	int64_t tag[256], stamp[128];
};

static enum tp_status check_agreement(void *context, const struct tp_sim_op *op)
{
	struct agreement *agreement = context;
	int64_t *said = op->action.kind == TP_OP_F ? &agreement->tag[tp_forward_index(&op->action, 3)]
	                                           : &agreement->stamp[op->action.mini];
	if (op->stage == (op->action.kind == TP_OP_F ? 0 : 4))
		*said = op->version_read;
	assert_int_equal(op->version_read, *said);
	return TP_OK;
}

static void test_vertical_synchronisation(void **state)
{
	(void)state;
	struct agreement agreement;
	struct tp_pipeline pipeline = pipeline_of("timeprest", 5, 3, 40);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(&pipeline, NULL, check_agreement, &agreement, &summary), TP_OK);
	tp_sim_summary_release(&summary);
}

/* With real costs the order is dynamic; the rules hold all the same, and buffers suffice for every timing. */
static void test_uneven_costs(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 200; round++) {
		int32_t w = 1 + rand() % 6, n = 1 + rand() % 4;
		int64_t forward[6][4], backward[6][4];
		struct tp_stage_cost costs[6];
		for (int s = 0; s < 6; s++) {
			for (int j = 0; j < 4; j++) {
				forward[s][j] = 1 + rand() % 50;
				backward[s][j] = 1 + rand() % 100;
			}
			costs[s] = (struct tp_stage_cost){forward[s], backward[s], rand() % 20};
		}
		for (size_t p = 0; tp_policies[p]; p++) {
			struct tp_pipeline pipeline = pipeline_of(tp_policies[p]->name, w, n, 30);
			struct tp_sim_summary summary;
			assert_int_equal(tp_simulate(&pipeline, costs, NULL, NULL, &summary), TP_OK);
			assert_in_range(summary.version_difference_max, 1, w);
			for (int32_t s = 0; s < (pipeline.policy->single_stage ? 1 : w); s++) {
				assert_true(summary.busy[s] <= summary.makespan);
				assert_in_range(summary.versions_alive_max[s], 1, tp_ledger_buffer_bound(&pipeline, s));
			}
			tp_sim_summary_release(&summary);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_versions_alive), cmocka_unit_test(test_version_difference),
	        cmocka_unit_test(test_order),          cmocka_unit_test(test_retention),
	        cmocka_unit_test(test_latest),         cmocka_unit_test(test_vertical_synchronisation),
	        cmocka_unit_test(test_uneven_costs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
