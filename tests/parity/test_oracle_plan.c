/* Checks the oracle's slot plans: grids against those drawn by hand and the papers', versions against derivations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/parity/oracle.h"
#include "tests/schedule/known_grids.h"

static struct oracle_plan *plan_of(struct oracle_pipeline pipeline)
{
	struct oracle_plan *plan = oracle_plan_new(&pipeline);

	if (plan == NULL)
		fail_msg("%s W=%d N=%d is refused", pipeline.schedule, pipeline.stages, pipeline.micro_batches);
	return plan;
}

/* Every line of the grid begins with the line of `begin`, to the end of a token; both have the same lines. */
static void assert_grid_begins(const char *grid, const char *begin)
{
	while (*begin != '\0') {
		size_t length = strcspn(begin, "\n");

		if (strncmp(grid, begin, length) != 0 || (grid[length] != ' ' && grid[length] != '\n'))
			fail_msg("the line\n%.*s\ndoes not begin with\n%.*s", (int)strcspn(grid, "\n"), grid,
			         (int)length, begin);
		grid += strcspn(grid, "\n") + 1;
		begin += length + 1;
	}
	assert_string_equal(grid, "");
}

static void grids_are_the_known_ones(void **state)
{
	(void)state;
	for (int k = 0; k < KNOWN_GRIDS; k++) {
		const struct known_grid *known = &known_grids[k];
		struct oracle_plan *plan = plan_of((struct oracle_pipeline){.schedule = known->schedule,
		                                                            .stages = known->stages,
		                                                            .micro_batches = known->micro_batches,
		                                                            .mini_batches = known->mini_batches,
		                                                            .epochs = 1,
		                                                            .in_flight = known->in_flight,
		                                                            .max_staleness = known->max_staleness});

		if (known->begins)
			assert_grid_begins(plan->grids[0], known->grid);
		else
			assert_string_equal(plan->grids[0], known->grid);
		oracle_plan_free(plan);
	}
}

static void mini_batches_go_on_over_epochs(void **state)
{
	struct oracle_plan *plan = plan_of((struct oracle_pipeline){"sequential", NULL, 3, 2, 3, .epochs = 2});

	(void)state;
	assert_string_equal(plan->grids[0], "1A 1 2A 2 3A 3\n");
	assert_string_equal(plan->grids[1], "4A 4 5A 5 6A 6\n");
	oracle_plan_free(plan);
}

static void versions_alive(void **state)
{
	static const struct {
		struct oracle_pipeline pipeline;
		int alive[8];
	} cases[] = {
	        {{.schedule = "timeprest", .stages = 3, .micro_batches = 2}, {1, 2, 3}},
	        {{.schedule = "pipedream", .stages = 3, .micro_batches = 2}, {3, 2, 1}},
	        {{.schedule = "timeprest", .stages = 8, .micro_batches = 2}, {3, 3, 3, 4, 5, 6, 7, 8}},
	        {{.schedule = "pipedream", .stages = 8, .micro_batches = 2}, {8, 7, 6, 5, 4, 3, 2, 1}},
	        /* Three mini-batches are under way with three tags, the oldest needed up to its backward. */
	        {{.schedule = "pipedream-vsync", .stages = 3, .micro_batches = 2}, {3, 3, 3}},
	        {{.schedule = "timeprest-stash", .stages = 3, .micro_batches = 2}, {3, 3, 3}},
	        {{.schedule = "i-timeprest", .stages = 3, .micro_batches = 2}, {3, 3, 3}},
	        {{.schedule = "pipedream-2bw", .stages = 4, .micro_batches = 4}, {2, 2, 2, 2}},
	        {{.schedule = "v-timeprest", .stages = 4, .micro_batches = 3}, {1, 1, 1, 1}},
	        {{.schedule = "gpipe", .stages = 4, .micro_batches = 3}, {1, 1, 1, 1}},
	        {{.schedule = "1f1b", .stages = 4, .micro_batches = 3}, {1, 1, 1, 1}},
	        {{.schedule = "zb-h1", .stages = 4, .micro_batches = 3}, {1, 1, 1, 1}},
	        /* 2A 3A . . 1 4A 2: after 2, version 0 is 3A's, 1 is 4A's. */
	        {{.schedule = "pipedream", .stages = 2, .micro_batches = 1, .in_flight = 3}, {3, 1}},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct oracle_pipeline pipeline = cases[k].pipeline;
		struct oracle_plan *plan;

		pipeline.mini_batches = 4 * pipeline.stages;
		pipeline.epochs = 2;
		plan = plan_of(pipeline);
		for (int s = 0; s < plan->stages; s++)
			if (plan->alive[s] != cases[k].alive[s])
				fail_msg("%s: stage %d of %d has %d versions", pipeline.schedule, s, plan->stages,
				         plan->alive[s]);
		oracle_plan_free(plan);
	}
}

