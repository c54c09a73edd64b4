/* The paper's own curves and bars, beside ours. They were read off its plots by eye, so a value is a range; they are of
 * other machines, so they are drawn only where their scale does not hide what was run here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/figure_internal.h"
#include "reports/paper_epoch_minutes.h"
#include "reports/paper_memory_total_gb.h"
#include "reports/paper_quality.h"
#include "reports/paper_throughput.h"

/* One row of a table, as far as figures need it. */
struct reading {
	char figure[8], cluster[8], model[32], dataset[32], system[32], metric[24], axis[24];
	double axis_value, low, high;
};

static const char *take_field(const char *at, char *field, size_t size)
{
	size_t length = strcspn(at, ",\r\n");
	(void)snprintf(field, size, "%.*s", (int)length, at);
	return at + length + (at[length] == ',');
}

/* figure, cluster, workers, model, data set, in those of quality metric, axis and its value, system, low, high. */
static const char *take_row(const char *at, bool quality, struct reading *row)
{
	char workers[8], value[24], low[24], high[24];
	*row = (struct reading){.axis_value = (double)NAN};
	at = take_field(at, row->figure, sizeof row->figure);
	at = take_field(at, row->cluster, sizeof row->cluster);
	at = take_field(at, workers, sizeof workers);
	at = take_field(at, row->model, sizeof row->model);
	at = take_field(at, row->dataset, sizeof row->dataset);
	if (quality) {
		at = take_field(at, row->metric, sizeof row->metric);
		at = take_field(at, row->axis, sizeof row->axis);
		at = take_field(at, value, sizeof value);
		row->axis_value = strtod(value, NULL);
	}
	at = take_field(at, row->system, sizeof row->system);
	at = take_field(at, low, sizeof low);
	at = take_field(at, high, sizeof high);
	row->low = strtod(low, NULL);
	row->high = strtod(high, NULL);
	at += strcspn(at, "\n"); /* columns of others */
	return at + (*at == '\n');
}

static const char *table_of(const struct tp_figure_family *family)
{
	switch (family->readings) {
	case TP_READ_QUALITY:
		return tp_paper_quality;
	case TP_READ_MINUTES:
		return tp_paper_epoch_minutes;
	case TP_READ_THROUGHPUT:
		return tp_paper_throughput;
	case TP_READ_MEMORY:
		return tp_paper_memory_total_gb;
	default:
		return "";
	}
}

static bool is_of_group(const struct reading *row, const struct tp_group *group)
{
	char cluster[32];
	(void)snprintf(cluster, sizeof cluster, "paper-%c", row->cluster[0] | 0x20);
	return strcmp(cluster, group->cluster) == 0 && strcmp(row->model, group->model) == 0 &&
	       strcmp(row->dataset, group->dataset) == 0;
}

static bool is_of_panel(const struct tp_figure_family *family, const struct tp_panel *panel, const struct reading *row)
{
	int figure = atoi(row->figure);
	bool found = false;
	if (figure < family->first_figure || figure > family->last_figure)
		return false;
	if (family->readings == TP_READ_QUALITY &&
	    (strcmp(row->metric, family->metric) != 0 || (strcmp(row->axis, "epochs") == 0) == family->by_time))
		return false;
	for (int32_t i = 0; i < panel->count && !found; i++)
		found = is_of_group(row, panel->groups[i]);
	return found;
}

/* The category that a bar of the paper stands at; -1: there is none of ours. The paper's DeepSpeed flushes: it is 1f1b.
 */
static int32_t category_of(const struct tp_figure_family *family, const struct reading *row,
                           const struct tp_figure *figure)
{
	char name[TP_FIGURE_TEXT_BYTES];
	if (family->readings == TP_READ_MEMORY)
		(void)snprintf(name, sizeof name, "%s", strcmp(row->system, "deepspeed") == 0 ? "1f1b" : row->system);
	else
		(void)snprintf(name, sizeof name, "%s, %s", row->model, row->dataset);
	for (int32_t i = 0; i < figure->category_count; i++) {
		if (strcmp(figure->categories[i], name) == 0)
			return i;
	}
	return -1;
}

static enum tp_status add_reading(const struct tp_figure_family *family, const struct reading *row,
                                  struct tp_figure *figure)
{
	char name[TP_FIGURE_TEXT_BYTES];
	double unit = family->readings == TP_READ_MEMORY ? 1e9 : 1, x = row->axis_value;
	if (figure->kind != TP_FIGURE_LINES) {
		int32_t category = category_of(family, row, figure);
		if (category < 0)
			return TP_OK;
		x = category;
	}
	(void)snprintf(name, sizeof name, "paper: %s (approx.)", row->system);
	int32_t series = tp_figure_series_named(figure, name);
	if (series < 0)
		return TP_ERR_NOMEM;
	figure->series[series].reference = true;
	return tp_figure_add_point(figure, series, x, unit * (row->low + row->high) / 2, unit * row->low,
	                           unit * row->high, 0);
}

/* --- drawn, or in the table only
 * ---------------------------------------------------------------------------------------- */

/* How many times larger than ours the paper's values may be, or smaller, to be drawn in the same plot. */
#define SCALE_MAX 10.0
#define LENGTH_MAX 2.0 /* the same of the axis of epochs */

static void find_ends(const struct tp_figure *figure, bool reference, double *x, double *y)
{
	*x = *y = 0;
	for (int32_t i = 0; i < figure->series_count; i++) {
		const struct tp_figure_series *series = &figure->series[i];
		for (int32_t p = 0; p < series->count && series->reference == reference; p++) {
			*x = fmax(*x, series->x[p]);
			*y = fmax(*y, series->y[p]);
		}
	}
}

/* "Time points" of the paper's axes have no unit, so they never stand on an axis of seconds. */
static bool fits(const struct tp_figure_family *family, const struct tp_figure *figure)
{
	double our_x, our_y, paper_x, paper_y;
	find_ends(figure, false, &our_x, &our_y);
	find_ends(figure, true, &paper_x, &paper_y);
	if (figure->kind == TP_FIGURE_STACKED || paper_y > SCALE_MAX * our_y || our_y > SCALE_MAX * paper_y)
		return false;
	return figure->kind == TP_FIGURE_BARS || (!family->by_time && paper_x <= LENGTH_MAX * our_x);
}

enum tp_status tp_figure_add_paper(const struct tp_figure_family *family, const struct tp_panel *panel,
                                   struct tp_figure *figure)
{
	struct reading row;
	const char *at = table_of(family);
	for (at += strcspn(at, "\n"), at += *at == '\n'; *at;) { /* behind the header */
		at = take_row(at, family->readings == TP_READ_QUALITY, &row);
		if (is_of_panel(family, panel, &row))
			TP_TRY(add_reading(family, &row, figure));
	}
	bool drawn = fits(family, figure);
	for (int32_t i = 0; i < figure->series_count; i++)
		figure->series[i].in_table = figure->series[i].reference && !drawn;
	return TP_OK;
}
