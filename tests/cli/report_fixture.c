#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cli/harness.h"
#include "tests/cli/report_fixture.h"

sqlite3 *database;

void execute(const char *sql)
{
	char *why = NULL;
	if (sqlite3_exec(database, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

void run_done(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
}

int fill(void **state)
{
	(void)state;
	run_done("--compare gpipe,pipedream,timeprest" SMALL VIRTUAL);
	run_done("--compare gpipe,pipedream,timeprest" SMALL VIRTUAL " --seed 2");
	run_done("--compare timeprest,gpipe" SMALL " --repeats 2 --lr 0.02");
	run_done("run gpipe" SMALL " --clock virtual --costs uniform:1ms,2ms --link 1mbit,50us --seed 3");
	assert_int_equal(sqlite3_open("tpbench.db", &database), SQLITE_OK);
	execute("UPDATE run_end SET ending = 'failed', reason = '<i>why</i>' WHERE run_id = (SELECT max(run_id) FROM "
	        "run)");
	execute("UPDATE epoch SET window_end_ns = window_end_ns + 70001 * epoch + 900017 * (run_id % 5)");
	return 0;
}

int finish(void **state)
{
	(void)state;
	(void)sqlite3_close(database);
	return 0;
}

void take_csv(const char **at, char *cell, size_t size)
{
	size_t used = 0;
	const char *c = *at;
	bool quoted = *c == '"';
	c += quoted;
	while (*c && (quoted || !strchr(",\r", *c))) {
		if (quoted && *c == '"' && *++c != '"')
			break;
		assert_true(used + 1 < size);
		cell[used++] = *c++;
	}
	cell[used] = '\0';
	*at = c + (*c == ',' ? 1 : *c == '\r' ? 2 : 0);
}
