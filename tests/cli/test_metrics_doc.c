/* docs/metrics.md names every number that is printed or stored as a result, and no number that is not. Names come from
 * a real small run: the columns of its database, the keys of what --json prints, the words above the tables. argv[1] is
 * the built tpbench. */
#include <ctype.h>
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

/* 12 mini-batches of 4 samples, on 3 stages. */
#define SMALL                                                                                                    \
	"--device reference --model mlp --hidden 8 --stages 3 --micro-batches 2 --batch 4 --synthetic-train 50 " \
	"--synthetic-test 4"
#define VIRTUAL " --clock virtual --costs uniform:1ms,1ms,1ms"

static char *page;        /* docs/metrics.md */
static json_t *names;     /* every name that is a column or a key, as a set */
static int missing_count; /* of a test */

/* --- the page ----------------------------------------------------------------------------------------------------- */

static void read_page(void)
{
	enum { MOST = 1 << 17 };
	FILE *file = fopen(TPBENCH_SOURCE_DIR "/docs/metrics.md", "r");
	page = calloc(1, MOST);
	if (!file || !page || fread(page, 1, MOST - 1, file) == 0)
		abort();
	(void)fclose(file);
}

static void miss(const char *kind, const char *name)
{
	print_error("docs/metrics.md does not name the %s %s\n", kind, name);
	missing_count++;
}

/* In backticks, alone. */
static void expect_name(const char *kind, const char *name)
{
	char quoted[128];
	(void)snprintf(quoted, sizeof quoted, "`%s`", name);
	if (!strstr(page, quoted))
		miss(kind, name);
}

static bool part_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '/' || c == '.';
}

/* In a row of a table, as a word of its own. */
static bool in_a_table(const char *word)
{
	size_t length = strlen(word);
	for (const char *at = page; (at = strstr(at, word)); at++) {
		const char *line = at;
		while (line > page && line[-1] != '\n')
			line--;
		if (*line == '|' && !part_of_word(at[-1]) && !part_of_word(at[length]))
			return true;
	}
	return false;
}

static void expect_all_named(void)
{
	int missing = missing_count;
	missing_count = 0;
	if (missing > 0)
		fail_msg("docs/metrics.md lacks %d names", missing);
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* Ends of the names of numbers, as results/schema.sql says; losses and versions of mini-batches have no unit. */
static bool is_number(const char *name)
{
	static const char *const ends[] = {"_ns",    "_bytes", "_flops",  "_samples", "_s",    "_h",     "_share",
	                                   "_ratio", "_count", "_number", "_epoch",   "_loss", "_value", "_mini_batch"};
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t end = strlen(ends[i]);
		if (length > end && strcmp(name + length - end, ends[i]) == 0)
			return true;
	}
	return false;
}

