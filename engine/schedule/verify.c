#include "engine/schedule/verify.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/memory.h"
#include "engine/schedule/replay.h"
#include "engine/schedule/verify_internal.h"

void tp_verify_fault(const struct tp_listing *listing, struct tp_verify_report *report, enum tp_fault fault,
                     int32_t rank, int64_t index, const char *fmt, ...)
{
	va_list arguments;
	if (report->fault != TP_FAULT_NONE)
		return;
	report->fault = fault;
	report->rank = rank;
	report->step = index - listing->first[rank];
	va_start(arguments, fmt);
	(void)vsnprintf(report->reason, sizeof report->reason, fmt, arguments);
	va_end(arguments);
}

/* --- what keeps a rank ----------------------------------------------------------------------------------------------
 */

/* The first rank that stands still, preferring one that is kept by the order over one that is kept by a ring. */
static int32_t stuck_rank(const struct tp_replay *replay, bool *by_ring)
{
	int32_t ring = -1;
	for (int32_t r = 0; r < replay->listing->ranks; r++) {
		if (tp_replay_done(replay, r))
			continue;
		if (replay->offered[r] < 0) {
			*by_ring = false;
			return r;
		}
		ring = ring < 0 ? r : ring;
	}
	*by_ring = true;
	return ring;
}

static void note_stuck(const struct tp_replay *replay, const struct tp_verify_limits *limits,
                       struct tp_verify_report *report)
{
	const struct tp_listing *listing = replay->listing;
	struct tp_text token = {0};
	bool by_ring, limited = limits->ring_forward || limits->ring_backward, full = false;
	int32_t rank = stuck_rank(replay, &by_ring);
	for (int32_t r = 0; r < listing->ranks && limited; r++) { /* then a ring is what it comes from */
		if (replay->offered[r] >= 0 && !full) {
			full = by_ring = true;
			rank = r;
		}
	}
	int64_t index = by_ring ? replay->offered[rank] : listing->first[rank] + replay->position[rank];
	const struct tp_listed *item = &listing->items[index];
	tp_listed_token(listing, item, &token);
	int32_t boundary;
	int direction;
	if (by_ring && tp_replay_sends(listing, item, &boundary, &direction))
		tp_verify_fault(listing, report, TP_FAULT_RING, rank, index,
		                "stage %d stands still after %s: its message finds no place in a ring of %lld",
		                item->stage, tp_text_get(&token), (long long)replay->capacity[direction][boundary]);
	else
		tp_verify_fault(listing, report, TP_FAULT_STUCK, rank, index,
		                "stage %d waits for ever before %s: what it needs comes later, or never", item->stage,
		                tp_text_get(&token));
	tp_text_release(&token);
	for (int32_t r = 0; r < listing->ranks; r++)
		report->position[r] = replay->position[r];
}

static enum tp_status play(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                           struct tp_verify_report *report)
{
	struct tp_replay replay;
	TP_TRY(tp_replay_init(&replay, listing, TP_REPLAY_UNLIMITED, TP_REPLAY_UNLIMITED));
	for (int32_t b = 0; b + 1 < listing->stages; b++) {
		if (limits->ring_forward)
			replay.capacity[0][b] = limits->ring_forward[b];
		if (limits->ring_backward)
			replay.capacity[1][b] = limits->ring_backward[b];
	}
	if (!tp_replay_run(&replay))
		note_stuck(&replay, limits, report);
	for (int32_t r = 0; r < listing->ranks; r++)
		report->makespan = replay.free_at[r] > report->makespan ? replay.free_at[r] : report->makespan;
	tp_replay_release(&replay);
	return TP_OK;
}

/* --- rings ----------------------------------------------------------------------------------------------------------
 */

static enum tp_status try_rendezvous(const struct tp_listing *listing, struct tp_verify_report *report)
{
	struct tp_replay replay;
	bool by_ring;
	TP_TRY(tp_replay_init(&replay, listing, 0, 0));
	report->rendezvous = tp_replay_run(&replay);
	if (!report->rendezvous) {
		report->rendezvous_rank = stuck_rank(&replay, &by_ring);
		for (int32_t r = 0; r < listing->ranks; r++) {
			if (replay.offered[r] >= 0) { /* the first that offers what nobody takes */
				report->rendezvous_rank = r;
				report->rendezvous_step = replay.offered[r] - listing->first[r];
				break;
			}
		}
	}
	tp_replay_release(&replay);
	return TP_OK;
}

/* Begin with rings of one message; where everything stands still, make the smallest ring that keeps a sender one longer
 * and play on (Parks 1995). */
static enum tp_status find_rings(const struct tp_listing *listing, struct tp_verify_report *report)
{
	struct tp_replay replay;
	TP_TRY(tp_replay_init(&replay, listing, 1, 1));
	while (!tp_replay_run(&replay)) {
		int64_t *smallest = NULL;
		for (int32_t r = 0; r < listing->ranks; r++) {
			int32_t boundary;
			int direction;
			if (replay.offered[r] < 0)
				continue;
			TP_CHECK(tp_replay_sends(listing, &listing->items[replay.offered[r]], &boundary, &direction));
			int64_t *capacity = &replay.capacity[direction][boundary];
			smallest = !smallest || *capacity < *smallest ? capacity : smallest;
		}
		TP_CHECK(smallest); /* without rings it ran */
		(*smallest)++;
	}
	for (int32_t b = 0; b + 1 < listing->stages; b++) {
		report->ring_forward[b] = replay.capacity[0][b];
		report->ring_backward[b] = replay.capacity[1][b];
	}
	tp_replay_release(&replay);
	return TP_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

static enum tp_status verify(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                             struct tp_verify_report *report)
{
	size_t stages = (size_t)listing->stages;
	report->position = tp_alloc_array((size_t)listing->ranks, sizeof *report->position);
	report->ring_forward = tp_alloc_array(stages, sizeof *report->ring_forward);
	report->ring_backward = tp_alloc_array(stages, sizeof *report->ring_backward);
	report->minis_in_flight = tp_alloc_array(stages, sizeof *report->minis_in_flight);
	report->micros_in_flight = tp_alloc_array(stages, sizeof *report->micros_in_flight);
	report->versions = tp_alloc_array(stages, sizeof *report->versions);
	if (!report->position || !report->ring_forward || !report->ring_backward || !report->minis_in_flight ||
	    !report->micros_in_flight || !report->versions)
		return TP_ERR_NOMEM;
	TP_TRY(tp_verify_lists(listing, limits, report));
	if (report->fault == TP_FAULT_NONE)
		TP_TRY(play(listing, limits, report));
	if (report->fault != TP_FAULT_NONE)
		return TP_OK;
	TP_TRY(try_rendezvous(listing, report));
	return find_rings(listing, report);
}

enum tp_status tp_verify(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                         struct tp_verify_report *report)
{
	*report = (struct tp_verify_report){0};
	enum tp_status status = verify(listing, limits, report);
	if (status != TP_OK)
		tp_verify_release(report);
	return status;
}

void tp_verify_release(struct tp_verify_report *report)
{
	tp_free(report->position);
	tp_free(report->ring_forward);
	tp_free(report->ring_backward);
	tp_free(report->minis_in_flight);
	tp_free(report->micros_in_flight);
	tp_free(report->versions);
	*report = (struct tp_verify_report){0};
}
