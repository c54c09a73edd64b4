/* What a run leaves behind in its database: ledgers that close, whatever the schedule, and records that are the same
 * however they got there. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

#define SMALL "--device reference --model mlp --hidden 8 --micro-batches 3 --batch 6 --synthetic-test 4"

static int begin(void **state)
{
	(void)state;
	cli_remove_database();
	return 0;
}

static void expect_well(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_release(&result);
}

static int64_t query(const char *sql)
{
	return cli_query("tpbench.db", sql);
}

#define EVERY_SCHEDULE                                                                                             \
	"sequential,gpipe,1f1b,zb-h1,pipedream,pipedream-vsync,pipedream-2bw,timeprest,timeprest-stash,timeprest-" \
	"1f1b,"                                                                                                    \
	"v-timeprest,i-timeprest"

/* Rows that contradict the definitions of the ledgers; none, for every schedule. */
static const struct {
	const char *what, *sql;
} contradictions[] = {
        {"runs that are not done, valid and checked",
         "SELECT count(*) FROM run JOIN run_state USING (run_id) WHERE state <> 'done' OR valid IS NOT 1 OR "
         "(SELECT count(*) FROM run_check WHERE run_check.run_id = run.run_id) <> 4"},
        {"stages whose computing and causes do not fill the window",
         "SELECT count(*) FROM stage_time WHERE window_ns <> compute_ns + fill_ns + drain_ns + sender_ns + message_ns "
         "+ "
         "staleness_ns + host_ns"},
        {"stages whose figures are not the sum of their rows",
         "SELECT count(*) FROM stage_figures AS f WHERE compute_ns <> (SELECT sum(end_ns - start_ns) FROM operation AS "
         "o "
         "WHERE (o.run_id, o.epoch, o.stage) = (f.run_id, f.epoch, f.stage)) OR window_ns - compute_ns <> "
         "(SELECT coalesce(sum(end_ns - start_ns), 0) FROM idle AS i WHERE (i.run_id, i.epoch, i.stage) = "
         "(f.run_id, f.epoch, f.stage))"},
        {"idle intervals that begin where nothing ended", "SELECT count(*) FROM idle AS i JOIN epoch AS e USING "
                                                          "(run_id, epoch) WHERE start_ns <> window_start_ns AND NOT "
                                                          "EXISTS (SELECT 1 FROM operation AS o WHERE (o.run_id, "
                                                          "o.epoch, o.stage, o.end_ns) = (i.run_id, i.epoch, i.stage, "
                                                          "i.start_ns)) AND NOT EXISTS (SELECT 1 FROM idle AS j WHERE "
                                                          "(j.run_id, j.epoch, j.stage, j.end_ns) = (i.run_id, "
                                                          "i.epoch, i.stage, i.start_ns))"},
        {"kinds of memory whose last change is not what the epoch ended with",
         "SELECT count(*) FROM memory AS m WHERE stage >= 0 AND now_bytes <> coalesce((SELECT kind_bytes FROM "
         "memory_change "
         "AS c WHERE (c.run_id, c.epoch, c.stage, c.kind) = (m.run_id, m.epoch, m.stage, m.kind) ORDER BY "
         "record_number "
         "DESC LIMIT 1), 0)"},
        {"peaks that no change reached, or that one passed",
         "SELECT count(*) FROM stage_figures AS f WHERE peak_bytes <> (SELECT max(stage_bytes) FROM memory_change AS c "
         "WHERE (c.run_id, c.epoch, c.stage) = (f.run_id, f.epoch, f.stage)) OR (peak_operation_number >= 0 AND NOT "
         "EXISTS "
         "(SELECT 1 FROM memory_change AS c WHERE (c.run_id, c.epoch, c.stage, c.stage_bytes, c.time_ns, "
         "c.operation_number) = (f.run_id, f.epoch, f.stage, peak_bytes, peak_ns, peak_operation_number)))"},
        {"processes whose memory does not add up to what is resident",
         "SELECT count(*) FROM memory_balance WHERE rss_bytes <> stages_bytes + process_bytes + program_bytes + "
         "unaccounted_bytes"},
        /* At the end of an update the ledger of versions and the count in the operation agree; a version that goes at
         * the same moment is freed by the next operation, or was by this one. */
        {"updates that left other versions alive than the ledger says",
         "SELECT count(*) FROM (SELECT alive_version_count, (SELECT count(*) FROM weight_version AS v WHERE (v.run_id, "
         "v.epoch, v.stage) = (o.run_id, o.epoch, o.stage) AND (made_ns IS NULL OR made_ns <= o.end_ns) AND (freed_ns "
         "IS "
         "NULL OR freed_ns > o.end_ns)) AS least, (SELECT count(*) FROM weight_version AS v WHERE (v.run_id, v.epoch, "
         "v.stage) = (o.run_id, o.epoch, o.stage) AND freed_ns = o.end_ns) AS more FROM operation AS o WHERE kind = "
         "'U') "
         "WHERE alive_version_count NOT BETWEEN least AND least + more"},
        {"operations that read a version before it was made or after it was freed",
         "SELECT count(*) FROM operation AS o JOIN weight_version AS v ON (v.run_id, v.epoch, v.stage, v.version) = "
         "(o.run_id, o.epoch, o.stage, o.version_read) WHERE kind <> 'U' AND (made_ns > start_ns OR freed_ns < "
         "end_ns)"},
        {"operations that read a version the ledger does not have",
         "SELECT count(*) FROM operation AS o WHERE NOT EXISTS (SELECT 1 FROM weight_version AS v WHERE (v.run_id, "
         "v.epoch, "
         "v.stage, v.version) = (o.run_id, o.epoch, o.stage, o.version_read))"},
        {"versions whose forwards are not counted",
         "SELECT count(*) FROM weight_version AS v WHERE forward_read_count <> (SELECT count(*) FROM operation AS o "
         "WHERE "
         "(o.run_id, o.epoch, o.stage, o.version_read) = (v.run_id, v.epoch, v.stage, v.version) AND kind = 'F')"},
        {"mini-batches without a row",
         "SELECT count(*) FROM epoch AS e WHERE mini_batch_count <> (SELECT count(*) FROM mini_batch AS m WHERE "
         "(m.run_id, m.epoch) = (e.run_id, e.epoch))"},
        {"chains that are not counted", "SELECT count(*) FROM epoch_figures AS f WHERE version_chain_count <> (SELECT "
                                        "count(DISTINCT chain_mini_batch) FROM "
                                        "mini_batch AS m WHERE (m.run_id, m.epoch) = (f.run_id, f.epoch))"},
        {"messages that arrived before they were sent, or were sent before they were ready",
         "SELECT count(*) FROM message WHERE sent_ns < ready_ns OR arrived_ns < sent_ns"},
        {"records whose numbers have gaps",
         "SELECT count(*) FROM (SELECT count(*) AS n, max(record_number) AS last FROM operation GROUP BY run_id, "
         "epoch, stage "
         "UNION ALL SELECT count(*), max(record_number) FROM message GROUP BY run_id, epoch, to_stage UNION ALL "
         "SELECT count(*), max(record_number) FROM idle GROUP BY run_id, epoch, stage UNION ALL "
         "SELECT count(*), max(record_number) FROM memory_change GROUP BY run_id, epoch, stage) WHERE n <> last + 1"},
        {"broken references", "SELECT count(*) FROM pragma_foreign_key_check"},
};

