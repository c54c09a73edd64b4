/*
 * Checks the oracle's axes: recomputation, blends of two versions, independent sequences, a bound on staleness; against
 * recursions that are written down from drawn grids, and finite differences.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/parity/problem.h"

static double history[RUN + 1][SIZE]; /* version k of all weights */

static double *layer_of(double *weights, int layer)
{
	return weights + oracle_mlp_size(&small, 0, layer);
}

/*
 * The gradient of a mini-batch where every layer is a stage that recomputes: its input is what the forward sent, the
 * weights are those of the backward.
 */
static void recomputed_gradient(const struct problem *problem, int mini, double *forward, double *backward,
                                double *gradient)
{
	static double sent[ORACLE_LAYERS][BATCH * HIDDEN];
	static double again[ORACLE_LAYERS][BATCH * HIDDEN];
	static double derivative[ORACLE_LAYERS][BATCH * HIDDEN];
	const double *samples = problem->samples + (size_t)(mini - 1) * BATCH * INPUTS;

	for (int l = 0; l < ORACLE_LAYERS; l++) {
		const double *x = l == 0 ? samples : sent[l - 1];

		oracle_mlp_forward(&small, l, layer_of(forward, l), BATCH, x, sent[l]);
		oracle_mlp_forward(&small, l, layer_of(backward, l), BATCH, x, again[l]);
	}
	oracle_mlp_loss(CLASSES, BATCH, again[ORACLE_LAYERS - 1], problem->labels + (size_t)(mini - 1) * BATCH, BATCH,
	                derivative[ORACLE_LAYERS - 1]);
	memset(gradient, 0, SIZE * sizeof(*gradient));
	for (int l = ORACLE_LAYERS - 1; l >= 0; l--)
		oracle_mlp_backward(&small, l, layer_of(backward, l), BATCH, l == 0 ? samples : sent[l - 1], again[l],
		                    derivative[l], l == 0 ? NULL : derivative[l - 1], layer_of(gradient, l));
}

/* Four stages of a layer each, two micro-batches, figure 2a: mini-batch i has tag i - 4 and stamp i - 2. */
static void recursion(const struct problem *problem, double decay, bool recompute, double *final)
{
	double momentum[SIZE] = {0};
	double backward[SIZE];
	double gradient[SIZE];

	memcpy(history[0], problem->weights, sizeof(history[0]));
	for (int i = 1; i <= RUN; i++) {
		const int first = (i - 1) / MINIS * MINIS;
		const int tag = i - 4 > first ? i - 4 : first;
		const int stamp = i - 2 > first ? i - 2 : first;
		const double part = exp(-decay * (stamp - tag));

		for (size_t k = 0; k < SIZE; k++)
			backward[k] = part * history[tag][k] + (1 - part) * history[stamp][k];
		if (recompute)
			recomputed_gradient(problem, i, history[tag], backward, gradient);
		else
			problem_gradient(problem, i, 0, BATCH, history[tag], backward, gradient);
		for (size_t k = 0; k < SIZE; k++) {
			momentum[k] = 0.9 * momentum[k] + gradient[k] + 0.01 * history[i - 1][k];
			history[i][k] = history[i - 1][k] - 0.1 * momentum[k];
		}
	}
	memcpy(final, history[RUN], sizeof(history[RUN]));
}

static void training_follows_the_recursion(void **state)
{
	struct problem *problem = problem_new();
	double stored[SIZE];
	double expected[SIZE];
	double got[SIZE];

	(void)state;
	recursion(problem, 1e4, false, stored);
	recursion(problem, 1e4, true, expected);
	problem_train(problem,
	              (struct oracle_pipeline){"timeprest", NULL, 4, .micro_batches = 2, .backward = "recompute"}, got);
	assert_true(problem_difference(problem, expected, got) < EXACT);
	assert_true(problem_difference(problem, expected, stored) > 1e-3);
	for (int recompute = 0; recompute < 2; recompute++) {
		recursion(problem, 0.3, recompute, expected);
		problem_train(problem,
		              (struct oracle_pipeline){"i-timeprest", NULL, 4, .micro_batches = 2, .decay = 0.3,
		                                       .backward = recompute ? "recompute" : "stored"},
		              got);
		assert_true(problem_difference(problem, expected, got) < EXACT);
	}
	recursion(problem, 1, false, expected);
	problem_train(problem, (struct oracle_pipeline){"i-timeprest", NULL, 4, .micro_batches = 2}, got);
	assert_true(problem_difference(problem, expected, got) < EXACT);
	free(problem);
}

/*
 * The loss of the last stage (fc2 to fc4) of two, of mini-batch 3 in 1A 2A . 1 3A 2: tag 1, stamp 2. Its input is what
 * stage 0 sent, moved as far as w moves stage 0's output from where version 2 has it: so the derivative by w's fc1 is
 * that of stage 0 at version 2, given the last stage's derivative at the input that it got.
 */
