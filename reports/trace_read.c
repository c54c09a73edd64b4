/* The rows of a run in the order of time. Every table keeps its rows in that order within an epoch and stage, so a
 * statement for each table and stage is a sorted stream, and a heap over the streams merges them: one row of each is
 * held at a time, and nothing is sorted. */
#include <sqlite3.h>
#include <stdio.h>

#include "engine/base/memory.h"
#include "reports/trace_internal.h"
#include "results/queries.h"

/* Rows between two looks at the request to stop and at failures. */
enum { ROWS_BETWEEN_CHECKS = 4096 };

/* A table as a stream: parameters are run, epoch and stage, the first column is the time to merge by. */
static const struct source_kind {
	const char *table;
	const char *sql;
	int32_t from; /* with a fourth parameter: the sender is this much above the stage */
	void (*emit)(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row);
} source_kinds[] = {
        {"operation",
         "SELECT start_ns, end_ns, kind, mini_batch, micro_batch, operation_samples, version_read, version_live, "
         "version_committed FROM operation WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3 ORDER BY record_number",
         0, tp_trace_operation},
#define MESSAGES                                                                                                     \
	"SELECT ready_ns, sent_ns, arrived_ns, wanted_ns, kind, mini_batch, micro_batch, message_bytes, from_stage " \
	"FROM message WHERE run_id = ?1 AND epoch = ?2 AND to_stage = ?3 AND from_stage = ?4 ORDER BY record_number"
        {"message", MESSAGES, -1, tp_trace_message},
        {"message", MESSAGES, 1, tp_trace_message},
#undef MESSAGES
        {"idle",
         "SELECT start_ns, end_ns, cause, operation_number FROM idle "
         "WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3 ORDER BY record_number",
         0, tp_trace_idle},
        {"memory_change",
         "SELECT time_ns, kind, kind_bytes, stage_bytes FROM memory_change "
         "WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3 ORDER BY record_number",
         0, tp_trace_memory_change},
        {"kernel",
         "SELECT start_ns, end_ns, kernel_name_id, operation_number FROM kernel "
         "WHERE run_id = ?1 AND epoch = ?2 AND stage = ?3 ORDER BY record_number",
         0, tp_trace_kernel},
};
#define SOURCE_KINDS (sizeof source_kinds / sizeof *source_kinds)

struct source {
	const struct source_kind *kind;
	sqlite3_stmt *statement;
	int64_t time_ns; /* of the row it stands at */
	int32_t stage;
};

struct reader {
	struct tp_trace *trace;
	sqlite3 *db;
	struct source *sources;
	int32_t source_count;
	int32_t *heap; /* numbers of the sources that stand at a row; the earliest first */
	int32_t heap_count;
};

