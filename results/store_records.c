/* Records as rows. A row's number is the record's: its place among those of its kind, epoch and stage. */
#include "results/store_internal.h"

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
		case TP_RECORD_VERSION: /* part of the metrics */
		case TP_RECORD_KERNEL:
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
