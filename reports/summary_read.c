/* The numbers of one row of the summary, from the figures of its epochs. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "reports/interval.h"
#include "reports/report_data.h"
#include "reports/summary_read.h"
#include "results/queries.h"

/* Of each epoch, in the order of the query's columns. */
enum sample {
	WINDOW,
	RATE,
	PER_HOUR,
	IDLE_TOTAL,
	IDLE_IDEAL,
	ALPHA,
	EXPOSED,
	STEADY_RATE,
	STEADY_IDLE,
	PREDICTED,
	DIFFERENCE,
	VERSION_MAX,
	VERSION_MEAN,
	CHAINS,
	TIMED_MAX,
	TIMED_MEAN,
	SAMPLES
};
enum { TOP1 = SAMPLES, TOP5, LOSS, EPOCH, TESTED };

static const char epochs_sql[] =
        "SELECT s.window_ns, s.samples_per_s, s.epochs_per_h, s.idle_total_ratio, s.idle_ideal_ratio, s.alpha_ratio, "
        "s.exposed_ns, s.steady_samples_per_s, s.steady_idle_total_ratio, p.predicted_ns, "
        "(s.window_ns - p.predicted_ns) * 1.0 / p.predicted_ns, f.version_difference_max_count, "
        "f.version_difference_mean_count, f.version_chain_count, p.version_difference_max_count, "
        "p.version_difference_mean_count, e.test_top1_share, e.test_top5_share, e.test_loss, epoch, "
        "e.test_samples IS NOT NULL FROM epoch_summary AS s JOIN epoch AS e USING (run_id, epoch) "
        "LEFT JOIN epoch_figures AS f USING (run_id, epoch) LEFT JOIN prediction AS p USING (run_id, epoch) "
        "WHERE run_id = ?1 ORDER BY epoch";
static const char peaks_sql[] = "SELECT epoch, stage, sum(at_peak_bytes) FROM memory WHERE run_id = ?1 AND stage >= 0 "
                                "GROUP BY epoch, stage ORDER BY epoch, stage";
static const char alive_sql[] = "SELECT stage, max(alive_version_max_count) FROM stage_figures WHERE run_id = ?1 "
                                "GROUP BY stage";
static const char targets_sql[] = "SELECT name, CAST(value AS REAL) FROM run_parameter WHERE run_id = ?1 AND name IN "
                                  "('target-top1', 'target-loss')";

/* The epochs and runs of one group. */
struct samples {
	double *of[SAMPLES];
	int64_t count[SAMPLES];
	double *top1, *top5, *loss; /* of each run that was evaluated */
	int64_t evaluated;
	double *reached_epochs[TP_REPORT_TARGETS], *reached_s[TP_REPORT_TARGETS];
};

enum tp_status tp_summary_reader_init(struct tp_summary_reader *reading, struct tp_store *store)
{
	const struct {
		const char *sql;
		sqlite3_stmt **statement;
	} queries[] = {{epochs_sql, &reading->epochs},
	               {peaks_sql, &reading->peaks},
	               {alive_sql, &reading->alive},
	               {targets_sql, &reading->targets}};
	*reading = (struct tp_summary_reader){.store = store};
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		if (sqlite3_prepare_v2(tp_store_connection(reading->store), queries[i].sql, -1, queries[i].statement,
		                       NULL) != SQLITE_OK)
			return tp_report_query_failed(reading->store);
	}
	return TP_OK;
}

void tp_summary_reader_release(struct tp_summary_reader *reading)
{
	(void)sqlite3_finalize(reading->epochs);
	(void)sqlite3_finalize(reading->peaks);
	(void)sqlite3_finalize(reading->alive);
	(void)sqlite3_finalize(reading->targets);
}

static void begin(sqlite3_stmt *statement, int64_t run_id)
{
	(void)sqlite3_reset(statement);
	(void)sqlite3_bind_int64(statement, 1, run_id);
}

static double *target_values(struct tp_summary_row *row, int which, bool seconds)
{
	struct tp_summary_target *target = which == TP_REPORT_TOP1 ? &row->target_top1 : &row->target_loss;
	return seconds ? &target->seconds : &target->epochs;
}

