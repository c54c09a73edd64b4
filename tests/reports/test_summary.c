/* The summary's own decisions: which groups are rows, what they are compared with, and what is not known. Its numbers
 * are held against SQL in tests/cli/test_report.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "reports/summary.h"
#include "test_store_support.h"

static struct tp_store *store;

/* A run of `epochs` epochs, the window of each a nanosecond longer than the one before. */
static int64_t add_run(const char *schedule, const char *more, int32_t epochs, bool done)
{
	char config[256];
	struct tp_store_run run = sample_run;
	int64_t run_id;
	(void)snprintf(config, sizeof config, "%sschedule=%s\nseed=1\n", more, schedule);
	run.schedule = schedule;
	run.config_text = config;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	for (int32_t e = 1; e <= epochs; e++) {
		struct tp_store_epoch epoch = sample_epoch(e);
		epoch.end_ns += e;
		assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	}
	assert_ok(tp_store_end_run(store, run_id, done ? TP_STORE_DONE : TP_STORE_FAILED, "", NULL, 0));
	return run_id;
}

static int begin(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	store = open_store(in_folder("summary.db"));
	return 0;
}

static int end(void **state)
{
	tp_store_close(store);
	return remove_folder(state);
}

static void read_summary(const char *baseline, struct tp_summary *summary)
{
	struct tp_groups groups;
	assert_ok(tp_groups_read(store, NULL, &groups));
	assert_ok(tp_summary_read(store, &groups, baseline, summary));
	tp_groups_release(&groups);
}

static void nothing_is_no_failure(void **state)
{
	(void)state;
	struct tp_summary summary;
	struct tp_text text = {0};
	read_summary(NULL, &summary);
	assert_int_equal(summary.row_count, 0);
	assert_string_equal(summary.baseline, "");
	tp_summary_write_text(&summary, &text);
	assert_string_equal(tp_text_get(&text), "The database has no run.\n");
	tp_text_release(&text);
	tp_summary_write_brief(&summary, false, &text);
	assert_string_equal(tp_text_get(&text), "");
	tp_summary_release(&summary);
	add_run("gpipe", "", 0, false);
	read_summary(NULL, &summary);
	assert_int_equal(summary.row_count, 0);
	assert_int_equal(summary.left_out_groups, 1);
	tp_summary_release(&summary);
}

/* gpipe and pipedream lead, but only with a run that can be used; else the first. */
static void a_baseline_is_chosen(void **state)
{
	(void)state;
	struct tp_summary summary;
	add_run("gpipe", "", 1, false);
	add_run("timeprest", "", 1, true);
	read_summary(NULL, &summary);
	assert_string_equal(summary.baseline, "timeprest");
	tp_summary_release(&summary);
	add_run("pipedream", "", 1, true);
	read_summary(NULL, &summary);
	assert_string_equal(summary.baseline, "pipedream");
	tp_summary_release(&summary);
	add_run("gpipe", "", 1, true);
	read_summary(NULL, &summary);
	assert_string_equal(summary.baseline, "gpipe");
	tp_summary_release(&summary);
	struct tp_groups groups;
	assert_ok(tp_groups_read(store, NULL, &groups));
	assert_fails(tp_summary_read(store, &groups, "1f1b", &summary), TP_ERR_INPUT);
	assert_int_equal(summary.row_count, 0); /* released */
	tp_groups_release(&groups);
}

