/*
 * The oracle of the parity tests: pipeline training recomputed from the written rules alone, by one thread, slowly,
 * keeping every version of every weight. It shares no code with the engine.
 *
 * It works in two steps. oracle_plan_new() plays the slot rule on a grid and notes which version every forward and
 * every backward reads; this needs no model, so any number of stages will do. oracle_train() then does the arithmetic
 * of the perceptron of oracle_mlp.h in the grid's order. The plan is that of static order.
 *
 *	struct oracle_plan *plan = oracle_plan_new(&(struct oracle_pipeline){
 *		.schedule = "timeprest", .stages = 2, .micro_batches = 3, .mini_batches = 10, .epochs = 2});
 *	double *weights = malloc(oracle_mlp_size(&mlp, 0, ORACLE_LAYERS) * sizeof(*weights));
 *	bool done = oracle_train(plan, &training, weights, NULL);
 *	oracle_plan_free(plan);
 *
 * Counting: stages, micro-batches, epochs, slots from 0; mini-batches from 1, on over the epochs. Version k of a stage
 * is its weights after k updates, version 0 the initial ones, on over the epochs too. Running out of memory, or a
 * contradiction within the rules, prints a reason and aborts.
 */
#ifndef TPBENCH_TESTS_PARITY_ORACLE_H
#define TPBENCH_TESTS_PARITY_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/parity/oracle_mlp.h"

struct oracle_pipeline {
	const char *schedule;         /* "sequential", "gpipe", "pipedream" or "timeprest" */
	const char *backward_version; /* timeprest: "committed" (or NULL) or "latest"; the others ignore it */
	int stages;                   /* 1 or more; sequential ignores it */
	int micro_batches;            /* 1 or more, per mini-batch; sequential and pipedream ignore it */
	int mini_batches;             /* 1 or more, per epoch */
	int epochs;                   /* 1 or more */
};

/* One operation of the grid. */
struct oracle_op {
	int epoch;
	int slot; /* within the epoch */
	int stage;
	bool backward;
	int mini;    /* 1-based over the whole run */
	int micro;   /* -1: the whole mini-batch in one operation */
	int version; /* the version of the stage's weights that it reads */
	bool update; /* the stage's update follows it: version `mini` becomes live there from the next slot */
};

struct oracle_plan {
	int stages;        /* as played: 1 for sequential */
	int micro_batches; /* as played: 1 where a forward takes the whole mini-batch */
	int mini_batches;
	int epochs;
	size_t op_count;
	struct oracle_op *ops; /* by epoch, then slot, then stage */
	/*
	 * Per epoch one text: a line per stage, each ended by a newline, tokens parted by one space, all lines with as
	 * many tokens as the epoch has slots. `.` idle, `1A` forward, `1` backward, `1a` backward of a micro-batch.
	 */
	char **grids;
	/* Per mini-batch, at [mini - 1]: mini - mini-batches committed when its backward starts at the last stage. */
	int *v;
	/*
	 * Per stage: versions alive at most, counted at the end of each of its operations, when its update is applied
	 * and what nobody needs any more is freed. A commit in the same slot counts by then, for all stages alike.
	 */
	int *alive;
};

struct oracle_training {
	struct oracle_mlp mlp;
	const int *blocks; /* layers per stage, plan->stages numbers that add up to ORACLE_LAYERS; unused for 1 stage */
	int batch;         /* samples per mini-batch; micro-batch sizes differ by at most one, larger ones first */
	double lr;
	double momentum;
	double weight_decay;
	const double *weights; /* initial, as oracle_mlp.h lays them out */
	const double *samples; /* epochs x mini_batches x batch rows of mlp.width[0], in the order of training */
	const int *labels;     /* epochs x mini_batches x batch, each in 0 .. classes - 1 */
};

/* NULL for an unknown schedule or backward version, or a number below 1. Freed by oracle_plan_free(). */
struct oracle_plan *oracle_plan_new(const struct oracle_pipeline *pipeline);

/* Takes NULL too. */
void oracle_plan_free(struct oracle_plan *plan);

/*
 * Trains by the plan. Writes the live weights after the last epoch to final (oracle_mlp_size(mlp, 0, ORACLE_LAYERS)
 * doubles, laid out as training->weights) and, unless losses is NULL, each mini-batch's mean training loss, seen by its
 * forward, to losses[mini - 1]. Returns false, writing nothing, when there are more micro-batches than samples or the
 * blocks do not fit the stages.
 */
bool oracle_train(const struct oracle_plan *plan, const struct oracle_training *training, double *final,
                  double *losses);

#endif
