/* The names of a GPU's kernels, each once, demangled where the C++ runtime is there to do it. */
#ifndef TP_ENGINE_CUDA_CUPTI_NAMES_H
#define TP_ENGINE_CUDA_CUPTI_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

/* Made once and never moved: readers may hold `texts` while it grows. */
struct tp_cupti_names {
	const char **texts; /* to be shown, by number */
	const char **given; /* as CUPTI has them */
	int32_t *buckets;   /* numbers plus 1, 0 for none */
	char *pool;
	size_t pool_used;
	int32_t count;
};

/* TP_ERR_NOMEM; release also then. */
enum tp_status tp_cupti_names_init(struct tp_cupti_names *names);
void tp_cupti_names_release(struct tp_cupti_names *names);

/* The number of a name (NULL: of one that is not known), which is copied. Names beyond what has place share one. */
int32_t tp_cupti_names_add(struct tp_cupti_names *names, const char *given);

#endif
