/* Checks the oracle itself: its grids against the paper's, its arithmetic against definitions that need no grid. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/parity/oracle.h"

static const double EXACT = 1e-12; /* of the largest change of any weight: the same sums in another order */

static struct oracle_plan *plan_of(const char *schedule, const char *backward_version, int stages, int micro_batches,
                                   int mini_batches, int epochs)
{
	struct oracle_plan *plan = oracle_plan_new(&(struct oracle_pipeline){.schedule = schedule,
	                                                                     .backward_version = backward_version,
	                                                                     .stages = stages,
	                                                                     .micro_batches = micro_batches,
	                                                                     .mini_batches = mini_batches,
	                                                                     .epochs = epochs});

	assert_non_null(plan);
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

static void grids_are_those_of_the_paper(void **state)
{
	struct oracle_plan *plan = plan_of("timeprest", "committed", 3, 2, 9, 1);

	(void)state;
	assert_grid_begins(plan->grids[0], "1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A 7B\n"
	                                   ". 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B 5\n"
	                                   ". . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 6A\n");
	oracle_plan_free(plan);
	plan = plan_of("timeprest", "committed", 4, 2, 9, 1);
	assert_grid_begins(plan->grids[0], "1A 1B 2A 2B 3A 3B 4A 4B 1 5A 5B 2 6A 6B 3 7A 7B 4\n"
	                                   ". 1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A\n"
	                                   ". . 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B\n"
	                                   ". . . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5\n");
	oracle_plan_free(plan);
	/* From the rule: a backward comes between two micro-batches, which so get different tags. */
	plan = plan_of("timeprest", "committed", 2, 3, 3, 1);
	assert_string_equal(plan->grids[0], "1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C . . 3\n"
	                                    ". 1A 1B 1C 1 2A 2B 2C 2 3A 3B 3C 3 .\n");
	oracle_plan_free(plan);
}

static void grids_of_the_other_schedules(void **state)
{
	struct oracle_plan *plan = plan_of("sequential", NULL, 3, 2, 3, 2);

	(void)state;
	assert_string_equal(plan->grids[0], "1A 1 2A 2 3A 3\n");
	assert_string_equal(plan->grids[1], "4A 4 5A 5 6A 6\n");
	oracle_plan_free(plan);
	plan = plan_of("gpipe", NULL, 3, 2, 2, 1);
	assert_string_equal(plan->grids[0], "1A 1B . . . . 1b 1a 2A 2B . . . . 2b 2a\n"
	                                    ". 1A 1B . . 1b 1a . . 2A 2B . . 2b 2a .\n"
	                                    ". . 1A 1B 1b 1a . . . . 2A 2B 2b 2a . .\n");
	oracle_plan_free(plan);
	/* PipeDream's 1F1B: the number of micro-batches must not matter. */
	plan = plan_of("pipedream", NULL, 3, 2, 4, 1);
	assert_string_equal(plan->grids[0], "1A 2A 3A . . 1 4A 2 . 3 . 4\n"
	                                    ". 1A 2A . 1 3A 2 4A 3 . 4 .\n"
	                                    ". . 1A 1 2A 2 3A 3 4A 4 . .\n");
	oracle_plan_free(plan);
	plan = plan_of("timeprest", NULL, 1, 28, 1, 1);
	assert_string_equal(plan->grids[0], "1A 1B 1C 1D 1E 1F 1G 1H 1I 1J 1K 1L 1M 1N 1O 1P 1Q 1R 1S 1T 1U 1V 1W 1X "
	                                    "1Y 1Z 1AA 1AB 1\n");
	oracle_plan_free(plan);
}

static void assert_alive(const char *schedule, int stages, int micro_batches, const int *expected)
{
	struct oracle_plan *plan = plan_of(schedule, NULL, stages, micro_batches, 4 * stages, 2);

	for (int s = 0; s < stages; s++)
		assert_int_equal(plan->alive[s], expected[s]);
	oracle_plan_free(plan);
}

static void versions_alive(void **state)
{
	(void)state;
	assert_alive("timeprest", 3, 2, (const int[]){1, 2, 3});
	assert_alive("pipedream", 3, 2, (const int[]){3, 2, 1});
	assert_alive("timeprest", 8, 2, (const int[]){3, 3, 3, 4, 5, 6, 7, 8});
	assert_alive("pipedream", 8, 2, (const int[]){8, 7, 6, 5, 4, 3, 2, 1});
	assert_alive("gpipe", 4, 3, (const int[]){1, 1, 1, 1});
}

static void steady_version_difference(void **state)
{
	(void)state;
	for (int stages = 2; stages <= 8; stages++)
		for (int micro_batches = 1; micro_batches <= 6; micro_batches++) {
			const int minis = 4 * stages;
			struct oracle_plan *plan = plan_of("timeprest", NULL, stages, micro_batches, minis, 2);

			for (int e = 0; e < 2; e++) {
				assert_int_equal(plan->v[e * minis], 1); /* the pipeline drained */
				for (int k = stages; k < minis - stages; k++)
					assert_int_equal(plan->v[e * minis + k],
					                 (stages + micro_batches) / (micro_batches + 1));
			}
			oracle_plan_free(plan);
		}
}

static void latest_reads_the_mini_batch_before(void **state)
{
	(void)state;
	for (int stages = 1; stages <= 8; stages++)
		for (int micro_batches = 1; micro_batches <= 4; micro_batches++) {
			struct oracle_plan *plan = plan_of("timeprest", "latest", stages, micro_batches, 12, 2);

			for (size_t k = 0; k < plan->op_count; k++)
				if (plan->ops[k].backward)
					assert_int_equal(plan->ops[k].version, plan->ops[k].mini - 1);
			oracle_plan_free(plan);
		}
}

static void bad_plans_are_refused(void **state)
{
	(void)state;
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"timeprest", "newest", 2, 2, 2, 1}));
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"gpip", NULL, 2, 2, 2, 1}));
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"gpipe", NULL, 0, 2, 2, 1}));
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"gpipe", NULL, 2, 0, 2, 1}));
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"gpipe", NULL, 2, 2, 0, 1}));
	assert_null(oracle_plan_new(&(struct oracle_pipeline){"gpipe", NULL, 2, 2, 2, 0}));
}

