/* How the database behaves when it is large. First how many operations a second the store writes, and what one takes on
 * disk; then a database of many runs, and how long every shipped query and every view takes on it. Views that have a
 * row for each record are read for the latest run, all others wholly; every row and column is fetched. Nothing should
 * take longer than five seconds.
 *
 * Usage: database_scale [OPERATIONS [RUNS [FOLDER]]] (10000000, 20, and /tmp, which holds 1.4 GiB until the end) */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "engine/base/clock.h"
#include "results/maintenance.h"
#include "results/queries.h"
#include "tests/bench/bench.h"

enum { EPOCHS = 5, STAGES = 4, OPERATIONS_PER_MINI = 6, WRITTEN = 500000, ROUNDS = 5, MOST_SECONDS = 5 };

static double seconds_since(int64_t start_ns)
{
	return (double)(tp_now_ns() - start_ns) * 1e-9;
}

static _Noreturn void sql_fail(sqlite3 *db, const char *what)
{
	(void)tp_fail(TP_ERR_IO, "%s", sqlite3_errmsg(db));
	bench_fail(what);
}

static struct tp_store *open_store(const char *path)
{
	struct tp_store *store;
	if (tp_store_open(path, &store) != TP_OK)
		bench_fail(path);
	return store;
}

static void remove_database(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[640];
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
}

/* --- writing ---------------------------------------------------------------------------------------------------------
 */

static struct tp_op_record *make_operations(void)
{
	struct tp_op_record *ops = calloc(WRITTEN, sizeof *ops);
	if (!ops)
		bench_fail("operations");
	for (int i = 0; i < WRITTEN; i++) {
		int number = i % (WRITTEN / STAGES), part = number % OPERATIONS_PER_MINI;
		int64_t mini = number / OPERATIONS_PER_MINI + 1, start_ns = (int64_t)number * 1234567;
		ops[i] = (struct tp_op_record){.start_ns = start_ns,
		                               .end_ns = start_ns + 1200000,
		                               .mini = mini,
		                               .version_read = mini > 3 ? mini - 3 : 0,
		                               .version_live = mini - 1,
		                               .version_committed = mini > 3 ? mini - 3 : 0,
		                               .version_forward = mini > 3 ? mini - 3 : 0,
		                               .epoch = 1,
		                               .micro = part < 4 ? part : TP_WHOLE,
		                               .samples = part < 4 ? 16 : 64,
		                               .stage = (int16_t)(i / (WRITTEN / STAGES)),
		                               .kind = part < 4    ? TP_OP_F
		                                       : part == 4 ? TP_OP_B
		                                                   : TP_OP_U,
		                               .versions_alive = 3};
	}
	return ops;
}

/* One epoch of operations alone, in a file of its own, commit included. */
static void write_once(const char *path, const struct tp_op_record *ops, double *rows_per_s, double *row_bytes)
{
	static const struct tp_store_run run = {.name = "",
	                                        .note = "",
	                                        .schedule = "timeprest",
	                                        .model = "vgg16",
	                                        .dataset = "synthetic",
	                                        .device = "null",
	                                        .order = "dynamic",
	                                        .clock = "real",
	                                        .stages = STAGES,
	                                        .micro_batches = 4,
	                                        .batch_samples = 64,
	                                        .repeat = 1,
	                                        .comparison = "",
	                                        .config_text = ""};
	struct tp_store *store = open_store(path);
	struct tp_store_epoch epoch = {
	        .epoch = 1, .profile_level = "ops", .records = {.ops = ops, .op_count = WRITTEN}};
	int64_t run_id, before_bytes, after_bytes;
	if (tp_store_begin_run(store, &run, &run_id) != TP_OK || tp_store_size(store, &before_bytes) != TP_OK)
		bench_fail("begin a run");
	int64_t start_ns = tp_now_ns();
	if (tp_store_add_epoch(store, run_id, &epoch) != TP_OK)
		bench_fail("write operations");
	*rows_per_s = WRITTEN / seconds_since(start_ns);
	if (tp_store_size(store, &after_bytes) != TP_OK)
		bench_fail("size");
	*row_bytes = (double)(after_bytes - before_bytes) / WRITTEN;
	tp_store_close(store);
	remove_database(path);
}

static void measure_writing(const char *path)
{
	struct tp_op_record *ops = make_operations();
	double rows_per_s[ROUNDS], row_bytes = 0;
	for (int round = 0; round < ROUNDS; round++)
		write_once(path, ops, &rows_per_s[round], &row_bytes);
	double median = bench_median(rows_per_s, ROUNDS);
	printf("%d operations written by the store (WAL, synchronous = NORMAL, foreign keys on), median of %d: %.0f "
	       "rows/s (%.0f to %.0f), %.1f bytes each\n",
	       WRITTEN, ROUNDS, median, rows_per_s[0], rows_per_s[ROUNDS - 1], row_bytes);
	free(ops);
}

/* --- filling ---------------------------------------------------------------------------------------------------------
 */

static char *read_text(const char *name)
{
	enum { MOST_BYTES = 1 << 16 };
	char *text = calloc(1, MOST_BYTES), path[640];
	(void)snprintf(path, sizeof path, "%s/%s", TPBENCH_SOURCE_DIR, name);
	FILE *file = fopen(path, "r");
	if (!text || !file || fread(text, 1, MOST_BYTES - 1, file) == 0)
		bench_fail(path);
	(void)fclose(file);
	return text;
}

