#include "results/store_internal.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "results/writer.h"

#define WRITER_COLUMNS "writer_pid, writer_start_ticks, writer_boot_hash, writer_pid_namespace"

/* From the four columns above, the first at `column`. */
static struct tp_writer read_writer(sqlite3_stmt *row, int column)
{
	struct tp_writer writer = {
	        .pid = sqlite3_column_int64(row, column),
	        .start_ticks = sqlite3_column_int64(row, column + 1),
	        .pid_namespace = sqlite3_column_int64(row, column + 3),
	};
	const unsigned char *hash = sqlite3_column_text(row, column + 2);
	if (hash)
		(void)snprintf(writer.boot_hash, sizeof writer.boot_hash, "%s", (const char *)hash);
	return writer;
}

static enum tp_status end_abandoned(struct tp_store *store)
{
	static const char what[] = "look for runs without an end";
	sqlite3_stmt *runs;
	TP_TRY(tp_store_prepare(
	        store, "SELECT run_id, " WRITER_COLUMNS " FROM run WHERE run_id NOT IN (SELECT run_id FROM run_end)",
	        what, &runs));
	enum tp_status status = TP_OK;
	int rc = SQLITE_DONE;
	while (status == TP_OK && (rc = sqlite3_step(runs)) == SQLITE_ROW) {
		struct tp_writer writer = read_writer(runs, 1);
		if (!tp_writer_gone(&writer))
			continue;
		const struct tp_cell row[] = {tp_integer(sqlite3_column_int64(runs, 0)), tp_text_cell("interrupted"),
		                              tp_text_cell("its process ended without saying how"),
		                              tp_integer(tp_unix_s())};
		status = tp_store_insert(store, TP_INSERT_RUN_END, row, 4);
	}
	if (status == TP_OK && rc != SQLITE_DONE)
		status = tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(runs);
	return status;
}

enum tp_status tp_store_end_abandoned(struct tp_store *store)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, end_abandoned(store));
}

static const char *const state_texts[] = {[TP_STORE_STATE_DONE] = "done",
                                          [TP_STORE_STATE_FAILED] = "failed",
                                          [TP_STORE_STATE_INTERRUPTED] = "interrupted",
                                          [TP_STORE_STATE_RUNNING] = "running"};

const char *tp_store_state_text(enum tp_store_state state)
{
	return state_texts[state];
}

static enum tp_store_state read_state(sqlite3_stmt *row)
{
	const char *ending = (const char *)sqlite3_column_text(row, 0);
	for (enum tp_store_state state = 0; ending && state < TP_STORE_STATE_RUNNING; state++) {
		if (strcmp(ending, state_texts[state]) == 0)
			return state;
	}
	struct tp_writer writer = read_writer(row, 1);
	return tp_writer_gone(&writer) ? TP_STORE_STATE_INTERRUPTED : TP_STORE_STATE_RUNNING;
}

enum tp_status tp_store_run_state(struct tp_store *store, int64_t run_id, enum tp_store_state *state)
{
	static const char what[] = "read how a run ended";
	sqlite3_stmt *statement;
	TP_TRY(tp_store_prepare(
	        store, "SELECT ending, " WRITER_COLUMNS " FROM run LEFT JOIN run_end USING (run_id) WHERE run_id = ?",
	        what, &statement));
	(void)sqlite3_bind_int64(statement, 1, run_id);
	int rc = sqlite3_step(statement);
	enum tp_status status = TP_OK;
	if (rc == SQLITE_ROW)
		*state = read_state(statement);
	else if (rc == SQLITE_DONE)
		status = tp_fail(TP_ERR_INPUT, "database '%s': there is no run %lld", store->path, (long long)run_id);
	else
		status = tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(statement);
	return status;
}