static void steady_version_difference(void **state)
{
	(void)state;
	for (int stages = 2; stages <= 8; stages++)
		for (int micro_batches = 1; micro_batches <= 6; micro_batches++) {
			const int minis = 4 * stages;
			struct oracle_plan *plan = plan_of(
			        (struct oracle_pipeline){"timeprest", NULL, stages, micro_batches, minis, .epochs = 2});

			for (int e = 0; e < 2; e++) {
				assert_int_equal(plan->v[e * minis], 1); /* the pipeline drained */
				for (int k = stages; k < minis - stages; k++)
					assert_int_equal(plan->v[e * minis + k],
					                 (stages + micro_batches) / (micro_batches + 1));
			}
			oracle_plan_free(plan);
		}
}

static int slots_of(const struct oracle_plan *plan)
{
	return plan->ops[plan->op_count - 1].slot + 1;
}

/* The bound holds and is reached wherever v would pass it, and then costs slots; elsewhere it changes nothing. */
static void staleness_is_bounded(void **state)
{
	static const char *const schedules[] = {"timeprest", "timeprest-1f1b", "i-timeprest"};

	(void)state;
	for (int k = 0; k < 3; k++)
		for (int stages = 1; stages <= 8; stages++)
			for (int bound = 1; bound <= 4; bound++) {
				struct oracle_pipeline pipeline = {schedules[k], NULL,       stages, 1,
				                                   4 * stages,   .epochs = 1};
				struct oracle_plan *free_plan = plan_of(pipeline);
				struct oracle_plan *plan;
				int most = 0;
				int most_free = 0;

				pipeline.max_staleness = bound;
				plan = plan_of(pipeline);
				for (int i = 0; i < 4 * stages; i++) {
					most = plan->v[i] > most ? plan->v[i] : most;
					most_free = free_plan->v[i] > most_free ? free_plan->v[i] : most_free;
				}
				assert_int_equal(most, most_free < bound ? most_free : bound);
				if (most_free > bound)
					assert_true(slots_of(plan) > slots_of(free_plan));
				else
					assert_string_equal(plan->grids[0], free_plan->grids[0]);
				oracle_plan_free(plan);
				oracle_plan_free(free_plan);
			}
}

static void backwards_read_by_mini_batch(void **state)
{
	static const struct {
		const char *schedule;
		const char *backward_version;
		int back; /* mini-batch i reads version i - back, but none before the first; its forward too for 2BW */
	} cases[] = {{"timeprest", "latest", 1}, {"timeprest-1f1b", "latest", 1},
	             {"v-timeprest", NULL, 1},   {"1f1b", NULL, 1},
	             {"zb-h1", NULL, 1},         {"pipedream-2bw", NULL, 2}};

	(void)state;
	for (int k = 0; k < 6; k++)
		for (int stages = 1; stages <= 6; stages++)
			for (int more = 0; more < 3; more++) {
				struct oracle_plan *plan =
				        plan_of((struct oracle_pipeline){cases[k].schedule, cases[k].backward_version,
				                                         stages, stages + more, 12, .epochs = 2});

				for (size_t o = 0; o < plan->op_count; o++) {
					const struct oracle_op *op = &plan->ops[o];
					const int back = op->mini > cases[k].back ? cases[k].back : op->mini;

					if (op->backward || strcmp(cases[k].schedule, "pipedream-2bw") == 0)
						assert_int_equal(op->version, op->mini - back);
				}
				oracle_plan_free(plan);
			}
}

