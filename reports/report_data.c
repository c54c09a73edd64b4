#include "reports/report_data.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "results/queries.h"
#include "results/stand_in.h"

/* --- one epoch
 * -------------------------------------------------------------------------------------------------------- */

static enum tp_status take_memory(struct tp_report_epoch *epoch, const struct tp_stored_epoch *stored, int32_t stages)
{
	epoch->memory_count = stored->epoch.memory_count;
	epoch->memory = tp_alloc_array((size_t)epoch->memory_count, sizeof *epoch->memory);
	epoch->stage_peak_bytes = tp_alloc_array((size_t)stages, sizeof *epoch->stage_peak_bytes);
	if (!epoch->memory || !epoch->stage_peak_bytes)
		return TP_ERR_NOMEM;
	for (int32_t i = 0; i < epoch->memory_count; i++) {
		epoch->memory[i] = stored->memory[i];
		if (stored->memory[i].stage >= 0 && stored->memory[i].stage < stages)
			epoch->stage_peak_bytes[stored->memory[i].stage] = stored->memory[i].peak_total_bytes;
	}
	return TP_OK;
}

static void measure_volume(const struct tp_report_schedule *schedule, struct tp_report_epoch *epoch)
{
	double minis = (double)epoch->row.minis, n = schedule->micro_batches;
	for (int32_t b = 0; epoch->row.minis > 0 && b + 1 < schedule->stages; b++) {
		const struct tp_boundary_metrics *boundary = &epoch->metrics.boundary[b];
		double activation = (double)boundary->down_bytes / minis / n;
		epoch->sent_bytes += (double)(boundary->down_bytes + boundary->up_bytes) / minis;
		epoch->naive_bytes += 2 * n * activation;
		epoch->timeprest_bytes += (n + 1) * activation;
	}
}

static enum tp_status read_epoch(struct tp_store *store, int64_t run_id, int32_t number, int32_t batch_samples,
                                 const struct tp_report_schedule *schedule, struct tp_report_epoch *epoch)
{
	struct tp_stored_epoch stored;
	TP_TRY(tp_store_read_epoch(store, run_id, number, &stored));
	const struct tp_store_epoch *row = &stored.epoch;
	enum tp_status status =
	        tp_store_read_metrics(store, run_id, number, schedule->stages, &epoch->metrics, &epoch->has_records);
	epoch->window_ns = row->end_ns - row->start_ns;
	epoch->samples_per_s = epoch->window_ns > 0 ? (double)row->samples * 1e9 / (double)epoch->window_ns : 0;
	if (status == TP_OK)
		status = take_memory(epoch, &stored, schedule->stages);
	epoch->row = *row;
	if (status == TP_OK && epoch->has_records) {
		measure_volume(schedule, epoch);
		if (epoch->metrics.steady_ns > 0)
			epoch->steady_samples_per_s = (double)epoch->metrics.steady_minis * batch_samples * 1e9 /
			                              (double)epoch->metrics.steady_ns;
	}
	epoch->row.memory = NULL;
	tp_stored_epoch_release(&stored);
	return status;
}

/* --- runs
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names) != 0)
		names++;
	return *names != NULL;
}

bool tp_report_predicts_versions(const char *schedule)
{
	static const char *const names[] = {"timeprest",   "timeprest-stash", "timeprest-1f1b",  "v-timeprest",
	                                    "i-timeprest", "pipedream",       "pipedream-vsync", NULL};
	return is_one_of(schedule, names);
}

/* An option of a run as recorded; "" when there is none. */
static enum tp_status read_parameter(struct tp_store *store, int64_t run_id, const char *name, char *out, size_t size)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store),
	                       "SELECT value FROM run_parameter WHERE run_id = ? AND name = ?", -1, &statement,
	                       NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, 1, run_id) != SQLITE_OK ||
	    sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC) != SQLITE_OK)
		return tp_report_query_failed(store);
	out[0] = '\0';
	if (sqlite3_step(statement) == SQLITE_ROW)
		tp_report_copy_column(statement, 0, out, size);
	(void)sqlite3_finalize(statement);
	return TP_OK;
}

/* What the recorded options change about a schedule: with other limits in flight, or a bound, v is not as predicted. */
static enum tp_status take_axes(struct tp_store *store, int64_t run_id, struct tp_report_schedule *schedule)
{
	char in_flight[24], max_staleness[24];
	TP_TRY(read_parameter(store, run_id, "in-flight", in_flight, sizeof in_flight));
	TP_TRY(read_parameter(store, run_id, "max-staleness", max_staleness, sizeof max_staleness));
	bool limited = in_flight[0] && strcmp(in_flight, "0") != 0;
	int64_t w = schedule->stages, n = schedule->micro_batches;
	schedule->bounded = max_staleness[0] && strcmp(max_staleness, "0") != 0;
	if (!tp_report_predicts_versions(schedule->name) || limited || schedule->bounded)
		return TP_OK;
	schedule->version_paper = n >= 2 ? (w + n - 2) / n : 0; /* stated for N >= 2 */
	schedule->version_exact = (w + n) / (n + 1);
	return TP_OK;
}

