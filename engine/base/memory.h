/* Memory: counted allocation and arenas.
 *
 * All memory of ours comes from tp_alloc(), so that "nothing is allocated inside the measured window" can be asserted
 * (tp_alloc_count() does not move) and so that tests can make the n-th allocation fail. An arena is one allocation
 * that is handed out in aligned pieces before the window and given back as a whole. */
#ifndef TP_ENGINE_BASE_MEMORY_H
#define TP_ENGINE_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

/* Every piece is aligned to a cache line, which is also what vector kernels want. */
#define TP_ALIGN_BYTES ((size_t)64)

/* `bytes` rounded up to the alignment. */
static inline size_t tp_align_up(size_t bytes)
{
	return (bytes + TP_ALIGN_BYTES - 1) & ~(TP_ALIGN_BYTES - 1);
}

/* Zeroed, aligned memory; NULL with a detail set when there is none. Zero bytes give a valid pointer. Large pieces
 * come from the kernel untouched: they cost address space until written. Free with tp_free(). */
void *tp_alloc(size_t bytes);

/* tp_alloc(count * size) with an overflow check. */
void *tp_alloc_array(size_t count, size_t size);

/* NULL is allowed. */
void tp_free(void *memory);

/* Touch every page of zeroed memory now, so that its first use inside a measured window costs nothing extra. */
void tp_prefault(void *memory, size_t bytes);

/* Allocations since the process began. */
uint64_t tp_alloc_count(void);

/* Bytes now held through tp_alloc(), by request size rounded up to the alignment. */
uint64_t tp_alloc_bytes(void);
/* The part of it that lies in the C library's heap; the rest is mapped. */
uint64_t tp_alloc_heap_bytes(void);

/* For tests: let `successes` more allocations succeed, then fail every one; negative: never fail. */
void tp_alloc_fail_after(int64_t successes);

/* Memory that is not the host's, as an arena wants it: zeroed, aligned to TP_ALIGN_BYTES at least. */
struct tp_memory_source {
	enum tp_status (*reserve)(void *context, size_t bytes, void **memory); /* NULL: tp_alloc() */
	void (*release)(void *context, void *memory);
	void *context;
};

/* A block handed out from its front. Not thread-safe. */
struct tp_arena {
	unsigned char *base;
	size_t size_bytes;
	size_t used_bytes;
	struct tp_memory_source source;
};

/* Reserve `bytes`, zeroed and with every page present. On failure the arena is empty and safe to release. */
enum tp_status tp_arena_init(struct tp_arena *arena, size_t bytes);
/* The same from a source, which must outlive the arena. */
enum tp_status tp_arena_init_from(struct tp_arena *arena, const struct tp_memory_source *source, size_t bytes);
void tp_arena_release(struct tp_arena *arena);

/* The next aligned piece. Asking for more than was reserved is a broken invariant: sizes are computed first. */
void *tp_arena_take(struct tp_arena *arena, size_t bytes);

#endif
