/* Checks the oracle's arithmetic against definitions that need no grid, or can be read off a drawn one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/parity/problem.h"

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
	int backward_back[2][ORACLE_LAYERS];
	bool over_epochs; /* none older than the run's first instead */
};

static double history[RUN + 1][SIZE]; /* version k of all weights */

static void look_back(int mini, int first, const int *back, double *weights)
{
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
		const int first = form->over_epochs ? 0 : (i - 1) / MINIS * MINIS;
		double sum[SIZE] = {0};

		for (int part = 0; part < 2 && form->rows[part] > 0; part++) {
			look_back(i, first, form->forward_back[part], forward);
			look_back(i, first, form->backward_back[part], backward);
			problem_gradient(problem, i, part == 0 ? 0 : form->rows[0], form->rows[part], forward, backward,
			                 gradient);
			for (size_t k = 0; k < SIZE; k++)
				sum[k] += gradient[k] * form->rows[part] / BATCH;
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
	        {"sequential", NULL, 1, 1, {BATCH}, {{1, 1, 1, 1}}, {{1, 1, 1, 1}}, false},
	        /* Figure 2c: mini-batch 4 enters right after 1 is committed; v = 1. */
	        {"timeprest", "committed", 3, 2, {BATCH}, {{3, 3, 3, 3}}, {{1, 1, 1, 1}}, false},
	        {"timeprest", "latest", 3, 2, {BATCH}, {{3, 3, 3, 3}}, {{1, 1, 1, 1}}, false},
	        /* Figure 2a: mini-batch 5 enters right after 1 is committed; v = 2. */
	        {"timeprest", "committed", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{2, 2, 2, 2}}, false},
	        {"timeprest", "latest", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{1, 1, 1, 1}}, false},
	        {"timeprest", "stashed", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{4, 4, 4, 4}}, false},
	        /* 1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C: the third micro-batch, 3 of the 11 samples, has a newer tag. */
	        {"timeprest",
	         "committed",
	         2,
	         3,
	         {8, 3},
	         {{2, 2, 2, 2}, {1, 1, 1, 1}},
	         {{1, 1, 1, 1}, {1, 1, 1, 1}},
	         false},
	        {"timeprest-stash",
	         NULL,
	         2,
	         3,
	         {8, 3},
	         {{2, 2, 2, 2}, {1, 1, 1, 1}},
	         {{2, 2, 2, 2}, {1, 1, 1, 1}},
	         false},
	        /* The same grid, and the stages' own versions: stage 1 has made its update by then. */
	        {"v-timeprest", NULL, 2, 3, {8, 3}, {{2, 1, 1, 1}, {1, 1, 1, 1}}, {{1, 1, 1, 1}, {1, 1, 1, 1}}, false},
	        {"v-timeprest", NULL, 3, 2, {BATCH}, {{3, 2, 2, 1}}, {{1, 1, 1, 1}}, false}, /* figure 2c */
	        /* One layer per stage, W - s mini-batches in flight at stage s. */
	        {"pipedream", NULL, 4, 2, {BATCH}, {{4, 3, 2, 1}}, {{4, 3, 2, 1}}, false},
	        {"pipedream-vsync", NULL, 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{4, 4, 4, 4}}, false},
	        /* The same order; B(i) starts when i - 2 is committed. */
	        {"timeprest-1f1b", NULL, 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{2, 2, 2, 2}}, false},
	        {"timeprest-1f1b", "latest", 4, 2, {BATCH}, {{4, 4, 4, 4}}, {{1, 1, 1, 1}}, false},
	        /* PipeDream-2BW, equation of section 3.1: W(t + 1) = W(t) - lr g(W(t - 1)), through the epochs' ends.
	         */
	        {"pipedream-2bw", NULL, 1, 1, {BATCH}, {{2, 2, 2, 2}}, {{2, 2, 2, 2}}, true},
	        {"pipedream-2bw", NULL, 2, 3, {BATCH}, {{2, 2, 2, 2}}, {{2, 2, 2, 2}}, true},
	        {"pipedream-2bw", NULL, 4, 4, {BATCH}, {{2, 2, 2, 2}}, {{2, 2, 2, 2}}, true},
	};
	struct problem *problem = problem_new();
	double expected[SIZE];
	double got[SIZE];

	(void)state;
	for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
		const struct closed_form *form = &forms[k];

		recursion(problem, form, expected);
		problem_train(problem,
		              (struct oracle_pipeline){.schedule = form->schedule,
		                                       .backward_version = form->backward_version,
		                                       .stages = form->stages,
		                                       .micro_batches = form->micro_batches},
		              got);
		if (problem_difference(problem, expected, got) >= EXACT)
			fail_msg("%s %s W=%d N=%d", form->schedule,
			         form->backward_version ? form->backward_version : "", form->stages,
			         form->micro_batches);
	}
	free(problem);
}

