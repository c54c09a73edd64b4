#include "engine/schedule/version_ledger.h"

#include <math.h>

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
	/* With m mini-batches in flight at stage 0, a tag or stamp that a later operation here can carry while
	 * mini-batch i is applied is at least i - m, as is the committed version. With version i itself: m + 1; the
	 * head that seeds the next epoch may be older still. */
	if (policy->forward_reads == TP_READS_TAG || tp_policy_stamps(policy))
		return (int32_t)tp_minis_in_flight(pipeline, 0) + 1 + pipeline->independent;
	if (policy->forward_reads == TP_READS_DELAYED)
		return 2; /* what mini-batch t reads, and what t + 1 will; t's own is made when the former is done with
		           */
	/* What the other mini-batches in flight here have stashed, and the new version. */
	if (policy->backward_reads == TP_READS_STASHED)
		return (int32_t)tp_minis_in_flight(pipeline, stage);
	return 1; /* nobody reads anything older once an update is due */
}

static enum tp_status init_lineages(struct tp_version_ledger *ledger)
{
	struct tp_lineages *lineages = &ledger->lineages;
	lineages->momentum = tp_alloc_array((size_t)ledger->version_mask + 1, sizeof *lineages->momentum);
	lineages->extended = tp_alloc_array((size_t)ledger->version_mask + 1, sizeof *lineages->extended);
	lineages->versions = tp_alloc_array((size_t)ledger->buffer_count, sizeof *lineages->versions);
	if (!lineages->momentum || !lineages->extended || !lineages->versions)
		return TP_ERR_NOMEM;
	lineages->versions[0] = 1;
	lineages->in_use = lineages->in_use_max = 1;
	return TP_OK;
}

static bool has_lineages(const struct tp_version_ledger *ledger)
{
	return ledger->lineages.momentum != NULL;
}

/* References that any version has from its making: live, not older than committed, read by mini-batch k + 2. */
static int32_t first_references(const struct tp_version_ledger *ledger)
{
	return 1 + ledger->uses_floor + ledger->delays;
}

/* All rings in one piece. Stages walk theirs at like places at like times; rings that began at like addresses would
 * meet in a few sets of the cache, so each begins some lines further in. */
static enum tp_status place_rings(struct tp_version_ledger *ledger)
{
	enum { LINE_BYTES = 64, PAGE_LINES = 64 };
	size_t versions_bytes = tp_align_up(((size_t)ledger->version_mask + 1) * sizeof *ledger->versions);
	size_t forwards_bytes =
	        ledger->uses_tags ? 0
	                          : tp_align_up(((size_t)ledger->forward_mask + 1) * sizeof *ledger->forward_version);
	size_t buffers_bytes = tp_align_up((size_t)ledger->buffer_count * sizeof *ledger->free_buffers);
	size_t offset = (size_t)(ledger->stage % PAGE_LINES) * LINE_BYTES;
	ledger->memory = tp_alloc(offset + versions_bytes + forwards_bytes + buffers_bytes);
	if (!ledger->memory)
		return TP_ERR_NOMEM;
	unsigned char *next = (unsigned char *)ledger->memory + offset;
	ledger->versions = (void *)next;
	ledger->forward_version = (void *)(next + versions_bytes);
	ledger->free_buffers = (void *)(next + versions_bytes + forwards_bytes);
	return TP_OK;
}

enum tp_status tp_ledger_init(struct tp_version_ledger *ledger, const struct tp_pipeline *pipeline, int32_t stage)
{
	const struct tp_policy *policy = pipeline->policy;
	int32_t bound = tp_ledger_buffer_bound(pipeline, stage);
	int32_t per_mini = tp_forwards_per_mini(policy, pipeline->micro_batches);
	/* The seed of independent sequences can be as old as the epoch; its number must not meet another's. */
	int64_t span = pipeline->independent ? pipeline->minis + 2 : bound + 2;
	int64_t minis = tp_ring_size(tp_minis_in_flight(pipeline, 0) + 1);
	*ledger = (struct tp_version_ledger){
	        .policy = policy,
	        .stage = stage,
	        .stages = pipeline->stages,
	        .forwards_per_mini = per_mini,
	        .uses_tags = policy->forward_reads == TP_READS_TAG,
	        .uses_stamps = tp_policy_stamps(policy),
	        .keeps_forwards = tp_policy_keeps_forward_versions(policy),
	        .delays = policy->forward_reads == TP_READS_DELAYED,
	        .version_mask = tp_ring_size(span) - 1,
	        .buffer_count = bound,
	        .tags_in_flight = tp_ring_size(minis * per_mini),
	        .stamps_in_flight = minis,
	};
	ledger->uses_floor = stage > 0 && (ledger->uses_tags || ledger->uses_stamps);
	if (!ledger->uses_tags)
		ledger->forward_mask = tp_ring_size(tp_minis_in_flight(pipeline, stage) * per_mini) - 1;
	enum tp_status status = place_rings(ledger);
	if (status == TP_OK && pipeline->independent)
		status = init_lineages(ledger);
	if (status != TP_OK) {
		tp_ledger_release(ledger);
		return status;
	}
	/* Buffer 0 holds the first version; the others are free, the lowest on top. */
	for (int32_t i = bound - 1; i >= 1; i--)
		ledger->free_buffers[ledger->free_count++] = i;
	ledger->versions[0].references = first_references(ledger) + pipeline->independent;
	ledger->alive = ledger->alive_max = 1;
	return TP_OK;
}

