/* tpbench diff between a database that the program filled and copies of it that were meddled with. Times are those of
 * the virtual clock, so that nothing depends on the machine. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

#define SMALL                                                                                  \
	"--device reference --model mlp --hidden 8 --stages 2 --batch 4 --synthetic-train 16 " \
	"--synthetic-test 4 --epochs 2 --clock virtual --costs uniform:1ms,1ms"
#define METRICS 9 /* without measured-predicted, of the real clock */

static void run_ok(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
}

static void execute(const char *path, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	char *why = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	(void)sqlite3_close(db);
}

/* A.db: three runs of one experiment, four of another, one of a third; and B.db, a copy of it. */
static int make_databases(void **state)
{
	(void)state;
	static bool made;
	if (!made) {
		run_ok("run timeprest " SMALL " --micro-batches 2 --repeats 3 --db A.db");
		run_ok("run gpipe " SMALL " --micro-batches 2 --repeats 4 --db A.db");
		run_ok("run gpipe " SMALL " --micro-batches 3 --db A.db");
	}
	made = true;
	(void)remove("B.db");
	execute("A.db", "VACUUM INTO 'B.db'");
	return 0;
}

/* By a tenth, whatever the epoch took. */
static const char slow_down[] =
        "UPDATE epoch SET window_end_ns = window_start_ns + (window_end_ns - window_start_ns) * 11 / 10;"
        "UPDATE stage_figures SET window_ns = window_ns * 11 / 10, compute_ns = compute_ns * 11 / 10";

static json_t *diff_json(const char *arguments, int exit_code)
{
	struct cli_result result = cli_run(arguments);
	json_error_t error;
	cli_expect_exit(&result, arguments, exit_code);
	json_t *root = json_loads(result.out, 0, &error);
	if (!root)
		fail_msg("%s: %s", arguments, error.text);
	cli_release(&result);
	return root;
}

static int64_t verdicts(json_t *root, const char *verdict)
{
	return json_integer_value(json_object_get(json_object_get(root, "verdicts"), verdict));
}

static json_t *metric_of(json_t *root, size_t group, const char *name)
{
	json_t *metrics = json_object_get(json_array_get(json_object_get(root, "groups"), group), "metrics"), *metric;
	size_t i;
	json_array_foreach(metrics, i, metric)
	{
		if (strcmp(json_string_value(json_object_get(metric, "metric")), name) == 0)
			return metric;
	}
	fail_msg("no metric %s", name);
	return NULL;
}

