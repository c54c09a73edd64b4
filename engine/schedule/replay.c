#include "engine/schedule/replay.h"

#include "engine/base/memory.h"

static int64_t forwards(const struct tp_listing *listing)
{
	return listing->minis * listing->forwards_per_mini;
}

static int64_t backwards(const struct tp_listing *listing)
{
	return listing->minis * listing->backwards_per_mini;
}

enum tp_status tp_replay_init(struct tp_replay *replay, const struct tp_listing *listing, int64_t forward_capacity,
                              int64_t backward_capacity)
{
	size_t ranks = (size_t)listing->ranks, stages = (size_t)listing->stages;
	size_t f = stages * (size_t)forwards(listing), b = stages * (size_t)backwards(listing);
	*replay = (struct tp_replay){.listing = listing};
	replay->position = tp_alloc_array(ranks, sizeof *replay->position);
	replay->offered = tp_alloc_array(ranks, sizeof *replay->offered);
	replay->free_at = tp_alloc_array(ranks, sizeof *replay->free_at);
	replay->forward_end = tp_alloc_array(f, sizeof *replay->forward_end);
	replay->backward_end = tp_alloc_array(b, sizeof *replay->backward_end);
	replay->weights_done = tp_alloc_array(b, sizeof *replay->weights_done);
	replay->taken[0] = tp_alloc_array(f, sizeof *replay->taken[0]);
	replay->taken[1] = tp_alloc_array(b, sizeof *replay->taken[1]);
	bool made = replay->position && replay->offered && replay->free_at && replay->forward_end &&
	            replay->backward_end && replay->weights_done && replay->taken[0] && replay->taken[1];
	for (int d = 0; d < 2; d++) {
		replay->capacity[d] = tp_alloc_array(stages, sizeof *replay->capacity[d]);
		replay->waiting[d] = tp_alloc_array(stages, sizeof *replay->waiting[d]);
		made = made && replay->capacity[d] && replay->waiting[d];
	}
	if (!made) {
		tp_replay_release(replay);
		return TP_ERR_NOMEM;
	}
	for (size_t s = 0; s < stages; s++) {
		replay->capacity[0][s] = forward_capacity;
		replay->capacity[1][s] = backward_capacity;
	}
	for (size_t r = 0; r < ranks; r++)
		replay->offered[r] = -1;
	return TP_OK;
}

void tp_replay_release(struct tp_replay *replay)
{
	tp_free(replay->position);
	tp_free(replay->offered);
	tp_free(replay->free_at);
	tp_free(replay->forward_end);
	tp_free(replay->backward_end);
	tp_free(replay->weights_done);
	for (int d = 0; d < 2; d++) {
		tp_free(replay->taken[d]);
		tp_free(replay->capacity[d]);
		tp_free(replay->waiting[d]);
	}
	tp_free(replay->start);
	*replay = (struct tp_replay){0};
}

/* --- who waits for what ---------------------------------------------------------------------------------------------
 */

static int64_t *forward_of(const struct tp_replay *replay, int32_t stage, int64_t unit)
{
	return &replay->forward_end[stage * forwards(replay->listing) + unit];
}

static int64_t *backward_of(const struct tp_replay *replay, int32_t stage, int64_t unit)
{
	return &replay->backward_end[stage * backwards(replay->listing) + unit];
}

static bool crosses(const struct tp_listing *listing, int32_t stage, int32_t other)
{
	return listing->rank_of_stage[stage] != listing->rank_of_stage[other];
}

bool tp_replay_sends(const struct tp_listing *listing, const struct tp_listed *item, int32_t *boundary, int *direction)
{
	bool forward = item->kind == TP_OP_F;
	int32_t other = item->stage + (forward ? 1 : -1);
	if (item->what != TP_LISTED_OPERATION || item->kind == TP_OP_BW || other < 0 || other >= listing->stages ||
	    !crosses(listing, item->stage, other))
		return false;
	*boundary = forward ? item->stage : other;
	*direction = !forward;
	return true;
}

/* The message that an operation takes, if one comes from another rank. */
static bool receives(const struct tp_listing *listing, const struct tp_listed *item, int32_t *boundary, int *direction)
{
	bool forward = item->kind == TP_OP_F;
	int32_t other = item->stage + (forward ? -1 : 1);
	if (item->kind == TP_OP_BW || other < 0 || other >= listing->stages || !crosses(listing, item->stage, other))
		return false;
	*boundary = forward ? other : item->stage;
	*direction = !forward;
	return true;
}

static int64_t ended(int64_t end)
{
	return end > 0 ? end : -1;
}

