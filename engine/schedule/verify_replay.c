/* The verifier's replay: every rank goes down its list as far as it can, in slots, with rings as long as asked for.
 * What happens, and when, does not depend on the order in which ranks are looked at: nobody chooses anything. */
#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

enum { CHAIN_SHOWN = 4 };

/* --- what an entry needs ------------------------------------------------------------------------------------------ */

/* --max-staleness: the backward of a mini-batch at the last stage needs the one that far before it applied at all
 * stages, which ends with its last backward at stage 0. */
static bool bound_of(const struct tp_verify_index *index, const struct tp_listed *op, struct tp_listed_place *need)
{
	const struct tp_listing *listing = index->listing;
	int64_t applied = op->mini - listing->max_staleness;
	if (listing->max_staleness == 0 || applied < 1)
		return false;
	int32_t micro = listing->backwards_per_mini > 1 ? listing->backwards_per_mini - 1 : TP_WHOLE;
	*need = tp_verify_find(index, 0, TP_CLASS_BACKWARD, applied, micro);
	return true;
}

/* Need number `k` of an entry, 0-based; false when there are no more. */
static bool need_of(const struct tp_verify_index *index, const struct tp_listed *op, int32_t k,
                    struct tp_listed_place *need)
{
	const struct tp_listing *listing = index->listing;
	int32_t stage = op->stage;
	bool received = listing->names_messages; /* what crosses ranks was received by an entry of its own */
	enum tp_listed_class group;
	switch (op->kind) {
	case TP_LISTED_F:
		if (stage == 0)
			return false;
		received &= index->rank_of[stage] != index->rank_of[stage - 1];
		group = received ? TP_CLASS_RECV_F : TP_CLASS_FORWARD;
		stage -= !received;
		break;
	case TP_LISTED_B:
	case TP_LISTED_BX:
		if (stage == listing->stages - 1) { /* its own forwards */
			bool whole = listing->backwards_per_mini < listing->micro_batches;
			int32_t own = whole ? listing->micro_batches : 1;
			if (k >= own)
				return k == own && bound_of(index, op, need);
			*need = tp_verify_find(index, stage, TP_CLASS_FORWARD, op->mini, whole ? k : op->micro);
			return true;
		}
		received &= index->rank_of[stage] != index->rank_of[stage + 1];
		group = received ? TP_CLASS_RECV_B : TP_CLASS_BACKWARD;
		stage += !received;
		break;
	case TP_LISTED_BW:
	case TP_LISTED_SEND_B:
		group = TP_CLASS_BACKWARD;
		break;
	case TP_LISTED_SEND_F:
		group = TP_CLASS_FORWARD;
		break;
	case TP_LISTED_RECV_F:
		group = TP_CLASS_SEND_F;
		stage--;
		break;
	case TP_LISTED_RECV_B:
		group = TP_CLASS_SEND_B;
		stage++;
		break;
	default:
		return false;
	}
	if (k > 0)
		return false;
	*need = tp_verify_find(index, stage, group, op->mini, op->micro);
	return true;
}

static bool has_run(const struct tp_replay *replay, struct tp_listed_place place)
{
	const struct tp_replay_rank *rank = &replay->ranks[place.rank];
	return rank->step > place.step || (rank->step == place.step && rank->computed);
}

/* The first need that is not met; else false and *time is when the last was met, at least what it was. */
static bool lacks(const struct tp_replay *replay, const struct tp_listed *op, struct tp_listed_place *need,
                  int64_t *time)
{
	for (int32_t k = 0; need_of(replay->index, op, k, need); k++) {
		if (!has_run(replay, *need))
			return true;
		int64_t met = tp_replay_end(replay, *need);
		*time = met > *time ? met : *time;
	}
	return false;
}

/* --- one rank ----------------------------------------------------------------------------------------------------- */

static void compute(struct tp_replay *replay, int32_t r, const struct tp_listed *op, int64_t start)
{
	struct tp_replay_rank *rank = &replay->ranks[r];
	int32_t in = tp_verify_takes_from(replay->index, op);
	if (in >= 0) {
		struct tp_replay_channel *channel = &replay->channels[in];
		if (channel->freed)
			channel->freed[channel->taken % (channel->capacity + 1)] = start;
		channel->taken++;
	}
	rank->time = start + tp_listed_computes(op->kind);
	rank->computed = true;
	replay->end[replay->index->base[r] + rank->step] = rank->time;
}

