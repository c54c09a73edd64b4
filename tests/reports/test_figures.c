/* The numbers of figures are those of plain queries; what has no data says so, with a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "figure_fixture.h"
#include "test_store_support.h"

static struct tp_store *store;
static const char *path;

static int fill(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	path = in_folder("figures.db");
	store = open_store(path);
	for (int32_t seed = 1; seed <= 3; seed++) {
		add_run(store, "timeprest", "vgg16", "cifar100", "paper-b", "", seed);
		add_run(store, "pipedream", "vgg16", "cifar100", "paper-b", "", 2 * seed);
	}
	add_run(store, "timeprest-stash", "vgg16", "cifar100", "paper-b", "", 1);
	add_run(store, "timeprest", "vgg16", "cifar100", "paper-c", "", 1);
	add_run(store, "timeprest", "mlp", "synthetic", "", "1gbit,50us", 1);
	add_run(store, "timeprest", "mlp", "synthetic", "", "10mbit,50us", 1);
	return 0;
}

static int finish(void **state)
{
	tp_store_close(store);
	return remove_folder(state);
}

static void assert_near(double found, double expected)
{
	assert_true(found >= expected - 1e-9 * (1 + expected) && found <= expected + 1e-9 * (1 + expected));
}

TP_PRINTF(1, 2) static double query(const char *format, ...)
{
	char sql[1024];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof sql, format, arguments);
	va_end(arguments);
	return sql_real(path, sql);
}

#define OF_TIMEPREST \
	"FROM epoch JOIN run USING (run_id) WHERE schedule = 'timeprest' AND config_text LIKE '%%paper-b%%'"

static void curves_are_medians_between_ends(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure *figure = figure_of(&figures, "curves-top1-epoch");
	const struct tp_figure_series *series = series_of(figure, "timeprest");
	assert_null(figure->missing);
	assert_string_equal(figure->title, "Top-1 accuracy against epoch: vgg16 on cifar100, cluster paper-b");
	assert_true(figure->measured && !figure->modelled);
	assert_int_equal(figure->run_count, 7);
	assert_int_equal(series->count, 2);
	for (int32_t p = 0; p < 2; p++) {
		assert_near(series->x[p], p + 1);
		assert_near(series->low[p],
		            query("SELECT 100 * min(test_top1_share) " OF_TIMEPREST " AND epoch = %d", p + 1));
		assert_near(series->high[p],
		            query("SELECT 100 * max(test_top1_share) " OF_TIMEPREST " AND epoch = %d", p + 1));
		assert_near(series->y[p], query("SELECT 100 * test_top1_share " OF_TIMEPREST
		                                " AND epoch = %d ORDER BY test_top1_share LIMIT 1 OFFSET 1",
		                                p + 1));
		assert_int_equal(series->samples[p], 3);
	}
	series = series_of(figure_of(&figures, "curves-loss-time"), "timeprest");
	assert_near(series->x[1],
	            query("SELECT sum(window_end_ns - window_start_ns) * 1e-9 FROM epoch WHERE run_id = 3"));
	assert_near(series->y[1], query("SELECT test_loss FROM epoch WHERE run_id = 3 AND epoch = 2"));
	tp_figures_release(&figures);
}

static void bars_are_queries(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure *figure = figure_of(&figures, "epoch-time-b");
	const struct tp_figure_series *series = series_of(figure, "timeprest");
	assert_int_equal(series->count, 1);
	assert_int_equal(series->samples[0], 6);
	assert_near(series->low[0], query("SELECT min(window_end_ns - window_start_ns) / 60e9 " OF_TIMEPREST));
	assert_near(series->high[0], query("SELECT max(window_end_ns - window_start_ns) / 60e9 " OF_TIMEPREST));
	figure = figure_of(&figures, "memory-total");
	assert_non_null(strstr(figure->y_label, "(kB)"));
	series = series_of(figure, "stage 0");
	assert_near(series->y[category_of(figure, "pipedream")],
	            query("SELECT sum(at_peak_bytes) / 1e3 FROM memory WHERE run_id = 2 AND epoch = 1 AND stage = 0"));
	figure = figure_of(&figures, "memory-stage");
	series = series_of(figure, "activations");
	assert_near(
	        series->y[category_of(figure, "timeprest 0")],
	        query("SELECT at_peak_bytes / 1e3 FROM memory WHERE run_id = 1 AND epoch = 1 AND stage = 0 AND kind = "
	              "'activations'"));
	figure = figure_of(&figures, "communication");
	series = series_of(figure, "measured");
	assert_near(series->y[category_of(figure, "timeprest")],
	            query("SELECT per_mini_batch_bytes / 1e3 FROM communication WHERE run_id = 1 AND epoch = 1"));
	figure = figure_of(&figures, "idle-causes");
	series = series_of(figure, "sender");
	assert_near(series->y[category_of(figure, "timeprest")],
	            query("SELECT 100.0 * sum(sender_ns) / sum(window_ns) FROM stage_figures WHERE run_id = 1 AND "
	                  "epoch = 1"));
	tp_figures_release(&figures);
}

static void versions_stand_beside_predictions(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure *figure = figure_of(&figures, "version-difference");
	int32_t category = category_of(figure, "timeprest W=2 N=2");
	assert_near(series_of(figure, "paper's Eq. 3")->y[category],
	            query("SELECT paper_prediction_count FROM version_difference WHERE run_id = 1 LIMIT 1"));
	assert_near(series_of(figure, "exact, ideal slots")->y[category],
	            query("SELECT exact_prediction_count FROM version_difference WHERE run_id = 1 LIMIT 1"));
	assert_near(series_of(figure, "measured")->y[category],
	            query("SELECT max(version_difference_count) FROM version_difference WHERE run_id = 1"));
	assert_int_equal(series_of(figure, "timed, the epoch's costs")->count, 0);
	tp_figures_release(&figures);
}

static void links_are_in_the_order_of_speed(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure_series *series = series_of(figure_of(&figures, "links-epoch-time"), "timeprest");
	assert_int_equal(series->count, 2);
	assert_near(series->x[0], 10);
	assert_near(series->x[1], 1000);
	tp_figures_release(&figures);
}

static void the_papers_readings_are_ranges(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure *figure = figure_of(&figures, "epoch-time-b");
	const struct tp_figure_series *series = series_of(figure, "paper: pipedream (approx.)");
	assert_true(series->reference);
	assert_true(series->in_table); /* an hour, beside seconds of ours */
	assert_int_equal(series->samples[0], 0);
	assert_near(series->low[0], 60);
	assert_near(series->high[0], 65);
	figure = figure_of(&figures, "epoch-time-a"); /* nothing ran there */
	assert_int_equal(figure->series_count, 0);
	tp_figures_release(&figures);
}