void tp_ledger_release(struct tp_version_ledger *ledger)
{
	tp_free(ledger->memory);
	tp_free(ledger->lineages.momentum);
	tp_free(ledger->lineages.extended);
	tp_free(ledger->lineages.versions);
	*ledger = (struct tp_version_ledger){0};
}

static void hold(struct tp_version_ledger *ledger, int64_t version)
{
	int32_t *references = &ledger->versions[version & ledger->version_mask].references;
	TP_CHECK(*references > 0); /* a version that was given up cannot come back */
	(*references)++;
}

/* One version fewer of a lineage; its momentum is free with the last. */
static void leave_lineage(struct tp_lineages *lineages, int32_t momentum)
{
	TP_CHECK(lineages->versions[momentum] > 0);
	lineages->in_use -= --lineages->versions[momentum] == 0;
}

static void tell_freed(const struct tp_version_ledger *ledger, int64_t version)
{
	if (ledger->freed)
		ledger->freed(ledger->freed_context, version);
}

static void drop(struct tp_version_ledger *ledger, int64_t version)
{
	int64_t at = version & ledger->version_mask;
	TP_CHECK(ledger->versions[at].references > 0);
	if (--ledger->versions[at].references > 0)
		return;
	ledger->free_buffers[ledger->free_count++] = ledger->versions[at].buffer;
	ledger->alive--;
	tell_freed(ledger, version);
	if (has_lineages(ledger))
		leave_lineage(&ledger->lineages, ledger->lineages.momentum[at]);
}

void tp_ledger_drain(struct tp_version_ledger *ledger)
{
	if (ledger->uses_floor) {
		for (int64_t k = ledger->seen.committed; k < ledger->live; k++)
			drop(ledger, k);
	}
	ledger->seen.committed = ledger->live;
	if (has_lineages(ledger) && ledger->lineages.seed != ledger->live) {
		/* The newest version ends here; what the epoch's first lineage came to goes on. */
		for (int32_t i = 0; i < 1 + ledger->uses_floor; i++) {
			drop(ledger, ledger->live);
			hold(ledger, ledger->lineages.seed);
		}
		ledger->live = ledger->lineages.seed;
	}
}

/* A version under another number. */
static void renumber(struct tp_version_ledger *ledger, int64_t from, int64_t to, int32_t references)
{
	int64_t from_at = from & ledger->version_mask, to_at = to & ledger->version_mask;
	int32_t kept = tp_ledger_buffer(ledger, from);
	ledger->versions[from_at].references = 0;
	ledger->versions[to_at] = (struct tp_version_entry){references, kept};
	if (has_lineages(ledger)) {
		ledger->lineages.momentum[to_at] = ledger->lineages.momentum[from_at];
		ledger->lineages.extended[to_at] = false;
	}
}

/* Under delayed reads the version before the live one goes on, too: the next epoch's first mini-batch reads it. */
static void renumber_pair(struct tp_version_ledger *ledger)
{
	int32_t older = tp_ledger_buffer(ledger, ledger->live - 1), newer = tp_ledger_buffer(ledger, ledger->live);
	ledger->versions[(ledger->live - 1) & ledger->version_mask].references = 0;
	ledger->versions[ledger->live & ledger->version_mask].references = 0;
	ledger->versions[-1 & ledger->version_mask] = (struct tp_version_entry){1, older};
	ledger->versions[0] = (struct tp_version_entry){first_references(ledger), newer};
	ledger->oldest = -1;
}

