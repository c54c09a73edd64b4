#include "results/queries.h"

#include <math.h>
#include <string.h>

#include "engine/base/memory.h"
#include "results/store_internal.h"

static const char reading[] = "read an epoch";

struct sqlite3 *tp_store_connection(struct tp_store *store)
{
	return store->db;
}

/* A statement with run and, where it has one, epoch as its parameters. */
static enum tp_status prepare(struct tp_store *store, const char *sql, int64_t run_id, int32_t number,
                              sqlite3_stmt **statement)
{
	TP_TRY(tp_store_prepare(store, sql, reading, statement));
	(void)sqlite3_bind_int64(*statement, 1, run_id);
	if (sqlite3_bind_parameter_count(*statement) > 1)
		(void)sqlite3_bind_int64(*statement, 2, number);
	return TP_OK;
}

static enum tp_status count_rows(struct tp_store *store, const char *sql, int64_t run_id, int32_t number,
                                 int64_t *count)
{
	sqlite3_stmt *statement;
	TP_TRY(prepare(store, sql, run_id, number, &statement));
	int rc = sqlite3_step(statement);
	enum tp_status status = TP_OK;
	if (rc == SQLITE_ROW)
		*count = sqlite3_column_int64(statement, 0);
	else
		status = tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	return status;
}

enum tp_status tp_store_count_epochs(struct tp_store *store, int64_t run_id, int32_t *count)
{
	int64_t rows = 0;
	TP_TRY(count_rows(store, "SELECT count(*) FROM epoch WHERE run_id = ?", run_id, 0, &rows));
	*count = (int32_t)rows;
	return TP_OK;
}

static double read_real(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(row, column);
}

/* A text that stays. */
static const char *profile_level(const char *text)
{
	static const char *const levels[] = {"off", "ops", "kernels"};
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (text && strcmp(text, levels[i]) == 0)
			return levels[i];
	}
	return levels[0];
}

static void read_head(sqlite3_stmt *row, struct tp_store_epoch *epoch)
{
	*epoch = (struct tp_store_epoch){
	        .epoch = sqlite3_column_int(row, 0),
	        .minis = sqlite3_column_int64(row, 1),
	        .samples = sqlite3_column_int64(row, 2),
	        .start_ns = sqlite3_column_int64(row, 3),
	        .end_ns = sqlite3_column_int64(row, 4),
	        .train_loss = read_real(row, 5),
	        .train_top1 = read_real(row, 6),
	        .dropped_records = sqlite3_column_int64(row, 7),
	        .rss_bytes = sqlite3_column_int64(row, 8),
	        .allocations_in_window = (uint64_t)sqlite3_column_int64(row, 9),
	        .evaluated = sqlite3_column_type(row, 10) != SQLITE_NULL,
	        .profile_level = profile_level((const char *)sqlite3_column_text(row, 15)),
	};
	if (!epoch->evaluated)
		return;
	epoch->test_samples = sqlite3_column_int64(row, 10);
	epoch->test_loss = read_real(row, 11);
	epoch->test_top1 = read_real(row, 12);
	epoch->test_top5 = read_real(row, 13);
	epoch->evaluation_ns = sqlite3_column_int64(row, 14);
}

static enum tp_status load_head(struct tp_store *store, int64_t run_id, int32_t number, struct tp_store_epoch *epoch)
{
	sqlite3_stmt *statement;
	TP_TRY(prepare(
	        store,
	        "SELECT epoch, mini_batch_count, trained_samples, window_start_ns, window_end_ns, train_loss, "
	        "train_top1_share, dropped_record_count, rss_bytes, window_allocation_count, test_samples, test_loss, "
	        "test_top1_share, test_top5_share, evaluation_ns, profile_level FROM epoch WHERE run_id = ? AND epoch "
	        "= ?",
	        run_id, number, &statement));
	int rc = sqlite3_step(statement);
	enum tp_status status = TP_OK;
	if (rc == SQLITE_ROW)
		read_head(statement, epoch);
	else if (rc == SQLITE_DONE)
		status = tp_fail(TP_ERR_INPUT, "database '%s': run %lld has no epoch %d", store->path,
		                 (long long)run_id, number);
	else
		status = tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	return status;
}

