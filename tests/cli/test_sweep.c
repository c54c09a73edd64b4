/* tpbench sweep: points that fail do not stop the rest, and a sweep goes on where it was cut off. argv[1] is the built
 * tpbench. */
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

#define SMALL                                                                                                          \
	"--device reference --model mlp --hidden 8 --batch 12 --synthetic-train 48 --synthetic-test 4 --evaluate off " \
	"--warm-up 0"

static void expect_rows(const char *what, int64_t expected)
{
	char sql[256];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM run JOIN run_state USING (run_id) WHERE %s", what);
	int64_t found = cli_query("tpbench.db", sql);
	if (found != expected)
		fail_msg("%s: expected %lld runs, found %lld", what, (long long)expected, (long long)found);
}

static void run_and_expect(const char *arguments, int exit_code)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, exit_code);
	cli_release(&result);
}

static void all_points_run_and_only_once(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --stages 1..2 --repeats 2 " SMALL;
	(void)state;
	cli_remove_database();
	run_and_expect(sweep, 0);
	expect_rows("state = 'done'", 8);
	expect_rows("repeat_number = 2 AND run_id > 4", 4); /* interleaved: the second round after the first */
	run_and_expect(sweep, 0);
	expect_rows("1", 8);
	run_and_expect("sweep gpipe,timeprest --stages 1..2 --repeats 3 " SMALL, 0); /* goes on from two */
	expect_rows("state = 'done'", 12);
	run_and_expect("sweep gpipe,timeprest --stages 1..2 --repeats 1 --restart " SMALL, 0);
	expect_rows("state = 'done'", 16);
	assert_int_equal(cli_query("tpbench.db", "SELECT count(DISTINCT comparison) FROM run"), 2);
}

static void a_refused_point_is_stored_and_does_not_stop_the_rest(void **state)
{
	static const char sweep[] = "sweep timeprest --stages 3..6 " SMALL; /* mlp has four blocks */
	(void)state;
	cli_remove_database();
	struct cli_result result = cli_run(sweep);
	cli_expect_exit(&result, sweep, 1);
	cli_expect_part(result.out, "expected at most 4, the number of blocks of mlp, found 6");
	cli_expect_part(result.err, "2 of 4 points failed");
	cli_release(&result);
	expect_rows("state = 'done'", 2);
	expect_rows("state = 'failed' AND reason LIKE '%blocks of mlp, found 5%' AND stage_count = 5", 1);
	run_and_expect(sweep, 1);
	expect_rows("1", 4); /* failed ones stay */
	run_and_expect("sweep timeprest --stages 3..6 --retry-failed " SMALL, 1);
	expect_rows("state = 'failed'", 4);
}

/* What is wrong with every point is wrong with the command. */
static void nothing_is_stored_when_no_point_can_run(void **state)
{
	(void)state;
	cli_remove_database();
	cli_expect_refusal("sweep timeprest --stages 5..6 " SMALL, "no point of 2 can be run", "blocks of mlp");
	cli_expect_refusal("sweep timeprest --stages 2.. " SMALL, "--stages", NULL);
	cli_expect_refusal("sweep timeprest --epochs 0 " SMALL, "--epochs", NULL);
	cli_expect_refusal("sweep timeprest --costs flops " SMALL, "--clock virtual", NULL);
	assert_int_not_equal(access("tpbench.db", F_OK), 0);
}

static void it_goes_on_after_being_killed(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --seed 1..3 --epochs 40 " SMALL;
	const struct timespec moment = {.tv_nsec = 2000000};
	(void)state;
	cli_remove_database();
	pid_t child = cli_start(sweep);
	/* In the middle: when the second run has begun, which is before the sixth is over. */
	for (int i = 0; i < 10000 && cli_query("tpbench.db", "SELECT count(*) FROM run") < 2; i++)
		(void)nanosleep(&moment, NULL);
	(void)kill(child, SIGKILL);
	struct cli_result killed = cli_finish(child);
	cli_expect_exit(&killed, sweep, 128 + SIGKILL);
	cli_release(&killed);
	run_and_expect(sweep, 0);
	expect_rows("state = 'done'", 6);
	expect_rows("state NOT IN ('done', 'interrupted')", 0);
	assert_int_equal(cli_query("tpbench.db", "SELECT count(DISTINCT config_hash) FROM run JOIN run_state USING "
	                                         "(run_id) WHERE state = 'done'"),
	                 6);
}