static void expect_no_contradiction(int64_t runs)
{
	assert_int_equal(query("SELECT count(*) FROM run"), runs);
	assert_int_equal(query("SELECT count(DISTINCT run_id) FROM stage_figures"), runs);
	for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
		int64_t found = query(contradictions[i].sql);
		if (found != 0)
			fail_msg("expected no %s, found %lld", contradictions[i].what, (long long)found);
	}
}

static void ledgers_close_under_the_real_clock(void **state)
{
	(void)state;
	expect_well("--compare " EVERY_SCHEDULE " --stages 3 --synthetic-train 72 --epochs 2 --repeats 1 " SMALL);
	expect_no_contradiction(12);
}

static void ledgers_close_under_the_virtual_clock(void **state)
{
	(void)state;
	expect_well("--compare " EVERY_SCHEDULE
	            " --stages 3 --synthetic-train 72 --epochs 2 --repeats 1 --clock virtual "
	            "--costs uniform:1ms,2ms --link 1mbit,1ms " SMALL);
	expect_no_contradiction(12);
	assert_true(query("SELECT count(*) FROM idle WHERE cause = 'message'") > 0);
	assert_true(query("SELECT count(*) FROM overlap WHERE alpha_ratio BETWEEN 0 AND 1") > 0);
}

static void ledgers_close_along_the_axes(void **state)
{
	(void)state;
	expect_well("run timeprest --stages 3 --synthetic-train 72 --epochs 2 --sequence independent " SMALL);
	expect_well("run timeprest --stages 3 --synthetic-train 72 --epochs 2 --max-staleness 1 --clock virtual "
	            "--costs uniform:1ms,2ms " SMALL);
	expect_well(
	        "run timeprest --stages 2 --synthetic-train 72 --epochs 2 --order static --backward recompute " SMALL);
	expect_no_contradiction(3);
	assert_true(query("SELECT sum(staleness_ns) FROM stage_figures") > 0);
}

