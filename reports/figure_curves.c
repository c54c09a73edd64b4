/* Lines: learning curves against time and epoch, and epoch time against the speed of links. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "reports/figure_internal.h"
#include "results/queries.h"

void tp_figure_group_name(const struct tp_figure_family *family, const struct tp_group *group, char *name, size_t size)
{
	if (family->varying && tp_figure_listed(family->varying, "batch"))
		(void)snprintf(name, size, "N = %d, M = %d", group->micro_batches, group->batch_samples);
	else
		(void)snprintf(name, size, "%s", group->schedule);
}

/* --- learning curves
 * -------------------------------------------------------------------------------------------------- */

/* What the runs of a group had by the end of each epoch; epoch e is at e - 1. */
struct curve {
	struct tp_samples *seconds, *values;
	int32_t epochs;
};

static void release_curve(struct curve *curve)
{
	for (int32_t i = 0; i < curve->epochs; i++) {
		tp_samples_release(&curve->seconds[i]);
		tp_samples_release(&curve->values[i]);
	}
	tp_free(curve->seconds);
	tp_free(curve->values);
}

static enum tp_status make_curve(const struct tp_group *group, struct curve *curve)
{
	int32_t epochs = 0;
	for (int32_t i = 0; i < group->run_count; i++) {
		if (group->runs[i].epochs > epochs)
			epochs = group->runs[i].epochs;
	}
	curve->seconds = tp_alloc_array((size_t)epochs, sizeof *curve->seconds);
	curve->values = tp_alloc_array((size_t)epochs, sizeof *curve->values);
	if (!curve->seconds || !curve->values)
		return TP_ERR_NOMEM;
	curve->epochs = epochs;
	return TP_OK;
}

static enum tp_status take_row(sqlite3_stmt *row, struct curve *curve)
{
	int32_t epoch = sqlite3_column_int(row, 0);
	if (epoch < 1 || epoch > curve->epochs || sqlite3_column_type(row, 1) == SQLITE_NULL)
		return TP_OK;
	TP_TRY(tp_samples_add(&curve->values[epoch - 1], sqlite3_column_double(row, 1)));
	return tp_samples_add(&curve->seconds[epoch - 1], sqlite3_column_double(row, 2));
}

