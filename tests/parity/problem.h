/* A small training problem for the tests of the oracle: up to 14 mini-batches of 11 samples. */
#ifndef TPBENCH_TESTS_PARITY_PROBLEM_H
#define TPBENCH_TESTS_PARITY_PROBLEM_H

#include "tests/parity/oracle.h"

enum { INPUTS = 6, HIDDEN = 9, CLASSES = 5, BATCH = 11, MINIS = 7, EPOCHS = 2, RUN = EPOCHS * MINIS };

enum {
	FC1 = HIDDEN * (INPUTS + 1),
	FC2 = HIDDEN * (HIDDEN + 1),
	FC4 = CLASSES * (HIDDEN + 1),
	SIZE = FC1 + 2 * FC2 + FC4,
};

static const double EXACT = 1e-12; /* of the largest change of any weight: the same sums in another order */

static const struct oracle_mlp small = {{INPUTS, HIDDEN, HIDDEN, HIDDEN, CLASSES}};

struct problem {
	double weights[SIZE];
	double samples[RUN * BATCH * INPUTS];
	int labels[RUN * BATCH];
	struct oracle_training training; /* lr 0.1, momentum 0.9, weight decay 0.01 */
};

/* The same at every call; freed by free(). */
struct problem *problem_new(void);

/* Layers per stage, for up to 4 stages. */
const int *problem_blocks(int stages);

/* Plans and trains; 0 mini-batches and epochs stand for MINIS and EPOCHS. Writes SIZE numbers to final. */
void problem_train(struct problem *problem, struct oracle_pipeline pipeline, double *final);

/* The largest difference of two sets of weights, as a part of the largest change that a made since the start. */
double problem_difference(const struct problem *problem, const double *a, const double *b);

/* The part of a mini-batch (1-based over the run) that begins at its sample `skip`; the rows' mean gradient. */
double problem_gradient(const struct problem *problem, int mini, int skip, int rows, const double *forward,
                        const double *backward, double *gradient);

#endif
