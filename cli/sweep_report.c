#include "cli/sweep_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "results/stand_in.h"

/* The runs of a sweep by configuration, each configuration's in the order they ran. */
struct runs {
	const struct tp_store_outcome **sorted;
	int64_t count;
	double *values; /* room for as many */
};

/* One point: its runs, and what came of them. */
struct point {
	const struct tp_store_outcome **runs;
	int64_t run_count;
	int32_t done, missing;                 /* repeats */
	const struct tp_store_outcome *failed; /* the latest of a repeat that is not done; NULL: none */
	/* medians over those done; NAN: not known */
	double epoch_ns, predicted_ns, samples_per_s, idle_share, version_difference, peak_bytes;
};

static int by_configuration(const void *a, const void *b)
{
	const struct tp_store_outcome *x = *(const struct tp_store_outcome *const *)a;
	const struct tp_store_outcome *y = *(const struct tp_store_outcome *const *)b;
	if (x->config_hash != y->config_hash)
		return x->config_hash < y->config_hash ? -1 : 1;
	return (x->run_id > y->run_id) - (x->run_id < y->run_id);
}

/* --- figures ---------------------------------------------------------------------------------------------------------
 */

typedef double figure_of(const struct tp_store_outcome *outcome);

static double epoch_ns(const struct tp_store_outcome *outcome)
{
	return outcome->median_epoch_ns;
}

static double predicted_ns(const struct tp_store_outcome *outcome)
{
	return outcome->predicted_ns;
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
	return outcome->version_difference_max;
}

static double peak_bytes(const struct tp_store_outcome *outcome)
{
	return (double)outcome->stages_peak_bytes;
}

static double median_of(const struct point *point, figure_of *figure, double *values)
{
	int64_t count = 0;
	for (int64_t i = 0; i < point->run_count; i++) {
		double value = figure(point->runs[i]);
		if (point->runs[i]->state == TP_STORE_STATE_DONE && !isnan(value))
			values[count++] = value;
	}
	return count > 0 ? tp_statistics_of(values, count).median : (double)NAN;
}

/* A repeat is done when one of its runs is; a failure counts only until then. */
static void count_repeats(struct point *point, int32_t repeats)
{
	for (int32_t repeat = 1; repeat <= repeats; repeat++) {
		const struct tp_store_outcome *failed = NULL;
		bool done = false;
		for (int64_t i = 0; i < point->run_count; i++) {
			const struct tp_store_outcome *run = point->runs[i];
			if (run->repeat != repeat)
				continue;
			done = done || run->state == TP_STORE_STATE_DONE;
			if (run->state == TP_STORE_STATE_FAILED)
				failed = run;
		}
		point->done += done;
		point->missing += !done;
		if (!done && failed)
			point->failed = failed;
	}
}

static struct point point_of(const struct runs *runs, uint64_t config_hash, int32_t repeats)
{
	int64_t first = 0, end = runs->count;
	while (first < end) { /* the first that is not before it */
		int64_t middle = first + (end - first) / 2;
		if (runs->sorted[middle]->config_hash < config_hash)
			first = middle + 1;
		else
			end = middle;
	}
	struct point point = {.runs = runs->sorted + first};
	while (first + point.run_count < runs->count && point.runs[point.run_count]->config_hash == config_hash)
		point.run_count++;
	count_repeats(&point, repeats);
	point.epoch_ns = median_of(&point, epoch_ns, runs->values);
	point.predicted_ns = median_of(&point, predicted_ns, runs->values);
	point.samples_per_s = median_of(&point, samples_per_s, runs->values);
	point.idle_share = median_of(&point, idle_share, runs->values);
	point.version_difference = median_of(&point, version_difference, runs->values);
	point.peak_bytes = median_of(&point, peak_bytes, runs->values);
	return point;
}

/* --- what is the same for all points ---------------------------------------------------------------------------------
 */

typedef void say_value(void *context, const char *name, const char *value);

