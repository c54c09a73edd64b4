/* What a GPU tells beyond the engine's records: how kernels were launched, what was copied, and how it is known. */
#include "results/store_internal.h"

enum tp_status tp_store_write_gpus(struct tp_store *store, int64_t run_id, const struct tp_gpu_info *gpus,
                                   int32_t count)
{
	for (int32_t i = 0; i < count; i++) {
		const struct tp_gpu_info *gpu = &gpus[i];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_GPU, tp_integer(run_id), tp_integer(gpu->number),
		                       tp_text_cell(gpu->name), tp_text_cell(gpu->bus), tp_text_cell(gpu->uuid),
		                       tp_integer(gpu->memory_bytes), tp_integer(gpu->l2_cache_bytes),
		                       tp_integer(gpu->memory_bandwidth_bytes_per_s), tp_integer(gpu->clock_rate_hz),
		                       tp_integer(gpu->multiprocessors), tp_integer(gpu->compute_major),
		                       tp_integer(gpu->compute_minor)));
	}
	return TP_OK;
}

/* Numbers count within a stage, as those of the kernels do. */
static enum tp_status write_launches(struct tp_store *store, int64_t run_id, int32_t epoch,
                                     const struct tp_gpu_records *records)
{
	int64_t number = 0;
	for (int64_t i = 0; i < records->kernel_count; i++) {
		const struct tp_gpu_kernel *launch = &records->launches[i];
		const struct tp_gpu_place *place = &launch->place;
		number = i > 0 && records->launches[i - 1].place.stage == place->stage ? number + 1 : 0;
		TP_TRY(TP_STORE_INSERT(
		        store, TP_INSERT_KERNEL_LAUNCH, tp_integer(run_id), tp_integer(epoch), tp_integer(place->stage),
		        tp_integer(number), tp_integer(place->gpu_number), tp_integer(place->context_number),
		        tp_integer(place->stream_number), tp_integer(place->correlation_number),
		        tp_integer(launch->grid[0]), tp_integer(launch->grid[1]), tp_integer(launch->grid[2]),
		        tp_integer(launch->block[0]), tp_integer(launch->block[1]), tp_integer(launch->block[2]),
		        tp_integer(launch->registers_per_thread), tp_integer(launch->static_shared_bytes),
		        tp_integer(launch->dynamic_shared_bytes)));
	}
	return TP_OK;
}

static enum tp_status write_copies(struct tp_store *store, int64_t run_id, int32_t epoch,
                                   const struct tp_gpu_records *records)
{
	int64_t number = 0;
	for (int64_t i = 0; i < records->copy_count; i++) {
		const struct tp_gpu_copy *copy = &records->copies[i];
		const struct tp_gpu_place *place = &copy->place;
		number = i > 0 && records->copies[i - 1].place.stage == place->stage ? number + 1 : 0;
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_DEVICE_COPY, tp_integer(run_id), tp_integer(epoch),
		                       tp_integer(place->stage), tp_integer(number), tp_integer(place->operation),
		                       tp_integer(place->start_ns), tp_integer(place->end_ns), tp_integer(copy->bytes),
		                       tp_integer(copy->kind), tp_integer(place->gpu_number),
		                       tp_integer(place->context_number), tp_integer(place->stream_number),
		                       tp_integer(place->correlation_number)));
	}
	return TP_OK;
}

enum tp_status tp_store_write_gpu_epoch(struct tp_store *store, int64_t run_id, const struct tp_store_epoch *epoch)
{
	const struct tp_gpu_trace *trace = epoch->gpu;
	if (trace)
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_GPU_TRACE, tp_integer(run_id), tp_integer(epoch->epoch),
		                       tp_text_cell(tp_gpu_trace_mode_text(trace->mode)), tp_text_cell(trace->reason),
		                       tp_integer(trace->dropped), tp_integer(trace->untimed),
		                       tp_integer(trace->unmatched), tp_integer(trace->overhead_ns),
		                       tp_integer(trace->clock_error_ns), tp_integer(trace->allocated_peak_bytes),
		                       tp_integer(trace->allocations)));
	if (!epoch->gpu_records)
		return TP_OK;
	TP_TRY(write_launches(store, run_id, epoch->epoch, epoch->gpu_records));
	return write_copies(store, run_id, epoch->epoch, epoch->gpu_records);
}
