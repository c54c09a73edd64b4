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
	check_alive("1f1b", 4, 3, (const int32_t[]){1, 1, 1, 1});
	check_alive("zb-h1", 4, 3, (const int32_t[]){1, 1, 1, 1});
	check_alive("v-timeprest", 4, 3, (const int32_t[]){1, 1, 1, 1});
	check_alive("pipedream-2bw", 4, 4, (const int32_t[]){2, 2, 2, 2});
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
	int64_t forwards, backwards, weights, updates, last_end;
};

struct order_check {
	struct tp_pipeline pipeline;
	struct seen_stage *stages;
	int64_t *forward_end;  /* [stage][forward index] */
	int64_t *backward_end; /* [stage][backward position] */
	int32_t fpm, bpm;
	bool split;
};

/* pipedream-2bw wants at least as many micro-batches as stages. */
static bool is_refused(const struct tp_policy *policy, int32_t stages, int32_t micro_batches)
{
	return policy->forward_reads == TP_READS_DELAYED && micro_batches < stages;
}

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
	} else if (op->action.kind == TP_OP_BW) {
		assert_int_equal(op->action.mini, stage->weights / check->bpm + 1);
		assert_int_equal(op->action.micro, stage->weights % check->bpm);
		assert_true(check->backward_end[op->stage * backwards + stage->weights] <= op->start);
		stage->weights++;
	} else {
		int64_t position = stage->backwards++;
		assert_int_equal(op->action.mini, position / check->bpm + 1);
		check->backward_end[op->stage * backwards + position] = op->end;
		if (op->stage < check->pipeline.stages - 1)
			assert_true(check->backward_end[(op->stage + 1) * backwards + position] <= op->start);
		/* Its own forwards are done here. */
		assert_true(stage->forwards >= op->action.mini * check->fpm || op->action.micro != TP_WHOLE);
		assert_true(stage->forwards > tp_forward_index(&op->action, check->fpm));
	}
	if (op->updates) {
		assert_int_equal(++stage->updates, op->action.mini);
		assert_int_equal(check->split ? stage->weights : stage->backwards, stage->updates * check->bpm);
	}
	int64_t begun = (stage->forwards + check->fpm - 1) / check->fpm;
	int64_t ended = check->split ? stage->weights : stage->backwards;
	assert_true(begun - stage->updates <= tp_minis_in_flight(&check->pipeline, op->stage));
	if (check->bpm == check->fpm)
		assert_true(stage->forwards - ended <= tp_micros_in_flight(&check->pipeline, op->stage));
	return TP_OK;
}

static void check_plan(const char *schedule, int32_t w, int32_t n)
{
	struct order_check check = {.pipeline = pipeline_of(schedule, w, n, 2 * w + 3)};
	check.fpm = tp_forwards_per_mini(check.pipeline.policy, n);
	check.bpm = tp_backwards_per_mini(check.pipeline.policy, n);
	check.split = check.pipeline.policy->backward_split;
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
			for (int32_t n = 1; n <= 6; n++) {
				if (!is_refused(tp_policies[p], w, n))
					check_plan(tp_policies[p]->name, w, n);
			}
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
	int32_t micro_batches;
};

static enum tp_status record(void *context, const struct tp_sim_op *op)
{
	struct recording *recording = context;
	assert_true(recording->count < recording->capacity);
	recording->ops[recording->count++] = *op;
	return TP_OK;
}

/* Was the version read by a forward here that had started, or is it the tag of one that had entered, whose backward
 * ends here later? */
static bool stashed(const struct recording *all, const struct tp_policy *policy, const struct tp_sim_op *at, int64_t k)
{
	for (size_t f = 0; f < all->count; f++) {
		const struct tp_sim_op *forward = &all->ops[f];
		if (forward->stage != at->stage || forward->action.kind != TP_OP_F || forward->version_read != k)
			continue;
		int64_t index = tp_forward_index(&forward->action,
		                                 policy->forward_unit == TP_UNIT_MICRO ? all->micro_batches : 1);
		bool held = policy->forward_reads == TP_READS_TAG && at->stage > 0 ? index < at->seen.entered
		                                                                   : forward->start <= at->start;
		for (size_t b = 0; held && b < all->count; b++) {
			const struct tp_sim_op *backward = &all->ops[b];
			if (backward->stage == at->stage && backward->action.kind == TP_OP_B &&
			    backward->action.mini == forward->action.mini && backward->end > at->end)
				return true;
		}
	}
	return false;
}

