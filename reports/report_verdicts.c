/* What is said of whole runs: when they had learnt enough, what recording cost them, whether they can be trusted. */
#include "reports/report_data.h"

#include <sqlite3.h>
#include <stdio.h>

#include "engine/base/memory.h"
#include "results/queries.h"

enum tp_status tp_report_query_failed(struct tp_store *store)
{
	return tp_fail(TP_ERR_IO, "the database could not be read: %s", sqlite3_errmsg(tp_store_connection(store)));
}

void tp_report_copy_column(sqlite3_stmt *statement, int column, char *out, size_t size)
{
	const unsigned char *value = sqlite3_column_text(statement, column);
	(void)snprintf(out, size, "%s", value ? (const char *)value : "");
}

/* When the runs of a schedule had learnt what was wanted: one of the targets. */
static enum tp_status read_target(struct tp_store *store, struct tp_report_schedule *schedule, int which)
{
	static const char *const names[TP_REPORT_TARGETS] = {"target-top1", "target-loss"};
	static const char sql[] =
	        "SELECT target_value, reached_epoch, reached_s FROM time_to_target WHERE run_id = ? AND target = ?";
	struct tp_report_target *target = &schedule->targets[which];
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	double *epochs = tp_alloc_array(2 * (size_t)schedule->run_count, sizeof *epochs);
	double *seconds = epochs + schedule->run_count;
	for (int32_t r = 0; epochs && r < schedule->run_count; r++) {
		(void)sqlite3_reset(statement);
		(void)sqlite3_bind_int64(statement, 1, schedule->runs[r].run_id);
		(void)sqlite3_bind_text(statement, 2, names[which], -1, SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_ROW)
			continue;
		target->runs++;
		target->wanted = sqlite3_column_double(statement, 0);
		if (sqlite3_column_type(statement, 1) == SQLITE_NULL)
			continue;
		epochs[target->reached] = sqlite3_column_double(statement, 1);
		seconds[target->reached++] = sqlite3_column_double(statement, 2);
	}
	(void)sqlite3_finalize(statement);
	if (!epochs)
		return TP_ERR_NOMEM;
	target->epochs = tp_statistics_of(epochs, target->reached).median;
	target->seconds = tp_statistics_of(seconds, target->reached).median;
	tp_free(epochs);
	return TP_OK;
}

/* What recording cost the runs of a schedule. */
static enum tp_status read_cost(struct tp_store *store, struct tp_report_schedule *schedule)
{
	static const char sql[] = "SELECT pair_count, profile_level, cost_ratio, cost_min_ratio, cost_max_ratio FROM "
	                          "profile_cost WHERE run_id = ?";
	sqlite3_stmt *statement;
	int64_t count = 0;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	double *ratios = tp_alloc_array((size_t)schedule->run_count, sizeof *ratios);
	for (int32_t r = 0; ratios && r < schedule->run_count; r++) {
		(void)sqlite3_reset(statement);
		(void)sqlite3_bind_int64(statement, 1, schedule->runs[r].run_id);
		if (sqlite3_step(statement) != SQLITE_ROW)
			continue;
		double least = sqlite3_column_double(statement, 3), most = sqlite3_column_double(statement, 4);
		schedule->cost_min = count == 0 || least < schedule->cost_min ? least : schedule->cost_min;
		schedule->cost_max = count == 0 || most > schedule->cost_max ? most : schedule->cost_max;
		schedule->cost_pairs += sqlite3_column_int64(statement, 0);
		tp_report_copy_column(statement, 1, schedule->cost_level, sizeof schedule->cost_level);
		ratios[count++] = sqlite3_column_double(statement, 2);
	}
	(void)sqlite3_finalize(statement);
	if (!ratios)
		return TP_ERR_NOMEM;
	schedule->cost = tp_statistics_of(ratios, count).median;
	tp_free(ratios);
	return TP_OK;
}

/* Checks that a run failed, as lines of the report. */
static enum tp_status read_checks(struct tp_store *store, struct tp_report *report, struct tp_report_run *run)
{
	static const char sql[] =
	        "SELECT passed, check_name, detail FROM run_check WHERE run_id = ? ORDER BY check_name";
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	(void)sqlite3_bind_int64(statement, 1, run->run_id);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		bool passed = sqlite3_column_int(statement, 0) != 0;
		run->checked = true;
		run->invalid |= !passed;
		if (!passed)
			tp_text_add(&report->failed_checks, "run %lld is invalid: %s: %s\n", (long long)run->run_id,
			            (const char *)sqlite3_column_text(statement, 1),
			            (const char *)sqlite3_column_text(statement, 2));
	}
	(void)sqlite3_finalize(statement);
	return report->failed_checks.failed ? TP_ERR_NOMEM : TP_OK;
}

enum tp_status tp_report_read_verdicts(struct tp_store *store, struct tp_report *report,
                                       struct tp_report_schedule *schedule)
{
	for (int32_t r = 0; r < schedule->run_count; r++)
		TP_TRY(read_checks(store, report, &schedule->runs[r]));
	for (int which = 0; which < TP_REPORT_TARGETS; which++)
		TP_TRY(read_target(store, schedule, which));
	return read_cost(store, schedule);
}
