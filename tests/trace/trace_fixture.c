#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "tests/trace/trace_fixture.h"

/* What one stage and epoch have so far. */
struct rows {
	struct tp_text sql;
	const struct fixture *fixture;
	uint32_t seed;
	int epoch, stage;
	int operations, messages, idles, changes, kernels;
	long long now_ns, ready_ns[2]; /* the latter by direction: messages of one are sent in their order */
};

/* 0 to below - 1, the same in every run. */
static int draw(struct rows *rows, int below)
{
	rows->seed = rows->seed * 1664525U + 1013904223U;
	return (int)((rows->seed >> 8) % (uint32_t)below);
}

/* Some take no time at all, to the sender or on the way; many are on the way together. None takes one nanosecond, which
 * is how formats without instants write those. */
static void add_message(struct rows *rows, int from, int mini, int micro)
{
	bool gradient = from > rows->stage;
	if (from < 0 || from >= FIXTURE_STAGES)
		return;
	long long ready_ns = rows->ready_ns[gradient] += 3 + draw(rows, 20);
	long long sent_ns = ready_ns + (draw(rows, 2) ? 2 + draw(rows, 30) : 0);
	bool handed_over = draw(rows, 3) == 0;
	long long arrived_ns = sent_ns + (handed_over ? 0 : 2 + draw(rows, 60));
	tp_text_add(&rows->sql, "INSERT INTO message VALUES (1,%d,%d,%d,%d,'%s',%d,%d,%d,%lld,%lld,%lld,%lld,%d);\n",
	            rows->epoch, rows->stage, rows->messages++, from, gradient ? "gradient" : "activation", mini, micro,
	            1000 + draw(rows, 9), ready_ns, sent_ns, arrived_ns, ready_ns + 2 + draw(rows, 80), handed_over);
}

static void add_idle(struct rows *rows, int ns)
{
	static const char *const causes[] = {"fill", "drain", "sender", "message", "staleness", "host", "unheard-of"};
	if (ns == 0)
		return;
	if (!rows->fixture->bare)
		tp_text_add(&rows->sql, "INSERT INTO idle VALUES (1,%d,%d,%d,'%s',%lld,%lld,%d);\n", rows->epoch,
		            rows->stage, rows->idles++, causes[draw(rows, 7)], rows->now_ns, rows->now_ns + ns,
		            rows->operations);
	rows->now_ns += ns;
}

static void add_change(struct rows *rows, const char *kind)
{
	if (rows->fixture->bare)
		return;
	tp_text_add(&rows->sql, "INSERT INTO memory_change VALUES (1,%d,%d,%d,%lld,'%s',%d,%d,%d);\n", rows->epoch,
	            rows->stage, rows->changes++, rows->now_ns, kind, draw(rows, 100000), 100000 + draw(rows, 100000),
	            rows->operations);
}

/* Two kernels in the operation's time, side by side at some. */
static void add_kernels(struct rows *rows, int ns)
{
	for (int i = 0; !rows->fixture->bare && i < 2; i++)
		tp_text_add(&rows->sql, "INSERT INTO kernel VALUES (1,%d,%d,%d,%d,%d,%lld,%lld);\n", rows->epoch,
		            rows->stage, rows->kernels++, rows->operations, 11 + i, rows->now_ns + i * (ns / 3),
		            rows->now_ns + i * (ns / 3) + ns / 2);
}

static void add_operation(struct rows *rows, const char *kind, int mini, int micro, int samples)
{
	add_idle(rows, draw(rows, 3) ? draw(rows, 40) : 0);
	int ns = kind[0] == 'U' ? draw(rows, 2) * 5 : 5 + draw(rows, 50);
	int live = mini - 1, read = live > 2 ? live - draw(rows, 3) : live;
	add_change(rows, kind[0] == 'F' ? "activations" : "gradients");
	add_kernels(rows, ns);
	tp_text_add(&rows->sql,
	            "INSERT INTO operation VALUES (1,%d,%d,%d,'%s',%d,%d,%d,%lld,%lld,%d,%d,%d,%d,1,0,0);\n",
	            rows->epoch, rows->stage, rows->operations++, kind, mini, micro, samples, rows->now_ns,
	            rows->now_ns + ns, read, live, read > 0 ? read - 1 : 0, read);
	rows->now_ns += ns;
}

/* 5 samples a mini-batch: 3 and 2. */
static void add_forwards(struct rows *rows, int mini)
{
	bool whole = rows->fixture->whole_forwards;
	for (int micro = whole ? TP_WHOLE : 0; micro < (whole ? 0 : FIXTURE_MICROS); micro++) {
		add_message(rows, rows->stage - 1, mini, micro);
		add_operation(rows, "F", mini, micro, whole ? 5 : 3 - micro);
	}
}

