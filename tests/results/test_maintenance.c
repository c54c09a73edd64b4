/* Looking after a database: listing, checking, pruning and merging it, with writers that live and prunes that are
 * killed. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "ledger.h"
#include "results/maintenance.h"
#include "results/queries.h"
#include "test_store_support.h"

static struct tp_store *open_existing(const char *path)
{
	struct tp_store *store;
	assert_ok(tp_store_open_existing(path, &store));
	return store;
}

static struct tp_store *ledger(const char *name)
{
	make_ledger(in_folder(name));
	return open_existing(in_folder(name));
}

/* Rows of the run in all tables of ours. */
static int64_t rows_of(const char *path, int64_t run_id)
{
	char *tables =
	        strdup(sql_text(path, "SELECT DISTINCT t.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
	                              "WHERE t.type = 'table' AND c.name = 'run_id'"));
	int64_t rows = 0;
	int count = 0;
	for (char *table = strtok(tables, ";"); table; table = strtok(NULL, ";"), count++) {
		char sql[128];
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE run_id = %lld", table,
		               (long long)run_id);
		rows += sql_integer(path, sql);
	}
	assert_true(count > 20);
	free(tables);
	return rows;
}

/* --- open, list, check -----------------------------------------------------------------------------------------------
 */

static void no_file_is_no_database(void **state)
{
	(void)state;
	struct tp_store *store = NULL;
	assert_fails(tp_store_open_existing(in_folder("none.db"), &store), TP_ERR_INPUT);
	assert_null(store);
	assert_int_not_equal(access(in_folder("none.db"), F_OK), 0);
}

static void runs_are_listed(void **state)
{
	(void)state;
	struct tp_store *store = ledger("list.db");
	struct tp_run_listing *runs;
	int64_t count;
	int64_t running = begin_sample(store);
	assert_ok(tp_store_list_runs(store, true, &runs, &count));
	assert_int_equal(count, 5);
	assert_int_equal(runs[3].run_id, 4);
	assert_string_equal(runs[3].schedule, "timeprest");
	assert_int_equal(runs[3].epochs, 1);
	assert_int_equal(runs[3].operations, 8);
	assert_int_equal(runs[3].state, TP_STORE_STATE_DONE);
	assert_int_equal(runs[3].valid, 1);
	assert_int_equal(runs[0].valid, 0);
	assert_int_equal(runs[4].run_id, running);
	assert_string_equal(runs[4].name, "a name");
	assert_int_equal(runs[4].state, TP_STORE_STATE_RUNNING);
	assert_int_equal(runs[4].valid, -1);
	assert_string_equal(runs[4].dataset, sample_run.dataset);
	assert_string_equal(runs[4].clock, sample_run.clock);
	assert_true(isnan(runs[4].median_epoch_ns));
	assert_true(runs[3].median_epoch_ns > 0);
	tp_free(runs);
	assert_ok(tp_store_list_runs(store, false, &runs, &count));
	assert_int_equal(runs[3].operations, 0);
	tp_free(runs);
	tp_store_close(store);
	store = open_store(in_folder("nothing.db"));
	assert_ok(tp_store_list_runs(store, true, &runs, &count));
	assert_null(runs);
	assert_int_equal(count, 0);
	tp_store_close(store);
}

static void expect_problems(const char *path, int64_t expected, const char *part)
{
	struct tp_store *store = open_existing(path);
	struct tp_text problems = {0};
	int64_t count;
	assert_ok(tp_store_check(store, &problems, &count));
	if (count != expected || (part && !strstr(tp_text_get(&problems), part)))
		fail_msg("expected %lld problems with '%s', found %lld: %s", (long long)expected, part ? part : "",
		         (long long)count, tp_text_get(&problems));
	tp_text_release(&problems);
	tp_store_close(store);
}

static void what_is_wrong_is_found(void **state)
{
	(void)state;
	const char *path = in_folder("check.db");
	tp_store_close(ledger("check.db"));
	expect_problems(path, 1, "run 1 is invalid: records_complete: 3 lost");
	sql_execute(path, "DELETE FROM run_check WHERE run_id = 1");
	expect_problems(path, 0, NULL);
	sql_execute(path, "DELETE FROM epoch WHERE run_id = 2");
	expect_problems(path, 4, "table stage_figures: 2 rows refer to a missing row of epoch");
	sql_execute(path, "DELETE FROM kernel_name WHERE kernel_name_id = 2");
	expect_problems(path, 5, "run 4: 1 kernels without a name");
}

