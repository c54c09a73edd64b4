#include "engine/schedule/version_ledger.h"

#include "engine/base/memory.h"

int64_t tp_ring_size(int64_t value)
{
	int64_t size = 1;
	while (size < value)
		size *= 2;
	return size;
}

int32_t tp_ledger_buffer_bound(const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	bool shared = policy->forward_reads == TP_READS_TAG || policy->backward_reads == TP_READS_COMMITTED;
	/* With m mini-batches in flight at stage 0, a tag or stamp that a later operation here can carry while
	 * mini-batch i is applied is at least i - m, as is the committed version. With version i itself: m + 1. */
	if (shared)
		return (int32_t)tp_minis_in_flight(pipeline, 0) + 1;
	/* What the other mini-batches in flight here have stashed, and the new version. */
	if (policy->backward_reads == TP_READS_STASHED)
		return (int32_t)tp_minis_in_flight(pipeline, stage);
	return 1; /* nobody reads anything older once an update is due */
}

enum tp_status tp_ledger_init(struct tp_version_ledger *ledger, const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	int32_t bound = tp_ledger_buffer_bound(pipeline, stage);
	int32_t per_mini = tp_forwards_per_mini(policy, pipeline->micro_batches);
	int64_t versions = tp_ring_size(bound + 1);
	int64_t minis = tp_ring_size(tp_minis_in_flight(pipeline, 0) + 1);
	int64_t forwards = tp_ring_size(minis * per_mini);
	*ledger = (struct tp_version_ledger){
	        .policy = policy,
	        .stage = stage,
	        .stages = pipeline->stages,
	        .forwards_per_mini = per_mini,
	        .uses_tags = policy->forward_reads == TP_READS_TAG,
	        .uses_stamps = policy->backward_reads == TP_READS_COMMITTED,
	        .version_mask = versions - 1,
	        .forward_mask = forwards - 1,
	        .mini_mask = minis - 1,
	        .buffer_count = bound,
	};
	ledger->uses_floor = stage > 0 && (ledger->uses_tags || ledger->uses_stamps);
	ledger->references = tp_alloc_array((size_t)versions, sizeof *ledger->references);
	ledger->buffer = tp_alloc_array((size_t)versions, sizeof *ledger->buffer);
	ledger->free_buffers = tp_alloc_array((size_t)bound, sizeof *ledger->free_buffers);
	ledger->forward_version = tp_alloc_array((size_t)forwards, sizeof *ledger->forward_version);
	ledger->backward_version = tp_alloc_array((size_t)minis, sizeof *ledger->backward_version);
	if (!ledger->references || !ledger->buffer || !ledger->free_buffers || !ledger->forward_version ||
	    !ledger->backward_version) {
		tp_ledger_release(ledger);
		return TP_ERR_NOMEM;
	}
	/* Buffer 0 holds the first version; the others are free, the lowest on top. */
	for (int32_t i = bound - 1; i >= 1; i--)
		ledger->free_buffers[ledger->free_count++] = i;
	ledger->references[0] = 1 + ledger->uses_floor;
	ledger->alive = ledger->alive_max = 1;
	return TP_OK;
}

void tp_ledger_release(struct tp_version_ledger *ledger)
{
	tp_free(ledger->references);
	tp_free(ledger->buffer);
	tp_free(ledger->free_buffers);
	tp_free(ledger->forward_version);
	tp_free(ledger->backward_version);
	*ledger = (struct tp_version_ledger){0};
}

void tp_ledger_begin_epoch(struct tp_version_ledger *ledger)
{
	/* Only the live version may be left; with it, its floor reference. */
	int32_t kept = tp_ledger_buffer(ledger, ledger->live);
	TP_CHECK(ledger->alive == 1);
	ledger->references[ledger->live & ledger->version_mask] = 0;
	ledger->references[0] = 1 + ledger->uses_floor;
	ledger->buffer[0] = kept;
	ledger->live = 0;
	ledger->seen = (struct tp_observation){0};
}

static void hold(struct tp_version_ledger *ledger, int64_t version)
{
	int32_t *references = &ledger->references[version & ledger->version_mask];
	TP_CHECK(*references > 0); /* a version that was given up cannot come back */
	(*references)++;
}

static void drop(struct tp_version_ledger *ledger, int64_t version)
{
	int64_t at = version & ledger->version_mask;
	TP_CHECK(ledger->references[at] > 0);
	if (--ledger->references[at] == 0) {
		ledger->free_buffers[ledger->free_count++] = ledger->buffer[at];
		ledger->alive--;
	}
}