static void add_backward(struct rows *rows, int mini)
{
	for (int micro = 0; rows->fixture->split && micro < FIXTURE_MICROS; micro++) {
		add_message(rows, rows->stage + 1, mini, micro);
		add_operation(rows, "BX", mini, micro, 3 - micro);
	}
	for (int micro = 0; rows->fixture->split && micro < FIXTURE_MICROS; micro++)
		add_operation(rows, "BW", mini, micro, 3 - micro);
	if (!rows->fixture->split) {
		add_message(rows, rows->stage + 1, mini, TP_WHOLE);
		add_operation(rows, "B", mini, TP_WHOLE, 5);
	}
	add_operation(rows, "U", mini, TP_WHOLE, 5);
}

/* A stage runs as many forwards ahead as there are stages below it. */
static void add_mini_batches(struct rows *rows, int first)
{
	int entered = 0;
	for (int mini = 0; mini < FIXTURE_MINIS; mini++) {
		while (entered < FIXTURE_MINIS && entered - mini < FIXTURE_STAGES - rows->stage)
			add_forwards(rows, first + entered++);
		add_backward(rows, first + mini);
	}
}

static void add_epoch(struct rows *rows, int epoch, long long start_ns)
{
	long long end_ns = start_ns;
	rows->epoch = epoch;
	for (int stage = 0; stage < FIXTURE_STAGES; stage++) {
		rows->stage = stage;
		rows->operations = rows->messages = rows->idles = rows->changes = rows->kernels = 0;
		rows->now_ns = rows->ready_ns[0] = rows->ready_ns[1] = start_ns;
		add_change(rows, "weights_live");
		add_idle(rows, 7 * stage);
		add_mini_batches(rows, (epoch - 1) * FIXTURE_MINIS + 1);
		end_ns = rows->now_ns > end_ns ? rows->now_ns : end_ns;
	}
	tp_text_add(&rows->sql,
	            "INSERT INTO epoch VALUES (1,%d,'ops',%d,%d,%lld,%lld,1,0,NULL,NULL,NULL,NULL,NULL,0,0,0);\n",
	            epoch, FIXTURE_MINIS, 5 * FIXTURE_MINIS, start_ns, end_ns);
}

static void add_run(struct tp_text *sql, int run_id, const char *name, const char *clock)
{
	tp_text_add(
	        sql,
	        "INSERT INTO run VALUES (%d,%s,'','',1,'timeprest','mlp','synthetic','reference','static','%s',%d,%d,"
	        "5,%d,0,0,'','',0,0,0,'',0);\n",
	        run_id, name, clock, FIXTURE_STAGES, FIXTURE_MICROS, FIXTURE_MINIS);
}

static void add_names(struct tp_text *sql, const struct fixture *fixture)
{
	const char *layers = fixture->hostile ? HOSTILE_SQL : "'fc1 .. fc2'";
	add_run(sql, 1, fixture->hostile ? HOSTILE_SQL : "'a name'", fixture->clock ? fixture->clock : "real");
	for (int stage = 0; stage < FIXTURE_STAGES; stage++)
		tp_text_add(sql, "INSERT INTO stage VALUES (1,%d,%d,1,%s,10,10,2,'');\n", stage, stage, layers);
	if (fixture->bare)
		return;
	tp_text_add(sql, "INSERT INTO kernel_name VALUES (11,1,'matmul','gemm','F',%s,'5x8',0,0);\n", layers);
	tp_text_add(sql, "INSERT INTO kernel_name VALUES (12,1,'relu','','','','5x8',0,0);\n");
}

const char *fixture_database(const char *name, const struct fixture *fixture)
{
	const char *path = in_folder(name);
	struct rows rows = {.fixture = fixture, .seed = 7};
	struct tp_store *store;
	assert_ok(tp_store_open(path, &store));
	tp_store_close(store);
	tp_text_add(&rows.sql, "BEGIN;\n");
	add_names(&rows.sql, fixture);
	for (int epoch = 1; epoch <= FIXTURE_EPOCHS; epoch++)
		add_epoch(&rows, epoch, 5000 * epoch);
	tp_text_add(&rows.sql, "COMMIT;\n");
	assert_false(rows.sql.failed);
	sql_execute(path, tp_text_get(&rows.sql));
	tp_text_release(&rows.sql);
	return path;
}

void fixture_add_empty_run(const char *database, int run_id)
{
	struct tp_text sql = {0};
	add_run(&sql, run_id, "''", "real");
	sql_execute(database, tp_text_get(&sql));
	tp_text_release(&sql);
}

const char *fixture_export(const char *database, const char *format, int32_t epoch, struct tp_trace_result *result)
{
	const char *path = in_folder(format);
	struct tp_store *store;
	const struct tp_trace_request request = {
	        .run_id = 1, .epoch = epoch, .format = format, .database = database, .path = path};
	assert_ok(tp_store_open_readonly(database, &store));
	assert_ok(tp_trace_export(store, &request, result));
	tp_store_close(store);
	assert_string_equal(result->path, path);
	return path;
}
