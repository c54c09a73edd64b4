/* tpbench reproduce: every run of its plans can be planned, and one that was cut off goes on. argv[1] is the built
 * tpbench. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "engine/base/process.h"
#include "tests/cli/harness.h"

/* The runs of plan tiny, without those that need two cores. */
enum { TINY_RUNS = 20, TINY_REAL_RUNS = 4 };

static int64_t tiny_runs(void)
{
	return TINY_RUNS + (tp_free_cores() >= 2 ? TINY_REAL_RUNS : 0);
}

static void expect_runs(const char *database, const char *what, int64_t expected)
{
	char sql[256];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM run JOIN run_state USING (run_id) WHERE %s", what);
	int64_t found = cli_query(database, sql);
	if (found != expected)
		fail_msg("%s: %s: expected %lld runs, found %lld", database, what, (long long)expected,
		         (long long)found);
}

static void expect_plan(const char *arguments, const char *part)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_expect_part(result.out, part);
	cli_expect_part(result.out, "Nothing was trained; every run can be planned.");
	assert_string_equal(result.err, "");
	cli_release(&result);
}

static void every_run_of_each_plan_can_be_planned(void **state)
{
	(void)state;
	expect_plan("reproduce --quick --dry-run --out none", "Plan quick, on synthetic data");
	expect_plan("reproduce --full --dry-run --out none", "Plan full, on synthetic data");
	expect_plan("reproduce --tiny --dry-run --out none", "24 runs");
	assert_int_not_equal(access("none", F_OK), 0);
}

/* The plan's own link is left out of those that are tried beside it, or its runs would be counted twice. */
static void the_link_is_a_parameter(void **state)
{
	(void)state;
	expect_plan("reproduce --tiny --dry-run --out none", "--link 100mbit,50us+10gbit,50us");
	expect_plan("reproduce --tiny --dry-run --out none --link 10gbit,50us", "--link 100mbit,50us+1gbit,50us");
}

static void all_runs_once_and_noted(void **state)
{
	static const char command[] = "reproduce --tiny --out once";
	(void)state;
	struct cli_result result = cli_run(command);
	cli_expect_exit(&result, command, 0);
	cli_expect_part(result.out, "0 not done; database once/results.db");
	cli_expect_part(result.out, "once/index.html");
	cli_expect_part(result.out, "C21"); /* the claims' verdicts */
	cli_release(&result);
	expect_runs("once/results.db", "state = 'done'", tiny_runs());
	expect_runs("once/results.db", "comparison LIKE 'reproduce-tiny-%' AND note LIKE '%for trying out'",
	            tiny_runs());
	assert_int_equal(access("once/README-tiny.md", R_OK), 0);
	assert_int_equal(access("once/index.html", R_OK), 0);
	/* Each pipeline's costs were measured once for each seed: what differs in the link alone has the same. */
	assert_int_equal(cli_query("once/results.db",
	                           "SELECT count(DISTINCT cost_ns) FROM operation_cost JOIN run USING (run_id) JOIN "
	                           "run_parameter USING (run_id) WHERE schedule = 'pipedream' AND stage_count = 4 AND "
	                           "stage = 0 AND kind = 'B' AND comparison IN ('reproduce-tiny-clusters', "
	                           "'reproduce-tiny-links') AND run_parameter.name = 'seed' AND value = '1'"),
	                 1);
	result = cli_run(command);
	cli_expect_exit(&result, command, 0);
	cli_expect_part(result.out, "0 of them trained now");
	cli_release(&result);
	expect_runs("once/results.db", "1", tiny_runs());
}

static void it_goes_on_after_being_killed(void **state)
{
	static const char command[] = "reproduce --tiny --out cut";
	const struct timespec moment = {.tv_nsec = 2000000};
	(void)state;
	pid_t child = cli_start(command);
	for (int i = 0; i < 10000 && cli_query("cut/results.db", "SELECT count(*) FROM run_end") < 7; i++)
		(void)nanosleep(&moment, NULL);
	(void)kill(child, SIGKILL);
	struct cli_result killed = cli_finish(child);
	cli_expect_exit(&killed, command, 128 + SIGKILL);
	cli_release(&killed);
	assert_true(cli_query("cut/results.db", "SELECT count(*) FROM run_end") < tiny_runs());
	struct cli_result result = cli_run(command);
	cli_expect_exit(&result, command, 0);
	cli_release(&result);
	expect_runs("cut/results.db", "state = 'done'", tiny_runs());
	expect_runs("cut/results.db", "state NOT IN ('done', 'interrupted')", 0);
	assert_int_equal(
	        cli_query("cut/results.db",
	                  "SELECT count(*) FROM (SELECT 1 FROM run JOIN run_state USING (run_id) WHERE state = "
	                  "'done' GROUP BY comparison, config_hash, repeat_number)"),
	        tiny_runs());
}

static void ctrl_c_keeps_what_is_done(void **state)
{
	static const char command[] = "reproduce --tiny --out stopped";
	const struct timespec moment = {.tv_nsec = 2000000};
	(void)state;
	pid_t child = cli_start(command);
	for (int i = 0; i < 10000 && cli_query("stopped/results.db", "SELECT count(*) FROM run_end") < 3; i++)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(kill(child, SIGINT), 0);
	struct cli_result result = cli_finish(child);
	cli_expect_exit(&result, command, 1);
	cli_expect_part(result.err, "interrupted: what was recorded until then is kept in stopped/results.db");
	cli_release(&result);
	assert_true(cli_query("stopped/results.db", "SELECT count(*) FROM run_end WHERE ending = 'done'") >= 2);
}

static void what_is_not_its_own_is_refused(void **state)
{
	sqlite3 *database;
	(void)state;
	cli_expect_refusal("reproduce --tiny", "--out", "expected a folder");
	cli_expect_refusal("reproduce --tiny --full --out none", "--quick", "expected one of");
	cli_expect_refusal("reproduce --tiny --out none --link fast", "--link", NULL);
	assert_int_not_equal(access("none", F_OK), 0);
	cli_write_file("file", "x", 1);
	cli_expect_refusal("reproduce --tiny --out file", "file: expected a folder, found a file", NULL);
	assert_int_equal(mkdir("foreign", 0777), 0);
	assert_int_equal(sqlite3_open("foreign/results.db", &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "PRAGMA application_id = 7; CREATE TABLE t (x)", NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	cli_expect_refusal("reproduce --tiny --out foreign", "foreign/results.db", "another program");
	assert_int_not_equal(access("foreign/README-tiny.md", F_OK), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_run_of_each_plan_can_be_planned),
	        cmocka_unit_test(the_link_is_a_parameter),
	        cmocka_unit_test(all_runs_once_and_noted),
	        cmocka_unit_test(it_goes_on_after_being_killed),
	        cmocka_unit_test(ctrl_c_keeps_what_is_done),
	        cmocka_unit_test(what_is_not_its_own_is_refused),
	};
	if (argc < 2 || unsetenv("TPBENCH_DATA") != 0)
		return 2;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
