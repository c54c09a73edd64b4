/* tpbench claims on databases that real small comparisons made: its verdicts against SQL, and that each command it
 * prints tests its claim. argv[1] is the built tpbench. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

/* 10 mini-batches of 48 samples, on 3 stages, as fast as they go. */
#define SMALL                                                                                                     \
	" --device reference --model mlp --hidden 8 --synthetic-train 480 --synthetic-test 4 --stages 3 --clock " \
	"virtual"                                                                                                 \
	" --costs flops --link 100mbit,50us"

static int begin(void **state)
{
	(void)state;
	cli_remove_database();
	return 0;
}

static void run_well(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
}

static json_t *find_claim(json_t *root, const char *id)
{
	size_t c;
	json_t *claim;
	json_array_foreach(json_object_get(root, "claims"), c, claim)
	{
		if (strcmp(json_string_value(json_object_get(claim, "id")), id) == 0)
			return claim;
	}
	fail_msg("no claim %s", id);
	return NULL;
}

static const char *verdict_of(json_t *root, const char *id)
{
	return json_string_value(json_object_get(find_claim(root, id), "verdict"));
}

static void expect_verdict(json_t *root, const char *id, const char *verdict)
{
	if (strcmp(verdict_of(root, id), verdict) != 0)
		fail_msg("%s: expected '%s', found '%s'", id, verdict, verdict_of(root, id));
}

static json_t *measure_of(json_t *root, const char *id)
{
	json_t *finding = json_array_get(json_object_get(find_claim(root, id), "findings"), 0);
	return json_array_get(json_object_get(finding, "measures"), 0);
}

