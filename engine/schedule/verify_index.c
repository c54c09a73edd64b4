/* The verifier's first part: everything is there once, and messages are taken in the order they are sent. */
#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* --- classes ------------------------------------------------------------------------------------------------------ */

static void lay_out_classes(struct tp_verify_index *index)
{
	const struct tp_listing *listing = index->listing;
	for (enum tp_listed_class group = 0; group < TP_CLASSES; group++) {
		bool forward = group == TP_CLASS_FORWARD || group == TP_CLASS_SEND_F || group == TP_CLASS_RECV_F;
		bool used = group <= TP_CLASS_BACKWARD ||
		            (group == TP_CLASS_WEIGHTS ? listing->split : listing->names_messages);
		index->per_mini[group] = forward ? listing->micro_batches : listing->backwards_per_mini;
		index->size[group] = used ? listing->minis * index->per_mini[group] : 0;
		index->offset[group] = index->stride;
		index->stride += index->size[group];
	}
}

/* Classes that an operation fills: one, or two for a whole backward. Returns how many. */
static int classes_of(const struct tp_listing *listing, enum tp_listed_kind kind, enum tp_listed_class classes[2])
{
	switch (kind) {
	case TP_LISTED_F:
		classes[0] = TP_CLASS_FORWARD;
		return 1;
	case TP_LISTED_B:
		classes[0] = TP_CLASS_BACKWARD;
		classes[1] = TP_CLASS_WEIGHTS;
		return listing->split ? 2 : 1;
	case TP_LISTED_BX:
		classes[0] = TP_CLASS_BACKWARD;
		return 1;
	case TP_LISTED_BW:
		classes[0] = TP_CLASS_WEIGHTS;
		return 1;
	case TP_LISTED_SEND_F:
	case TP_LISTED_RECV_F:
	case TP_LISTED_SEND_B:
	case TP_LISTED_RECV_B:
		classes[0] = TP_CLASS_SEND_F + (kind - TP_LISTED_SEND_F);
		return 1;
	case TP_LISTED_IDLE:
	case TP_LISTED_KINDS:
		break;
	}
	return 0;
}

/* The stage at the other end of a message. */
static int32_t peer_of(enum tp_listed_kind kind, int32_t stage)
{
	return kind == TP_LISTED_SEND_F || kind == TP_LISTED_RECV_B ? stage + 1 : stage - 1;
}

static bool crosses_ranks(const struct tp_verify_index *index, int32_t boundary)
{
	return boundary >= 0 && boundary + 1 < index->listing->stages &&
	       index->rank_of[boundary] != index->rank_of[boundary + 1];
}

/* How many of a class a stage must have. */
static int64_t expected_of(const struct tp_verify_index *index, int32_t stage, enum tp_listed_class group)
{
	if (group <= TP_CLASS_WEIGHTS)
		return index->size[group];
	bool below = group == TP_CLASS_SEND_F || group == TP_CLASS_RECV_B;
	return crosses_ranks(index, below ? stage : stage - 1) ? index->size[group] : 0;
}

/* --- each in a place that exists ---------------------------------------------------------------------------------- */

static bool unit_exists(const struct tp_listing *listing, const struct tp_listed *op)
{
	bool forward = op->kind == TP_LISTED_F || op->kind == TP_LISTED_SEND_F || op->kind == TP_LISTED_RECV_F;
	int32_t units = forward ? listing->micro_batches : listing->backwards_per_mini;
	if (op->mini < 1 || op->mini > listing->minis)
		return false;
	if (op->micro == TP_WHOLE)
		return units == 1;
	return op->micro >= 0 && op->micro < units && (forward || units == listing->micro_batches);
}

