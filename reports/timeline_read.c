/* A window of an epoch from the database. Rows of an epoch and stage are numbered in the order of time, so the rows of
 * a window are found by halving the range of numbers: some dozen rows are looked at, however many there are. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/timeline_internal.h"
#include "results/queries.h"

/* A table whose rows of an epoch and stage are in the order of `key`, and the statement that looks a row up. */
enum order { OPERATION_START, OPERATION_END, IDLE_START, IDLE_END, MESSAGE_WANTED, ORDERS };
static const struct {
	const char *table, *stage, *key;
} orders[ORDERS] = {
        [OPERATION_START] = {"operation", "stage", "start_ns"},
        [OPERATION_END] = {"operation", "stage", "end_ns"},
        [IDLE_START] = {"idle", "stage", "start_ns"},
        [IDLE_END] = {"idle", "stage", "end_ns"},
        /* A stage takes one message an operation: it wanted it when the operation before had ended, or later. */
        [MESSAGE_WANTED] = {"message", "to_stage", "wanted_ns"},
};

/* Rows of one stage: numbers [first, end). */
struct range {
	int64_t first, end;
};

struct reader {
	sqlite3 *db;
	struct tp_timeline *timeline;
	sqlite3_stmt *lookups[ORDERS];
	int64_t origin;    /* the epoch's start on the run's clock */
	int64_t from, to;  /* the window there, `to` left out */
	struct range *ops; /* per stage */
};

static enum tp_status failed(const struct reader *reader)
{
	return tp_fail(sqlite3_errcode(reader->db) == SQLITE_NOMEM ? TP_ERR_NOMEM : TP_ERR_IO,
	               "run %lld cannot be read: %s", (long long)reader->timeline->run_id, sqlite3_errmsg(reader->db));
}

/* A statement whose parameters ?1 and ?2 are run and epoch. */
static enum tp_status prepare(const struct reader *reader, const char *sql, sqlite3_stmt **statement)
{
	if (sqlite3_prepare_v2(reader->db, sql, -1, statement, NULL) != SQLITE_OK)
		return failed(reader);
	(void)sqlite3_bind_int64(*statement, 1, reader->timeline->run_id);
	if (sqlite3_bind_parameter_count(*statement) > 1)
		(void)sqlite3_bind_int(*statement, 2, reader->timeline->epoch);
	return TP_OK;
}

/* Up to `count` integers of the first row; `*found` is false when there is none, or the first of it is NULL. */
static enum tp_status ask(const struct reader *reader, const char *sql, int32_t stage, int64_t *values, int count,
                          bool *found)
{
	sqlite3_stmt *statement;
	TP_TRY(prepare(reader, sql, &statement));
	if (sqlite3_bind_parameter_count(statement) > 2)
		(void)sqlite3_bind_int(statement, 3, stage);
	int rc = sqlite3_step(statement);
	*found = rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
	for (int i = 0; *found && i < count; i++)
		values[i] = sqlite3_column_int64(statement, i);
	enum tp_status status = rc == SQLITE_ROW || rc == SQLITE_DONE ? TP_OK : failed(reader);
	(void)sqlite3_finalize(statement);
	return status;
}

/* --- the run and the epoch ---------------------------------------------------------------------------------------- */

static char *copy_text(const unsigned char *text)
{
	size_t bytes = text ? strlen((const char *)text) : 0;
	char *copy = tp_alloc(bytes + 1);
	if (copy && bytes > 0)
		memcpy(copy, text, bytes);
	return copy;
}

static enum tp_status take_run(const struct reader *reader, sqlite3_stmt *row)
{
	struct tp_timeline *timeline = reader->timeline;
	int rc = sqlite3_step(row);
	if (rc == SQLITE_DONE)
		return tp_fail(TP_ERR_INPUT, "the database has no run %lld", (long long)timeline->run_id);
	if (rc != SQLITE_ROW)
		return failed(reader);
	timeline->schedule = copy_text(sqlite3_column_text(row, 0));
	timeline->name = copy_text(sqlite3_column_text(row, 1));
	timeline->stages = sqlite3_column_int(row, 2);
	timeline->micro_batches = sqlite3_column_int(row, 3);
	timeline->modelled = sqlite3_column_int(row, 4);
	timeline->slots = sqlite3_column_int(row, 5);
	return timeline->schedule && timeline->name ? TP_OK : TP_ERR_NOMEM;
}

