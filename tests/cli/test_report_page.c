/* `tpbench report` as a page and in folders: whole or not at all, valid, and harmless whatever a database says. argv[1]
 * is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "tests/cli/harness.h"
#include "tests/cli/report_fixture.h"

/* --- folders ---------------------------------------------------------------------------------------------------------
 */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is not there", path);
	struct tp_text text = {0};
	for (int c; (c = fgetc(file)) != EOF;)
		tp_text_add(&text, "%c", c);
	(void)fclose(file);
	char *copy = strdup(tp_text_get(&text));
	tp_text_release(&text);
	return copy;
}

static bool is_installed(const char *tool)
{
	char command[64];
	(void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", tool);
	bool installed = system(command) == 0;
	if (!installed)
		print_message("SKIPPED: no %s\n", tool);
	return installed;
}

/* Cells in lines of the same length, as many as the heading has. */
static void expect_rectangle(const char *csv)
{
	const char *at = csv, *end = strstr(csv, "\r\n");
	char cell[4096];
	size_t columns = 0, cells = 0;
	assert_non_null(end);
	for (; at < end + 2; columns++)
		take_csv(&at, cell, sizeof cell);
	for (; *at; cells++)
		take_csv(&at, cell, sizeof cell);
	assert_true(columns > 10 && cells >= 5 * columns);
	assert_int_equal(cells % columns, 0);
}

/* A page is valid, loads nothing, and ends; its tables compile. */
static void expect_folder(const char *folder)
{
	static const char *const names[] = {"summary.md", "summary.csv", "summary.json", "summary.tex"};
	char command[256];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(command, sizeof command, "%s/%s", folder, names[i]);
		free(read_file(command));
	}
	(void)snprintf(command, sizeof command, "%s/index.html", folder);
	char *page = read_file(command);
	static const char *const outside[] = {"src=", "@import", "url(\"", "url(//"};
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
		if (strstr(page, outside[i]))
			fail_msg("the page has '%s'", outside[i]);
	}
	static const char namespaces[] = "http://www.w3.org/"; /* names, which nothing is fetched from */
	for (const char *at = page; (at = strstr(at, "http")) != NULL; at++) {
		if (strncmp(at, namespaces, sizeof namespaces - 1) != 0)
			fail_msg("the page has '%.60s'", at);
	}
	cli_expect_part(page, "</html>");
	free(page);
	(void)snprintf(command, sizeof command, "tidy -q -e %s/index.html >tidy.txt 2>&1", folder);
	if (is_installed("tidy") && system(command) != 0)
		fail_msg("tidy: %s", read_file("tidy.txt"));
	(void)snprintf(command, sizeof command,
	               "cd %s && pdflatex -halt-on-error -interaction=batchmode summary.tex >../latex.txt 2>&1",
	               folder);
	if (is_installed("pdflatex") && system("kpsewhich booktabs.sty >/dev/null 2>&1") == 0 && system(command) != 0)
		fail_msg("pdflatex: %s", read_file("latex.txt"));
}

static void a_folder_is_complete(void **state)
{
	(void)state;
	struct cli_result result = cli_run("report --out page/");
	cli_expect_exit(&result, "report --out page/", 0);
	assert_string_equal(result.out, "page/index.html\n");
	cli_release(&result);
	expect_folder("page");
	char *page = read_file("page/index.html");
	cli_expect_part(page, "&lt;i&gt;why&lt;/i&gt;");               /* why a run is left out */
	cli_expect_part(page, "timeprest, W = 3, N = 2, ideal slots"); /* the paper's Fig. 2 */
	cli_expect_part(page, "<tr class=\"set\">");                   /* rows that can be compared stand together */
	cli_expect_part(page, "link 1mbit,50us");
	cli_expect_part(page, "<details id=\"claim-C01\"");
	cli_expect_part(page, "This would give it:"); /* of figures without runs */
	free(page);
	cli_write_file("page/other.txt", "mine", 4); /* stays; the rest is replaced */
	run_done("report --out page --baseline timeprest");
	assert_int_equal(access("page/other.txt", F_OK), 0);
	result = cli_run("report --format html --baseline timeprest");
	cli_expect_part(result.out, "samples/s against timeprest");
	cli_release(&result);
	assert_int_equal(system("ls -d page.* 2>/dev/null | grep -q ."), 256); /* nothing is left beside it */
}

static void what_cannot_be_written_leaves_nothing(void **state)
{
	(void)state;
	struct cli_result result = cli_run_limited("report --out full", 4000);
	cli_expect_exit(&result, "report --out full", 1);
	cli_release(&result);
	assert_int_not_equal(access("full", F_OK), 0);
	assert_int_equal(system("ls -d full.* 2>/dev/null | grep -q ."), 256);
	cli_expect_refusal("report --out page --format csv", "--format", NULL);
	cli_expect_refusal("report --baseline nobody", "nobody", NULL);
	cli_expect_refusal("report --comparison nothing", "nothing", NULL);
	cli_expect_refusal("report --db missing.db", "missing.db", NULL);
}

