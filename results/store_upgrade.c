/* Epochs that were stored before version 3 have records but nothing that is computed from them. */
#include "results/store_internal.h"

#include <string.h>

#include "results/queries.h"

/* Schedules of that time that drain the pipeline with every update. */
static bool flushes(const char *schedule)
{
	static const char *const names[] = {"gpipe", "1f1b", "zb-h1", "sequential"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(schedule, names[i]) == 0)
			return true;
	}
	return false;
}

static enum tp_status measure(struct tp_store *store, int64_t run_id, int32_t epoch, int32_t stages, bool flush)
{
	struct tp_stored_records stored;
	struct tp_metrics metrics;
	TP_TRY(tp_store_read_records(store, run_id, epoch, &stored));
	const struct tp_metrics_input input = {stages, flush, stored.records};
	enum tp_status status = tp_metrics_compute(&input, &metrics);
	if (status == TP_OK)
		status = tp_store_write_metrics(store, run_id, epoch, &metrics, NULL, 0);
	else if (status == TP_ERR_INPUT)
		status = TP_OK; /* records that contradict themselves have no figures */
	tp_metrics_release(&metrics);
	tp_stored_records_release(&stored);
	return status;
}

enum tp_status tp_store_measure_old(struct tp_store *store)
{
	static const char what[] = "measure its epochs";
	static const char sql[] = "SELECT run_id, epoch, stage_count, schedule FROM epoch JOIN run USING (run_id) "
	                          "WHERE profile_level <> 'off' AND dropped_record_count = 0";
	static const char peaks[] =
	        "UPDATE stage_figures SET peak_bytes = (SELECT coalesce(sum(at_peak_bytes), 0) FROM memory "
	        "WHERE memory.run_id = stage_figures.run_id AND memory.epoch = stage_figures.epoch "
	        "AND memory.stage = stage_figures.stage)";
	sqlite3_stmt *epochs;
	TP_TRY(tp_store_prepare(store, sql, what, &epochs));
	enum tp_status status = TP_OK;
	int rc = SQLITE_DONE;
	while (status == TP_OK && (rc = sqlite3_step(epochs)) == SQLITE_ROW) {
		const unsigned char *schedule = sqlite3_column_text(epochs, 3);
		status = measure(store, sqlite3_column_int64(epochs, 0), sqlite3_column_int(epochs, 1),
		                 sqlite3_column_int(epochs, 2), schedule && flushes((const char *)schedule));
	}
	if (status == TP_OK && rc != SQLITE_DONE)
		status = tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(epochs);
	return status == TP_OK ? tp_store_execute(store, peaks, what) : status;
}