static bool place_holds(struct tp_verify_index *index, struct tp_listed_place place, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	const struct tp_listed *op = tp_listed_at(listing, place);
	bool part = op->kind == TP_LISTED_BX || op->kind == TP_LISTED_BW;
	if (op->kind == TP_LISTED_IDLE)
		return true;
	if (op->stage < 0 || op->stage >= listing->stages)
		tp_fault_set(fault, listing, TP_FAULT_PLACE, place, op->stage, "expected a stage below %d",
		             listing->stages);
	else if (!unit_exists(listing, op))
		tp_fault_set(fault, listing, TP_FAULT_PLACE, place, op->stage,
		             "expected one of %lld mini-batches with %d forwards and %d backwards",
		             (long long)listing->minis, listing->micro_batches, listing->backwards_per_mini);
	else if ((part && !listing->split) || (!tp_listed_computes(op->kind) && !listing->names_messages))
		tp_fault_set(fault, listing, TP_FAULT_PLACE, place, op->stage, "%s: not a kind of this listing",
		             tp_listed_kind_text(op->kind));
	else if (index->rank_of[op->stage] >= 0 && index->rank_of[op->stage] != place.rank)
		tp_fault_set(fault, listing, TP_FAULT_PLACE, place, op->stage, "the stage stands on rank %d already",
		             index->rank_of[op->stage]);
	else
		index->rank_of[op->stage] = place.rank;
	return fault->kind == TP_FAULT_NONE;
}

static bool places_hold(struct tp_verify_index *index, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	for (int32_t s = 0; s < listing->stages; s++)
		index->rank_of[s] = -1;
	for (int32_t r = 0; r < listing->ranks; r++) {
		index->base[r + 1] = index->base[r] + listing->lists[r].count;
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			if (!place_holds(index, (struct tp_listed_place){r, i}, fault))
				return false;
		}
	}
	for (int32_t s = 0; s < listing->stages; s++) {
		if (index->rank_of[s] >= 0)
			continue;
		int32_t rank = s < listing->ranks ? s : 0;
		tp_fault_set(fault, listing, TP_FAULT_MISSING,
		             (struct tp_listed_place){rank, listing->lists[rank].count}, s,
		             "the stage has no operation");
		return false;
	}
	return true;
}

/* --- each once ---------------------------------------------------------------------------------------------------- */

/* Operations per stage and class; the first stage where they are not as many as they should be, -1 for none. Messages
 * that nobody expects are a fault at once. */
static int32_t count_classes(const struct tp_verify_index *index, int64_t *counts, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	for (int32_t r = 0; r < listing->ranks; r++) {
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			enum tp_listed_class classes[2];
			int filled = classes_of(listing, op->kind, classes);
			for (int c = 0; c < filled; c++) {
				counts[op->stage * TP_CLASSES + classes[c]]++;
				if (expected_of(index, op->stage, classes[c]) > 0)
					continue;
				tp_fault_set(fault, listing, TP_FAULT_PLACE, (struct tp_listed_place){r, i}, op->stage,
				             "there is no other rank at stage %d to exchange it with",
				             peer_of(op->kind, op->stage));
				return op->stage;
			}
		}
	}
	for (int32_t s = 0; s < listing->stages; s++) {
		for (enum tp_listed_class group = 0; group < TP_CLASSES; group++) {
			if (counts[s * TP_CLASSES + group] != expected_of(index, s, group))
				return s;
		}
	}
	return -1;
}

/* Enter the operations of one stage, or with -1 of all, into index->at; `at` has room for as many stages. */
static bool enter(struct tp_verify_index *index, int32_t only, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	for (int32_t r = 0; r < listing->ranks; r++) {
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			enum tp_listed_class classes[2];
			int filled = only >= 0 && op->stage != only ? 0 : classes_of(listing, op->kind, classes);
			for (int c = 0; c < filled; c++) {
				int64_t unit = (op->mini - 1) * index->per_mini[classes[c]] + tp_listed_unit(op->micro);
				int64_t *at = &index->at[(only >= 0 ? 0 : op->stage) * index->stride +
				                         index->offset[classes[c]] + unit];
				if (*at > 0) {
					tp_fault_set(fault, listing, TP_FAULT_TWICE, (struct tp_listed_place){r, i},
					             op->stage, "stands in step %lld already", (long long)(*at - 1));
					return false;
				}
				*at = i + 1;
			}
		}
	}
	return true;
}

