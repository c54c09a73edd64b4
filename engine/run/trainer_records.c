#include "engine/run/trainer_records.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/process.h"
#include "engine/run/stage_kernels.h"

/* A ring shorter than this would have to be emptied all the time. */
enum { SHORTEST_RING = 1024 };

/* Kernels of the stage that runs most of them in an epoch, at most. */
static int64_t count_kernels(const struct tp_crew *crew, int64_t forwards, int64_t backwards)
{
	const struct tp_pipeline *pipeline = &crew->pipeline;
	int64_t most = 0, parts = pipeline->policy->backward_split ? 2 : 1;
	for (int32_t s = 0; s < pipeline->stages; s++) {
		struct tp_stage_kernel_bound bound = tp_stage_kernel_bound(&crew->workers[s].stage);
		int64_t count =
		        forwards * bound.forward + backwards * parts * bound.backward + pipeline->minis * bound.update;
		most = count > most ? count : most;
	}
	return most;
}

/* Records of one stage in an epoch, at most. */
static void count_records(const struct tp_crew *crew, int64_t counts[TP_RECORD_KINDS])
{
	const struct tp_pipeline *pipeline = &crew->pipeline;
	int64_t minis = pipeline->minis;
	int64_t forwards = minis * tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	int64_t backwards = minis * tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches);
	int64_t ops = tp_operations_per_stage(pipeline) + minis; /* and the updates */
	memset(counts, 0, sizeof *counts * TP_RECORD_KINDS);
	if (crew->config->profile == TP_PROFILE_OFF)
		return;
	counts[TP_RECORD_OP] = ops;
	counts[TP_RECORD_MESSAGE] = forwards + backwards;
	counts[TP_RECORD_READ] = crew->span == TP_SPAN_RUNS ? minis * pipeline->micro_batches : 0;
	/* Slots and their messages are taken and given back; versions and lineages are counted when an operation begins
	 * and ends; and there is what the epoch begins with. */
	int64_t slots = crew->span == TP_SPAN_SLICE ? forwards : minis;
	int64_t counted = pipeline->independent ? 2 : 1;
	counts[TP_RECORD_MEMORY] = 4 * slots + 2 * counted * ops + TP_MEM_KINDS;
	counts[TP_RECORD_VERSION] = minis + 2;
	if (crew->config->profile == TP_PROFILE_KERNELS && crew->config->clock == TP_CLOCK_REAL && !crew->link)
		counts[TP_RECORD_KERNEL] = count_kernels(crew, forwards, backwards);
}

static enum tp_status reserve(struct tp_record_array *array, enum tp_record_kind kind, int32_t stages, int64_t *bytes)
{
	size_t size = (size_t)array->capacity * (size_t)stages * tp_record_bytes(kind);
	array->records = tp_alloc_array((size_t)array->capacity * (size_t)stages, tp_record_bytes(kind));
	if (!array->records)
		return TP_ERR_NOMEM;
	tp_prefault(array->records, size);
	*bytes += (int64_t)size;
	return TP_OK;
}

/* Capacities: everything when it fits, else each kind its share. */
static void size_rings(struct tp_trainer_records *records, const struct tp_crew *crew)
{
	int64_t counts[TP_RECORD_KINDS];
	double wanted = 0, buffer = (double)crew->config->profile_buffer_bytes;
	count_records(crew, counts);
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++)
		wanted += (double)counts[kind] * (double)tp_record_bytes(kind) * crew->pipeline.stages;
	records->streamed = wanted > buffer;
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++) {
		int64_t share = records->streamed ? (int64_t)((double)counts[kind] * (buffer / wanted)) : counts[kind];
		int64_t least = counts[kind] < SHORTEST_RING ? counts[kind] : SHORTEST_RING;
		records->arrays[kind].capacity = share > least ? share : least;
	}
}

enum tp_status tp_trainer_records_init(struct tp_trainer_records *records, struct tp_crew *crew)
{
	int32_t stages = crew->pipeline.stages;
	size_rings(records, crew);
	records->on = crew->config->profile != TP_PROFILE_OFF;
	records->memory = tp_alloc_array((size_t)stages + 1, sizeof *records->memory);
	records->recorders = tp_alloc_array((size_t)stages, sizeof(struct tp_recorder *));
	records->counted = tp_alloc_array((size_t)stages * TP_COUNTERS, sizeof *records->counted);
	if (!records->memory || !records->recorders || !records->counted)
		return TP_ERR_NOMEM;
	records->record_bytes = tp_kernel_names_bytes(&crew->kernel_names);
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++)
		TP_TRY(reserve(&records->arrays[kind], kind, stages, &records->record_bytes));
	for (int32_t s = 0; s < stages; s++) {
		struct tp_recorder *recorder = records->recorders[s] = &crew->workers[s].recorder;
		recorder->stage = (int16_t)s;
		for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++) {
			struct tp_ring *ring = &recorder->rings[kind];
			size_t before = (size_t)s * (size_t)records->arrays[kind].capacity;
			ring->record_bytes = tp_record_bytes(kind);
			ring->slots = records->arrays[kind].records + before * ring->record_bytes;
		}
	}
	return TP_OK;
}

void tp_trainer_records_release(struct tp_trainer_records *records)
{
	for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
		tp_free(records->arrays[kind].records);
	tp_free(records->memory);
	tp_free(records->recorders);
	tp_free(records->counted);
	*records = (struct tp_trainer_records){0};
}

static void sink_failed(void *context, enum tp_status status)
{
	tp_crew_fail(context, status);
}

