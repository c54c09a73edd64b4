#include "profiler/kernel_names.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"

enum { FIRST_CAPACITY = 128 };

static bool same_texts(const struct tp_kernel_name *a, const struct tp_kernel_name *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->layer, b->layer) == 0 && strcmp(a->pass, b->pass) == 0 &&
	       strcmp(a->shape, b->shape) == 0 && strcmp(a->implementation, b->implementation) == 0;
}

static uint64_t hash_texts(const struct tp_kernel_name *name)
{
	uint64_t hash = tp_hash_text(name->name);
	hash = tp_mix64(hash, tp_hash_text(name->implementation));
	hash = tp_mix64(hash, tp_hash_text(name->pass));
	hash = tp_mix64(hash, tp_hash_text(name->layer));
	return tp_mix64(hash, tp_hash_text(name->shape));
}

/* The bucket of a name: where it is, or where it would go. */
static int32_t *find_bucket(const struct tp_kernel_names *names, const struct tp_kernel_name *name)
{
	uint64_t mask = (uint64_t)names->capacity * 2 - 1, at = hash_texts(name) & mask;
	while (names->buckets[at] && !same_texts(&names->entries[names->buckets[at] - 1], name))
		at = (at + 1) & mask;
	return &names->buckets[at];
}

static enum tp_status grow(struct tp_kernel_names *names)
{
	struct tp_kernel_names larger = {
	        .count = names->count,
	        .capacity = names->capacity ? 2 * names->capacity : FIRST_CAPACITY,
	};
	larger.entries = tp_alloc_array((size_t)larger.capacity, sizeof *larger.entries);
	larger.buckets = tp_alloc_array((size_t)larger.capacity * 2, sizeof *larger.buckets);
	if (!larger.entries || !larger.buckets) {
		tp_kernel_names_release(&larger);
		return TP_ERR_NOMEM;
	}
	for (int32_t i = 0; i < names->count; i++) {
		larger.entries[i] = names->entries[i];
		*find_bucket(&larger, &larger.entries[i]) = i + 1;
	}
	tp_kernel_names_release(names);
	*names = larger;
	return TP_OK;
}

enum tp_status tp_kernel_names_add(struct tp_kernel_names *names, const struct tp_kernel_name *name, int32_t *number)
{
	if (names->count == names->capacity)
		TP_TRY(grow(names));
	int32_t *bucket = find_bucket(names, name);
	if (*bucket == 0) {
		names->entries[names->count] = *name;
		*bucket = ++names->count;
	}
	*number = *bucket - 1;
	return TP_OK;
}

void tp_kernel_names_release(struct tp_kernel_names *names)
{
	tp_free(names->entries);
	tp_free(names->buckets);
	*names = (struct tp_kernel_names){0};
}

int64_t tp_kernel_names_bytes(const struct tp_kernel_names *names)
{
	return (int64_t)names->capacity * (int64_t)(sizeof *names->entries + 2 * sizeof *names->buckets);
}
