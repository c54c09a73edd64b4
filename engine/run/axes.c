#include "engine/run/axes.h"

/* Forwards of all stages in one epoch are counted in 64 bits and indexed by 32 within a mini-batch. */
#define FORWARDS_MAX (INT64_C(1) << 40)

static enum tp_reads wanted_reads(enum tp_backward_version version, enum tp_reads own)
{
	switch (version) {
	case TP_BACKWARD_COMMITTED:
		return TP_READS_COMMITTED;
	case TP_BACKWARD_LATEST:
		return TP_READS_LIVE;
	case TP_BACKWARD_STASHED:
		return TP_READS_STASHED;
	case TP_BACKWARD_DEFAULT:
		break;
	}
	return own;
}

static bool limited_by_depth(const struct tp_policy *policy)
{
	return policy->mini_limit == TP_LIMIT_DEPTH || policy->micro_limit == TP_LIMIT_DEPTH;
}

/* Does the configuration ask for something other than the axis's default? */
static bool is_given(const struct tp_run_config *config, enum tp_axis axis)
{
	switch (axis) {
	case TP_AXIS_BACKWARD_VERSION:
		return config->backward_version != TP_BACKWARD_DEFAULT;
	case TP_AXIS_SEQUENCE:
		return config->sequence != TP_SEQUENCE_MERGED;
	case TP_AXIS_MAX_STALENESS:
		return config->max_staleness > 0;
	case TP_AXIS_IN_FLIGHT:
		return config->in_flight > 0;
	case TP_AXIS_STALENESS_DECAY:
		return config->staleness_decay != 1.0;
	case TP_AXES:
		break;
	}
	return false;
}

void tp_axis_reset(struct tp_run_config *config, enum tp_axis axis)
{
	switch (axis) {
	case TP_AXIS_BACKWARD_VERSION:
		config->backward_version = TP_BACKWARD_DEFAULT;
		break;
	case TP_AXIS_SEQUENCE:
		config->sequence = TP_SEQUENCE_MERGED;
		break;
	case TP_AXIS_MAX_STALENESS:
		config->max_staleness = 0;
		break;
	case TP_AXIS_IN_FLIGHT:
		config->in_flight = 0;
		break;
	case TP_AXIS_STALENESS_DECAY:
		config->staleness_decay = 1.0;
		break;
	case TP_AXES:
		break;
	}
}

enum tp_status tp_axis_check(const struct tp_run_config *config, const struct tp_policy *policy, enum tp_axis axis)
{
	enum tp_reads reads = wanted_reads(config->backward_version, policy->backward_reads);
	bool stamps = reads == TP_READS_COMMITTED || reads == TP_READS_BETWEEN;
	if (!is_given(config, axis))
		return TP_OK;
	switch (axis) {
	case TP_AXIS_BACKWARD_VERSION:
		if (policy->backward_version_option)
			break;
		return tp_fail(TP_ERR_INPUT,
		               "--backward-version: schedule '%s' has its own; expected it with timeprest or "
		               "timeprest-1f1b",
		               policy->name);
	case TP_AXIS_SEQUENCE:
		if (reads == TP_READS_COMMITTED)
			break;
		return tp_fail(
		        TP_ERR_INPUT,
		        "--sequence independent: a backward of schedule '%s'%s does not read the committed version; "
		        "expected it with timeprest or timeprest-1f1b and --backward-version committed",
		        policy->name, reads == policy->backward_reads ? "" : " as asked for");
	case TP_AXIS_MAX_STALENESS:
		if (stamps)
			break;
		return tp_fail(
		        TP_ERR_INPUT,
		        "--max-staleness: a backward of schedule '%s'%s does not read the committed version, so there "
		        "is nothing to bound; expected it with timeprest, timeprest-1f1b or i-timeprest",
		        policy->name, reads == policy->backward_reads ? "" : " as asked for");
	case TP_AXIS_IN_FLIGHT:
		if (limited_by_depth(policy))
			break;
		return tp_fail(
		        TP_ERR_INPUT,
		        "--in-flight: schedule '%s' holds one mini-batch, whatever its stages; expected it with a "
		        "schedule whose limit is their number",
		        policy->name);
	case TP_AXIS_STALENESS_DECAY:
		if (policy->backward_reads == TP_READS_BETWEEN)
			break;
		return tp_fail(TP_ERR_INPUT,
		               "--staleness-decay: schedule '%s' reads one version; expected it with "
		               "i-timeprest",
		               policy->name);
	case TP_AXES:
		break;
	}
	return TP_OK;
}

/* Two mini-batches' micro-batches must not need three versions: the first micro-batch of t enters when t - 2 is done.
 */
static enum tp_status check_delay(const struct tp_pipeline *pipeline)
{
	int32_t depth = pipeline->depth > 0 ? pipeline->depth : pipeline->stages;
	if (pipeline->policy->forward_reads != TP_READS_DELAYED || pipeline->micro_batches >= depth)
		return TP_OK;
	return tp_fail(
	        TP_ERR_INPUT,
	        "--micro-batches: schedule '%s' expects at least as many as %s (%d) to get by with two versions, "
	        "found %d",
	        pipeline->policy->name, pipeline->depth > 0 ? "--in-flight" : "--stages", depth,
	        pipeline->micro_batches);
}

static enum tp_status check_size(const struct tp_pipeline *pipeline)
{
	int64_t per_mini = (int64_t)pipeline->stages * pipeline->micro_batches;
	if (per_mini <= INT32_MAX && pipeline->minis <= FORWARDS_MAX / per_mini)
		return TP_OK;
	return tp_fail(
	        TP_ERR_INPUT,
	        "--stages, --micro-batches: expected at most %d forwards in a mini-batch and 2^40 in an epoch, found "
	        "%d stages x %d micro-batches x %lld mini-batches",
	        INT32_MAX, pipeline->stages, pipeline->micro_batches, (long long)pipeline->minis);
}

enum tp_status tp_axes_apply(const struct tp_run_config *config, const struct tp_policy *named, int64_t minis,
                             struct tp_policy *policy, struct tp_pipeline *pipeline)
{
	for (enum tp_axis axis = 0; axis < TP_AXES; axis++)
		TP_TRY(tp_axis_check(config, named, axis));
	*policy = *named;
	policy->backward_reads = wanted_reads(config->backward_version, named->backward_reads);
	*pipeline = (struct tp_pipeline){
	        .policy = policy,
	        .stages = policy->single_stage ? 1 : config->stages,
	        .micro_batches = policy->forward_unit == TP_UNIT_MINI ? 1 : config->micro_batches,
	        .minis = minis,
	        .depth = config->in_flight,
	        .max_staleness = config->max_staleness,
	        .independent = config->sequence == TP_SEQUENCE_INDEPENDENT,
	};
	TP_TRY(check_size(pipeline));
	return check_delay(pipeline);
}
