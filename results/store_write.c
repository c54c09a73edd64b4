#include "results/store_internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "results/writer.h"

static enum tp_status write_pairs(struct tp_store *store, enum tp_statement which, int64_t run_id,
                                  const struct tp_store_pair *pairs, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		TP_TRY(TP_STORE_INSERT(store, which, tp_integer(run_id), tp_text_cell(pairs[i].name),
		                       tp_text_cell(pairs[i].value)));
	return TP_OK;
}

/* What the run pretends to run on. */
static enum tp_status write_emulation(struct tp_store *store, const struct tp_store_run *run, int64_t run_id)
{
	for (int32_t i = 0; i < run->link_count; i++) {
		const struct tp_store_link *link = &run->links[i];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_LINK, tp_integer(run_id), tp_integer(link->from_stage),
		                       tp_integer(link->to_stage), tp_real(link->bandwidth_bytes_per_s),
		                       tp_integer(link->latency_ns)));
	}
	for (int32_t i = 0; i < run->worker_count; i++) {
		const struct tp_store_worker *worker = &run->workers[i];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_WORKER, tp_integer(run_id), tp_integer(worker->stage),
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
	TP_TRY(TP_STORE_INSERT(store, TP_INSERT_RUN, tp_text_cell(run->name), tp_text_cell(run->note),
	                       tp_text_cell(run->comparison), tp_integer(run->repeat), tp_text_cell(run->schedule),
	                       tp_text_cell(run->model), tp_text_cell(run->dataset), tp_text_cell(run->device),
	                       tp_text_cell(run->order), tp_text_cell(run->clock), tp_integer(run->stages),
	                       tp_integer(run->micro_batches), tp_integer(run->batch_samples),
	                       tp_integer(run->minis_per_epoch), tp_integer(run->dropped_samples_per_epoch),
	                       tp_integer(run->rss_before_bytes), tp_text_cell(config_hash),
	                       tp_text_cell(run->config_text), tp_integer(tp_unix_s()), tp_integer(writer.pid),
	                       tp_integer(writer.start_ticks), tp_text_cell(writer.boot_hash),
	                       tp_integer(writer.pid_namespace)));
	*run_id = sqlite3_last_insert_rowid(store->db);
	TP_TRY(write_pairs(store, TP_INSERT_PARAMETER, *run_id, run->parameters, run->parameter_count));
	TP_TRY(write_pairs(store, TP_INSERT_ENVIRONMENT, *run_id, run->environment, run->environment_count));
	for (int32_t s = 0; run->stages_planned && s < run->stages; s++) {
		const struct tp_store_stage *stage = &run->stages_planned[s];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_STAGE, tp_integer(*run_id), tp_integer(stage->stage),
		                       tp_integer(stage->first_block), tp_integer(stage->block_count),
		                       tp_text_cell(stage->layers), tp_integer(stage->parameters),
		                       tp_integer(stage->forward_flops_per_sample),
		                       tp_integer(stage->in_flight_limit_minis), tp_text_cell(stage->algorithms)));
	}
	TP_TRY(tp_store_write_gpus(store, *run_id, run->gpus, run->gpu_count));
	return write_emulation(store, run, *run_id);
}

enum tp_status tp_store_begin_run(struct tp_store *store, const struct tp_store_run *run, int64_t *run_id)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_run(store, run, run_id));
}

static enum tp_status write_memory(struct tp_store *store, int64_t run_id, int32_t epoch,
                                   const struct tp_memory_record *memory)
{
	for (int kind = 0; kind < TP_MEM_KINDS; kind++)
		TP_TRY(TP_STORE_INSERT(
		        store, TP_INSERT_MEMORY, tp_integer(run_id), tp_integer(epoch), tp_integer(memory->stage),
		        tp_text_cell(tp_mem_kind_text((enum tp_mem_kind)kind)), tp_integer(memory->now_bytes[kind]),
		        tp_integer(memory->peak_bytes[kind]), tp_integer(memory->at_peak_bytes[kind]),
		        tp_integer(memory->reserved_bytes[kind])));
	return TP_OK;
}

/* Of one kind, by stage: each run of the same stage is a batch. */
static enum tp_status write_kind(struct tp_store *store, int64_t run_id, int32_t epoch, enum tp_record_kind kind,
                                 const void *records, int64_t count, size_t stage_offset)
{
	const unsigned char *bytes = records;
	size_t size = tp_record_bytes(kind);
	for (int64_t first = 0, end; first < count; first = end) {
		int16_t stage, next = 0;
		memcpy(&stage, bytes + (size_t)first * size + stage_offset, sizeof stage);
		for (end = first + 1, next = stage; end < count && next == stage; end += next == stage)
			memcpy(&next, bytes + (size_t)end * size + stage_offset, sizeof next);
		const struct tp_record_batch batch = {.kind = kind,
		                                      .epoch = epoch,
		                                      .stage = stage,
		                                      .count = end - first,
		                                      .records = bytes + (size_t)first * size};
		TP_TRY(tp_store_write_batch(store, run_id, &batch));
	}
	return TP_OK;
}

