/* What a run takes from the GPUs it is trained on: their descriptions, and from each epoch's trace kernels, copies and
 * better times. Nothing where a device blocks. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_TRAINER_GPU_H
#define TP_ENGINE_RUN_TRAINER_GPU_H

#include "engine/run/trainer_records.h"

/* GPUs of a run, at most. */
#define TP_RUN_GPUS 64

struct tp_trainer_gpu {
	const struct tp_async_ops *ops; /* NULL: nothing to do */
	bool started;
	struct tp_gpu_info infos[TP_RUN_GPUS];
	int32_t count;
	struct tp_gpu_trace trace; /* of the latest epoch */
	struct tp_gpu_records records;
	bool has_records;
};

/* Before any device is opened: a tracer has to come first. And when all are closed. */
enum tp_status tp_trainer_gpu_start(struct tp_trainer_gpu *gpu, const struct tp_run_config *config);
void tp_trainer_gpu_stop(struct tp_trainer_gpu *gpu);

/* Around the pipeline's part of an epoch; the devices have finished. */
void tp_trainer_gpu_begin(struct tp_trainer_gpu *gpu);
enum tp_status tp_trainer_gpu_end(struct tp_trainer_gpu *gpu, struct tp_crew *crew);

/* Once the epoch's records are gathered: add the GPU's to the result, or hand its kernels to the sink where records are
 * handed over, and refine times where the trace has all. */
enum tp_status tp_trainer_gpu_add(struct tp_trainer_gpu *gpu, struct tp_trainer_records *records,
                                  struct tp_epoch_result *result);

#endif