/* A page of a table overwritten: found, or the file cannot be read to its end. */
static void damage_is_found(void **state)
{
	(void)state;
	const char *path = in_folder("damaged.db");
	tp_store_close(ledger("damaged.db"));
	sql_execute(path, "DELETE FROM run_check; PRAGMA wal_checkpoint(TRUNCATE)");
	int64_t page = sql_integer(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'operation'");
	int64_t page_bytes = sql_integer(path, "PRAGMA page_size");
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)((page - 1) * page_bytes), SEEK_SET), 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(fputc(0xa5, file), 0xa5);
	assert_int_equal(fclose(file), 0);
	struct tp_store *store;
	struct tp_text problems = {0};
	int64_t count;
	assert_ok(tp_store_open_readonly(path, &store));
	enum tp_status status = tp_store_check(store, &problems, &count);
	assert_true(status == TP_ERR_IO || (status == TP_OK && count > 0));
	tp_text_release(&problems);
	tp_store_close(store);
}

/* --- prune -----------------------------------------------------------------------------------------------------------
 */

static void a_run_is_pruned_wholly(void **state)
{
	(void)state;
	const char *path = in_folder("whole.db");
	struct tp_store *store = ledger("whole.db");
	struct tp_changed counted, pruned;
	const struct tp_run_range ranges[] = {{4, 4}, {1, 2}};
	struct tp_prune prune = {.ranges = ranges, .range_count = 2, .dry_run = true};
	int64_t rows = rows_of(path, 1) + rows_of(path, 2) + rows_of(path, 4), kept = rows_of(path, 3);
	assert_true(rows > 80);
	assert_ok(tp_store_prune(store, &prune, &counted));
	assert_int_equal(counted.runs, 3);
	assert_int_equal(counted.rows, rows);
	assert_int_equal(rows_of(path, 1) + rows_of(path, 2) + rows_of(path, 4), rows); /* dry */
	prune.dry_run = false;
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_int_equal(pruned.runs, 3);
	assert_int_equal(pruned.rows, rows);
	assert_int_equal(rows_of(path, 1) + rows_of(path, 2) + rows_of(path, 4), 0);
	assert_int_equal(rows_of(path, 3), kept);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	tp_store_close(store);
}

static void summaries_may_stay(void **state)
{
	(void)state;
	static const char figures[] = "SELECT * FROM compare WHERE run_id = 4 UNION ALL SELECT * FROM compare";
	static const char *const records[] = {"operation", "message",       "idle",        "memory_change",
	                                      "kernel",    "kernel_launch", "device_copy", "backward_read"};
	const char *path = in_folder("summaries.db");
	struct tp_store *store = ledger("summaries.db");
	struct tp_changed pruned;
	const struct tp_run_range range = {4, 4};
	const struct tp_prune prune = {.ranges = &range, .range_count = 1, .keep_summaries = true};
	char *before = strdup(sql_text(path, figures));
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_int_equal(pruned.runs, 1);
	assert_int_equal(pruned.rows, 8 + 3 + 4 + 6 + 5 + 2 + 3);
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		char sql[96];
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", records[i]);
		assert_int_equal(sql_integer(path, sql), 0);
	}
	assert_string_equal(sql_text(path, figures), before);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM weight_version"), 4);
	free(before);
	tp_store_close(store);
}

/* Those that began before a moment; 1700000001 to 1700000004 in the ledger. */
static void old_runs_are_pruned(void **state)
{
	(void)state;
	const char *path = in_folder("old.db");
	struct tp_store *store = ledger("old.db");
	struct tp_changed pruned;
	const struct tp_prune prune = {.started_before_unix_s = 1700000003};
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_int_equal(pruned.runs, 2);
	assert_string_equal(sql_text(path, "SELECT run_id FROM run ORDER BY 1"), "3;4");
	tp_store_close(store);
}

static void what_is_not_there_is_refused(void **state)
{
	(void)state;
	const char *path = in_folder("refused.db");
	struct tp_store *store = ledger("refused.db");
	struct tp_changed pruned;
	const struct tp_run_range ranges[] = {{1, 1}, {9, 9}}, far = {7, 12};
	struct tp_prune prune = {.ranges = ranges, .range_count = 2};
	assert_fails(tp_store_prune(store, &prune, &pruned), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "no run 9"));
	prune = (struct tp_prune){.ranges = &far, .range_count = 1};
	assert_fails(tp_store_prune(store, &prune, &pruned), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "7 to 12"));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 4);
	tp_store_close(store);
}

