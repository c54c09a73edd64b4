/* A schedule as a policy: data, plus at most one callback that picks the next operation from those that are ready.
 * The same policy object drives training, the simulator, the static plan and the drawn grid. */
#ifndef TP_ENGINE_SCHEDULE_POLICY_H
#define TP_ENGINE_SCHEDULE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "profiler/records.h"

/* What one forward or backward covers. */
enum tp_unit { TP_UNIT_MICRO, TP_UNIT_MINI };

/* Which version of a stage's weights an operation reads. */
enum tp_reads {
	TP_READS_LIVE,      /* the stage's newest */
	TP_READS_TAG,       /* the version the micro-batch was stamped with when it entered stage 0 */
	TP_READS_DELAYED,   /* forward of mini-batch t, counted over the run: version max(0, t - 2) */
	TP_READS_STASHED,   /* backward: what its own forward read at this stage */
	TP_READS_COMMITTED, /* backward: the newest version applied at all stages when it started at the last stage */
	TP_READS_BETWEEN,   /* backward: for each micro-batch, between its tag and the committed version */
};

/* How many mini-batches or micro-batches a stage may hold between their forward and their backward. The depth is the
 * number of stages W unless --in-flight says otherwise. */
enum tp_limit {
	TP_LIMIT_NONE,
	TP_LIMIT_ONE,
	TP_LIMIT_DEPTH, /* W - s at stage s, at least one */
	TP_LIMIT_WHOLE, /* W at every stage */
};

/* What a stage could do next. kind is TP_OP_F, TP_OP_B or, for a split backward, TP_OP_BX or TP_OP_BW; micro is
 * TP_WHOLE for a unit of a mini-batch. */
struct tp_action {
	enum tp_op_kind kind;
	int32_t micro;
	int64_t mini; /* 1-based in the epoch */
};

/* What a policy sees of a stage when it chooses: the candidates, each either ready or not. At least one is ready. */
struct tp_view {
	int32_t stage, stages;
	int64_t in_flight_mini; /* mini-batches whose first forward ran here and whose last backward has not finished */
	int64_t in_flight_micro;
	bool forward_ready, backward_ready, weights_ready;
	struct tp_action forward, backward; /* backward: the whole, or its input part */
	struct tp_action weights;           /* the weight part of a split backward */
};

struct tp_policy {
	const char *name;
	const char *summary;
	bool single_stage; /* one stage whatever --stages says */
	enum tp_unit forward_unit;
	enum tp_unit backward_unit;
	bool backward_reversed; /* backward takes the last micro-batch first */
	bool backward_split;    /* into input part and weight part; backward_unit is the micro-batch then */
	enum tp_reads forward_reads;
	enum tp_reads backward_reads;
	enum tp_limit mini_limit;     /* in flight, mini-batches; TP_LIMIT_ONE is a flush after each */
	enum tp_limit micro_limit;    /* in flight, micro-batches: between forward and backward (its input part) */
	enum tp_limit weights_limit;  /* split backward, micro-batches: between forward and weight part */
	bool backward_version_option; /* --backward-version may replace backward_reads */
	/* Optional. Default: backward when ready, else forward, else weight part. Must return one of the ready
	 * candidates; sees, returns, and does nothing else. */
	struct tp_action (*pick)(const struct tp_view *view);
};

/* The limit as a number for a stage; INT64_MAX when there is none. */
static inline int64_t tp_limit_value(enum tp_limit limit, int32_t stage, int32_t depth)
{
	switch (limit) {
	case TP_LIMIT_ONE:
		return 1;
	case TP_LIMIT_DEPTH:
		return depth > stage ? depth - stage : 1;
	case TP_LIMIT_WHOLE:
		return depth;
	case TP_LIMIT_NONE:
		break;
	}
	return INT64_MAX;
}

/* All forwards of an update are over before the next mini-batch begins: the pipeline drains with every update. */
static inline bool tp_policy_flushes(const struct tp_policy *policy)
{
	return policy->mini_limit == TP_LIMIT_ONE && !policy->single_stage;
}

/* A backward reads, for every micro-batch, what its own forward read, or something made of it. */
static inline bool tp_policy_keeps_forward_versions(const struct tp_policy *policy)
{
	return policy->backward_reads == TP_READS_STASHED || policy->backward_reads == TP_READS_BETWEEN;
}

/* A mini-batch's backward carries a stamp, the version committed when it started at the last stage. */
static inline bool tp_policy_stamps(const struct tp_policy *policy)
{
	return policy->backward_reads == TP_READS_COMMITTED || policy->backward_reads == TP_READS_BETWEEN;
}

/* The policies of this project's subject; all others are in baselines/, which also has the table. */
extern const struct tp_policy tp_policy_timeprest;
extern const struct tp_policy tp_policy_timeprest_stash;
extern const struct tp_policy tp_policy_timeprest_1f1b;
extern const struct tp_policy tp_policy_v_timeprest;
extern const struct tp_policy tp_policy_i_timeprest;

#endif
