/* Schema 2: a file of schema 1 becomes one, with a copy kept; and what it added reads back as it was given. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "results/queries.h"
#include "test_store_support.h"

/* --- from schema 1 --------------------------------------------------------------------------------------------------
 */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 17);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
	(void)fclose(file);
	return text;
}

/* As a program of that version left it: a run of two stages with a few operations. */
static void make_version_1(const char *path)
{
	char *schema = read_file(TPBENCH_SOURCE_DIR "/results/migrations/0001_initial.sql");
	sql_execute(path, schema);
	free(schema);
	sql_execute(path,
	            "INSERT INTO schema_meta VALUES (1, 0, '0.0.9');"
	            "INSERT INTO run VALUES (1, 'old', '', '', 1, 'timeprest', 'mlp', 'synthetic', 'cpu', 'static', "
	            "'real', 2, 2, 8, 1, 0, 0, 'h', 'c', 0, 0, 0, '', 0);"
	            "INSERT INTO stage VALUES (1, 0, 0, 2, 'a', 1, 1, 2, ''), (1, 1, 2, 2, 'b', 1, 1, 1, '');"
	            "INSERT INTO epoch VALUES (1, 1, 1, 8, 10, 70, 1.5, 0.5, NULL, NULL, NULL, NULL, NULL, 0, 5000, 0);"
	            "INSERT INTO memory VALUES (1, 1, 0, 'activations', 4000, 4000, 4000, 4000);"
	            "INSERT INTO operation VALUES (1, 1, 1, 0, 'F', 1, 0, 4, 10, 20, 0, 0, 0, 0, 1, 0), "
	            "(1, 1, 1, 1, 'B', 1, -1, 8, 20, 60, 0, 0, 0, 0, 1, 0), "
	            "(1, 1, 1, 2, 'U', 1, -1, 8, 60, 70, 0, 0, 0, 0, 1, 1);"
	            "INSERT INTO run_end VALUES (1, 'done', '', 0);"
	            "PRAGMA application_id = 1414545998; PRAGMA user_version = 1");
	assert_int_equal(TP_STORE_APPLICATION_ID, 1414545998);
}

static void an_older_file_is_migrated(void **state)
{
	(void)state;
	const char *path = in_folder("old.db"), *copy = in_folder("old.db.v1.bak");
	make_version_1(path);
	tp_store_close(open_store(path));
	assert_int_equal(sql_integer(path, "PRAGMA user_version"), TP_STORE_SCHEMA_VERSION);
	assert_string_equal(sql_text(path, "SELECT schema_version FROM schema_meta ORDER BY 1"), "1;2;4");
	assert_string_equal(sql_text(path, "SELECT kind, start_ns, end_ns, in_place, held_until_ns FROM operation "
	                                   "ORDER BY record_number"),
	                    "F|10|20|0|0;B|20|60|0|0;U|60|70|1|0");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	/* What is computed from its operations, and the memory of a process that the old schema did not split. */
	assert_string_equal(
	        sql_text(path, "SELECT stage, compute_ns, fill_ns, backward_ns, backward_count FROM stage_time"),
	        "0|0|60|0|0;1|60|0|40|1");
	assert_string_equal(
	        sql_text(path, "SELECT mini_batch, version_difference_count, chain_mini_batch FROM mini_batch"),
	        "1|1|1");
	assert_string_equal(sql_text(path, "SELECT stage, version, base_version, made_ns, freed_ns FROM weight_version "
	                                   "ORDER BY stage, version"),
	                    "0|0|NULL|NULL|NULL;1|0|NULL|NULL|NULL;1|1|0|70|NULL");
	assert_string_equal(sql_text(path, "SELECT profile_level FROM epoch"), "ops");
	assert_string_equal(sql_text(path, "SELECT rss_bytes, unaccounted_bytes FROM memory_balance"), "5000|1000");
	assert_string_equal(sql_text(path, "SELECT state, version_difference_max_count FROM compare"), "done|1");
	/* The copy is what it was. */
	assert_int_equal(sql_integer(copy, "PRAGMA user_version"), 1);
	assert_int_equal(sql_integer(copy, "SELECT count(*) FROM operation"), 3);
	assert_int_equal(sql_integer(copy, "SELECT count(*) FROM pragma_table_info('operation')"), 16);
	/* Once is enough. */
	assert_int_equal(unlink(copy), 0);
	tp_store_close(open_store(path));
	assert_int_not_equal(access(copy, F_OK), 0);
}

