/* tpbench show on databases that the program itself filled and that were then meddled with. argv[1] is the built
 * tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

#define SMALL                                                                                             \
	"run timeprest --device reference --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 " \
	"--synthetic-train 16 --synthetic-test 4 --epochs 2 --clock virtual --costs uniform:1ms,1ms"

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

static struct cli_result run_ok(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	assert_string_equal(result.err, "");
	return result;
}

static int make_runs(void **state)
{
	(void)state;
	cli_remove_database();
	struct cli_result result = run_ok(SMALL " --repeats 2 --name first");
	cli_release(&result);
	return 0;
}

static void expect_harmless(const char *text)
{
	for (; *text; text++) {
		if (*text != '\n' && ((unsigned char)*text < ' ' || *text == 0x7f))
			fail_msg("control character %d before: %.40s", *text, text + 1);
	}
}

static void expect_narrow(const char *text)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		if (length > 120)
			fail_msg("%zu columns: %.*s", length, (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static void the_list_is_short_and_latest_first(void **state)
{
	(void)state;
	struct cli_result result = run_ok("show");
	int lines = 0;
	for (const char *at = result.out; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 3);
	const char *second = strstr(result.out, "\n    2 "), *first = strstr(result.out, "\n    1 ");
	assert_true(second && first && second < first);
	cli_expect_part(first, "timeprest");
	cli_expect_part(first, "virtual");
	cli_expect_part(first, "done");
	cli_expect_part(first, "yes   first");
	expect_narrow(result.out);
	expect_harmless(result.out);
	cli_release(&result);
}

static void the_list_as_json(void **state)
{
	(void)state;
	execute("UPDATE epoch SET window_end_ns = window_start_ns + 1000 * epoch WHERE run_id = 1");
	json_t *root = cli_run_json("show --json");
	json_t *runs = json_object_get(root, "runs"), *run = json_array_get(runs, 1);
	assert_int_equal(json_array_size(runs), query("SELECT count(*) FROM run"));
	assert_int_equal(json_integer_value(json_object_get(run, "run_id")), 1);
	assert_int_equal(json_integer_value(json_object_get(run, "epochs")), 2);
	assert_int_equal((int64_t)json_real_value(json_object_get(run, "median_epoch_ns")), 1500);
	assert_int_equal(json_integer_value(json_object_get(run, "started_unix_s")),
	                 query("SELECT started_unix_s FROM run WHERE run_id = 1"));
	assert_true(json_is_true(json_object_get(run, "valid")));
	assert_string_equal(json_string_value(json_object_get(run, "state")), "done");
	json_decref(root);
}

static void everything_about_a_run(void **state)
{
	(void)state;
	static const char *const parts[] = {"run 2: timeprest, mlp on synthetic, W 2, N 2, M 4, virtual clock",
	                                    "\nname        first\n",
	                                    "\nended       done after ",
	                                    "passed idle_closes\n",
	                                    "\nasked for, other than by default\n",
	                                    "\n  costs              uniform:1ms,1ms\n",
	                                    "\nepoch    window ms",
	                                    "\nstage, ms",
	                                    "\nat the peak, MiB",
	                                    "versions alive",
	                                    "\nran on\n",
	                                    "\n  tpbench_version ",
	                                    "flatten .. fc1"};
	struct cli_result result = run_ok("show 2");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		cli_expect_part(result.out, parts[i]);
	assert_null(strstr(result.out, "momentum  ")); /* as by default */
	expect_harmless(result.out);
	struct cli_result named = run_ok("show --run 2");
	assert_string_equal(named.out, result.out);
	cli_release(&named);
	*strstr(result.out, "\nran on\n") = '\0'; /* the compiler's flags may be many */
	expect_narrow(result.out);
	cli_release(&result);
}

static void a_run_as_json(void **state)
{
	(void)state;
	json_t *root = cli_run_json("show 1 --json"), *run = json_object_get(root, "run");
	assert_int_equal(json_integer_value(json_object_get(run, "run_id")), 1);
	assert_int_equal(json_array_size(json_object_get(run, "stages")), 2);
	assert_int_equal(json_array_size(json_object_get(run, "checks")),
	                 query("SELECT count(*) FROM run_check WHERE run_id = 1"));
	json_t *stage = json_array_get(json_object_get(run, "stages"), 1);
	assert_int_equal(json_integer_value(json_object_get(stage, "parameters")),
	                 query("SELECT parameter_count FROM stage WHERE run_id = 1 AND stage = 1"));
	json_t *epochs = json_object_get(json_array_get(json_object_get(root, "runs"), 0), "epochs");
	assert_int_equal(json_array_size(epochs), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(epochs, 1), "window_ns")),
	                 query("SELECT window_end_ns - window_start_ns FROM epoch WHERE run_id = 1 AND epoch = 2"));
	json_decref(root);
}