/* Every statement of `sql`, with the number of a run and its mini-batches. */
static void execute(sqlite3 *db, const char *sql, int run, int minis)
{
	sqlite3_stmt *statement;
	while (*sql) {
		if (sqlite3_prepare_v2(db, sql, -1, &statement, &sql) != SQLITE_OK)
			sql_fail(db, "prepare");
		if (!statement)
			continue; /* blanks and comments behind the last one */
		if (sqlite3_bind_parameter_count(statement) > 0)
			(void)sqlite3_bind_int(statement, 1, run);
		if (sqlite3_bind_parameter_count(statement) > 1)
			(void)sqlite3_bind_int(statement, 2, minis);
		while (sqlite3_step(statement) == SQLITE_ROW)
			;
		if (sqlite3_finalize(statement) != SQLITE_OK)
			sql_fail(db, "fill");
	}
}

static void fill(const char *path, int runs, int minis)
{
	struct tp_store *store = open_store(path);
	sqlite3 *db = tp_store_connection(store);
	char *sql = read_text("tests/bench/database_scale.sql");
	char *kernels = read_text("tests/bench/database_scale_kernels.sql");
	int64_t start_ns = tp_now_ns(), bytes;
	execute(db, "CREATE TEMP TABLE generate_part (value INTEGER PRIMARY KEY)", 0, 0);
	execute(db,
	        "INSERT INTO generate_part WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
	        "WHERE i < ?2 * 12 + 100 + ?1 * 0) SELECT i FROM n",
	        0, minis);
	for (int run = 1; run <= runs; run++) {
		execute(db, "BEGIN", 0, 0);
		execute(db, sql, run, minis);
		if (run == runs)
			execute(db, kernels, run, minis);
		execute(db, "COMMIT", 0, 0);
	}
	if (tp_store_size(store, &bytes) != TP_OK)
		bench_fail("size");
	printf("%d runs of %d operations, with everything that belongs to them: %.2f GiB, filled in %.0f s\n", runs,
	       minis * STAGES * OPERATIONS_PER_MINI * EPOCHS, (double)bytes / (1 << 30), seconds_since(start_ns));
	tp_store_close(store);
	free(sql);
	free(kernels);
}

/* --- asking ----------------------------------------------------------------------------------------------------------
 */

/* Fetch all of it by a connection of its own, as an outsider would. */
static void measure_query(const char *path, const char *name, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *rows;
	int64_t count = 0, start_ns = tp_now_ns();
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK)
		sql_fail(db, name);
	for (; sqlite3_step(rows) == SQLITE_ROW; count++) {
		for (int i = 0; i < sqlite3_column_count(rows); i++)
			(void)sqlite3_column_text(rows, i);
	}
	if (sqlite3_finalize(rows) != SQLITE_OK)
		sql_fail(db, name);
	(void)sqlite3_close(db);
	double seconds = seconds_since(start_ns);
	printf("%-36s %10lld %9.3f%s\n", name, (long long)count, seconds, seconds > MOST_SECONDS ? "  TOO LONG" : "");
	(void)fflush(stdout);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_query(const struct dirent *file)
{
	const char *dot = strrchr(file->d_name, '.');
	return dot && strcmp(dot, ".sql") == 0;
}

static void measure_queries(const char *path)
{
	struct dirent **files;
	int count = scandir(TPBENCH_SOURCE_DIR "/results/queries", &files, is_query, by_name);
	if (count < 1)
		bench_fail("results/queries");
	printf("%-36s %10s %9s\n", "query", "rows", "seconds");
	for (int i = 0; i < count; i++) {
		char name[320];
		(void)snprintf(name, sizeof name, "results/queries/%s", files[i]->d_name);
		char *sql = read_text(name);
		measure_query(path, files[i]->d_name, sql);
		free(sql);
		free(files[i]);
	}
	free(files);
}

static void measure_views(const char *path)
{
	/* With a row for each record: those of Nsight, and v of each mini-batch. */
	static const char sql[] =
	        "SELECT name, name GLOB 'NVTX_*' OR name GLOB 'CUPTI_*' OR name = 'version_difference' "
	        "FROM sqlite_schema WHERE type = 'view' ORDER BY name";
	sqlite3 *db;
	sqlite3_stmt *views;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &views, NULL) != SQLITE_OK)
		sql_fail(db, "views");
	printf("%-36s %10s %9s\n", "view", "rows", "seconds");
	while (sqlite3_step(views) == SQLITE_ROW) {
		char name[96], query[256];
		bool of_one_run = sqlite3_column_int(views, 1) != 0;
		(void)snprintf(query, sizeof query, "SELECT * FROM \"%s\"%s",
		               (const char *)sqlite3_column_text(views, 0),
		               of_one_run ? " WHERE run_id = (SELECT max(run_id) FROM run)" : "");
		(void)snprintf(name, sizeof name, "%s%s", (const char *)sqlite3_column_text(views, 0),
		               of_one_run ? ", one run" : "");
		measure_query(path, name, query);
	}
	(void)sqlite3_finalize(views);
	(void)sqlite3_close(db);
}

int main(int argc, char **argv)
{
	int64_t operations = argc > 1 ? atoll(argv[1]) : 10000000;
	int runs = argc > 2 ? atoi(argv[2]) : 20;
	int64_t minis = runs > 0 ? operations / runs / (STAGES * OPERATIONS_PER_MINI * EPOCHS) : 0;
	if (minis < 1 || minis > 100000000)
		bench_fail("usage: database_scale [OPERATIONS [RUNS [FOLDER]]]");
	char path[512];
	(void)snprintf(path, sizeof path, "%s/tpbench-scale-%ld.db", argc > 3 ? argv[3] : "/tmp", (long)getpid());
	measure_writing(path);
	fill(path, runs, (int)minis);
	measure_queries(path);
	measure_views(path);
	remove_database(path);
	return 0;
}
