/* Whole runs of the program under the recorder: every range against the row of the database that it stands for.
 * argv[1] is the built tpbench, argv[2] the recorder, argv[3] the folder of the stub of CUDA's runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/nvtx.h"
#include "tests/cli/harness.h"
#include "tests/nvtx/event_table.h"

#define SMALL                                                                                             \
	" --device reference --model mlp --hidden 8 --batch 12 --synthetic-train 96 --synthetic-test 12 " \
	"--micro-batches 3"
#define LOG "nvtx.log"

static char *recorder; /* an absolute path, since the tests have a folder of their own */

/* The events of one run that ended well, beside its database. */
static sqlite3 *run_recorded(const char *arguments)
{
	cli_remove_database();
	(void)unlink(LOG);
	assert_int_equal(setenv("TPBENCH_NVTX_LOG", LOG, 1), 0);
	assert_int_equal(setenv("NVTX_INJECTION64_PATH", recorder, 1), 0);
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
	return event_table_new(LOG, "tpbench.db");
}

static void expect_number(sqlite3 *table, const char *sql, int64_t expected)
{
	int64_t found = event_table_number(table, sql);
	if (found != expected)
		fail_msg("%s: expected %lld, found %lld", sql, (long long)expected, (long long)found);
}

/* In the order in which each stage did them. U is recorded right after its backward, as it is pushed. */
static void expect_operations(sqlite3 *table)
{
	event_table_expect_same(table,
	                        "SELECT row_number() OVER (PARTITION BY stage ORDER BY epoch, record_number) AS nth, "
	                        "kind, run_id, stage, micro_batch, mini_batch, version_read FROM db.operation",
	                        "SELECT row_number() OVER (PARTITION BY stage ORDER BY place) AS nth, "
	                        "name, run, stage, micro_batch, mini_batch, version FROM pushed "
	                        "WHERE run = 1 AND name IN ('F', 'B', 'U', 'BX', 'BW')");
}

static void expect_messages(sqlite3 *table)
{
	event_table_expect_same(table,
	                        "SELECT row_number() OVER (PARTITION BY to_stage ORDER BY epoch, record_number) "
	                        "AS nth, run_id, to_stage, micro_batch, mini_batch FROM db.message",
	                        "SELECT row_number() OVER (PARTITION BY stage ORDER BY place) AS nth, "
	                        "run, stage, micro_batch, mini_batch FROM pushed WHERE run = 1 AND name = 'RECV'");
	event_table_expect_same(table,
	                        "SELECT run_id, from_stage, micro_batch, mini_batch, count(*) FROM db.message "
	                        "GROUP BY 1, 2, 3, 4",
	                        "SELECT run, stage, micro_batch, mini_batch, count(*) FROM pushed "
	                        "WHERE run = 1 AND name = 'SEND' GROUP BY 1, 2, 3, 4");
	/* A message is taken by the operation that needs it. */
	expect_number(table,
	              "SELECT count(*) FROM pushed r LEFT JOIN pushed o ON o.place = r.parent WHERE r.name = 'RECV' "
	              "AND (o.name IN ('F', 'B', 'BX') AND o.run = r.run AND o.stage = r.stage AND o.mini_batch = "
	              "r.mini_batch AND o.micro_batch = r.micro_batch AND o.version = r.version) IS NOT TRUE",
	              0);
}

/* Nesting and depths were checked as the log was read. */
static void expect_order(sqlite3 *table)
{
	expect_number(table, "SELECT count(*) FROM pushed WHERE pop_place IS NULL", 0);
	expect_number(table, "SELECT count(*) FROM pushed WHERE version IS NULL", 0);
	expect_number(table,
	              "SELECT count(*) FROM (SELECT thread FROM pushed GROUP BY thread HAVING count(DISTINCT stage) > "
	              "1)",
	              0);
	/* What a stage does lies within an epoch. */
	expect_number(table,
	              "SELECT count(*) FROM pushed s WHERE stage >= 0 AND NOT EXISTS (SELECT 1 FROM pushed e WHERE "
	              "e.name = 'epoch' AND e.run = s.run AND s.place > e.place AND s.pop_place < e.pop_place)",
	              0);
}