/* Every column goes into the set; numbers of views and of the tables that hold results have to be on the page. */
static void columns_are_named(void **state)
{
	(void)state;
	static const char sql[] =
	        "SELECT c.name, t.type = 'view' OR t.name IN ('stage_figures', 'boundary_figures', 'epoch_figures', "
	        "'profile_cost', 'prediction', 'epoch', 'mini_batch', 'memory', 'weight_version', 'kernel_name', "
	        "'counter') FROM sqlite_schema AS t, "
	        "pragma_table_info(t.name) AS c WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%'";
	sqlite3 *database;
	sqlite3_stmt *statement;
	int columns = 0;
	assert_int_equal(sqlite3_open_v2("tpbench.db", &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		(void)json_object_set_new(names, name, json_true());
		if (!sqlite3_column_int(statement, 1) || !is_number(name))
			continue;
		expect_name("column", name);
		columns++;
	}
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(database);
	assert_true(columns > 120);
	expect_all_named();
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* Options and facts of the environment go by names of their own; what a sweep varies is options. */
static bool holds_options(const char *key)
{
	return strcmp(key, "parameters") == 0 || strcmp(key, "environment") == 0 || strcmp(key, "point") == 0;
}

static void walk(json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;
	json_object_foreach(value, key, child)
	{
		if (!json_object_get(names, key))
			(void)json_object_set_new(names, key, json_true());
		expect_name("JSON key", key);
		if (!holds_options(key))
			walk(child);
	}
	json_array_foreach(value, i, child) walk(child);
}

static void keys_are_named(void **state)
{
	(void)state;
	static const char *const commands[] = {
	        "--compare gpipe,timeprest " SMALL " --repeats 1 --json",
	        "report --format json",
	        "run timeprest " SMALL VIRTUAL " --link 1mbit,50us --max-staleness 1 --json",
	        "sweep timeprest " SMALL VIRTUAL " --json",
	        "plan timeprest " SMALL VIRTUAL " --json",
	        "simulate timeprest --stages 3 --micro-batches 2 --format json --ops",
	        "simulate timeprest --stages 3 --micro-batches 2 --costs uniform:1ms,2ms,1ms --format json",
	        "verify timeprest --stages 3 --micro-batches 2 --format json",
	};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		json_t *root = cli_run_json(commands[i]);
		walk(root);
		json_decref(root);
	}
	expect_all_named();
}

/* --- words above tables ------------------------------------------------------------------------------------------- */

/* The words of one line, without parentheses. */
static void expect_words(const char *line, size_t length)
{
	char words[256];
	assert_true(length < sizeof words);
	memcpy(words, line, length);
	words[length] = '\0';
	for (char *word = strtok(words, " (),"); word; word = strtok(NULL, " (),")) {
		if (!in_a_table(word))
			miss("word of a heading", word);
	}
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

/* Headings of two lines begin with the name of the table; the second line begins with space. What stands behind three
 * spaces and a parenthesis is a remark. */
static int expect_heading(const char *text, const char *title)
{
	const char *line = text;
	while (*line && strncmp(line, title, strlen(title)) != 0)
		line = next_line(line);
	if (!*line)
		fail_msg("no table begins with '%s'", title);
	const char *remark = strstr(line, "   ("), *end = line + strcspn(line, "\n");
	const char *columns = line + strlen(title), *until = remark && remark < end ? remark : end;
	expect_words(columns, (size_t)(until - columns));
	line = next_line(line);
	if (*line == ' ')
		expect_words(line, strcspn(line, "\n"));
	return (int)(until - columns);
}

static void headings_are_named(void **state)
{
	(void)state;
	static const char *const compared[] = {"time ", "waiting ", "weights ", "learning ", "to target ", "summary "};
	static const char *const ran[] = {"epoch ", "stage, ms ", "cost of profile "};
	static const char compare[] =
	        "--compare gpipe,timeprest " SMALL VIRTUAL " --link 1mbit,50us --target-loss 9 --repeats 1";
	static const char run[] = "run timeprest " SMALL " --epochs 4 --profile-cost";
	struct cli_result result = cli_run(compare);
	cli_expect_exit(&result, compare, 0);
	for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
		assert_true(expect_heading(result.out, compared[i]) > 0);
	cli_release(&result);
	result = cli_run(run);
	cli_expect_exit(&result, run, 0);
	for (size_t i = 0; i < sizeof ran / sizeof *ran; i++)
		assert_true(expect_heading(result.out, ran[i]) > 0);
	cli_release(&result);
	result = cli_run("report");
	static const char *const reported[] = {"summary ",  "time ",    "waiting ", "memory ",
	                                       "learning ", "targets ", "settings "};
	for (size_t i = 0; i < sizeof reported / sizeof *reported; i++)
		assert_true(expect_heading(result.out, reported[i]) > 0);
	cli_release(&result);
	result = cli_run("theory --stages 2 --micro-batches 2 --costs uniform:1ms,2ms,1ms");
	expect_words(result.out, strcspn(result.out, "\n"));
	cli_release(&result);
	expect_all_named();
}

/* --- the other way ------------------------------------------------------------------------------------------------ */

/* A number of that unit which the page names is a column or a key; runs after the tests that collect those. */
static void nothing_else_is_named(void **state)
{
	(void)state;
	int named = 0;
	for (const char *at = page; (at = strchr(at, '`'));) {
		char name[128] = "";
		size_t length = strcspn(++at, "`\n");
		bool word = length > 0 && length < sizeof name &&
		            strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
		if (word)
			memcpy(name, at, length);
		if (word && is_number(name)) {
			named++;
			if (!json_object_get(names, name)) {
				print_error("docs/metrics.md names %s, which is no column and no key\n", name);
				missing_count++;
			}
		}
		at += length;
		at += *at == '`';
	}
	assert_true(named > 150);
	expect_all_named();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys_are_named),
	        cmocka_unit_test(columns_are_named),
	        cmocka_unit_test(headings_are_named),
	        cmocka_unit_test(nothing_else_is_named),
	};
	if (argc != 2)
		return 1;
	read_page();
	names = json_object();
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	json_decref(names);
	free(page);
	return failed;
}
