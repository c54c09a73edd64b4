#include "engine/cuda/cupti_names.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

/* Far more than the kernels of cuDNN that one model meets. The pool costs memory only as far as it is used. */
enum { NAMES_MAX = 8192, BUCKETS = 2 * NAMES_MAX, POOL_BYTES = 8 << 20, NAME_BYTES_MAX = 2048 };

static const char unknown[] = "(unknown)", others[] = "(others)";

enum tp_status tp_cupti_names_init(struct tp_cupti_names *names)
{
	*names = (struct tp_cupti_names){
	        .texts = tp_alloc_array(NAMES_MAX, sizeof *names->texts),
	        .given = tp_alloc_array(NAMES_MAX, sizeof *names->given),
	        .buckets = tp_alloc_array(BUCKETS, sizeof *names->buckets),
	        .pool = tp_alloc(POOL_BYTES),
	};
	return names->texts && names->given && names->buckets && names->pool ? TP_OK : TP_ERR_NOMEM;
}

void tp_cupti_names_release(struct tp_cupti_names *names)
{
	tp_free(names->texts);
	tp_free(names->given);
	tp_free(names->buckets);
	tp_free(names->pool);
	*names = (struct tp_cupti_names){0};
}

/* Fowler, Noll and Vo's, 1a. */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

static int32_t *find_bucket(const struct tp_cupti_names *names, const char *given)
{
	uint64_t at = hash_text(given) % BUCKETS;
	while (names->buckets[at] && strcmp(names->given[names->buckets[at] - 1], given) != 0)
		at = (at + 1) % BUCKETS;
	return &names->buckets[at];
}

/* What C++ made of it, readable; to be freed. NULL: it is no such name, or nobody here can tell. */
static char *demangle(const char *given)
{
	char *(*cxa_demangle)(const char *, char *, size_t *, int *) = NULL;
	int status = 0;
	if (strncmp(given, "_Z", 2) != 0)
		return NULL;
	/* libstdc++ is there when the program's other libraries need it. */
	*(void **)&cxa_demangle = dlsym(RTLD_DEFAULT, "__cxa_demangle");
	return cxa_demangle ? cxa_demangle(given, NULL, NULL, &status) : NULL;
}

/* At most NAME_BYTES_MAX of it. */
static const char *keep(struct tp_cupti_names *names, const char *text)
{
	char *copy = names->pool + names->pool_used;
	size_t length = strnlen(text, NAME_BYTES_MAX - 1);
	(void)memcpy(copy, text, length);
	copy[length] = '\0';
	names->pool_used += length + 1;
	return copy;
}

int32_t tp_cupti_names_add(struct tp_cupti_names *names, const char *given)
{
	given = given ? given : unknown;
	/* The whole of a longer one would not be found again. */
	if (strlen(given) >= NAME_BYTES_MAX)
		given = others;
	int32_t *bucket = find_bucket(names, given);
	if (*bucket)
		return *bucket - 1;
	const bool last = names->count + 1 >= NAMES_MAX || names->pool_used + 4 * NAME_BYTES_MAX > POOL_BYTES;
	if (last && given != others)
		return tp_cupti_names_add(names, others);
	char *readable = demangle(given);
	names->given[names->count] = keep(names, given);
	names->texts[names->count] = readable ? keep(names, readable) : names->given[names->count];
	free(readable);
	*bucket = ++names->count;
	return *bucket - 1;
}