static void expect_epochs(sqlite3 *table, bool measured)
{
	event_table_expect_same(table,
	                        "SELECT run_id, -1, -1, sum(mini_batch_count) OVER (ORDER BY epoch) - mini_batch_count "
	                        "+ 1, sum(mini_batch_count) OVER (ORDER BY epoch) - mini_batch_count FROM db.epoch",
	                        "SELECT run, stage, micro_batch, mini_batch, version FROM pushed WHERE run = 1 AND "
	                        "name = 'epoch'");
	if (!measured)
		return;
	/* The window lies in its epoch, and what was measured in the window. */
	event_table_expect_same(table, "SELECT place FROM pushed WHERE run = 1 AND name = 'epoch'",
	                        "SELECT parent FROM pushed WHERE name = 'measure'");
	expect_number(table,
	              "SELECT count(*) FROM pushed s WHERE run = 1 AND name IN ('F', 'B', 'U', 'BX', 'BW', 'SEND', "
	              "'RECV') AND NOT EXISTS (SELECT 1 FROM pushed m WHERE m.name = 'measure' AND s.place > m.place "
	              "AND s.pop_place < m.pop_place)",
	              0);
}

static void expect_names(sqlite3 *table)
{
	expect_number(table, "SELECT count(*) FROM told WHERE word = 'domain'", 1);
	expect_number(table, "SELECT count(*) FROM told WHERE word = 'domain' AND text = 'tpbench'", 1);
	event_table_expect_same(table, "SELECT text, number FROM told WHERE word = 'category'",
	                        "SELECT column1, column2 FROM (VALUES ('F', 1), ('B', 2), ('U', 3), ('SEND', 4), "
	                        "('RECV', 5), ('WAIT', 6), ('EPOCH', 7))");
	event_table_expect_same(table, "SELECT text FROM told WHERE word = 'string'",
	                        "SELECT column1 FROM (VALUES ('F'), ('B'), ('U'), ('BX'), ('BW'), ('SEND'), ('RECV'), "
	                        "('WAIT'), ('epoch'), ('measure'))");
	/* Each name has one category, and each category one colour that no other has. */
	expect_number(table,
	              "SELECT count(*) FROM pushed WHERE category <> CASE name WHEN 'F' THEN 1 WHEN 'B' THEN 2 WHEN "
	              "'BX' THEN 2 WHEN 'BW' THEN 2 WHEN 'U' THEN 3 WHEN 'SEND' THEN 4 WHEN 'RECV' THEN 5 WHEN 'WAIT' "
	              "THEN 6 WHEN 'epoch' THEN 7 WHEN 'measure' THEN 7 ELSE -1 END",
	              0);
	event_table_expect_same(table, "SELECT category, colour FROM pushed GROUP BY 1, 2",
	                        "SELECT category, min(colour) FROM pushed GROUP BY 1");
	expect_number(table, "SELECT count(DISTINCT category) - count(DISTINCT colour) FROM pushed", 0);
	expect_number(table, "SELECT count(*) FROM pushed WHERE colour = '00000000'", 0);
}

static void ranges_are_the_rows_of_the_run(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run timeprest --stages 2 --epochs 2 --warm-up 2" SMALL);
	expect_order(table);
	expect_names(table);
	expect_operations(table);
	expect_messages(table);
	expect_epochs(table, true);
	expect_number(table, "SELECT count(*) FROM pushed WHERE name IN ('BX', 'BW')", 0);
	/* Which stage is early depends on the machine; that none ever is would take more than luck. */
	expect_number(table, "SELECT count(*) > 0 FROM pushed WHERE name = 'WAIT' AND run = 1", 1);
	expect_number(table,
	              "SELECT count(*) FROM pushed WHERE name = 'WAIT' AND (micro_batch <> -1 OR mini_batch <> -1 OR "
	              "version <> -1)",
	              0);
	sqlite3_close(table);
}

static void split_backwards_have_names_of_their_own(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run zb-h1 --stages 3 --epochs 1 --warm-up 0" SMALL);
	expect_order(table);
	expect_operations(table);
	expect_messages(table);
	expect_epochs(table, true);
	expect_number(table, "SELECT count(DISTINCT name) FROM pushed WHERE name IN ('BX', 'BW') AND category = 2", 2);
	sqlite3_close(table);
}

/* --order static hands versions to the worker on another path. */
static void static_order_says_the_plans_versions(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run pipedream --order static --stages 3 --epochs 2 --warm-up 0" SMALL);
	expect_order(table);
	expect_operations(table);
	expect_messages(table);
	sqlite3_close(table);
}