/* --- databases that are not as hoped ---------------------------------------------------------------------------------
 */

static void hostile_text_breaks_nothing(void **state)
{
	(void)state;
	static const char hostile[] = "x';\"</td></table><script>alert(1)</script>\\input{/etc/"
	                              "passwd}&%$#_{}~^|`\n=1+1,\x1b[2J\xff\xe6\xbc\xa2";
	assert_int_equal(system("cp tpbench.db hostile.db"), 0);
	sqlite3 *kept = database;
	assert_int_equal(sqlite3_open("hostile.db", &database), SQLITE_OK);
	static const char *const places[] = {
	        "UPDATE run SET name = ?1, note = ?1, model = ?1, dataset = ?1, comparison = ?1",
	        "UPDATE run SET schedule = ?1 || schedule WHERE schedule <> 'gpipe'",
	        "UPDATE environment SET value = ?1 WHERE name = 'cpu_model'",
	        "UPDATE run_end SET reason = ?1 WHERE ending = 'failed'",
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		sqlite3_stmt *statement;
		assert_int_equal(sqlite3_prepare_v2(database, places[i], -1, &statement, NULL), SQLITE_OK);
		(void)sqlite3_bind_text(statement, 1, hostile, -1, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
		(void)sqlite3_finalize(statement);
	}
	execute("UPDATE run SET config_text = replace(config_text, 'link=1mbit', 'link=</pre><script>1mbit')");
	(void)sqlite3_close(database);
	database = kept;
	run_done("report --db hostile.db --out hostile");
	expect_folder("hostile");
	char *page = read_file("hostile/index.html");
	assert_null(strstr(page, "<script>alert"));
	assert_null(strstr(page, "<script>1mbit"));
	free(page);
	char *csv = read_file("hostile/summary.csv");
	expect_rectangle(csv);
	free(csv);
	struct cli_result result = cli_run("report --db hostile.db");
	assert_null(strchr(result.out, '\033'));
	cli_release(&result);
	json_decref(cli_run_json("report --db hostile.db --format json"));
}

/* No run at all; one that failed before its first epoch. */
static void empty_and_partial_databases_say_so(void **state)
{
	(void)state;
	static const char *const formats[] = {"text", "markdown", "csv", "json", "latex", "html"};
	char arguments[128];
	assert_int_equal(system("cp tpbench.db empty.db && cp tpbench.db partial.db"), 0);
	sqlite3 *kept = database;
	assert_int_equal(sqlite3_open("partial.db", &database), SQLITE_OK);
	execute("PRAGMA foreign_keys = OFF; DELETE FROM epoch; DELETE FROM epoch_figures; DELETE FROM run WHERE run_id "
	        "> 2; "
	        "UPDATE run_end SET ending = 'failed', reason = 'no memory'");
	(void)sqlite3_close(database);
	assert_int_equal(sqlite3_open("empty.db", &database), SQLITE_OK);
	execute("PRAGMA foreign_keys = OFF; DELETE FROM run; DELETE FROM epoch; DELETE FROM environment");
	(void)sqlite3_close(database);
	database = kept;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		(void)snprintf(arguments, sizeof arguments, "report --db empty.db --format %s", formats[i]);
		run_done(arguments);
		(void)snprintf(arguments, sizeof arguments, "report --db partial.db --format %s", formats[i]);
		run_done(arguments);
	}
	run_done("report --db empty.db --out empty");
	expect_folder("empty");
	char *page = read_file("empty/index.html");
	cli_expect_part(page, "The database has no run.");
	free(page);
	run_done("report --db partial.db --out partial");
	expect_folder("partial");
	page = read_file("partial/index.html");
	cli_expect_part(page, "No run can be used");
	cli_expect_part(page, "no memory");
	free(page);
}

/* What a comparison says last. */
static void a_comparison_ends_with_the_summary(void **state)
{
	(void)state;
	static const char arguments[] = "--compare pipedream,gpipe" SMALL VIRTUAL " --db last.db";
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	const char *summary = strstr(result.out, "\nsummary ");
	assert_non_null(summary);
	assert_null(strstr(summary, "\n\n"));
	cli_expect_part(summary, "against pipedream"); /* the first listed */
	cli_release(&result);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_folder_is_complete),
	        cmocka_unit_test(what_cannot_be_written_leaves_nothing),
	        cmocka_unit_test(hostile_text_breaks_nothing),
	        cmocka_unit_test(empty_and_partial_databases_say_so),
	        cmocka_unit_test(a_comparison_ends_with_the_summary),
	};
	if (argc != 2)
		return 1;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, fill, finish);
	cli_leave_folder();
	return failed;
}
