/* The results database: one SQLite file, rows written once and never edited. Units are in the column names.
 *
 * Opening checks before it touches: a file that is not SQLite, that belongs to another program (application_id), that a
 * newer tpbench wrote (user_version), or a place that cannot be written is TP_ERR_INPUT, and nothing there is changed.
 * Any later failure (a full disk) is TP_ERR_IO with the reason; what was committed stays readable. */
#ifndef TP_RESULTS_STORE_H
#define TP_RESULTS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "profiler/counters.h"
#include "profiler/gpu_trace.h"
#include "profiler/kernel_names.h"
#include "profiler/metrics.h"

/* PRAGMA application_id of our files ("TPBN") and the schema version this build writes. */
#define TP_STORE_APPLICATION_ID 0x5450424e
#define TP_STORE_SCHEMA_VERSION 4

struct tp_store;

/* Open for writing; a missing or empty file becomes a new database, one of an older schema version N is brought to this
 * one after a copy of it was made, FILE.vN.bak; when either fails it stays as it was. WAL, foreign keys, waits for
 * other writers. Runs without an end whose process is gone are given one here: interrupted. */
enum tp_status tp_store_open(const char *path, struct tp_store **store);
/* Open an existing one for reading only. */
enum tp_status tp_store_open_readonly(const char *path, struct tp_store **store);
/* A new database that goes when it is closed and never was a file: for runs that are simulated to be drawn. */
enum tp_status tp_store_open_memory(struct tp_store **store);
void tp_store_close(struct tp_store *store); /* NULL is allowed */

/* A name and a value, both text. */
struct tp_store_pair {
	const char *name;
	const char *value;
};

struct tp_store_stage {
	int32_t stage, first_block, block_count;
	const char *layers; /* "features.0 .. features.12" */
	int64_t parameters; /* elements */
	int64_t forward_flops_per_sample;
	int32_t in_flight_limit_minis;
	const char *algorithms; /* lines, "" for none */
};

/* An emulated link, one direction, and a worker of an emulated cluster. */
struct tp_store_link {
	int32_t from_stage, to_stage;
	double bandwidth_bytes_per_s; /* 0: no limit */
	int64_t latency_ns;
};
struct tp_store_worker {
	int32_t stage;
	const char *name;
	double speed;
	int64_t memory_limit_bytes; /* 0: none */
};

/* The cost of one operation, as the virtual clock takes it. */
struct tp_store_cost {
	int32_t stage;
	enum tp_op_kind kind;
	int32_t micro; /* or TP_WHOLE */
	int64_t cost_ns;
};

/* All texts are copied. "" where there is nothing to say. */
struct tp_store_run {
	const char *name, *note; /* --name, --note */
	const char *schedule, *model, *dataset, *device;
	const char *order;             /* static or dynamic */
	const char *clock;             /* real or virtual; slots, in memory only: times count slots, not nanoseconds */
	int32_t stages, micro_batches; /* in effect */
	int32_t batch_samples;
	int32_t repeat;         /* 1-based */
	const char *comparison; /* the same text for all runs of one comparison, "" for none */
	uint64_t config_hash;
	const char *config_text;
	int64_t minis_per_epoch;
	int64_t dropped_samples_per_epoch;
	int64_t rss_before_bytes;
	const struct tp_store_pair *parameters; /* every option by name */
	int32_t parameter_count;
	const struct tp_store_pair *environment; /* see results/environment.h */
	int32_t environment_count;
	const struct tp_store_stage *stages_planned; /* `stages` of them; NULL: it was refused before it was planned */
	const struct tp_store_link *links;           /* NULL: none emulated */
	int32_t link_count;
	const struct tp_store_worker *workers;
	int32_t worker_count;
	const struct tp_gpu_info *gpus; /* that it uses; NULL: none */
	int32_t gpu_count;
};