/* A small training problem: 2 epochs of 7 mini-batches of 11 samples. */
enum { INPUTS = 6, HIDDEN = 9, CLASSES = 5, BATCH = 11, MINIS = 7, EPOCHS = 2, RUN = EPOCHS * MINIS };

static const struct oracle_mlp small = {{INPUTS, HIDDEN, HIDDEN, HIDDEN, CLASSES}};

enum {
	FC1 = HIDDEN * (INPUTS + 1),
	FC2 = HIDDEN * (HIDDEN + 1),
	FC4 = CLASSES * (HIDDEN + 1),
	SIZE = FC1 + 2 * FC2 + FC4,
};

struct problem {
	double weights[SIZE];
	double samples[RUN * BATCH * INPUTS];
	int labels[RUN * BATCH];
	struct oracle_training training;
};

/* In [-1, 1), the same in every run. */
static double noise(void)
{
	static uint64_t seed = 20240917;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 4503599627370496.0 - 1;
}

static struct problem *problem_new(void)
{
	struct problem *problem = calloc(1, sizeof(*problem));

	assert_non_null(problem);
	assert_int_equal(oracle_mlp_size(&small, 0, ORACLE_LAYERS), SIZE);
	for (size_t k = 0; k < SIZE; k++)
		problem->weights[k] = 0.6 * noise();
	for (size_t k = 0; k < RUN * BATCH * INPUTS; k++)
		problem->samples[k] = noise();
	for (size_t k = 0; k < RUN * BATCH; k++)
		problem->labels[k] = (int)((noise() + 1) / 2 * CLASSES);
	problem->training = (struct oracle_training){.mlp = small,
	                                             .batch = BATCH,
	                                             .lr = 0.1,
	                                             .momentum = 0.9,
	                                             .weight_decay = 0.01,
	                                             .weights = problem->weights,
	                                             .samples = problem->samples,
	                                             .labels = problem->labels};
	return problem;
}

static const int *blocks_of(int stages)
{
	static const int blocks[4][4] = {{4}, {1, 3}, {1, 2, 1}, {1, 1, 1, 1}};

	return blocks[stages - 1];
}

static void train(struct problem *problem, const char *schedule, const char *backward_version, int stages,
                  int micro_batches, double *final)
{
	struct oracle_plan *plan = plan_of(schedule, backward_version, stages, micro_batches, MINIS, EPOCHS);

	problem->training.blocks = blocks_of(stages);
	assert_true(oracle_train(plan, &problem->training, final, NULL));
	oracle_plan_free(plan);
}

/* The largest difference of two sets of weights, as a part of the largest change that a made since the start. */
static double difference(const struct problem *problem, const double *a, const double *b)
{
	double change = 0;
	double gap = 0;

	for (size_t k = 0; k < SIZE; k++) {
		change = fmax(change, fabs(a[k] - problem->weights[k]));
		gap = fmax(gap, fabs(a[k] - b[k]));
	}
	assert_true(change > 0.01);
	return gap / change;
}