static void say_fixed(const struct tp_options *first, const char *name, say_value *say, void *context)
{
	struct tp_text value = {0};
	const struct tp_option *option = tp_option_find(name, TP_FOR_RUN);
	tp_option_get(option, first, &value);
	bool given = option->default_text || strcmp(tp_text_get(&value), "0") != 0;
	if (given && value.length > 0)
		say(context, name, tp_text_get(&value));
	tp_text_release(&value);
}

/* What shapes a sweep beside its axes, and the axes that are not varied; what was not given is left out. */
static enum tp_status for_fixed(const struct tp_sweep_points *points, say_value *say, void *context)
{
	static const char *const names[] = {"model", "dataset", "device",       "order",
	                                    "clock", "costs",   "mini-batches", NULL};
	struct tp_options *first = tp_alloc(sizeof *first);
	enum tp_status status = first ? tp_sweep_point_options(points, 0, first) : TP_ERR_NOMEM;
	for (const char *const *name = names; status == TP_OK && *name; name++)
		say_fixed(first, *name, say, context);
	for (enum tp_sweep_axis axis = 0; status == TP_OK && axis < TP_SWEEP_AXES; axis++) {
		if (points->values[axis].count == 0)
			say_fixed(first, tp_sweep_axis_name(axis), say, context);
	}
	tp_free(first);
	return status;
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

/* A figure with its width, "-" where it is not known. */
static void print_figure(int width, int digits, double value)
{
	if (isnan(value))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, digits, value);
}

static void print_point(const struct point *point)
{
	if (point->done == 0) {
		printf("  %s\n", point->failed          ? point->failed->reason
		                 : point->run_count > 0 ? "not finished"
		                                        : "not run");
		return;
	}
	printf("  %4" PRId32, point->done);
	print_figure(9, 1, point->epoch_ns * 1e-6);
	print_figure(9, 1, point->predicted_ns * 1e-6);
	print_figure(9, 1, point->samples_per_s);
	if (isnan(point->idle_share))
		printf(" %10s", "-");
	else
		printf(" %9.1f%%", 100 * point->idle_share);
	print_figure(5, 0, point->version_difference);
	print_figure(9, 1, point->peak_bytes / (1 << 20));
	printf("%s%s\n", point->failed ? "  a run failed: " : "", point->failed ? point->failed->reason : "");
}

/* Comments of at most LINE_COLUMNS, unless one value alone is longer; `context` counts the columns so far. */
static void print_fixed(void *context, const char *name, const char *value)
{
	enum { LINE_COLUMNS = 120 };
	int *column = context, length = (int)(strlen(name) + 1 + strlen(value));
	bool begins = *column == 0 || *column + 2 + length > LINE_COLUMNS;
	int printed = printf("%s%s %s", begins ? (*column == 0 ? "\n# " : ",\n# ") : ", ", name, value);
	*column = begins ? 2 + length : *column + printed;
}

static enum tp_status print_footer(const struct tp_sweep_points *points, const char *comparison, int64_t stand_ins)
{
	int column = 0;
	TP_TRY(for_fixed(points, print_fixed, &column));
	if (points->options->config.clock == TP_CLOCK_VIRTUAL)
		printf("\n# TIME IS MODELLED, by the virtual clock; arithmetic and staleness are real");
	if (stand_ins > 0)
		printf("\n# times: none of %" PRId64 " run%s, whose device " TP_STAND_IN_SAYS, stand_ins,
		       stand_ins == 1 ? "" : "s");
	printf("\n# medians over the runs; epoch ms and predicted, the virtual clock's, are each run's median\n"
	       "# database %s, comparison %s\n",
	       points->options->db, comparison);
	return TP_OK;
}

