#include "results/store_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "results/writer.h"

/* One row from an array of cells written in place. */
#define INSERT(store, which, ...)                                                \
	tp_store_insert((store), (which), (const struct tp_cell[]){__VA_ARGS__}, \
	                (int)(sizeof((const struct tp_cell[]){__VA_ARGS__}) / sizeof(struct tp_cell)))

static enum tp_status write_pairs(struct tp_store *store, enum tp_statement which, int64_t run_id,
                                  const struct tp_store_pair *pairs, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		TP_TRY(INSERT(store, which, tp_integer(run_id), tp_text_cell(pairs[i].name),
		              tp_text_cell(pairs[i].value)));
	return TP_OK;
}

/* What the run pretends to run on. */
static enum tp_status write_emulation(struct tp_store *store, const struct tp_store_run *run, int64_t run_id)
{
	for (int32_t i = 0; i < run->link_count; i++) {
		const struct tp_store_link *link = &run->links[i];
		TP_TRY(INSERT(store, TP_INSERT_LINK, tp_integer(run_id), tp_integer(link->from_stage),
		              tp_integer(link->to_stage), tp_real(link->bandwidth_bytes_per_s),
		              tp_integer(link->latency_ns)));
	}
	for (int32_t i = 0; i < run->worker_count; i++) {
		const struct tp_store_worker *worker = &run->workers[i];
		TP_TRY(INSERT(store, TP_INSERT_WORKER, tp_integer(run_id), tp_integer(worker->stage),
		              tp_text_cell(worker->name), tp_real(worker->speed),
		              tp_integer(worker->memory_limit_bytes)));
	}
	return TP_OK;
}

static enum tp_status write_run(struct tp_store *store, const struct tp_store_run *run, int64_t *run_id)
{
	struct tp_writer writer;
	tp_writer_self(&writer);
	char config_hash[17];
	(void)snprintf(config_hash, sizeof config_hash, "%016" PRIx64, run->config_hash);
	TP_TRY(INSERT(store, TP_INSERT_RUN, tp_text_cell(run->name), tp_text_cell(run->note),
	              tp_text_cell(run->comparison), tp_integer(run->repeat), tp_text_cell(run->schedule),
	              tp_text_cell(run->model), tp_text_cell(run->dataset), tp_text_cell(run->device),
	              tp_text_cell(run->order), tp_text_cell(run->clock), tp_integer(run->stages),
	              tp_integer(run->micro_batches), tp_integer(run->batch_samples), tp_integer(run->minis_per_epoch),
	              tp_integer(run->dropped_samples_per_epoch), tp_integer(run->rss_before_bytes),
	              tp_text_cell(config_hash), tp_text_cell(run->config_text), tp_integer(tp_unix_s()),
	              tp_integer(writer.pid), tp_integer(writer.start_ticks), tp_text_cell(writer.boot_hash),
	              tp_integer(writer.pid_namespace)));
	*run_id = sqlite3_last_insert_rowid(store->db);
	TP_TRY(write_pairs(store, TP_INSERT_PARAMETER, *run_id, run->parameters, run->parameter_count));
	TP_TRY(write_pairs(store, TP_INSERT_ENVIRONMENT, *run_id, run->environment, run->environment_count));
	for (int32_t s = 0; run->stages_planned && s < run->stages; s++) {
		const struct tp_store_stage *stage = &run->stages_planned[s];
		TP_TRY(INSERT(store, TP_INSERT_STAGE, tp_integer(*run_id), tp_integer(stage->stage),
		              tp_integer(stage->first_block), tp_integer(stage->block_count),
		              tp_text_cell(stage->layers), tp_integer(stage->parameters),
		              tp_integer(stage->forward_flops_per_sample), tp_integer(stage->in_flight_limit_minis),
		              tp_text_cell(stage->algorithms)));
	}
	return write_emulation(store, run, *run_id);
}

enum tp_status tp_store_begin_run(struct tp_store *store, const struct tp_store_run *run, int64_t *run_id)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_run(store, run, run_id));
}

static enum tp_status write_op(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                               const struct tp_op_record *op)
{
	return INSERT(store, TP_INSERT_OPERATION, tp_integer(run_id), tp_integer(epoch), tp_integer(op->stage),
	              tp_integer(number), tp_text_cell(tp_op_kind_text((enum tp_op_kind)op->kind)),
	              tp_integer(op->mini), tp_integer(op->micro), tp_integer(op->samples), tp_integer(op->start_ns),
	              tp_integer(op->end_ns), tp_integer(op->version_read), tp_integer(op->version_live),
	              tp_integer(op->version_committed), tp_integer(op->version_forward),
	              tp_integer(op->versions_alive), tp_integer(op->in_place), tp_integer(op->held_until_ns));
}