/* --- however the records got there ------------------------------------------------------------------------------- */

static const char *const record_tables[] = {"operation",      "message",    "idle",          "memory_change",
                                            "weight_version", "mini_batch", "stage_figures", "epoch_figures",
                                            "backward_read",  "prediction"};

/* A run whose records fill the buffer many times over, and the same with room for all. */
static void a_short_buffer_changes_nothing(void **state)
{
	(void)state;
	static const char modelled[] = "run i-timeprest --stages 2 --synthetic-train 1800 --epochs 2 --clock virtual "
	                               "--costs uniform:1ms,2ms " SMALL;
	char arguments[512];
	expect_well(modelled);
	(void)snprintf(arguments, sizeof arguments, "%s --profile-buffer 64KiB --db short.db", modelled);
	expect_well(arguments);
	sqlite3 *db;
	assert_int_equal(sqlite3_open("tpbench.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "ATTACH 'short.db' AS short", NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof record_tables / sizeof *record_tables; i++) {
		char sql[256];
		sqlite3_stmt *statement;
		(void)snprintf(sql, sizeof sql,
		               "SELECT (SELECT count(*) FROM main.%s) - (SELECT count(*) FROM short.%s), "
		               "(SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM short.%s))",
		               record_tables[i], record_tables[i], record_tables[i], record_tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		if (sqlite3_column_int64(statement, 0) != 0 || sqlite3_column_int64(statement, 1) != 0)
			fail_msg("%s differs", record_tables[i]);
		(void)sqlite3_finalize(statement);
	}
	(void)sqlite3_close(db);
	assert_int_equal(query("SELECT count(*) > 3000 FROM operation"), 1);
	assert_int_equal(query("SELECT max(valid) = 1 FROM run_state"), 1);
	(void)remove("short.db");
}

/* Under the real clock a thread empties the rings, if the machine lets it: a run that lost records says so, and is made
 * again. */
static void expect_streamed_well(const char *arguments)
{
	for (int attempt = 0; attempt < 5; attempt++) {
		cli_remove_database();
		expect_well(arguments);
		if (query("SELECT sum(dropped_record_count) FROM epoch") == 0)
			return;
		assert_int_equal(query("SELECT valid FROM run_state"), 0);
	}
	fail_msg("five runs lost records: %s", arguments);
}

static void a_thread_empties_short_rings(void **state)
{
	(void)state;
	expect_streamed_well("run timeprest --stages 2 --synthetic-train 1800 --epochs 1 --profile-buffer 64KiB "
	                     "--evaluate off " SMALL " --hidden 64");
	assert_int_equal(query("SELECT count(*) FROM operation"), 2 * 300 * 5);
	expect_no_contradiction(1);
}

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Stored while it runs, a run that is killed keeps the records that were on their way; the next writer says how it
 * ended. Meanwhile others read. */
static void a_killed_run_keeps_its_records(void **state)
{
	(void)state;
	pid_t child = cli_start(
	        "run timeprest --stages 2 --synthetic-train 60000 --profile-buffer 64KiB --evaluate off " SMALL
	        " --hidden 32");
	int patience = 600;
	while (query("SELECT count(*) FROM operation") < 1 && patience-- > 0)
		sleep_ms(100);
	assert_true(patience > 0);
	assert_int_equal(query("SELECT count(*) FROM run_state WHERE state = 'running'"), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	struct cli_result result = cli_finish(child);
	cli_release(&result);
	expect_well("run gpipe --stages 2 --synthetic-train 12 " SMALL);
	assert_int_equal(query("SELECT count(*) FROM run_state WHERE run_id = 1 AND state = 'interrupted'"), 1);
	assert_int_equal(query("SELECT count(*) FROM epoch WHERE run_id = 1"), 0);
	assert_true(query("SELECT count(*) FROM operation WHERE run_id = 1") > 0);
	assert_int_equal(query("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
	assert_int_equal(query("SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(query("SELECT valid FROM run_state WHERE run_id = 2"), 1);
}

/* Both store while they run: they wait for each other and do not fail. */
static void two_runs_share_a_file(void **state)
{
	(void)state;
	static const char arguments[] =
	        "run timeprest --stages 2 --synthetic-train 1800 --epochs 2 --profile-buffer 64KiB "
	        "--clock virtual --costs uniform:1ms,2ms " SMALL;
	pid_t children[2] = {cli_start(arguments), cli_start(arguments)};
	for (int i = 0; i < 2; i++) {
		struct cli_result result = cli_finish(children[i]);
		cli_expect_exit(&result, arguments, 0);
		cli_release(&result);
	}
	expect_no_contradiction(2);
	assert_int_equal(query("SELECT count(DISTINCT n) FROM (SELECT count(*) AS n FROM operation GROUP BY run_id)"),
	                 1);
}

/* Records that are lost are counted, the figures that need them are not there, and the run is invalid. */
static void lost_records_void_the_figures(void **state)
{
	(void)state;
	const char *arguments = "run timeprest --device null --model mlp --hidden 8 --stages 2 --batch 4 "
	                        "--synthetic-train 80000 --profile-buffer 64KiB";
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	if (query("SELECT dropped_record_count FROM epoch") ==
	    0) { /* a machine that computes nothing slower than it stores */
		cli_release(&result);
		skip();
	}
	cli_expect_part(result.out, "WARNING: run 1 is invalid: records_complete: epoch 1: expected every record");
	cli_release(&result);
	assert_int_equal(query("SELECT valid FROM run_state"), 0);
	assert_int_equal(query("SELECT passed FROM run_check WHERE check_name = 'records_complete'"), 0);
	static const char *const empty[] = {"stage_time",         "bubble", "overlap",
	                                    "version_difference", "idle",   "weight_version"};
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
		char sql[96];
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", empty[i]);
		assert_int_equal(query(sql), 0);
	}
	assert_int_equal(
	        query("SELECT count(*) FROM epoch_summary WHERE idle_total_ratio IS NULL AND samples_per_s > 0"), 1);
}

static void profiling_off_records_nothing(void **state)
{
	(void)state;
	expect_well("run timeprest --stages 2 --synthetic-train 72 --profile off " SMALL);
	assert_int_equal(query("SELECT count(*) FROM operation"), 0);
	assert_int_equal(query("SELECT count(*) FROM memory_change"), 0);
	assert_int_equal(query("SELECT count(*) FROM epoch WHERE profile_level = 'off'"), 1);
	assert_int_equal(query("SELECT count(*) FROM run_check WHERE passed"), 2); /* what needs no records */
}

/* Kernels lie in their operations, one after another, and are named; short rings lose none. */
static void kernels_are_rows_like_the_rest(void **state)
{
	(void)state;
	expect_streamed_well(
	        "run timeprest --stages 2 --synthetic-train 1800 --profile kernels --profile-buffer 1MiB " SMALL
	        " --hidden 64");
	expect_well("run timeprest --stages 2 --synthetic-train 72 --epochs 2 --profile kernels " SMALL);
	expect_no_contradiction(2);
	static const struct {
		const char *what, *sql;
	} wrong[] = {
	        {"kernels outside of their operation", "SELECT count(*) FROM kernel AS k LEFT JOIN operation AS o ON "
	                                               "(o.run_id, o.epoch, o.stage, o.record_number) = "
	                                               "(k.run_id, k.epoch, k.stage, k.operation_number) WHERE "
	                                               "o.run_id IS NULL OR k.start_ns < o.start_ns OR "
	                                               "k.end_ns > o.end_ns"},
	        {"kernels without a name of their run", "SELECT count(*) FROM kernel AS k LEFT JOIN kernel_name AS n "
	                                                "USING (kernel_name_id) WHERE n.run_id IS NOT "
	                                                "k.run_id"},
	        {"operations without a kernel",
	         "SELECT count(*) FROM operation AS o WHERE NOT EXISTS (SELECT 1 FROM kernel AS k WHERE (k.run_id, "
	         "k.epoch, "
	         "k.stage, k.operation_number) = (o.run_id, o.epoch, o.stage, o.record_number))"},
	        {"kernels that overlap", "SELECT count(*) FROM kernel AS k JOIN kernel AS l ON (k.run_id, k.epoch, "
	                                 "k.stage, k.record_number + 1) = "
	                                 "(l.run_id, l.epoch, l.stage, l.record_number) WHERE k.end_ns > l.start_ns"},
	        {"updates that are not one sgd kernel", "SELECT count(*) FROM operation AS o WHERE kind = 'U' AND "
	                                                "(SELECT count(*) FROM kernel AS k JOIN kernel_name "
	                                                "USING (kernel_name_id) WHERE (k.run_id, k.epoch, k.stage, "
	                                                "k.operation_number) = (o.run_id, o.epoch, o.stage, "
	                                                "o.record_number) AND kernel_name.name = 'sgd') <> 1"},
	        {"counters without a value or a reason, or with both",
	         "SELECT count(*) FROM counter WHERE (event_count IS NULL) = (absent_reason = '')"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int64_t found = query(wrong[i].sql);
		if (found != 0)
			fail_msg("expected no %s, found %lld", wrong[i].what, (long long)found);
	}
	assert_int_equal(query("SELECT count(*) FROM counter"), 3 * 2 * 3); /* counters, stages, epochs */
	assert_true(query("SELECT count(*) FROM kernel WHERE run_id = 1") > 3000);
	assert_int_equal(query("SELECT count(*) FROM kernel_name WHERE name = 'sgd'"),
	                 2 * 2); /* a stage each: sizes differ */
}

/* Recorded epochs beside others, in pairs that begin with either in turn. */
static void what_profiling_costs_is_stored(void **state)
{
	(void)state;
	const char *arguments = "--compare gpipe,timeprest --stages 2 --synthetic-train 72 --epochs 6 --repeats 2 "
	                        "--profile-cost " SMALL;
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_expect_part(result.out, "cost of profile");
	cli_release(&result);
	assert_int_equal(query("SELECT count(*) FROM profile_cost WHERE pair_count = 3 AND profile_level = 'ops'"), 4);
	assert_int_equal(
	        query("SELECT count(*) FROM profile_cost WHERE cost_ratio BETWEEN cost_min_ratio AND cost_max_ratio "
	              "AND cost_min_ratio > 0"),
	        4);
	assert_int_equal(query("SELECT count(*) FROM epoch WHERE (profile_level = 'ops') <> (epoch IN (1, 4, 5))"), 0);
	assert_int_equal(query("SELECT count(*) FROM operation WHERE epoch NOT IN (1, 4, 5)"), 0);
	/* The stored medians are those of the epochs: with three, the middle one. */
	assert_int_equal(
	        query("SELECT count(*) FROM profile_cost AS c WHERE profiled_median_ns <> (SELECT window_end_ns - "
	              "window_start_ns FROM epoch AS e WHERE e.run_id = c.run_id AND profile_level = 'ops' ORDER BY "
	              "window_end_ns - window_start_ns LIMIT 1 OFFSET 1)"),
	        0);
	assert_int_equal(query("SELECT count(*) FROM epoch_summary WHERE profile_level = 'off' AND idle_total_ratio IS "
	                       "NOT NULL"),
	                 0);
	cli_expect_refusal("run --profile-cost --epochs 5 " SMALL, "--profile-cost", "even number");
	cli_expect_refusal("run --profile-cost --epochs 2 " SMALL, "--profile-cost", "at least 4");
	cli_expect_refusal("run --profile-cost --epochs 4 --profile off " SMALL, "--profile-cost", "off");
	cli_expect_refusal("run --profile-cost --epochs 4 --clock virtual --costs uniform:1ms,2ms " SMALL,
	                   "--profile-cost", "--clock real");
}

static void targets_are_reported(void **state)
{
	(void)state;
	const char *arguments =
	        "run timeprest --stages 2 --synthetic-train 72 --epochs 3 --target-loss 1000 --target-top1 1 " SMALL;
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	cli_expect_part(result.out, "(median to test loss 1000)");
	cli_expect_part(result.out, "1 of 1      1.0");
	cli_expect_part(result.out, "0 of 1        -         -");
	cli_release(&result);
	assert_int_equal(query("SELECT reached_epoch FROM time_to_target WHERE target = 'target-loss'"), 1);
	assert_int_equal(
	        query("SELECT count(*) FROM time_to_target WHERE target = 'target-top1' AND reached_epoch IS NULL"), 1);
	assert_int_equal(
	        query("SELECT abs(reached_s * 1e9 - (window_end_ns - window_start_ns)) < 1 FROM time_to_target JOIN "
	              "epoch USING (run_id) WHERE epoch = 1 AND target = 'target-loss'"),
	        1);
}

int main(int argc, char **argv)
{
	assert_true(argc == 2);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(ledgers_close_under_the_real_clock, begin),
	        cmocka_unit_test_setup(ledgers_close_under_the_virtual_clock, begin),
	        cmocka_unit_test_setup(ledgers_close_along_the_axes, begin),
	        cmocka_unit_test_setup(a_short_buffer_changes_nothing, begin),
	        cmocka_unit_test_setup(a_thread_empties_short_rings, begin),
	        cmocka_unit_test_setup(a_killed_run_keeps_its_records, begin),
	        cmocka_unit_test_setup(two_runs_share_a_file, begin),
	        cmocka_unit_test_setup(lost_records_void_the_figures, begin),
	        cmocka_unit_test_setup(profiling_off_records_nothing, begin),
	        cmocka_unit_test_setup(kernels_are_rows_like_the_rest, begin),
	        cmocka_unit_test_setup(what_profiling_costs_is_stored, begin),
	        cmocka_unit_test_setup(targets_are_reported, begin),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
