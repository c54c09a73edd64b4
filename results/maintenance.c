#include "results/maintenance.h"

#include <math.h>
#include <stdio.h>

#include "engine/base/memory.h"
#include "results/store_file.h"
#include "results/store_internal.h"

enum tp_status tp_store_open_existing(const char *path, struct tp_store **store)
{
	*store = NULL;
	TP_TRY(tp_store_file_check_readable(path));
	return tp_store_open(path, store);
}

enum tp_status tp_store_size(struct tp_store *store, int64_t *bytes)
{
	return tp_store_integer(store, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
	                        "read its size", bytes);
}

/* --- list ------------------------------------------------------------------------------------------------------------
 */

static const char listing[] = "list its runs";

static void copy_text(char *to, size_t size, sqlite3_stmt *row, int column)
{
	(void)snprintf(to, size, "%s", (const char *)sqlite3_column_text(row, column));
}

/* The middle one or two of the epochs' times; NAN of a run that has none. */
static enum tp_status read_median(struct tp_store *store, int64_t run_id, double *median_ns)
{
	static const char sql[] =
	        "SELECT avg(ns) FROM (SELECT window_end_ns - window_start_ns AS ns FROM epoch JOIN timed_run "
	        "USING (run_id) WHERE run_id = ?1 "
	        "ORDER BY ns LIMIT (SELECT 2 - count(*) % 2 FROM epoch WHERE run_id = ?1) "
	        "OFFSET (SELECT (count(*) - 1) / 2 FROM epoch WHERE run_id = ?1))";
	sqlite3_stmt *row;
	TP_TRY(tp_store_prepare(store, sql, listing, &row));
	(void)sqlite3_bind_int64(row, 1, run_id);
	int rc = sqlite3_step(row);
	bool known = rc == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL;
	*median_ns = known ? sqlite3_column_double(row, 0) : (double)NAN;
	enum tp_status status = rc == SQLITE_ROW ? TP_OK : tp_store_failed(store, rc, listing);
	(void)sqlite3_finalize(row);
	return status;
}

static enum tp_status read_listing(struct tp_store *store, sqlite3_stmt *row, struct tp_run_listing *run)
{
	run->run_id = sqlite3_column_int64(row, 0);
	copy_text(run->schedule, sizeof run->schedule, row, 1);
	copy_text(run->model, sizeof run->model, row, 2);
	copy_text(run->name, sizeof run->name, row, 3);
	copy_text(run->dataset, sizeof run->dataset, row, 10);
	copy_text(run->clock, sizeof run->clock, row, 11);
	run->stages = sqlite3_column_int64(row, 4);
	run->micro_batches = sqlite3_column_int64(row, 5);
	run->started_unix_s = sqlite3_column_int64(row, 6);
	run->epochs = sqlite3_column_int64(row, 7);
	run->operations = sqlite3_column_int64(row, 8);
	run->valid = sqlite3_column_type(row, 9) == SQLITE_NULL ? -1 : sqlite3_column_int(row, 9);
	TP_TRY(read_median(store, run->run_id, &run->median_epoch_ns));
	return tp_store_run_state(store, run->run_id, &run->state);
}

enum tp_status tp_store_list_runs(struct tp_store *store, bool count_records, struct tp_run_listing **runs,
                                  int64_t *count)
{
	static const char sql[] =
	        "SELECT run_id, schedule, model, name, stage_count, micro_batch_count, started_unix_s, "
	        "(SELECT count(*) FROM epoch WHERE epoch.run_id = run.run_id), "
	        "CASE WHEN ?2 THEN (SELECT count(*) FROM operation WHERE operation.run_id = run.run_id) END, "
	        "(SELECT min(passed) FROM run_check WHERE run_check.run_id = run.run_id), dataset, clock "
	        "FROM run ORDER BY run_id LIMIT ?1";
	*runs = NULL;
	TP_TRY(tp_store_integer(store, "SELECT count(*) FROM run", listing, count));
	if (*count == 0)
		return TP_OK;
	sqlite3_stmt *rows;
	TP_TRY(tp_store_prepare(store, sql, listing, &rows));
	(void)sqlite3_bind_int64(rows, 1, *count);
	(void)sqlite3_bind_int(rows, 2, count_records);
	*runs = tp_alloc_array((size_t)*count, sizeof **runs);
	enum tp_status status = *runs ? TP_OK : TP_ERR_NOMEM;
	int64_t found = 0;
	int rc = SQLITE_DONE;
	while (status == TP_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW)
		status = read_listing(store, rows, &(*runs)[found++]);
	if (status == TP_OK && rc != SQLITE_DONE)
		status = tp_store_failed(store, rc, listing);
	(void)sqlite3_finalize(rows);
	*count = found;
	if (status != TP_OK) {
		tp_free(*runs);
		*runs = NULL;
	}
	return status;
}

/* --- check -----------------------------------------------------------------------------------------------------------
 */

/* Each row of `sql` is one text, a problem. */
static enum tp_status add_problems(struct tp_store *store, const char *sql, struct tp_text *problems, int64_t *count)
{
	static const char what[] = "check it";
	sqlite3_stmt *rows;
	TP_TRY(tp_store_prepare(store, sql, what, &rows));
	int rc;
	while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
		tp_text_add(problems, "%s\n", (const char *)sqlite3_column_text(rows, 0));
		++*count;
	}
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(rows);
	return status;
}

enum tp_status tp_store_check(struct tp_store *store, struct tp_text *problems, int64_t *count)
{
	static const char *const checks[] = {
	        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
	        "SELECT 'table ' || \"table\" || ': ' || count(*) || ' rows refer to a missing row of ' || parent "
	        "FROM pragma_foreign_key_check GROUP BY \"table\", parent",
	        "SELECT 'run ' || run_id || ': ' || count(*) || ' kernels without a name' FROM kernel "
	        "WHERE kernel_name_id NOT IN (SELECT kernel_name_id FROM kernel_name) GROUP BY run_id",
	        "SELECT 'run ' || run_id || ' is invalid: ' || check_name || ': ' || detail FROM run_check "
	        "WHERE NOT passed ORDER BY run_id, check_name",
	};
	*count = 0;
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		TP_TRY(add_problems(store, checks[i], problems, count));
	return problems->failed ? TP_ERR_NOMEM : TP_OK;
}

/* --- vacuum ----------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_store_vacuum(struct tp_store *store, int64_t *before_bytes, int64_t *after_bytes)
{
	TP_TRY(tp_store_size(store, before_bytes));
	/* The log is the file until it is written back. */
	TP_TRY(tp_store_execute(store, "VACUUM; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)", "vacuum it"));
	return tp_store_size(store, after_bytes);
}
