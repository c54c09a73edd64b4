/* The parts of a figure while it is read: samples, series, categories, points. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "reports/figure_internal.h"
#include "results/queries.h"

void *tp_figure_grown(void *array, int32_t count, size_t size)
{
	if (count > 0 && (count & (count - 1)) != 0) /* room is a power of two */
		return array;
	char *more = tp_alloc_array(count > 0 ? 2 * (size_t)count : 1, size);
	if (!more)
		return NULL;
	if (count > 0)
		memcpy(more, array, (size_t)count * size);
	tp_free(array);
	return more;
}

/* --- samples --------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_samples_add(struct tp_samples *samples, double value)
{
	if (samples->count == INT32_MAX)
		return tp_fail(TP_ERR_UNSUPPORTED, "more than %d samples of one point", INT32_MAX);
	double *more = tp_figure_grown(samples->values, (int32_t)samples->count, sizeof *more);
	if (!more)
		return TP_ERR_NOMEM;
	samples->values = more;
	more[samples->count++] = value;
	return TP_OK;
}

void tp_samples_release(struct tp_samples *samples)
{
	tp_free(samples->values);
	*samples = (struct tp_samples){0};
}

enum tp_status tp_figure_query_failed(struct tp_store *store)
{
	return tp_fail(TP_ERR_IO, "the figures could not be read: %s", sqlite3_errmsg(tp_store_connection(store)));
}

enum tp_status tp_figure_prepare(struct tp_store *store, const char *sql, sqlite3_stmt **statement)
{
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, statement, NULL) != SQLITE_OK)
		return tp_figure_query_failed(store);
	return TP_OK;
}

static enum tp_status read_rows(struct tp_store *store, sqlite3_stmt *statement, struct tp_samples *samples)
{
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
			TP_TRY(tp_samples_add(samples, sqlite3_column_double(statement, 0)));
	}
	return rc == SQLITE_DONE ? TP_OK : tp_figure_query_failed(store);
}

enum tp_status tp_samples_read(struct tp_store *store, const struct tp_group *group, const char *sql, int64_t number,
                               const char *text, struct tp_samples *samples)
{
	sqlite3_stmt *statement;
	TP_TRY(tp_figure_prepare(store, sql, &statement));
	enum tp_status status = TP_OK;
	for (int32_t i = 0; i < group->run_count && status == TP_OK; i++) {
		(void)sqlite3_reset(statement);
		(void)sqlite3_bind_int64(statement, 1, group->runs[i].run_id);
		(void)sqlite3_bind_int64(statement, 2, number);
		(void)sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
		status = read_rows(store, statement, samples);
	}
	(void)sqlite3_finalize(statement);
	return status;
}

/* --- series, categories, points --------------------------------------------------------------------------------------
 */

int32_t tp_figure_series_named(struct tp_figure *figure, const char *name)
{
	for (int32_t i = 0; i < figure->series_count; i++) {
		if (strcmp(figure->series[i].name, name) == 0)
			return i;
	}
	struct tp_figure_series *more = tp_figure_grown(figure->series, figure->series_count, sizeof *more);
	if (!more)
		return -1;
	figure->series = more;
	more[figure->series_count] = (struct tp_figure_series){0};
	(void)snprintf(more[figure->series_count].name, sizeof more->name, "%s", name);
	return figure->series_count++;
}

int32_t tp_figure_category_named(struct tp_figure *figure, const char *name)
{
	for (int32_t i = 0; i < figure->category_count; i++) {
		if (strcmp(figure->categories[i], name) == 0)
			return i;
	}
	void *more = tp_figure_grown(figure->categories, figure->category_count, sizeof *figure->categories);
	if (!more)
		return -1;
	figure->categories = more;
	(void)snprintf(figure->categories[figure->category_count], sizeof *figure->categories, "%s", name);
	return figure->category_count++;
}

static bool grow_numbers(double **numbers, int32_t count)
{
	double *more = tp_figure_grown(*numbers, count, sizeof *more);
	if (more)
		*numbers = more;
	return more != NULL;
}

enum tp_status tp_figure_add_point(struct tp_figure *figure, int32_t number, double x, double y, double low,
                                   double high, int64_t sample_count)
{
	if (number < 0)
		return TP_ERR_NOMEM;
	struct tp_figure_series *series = &figure->series[number];
	int32_t count = series->count;
	int64_t *samples = tp_figure_grown(series->samples, count, sizeof *samples);
	if (!samples)
		return TP_ERR_NOMEM;
	series->samples = samples;
	if (!grow_numbers(&series->x, count) || !grow_numbers(&series->y, count) ||
	    !grow_numbers(&series->low, count) || !grow_numbers(&series->high, count))
		return TP_ERR_NOMEM;
	series->x[count] = x;
	series->y[count] = y;
	series->low[count] = low;
	series->high[count] = high;
	series->samples[count] = sample_count;
	series->count++;
	return TP_OK;
}

enum tp_status tp_figure_add_samples(struct tp_figure *figure, int32_t series, double x,
                                     const struct tp_samples *samples)
{
	if (samples->count == 0)
		return TP_OK;
	const struct tp_statistics of = tp_statistics_of(samples->values, samples->count);
	double middle = figure->kind == TP_FIGURE_STACKED ? of.mean : of.median;
	return tp_figure_add_point(figure, series, x, middle, of.min, of.max, of.count);
}

bool tp_figure_has_point(const struct tp_figure *figure, int32_t number, double x)
{
	const struct tp_figure_series *series = &figure->series[number];
	for (int32_t i = 0; i < series->count; i++) {
		if (series->x[i] == x)
			return true;
	}
	return false;
}

/* --- units -----------------------------------------------------------------------------------------------------------
 */

static double largest(const struct tp_figure *figure)
{
	double most = 0;
	for (int32_t i = 0; i < figure->series_count; i++) {
		const struct tp_figure_series *series = &figure->series[i];
		for (int32_t p = 0; p < series->count && !series->reference; p++)
			most = fmax(most, series->high[p]);
	}
	return most;
}

void tp_figure_scale_bytes(struct tp_figure *figure)
{
	static const struct {
		double bytes;
		const char *name;
	} units[] = {{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}};
	const char *at = strstr(figure->y_label, "bytes");
	int unit = 0;
	if (!at)
		return;
	while (unit < 2 && largest(figure) < units[unit].bytes)
		unit++;
	for (int32_t i = 0; i < figure->series_count; i++) {
		struct tp_figure_series *series = &figure->series[i];
		for (int32_t p = 0; p < series->count; p++) {
			series->y[p] /= units[unit].bytes;
			series->low[p] /= units[unit].bytes;
			series->high[p] /= units[unit].bytes;
		}
	}
	char label[sizeof figure->y_label];
	(void)snprintf(label, sizeof label, "%.*s%s%s", (int)(at - figure->y_label), figure->y_label, units[unit].name,
	               at + strlen("bytes"));
	memcpy(figure->y_label, label, sizeof label);
}