static void what_has_no_data_says_so(void **state)
{
	(void)state;
	struct tp_figures figures;
	read_figures(store, &figures);
	const struct tp_figure *figure = figure_of(&figures, "micro-batches-epoch-time");
	assert_non_null(figure->missing);
	assert_non_null(strstr(figure->command, "tpbench sweep timeprest "));
	assert_non_null(strstr(figure->command, "figures.db'"));
	tp_figures_release(&figures);

	struct tp_store *empty = NULL;
	assert_ok(tp_store_open(in_folder("empty 'quoted'.db"), &empty));
	read_figures(empty, &figures);
	assert_true(figures.count >= 20);
	for (int32_t i = 0; i < figures.count; i++) {
		assert_non_null(figures.figures[i].missing);
		assert_non_null(strstr(figures.figures[i].command, "empty '\\''quoted'\\''.db'"));
		for (int32_t other = 0; other < i; other++)
			assert_string_not_equal(figures.figures[i].id, figures.figures[other].id);
	}
	tp_figures_release(&figures);
	tp_store_close(empty);
}

static void memory_that_runs_out_is_said(void **state)
{
	(void)state;
	struct tp_groups groups;
	struct tp_figures figures;
	enum tp_status status = TP_ERR_NOMEM;
	assert_ok(tp_groups_read(store, NULL, &groups));
	uint64_t held = tp_alloc_bytes();
	for (int64_t allowed = 0; status != TP_OK; allowed += 7) {
		tp_alloc_fail_after(allowed);
		status = tp_figures_read(store, &groups, &figures);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_OK || status == TP_ERR_NOMEM);
		if (status != TP_OK)
			assert_int_equal(tp_alloc_bytes(), held);
	}
	tp_figures_release(&figures);
	assert_int_equal(tp_alloc_bytes(), held);
	tp_groups_release(&groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(curves_are_medians_between_ends),   cmocka_unit_test(bars_are_queries),
	        cmocka_unit_test(versions_stand_beside_predictions), cmocka_unit_test(links_are_in_the_order_of_speed),
	        cmocka_unit_test(the_papers_readings_are_ranges),    cmocka_unit_test(what_has_no_data_says_so),
	        cmocka_unit_test(memory_that_runs_out_is_said),
	};
	return cmocka_run_group_tests(tests, fill, finish);
}