/* Without a copy nothing is changed. */
static void no_copy_no_migration(void **state)
{
	(void)state;
	const char *path = in_folder("kept.db");
	struct tp_store *store = NULL;
	make_version_1(path);
	assert_int_equal(mkdir(in_folder("kept.db.v1.bak"), 0700), 0);
	assert_fails(tp_store_open(path, &store), TP_ERR_IO);
	assert_non_null(strstr(tp_detail(), "kept.db.v1.bak"));
	assert_int_equal(sql_integer(path, "PRAGMA user_version"), 1);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM pragma_table_info('operation')"), 16);
	/* Reading asks for the schema of now. */
	assert_fails(tp_store_open_readonly(path, &store), TP_ERR_INPUT);
}

static void check_still_version_1(const char *path)
{
	assert_int_equal(sql_integer(path, "PRAGMA user_version"), 1);
	assert_string_equal(sql_text(path, "PRAGMA integrity_check"), "ok");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM pragma_table_info('operation')"), 16);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), 3);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'operation_cost'"), 0);
	assert_string_equal(sql_text(path, "SELECT state, version_difference_max_count FROM compare"), "done|1");
}

/* A table of the user's own takes a name that the schema wants, after half of it is made: all of it is undone. */
static void half_a_migration_is_undone(void **state)
{
	(void)state;
	const char *path = in_folder("half.db");
	struct tp_store *store = NULL;
	make_version_1(path);
	sql_execute(path, "CREATE TABLE prediction (mine)");
	assert_fails(tp_store_open(path, &store), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "prediction"));
	check_still_version_1(path);
	assert_int_equal(access(in_folder("half.db.v1.bak.part"), F_OK), -1);
	/* Out of the way, it goes through; the copy that is kept is the one of now. */
	sql_execute(path, "ALTER TABLE prediction RENAME TO mine");
	tp_store_close(open_store(path));
	assert_int_equal(sql_integer(path, "PRAGMA user_version"), TP_STORE_SCHEMA_VERSION);
	assert_int_equal(sql_integer(in_folder("half.db.v1.bak"), "SELECT count(*) FROM mine"), 0);
}

/* Views of the user's own over what is made anew work as before. */
static void views_of_the_user_survive(void **state)
{
	(void)state;
	const char *path = in_folder("views.db");
	make_version_1(path);
	sql_execute(path,
	            "CREATE VIEW mine AS SELECT run_id, sum(end_ns - start_ns) AS busy_ns FROM operation GROUP BY "
	            "run_id; CREATE VIEW yours AS SELECT bubble_ns FROM bubble JOIN mine USING (run_id)");
	tp_store_close(open_store(path));
	assert_int_equal(sql_integer(path, "PRAGMA user_version"), TP_STORE_SCHEMA_VERSION);
	assert_string_equal(sql_text(path, "SELECT * FROM mine"), "1|60");
	assert_string_equal(sql_text(path, "SELECT * FROM yours"), "60;0");
}

/* No room: for the copy, then for the change itself. */
static void a_full_disk_leaves_the_file(void **state)
{
	(void)state;
	const char *path = in_folder("small.db");
	make_version_1(path);
	struct stat before;
	assert_int_equal(stat(path, &before), 0);
	for (int i = 0; i < 2; i++) {
		/* The copy is as large as the file; the new tables and their pages are beyond that. */
		rlim_t bytes = (rlim_t)before.st_size - (i == 0 ? 4096 : 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct tp_store *store = NULL;
			struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
			(void)signal(SIGXFSZ, SIG_IGN);
			if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
				_exit(2);
			enum tp_status status = tp_store_open(path, &store);
			_exit(status == TP_ERR_IO && strstr(tp_detail(), "small.db") ? 0 : 3);
		}
		int ended;
		assert_int_equal(waitpid(child, &ended, 0), child);
		assert_true(WIFEXITED(ended));
		assert_int_equal(WEXITSTATUS(ended), 0);
		check_still_version_1(path);
		assert_int_equal(access(in_folder("small.db.v1.bak"), F_OK), i == 0 ? -1 : 0);
		assert_int_equal(access(in_folder("small.db.v1.bak.part"), F_OK), -1);
	}
	check_still_version_1(in_folder("small.db.v1.bak"));
}

