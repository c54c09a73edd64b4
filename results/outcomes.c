#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "results/queries.h"
#include "results/stand_in.h"
#include "results/store_internal.h"

static const char reading[] = "read the runs of a comparison";

enum { ID, HASH, REPEAT, REASON, EPOCHS, RATE, IDLE, DIFFERENCE, PEAK, DEVICE };

static const char runs[] =
        "SELECT run_id, config_hash, run.repeat_number, coalesce(reason, ''), epoch_count, compare.samples_per_s, "
        "idle_total_ratio, version_difference_max_count, stages_peak_bytes, run.device FROM run JOIN compare USING "
        "(run_id) "
        "LEFT JOIN run_end USING (run_id) WHERE run.comparison = ? ORDER BY run_id";

static double real(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(row, column);
}

static void read_outcome(sqlite3_stmt *row, struct tp_store_outcome *outcome)
{
	*outcome = (struct tp_store_outcome){
	        .run_id = sqlite3_column_int64(row, ID),
	        .config_hash = strtoull((const char *)sqlite3_column_text(row, HASH), NULL, 16),
	        .repeat = sqlite3_column_int(row, REPEAT),
	        .samples_per_s = real(row, RATE),
	        .idle_total_share = real(row, IDLE),
	        .version_difference_max = real(row, DIFFERENCE),
	        .stages_peak_bytes = sqlite3_column_int64(row, PEAK),
	        .stand_in = tp_is_stand_in((const char *)sqlite3_column_text(row, DEVICE)),
	};
	(void)snprintf(outcome->reason, sizeof outcome->reason, "%s", sqlite3_column_text(row, REASON));
}

enum tp_status tp_store_count_comparison(struct tp_store *store, const char *comparison, int64_t *count)
{
	sqlite3_stmt *statement;
	TP_TRY(tp_store_prepare(store, "SELECT count(*) FROM run WHERE comparison = ?", reading, &statement));
	(void)sqlite3_bind_text(statement, 1, comparison, -1, SQLITE_STATIC);
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*count = sqlite3_column_int64(statement, 0);
	enum tp_status status = rc == SQLITE_ROW ? TP_OK : tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	return status;
}

static enum tp_status read_times(struct tp_store *store, int64_t epochs, double *values,
                                 struct tp_store_outcome *outcome)
{
	sqlite3_stmt *statement;
	double *predicted = values + epochs;
	int64_t count = 0, predictions = 0;
	int rc = SQLITE_ROW;
	TP_TRY(tp_store_prepare(store,
	                        "SELECT window_end_ns - window_start_ns, predicted_ns FROM epoch JOIN timed_run "
	                        "USING (run_id) LEFT JOIN prediction USING (run_id, epoch) WHERE run_id = ?",
	                        reading, &statement));
	(void)sqlite3_bind_int64(statement, 1, outcome->run_id);
	while (count < epochs && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		values[count++] = sqlite3_column_double(statement, 0);
		if (sqlite3_column_type(statement, 1) != SQLITE_NULL)
			predicted[predictions++] = sqlite3_column_double(statement, 1);
	}
	enum tp_status status = rc == SQLITE_ROW || rc == SQLITE_DONE ? TP_OK : tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	outcome->median_epoch_ns = count > 0 ? tp_statistics_of(values, count).median : (double)NAN;
	outcome->predicted_ns = predictions > 0 ? tp_statistics_of(predicted, predictions).median : (double)NAN;
	return status;
}

/* The times of one run's epochs, `epochs` of them. */
static enum tp_status summarize_times(struct tp_store *store, int64_t epochs, struct tp_store_outcome *outcome)
{
	double *values = tp_alloc_array(2 * (size_t)epochs, sizeof *values);
	if (!values)
		return TP_ERR_NOMEM;
	enum tp_status status = read_times(store, epochs, values, outcome);
	tp_free(values);
	return status;
}

static enum tp_status read_runs(struct tp_store *store, const char *comparison, int64_t most,
                                struct tp_store_outcome *outcomes, int64_t *count)
{
	sqlite3_stmt *statement;
	int rc = SQLITE_ROW;
	TP_TRY(tp_store_prepare(store, runs, reading, &statement));
	(void)sqlite3_bind_text(statement, 1, comparison, -1, SQLITE_STATIC);
	enum tp_status status = TP_OK;
	while (*count < most && status == TP_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		read_outcome(statement, &outcomes[*count]);
		status = summarize_times(store, sqlite3_column_int64(statement, EPOCHS), &outcomes[(*count)++]);
	}
	if (status == TP_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		status = tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	for (int64_t i = 0; i < *count && status == TP_OK; i++)
		status = tp_store_run_state(store, outcomes[i].run_id, &outcomes[i].state);
	return status;
}

enum tp_status tp_store_read_outcomes(struct tp_store *store, const char *comparison,
                                      struct tp_store_outcome **outcomes, int64_t *count)
{
	int64_t most = 0;
	*outcomes = NULL;
	*count = 0;
	TP_TRY(tp_store_count_comparison(store, comparison, &most));
	if (most == 0)
		return TP_OK;
	struct tp_store_outcome *read = tp_alloc_array((size_t)most, sizeof *read);
	if (!read)
		return TP_ERR_NOMEM;
	enum tp_status status = read_runs(store, comparison, most, read, count);
	if (status != TP_OK)
		tp_free(read);
	else
		*outcomes = read;
	return status;
}