static double split_loss(const struct problem *problem, double *w)
{
	const double *samples = problem->samples + 2 * BATCH * INPUTS;
	double y[ORACLE_LAYERS][BATCH * HIDDEN];
	double at_two[BATCH * HIDDEN];
	double at_w[BATCH * HIDDEN];
	double unused[BATCH * CLASSES];

	oracle_mlp_forward(&small, 0, history[1], BATCH, samples, y[0]);
	oracle_mlp_forward(&small, 0, history[2], BATCH, samples, at_two);
	oracle_mlp_forward(&small, 0, w, BATCH, samples, at_w);
	for (size_t k = 0; k < BATCH * HIDDEN; k++)
		y[0][k] += at_w[k] - at_two[k];
	for (int l = 1; l < ORACLE_LAYERS; l++)
		oracle_mlp_forward(&small, l, layer_of(w, l), BATCH, y[l - 1], y[l]);
	return oracle_mlp_loss(CLASSES, BATCH, y[ORACLE_LAYERS - 1], problem->labels + 2 * BATCH, BATCH, unused);
}

static void recomputation_agrees_with_finite_differences(void **state)
{
	static const double step = 1e-6;
	struct problem *problem = problem_new();
	double stored[SIZE];
	double w[SIZE];
	double gap = 0;

	(void)state;
	problem->training.momentum = 0;
	problem->training.weight_decay = 0;
	memcpy(history[0], problem->weights, sizeof(history[0]));
	/* Slots to come change nothing: a run of k mini-batches ends with version k. */
	for (int k = 1; k <= 3; k++)
		problem_train(
		        problem,
		        (struct oracle_pipeline){"timeprest", NULL, 2, 1, k, .epochs = 1, .backward = "recompute"},
		        history[k]);
	problem_train(problem, (struct oracle_pipeline){"timeprest", NULL, 2, 1, 3, .epochs = 1}, stored);
	memcpy(w, history[2], sizeof(w));
	for (size_t k = 0; k < SIZE; k++) {
		double slope;

		w[k] = history[2][k] + step;
		slope = split_loss(problem, w);
		w[k] = history[2][k] - step;
		slope = (slope - split_loss(problem, w)) / (2 * step);
		w[k] = history[2][k];
		assert_true(fabs(slope - (history[2][k] - history[3][k]) / 0.1) < 1e-8);
		gap = fmax(gap, fabs(stored[k] - history[3][k]) / 0.1);
	}
	assert_true(gap > 1e-4); /* and not with the stored one's */
	free(problem);
}

static void recomputation_changes_nothing_where_versions_agree(void **state)
{
	static const char *const same[] = {"sequential",      "gpipe",           "1f1b",         "zb-h1", "pipedream",
	                                   "pipedream-vsync", "timeprest-stash", "pipedream-2bw"};
	struct problem *problem = problem_new();
	double stored[SIZE];
	double recomputed[SIZE];

	(void)state;
	for (size_t k = 0; k < sizeof(same) / sizeof(same[0]); k++) {
		struct oracle_pipeline pipeline = {same[k], NULL, 3, .micro_batches = 4};

		problem_train(problem, pipeline, stored);
		pipeline.backward = "recompute";
		problem_train(problem, pipeline, recomputed);
		assert_true(problem_difference(problem, stored, recomputed) == 0);
	}
	free(problem);
}

/* Figure 2c: mini-batches 1 to 3 have tag 0, while the backward of 3 recomputes with version 2. */
static void the_loss_is_that_of_the_forward(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_plan *plan = oracle_plan_new(
	        &(struct oracle_pipeline){"timeprest", NULL, 3, 2, MINIS, .epochs = EPOCHS, .backward = "recompute"});
	double final[SIZE];
	double gradient[SIZE];
	double losses[RUN];

	(void)state;
	problem->training.blocks = problem_blocks(3);
	assert_true(oracle_train(plan, &problem->training, final, losses));
	for (int i = 1; i <= 3; i++)
		assert_true(fabs(losses[i - 1] - problem_gradient(problem, i, 0, BATCH, problem->weights,
		                                                  problem->weights, gradient)) < EXACT);
	oracle_plan_free(plan);
	free(problem);
}

static void blends_end_at_their_ends(void **state)
{
	struct problem *problem = problem_new();
	struct oracle_pipeline pipeline = {"i-timeprest", NULL, 2, .micro_batches = 3};
	double stash[SIZE];
	double committed[SIZE];
	double got[SIZE];

	(void)state;
	problem_train(problem, (struct oracle_pipeline){"timeprest-stash", NULL, 2, .micro_batches = 3}, stash);
	problem_train(problem, (struct oracle_pipeline){"timeprest", NULL, 2, .micro_batches = 3}, committed);
	pipeline.decay = 1e-300; /* lambda is 1 */
	problem_train(problem, pipeline, got);
	assert_true(problem_difference(problem, stash, got) == 0);
	pipeline.decay = 1e4; /* and 0 */
	problem_train(problem, pipeline, got);
	assert_true(problem_difference(problem, committed, got) == 0);
	free(problem);
}