/* Those who come together: one migrates, and the copy is of the file before that. */
static void many_open_an_older_file(void **state)
{
	(void)state;
	enum { WRITERS = 6 };
	const char *path = in_folder("many.db");
	pid_t children[WRITERS];
	make_version_1(path);
	sql_execute(path, "PRAGMA journal_mode = WAL");
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			struct tp_store *store = NULL;
			enum tp_status status = tp_store_open(path, &store);
			tp_store_close(store);
			_exit(status == TP_OK ? 0 : 1);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int ended;
		assert_int_equal(waitpid(children[i], &ended, 0), children[i]);
		assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
	}
	assert_string_equal(sql_text(path, "SELECT schema_version FROM schema_meta ORDER BY 1"), "1;2;4");
	check_still_version_1(in_folder("many.db.v1.bak"));
}

/* --- what it added --------------------------------------------------------------------------------------------------
 */

static const struct tp_op_record ops[] = {
        {.end_ns = 10, .mini = 1, .epoch = 1, .micro = 0, .samples = 24, .kind = TP_OP_F, .versions_alive = 1},
        {.start_ns = 10,
         .end_ns = 20,
         .mini = 1,
         .epoch = 1,
         .samples = 24,
         .kind = TP_OP_BX,
         .versions_alive = 1,
         .held_until_ns = 9},
        {.start_ns = 20, .end_ns = 25, .mini = 1, .epoch = 1, .samples = 24, .kind = TP_OP_BW, .versions_alive = 1},
};
enum { READS = 4 };
static const struct tp_read_record reads[READS] = {
        {.mini = 2, .version_forward = 0, .version_newest = 1, .lambda = 0.25, .epoch = 1, .micro = 0, .stage = 0},
        {.mini = 3, .version_forward = 0, .version_newest = 2, .lambda = 0, .epoch = 1, .micro = 0, .stage = 0},
        {.mini = 2, .version_forward = 1, .version_newest = 1, .lambda = 1, .epoch = 1, .micro = 1, .stage = 0},
        {.mini = 1, .version_forward = 0, .version_newest = 0, .lambda = 1, .epoch = 1, .micro = 0, .stage = 1},
};

static void operations_and_reads_come_back(void **state)
{
	(void)state;
	struct tp_store *store = open_store(in_folder("new.db"));
	int64_t run_id = begin_sample(store);
	struct tp_store_epoch epoch = sample_epoch(1);
	struct tp_stored_epoch stored;
	struct tp_stored_records records;
	epoch.records.ops = ops;
	epoch.records.op_count = 3;
	epoch.records.reads = reads;
	epoch.records.read_count = READS;
	epoch.predicted = (struct tp_store_prediction){1234, 2, 1.5, 1.25};
	measure(&epoch, SAMPLE_STAGES);
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	epoch = sample_epoch(2); /* predicts nothing, reads nothing apart */
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	assert_ok(tp_store_read_epoch(store, run_id, 1, &stored));
	assert_ok(tp_store_read_records(store, run_id, 1, &records));
	assert_int_equal(records.records.op_count, 3);
	assert_memory_equal(records.ops, ops, sizeof ops);
	assert_int_equal(records.records.read_count, READS);
	for (int i = 0; i < READS; i++) {
		assert_int_equal(records.reads[i].version_forward, reads[i].version_forward);
		assert_int_equal(records.reads[i].version_newest, reads[i].version_newest);
		assert_true(records.reads[i].lambda == reads[i].lambda);
		assert_int_equal(records.reads[i].mini, reads[i].mini);
		assert_int_equal(records.reads[i].micro, reads[i].micro);
	}
	tp_stored_records_release(&records);
	assert_int_equal(stored.epoch.predicted.window_ns, 1234);
	assert_int_equal(stored.epoch.predicted.version_difference_max, 2);
	assert_true(stored.epoch.predicted.version_difference_mean == 1.5);
	assert_true(stored.epoch.predicted.version_difference_estimate == 1.25);
	tp_stored_epoch_release(&stored);
	assert_ok(tp_store_read_epoch(store, run_id, 2, &stored));
	assert_int_equal(stored.epoch.predicted.window_ns, 0);
	tp_stored_epoch_release(&stored);
	tp_store_close(store);
}

