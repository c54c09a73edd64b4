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
	            "run_id, epoch, mini_batch_count, trained_samples, window_start_ns, window_end_ns, train_loss, "   \
	            "train_top1_share, test_samples, test_loss, test_top1_share, test_top5_share, evaluation_ns, "     \
	            "dropped_record_count, rss_bytes, window_allocation_count",                                        \
	            "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"))                                                                \
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
	X(TP_INSERT_PREDICTION, TP_INSERT("prediction", "run_id, epoch, predicted_ns", "?,?,?"))                       \
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
	char path[];
};

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

/* Give an end to the runs whose process is gone; see store.h. */
enum tp_status tp_store_end_abandoned(struct tp_store *store);

/* Bring the file to TP_STORE_SCHEMA_VERSION, from nothing or from an older version. One transaction. */
enum tp_status tp_store_migrate(struct tp_store *store);

#endif