/* Nothing of the stage, whose index this is, stands twice, and yet there are too few. */
static void find_missing(const struct tp_verify_index *index, int32_t stage, struct tp_fault *fault)
{
	static const enum tp_listed_kind kinds[TP_CLASSES] = {TP_LISTED_F,      TP_LISTED_B,      TP_LISTED_BW,
	                                                      TP_LISTED_SEND_F, TP_LISTED_RECV_F, TP_LISTED_SEND_B,
	                                                      TP_LISTED_RECV_B};
	const struct tp_listing *listing = index->listing;
	int32_t rank = index->rank_of[stage];
	const struct tp_listed_place place = {rank, listing->lists[rank].count};
	for (enum tp_listed_class group = 0; group < TP_CLASSES; group++) {
		for (int64_t unit = 0; unit < expected_of(index, stage, group); unit++) {
			if (index->at[index->offset[group] + unit] > 0)
				continue;
			int32_t per_mini = index->per_mini[group];
			const struct tp_listed op = {
			        .kind = kinds[group],
			        .stage = stage,
			        .micro = per_mini == 1 && listing->micro_batches > 1 ? TP_WHOLE
			                                                             : (int32_t)(unit % per_mini),
			        .mini = unit / per_mini + 1,
			};
			char name[64];
			tp_fault_set(fault, listing, TP_FAULT_MISSING, place, stage, "%s is missing",
			             tp_listed_name(&op, name, sizeof name));
			return;
		}
	}
}

/* A table of all stages is made only when it cannot be much larger than the lists. */
static enum tp_status enter_all(struct tp_verify_index *index, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	int64_t *counts = tp_alloc_array((size_t)listing->stages * TP_CLASSES, sizeof *counts);
	if (!counts)
		return TP_ERR_NOMEM;
	int32_t wrong = count_classes(index, counts, fault);
	tp_free(counts);
	if (fault->kind != TP_FAULT_NONE)
		return TP_OK;
	size_t stages = wrong >= 0 ? 1 : (size_t)listing->stages;
	index->at = tp_alloc_array(stages * (size_t)index->stride, sizeof *index->at);
	if (!index->at)
		return TP_ERR_NOMEM;
	if (enter(index, wrong, fault) && wrong >= 0)
		find_missing(index, wrong, fault);
	return TP_OK;
}

/* --- channels ------------------------------------------------------------------------------------------------------
 */

int32_t tp_verify_sends_on(const struct tp_verify_index *index, const struct tp_listed *op)
{
	bool named = index->listing->names_messages;
	if (op->kind == (named ? TP_LISTED_SEND_F : TP_LISTED_F))
		return crosses_ranks(index, op->stage) ? op->stage : -1;
	if (named ? op->kind == TP_LISTED_SEND_B : op->kind == TP_LISTED_B || op->kind == TP_LISTED_BX)
		return crosses_ranks(index, op->stage - 1) ? index->listing->stages - 1 + op->stage - 1 : -1;
	return -1;
}

int32_t tp_verify_takes_from(const struct tp_verify_index *index, const struct tp_listed *op)
{
	bool named = index->listing->names_messages;
	if (op->kind == (named ? TP_LISTED_RECV_F : TP_LISTED_F))
		return crosses_ranks(index, op->stage - 1) ? op->stage - 1 : -1;
	if (named ? op->kind == TP_LISTED_RECV_B : op->kind == TP_LISTED_B || op->kind == TP_LISTED_BX)
		return crosses_ranks(index, op->stage) ? index->listing->stages - 1 + op->stage : -1;
	return -1;
}

static enum tp_status make_channels(struct tp_verify_index *index)
{
	int32_t boundaries = index->listing->stages - 1;
	index->channels = tp_alloc_array((size_t)boundaries * 2, sizeof *index->channels);
	if (!index->channels)
		return TP_ERR_NOMEM;
	for (int32_t c = 0; c < 2 * boundaries; c++) {
		struct tp_verify_channel *channel = &index->channels[c];
		int32_t boundary = c % boundaries;
		bool forward = c < boundaries;
		channel->from_rank = index->rank_of[boundary + !forward];
		channel->to_rank = index->rank_of[boundary + forward];
		if (!crosses_ranks(index, boundary))
			continue;
		size_t messages = (size_t)index->size[forward ? TP_CLASS_FORWARD : TP_CLASS_BACKWARD];
		channel->sends = tp_alloc_array(messages, sizeof *channel->sends);
		channel->takes = tp_alloc_array(messages, sizeof *channel->takes);
		if (!channel->sends || !channel->takes)
			return TP_ERR_NOMEM;
	}
	return TP_OK;
}