static enum tp_status database_failed(const struct reader *reader)
{
	return tp_fail(sqlite3_errcode(reader->db) == SQLITE_NOMEM ? TP_ERR_NOMEM : TP_ERR_IO,
	               "run %lld cannot be read: %s", (long long)reader->trace->run_id, sqlite3_errmsg(reader->db));
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

/* Has the run rows in the table? Files brought up from an older schema have none in the newer tables. */
static enum tp_status table_has_rows(const struct reader *reader, const char *table, bool *has)
{
	char sql[96];
	sqlite3_stmt *statement;
	(void)snprintf(sql, sizeof sql, "SELECT EXISTS (SELECT 1 FROM %s WHERE run_id = ?)", table);
	if (sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return database_failed(reader);
	(void)sqlite3_bind_int64(statement, 1, reader->trace->run_id);
	int rc = sqlite3_step(statement);
	*has = rc == SQLITE_ROW && sqlite3_column_int(statement, 0);
	enum tp_status status = rc == SQLITE_ROW ? TP_OK : database_failed(reader);
	(void)sqlite3_finalize(statement);
	return status;
}

static enum tp_status open_source(struct reader *reader, const struct source_kind *kind, int32_t stage)
{
	struct source *source = &reader->sources[reader->source_count];
	int32_t from = stage + kind->from;
	if (from < 0 || from >= reader->trace->stage_count)
		return TP_OK;
	if (sqlite3_prepare_v2(reader->db, kind->sql, -1, &source->statement, NULL) != SQLITE_OK)
		return database_failed(reader);
	source->kind = kind;
	source->stage = stage;
	reader->source_count++;
	(void)sqlite3_bind_int64(source->statement, 1, reader->trace->run_id);
	(void)sqlite3_bind_int(source->statement, 3, stage);
	if (kind->from)
		(void)sqlite3_bind_int(source->statement, 4, from);
	return TP_OK;
}

static enum tp_status open_sources(struct reader *reader)
{
	int32_t stages = reader->trace->stage_count;
	reader->sources = tp_alloc_array((size_t)stages * SOURCE_KINDS, sizeof *reader->sources);
	reader->heap = tp_alloc_array((size_t)stages * SOURCE_KINDS, sizeof *reader->heap);
	if (!reader->sources || !reader->heap)
		return TP_ERR_NOMEM;
	for (size_t k = 0; k < SOURCE_KINDS; k++) {
		bool has;
		TP_TRY(table_has_rows(reader, source_kinds[k].table, &has));
		for (int32_t s = 0; has && s < stages; s++)
			TP_TRY(open_source(reader, &source_kinds[k], s));
	}
	return TP_OK;
}

/* Move on to the next row; `*more` is false when there is none. */
static enum tp_status advance(const struct reader *reader, struct source *source, bool *more)
{
	int rc = sqlite3_step(source->statement);
	*more = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW)
		source->time_ns = sqlite3_column_int64(source->statement, 0);
	else if (rc != SQLITE_DONE)
		return database_failed(reader);
	return TP_OK;
}

/* --- the merge ---------------------------------------------------------------------------------------------------- */

/* At one moment the order of the sources decides, so that the same run always gives the same file. */
static bool comes_before(const struct reader *reader, int32_t a, int32_t b)
{
	int64_t time_a = reader->sources[a].time_ns, time_b = reader->sources[b].time_ns;
	return time_a != time_b ? time_a < time_b : a < b;
}

static void sink(struct reader *reader, int32_t place)
{
	int32_t moved = reader->heap[place];
	for (;;) {
		int32_t child = 2 * place + 1;
		if (child >= reader->heap_count)
			break;
		if (child + 1 < reader->heap_count &&
		    comes_before(reader, reader->heap[child + 1], reader->heap[child]))
			child++;
		if (!comes_before(reader, reader->heap[child], moved))
			break;
		reader->heap[place] = reader->heap[child];
		place = child;
	}
	reader->heap[place] = moved;
}

static enum tp_status start_epoch(struct reader *reader, int32_t epoch)
{
	reader->heap_count = 0;
	for (int32_t i = 0; i < reader->source_count; i++) {
		struct source *source = &reader->sources[i];
		bool more;
		(void)sqlite3_reset(source->statement);
		(void)sqlite3_bind_int(source->statement, 2, epoch);
		TP_TRY(advance(reader, source, &more));
		if (more)
			reader->heap[reader->heap_count++] = i;
	}
	for (int32_t place = reader->heap_count / 2 - 1; place >= 0; place--)
		sink(reader, place);
	return TP_OK;
}

/* What may end an export before its last row. */
static enum tp_status check(const struct tp_trace *trace)
{
	if (trace->failed_memory)
		return TP_ERR_NOMEM;
	if (trace->stop && atomic_load(trace->stop))
		return tp_fail(TP_ERR_INTERRUPTED, "interrupted");
	return trace->out.error ? TP_ERR_IO : TP_OK; /* whoever closes the output says which */
}

static enum tp_status read_epoch(struct reader *reader)
{
	int64_t rows = 0;
	while (reader->heap_count > 0) {
		struct source *source = &reader->sources[reader->heap[0]];
		bool more;
		source->kind->emit(reader->trace, source->stage, source->statement);
		TP_TRY(advance(reader, source, &more));
		if (!more)
			reader->heap[0] = reader->heap[--reader->heap_count];
		if (reader->heap_count > 0)
			sink(reader, 0);
		if (++rows % ROWS_BETWEEN_CHECKS == 0)
			TP_TRY(check(reader->trace));
	}
	return check(reader->trace);
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

/* The window of an epoch; one that was cut off has none. Its start also counts for that of the trace. */
static enum tp_status read_window(const struct reader *reader, int32_t epoch, int64_t window[4], bool *there)
{
	static const char sql[] = "SELECT window_start_ns, window_end_ns, mini_batch_count, trained_samples FROM epoch "
	                          "WHERE run_id = ? AND epoch = ?";
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return database_failed(reader);
	(void)sqlite3_bind_int64(statement, 1, reader->trace->run_id);
	(void)sqlite3_bind_int(statement, 2, epoch);
	int rc = sqlite3_step(statement);
	*there = rc == SQLITE_ROW;
	for (int i = 0; *there && i < 4; i++)
		window[i] = sqlite3_column_int64(statement, i);
	enum tp_status status = rc == SQLITE_ROW || rc == SQLITE_DONE ? TP_OK : database_failed(reader);
	(void)sqlite3_finalize(statement);
	return status;
}

static enum tp_status read_epochs(struct reader *reader)
{
	struct tp_trace *trace = reader->trace;
	for (int32_t epoch = trace->first_epoch; epoch <= trace->last_epoch; epoch++) {
		int64_t window[4];
		bool there;
		TP_TRY(read_window(reader, epoch, window, &there));
		TP_TRY(start_epoch(reader, epoch));
		if (epoch == trace->first_epoch) {
			int64_t start_ns = reader->heap_count ? reader->sources[reader->heap[0]].time_ns : 0;
			trace->out.start_ns = there && window[0] < start_ns ? window[0] : start_ns;
			TP_TRY(tp_trace_head_write(trace));
		}
		if (there)
			tp_trace_epoch(trace, epoch, window[0], window[1], window[2], window[3]);
		tp_trace_epoch_begins(trace);
		TP_TRY(read_epoch(reader));
	}
	return TP_OK;
}

enum tp_status tp_trace_read(struct tp_trace *trace)
{
	struct reader reader = {.trace = trace, .db = tp_store_connection(trace->store)};
	enum tp_status status = open_sources(&reader);
	if (status == TP_OK)
		status = read_epochs(&reader);
	for (int32_t i = 0; i < reader.source_count; i++)
		(void)sqlite3_finalize(reader.sources[i].statement);
	tp_free(reader.sources);
	tp_free(reader.heap);
	return status;
}
