#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_store_support.h"

static const struct tp_store_pair parameters[] = {{"lr", "0.01"}, {"seed", "7"}};
static const struct tp_store_pair environment[] = {{"os", "some system"}};
static const struct tp_store_stage stages[SAMPLE_STAGES] = {
        {0, 0, 3, "a .. c", 1000, 2000, 2, "a: direct\n"},
        {1, 3, 2, "d .. e", INT64_C(5000000000), INT64_C(7000000000), 1, ""},
};

const struct tp_store_run sample_run = {
        .name = "a name",
        .note = "it's a note; \"quoted\"",
        .schedule = "timeprest",
        .model = "mlp",
        .dataset = "synthetic",
        .device = "reference",
        .order = "static",
        .clock = "real",
        .stages = SAMPLE_STAGES,
        .micro_batches = 2,
        .batch_samples = 48,
        .repeat = 2,
        .comparison = "c1",
        .config_hash = UINT64_C(0xfedcba9876543210),
        .config_text = "model = mlp\n",
        .minis_per_epoch = 2,
        .dropped_samples_per_epoch = 5,
        .rss_before_bytes = 123456,
        .parameters = parameters,
        .parameter_count = 2,
        .environment = environment,
        .environment_count = 1,
        .stages_planned = stages,
};

const struct tp_op_record sample_ops[SAMPLE_OPS] = {
        {0, 10, 1, 0, 0, 0, 0, 1, 0, 24, 0, TP_OP_F, 1, 0, 0},
        {10, 20, 1, 0, 0, 0, 0, 1, 1, 24, 0, TP_OP_F, 1, 0, 0},
        {40, 60, 1, 0, 0, 0, 0, 1, TP_WHOLE, 48, 0, TP_OP_B, 1, 0, 0},
        {60, 65, 1, 0, 0, 0, 0, 1, TP_WHOLE, 48, 0, TP_OP_U, 1, 1, 0},
        {10, 20, 1, 0, 0, 0, 0, 1, 0, 24, 1, TP_OP_F, 1, 0, 0},
        {20, 30, 1, 0, 0, 0, 0, 1, 1, 24, 1, TP_OP_F, 1, 0, 0},
        {30, 38, 1, 0, 0, 0, 0, 1, TP_WHOLE, 48, 1, TP_OP_B, 1, 0, 0},
        {38, 40, 1, 0, 0, 0, 0, 1, TP_WHOLE, 48, 1, TP_OP_U, 2, 0, 0},
        {40, 45, 2, 0, 1, 0, 0, 1, TP_WHOLE, 48, 1, TP_OP_B, 2, 0, 0},
};

const struct tp_message_record sample_messages[SAMPLE_MESSAGES] = {
        {38, 38, 39, 20, 4096, 1, TP_WHOLE, 1, 1, 0, 1, 1},
        {10, 11, 12, 10, 2048, 1, 0, 1, 0, 1, 0, 0},
};

const struct tp_memory_record sample_memory[SAMPLE_MEMORY] = {
        {.now_bytes = {[TP_MEM_WEIGHTS_LIVE] = 100, [TP_MEM_ACTIVATIONS] = 1},
         .peak_bytes = {[TP_MEM_WEIGHTS_LIVE] = 100, [TP_MEM_ACTIVATIONS] = 60, [TP_MEM_MESSAGES] = 30},
         .at_peak_bytes = {[TP_MEM_WEIGHTS_LIVE] = 100, [TP_MEM_ACTIVATIONS] = 60, [TP_MEM_MESSAGES] = 20},
         .reserved_bytes = {[TP_MEM_WEIGHTS_LIVE] = 200, [TP_MEM_ACTIVATIONS] = 60, [TP_MEM_MESSAGES] = 30},
         .peak_total_bytes = 180,
         .epoch = 1,
         .stage = 0},
        {.now_bytes = {[TP_MEM_WEIGHTS_LIVE] = 300},
         .peak_bytes = {[TP_MEM_WEIGHTS_LIVE] = 300},
         .at_peak_bytes = {[TP_MEM_WEIGHTS_LIVE] = 300},
         .reserved_bytes = {[TP_MEM_WEIGHTS_LIVE] = 300},
         .peak_total_bytes = 300,
         .epoch = 1,
         .stage = 1},
        {.now_bytes = {[TP_MEM_DATA] = 7},
         .peak_bytes = {[TP_MEM_DATA] = 9},
         .at_peak_bytes = {[TP_MEM_DATA] = 8},
         .reserved_bytes = {[TP_MEM_DATA] = 10},
         .peak_total_bytes = 8,
         .epoch = 1,
         .stage = -1},
};

