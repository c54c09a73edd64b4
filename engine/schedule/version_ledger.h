/* The weight versions of one stage: which exist, who will still read them, which buffer holds each.
 *
 * Version k is the stage's weights after k updates. A version is alive while it is referenced; the references are
 * exactly the reasons of the retention rule: it is the live version; or it is not older than the committed version, so
 * that a tag or stamp given later may name it (only under policies that use tags or stamps, and never at stage 0, whose
 * live version is the committed one); or a forward that has entered the pipeline carries it as its tag and has not
 * finished here; or a backward that has started, or must read what its forward read, will read it here; or mini-batch
 * k + 2 will (delayed reads). When the last reference goes, its buffer returns to the pool at once. References that
 * depend on what other stages did are taken and dropped when the stage looks (tp_ledger_observe), at the boundary of
 * its own operations.
 *
 * With independent sequences (tp_pipeline) versions form lineages: an update extends the lineage whose head its
 * backward read, or forks one off; each lineage has a momentum buffer of its own, and the head of the first lineage of
 * an epoch, the one that holds its first mini-batch, is kept, since it seeds the next epoch.
 *
 * Numbers are relative to the epoch: version 0 is what the epoch started from. The pipeline drains at the end of an
 * epoch, so nothing else survives it, but for version -1 under delayed reads. The ledger holds numbers only;
 * engine/state has the buffers. */
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

/* Lineages of weights, with independent sequences; all NULL without. By version, rings like `versions`. */
struct tp_lineages {
	int32_t *momentum; /* buffer of the version's lineage */
	bool *extended;    /* a later version continues its lineage */
	int32_t *versions; /* by momentum buffer: versions alive of its lineage */
	int64_t seed;      /* head of the epoch's first lineage */
	int64_t count;     /* lineages of the epoch so far */
	int32_t in_use, in_use_max;
};

/* Told of each version that has lost its last reader. */
typedef void tp_ledger_freed(void *context, int64_t version);

struct tp_version_ledger {
	const struct tp_policy *policy;
	tp_ledger_freed *freed; /* NULL: nobody wants to know */
	void *freed_context;
	int32_t stage, stages;
	int32_t forwards_per_mini;
	bool uses_tags, uses_stamps, uses_floor, keeps_forwards, delays;
	int64_t live;
	int64_t oldest; /* a delayed read does not go behind it: 0 in the first epoch, -1 later */
	struct tp_observation seen;
	int32_t alive, alive_max; /* versions referenced now, and at most since init */
	/* by version number, a ring of a power of two */
	int64_t version_mask;
	struct tp_version_entry {
		int32_t references, buffer;
	} * versions;
	/* free buffers, a stack */
	int32_t *free_buffers;
	int32_t free_count, buffer_count;
	/* what forwards read, by index, a ring; only where that is not their tag, which all stages share */
	int64_t forward_mask;
	int64_t *forward_version;
	const struct tp_stamps *shared; /* as last looked at; tags and stamps of what is in flight stay in place */
	int64_t tags_in_flight, stamps_in_flight; /* rings of tags and stamps are at least so long, powers of two */
	struct tp_lineages lineages;
	void *memory; /* the rings of versions, buffers and forwards */
};

/* Versions that a stage may have to hold at once whatever the timing, hence buffers to set aside. The buffers in use
 * are always the lowest: a stage that never holds more than n versions never touches buffer n. */
int32_t tp_ledger_buffer_bound(const struct tp_pipeline *pipeline, int32_t stage);

/* Allocates its rings; TP_ERR_NOMEM. Release with tp_ledger_release(). */
enum tp_status tp_ledger_init(struct tp_version_ledger *ledger, const struct tp_pipeline *pipeline, int32_t stage);
void tp_ledger_release(struct tp_version_ledger *ledger);

/* Begin an epoch: the version that the last one left becomes number 0 and keeps its buffer. Only when drained. */
void tp_ledger_begin_epoch(struct tp_version_ledger *ledger);

/* The pipeline has drained: everything is committed, and only what the next epoch starts from is kept. */
void tp_ledger_drain(struct tp_version_ledger *ledger);

/* Look at what other stages did since the last look: take references that new tags and stamps call for, drop those of
 * versions that no later tag or stamp can name. */
void tp_ledger_observe(struct tp_version_ledger *ledger, const struct tp_observation *now,
                       const struct tp_stamps *stamps);

/* Version that a forward, number `index` of the epoch, reads here. At stage 0 this is also its tag, to be published. */
int64_t tp_ledger_begin_forward(struct tp_version_ledger *ledger, const struct tp_action *action, int64_t index);
void tp_ledger_end_forward(struct tp_version_ledger *ledger, int64_t index);

/* The stamp of a mini-batch whose backward starts here, at the last stage; it has been written to the shared stamps.
 * Elsewhere stamps are observed. */
void tp_ledger_stamp(struct tp_version_ledger *ledger, int64_t stamp);

/* Version that the backward of `action`, or its weight part, reads here. Of several, the oldest; of a blend, the newer
 * one, which is the stamp. */
int64_t tp_ledger_backward_version(const struct tp_version_ledger *ledger, const struct tp_action *action);

/* Consecutive micro-batches that a backward reads alike: `version` weighs lambda, `newest` 1 - lambda. */
struct tp_read_run {
	int32_t first, count;
	int64_t version, newest;
	double lambda; /* in (0, 1]; 1: version alone */
};
/* The runs of a backward, in order; `runs` has room for as many as it covers micro-batches. Returns how many. `decay`:
 * lambda = exp(-decay * (newest - version)) under policies that read between. */
int32_t tp_ledger_read_runs(const struct tp_version_ledger *ledger, const struct tp_action *action, double decay,
                            struct tp_read_run *runs);

/* The backward of `action` (or its weight part, when split) has read its weights for the last time. What belongs to
 * the mini-batch as a whole goes with the update. */
void tp_ledger_end_backward(struct tp_version_ledger *ledger, const struct tp_action *action);

/* Oldest version that the forwards covered by a backward read here. */
int64_t tp_ledger_oldest_forward_version(const struct tp_version_ledger *ledger, const struct tp_action *action);

/* The update of `mini`, after its last backward, makes version live + 1: in the same buffer when nobody else can read
 * the one it starts from, else in a fresh one. */
struct tp_update_step {
	bool in_place;
	int64_t base; /* the version that the gradient is applied to */
	int32_t from_buffer, to_buffer;
	int32_t momentum, fork_from; /* momentum buffers; fork_from: copy that one first, -1: do not */
};
struct tp_update_step tp_ledger_update(struct tp_version_ledger *ledger, int64_t mini);

/* Buffer of an alive version; asking for one that is not alive is a broken invariant. */
int32_t tp_ledger_buffer(const struct tp_version_ledger *ledger, int64_t version);

/* Smallest power of two that is at least `value`. */
int64_t tp_ring_size(int64_t value);

#endif