static enum tp_status read_run(const struct reader *reader)
{
	sqlite3_stmt *row;
	TP_TRY(prepare(reader,
	               "SELECT schedule, name, stage_count, micro_batch_count, clock = 'virtual', clock = 'slots' "
	               "FROM run WHERE run_id = ?1",
	               &row));
	enum tp_status status = take_run(reader, row);
	(void)sqlite3_finalize(row);
	return status;
}

static enum tp_status say_absent(struct tp_timeline *timeline, struct tp_text *why)
{
	timeline->absent = why->failed ? NULL : copy_text((const unsigned char *)tp_text_get(why));
	tp_text_release(why);
	return timeline->absent ? TP_OK : TP_ERR_NOMEM;
}

/* The epoch to draw, or why there is none. */
static enum tp_status choose_epoch(const struct reader *reader, int32_t epoch)
{
	struct tp_timeline *timeline = reader->timeline;
	struct tp_text why = {0};
	int64_t last = 0;
	bool found;
	TP_TRY(ask(reader, "SELECT max(epoch) FROM operation WHERE run_id = ?1", 0, &last, 1, &found));
	timeline->epoch = epoch > 0 ? epoch : (int32_t)last;
	if (!found) {
		tp_text_add(&why,
		            "Run %lld has no records of operations: it was made with --profile off, or ended before "
		            "its first one.",
		            (long long)timeline->run_id);
		return say_absent(timeline, &why);
	}
	TP_TRY(ask(reader, "SELECT 1 FROM operation WHERE run_id = ?1 AND epoch = ?2 LIMIT 1", 0, &last, 1, &found));
	if (!found) {
		tp_text_add(&why, "Epoch %d of run %lld has no records of operations.", timeline->epoch,
		            (long long)timeline->run_id);
		return say_absent(timeline, &why);
	}
	return TP_OK;
}

/* --- where rows are ----------------------------------------------------------------------------------------------- */

/* The first row from `number` on: its number and key. There is one. */
static enum tp_status look_up(struct reader *reader, enum order order, int32_t stage, int64_t *number, int64_t *key)
{
	if (!reader->lookups[order]) {
		char sql[256];
		(void)snprintf(sql, sizeof sql,
		               "SELECT record_number, %s FROM %s WHERE run_id = ?1 AND epoch = ?2 AND %s = ?3 "
		               "AND record_number >= ?4 ORDER BY record_number LIMIT 1",
		               orders[order].key, orders[order].table, orders[order].stage);
		TP_TRY(prepare(reader, sql, &reader->lookups[order]));
	}
	sqlite3_stmt *statement = reader->lookups[order];
	(void)sqlite3_bind_int(statement, 3, stage);
	(void)sqlite3_bind_int64(statement, 4, *number);
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*number = sqlite3_column_int64(statement, 0);
		*key = sqlite3_column_int64(statement, 1);
	}
	enum tp_status status = rc == SQLITE_ROW ? TP_OK : failed(reader);
	(void)sqlite3_reset(statement);
	return status;
}

/* The rows that a stage has. */
static enum tp_status whole_range(const struct reader *reader, enum order order, int32_t stage, struct range *range)
{
	char sql[256];
	int64_t last;
	bool found;
	(void)snprintf(sql, sizeof sql,
	               "SELECT max(record_number) FROM %s WHERE run_id = ?1 AND epoch = ?2 AND %s = ?3",
	               orders[order].table, orders[order].stage);
	TP_TRY(ask(reader, sql, stage, &last, 1, &found));
	*range = (struct range){0, found ? last + 1 : 0};
	return TP_OK;
}

/* The first number in the range whose row has a key of at least `time`; its end when none has. */
static enum tp_status find(struct reader *reader, enum order order, int32_t stage, struct range range, int64_t time,
                           int64_t *place)
{
	while (range.first < range.end) {
		int64_t middle = range.first + (range.end - range.first) / 2, number = middle, key;
		TP_TRY(look_up(reader, order, stage, &number, &key));
		if (key >= time)
			range.end = middle;
		else
			range.first = number + 1;
	}
	*place = range.end < range.first ? range.end : range.first;
	return TP_OK;
}

/* The rows of what lies in the window at least in part: those that end behind its beginning and begin before its end.
 */