static void gradient_agrees_with_finite_differences(void **state)
{
	struct problem *problem = problem_new();
	static const double step = 1e-6;
	double gradient[SIZE];
	double unused[SIZE];
	double *w = problem->weights;

	(void)state;
	oracle_mlp_gradient(&small, w, w, BATCH, problem->samples, problem->labels, gradient);
	for (size_t k = 0; k < SIZE; k++) {
		const double kept = w[k];
		double up;
		double down;

		w[k] = kept + step;
		up = oracle_mlp_gradient(&small, w, w, BATCH, problem->samples, problem->labels, unused);
		w[k] = kept - step;
		down = oracle_mlp_gradient(&small, w, w, BATCH, problem->samples, problem->labels, unused);
		w[k] = kept;
		assert_true(fabs((up - down) / (2 * step) - gradient[k]) < 1e-8);
	}
	free(problem);
}

/* Doubling fc3's weights for the backward doubles what passes below it and touches nothing else. */
static void backward_reads_its_own_weights(void **state)
{
	struct problem *problem = problem_new();
	double other[SIZE];
	double same[SIZE];
	double changed[SIZE];

	(void)state;
	memcpy(other, problem->weights, sizeof(other));
	for (size_t k = FC1 + FC2; k < FC1 + 2 * FC2; k++)
		other[k] *= 2;
	oracle_mlp_gradient(&small, problem->weights, problem->weights, BATCH, problem->samples, problem->labels, same);
	oracle_mlp_gradient(&small, problem->weights, other, BATCH, problem->samples, problem->labels, changed);
	for (size_t k = 0; k < SIZE; k++)
		assert_true(fabs(changed[k] - (k < FC1 + FC2 ? 2 : 1) * same[k]) < 1e-14);
	free(problem);
}

/*
 * Training as a plain recursion, for pipelines whose versions can be read off a drawn grid: mini-batch i reads version
 * i - back of each layer, but none older than the epoch's first. Samples are in up to two parts by what they read.
 */
struct closed_form {
	const char *schedule;
	const char *backward_version;
	int stages;
	int micro_batches;
	int rows[2];
	int forward_back[2][ORACLE_LAYERS];
	int backward_back[ORACLE_LAYERS];
};

static double history[RUN + 1][SIZE]; /* version k of all weights */

static void look_back(int mini, const int *back, double *weights)
{
	const int first = (mini - 1) / MINIS * MINIS;

	for (int l = 0; l < ORACLE_LAYERS; l++) {
		const size_t offset = oracle_mlp_size(&small, 0, l);
		const int version = mini - back[l] > first ? mini - back[l] : first;

		memcpy(weights + offset, history[version] + offset, oracle_mlp_size(&small, l, 1) * sizeof(double));
	}
}

static void recursion(const struct problem *problem, const struct closed_form *form, double *final)
{
	double momentum[SIZE] = {0};
	double gradient[SIZE];
	double forward[SIZE];
	double backward[SIZE];

	memcpy(history[0], problem->weights, sizeof(history[0]));
	for (int i = 1; i <= RUN; i++) {
		double sum[SIZE] = {0};
		size_t sample = (size_t)(i - 1) * BATCH;

		look_back(i, form->backward_back, backward);
		for (int part = 0; part < 2 && form->rows[part] > 0; part++) {
			look_back(i, form->forward_back[part], forward);
			oracle_mlp_gradient(&small, forward, backward, form->rows[part],
			                    problem->samples + sample * INPUTS, problem->labels + sample, gradient);
			for (size_t k = 0; k < SIZE; k++)
				sum[k] += gradient[k] * form->rows[part] / BATCH;
			sample += (size_t)form->rows[part];
		}
		for (size_t k = 0; k < SIZE; k++) {
			const double g = sum[k] + 0.01 * history[i - 1][k];

			momentum[k] = i == 1 ? g : 0.9 * momentum[k] + g;
			history[i][k] = history[i - 1][k] - 0.1 * momentum[k];
		}
	}
	memcpy(final, history[RUN], sizeof(history[RUN]));
}

static void training_follows_the_closed_forms(void **state)
{
	static const struct closed_form forms[] = {
	        {"sequential", NULL, 1, 1, {BATCH}, {{1, 1, 1, 1}}, {1, 1, 1, 1}},
	        /* Figure 2c: mini-batch 4 enters right after 1 is committed; v = 1. */
	        {"timeprest", "committed", 3, 2, {BATCH}, {{3, 3, 3, 3}}, {1, 1, 1, 1}},
	        {"timeprest", "latest", 3, 2, {BATCH}, {{3, 3, 3, 3}}, {1, 1, 1, 1}},
	        /* Figure 2a: mini-batch 5 enters right after 1 is committed; v = 2. */
	        {"timeprest", "committed", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {2, 2, 2, 2}},
	        {"timeprest", "latest", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {1, 1, 1, 1}},
	        /* 1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C: the third micro-batch, 3 of the 11 samples, has a newer tag. */
	        {"timeprest", "committed", 2, 3, {8, 3}, {{2, 2, 2, 2}, {1, 1, 1, 1}}, {1, 1, 1, 1}},
	        /* One layer per stage, W - s mini-batches in flight at stage s. */
	        {"pipedream", NULL, 4, 2, {BATCH}, {{4, 3, 2, 1}}, {4, 3, 2, 1}},
	};
	struct problem *problem = problem_new();
	double expected[SIZE];
	double got[SIZE];

	(void)state;
	for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
		const struct closed_form *form = &forms[k];

		recursion(problem, form, expected);
		train(problem, form->schedule, form->backward_version, form->stages, form->micro_batches, got);
		assert_true(difference(problem, expected, got) < EXACT);
	}
	free(problem);
}

