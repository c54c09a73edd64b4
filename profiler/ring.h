/* A ring of records of one size between one writer and one reader, on memory of fixed size that its owner sets aside.
 * The writer never waits: a record that finds the ring full is counted as dropped. */
#ifndef TP_PROFILER_RING_H
#define TP_PROFILER_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct tp_ring {
	unsigned char *slots; /* not owned */
	size_t record_bytes;
	int64_t capacity; /* records; 0: nothing is recorded and nothing dropped */
	/* The writer's. What the reader has freed is looked up only when the room last seen is used up. */
	int64_t write_at, room, dropped;
	_Atomic int64_t written; /* since the restart */
	/* The reader's, on a line of its own. */
	alignas(64) _Atomic int64_t taken;
	int64_t read_at;
};

/* While nobody uses it: empty, and nothing dropped. */
static inline void tp_ring_restart(struct tp_ring *ring)
{
	ring->write_at = ring->read_at = ring->dropped = 0;
	ring->room = ring->capacity;
	atomic_store_explicit(&ring->written, 0, memory_order_relaxed);
	atomic_store_explicit(&ring->taken, 0, memory_order_relaxed);
}

static inline int64_t tp_ring_written(const struct tp_ring *ring)
{
	return atomic_load_explicit(&ring->written, memory_order_acquire);
}

/* The writer's next record, to be filled and committed; NULL when recording is off or the ring is full. */
static inline void *tp_ring_next(struct tp_ring *ring)
{
	if (__builtin_expect(ring->room == 0, 0)) {
		ring->room = ring->capacity - (atomic_load_explicit(&ring->written, memory_order_relaxed) -
		                               atomic_load_explicit(&ring->taken, memory_order_acquire));
		if (ring->room == 0) {
			ring->dropped += ring->capacity > 0;
			return NULL;
		}
	}
	return ring->slots + (size_t)ring->write_at * ring->record_bytes;
}

static inline void tp_ring_commit(struct tp_ring *ring)
{
	ring->room--;
	ring->write_at = ring->write_at + 1 == ring->capacity ? 0 : ring->write_at + 1;
	atomic_store_explicit(&ring->written, atomic_load_explicit(&ring->written, memory_order_relaxed) + 1,
	                      memory_order_release);
}

/* The reader's view: the oldest records that lie one behind another, `*count` of them (0: none), and `*first`, how many
 * came before them. They stay until released. */
static inline const void *tp_ring_peek(const struct tp_ring *ring, int64_t *first, int64_t *count)
{
	int64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	int64_t waiting = tp_ring_written(ring) - taken, to_end = ring->capacity - ring->read_at;
	*first = taken;
	*count = waiting < to_end ? waiting : to_end;
	return ring->slots + (size_t)ring->read_at * ring->record_bytes;
}

static inline void tp_ring_release(struct tp_ring *ring, int64_t count)
{
	ring->read_at = ring->read_at + count == ring->capacity ? 0 : ring->read_at + count;
	atomic_store_explicit(&ring->taken, atomic_load_explicit(&ring->taken, memory_order_relaxed) + count,
	                      memory_order_release);
}

#endif