/* The first column of the first row, as a number. */
static double query(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *row;
	assert_int_equal(sqlite3_open_v2("tpbench.db", &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	double value = sqlite3_column_double(row, 0);
	(void)sqlite3_finalize(row);
	(void)sqlite3_close(db);
	return value;
}

static double query_of(const char *schedule, const char *column)
{
	char sql[256];
	(void)snprintf(sql, sizeof sql, "select avg(%s) from compare where schedule = '%s'", column, schedule);
	return query(sql);
}

/* The value of a claim's only measure is the ratio of a column of the view `compare`, and the verdict follows from it.
 */
static void expect_ratio(json_t *root, const char *id, const char *subject, const char *other, const char *column,
                         bool less)
{
	double ratio = query_of(subject, column) / query_of(other, column);
	double found = json_number_value(json_object_get(measure_of(root, id), "value"));
	if (!(fabs(found - ratio) < 1e-9))
		fail_msg("%s: expected %.12g, found %.12g", id, ratio, found);
	expect_verdict(root, id, (less ? ratio < 1 : ratio > 1) ? "holds" : "fails");
}

static void verdicts_follow_from_the_database(void **state)
{
	(void)state;
	run_well(
	        "--compare gpipe,pipedream,timeprest,timeprest-stash,timeprest-1f1b,1f1b --epochs 2 --repeats 2" SMALL);
	json_t *root = cli_run_json("claims --format json");
	expect_ratio(root, "C01", "timeprest", "pipedream", "mean_epoch_ns", true);
	expect_ratio(root, "C02", "timeprest", "pipedream", "stages_peak_bytes", true);
	expect_ratio(root, "C04", "1f1b", "timeprest", "stages_peak_bytes", true);
	expect_ratio(root, "C15", "timeprest-stash", "timeprest", "stages_peak_bytes", false);
	expect_ratio(root, "C16", "timeprest-1f1b", "timeprest", "mean_epoch_ns", false);
	double alpha = query_of("timeprest", "alpha_ratio") - query_of("pipedream", "alpha_ratio");
	assert_true(fabs(json_number_value(json_object_get(measure_of(root, "C13"), "value")) - alpha) < 1e-9);
	expect_verdict(root, "C13", alpha > 0 ? "holds" : "fails");
	double sent = query("select sum(message_bytes) * 1.0 / (select sum(message_bytes) from message join run using "
	                    "(run_id) where schedule = 'gpipe') from message join run using (run_id) where schedule = "
	                    "'timeprest'");
	assert_true(fabs(json_number_value(json_object_get(measure_of(root, "C12"), "value")) - sent) < 1e-9);
	expect_verdict(root, "C12", fabs(sent / (4.0 / 6) - 1) <= 0.05 ? "holds" : "fails");
	expect_verdict(root, "C05", "not tested"); /* one seed */
	expect_verdict(root, "C14", "not tested");
	expect_verdict(root, "C21", "not tested"); /* costs were given */
	json_decref(root);
}

static void seeds_are_samples(void **state)
{
	(void)state;
	run_well("sweep timeprest,timeprest-stash --epochs 2 --seed 1..3 --lr 0.02" SMALL);
	json_t *root = cli_run_json("claims --format json");
	json_t *measure = measure_of(root, "C14");
	assert_int_equal(json_integer_value(json_object_get(measure, "subject_count")), 3);
	assert_true(fabs(json_number_value(json_object_get(measure, "confidence")) - 0.9) < 1e-9);
	double median =
	        query("select 100 * test_top1_share from epoch join run using (run_id) where schedule = 'timeprest' "
	              "and epoch = 2 order by test_top1_share limit 1 offset 1");
	assert_true(fabs(json_number_value(json_object_get(measure, "other")) - median) < 1e-9);
	json_decref(root);
}

/* Slot plans need no run: Eq. 2 and the chains hold on the grid, Eq. 3 does not from W = 6, N = 2 on. */
static void plans_need_no_run(void **state)
{
	(void)state;
	run_well("run gpipe --epochs 1" SMALL);
	json_t *root = cli_run_json("claims --format json");
	expect_verdict(root, "C09", "holds");
	expect_verdict(root, "C10", "fails");
	expect_verdict(root, "C11", "holds");
	assert_int_equal(json_number_value(json_object_get(measure_of(root, "C09"), "other")), 15 * 8);
	cli_expect_part(json_string_value(json_object_get(measure_of(root, "C10"), "note")), "W = 6, N = 2, v = 2");
	json_decref(root);
}

/* In static order with W <= N + 1, v is 1 and nothing is stale. */
static void static_order_has_no_staleness(void **state)
{
	(void)state;
	run_well("run timeprest --order static --epochs 1" SMALL);
	json_t *root = cli_run_json("claims --format json");
	static const char *const ids[] = {"C08", "C09", "C11"};
	for (size_t i = 0; i < 3; i++)
		expect_verdict(root, ids[i], "holds");
	assert_int_equal(query("select max(version_live - version_read) from operation where kind = 'B'"), 0);
	json_decref(root);
}

/* Made small, it has runs that the claim sets side by side. */
static void expect_command_tests(json_t *claim)
{
	const char *id = json_string_value(json_object_get(claim, "id"));
	char arguments[512];
	cli_remove_database();
	(void)snprintf(
	        arguments, sizeof arguments,
	        "%s --device reference --model mlp --hidden 8 --synthetic-train 192 --synthetic-test 4 --epochs 1 "
	        "--repeats 1",
	        json_string_value(json_object_get(claim, "command")) + strlen("tpbench "));
	run_well(arguments);
	json_t *root = cli_run_json("claims --format json");
	size_t f, with_runs = 0;
	json_t *finding;
	json_array_foreach(json_object_get(find_claim(root, id), "findings"), f, finding) with_runs +=
	        json_array_size(json_object_get(finding, "sides")) > 0;
	if (with_runs == 0)
		fail_msg("%s is not tested by: %s", id, arguments);
	json_decref(root);
}

static void commands_test_their_claims(void **state)
{
	(void)state;
	run_well("run gpipe --epochs 1" SMALL);
	json_t *root = cli_run_json("claims --format json");
	size_t c;
	json_t *claim;
	json_array_foreach(json_object_get(root, "claims"), c, claim) expect_command_tests(claim);
	json_decref(root);
}

static void forms(void **state)
{
	(void)state;
	cli_expect_refusal("claims --db none.db", "none.db", NULL);
	cli_expect_refusal("claims --format html", "--format", "text|markdown|json");
	run_well("run gpipe --epochs 1" SMALL);
	struct cli_result text = cli_run("claims"), markdown = cli_run("claims --format markdown");
	cli_expect_exit(&text, "claims", 0);
	cli_expect_exit(&markdown, "claims --format markdown", 0);
	cli_expect_part(text.out, "C01  not tested  an epoch takes less time than under PipeDream");
	cli_expect_part(text.out, "2 of 21 claims hold, 1 fail, 0 are mixed, 18 are not tested");
	cli_expect_part(markdown.out, "| C21 | ");
	assert_null(strchr(text.out, '\033')); /* no terminal */
	cli_release(&text);
	cli_release(&markdown);
}

/* docs/reports.md says of every claim how it is judged. */
static void the_page_names_every_claim(void **state)
{
	(void)state;
	enum { MOST = 1 << 17 };
	FILE *file = fopen(TPBENCH_SOURCE_DIR "/docs/reports.md", "r");
	char *page = calloc(1, MOST);
	assert_non_null(file);
	assert_non_null(page);
	assert_true(fread(page, 1, MOST - 1, file) > 0);
	(void)fclose(file);
	run_well("run gpipe --epochs 1" SMALL);
	json_t *root = cli_run_json("claims --format json");
	size_t c;
	json_t *claim;
	json_array_foreach(json_object_get(root, "claims"), c, claim)
	{
		char row[32];
		(void)snprintf(row, sizeof row, "| `%s` |", json_string_value(json_object_get(claim, "id")));
		cli_expect_part(page, row);
	}
	json_decref(root);
	free(page);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(verdicts_follow_from_the_database, begin),
	        cmocka_unit_test_setup(seeds_are_samples, begin),
	        cmocka_unit_test_setup(plans_need_no_run, begin),
	        cmocka_unit_test_setup(static_order_has_no_staleness, begin),
	        cmocka_unit_test_setup(commands_test_their_claims, begin),
	        cmocka_unit_test_setup(forms, begin),
	        cmocka_unit_test_setup(the_page_names_every_claim, begin),
	};
	if (argc != 2)
		return 1;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
