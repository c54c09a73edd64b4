/* The weight versions of one stage: which exist, who will still read them, which buffer holds each.
 *
 * Version k is the stage's weights after k updates. A version is alive while it is referenced; the references are
 * exactly the reasons of the retention rule: it is the live version; or it is not older than the committed version, so
 * that a tag or stamp given later may name it (only under policies that use tags or stamps, and never at stage 0, whose
 * live version is the committed one); or a forward that has entered the pipeline carries it as its tag and has not
 * finished here; or a backward that has started will read it here. When the last reference goes, its buffer returns to
 * the pool at once. References that depend on what other stages did are taken and dropped when the stage looks
 * (tp_ledger_observe), at the boundary of its own operations.
 *
 * Numbers are relative to the epoch: version 0 is what the epoch started from. The pipeline drains at the end of an
 * epoch, so nothing else survives it. The ledger holds numbers only; engine/state has the buffers. */
#ifndef TP_ENGINE_SCHEDULE_VERSION_LEDGER_H
#define TP_ENGINE_SCHEDULE_VERSION_LEDGER_H

#include "engine/schedule/progress.h"

/* What a stage can know of the others, all counted over the epoch. */
struct tp_observation {
	int64_t committed; /* newest version applied at all stages, that is, at stage 0 */
	int64_t entered;   /* forwards that have entered stage 0; each has a tag */
	int64_t started;   /* mini-batches whose backward has started at the last stage; each has a stamp */
};

/* Tags by forward index and stamps by (mini-batch - 1), as rings: entry i is at [i & mask]. */
struct tp_stamps {
	int64_t *tags;
	int64_t tag_mask;
	int64_t *stamps;
	int64_t stamp_mask;
};

struct tp_version_ledger {
	const struct tp_policy *policy;
	int32_t stage, stages;
	int32_t forwards_per_mini;
	bool uses_tags, uses_stamps, uses_floor;
	int64_t live;
	struct tp_observation seen;
	int32_t alive, alive_max; /* versions referenced now, and at most since init */
	/* rings of a power of two, by version number */
	int64_t version_mask;
	int32_t *references;
	int32_t *buffer;
	/* free buffers, a stack */
	int32_t *free_buffers;
	int32_t free_count, buffer_count;
	/* rings by forward index and by mini-batch - 1 */
	int64_t forward_mask;
	int64_t *forward_version; /* tag, or what the forward read */
	int64_t mini_mask;
	int64_t *backward_version;
};

/* Versions that a stage may have to hold at once whatever the timing, hence buffers to set aside. The buffers in use
 * are always the lowest: a stage that never holds more than n versions never touches buffer n. */
int32_t tp_ledger_buffer_bound(const struct tp_pipeline *pipeline, int32_t stage);

/* Allocates its rings; TP_ERR_NOMEM. Release with tp_ledger_release(). */
enum tp_status tp_ledger_init(struct tp_version_ledger *ledger, const struct tp_pipeline *pipeline, int32_t stage);
void tp_ledger_release(struct tp_version_ledger *ledger);

/* Begin an epoch: the live version becomes number 0 and keeps its buffer. Only when drained. */
void tp_ledger_begin_epoch(struct tp_version_ledger *ledger);

/* Look at what other stages did since the last look: take references that new tags and stamps call for, drop those of
 * versions that no later tag or stamp can name. */
void tp_ledger_observe(struct tp_version_ledger *ledger, const struct tp_observation *now,
                       const struct tp_stamps *stamps);

/* Version that forward number `index` of the epoch reads here. At stage 0 this is also its tag, to be published. */
int64_t tp_ledger_begin_forward(struct tp_version_ledger *ledger, int64_t index);
void tp_ledger_end_forward(struct tp_version_ledger *ledger, int64_t index);

/* Version that the backward of `action` reads here. With a policy that reads committed versions the stamp of the
 * mini-batch must have been observed, or, at the last stage, be given by tp_ledger_stamp() before. */
void tp_ledger_stamp(struct tp_version_ledger *ledger, int64_t mini, int64_t stamp);
int64_t tp_ledger_begin_backward(const struct tp_version_ledger *ledger, const struct tp_action *action);
/* `last`: it was the last backward of its mini-batch here; drops what the mini-batch held. */
void tp_ledger_end_backward(struct tp_version_ledger *ledger, const struct tp_action *action, bool last);

/* Oldest version that the forwards covered by a backward read here. */
int64_t tp_ledger_oldest_forward_version(const struct tp_version_ledger *ledger, const struct tp_action *action);

/* An update makes version live + 1: in the same buffer when nobody else can read the live one, else in a fresh one. */
struct tp_update_step {
	bool in_place;
	int32_t from_buffer, to_buffer;
};
struct tp_update_step tp_ledger_update(struct tp_version_ledger *ledger);

/* Buffer of an alive version; asking for one that is not alive is a broken invariant. */
int32_t tp_ledger_buffer(const struct tp_version_ledger *ledger, int64_t version);

/* Smallest power of two that is at least `value`. */
int64_t tp_ring_size(int64_t value);

#endif
