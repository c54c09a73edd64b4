#include "engine/run/trainer_gpu.h"

enum tp_status tp_trainer_gpu_start(struct tp_trainer_gpu *gpu, const struct tp_run_config *config)
{
	const struct tp_device_ops *ops;
	TP_TRY(tp_device_find(config->device, config->math, &ops));
	if (!ops->async)
		return TP_OK;
	gpu->ops = ops->async;
	gpu->trace.mode = config->clock == TP_CLOCK_REAL ? TP_GPU_TRACE_EVENTS : TP_GPU_TRACE_HOST;
	if (gpu->ops->gpus)
		gpu->count = gpu->ops->gpus(gpu->infos, TP_RUN_GPUS);
	int32_t used = config->gpus > 0 && config->gpus < config->stages ? config->gpus : config->stages;
	gpu->count = gpu->count < used ? gpu->count : used;
	if (!gpu->ops->tracer || config->clock == TP_CLOCK_VIRTUAL)
		return TP_OK;
	TP_TRY(gpu->ops->tracer->start(config->profile == TP_PROFILE_KERNELS));
	gpu->started = true;
	return TP_OK;
}

void tp_trainer_gpu_stop(struct tp_trainer_gpu *gpu)
{
	tp_gpu_records_release(&gpu->records);
	if (gpu->started)
		gpu->ops->tracer->stop();
	*gpu = (struct tp_trainer_gpu){0};
}

void tp_trainer_gpu_begin(struct tp_trainer_gpu *gpu)
{
	tp_gpu_records_release(&gpu->records);
	gpu->has_records = false;
	if (gpu->started)
		gpu->ops->tracer->begin_epoch();
}

enum tp_status tp_trainer_gpu_end(struct tp_trainer_gpu *gpu, struct tp_crew *crew)
{
	if (gpu->started)
		TP_TRY(gpu->ops->tracer->end_epoch(&gpu->trace));
	if (gpu->trace.mode == TP_GPU_TRACE_EVENTS)
		gpu->trace.clock_error_ns = crew->clock_error_ns;
	if (gpu->trace.mode != TP_GPU_TRACE_CUPTI)
		return TP_OK;
	gpu->has_records = true;
	return tp_gpu_records_make(&gpu->trace, crew->clock_zero_ns, &crew->kernel_names, &gpu->records);
}

/* Kernels by stage, as the rings of blocking devices would have been emptied. */
static enum tp_status hand_over(const struct tp_gpu_records *records, const struct tp_record_sink *sink, int32_t epoch)
{
	for (int64_t first = 0, end; first < records->kernel_count; first = end) {
		int16_t stage = records->kernels[first].stage;
		for (end = first; end < records->kernel_count && records->kernels[end].stage == stage;)
			end++;
		const struct tp_record_batch batch = {
		        .kind = TP_RECORD_KERNEL,
		        .epoch = epoch,
		        .stage = stage,
		        .count = end - first,
		        .records = &records->kernels[first],
		};
		TP_TRY(sink->take(sink->context, &batch));
	}
	return TP_OK;
}

/* From the first operation's start to the last one's end. */
static void set_window(struct tp_epoch_result *result)
{
	const struct tp_op_record *ops = result->records.ops;
	for (int64_t i = 0; i < result->records.op_count; i++) {
		if (i == 0 || ops[i].start_ns < result->start_ns)
			result->start_ns = ops[i].start_ns;
		if (i == 0 || ops[i].end_ns > result->end_ns)
			result->end_ns = ops[i].end_ns;
	}
}

enum tp_status tp_trainer_gpu_add(struct tp_trainer_gpu *gpu, struct tp_trainer_records *records,
                                  struct tp_epoch_result *result)
{
	if (!gpu->ops)
		return TP_OK;
	result->gpu = &gpu->trace;
	if (!gpu->has_records)
		return TP_OK;
	result->gpu_records = &gpu->records;
	if (result->streamed)
		return records->drain.sink.take ? hand_over(&gpu->records, &records->drain.sink, result->epoch) : TP_OK;
	result->records.kernels = gpu->records.kernels;
	result->records.kernel_count = gpu->records.kernel_count;
	if (!tp_gpu_trace_complete(&gpu->trace) || result->dropped_records > 0)
		return TP_OK;
	TP_TRY(tp_gpu_refine(&gpu->records, (void *)records->arrays[TP_RECORD_OP].records, result->records.op_count,
	                     (void *)records->arrays[TP_RECORD_MESSAGE].records, result->records.message_count));
	set_window(result);
	return TP_OK;
}