/* Hand the message on; false when there is no place. */
static bool hand_on(struct tp_replay *replay, struct tp_replay_rank *rank, const struct tp_listed *op)
{
	int32_t out = tp_verify_sends_on(replay->index, op);
	if (out < 0)
		return true;
	struct tp_replay_channel *channel = &replay->channels[out];
	int64_t number = channel->sent, freed = 0;
	if (channel->capacity >= 0 && number + 1 - channel->taken > channel->capacity)
		return false;
	if (channel->freed && number >= channel->capacity)
		freed = channel->freed[(number - channel->capacity) % (channel->capacity + 1)];
	rank->time = freed > rank->time ? freed : rank->time;
	channel->sent++;
	return true;
}

/* As far as it gets; true when it got anywhere. Then waits_for says whom it waits for, -1 at the end of its list. */
static bool advance(struct tp_replay *replay, int32_t r)
{
	struct tp_replay_rank *rank = &replay->ranks[r];
	const struct tp_listed_rank *list = &replay->index->listing->lists[r];
	bool moved = false;
	for (; rank->step < list->count; rank->step++, rank->computed = false, moved = true) {
		const struct tp_listed *op = &list->ops[rank->step];
		if (!rank->computed) {
			struct tp_listed_place need;
			int64_t start = rank->time;
			if (lacks(replay, op, &need, &start)) {
				rank->waits_for = need.rank;
				return moved;
			}
			compute(replay, r, op, start);
			moved = true;
		}
		if (!hand_on(replay, rank, op)) {
			rank->waits_for = replay->index->channels[tp_verify_sends_on(replay->index, op)].to_rank;
			return moved;
		}
	}
	rank->waits_for = -1;
	return moved;
}

/* --- all ranks ---------------------------------------------------------------------------------------------------- */

static void push(struct tp_replay *replay, int32_t r)
{
	replay->ready[replay->ready_count++] = r;
}

static void run(struct tp_replay *replay)
{
	for (int32_t r = replay->index->listing->ranks - 1; r >= 0; r--)
		push(replay, r);
	while (replay->ready_count > 0) {
		int32_t r = replay->ready[--replay->ready_count];
		struct tp_replay_rank *rank = &replay->ranks[r];
		bool moved = advance(replay, r);
		int32_t next;
		for (int32_t waiter = moved ? rank->first_waiter : -1; waiter >= 0; waiter = next) {
			next = replay->ranks[waiter].next_waiter;
			push(replay, waiter);
		}
		if (moved)
			rank->first_waiter = -1;
		if (rank->waits_for >= 0) {
			rank->next_waiter = replay->ranks[rank->waits_for].first_waiter;
			replay->ranks[rank->waits_for].first_waiter = r;
		}
	}
}

static enum tp_status replay_init(struct tp_replay *replay, const int64_t *capacity)
{
	const struct tp_verify_index *index = replay->index;
	const struct tp_listing *listing = index->listing;
	int32_t channels = 2 * (listing->stages - 1);
	replay->ranks = tp_alloc_array((size_t)listing->ranks, sizeof *replay->ranks);
	replay->channels = tp_alloc_array((size_t)channels, sizeof *replay->channels);
	replay->ready = tp_alloc_array((size_t)listing->ranks, sizeof *replay->ready);
	replay->end = tp_alloc_array((size_t)index->base[listing->ranks], sizeof *replay->end);
	if (!replay->ranks || !replay->channels || !replay->ready || !replay->end)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < listing->ranks; r++)
		replay->ranks[r].first_waiter = -1;
	for (int32_t c = 0; c < channels; c++) {
		struct tp_replay_channel *channel = &replay->channels[c];
		channel->capacity = capacity && capacity[c] < index->channels[c].messages ? capacity[c] : -1;
		if (channel->capacity < 0)
			continue;
		channel->freed = tp_alloc_array((size_t)channel->capacity + 1, sizeof *channel->freed);
		if (!channel->freed)
			return TP_ERR_NOMEM;
	}
	return TP_OK;
}

