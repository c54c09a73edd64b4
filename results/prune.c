#include "results/maintenance.h"

#include <string.h>

#include "engine/base/memory.h"
#include "results/run_rows.h"

static const char what[] = "prune it";

/* The tables whose rows are records; everything else of a run is small, or computed from them. */
static const char *const record_tables[] = {"operation", "message",       "idle",          "memory_change",
                                            "kernel",    "backward_read", "kernel_launch", "device_copy"};

static bool holds_records(const char *table)
{
	for (size_t i = 0; i < sizeof record_tables / sizeof *record_tables; i++) {
		if (strcmp(table, record_tables[i]) == 0)
			return true;
	}
	return false;
}

/* One run on its way out. */
struct leaving {
	const struct tp_prune *prune;
	struct tp_changed *pruned;
	int64_t run_id;
};

static enum tp_status take_rows(struct tp_store *store, const char *table, void *context)
{
	struct leaving *leaving = context;
	if (leaving->prune->keep_summaries && !holds_records(table))
		return TP_OK;
	char *sql = sqlite3_mprintf(leaving->prune->dry_run ? "SELECT count(*) FROM \"%w\" WHERE run_id = %lld"
	                                                    : "DELETE FROM \"%w\" WHERE run_id = %lld",
	                            table, (long long)leaving->run_id);
	if (!sql)
		return TP_ERR_NOMEM;
	int64_t rows = 0;
	enum tp_status status;
	if (leaving->prune->dry_run) {
		status = tp_store_integer(store, sql, what, &rows);
	} else {
		status = tp_store_execute(store, sql, what);
		rows = sqlite3_changes64(store->db);
	}
	sqlite3_free(sql);
	leaving->pruned->rows += rows;
	return status;
}

static bool in_range(const struct tp_run_range *range, int64_t run_id)
{
	return run_id >= range->first && run_id <= range->last;
}

/* A run that is being written is refused when it was named, and passed over when it only is old. */
static enum tp_status choose(struct tp_store *store, const struct tp_prune *prune, int64_t run_id,
                             int64_t started_unix_s, bool *chosen)
{
	bool named = false, old = started_unix_s < prune->started_before_unix_s;
	for (int i = 0; i < prune->range_count; i++)
		named = named || in_range(&prune->ranges[i], run_id);
	*chosen = named || old;
	if (!*chosen)
		return TP_OK;
	enum tp_store_state state;
	TP_TRY(tp_store_run_state(store, run_id, &state));
	if (state != TP_STORE_STATE_RUNNING)
		return TP_OK;
	*chosen = false;
	return named ? tp_fail(TP_ERR_INPUT, "run %lld of '%s' is being written; nothing was pruned", (long long)run_id,
	                       store->path)
	             : TP_OK;
}

static enum tp_status prune_runs(struct tp_store *store, const struct tp_prune *prune, const int64_t *runs,
                                 int64_t count, struct tp_changed *pruned)
{
	for (int64_t i = 0; i < count; i++) {
		bool chosen;
		TP_TRY(choose(store, prune, runs[2 * i], runs[2 * i + 1], &chosen));
		if (!chosen)
			continue;
		struct leaving leaving = {prune, pruned, runs[2 * i]};
		TP_TRY(tp_each_run_table(store, take_rows, &leaving));
		pruned->runs++;
	}
	return TP_OK;
}

/* Number and start of every run, in pairs. */
static enum tp_status read_runs(struct tp_store *store, int64_t **runs, int64_t *count)
{
	sqlite3_stmt *rows;
	TP_TRY(tp_store_integer(store, "SELECT count(*) FROM run", what, count));
	*runs = tp_alloc((size_t)(*count + 1) * 2 * sizeof **runs);
	if (!*runs)
		return TP_ERR_NOMEM;
	enum tp_status status = tp_store_prepare(store, "SELECT run_id, started_unix_s FROM run", what, &rows);
	if (status != TP_OK)
		return status;
	for (int64_t i = 0; i < *count && sqlite3_step(rows) == SQLITE_ROW; i++) {
		(*runs)[2 * i] = sqlite3_column_int64(rows, 0);
		(*runs)[2 * i + 1] = sqlite3_column_int64(rows, 1);
	}
	(void)sqlite3_finalize(rows);
	return TP_OK;
}

static enum tp_status check_ranges(const struct tp_store *store, const struct tp_prune *prune, const int64_t *runs,
                                   int64_t count)
{
	for (int i = 0; i < prune->range_count; i++) {
		const struct tp_run_range *range = &prune->ranges[i];
		bool found = false;
		for (int64_t r = 0; r < count && !found; r++)
			found = in_range(range, runs[2 * r]);
		if (!found && range->first == range->last)
			return tp_fail(TP_ERR_INPUT, "database '%s': there is no run %lld", store->path,
			               (long long)range->first);
		if (!found)
			return tp_fail(TP_ERR_INPUT, "database '%s': there is no run from %lld to %lld", store->path,
			               (long long)range->first, (long long)range->last);
	}
	return TP_OK;
}

static enum tp_status prune_inside(struct tp_store *store, const struct tp_prune *prune, struct tp_changed *pruned)
{
	int64_t *runs = NULL, count = 0;
	/* References are looked at when all is done, so the order of the tables does not matter. */
	enum tp_status status = tp_store_execute(store, "PRAGMA defer_foreign_keys = ON", what);
	if (status == TP_OK)
		status = read_runs(store, &runs, &count);
	if (status == TP_OK)
		status = check_ranges(store, prune, runs, count);
	if (status == TP_OK)
		status = prune_runs(store, prune, runs, count, pruned);
	tp_free(runs);
	return status;
}

enum tp_status tp_store_prune(struct tp_store *store, const struct tp_prune *prune, struct tp_changed *pruned)
{
	*pruned = (struct tp_changed){0};
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, prune_inside(store, prune, pruned));
}