/* A run begins; one transaction. `*run_id` identifies it from here on. */
enum tp_status tp_store_begin_run(struct tp_store *store, const struct tp_store_run *run, int64_t *run_id);

/* The costs that a run's virtual clock goes by; one transaction. */
enum tp_status tp_store_add_costs(struct tp_store *store, int64_t run_id, const struct tp_store_cost *costs,
                                  int64_t count);

/* The names of the kernels of a run, in the order of their numbers; more may follow, before any record of a kernel that
 * has one of them. One transaction. */
enum tp_status tp_store_add_kernel_names(struct tp_store *store, int64_t run_id, const struct tp_kernel_name *names,
                                         int32_t count);

struct tp_store_epoch {
	int32_t epoch;
	const char *profile_level; /* off, ops or kernels */
	int64_t minis, samples;
	int64_t start_ns, end_ns; /* window on the run's clock */
	double train_loss, train_top1;
	bool evaluated;
	int64_t test_samples;
	double test_loss, test_top1, test_top5; /* shares 0..1 */
	int64_t evaluation_ns;
	int64_t dropped_records;
	int64_t rss_bytes;
	uint64_t allocations_in_window;
	struct tp_records records;        /* those that tp_store_add_records() has not stored already */
	const struct tp_metrics *metrics; /* what the records come to; NULL: nothing, as when some were lost */
	const struct tp_memory_record *memory;
	int32_t memory_count;
	const struct tp_counter_record *counters;
	int32_t counter_count;
	const struct tp_gpu_trace *gpu; /* how its times were obtained; NULL: it ran on no GPU */
	/* How each of `records.kernels` ran, and copies; NULL: not known. */
	const struct tp_gpu_records *gpu_records;
	struct tp_store_prediction {
		int64_t window_ns; /* 0: none */
		int64_t version_difference_max;
		double version_difference_mean, version_difference_estimate;
	} predicted;
};

/* Some records of an epoch that is under way, which belong to it when it is added; one transaction. Freed versions are
 * not stored as they are: they become part of the epoch's metrics. */
enum tp_status tp_store_add_records(struct tp_store *store, int64_t run_id, const struct tp_record_batch *batch);

/* Everything of one epoch; one transaction. */
enum tp_status tp_store_add_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch);

enum tp_store_ending { TP_STORE_DONE, TP_STORE_FAILED, TP_STORE_INTERRUPTED };

/* Something that was verified of a run's records; `detail` says what was found instead, "" when it passed. */
struct tp_store_check {
	const char *name;
	bool passed;
	const char *detail;
};

/* How the run ended, as a row of its own, and what was checked of it; `reason` is "" when it is done. One transaction.
 */
enum tp_status tp_store_end_run(struct tp_store *store, int64_t run_id, enum tp_store_ending ending, const char *reason,
                                const struct tp_store_check *checks, int32_t check_count);

/* What recording cost a run whose epochs were recorded and not in turn; one transaction. Ratios are of pairs of epochs:
 * recorded / not recorded. */
struct tp_store_profile_cost {
	const char *profile_level;
	int64_t pairs;
	int64_t profiled_median_ns, unprofiled_median_ns;
	double ratio, min_ratio, max_ratio;
};
enum tp_status tp_store_add_profile_cost(struct tp_store *store, int64_t run_id,
                                         const struct tp_store_profile_cost *cost);

enum tp_store_state {
	TP_STORE_STATE_DONE,
	TP_STORE_STATE_FAILED,
	TP_STORE_STATE_INTERRUPTED, /* said so, or has no end and its process is gone */
	TP_STORE_STATE_RUNNING,     /* has no end, and its process lives or cannot be seen from here */
};

/* "done", "failed", "interrupted", "running". */
const char *tp_store_state_text(enum tp_store_state state);

/* How a run stands now; also for a store that is open for reading only. TP_ERR_INPUT when there is no such run. */
enum tp_status tp_store_run_state(struct tp_store *store, int64_t run_id, enum tp_store_state *state);

#endif