enum tp_status tp_replay_run(struct tp_replay *replay, const struct tp_verify_index *index, const int64_t *capacity)
{
	*replay = (struct tp_replay){.index = index, .finished = true};
	TP_TRY(replay_init(replay, capacity));
	run(replay);
	for (int32_t r = 0; r < index->listing->ranks; r++) {
		const struct tp_replay_rank *rank = &replay->ranks[r];
		replay->finished &= rank->step == index->listing->lists[r].count;
		replay->makespan = rank->time > replay->makespan ? rank->time : replay->makespan;
	}
	return TP_OK;
}

void tp_replay_release(struct tp_replay *replay)
{
	for (int32_t c = 0; replay->channels && c < 2 * (replay->index->listing->stages - 1); c++)
		tp_free(replay->channels[c].freed);
	tp_free(replay->channels);
	tp_free(replay->ranks);
	tp_free(replay->ready);
	tp_free(replay->end);
	*replay = (struct tp_replay){0};
}

/* --- why it stands still ------------------------------------------------------------------------------------------ */

/* "waits for 1A of stage 0", "waits for a place in its ring of 2 to stage 1". */
static void add_reason(const struct tp_replay *replay, int32_t r, struct tp_text *text)
{
	const struct tp_replay_rank *rank = &replay->ranks[r];
	const struct tp_listing *listing = replay->index->listing;
	const struct tp_listed *op = &listing->lists[r].ops[rank->step];
	struct tp_listed_place need = {0, 0};
	int64_t time = 0;
	char name[64];
	if (!rank->computed && lacks(replay, op, &need, &time)) {
		tp_text_add(text, "waits for %s", tp_listed_name(tp_listed_at(listing, need), name, sizeof name));
		tp_text_add(text, need.rank == r ? ", step %lld of its own list" : ", step %lld there",
		            (long long)need.step);
		return;
	}
	int32_t out = tp_verify_sends_on(replay->index, op);
	int32_t to = out < listing->stages - 1 ? op->stage + 1 : op->stage - 1;
	int64_t capacity = replay->channels[out].capacity;
	if (capacity == 0)
		tp_text_add(text, "waits until stage %d takes its message", to);
	else
		tp_text_add(text, "waits for a place in the ring to stage %d, which holds %lld", to,
		            (long long)capacity);
}

/* The lowest rank of a circle of waiting ones. */
static int32_t lowest_in_circle(const struct tp_replay *replay)
{
	int32_t at = 0, ranks = replay->index->listing->ranks;
	while (replay->ranks[at].waits_for < 0)
		at++;
	for (int32_t i = 0; i < ranks; i++) { /* then it is in the circle */
		at = replay->ranks[at].waits_for;
		TP_CHECK(at >= 0); /* a rank that is through has nothing that anybody could wait for */
	}
	int32_t lowest = at;
	for (int32_t next = replay->ranks[at].waits_for; next != at; next = replay->ranks[next].waits_for)
		lowest = next < lowest ? next : lowest;
	return lowest;
}

void tp_replay_explain(const struct tp_replay *replay, struct tp_fault *fault)
{
	const struct tp_listing *listing = replay->index->listing;
	int32_t first = lowest_in_circle(replay), r = first, shown = 0;
	bool full = false;
	struct tp_text text = {0};
	do {
		const struct tp_replay_rank *rank = &replay->ranks[r];
		full |= rank->computed;
		char name[64];
		if (shown > 0 && shown < CHAIN_SHOWN)
			tp_text_add(&text, "; %s ",
			            tp_listed_name(&listing->lists[r].ops[rank->step], name, sizeof name));
		if (shown < CHAIN_SHOWN)
			add_reason(replay, r, &text);
		else if (shown == CHAIN_SHOWN)
			tp_text_add(&text, "; and so on");
		shown++;
		r = rank->waits_for;
	} while (r != first);
	const struct tp_listed_place place = {first, replay->ranks[first].step};
	tp_fault_set(fault, listing, full ? TP_FAULT_RING : TP_FAULT_DEADLOCK, place,
	             tp_listed_at(listing, place)->stage, "%s", tp_text_get(&text));
	tp_text_release(&text);
}