static enum tp_status find_range(struct reader *reader, enum order start, enum order end, int32_t stage,
                                 struct range *range)
{
	struct range whole;
	TP_TRY(whole_range(reader, start, stage, &whole));
	TP_TRY(find(reader, end, stage, whole, reader->from + 1, &range->first));
	whole.first = range->first;
	return find(reader, start, stage, whole, reader->to, &range->end);
}

/* --- the window --------------------------------------------------------------------------------------------------- */

/* Where the epoch begins and ends: as its row says or, when it was cut off, by its operations. */
static enum tp_status find_epoch(struct reader *reader, int64_t *end)
{
	int64_t window[2], origin = INT64_MAX, last = INT64_MIN;
	bool found;
	TP_TRY(ask(reader,
	           "SELECT window_start_ns, window_end_ns FROM epoch WHERE run_id = ?1 AND epoch = ?2 "
	           "AND window_end_ns > window_start_ns",
	           0, window, 2, &found));
	for (int32_t s = 0; s < reader->timeline->stages && !found; s++) {
		struct range range;
		int64_t number = 0, key;
		TP_TRY(whole_range(reader, OPERATION_START, s, &range));
		if (range.end == 0)
			continue;
		TP_TRY(look_up(reader, OPERATION_START, s, &number, &key));
		origin = key < origin ? key : origin;
		number = range.end - 1;
		TP_TRY(look_up(reader, OPERATION_END, s, &number, &key));
		last = key > last ? key : last;
	}
	reader->origin = found ? window[0] : origin;
	*end = found ? window[1] : last;
	return TP_OK;
}

static enum tp_status choose_window(struct reader *reader, const struct tp_timeline_request *request)
{
	struct tp_timeline *timeline = reader->timeline;
	int64_t end;
	TP_TRY(find_epoch(reader, &end));
	timeline->epoch_end = end - reader->origin;
	timeline->from = request->from_ns;
	timeline->to =
	        request->to_ns > 0 && request->to_ns < timeline->epoch_end ? request->to_ns : timeline->epoch_end;
	timeline->wanted_to = timeline->to;
	/* Updates may take no time and lie on the edges of the epoch. */
	reader->from = reader->origin + timeline->from - (timeline->from == 0);
	reader->to = reader->origin + timeline->to + (timeline->to == timeline->epoch_end);
	return TP_OK;
}

static enum tp_status count_until(struct reader *reader, int64_t time, int64_t *count)
{
	*count = 0;
	for (int32_t s = 0; s < reader->timeline->stages; s++) {
		int64_t end;
		TP_TRY(find(reader, OPERATION_START, s, reader->ops[s], time, &end));
		*count += end - reader->ops[s].first;
	}
	return TP_OK;
}

/* The rule of thinning: end the window where the most operations have begun, but leave some of it. */
static enum tp_status shorten(struct reader *reader, int64_t most)
{
	struct tp_timeline *timeline = reader->timeline;
	int64_t fits = reader->origin + timeline->from + 1, beyond = reader->to;
	while (beyond - fits > 1) {
		int64_t middle = fits + (beyond - fits) / 2, count;
		TP_TRY(count_until(reader, middle, &count));
		*(count <= most ? &fits : &beyond) = middle;
	}
	reader->to = fits;
	timeline->to = fits - reader->origin;
	for (int32_t s = 0; s < timeline->stages; s++)
		TP_TRY(find(reader, OPERATION_START, s, reader->ops[s], reader->to, &reader->ops[s].end));
	return TP_OK;
}

static enum tp_status find_operations(struct reader *reader, const struct tp_timeline_request *request)
{
	struct tp_timeline *timeline = reader->timeline;
	int64_t most = request->most_operations > 0 ? request->most_operations : TP_TIMELINE_OPERATIONS;
	reader->ops = tp_alloc_array((size_t)timeline->stages, sizeof *reader->ops);
	if (!reader->ops)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < timeline->stages; s++) {
		TP_TRY(find_range(reader, OPERATION_START, OPERATION_END, s, &reader->ops[s]));
		timeline->wanted_ops += reader->ops[s].end - reader->ops[s].first;
	}
	return timeline->wanted_ops > most ? shorten(reader, most) : TP_OK;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* The kind or cause that a word of the database names; `none` for one of a newer version. */
static int name_index(const unsigned char *text, const char *(*name)(int), int count, int none)
{
	for (int i = 0; i < count; i++) {
		if (text && strcmp((const char *)text, name(i)) == 0)
			return i;
	}
	return none;
}