static enum tp_status fill_channels(struct tp_verify_index *index)
{
	const struct tp_listing *listing = index->listing;
	int64_t *taken = tp_alloc_array((size_t)listing->stages * 2, sizeof *taken);
	if (!taken)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < listing->ranks; r++) {
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			int32_t out = tp_verify_sends_on(index, op), in = tp_verify_takes_from(index, op);
			if (out >= 0)
				index->channels[out].sends[index->channels[out].messages++] = i;
			if (in >= 0)
				index->channels[in].takes[taken[in]++] = i;
		}
	}
	tp_free(taken);
	return TP_OK;
}

/* First in, first out. */
static void check_channel_order(const struct tp_verify_index *index, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	for (int32_t c = 0; c < 2 * (listing->stages - 1); c++) {
		const struct tp_verify_channel *channel = &index->channels[c];
		for (int64_t n = 0; n < channel->messages; n++) {
			const struct tp_listed_place place = {channel->to_rank, channel->takes[n]};
			const struct tp_listed *sent = &listing->lists[channel->from_rank].ops[channel->sends[n]];
			const struct tp_listed *taken = tp_listed_at(listing, place);
			if (sent->mini == taken->mini && tp_listed_unit(sent->micro) == tp_listed_unit(taken->micro))
				continue;
			char name[64];
			tp_fault_set(fault, listing, TP_FAULT_ORDER, place, taken->stage,
			             "takes message %lld of its boundary, but the one in front is that of %s",
			             (long long)(n + 1), tp_listed_name(sent, name, sizeof name));
			return;
		}
	}
}

/* Named messages: receives from one rank stand in the order of its sends, whatever stages they belong to. */
static enum tp_status check_pair_order(const struct tp_verify_index *index, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	int64_t *last = tp_alloc_array((size_t)listing->ranks, sizeof *last);
	if (!last)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < listing->ranks && fault->kind == TP_FAULT_NONE; r++) {
		for (int32_t from = 0; from < listing->ranks; from++)
			last[from] = -1;
		for (int64_t i = 0; i < listing->lists[r].count; i++) {
			const struct tp_listed *op = &listing->lists[r].ops[i];
			if (op->kind != TP_LISTED_RECV_F && op->kind != TP_LISTED_RECV_B)
				continue;
			struct tp_listed_place sent = tp_verify_find(
			        index, peer_of(op->kind, op->stage),
			        op->kind == TP_LISTED_RECV_F ? TP_CLASS_SEND_F : TP_CLASS_SEND_B, op->mini, op->micro);
			if (sent.step < last[sent.rank]) {
				tp_fault_set(fault, listing, TP_FAULT_ORDER, (struct tp_listed_place){r, i}, op->stage,
				             "rank %d sends it, in step %lld, before what is received before it "
				             "(step %lld)",
				             sent.rank, (long long)sent.step, (long long)last[sent.rank]);
				break;
			}
			last[sent.rank] = sent.step;
		}
	}
	tp_free(last);
	return TP_OK;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

enum tp_status tp_verify_index_init(struct tp_verify_index *index, const struct tp_listing *listing,
                                    struct tp_fault *fault)
{
	*index = (struct tp_verify_index){.listing = listing};
	lay_out_classes(index);
	index->rank_of = tp_alloc_array((size_t)listing->stages, sizeof *index->rank_of);
	index->base = tp_alloc_array((size_t)listing->ranks + 1, sizeof *index->base);
	if (!index->rank_of || !index->base)
		return TP_ERR_NOMEM;
	if (!places_hold(index, fault))
		return TP_OK;
	TP_TRY(enter_all(index, fault));
	if (fault->kind != TP_FAULT_NONE)
		return TP_OK;
	if (listing->stages > 1) {
		TP_TRY(make_channels(index));
		TP_TRY(fill_channels(index));
		check_channel_order(index, fault);
	}
	return listing->names_messages && fault->kind == TP_FAULT_NONE ? check_pair_order(index, fault) : TP_OK;
}

void tp_verify_index_release(struct tp_verify_index *index)
{
	for (int32_t c = 0; index->channels && c < 2 * (index->listing->stages - 1); c++) {
		tp_free(index->channels[c].sends);
		tp_free(index->channels[c].takes);
	}
	tp_free(index->channels);
	tp_free(index->rank_of);
	tp_free(index->at);
	tp_free(index->base);
	*index = (struct tp_verify_index){0};
}
