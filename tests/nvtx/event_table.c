#include "tests/nvtx/event_table.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS_MAX = 64, DEPTH_MAX = 8 };

/* The ranges now open on each of the recorder's threads, by place. */
struct stacks {
	int64_t place[THREADS_MAX][DEPTH_MAX];
	int depth[THREADS_MAX];
};

static void execute(sqlite3 *table, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(table, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static void add_push(sqlite3 *table, struct stacks *stacks, int64_t place, const char *line)
{
	int thread, depth;
	char name[64], colour[16], sql[512], parent[32] = "NULL", values[128] = "NULL, NULL, NULL, NULL, NULL";
	unsigned category;
	int64_t v[5];
	int found = sscanf(line, "push %d %d %63s %u %15s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
	                   &thread, &depth, name, &category, colour, &v[0], &v[1], &v[2], &v[3], &v[4]);
	if ((found != 5 && found != 10) || thread < 0 || thread >= THREADS_MAX || depth != stacks->depth[thread] ||
	    depth >= DEPTH_MAX)
		fail_msg("not as pushed: %s", line);
	if (found == 10)
		(void)snprintf(values, sizeof values, "%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64,
		               v[0], v[1], v[2], v[3], v[4]);
	if (depth > 0)
		(void)snprintf(parent, sizeof parent, "%" PRId64, stacks->place[thread][depth - 1]);
	stacks->place[thread][stacks->depth[thread]++] = place;
	(void)snprintf(sql, sizeof sql, "INSERT INTO pushed VALUES (%" PRId64 ", %s, NULL, %d, '%s', %u, '%s', %s)",
	               place, parent, thread, name, category, colour, values);
	execute(table, sql);
}

static void add_pop(sqlite3 *table, struct stacks *stacks, int64_t place, const char *line)
{
	int thread, depth;
	char sql[128];
	if (sscanf(line, "pop %d %d", &thread, &depth) != 2 || thread < 0 || thread >= THREADS_MAX || depth < 0 ||
	    depth != stacks->depth[thread] - 1)
		fail_msg("not as popped: %s", line);
	(void)snprintf(sql, sizeof sql, "UPDATE pushed SET pop_place = %" PRId64 " WHERE place = %" PRId64, place,
	               stacks->place[thread][--stacks->depth[thread]]);
	execute(table, sql);
}

static void add_line(sqlite3 *table, struct stacks *stacks, int64_t place, const char *line)
{
	char word[16], text[64], sql[256];
	unsigned number = 0;
	if (sscanf(line, "%15s", word) != 1)
		fail_msg("an empty line in the log");
	if (strcmp(word, "push") == 0) {
		add_push(table, stacks, place, line);
	} else if (strcmp(word, "pop") == 0) {
		add_pop(table, stacks, place, line);
	} else if (strcmp(word, "category") == 0 ? sscanf(line, "%*s %u %63s", &number, text) == 2
	                                         : sscanf(line, "%*s %63s", text) == 1) {
		(void)snprintf(sql, sizeof sql, "INSERT INTO told VALUES (%" PRId64 ", '%s', '%s', %u)", place, word,
		               text, number);
		execute(table, sql);
	} else {
		fail_msg("not a line of the recorder: %s", line);
	}
}

sqlite3 *event_table_new(const char *log_path, const char *db_path)
{
	static struct stacks stacks;
	sqlite3 *table = NULL;
	char line[256], sql[512];
	stacks = (struct stacks){0};
	assert_int_equal(sqlite3_open(":memory:", &table), SQLITE_OK);
	execute(table,
	        "CREATE TABLE pushed (place INTEGER PRIMARY KEY, parent, pop_place, thread, name, category, colour, "
	        "run, stage, micro_batch, mini_batch, version); CREATE TABLE told (place, word, text, number)");
	FILE *file = fopen(log_path, "r");
	if (!file)
		fail_msg("%s: nothing was recorded", log_path);
	execute(table, "BEGIN");
	for (int64_t place = 1; fgets(line, sizeof line, file); place++)
		add_line(table, &stacks, place, line);
	execute(table, "COMMIT");
	fclose(file);
	(void)snprintf(sql, sizeof sql, "ATTACH '%s' AS db", db_path);
	execute(table, sql);
	return table;
}

int64_t event_table_number(sqlite3 *table, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(table, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(table));
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

void event_table_expect_same(sqlite3 *table, const char *left, const char *right)
{
	char sql[2048];
	const char *const sides[] = {left, right};
	for (int i = 0; i < 2; i++) {
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM (%s)", sides[i]);
		if (event_table_number(table, sql) == 0)
			fail_msg("no rows: %s", sides[i]);
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT * FROM (%s) EXCEPT SELECT * FROM (%s))",
		               sides[i], sides[1 - i]);
		int64_t only = event_table_number(table, sql);
		if (only != 0)
			fail_msg("%lld rows of\n%s\nare not in\n%s", (long long)only, sides[i], sides[1 - i]);
	}
	(void)snprintf(sql, sizeof sql, "SELECT (SELECT count(*) FROM (%s)) - (SELECT count(*) FROM (%s))", left,
	               right);
	assert_int_equal(event_table_number(table, sql), 0);
}
