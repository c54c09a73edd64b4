/* What ran on a stand-in for a GPU is told without times, in every format: one database, once as of a CPU, whose times
 * are printed, and once as of a stand-in. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "reports/reports.h"
#include "results/store.h"
#include "tests/cli/harness.h"

#define SMALL                                                                                          \
	" --device reference --model mlp --hidden 8 --micro-batches 2 --batch 4 --synthetic-train 48 " \
	"--synthetic-test 20 --epochs 2"
#define SWEEP "sweep gpipe --stages 2..3" SMALL
#define REASON "device stands in for a GPU and its clock says nothing"

/* An epoch of 48 samples takes 38.961039 ms: 1231.99997 samples/s and 92399.998 epochs/h. No other number is like it.
 */
#define WINDOW_NS "38961039"
static const char *const times[] = {WINDOW_NS, "38.96", "39.0 done", "1232.0", "1231.99", "92399.99"};

static void execute(const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open("tpbench.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void run_on(const char *device)
{
	char sql[96];
	(void)snprintf(sql, sizeof sql, "UPDATE run SET device = '%s'", device);
	execute(sql);
}

static int fill(void **state)
{
	(void)state;
	static const char *const commands[] = {"--compare timeprest,pipedream --stages 3 --repeats 2" SMALL, SWEEP};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct cli_result result = cli_run(commands[i]);
		cli_expect_exit(&result, commands[i], 0);
		cli_release(&result);
	}
	execute("UPDATE epoch SET window_end_ns = window_start_ns + " WINDOW_NS);
	return 0;
}

/* Which time is in the text; NULL: none. */
static const char *find_time(const char *text)
{
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		if (strstr(text, times[i]))
			return times[i];
	}
	return NULL;
}

static char *output_of(const char *command)
{
	struct cli_result result = cli_run(command);
	cli_expect_exit(&result, command, 0);
	char *text = strdup(result.out);
	cli_release(&result);
	return text;
}

/* `where`: what was written, for messages. */
static void expect_time(const char *where, const char *text, bool timed)
{
	const char *found = find_time(text);
	if (timed && !found)
		fail_msg("%s: expected times, found: %.400s", where, text);
	if (!timed && found)
		fail_msg("%s: expected no times, found %s", where, found);
}

static void no_output_has_a_time(void **state)
{
	(void)state;
	static const struct {
		const char *command, *said; /* said of a stand-in; NULL: `-` or null is enough */
	} outputs[] = {
	        {"show", NULL},
	        {"show --json", NULL},
	        {"show 1", "\ntimes: none, fakecuda (no GPU) stands in for a GPU and its clock says nothing\n"},
	        {"show 1 --json", "\"stand_in\": true"},
	        {"report --format text", REASON},
	        {"report --format markdown", "6 runs left out"},
	        {"report --format csv", NULL},
	        {"report --format json", "\"stand_in_runs\": 6"},
	        {"report --format latex", REASON},
	        {"report --format html", REASON},
	        {SWEEP, "none of 2 runs, whose " REASON},
	        {SWEEP " --json", "\"stand_in_runs\": 2"},
	};
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
		run_on("cpu");
		char *text = output_of(outputs[i].command);
		expect_time(outputs[i].command, text, true);
		assert_null(strstr(text, "stands in"));
		free(text);
		run_on("fakecuda (no GPU)");
		text = output_of(outputs[i].command);
		expect_time(outputs[i].command, text, false);
		cli_expect_part(text, outputs[i].said ? outputs[i].said : "");
		free(text);
	}
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long bytes = ftell(file);
	char *text = calloc(1, (size_t)bytes + 1);
	rewind(file);
	assert_true(text && fread(text, 1, (size_t)bytes, file) == (size_t)bytes);
	(void)fclose(file);
	return text;
}

static void the_page_says_what_it_leaves_out(void **state)
{
	(void)state;
	run_on("cpu");
	free(output_of("report --out timed"));
	char *page = read_file("timed/index.html");
	expect_time("index.html", page, true);
	free(page);
	run_on("fakecuda (no GPU)");
	free(output_of("report --out page"));
	page = read_file("page/index.html");
	expect_time("index.html", page, false);
	cli_expect_part(page, "<p class=\"warn\">6 runs left out: their " REASON);
	cli_expect_part(page,
	                "<td class=\"text\">fakecuda (no GPU) stands in for a GPU and its clock says nothing</td>");
	free(page);
}

