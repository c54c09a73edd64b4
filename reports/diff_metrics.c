/* The figures that two experiments are compared by: where their values come from, and what a change of them means. */
#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "reports/diff.h"
#include "reports/report_data.h"
#include "results/queries.h"

/* With as many runs on either side each run is one sample: epochs of one run share what happened to it. With fewer,
 * runs could not reach the confidence that is aimed at. */
#define RUNS_ENOUGH 4

/* A change of exactly the threshold is not beyond it. */
#define ROUNDING 1e-9

/* Of each epoch and stage. */
#define PEAKS \
	"(SELECT epoch, sum(at_peak_bytes) AS peak FROM memory WHERE run_id = ? AND stage >= 0 GROUP BY epoch, stage)"
#define LATEST "FROM epoch WHERE run_id = ? AND test_samples IS NOT NULL ORDER BY epoch DESC LIMIT 1"

/* clang-format off */
const struct tp_diff_metric tp_diff_metrics[] = {
	{.name = "epoch-time", .title = "epoch ms", .unit = "ns", .scale = 1e-6, .decimals = 2,
	 .sql = "SELECT window_end_ns - window_start_ns FROM epoch WHERE run_id = ? ORDER BY epoch"},
	{.name = "samples-per-s", .title = "samples/s", .unit = "1/s", .scale = 1, .decimals = 1, .higher_better = true,
	 .sql = "SELECT trained_samples * 1e9 / nullif(window_end_ns - window_start_ns, 0) FROM epoch WHERE run_id = ? "
	        "ORDER BY epoch"},
	{.name = "idle-total", .title = "idle/total %", .unit = "share", .scale = 100, .decimals = 2, .share = true,
	 .sql = "SELECT idle_total_ratio FROM epoch_figures WHERE run_id = ? ORDER BY epoch"},
	{.name = "peak-memory", .title = "peak MiB, all", .unit = "bytes", .scale = 1.0 / 1048576, .decimals = 2,
	 .sql = "SELECT sum(peak) FROM " PEAKS " GROUP BY epoch"},
	{.name = "peak-stage", .title = "peak MiB, fullest", .unit = "bytes", .scale = 1.0 / 1048576, .decimals = 2,
	 .sql = "SELECT max(peak) FROM " PEAKS " GROUP BY epoch"},
	{.name = "v-max", .title = "v max", .unit = "mini-batches", .scale = 1, .decimals = 0,
	 .sql = "SELECT version_difference_max_count FROM epoch_figures WHERE run_id = ? ORDER BY epoch"},
	{.name = "v-mean", .title = "v mean", .unit = "mini-batches", .scale = 1, .decimals = 3,
	 .sql = "SELECT version_difference_mean_count FROM epoch_figures WHERE run_id = ? ORDER BY epoch"},
	{.name = "test-loss", .title = "test loss", .unit = "loss", .scale = 1, .decimals = 4, .of_run = true,
	 .sql = "SELECT test_loss " LATEST},
	{.name = "test-top1", .title = "test top-1 %", .unit = "share", .scale = 100, .decimals = 2, .share = true,
	 .higher_better = true, .of_run = true, .sql = "SELECT test_top1_share " LATEST},
	{.name = "measured-predicted", .title = "measured/predicted", .unit = "ratio", .scale = 1, .decimals = 3,
	 .sql = "SELECT CAST(window_end_ns - window_start_ns AS REAL) / predicted_ns FROM epoch JOIN prediction "
	        "USING (run_id, epoch) WHERE run_id = ? ORDER BY epoch"},
	{.name = NULL},
};
/* clang-format on */

_Static_assert(sizeof tp_diff_metrics / sizeof *tp_diff_metrics == TP_DIFF_METRICS + 1, "TP_DIFF_METRICS");

const char *tp_diff_verdict_text(enum tp_diff_verdict verdict)
{
	static const char *const texts[] = {"same", "better", "worse", "unclear"};
	return texts[verdict];
}

