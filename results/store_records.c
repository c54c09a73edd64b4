/* Records as rows. A row's number is the record's: its place among those of its kind, epoch and stage. */
#include "results/store_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/memory.h"

static const char naming[] = "find the names of kernels";

static enum tp_status write_op(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                               const struct tp_op_record *op)
{
	return TP_STORE_INSERT(store, TP_INSERT_OPERATION, tp_integer(run_id), tp_integer(epoch), tp_integer(op->stage),
	                       tp_integer(number), tp_text_cell(tp_op_kind_text((enum tp_op_kind)op->kind)),
	                       tp_integer(op->mini), tp_integer(op->micro), tp_integer(op->samples),
	                       tp_integer(op->start_ns), tp_integer(op->end_ns), tp_integer(op->version_read),
	                       tp_integer(op->version_live), tp_integer(op->version_committed),
	                       tp_integer(op->version_forward), tp_integer(op->versions_alive),
	                       tp_integer(op->in_place), tp_integer(op->held_until_ns));
}

static enum tp_status write_message(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                    const struct tp_message_record *message)
{
	return TP_STORE_INSERT(store, TP_INSERT_MESSAGE, tp_integer(run_id), tp_integer(epoch),
	                       tp_integer(message->to_stage), tp_integer(number), tp_integer(message->from_stage),
	                       tp_text_cell(message->is_gradient ? "gradient" : "activation"),
	                       tp_integer(message->mini), tp_integer(message->micro), tp_integer(message->bytes),
	                       tp_integer(message->ready_ns), tp_integer(message->sent_ns),
	                       tp_integer(message->arrived_ns), tp_integer(message->wanted_ns),
	                       tp_integer(message->handed_over));
}

static enum tp_status write_read(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                 const struct tp_read_record *read)
{
	return TP_STORE_INSERT(store, TP_INSERT_READ, tp_integer(run_id), tp_integer(epoch), tp_integer(read->stage),
	                       tp_integer(number), tp_integer(read->mini), tp_integer(read->micro),
	                       tp_integer(read->version_forward), tp_integer(read->version_newest),
	                       tp_real(read->lambda));
}

static enum tp_status write_change(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                   const struct tp_memory_change *change)
{
	return TP_STORE_INSERT(store, TP_INSERT_MEMORY_CHANGE, tp_integer(run_id), tp_integer(epoch),
	                       tp_integer(change->stage), tp_integer(number), tp_integer(change->time_ns),
	                       tp_text_cell(tp_mem_kind_text((enum tp_mem_kind)change->kind)),
	                       tp_integer(change->kind_bytes), tp_integer(change->stage_bytes),
	                       tp_integer(change->operation));
}

static enum tp_status read_name_ids(struct tp_store *store, sqlite3_stmt *rows, int64_t *ids, int64_t count)
{
	int64_t read = 0;
	int rc = SQLITE_DONE;
	while (read < count && (rc = sqlite3_step(rows)) == SQLITE_ROW)
		ids[read++] = sqlite3_column_int64(rows, 0);
	return read == count ? TP_OK : tp_store_failed(store, rc, naming);
}

/* The rows of the run's names, in the order in which they were written. */
static enum tp_status find_names(struct tp_store *store, int64_t run_id)
{
	char count_sql[64];
	int64_t count;
	sqlite3_stmt *rows;
	(void)snprintf(count_sql, sizeof count_sql, "SELECT count(*) FROM kernel_name WHERE run_id = %" PRId64, run_id);
	TP_TRY(tp_store_integer(store, count_sql, naming, &count));
	int64_t *ids = tp_alloc_array((size_t)count, sizeof *ids);
	if (!ids)
		return TP_ERR_NOMEM;
	enum tp_status status = tp_store_prepare(
	        store, "SELECT kernel_name_id FROM kernel_name WHERE run_id = ? ORDER BY kernel_name_id", naming,
	        &rows);
	if (status == TP_OK) {
		(void)sqlite3_bind_int64(rows, 1, run_id);
		status = read_name_ids(store, rows, ids, count);
		(void)sqlite3_finalize(rows);
	}
	if (status != TP_OK) {
		tp_free(ids);
		return status;
	}
	tp_free(store->name_ids);
	store->name_ids = ids;
	store->name_count = count;
	store->named_run_id = run_id;
	return TP_OK;
}

static enum tp_status write_kernel(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                   const struct tp_kernel_record *kernel)
{
	if (store->named_run_id != run_id || kernel->name >= store->name_count)
		TP_TRY(find_names(store, run_id));
	if (kernel->name < 0 || kernel->name >= store->name_count)
		return tp_fail(TP_ERR_INPUT, "database '%s': run %lld has kernels but no names for them", store->path,
		               (long long)run_id);
	return TP_STORE_INSERT(store, TP_INSERT_KERNEL, tp_integer(run_id), tp_integer(epoch),
	                       tp_integer(kernel->stage), tp_integer(number), tp_integer(kernel->operation),
	                       tp_integer(store->name_ids[kernel->name]), tp_integer(kernel->start_ns),
	                       tp_integer(kernel->end_ns));
}

static enum tp_status write_names(struct tp_store *store, int64_t run_id, const struct tp_kernel_name *names,
                                  int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_KERNEL_NAME, tp_integer(run_id), tp_text_cell(names[i].name),
		                       tp_text_cell(names[i].implementation), tp_text_cell(names[i].pass),
		                       tp_text_cell(names[i].layer), tp_text_cell(names[i].shape),
		                       tp_integer(names[i].moved_bytes), tp_integer(names[i].kernel_flops)));
	return TP_OK;
}

enum tp_status tp_store_add_kernel_names(struct tp_store *store, int64_t run_id, const struct tp_kernel_name *names,
                                         int32_t count)
{
	TP_TRY(tp_store_begin(store)); /* rows get higher numbers than all before them, so that their order is kept */
	TP_TRY(tp_store_end(store, write_names(store, run_id, names, count)));
	return find_names(store, run_id); /* now, since kernels may be written while nothing is to be allocated */
}

enum tp_status tp_store_write_batch(struct tp_store *store, int64_t run_id, const struct tp_record_batch *batch)
{
	for (int64_t i = 0; i < batch->count; i++) {
		int64_t number = batch->first + i;
		enum tp_status status = TP_OK;
		switch (batch->kind) {
		case TP_RECORD_OP:
			status = write_op(store, run_id, batch->epoch, number,
			                  &((const struct tp_op_record *)batch->records)[i]);
			break;
		case TP_RECORD_MESSAGE:
			status = write_message(store, run_id, batch->epoch, number,
			                       &((const struct tp_message_record *)batch->records)[i]);
			break;
		case TP_RECORD_READ:
			status = write_read(store, run_id, batch->epoch, number,
			                    &((const struct tp_read_record *)batch->records)[i]);
			break;
		case TP_RECORD_MEMORY:
			status = write_change(store, run_id, batch->epoch, number,
			                      &((const struct tp_memory_change *)batch->records)[i]);
			break;
		case TP_RECORD_KERNEL:
			status = write_kernel(store, run_id, batch->epoch, number,
			                      &((const struct tp_kernel_record *)batch->records)[i]);
			break;
		case TP_RECORD_VERSION: /* part of the metrics */
		case TP_RECORD_KINDS:
			break;
		}
		TP_TRY(status);
	}
	return TP_OK;
}

enum tp_status tp_store_add_records(struct tp_store *store, int64_t run_id, const struct tp_record_batch *batch)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, tp_store_write_batch(store, run_id, batch));
}