void measure(struct tp_store_epoch *epoch, int32_t stage_count)
{
	static struct tp_metrics metrics; /* of the latest call */
	const struct tp_metrics_input input = {stage_count, false, epoch->records};
	tp_metrics_release(&metrics);
	assert_ok(tp_metrics_compute(&input, &metrics));
	epoch->metrics = &metrics;
}

struct tp_store_epoch sample_epoch(int32_t number)
{
	struct tp_store_epoch epoch = {
	        .epoch = number,
	        .profile_level = "ops",
	        .minis = 2,
	        .samples = 96,
	        .start_ns = 0,
	        .end_ns = 65,
	        .train_loss = 2.5,
	        .train_top1 = 0.25,
	        .evaluated = true,
	        .test_samples = 100,
	        .test_loss = 2.25,
	        .test_top1 = 0.5,
	        .test_top5 = 0.75,
	        .evaluation_ns = 11,
	        .rss_bytes = 654321,
	        .allocations_in_window = 3,
	        .records = {.ops = sample_ops,
	                    .op_count = SAMPLE_OPS,
	                    .messages = sample_messages,
	                    .message_count = SAMPLE_MESSAGES},
	        .memory = sample_memory,
	        .memory_count = SAMPLE_MEMORY,
	};
	measure(&epoch, SAMPLE_STAGES);
	return epoch;
}

struct tp_store_epoch long_epoch(int32_t number, int64_t count)
{
	static struct tp_op_record *ops;
	free(ops);
	ops = calloc((size_t)count, sizeof *ops);
	assert_non_null(ops);
	for (int64_t i = 0; i < count; i++)
		ops[i] = (struct tp_op_record){.start_ns = i, .end_ns = i + 1, .mini = i + 1, .epoch = number};
	return (struct tp_store_epoch){.epoch = number,
	                               .profile_level = "ops",
	                               .minis = count,
	                               .end_ns = count,
	                               .records = {.ops = ops, .op_count = count}};
}

static char folder[64];

int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/tpbench-results-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

int remove_folder(void **state)
{
	(void)state;
	DIR *files = opendir(folder);
	if (!files)
		return -1;
	struct dirent *file;
	while ((file = readdir(files)) != NULL) {
		if (file->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(files), file->d_name, 0) != 0)
			(void)unlinkat(dirfd(files), file->d_name, AT_REMOVEDIR);
	}
	(void)closedir(files);
	return rmdir(folder);
}

const char *in_folder(const char *name)
{
	static char paths[8][256];
	static int next;
	char *path = paths[next++ % 8];
	(void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

void assert_status(enum tp_status found, enum tp_status expected, const char *what, const char *file, int line)
{
	if (found == expected)
		return;
	print_error("%s: %s: expected '%s', found '%s': %s\n", file, what, tp_status_text(expected),
	            tp_status_text(found), tp_detail());
	_fail(file, line);
}

struct tp_store *open_store(const char *path)
{
	struct tp_store *store;
	assert_ok(tp_store_open(path, &store));
	return store;
}

int64_t begin_sample(struct tp_store *store)
{
	int64_t run_id = 0;
	assert_ok(tp_store_begin_run(store, &sample_run, &run_id));
	return run_id;
}

static sqlite3 *outsider(const char *path, int flags)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	return db;
}

const char *sql_text(const char *path, const char *sql)
{
	static char text[1 << 18];
	size_t used = 0;
	sqlite3_stmt *rows;
	sqlite3 *db = outsider(path, SQLITE_OPEN_READONLY);
	text[0] = '\0';
	if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	int rc;
	while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			const unsigned char *value = sqlite3_column_text(rows, i);
			const char *before = i > 0 ? "|" : used > 0 ? ";" : "";
			int added = snprintf(text + used, sizeof text - used, "%s%s", before,
			                     value ? (const char *)value : "NULL");
			assert_in_range(added, 0, sizeof text - used - 1);
			used += (size_t)added;
		}
	}
	if (rc != SQLITE_DONE)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	(void)sqlite3_finalize(rows);
	(void)sqlite3_close(db);
	return text;
}

int64_t sql_integer(const char *path, const char *sql)
{
	return strtoll(sql_text(path, sql), NULL, 10);
}

double sql_real(const char *path, const char *sql)
{
	return strtod(sql_text(path, sql), NULL);
}

void sql_execute(const char *path, const char *sql)
{
	sqlite3 *db = outsider(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	(void)sqlite3_close(db);
}
