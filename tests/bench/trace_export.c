/* How fast a stored run becomes a trace, and in how much memory: seconds, size and peak resident memory per format. The
 * database is made for it, of 8 stages and 4 micro-batches, with the rows that a run of that many operations would
 * have: messages over links, an idle gap before every second operation, a change of memory at every forward and
 * backward. Each export is a process of its own, so that its peak memory is its own; the median of the rounds is shown.
 *
 * Usage: trace_export [OPERATIONS [ROUNDS [FOLDER]]] (1000000, 3 and /tmp; about 300 bytes of disk per operation for
 * the database and as much again for the largest trace) */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "reports/trace.h"
#include "tests/bench/bench.h"

enum { STAGES = 8, MICRO_BATCHES = 4, OPERATIONS_PER_MINI = MICRO_BATCHES + 2, MOST_ROUNDS = 25 };
enum { FORWARD_NS = 100000, GAP_NS = 1000, TRANSFER_NS = 20000 };

/* --- the database ------------------------------------------------------------------------------------------------- */

static sqlite3 *db;

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
	return statement;
}

static void insert(sqlite3_stmt *statement, const int64_t *values, int count, int text_place, const char *text)
{
	for (int i = 0; i < count; i++)
		(void)sqlite3_bind_int64(statement, i + 1, values[i]);
	(void)sqlite3_bind_text(statement, text_place, text, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE) {
		(void)fprintf(stderr, "insert: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
	(void)sqlite3_reset(statement);
}

static void execute(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

struct stage_rows {
	sqlite3_stmt *operation, *message, *idle, *memory;
	int64_t operations, messages, idles, changes; /* record numbers of the stage under way */
	int64_t now_ns;
	int32_t stage;
};

/* Arguments: epoch 1 of run 1 at the stage, mini-batch, micro-batch. A message takes its time and is taken at once. */
static void add_message(struct stage_rows *rows, int32_t from, int64_t mini, int32_t micro)
{
	if (from < 0 || from >= STAGES)
		return;
	int64_t ready_ns = rows->now_ns - TRANSFER_NS - GAP_NS;
	insert(rows->message,
	       (int64_t[]){1, 1, rows->stage, rows->messages++, from, 0, mini, micro, 65536, ready_ns,
	                   ready_ns + GAP_NS, ready_ns + GAP_NS + TRANSFER_NS, rows->now_ns - GAP_NS, 0},
	       14, 6, from < rows->stage ? "activation" : "gradient");
}

static void add_change(struct stage_rows *rows, int64_t bytes)
{
	insert(rows->memory,
	       (int64_t[]){1, 1, rows->stage, rows->changes++, rows->now_ns, 0, bytes, bytes + 1000000,
	                   rows->operations},
	       9, 6, "activations");
}

static void add_operation(struct stage_rows *rows, const char *kind, int64_t mini, int32_t micro, int64_t ns)
{
	if (rows->operations % 2 == 0) {
		insert(rows->idle,
		       (int64_t[]){1, 1, rows->stage, rows->idles++, 0, rows->now_ns, rows->now_ns + GAP_NS,
		                   rows->operations},
		       8, 5, "message");
		rows->now_ns += GAP_NS;
	}
	insert(rows->operation,
	       (int64_t[]){1, 1, rows->stage, rows->operations++, 0, mini, micro, micro < 0 ? 64 : 16, rows->now_ns,
	                   rows->now_ns + ns, mini > 3 ? mini - 3 : 0, mini - 1, mini > 3 ? mini - 3 : 0, mini - 1, 2,
	                   0, 0},
	       17, 5, kind);
	if (kind[0] != 'U')
		add_change(rows, kind[0] == 'F' ? 4096 * (micro + 1) : 0);
	rows->now_ns += ns;
}

static void add_stage(struct stage_rows *rows, int32_t stage, int64_t minis)
{
	rows->stage = stage;
	rows->operations = rows->messages = rows->idles = rows->changes = 0;
	rows->now_ns = (int64_t)(stage + 1) * FORWARD_NS;
	for (int64_t mini = 1; mini <= minis; mini++) {
		for (int32_t micro = 0; micro < MICRO_BATCHES; micro++) {
			add_message(rows, stage - 1, mini, micro);
			add_operation(rows, "F", mini, micro, FORWARD_NS);
		}
		add_message(rows, stage + 1, mini, -1);
		add_operation(rows, "B", mini, -1, 2 * MICRO_BATCHES * FORWARD_NS);
		add_operation(rows, "U", mini, -1, FORWARD_NS / 4);
	}
}

static void add_run(int64_t minis, int64_t end_ns)
{
	char sql[512];
	execute("INSERT INTO run VALUES (1, '', '', '', 1, 'timeprest', 'vgg16', 'synthetic', 'cpu', 'dynamic', "
	        "'real', 8, "
	        "4, 64, 0, 0, 0, '', '', 0, 0, 0, '', 0)");
	for (int s = 0; s < STAGES; s++) {
		(void)snprintf(sql, sizeof sql, "INSERT INTO stage VALUES (1, %d, 0, 1, 'layer %d', 0, 0, 1, '')", s,
		               s);
		execute(sql);
	}
	(void)snprintf(
	        sql, sizeof sql,
	        "INSERT INTO epoch VALUES (1, 1, 'ops', %lld, %lld, 0, %lld, 0, 0, NULL, NULL, NULL, NULL, NULL, "
	        "0, 0, 0)",
	        (long long)minis, (long long)(64 * minis), (long long)end_ns);
	execute(sql);
}

static void make_database(const char *path, int64_t operations)
{
	struct tp_store *store;
	struct stage_rows rows = {0};
	int64_t minis = operations / (STAGES * OPERATIONS_PER_MINI);
	if (tp_store_open(path, &store) != TP_OK)
		bench_fail(path);
	tp_store_close(store);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		bench_fail(path);
	execute("PRAGMA synchronous = OFF; BEGIN");
	rows.operation = prepare("INSERT INTO operation VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	rows.message = prepare("INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	rows.idle = prepare("INSERT INTO idle VALUES (?,?,?,?,?,?,?,?)");
	rows.memory = prepare("INSERT INTO memory_change VALUES (?,?,?,?,?,?,?,?,?)");
	add_run(minis, minis * (4 + 2 * MICRO_BATCHES) * FORWARD_NS);
	for (int32_t s = 0; s < STAGES; s++)
		add_stage(&rows, s, minis);
	(void)sqlite3_finalize(rows.operation);
	(void)sqlite3_finalize(rows.message);
	(void)sqlite3_finalize(rows.idle);
	(void)sqlite3_finalize(rows.memory);
	execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
	(void)sqlite3_close(db);
}

/* --- exports ------------------------------------------------------------------------------------------------------ */

struct sample {
	double seconds, peak_mib;
	int64_t events, bytes;
};

static struct sample export_run(const char *database, const char *path, const char *format)
{
	struct tp_store *store;
	struct tp_trace_result result;
	struct rusage usage;
	const struct tp_trace_request request = {.format = format, .database = database, .path = path};
	if (tp_store_open_readonly(database, &store) != TP_OK)
		bench_fail(database);
	int64_t start_ns = tp_now_ns();
	if (tp_trace_export(store, &request, &result) != TP_OK)
		bench_fail(path);
	double seconds = (double)(tp_now_ns() - start_ns) * 1e-9;
	tp_store_close(store);
	(void)getrusage(RUSAGE_SELF, &usage);
	return (struct sample){seconds, (double)usage.ru_maxrss / 1024, result.event_count, result.written_bytes};
}

static void make_in_a_child(const char *database, int64_t operations)
{
	int status;
	pid_t child = fork();
	if (child < 0)
		bench_fail("fork");
	if (child == 0) {
		make_database(database, operations);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		bench_fail("the database could not be made");
}

static struct sample export_in_a_child(const char *database, const char *path, const char *format)
{
	struct sample sample = {0};
	int ends[2];
	if (pipe(ends) != 0)
		bench_fail("pipe");
	pid_t child = fork();
	if (child < 0)
		bench_fail("fork");
	if (child == 0) {
		sample = export_run(database, path, format);
		_exit(write(ends[1], &sample, sizeof sample) == (ssize_t)sizeof sample ? 0 : 1);
	}
	(void)close(ends[1]);
	if (read(ends[0], &sample, sizeof sample) != (ssize_t)sizeof sample)
		bench_fail("an export failed");
	(void)close(ends[0]);
	(void)waitpid(child, NULL, 0);
	return sample;
}

/* With what SQLite keeps beside it. */
static void remove_database(const char *database)
{
	static const char *const endings[] = {"", "-wal", "-shm"};
	char path[320];
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		(void)snprintf(path, sizeof path, "%s%s", database, endings[i]);
		(void)unlink(path);
	}
}

int main(int argc, char **argv)
{
	static const char *const formats[] = {"perfetto", "chrome", "nvtxt"};
	long long operations = argc > 1 ? atoll(argv[1]) : 1000000;
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	char folder[256], database[300], path[300];
	(void)snprintf(folder, sizeof folder, "%s/tpbench-trace-XXXXXX", argc > 3 ? argv[3] : "/tmp");
	if (operations < STAGES * OPERATIONS_PER_MINI || rounds < 1 || rounds > MOST_ROUNDS || !mkdtemp(folder))
		bench_fail("usage: trace_export [OPERATIONS [ROUNDS [FOLDER]]]");
	(void)snprintf(database, sizeof database, "%s/run.db", folder);
	(void)snprintf(path, sizeof path, "%s/trace", folder);
	make_in_a_child(database, operations);
	printf("%lld operations at %d stages with their messages, gaps and changes of memory, median of %d\n",
	       operations, STAGES, rounds);
	printf("%-10s %12s %10s %16s %10s %10s\n", "format", "events", "seconds", "s/million events", "MB", "peak MiB");
	for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
		double seconds[MOST_ROUNDS];
		struct sample sample = {0};
		for (int round = 0; round < rounds; round++) {
			sample = export_in_a_child(database, path, formats[f]);
			seconds[round] = sample.seconds;
		}
		double median = bench_median(seconds, rounds);
		printf("%-10s %12lld %10.2f %16.2f %10.1f %10.1f\n", formats[f], (long long)sample.events, median,
		       median * 1e6 / (double)sample.events, (double)sample.bytes * 1e-6, sample.peak_mib);
		(void)fflush(stdout);
	}
	(void)unlink(path);
	remove_database(database);
	return rmdir(folder) == 0 ? 0 : 1;
}