/* One stage has everything at its first look, always. */
static void who_is_ready_at_once_does_not_wait(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run sequential --epochs 1 --warm-up 0 --evaluate off" SMALL);
	expect_operations(table);
	expect_number(table, "SELECT count(*) FROM pushed WHERE name IN ('WAIT', 'SEND', 'RECV')", 0);
	sqlite3_close(table);
}

static void warm_up_is_run_0_and_not_measured(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run timeprest --stages 2 --epochs 1 --warm-up 2" SMALL);
	expect_number(table, "SELECT count(*) FROM pushed WHERE run = 0 AND name = 'epoch'", 1);
	expect_number(table, "SELECT count(*) FROM pushed WHERE run = 0 AND name = 'U'", 4);
	expect_number(table, "SELECT count(*) FROM pushed WHERE run = 0 AND name = 'measure'", 0);
	sqlite3_close(table);
}

static void each_run_of_a_comparison_has_its_number(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("--compare gpipe,timeprest --stages 2 --epochs 1 --repeats 2 --warm-up 1" SMALL);
	event_table_expect_same(table, "SELECT run_id, count(*) FROM db.operation GROUP BY 1",
	                        "SELECT run, count(*) FROM pushed WHERE run > 0 AND name IN ('F', 'B', 'U') GROUP BY "
	                        "1");
	event_table_expect_same(table, "SELECT run_id FROM db.run", "SELECT run FROM pushed WHERE name = 'measure'");
	sqlite3_close(table);
}

static void modelled_time_has_epochs_only(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run timeprest --clock virtual --costs uniform:1ms,2ms --stages 2 --epochs 2 "
	                              "--evaluate off" SMALL);
	expect_epochs(table, false);
	expect_number(table, "SELECT count(*) FROM pushed WHERE name <> 'epoch'", 0);
	sqlite3_close(table);
}

/* CUDA's profiler is started right before the window and stopped right after it; that it fails does not matter. */
static void cuda_is_told_of_the_window(void **state)
{
	(void)state;
	sqlite3 *table = run_recorded("run timeprest --stages 2 --epochs 2 --warm-up 1" SMALL);
	event_table_expect_same(table, "SELECT place FROM told WHERE word = 'cuda' AND text = 'start'",
	                        "SELECT place - 1 FROM pushed WHERE name = 'measure'");
	event_table_expect_same(table, "SELECT place FROM told WHERE word = 'cuda' AND text = 'stop'",
	                        "SELECT pop_place + 1 FROM pushed WHERE name = 'measure'");
	sqlite3_close(table);
}

/* A tool that is not there is no reason to fail, and says nothing; nor is CUDA loaded then, whose stub would begin the
 * log. */
static void a_missing_tool_does_not_matter(void **state)
{
	(void)state;
	cli_remove_database();
	(void)unlink(LOG);
	assert_int_equal(setenv("NVTX_INJECTION64_PATH", "./no-such-tool.so", 1), 0);
	const char *arguments = "run timeprest --stages 2 --epochs 1" SMALL;
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
	assert_int_not_equal(access(LOG, F_OK), 0);
}

static void put_first_in_library_path(const char *folder)
{
	const char *before = getenv("LD_LIBRARY_PATH");
	char path[4096];
	(void)snprintf(path, sizeof path, "%s%s%s", folder, before ? ":" : "", before ? before : "");
	if (setenv("LD_LIBRARY_PATH", path, 1) != 0)
		abort();
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: %s TPBENCH RECORDER STUB_FOLDER\n", argv[0]);
		return 2;
	}
	if (!TPBENCH_NVTX) {
		printf("skipped: built without NVTX\n");
		return 77;
	}
	recorder = realpath(argv[2], NULL);
	if (!recorder) {
		perror(argv[2]);
		return 1;
	}
	put_first_in_library_path(argv[3]);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ranges_are_the_rows_of_the_run),
	        cmocka_unit_test(split_backwards_have_names_of_their_own),
	        cmocka_unit_test(static_order_says_the_plans_versions),
	        cmocka_unit_test(who_is_ready_at_once_does_not_wait),
	        cmocka_unit_test(warm_up_is_run_0_and_not_measured),
	        cmocka_unit_test(each_run_of_a_comparison_has_its_number),
	        cmocka_unit_test(modelled_time_has_epochs_only),
	        cmocka_unit_test(cuda_is_told_of_the_window),
	        cmocka_unit_test(a_missing_tool_does_not_matter),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
