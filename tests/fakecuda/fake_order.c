/* Which accesses are ordered, and which are not. A stream's clock says of every stream how far its work is certainly
 * done before what the stream does next. It grows by waits for events, and by what the issuing thread knows: a thread
 * that has waited for something, or was told that it is done, issues what comes after it.
 *
 * What one thread knows from a mark is not known to another, since fakecuda does not see how threads tell each other;
 * waits for a whole stream (or a query that finds it idle) count for all threads, as they are made where work is handed
 * from threads to threads: before and after the window. A thread begins with what all others know.
 *
 * Clocks move when operations run, since only then a receive knows which send it belongs to: what the sender's stream
 * did before it is before the receive. A send knows nothing of its receiver, as NCCL may buffer what is sent. */
#include "tests/fakecuda/fake_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	uint64_t last; /* time: goes on when a slot gets a new stream */
	bool taken;
} slots[FAKE_CLOCKS];
static int next_slot, slots_used;

static _Thread_local struct fake_clock known;
static _Thread_local bool known_begun;

/* Slots that were never used first, then the one that has been free for long: so old accesses of a stream that is gone
 * are not soon taken for those of another. */
int fake_slot_new(void)
{
	for (int i = 0; i < FAKE_CLOCKS; i++) {
		int slot = next_slot;
		next_slot = (next_slot + 1) % FAKE_CLOCKS;
		if (!slots[slot].taken) {
			slots[slot].taken = true;
			slots_used = slot >= slots_used ? slot + 1 : slots_used;
			return slot;
		}
	}
	(void)fprintf(stderr, "fakecuda: more than %d streams\n", FAKE_CLOCKS);
	abort();
}

void fake_slot_free(int slot)
{
	slots[slot].taken = false;
}

void fake_clock_join(struct fake_clock *clock, const struct fake_clock *other)
{
	for (int i = 0; i < slots_used; i++)
		if (clock->at[i] < other->at[i])
			clock->at[i] = other->at[i];
}

static struct fake_clock *known_here(void)
{
	if (!known_begun)
		known = fake.all;
	known_begun = true;
	return &known;
}

void fake_order_learn(const struct fake_clock *clock, bool for_all_threads)
{
	fake_clock_join(known_here(), clock);
	fake_clock_join(&fake.all, clock);
	if (for_all_threads)
		fake_clock_join(&fake.host, clock);
}

static bool is_before(const struct fake_access *access, const struct fake_clock *clock)
{
	return access->time <= clock->at[access->slot];
}

struct fake_side {
	const char *name, *does;
	int stream;
};

static void describe(struct fake_side old, struct fake_side now, uintptr_t from, uintptr_t to,
                     const struct fake_allocation *allocation)
{
	uintptr_t base = (uintptr_t)allocation->at;
	if (fake.counts.first_race[0])
		return;
	(void)snprintf(fake.counts.first_race, sizeof fake.counts.first_race,
	               "%.60s (stream %d) %s and %.60s (stream %d) %s, unordered: bytes %zu to %zu of %zu of %s",
	               old.name, old.stream, old.does, now.name, now.stream, now.does, (size_t)(from - base),
	               (size_t)(to - base), allocation->bytes, allocation->device == FAKE_HOST ? "the host" : "a GPU");
}

static struct fake_side side_of(const struct fake_access *access)
{
	return (struct fake_side){access->name, access->writes ? "writes" : "reads", access->stream};
}

static void report_race(const struct fake_access *old, const struct fake_access *now,
                        const struct fake_allocation *allocation)
{
	uintptr_t from = old->from > now->from ? old->from : now->from, to = old->to < now->to ? old->to : now->to;
	fake.counts.races++;
	describe(side_of(old), side_of(now), from, to, allocation);
}

/* What is no race, but an access to bytes that are nobody's. */
static void report_astray(const struct fake_access *access, const char *of_what)
{
	fake.counts.reads_of_freed++;
	if (!fake.counts.first_race[0])
		(void)snprintf(fake.counts.first_race, sizeof fake.counts.first_race,
		               "%.60s (stream %d) %s %zu bytes %s", access->name, access->stream,
		               access->writes ? "writes" : "reads", (size_t)(access->to - access->from), of_what);
}

/* An older access that the new one covers and comes after is no longer needed: whatever is ordered after the new one is
 * after the old one. Only a write takes the place of a write. */
static void check_access(struct fake_allocation *allocation, const struct fake_access *now,
                         const struct fake_clock *clock)
{
	bool raced = false;
	for (int i = allocation->access_count - 1; i >= 0; i--) {
		struct fake_access *old = &allocation->accesses[i];
		if (old->from >= now->to || now->from >= old->to)
			continue;
		bool before = is_before(old, clock);
		if (!before && (old->writes || now->writes) && !raced) {
			report_race(old, now, allocation);
			raced = true;
		}
		if (before && old->from >= now->from && old->to <= now->to && (now->writes || !old->writes))
			*old = allocation->accesses[--allocation->access_count];
	}
	int kept = allocation->access_count;
	if (kept == allocation->access_room) {
		allocation->access_room = kept ? 2 * kept : 16;
		struct fake_access *more = fake_alloc((size_t)allocation->access_room * sizeof *more);
		if (kept > 0)
			(void)memcpy(more, allocation->accesses, (size_t)kept * sizeof *more);
		free(allocation->accesses);
		allocation->accesses = more;
	}
	allocation->accesses[allocation->access_count++] = *now;
}