static enum tp_status read_curve(struct tp_store *store, const struct tp_group *group, const char *value,
                                 struct curve *curve)
{
	sqlite3_stmt *statement;
	char sql[512];
	(void)snprintf(sql, sizeof sql,
	               "SELECT epoch, %s, 1e-9 * sum(window_end_ns - window_start_ns) OVER (ORDER BY epoch) FROM epoch "
	               "WHERE run_id = ?1 ORDER BY epoch",
	               value);
	TP_TRY(tp_figure_prepare(store, sql, &statement));
	enum tp_status status = TP_OK;
	for (int32_t i = 0; i < group->run_count && status == TP_OK; i++) {
		int rc = SQLITE_DONE;
		(void)sqlite3_reset(statement);
		(void)sqlite3_bind_int64(statement, 1, group->runs[i].run_id);
		while (status == TP_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
			status = take_row(statement, curve);
		if (status == TP_OK && rc != SQLITE_DONE)
			status = tp_figure_query_failed(store);
	}
	(void)sqlite3_finalize(statement);
	return status;
}

/* A long run is thinned to every k-th epoch and its last: a plot has not the pixels for more. */
enum { POINTS_MAX = 400 };

static enum tp_status add_curve(const struct tp_figure_family *family, const char *name, const struct curve *curve,
                                struct tp_figure *figure)
{
	int32_t step = (curve->epochs + POINTS_MAX - 1) / POINTS_MAX, series = -1;
	for (int32_t i = 0; i < curve->epochs; i++) {
		if (curve->values[i].count == 0 || ((i + 1) % step != 0 && i + 1 < curve->epochs))
			continue;
		if (series < 0 && (series = tp_figure_series_named(figure, name)) < 0)
			return TP_ERR_NOMEM;
		struct tp_samples *seconds = &curve->seconds[i];
		double time_s = tp_statistics_of(seconds->values, seconds->count).median;
		TP_TRY(tp_figure_add_samples(figure, series, family->by_time ? time_s : i + 1, &curve->values[i]));
	}
	return TP_OK;
}

enum tp_status tp_figure_fill_curves(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure)
{
	enum tp_status status = TP_OK;
	for (int32_t i = 0; i < panel->count && status == TP_OK; i++) {
		struct curve curve = {0};
		char name[TP_FIGURE_TEXT_BYTES];
		tp_figure_group_name(family, panel->groups[i], name, sizeof name);
		status = make_curve(panel->groups[i], &curve);
		if (status == TP_OK)
			status = read_curve(store, panel->groups[i], family->value, &curve);
		if (status == TP_OK)
			status = add_curve(family, name, &curve, figure);
		release_curve(&curve);
	}
	return status;
}

/* --- links
 * ------------------------------------------------------------------------------------------------------------ */

/* A group and the slowest of its links. */
struct linked {
	double megabits_per_s, latency_us; /* 0: no link is emulated, or it has no limit */
	const struct tp_group *group;
};

static enum tp_status read_link(struct tp_store *store, struct linked *linked)
{
	struct tp_samples speed = {0}, latency = {0};
	enum tp_status status =
	        tp_samples_read(store, linked->group,
	                        "SELECT min(bandwidth_bytes_per_s) * 8e-6 FROM run_link WHERE run_id = ?1 AND "
	                        "bandwidth_bytes_per_s > 0",
	                        0, NULL, &speed);
	if (status == TP_OK)
		status = tp_samples_read(store, linked->group,
		                         "SELECT max(latency_ns) * 1e-3 FROM run_link WHERE run_id = ?1", 0, NULL,
		                         &latency);
	linked->megabits_per_s = speed.count > 0 ? speed.values[0] : 0;
	linked->latency_us = latency.count > 0 ? latency.values[0] : 0;
	tp_samples_release(&speed);
	tp_samples_release(&latency);
	return status;
}

static int compare_links(const void *left, const void *right)
{
	const struct linked *a = left, *b = right;
	if (a->megabits_per_s != b->megabits_per_s)
		return a->megabits_per_s < b->megabits_per_s ? -1 : 1;
	return (a->group > b->group) - (a->group < b->group);
}

static enum tp_status add_linked(struct tp_store *store, const struct tp_figure_family *family,
                                 const struct linked *linked, bool one_latency, struct tp_figure *figure)
{
	struct tp_samples samples = {0};
	char name[TP_FIGURE_TEXT_BYTES];
	if (linked->megabits_per_s <= 0)
		return TP_OK;
	if (one_latency)
		(void)snprintf(name, sizeof name, "%s", linked->group->schedule);
	else
		(void)snprintf(name, sizeof name, "%s, %g us", linked->group->schedule, linked->latency_us);
	int32_t series = tp_figure_series_named(figure, name);
	if (series < 0)
		return TP_ERR_NOMEM;
	enum tp_status status = tp_samples_read(store, linked->group, family->value, 0, NULL, &samples);
	if (status == TP_OK && !tp_figure_has_point(figure, series, linked->megabits_per_s))
		status = tp_figure_add_samples(figure, series, linked->megabits_per_s, &samples);
	tp_samples_release(&samples);
	return status;
}

enum tp_status tp_figure_fill_links(struct tp_store *store, const struct tp_figure_family *family,
                                    const struct tp_panel *panel, struct tp_figure *figure)
{
	struct linked *linked = tp_alloc_array((size_t)panel->count, sizeof *linked);
	enum tp_status status = linked ? TP_OK : TP_ERR_NOMEM;
	bool one_latency = true;
	for (int32_t i = 0; i < panel->count && status == TP_OK; i++) {
		linked[i].group = panel->groups[i];
		status = read_link(store, &linked[i]);
	}
	if (status == TP_OK)
		qsort(linked, (size_t)panel->count, sizeof *linked, compare_links);
	for (int32_t i = 0; i < panel->count && status == TP_OK; i++)
		one_latency = one_latency && (linked[i].megabits_per_s <= 0 ||
		                              linked[i].latency_us == linked[panel->count - 1].latency_us);
	for (int32_t i = 0; i < panel->count && status == TP_OK; i++)
		status = add_linked(store, family, &linked[i], one_latency, figure);
	tp_free(linked);
	return status;
}
