/* The schema keeps its promises: strict tables, sound foreign keys, units in names, one schema whatever a file began
 * as, and docs/schema.md is made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger.h"
#include "results/queries.h"
#include "results/schema_document.h"
#include "test_store_support.h"

static struct tp_store *store;
static const char *path;

static int open_one(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	path = in_folder("new.db");
	return tp_store_open(path, &store) == TP_OK ? 0 : -1;
}

static int close_one(void **state)
{
	tp_store_close(store);
	return remove_folder(state);
}

static int64_t integer(const char *sql)
{
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return value;
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(integer("PRAGMA application_id"), TP_STORE_APPLICATION_ID);
	assert_int_equal(integer("PRAGMA user_version"), TP_STORE_SCHEMA_VERSION);
	assert_int_equal(integer("SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(integer("SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND "
	                         "name NOT LIKE 'sqlite_%' AND NOT strict"),
	                 0);
	assert_true(integer("SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict") >= 10);
}

/* What the program would print is what the file says. */
static void the_document_is_up_to_date(void **state)
{
	(void)state;
	struct tp_text made = {0};
	assert_int_equal(tp_schema_document(&made), TP_OK);
	char *written = read_source("docs/schema.md");
	if (strcmp(written, tp_text_get(&made)) != 0) {
		size_t same = 0, line = 1;
		for (; written[same] && written[same] == made.data[same]; same++)
			line += written[same] == '\n';
		fail_msg("docs/schema.md differs from the schema from line %zu on; to renew it:\n"
		         "    build/release/cli/tpbench db schema > docs/schema.md",
		         line);
	}
	free(written);
	tp_text_release(&made);
}

static const char columns_sql[] = "SELECT t.name, c.name, c.type, t.type FROM sqlite_schema AS t, "
                                  "pragma_table_info(t.name) AS c "
                                  "WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%'";

static sqlite3_stmt *columns_of_all(void)
{
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(tp_store_connection(store), columns_sql, -1, &statement, NULL), SQLITE_OK);
	return statement;
}

static const char *text_at(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

/* The section of a table or view names each of its columns, and says what it is for. */
static void the_document_is_complete(void **state)
{
	(void)state;
	char *text = read_source("docs/schema.md");
	sqlite3_stmt *rows = columns_of_all();
	int columns = 0;
	for (; sqlite3_step(rows) == SQLITE_ROW; columns++) {
		char heading[96], column[96];
		(void)snprintf(heading, sizeof heading, "\n### %s\n\n", text_at(rows, 0));
		(void)snprintf(column, sizeof column, "| `%s` |", text_at(rows, 1));
		const char *section = strstr(text, heading);
		if (!section)
			fail_msg("docs/schema.md has no section%s", heading);
		if (section[strlen(heading)] == '\n')
			fail_msg("docs/schema.md does not say what it is for:%s", heading);
		const char *end = strstr(section + 4, "\n##"), *named = strstr(section, column);
		if (!named || (end && named > end))
			fail_msg("docs/schema.md: %s lacks %s", heading, column);
	}
	assert_true(columns > 300);
	(void)sqlite3_finalize(rows);
	free(text);
}

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), tail = strlen(end);
	return length >= tail && strcmp(name + length - tail, end) == 0;
}

static bool listed(const char *name, const char *const *names)
{
	for (; *names; names++) {
		if (strcmp(name, *names) == 0)
			return true;
	}
	return false;
}

/* A column that holds a number holds a quantity, and ends with its unit, or it is one of those that name something:
 * a run, a place in the pipeline, a version, yes or no. */