/* A kind of record: how to select it (run, epoch), how to count it, and how a row becomes the record at `at`. */
struct record_kind {
	const char *select, *count;
	size_t bytes;
	void (*read)(sqlite3_stmt *row, void *at);
};

static enum tp_op_kind read_kind(const unsigned char *text)
{
	for (enum tp_op_kind kind = 0; text && kind < TP_OP_KINDS; kind++) {
		if (strcmp((const char *)text, tp_op_kind_text(kind)) == 0)
			return kind;
	}
	return TP_OP_F;
}

static void read_op(sqlite3_stmt *row, void *at)
{
	struct tp_op_record *op = at;
	const unsigned char *kind = sqlite3_column_text(row, 1);
	*op = (struct tp_op_record){
	        .stage = (int16_t)sqlite3_column_int(row, 0),
	        .mini = sqlite3_column_int64(row, 2),
	        .micro = sqlite3_column_int(row, 3),
	        .samples = sqlite3_column_int(row, 4),
	        .start_ns = sqlite3_column_int64(row, 5),
	        .end_ns = sqlite3_column_int64(row, 6),
	        .version_read = sqlite3_column_int64(row, 7),
	        .version_live = sqlite3_column_int64(row, 8),
	        .version_committed = sqlite3_column_int64(row, 9),
	        .version_forward = sqlite3_column_int64(row, 10),
	        .versions_alive = (int16_t)sqlite3_column_int(row, 11),
	        .in_place = (int16_t)sqlite3_column_int(row, 12),
	        .epoch = sqlite3_column_int(row, 13),
	};
	op->held_until_ns = sqlite3_column_int64(row, 14);
	op->kind = (int16_t)read_kind(kind);
}

static void read_read(sqlite3_stmt *row, void *at)
{
	*(struct tp_read_record *)at = (struct tp_read_record){
	        .stage = (int16_t)sqlite3_column_int(row, 0),
	        .epoch = sqlite3_column_int(row, 1),
	        .mini = sqlite3_column_int64(row, 2),
	        .micro = sqlite3_column_int(row, 3),
	        .version_forward = sqlite3_column_int64(row, 4),
	        .version_newest = sqlite3_column_int64(row, 5),
	        .lambda = sqlite3_column_double(row, 6),
	};
}

static void read_cost(sqlite3_stmt *row, void *at)
{
	*(struct tp_store_cost *)at = (struct tp_store_cost){
	        .stage = sqlite3_column_int(row, 0),
	        .kind = read_kind(sqlite3_column_text(row, 1)),
	        .micro = sqlite3_column_int(row, 2),
	        .cost_ns = sqlite3_column_int64(row, 3),
	};
}

static void read_message(sqlite3_stmt *row, void *at)
{
	const unsigned char *kind = sqlite3_column_text(row, 2);
	*(struct tp_message_record *)at = (struct tp_message_record){
	        .to_stage = (int16_t)sqlite3_column_int(row, 0),
	        .from_stage = (int16_t)sqlite3_column_int(row, 1),
	        .is_gradient = kind && kind[0] == 'g',
	        .mini = sqlite3_column_int64(row, 3),
	        .micro = sqlite3_column_int(row, 4),
	        .bytes = sqlite3_column_int64(row, 5),
	        .ready_ns = sqlite3_column_int64(row, 6),
	        .sent_ns = sqlite3_column_int64(row, 7),
	        .arrived_ns = sqlite3_column_int64(row, 8),
	        .wanted_ns = sqlite3_column_int64(row, 9),
	        .handed_over = (int16_t)sqlite3_column_int(row, 10),
	        .epoch = sqlite3_column_int(row, 11),
	};
}

static const struct record_kind op_records = {
        .select = "SELECT stage, kind, mini_batch, micro_batch, operation_samples, start_ns, end_ns, version_read, "
                  "version_live, version_committed, version_forward, alive_version_count, in_place, epoch, "
                  "held_until_ns FROM operation "
                  "WHERE run_id = ? AND epoch = ? ORDER BY stage, record_number",
        .count = "SELECT count(*) FROM operation WHERE run_id = ? AND epoch = ?",
        .bytes = sizeof(struct tp_op_record),
        .read = read_op,
};