void tp_ledger_begin_epoch(struct tp_version_ledger *ledger)
{
	TP_CHECK(ledger->alive == (ledger->delays && (ledger->live > 0 || ledger->oldest < 0) ? 2 : 1));
	if (!ledger->delays)
		renumber(ledger, ledger->live, 0, first_references(ledger) + has_lineages(ledger));
	else if (ledger->live > 0)
		renumber_pair(ledger);
	ledger->live = 0;
	ledger->lineages.seed = 0;
	ledger->lineages.count = 0;
	ledger->seen = (struct tp_observation){0};
}

void tp_ledger_observe(struct tp_version_ledger *ledger, const struct tp_observation *now,
                       const struct tp_stamps *stamps)
{
	/* Holds first, so that a version both named and overtaken in the meantime survives. */
	if (ledger->uses_tags && ledger->stage > 0) {
		for (int64_t i = ledger->seen.entered; i < now->entered; i++)
			hold(ledger, stamps->tags[i & stamps->tag_mask]);
	}
	if (ledger->uses_stamps && ledger->stage < ledger->stages - 1) {
		for (int64_t i = ledger->seen.started; i < now->started; i++)
			hold(ledger, stamps->stamps[i & stamps->stamp_mask]);
	}
	if (ledger->uses_floor) {
		for (int64_t k = ledger->seen.committed; k < now->committed; k++)
			drop(ledger, k);
	}
	ledger->seen = *now;
	ledger->shared = stamps;
}

/* What a forward read, or its tag. */
static int64_t forward_version(const struct tp_version_ledger *ledger, int64_t index)
{
	return ledger->uses_tags ? ledger->shared->tags[index & ledger->shared->tag_mask]
	                         : ledger->forward_version[index & ledger->forward_mask];
}

static int64_t stamp_of(const struct tp_version_ledger *ledger, int64_t mini)
{
	return ledger->shared->stamps[(mini - 1) & ledger->shared->stamp_mask];
}

int64_t tp_ledger_begin_forward(struct tp_version_ledger *ledger, const struct tp_action *action, int64_t index)
{
	if (ledger->uses_tags && ledger->stage > 0)
		return forward_version(ledger, index); /* held since it entered */
	int64_t version = ledger->live;
	if (ledger->delays)
		version = action->mini - 2 > ledger->oldest ? action->mini - 2 : ledger->oldest;
	if (!ledger->uses_tags)
		ledger->forward_version[index & ledger->forward_mask] = version;
	hold(ledger, version);
	return version;
}

void tp_ledger_end_forward(struct tp_version_ledger *ledger, int64_t index)
{
	if (!ledger->keeps_forwards)
		drop(ledger, forward_version(ledger, index));
}

void tp_ledger_stamp(struct tp_version_ledger *ledger, int64_t stamp)
{
	hold(ledger, stamp);
}

int64_t tp_ledger_oldest_forward_version(const struct tp_version_ledger *ledger, const struct tp_action *action)
{
	/* Versions only grow with the index. */
	return forward_version(ledger, tp_forward_index(action, ledger->forwards_per_mini));
}

int64_t tp_ledger_backward_version(const struct tp_version_ledger *ledger, const struct tp_action *action)
{
	switch (ledger->policy->backward_reads) {
	case TP_READS_STASHED:
		return tp_ledger_oldest_forward_version(ledger, action);
	case TP_READS_COMMITTED:
	case TP_READS_BETWEEN:
		return stamp_of(ledger, action->mini);
	case TP_READS_LIVE:
	case TP_READS_TAG:
	case TP_READS_DELAYED:
		break;
	}
	return ledger->live;
}

/* Forwards that a backward covers: first index and how many. */
static int64_t covered_forwards(const struct tp_version_ledger *ledger, const struct tp_action *action, int32_t *count)
{
	*count = action->micro == TP_WHOLE ? ledger->forwards_per_mini : 1;
	return tp_forward_index(action, ledger->forwards_per_mini);
}

int32_t tp_ledger_read_runs(const struct tp_version_ledger *ledger, const struct tp_action *action, double decay,
                            struct tp_read_run *runs)
{
	int32_t covered, count = 0;
	int64_t first = covered_forwards(ledger, action, &covered);
	int64_t read = tp_ledger_backward_version(ledger, action);
	bool between = ledger->policy->backward_reads == TP_READS_BETWEEN;
	int32_t slice = action->micro == TP_WHOLE ? 0 : action->micro;
	for (int32_t i = 0; i < covered; i++) {
		int64_t version = ledger->keeps_forwards ? forward_version(ledger, first + i) : read;
		if (count > 0 && runs[count - 1].version == version) {
			runs[count - 1].count++;
			continue;
		}
		runs[count] = (struct tp_read_run){slice + i, 1, version, version, 1.0};
		if (between && version != read) {
			runs[count].newest = read;
			runs[count].lambda = exp(-decay * (double)(read - version));
		}
		count++;
	}
	return count;
}