static void quantities_carry_their_unit(void **state)
{
	(void)state;
	static const char *const suffixes[] = {"_ns",    "_bytes",  "_flops", "_samples", "_s",     "_share", "_ratio",
	                                       "_count", "_number", "_ticks", "_hz",      "_per_h", "_loss"};
	static const char *const names[] = {"run_id",
	                                    "kernel_name_id",
	                                    "epoch",
	                                    "reached_epoch",
	                                    "stage",
	                                    "from_stage",
	                                    "to_stage",
	                                    "boundary",
	                                    "first_block",
	                                    "mini_batch",
	                                    "chain_mini_batch",
	                                    "micro_batch",
	                                    "schema_version",
	                                    "version",
	                                    "base_version",
	                                    "version_read",
	                                    "version_live",
	                                    "version_committed",
	                                    "version_forward",
	                                    "version_newest",
	                                    "in_place",
	                                    "handed_over",
	                                    "passed",
	                                    "valid",
	                                    "writer_pid",
	                                    "writer_pid_namespace",
	                                    "copy_kind",
	                                    "target_value",
	                                    NULL};
	static const char *const texts_of_views[] = {"state", "reason", "target", NULL};
	sqlite3_stmt *rows = columns_of_all();
	int quantities = 0;
	while (sqlite3_step(rows) == SQLITE_ROW) {
		const char *table = text_at(rows, 0), *name = text_at(rows, 1);
		bool in_view = strcmp(text_at(rows, 3), "view") == 0;
		/* Views under the names of another program have its columns. */
		if (strcmp(text_at(rows, 2), "TEXT") == 0 || listed(name, names) ||
		    (table[0] >= 'A' && table[0] <= 'Z') || (in_view && listed(name, texts_of_views)))
			continue;
		bool fits = false;
		for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
			fits = fits || ends_with(name, suffixes[i]);
		if (!fits)
			fail_msg("%s.%s says no unit", table, name);
		if (!tp_schema_unit(name))
			fail_msg("docs/schema.md gives no unit for %s.%s", table, name);
		quantities++;
	}
	assert_true(quantities > 150);
	(void)sqlite3_finalize(rows);
}

/* A file of an older version, as a program of that time left it, apart from its rows. Version 3 lacks what the next
 * one added. */
static void make_older(const char *file, int version)
{
	static const char *const scripts[] = {"0001_initial", "0002_schedules"};
	if (version == 3) {
		tp_store_close(open_store(file));
		sql_execute(file,
		            "DROP TABLE gpu_trace; DROP VIEW CUPTI_ACTIVITY_KIND_MEMSET; "
		            "DROP VIEW CUPTI_ACTIVITY_KIND_MEMCPY; "
		            "CREATE VIEW CUPTI_ACTIVITY_KIND_MEMCPY AS SELECT 1; "
		            "DROP VIEW timed_run; DROP VIEW epoch_summary; CREATE VIEW epoch_summary AS SELECT 1; "
		            "UPDATE schema_meta SET schema_version = 3; PRAGMA user_version = 3");
		return;
	}
	for (int i = 0; i < version; i++) {
		char name[96];
		(void)snprintf(name, sizeof name, "results/migrations/%s.sql", scripts[i]);
		char *sql = read_source(name);
		sql_execute(file, sql);
		free(sql);
	}
	char pragmas[96];
	(void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
	               TP_STORE_APPLICATION_ID, version);
	sql_execute(file, pragmas);
}

/* Whatever a file began as, its definitions are those of a new one, to the letter. */
static void every_way_leads_to_the_same_schema(void **state)
{
	(void)state;
	static const char sql[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
	char *fresh = strdup(sql_text(path, sql));
	assert_true(strlen(fresh) > 20000);
	for (int version = 1; version < TP_STORE_SCHEMA_VERSION; version++) {
		static const char *const names[] = {"1.db", "2.db", "3.db"};
		const char *file = in_folder(names[version - 1]);
		make_older(file, version);
		tp_store_close(open_store(file));
		assert_string_equal(sql_text(file, sql), fresh);
	}
	free(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_identity),
	        cmocka_unit_test(the_document_is_up_to_date),
	        cmocka_unit_test(the_document_is_complete),
	        cmocka_unit_test(quantities_carry_their_unit),
	        cmocka_unit_test(every_way_leads_to_the_same_schema),
	};
	return cmocka_run_group_tests(tests, open_one, close_one);
}