static const char *kind_name(int kind)
{
	return tp_op_kind_text((enum tp_op_kind)kind);
}

static const char *cause_name(int cause)
{
	return tp_idle_cause_text((enum tp_idle_cause)cause);
}

static void take_operation(const struct reader *reader, int32_t stage, sqlite3_stmt *row)
{
	struct tp_timeline *timeline = reader->timeline;
	timeline->ops[timeline->op_count++] = (struct tp_timeline_op){
	        .start = sqlite3_column_int64(row, 0) - reader->origin,
	        .end = sqlite3_column_int64(row, 1) - reader->origin,
	        .kind = (enum tp_op_kind)name_index(sqlite3_column_text(row, 2), kind_name, TP_OP_KINDS, TP_OP_F),
	        .mini = sqlite3_column_int64(row, 3),
	        .micro = sqlite3_column_int(row, 4),
	        .version_read = sqlite3_column_int64(row, 5),
	        .version_live = sqlite3_column_int64(row, 6),
	        .version_committed = sqlite3_column_int64(row, 7),
	        .stage = stage,
	};
}

static void take_wait(const struct reader *reader, int32_t stage, sqlite3_stmt *row)
{
	struct tp_timeline *timeline = reader->timeline;
	timeline->waits[timeline->wait_count++] = (struct tp_timeline_wait){
	        .start = sqlite3_column_int64(row, 0) - reader->origin,
	        .end = sqlite3_column_int64(row, 1) - reader->origin,
	        .cause = (enum tp_idle_cause)name_index(sqlite3_column_text(row, 2), cause_name, TP_IDLE_CAUSES,
	                                                TP_IDLE_HOST),
	        .stage = stage,
	};
}

static void take_message(const struct reader *reader, int32_t stage, sqlite3_stmt *row)
{
	struct tp_timeline *timeline = reader->timeline;
	timeline->messages[timeline->message_count++] = (struct tp_timeline_message){
	        .sent = sqlite3_column_int64(row, 0) - reader->origin,
	        .arrived = sqlite3_column_int64(row, 1) - reader->origin,
	        .from_stage = sqlite3_column_int(row, 2),
	        .mini = sqlite3_column_int64(row, 3),
	        .micro = sqlite3_column_int(row, 4),
	        .bytes = sqlite3_column_int64(row, 5),
	        .to_stage = stage,
	};
}

/* One kind of rows of all stages: parameters ?3 to ?5 are stage and range of numbers. */
static enum tp_status read_rows(const struct reader *reader, const char *sql, const struct range *ranges,
                                void (*take)(const struct reader *reader, int32_t stage, sqlite3_stmt *row))
{
	sqlite3_stmt *row;
	int rc = SQLITE_DONE;
	TP_TRY(prepare(reader, sql, &row));
	for (int32_t s = 0; s < reader->timeline->stages && rc == SQLITE_DONE; s++) {
		(void)sqlite3_bind_int(row, 3, s);
		(void)sqlite3_bind_int64(row, 4, ranges[s].first);
		(void)sqlite3_bind_int64(row, 5, ranges[s].end);
		/* A writer may add rows between the count and here: those are beyond the range. */
		while ((rc = sqlite3_step(row)) == SQLITE_ROW)
			take(reader, s, row);
		(void)sqlite3_reset(row);
	}
	(void)sqlite3_finalize(row);
	return rc == SQLITE_DONE ? TP_OK : failed(reader);
}

#define IN_RANGE " AND record_number >= ?4 AND record_number < ?5 ORDER BY record_number"

static int64_t sum_of(const struct range *ranges, int32_t stages)
{
	int64_t sum = 0;
	for (int32_t s = 0; s < stages; s++)
		sum += ranges[s].end - ranges[s].first;
	return sum;
}

static enum tp_status read_operations(const struct reader *reader)
{
	struct tp_timeline *timeline = reader->timeline;
	timeline->ops = tp_alloc_array((size_t)sum_of(reader->ops, timeline->stages), sizeof *timeline->ops);
	if (!timeline->ops)
		return TP_ERR_NOMEM;
	return read_rows(reader,
	                 "SELECT start_ns, end_ns, kind, mini_batch, micro_batch, version_read, version_live, "
	                 "version_committed FROM operation WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3" IN_RANGE,
	                 reader->ops, take_operation);
}

