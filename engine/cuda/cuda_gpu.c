#include "engine/cuda/cuda_gpu.h"

#include "engine/base/clock.h"

/* How long closing and freeing wait for a GPU that is still at work. */
#define REST_PATIENCE_NS (5 * TP_NS_PER_S)

static struct tp_cuda_gpu gpus[TP_CUDA_GPUS];
static pthread_once_t gpus_once = PTHREAD_ONCE_INIT;

static void init_gpus(void)
{
	for (int i = 0; i < TP_CUDA_GPUS; i++) {
		(void)pthread_mutex_init(&gpus[i].lock, NULL);
		(void)pthread_mutex_init(&gpus[i].clock.lock, NULL);
	}
}

enum tp_status tp_cuda_gpu_join(struct tp_cuda_device *device)
{
	(void)pthread_once(&gpus_once, init_gpus);
	if (device->gpu >= TP_CUDA_GPUS)
		return tp_fail(TP_ERR_UNSUPPORTED, "device cuda: at most %d GPUs, found number %d", TP_CUDA_GPUS,
		               device->gpu);
	struct tp_cuda_gpu *gpu = &gpus[device->gpu];
	(void)pthread_mutex_lock(&gpu->lock);
	device->shared = gpu;
	device->next_on_gpu = gpu->devices;
	gpu->devices = device;
	(void)pthread_mutex_unlock(&gpu->lock);
	return TP_OK;
}

void tp_cuda_gpu_leave(struct tp_cuda_device *device)
{
	struct tp_cuda_gpu *gpu = device->shared;
	if (!gpu)
		return;
	(void)pthread_mutex_lock(&gpu->lock);
	struct tp_cuda_device **at = &gpu->devices;
	while (*at != device)
		at = &(*at)->next_on_gpu;
	*at = device->next_on_gpu;
	const bool last = gpu->devices == NULL;
	(void)pthread_mutex_unlock(&gpu->lock);
	if (last)
		tp_cuda_clock_release(&gpu->clock);
}

static bool stream_rests(cudaStream_t stream, int64_t deadline_ns)
{
	for (int64_t turn = 0; stream && tp_cuda.cudaStreamQuery(stream) == cudaErrorNotReady; turn++) {
		if (tp_now_ns() >= deadline_ns)
			return false;
		tp_cuda_pause(turn);
	}
	return true;
}

bool tp_cuda_gpu_rests(struct tp_cuda_device *device)
{
	struct tp_cuda_gpu *gpu = device->shared;
	bool rests = true;
	(void)pthread_mutex_lock(&gpu->lock);
	const int64_t deadline = tp_now_ns() + (gpu->gave_up ? 0 : REST_PATIENCE_NS);
	for (const struct tp_cuda_device *each = gpu->devices; each && rests; each = each->next_on_gpu)
		rests = stream_rests(each->compute, deadline) && stream_rests(each->copy_in, deadline) &&
		        stream_rests(each->copy_out, deadline) && stream_rests(each->uploads, deadline);
	gpu->gave_up = !rests;
	(void)pthread_mutex_unlock(&gpu->lock);
	return rests;
}
