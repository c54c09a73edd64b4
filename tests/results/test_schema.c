/* The schema keeps its promises: strict tables, sound foreign keys, and docs/schema.md names every table, view and
 * column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "results/queries.h"

#include <sqlite3.h>

static struct tp_store *store;
static char path[64];

static int open_store(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof path, "/tmp/tpbench-schema-%ld.db", (long)getpid());
	return tp_store_open(path, &store) == TP_OK ? 0 : -1;
}

static int close_store(void **state)
{
	(void)state;
	tp_store_close(store);
	return remove(path);
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

static char *read_document(void)
{
	FILE *file = fopen(TPBENCH_SOURCE_DIR "/docs/schema.md", "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 17);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
	(void)fclose(file);
	return text;
}

/* The section of a table or view must name each of its columns. */
static void test_document(void **state)
{
	(void)state;
	static const char sql[] = "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
	                          "WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%'";
	char *text = read_document();
	sqlite3_stmt *statement;
	int columns = 0;
	assert_int_equal(sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL), SQLITE_OK);
	for (; sqlite3_step(statement) == SQLITE_ROW; columns++) {
		char heading[96], column[96];
		(void)snprintf(heading, sizeof heading, "\n### %s\n", (const char *)sqlite3_column_text(statement, 0));
		(void)snprintf(column, sizeof column, "| `%s` |", (const char *)sqlite3_column_text(statement, 1));
		const char *section = strstr(text, heading);
		if (!section)
			fail_msg("docs/schema.md has no section%s", heading);
		const char *end = strstr(section + 4, "\n##"), *named = strstr(section, column);
		if (!named || (end && named > end))
			fail_msg("docs/schema.md: %s lacks %s", heading, column);
	}
	assert_true(columns > 100);
	(void)sqlite3_finalize(statement);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_identity),
	        cmocka_unit_test(test_document),
	};
	return cmocka_run_group_tests(tests, open_store, close_store);
}