static enum tp_status write_message(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                    const struct tp_message_record *message)
{
	return INSERT(store, TP_INSERT_MESSAGE, tp_integer(run_id), tp_integer(epoch), tp_integer(message->to_stage),
	              tp_integer(number), tp_integer(message->from_stage),
	              tp_text_cell(message->is_gradient ? "gradient" : "activation"), tp_integer(message->mini),
	              tp_integer(message->micro), tp_integer(message->bytes), tp_integer(message->ready_ns),
	              tp_integer(message->sent_ns), tp_integer(message->arrived_ns), tp_integer(message->wanted_ns),
	              tp_integer(message->handed_over));
}

static enum tp_status write_read(struct tp_store *store, int64_t run_id, int32_t epoch, int64_t number,
                                 const struct tp_read_record *read)
{
	return INSERT(store, TP_INSERT_READ, tp_integer(run_id), tp_integer(epoch), tp_integer(read->stage),
	              tp_integer(number), tp_integer(read->mini), tp_integer(read->micro),
	              tp_integer(read->version_forward), tp_integer(read->version_newest), tp_real(read->lambda));
}

static enum tp_status write_memory(struct tp_store *store, int64_t run_id, int32_t epoch,
                                   const struct tp_memory_record *memory)
{
	for (int kind = 0; kind < TP_MEM_KINDS; kind++)
		TP_TRY(INSERT(store, TP_INSERT_MEMORY, tp_integer(run_id), tp_integer(epoch), tp_integer(memory->stage),
		              tp_text_cell(tp_mem_kind_text((enum tp_mem_kind)kind)),
		              tp_integer(memory->now_bytes[kind]), tp_integer(memory->peak_bytes[kind]),
		              tp_integer(memory->at_peak_bytes[kind]), tp_integer(memory->reserved_bytes[kind])));
	return TP_OK;
}

static enum tp_status write_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch)
{
	const struct tp_cell none = {.type = TP_CELL_NULL};
	const bool tested = epoch->evaluated;
	TP_TRY(INSERT(store, TP_INSERT_EPOCH, tp_integer(run_id), tp_integer(epoch->epoch), tp_integer(epoch->minis),
	              tp_integer(epoch->samples), tp_integer(epoch->start_ns), tp_integer(epoch->end_ns),
	              tp_real(epoch->train_loss), tp_real(epoch->train_top1),
	              tested ? tp_integer(epoch->test_samples) : none, tested ? tp_real(epoch->test_loss) : none,
	              tested ? tp_real(epoch->test_top1) : none, tested ? tp_real(epoch->test_top5) : none,
	              tested ? tp_integer(epoch->evaluation_ns) : none, tp_integer(epoch->dropped_records),
	              tp_integer(epoch->rss_bytes), tp_integer((int64_t)epoch->allocations_in_window)));
	for (int64_t i = 0; i < epoch->op_count; i++)
		TP_TRY(write_op(store, run_id, epoch->epoch, i, &epoch->ops[i]));
	for (int64_t i = 0; i < epoch->message_count; i++)
		TP_TRY(write_message(store, run_id, epoch->epoch, i, &epoch->messages[i]));
	for (int64_t i = 0; i < epoch->read_count; i++)
		TP_TRY(write_read(store, run_id, epoch->epoch, i, &epoch->reads[i]));
	for (int32_t i = 0; i < epoch->memory_count; i++)
		TP_TRY(write_memory(store, run_id, epoch->epoch, &epoch->memory[i]));
	if (epoch->predicted_ns > 0)
		TP_TRY(INSERT(store, TP_INSERT_PREDICTION, tp_integer(run_id), tp_integer(epoch->epoch),
		              tp_integer(epoch->predicted_ns)));
	return TP_OK;
}

enum tp_status tp_store_add_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_epoch(store, run_id, epoch));
}

static enum tp_status write_costs(struct tp_store *store, int64_t run_id, const struct tp_store_cost *costs,
                                  int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		TP_TRY(INSERT(store, TP_INSERT_COST, tp_integer(run_id), tp_integer(costs[i].stage),
		              tp_text_cell(tp_op_kind_text(costs[i].kind)), tp_integer(costs[i].micro),
		              tp_integer(costs[i].cost_ns)));
	return TP_OK;
}

enum tp_status tp_store_add_costs(struct tp_store *store, int64_t run_id, const struct tp_store_cost *costs,
                                  int64_t count)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_costs(store, run_id, costs, count));
}

static const char *const ending_texts[] = {
        [TP_STORE_DONE] = "done", [TP_STORE_FAILED] = "failed", [TP_STORE_INTERRUPTED] = "interrupted"};

static enum tp_status write_end(struct tp_store *store, int64_t run_id, enum tp_store_ending ending, const char *reason)
{
	return INSERT(store, TP_INSERT_RUN_END, tp_integer(run_id), tp_text_cell(ending_texts[ending]),
	              tp_text_cell(reason), tp_integer(tp_unix_s()));
}

enum tp_status tp_store_end_run(struct tp_store *store, int64_t run_id, enum tp_store_ending ending, const char *reason)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_end(store, run_id, ending, reason));
}
