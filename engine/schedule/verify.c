#include "engine/schedule/verify.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* --- faults ------------------------------------------------------------------------------------------------------- */

const char *tp_fault_kind_text(enum tp_fault_kind kind)
{
	static const char *const texts[TP_FAULT_KINDS] = {
	        "none",
	        "misplaced operation",
	        "operation twice",
	        "operation missing",
	        "message order",
	        "deadlock",
	        "ring full",
	        "too many in flight",
	        "update",
	        "weight version",
	        "versions alive",
	};
	return texts[kind];
}

char *tp_listed_name(const struct tp_listed *op, char *out, size_t size)
{
	struct tp_text text = {0};
	tp_listed_token(op, false, &text);
	if (op->kind == TP_LISTED_F || op->kind == TP_LISTED_B)
		(void)snprintf(out, size, "%s %s of stage %d", tp_listed_kind_text(op->kind), tp_text_get(&text),
		               op->stage);
	else
		(void)snprintf(out, size, "%s%s%s of stage %d",
		               tp_listed_computes(op->kind) ? tp_listed_kind_text(op->kind) : "",
		               tp_listed_computes(op->kind) ? " " : "", tp_text_get(&text), op->stage);
	tp_text_release(&text);
	return out;
}

void tp_fault_set(struct tp_fault *fault, const struct tp_listing *listing, enum tp_fault_kind kind,
                  struct tp_listed_place place, int32_t stage, const char *fmt, ...)
{
	*fault = (struct tp_fault){.kind = kind, .rank = place.rank, .stage = stage, .step = place.step};
	struct tp_text text = {0};
	if (stage != place.rank || listing->names_stages)
		tp_text_add(&text, "rank %d, ", place.rank);
	tp_text_add(&text, "stage %d, step %lld", stage, (long long)place.step);
	if (place.step < listing->lists[place.rank].count) {
		const struct tp_listed *op = tp_listed_at(listing, place);
		tp_text_add(&text, " (%s ", tp_listed_computes(op->kind) ? tp_listed_kind_text(op->kind) : "message");
		tp_listed_token(op, false, &text);
		if (op->column > 0)
			tp_text_add(&text, ", column %d", op->column);
		tp_text_add(&text, ")");
	}
	char detail[TP_FAULT_TEXT_BYTES];
	va_list arguments;
	va_start(arguments, fmt);
	(void)vsnprintf(detail, sizeof detail, fmt, arguments);
	va_end(arguments);
	tp_text_add(&text, ": %s", detail);
	(void)snprintf(fault->text, sizeof fault->text, "%s", tp_text_get(&text));
	tp_text_release(&text);
}

/* --- in flight ---------------------------------------------------------------------------------------------------- */

struct in_flight {
	const struct tp_verify_index *index;
	int64_t *minis, *micros;   /* now, by stage */
	int32_t *begun, *finished; /* forwards, and backwards, by stage and mini-batch */
};

/* A stage takes one more, or has done with one. */
static void note_op(struct in_flight *now, const struct tp_listed *op, struct tp_verify_report *report)
{
	const struct tp_listing *listing = now->index->listing;
	int64_t at = op->stage * listing->minis + op->mini - 1;
	int64_t *minis = &now->minis[op->stage], *micros = &now->micros[op->stage];
	if (op->kind == TP_LISTED_F) {
		*minis += now->begun[at]++ == 0;
		++*micros;
	} else if (op->kind == TP_LISTED_B || op->kind == TP_LISTED_BW) {
		*micros -= listing->micro_batches / listing->backwards_per_mini;
		*minis -= ++now->finished[at] == listing->backwards_per_mini;
	}
	if (*minis > report->minis_in_flight_max[op->stage])
		report->minis_in_flight_max[op->stage] = *minis;
	if (*micros > report->micros_in_flight_max[op->stage])
		report->micros_in_flight_max[op->stage] = *micros;
}