/* --- one run ---------------------------------------------------------------------------------------------------------
 */

/* What a run wanted to reach. Runs of a group that wanted something else than the first are not counted. */
static enum tp_status read_targets(struct tp_summary_reader *reading, int64_t run_id, struct tp_summary_row *row,
                                   double wanted[TP_REPORT_TARGETS])
{
	int rc;
	begin(reading->targets, run_id);
	while ((rc = sqlite3_step(reading->targets)) == SQLITE_ROW) {
		bool top1 = strcmp((const char *)sqlite3_column_text(reading->targets, 0), "target-top1") == 0;
		struct tp_summary_target *target = top1 ? &row->target_top1 : &row->target_loss;
		double value = sqlite3_column_double(reading->targets, 1);
		if (!(value > 0) || (isfinite(target->wanted) && target->wanted != value))
			continue;
		if (!isfinite(target->wanted))
			*target = (struct tp_summary_target){value, 0, 0, (double)NAN, (double)NAN};
		target->runs++;
		wanted[top1 ? TP_REPORT_TOP1 : TP_REPORT_LOSS] = value;
	}
	return rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(reading->store);
}

/* Has this epoch reached what the run wanted, for the first time? */
static void look_at_targets(sqlite3_stmt *epoch, double trained_s, struct tp_summary_row *row, struct samples *samples,
                            double wanted[TP_REPORT_TARGETS])
{
	for (int which = 0; which < TP_REPORT_TARGETS; which++) {
		struct tp_summary_target *target = which == TP_REPORT_TOP1 ? &row->target_top1 : &row->target_loss;
		int column = which == TP_REPORT_TOP1 ? TOP1 : LOSS;
		if (wanted[which] == 0 || sqlite3_column_type(epoch, column) == SQLITE_NULL)
			continue;
		double value = sqlite3_column_double(epoch, column);
		if (which == TP_REPORT_TOP1 ? value < wanted[which] : value > wanted[which])
			continue;
		int64_t reached = (int64_t)target->reached++;
		samples->reached_epochs[which][reached] = sqlite3_column_double(epoch, EPOCH);
		samples->reached_s[which][reached] = trained_s;
		wanted[which] = 0;
	}
}

static double real_or_nan(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? (double)NAN
	                                                             : sqlite3_column_double(statement, column);
}

static enum tp_status read_epochs(struct tp_summary_reader *reading, const struct tp_group_run *run,
                                  struct tp_summary_row *row, struct samples *samples)
{
	double wanted[TP_REPORT_TARGETS] = {0}, trained_s = 0;
	bool tested = false;
	int rc = SQLITE_ROW;
	TP_TRY(read_targets(reading, run->run_id, row, wanted));
	begin(reading->epochs, run->run_id);
	for (int32_t e = 0; e < run->epochs && (rc = sqlite3_step(reading->epochs)) == SQLITE_ROW; e++) {
		for (int i = 0; i < SAMPLES; i++) {
			if (sqlite3_column_type(reading->epochs, i) != SQLITE_NULL)
				samples->of[i][samples->count[i]++] = sqlite3_column_double(reading->epochs, i);
		}
		trained_s += sqlite3_column_double(reading->epochs, WINDOW) * 1e-9;
		look_at_targets(reading->epochs, trained_s, row, samples, wanted);
		if (!sqlite3_column_int(reading->epochs, TESTED))
			continue;
		tested = true; /* a later epoch takes its place */
		samples->top1[samples->evaluated] = real_or_nan(reading->epochs, TOP1);
		samples->top5[samples->evaluated] = real_or_nan(reading->epochs, TOP5);
		samples->loss[samples->evaluated] = real_or_nan(reading->epochs, LOSS);
	}
	samples->evaluated += tested;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(reading->store);
}

static void raise(double *most, double value)
{
	if (!(*most >= value))
		*most = value;
}

