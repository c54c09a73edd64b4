/* What a run ran on: operating system, processor, memory, compiler, flags, commit. Rows for the database. */
#ifndef TP_RESULTS_ENVIRONMENT_H
#define TP_RESULTS_ENVIRONMENT_H

#include "results/store.h"

struct tp_environment {
	struct tp_store_pair *pairs;
	int32_t count;
	char *texts; /* owns the values */
};

/* Collect: os, kernel, cpu_model, cores_online, cores_free, memory_bytes, compiler, compiler_flags, build_type, commit,
 * tpbench_version, sqlite_version; no names of hosts or users, no paths. `extra` rows (libraries' versions, ...) are
 * copied behind them. Release with tp_environment_release(). */
enum tp_status tp_environment_collect(struct tp_environment *environment, const struct tp_store_pair *extra,
                                      int32_t extra_count);
void tp_environment_release(struct tp_environment *environment);

#endif