static enum tp_status print_table(const struct tp_sweep_points *points, const char *comparison, const struct point *all,
                                  int64_t stand_ins)
{
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		if (points->values[axis].count > 0)
			printf("%-*s ", width_of(points, axis), tp_sweep_axis_name(axis));
	}
	printf("  %4s %9s %9s %9s %10s %5s %9s\n", "runs", "epoch ms", "predicted", "samples/s", "idle/total", "v max",
	       "peak MiB");
	for (int32_t i = 0; i < points->count; i++) {
		for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
			if (points->values[axis].count > 0)
				printf("%-*s ", width_of(points, axis), tp_sweep_point_value(points, i, axis));
		}
		print_point(&all[i]);
	}
	return print_footer(points, comparison, stand_ins);
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *point_json(const struct tp_sweep_points *points, int32_t index, const struct point *point)
{
	json_t *varied = json_object(), *ids = json_array();
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		const char *value = tp_sweep_point_value(points, index, axis);
		if (value)
			json_object_set_new(varied, tp_sweep_axis_name(axis), json_string(value));
	}
	for (int64_t i = 0; i < point->run_count; i++)
		json_array_append_new(ids, json_integer(point->runs[i]->run_id));
	return json_pack("{s:o, s:o, s:i, s:i, s:s?, s:o, s:o, s:o, s:o, s:o, s:o}", "point", varied, "run_ids", ids,
	                 "done", (int)point->done, "missing", (int)point->missing, "failure",
	                 point->failed ? point->failed->reason : NULL, "median_epoch_ns", number(point->epoch_ns),
	                 "predicted_epoch_ns", number(point->predicted_ns), "median_samples_per_s",
	                 number(point->samples_per_s), "idle_share_of_total", number(point->idle_share),
	                 "version_difference_max", number(point->version_difference), "stages_peak_bytes",
	                 number(point->peak_bytes));
}

static void add_fixed(void *context, const char *name, const char *value)
{
	json_object_set_new(context, name, json_string(value));
}

static enum tp_status print_json(const struct tp_sweep_points *points, const char *comparison, const struct point *all,
                                 int64_t stand_ins)
{
	json_t *array = json_array(), *same = json_object();
	for (int32_t i = 0; i < points->count; i++)
		json_array_append_new(array, point_json(points, i, &all[i]));
	enum tp_status status = for_fixed(points, add_fixed, same);
	json_t *root = json_pack("{s:s, s:s, s:I, s:o, s:o}", "comparison", comparison, "database", points->options->db,
	                         "stand_in_runs", (json_int_t)stand_ins, "parameters", same, "points", array);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "sweep: no memory for the JSON object");
	int failed = status == TP_OK && json_dumpf(root, stdout, JSON_INDENT(2));
	json_decref(root);
	TP_TRY(status);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

/* --- both ------------------------------------------------------------------------------------------------------------
 */

static int64_t count_stand_ins(const struct runs *runs)
{
	int64_t count = 0;
	for (int64_t i = 0; i < runs->count; i++)
		count += runs->sorted[i]->stand_in;
	return count;
}

static enum tp_status report(const struct tp_sweep_points *points, const char *comparison,
                             const uint64_t *config_hashes, const struct runs *runs, struct point *all,
                             int32_t *unfinished)
{
	*unfinished = 0;
	for (int32_t i = 0; i < points->count; i++) {
		all[i] = point_of(runs, config_hashes[i], points->options->repeats);
		*unfinished += all[i].missing > 0;
	}
	int64_t stand_ins = count_stand_ins(runs);
	return points->options->json ? print_json(points, comparison, all, stand_ins)
	                             : print_table(points, comparison, all, stand_ins);
}

enum tp_status tp_sweep_report(const struct tp_sweep_points *points, const char *comparison,
                               const uint64_t *config_hashes, const struct tp_store_outcome *outcomes, int64_t count,
                               int32_t *unfinished)
{
	struct runs runs = {
	        .sorted = tp_alloc_array((size_t)count + 1, sizeof *runs.sorted),
	        .count = count,
	        .values = tp_alloc_array((size_t)count + 1, sizeof *runs.values),
	};
	struct point *all = tp_alloc_array((size_t)points->count, sizeof *all);
	enum tp_status status = TP_ERR_NOMEM;
	if (runs.sorted && runs.values && all) {
		for (int64_t i = 0; i < count; i++)
			runs.sorted[i] = &outcomes[i];
		qsort(runs.sorted, (size_t)count, sizeof *runs.sorted, by_configuration);
		status = report(points, comparison, config_hashes, &runs, all, unfinished);
	}
	tp_free(all);
	tp_free(runs.values);
	tp_free(runs.sorted);
	return status;
}