static enum tp_status write_records(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch)
{
	const struct tp_records *all = &epoch->records;
	const struct {
		enum tp_record_kind kind;
		const void *records;
		int64_t count;
		size_t stage_offset;
	} kinds[] = {
	        {TP_RECORD_OP, all->ops, all->op_count, offsetof(struct tp_op_record, stage)},
	        {TP_RECORD_MESSAGE, all->messages, all->message_count, offsetof(struct tp_message_record, to_stage)},
	        {TP_RECORD_READ, all->reads, all->read_count, offsetof(struct tp_read_record, stage)},
	        {TP_RECORD_MEMORY, all->changes, all->change_count, offsetof(struct tp_memory_change, stage)},
	        {TP_RECORD_KERNEL, all->kernels, all->kernel_count, offsetof(struct tp_kernel_record, stage)},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		TP_TRY(write_kind(store, run_id, epoch->epoch, kinds[i].kind, kinds[i].records, kinds[i].count,
		                  kinds[i].stage_offset));
	return TP_OK;
}

static enum tp_status write_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch)
{
	const struct tp_cell none = {.type = TP_CELL_NULL};
	const bool tested = epoch->evaluated;
	TP_TRY(TP_STORE_INSERT(store, TP_INSERT_EPOCH, tp_integer(run_id), tp_integer(epoch->epoch),
	                       tp_text_cell(epoch->profile_level), tp_integer(epoch->minis), tp_integer(epoch->samples),
	                       tp_integer(epoch->start_ns), tp_integer(epoch->end_ns), tp_real(epoch->train_loss),
	                       tp_real(epoch->train_top1), tested ? tp_integer(epoch->test_samples) : none,
	                       tested ? tp_real(epoch->test_loss) : none, tested ? tp_real(epoch->test_top1) : none,
	                       tested ? tp_real(epoch->test_top5) : none,
	                       tested ? tp_integer(epoch->evaluation_ns) : none, tp_integer(epoch->dropped_records),
	                       tp_integer(epoch->rss_bytes), tp_integer((int64_t)epoch->allocations_in_window)));
	TP_TRY(write_records(store, run_id, epoch));
	TP_TRY(tp_store_write_gpu_epoch(store, run_id, epoch));
	for (int32_t i = 0; i < epoch->memory_count; i++)
		TP_TRY(write_memory(store, run_id, epoch->epoch, &epoch->memory[i]));
	for (int32_t i = 0; i < epoch->counter_count; i++) {
		const struct tp_counter_record *counter = &epoch->counters[i];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_COUNTER, tp_integer(run_id), tp_integer(epoch->epoch),
		                       tp_integer(counter->stage), tp_text_cell(counter->counter),
		                       counter->present ? tp_integer(counter->value) : none,
		                       tp_text_cell(counter->reason)));
	}
	const struct tp_store_prediction *predicted = &epoch->predicted;
	if (predicted->window_ns > 0)
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_PREDICTION, tp_integer(run_id), tp_integer(epoch->epoch),
		                       tp_integer(predicted->window_ns), tp_integer(predicted->version_difference_max),
		                       tp_real(predicted->version_difference_mean),
		                       tp_real(predicted->version_difference_estimate)));
	return epoch->metrics ? tp_store_write_metrics(store, run_id, epoch->epoch, epoch->metrics, epoch->memory,
	                                               epoch->memory_count)
	                      : TP_OK;
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
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_COST, tp_integer(run_id), tp_integer(costs[i].stage),
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

static enum tp_status write_end(struct tp_store *store, int64_t run_id, enum tp_store_ending ending, const char *reason,
                                const struct tp_store_check *checks, int32_t check_count)
{
	for (int32_t i = 0; i < check_count; i++)
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_CHECK, tp_integer(run_id), tp_text_cell(checks[i].name),
		                       tp_integer(checks[i].passed), tp_text_cell(checks[i].detail)));
	return TP_STORE_INSERT(store, TP_INSERT_RUN_END, tp_integer(run_id), tp_text_cell(ending_texts[ending]),
	                       tp_text_cell(reason), tp_integer(tp_unix_s()));
}

enum tp_status tp_store_end_run(struct tp_store *store, int64_t run_id, enum tp_store_ending ending, const char *reason,
                                const struct tp_store_check *checks, int32_t check_count)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, write_end(store, run_id, ending, reason, checks, check_count));
}

enum tp_status tp_store_add_profile_cost(struct tp_store *store, int64_t run_id,
                                         const struct tp_store_profile_cost *cost)
{
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, TP_STORE_INSERT(store, TP_INSERT_PROFILE_COST, tp_integer(run_id),
	                                           tp_text_cell(cost->profile_level), tp_integer(cost->pairs),
	                                           tp_integer(cost->profiled_median_ns),
	                                           tp_integer(cost->unprofiled_median_ns), tp_real(cost->ratio),
	                                           tp_real(cost->min_ratio), tp_real(cost->max_ratio)));
}
