#include "engine/schedule/progress.h"

int32_t tp_forwards_per_mini(const struct tp_policy *policy, int32_t micro_batches)
{
	return policy->forward_unit == TP_UNIT_MICRO ? micro_batches : 1;
}

int32_t tp_backwards_per_mini(const struct tp_policy *policy, int32_t micro_batches)
{
	return policy->backward_unit == TP_UNIT_MICRO ? micro_batches : 1;
}

int64_t tp_operations_per_stage(const struct tp_pipeline *pipeline)
{
	int64_t forwards = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	int64_t backwards = tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches);
	return pipeline->minis * (forwards + backwards * (pipeline->policy->backward_split ? 2 : 1));
}

static int32_t depth_of(const struct tp_pipeline *pipeline)
{
	return pipeline->depth > 0 ? pipeline->depth : pipeline->stages;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Between forward and the end of its backward; a split one ends with its weight part. */
static int64_t micro_limit(const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	return tp_limit_value(policy->backward_split ? policy->weights_limit : policy->micro_limit, stage,
	                      depth_of(pipeline));
}

int64_t tp_minis_in_flight(const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	int64_t least = tp_limit_value(policy->mini_limit, stage, depth_of(pipeline));
	int64_t micros = micro_limit(pipeline, stage);
	if (micros != INT64_MAX) /* so many micro-batches touch at most one mini-batch more than they fill */
		least = smaller(micros / tp_forwards_per_mini(policy, pipeline->micro_batches) + 2, least);
	return smaller(least, pipeline->minis);
}

int64_t tp_micros_in_flight(const struct tp_pipeline *pipeline, int32_t stage)
{
	int32_t per_mini = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	return smaller(tp_minis_in_flight(pipeline, stage) * per_mini, micro_limit(pipeline, stage));
}

void tp_progress_init(struct tp_progress *progress, const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	const struct tp_cursor start = {.mini = 1};
	bool bounded = pipeline->max_staleness > 0 && stage == pipeline->stages - 1;
	*progress = (struct tp_progress){
	        .policy = policy,
	        .stage = stage,
	        .stages = pipeline->stages,
	        .forwards_per_mini = tp_forwards_per_mini(policy, pipeline->micro_batches),
	        .backwards_per_mini = tp_backwards_per_mini(policy, pipeline->micro_batches),
	        .minis = pipeline->minis,
	        .mini_limit = tp_limit_value(policy->mini_limit, stage, depth_of(pipeline)),
	        .micro_limit = tp_limit_value(policy->micro_limit, stage, depth_of(pipeline)),
	        .weights_limit = tp_limit_value(policy->weights_limit, stage, depth_of(pipeline)),
	        .max_staleness = bounded ? pipeline->max_staleness : INT64_MAX,
	        .forward = start,
	        .backward = start,
	        .weights = start,
	};
	if (stage == 0) /* the samples are always there */
		progress->forwards_arrived = pipeline->minis * progress->forwards_per_mini;
}

/* The sequence that ends a mini-batch here. */
static const struct tp_cursor *ending(const struct tp_progress *progress)
{
	return progress->policy->backward_split ? &progress->weights : &progress->backward;
}

static int64_t minis_in_flight(const struct tp_progress *progress)
{
	return progress->forward.mini - (progress->forward.position == 0) - (ending(progress)->mini - 1);
}

static int64_t micros_in_flight(const struct tp_progress *progress)
{
	const struct tp_cursor *backward = &progress->backward;
	int64_t retired = progress->backwards_per_mini == progress->forwards_per_mini
	                          ? backward->done
	                          : (backward->mini - 1) * progress->forwards_per_mini;
	return progress->forward.done - retired;
}

static bool forward_ready(const struct tp_progress *progress)
{
	if (progress->forward.done >= progress->forwards_arrived)
		return false;
	if (progress->forward.position == 0 && progress->mini_limit != INT64_MAX &&
	    minis_in_flight(progress) >= progress->mini_limit)
		return false;
	if (progress->micro_limit != INT64_MAX && micros_in_flight(progress) >= progress->micro_limit)
		return false;
	return !progress->policy->backward_split ||
	       progress->forward.done - progress->weights.done < progress->weights_limit;
}

/* Its input is there; a stage's own forwards are, at the last one. */
static bool backward_has_input(const struct tp_progress *progress)
{
	const struct tp_cursor *backward = &progress->backward;
	if (backward->mini > progress->minis)
		return false;
	if (progress->stage < progress->stages - 1)
		return backward->done < progress->backwards_arrived;
	if (progress->policy->backward_unit == TP_UNIT_MICRO && !progress->policy->backward_reversed)
		return progress->forward.done > backward->done;
	return progress->forward.mini > backward->mini; /* all forwards of the mini-batch */
}

static bool within_staleness(const struct tp_progress *progress)
{
	return progress->max_staleness == INT64_MAX ||
	       progress->committed >= progress->backward.mini - progress->max_staleness;
}

static bool weights_ready(const struct tp_progress *progress)
{
	return progress->policy->backward_split && progress->weights.done < progress->backward.done;
}

bool tp_progress_ready(const struct tp_progress *progress, enum tp_op_kind kind)
{
	switch (kind) {
	case TP_OP_F:
		return forward_ready(progress);
	case TP_OP_B:
	case TP_OP_BX:
		return backward_has_input(progress) && within_staleness(progress);
	case TP_OP_BW:
		return weights_ready(progress);
	case TP_OP_U:
	case TP_OP_KINDS:
		break;
	}
	return false;
}

bool tp_progress_held(const struct tp_progress *progress)
{
	return !within_staleness(progress) && backward_has_input(progress);
}

static struct tp_action next_of(const struct tp_cursor *cursor, enum tp_op_kind kind, enum tp_unit unit)
{
	return (struct tp_action){kind, unit == TP_UNIT_MICRO ? cursor->position : TP_WHOLE, cursor->mini};
}

static struct tp_action next_forward(const struct tp_progress *progress)
{
	return next_of(&progress->forward, TP_OP_F, progress->policy->forward_unit);
}

static struct tp_action next_backward(const struct tp_progress *progress)
{
	const struct tp_policy *policy = progress->policy;
	struct tp_action action =
	        next_of(&progress->backward, policy->backward_split ? TP_OP_BX : TP_OP_B, policy->backward_unit);
	if (policy->backward_reversed && action.micro != TP_WHOLE)
		action.micro = progress->backwards_per_mini - 1 - action.micro;
	return action;
}

static struct tp_action next_weights(const struct tp_progress *progress)
{
	return next_of(&progress->weights, TP_OP_BW, progress->policy->backward_unit);
}

bool tp_progress_view(const struct tp_progress *progress, struct tp_view *view)
{
	*view = (struct tp_view){
	        .stage = progress->stage,
	        .stages = progress->stages,
	        .in_flight_mini = minis_in_flight(progress),
	        .in_flight_micro = micros_in_flight(progress),
	        .forward_ready = forward_ready(progress),
	        .backward_ready = tp_progress_ready(progress, TP_OP_B),
	        .weights_ready = weights_ready(progress),
	        .forward = next_forward(progress),
	        .backward = next_backward(progress),
	        .weights = next_weights(progress),
	};
	return view->forward_ready || view->backward_ready || view->weights_ready;
}

bool tp_progress_choose(const struct tp_progress *progress, struct tp_action *action)
{
	if (progress->policy->pick) {
		struct tp_view view;
		if (!tp_progress_view(progress, &view))
			return false;
		*action = progress->policy->pick(&view);
		return true;
	}
	if (tp_progress_ready(progress, TP_OP_B))
		*action = next_backward(progress);
	else if (forward_ready(progress))
		*action = next_forward(progress);
	else if (weights_ready(progress))
		*action = next_weights(progress);
	else
		return false;
	return true;
}

bool tp_progress_finished(const struct tp_progress *progress)
{
	return ending(progress)->mini > progress->minis;
}

/* One more of a sequence; true when it ended its mini-batch. */
static bool advance(struct tp_cursor *cursor, int32_t per_mini)
{
	cursor->done++;
	if (++cursor->position < per_mini)
		return false;
	cursor->position = 0;
	cursor->mini++;
	return true;
}

bool tp_progress_complete(struct tp_progress *progress, enum tp_op_kind kind)
{
	switch (kind) {
	case TP_OP_F:
		(void)advance(&progress->forward, progress->forwards_per_mini);
		return false;
	case TP_OP_BX:
		(void)advance(&progress->backward, progress->backwards_per_mini);
		return false;
	case TP_OP_B:
		return advance(&progress->backward, progress->backwards_per_mini);
	case TP_OP_BW:
		return advance(&progress->weights, progress->backwards_per_mini);
	case TP_OP_U:
	case TP_OP_KINDS:
		break;
	}
	return false;
}