static double number_at(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text_at(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
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

static void identical_databases_are_the_same(void **state)
{
	(void)state;
	json_t *root = diff_json("diff A.db B.db --json", 0);
	assert_int_equal(json_array_size(json_object_get(root, "groups")), 3);
	assert_int_equal(verdicts(root, "same"), 3 * METRICS);
	assert_int_equal(json_array_size(json_object_get(root, "environment_differs")), 0);
	json_decref(root);
	struct cli_result result = cli_run("diff A.db B.db"), again = cli_run("diff A.db B.db");
	cli_expect_exit(&result, "diff", 0);
	assert_string_equal(result.err, "");
	assert_string_equal(result.out, again.out);
	cli_expect_part(result.out, "# 0 worse, 0 better, 27 same, 0 unclear, beyond 5 % or points\n");
	assert_null(strchr(result.out, '\033'));
	assert_null(strstr(result.out, "WARNING"));
	expect_narrow(result.out);
	cli_release(&result);
	cli_release(&again);
}

/* 6 epochs of the first, 4 runs of the second; the third has one run of two epochs, too few to tell. */
static void a_slow_down_is_a_regression(void **state)
{
	(void)state;
	execute("B.db", slow_down);
	json_t *root = diff_json("diff A.db B.db --threshold 5% --json", 1);
	assert_int_equal(verdicts(root, "worse"), 4);
	assert_int_equal(verdicts(root, "unclear"), 2);
	for (size_t group = 0; group < 2; group++) {
		json_t *line = metric_of(root, group, "epoch-time");
		assert_string_equal(text_at(line, "verdict"), "worse");
		assert_string_equal(text_at(line, "samples"), group == 0 ? "epochs" : "runs");
		assert_int_equal(json_integer_value(json_object_get(line, "b_count")), group == 0 ? 6 : 4);
		assert_true(number_at(line, "change") > 0.0999 && number_at(line, "change") < 0.1001);
		assert_true(number_at(line, "confidence_share") >= 0.95);
		assert_string_equal(text_at(metric_of(root, group, "samples-per-s"), "verdict"), "worse");
		assert_string_equal(text_at(metric_of(root, group, "peak-memory"), "verdict"), "same");
	}
	json_decref(root);
	root = diff_json("diff A.db B.db --threshold 0.2 --json", 0);
	assert_int_equal(verdicts(root, "worse"), 0);
	assert_int_equal(verdicts(root, "better"), 0);
	json_decref(root);
	root = diff_json("diff B.db A.db --json", 0);
	assert_int_equal(verdicts(root, "better"), 4);
	json_decref(root);
	struct cli_result result = cli_run("diff A.db B.db");
	cli_expect_exit(&result, "diff", 1);
	cli_expect_part(result.out, "epochs  worse\n");
	cli_expect_part(result.out, "# 2 unclear for want of values; 4 on each side give 95 %\n");
	cli_expect_part(result.err, "tpbench: diff: 4 figures of B.db worse by more than 5 %\n");
	expect_narrow(result.out);
	cli_release(&result);
}

static void each_figure_is_that_of_the_database(void **state)
{
	(void)state;
	execute("B.db", "UPDATE epoch_figures SET idle_total_ratio = idle_total_ratio + 0.25, "
	                "version_difference_mean_count = 3 * version_difference_mean_count;"
	                "UPDATE memory SET at_peak_bytes = 2 * at_peak_bytes WHERE stage = 0;"
	                "UPDATE epoch SET test_loss = test_loss / 2, test_top1_share = 0.5 WHERE epoch = 2");
	json_t *root = diff_json("diff A.db B.db --json", 1);
	json_t *idle = metric_of(root, 1, "idle-total"), *mean = metric_of(root, 1, "v-mean"),
	       *loss = metric_of(root, 1, "test-loss"), *top1 = metric_of(root, 1, "test-top1"),
	       *peak = metric_of(root, 1, "peak-memory"), *fullest = metric_of(root, 1, "peak-stage");
	assert_string_equal(text_at(idle, "change_kind"), "difference");
	assert_true(number_at(idle, "change") > 0.2499 && number_at(idle, "change") < 0.2501);
	assert_string_equal(text_at(idle, "verdict"), "worse");
	assert_true(number_at(mean, "change") > 1.9999 && number_at(mean, "change") < 2.0001);
	assert_true(number_at(loss, "change") > -0.5001 && number_at(loss, "change") < -0.4999);
	assert_string_equal(text_at(loss, "verdict"), "better");
	assert_string_equal(text_at(top1, "verdict"), "better");
	assert_int_equal(
	        (int64_t)number_at(peak, "b_median"),
	        cli_query("B.db",
	                  "SELECT sum(at_peak_bytes) FROM memory WHERE run_id = 4 AND epoch = 1 AND stage >= 0"));
	assert_int_equal(
	        (int64_t)number_at(fullest, "a_median"),
	        cli_query("A.db", "SELECT max(s) FROM (SELECT sum(at_peak_bytes) AS s FROM memory WHERE run_id = 4 AND "
	                          "epoch = 1 AND stage >= 0 GROUP BY stage)"));
	json_decref(root);
	root = diff_json("diff A.db B.db --json --metric v-max,epoch-time", 0);
	assert_int_equal(verdicts(root, "same"), 6);
	json_decref(root);
}

static void unlike_experiments_are_not_compared(void **state)
{
	(void)state;
	execute("B.db",
	        "UPDATE run SET config_text = replace(config_text, 'batch=4', 'batch=8'), batch_samples = 8 WHERE "
	        "schedule = 'gpipe'");
	struct cli_result result = cli_run("diff A.db B.db");
	cli_expect_exit(&result, "diff", 0);
	cli_expect_part(result.out, "\nonly in A: gpipe: mlp on synthetic, W 2, N 2, M 4,");
	cli_expect_part(result.out, "\nonly in B: gpipe: mlp on synthetic, W 2, N 2, M 8,");
	cli_release(&result);
	json_t *root = diff_json("diff A.db B.db --json", 0);
	assert_int_equal(json_array_size(json_object_get(root, "groups")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "only_in_a")), 2);
	assert_int_equal(json_array_size(json_object_get(root, "only_in_b")), 2);
	json_decref(root);
	execute("B.db", "UPDATE run SET config_text = replace(config_text, 'lr=0.01', 'lr=0.02')");
	cli_expect_refusal("diff A.db B.db", "nothing to compare: run 1 of A.db and run 1 of B.db",
	                   "differ in --lr ('0.01' and '0.02')");
}

static void other_machines_are_said(void **state)
{
	(void)state;
	execute("B.db", "UPDATE environment SET value = 'Cray ' || char(27) || '[31m' WHERE name = 'cpu_model';"
	                "UPDATE environment SET value = 'f00' WHERE name = 'commit';"
	                "UPDATE environment SET name = 'o' || char(10) || 's' WHERE name = 'os';"
	                "UPDATE environment SET name = 'k' || char(0) || 's' WHERE name = 'kernel';"
	                "UPDATE epoch SET profile_level = 'kernels'");
	struct cli_result result = cli_run("diff A.db B.db");
	cli_expect_exit(&result, "diff", 0);
	cli_expect_part(result.out, "# WARNING: A and B differ in cpu_model: ");
	cli_expect_part(result.out, " against Cray \\x1b[31m\n");
	cli_expect_part(result.out, "\n# commit: ");
	cli_expect_part(result.out, "\n# WARNING: A and B differ in profile_level: ops against kernels\n");
	cli_expect_part(result.out, "\n# WARNING: A and B differ in o s: - against ");
	cli_release(&result);
	json_t *root = diff_json("diff A.db B.db --json", 0);
	assert_int_equal(json_array_size(json_object_get(root, "environment_differs")), 6);
	json_decref(root);
}

static void empty_and_partial_databases(void **state)
{
	(void)state;
	execute("B.db", "DELETE FROM epoch_figures; DELETE FROM memory;"
	                "UPDATE run_end SET ending = 'failed' WHERE run_id = 4; DELETE FROM run_end WHERE run_id = 8;"
	                "UPDATE epoch SET test_loss = NULL, test_samples = NULL");
	struct cli_result result = cli_run("diff A.db B.db");
	cli_expect_exit(&result, "diff", 0);
	cli_expect_part(result.out, "idle/total %");
	cli_expect_part(result.out, "            -");
	cli_expect_part(result.out, "\n# 2 runs of B left out: not done, not valid, or without an epoch\n");
	cli_expect_part(result.out, "\nonly unusable runs in B: gpipe");
	cli_release(&result);
	json_t *root = diff_json("diff A.db B.db --json", 0), *idle = metric_of(root, 0, "idle-total");
	assert_true(json_is_null(json_object_get(idle, "b_median")));
	assert_true(json_is_null(json_object_get(idle, "change")));
	assert_string_equal(text_at(idle, "verdict"), "unclear");
	json_decref(root);
	execute("B.db", "UPDATE run_end SET ending = 'failed'");
	cli_expect_refusal("diff A.db B.db", "database 'B.db' has no run", "done");
	execute("B.db", "PRAGMA foreign_keys = off; DELETE FROM run");
	cli_expect_refusal("diff A.db B.db", "database 'B.db' has no run", "done");
	cli_expect_refusal("diff B.db A.db", "database 'B.db' has no run", "done");
}

static void hostile_names(void **state)
{
	(void)state;
	static const char sql[] = "UPDATE run SET schedule = char(27) || '[2J', model = char(10) || 'm', dataset = "
	                          "CAST(x'ff' AS TEXT)";
	execute("B.db", sql);
	struct cli_result result = cli_run("diff B.db B.db");
	cli_expect_exit(&result, "diff", 0);
	cli_expect_part(result.out, "\n\\x1b[2J: \\x0am on \xef\xbf\xbd, W 2");
	cli_release(&result);
	json_t *root = diff_json("diff B.db B.db --json", 0),
	       *group = json_array_get(json_object_get(root, "groups"), 0);
	assert_string_equal(text_at(group, "schedule"), "\033[2J");
	assert_string_equal(text_at(group, "dataset"), "\xef\xbf\xbd");
	json_decref(root);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("diff", "expected two databases", "found 0");
	cli_expect_refusal("diff A.db", "expected two databases", "found 1");
	cli_expect_refusal("diff A.db B.db C.db", "expected two databases", "found 3");
	cli_expect_refusal("diff A.db none.db", "none.db", NULL);
	cli_expect_refusal("diff A.db B.db --threshold 5", "--threshold", "5%");
	cli_expect_refusal("diff A.db B.db --threshold -1%", "--threshold", "-1");
	cli_expect_refusal("diff A.db B.db --threshold %", "--threshold", NULL);
	cli_expect_refusal("diff A.db B.db --metric v-mox", "unknown metric 'v-mox'", "v-max");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(identical_databases_are_the_same, make_databases),
	        cmocka_unit_test_setup(a_slow_down_is_a_regression, make_databases),
	        cmocka_unit_test_setup(each_figure_is_that_of_the_database, make_databases),
	        cmocka_unit_test_setup(unlike_experiments_are_not_compared, make_databases),
	        cmocka_unit_test_setup(other_machines_are_said, make_databases),
	        cmocka_unit_test_setup(empty_and_partial_databases, make_databases),
	        cmocka_unit_test_setup(hostile_names, make_databases),
	        cmocka_unit_test_setup(wrong_usage_is_refused, make_databases),
	};
	if (argc != 2)
		return 2;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
