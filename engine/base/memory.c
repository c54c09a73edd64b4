#include "engine/base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Each block is preceded by one cache line that says how it was obtained. */
struct block_head {
	size_t payload_bytes;
	size_t mapped_bytes; /* 0: from the heap */
};
_Static_assert(sizeof(struct block_head) <= 64, "the head must fit the line before the payload");

/* From this size on blocks are mapped: untouched pages then cost nothing and go back to the system when freed. */
#define MAP_FROM_BYTES ((size_t)1 << 20)

/* The smallest page there is: touching more often than needed is harmless. */
#define PAGE_BYTES ((size_t)4096)

static _Atomic uint64_t alloc_count;
static _Atomic uint64_t alloc_bytes;
static _Atomic uint64_t heap_bytes;
static _Atomic int64_t fail_after = -1;

static bool may_allocate(void)
{
	int64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
	if (left < 0)
		return true;
	if (left == 0)
		return false;
	atomic_store_explicit(&fail_after, left - 1, memory_order_relaxed);
	return true;
}

static struct block_head *obtain(size_t total)
{
	if (total >= MAP_FROM_BYTES) {
		void *mapped = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mapped == MAP_FAILED)
			return NULL;
		struct block_head *head = mapped;
		head->mapped_bytes = total;
		return head;
	}
	struct block_head *head = aligned_alloc(TP_ALIGN_BYTES, total);
	if (head)
		memset(head, 0, total);
	return head;
}

void *tp_alloc(size_t bytes)
{
	if (bytes > SIZE_MAX - 4 * TP_ALIGN_BYTES || !may_allocate()) {
		(void)tp_fail(TP_ERR_NOMEM, "no memory for %zu bytes", bytes);
		return NULL;
	}
	size_t payload = tp_align_up(bytes);
	struct block_head *head = obtain(payload + TP_ALIGN_BYTES);
	if (!head) {
		(void)tp_fail(TP_ERR_NOMEM, "no memory for %zu bytes", bytes);
		return NULL;
	}
	head->payload_bytes = payload;
	atomic_fetch_add_explicit(&alloc_count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&alloc_bytes, payload, memory_order_relaxed);
	if (!head->mapped_bytes)
		atomic_fetch_add_explicit(&heap_bytes, payload + TP_ALIGN_BYTES, memory_order_relaxed);
	return (unsigned char *)head + TP_ALIGN_BYTES;
}

void *tp_alloc_array(size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		(void)tp_fail(TP_ERR_NOMEM, "no memory for %zu items of %zu bytes", count, size);
		return NULL;
	}
	return tp_alloc(count * size);
}

void tp_free(void *memory)
{
	if (!memory)
		return;
	struct block_head *head = (struct block_head *)(void *)((unsigned char *)memory - TP_ALIGN_BYTES);
	atomic_fetch_sub_explicit(&alloc_bytes, head->payload_bytes, memory_order_relaxed);
	if (head->mapped_bytes) {
		(void)munmap(head, head->mapped_bytes);
		return;
	}
	atomic_fetch_sub_explicit(&heap_bytes, head->payload_bytes + TP_ALIGN_BYTES, memory_order_relaxed);
	free(head);
}

void tp_prefault(void *memory, size_t bytes)
{
	volatile unsigned char *at = memory;
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		at[i] = 0;
}

uint64_t tp_alloc_count(void)
{
	return atomic_load_explicit(&alloc_count, memory_order_relaxed);
}

uint64_t tp_alloc_bytes(void)
{
	return atomic_load_explicit(&alloc_bytes, memory_order_relaxed);
}

uint64_t tp_alloc_heap_bytes(void)
{
	return atomic_load_explicit(&heap_bytes, memory_order_relaxed);
}

void tp_alloc_fail_after(int64_t successes)
{
	atomic_store_explicit(&fail_after, successes, memory_order_relaxed);
}

enum tp_status tp_arena_init(struct tp_arena *arena, size_t bytes)
{
	static const struct tp_memory_source host = {0};
	return tp_arena_init_from(arena, &host, bytes);
}

enum tp_status tp_arena_init_from(struct tp_arena *arena, const struct tp_memory_source *source, size_t bytes)
{
	*arena = (struct tp_arena){0};
	const size_t whole = tp_align_up(bytes); /* as tp_alloc() gives */
	void *base = NULL;
	if (source->reserve)
		TP_TRY(source->reserve(source->context, whole, &base));
	else if (!(base = tp_alloc(bytes)))
		return TP_ERR_NOMEM;
	if (!source->reserve)
		tp_prefault(base, whole);
	*arena = (struct tp_arena){.base = base, .size_bytes = whole, .source = *source};
	return TP_OK;
}

void tp_arena_release(struct tp_arena *arena)
{
	if (arena->source.release)
		arena->source.release(arena->source.context, arena->base);
	else
		tp_free(arena->base);
	*arena = (struct tp_arena){0};
}

void *tp_arena_take(struct tp_arena *arena, size_t bytes)
{
	/* Both sizes are whole lines, so what fits also fits rounded up. */
	TP_CHECK(bytes <= arena->size_bytes - arena->used_bytes);
	void *piece = arena->base + arena->used_bytes;
	arena->used_bytes += tp_align_up(bytes);
	return piece;
}