static void schedules_without_staleness_equal_sequential(void **state)
{
	static const struct {
		const char *schedule;
		const char *backward_version;
	} alone[] = {{"gpipe", NULL}, {"pipedream", NULL}, {"timeprest", "committed"}, {"timeprest", "latest"}};
	struct problem *problem = problem_new();
	double expected[SIZE];
	double got[SIZE];

	(void)state;
	train(problem, "sequential", NULL, 4, 3, expected);
	for (int stages = 1; stages <= 4; stages++)
		for (int micro_batches = 1; micro_batches <= 4; micro_batches++) {
			train(problem, "gpipe", NULL, stages, micro_batches, got);
			assert_true(difference(problem, expected, got) < EXACT);
		}
	for (size_t k = 0; k < sizeof(alone) / sizeof(alone[0]); k++) {
		train(problem, alone[k].schedule, alone[k].backward_version, 1, 3, got);
		assert_true(difference(problem, expected, got) < EXACT);
	}
	free(problem);
}

static void stale_schedules_differ_from_sequential(void **state)
{
	struct problem *problem = problem_new();
	double sequential[SIZE];
	double committed[SIZE];
	double latest[SIZE];
	double pipedream[SIZE];

	(void)state;
	train(problem, "sequential", NULL, 1, 1, sequential);
	train(problem, "timeprest", "committed", 2, 3, committed);
	train(problem, "timeprest", "latest", 2, 3, latest);
	train(problem, "pipedream", NULL, 2, 3, pipedream);
	/* v = 1: backward reads the newest weights, but forward read stale ones. */
	assert_true(difference(problem, sequential, committed) > 1e-3);
	assert_true(difference(problem, committed, latest) == 0);
	assert_true(difference(problem, sequential, pipedream) > 1e-3);
	assert_true(difference(problem, committed, pipedream) > 1e-3);
	free(problem);
}

static void losses_are_means_over_the_mini_batch(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_plan *plan = plan_of("gpipe", NULL, 2, 4, MINIS, EPOCHS);
	double final[SIZE];
	double gradient[SIZE];
	double losses[RUN];

	(void)state;
	problem->training.blocks = blocks_of(2);
	assert_true(oracle_train(plan, &problem->training, final, losses));
	assert_true(fabs(losses[0] - oracle_mlp_gradient(&small, problem->weights, problem->weights, BATCH,
	                                                 problem->samples, problem->labels, gradient)) < EXACT);
	oracle_plan_free(plan);
	free(problem);
}

static void training_that_does_not_fit_is_refused(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_plan *plan = plan_of("timeprest", NULL, 2, BATCH + 1, 1, 1);
	double final[SIZE];

	(void)state;
	problem->training.blocks = blocks_of(2);
	assert_false(oracle_train(plan, &problem->training, final, NULL));
	oracle_plan_free(plan);
	plan = plan_of("timeprest", NULL, 2, 2, 1, 1);
	problem->training.blocks = (const int[]){4, 0};
	assert_false(oracle_train(plan, &problem->training, final, NULL));
	problem->training.blocks = (const int[]){2, 3};
	assert_false(oracle_train(plan, &problem->training, final, NULL));
	oracle_plan_free(plan);
	free(problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grids_are_those_of_the_paper),
	        cmocka_unit_test(grids_of_the_other_schedules),
	        cmocka_unit_test(versions_alive),
	        cmocka_unit_test(steady_version_difference),
	        cmocka_unit_test(latest_reads_the_mini_batch_before),
	        cmocka_unit_test(bad_plans_are_refused),
	        cmocka_unit_test(gradient_agrees_with_finite_differences),
	        cmocka_unit_test(backward_reads_its_own_weights),
	        cmocka_unit_test(training_follows_the_closed_forms),
	        cmocka_unit_test(schedules_without_staleness_equal_sequential),
	        cmocka_unit_test(stale_schedules_differ_from_sequential),
	        cmocka_unit_test(losses_are_means_over_the_mini_batch),
	        cmocka_unit_test(training_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
