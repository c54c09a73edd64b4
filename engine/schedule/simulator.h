/* The simulator: a pipeline under a policy, by an event queue. Operations take the time their cost says; a stage that
 * is free takes, of what is ready, what the policy prefers, or replays its list of the slot plan; messages take the
 * time of their link. Hooks that are called when operations begin and end make it the driver of the virtual clock: what
 * they compute is real, only the time is not. Without costs it is the slot plan: every operation takes one slot,
 * updates and messages none, and a result is usable from the next slot, since all operations that end at a moment take
 * effect before any stage chooses.
 *
 * Everything is decided by its inputs, to the last bit; memory is bounded by what is in flight. */
#ifndef TP_ENGINE_SCHEDULE_SIMULATOR_H
#define TP_ENGINE_SCHEDULE_SIMULATOR_H

#include "engine/schedule/sim_channel.h"
#include "engine/schedule/station.h"

struct tp_slot_plan;

/* Durations per stage, in nanoseconds or slots, each at least 1 for forward and backward. */
struct tp_stage_cost {
	const int64_t *forward;  /* by position in the mini-batch, as many as forwards per mini-batch */
	const int64_t *backward; /* by micro-batch, or one for the whole; of a split backward its input part */
	const int64_t *weights;  /* by micro-batch: the weight part of a split backward; NULL when it is not split */
	int64_t update;          /* follows the last backward of a mini-batch */
};

/* Both directions between stage s and s + 1. */
struct tp_boundary_cost {
	struct tp_link_cost downstream, upstream;
};

/* One operation. Mini-batches and versions count from the start of the epoch. */
struct tp_sim_op {
	int32_t stage;
	struct tp_action action;
	int64_t start, end;
	int64_t update_end;                /* of the update that follows, see updates; else `end` */
	int64_t held_until;                /* the staleness bound held it back until then; 0: it did not */
	bool takes_message;                /* its input came from a neighbour: */
	struct tp_sim_message message;     /* then; known where there are hooks or links */
	struct tp_observation seen;        /* when it started */
	struct tp_observation seen_at_end; /* when it ended, its own update not included */
	int64_t version_read;
	int64_t version_live;           /* when it started */
	int64_t version_oldest_forward; /* backward: oldest version its forwards read; forward: version_read */
	int64_t stamp;                  /* backward with stamps: the stamp; else -1 */
	int32_t read_buffer;            /* of version_read */
	bool updates;                   /* an update followed */
	struct tp_update_step update;
	int32_t versions_alive; /* when it ended, update included */
};

/* Called when an operation begins and when it has ended, in order of time, then of stage; per stage in the order they
 * run. Either may be NULL. A status other than TP_OK ends the simulation and is returned. */
struct tp_sim_hooks {
	enum tp_status (*begin)(void *context, const struct tp_sim_op *op);
	enum tp_status (*end)(void *context, const struct tp_sim_op *op);
};

struct tp_sim_input {
	const struct tp_pipeline *pipeline;
	const struct tp_stage_cost *costs;         /* one per stage; NULL: slots */
	const struct tp_boundary_cost *boundaries; /* stages - 1; NULL: messages take no time */
	const struct tp_slot_plan *plan;           /* replay it (static order); NULL: choose as things are */
	struct tp_station *const *stations;        /* one per stage, begun; NULL: the simulator makes its own */
	const struct tp_sim_hooks *hooks;          /* NULL: none */
	void *context;
};

struct tp_sim_summary {
	int64_t operations;
	int64_t makespan;
	int64_t *busy;               /* per stage: time of its operations, updates included */
	int32_t *versions_alive_max; /* per stage */
	int64_t version_difference_max;
	double version_difference_mean; /* v(i) = i - committed when its backward starts at the last stage */
	int64_t version_chains;         /* mini-batches whose backward read nothing that this epoch updated */
	int64_t last_stage_backwards;   /* first backwards of a mini-batch there, and when the first and last began */
	int64_t first_backward_start, last_backward_start;
};

/* Simulate one epoch. The arrays of `summary` are allocated here; release with tp_sim_summary_release(). A policy under
 * which nothing is ready while work is left is TP_ERR_INPUT, with the stage and what it waits for. */
enum tp_status tp_simulate_epoch(const struct tp_sim_input *input, struct tp_sim_summary *summary);
void tp_sim_summary_release(struct tp_sim_summary *summary);

/* The same with messages that take no time, and one hook: `sink` (or NULL) is called for each operation when it ends.
 */
typedef enum tp_status tp_sim_sink(void *context, const struct tp_sim_op *op);
enum tp_status tp_simulate(const struct tp_pipeline *pipeline, const struct tp_stage_cost *costs, tp_sim_sink *sink,
                           void *context, struct tp_sim_summary *summary);

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