static void partial_runs(void **state)
{
	(void)state;
	execute("PRAGMA foreign_keys = off; DELETE FROM epoch WHERE run_id = 1; DELETE FROM run_check WHERE run_id = 1;"
	        "UPDATE run_end SET ending = 'failed', reason = 'it broke' WHERE run_id = 1;"
	        "UPDATE run_check SET passed = 0, detail = '7 ns are missing' WHERE run_id = 2 AND check_name = "
	        "'idle_closes';"
	        "DELETE FROM run_end WHERE run_id = 2; DELETE FROM environment; DELETE FROM run_parameter;"
	        "DELETE FROM stage_figures; DELETE FROM epoch_figures; DELETE FROM memory");
	struct cli_result result = run_ok("show 1");
	cli_expect_part(result.out, "ended       failed after ");
	cli_expect_part(result.out, ": it broke\n");
	cli_expect_part(result.out, "checks      none were made\n");
	cli_expect_part(result.out, "\nno epoch was stored\n");
	assert_null(strstr(result.out, "ran on"));
	cli_release(&result);
	result = run_ok("show 2");
	cli_expect_part(result.out, "ended       interrupted\n");
	cli_expect_part(result.out, "FAILED idle_closes: 7 ns are missing\n");
	cli_release(&result);
	result = run_ok("show");
	cli_expect_part(result.out, "failed      -");
	cli_expect_part(result.out, "interrupted NO ");
	cli_release(&result);
	json_decref(cli_run_json("show 1 --json"));
	json_decref(cli_run_json("show 2 --json"));
}

static void hostile_names(void **state)
{
	(void)state;
	execute("UPDATE run SET name = char(27) || '[2J' || char(10) || 'run 3', note = char(7), model = 'a' || "
	        "char(10) || "
	        "'b', dataset = CAST(x'c328' AS TEXT), comparison = char(155), schedule = 'x' || char(27) || ']0;t';"
	        "UPDATE run_check SET passed = 0, detail = 'one' || char(10) || char(27) || '[31m';"
	        "UPDATE stage SET layers = char(13) || 'l'; UPDATE run_parameter SET value = char(27) WHERE name = "
	        "'lr';"
	        "UPDATE environment SET value = char(8) WHERE name = 'os';");
	static const char *const commands[] = {"show", "show 1", "db list"};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct cli_result result = run_ok(commands[i]);
		expect_harmless(result.out);
		cli_expect_part(result.out, "\\x1b");
		cli_release(&result);
	}
	json_t *root = cli_run_json("show 1 --json"), *run = json_object_get(root, "run");
	assert_string_equal(json_string_value(json_object_get(run, "name")), "\033[2J\nrun 3");
	json_decref(root);
	root = cli_run_json("show --json");
	run = json_array_get(json_object_get(root, "runs"), 0);
	assert_string_equal(json_string_value(json_object_get(run, "dataset")), "\xef\xbf\xbd(");
	json_decref(root);
}

static void what_is_not_there(void **state)
{
	(void)state;
	cli_expect_refusal("show 9", "tpbench.db", "no run 9");
	cli_expect_refusal("show 9 --json", "tpbench.db", "no run 9");
	cli_expect_refusal("show x", "--run", "x");
	cli_expect_refusal("show --db none.db", "none.db", NULL);
	execute("PRAGMA foreign_keys = off; DELETE FROM run");
	struct cli_result result = run_ok("show");
	cli_expect_part(result.out, "  run started");
	assert_ptr_equal(strchr(result.out, '\n') + 1, result.out + strlen(result.out));
	cli_release(&result);
	json_t *root = cli_run_json("show --json");
	assert_int_equal(json_array_size(json_object_get(root, "runs")), 0);
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(the_list_is_short_and_latest_first, make_runs),
	        cmocka_unit_test_setup(the_list_as_json, make_runs),
	        cmocka_unit_test_setup(everything_about_a_run, make_runs),
	        cmocka_unit_test_setup(a_run_as_json, make_runs),
	        cmocka_unit_test_setup(partial_runs, make_runs),
	        cmocka_unit_test_setup(hostile_names, make_runs),
	        cmocka_unit_test_setup(what_is_not_there, make_runs),
	};
	if (argc != 2)
		return 2;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
