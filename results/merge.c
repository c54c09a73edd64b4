#include "results/maintenance.h"

#include <sys/stat.h>

#include "engine/base/memory.h"
#include "results/run_rows.h"
#include "results/store_file.h"

static const char what[] = "take runs over";

/* Numbers of the other file become these by adding. */
struct arriving {
	int64_t run_offset, kernel_name_offset;
	struct tp_changed *merged;
};

/* "a, b, run_id + 7" of a table; the columns are the same in both files, their order need not be. */
static enum tp_status list_columns(struct tp_store *store, const char *table, const struct arriving *arriving,
                                   struct tp_text *names, struct tp_text *values)
{
	sqlite3_stmt *columns;
	TP_TRY(tp_store_prepare(store,
	                        "SELECT name, CASE name WHEN 'run_id' THEN ?2 WHEN 'kernel_name_id' THEN ?3 ELSE 0 END "
	                        "FROM pragma_table_info(?1)",
	                        what, &columns));
	(void)sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(columns, 2, arriving->run_offset);
	(void)sqlite3_bind_int64(columns, 3, arriving->kernel_name_offset);
	int rc;
	while ((rc = sqlite3_step(columns)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(columns, 0);
		const char *between = names->length ? ", " : "";
		int64_t offset = sqlite3_column_int64(columns, 1);
		tp_text_add(names, "%s\"%s\"", between, name);
		tp_text_add(values, "%s\"%s\"", between, name);
		if (offset != 0)
			tp_text_add(values, " + %lld", (long long)offset);
	}
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(columns);
	return status;
}

static enum tp_status copy_rows(struct tp_store *store, const char *table, const struct arriving *arriving,
                                int64_t *rows)
{
	struct tp_text names = {0}, values = {0}, sql = {0};
	enum tp_status status = list_columns(store, table, arriving, &names, &values);
	tp_text_add(&sql, "INSERT INTO main.\"%s\" (%s) SELECT %s FROM other.\"%s\"", table, tp_text_get(&names),
	            tp_text_get(&values), table);
	if (status == TP_OK && (names.failed || values.failed || sql.failed))
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_store_execute(store, tp_text_get(&sql), what);
	*rows = sqlite3_changes64(store->db);
	tp_text_release(&names);
	tp_text_release(&values);
	tp_text_release(&sql);
	return status;
}

static enum tp_status take_over(struct tp_store *store, const char *table, void *context)
{
	struct arriving *arriving = context;
	/* One of the user's own is in one of the files alone. */
	if (sqlite3_table_column_metadata(store->db, "other", table, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
		return TP_OK;
	int64_t rows;
	TP_TRY(copy_rows(store, table, arriving, &rows));
	arriving->merged->rows += rows;
	return TP_OK;
}

static enum tp_status merge_inside(struct tp_store *store, struct tp_changed *merged)
{
	struct arriving arriving = {.merged = merged};
	TP_TRY(tp_store_execute(store, "PRAGMA defer_foreign_keys = ON", what));
	TP_TRY(tp_store_integer(store, "SELECT count(*) FROM other.run", what, &merged->runs));
	TP_TRY(tp_store_integer(store,
	                        "SELECT coalesce((SELECT max(run_id) FROM main.run), 0) + 1 - "
	                        "coalesce((SELECT min(run_id) FROM other.run), 1)",
	                        what, &arriving.run_offset));
	TP_TRY(tp_store_integer(store,
	                        "SELECT coalesce((SELECT max(kernel_name_id) FROM main.kernel_name), 0) + 1 - "
	                        "coalesce((SELECT min(kernel_name_id) FROM other.kernel_name), 1)",
	                        what, &arriving.kernel_name_offset));
	return tp_each_run_table(store, take_over, &arriving);
}

static enum tp_status attach(struct tp_store *store, const char *other)
{
	char *sql = sqlite3_mprintf("ATTACH '%q%q' AS other", other[0] == '/' ? "" : "./", other);
	if (!sql)
		return TP_ERR_NOMEM;
	enum tp_status status = tp_store_execute(store, sql, "open the other database");
	sqlite3_free(sql);
	return status;
}

/* Also refuses a file of another schema version. The end of a run that is being written would not come over, and nobody
 * could tell how it stands. */
static enum tp_status refuse_unfinished(const char *other)
{
	struct tp_store *store;
	struct tp_run_listing *runs;
	int64_t count = 0, running = 0;
	TP_TRY(tp_store_open_readonly(other, &store));
	enum tp_status status = tp_store_list_runs(store, false, &runs, &count);
	for (int64_t i = 0; status == TP_OK && i < count && !running; i++)
		running = runs[i].state == TP_STORE_STATE_RUNNING ? runs[i].run_id : 0;
	tp_free(runs);
	tp_store_close(store);
	return running ? tp_fail(TP_ERR_INPUT, "run %lld of '%s' is being written; nothing was taken over",
	                         (long long)running, other)
	               : status;
}

static enum tp_status refuse_itself(const struct tp_store *store, const char *other)
{
	struct stat here, there;
	if (stat(store->path, &here) == 0 && stat(other, &there) == 0 && here.st_dev == there.st_dev &&
	    here.st_ino == there.st_ino)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected another file, found itself", other);
	return TP_OK;
}

enum tp_status tp_store_merge(struct tp_store *store, const char *other, struct tp_changed *merged)
{
	*merged = (struct tp_changed){0};
	TP_TRY(tp_store_file_check_readable(other));
	TP_TRY(refuse_itself(store, other));
	TP_TRY(refuse_unfinished(other));
	TP_TRY(attach(store, other));
	enum tp_status status = tp_store_begin(store);
	if (status == TP_OK)
		status = tp_store_end(store, merge_inside(store, merged));
	(void)sqlite3_exec(store->db, "DETACH other", NULL, NULL, NULL);
	return status;
}
