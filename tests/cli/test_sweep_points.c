/* The points of a sweep: lists, ranges, their order, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sweep_points.h"

static struct tp_options options;

static int set_up(void **state)
{
	(void)state;
	tp_options_defaults(&options, TP_FOR_SWEEP);
	return 0;
}

static void set(const char *name, const char *value)
{
	assert_int_equal(tp_option_set(tp_option_find(name, TP_FOR_SWEEP), value, &options), TP_OK);
}

static void expect_values(enum tp_sweep_axis axis, const char *expected)
{
	struct tp_sweep_points points;
	char found[512] = "";
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	for (int32_t i = 0; i < points.values[axis].count; i++) {
		(void)strcat(found, points.values[axis].texts[i]);
		(void)strcat(found, " ");
	}
	assert_string_equal(found, expected);
	tp_sweep_points_release(&points);
}

static void lists_and_ranges_are_taken_apart(void **state)
{
	(void)state;
	set("stages", "2,3,8");
	expect_values(TP_SWEEP_STAGES, "2 3 8 ");
	set("stages", "2..5");
	expect_values(TP_SWEEP_STAGES, "2 3 4 5 ");
	set("stages", "2..7:2,9");
	expect_values(TP_SWEEP_STAGES, "2 4 6 9 ");
	set("stages", "4..4");
	expect_values(TP_SWEEP_STAGES, "4 ");
	set("link", "1gbit,50us+100mbit,1ms");
	expect_values(TP_SWEEP_LINK, "1gbit,50us 100mbit,1ms ");
	set("cluster", "paper-a,paper-b");
	expect_values(TP_SWEEP_CLUSTER, "paper-a paper-b ");
	set("schedule", "gpipe,timeprest");
	expect_values(TP_SWEEP_SCHEDULE, "gpipe timeprest ");
}

/* Written down by hand: the schedule changes at every point, the seed at every second, stages slowest. */
static void points_are_all_combinations_schedules_innermost(void **state)
{
	static const struct {
		int32_t stages;
		uint64_t seed;
		const char *schedule;
	} expected[] = {{2, 7, "gpipe"}, {2, 7, "timeprest"}, {2, 9, "gpipe"}, {2, 9, "timeprest"},
	                {3, 7, "gpipe"}, {3, 7, "timeprest"}, {3, 9, "gpipe"}, {3, 9, "timeprest"}};
	struct tp_sweep_points points;
	struct tp_options point;
	(void)state;
	set("schedule", "gpipe,timeprest");
	set("seed", "7,9");
	set("stages", "2..3");
	set("mini-batches", "5");
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	assert_int_equal(points.count, 8);
	for (int32_t i = 0; i < points.count; i++) {
		assert_int_equal(tp_sweep_point_options(&points, i, &point), TP_OK);
		assert_int_equal(point.config.stages, expected[i].stages);
		assert_true(point.config.seed == expected[i].seed);
		assert_string_equal(point.config.schedule, expected[i].schedule);
		assert_string_equal(tp_sweep_point_value(&points, i, TP_SWEEP_SCHEDULE), expected[i].schedule);
		assert_null(tp_sweep_point_value(&points, i, TP_SWEEP_LINK));
		assert_int_equal(point.config.mini_batches, 5);
	}
	tp_sweep_points_release(&points);
}

/* Without a list there is one point, which is the run that `run` would be; a cluster brings its number of stages. */
static void what_is_not_varied_is_as_of_run(void **state)
{
	struct tp_sweep_points points;
	struct tp_options point, run;
	(void)state;
	tp_options_defaults(&run, TP_FOR_RUN);
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	assert_int_equal(points.count, 1);
	assert_int_equal(tp_sweep_point_options(&points, 0, &point), TP_OK);
	assert_true(tp_run_config_hash(&point.config) == tp_run_config_hash(&run.config));
	tp_sweep_points_release(&points);
	set("cluster", "paper-a");
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	assert_int_equal(tp_sweep_point_options(&points, 0, &point), TP_OK);
	struct tp_options with_cluster = run;
	assert_int_equal(tp_option_set(tp_option_find("cluster", TP_FOR_RUN), "paper-a", &with_cluster), TP_OK);
	assert_int_equal(tp_options_resolve(&with_cluster), TP_OK);
	assert_int_equal(point.config.stages, with_cluster.config.stages);
	tp_sweep_points_release(&points);
}

