/* How far one stage has come in one epoch, as counters. Forwards happen in order of (mini-batch, micro-batch) and
 * backwards in order of mini-batches at every stage under every schedule here, so counters say everything: what is
 * next, whether its input is there, and whether the limits allow it. Shared by the simulator and the drivers. */
#ifndef TP_ENGINE_SCHEDULE_PROGRESS_H
#define TP_ENGINE_SCHEDULE_PROGRESS_H

#include "engine/schedule/policy.h"

/* What is to be scheduled in one epoch: a policy and its axes. */
struct tp_pipeline {
	const struct tp_policy *policy;
	int32_t stages;        /* W */
	int32_t micro_batches; /* N */
	int64_t minis;         /* mini-batches of the epoch */
	int32_t depth;         /* what in-flight limits count from, --in-flight; 0: the stages */
	int64_t max_staleness; /* --max-staleness V: B of i waits at the last stage until i - V is committed; 0: none */
	bool independent;      /* --sequence independent: an update extends or forks what its backward read */
};

/* Forwards and backwards per mini-batch: N or 1, by the policy's units. */
int32_t tp_forwards_per_mini(const struct tp_policy *policy, int32_t micro_batches);
int32_t tp_backwards_per_mini(const struct tp_policy *policy, int32_t micro_batches);

/* Operations of one stage in an epoch, updates not counted. */
int64_t tp_operations_per_stage(const struct tp_pipeline *pipeline);

/* Mini-batches, and micro-batches, that can be between their first forward and their last backward at a stage, at most.
 */
int64_t tp_minis_in_flight(const struct tp_pipeline *pipeline, int32_t stage);
int64_t tp_micros_in_flight(const struct tp_pipeline *pipeline, int32_t stage);

/* One sequence of operations: the next one to come. */
struct tp_cursor {
	int64_t mini;     /* 1-based; beyond the epoch's when all are done */
	int32_t position; /* in the mini-batch, 0-based */
	int64_t done;
};

struct tp_progress {
	const struct tp_policy *policy;
	int32_t stage, stages;
	int32_t forwards_per_mini, backwards_per_mini;
	int64_t minis;
	int64_t mini_limit, micro_limit, weights_limit; /* in flight */
	int64_t max_staleness;                          /* at the last stage; INT64_MAX elsewhere and without a bound */
	struct tp_cursor forward, backward, weights;
	int64_t forwards_arrived, backwards_arrived; /* inputs that are here */
	int64_t committed; /* newest version applied at all stages, as far as known; counts with max_staleness only */
};

void tp_progress_init(struct tp_progress *progress, const struct tp_pipeline *pipeline, int32_t stage);

/* Fill `view`; false when nothing is ready now. */
bool tp_progress_view(const struct tp_progress *progress, struct tp_view *view);

/* What the policy does now, of what is ready; false when nothing is. */
bool tp_progress_choose(const struct tp_progress *progress, struct tp_action *action);

/* Is the next operation of this kind ready? */
bool tp_progress_ready(const struct tp_progress *progress, enum tp_op_kind kind);

/* A backward has all it needs and only --max-staleness holds it back. */
bool tp_progress_held(const struct tp_progress *progress);

/* Everything of the epoch is done here. */
bool tp_progress_finished(const struct tp_progress *progress);

/* The operation is finished; returns true when it was the last of its mini-batch, so that the update is due. */
bool tp_progress_complete(struct tp_progress *progress, enum tp_op_kind kind);

/* Is the next backward the first of its mini-batch? At the last stage its stamp is given then. */
static inline bool tp_progress_begins_backward(const struct tp_progress *progress)
{
	return progress->backward.position == 0;
}

/* Index of a forward in the epoch, 0-based: the order of its tag. */
static inline int64_t tp_forward_index(const struct tp_action *action, int32_t forwards_per_mini)
{
	return (action->mini - 1) * forwards_per_mini + (action->micro == TP_WHOLE ? 0 : action->micro);
}

#endif