enum tp_diff_verdict tp_diff_judge(const struct tp_diff_metric *metric, const struct tp_interval *change, bool equal,
                                   double threshold)
{
	double beyond = threshold + ROUNDING;
	if (equal)
		return TP_DIFF_SAME;
	if (change->confidence < TP_INTERVAL_CONFIDENCE)
		return TP_DIFF_UNCLEAR;
	if (change->low > beyond)
		return metric->higher_better ? TP_DIFF_BETTER : TP_DIFF_WORSE;
	if (change->high < -beyond)
		return metric->higher_better ? TP_DIFF_WORSE : TP_DIFF_BETTER;
	return change->low >= -beyond && change->high <= beyond ? TP_DIFF_SAME : TP_DIFF_UNCLEAR;
}

/* Values of one side, room for one of each epoch. */
struct sample {
	double *values;
	int64_t count, room;
};

static enum tp_status read_run(struct tp_store *store, sqlite3_stmt *statement, struct sample *sample)
{
	int rc = SQLITE_DONE;
	while (sample->count < sample->room && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
			sample->values[sample->count++] = sqlite3_column_double(statement, 0);
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? TP_OK : tp_report_query_failed(store);
}

static enum tp_status read_sample(struct tp_store *store, const struct tp_group *group,
                                  const struct tp_diff_metric *metric, bool of_runs, struct sample *sample)
{
	sqlite3_stmt *statement;
	enum tp_status status = TP_OK;
	for (int32_t r = 0; r < group->run_count; r++)
		sample->room += group->runs[r].epochs;
	sample->values = tp_alloc_array((size_t)sample->room, sizeof *sample->values);
	if (!sample->values)
		return TP_ERR_NOMEM;
	if (sqlite3_prepare_v2(tp_store_connection(store), metric->sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	for (int32_t r = 0; r < group->run_count && status == TP_OK; r++) {
		int64_t before = sample->count;
		(void)sqlite3_reset(statement);
		(void)sqlite3_bind_int64(statement, 1, group->runs[r].run_id);
		status = read_run(store, statement, sample);
		if (of_runs && sample->count > before) {
			sample->values[before] =
			        tp_statistics_of(&sample->values[before], sample->count - before).median;
			sample->count = before + 1;
		}
	}
	(void)sqlite3_finalize(statement);
	return status;
}

static double median_of(struct sample *sample)
{
	return sample->count > 0 ? tp_statistics_of(sample->values, sample->count).median : (double)NAN;
}

/* Both in order. The same values, or all of both one value, however often: nothing has changed. */
static bool are_equal(const struct sample *a, const struct sample *b)
{
	if (a->count == 0 || b->count == 0)
		return false;
	double low = fmin(a->values[0], b->values[0]), high = fmax(a->values[a->count - 1], b->values[b->count - 1]);
	bool equal = a->count == b->count;
	for (int64_t i = 0; equal && i < a->count; i++)
		equal = !(a->values[i] < b->values[i]) && !(a->values[i] > b->values[i]);
	return equal || low >= high;
}

static enum tp_status compare(struct sample *a, struct sample *b, double threshold, struct tp_diff_line *line)
{
	struct tp_interval *change = &line->change;
	line->a = median_of(a);
	line->b = median_of(b);
	if (line->metric->share) {
		TP_TRY(tp_difference_interval(a->values, a->count, b->values, b->count, change));
	} else {
		TP_TRY(tp_ratio_interval(a->values, a->count, b->values, b->count, change));
		change->low -= 1;
		change->mid -= 1;
		change->high -= 1;
	}
	line->verdict = tp_diff_judge(line->metric, change, are_equal(a, b), threshold);
	return TP_OK;
}

enum tp_status tp_diff_compare(struct tp_store *const stores[2], const struct tp_group *const groups[2],
                               const struct tp_diff_metric *metric, double threshold, struct tp_diff_line *line,
                               bool *there)
{
	struct sample samples[2] = {{0}};
	bool many = groups[0]->run_count >= RUNS_ENOUGH && groups[1]->run_count >= RUNS_ENOUGH;
	*line = (struct tp_diff_line){.metric = metric, .of_runs = metric->of_run || many};
	enum tp_status status = TP_OK;
	for (int side = 0; side < 2 && status == TP_OK; side++)
		status = read_sample(stores[side], groups[side], metric, line->of_runs, &samples[side]);
	*there = samples[0].count > 0 || samples[1].count > 0;
	if (status == TP_OK && *there)
		status = compare(&samples[0], &samples[1], threshold, line);
	tp_free(samples[0].values);
	tp_free(samples[1].values);
	return status;
}