/*
 * Stamps i - 2 with sequences apart: mini-batches 1, 3, 5 .. of an epoch are one training, 2, 4, 6 .. another, which
 * starts with the first one's momentum after mini-batch 1. The first goes on in the next epoch. With an odd `tag_back`
 * the forwards of each read weights of the other.
 */
static void two_trainings(const struct problem *problem, int tag_back, int minis, int epochs, double *final)
{
	double momentum[2][SIZE] = {{0}};
	double gradient[SIZE];

	memcpy(history[0], problem->weights, sizeof(history[0]));
	for (int e = 0; e < epochs; e++) {
		const int first = e * minis;

		for (int i = 1; i <= minis; i++) {
			double *m = momentum[(i + 1) % 2];
			const double *forward = history[first + (i > tag_back ? i - tag_back : 0)];
			const double *own = history[first + (i > 2 ? i - 2 : 0)];

			if (i == 2)
				memcpy(m, momentum[0], sizeof(momentum[0]));
			problem_gradient(problem, first + i, 0, BATCH, forward, own, gradient);
			for (size_t k = 0; k < SIZE; k++) {
				m[k] = 0.9 * m[k] + gradient[k] + 0.01 * own[k];
				history[first + i][k] = own[k] - 0.1 * m[k];
			}
		}
		if (minis % 2 == 0)
			memcpy(history[first + minis], history[first + minis - 1], sizeof(history[0]));
	}
	memcpy(final, history[epochs * minis], sizeof(history[0]));
}

static void independent_sequences_go_apart(void **state)
{
	static const struct {
		int stages;
		int micro_batches;
		int tag_back;
	} cases[] = {
	        {4, 2, 4}, /* figure 2a */
	        {3, 1, 3}, /* 1A 2A 3A . . 1 4A 2 5A 3 6A; . . 1A 1 2A 2 3A 3 4A 4: 1 is committed between 2 and 3 */
	};
	struct problem *problem = problem_new();
	double expected[SIZE];
	double got[SIZE];
	double merged[SIZE];

	(void)state;
	for (int k = 0; k < 2; k++)
		for (int minis = 5; minis <= MINIS; minis++) {
			struct oracle_pipeline pipeline = {"timeprest", NULL, cases[k].stages, cases[k].micro_batches,
			                                   .mini_batches = minis};

			two_trainings(problem, cases[k].tag_back, minis, EPOCHS, expected);
			problem_train(problem, pipeline, merged);
			pipeline.sequence = "independent";
			problem_train(problem, pipeline, got);
			assert_true(problem_difference(problem, expected, got) < EXACT);
			assert_true(problem_difference(problem, merged, got) > 1e-3);
		}
	free(problem);
}

static void one_sequence_is_the_merged_one(void **state)
{
	static const struct oracle_pipeline one[] = {
	        {"timeprest", NULL, 3, .micro_batches = 2},
	        {"timeprest", NULL, 2, .micro_batches = 3},
	        {"timeprest-1f1b", NULL, 2, .micro_batches = 1},
	        {"timeprest", NULL, 4, .micro_batches = 2, .max_staleness = 1},
	};
	struct problem *problem = problem_new();
	double merged[SIZE];
	double independent[SIZE];

	(void)state;
	for (size_t k = 0; k < sizeof(one) / sizeof(one[0]); k++) {
		struct oracle_pipeline pipeline = one[k];

		problem_train(problem, pipeline, merged);
		pipeline.sequence = "independent";
		problem_train(problem, pipeline, independent);
		assert_true(problem_difference(problem, merged, independent) == 0);
	}
	free(problem);
}

/* Three stages, N = 1, v at most 1: 1A 2A 3A . . 1 4A . 2: tags i - 3 and stamps i - 1, which are those of N = 2. */
static void bounded_staleness_reads_newer_weights(void **state)
{
	struct problem *problem = problem_new();
	double two[SIZE];
	double one[SIZE];
	double bounded[SIZE];

	(void)state;
	problem_train(problem, (struct oracle_pipeline){"timeprest", NULL, 3, .micro_batches = 2}, two);
	problem_train(problem, (struct oracle_pipeline){"timeprest", NULL, 3, .micro_batches = 1}, one);
	problem_train(problem, (struct oracle_pipeline){"timeprest", NULL, 3, .micro_batches = 1, .max_staleness = 1},
	              bounded);
	assert_true(problem_difference(problem, two, bounded) < EXACT);
	assert_true(problem_difference(problem, one, bounded) > 1e-3);
	free(problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(training_follows_the_recursion),
	        cmocka_unit_test(recomputation_agrees_with_finite_differences),
	        cmocka_unit_test(recomputation_changes_nothing_where_versions_agree),
	        cmocka_unit_test(the_loss_is_that_of_the_forward),
	        cmocka_unit_test(blends_end_at_their_ends),
	        cmocka_unit_test(independent_sequences_go_apart),
	        cmocka_unit_test(one_sequence_is_the_merged_one),
	        cmocka_unit_test(bounded_staleness_reads_newer_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