/* With the same settings, axes of schedules aside; not with other links. */
static void rows_are_compared_with_their_like(void **state)
{
	(void)state;
	struct tp_summary summary;
	add_run("gpipe", "in-flight=0\nlink=a\n", 1, true);
	add_run("gpipe", "in-flight=0\nlink=b\n", 1, true);
	add_run("timeprest", "in-flight=3\nlink=b\n", 1, true);
	add_run("timeprest", "in-flight=0\nlink=c\n", 1, true);
	read_summary(NULL, &summary);
	assert_int_equal(summary.row_count, 4);
	assert_true(summary.needs_numbers);
	assert_true(summary.rows[0].baseline == 1 && summary.rows[1].baseline == 2);
	assert_true(summary.rows[2].baseline == 2);
	assert_true(isnan(summary.rows[3].baseline) && isnan(summary.rows[3].speed_up));
	assert_string_equal(summary.rows[2].others, "in-flight=3");
	assert_true(summary.rows[3].version_exact == 1);   /* W = 2, N = 2 */
	assert_true(isnan(summary.rows[2].version_exact)); /* not with a limit of its own */
	tp_summary_release(&summary);
}

/* An interval of the median wants 6 epochs, one of the speed-up 2 on each side. */
static void spread_is_shown_where_there_is_one(void **state)
{
	(void)state;
	struct tp_summary summary;
	add_run("gpipe", "", 1, true);
	add_run("timeprest", "", 5, true);
	add_run("pipedream", "", 9, true);
	read_summary("timeprest", &summary);
	const struct tp_summary_row *one = &summary.rows[0], *five = &summary.rows[1], *nine = &summary.rows[2];
	assert_true(isnan(one->epoch_low_ns) && isnan(five->epoch_low_ns));
	assert_true(five->epoch_ns == 68 && five->epoch_min_ns == 66 && five->epoch_max_ns == 70);
	/* Fewer than 2 of 9 lie below with 10 / 512, fewer than 3 with 46 / 512. */
	assert_true(nine->epoch_low_ns == 67 && nine->epoch_high_ns == 73);
	assert_true(isfinite(one->speed_up) && isnan(one->speed_up_low));
	assert_true(nine->speed_up_low <= nine->speed_up && nine->speed_up <= nine->speed_up_high);
	assert_true(five->speed_up == 1 && isnan(five->speed_up_low)); /* with itself */
	tp_summary_release(&summary);
}

/* A loss that is no number is not left out of a mean, and is no 0. */
static void a_divergence_has_no_mean(void **state)
{
	(void)state;
	struct tp_summary summary;
	struct tp_text text = {0};
	add_run("gpipe", "", 2, true);
	add_run("gpipe", "", 2, true);
	sql_execute(in_folder("summary.db"), "UPDATE epoch SET test_loss = NULL WHERE run_id = 2 AND epoch = 2");
	read_summary(NULL, &summary);
	assert_true(summary.rows[0].evaluated == 2);
	assert_true(isnan(summary.rows[0].loss) && isnan(summary.rows[0].loss_max));
	assert_true(isfinite(summary.rows[0].top1));
	assert_ok(tp_summary_write_json(&summary, &text));
	assert_non_null(strstr(tp_text_get(&text), "\"test_loss\": null"));
	tp_text_release(&text);
	tp_summary_release(&summary);
}

static void no_memory_is_said(void **state)
{
	(void)state;
	struct tp_groups groups;
	struct tp_summary summary;
	add_run("gpipe", "a=1\n", 2, true);
	add_run("timeprest", "a=1\n", 2, true);
	assert_ok(tp_groups_read(store, NULL, &groups));
	enum tp_status status = TP_ERR_NOMEM;
	for (int64_t allocations = 0; status != TP_OK; allocations++) {
		assert_true(allocations < 200);
		tp_alloc_fail_after(allocations);
		status = tp_summary_read(store, &groups, NULL, &summary);
		tp_alloc_fail_after(-1);
		if (status != TP_OK)
			assert_int_equal(status, TP_ERR_NOMEM);
	}
	tp_summary_release(&summary);
	tp_groups_release(&groups);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	        FRESH(nothing_is_no_failure),
	        FRESH(a_baseline_is_chosen),
	        FRESH(rows_are_compared_with_their_like),
	        FRESH(spread_is_shown_where_there_is_one),
	        FRESH(a_divergence_has_no_mean),
	        FRESH(no_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