static struct tp_report_schedule *schedule_of(struct tp_report *report, const char *name)
{
	for (int32_t i = 0; i < report->schedule_count; i++) {
		if (strcmp(report->schedules[i].name, name) == 0)
			return &report->schedules[i];
	}
	struct tp_report_schedule *schedule = &report->schedules[report->schedule_count++];
	(void)snprintf(schedule->name, sizeof schedule->name, "%s", name);
	return schedule;
}

static enum tp_status read_epochs(struct tp_store *store, struct tp_report *report,
                                  const struct tp_report_schedule *schedule, struct tp_report_run *run)
{
	TP_TRY(tp_store_count_epochs(store, run->run_id, &run->epoch_count));
	run->epochs = tp_alloc_array((size_t)run->epoch_count, sizeof *run->epochs);
	if (!run->epochs)
		return TP_ERR_NOMEM;
	for (int32_t e = 0; e < run->epoch_count; e++) {
		TP_TRY(read_epoch(store, run->run_id, e + 1, report->batch_samples, schedule, &run->epochs[e]));
		report->dropped_records += run->epochs[e].row.dropped_records;
		report->window_allocations += run->epochs[e].row.allocations_in_window;
	}
	return TP_OK;
}

static enum tp_status take_run(struct tp_store *store, struct tp_report *report, int64_t run_id, sqlite3_stmt *row)
{
	char name[64];
	tp_report_copy_column(row, 0, name, sizeof name);
	struct tp_report_schedule *schedule = schedule_of(report, name);
	if (!schedule->runs) {
		schedule->runs = tp_alloc_array((size_t)report->run_total, sizeof *schedule->runs);
		if (!schedule->runs)
			return TP_ERR_NOMEM;
	}
	schedule->stages = sqlite3_column_int(row, 1);
	schedule->micro_batches = sqlite3_column_int(row, 2);
	TP_TRY(take_axes(store, run_id, schedule));
	tp_report_copy_column(row, 11, schedule->clock, sizeof schedule->clock);
	report->modelled |= strcmp(schedule->clock, "virtual") == 0;
	struct tp_report_run *run = &schedule->runs[schedule->run_count++];
	run->run_id = run_id;
	run->repeat = sqlite3_column_int(row, 3);
	tp_report_copy_column(row, 4, run->state, sizeof run->state);
	report->unfinished_runs += strcmp(run->state, "done") != 0;
	tp_report_copy_column(row, 5, report->model, sizeof report->model);
	tp_report_copy_column(row, 6, report->dataset, sizeof report->dataset);
	tp_report_copy_column(row, 7, report->device, sizeof report->device);
	tp_report_copy_column(row, 8, report->order, sizeof report->order);
	report->stand_in |= tp_is_stand_in(report->device);
	report->batch_samples = sqlite3_column_int(row, 9);
	report->dropped_samples = sqlite3_column_int64(row, 10);
	return read_epochs(store, report, schedule, run);
}

static enum tp_status read_run(struct tp_store *store, struct tp_report *report, int64_t run_id)
{
	static const char sql[] =
	        "SELECT schedule, stage_count, micro_batch_count, repeat_number, state, model, dataset, device, "
	        "operation_order, batch_samples, dropped_per_epoch_samples, clock FROM run JOIN run_state USING "
	        "(run_id) "
	        "WHERE run_id = ?";
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	enum tp_status status;
	if (sqlite3_bind_int64(statement, 1, run_id) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
		status = tp_fail(TP_ERR_INPUT, "the database has no run %" PRId64, run_id);
	else
		status = take_run(store, report, run_id, statement);
	(void)sqlite3_finalize(statement);
	return status;
}

/* "name=value" lines of one run. */
static enum tp_status read_pairs(struct tp_store *store, const char *sql, int64_t run_id, struct tp_text *out)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, 1, run_id) != SQLITE_OK)
		return tp_report_query_failed(store);
	while (sqlite3_step(statement) == SQLITE_ROW)
		tp_text_add(out, "%s=%s\n", (const char *)sqlite3_column_text(statement, 0),
		            (const char *)sqlite3_column_text(statement, 1));
	(void)sqlite3_finalize(statement);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}

/* --- summaries
 * -------------------------------------------------------------------------------------------------------- */