static void costs_come_back(void **state)
{
	(void)state;
	static const struct tp_store_cost costs[] = {
	        {0, TP_OP_B, TP_WHOLE, 30}, {0, TP_OP_F, 0, 10},        {0, TP_OP_F, 1, 11},
	        {0, TP_OP_U, TP_WHOLE, 0},  {1, TP_OP_B, TP_WHOLE, 40},
	};
	struct tp_store *store = open_store(in_folder("costs.db"));
	int64_t run_id = begin_sample(store), without = begin_sample(store), count;
	struct tp_store_cost *found;
	assert_ok(tp_store_add_costs(store, run_id, costs, 5));
	assert_ok(tp_store_read_costs(store, run_id, &found, &count));
	assert_int_equal(count, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(found[i].stage, costs[i].stage);
		assert_int_equal(found[i].kind, costs[i].kind);
		assert_int_equal(found[i].micro, costs[i].micro);
		assert_int_equal(found[i].cost_ns, costs[i].cost_ns);
	}
	tp_free(found);
	assert_ok(tp_store_read_costs(store, without, &found, &count));
	assert_int_equal(count, 0);
	assert_null(found);
	assert_fails(tp_store_read_costs(store, 99, &found, &count), TP_ERR_INPUT);
	tp_store_close(store);
}

static void emulation_is_stored(void **state)
{
	(void)state;
	static const struct tp_store_link links[] = {{0, 1, 125e6, 50000}, {1, 0, 0, 10}};
	static const struct tp_store_worker workers[] = {{0, "fast", 1, 0}, {1, "slow", 0.5, 1 << 20}};
	const char *path = in_folder("emulated.db");
	struct tp_store *store = open_store(path);
	struct tp_store_run run = sample_run;
	int64_t run_id;
	run.clock = "virtual";
	run.links = links;
	run.link_count = 2;
	run.workers = workers;
	run.worker_count = 2;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	/* One that was refused before it was planned has no stages. */
	run = sample_run;
	run.stages_planned = NULL;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	assert_ok(tp_store_end_run(store, run_id, TP_STORE_FAILED, "refused", NULL, 0));
	tp_store_close(store);
	assert_string_equal(sql_text(path,
	                             "SELECT from_stage, to_stage, CAST(bandwidth_bytes_per_s AS INTEGER), latency_ns "
	                             "FROM run_link ORDER BY from_stage"),
	                    "0|1|125000000|50000;1|0|0|10");
	assert_string_equal(sql_text(path, "SELECT stage, worker, speed_ratio, memory_limit_bytes FROM run_worker"),
	                    "0|fast|1.0|0;1|slow|0.5|1048576");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM stage WHERE run_id = 2"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_older_file_is_migrated),
	        cmocka_unit_test(no_copy_no_migration),
	        cmocka_unit_test(views_of_the_user_survive),
	        cmocka_unit_test(half_a_migration_is_undone),
	        cmocka_unit_test(a_full_disk_leaves_the_file),
	        cmocka_unit_test(many_open_an_older_file),
	        cmocka_unit_test(operations_and_reads_come_back),
	        cmocka_unit_test(costs_come_back),
	        cmocka_unit_test(emulation_is_stored),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