enum tp_status tp_trainer_records_begin(struct tp_trainer_records *records, struct tp_crew *crew, int64_t now_ns)
{
	struct tp_drain *drain = &records->drain;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		struct tp_worker *worker = &crew->workers[s];
		for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
			worker->recorder.rings[kind].capacity = records->on ? records->arrays[kind].capacity : 0;
		tp_worker_begin_records(worker, now_ns);
	}
	if (!records->on || !records->streamed || !drain->sink.take)
		return TP_OK;
	drain->recorders = records->recorders;
	drain->count = crew->pipeline.stages;
	drain->failed = sink_failed;
	drain->context = crew;
	drain->epoch = crew->epoch;
	drain->status = TP_OK;
	/* Under the virtual clock nothing is measured, and the driver empties the rings itself. */
	return crew->config->clock == TP_CLOCK_REAL ? tp_drain_start(drain) : TP_OK;
}

/* Close the gaps between the stages' records (there are none after a whole epoch); returns how many there are. */
static int64_t gather(struct tp_record_array *array, enum tp_record_kind kind, const struct tp_crew *crew)
{
	size_t bytes = tp_record_bytes(kind);
	int64_t count = 0;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		const struct tp_ring *ring = &crew->workers[s].recorder.rings[kind];
		int64_t written = tp_ring_written(ring);
		memmove(array->records + (size_t)count * bytes, ring->slots, (size_t)written * bytes);
		count += written;
	}
	return count;
}

static void gather_events(struct tp_trainer_records *records, const struct tp_crew *crew, struct tp_records *all)
{
	struct tp_record_array *arrays = records->arrays;
	int64_t counts[TP_RECORD_KINDS];
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++)
		counts[kind] = gather(&arrays[kind], kind, crew);
	*all = (struct tp_records){
	        .ops = (const void *)arrays[TP_RECORD_OP].records,
	        .messages = (const void *)arrays[TP_RECORD_MESSAGE].records,
	        .reads = (const void *)arrays[TP_RECORD_READ].records,
	        .changes = (const void *)arrays[TP_RECORD_MEMORY].records,
	        .freed = (const void *)arrays[TP_RECORD_VERSION].records,
	        .kernels = (const void *)arrays[TP_RECORD_KERNEL].records,
	        .op_count = counts[TP_RECORD_OP],
	        .message_count = counts[TP_RECORD_MESSAGE],
	        .read_count = counts[TP_RECORD_READ],
	        .change_count = counts[TP_RECORD_MEMORY],
	        .freed_count = counts[TP_RECORD_VERSION],
	        .kernel_count = counts[TP_RECORD_KERNEL],
	};
}

static void hold(struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t bytes)
{
	tp_memory_use(ledger, kind, bytes);
	if (kind != TP_MEM_UNACCOUNTED)
		tp_memory_reserve(ledger, kind, bytes);
}

/* The stages' ledgers, and the process: what is known of it, and what is left of its resident memory. */
static void gather_memory(struct tp_trainer_records *records, const struct tp_crew *crew, int64_t rss_before_bytes,
                          struct tp_epoch_result *result)
{
	int32_t stages = crew->pipeline.stages;
	struct tp_memory_ledger process = {.record = {.stage = -1, .epoch = crew->epoch, .peak_operation = -1}};
	int64_t order_bytes = crew->order.index ? crew->order.count * (int64_t)sizeof *crew->order.index : 0;
	int64_t staging_bytes =
	        (int64_t)crew->slicing.batch * tp_shape_elements(crew->dataset->shape) * (int64_t)sizeof(float);
	result->rss_bytes = tp_resident_bytes();
	int64_t accounted = 0;
	for (int32_t s = 0; s < stages; s++) {
		records->memory[s] = crew->workers[s].stage.memory.record;
		/* What lies on a device is no part of the process's resident memory. */
		accounted += crew->workers[s].stage.source.reserve ? 0 : crew->workers[s].stage.memory.now_total_bytes;
	}
	hold(&process, TP_MEM_DATA, crew->dataset->held_bytes + order_bytes + staging_bytes);
	hold(&process, TP_MEM_PROFILER, records->record_bytes);
	hold(&process, TP_MEM_LIBRARY, records->library_bytes);
	hold(&process, TP_MEM_PROGRAM, rss_before_bytes);
	accounted += process.now_total_bytes;
	hold(&process, TP_MEM_UNACCOUNTED, result->rss_bytes - accounted);
	records->memory[stages] = process.record;
	result->memory = records->memory;
	result->memory_count = stages + 1;
}

static void gather_counters(struct tp_trainer_records *records, const struct tp_crew *crew,
                            struct tp_epoch_result *result)
{
	result->counters = records->counted;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		const struct tp_worker *worker = &crew->workers[s];
		for (int32_t i = 0; i < worker->counted_count; i++)
			records->counted[result->counter_count++] = worker->counted[i];
	}
}

enum tp_status tp_trainer_records_end(struct tp_trainer_records *records, struct tp_crew *crew,
                                      int64_t rss_before_bytes, struct tp_epoch_result *result)
{
	enum tp_status status = TP_OK;
	result->profiled = records->on ? crew->config->profile : TP_PROFILE_OFF;
	result->streamed = records->on && records->streamed;
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		result->dropped_records += tp_recorder_dropped(&crew->workers[s].recorder);
	if (result->streamed && records->drain.sink.take)
		status = tp_drain_stop(&records->drain);
	else if (!result->streamed)
		gather_events(records, crew, &result->records);
	gather_memory(records, crew, rss_before_bytes, result);
	gather_counters(records, crew, result);
	return status;
}