static bool needed(const struct recording *all, const struct tp_pipeline *pipeline, const struct tp_sim_op *at,
                   int64_t k)
{
	const struct tp_policy *policy = pipeline->policy;
	bool tags = policy->forward_reads == TP_READS_TAG, stamps = tp_policy_stamps(policy);
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
	}
	return tp_policy_keeps_forward_versions(policy) && stashed(all, policy, at, k);
}

static void check_retention(const char *schedule, int32_t w, int32_t n)
{
	struct tp_pipeline pipeline = pipeline_of(schedule, w, n, 2 * w + 2);
	struct recording all = {.capacity = (size_t)(w * (n + n) * (2 * w + 2)), .micro_batches = n};
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
			check_retention("timeprest-stash", w, n);
			check_retention("timeprest-1f1b", w, n);
			check_retention("i-timeprest", w, n);
			check_retention("v-timeprest", w, n);
			check_retention("pipedream", w, n);
			check_retention("pipedream-vsync", w, n);
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

/* Random durations for up to six stages of up to four micro-batches. */
struct random_costs {
	int64_t values[3][6][4];
	int64_t transfer[2][6][4];
	struct tp_stage_cost stage[6];
	struct tp_boundary_cost boundary[5];
};

static void draw_costs(struct random_costs *costs, const struct tp_policy *policy)
{
	for (int s = 0; s < 6; s++) {
		for (int j = 0; j < 4; j++) {
			for (int k = 0; k < 3; k++)
				costs->values[k][s][j] = 1 + rand() % (50 + 50 * k);
			costs->transfer[0][s][j] = rand() % 30;
			costs->transfer[1][s][j] = rand() % 30;
		}
		costs->stage[s] = (struct tp_stage_cost){
		        .forward = costs->values[0][s],
		        .backward = costs->values[1][s],
		        .weights = policy->backward_split ? costs->values[2][s] : NULL,
		        .update = rand() % 20,
		};
	}
	for (int s = 0; s < 5; s++)
		costs->boundary[s] = (struct tp_boundary_cost){{costs->transfer[0][s], rand() % 40},
		                                               {costs->transfer[1][s], rand() % 40}};
}

static void check_uneven(const struct tp_policy *policy, int32_t w, int32_t n, bool links)
{
	struct random_costs costs;
	struct tp_pipeline pipeline = {.policy = policy, .stages = policy->single_stage ? 1 : w, .minis = 30};
	pipeline.micro_batches = n;
	draw_costs(&costs, policy);
	const struct tp_sim_input input = {
	        .pipeline = &pipeline, .costs = costs.stage, .boundaries = links ? costs.boundary : NULL};
	struct tp_sim_summary summary, again;
	assert_int_equal(tp_simulate_epoch(&input, &summary), TP_OK);
	assert_in_range(summary.version_difference_max, 1, tp_minis_in_flight(&pipeline, 0));
	for (int32_t s = 0; s < pipeline.stages; s++) {
		assert_true(summary.busy[s] <= summary.makespan);
		assert_in_range(summary.versions_alive_max[s], 1, tp_ledger_buffer_bound(&pipeline, s));
	}
	/* The same again, to the last number. */
	assert_int_equal(tp_simulate_epoch(&input, &again), TP_OK);
	assert_int_equal(again.makespan, summary.makespan);
	assert_memory_equal(again.busy, summary.busy, (size_t)pipeline.stages * sizeof *again.busy);
	tp_sim_summary_release(&summary);
	tp_sim_summary_release(&again);
}

/* With real costs the order is dynamic; the rules hold all the same, and buffers suffice for every timing. */
static void test_uneven_costs(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 200; round++) {
		int32_t w = 1 + rand() % 6, n = 1 + rand() % 4;
		for (size_t p = 0; tp_policies[p]; p++) {
			if (!is_refused(tp_policies[p], w, n))
				check_uneven(tp_policies[p], w, n, round % 2);
		}
	}
}

/* --- the staleness bound ---------------------------------------------------------------------------------------------
 */

static int64_t bounded_makespan(struct tp_pipeline *pipeline, const struct random_costs *costs, int64_t bound,
                                int64_t *difference)
{
	const struct tp_sim_input input = {.pipeline = pipeline,
	                                   .costs = costs ? costs->stage : NULL,
	                                   .boundaries = costs ? costs->boundary : NULL};
	struct tp_sim_summary summary;
	pipeline->max_staleness = bound;
	assert_int_equal(tp_simulate_epoch(&input, &summary), TP_OK);
	*difference = summary.version_difference_max;
	int64_t makespan = summary.makespan;
	tp_sim_summary_release(&summary);
	return makespan;
}

/* v never passes the bound, in slots and under any costs; a bound that v would not reach changes nothing; and somewhere
 * the tight one costs time. */
