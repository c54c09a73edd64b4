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
	/*
	 * "sequential", "gpipe", "1f1b", "zb-h1", "pipedream", "pipedream-vsync", "pipedream-2bw", "timeprest",
	 * "timeprest-stash", "timeprest-1f1b", "v-timeprest" or "i-timeprest"
	 */
	const char *schedule;
	const char *backward_version; /* timeprest, timeprest-1f1b: "committed" (or NULL), "latest", "stashed" */
	int stages;                   /* 1 or more; sequential ignores it */
	int micro_batches;            /* 1 or more, per mini-batch; ignored where a forward takes the mini-batch */
	int mini_batches;             /* 1 or more, per epoch */
	int epochs;                   /* 1 or more */
	const char *backward;         /* "stored" (or NULL) or "recompute" */
	const char *sequence;         /* "merged" (or NULL), or "independent", where backwards read the committed */
	int max_staleness;            /* 0: no bound; else v is at most this; where backwards read the committed */
	int in_flight;                /* 0: as many as stages; what stands for W in the limits in flight */
	double decay;                 /* 0: 1; i-timeprest's, per version that the stamp is newer than the tag */
};

enum oracle_part {
	ORACLE_WHOLE,
	ORACLE_INPUT,  /* BX: the derivative by the stage's input */
	ORACLE_WEIGHT, /* BW: that by its weights */
};

/* One operation of the grid. */
struct oracle_op {
	int epoch;
	int slot; /* within the epoch */
	int stage;
	bool backward;
	enum oracle_part part;
	int mini;    /* 1-based over the whole run */
	int micro;   /* -1: the whole mini-batch in one operation */
	int version; /* the version of the stage's weights that it reads, the newest one if there are several */
	/* Of a backward whose micro-batches read different weights, per micro-batch its tag; else NULL. The plan's. */
	const int *tags;
	/* Per micro-batch the weight of the tag's version, the rest being that of `version`; NULL: 1. The plan's. */
	const double *lambda;
	bool update; /* the stage's update follows it: version `mini` becomes live there from the next slot */
};

struct oracle_plan {
	int stages;        /* as played: 1 for sequential */
	int micro_batches; /* as played: 1 where a forward takes the whole mini-batch */
	int mini_batches;
	int epochs;
	bool recompute;
	bool independent; /* an update applies the gradient to the version that its backward read, else to the live */
	size_t op_count;
	struct oracle_op *ops; /* by epoch, then slot, then stage */
	/*
	 * Per epoch one text: a line per stage, each ended by a newline, tokens parted by one space, all lines with as
	 * many tokens as the epoch has slots. `.` idle, `1A` forward, `1` backward, `1a` backward of a micro-batch,
	 * `1a'` its weight part.
	 */
	char **grids;
	/* Per mini-batch, at [mini - 1]: mini - mini-batches committed when its backward starts at the last stage. */
	int *v;
	/*
	 * Per epoch: mini-batches whose backward read no update of the epoch, at any stage. If sequences are
	 * independent, the lineages.
	 */
	int *chains;
	/*
	 * Per mini-batch, at [mini - 1]: its lineage, from 1 in every epoch, and the one it forked from, 0 if it
	 * extends its own. The version that an epoch begins with belongs to lineage 1. Merged: 1 and 0.
	 */
	int *lineage;
	int *forked_from;
	/*
	 * Per stage: versions alive at most, counted at the end of each of its operations, when its update is applied
	 * and what nobody needs any more is freed. A commit in the same slot counts by then, for all stages alike.
	 */
	int *alive;
	int *tags;      /* [mini - 1][micro]: the version live at stage 0 when it entered */
	double *lambda; /* [mini - 1][micro] */
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

/*
 * NULL for an unknown word, a number out of range, an axis that the schedule does not have, or fewer micro-batches than
 * in flight for pipedream-2bw. Freed by oracle_plan_free().
 */
struct oracle_plan *oracle_plan_new(const struct oracle_pipeline *pipeline);

/* Takes NULL too. */
void oracle_plan_free(struct oracle_plan *plan);

/*
 * Trains by the plan. Writes the live weights after the last epoch (independent: the head of lineage 1) to final
 * (oracle_mlp_size(mlp, 0, ORACLE_LAYERS) doubles, laid out as training->weights) and, unless losses is NULL, each
 * mini-batch's mean training loss, seen by its forward, to losses[mini - 1]. Returns false, writing nothing, when there
 * are more micro-batches than samples or the blocks do not fit the stages.
 */
bool oracle_train(const struct oracle_plan *plan, const struct oracle_training *training, double *final,
                  double *losses);

#endif