/* The slot from which an operation's inputs are there; -1: not yet. */
static int64_t inputs_ready(const struct tp_replay *replay, const struct tp_listed *item)
{
	const struct tp_listing *listing = replay->listing;
	int64_t unit = tp_listed_unit(listing, item);
	int32_t last = listing->stages - 1;
	if (item->kind == TP_OP_F)
		return item->stage == 0 ? 0 : ended(*forward_of(replay, item->stage - 1, unit));
	if (item->kind == TP_OP_BW)
		return ended(*backward_of(replay, item->stage, unit));
	/* Its own forwards, and the gradient from behind. */
	int64_t first = unit, count = 1, ready = 0;
	if (item->micro == TP_WHOLE) {
		first = (item->mini - 1) * listing->forwards_per_mini;
		count = listing->forwards_per_mini;
	}
	for (int64_t i = first; i < first + count; i++) {
		int64_t end = *forward_of(replay, item->stage, i);
		if (end == 0)
			return -1;
		ready = end > ready ? end : ready;
	}
	if (item->stage == last)
		return ready;
	int64_t end = ended(*backward_of(replay, item->stage + 1, unit));
	return end > ready || end < 0 ? end : ready;
}

/* --- playing --------------------------------------------------------------------------------------------------------
 */

/* The message of the operation just done finds its place, or has been taken; false: the rank waits. */
static bool place_message(struct tp_replay *replay, int32_t rank)
{
	const struct tp_listed *item = &replay->listing->items[replay->offered[rank]];
	int32_t boundary = 0;
	int direction = 0;
	TP_CHECK(tp_replay_sends(replay->listing, item, &boundary, &direction));
	int64_t capacity = replay->capacity[direction][boundary];
	int64_t per_stage = direction ? backwards(replay->listing) : forwards(replay->listing);
	bool taken = replay->taken[direction][boundary * per_stage + tp_listed_unit(replay->listing, item)];
	if (!taken && replay->waiting[direction][boundary] > capacity) /* counted when it was offered */
		return false;
	replay->offered[rank] = -1;
	return true;
}

static bool do_operation(struct tp_replay *replay, int32_t rank, int64_t index)
{
	const struct tp_listing *listing = replay->listing;
	const struct tp_listed *item = &listing->items[index];
	int64_t ready = inputs_ready(replay, item), unit = tp_listed_unit(listing, item);
	int32_t boundary;
	int direction;
	if (ready < 0)
		return false;
	if (receives(listing, item, &boundary, &direction)) {
		int64_t per_stage = direction ? backwards(listing) : forwards(listing);
		replay->waiting[direction][boundary]--;
		replay->taken[direction][boundary * per_stage + unit] = true;
	}
	int64_t start = ready > replay->free_at[rank] ? ready : replay->free_at[rank];
	if (replay->start)
		replay->start[index] = start;
	replay->free_at[rank] = start + 1;
	if (item->kind == TP_OP_F)
		*forward_of(replay, item->stage, unit) = start + 1;
	else if (item->kind != TP_OP_BW)
		*backward_of(replay, item->stage, unit) = start + 1;
	if (item->kind == TP_OP_B || item->kind == TP_OP_BW)
		replay->weights_done[item->stage * backwards(listing) + unit] = true;
	if (tp_replay_sends(listing, item, &boundary, &direction)) {
		replay->waiting[direction][boundary]++;
		replay->offered[rank] = index;
	}
	return true;
}

/* One item further, if it can be. */
static bool step(struct tp_replay *replay, int32_t rank)
{
	const struct tp_listing *listing = replay->listing;
	int64_t index = listing->first[rank] + replay->position[rank];
	if (replay->offered[rank] >= 0)
		return place_message(replay, rank);
	if (index == listing->first[rank + 1])
		return false;
	if (listing->items[index].what == TP_LISTED_OPERATION && !do_operation(replay, rank, index))
		return false;
	replay->position[rank]++;
	return true;
}

bool tp_replay_done(const struct tp_replay *replay, int32_t rank)
{
	const struct tp_listing *listing = replay->listing;
	return replay->offered[rank] < 0 && listing->first[rank] + replay->position[rank] == listing->first[rank + 1];
}

bool tp_replay_run(struct tp_replay *replay)
{
	bool moved = true, done = true;
	while (moved) {
		moved = false;
		for (int32_t r = 0; r < replay->listing->ranks; r++) {
			while (step(replay, r))
				moved = true;
		}
	}
	for (int32_t r = 0; r < replay->listing->ranks; r++)
		done = done && tp_replay_done(replay, r);
	return done;
}
