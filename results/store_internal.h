/* What the files of the store share: the connection, its statements, transactions and failures. */
#ifndef TP_RESULTS_STORE_INTERNAL_H
#define TP_RESULTS_STORE_INTERNAL_H

#include <sqlite3.h>

#include "results/store.h"

#define TP_INSERT(table, columns, places) "INSERT INTO " table " (" columns ") VALUES (" places ")"

#define TP_STATEMENT_LIST(X)                                                                                           \
	X(TP_INSERT_SCHEMA_META, TP_INSERT("schema_meta", "schema_version, applied_unix_s, tpbench_version", "?,?,?")) \
	X(TP_INSERT_RUN,                                                                                               \
	  TP_INSERT(                                                                                                   \
	          "run",                                                                                               \
	          "name, note, comparison, repeat_number, schedule, model, dataset, device, operation_order, clock, "  \
	          "stage_count, micro_batch_count, batch_samples, mini_batches_per_epoch_count, "                      \
	          "dropped_per_epoch_samples, rss_before_bytes, config_hash, config_text, started_unix_s, "            \
	          "writer_pid, writer_start_ticks, writer_boot_hash, writer_pid_namespace",                            \
	          "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                    \
	X(TP_INSERT_RUN_END, TP_INSERT("run_end", "run_id, ending, reason, ended_unix_s", "?,?,?,?"))                  \
	X(TP_INSERT_PARAMETER, TP_INSERT("run_parameter", "run_id, name, value", "?,?,?"))                             \
	X(TP_INSERT_ENVIRONMENT, TP_INSERT("environment", "run_id, name, value", "?,?,?"))                             \
	X(TP_INSERT_STAGE,                                                                                             \
	  TP_INSERT("stage",                                                                                           \
	            "run_id, stage, first_block, block_count, layers, parameter_count, forward_per_sample_flops, "     \
	            "in_flight_mini_batch_count, algorithms",                                                          \
	            "?,?,?,?,?,?,?,?,?"))                                                                              \
	X(TP_INSERT_EPOCH,                                                                                             \
	  TP_INSERT("epoch",                                                                                           \
	            "run_id, epoch, profile_level, mini_batch_count, trained_samples, window_start_ns, "               \
	            "window_end_ns, train_loss, "                                                                      \
	            "train_top1_share, test_samples, test_loss, test_top1_share, test_top5_share, evaluation_ns, "     \
	            "dropped_record_count, rss_bytes, window_allocation_count",                                        \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                              \
	X(TP_INSERT_OPERATION,                                                                                         \
	  TP_INSERT(                                                                                                   \
	          "operation",                                                                                         \
	          "run_id, epoch, stage, record_number, kind, mini_batch, micro_batch, operation_samples, start_ns, "  \
	          "end_ns, version_read, version_live, version_committed, version_forward, alive_version_count, "      \
	          "in_place, held_until_ns",                                                                           \
	          "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                                \
	X(TP_INSERT_MESSAGE,                                                                                           \
	  TP_INSERT("message",                                                                                         \
	            "run_id, epoch, to_stage, record_number, from_stage, kind, mini_batch, micro_batch, "              \
	            "message_bytes, ready_ns, sent_ns, arrived_ns, wanted_ns, handed_over",                            \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                                    \
	X(TP_INSERT_MEMORY,                                                                                            \
	  TP_INSERT("memory", "run_id, epoch, stage, kind, now_bytes, peak_bytes, at_peak_bytes, reserved_bytes",      \
	            "?,?,?,?,?,?,?,?"))                                                                                \
	X(TP_INSERT_READ,                                                                                              \
	  TP_INSERT("backward_read",                                                                                   \
	            "run_id, epoch, stage, record_number, mini_batch, micro_batch, version_forward, version_newest, "  \
	            "lambda_ratio",                                                                                    \
	            "?,?,?,?,?,?,?,?,?"))                                                                              \
	X(TP_INSERT_COST, TP_INSERT("operation_cost", "run_id, stage, kind, micro_batch, cost_ns", "?,?,?,?,?"))       \
	X(TP_INSERT_PREDICTION,                                                                                        \
	  TP_INSERT("prediction",                                                                                      \
	            "run_id, epoch, predicted_ns, version_difference_max_count, version_difference_mean_count, "       \
	            "version_difference_estimate_count",                                                               \
	            "?,?,?,?,?,?"))                                                                                    \
	X(TP_INSERT_CHECK, TP_INSERT("run_check", "run_id, check_name, passed, detail", "?,?,?,?"))                    \
	X(TP_INSERT_PROFILE_COST,                                                                                      \
	  TP_INSERT("profile_cost",                                                                                    \
	            "run_id, profile_level, pair_count, profiled_median_ns, unprofiled_median_ns, cost_ratio, "        \
	            "cost_min_ratio, cost_max_ratio",                                                                  \
	            "?,?,?,?,?,?,?,?"))                                                                                \
	X(TP_INSERT_MEMORY_CHANGE,                                                                                     \
	  TP_INSERT("memory_change",                                                                                   \
	            "run_id, epoch, stage, record_number, time_ns, kind, kind_bytes, stage_bytes, operation_number",   \
	            "?,?,?,?,?,?,?,?,?"))                                                                              \
	X(TP_INSERT_KERNEL_NAME,                                                                                       \
	  TP_INSERT("kernel_name", "run_id, name, implementation, pass, layer, shape, moved_bytes, kernel_flops",      \
	            "?,?,?,?,?,?,?,?"))                                                                                \
	X(TP_INSERT_KERNEL,                                                                                            \
	  TP_INSERT("kernel",                                                                                          \
	            "run_id, epoch, stage, record_number, operation_number, kernel_name_id, start_ns, end_ns",         \
	            "?,?,?,?,?,?,?,?"))                                                                                \
	X(TP_INSERT_KERNEL_LAUNCH,                                                                                     \
	  TP_INSERT("kernel_launch",                                                                                   \
	            "run_id, epoch, stage, record_number, gpu_number, context_number, stream_number, "                 \
	            "correlation_number, grid_x_count, grid_y_count, grid_z_count, block_x_count, block_y_count, "     \
	            "block_z_count, registers_per_thread_count, static_shared_bytes, dynamic_shared_bytes",            \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                              \
	X(TP_INSERT_DEVICE_COPY,                                                                                       \
	  TP_INSERT("device_copy",                                                                                     \
	            "run_id, epoch, stage, record_number, operation_number, start_ns, end_ns, copy_bytes, copy_kind, " \
	            "gpu_number, context_number, stream_number, correlation_number",                                   \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                                      \
	X(TP_INSERT_GPU,                                                                                               \
	  TP_INSERT("gpu",                                                                                             \
	            "run_id, gpu_number, name, bus_location, uuid, total_memory_bytes, l2_cache_bytes, "               \
	            "memory_bandwidth_bytes_per_s, clock_rate_hz, multiprocessor_count, compute_major_number, "        \
	            "compute_minor_number",                                                                            \
	            "?,?,?,?,?,?,?,?,?,?,?,?"))                                                                        \
	X(TP_INSERT_GPU_TRACE,                                                                                         \
	  TP_INSERT("gpu_trace",                                                                                       \
	            "run_id, epoch, trace_mode, reason, lost_record_count, untimed_kernel_count, "                     \
	            "unmatched_record_count, overhead_ns, clock_error_ns, allocated_peak_bytes, "                      \
	            "window_allocation_count",                                                                         \
	            "?,?,?,?,?,?,?,?,?,?,?"))                                                                          \
	X(TP_INSERT_COUNTER,                                                                                           \
	  TP_INSERT("counter", "run_id, epoch, stage, counter, event_count, absent_reason", "?,?,?,?,?,?"))            \
	X(TP_INSERT_IDLE,                                                                                              \
	  TP_INSERT("idle", "run_id, epoch, stage, record_number, cause, start_ns, end_ns, operation_number",          \
	            "?,?,?,?,?,?,?,?"))                                                                                \
	X(TP_INSERT_VERSION,                                                                                           \
	  TP_INSERT("weight_version",                                                                                  \
	            "run_id, epoch, stage, version, mini_batch, base_version, in_place, made_ns, freed_ns, "           \
	            "forward_read_count, backward_read_count",                                                         \
	            "?,?,?,?,?,?,?,?,?,?,?"))                                                                          \
	X(TP_INSERT_MINI_BATCH,                                                                                        \
	  TP_INSERT("mini_batch",                                                                                      \
	            "run_id, epoch, mini_batch, start_ns, end_ns, version_committed, version_read, "                   \
	            "version_difference_count, chain_mini_batch",                                                      \
	            "?,?,?,?,?,?,?,?,?"))                                                                              \
	X(TP_INSERT_STAGE_FIGURES,                                                                                     \
	  TP_INSERT("stage_figures",                                                                                   \
	            "run_id, epoch, stage, window_ns, compute_ns, fill_ns, drain_ns, sender_ns, message_ns, "          \
	            "staleness_ns, host_ns, forward_ns, backward_ns, update_ns, forward_count, backward_count, "       \
	            "update_count, transfer_ns, overlap_ns, exposed_ns, received_message_count, received_bytes, "      \
	            "alive_version_max_count, staleness_mean_count, staleness_max_count, "                             \
	            "update_staleness_max_count, mismatch_max_count, steady_window_ns, steady_compute_ns, "            \
	            "peak_bytes, peak_ns, peak_operation_number",                                                      \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                \
	X(TP_INSERT_BOUNDARY_FIGURES,                                                                                  \
	  TP_INSERT("boundary_figures",                                                                                \
	            "run_id, epoch, boundary, down_message_count, down_bytes, up_message_count, up_bytes",             \
	            "?,?,?,?,?,?,?"))                                                                                  \
	X(TP_INSERT_EPOCH_FIGURES,                                                                                     \
	  TP_INSERT("epoch_figures",                                                                                   \
	            "run_id, epoch, operation_count, message_count, idle_total_ratio, idle_ideal_ratio, "              \
	            "staleness_idle_ratio, alpha_ratio, version_difference_max_count, "                                \
	            "version_difference_mean_count, version_chain_count, steady_window_ns, steady_mini_batch_count, "  \
	            "steady_idle_total_ratio",                                                                         \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                                    \
	X(TP_INSERT_LINK,                                                                                              \
	  TP_INSERT("run_link", "run_id, from_stage, to_stage, bandwidth_bytes_per_s, latency_ns", "?,?,?,?,?"))       \
	X(TP_INSERT_WORKER,                                                                                            \
	  TP_INSERT("run_worker", "run_id, stage, worker, speed_ratio, memory_limit_bytes", "?,?,?,?,?"))

enum tp_statement {
#define TP_STATEMENT_ENUM(name, sql) name,
	TP_STATEMENT_LIST(TP_STATEMENT_ENUM)
#undef TP_STATEMENT_ENUM
	        TP_STATEMENTS
};

struct tp_store {
	sqlite3 *db;
	bool opened;                             /* false while failures still mean that the file is refused */
	sqlite3_stmt *statements[TP_STATEMENTS]; /* prepared at first use */
	/* Rows of the names of one run's kernels, by the kernels' numbers, as far as they were needed. */
	int64_t named_run_id, name_count, *name_ids;
	char path[];
};

/* One row from an array of cells written in place. */
#define TP_STORE_INSERT(store, which, ...)                                       \
	tp_store_insert((store), (which), (const struct tp_cell[]){__VA_ARGS__}, \
	                (int)(sizeof((const struct tp_cell[]){__VA_ARGS__}) / sizeof(struct tp_cell)))

/* A value to bind. */
struct tp_cell {
	enum { TP_CELL_NULL, TP_CELL_INTEGER, TP_CELL_REAL, TP_CELL_TEXT } type;
	union {
		int64_t integer;
		double real;
		const char *text; /* must stay until the row is written */
	};
};

static inline struct tp_cell tp_integer(int64_t value)
{
	return (struct tp_cell){.type = TP_CELL_INTEGER, .integer = value};
}

static inline struct tp_cell tp_text_cell(const char *value)
{
	return (struct tp_cell){.type = TP_CELL_TEXT, .text = value};
}

/* SQLite stores what is not a number as NULL. */
static inline struct tp_cell tp_real(double value)
{
	return (struct tp_cell){.type = TP_CELL_REAL, .real = value};
}

/* The failure `rc` of SQLite while doing `what` ("add an epoch"), with its reason and the system's. */
enum tp_status tp_store_failed(const struct tp_store *store, int rc, const char *what);

/* Statements without parameters. */
enum tp_status tp_store_execute(struct tp_store *store, const char *sql, const char *what);

/* Prepare any other statement; the caller finalizes. */
enum tp_status tp_store_prepare(struct tp_store *store, const char *sql, const char *what, sqlite3_stmt **statement);

/* The first column of the first row, an integer. */
enum tp_status tp_store_integer(struct tp_store *store, const char *sql, const char *what, int64_t *value);

/* Insert one row. `count` is the number of the statement's parameters. */
enum tp_status tp_store_insert(struct tp_store *store, enum tp_statement which, const struct tp_cell *cells, int count);

/* A transaction: begin, then end with the status of what was done inside, which commits or rolls back. tp_store_end()
 * returns that status, or the failure to commit. */
enum tp_status tp_store_begin(struct tp_store *store);
enum tp_status tp_store_end(struct tp_store *store, enum tp_status status);

/* Inside a transaction: some records, and what the records of an epoch come to (`memory`: of its stages, by stage). */
enum tp_status tp_store_write_batch(struct tp_store *store, int64_t run_id, const struct tp_record_batch *batch);
enum tp_status tp_store_write_gpus(struct tp_store *store, int64_t run_id, const struct tp_gpu_info *gpus,
                                   int32_t count);
enum tp_status tp_store_write_gpu_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch);
enum tp_status tp_store_write_metrics(struct tp_store *store, int64_t run_id, int32_t epoch,
                                      const struct tp_metrics *metrics, const struct tp_memory_record *memory,
                                      int32_t memory_count);

/* Inside the transaction that migrates: what the records of epochs from before version 3 come to. */
enum tp_status tp_store_measure_old(struct tp_store *store);

/* Give an end to the runs whose process is gone; see store.h. */
enum tp_status tp_store_end_abandoned(struct tp_store *store);

/* The texts that make the schema of TP_STORE_SCHEMA_VERSION, NULL-ended. */
extern const char *const tp_store_schema[];

/* Bring the file to TP_STORE_SCHEMA_VERSION, from nothing or from an older version. One transaction. */
enum tp_status tp_store_migrate(struct tp_store *store);

#endif
