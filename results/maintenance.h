/* Looking after a database: what is in it, whether it is sound, runs taken out of it or taken over from another.
 * Whatever changes the file is one transaction, so that an end in the middle leaves all or nothing. */
#ifndef TP_RESULTS_MAINTENANCE_H
#define TP_RESULTS_MAINTENANCE_H

#include "engine/base/text.h"
#include "results/store.h"

/* As tp_store_open(), but a file that is not there is TP_ERR_INPUT. */
enum tp_status tp_store_open_existing(const char *path, struct tp_store **store);

/* A run in short. */
struct tp_run_listing {
	int64_t run_id;
	char schedule[32], model[32], dataset[32], clock[16], name[64]; /* cut when longer */
	int64_t stages, micro_batches, epochs;
	double median_epoch_ns; /* NAN without epochs */
	int64_t operations;     /* records that are in the file, when they were asked for */
	int64_t started_unix_s;
	enum tp_store_state state;
	int valid; /* 1: every check passed, 0: one failed, -1: none was made */
};

/* Every run by its number, allocated with tp_alloc(); NULL when there are none. Counting records reads all of them. */
enum tp_status tp_store_list_runs(struct tp_store *store, bool count_records, struct tp_run_listing **runs,
                                  int64_t *count);

/* Bytes of the database itself, without its log. */
enum tp_status tp_store_size(struct tp_store *store, int64_t *bytes);

/* Look for what is wrong: pages and indexes, references, names of kernels, runs that failed a check. A line for each in
 * `problems`, `*count` of them; TP_ERR_IO when the file cannot be read to its end. */
enum tp_status tp_store_check(struct tp_store *store, struct tp_text *problems, int64_t *count);

/* Which runs to take out, and what of them. */
struct tp_run_range {
	int64_t first, last;
};
struct tp_prune {
	const struct tp_run_range *ranges;
	int range_count;
	int64_t started_before_unix_s; /* with these as well, but not those being written; 0: none */
	bool keep_summaries; /* take records out (operations, messages, ..), leave what was computed from them */
	bool dry_run;        /* only count */
};
struct tp_changed {
	int64_t runs, rows;
};

/* TP_ERR_INPUT when a range holds no run, or one that is being written; then nothing is changed. The file keeps its
 * size: its free pages are used again, or given back by tp_store_vacuum(). */
enum tp_status tp_store_prune(struct tp_store *store, const struct tp_prune *prune, struct tp_changed *pruned);

/* Copy every run of the database `other` into `store` under new numbers, in their order. TP_ERR_INPUT when `other` is
 * not ours, has another schema version, is the same file, or holds a run that is being written. */
enum tp_status tp_store_merge(struct tp_store *store, const char *other, struct tp_changed *merged);

/* Give free pages back and tell SQLite's planner how large things are. Needs as much room again while it works. */
enum tp_status tp_store_vacuum(struct tp_store *store, int64_t *before_bytes, int64_t *after_bytes);

#endif