static const struct record_kind message_records = {
        .select = "SELECT to_stage, from_stage, kind, mini_batch, micro_batch, message_bytes, ready_ns, sent_ns, "
                  "arrived_ns, "
                  "wanted_ns, handed_over, epoch FROM message WHERE run_id = ? AND epoch = ? ORDER BY to_stage, "
                  "record_number",
        .count = "SELECT count(*) FROM message WHERE run_id = ? AND epoch = ?",
        .bytes = sizeof(struct tp_message_record),
        .read = read_message,
};

static const struct record_kind read_records = {
        .select = "SELECT stage, epoch, mini_batch, micro_batch, version_forward, version_newest, lambda_ratio FROM "
                  "backward_read WHERE run_id = ? AND epoch = ? ORDER BY stage, record_number",
        .count = "SELECT count(*) FROM backward_read WHERE run_id = ? AND epoch = ?",
        .bytes = sizeof(struct tp_read_record),
        .read = read_read,
};

/* Of a run; the second parameter is not asked for anything. */
static const struct record_kind cost_records = {
        .select = "SELECT stage, kind, micro_batch, cost_ns FROM operation_cost WHERE run_id = ? AND ? = 0 ORDER BY "
                  "stage, kind, micro_batch",
        .count = "SELECT count(*) FROM operation_cost WHERE run_id = ? AND ? = 0",
        .bytes = sizeof(struct tp_store_cost),
        .read = read_cost,
};

static enum tp_status read_rows(struct tp_store *store, sqlite3_stmt *statement, const struct record_kind *kind,
                                unsigned char *records, int64_t rows)
{
	int64_t row = 0;
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW && row < rows) {
		kind->read(statement, records + (size_t)row * kind->bytes);
		row++;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		return tp_store_failed(store, rc, reading);
	return TP_OK;
}

/* NULL and 0 when there are none. Rows of an epoch appear together and never change, so counting first is safe. */
static enum tp_status load(struct tp_store *store, int64_t run_id, int32_t number, const struct record_kind *kind,
                           void **records, int64_t *count)
{
	int64_t rows = 0;
	TP_TRY(count_rows(store, kind->count, run_id, number, &rows));
	*count = rows;
	*records = NULL;
	if (rows == 0)
		return TP_OK;
	sqlite3_stmt *statement;
	TP_TRY(prepare(store, kind->select, run_id, number, &statement));
	*records = tp_alloc_array((size_t)*count, kind->bytes);
	enum tp_status status = *records ? read_rows(store, statement, kind, *records, rows) : TP_ERR_NOMEM;
	(void)sqlite3_finalize(statement);
	if (status != TP_OK) {
		tp_free(*records);
		*records = NULL;
	}
	return status;
}

static enum tp_status load_records(struct tp_store *store, int64_t run_id, int32_t number,
                                   struct tp_stored_records *stored)
{
	void *records;
	TP_TRY(load(store, run_id, number, &op_records, &records, &stored->records.op_count));
	stored->records.ops = stored->ops = records;
	TP_TRY(load(store, run_id, number, &message_records, &records, &stored->records.message_count));
	stored->records.messages = stored->messages = records;
	TP_TRY(load(store, run_id, number, &read_records, &records, &stored->records.read_count));
	stored->records.reads = stored->reads = records;
	return TP_OK;
}

enum tp_status tp_store_read_records(struct tp_store *store, int64_t run_id, int32_t number,
                                     struct tp_stored_records *stored)
{
	*stored = (struct tp_stored_records){0};
	enum tp_status status = load_records(store, run_id, number, stored);
	if (status != TP_OK)
		tp_stored_records_release(stored);
	return status;
}

