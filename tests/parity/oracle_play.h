/*
 * Within the oracle: the rules of a schedule, and one epoch being played by them on a grid. oracle_rules.c names the
 * rules, oracle.c picks operations, oracle_versions.c says which weights they read and which ones a stage keeps,
 * oracle_draw.c draws.
 *
 * Mini-batches are counted from 0 here, within the epoch. Backwards of a mini-batch are counted by `unit`, in the order
 * in which they run: all micro-batches, or the one of the whole mini-batch.
 */
#ifndef TPBENCH_TESTS_PARITY_ORACLE_PLAY_H
#define TPBENCH_TESTS_PARITY_ORACLE_PLAY_H

#include "tests/parity/oracle.h"

/* Which weights the backward of a mini-batch reads. */
enum oracle_reads {
	ORACLE_LIVE,    /* the stage's live version when it runs */
	ORACLE_STASHED, /* the versions that its forwards read at the stage, each micro-batch its own */
	ORACLE_STAMP,   /* the newest version committed when it started at the last stage, carried along */
	ORACLE_BETWEEN, /* of each micro-batch something between its tag's version and the stamp's */
	ORACLE_DELAYED, /* the version before the live one, that is max(0, t - 2) for the t-th mini-batch of the run */
};

struct oracle_rules {
	const char *schedule;
	const char *backward_version; /* NULL: the schedule does not have this axis */
	bool one_stage;
	bool forward_micro;
	bool backward_micro;
	bool last_first;  /* backward: last micro-batch first, after all forwards of the mini-batch */
	bool split;       /* backward in two parts, BX and BW */
	bool flush;       /* one mini-batch in flight */
	bool micro_limit; /* W - s counts micro-batches between F and B (BX), else mini-batches */
	bool tagged;      /* forwards read the version live at stage 0 when the micro-batch entered */
	enum oracle_reads reads;
};

enum { ORACLE_NOT_YET = -1 };

struct oracle_play {
	struct oracle_plan *plan;
	const struct oracle_rules *rules;
	int depth;     /* W, or what stands for it */
	int staleness; /* 0: unbounded */
	double decay;
	int epoch;
	int base;       /* every stage's version when the epoch begins */
	int units;      /* backwards per mini-batch and stage */
	int *f_slot;    /* [stage][mini][micro]: when it ran, or NOT_YET */
	int *f_version; /* [stage][mini][micro] */
	int *b_slot;    /* [stage][mini][unit]: B or BX */
	int *b_version; /* [stage][mini][unit]: the newest it reads */
	int *w_slot;    /* [stage][mini][unit]: BW */
	bool *kept;     /* [stage][version], over the whole run */
};

/* NULL as oracle_plan_new(). */
const struct oracle_rules *oracle_rules_find(const struct oracle_pipeline *pipeline);

static inline int oracle_f_at(const struct oracle_play *play, int stage, int mini, int micro)
{
	return (stage * play->plan->mini_batches + mini) * play->plan->micro_batches + micro;
}

static inline int oracle_b_at(const struct oracle_play *play, int stage, int mini, int unit)
{
	return (stage * play->plan->mini_batches + mini) * play->units + unit;
}

/* A result is usable from the slot after the one that made it. */
static inline bool oracle_usable(int made, int slot)
{
	return made != ORACLE_NOT_YET && made < slot;
}

/* Has the stage ended the mini-batch before this slot, its last backward and the update after it? */
bool oracle_mini_done(const struct oracle_play *play, int stage, int mini, int slot);

/* The stage's live version, as seen in a slot. */
int oracle_live(const struct oracle_play *play, int stage, int slot);

/* The newest version applied at all stages, as seen in a slot. */
int oracle_committed(const struct oracle_play *play, int slot);

/* The version that a forward or backward reads which the stage runs in this slot; a backward's newest one. */
int oracle_forward_reads(const struct oracle_play *play, int stage, int mini, int micro, int slot);
int oracle_backward_reads(const struct oracle_play *play, int stage, int mini, int unit, int slot);

/* A backward starts at the last stage: its place in the lineages, by its stamp. */
void oracle_join_lineage(const struct oracle_play *play, int mini);

/* At the end of an epoch: see oracle_plan.chains. */
int oracle_count_chains(const struct oracle_play *play);

/* Aborts if the stage has freed a version that the operation reads. */
void oracle_check_kept(const struct oracle_play *play, const struct oracle_op *op);

/* The boundary after a stage's operation in this slot: an update adds the live version, what is not needed goes. */
void oracle_retain(struct oracle_play *play, int stage, int slot);

/* The grid of an epoch's operations; the caller frees it. */
char *oracle_draw(const struct oracle_op *ops, size_t count, int stages, int slots);

#endif