static void add_epoch(struct tp_report_schedule *schedule, const struct tp_report_epoch *epoch)
{
	int64_t total = 0;
	for (int32_t s = 0; s < schedule->stages; s++) {
		const struct tp_stage_metrics *stage = &epoch->metrics.stage[s];
		total += epoch->stage_peak_bytes[s];
		if (epoch->stage_peak_bytes[s] > schedule->stage_peak_bytes[s])
			schedule->stage_peak_bytes[s] = epoch->stage_peak_bytes[s];
		if (stage->versions_alive_max > schedule->versions_alive_max[s])
			schedule->versions_alive_max[s] = stage->versions_alive_max;
	}
	if (total > schedule->peak_total_bytes)
		schedule->peak_total_bytes = total;
	if (epoch->metrics.version_difference_max > schedule->version_difference_max)
		schedule->version_difference_max = epoch->metrics.version_difference_max;
	if (epoch->metrics.version_chains > schedule->version_chains)
		schedule->version_chains = epoch->metrics.version_chains;
}

/* What a schedule learnt: the mean of its runs' latest epochs. */
static void summarize_learning(struct tp_report_schedule *schedule)
{
	int32_t trained = 0, evaluated = 0;
	for (int32_t r = 0; r < schedule->run_count; r++) {
		const struct tp_report_run *run = &schedule->runs[r];
		const struct tp_report_epoch *last = run->epoch_count ? &run->epochs[run->epoch_count - 1] : NULL;
		if (!schedule->last)
			schedule->last = last;
		if (!last)
			continue;
		trained++;
		schedule->train_loss += last->row.train_loss;
		if (!last->row.evaluated)
			continue;
		evaluated++;
		schedule->test_top1 += last->row.test_top1;
		schedule->test_top5 += last->row.test_top5;
		schedule->test_loss += last->row.test_loss;
	}
	schedule->train_loss /= trained ? trained : 1;
	schedule->evaluated = evaluated > 0;
	schedule->test_top1 /= evaluated ? evaluated : 1;
	schedule->test_top5 /= evaluated ? evaluated : 1;
	schedule->test_loss /= evaluated ? evaluated : 1;
}

/* Communication that no computing hides, over all stages. */
static double exposed(const struct tp_report_schedule *schedule, const struct tp_report_epoch *epoch)
{
	double sum = 0;
	for (int32_t s = 0; s < schedule->stages; s++)
		sum += (double)epoch->metrics.stage[s].exposed_ns;
	return sum;
}

static enum tp_status summarize(struct tp_report_schedule *schedule)
{
	enum {
		WINDOW,
		RATE,
		TOTAL,
		IDEAL,
		PREDICTED,
		DIFFERENCE,
		ALPHA,
		EXPOSED,
		STALENESS,
		STEADY_RATE,
		STEADY,
		LISTS
	};
	int64_t epochs = 0, count = 0, measured = 0, predicted = 0, steady = 0;
	double difference = 0;
	for (int32_t r = 0; r < schedule->run_count; r++)
		epochs += schedule->runs[r].epoch_count;
	double *values = tp_alloc_array((size_t)epochs * LISTS, sizeof *values);
	schedule->versions_alive_max = tp_alloc_array((size_t)schedule->stages, sizeof(int64_t));
	schedule->stage_peak_bytes = tp_alloc_array((size_t)schedule->stages, sizeof(int64_t));
	if (!values || !schedule->versions_alive_max || !schedule->stage_peak_bytes) {
		tp_free(values);
		return TP_ERR_NOMEM;
	}
	for (int32_t r = 0; r < schedule->run_count; r++) {
		for (int32_t e = 0; e < schedule->runs[r].epoch_count; e++) {
			const struct tp_report_epoch *epoch = &schedule->runs[r].epochs[e];
			values[WINDOW * epochs + count] = (double)epoch->window_ns;
			values[RATE * epochs + count++] = epoch->samples_per_s;
			add_epoch(schedule, epoch);
			if (epoch->row.predicted.window_ns > 0) {
				double ns = (double)epoch->row.predicted.window_ns;
				values[PREDICTED * epochs + predicted] = ns;
				values[DIFFERENCE * epochs + predicted++] = ((double)epoch->window_ns - ns) / ns;
			}
			if (!epoch->has_records)
				continue;
			values[ALPHA * epochs + measured] = epoch->metrics.alpha;
			values[EXPOSED * epochs + measured] = exposed(schedule, epoch);
			values[STALENESS * epochs + measured] = epoch->metrics.staleness_idle_total;
			schedule->transfers |= epoch->metrics.transfers;
			if (epoch->metrics.steady_ns > 0) {
				values[STEADY_RATE * epochs + steady] = epoch->steady_samples_per_s;
				values[STEADY * epochs + steady++] = epoch->metrics.steady_idle_total;
			}
			values[TOTAL * epochs + measured] = epoch->metrics.bubble_idle_total;
			values[IDEAL * epochs + measured++] = epoch->metrics.bubble_idle_ideal;
			difference += epoch->metrics.version_difference_mean;
		}
	}
	schedule->window = tp_statistics_of(values + WINDOW * epochs, count);
	schedule->samples_per_s = tp_statistics_of(values + RATE * epochs, count);
	schedule->idle_total = tp_statistics_of(values + TOTAL * epochs, measured).median;
	schedule->idle_ideal = tp_statistics_of(values + IDEAL * epochs, measured).median;
	schedule->measured_epochs = measured;
	schedule->steady_epochs = steady;
	schedule->steady_samples_per_s = tp_statistics_of(values + STEADY_RATE * epochs, steady).median;
	schedule->steady_idle_total = tp_statistics_of(values + STEADY * epochs, steady).median;
	schedule->predicted_epochs = predicted;
	schedule->predicted_ns = tp_statistics_of(values + PREDICTED * epochs, predicted).median;
	schedule->difference = tp_statistics_of(values + DIFFERENCE * epochs, predicted).median;
	schedule->alpha = tp_statistics_of(values + ALPHA * epochs, measured).median;
	schedule->exposed_ns = tp_statistics_of(values + EXPOSED * epochs, measured).median;
	schedule->staleness_idle_total = tp_statistics_of(values + STALENESS * epochs, measured).median;
	schedule->version_difference_mean = measured ? difference / (double)measured : 0;
	for (int32_t s = 0; s < schedule->stages; s++) {
		if (schedule->stage_peak_bytes[s] > schedule->stage_peak_bytes[schedule->fullest_stage])
			schedule->fullest_stage = s;
	}
	summarize_learning(schedule);
	tp_free(values);
	return TP_OK;
}