void tp_stored_records_release(struct tp_stored_records *stored)
{
	tp_free(stored->ops);
	tp_free(stored->messages);
	tp_free(stored->reads);
	*stored = (struct tp_stored_records){0};
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void read_memory(sqlite3_stmt *row, struct tp_memory_record *memory)
{
	const unsigned char *kind = sqlite3_column_text(row, 1);
	for (int k = 0; kind && k < TP_MEM_KINDS; k++) {
		if (strcmp((const char *)kind, tp_mem_kind_text((enum tp_mem_kind)k)) != 0)
			continue;
		memory->now_bytes[k] = sqlite3_column_int64(row, 2);
		memory->peak_bytes[k] = sqlite3_column_int64(row, 3);
		memory->at_peak_bytes[k] = sqlite3_column_int64(row, 4);
		memory->reserved_bytes[k] = sqlite3_column_int64(row, 5);
		memory->peak_total_bytes += memory->at_peak_bytes[k];
	}
}

/* A record for each stage, the process last, as they were given. */
static enum tp_status load_memory(struct tp_store *store, int64_t run_id, int32_t number,
                                  struct tp_stored_epoch *stored)
{
	static const char count_sql[] = "SELECT count(DISTINCT stage) FROM memory WHERE run_id = ? AND epoch = ?";
	static const char sql[] =
	        "SELECT stage, kind, now_bytes, peak_bytes, at_peak_bytes, reserved_bytes FROM memory "
	        "WHERE run_id = ? AND epoch = ? ORDER BY stage < 0, stage";
	int64_t most = 0, count = 0;
	sqlite3_stmt *statement;
	TP_TRY(count_rows(store, count_sql, run_id, number, &most));
	stored->memory = tp_alloc_array((size_t)most, sizeof *stored->memory);
	if (!stored->memory)
		return TP_ERR_NOMEM;
	TP_TRY(prepare(store, sql, run_id, number, &statement));
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		int16_t stage = (int16_t)sqlite3_column_int(statement, 0);
		if (count == 0 || stored->memory[count - 1].stage != stage) {
			if (count == most)
				break;
			stored->memory[count++] = (struct tp_memory_record){.epoch = number, .stage = stage};
		}
		read_memory(statement, &stored->memory[count - 1]);
	}
	enum tp_status status = rc == SQLITE_DONE || rc == SQLITE_ROW ? TP_OK : tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	stored->epoch.memory = stored->memory;
	stored->epoch.memory_count = (int32_t)count;
	return status;
}

/* --- the epoch ---------------------------------------------------------------------------------------------------- */

static enum tp_status load_prediction(struct tp_store *store, int64_t run_id, int32_t number,
                                      struct tp_store_prediction *predicted)
{
	static const char sql[] = "SELECT predicted_ns, version_difference_max_count, version_difference_mean_count, "
	                          "version_difference_estimate_count FROM prediction WHERE run_id = ? AND epoch = ?";
	sqlite3_stmt *statement;
	TP_TRY(prepare(store, sql, run_id, number, &statement));
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*predicted = (struct tp_store_prediction){
		        sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
		        sqlite3_column_double(statement, 2), sqlite3_column_double(statement, 3)};
	enum tp_status status = rc == SQLITE_DONE || rc == SQLITE_ROW ? TP_OK : tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	return status;
}

enum tp_status tp_store_read_epoch(struct tp_store *store, int64_t run_id, int32_t number,
                                   struct tp_stored_epoch *stored)
{
	*stored = (struct tp_stored_epoch){0};
	enum tp_status status = load_head(store, run_id, number, &stored->epoch);
	if (status == TP_OK)
		status = load_memory(store, run_id, number, stored);
	if (status == TP_OK)
		status = load_prediction(store, run_id, number, &stored->epoch.predicted);
	if (status != TP_OK)
		tp_stored_epoch_release(stored);
	return status;
}

void tp_stored_epoch_release(struct tp_stored_epoch *stored)
{
	tp_free(stored->memory);
	*stored = (struct tp_stored_epoch){0};
}

enum tp_status tp_store_read_costs(struct tp_store *store, int64_t run_id, struct tp_store_cost **costs, int64_t *count)
{
	enum tp_store_state state;
	void *records = NULL;
	*costs = NULL;
	*count = 0;
	TP_TRY(tp_store_run_state(store, run_id, &state)); /* is there such a run? */
	TP_TRY(load(store, run_id, 0, &cost_records, &records, count));
	*costs = records;
	return TP_OK;
}
