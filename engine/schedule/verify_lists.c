#include <stdio.h>

#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* --- every operation once -------------------------------------------------------------------------------------------
 */

enum { DONE_F = 1, DONE_X = 2, DONE_W = 4 }; /* a backward is both parts */

struct seen {
	unsigned char *forward, *backward; /* [stage][unit] */
	int64_t forwards, backwards;       /* per stage */
};

static const char *text_of(const struct tp_listing *listing, const struct tp_listed *item, char out[48])
{
	struct tp_text token = {0};
	tp_listed_token(listing, item, &token);
	(void)snprintf(out, 48, "%s", tp_text_get(&token));
	tp_text_release(&token);
	return out;
}

static void count_once(const struct tp_listing *listing, int32_t rank, int64_t index, struct seen *seen,
                       struct tp_verify_report *report)
{
	const struct tp_listed *item = &listing->items[index];
	int64_t unit = tp_listed_unit(listing, item);
	bool forward = item->kind == TP_OP_F;
	unsigned char *at = forward ? &seen->forward[item->stage * seen->forwards + unit]
	                            : &seen->backward[item->stage * seen->backwards + unit];
	unsigned char parts = forward                  ? DONE_F
	                      : item->kind == TP_OP_B  ? DONE_X | DONE_W
	                      : item->kind == TP_OP_BX ? DONE_X
	                                               : DONE_W;
	char token[48];
	if (*at & parts)
		tp_verify_fault(listing, report, TP_FAULT_TWICE, rank, index, "stage %d does %s a second time",
		                item->stage, text_of(listing, item, token));
	*at |= parts;
}

static void find_missing(const struct tp_listing *listing, const struct seen *seen, struct tp_verify_report *report)
{
	for (int32_t s = 0; s < listing->stages && report->fault == TP_FAULT_NONE; s++) {
		int32_t rank = listing->rank_of_stage[s];
		int64_t end = listing->first[rank + 1];
		for (int64_t u = 0; u < seen->forwards; u++) {
			if (!(seen->forward[s * seen->forwards + u] & DONE_F))
				tp_verify_fault(listing, report, TP_FAULT_MISSING, rank, end,
				                "stage %d never does forward %lld of mini-batch %lld", s,
				                (long long)(u % listing->forwards_per_mini),
				                (long long)(u / listing->forwards_per_mini + 1));
		}
		for (int64_t u = 0; u < seen->backwards; u++) {
			unsigned char done = seen->backward[s * seen->backwards + u];
			if (done != (DONE_X | DONE_W))
				tp_verify_fault(listing, report, TP_FAULT_MISSING, rank, end,
				                "stage %d never does %s %lld of mini-batch %lld", s,
				                done == 0        ? "backward"
				                : done == DONE_X ? "the weight part of backward"
				                                 : "the input part of backward",
				                (long long)(u % listing->backwards_per_mini),
				                (long long)(u / listing->backwards_per_mini + 1));
		}
	}
}

static enum tp_status check_once(const struct tp_listing *listing, struct tp_verify_report *report)
{
	struct seen seen = {.forwards = listing->minis * listing->forwards_per_mini,
	                    .backwards = listing->minis * listing->backwards_per_mini};
	seen.forward = tp_alloc((size_t)(listing->stages * seen.forwards));
	seen.backward = tp_alloc((size_t)(listing->stages * seen.backwards));
	if (seen.forward && seen.backward) {
		for (int32_t r = 0; r < listing->ranks; r++) {
			for (int64_t i = listing->first[r]; i < listing->first[r + 1]; i++) {
				if (listing->items[i].what == TP_LISTED_OPERATION)
					count_once(listing, r, i, &seen, report);
			}
		}
		find_missing(listing, &seen, report);
	}
	enum tp_status status = seen.forward && seen.backward ? TP_OK : TP_ERR_NOMEM;
	tp_free(seen.forward);
	tp_free(seen.backward);
	return status;
}

/* --- sends and receives ---------------------------------------------------------------------------------------------
 */

/* The next item of one kind for a stage at or after `from`; the rank's end when there is none. */
static int64_t next_of(const struct tp_listing *listing, int32_t stage, enum tp_listed_what what, int64_t from)
{
	int32_t rank = listing->rank_of_stage[stage];
	int64_t i = from < 0 ? listing->first[rank] : from;
	while (i < listing->first[rank + 1] && (listing->items[i].what != what || listing->items[i].stage != stage))
		i++;
	return i;
}

/* All messages of one direction of a boundary: the order in which they are sent is the order in which they are
 * received. */
static void check_pairs(const struct tp_listing *listing, int32_t from, int32_t to, bool forward,
                        struct tp_verify_report *report)
{
	enum tp_listed_what send = forward ? TP_LISTED_SEND_F : TP_LISTED_SEND_B;
	enum tp_listed_what receive = forward ? TP_LISTED_RECV_F : TP_LISTED_RECV_B;
	int32_t from_rank = listing->rank_of_stage[from], to_rank = listing->rank_of_stage[to];
	int64_t sent = next_of(listing, from, send, -1), received = next_of(listing, to, receive, -1);
	char token[48], other[48];
	for (;;) {
		bool sends = sent < listing->first[from_rank + 1], takes = received < listing->first[to_rank + 1];
		if (!sends && !takes)
			return;
		if (!sends || !takes) {
			int32_t rank = sends ? from_rank : to_rank;
			int64_t index = sends ? sent : received;
			tp_verify_fault(listing, report, TP_FAULT_MESSAGE, rank, index,
			                "stage %d %s %s, which stage %d never %s", sends ? from : to,
			                sends ? "sends" : "receives", text_of(listing, &listing->items[index], token),
			                sends ? to : from, sends ? "receives" : "sends");
			return;
		}
		if (listing->items[sent].micro != listing->items[received].micro) {
			tp_verify_fault(listing, report, TP_FAULT_MESSAGE, to_rank, received,
			                "stage %d receives %s when stage %d sends %s", to,
			                text_of(listing, &listing->items[received], token), from,
			                text_of(listing, &listing->items[sent], other));
			return;
		}
		sent = next_of(listing, from, send, sent + 1);
		received = next_of(listing, to, receive, received + 1);
	}
}