static void check_limits(const struct in_flight *now, const struct tp_verify_limits *limits,
                         struct tp_listed_place place, struct tp_verify_report *report)
{
	const struct tp_listing *listing = now->index->listing;
	int32_t stage = tp_listed_at(listing, place)->stage;
	if (limits->mini_limit && now->minis[stage] > limits->mini_limit[stage])
		tp_fault_set(&report->fault, listing, TP_FAULT_IN_FLIGHT, place, stage,
		             "mini-batches in flight: expected at most %lld, found %lld",
		             (long long)limits->mini_limit[stage], (long long)now->minis[stage]);
	else if (limits->micro_limit && now->micros[stage] > limits->micro_limit[stage])
		tp_fault_set(&report->fault, listing, TP_FAULT_IN_FLIGHT, place, stage,
		             "micro-batches in flight: expected at most %lld, found %lld",
		             (long long)limits->micro_limit[stage], (long long)now->micros[stage]);
}

static enum tp_status check_in_flight(const struct tp_verify_index *index, const struct tp_verify_limits *limits,
                                      struct tp_verify_report *report)
{
	const struct tp_listing *listing = index->listing;
	size_t stages = (size_t)listing->stages, all = stages * (size_t)listing->minis;
	struct in_flight now = {
	        .index = index,
	        .minis = tp_alloc_array(stages, sizeof *now.minis),
	        .micros = tp_alloc_array(stages, sizeof *now.micros),
	        .begun = tp_alloc_array(all, sizeof *now.begun),
	        .finished = tp_alloc_array(all, sizeof *now.finished),
	};
	enum tp_status status = now.minis && now.micros && now.begun && now.finished ? TP_OK : TP_ERR_NOMEM;
	for (int32_t r = 0; status == TP_OK && r < listing->ranks; r++) {
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			if (!tp_listed_computes(op->kind))
				continue;
			note_op(&now, op, report);
			if (report->fault.kind == TP_FAULT_NONE)
				check_limits(&now, limits, (struct tp_listed_place){r, i}, report);
		}
	}
	tp_free(now.minis);
	tp_free(now.micros);
	tp_free(now.begun);
	tp_free(now.finished);
	return status;
}

/* --- rings -------------------------------------------------------------------------------------------------------- */

/* With a ring of c, message n has a place when n - c is taken; nobody waits when that is so as n is sent. */
static int64_t smallest_ring(const struct tp_replay *replay, const struct tp_verify_channel *channel)
{
	int64_t most = 0, taken = 0;
	for (int64_t n = 0; n < channel->messages; n++) {
		int64_t sent = tp_replay_end(replay, (struct tp_listed_place){channel->from_rank, channel->sends[n]});
		while (taken < n && tp_replay_start(replay, (struct tp_listed_place){channel->to_rank,
		                                                                     channel->takes[taken]}) <= sent)
			taken++;
		most = n + 1 - taken > most ? n + 1 - taken : most;
	}
	return most;
}

/* `min` gets the smallest rings, as [stages - 1] forward and as many backward; a replay with them takes no longer. */
static enum tp_status find_rings(const struct tp_verify_index *index, const struct tp_replay *unlimited, int64_t *min)
{
	for (int32_t c = 0; c < 2 * (index->listing->stages - 1); c++)
		min[c] = smallest_ring(unlimited, &index->channels[c]);
	struct tp_replay bounded;
	enum tp_status status = tp_replay_run(&bounded, index, min);
	TP_CHECK(status != TP_OK || (bounded.finished && bounded.makespan == unlimited->makespan));
	tp_replay_release(&bounded);
	return status;
}

/* Replay with the same rings at every boundary; `fault` says where it sticks. */
static enum tp_status try_rings(const struct tp_verify_index *index, int64_t forward, int64_t backward,
                                struct tp_fault *fault)
{
	int32_t channels = 2 * (index->listing->stages - 1);
	int64_t *capacity = tp_alloc_array((size_t)channels, sizeof *capacity);
	if (!capacity)
		return TP_ERR_NOMEM;
	for (int32_t c = 0; c < channels; c++)
		capacity[c] = c < channels / 2 ? forward : backward;
	struct tp_replay replay;
	enum tp_status status = tp_replay_run(&replay, index, capacity);
	if (status == TP_OK && !replay.finished)
		tp_replay_explain(&replay, fault);
	tp_replay_release(&replay);
	tp_free(capacity);
	return status;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static enum tp_status report_init(struct tp_verify_report *report, const struct tp_listing *listing)
{
	size_t stages = (size_t)listing->stages;
	*report = (struct tp_verify_report){
	        .stages = listing->stages,
	        .min_ring_forward = tp_alloc_array(2 * stages, sizeof *report->min_ring_forward),
	        .minis_in_flight_max = tp_alloc_array(stages, sizeof *report->minis_in_flight_max),
	        .micros_in_flight_max = tp_alloc_array(stages, sizeof *report->micros_in_flight_max),
	        .versions_alive_max = tp_alloc_array(stages, sizeof *report->versions_alive_max),
	};
	if (report->min_ring_forward)
		report->min_ring_backward = report->min_ring_forward + listing->stages - 1;
	return report->min_ring_forward && report->minis_in_flight_max && report->micros_in_flight_max &&
	                       report->versions_alive_max
	               ? TP_OK
	               : TP_ERR_NOMEM;
}

static void note_totals(const struct tp_listing *listing, struct tp_verify_report *report)
{
	for (int32_t r = 0; r < listing->ranks; r++) {
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			report->operations += tp_listed_computes(op->kind);
			if (listing->knows_versions && op->versions_alive > report->versions_alive_max[op->stage])
				report->versions_alive_max[op->stage] = op->versions_alive;
		}
	}
}