/* --- ranges that are nobody's --- */

static void add_retired(struct fake_allocation *allocation, uintptr_t from, uintptr_t to)
{
	if (from >= to)
		return;
	if (allocation->retired_count == allocation->retired_room) {
		int room = allocation->retired_room ? 2 * allocation->retired_room : 8;
		struct fake_range *more = fake_alloc((size_t)room * sizeof *more);
		if (allocation->retired_count > 0)
			(void)memcpy(more, allocation->retired, (size_t)allocation->retired_count * sizeof *more);
		free(allocation->retired);
		allocation->retired = more;
		allocation->retired_room = room;
	}
	allocation->retired[allocation->retired_count++] = (struct fake_range){from, to};
}

static void write_retired(struct fake_allocation *allocation, uintptr_t from, uintptr_t to)
{
	for (int i = allocation->retired_count - 1; i >= 0; i--) {
		struct fake_range old = allocation->retired[i];
		if (old.from >= to || from >= old.to)
			continue;
		allocation->retired[i] = allocation->retired[--allocation->retired_count];
		add_retired(allocation, old.from, from);
		add_retired(allocation, to, old.to);
	}
}

static void read_retired(struct fake_allocation *allocation, const struct fake_access *access)
{
	for (int i = 0; i < allocation->retired_count; i++) {
		const struct fake_range *range = &allocation->retired[i];
		if (range->from >= access->to || access->from >= range->to)
			continue;
		report_astray(access, "that were given up");
		return;
	}
}

/* --- issue --- */

static struct fake_access access_of(const struct CUstream_st *stream, const struct fake_touch *touch, const char *name)
{
	return (struct fake_access){.from = (uintptr_t)touch->at,
	                            .to = (uintptr_t)touch->at + touch->bytes,
	                            .time = stream->clock.at[stream->slot],
	                            .slot = stream->slot,
	                            .stream = stream->number,
	                            .writes = touch->writes,
	                            .name = name};
}

/* Copies find their way between GPUs; a kernel reaches another GPU's memory only where that was enabled. */
static bool reaches(const struct fake_operation *operation, const struct fake_allocation *allocation)
{
	int device = operation->stream->device;
	return allocation->device == FAKE_HOST || allocation->device == device || operation->kind == FAKE_COPY ||
	       fake.peers[device][allocation->device];
}

static bool is_there(const struct fake_operation *operation, const struct fake_touch *touch)
{
	struct fake_allocation *allocation = fake_find(touch->at, touch->bytes);
	if (allocation && reaches(operation, allocation))
		return true;
	struct fake_access access = access_of(operation->stream, touch, operation->name);
	report_astray(&access, allocation ? "of another GPU" : "that are not allocated");
	return false;
}

bool fake_order_issue(struct fake_operation *operation)
{
	bool all_there = true;
	operation->known = *known_here();
	fake_clock_join(&operation->known, &fake.host);
	for (int i = 0; i < operation->touches.count; i++)
		all_there = is_there(operation, &operation->touches.touch[i]) && all_there;
	return all_there;
}

void fake_order_begin(struct fake_operation *operation)
{
	struct CUstream_st *stream = operation->stream;
	fake_clock_join(&stream->clock, &operation->known);
	stream->clock.at[stream->slot] = ++slots[stream->slot].last;
}

/* What was freed since its issue was reported when it was freed. */
void fake_order_touch(const struct fake_operation *operation, const struct fake_touch *touch)
{
	const struct CUstream_st *stream = operation->stream;
	struct fake_allocation *allocation = fake_find(touch->at, touch->bytes);
	struct fake_access access = access_of(stream, touch, operation->name);
	if (!allocation)
		return;
	check_access(allocation, &access, &stream->clock);
	if (!touch->writes)
		read_retired(allocation, &access);
	else
		write_retired(allocation, access.from, access.to);
	if (operation->kind == FAKE_RETIRE)
		add_retired(allocation, access.from, access.to);
}

/* An operation reads before it writes: what it changes in place. */
void fake_order_run(struct fake_operation *operation)
{
	fake_order_begin(operation);
	for (int writes = 0; writes < 2; writes++)
		for (int i = 0; i < operation->touches.count && !operation->astray; i++)
			if (operation->touches.touch[i].writes == (writes == 1))
				fake_order_touch(operation, &operation->touches.touch[i]);
}

/* Giving up is a write as far as order goes: who still reads must come before it. */
FAKE_EXPORT void fakecuda_retire(cudaStream_t stream, const void *at, size_t bytes)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	struct CUstream_st *own = fake_stream(stream);
	if (own && bytes > 0) {
		struct fake_operation *operation = fake_operation_new(own, FAKE_RETIRE, "giving up", NULL, 0);
		fake_writes(&operation->touches, at, bytes);
		fake_issue(operation);
	}
	(void)fake_leave(&call, cudaSuccess);
}