static void test_max_staleness(void **state)
{
	(void)state;
	static const char *const schedules[] = {"timeprest", "timeprest-1f1b", "i-timeprest"};
	int dearer = 0;
	srand(11);
	for (int round = 0; round < 90; round++) {
		struct random_costs costs;
		struct tp_pipeline pipeline = pipeline_of(schedules[round % 3], 2 + rand() % 5, 1 + rand() % 4, 25);
		draw_costs(&costs, pipeline.policy);
		for (int timed = 0; timed < 2; timed++) {
			const struct random_costs *given = timed ? &costs : NULL;
			int64_t difference, free_time = bounded_makespan(&pipeline, given, 0, &difference);
			assert_int_equal(bounded_makespan(&pipeline, given, difference, &difference), free_time);
			for (int64_t bound = 1; bound <= 3; bound++) {
				int64_t found;
				dearer += bounded_makespan(&pipeline, given, bound, &found) > free_time;
				assert_in_range(found, 1, bound);
			}
		}
	}
	assert_true(dearer > 10);
}

/* --- sequences
 * -------------------------------------------------------------------------------------------------------- */

struct lineages {
	int64_t base[64]; /* by mini-batch: version that its update at stage 0 started from */
};

static enum tp_status note_base(void *context, const struct tp_sim_op *op)
{
	struct lineages *lineages = context;
	if (!op->updates)
		return TP_OK;
	if (op->stage == 0)
		lineages->base[op->action.mini] = op->update.base;
	assert_int_equal(op->update.base, op->stamp);
	return TP_OK;
}

/* Independent sequences: one chain where v = 1, else v of them that never meet, as the paper draws for W = 4, N = 2
 * (1 3 5 .. and 2 4 6 ..); merged, every update extends the one before. */
static void test_independent_sequences(void **state)
{
	(void)state;
	struct lineages lineages;
	struct tp_sim_summary summary;
	struct tp_pipeline pipeline = pipeline_of("timeprest", 4, 2, 12);
	pipeline.independent = true;
	assert_int_equal(tp_simulate(&pipeline, NULL, note_base, &lineages, &summary), TP_OK);
	assert_int_equal(summary.version_chains, 2);
	for (int64_t i = 1; i <= 12; i++)
		assert_int_equal(lineages.base[i], i > 2 ? i - 2 : 0);
	tp_sim_summary_release(&summary);
	for (int32_t w = 1; w <= 12; w++) {
		for (int32_t n = 1; n <= 5; n++) {
			pipeline.stages = w;
			pipeline.micro_batches = n;
			pipeline.minis = 3 * w + 8;
			assert_int_equal(tp_simulate(&pipeline, NULL, note_base, &lineages, &summary), TP_OK);
			assert_int_equal(summary.version_chains, tp_version_difference_exact(w, n));
			tp_sim_summary_release(&summary);
		}
	}
}

/* The depth of the in-flight limit is W unless it is given; at the first stage so many mini-batches begin before the
 * first backward, at least one everywhere. */
static enum tp_status count_before_backward(void *context, const struct tp_sim_op *op)
{
	int64_t *begun = context;
	if (op->action.kind == TP_OP_F && begun[op->stage] >= 0)
		begun[op->stage] = op->action.mini;
	else if (begun[op->stage] > 0)
		begun[op->stage] = -begun[op->stage];
	return TP_OK;
}

static void test_in_flight(void **state)
{
	(void)state;
	for (int32_t depth = 1; depth <= 8; depth++) {
		struct tp_pipeline pipeline = pipeline_of("timeprest", 4, 2, 20);
		struct tp_sim_summary summary;
		int64_t begun[4] = {0};
		pipeline.depth = depth;
		assert_int_equal(tp_simulate(&pipeline, NULL, count_before_backward, begun, &summary), TP_OK);
		for (int32_t s = 0; s < 4; s++)
			assert_true(-begun[s] <= (depth > s ? depth - s : 1));
		assert_int_equal(-begun[0], depth < 4 ? depth : 4); /* from there on a backward comes first */
		tp_sim_summary_release(&summary);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_versions_alive),
	        cmocka_unit_test(test_version_difference),
	        cmocka_unit_test(test_order),
	        cmocka_unit_test(test_retention),
	        cmocka_unit_test(test_latest),
	        cmocka_unit_test(test_vertical_synchronisation),
	        cmocka_unit_test(test_uneven_costs),
	        cmocka_unit_test(test_max_staleness),
	        cmocka_unit_test(test_independent_sequences),
	        cmocka_unit_test(test_in_flight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
