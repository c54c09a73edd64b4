#include "cli/sweep_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"

/* The runs of one point. */
struct point {
	int32_t done;
	const struct tp_store_outcome *latest, *latest_failed;                      /* NULL: none */
	double epoch_ns, samples_per_s, idle_share, version_difference, peak_bytes; /* medians; NAN: not known */
};

typedef double figure_of(const struct tp_store_outcome *outcome);

static double epoch_ns(const struct tp_store_outcome *outcome)
{
	return outcome->mean_epoch_ns;
}

static double samples_per_s(const struct tp_store_outcome *outcome)
{
	return outcome->samples_per_s;
}

static double idle_share(const struct tp_store_outcome *outcome)
{
	return outcome->idle_total_share;
}

static double version_difference(const struct tp_store_outcome *outcome)
{
	return (double)outcome->version_difference_max;
}

static double peak_bytes(const struct tp_store_outcome *outcome)
{
	return (double)outcome->stages_peak_bytes;
}

/* The runs of one sweep, to be asked for a point's. */
struct runs {
	const struct tp_store_outcome *outcomes;
	int64_t count;
	double *values; /* room for as many */
};

static double median_of(const struct runs *runs, uint64_t config_hash, figure_of *figure)
{
	int64_t count = 0;
	for (int64_t i = 0; i < runs->count; i++) {
		const struct tp_store_outcome *outcome = &runs->outcomes[i];
		if (outcome->config_hash == config_hash && outcome->state == TP_STORE_STATE_DONE &&
		    !isnan(figure(outcome)))
			runs->values[count++] = figure(outcome);
	}
	return count > 0 ? tp_statistics_of(runs->values, count).median : (double)NAN;
}

static struct point point_of(const struct runs *runs, uint64_t config_hash)
{
	struct point point = {0};
	for (int64_t i = 0; i < runs->count; i++) {
		const struct tp_store_outcome *outcome = &runs->outcomes[i];
		if (outcome->config_hash != config_hash)
			continue;
		point.latest = outcome;
		point.done += outcome->state == TP_STORE_STATE_DONE;
		if (outcome->state == TP_STORE_STATE_FAILED)
			point.latest_failed = outcome;
	}
	point.epoch_ns = median_of(runs, config_hash, epoch_ns);
	point.samples_per_s = median_of(runs, config_hash, samples_per_s);
	point.idle_share = median_of(runs, config_hash, idle_share);
	point.version_difference = median_of(runs, config_hash, version_difference);
	point.peak_bytes = median_of(runs, config_hash, peak_bytes);
	return point;
}

/* --- table -----------------------------------------------------------------------------------------------------------
 */

/* As wide as its widest value, or its name. */
static int width_of(const struct tp_sweep_points *points, enum tp_sweep_axis axis)
{
	size_t width = strlen(tp_sweep_axis_name(axis));
	for (int32_t i = 0; i < points->values[axis].count; i++) {
		size_t length = strlen(points->values[axis].texts[i]);
		width = length > width ? length : width;
	}
	return (int)width;
}

static void print_point(const struct point *point)
{
	if (point->done == 0) {
		printf("  %s\n", point->latest_failed ? point->latest_failed->reason
		                 : point->latest      ? "not finished"
		                                      : "not run");
		return;
	}
	printf("  %4" PRId32 " %10.1f %10.1f", point->done, point->epoch_ns * 1e-6, point->samples_per_s);
	if (isnan(point->idle_share))
		printf(" %11s", "-");
	else
		printf(" %9.1f %%", 100 * point->idle_share);
	printf(" %5.0f %10.1f%s%s\n", point->version_difference, point->peak_bytes / (1 << 20),
	       point->latest_failed ? "  a run failed: " : "",
	       point->latest_failed ? point->latest_failed->reason : "");
}

static void print_table(const struct tp_sweep_points *points, const uint64_t *config_hashes, const struct runs *runs)
{
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		if (points->values[axis].count > 0)
			printf("%-*s ", width_of(points, axis), tp_sweep_axis_name(axis));
	}
	printf("  %4s %10s %10s %11s %5s %10s\n", "runs", "epoch ms", "samples/s", "idle/total", "v max", "peak MiB");
	for (int32_t i = 0; i < points->count; i++) {
		struct point point = point_of(runs, config_hashes[i]);
		for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
			if (points->values[axis].count > 0)
				printf("%-*s ", width_of(points, axis), tp_sweep_point_value(points, i, axis));
		}
		print_point(&point);
	}
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *point_json(const struct tp_sweep_points *points, int32_t index, const struct runs *runs,
                          uint64_t config_hash)
{
	struct point point = point_of(runs, config_hash);
	json_t *varied = json_object(), *ids = json_array();
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		const char *value = tp_sweep_point_value(points, index, axis);
		if (value)
			json_object_set_new(varied, tp_sweep_axis_name(axis), json_string(value));
	}
	for (int64_t i = 0; i < runs->count; i++) {
		if (runs->outcomes[i].config_hash == config_hash)
			json_array_append_new(ids, json_integer(runs->outcomes[i].run_id));
	}
	return json_pack("{s:o, s:o, s:i, s:s?, s:o, s:o, s:o, s:o, s:o}", "point", varied, "run_ids", ids, "done",
	                 (int)point.done, "failure", point.latest_failed ? point.latest_failed->reason : NULL,
	                 "median_epoch_ns", number(point.epoch_ns), "median_samples_per_s", number(point.samples_per_s),
	                 "idle_share_of_total", number(point.idle_share), "version_difference_max",
	                 number(point.version_difference), "stages_peak_bytes", number(point.peak_bytes));
}

static enum tp_status print_json(const struct tp_sweep_points *points, const char *comparison,
                                 const uint64_t *config_hashes, const struct runs *runs)
{
	json_t *all = json_array();
	for (int32_t i = 0; i < points->count; i++)
		json_array_append_new(all, point_json(points, i, runs, config_hashes[i]));
	json_t *root =
	        json_pack("{s:s, s:s, s:o}", "comparison", comparison, "database", points->options->db, "points", all);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "sweep: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

enum tp_status tp_sweep_report(const struct tp_sweep_points *points, const char *comparison,
                               const uint64_t *config_hashes, const struct tp_store_outcome *outcomes, int64_t count,
                               bool json)
{
	struct runs runs = {outcomes, count, tp_alloc_array((size_t)count + 1, sizeof *runs.values)};
	enum tp_status status = TP_OK;
	if (!runs.values)
		return TP_ERR_NOMEM;
	if (json)
		status = print_json(points, comparison, config_hashes, &runs);
	else
		print_table(points, config_hashes, &runs);
	tp_free(runs.values);
	return status;
}
