/* The lists drawn: all of a replay as a grid, and what stands around a fault. */
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* Steps shown before the fault and from it on. */
enum { STEPS_BEFORE = 6, STEPS_AFTER = 6, TOKEN_BYTES = 48 };

/* --- the grid ----------------------------------------------------------------------------------------------------- */

static void draw_rank(const struct tp_replay *replay, int32_t rank, struct tp_text *text)
{
	const struct tp_listing *listing = replay->index->listing;
	const struct tp_listed_rank *list = &listing->lists[rank];
	bool with_stage = listing->names_stages;
	int64_t slot = 0;
	for (int64_t i = 0; i <= list->count; i++) {
		bool end = i == list->count;
		if (!end && !tp_listed_computes(list->ops[i].kind))
			continue;
		int64_t until = end ? replay->makespan : tp_replay_start(replay, (struct tp_listed_place){rank, i});
		for (; slot < until; slot++)
			tp_text_add(text, "%s.", slot > 0 ? " " : "");
		if (end)
			break;
		tp_text_add(text, "%s", slot++ > 0 ? " " : "");
		tp_listed_token(&list->ops[i], with_stage, text);
	}
	tp_text_add(text, "\n");
}

enum tp_status tp_listing_grid(const struct tp_listing *listing, struct tp_text *text)
{
	struct tp_fault fault = {0};
	struct tp_verify_index index = {0};
	struct tp_replay replay = {0};
	enum tp_status status = tp_verify_index_init(&index, listing, &fault);
	if (status == TP_OK && fault.kind == TP_FAULT_NONE)
		status = tp_replay_run(&replay, &index, NULL);
	if (status == TP_OK && fault.kind == TP_FAULT_NONE && !replay.finished)
		tp_replay_explain(&replay, &fault);
	if (status == TP_OK && fault.kind != TP_FAULT_NONE)
		status = tp_fail(TP_ERR_INPUT, "%s: %s", tp_fault_kind_text(fault.kind), fault.text);
	for (int32_t r = 0; status == TP_OK && r < listing->ranks; r++)
		draw_rank(&replay, r, text);
	tp_replay_release(&replay);
	tp_verify_index_release(&index);
	return status == TP_OK && text->failed ? TP_ERR_NOMEM : status;
}

/* --- around a fault ----------------------------------------------------------------------------------------------- */

/* Where every rank is when the fault happens. */
struct surroundings {
	const struct tp_listing *listing;
	const struct tp_fault *fault;
	int64_t *at; /* step, by rank */
	int width;
};

/* The first step of a rank that ends after `time`. */
static int64_t step_at(const struct tp_replay *replay, int32_t rank, int64_t time)
{
	int64_t low = 0, high = replay->index->listing->lists[rank].count;
	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		if (tp_replay_end(replay, (struct tp_listed_place){rank, middle}) > time)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* A list that stands still: where each rank stuck. Else the same moment of the replay everywhere. */
static void place_ranks(struct surroundings *around, const struct tp_replay *replay)
{
	const struct tp_fault *fault = around->fault;
	const struct tp_listing *listing = around->listing;
	int64_t time = replay->makespan;
	if (replay->finished && fault->step < listing->lists[fault->rank].count)
		time = tp_replay_start(replay, (struct tp_listed_place){fault->rank, fault->step});
	for (int32_t r = 0; r < listing->ranks; r++)
		around->at[r] = replay->finished ? step_at(replay, r, time) : replay->ranks[r].step;
	around->at[fault->rank] = fault->step;
}

/* Without a replay, when something is missing or in a wrong place, the same step everywhere. */
static enum tp_status find_places(struct surroundings *around, const struct tp_verify_report *report)
{
	const struct tp_listing *listing = around->listing;
	for (int32_t r = 0; r < listing->ranks; r++)
		around->at[r] = around->fault->step;
	struct tp_fault fault = {0};
	struct tp_verify_index index = {0};
	struct tp_replay replay = {0};
	int64_t *capacity = tp_alloc_array((size_t)listing->stages * 2, sizeof *capacity);
	enum tp_status status = capacity ? tp_verify_index_init(&index, listing, &fault) : TP_ERR_NOMEM;
	for (int32_t c = 0; status == TP_OK && c < 2 * (listing->stages - 1); c++)
		capacity[c] = c < listing->stages - 1 ? report->ring_forward : report->ring_backward;
	if (status == TP_OK && fault.kind == TP_FAULT_NONE) {
		status = tp_replay_run(&replay, &index, around->fault->kind == TP_FAULT_RING ? capacity : NULL);
		if (status == TP_OK)
			place_ranks(around, &replay);
	}
	tp_free(capacity);
	tp_replay_release(&replay);
	tp_verify_index_release(&index);
	return status;
}

/* One token, marked at the fault; empty before and after the list. */
static void token_of(const struct surroundings *around, int32_t rank, int64_t step, char out[TOKEN_BYTES])
{
	const struct tp_listed_rank *list = &around->listing->lists[rank];
	bool marked = rank == around->fault->rank && step == around->fault->step;
	struct tp_text token = {0};
	if (step >= 0 && step < list->count)
		tp_listed_token(&list->ops[step], around->listing->names_stages, &token);
	else if (marked)
		tp_text_add(&token, "end");
	(void)snprintf(out, TOKEN_BYTES, "%s%s%s", marked ? ">" : "", tp_text_get(&token), marked ? "<" : "");
	tp_text_release(&token);
}

static void draw_around(struct surroundings *around, struct tp_text *text)
{
	char token[TOKEN_BYTES];
	for (int pass = 0; pass < 2; pass++) {
		for (int32_t r = 0; r < around->listing->ranks; r++) {
			int64_t from = around->at[r] - STEPS_BEFORE;
			if (pass == 1)
				tp_text_add(text, "  rank %d, from step %lld:", r, (long long)(from > 0 ? from : 0));
			for (int64_t i = from; i < around->at[r] + STEPS_AFTER; i++) {
				token_of(around, r, i, token);
				if (pass == 1 && i < around->listing->lists[r].count + (token[0] != '\0'))
					tp_text_add(text, " %*s", around->width, token);
				else if ((int)strlen(token) > around->width)
					around->width = (int)strlen(token);
			}
			if (pass == 1)
				tp_text_add(text, "\n");
		}
	}
}

enum tp_status tp_verify_explain(const struct tp_listing *listing, const struct tp_verify_report *report,
                                 struct tp_text *text)
{
	if (report->fault.kind == TP_FAULT_NONE)
		return TP_OK;
	struct surroundings around = {.listing = listing, .fault = &report->fault};
	around.at = tp_alloc_array((size_t)listing->ranks, sizeof *around.at);
	enum tp_status status = around.at ? find_places(&around, report) : TP_ERR_NOMEM;
	if (status == TP_OK) {
		tp_text_add(text, "%s: %s\n", tp_fault_kind_text(report->fault.kind), report->fault.text);
		draw_around(&around, text);
		if (text->failed)
			status = TP_ERR_NOMEM;
	}
	tp_free(around.at);
	return status;
}
