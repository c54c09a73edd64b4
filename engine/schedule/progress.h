/* How far one stage has come in one epoch, as counters. Forwards happen in order of (mini-batch, micro-batch) and
 * backwards in order of mini-batches at every stage under every schedule here, so counters say everything: what is
 * next, whether its input is there, and whether the in-flight limit allows it. Shared by the simulator and the real
 * driver. */
#ifndef TP_ENGINE_SCHEDULE_PROGRESS_H
#define TP_ENGINE_SCHEDULE_PROGRESS_H

#include "engine/schedule/policy.h"

/* What is to be scheduled in one epoch. */
struct tp_pipeline {
	const struct tp_policy *policy;
	int32_t stages;        /* W */
	int32_t micro_batches; /* N */
	int64_t minis;         /* mini-batches of the epoch */
};

/* Forwards and backwards per mini-batch: N or 1, by the policy's units. */
int32_t tp_forwards_per_mini(const struct tp_policy *policy, int32_t micro_batches);
int32_t tp_backwards_per_mini(const struct tp_policy *policy, int32_t micro_batches);

/* Mini-batches that can be between their first forward and their last backward at a stage, at most. */
int64_t tp_minis_in_flight(const struct tp_pipeline *pipeline, int32_t stage);

struct tp_progress {
	const struct tp_policy *policy;
	int32_t stage, stages;
	int32_t forwards_per_mini, backwards_per_mini;
	int64_t minis;
	int64_t mini_limit, micro_limit; /* in flight */
	int64_t forwards_arrived;        /* inputs that are here */
	int64_t forwards_done;
	int64_t backwards_arrived;
	int64_t backwards_done;
};

void tp_progress_init(struct tp_progress *progress, const struct tp_pipeline *pipeline, int32_t stage);

/* Fill `view`; false when nothing is ready now. */
bool tp_progress_view(const struct tp_progress *progress, struct tp_view *view);

/* Everything of the epoch is done here. */
bool tp_progress_finished(const struct tp_progress *progress);

/* The operation is finished; returns true when it was the last backward of its mini-batch, so that the update is due.
 */
bool tp_progress_complete(struct tp_progress *progress, const struct tp_action *action);

/* Index of a forward in the epoch, 0-based: the order of its tag. */
static inline int64_t tp_forward_index(const struct tp_action *action, int32_t forwards_per_mini)
{
	return (action->mini - 1) * forwards_per_mini + (action->micro == TP_WHOLE ? 0 : action->micro);
}

#endif
