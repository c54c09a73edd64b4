/* What the devices on one GPU share: a list of each other, and a clock. Internal to the plugin.
 *
 * Lock: `lock` guards the list and `gave_up`, `clock.lock` the clock. Neither is taken while the other is held, and no
 * work that runs on the GPU needs them. */
#ifndef TP_ENGINE_CUDA_GPU_H
#define TP_ENGINE_CUDA_GPU_H

#include <pthread.h>

#include "engine/cuda/cuda_device.h"

#define TP_CUDA_GPUS 64

/* Events tell milliseconds as float, too coarse over an hour: so the clock has anchors all along, each measured from
 * the one before it. */
#define TP_CUDA_ANCHORS 128
struct tp_cuda_clock {
	pthread_mutex_t lock;
	int64_t epoch; /* starts so far */
	int64_t monotonic_ns, error_ns;
	cudaEvent_t anchors[TP_CUDA_ANCHORS]; /* number n in place n % TP_CUDA_ANCHORS; NULL before the first start */
	int64_t anchor_ns[TP_CUDA_ANCHORS];   /* since the start */
	int64_t recorded, measured;           /* anchors of this epoch */
	int64_t recorded_at_ns;               /* when the last was issued, on the machine's clock */
};

struct tp_cuda_gpu {
	pthread_mutex_t lock;
	struct tp_cuda_device *devices;
	bool gave_up; /* it did not come to rest once: nobody waits for it again */
	struct tp_cuda_clock clock;
};

/* Join and leave the GPU's list; the last one to leave takes the clock's events along, unless it hangs. */
enum tp_status tp_cuda_gpu_join(struct tp_cuda_device *device);
void tp_cuda_gpu_leave(struct tp_cuda_device *device);

/* Does the whole GPU rest? Waits a while, the first time. Freeing memory waits for all streams of the GPU, without end
 * when one hangs: then it is better kept. A GPU that has failed rests. */
bool tp_cuda_gpu_rests(struct tp_cuda_device *device);

/* The clock, see tp_async_ops. */
enum tp_status tp_cuda_clock_start(struct tp_cuda_device *device, int64_t *error_ns);
enum tp_status tp_cuda_clock_read(struct tp_cuda_device *device, cudaEvent_t event, int64_t *monotonic_ns);
/* An anchor now and then: called with everything that is recorded on the compute stream, and the machine's clock. */
enum tp_status tp_cuda_clock_tick(struct tp_cuda_device *device, int64_t now_ns);
void tp_cuda_clock_release(struct tp_cuda_clock *clock);

/* Host memory on its way: made at open, gone at close. `upload_bytes` are those of tp_device_options: the first
 * stage can have about that much on its way while the GPU is at work on what came before. */
enum tp_status tp_cuda_staging_open(struct tp_cuda_device *device, size_t upload_bytes);
void tp_cuda_staging_close(struct tp_cuda_device *device);
/* The most that one tp_cuda_stage() takes. */
size_t tp_cuda_stage_bytes(const struct tp_cuda_device *device);
/* Pinned memory of the host for the loss. */
struct tpb_loss_sums *tp_cuda_host_sums(const struct tp_cuda_device *device);

#endif
