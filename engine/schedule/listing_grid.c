/* Drawing a listing: in slots as a whole, or the lists around a fault. */
#include "engine/base/memory.h"
#include "engine/schedule/replay.h"
#include "engine/schedule/verify.h"

/* Steps of a list shown before and behind a fault, and ranks above and below it. */
enum { STEPS_AROUND = 6, RANKS_AROUND = 4 };

static void draw_rank(const struct tp_listing *listing, const struct tp_replay *replay, int32_t rank, int64_t slots,
                      struct tp_text *text)
{
	int64_t slot = 0;
	for (int64_t i = listing->first[rank]; i < listing->first[rank] + replay->position[rank]; i++) {
		if (listing->items[i].what != TP_LISTED_OPERATION)
			continue;
		for (; slot < replay->start[i]; slot++)
			tp_text_add(text, "%s.", slot ? " " : "");
		tp_text_add(text, "%s", slot ? " " : "");
		tp_listed_token(listing, &listing->items[i], text);
		slot++;
	}
	for (; slot < slots; slot++)
		tp_text_add(text, "%s.", slot ? " " : "");
	tp_text_add(text, "\n");
}

enum tp_status tp_listing_grid(const struct tp_listing *listing, struct tp_text *text)
{
	struct tp_replay replay;
	int64_t slots = 0;
	TP_TRY(tp_replay_init(&replay, listing, TP_REPLAY_UNLIMITED, TP_REPLAY_UNLIMITED));
	replay.start = tp_alloc_array((size_t)listing->first[listing->ranks], sizeof *replay.start);
	if (replay.start) {
		(void)tp_replay_run(&replay);
		for (int32_t r = 0; r < listing->ranks; r++)
			slots = replay.free_at[r] > slots ? replay.free_at[r] : slots;
		for (int32_t r = 0; r < listing->ranks; r++)
			draw_rank(listing, &replay, r, slots, text);
	}
	enum tp_status status = replay.start && !text->failed ? TP_OK : TP_ERR_NOMEM;
	tp_replay_release(&replay);
	return status;
}

void tp_verify_explain(const struct tp_listing *listing, const struct tp_verify_report *report, struct tp_text *text)
{
	tp_text_add(text, "rank %d, step %lld: %s", report->rank, (long long)report->step, report->reason);
	for (int32_t r = report->rank - RANKS_AROUND; r <= report->rank + RANKS_AROUND; r++) {
		if (r < 0 || r >= listing->ranks)
			continue;
		/* Where the others stood still, or at the same step of their lists. */
		bool stood = report->fault == TP_FAULT_STUCK || report->fault == TP_FAULT_RING;
		int64_t length = listing->first[r + 1] - listing->first[r];
		int64_t middle = r == report->rank || !stood ? report->step : report->position[r];
		int64_t from = middle > STEPS_AROUND ? middle - STEPS_AROUND : 0;
		tp_text_add(text, "\n  rank %d%s", r, from > 0 ? " .." : "");
		for (int64_t i = from; i < length && i <= middle + STEPS_AROUND; i++) {
			bool here = r == report->rank && i == report->step;
			tp_text_add(text, here ? " [" : " ");
			tp_listed_token(listing, &listing->items[listing->first[r] + i], text);
			tp_text_add(text, "%s", here ? "]" : "");
		}
		if (r == report->rank && report->step >= length)
			tp_text_add(text, " [end]");
		else if (middle + STEPS_AROUND + 1 < length)
			tp_text_add(text, " ..");
	}
}
