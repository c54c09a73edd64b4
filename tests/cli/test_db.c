/* tpbench db on databases that the program itself filled. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

#define SMALL                                                                                             \
	"run timeprest --device reference --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 " \
	"--synthetic-train 16 "                                                                           \
	"--synthetic-test 4"

static void run_ok(const char *arguments, const char *part)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	assert_string_equal(result.err, "");
	if (part)
		cli_expect_part(result.out, part);
	cli_release(&result);
}

static int make_runs(void **state)
{
	(void)state;
	cli_remove_database();
	run_ok(SMALL " --repeats 2 --name first", NULL);
	return 0;
}

static int64_t query(const char *sql)
{
	return cli_query("tpbench.db", sql);
}

static void execute(const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open("tpbench.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void list_shows_every_run(void **state)
{
	(void)state;
	char rows[64];
	(void)snprintf(rows, sizeof rows, "%lld", (long long)query("SELECT count(*) FROM operation WHERE run_id = 1"));
	struct cli_result result = cli_run("db list");
	cli_expect_exit(&result, "db list", 0);
	cli_expect_part(result.out, "timeprest");
	cli_expect_part(result.out, "done");
	cli_expect_part(result.out, "first");
	cli_expect_part(result.out, rows);
	cli_expect_part(result.out, "# database tpbench.db: 2 runs");
	cli_release(&result);
}

static void check_says_what_is_wrong(void **state)
{
	(void)state;
	execute("DELETE FROM run_check");
	run_ok("db check", "database tpbench.db: sound");
	execute("INSERT INTO run_check VALUES (2, 'idle_closes', 0, '7 ns are missing')");
	struct cli_result result = cli_run("db check");
	cli_expect_exit(&result, "db check", 1);
	assert_string_equal(result.out, "run 2 is invalid: idle_closes: 7 ns are missing\n");
	cli_expect_part(result.err, "found 1 problem");
	cli_release(&result);
}

static void prune_takes_runs_out(void **state)
{
	(void)state;
	run_ok("db prune 1..2 --dry-run", "would prune all of 2 runs");
	assert_int_equal(query("SELECT count(*) FROM run"), 2);
	run_ok("db prune 1 --keep-summaries", "pruned the records of 1 run,");
	assert_int_equal(query("SELECT count(*) FROM operation WHERE run_id = 1"), 0);
	assert_true(query("SELECT count(*) FROM operation WHERE run_id = 2") > 0);
	assert_int_equal(query("SELECT count(*) FROM epoch WHERE run_id = 1"), 1);
	run_ok("db prune --older-than 1h", "pruned all of 0 runs, 0 rows");
	execute("UPDATE run SET started_unix_s = started_unix_s - 7200 WHERE run_id = 1");
	run_ok("db prune --older-than 1h", "pruned all of 1 run,");
	run_ok("db prune 2", "pruned all of 1 run,");
	assert_int_equal(query("SELECT count(*) FROM run"), 0);
	run_ok("db vacuum", "bytes before");
	run_ok("db list", "0 runs");
}

static void merge_takes_runs_over(void **state)
{
	(void)state;
	int64_t rows = query("SELECT count(*) FROM operation");
	run_ok("db merge --db all.db tpbench.db", "took over 2 runs of tpbench.db");
	run_ok("db merge tpbench.db --db all.db", "took over 2 runs");
	assert_int_equal(cli_query("all.db", "SELECT count(*) FROM operation"), 2 * rows);
	assert_int_equal(cli_query("all.db", "SELECT max(run_id) FROM run"), 4);
	(void)unlink("all.db");
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("db", "db:", "--help");
	cli_expect_refusal("db lisst", "lisst", "'list'");
	cli_expect_refusal("db list 3", "3", "none");
	cli_expect_refusal("db list --dry-run", "--dry-run", "prune");
	cli_expect_refusal("db list --batch 4", "--batch", NULL);
	cli_expect_refusal("db list --db none.db", "none.db", NULL);
	cli_expect_refusal("db vacuum --db none.db", "none.db", NULL);
	cli_expect_refusal("db prune 1 --db none.db", "none.db", NULL);
	assert_int_not_equal(access("none.db", F_OK), 0);
	cli_expect_refusal("db prune", "prune", "--older-than");
	cli_expect_refusal("db prune x", "run", "'x'");
	cli_expect_refusal("db prune 2..1", "run", "'1'");
	cli_expect_refusal("db prune 7", "no run 7", NULL);
	cli_expect_refusal("db prune --older-than 3", "--older-than", "unit");
	cli_expect_refusal("db merge", "merge", "one other");
	cli_expect_refusal("db merge a.db b.db", "merge", "found 2");
	cli_expect_refusal("db merge tpbench.db", "itself", NULL);
	assert_int_equal(query("SELECT count(*) FROM run"), 2);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(list_shows_every_run, make_runs),
	        cmocka_unit_test_setup(check_says_what_is_wrong, make_runs),
	        cmocka_unit_test_setup(prune_takes_runs_out, make_runs),
	        cmocka_unit_test_setup(merge_takes_runs_over, make_runs),
	        cmocka_unit_test_setup(wrong_usage_is_refused, make_runs),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