/* Chains by the mini-batch that a backward builds on; the first of each epoch builds on none. */
static void chains_are_counted(void **state)
{
	static const struct {
		struct oracle_pipeline pipeline;
		int chains;
	} cases[] = {
	        {{.schedule = "sequential", .stages = 1, .micro_batches = 1}, 1},
	        {{.schedule = "zb-h1", .stages = 4, .micro_batches = 4}, 1},
	        {{.schedule = "timeprest", .stages = 3, .micro_batches = 2}, 1}, /* figure 2c */
	        {{.schedule = "timeprest", .stages = 4, .micro_batches = 2}, 2}, /* figure 2a */
	        {{.schedule = "timeprest", .stages = 4, .micro_batches = 2, .sequence = "independent"}, 2},
	        {{.schedule = "timeprest", .stages = 3, .micro_batches = 2, .sequence = "independent"}, 1},
	        {{.schedule = "timeprest", .stages = 8, .micro_batches = 1}, 4},
	        {{.schedule = "timeprest", .stages = 8, .micro_batches = 1, .max_staleness = 3}, 3},
	        {{.schedule = "timeprest-1f1b", .stages = 6, .micro_batches = 9}, 3},
	        {{.schedule = "timeprest", .backward_version = "latest", .stages = 8, .micro_batches = 1}, 1},
	        {{.schedule = "timeprest-stash", .stages = 3, .micro_batches = 2}, 3},
	        {{.schedule = "pipedream-vsync", .stages = 4, .micro_batches = 1}, 4},
	        {{.schedule = "pipedream-2bw", .stages = 4, .micro_batches = 4}, 2},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct oracle_pipeline pipeline = cases[k].pipeline;
		struct oracle_plan *plan;

		pipeline.mini_batches = 20;
		pipeline.epochs = 2;
		plan = plan_of(pipeline);
		for (int e = 0; e < 2; e++)
			if (plan->chains[e] != cases[k].chains)
				fail_msg("%s W=%d N=%d: %d chains", pipeline.schedule, pipeline.stages,
				         pipeline.micro_batches, plan->chains[e]);
		oracle_plan_free(plan);
	}
}

/* Figure 2a: 1, 3, 5 .. extend one another and so do 2, 4, 6 ..; 2 forks, since 1 has extended the first version. */
static void independent_sequences_are_the_papers(void **state)
{
	struct oracle_plan *plan =
	        plan_of((struct oracle_pipeline){"timeprest", NULL, 4, 2, 7, .epochs = 2, .sequence = "independent"});
	static const int lineage[] = {1, 2, 1, 2, 1, 2, 1, 1, 2, 1, 2, 1, 2, 1};

	(void)state;
	for (int i = 0; i < 14; i++) {
		assert_int_equal(plan->lineage[i], lineage[i]);
		assert_int_equal(plan->forked_from[i], i % 7 == 1);
	}
	oracle_plan_free(plan);
}

/* A micro-batch's tag, stamp and what lies between them, on the grid with a backward between two micro-batches. */
static void micro_batches_read_their_own(void **state)
{
	static const double by_two = 0.60653065971263342; /* exp(-0.5) */
	struct oracle_plan *stash = plan_of((struct oracle_pipeline){"timeprest-stash", NULL, 2, 3, 3, .epochs = 1});
	struct oracle_plan *between =
	        plan_of((struct oracle_pipeline){"i-timeprest", NULL, 2, 3, 3, .epochs = 1, .decay = 0.5});

	(void)state;
	for (size_t k = 0; k < stash->op_count; k++) {
		const struct oracle_op *op = &stash->ops[k];
		const struct oracle_op *also = &between->ops[k];

		if (!op->backward) {
			assert_null(op->tags);
			continue;
		}
		/* 1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C */
		for (int j = 0; j < 3; j++) {
			const int tag = op->mini == 1 ? 0 : op->mini - 2 + (j == 2);

			assert_int_equal(op->tags[j], tag);
			assert_int_equal(also->tags[j], tag);
			assert_true(also->lambda[j] == (tag == op->mini - 1 ? 1 : by_two));
		}
		assert_null(op->lambda);
		assert_int_equal(op->version, op->tags[2]);
		assert_int_equal(also->version, op->mini - 1);
	}
	oracle_plan_free(stash);
	oracle_plan_free(between);
}

/* What a stage has begun and ended, by the list of operations so far. */
struct counts {
	int forwards;
	int backwards; /* whole or BX */
	int weight_parts;
	int minis_begun;
	int minis_ended;
	int most; /* at once, of what W - s limits */
};

static void count(struct counts *counts, const struct oracle_op *op, int micro_batches, bool by_micro)
{
	int now;

	if (!op->backward) {
		counts->minis_begun += counts->forwards % micro_batches == 0;
		counts->forwards++;
	} else if (op->part == ORACLE_WEIGHT) {
		counts->weight_parts++;
	} else {
		counts->backwards++;
	}
	counts->minis_ended += op->update;
	now = by_micro ? counts->forwards - counts->backwards : counts->minis_begun - counts->minis_ended;
	counts->most = now > counts->most ? now : counts->most;
}