static enum tp_status read_waits(struct reader *reader, struct range *ranges)
{
	struct tp_timeline *timeline = reader->timeline;
	for (int32_t s = 0; s < timeline->stages; s++)
		TP_TRY(find_range(reader, IDLE_START, IDLE_END, s, &ranges[s]));
	timeline->waits = tp_alloc_array((size_t)sum_of(ranges, timeline->stages), sizeof *timeline->waits);
	if (!timeline->waits)
		return TP_ERR_NOMEM;
	return read_rows(
	        reader,
	        "SELECT start_ns, end_ns, cause FROM idle WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3" IN_RANGE,
	        ranges, take_wait);
}

/* Those that a stage wanted in the window. */
static enum tp_status read_messages(struct reader *reader, struct range *ranges)
{
	struct tp_timeline *timeline = reader->timeline;
	for (int32_t s = 0; s < timeline->stages; s++)
		TP_TRY(find_range(reader, MESSAGE_WANTED, MESSAGE_WANTED, s, &ranges[s]));
	timeline->messages = tp_alloc_array((size_t)sum_of(ranges, timeline->stages), sizeof *timeline->messages);
	if (!timeline->messages)
		return TP_ERR_NOMEM;
	return read_rows(reader,
	                 "SELECT sent_ns, arrived_ns, from_stage, mini_batch, micro_batch, message_bytes FROM message "
	                 "WHERE run_id = ?1 AND epoch = ?2 AND to_stage = ?3 AND arrived_ns > sent_ns "
	                 "AND handed_over = 0" IN_RANGE,
	                 ranges, take_message);
}

static enum tp_status read_window(struct reader *reader, const struct tp_timeline_request *request)
{
	struct tp_timeline *timeline = reader->timeline;
	struct tp_text why = {0};
	TP_TRY(choose_window(reader, request));
	if (timeline->from < timeline->to)
		TP_TRY(find_operations(reader, request));
	if (timeline->wanted_ops == 0) {
		char end[TP_TIMELINE_TIME_BYTES];
		tp_text_add(&why, "Epoch %d of run %lld, which takes %s, has no operations in the window.",
		            timeline->epoch, (long long)timeline->run_id,
		            tp_timeline_time(timeline, timeline->epoch_end, end));
		return say_absent(timeline, &why);
	}
	struct range *ranges = tp_alloc_array((size_t)timeline->stages, sizeof *ranges);
	enum tp_status status = ranges ? read_operations(reader) : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = read_waits(reader, ranges);
	if (status == TP_OK)
		status = read_messages(reader, ranges);
	tp_free(ranges);
	return status;
}

static enum tp_status read_all(struct reader *reader, int32_t epoch, const struct tp_timeline_request *request)
{
	TP_TRY(read_run(reader));
	TP_TRY(choose_epoch(reader, epoch));
	return reader->timeline->absent ? TP_OK : read_window(reader, request);
}

enum tp_status tp_timeline_read(struct tp_store *store, int64_t run_id, int32_t epoch,
                                const struct tp_timeline_request *request, struct tp_timeline **timeline)
{
	*timeline = NULL;
	if (request->from_ns < 0 || request->to_ns < 0 || (request->to_ns > 0 && request->to_ns <= request->from_ns))
		return tp_fail(TP_ERR_INPUT,
		               "timeline: expected a window from 0 or later to behind it, found %lld to %lld",
		               (long long)request->from_ns, (long long)request->to_ns);
	struct reader reader = {.db = tp_store_connection(store), .timeline = tp_alloc(sizeof **timeline)};
	if (!reader.timeline)
		return TP_ERR_NOMEM;
	reader.timeline->run_id = run_id;
	reader.timeline->versions = request->versions;
	enum tp_status status = read_all(&reader, epoch, request);
	for (int i = 0; i < ORDERS; i++)
		(void)sqlite3_finalize(reader.lookups[i]);
	tp_free(reader.ops);
	if (status == TP_OK)
		*timeline = reader.timeline;
	else
		tp_timeline_free(reader.timeline);
	return status;
}

void tp_timeline_free(struct tp_timeline *timeline)
{
	if (!timeline)
		return;
	tp_free(timeline->schedule);
	tp_free(timeline->name);
	tp_free(timeline->absent);
	tp_free(timeline->ops);
	tp_free(timeline->waits);
	tp_free(timeline->messages);
	tp_free(timeline);
}