/* What --compare and `run` print, of runs that are stored. */
static char *report_of(enum tp_status (*write)(const struct tp_report *report, struct tp_text *out))
{
	static const int64_t run_ids[] = {1, 2, 3, 4};
	struct tp_store *store;
	struct tp_report *report;
	struct tp_text text = {0};
	assert_int_equal(tp_store_open_readonly("tpbench.db", &store), TP_OK);
	assert_int_equal(tp_report_read(store, "tpbench.db", run_ids, 4, &report), TP_OK);
	assert_int_equal(write(report, &text), TP_OK);
	char *copy = strdup(tp_text_get(&text));
	tp_text_release(&text);
	tp_report_free(report);
	tp_store_close(store);
	return copy;
}

static enum tp_status write_compare(const struct tp_report *report, struct tp_text *out)
{
	tp_report_write_compare(report, out);
	return TP_OK;
}

static enum tp_status write_run(const struct tp_report *report, struct tp_text *out)
{
	tp_report_write_run(report, out);
	return TP_OK;
}

static void a_comparison_keeps_what_is_no_time(void **state)
{
	(void)state;
	enum tp_status (*const writers[])(const struct tp_report *report,
	                                  struct tp_text *out) = {write_compare, write_run, tp_report_write_json};
	static const char *const kept[] = {"learning", "versions alive", "\"peak_total_bytes\": "};
	for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
		run_on("cpu");
		char *text = report_of(writers[i]);
		expect_time("report", text, true);
		free(text);
		run_on("fakecuda (no GPU)");
		text = report_of(writers[i]);
		expect_time("report", text, false);
		cli_expect_part(text, kept[i]);
		assert_null(strstr(text, "times are measured"));
		assert_null(strstr(text, "steady window"));
		free(text);
	}
}

/* No key that is a time, a rate or a ratio of times holds a number, at any depth; says how many there were. */
static int expect_nulls(json_t *value)
{
	static const char *const parts[] = {"_ns", "_per_s", "idle_", "alpha", "difference_ratio", "seconds"};
	const char *name;
	json_t *member;
	size_t i;
	int count = 0;
	json_object_foreach(value, name, member)
	{
		bool of_time = false;
		for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
			of_time = of_time || (strstr(name, parts[p]) && !strstr(name, "per_sample"));
		if (of_time && !json_is_null(member))
			fail_msg("expected null of %s", name);
		count += of_time ? 1 : expect_nulls(member);
	}
	json_array_foreach(value, i, member) count += expect_nulls(member);
	return count;
}

static void json_has_null_for_times(void **state)
{
	(void)state;
	run_on("fakecuda (no GPU)");
	json_t *root = cli_run_json("show 1 --json");
	assert_true(expect_nulls(json_object_get(root, "schedules")) > 10);
	assert_true(expect_nulls(json_object_get(root, "runs")) > 30);
	json_decref(root);
	run_on("cpu");
	root = cli_run_json("show 1 --json");
	assert_true(json_is_false(json_object_get(root, "stand_in")));
	json_decref(root);
}

static void databases_are_not_compared_by_it(void **state)
{
	(void)state;
	run_on("cpu");
	char *text = output_of("diff tpbench.db tpbench.db");
	expect_time("diff", text, true);
	free(text);
	execute("UPDATE run SET device = 'fakecuda (no GPU)' WHERE run_id > 4");
	text = output_of("diff tpbench.db tpbench.db");
	expect_time("diff", text, true);
	cli_expect_part(text, "# of A 2 runs left out: their " REASON);
	free(text);
	run_on("fakecuda (no GPU)");
	cli_expect_refusal("diff tpbench.db tpbench.db", "tpbench.db", "clock says nothing");
}

/* Nor does another run go by its times. */
static void it_has_no_costs(void **state)
{
	(void)state;
	static const char simulate[] = "simulate timeprest --stages 3 --micro-batches 2 --batch 4 --costs run:1";
	run_on("cpu");
	free(output_of(simulate));
	run_on("fakecuda (no GPU)");
	cli_expect_refusal(simulate, "--costs run:1", "clock says nothing");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_output_has_a_time),
	        cmocka_unit_test(the_page_says_what_it_leaves_out),
	        cmocka_unit_test(a_comparison_keeps_what_is_no_time),
	        cmocka_unit_test(json_has_null_for_times),
	        cmocka_unit_test(databases_are_not_compared_by_it),
	        cmocka_unit_test(it_has_no_costs),
	};
	if (argc != 2)
		return 2;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, fill, NULL);
	cli_leave_folder();
	return failed;
}