static enum tp_status read_peaks(struct tp_summary_reader *reading, int64_t run_id, struct tp_summary_row *row)
{
	double total = 0;
	int epoch = 0, rc;
	begin(reading->peaks, run_id);
	while ((rc = sqlite3_step(reading->peaks)) == SQLITE_ROW) {
		int stage = sqlite3_column_int(reading->peaks, 1);
		int64_t bytes = sqlite3_column_int64(reading->peaks, 2);
		if (sqlite3_column_int(reading->peaks, 0) != epoch)
			total = 0;
		epoch = sqlite3_column_int(reading->peaks, 0);
		total += (double)bytes;
		raise(&row->total_bytes, total);
		if (stage >= (int)row->stages)
			continue;
		row->stage_bytes.count = (int32_t)row->stages;
		if (row->stage_bytes.values[stage] < bytes)
			row->stage_bytes.values[stage] = bytes;
	}
	return rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(reading->store);
}

static enum tp_status read_alive(struct tp_summary_reader *reading, int64_t run_id, struct tp_summary_row *row)
{
	int rc;
	begin(reading->alive, run_id);
	while ((rc = sqlite3_step(reading->alive)) == SQLITE_ROW) {
		int stage = sqlite3_column_int(reading->alive, 0);
		int64_t versions = sqlite3_column_int64(reading->alive, 1);
		if (stage >= (int)row->stages)
			continue;
		row->versions_alive.count = (int32_t)row->stages;
		if (row->versions_alive.values[stage] < versions)
			row->versions_alive.values[stage] = versions;
	}
	return rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(reading->store);
}

/* --- one group -------------------------------------------------------------------------------------------------------
 */

static double median_of(double *values, int64_t count)
{
	return count > 0 ? tp_statistics_of(values, count).median : (double)NAN;
}

static double largest_of(double *values, int64_t count)
{
	return count > 0 ? tp_statistics_of(values, count).max : (double)NAN;
}

static double mean_of(double *values, int64_t count)
{
	return count > 0 ? tp_statistics_of(values, count).mean : (double)NAN;
}

/* Of what sorted values were drawn from, by ranks: the k-th value from either end, where fewer than k of n lie below
 * the median with a probability of at most 2.5 %. Nothing is assumed of the distribution. */
static void median_interval(const double *sorted, int64_t count, double *low, double *high)
{
	double below = 0, n = (double)count;
	int64_t k = 0;
	while (k < count) {
		double i = (double)k;
		below += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) - n * log(2));
		if (below > (1 - TP_INTERVAL_CONFIDENCE) / 2)
			break;
		k++;
	}
	if (k == 0)
		return;
	*low = sorted[k - 1];
	*high = sorted[count - k];
}

/* Mean and ends; none of them where one value is not a number, as after a divergence. */
static void spread(double *values, int64_t count, double *mean, double *min, double *max)
{
	for (int64_t i = 0; i < count; i++) {
		if (!isfinite(values[i]))
			return;
	}
	if (count == 0)
		return;
	struct tp_statistics statistics = tp_statistics_of(values, count);
	*mean = statistics.mean;
	*min = statistics.min;
	*max = statistics.max;
}

