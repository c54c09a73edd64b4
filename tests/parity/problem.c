#include "tests/parity/problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* In [-1, 1). */
static double noise(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 4503599627370496.0 - 1;
}

struct problem *problem_new(void)
{
	struct problem *problem = calloc(1, sizeof(*problem));
	uint64_t seed = 20240917;

	assert_non_null(problem);
	assert_int_equal(oracle_mlp_size(&small, 0, ORACLE_LAYERS), SIZE);
	for (size_t k = 0; k < SIZE; k++)
		problem->weights[k] = 0.6 * noise(&seed);
	for (size_t k = 0; k < RUN * BATCH * INPUTS; k++)
		problem->samples[k] = noise(&seed);
	for (size_t k = 0; k < RUN * BATCH; k++)
		problem->labels[k] = (int)((noise(&seed) + 1) / 2 * CLASSES);
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

const int *problem_blocks(int stages)
{
	static const int blocks[4][4] = {{4}, {1, 3}, {1, 2, 1}, {1, 1, 1, 1}};

	return blocks[stages - 1];
}

void problem_train(struct problem *problem, struct oracle_pipeline pipeline, double *final)
{
	struct oracle_plan *plan;

	if (pipeline.mini_batches == 0)
		pipeline.mini_batches = MINIS;
	if (pipeline.epochs == 0)
		pipeline.epochs = EPOCHS;
	plan = oracle_plan_new(&pipeline);
	assert_non_null(plan);
	problem->training.blocks = problem_blocks(pipeline.stages);
	assert_true(oracle_train(plan, &problem->training, final, NULL));
	oracle_plan_free(plan);
}

double problem_difference(const struct problem *problem, const double *a, const double *b)
{
	double change = 0;
	double gap = 0;

	for (size_t k = 0; k < SIZE; k++) {
		assert_true(isfinite(a[k]) && isfinite(b[k]));
		change = fmax(change, fabs(a[k] - problem->weights[k]));
		gap = fmax(gap, fabs(a[k] - b[k]));
	}
	assert_true(change > 0.01);
	return gap / change;
}

double problem_gradient(const struct problem *problem, int mini, int skip, int rows, const double *forward,
                        const double *backward, double *gradient)
{
	const size_t sample = (size_t)(mini - 1) * BATCH + (size_t)skip;

	return oracle_mlp_gradient(&small, forward, backward, rows, problem->samples + sample * INPUTS,
	                           problem->labels + sample, gradient);
}