static void schedules_without_staleness_equal_sequential(void **state)
{
	static const char *const flushed[] = {"gpipe", "1f1b", "zb-h1"};
	static const char *const alone[] = {"pipedream",      "pipedream-vsync", "timeprest",  "timeprest-stash",
	                                    "timeprest-1f1b", "v-timeprest",     "i-timeprest"};
	struct problem *problem = problem_new();
	double expected[SIZE];
	double got[SIZE];

	(void)state;
	problem_train(problem, (struct oracle_pipeline){"sequential", NULL, 4, .micro_batches = 3}, expected);
	for (int k = 0; k < 3; k++)
		for (int stages = 1; stages <= 4; stages++)
			for (int micro_batches = 1; micro_batches <= 4; micro_batches++) {
				problem_train(problem,
				              (struct oracle_pipeline){.schedule = flushed[k],
				                                       .stages = stages,
				                                       .micro_batches = micro_batches},
				              got);
				assert_true(problem_difference(problem, expected, got) < EXACT);
			}
	for (size_t k = 0; k < sizeof(alone) / sizeof(alone[0]); k++) {
		problem_train(problem, (struct oracle_pipeline){alone[k], NULL, 1, .micro_batches = 3}, got);
		assert_true(problem_difference(problem, expected, got) < EXACT);
		/* Nor with more stages, when one mini-batch is in flight. */
		problem_train(problem, (struct oracle_pipeline){alone[k], NULL, 4, .micro_batches = 3, .in_flight = 1},
		              got);
		assert_true(problem_difference(problem, expected, got) < EXACT);
	}
	free(problem);
}

static void stale_schedules_differ(void **state)
{
	static const char *const stale[] = {"sequential",      "pipedream",   "pipedream-vsync", "timeprest",
	                                    "timeprest-stash", "v-timeprest", "i-timeprest",     "pipedream-2bw"};
	enum { COUNT = sizeof(stale) / sizeof(stale[0]) };
	struct problem *problem = problem_new();
	double final[COUNT][SIZE];
	double latest[SIZE];

	(void)state;
	for (int k = 0; k < COUNT; k++) {
		problem_train(problem, (struct oracle_pipeline){stale[k], NULL, 2, .micro_batches = 3}, final[k]);
		for (int other = 0; other < k; other++)
			if (problem_difference(problem, final[other], final[k]) < 1e-3)
				fail_msg("%s as %s", stale[k], stale[other]);
	}
	/* v = 1: backward reads the newest weights, but forward read stale ones. */
	problem_train(problem, (struct oracle_pipeline){"timeprest", "latest", 2, .micro_batches = 3}, latest);
	assert_true(problem_difference(problem, final[3], latest) == 0);
	free(problem);
}

static void losses_are_means_over_the_mini_batch(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_plan *plan =
	        oracle_plan_new(&(struct oracle_pipeline){"gpipe", NULL, 2, 4, MINIS, .epochs = EPOCHS});
	double final[SIZE];
	double gradient[SIZE];
	double losses[RUN];

	(void)state;
	problem->training.blocks = problem_blocks(2);
	assert_true(oracle_train(plan, &problem->training, final, losses));
	assert_true(fabs(losses[0] - oracle_mlp_gradient(&small, problem->weights, problem->weights, BATCH,
	                                                 problem->samples, problem->labels, gradient)) < EXACT);
	oracle_plan_free(plan);
	free(problem);
}

static void training_that_does_not_fit_is_refused(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_plan *plan =
	        oracle_plan_new(&(struct oracle_pipeline){"timeprest", NULL, 2, BATCH + 1, 1, .epochs = 1});
	double final[SIZE];

	(void)state;
	problem->training.blocks = problem_blocks(2);
	assert_false(oracle_train(plan, &problem->training, final, NULL));
	oracle_plan_free(plan);
	plan = oracle_plan_new(&(struct oracle_pipeline){"timeprest", NULL, 2, 2, 1, .epochs = 1});
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
	        cmocka_unit_test(gradient_agrees_with_finite_differences),
	        cmocka_unit_test(backward_reads_its_own_weights),
	        cmocka_unit_test(training_follows_the_closed_forms),
	        cmocka_unit_test(schedules_without_staleness_equal_sequential),
	        cmocka_unit_test(stale_schedules_differ),
	        cmocka_unit_test(losses_are_means_over_the_mini_batch),
	        cmocka_unit_test(training_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
