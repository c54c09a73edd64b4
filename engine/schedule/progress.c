#include "engine/schedule/progress.h"

int32_t tp_forwards_per_mini(const struct tp_policy *policy, int32_t micro_batches)
{
	return policy->forward_unit == TP_UNIT_MICRO ? micro_batches : 1;
}

int32_t tp_backwards_per_mini(const struct tp_policy *policy, int32_t micro_batches)
{
	return policy->backward_unit == TP_UNIT_MICRO ? micro_batches : 1;
}

int64_t tp_minis_in_flight(const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	int64_t least = tp_limit_value(policy->mini_limit, stage, pipeline->stages);
	int64_t micros = tp_limit_value(policy->micro_limit, stage, pipeline->stages);
	if (micros != INT64_MAX) { /* so many micro-batches touch at most one mini-batch more than they fill */
		int64_t touched = micros / tp_forwards_per_mini(policy, pipeline->micro_batches) + 2;
		least = touched < least ? touched : least;
	}
	return least < pipeline->minis ? least : pipeline->minis;
}

void tp_progress_init(struct tp_progress *progress, const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	*progress = (struct tp_progress){
	        .policy = policy,
	        .stage = stage,
	        .stages = pipeline->stages,
	        .forwards_per_mini = tp_forwards_per_mini(policy, pipeline->micro_batches),
	        .backwards_per_mini = tp_backwards_per_mini(policy, pipeline->micro_batches),
	        .minis = pipeline->minis,
	        .mini_limit = tp_limit_value(policy->mini_limit, stage, pipeline->stages),
	        .micro_limit = tp_limit_value(policy->micro_limit, stage, pipeline->stages),
	};
	if (stage == 0) /* the samples are always there */
		progress->forwards_arrived = pipeline->minis * progress->forwards_per_mini;
}

/* Micro-batches whose backward has finished. */
static int64_t micros_retired(const struct tp_progress *progress)
{
	return progress->backwards_done * progress->forwards_per_mini / progress->backwards_per_mini;
}

static bool forward_ready(const struct tp_progress *progress, const struct tp_view *view)
{
	if (progress->forwards_done >= progress->forwards_arrived)
		return false;
	bool begins_mini = progress->forwards_done % progress->forwards_per_mini == 0;
	if (begins_mini && view->in_flight_mini >= progress->mini_limit)
		return false;
	return view->in_flight_micro < progress->micro_limit;
}

static struct tp_action next_forward(const struct tp_progress *progress)
{
	int64_t done = progress->forwards_done;
	return (struct tp_action){
	        .kind = TP_OP_F,
	        .mini = done / progress->forwards_per_mini + 1,
	        .micro = progress->policy->forward_unit == TP_UNIT_MICRO ? (int32_t)(done % progress->forwards_per_mini)
	                                                                 : TP_WHOLE,
	};
}

static struct tp_action next_backward(const struct tp_progress *progress)
{
	int64_t done = progress->backwards_done;
	struct tp_action action = {.kind = TP_OP_B, .mini = done / progress->backwards_per_mini + 1, .micro = TP_WHOLE};
	if (progress->policy->backward_unit == TP_UNIT_MICRO) {
		int32_t position = (int32_t)(done % progress->backwards_per_mini);
		action.micro =
		        progress->policy->backward_reversed ? progress->backwards_per_mini - 1 - position : position;
	}
	return action;
}

static bool backward_ready(const struct tp_progress *progress, const struct tp_action *backward)
{
	if (progress->backwards_done >= progress->minis * progress->backwards_per_mini)
		return false;
	if (progress->stage < progress->stages - 1)
		return progress->backwards_done < progress->backwards_arrived;
	/* The last stage starts a backward from its own forwards. */
	int64_t needed = backward->micro == TP_WHOLE ? backward->mini * progress->forwards_per_mini
	                                             : tp_forward_index(backward, progress->forwards_per_mini) + 1;
	return progress->forwards_done >= needed;
}

bool tp_progress_view(const struct tp_progress *progress, struct tp_view *view)
{
	int64_t minis_begun = (progress->forwards_done + progress->forwards_per_mini - 1) / progress->forwards_per_mini;
	*view = (struct tp_view){
	        .stage = progress->stage,
	        .stages = progress->stages,
	        .in_flight_mini = minis_begun - progress->backwards_done / progress->backwards_per_mini,
	        .in_flight_micro = progress->forwards_done - micros_retired(progress),
	        .forward = next_forward(progress),
	        .backward = next_backward(progress),
	};
	view->forward_ready = forward_ready(progress, view);
	view->backward_ready = backward_ready(progress, &view->backward);
	return view->forward_ready || view->backward_ready;
}

bool tp_progress_finished(const struct tp_progress *progress)
{
	return progress->backwards_done == progress->minis * progress->backwards_per_mini;
}

bool tp_progress_complete(struct tp_progress *progress, const struct tp_action *action)
{
	if (action->kind == TP_OP_F) {
		progress->forwards_done++;
		return false;
	}
	progress->backwards_done++;
	return progress->backwards_done % progress->backwards_per_mini == 0;
}