/* A child that writes a run and stays until the pipe closes. */
static pid_t start_writer(const char *path, int *hold)
{
	int told[2], held[2];
	char byte;
	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(held), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct tp_store *store;
		int64_t run_id;
		(void)close(held[1]);
		bool begun = tp_store_open(path, &store) == TP_OK &&
		             tp_store_begin_run(store, &sample_run, &run_id) == TP_OK && write(told[1], "x", 1) == 1;
		_exit(begun && read(held[0], &byte, 1) == 0 ? 0 : 1);
	}
	(void)close(told[1]);
	(void)close(held[0]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	(void)close(told[0]);
	*hold = held[1];
	return child;
}

static void end_writer(pid_t child, int hold)
{
	int ended;
	(void)close(hold);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static void a_run_that_is_written_stays(void **state)
{
	(void)state;
	const char *path = in_folder("written.db");
	tp_store_close(ledger("written.db"));
	int hold;
	pid_t child = start_writer(path, &hold);
	struct tp_store *store = open_existing(path);
	struct tp_changed pruned, merged;
	const struct tp_run_range all = {1, 5};
	struct tp_prune prune = {.ranges = &all, .range_count = 1};
	assert_fails(tp_store_prune(store, &prune, &pruned), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "run 5"));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 5);
	/* Only old, it is passed over. */
	prune = (struct tp_prune){.started_before_unix_s = INT64_MAX};
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_int_equal(pruned.runs, 4);
	assert_string_equal(sql_text(path, "SELECT run_id FROM run"), "5");
	/* And nobody takes it over. */
	struct tp_store *taker = open_store(in_folder("taker.db"));
	assert_fails(tp_store_merge(taker, path, &merged), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "run 5"));
	tp_store_close(taker);
	tp_store_close(store);
	end_writer(child, hold);
	/* Its process gone, it is interrupted and may go. */
	store = open_existing(path);
	prune = (struct tp_prune){.ranges = &all, .range_count = 1};
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 0);
	tp_store_close(store);
}

static int kill_at;

static int kill_midway(void *context)
{
	(void)context;
	if (--kill_at <= 0)
		(void)kill(getpid(), SIGKILL);
	return 0;
}

/* Killed after `steps` thousand steps of SQLite's machine; true when it got to its end. */
static bool prune_until(const char *path, int steps)
{
	int ended;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct tp_store *store;
		struct tp_changed pruned;
		const struct tp_run_range all = {1, 4};
		const struct tp_prune prune = {.ranges = &all, .range_count = 1};
		if (tp_store_open_existing(path, &store) != TP_OK)
			_exit(2);
		kill_at = steps;
		sqlite3_progress_handler(tp_store_connection(store), 1000, kill_midway, NULL);
		_exit(tp_store_prune(store, &prune, &pruned) == TP_OK ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &ended, 0), child);
	if (WIFSIGNALED(ended))
		return false;
	assert_int_equal(WEXITSTATUS(ended), 0);
	return true;
}

static void a_killed_prune_leaves_all_or_nothing(void **state)
{
	(void)state;
	const char *path = in_folder("killed.db");
	tp_store_close(ledger("killed.db"));
	/* Enough rows that the log is written before the commit. */
	sql_execute(path,
	            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
	            "INSERT INTO operation SELECT 4, 1, 0, i, 'F', 1, 0, 4, 1000 + i, 1001 + i, 0, 0, 0, 0, 1, 0, 0 "
	            "FROM n");
	int64_t rows = sql_integer(path, "SELECT count(*) FROM operation");
	int killed = 0, steps = 1;
	for (; !prune_until(path, steps); steps *= 3, killed++) {
		assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), rows);
		assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 4);
		assert_string_equal(sql_text(path, "PRAGMA integrity_check"), "ok");
	}
	assert_true(killed >= 3);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), 0);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 0);
}

/* --- merge, vacuum ---------------------------------------------------------------------------------------------------
 */

