/* The simulator: a pipeline under a policy, without arithmetic. Operations take the time their cost says; a stage that
 * is free takes, of what is ready, what the policy prefers; a result can be used from the moment its operation ends;
 * messages take no time. With every forward and backward costing one slot and updates nothing this is the slot plan:
 * all operations that end at a moment take effect before any stage chooses, so a result is usable from the next slot.
 */
#ifndef TP_ENGINE_SCHEDULE_SIMULATOR_H
#define TP_ENGINE_SCHEDULE_SIMULATOR_H

#include "engine/schedule/progress.h"
#include "engine/schedule/version_ledger.h"

/* Durations per stage, in nanoseconds or slots, each at least 1 for forward and backward. */
struct tp_stage_cost {
	const int64_t *forward;  /* by position in the mini-batch, as many as forwards per mini-batch */
	const int64_t *backward; /* by micro-batch, or one for the whole */
	int64_t update;          /* added to the last backward of a mini-batch */
};

/* One finished operation. Mini-batches and versions count from the start of the epoch. */
struct tp_sim_op {
	int32_t stage;
	struct tp_action action;
	int64_t start, end;
	struct tp_observation seen;        /* when it started */
	struct tp_observation seen_at_end; /* when it ended, its own update not included */
	int64_t version_read;
	int64_t version_live;           /* when it started */
	int64_t version_oldest_forward; /* backward: oldest version its forwards read; forward: version_read */
	int64_t stamp;                  /* backward with stamps: the stamp; else -1 */
	bool updates;                   /* an update followed */
	bool update_in_place;
	int32_t versions_alive; /* when it ended, update included */
};

/* Called for each operation when it ends, in order of time, then of stage; per stage in the order they ran. A status
 * other than TP_OK ends the simulation and is returned. */
typedef enum tp_status tp_sim_sink(void *context, const struct tp_sim_op *op);

struct tp_sim_summary {
	int64_t operations;
	int64_t makespan;
	int64_t *busy;               /* per stage: time of its operations */
	int32_t *versions_alive_max; /* per stage */
	int64_t version_difference_max;
	double version_difference_mean; /* v(i) = i - committed when its backward starts at the last stage */
};

/* Simulate one epoch. `costs` has one entry per stage, or is NULL for the slot plan. `sink` may be NULL. The arrays of
 * `summary` are allocated here; release with tp_sim_summary_release(). A policy under which nothing is ready while work
 * is left is TP_ERR_INPUT, with the stage and what it waits for. */
enum tp_status tp_simulate(const struct tp_pipeline *pipeline, const struct tp_stage_cost *costs, tp_sim_sink *sink,
                           void *context, struct tp_sim_summary *summary);
void tp_sim_summary_release(struct tp_sim_summary *summary);

/* Predictions of the version difference: the paper's Eq. 3, floor((W+N-2)/N), stated for N >= 2; and the exact one for
 * ideal slots, ceil(W/(N+1)). */
static inline int64_t tp_version_difference_paper(int64_t stages, int64_t micro_batches)
{
	return (stages + micro_batches - 2) / micro_batches;
}
static inline int64_t tp_version_difference_exact(int64_t stages, int64_t micro_batches)
{
	return (stages + micro_batches) / (micro_batches + 1);
}

#endif
