/* From the finished list of a stage's operations: version k exists from its k-th update on; it is needed until its last
 * reader has ended, and while it is live. What the schedule's own account holds must not be less. */
#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* The versions of one stage; of an epoch from its beginning, so that 0 is the oldest. */
struct life {
	int64_t *last_read; /* by version: index of the item that reads it last; -1: none */
	int64_t live;
	int32_t needed;
};

static void read_version(const struct tp_listing *listing, int32_t rank, int64_t index, struct life *life,
                         struct tp_verify_report *report)
{
	const struct tp_listed *item = &listing->items[index];
	if (item->version_read > life->live || item->version_read < 0)
		tp_verify_fault(listing, report, TP_FAULT_VERSION, rank, index,
		                "stage %d reads version %lld when its newest is %lld", item->stage,
		                (long long)item->version_read, (long long)life->live);
}

/* What ends with an item: its own reading, and the live version if an update follows. */
static void end_item(const struct tp_listed *item, int64_t index, struct life *life)
{
	int64_t read = item->version_read;
	if (read != life->live && life->last_read[read] == index)
		life->needed--;
	if (!item->updates)
		return;
	if (life->last_read[life->live] <= index) /* nobody reads it later */
		life->needed--;
	life->live++;
	life->needed++;
}

static void follow(const struct tp_listing *listing, const struct tp_verify_limits *limits, int32_t stage,
                   struct life *life, struct tp_verify_report *report)
{
	int32_t rank = listing->rank_of_stage[stage];
	life->needed = 1;
	for (int64_t i = listing->first[rank]; i < listing->first[rank + 1] && report->fault == TP_FAULT_NONE; i++) {
		const struct tp_listed *item = &listing->items[i];
		if (item->what != TP_LISTED_OPERATION || item->stage != stage)
			continue;
		read_version(listing, rank, i, life, report);
		if (report->fault != TP_FAULT_NONE)
			return;
		end_item(item, i, life);
		if (life->needed > report->versions[stage])
			report->versions[stage] = life->needed;
		if (item->versions_alive < life->needed)
			tp_verify_fault(listing, report, TP_FAULT_VERSION, rank, i,
			                "stage %d keeps %d versions, but %d are live or read later", stage,
			                item->versions_alive, life->needed);
		if (limits->version_limit && item->versions_alive > limits->version_limit[stage])
			tp_verify_fault(listing, report, TP_FAULT_VERSION, rank, i,
			                "stage %d keeps %d versions, expected at most %d: some are never freed", stage,
			                item->versions_alive, limits->version_limit[stage]);
	}
}

static void find_last_reads(const struct tp_listing *listing, int32_t stage, struct life *life)
{
	int32_t rank = listing->rank_of_stage[stage];
	for (int64_t k = 0; k <= listing->minis; k++)
		life->last_read[k] = -1;
	for (int64_t i = listing->first[rank]; i < listing->first[rank + 1]; i++) {
		const struct tp_listed *item = &listing->items[i];
		bool reads = item->what == TP_LISTED_OPERATION && item->stage == stage;
		if (reads && item->version_read >= 0 && item->version_read <= listing->minis)
			life->last_read[item->version_read] = i;
	}
}

enum tp_status tp_verify_versions(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                                  struct tp_verify_report *report)
{
	int64_t *last_read = tp_alloc_array((size_t)listing->minis + 1, sizeof *last_read);
	if (!last_read)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < listing->stages; s++) {
		struct life life = {.last_read = last_read};
		find_last_reads(listing, s, &life);
		follow(listing, limits, s, &life, report);
	}
	tp_free(last_read);
	return TP_OK;
}