void tp_ledger_observe(struct tp_version_ledger *ledger, const struct tp_observation *now,
                       const struct tp_stamps *stamps)
{
	/* Holds first, so that a version both named and overtaken in the meantime survives. */
	if (ledger->uses_tags && ledger->stage > 0) {
		for (int64_t i = ledger->seen.entered; i < now->entered; i++) {
			int64_t tag = stamps->tags[i & stamps->tag_mask];
			ledger->forward_version[i & ledger->forward_mask] = tag;
			hold(ledger, tag);
		}
	}
	if (ledger->uses_stamps && ledger->stage < ledger->stages - 1) {
		for (int64_t i = ledger->seen.started; i < now->started; i++) {
			int64_t stamp = stamps->stamps[i & stamps->stamp_mask];
			ledger->backward_version[i & ledger->mini_mask] = stamp;
			hold(ledger, stamp);
		}
	}
	if (ledger->uses_floor) {
		for (int64_t k = ledger->seen.committed; k < now->committed; k++)
			drop(ledger, k);
	}
	ledger->seen = *now;
}

int64_t tp_ledger_begin_forward(struct tp_version_ledger *ledger, int64_t index)
{
	int64_t *version = &ledger->forward_version[index & ledger->forward_mask];
	if (!ledger->uses_tags || ledger->stage == 0) {
		*version = ledger->live;
		hold(ledger, *version);
	}
	return *version;
}

void tp_ledger_end_forward(struct tp_version_ledger *ledger, int64_t index)
{
	/* A stashed version stays until the backward has read it. */
	if (ledger->policy->backward_reads != TP_READS_STASHED)
		drop(ledger, ledger->forward_version[index & ledger->forward_mask]);
}

void tp_ledger_stamp(struct tp_version_ledger *ledger, int64_t mini, int64_t stamp)
{
	ledger->backward_version[(mini - 1) & ledger->mini_mask] = stamp;
	hold(ledger, stamp);
}

/* Forwards that a backward covers: first index and how many. */
static int64_t covered_forwards(const struct tp_version_ledger *ledger, const struct tp_action *action, int32_t *count)
{
	*count = action->micro == TP_WHOLE ? ledger->forwards_per_mini : 1;
	return tp_forward_index(action, ledger->forwards_per_mini);
}

int64_t tp_ledger_begin_backward(const struct tp_version_ledger *ledger, const struct tp_action *action)
{
	switch (ledger->policy->backward_reads) {
	case TP_READS_STASHED:
		return tp_ledger_oldest_forward_version(ledger, action);
	case TP_READS_COMMITTED:
		return ledger->backward_version[(action->mini - 1) & ledger->mini_mask];
	case TP_READS_LIVE:
	case TP_READS_TAG:
		break;
	}
	return ledger->live;
}

void tp_ledger_end_backward(struct tp_version_ledger *ledger, const struct tp_action *action, bool last)
{
	if (ledger->policy->backward_reads == TP_READS_STASHED) {
		int32_t count;
		int64_t first = covered_forwards(ledger, action, &count);
		for (int64_t i = first; i < first + count; i++)
			drop(ledger, ledger->forward_version[i & ledger->forward_mask]);
	}
	if (last && ledger->uses_stamps)
		drop(ledger, ledger->backward_version[(action->mini - 1) & ledger->mini_mask]);
}

int64_t tp_ledger_oldest_forward_version(const struct tp_version_ledger *ledger, const struct tp_action *action)
{
	/* Versions only grow with the index. */
	return ledger->forward_version[tp_forward_index(action, ledger->forwards_per_mini) & ledger->forward_mask];
}

struct tp_update_step tp_ledger_update(struct tp_version_ledger *ledger)
{
	int64_t old = ledger->live, at = old & ledger->version_mask;
	int64_t next = (old + 1) & ledger->version_mask;
	struct tp_update_step step = {.in_place = ledger->references[at] == 1, .from_buffer = ledger->buffer[at]};
	TP_CHECK(ledger->references[next] == 0);
	if (step.in_place) {
		step.to_buffer = step.from_buffer;
		ledger->references[at] = 0;
	} else {
		TP_CHECK(ledger->free_count > 0);
		step.to_buffer = ledger->free_buffers[--ledger->free_count];
		ledger->references[at]--;
		ledger->alive++;
		if (ledger->alive > ledger->alive_max)
			ledger->alive_max = ledger->alive;
	}
	ledger->live++;
	ledger->references[next] = 1 + ledger->uses_floor;
	ledger->buffer[next] = step.to_buffer;
	return step;
}

int32_t tp_ledger_buffer(const struct tp_version_ledger *ledger, int64_t version)
{
	TP_CHECK(ledger->references[version & ledger->version_mask] > 0);
	return ledger->buffer[version & ledger->version_mask];
}