static void limits_hold(void **state)
{
	static const struct {
		const char *schedule;
		bool flush;
		bool by_micro;
		bool split;
	} cases[] = {
	        {"1f1b", true, true, false},
	        {"zb-h1", true, true, true},
	        {"pipedream-2bw", false, true, false},
	        {"gpipe", true, false, false},
	        {"pipedream", false, false, false},
	        {"timeprest", false, false, false},
	        {"timeprest-stash", false, false, false},
	        {"v-timeprest", false, false, false},
	        {"pipedream-vsync", false, false, false},
	        {"i-timeprest", false, false, false},
	        {"timeprest-1f1b", false, false, false},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
		for (int stages = 1; stages <= 6; stages++)
			for (int depth = 1; depth <= 8; depth++) {
				struct counts counts[6] = {{0}};
				struct oracle_plan *plan = plan_of((struct oracle_pipeline){
				        cases[k].schedule, NULL, stages, 9, 10, .epochs = 2, .in_flight = depth});

				for (size_t o = 0; o < plan->op_count; o++) {
					struct counts *at = &counts[plan->ops[o].stage];

					count(at, &plan->ops[o], plan->micro_batches, cases[k].by_micro);
					if (cases[k].flush)
						assert_in_range(at->minis_begun - at->minis_ended, 0, 1);
					if (cases[k].split)
						assert_in_range(at->forwards - at->weight_parts, 0, depth);
				}
				for (int s = 0; s < stages; s++) {
					const int cap = depth > s + 1 ? depth - s : 1;

					assert_int_equal(counts[s].minis_ended, 20);
					assert_int_equal(counts[s].weight_parts, cases[k].split ? 180 : 0);
					if (cases[k].by_micro || !cases[k].flush)
						assert_in_range(counts[s].most, 1, cap);
				}
				/* Where W units enter before the first backward comes back, the limit is reached. */
				if (depth == stages &&
				    (cases[k].by_micro || (!cases[k].flush && plan->micro_batches == 1)))
					assert_int_equal(counts[0].most, depth);
				oracle_plan_free(plan);
			}
}

static void bad_plans_are_refused(void **state)
{
	static const struct oracle_pipeline bad[] = {
	        {.schedule = "timeprest", .backward_version = "newest"},
	        {.schedule = "gpip"},
	        {.schedule = "gpipe", .stages = -2},
	        {.schedule = "gpipe", .micro_batches = -3},
	        {.schedule = "gpipe", .mini_batches = -2},
	        {.schedule = "gpipe", .epochs = -2},
	        {.schedule = "gpipe", .backward = "recomputed"},
	        {.schedule = "timeprest", .sequence = "merge"},
	        {.schedule = "timeprest", .max_staleness = -1},
	        {.schedule = "timeprest", .in_flight = -1},
	        {.schedule = "i-timeprest", .decay = -1},
	        {.schedule = "pipedream", .max_staleness = 1},
	        {.schedule = "timeprest", .backward_version = "latest", .max_staleness = 1},
	        {.schedule = "pipedream", .sequence = "independent"},
	        {.schedule = "i-timeprest", .sequence = "independent"},
	        {.schedule = "timeprest-1f1b", .backward_version = "stashed", .sequence = "independent"},
	        {.schedule = "pipedream-2bw", .in_flight = 4},
	        {.schedule = "pipedream-2bw", .stages = 2}, /* that is 4 stages, 3 micro-batches */
	};

	(void)state;
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		struct oracle_pipeline pipeline = bad[k];

		/* All that the case does not say is right. */
		pipeline.stages += 2;
		pipeline.micro_batches += 3;
		pipeline.mini_batches += 2;
		pipeline.epochs += 2;
		if (oracle_plan_new(&pipeline) != NULL)
			fail_msg("case %zu is not refused", k);
	}
	oracle_plan_free(plan_of((struct oracle_pipeline){"pipedream-2bw", NULL, 3, 3, 2, .epochs = 2}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grids_are_the_known_ones),
	        cmocka_unit_test(mini_batches_go_on_over_epochs),
	        cmocka_unit_test(versions_alive),
	        cmocka_unit_test(steady_version_difference),
	        cmocka_unit_test(staleness_is_bounded),
	        cmocka_unit_test(backwards_read_by_mini_batch),
	        cmocka_unit_test(chains_are_counted),
	        cmocka_unit_test(independent_sequences_are_the_papers),
	        cmocka_unit_test(micro_batches_read_their_own),
	        cmocka_unit_test(limits_hold),
	        cmocka_unit_test(bad_plans_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