static void a_database_is_taken_over_twice(void **state)
{
	(void)state;
	static const char names[] = "SELECT run_id, count(*), sum(end_ns - start_ns), group_concat(DISTINCT name) "
	                            "FROM kernel JOIN kernel_name USING (run_id, kernel_name_id) GROUP BY run_id";
	const char *path = in_folder("twice.db"), *other = in_folder("other.db");
	tp_store_close(ledger("other.db"));
	sql_execute(other, "DELETE FROM memory WHERE run_id = 1; CREATE TABLE mine (run_id INTEGER REFERENCES run)");
	struct tp_store *store = ledger("twice.db");
	struct tp_changed merged;
	int64_t rows = rows_of(other, 1) + rows_of(other, 2) + rows_of(other, 3) + rows_of(other, 4);
	for (int i = 1; i <= 2; i++) {
		assert_ok(tp_store_merge(store, other, &merged));
		assert_int_equal(merged.runs, 4);
		assert_int_equal(merged.rows, rows);
	}
	assert_string_equal(sql_text(path, "SELECT group_concat(run_id, ' ') FROM run"), "1 2 3 4 5 6 7 8 9 10 11 12");
	assert_string_equal(sql_text(path, names), "4|5|36|conv,sgd;8|5|36|conv,sgd;12|5|36|conv,sgd");
	assert_int_equal(rows_of(path, 12), rows_of(path, 4));
	assert_int_equal(rows_of(path, 5), rows_of(path, 1) - 7);
	assert_string_equal(sql_text(path, "SELECT DISTINCT count(*) OVER (PARTITION BY run_id) FROM operation"), "8");
	assert_string_equal(sql_text(path, "SELECT schedule, state, valid FROM compare WHERE run_id = 9"),
	                    "gpipe|done|0");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(sql_integer(other, "SELECT count(*) FROM run"), 4);
	tp_store_close(store);
	/* Into a new one the numbers begin at 1. */
	sql_execute(other, "PRAGMA foreign_keys = ON; DELETE FROM mine");
	store = open_store(in_folder("fresh.db"));
	assert_ok(tp_store_merge(store, other, &merged));
	assert_string_equal(sql_text(in_folder("fresh.db"), "SELECT group_concat(run_id, ' ') FROM run"), "1 2 3 4");
	tp_store_close(store);
}

static void others_are_not_taken_over(void **state)
{
	(void)state;
	const char *path = in_folder("host.db"), *foreign = in_folder("foreign.db"), *older = in_folder("older.db");
	struct tp_store *store = ledger("host.db");
	struct tp_changed merged;
	sql_execute(foreign, "CREATE TABLE run (run_id)");
	assert_fails(tp_store_merge(store, foreign, &merged), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "another program"));
	assert_fails(tp_store_merge(store, in_folder("none.db"), &merged), TP_ERR_INPUT);
	assert_fails(tp_store_merge(store, path, &merged), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "itself"));
	tp_store_close(ledger("older.db"));
	sql_execute(older, "PRAGMA user_version = 2");
	assert_fails(tp_store_merge(store, older, &merged), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "schema version 2"));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 4);
	/* What fails in the middle is undone. */
	sql_execute(path, "CREATE TRIGGER refuse BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no'); END");
	tp_store_close(ledger("another.db"));
	assert_fails(tp_store_merge(store, in_folder("another.db"), &merged), TP_ERR_IO);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run"), 4);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), 8);
	tp_store_close(store);
}

static void free_pages_are_given_back(void **state)
{
	(void)state;
	struct tp_store *store = ledger("large.db");
	struct tp_store_epoch epoch = long_epoch(1, 20000);
	struct tp_changed pruned;
	int64_t run_id = begin_sample(store), size, before, after;
	const struct tp_run_range range = {run_id, run_id};
	const struct tp_prune prune = {.ranges = &range, .range_count = 1};
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	assert_ok(tp_store_end_run(store, run_id, TP_STORE_DONE, "", NULL, 0));
	assert_ok(tp_store_size(store, &size));
	assert_ok(tp_store_prune(store, &prune, &pruned));
	assert_ok(tp_store_vacuum(store, &before, &after));
	assert_int_equal(before, size);
	assert_true(after < before / 2);
	assert_true(sql_integer(in_folder("large.db"), "SELECT count(*) FROM sqlite_stat1") > 0);
	assert_string_equal(sql_text(in_folder("large.db"), "PRAGMA integrity_check"), "ok");
	tp_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_file_is_no_database),
	        cmocka_unit_test(runs_are_listed),
	        cmocka_unit_test(what_is_wrong_is_found),
	        cmocka_unit_test(damage_is_found),
	        cmocka_unit_test(a_run_is_pruned_wholly),
	        cmocka_unit_test(summaries_may_stay),
	        cmocka_unit_test(old_runs_are_pruned),
	        cmocka_unit_test(what_is_not_there_is_refused),
	        cmocka_unit_test(a_run_that_is_written_stays),
	        cmocka_unit_test(a_killed_prune_leaves_all_or_nothing),
	        cmocka_unit_test(a_database_is_taken_over_twice),
	        cmocka_unit_test(others_are_not_taken_over),
	        cmocka_unit_test(free_pages_are_given_back),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