static uint64_t hash_now(void)
{
	struct tp_sweep_points points;
	uint64_t hash;
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	assert_int_equal(tp_sweep_points_hash(&points, &hash), TP_OK);
	tp_sweep_points_release(&points);
	return hash;
}

static void a_sweep_is_known_by_what_decides_it(void **state)
{
	(void)state;
	set("stages", "2..4");
	uint64_t range = hash_now();
	set("stages", "2,3,4");
	assert_true(hash_now() == range);
	set("repeats", "5");
	set("note", "again");
	assert_true(hash_now() == range);
	set("stages", "2,3");
	assert_true(hash_now() != range);
	set("stages", "2..4");
	set("mini-batches", "3");
	assert_true(hash_now() != range);
}

static void expect_refused(const char *name, const char *value, const char *part)
{
	struct tp_sweep_points points;
	set_up(NULL);
	set(name, value);
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_ERR_INPUT);
	tp_sweep_points_release(&points);
	if (!strstr(tp_detail(), part))
		fail_msg("--%s %s: expected '%s', found '%s'", name, value, part, tp_detail());
}

static void malformed_lists_are_refused(void **state)
{
	(void)state;
	expect_refused("stages", "2..", "found ''");
	expect_refused("stages", "..3", "found ''");
	expect_refused("stages", "8..2", "8..2");
	expect_refused("stages", "2..8:0", "'0'");
	expect_refused("stages", "2..8:", "found ''");
	expect_refused("stages", "a", "'a'");
	expect_refused("stages", "2,,3", "an empty one in '2,,3'");
	expect_refused("stages", "2,", "an empty one");
	expect_refused("stages", "2,3,2", "2 twice");
	expect_refused("stages", "1..3,2..4", "2 twice");
	expect_refused("stages", "2,02", "2 twice");
	expect_refused("stages", "0..3", "expected 1 to 1024");
	expect_refused("stages", "1020..1030", "expected 1 to 1024");
	expect_refused("micro-batches", "99999999999999999999", "99999999999999999999");
	expect_refused("batch", "1..9007199254740992:9007199254740991", "expected 1 to 65536");
	expect_refused("schedule", "gpipe,gpip", "did you mean 'gpipe'");
	expect_refused("link", "1gbit,50us+fast", "fast");
	expect_refused("link", "1gbit,50us,100mbit,1ms", "--link");
	expect_refused("cluster", "paper-a,paper-d", "paper-d");
}

static void too_many_points_are_refused(void **state)
{
	struct tp_sweep_points points;
	(void)state;
	expect_refused("seed", "1..10001", "at most 10000");
	set_up(NULL);
	set("seed", "1..5000");
	set("stages", "2..3");
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_OK);
	tp_sweep_points_release(&points);
	set("stages", "2..4");
	assert_int_equal(tp_sweep_points_init(&points, &options), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "at most 10000 points"));
	tp_sweep_points_release(&points);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(lists_and_ranges_are_taken_apart, set_up),
	        cmocka_unit_test_setup(points_are_all_combinations_schedules_innermost, set_up),
	        cmocka_unit_test_setup(what_is_not_varied_is_as_of_run, set_up),
	        cmocka_unit_test_setup(a_sweep_is_known_by_what_decides_it, set_up),
	        cmocka_unit_test_setup(malformed_lists_are_refused, set_up),
	        cmocka_unit_test_setup(too_many_points_are_refused, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