/* What follows from a replay that came through. */
static enum tp_status check_replayed(const struct tp_verify_index *index, const struct tp_verify_limits *limits,
                                     const struct tp_replay *replay, struct tp_verify_report *report)
{
	report->replayed = true;
	report->makespan = replay->makespan;
	note_totals(index->listing, report);
	TP_TRY(find_rings(index, replay, report->min_ring_forward));
	TP_TRY(check_in_flight(index, limits, report));
	if (index->listing->knows_versions && report->fault.kind == TP_FAULT_NONE)
		TP_TRY(tp_verify_versions(index, &report->fault));
	if (limits->ring_forward > 0 && report->fault.kind == TP_FAULT_NONE)
		TP_TRY(try_rings(index, limits->ring_forward, limits->ring_backward, &report->fault));
	TP_TRY(try_rings(index, 0, 0, &report->rendezvous));
	report->rendezvous_ok = report->rendezvous.kind == TP_FAULT_NONE;
	return TP_OK;
}

static enum tp_status check_all(const struct tp_verify_index *index, const struct tp_verify_limits *limits,
                                struct tp_verify_report *report)
{
	struct tp_replay replay;
	enum tp_status status = tp_replay_run(&replay, index, NULL);
	if (status == TP_OK && !replay.finished)
		tp_replay_explain(&replay, &report->fault);
	else if (status == TP_OK)
		status = check_replayed(index, limits, &replay, report);
	tp_replay_release(&replay);
	return status;
}

enum tp_status tp_verify(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                         struct tp_verify_report *report)
{
	struct tp_verify_index index = {0};
	enum tp_status status = report_init(report, listing);
	report->ring_forward = limits->ring_forward;
	report->ring_backward = limits->ring_backward;
	if (status == TP_OK)
		status = tp_verify_index_init(&index, listing, &report->fault);
	if (status == TP_OK && report->fault.kind == TP_FAULT_NONE)
		status = check_all(&index, limits, report);
	tp_verify_index_release(&index);
	report->ok = status == TP_OK && report->fault.kind == TP_FAULT_NONE;
	if (status != TP_OK)
		tp_verify_release(report);
	return status;
}

void tp_verify_release(struct tp_verify_report *report)
{
	tp_free(report->min_ring_forward);
	tp_free(report->minis_in_flight_max);
	tp_free(report->micros_in_flight_max);
	tp_free(report->versions_alive_max);
	*report = (struct tp_verify_report){0};
}

enum tp_status tp_verify_pipeline(const struct tp_pipeline *pipeline, const struct tp_listing *listing,
                                  int64_t ring_forward, int64_t ring_backward, struct tp_verify_report *report)
{
	size_t stages = (size_t)listing->stages;
	int64_t *limit = tp_alloc_array(2 * stages, sizeof *limit);
	if (!limit)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < listing->stages; s++) {
		limit[s] = tp_minis_in_flight(pipeline, s);
		limit[listing->stages + s] = tp_micros_in_flight(pipeline, s);
	}
	const struct tp_verify_limits limits = {
	        .ring_forward = ring_forward,
	        .ring_backward = ring_backward,
	        .mini_limit = limit,
	        .micro_limit = limit + listing->stages,
	};
	enum tp_status status = tp_verify(listing, &limits, report);
	tp_free(limit);
	return status;
}
