#include "engine/run/trainer_records.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/process.h"

/* Records of one stage in an epoch, at most. */
struct counts {
	int64_t ops, activations, gradients, reads;
};

static struct counts count_records(const struct tp_crew *crew)
{
	const struct tp_pipeline *pipeline = &crew->pipeline;
	int64_t on = crew->config->profile_ops, minis = on * pipeline->minis;
	return (struct counts){
	        .ops = on * tp_operations_per_stage(pipeline) + minis, /* and the updates */
	        .activations = minis * tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .gradients = minis * tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .reads = crew->span == TP_SPAN_RUNS ? minis * pipeline->micro_batches : 0,
	};
}

enum tp_status tp_trainer_records_init(struct tp_trainer_records *records, struct tp_crew *crew)
{
	const struct counts counts = count_records(crew);
	int32_t stages = crew->pipeline.stages;
	int64_t ops = counts.ops * stages, reads = counts.reads * stages;
	int64_t messages = (counts.activations + counts.gradients) * (stages - 1);
	records->ops = tp_alloc_array((size_t)ops, sizeof *records->ops);
	records->messages = tp_alloc_array((size_t)messages, sizeof *records->messages);
	records->reads = tp_alloc_array((size_t)reads, sizeof *records->reads);
	records->memory = tp_alloc_array((size_t)stages + 1, sizeof *records->memory);
	if (!records->ops || !records->messages || !records->reads || !records->memory)
		return TP_ERR_NOMEM;
	size_t op_bytes = (size_t)ops * sizeof *records->ops, read_bytes = (size_t)reads * sizeof *records->reads;
	size_t message_bytes = (size_t)messages * sizeof *records->messages;
	records->record_bytes = (int64_t)(op_bytes + message_bytes + read_bytes);
	tp_prefault(records->ops, op_bytes);
	tp_prefault(records->messages, message_bytes);
	tp_prefault(records->reads, read_bytes);
	struct tp_message_record *next = records->messages;
	for (int32_t s = 0; s < stages; s++) {
		int64_t received = (s > 0 ? counts.activations : 0) + (s < stages - 1 ? counts.gradients : 0);
		crew->workers[s].recorder = (struct tp_recorder){
		        .ops = records->ops + s * counts.ops,
		        .op_capacity = counts.ops,
		        .messages = next,
		        .message_capacity = received,
		        .reads = records->reads + s * counts.reads,
		        .read_capacity = counts.reads,
		};
		next += received;
	}
	return TP_OK;
}

void tp_trainer_records_release(struct tp_trainer_records *records)
{
	tp_free(records->ops);
	tp_free(records->messages);
	tp_free(records->reads);
	tp_free(records->memory);
	*records = (struct tp_trainer_records){0};
}

/* Close the gaps between the stages' records (there are none after a whole epoch). */
static void gather_events(struct tp_trainer_records *records, const struct tp_crew *crew,
                          struct tp_epoch_result *result)
{
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		const struct tp_recorder *recorder = &crew->workers[s].recorder;
		memmove(records->ops + result->op_count, recorder->ops,
		        (size_t)recorder->op_count * sizeof *recorder->ops);
		memmove(records->messages + result->message_count, recorder->messages,
		        (size_t)recorder->message_count * sizeof *recorder->messages);
		memmove(records->reads + result->read_count, recorder->reads,
		        (size_t)recorder->read_count * sizeof *recorder->reads);
		result->op_count += recorder->op_count;
		result->message_count += recorder->message_count;
		result->read_count += recorder->read_count;
		result->dropped_records += recorder->dropped;
	}
	result->ops = records->ops;
	result->messages = records->messages;
	result->reads = records->reads;
}

static void gather_memory(struct tp_trainer_records *records, const struct tp_crew *crew,
                          struct tp_epoch_result *result)
{
	int32_t stages = crew->pipeline.stages;
	for (int32_t s = 0; s < stages; s++)
		records->memory[s] = crew->workers[s].stage.memory.record;

	struct tp_memory_ledger process = {.record = {.stage = -1, .epoch = crew->epoch}};
	int64_t order_bytes = crew->order.index ? crew->order.count * (int64_t)sizeof *crew->order.index : 0;
	int64_t staging_bytes =
	        (int64_t)crew->slicing.batch * tp_shape_elements(crew->dataset->shape) * (int64_t)sizeof(float);
	const struct {
		enum tp_mem_kind kind;
		int64_t bytes;
	} held[] = {
	        {TP_MEM_DATA, crew->dataset->held_bytes + order_bytes + staging_bytes},
	        {TP_MEM_PROFILER, records->record_bytes},
	        {TP_MEM_LIBRARY, records->library_bytes},
	};
	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		tp_memory_use(&process, held[i].kind, held[i].bytes);
		tp_memory_reserve(&process, held[i].kind, held[i].bytes);
	}
	records->memory[stages] = process.record;
	result->memory = records->memory;
	result->memory_count = stages + 1;
	result->rss_bytes = tp_resident_bytes();
}

void tp_trainer_records_gather(struct tp_trainer_records *records, struct tp_crew *crew, struct tp_epoch_result *result)
{
	gather_events(records, crew, result);
	gather_memory(records, crew, result);
}