/* --- the whole
 * -------------------------------------------------------------------------------------------------------- */

static enum tp_status read_all(struct tp_store *store, const char *database_path, const int64_t *run_ids,
                               struct tp_report *report)
{
	size_t length = strlen(database_path) + 1;
	report->database = tp_alloc(length);
	report->schedules = tp_alloc_array((size_t)report->run_total, sizeof *report->schedules);
	if (!report->database || !report->schedules)
		return TP_ERR_NOMEM;
	memcpy(report->database, database_path, length);
	for (int32_t i = 0; i < report->run_total; i++)
		TP_TRY(read_run(store, report, run_ids[i]));
	for (int32_t i = 0; i < report->schedule_count; i++) {
		TP_TRY(summarize(&report->schedules[i]));
		TP_TRY(tp_report_read_verdicts(store, report, &report->schedules[i]));
	}
	if (report->run_total == 0)
		return TP_OK;
	TP_TRY(read_parameter(store, run_ids[0], "costs", report->costs, sizeof report->costs));
	TP_TRY(read_parameter(store, run_ids[0], "link", report->link, sizeof report->link));
	TP_TRY(read_parameter(store, run_ids[0], "cluster", report->cluster, sizeof report->cluster));
	if (report->stand_in || strcmp(report->device, "cuda") == 0)
		TP_TRY(read_parameter(store, run_ids[0], "transport", report->transport, sizeof report->transport));
	TP_TRY(read_pairs(store, "SELECT name, value FROM run_parameter WHERE run_id = ? ORDER BY name", run_ids[0],
	                  &report->parameters));
	return read_pairs(store, "SELECT name, value FROM environment WHERE run_id = ? ORDER BY name", run_ids[0],
	                  &report->environment);
}

enum tp_status tp_report_read(struct tp_store *store, const char *database_path, const int64_t *run_ids,
                              int32_t run_count, struct tp_report **report)
{
	struct tp_report *read = tp_alloc(sizeof *read);
	*report = NULL;
	if (!read)
		return TP_ERR_NOMEM;
	read->run_total = run_count;
	enum tp_status status = read_all(store, database_path, run_ids, read);
	if (status == TP_OK)
		*report = read;
	else
		tp_report_free(read);
	return status;
}

static void release_run(struct tp_report_run *run)
{
	for (int32_t e = 0; run->epochs && e < run->epoch_count; e++) {
		tp_metrics_release(&run->epochs[e].metrics);
		tp_free(run->epochs[e].memory);
		tp_free(run->epochs[e].stage_peak_bytes);
	}
	tp_free(run->epochs);
}

void tp_report_free(struct tp_report *report)
{
	if (!report)
		return;
	for (int32_t i = 0; i < report->schedule_count; i++) {
		struct tp_report_schedule *schedule = &report->schedules[i];
		for (int32_t r = 0; r < schedule->run_count; r++)
			release_run(&schedule->runs[r]);
		tp_free(schedule->runs);
		tp_free(schedule->versions_alive_max);
		tp_free(schedule->stage_peak_bytes);
	}
	tp_free(report->schedules);
	tp_free(report->database);
	tp_text_release(&report->parameters);
	tp_text_release(&report->environment);
	tp_text_release(&report->failed_checks);
	tp_free(report);
}