void tp_ledger_end_backward(struct tp_version_ledger *ledger, const struct tp_action *action)
{
	int32_t count;
	int64_t first = covered_forwards(ledger, action, &count);
	for (int64_t i = first; ledger->keeps_forwards && i < first + count; i++)
		drop(ledger, forward_version(ledger, i));
}

/* The lineage that the update of a mini-batch extends or forks off, and its momentum. */
static void choose_lineage(struct tp_version_ledger *ledger, int64_t base, struct tp_update_step *step)
{
	struct tp_lineages *lineages = &ledger->lineages;
	int64_t at = base & ledger->version_mask;
	step->momentum = lineages->momentum[at];
	if (!lineages->extended[at]) {
		lineages->extended[at] = true;
		return;
	}
	step->fork_from = step->momentum;
	step->momentum = 0;
	while (lineages->versions[step->momentum] > 0)
		step->momentum++;
	TP_CHECK(step->momentum < ledger->buffer_count);
}

/* The new version belongs to the lineage of its momentum. */
static void join_lineage(struct tp_version_ledger *ledger, const struct tp_update_step *step)
{
	struct tp_lineages *lineages = &ledger->lineages;
	int64_t at = ledger->live & ledger->version_mask;
	lineages->momentum[at] = step->momentum;
	lineages->extended[at] = false;
	lineages->in_use += lineages->versions[step->momentum]++ == 0;
	if (lineages->in_use > lineages->in_use_max)
		lineages->in_use_max = lineages->in_use;
	lineages->count += step->fork_from >= 0 || ledger->live == 1;
}

/* The version `old` is no longer live, and `mini` no longer needs what it read. */
static void retire(struct tp_version_ledger *ledger, int64_t old, int64_t mini)
{
	if (ledger->uses_stamps)
		drop(ledger, stamp_of(ledger, mini));
	if (ledger->delays && mini - 2 >= ledger->oldest)
		drop(ledger, mini - 2);
	drop(ledger, old);
}

/* A buffer for version `next`: that of `base`, if only this update still reads it, or a free one. */
static void place_version(struct tp_version_ledger *ledger, int64_t base, int64_t next, struct tp_update_step *step)
{
	int64_t at = next & ledger->version_mask;
	TP_CHECK(ledger->versions[at].references == 0);
	step->in_place = ledger->versions[base & ledger->version_mask].references == 1;
	if (step->in_place) {
		step->to_buffer = step->from_buffer;
	} else {
		TP_CHECK(ledger->free_count > 0);
		step->to_buffer = ledger->free_buffers[--ledger->free_count];
		ledger->alive++;
		if (ledger->alive > ledger->alive_max)
			ledger->alive_max = ledger->alive;
	}
	ledger->versions[at].buffer = step->to_buffer;
	ledger->versions[at].references = first_references(ledger);
}

/* The update itself reads `base` no more. */
static void leave_base(struct tp_version_ledger *ledger, int64_t base, bool in_place)
{
	int64_t at = base & ledger->version_mask;
	if (!in_place) {
		drop(ledger, base);
		return;
	}
	ledger->versions[at].references = 0; /* its buffer has become the new version's */
	tell_freed(ledger, base);
	if (has_lineages(ledger))
		leave_lineage(&ledger->lineages, ledger->lineages.momentum[at]);
}

struct tp_update_step tp_ledger_update(struct tp_version_ledger *ledger, int64_t mini)
{
	int64_t old = ledger->live, next = old + 1, base = has_lineages(ledger) ? stamp_of(ledger, mini) : old;
	struct tp_update_step step = {.base = base, .from_buffer = tp_ledger_buffer(ledger, base), .fork_from = -1};
	bool moves_seed = false;
	hold(ledger, base);
	retire(ledger, old, mini);
	if (has_lineages(ledger)) {
		choose_lineage(ledger, base, &step);
		moves_seed = base == ledger->lineages.seed && step.fork_from < 0;
	}
	if (moves_seed)
		drop(ledger, base);
	place_version(ledger, base, next, &step);
	ledger->live = next;
	if (has_lineages(ledger))
		join_lineage(ledger, &step);
	leave_base(ledger, base, step.in_place);
	if (moves_seed) {
		hold(ledger, next);
		ledger->lineages.seed = next;
	}
	return step;
}

int32_t tp_ledger_buffer(const struct tp_version_ledger *ledger, int64_t version)
{
	TP_CHECK(ledger->versions[version & ledger->version_mask].references > 0);
	return ledger->versions[version & ledger->version_mask].buffer;
}