/* A send stands after what it sends, a receive before what it feeds. */
static void check_places(const struct tp_listing *listing, int32_t rank, struct tp_verify_report *report)
{
	char token[48];
	for (int64_t i = listing->first[rank]; i < listing->first[rank + 1]; i++) {
		const struct tp_listed *item = &listing->items[i];
		bool sends = item->what == TP_LISTED_SEND_F || item->what == TP_LISTED_SEND_B;
		bool forward = item->what == TP_LISTED_SEND_F || item->what == TP_LISTED_RECV_F;
		if (item->what == TP_LISTED_OPERATION)
			continue;
		for (int64_t j = listing->first[rank]; j < listing->first[rank + 1]; j++) {
			const struct tp_listed *other = &listing->items[j];
			bool concerns = other->what == TP_LISTED_OPERATION && other->stage == item->stage &&
			                other->micro == item->micro && other->kind != TP_OP_BW &&
			                (other->kind == TP_OP_F) == forward;
			if (concerns && (sends ? j > i : j < i))
				tp_verify_fault(listing, report, TP_FAULT_MESSAGE, rank, i, "stage %d %s %s %s",
				                item->stage, sends ? "sends" : "receives",
				                text_of(listing, item, token),
				                sends ? "before it has computed it" : "after it has used it");
		}
	}
}

static void check_messages(const struct tp_listing *listing, struct tp_verify_report *report)
{
	bool explicit = false;
	for (int64_t i = 0; i < listing->first[listing->ranks]; i++)
		explicit = explicit || listing->items[i].what != TP_LISTED_OPERATION;
	for (int32_t s = 0; s + 1 < listing->stages && explicit; s++) {
		check_pairs(listing, s, s + 1, true, report);
		check_pairs(listing, s + 1, s, false, report);
	}
	for (int32_t r = 0; r < listing->ranks && explicit; r++)
		check_places(listing, r, report);
}

/* --- in flight -------------------------------------------------------------------------------------------------------
 */

/* Mini-batches and micro-batches of one stage between their first forward and the end of their backward. */
struct flight {
	int64_t forwards, backwards, weights;
};

static void fly(const struct tp_listing *listing, const struct tp_verify_limits *limits, int32_t rank, int64_t index,
                struct flight *flight, struct tp_verify_report *report)
{
	const struct tp_listed *item = &listing->items[index];
	int64_t begun, ended, minis, micros;
	int32_t s = item->stage;
	flight->forwards += item->kind == TP_OP_F;
	flight->weights += item->kind == TP_OP_B || item->kind == TP_OP_BW;
	flight->backwards += item->kind == TP_OP_B || item->kind == TP_OP_BX;
	begun = (flight->forwards + listing->forwards_per_mini - 1) / listing->forwards_per_mini;
	ended = flight->weights / listing->backwards_per_mini;
	minis = begun - ended;
	micros = flight->forwards - flight->weights * listing->forwards_per_mini / listing->backwards_per_mini;
	if (minis > report->minis_in_flight[s])
		report->minis_in_flight[s] = minis;
	if (micros > report->micros_in_flight[s])
		report->micros_in_flight[s] = micros;
	if (limits->mini_limit && minis > limits->mini_limit[s])
		tp_verify_fault(listing, report, TP_FAULT_IN_FLIGHT, rank, index,
		                "stage %d holds %lld mini-batches, expected at most %lld", s, (long long)minis,
		                (long long)limits->mini_limit[s]);
	if (limits->micro_limit && micros > limits->micro_limit[s])
		tp_verify_fault(listing, report, TP_FAULT_IN_FLIGHT, rank, index,
		                "stage %d holds %lld micro-batches, expected at most %lld", s, (long long)micros,
		                (long long)limits->micro_limit[s]);
}

static enum tp_status check_in_flight(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                                      struct tp_verify_report *report)
{
	struct flight *flights = tp_alloc_array((size_t)listing->stages, sizeof *flights);
	if (!flights)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < listing->ranks; r++) {
		for (int64_t i = listing->first[r]; i < listing->first[r + 1]; i++) {
			if (listing->items[i].what == TP_LISTED_OPERATION)
				fly(listing, limits, r, i, &flights[listing->items[i].stage], report);
		}
	}
	tp_free(flights);
	return TP_OK;
}

enum tp_status tp_verify_lists(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                               struct tp_verify_report *report)
{
	TP_TRY(check_once(listing, report));
	check_messages(listing, report);
	TP_TRY(check_in_flight(listing, limits, report));
	return listing->versions ? tp_verify_versions(listing, limits, report) : TP_OK;
}