static void read_by_another_program(void)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open("tpbench.db", &db), SQLITE_OK);
	(void)sqlite3_exec(db, "SELECT count(*) FROM run", NULL, NULL, NULL); /* there is no table in the beginning */
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Whoever closes the database is not the last while runs are written, and leaves their log alone. */
static void readers_do_it_no_harm(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --seed 1..5 --epochs 10 " SMALL;
	const struct timespec moment = {.tv_nsec = 5000000};
	(void)state;
	cli_remove_database();
	pid_t child = cli_start(sweep);
	for (int i = 0; i < 400 && cli_query("tpbench.db", "SELECT count(*) FROM run_end") < 8; i++) {
		if (access("tpbench.db-wal", F_OK) == 0)
			read_by_another_program();
		(void)nanosleep(&moment, NULL);
	}
	struct cli_result result = cli_finish(child);
	cli_expect_exit(&result, sweep, 0);
	cli_release(&result);
	expect_rows("state = 'done'", 10);
}

/* As if the database had been told so: a failure in the second repeat of one point. */
static void make_one_fail(void)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open("tpbench.db", &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db,
	                     "UPDATE run_end SET ending = 'failed', reason = 'a made-up reason' WHERE run_id = "
	                     "(SELECT max(run_id) FROM run WHERE repeat_number = 2)",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A point is done when each of its repeats is, whatever was tried before. */
static void a_repeat_that_failed_counts_until_it_is_done(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --repeats 2 " SMALL;
	static const char retried[] = "sweep gpipe,timeprest --repeats 2 --retry-failed " SMALL;
	(void)state;
	cli_remove_database();
	run_and_expect(sweep, 0);
	make_one_fail();
	struct cli_result result = cli_run(sweep);
	cli_expect_exit(&result, sweep, 1);
	cli_expect_part(result.out, "a run failed: a made-up reason");
	cli_expect_part(result.err, "1 of 2 points failed");
	cli_release(&result);
	expect_rows("1", 4);
	result = cli_run(retried);
	cli_expect_exit(&result, retried, 0);
	assert_null(strstr(result.out, "made-up"));
	cli_release(&result);
	expect_rows("1", 5);
	expect_rows("state = 'done'", 4);
}

static void ctrl_c_ends_it_between_and_within_runs(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --seed 1..100 --epochs 5 " SMALL;
	const struct timespec moment = {.tv_nsec = 2000000};
	(void)state;
	for (int64_t before = 1; before <= 5; before++) {
		cli_remove_database();
		pid_t child = cli_start(sweep);
		for (int i = 0; i < 10000 && cli_query("tpbench.db", "SELECT count(*) FROM run_end") < before; i++)
			(void)nanosleep(&moment, NULL);
		assert_int_equal(kill(child, SIGINT), 0);
		struct cli_result result = cli_finish(child);
		cli_expect_exit(&result, sweep, 1);
		assert_string_equal(result.out, "");
		cli_expect_part(result.err, "interrupted: what was recorded until then is kept in tpbench.db");
		cli_release(&result);
		expect_rows("state NOT IN ('done', 'interrupted')", 0);
		assert_in_range(cli_query("tpbench.db", "SELECT count(*) FROM run_end WHERE ending = 'interrupted'"), 0,
		                1);
		assert_in_range(cli_query("tpbench.db", "SELECT count(*) FROM run_end WHERE ending = 'done'"),
		                before - 1, 199);
	}
}

/* Measured times never come out the same twice; kept ones do, whatever the link. */
static void kept_costs_are_measured_once(void **state)
{
	static const char sweep[] =
	        "sweep timeprest --stages 2 --link 1gbit,50us+1gbit,60us --clock virtual --keep-costs "
	        "kept " SMALL;
	static const char broken[] = "# tpbench costs 1\nstage,operation,micro_batch,cost_ns\n0,F,0,1\n";
	(void)state;
	cli_remove_database();
	run_and_expect(sweep, 0);
	run_and_expect(
	        "sweep timeprest --restart --stages 2 --link 1gbit,50us --clock virtual --keep-costs kept " SMALL, 0);
	expect_rows("state = 'done'", 3);
	assert_int_equal(cli_query("tpbench.db", "SELECT count(DISTINCT cost_ns) FROM operation_cost WHERE stage = 0 "
	                                         "AND kind = 'B'"),
	                 1);
	glob_t kept;
	assert_int_equal(glob("kept/mlp-timeprest-w2-n3-m12-*.csv", 0, NULL, &kept), 0);
	assert_int_equal(kept.gl_pathc, 1);
	cli_write_file(kept.gl_pathv[0], broken, sizeof broken - 1);
	cli_expect_refusal(sweep, kept.gl_pathv[0], NULL);
	assert_int_equal(unlink(kept.gl_pathv[0]), 0);
	assert_int_equal(rmdir("kept"), 0);
	globfree(&kept);
}

static void the_figures_are_those_of_the_database(void **state)
{
	static const char sweep[] = "sweep gpipe,timeprest --link 1gbit,50us+1mbit,1ms --clock virtual --costs "
	                            "uniform:1ms,2ms --json " SMALL;
	(void)state;
	cli_remove_database();
	json_t *root = cli_run_json(sweep), *points = json_object_get(root, "points");
	assert_int_equal(json_array_size(points), 4);
	size_t index;
	json_t *point;
	json_array_foreach(points, index, point)
	{
		char sql[160];
		json_int_t run_id = json_integer_value(json_array_get(json_object_get(point, "run_ids"), 0));
		(void)snprintf(sql, sizeof sql, "SELECT window_end_ns - window_start_ns FROM epoch WHERE run_id = %lld",
		               (long long)run_id);
		assert_true(json_real_value(json_object_get(point, "median_epoch_ns")) ==
		            (double)cli_query("tpbench.db", sql));
		assert_true(json_is_null(json_object_get(point, "failure")));
	}
	json_decref(root);
}

/* Three epochs have a middle one; the real clock's are predicted. */
static void epochs_and_predictions_are_medians(void **state)
{
	static const char sweep[] = "sweep timeprest --epochs 3 --json " SMALL;
	static const char middle[] =
	        "SELECT window_end_ns - window_start_ns AS ns FROM epoch ORDER BY ns LIMIT 1 OFFSET 1";
	static const char middle_predicted[] = "SELECT predicted_ns FROM prediction ORDER BY 1 LIMIT 1 OFFSET 1";
	(void)state;
	cli_remove_database();
	json_t *root = cli_run_json(sweep), *point = json_array_get(json_object_get(root, "points"), 0);
	assert_true(json_real_value(json_object_get(point, "median_epoch_ns")) ==
	            (double)cli_query("tpbench.db", middle));
	assert_true(json_real_value(json_object_get(point, "predicted_epoch_ns")) ==
	            (double)cli_query("tpbench.db", middle_predicted));
	json_t *parameters = json_object_get(root, "parameters");
	assert_string_equal(json_string_value(json_object_get(parameters, "clock")), "real");
	assert_string_equal(json_string_value(json_object_get(parameters, "micro-batches")), "3");
	assert_null(json_object_get(parameters, "costs")); /* not given */
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_points_run_and_only_once),
	        cmocka_unit_test(a_refused_point_is_stored_and_does_not_stop_the_rest),
	        cmocka_unit_test(nothing_is_stored_when_no_point_can_run),
	        cmocka_unit_test(it_goes_on_after_being_killed),
	        cmocka_unit_test(readers_do_it_no_harm),
	        cmocka_unit_test(a_repeat_that_failed_counts_until_it_is_done),
	        cmocka_unit_test(ctrl_c_ends_it_between_and_within_runs),
	        cmocka_unit_test(kept_costs_are_measured_once),
	        cmocka_unit_test(the_figures_are_those_of_the_database),
	        cmocka_unit_test(epochs_and_predictions_are_medians),
	};
	if (argc < 2)
		return 2;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