static void summarize(struct samples *samples, struct tp_summary_row *row)
{
	double **of = samples->of;
	const int64_t *count = samples->count;
	if (count[WINDOW] > 0) {
		struct tp_statistics window = tp_statistics_of(of[WINDOW], count[WINDOW]);
		row->epoch_ns = window.median;
		row->epoch_min_ns = window.min;
		row->epoch_max_ns = window.max;
		median_interval(of[WINDOW], count[WINDOW], &row->epoch_low_ns, &row->epoch_high_ns);
	}
	row->samples_per_s = median_of(of[RATE], count[RATE]);
	row->epochs_per_h = median_of(of[PER_HOUR], count[PER_HOUR]);
	row->idle_total = median_of(of[IDLE_TOTAL], count[IDLE_TOTAL]);
	row->idle_ideal = median_of(of[IDLE_IDEAL], count[IDLE_IDEAL]);
	row->steady_samples_per_s = median_of(of[STEADY_RATE], count[STEADY_RATE]);
	row->steady_idle_total = median_of(of[STEADY_IDLE], count[STEADY_IDLE]);
	row->alpha = median_of(of[ALPHA], count[ALPHA]);
	row->exposed_ns = median_of(of[EXPOSED], count[EXPOSED]);
	row->predicted_ns = median_of(of[PREDICTED], count[PREDICTED]);
	row->difference = median_of(of[DIFFERENCE], count[DIFFERENCE]);
	row->version_max = largest_of(of[VERSION_MAX], count[VERSION_MAX]);
	row->version_mean = mean_of(of[VERSION_MEAN], count[VERSION_MEAN]);
	row->version_chains = largest_of(of[CHAINS], count[CHAINS]);
	row->version_timed_max = largest_of(of[TIMED_MAX], count[TIMED_MAX]);
	row->version_timed_mean = mean_of(of[TIMED_MEAN], count[TIMED_MEAN]);
	row->evaluated = (double)samples->evaluated;
	spread(samples->top1, samples->evaluated, &row->top1, &row->top1_min, &row->top1_max);
	spread(samples->top5, samples->evaluated, &row->top5, &row->top5_min, &row->top5_max);
	spread(samples->loss, samples->evaluated, &row->loss, &row->loss_min, &row->loss_max);
	for (int32_t s = 0; s < row->stage_bytes.count; s++) {
		double bytes = (double)row->stage_bytes.values[s];
		if (!(row->fullest_bytes >= bytes)) {
			row->fullest_bytes = bytes;
			row->fullest_stage = s;
		}
	}
	for (int which = 0; which < TP_REPORT_TARGETS; which++) {
		struct tp_summary_target *target = which == TP_REPORT_TOP1 ? &row->target_top1 : &row->target_loss;
		int64_t reached = isfinite(target->reached) ? (int64_t)target->reached : 0;
		*target_values(row, which, false) = median_of(samples->reached_epochs[which], reached);
		*target_values(row, which, true) = median_of(samples->reached_s[which], reached);
	}
}

/* One block for all lists of a group, which `samples` points into. */
static double *make_room(const struct tp_group *group, int64_t epochs, struct samples *samples)
{
	enum { LISTS_OF_RUNS = 3 + 2 * TP_REPORT_TARGETS };
	double *block =
	        tp_alloc_array((size_t)epochs * SAMPLES + (size_t)group->run_count * LISTS_OF_RUNS, sizeof *block);
	double *at = block;
	*samples = (struct samples){0};
	if (!block)
		return NULL;
	for (int i = 0; i < SAMPLES; i++, at += epochs)
		samples->of[i] = at;
	double **of_runs[LISTS_OF_RUNS] = {&samples->top1,
	                                   &samples->top5,
	                                   &samples->loss,
	                                   &samples->reached_epochs[0],
	                                   &samples->reached_epochs[1],
	                                   &samples->reached_s[0],
	                                   &samples->reached_s[1]};
	for (int i = 0; i < LISTS_OF_RUNS; i++, at += group->run_count)
		*of_runs[i] = at;
	return block;
}

static enum tp_status keep_rates(const struct samples *samples, struct tp_summary_rates *rates)
{
	rates->count = samples->count[RATE];
	rates->values = tp_alloc_array((size_t)rates->count, sizeof(double));
	if (!rates->values)
		return TP_ERR_NOMEM;
	memcpy(rates->values, samples->of[RATE], (size_t)rates->count * sizeof(double));
	return TP_OK;
}

enum tp_status tp_summary_read_group(struct tp_summary_reader *reading, const struct tp_group *group,
                                     struct tp_summary_row *row, struct tp_summary_rates *rates)
{
	struct samples samples;
	int64_t epochs = 0;
	for (int32_t r = 0; r < group->run_count; r++)
		epochs += group->runs[r].epochs;
	double *block = make_room(group, epochs, &samples);
	enum tp_status status = block ? TP_OK : TP_ERR_NOMEM;
	for (int32_t r = 0; r < group->run_count && status == TP_OK; r++) {
		status = read_epochs(reading, &group->runs[r], row, &samples);
		if (status == TP_OK)
			status = read_peaks(reading, group->runs[r].run_id, row);
		if (status == TP_OK)
			status = read_alive(reading, group->runs[r].run_id, row);
	}
	if (status == TP_OK) {
		row->epochs = (double)epochs;
		summarize(&samples, row);
		status = keep_rates(&samples, rates);
	}
	tp_free(block);
	return status;
}
