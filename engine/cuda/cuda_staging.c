/* Host memory on its way to a GPU: a ring of pinned parts, each with one on the device. */
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cuda/cuda_gpu.h"

enum { PARTS = 8 };
/* The first stage uploads samples, the others labels at most. Where a mini-batch is larger than the ring, the host
 * waits for the GPU to come to the upload, and goes on as parts come free. */
#define FIRST_STAGE_PART_BYTES ((size_t)1 << 20)
#define MOST_PART_BYTES ((size_t)16 << 20)
#define PART_BYTES ((size_t)64 << 10)

struct tp_cuda_staging {
	size_t part_bytes;
	unsigned char *host, *device; /* PARTS of part_bytes each; NULL where opening failed */
	cudaEvent_t copied[PARTS];    /* the part is on the device */
	cudaEvent_t free[PARTS];      /* the kernels that read the part are done */
	int64_t calls;
	struct tpb_loss_sums *host_sums;
};

static size_t part_bytes_for(int32_t stage, size_t upload_bytes)
{
	if (stage > 0)
		return PART_BYTES;
	const size_t even = (upload_bytes + PARTS - 1) / PARTS;
	if (even < FIRST_STAGE_PART_BYTES)
		return FIRST_STAGE_PART_BYTES;
	return even < MOST_PART_BYTES ? even : MOST_PART_BYTES;
}

static enum tp_status make_events(struct tp_cuda_staging *staging)
{
	for (int i = 0; i < PARTS; i++) {
		TP_TRY(TP_CUDA_CHECK(cudaEventCreateWithFlags, &staging->copied[i], cudaEventDisableTiming));
		TP_TRY(TP_CUDA_CHECK(cudaEventCreateWithFlags, &staging->free[i], cudaEventDisableTiming));
	}
	return TP_OK;
}

enum tp_status tp_cuda_staging_open(struct tp_cuda_device *device, size_t upload_bytes)
{
	struct tp_cuda_staging *staging = tp_alloc(sizeof *staging);
	if (!staging)
		return TP_ERR_NOMEM;
	device->staging = staging;
	staging->part_bytes = part_bytes_for(device->base.stage, upload_bytes);
	const size_t bytes = PARTS * staging->part_bytes;
	TP_TRY(TP_CUDA_CHECK(cudaMallocHost, (void **)&staging->host, bytes));
	TP_TRY(TP_CUDA_CHECK(cudaMalloc, (void **)&staging->device, bytes));
	TP_TRY(TP_CUDA_CHECK(cudaMallocHost, (void **)&staging->host_sums, sizeof *staging->host_sums));
	return make_events(staging);
}

void tp_cuda_staging_close(struct tp_cuda_device *device)
{
	struct tp_cuda_staging *staging = device->staging;
	if (!staging)
		return;
	for (int i = 0; i < PARTS; i++) {
		if (staging->copied[i])
			(void)tp_cuda.cudaEventDestroy(staging->copied[i]);
		if (staging->free[i])
			(void)tp_cuda.cudaEventDestroy(staging->free[i]);
	}
	if (staging->host_sums)
		(void)tp_cuda.cudaFreeHost(staging->host_sums);
	if (staging->device)
		(void)tp_cuda.cudaFree(staging->device);
	if (staging->host)
		(void)tp_cuda.cudaFreeHost(staging->host);
	tp_free(staging);
	device->staging = NULL;
}

size_t tp_cuda_stage_bytes(const struct tp_cuda_device *device)
{
	return device->staging->part_bytes;
}

struct tpb_loss_sums *tp_cuda_host_sums(const struct tp_cuda_device *device)
{
	return device->staging->host_sums;
}

/* Blocks only where the host is a whole ring ahead of the GPU. */
static enum tp_status await_part(const struct tp_cuda_device *device, int part)
{
	const struct tp_cuda_staging *staging = device->staging;
	const int64_t deadline = tp_now_ns() + device->patience_ns;
	for (int64_t turn = 0;; turn++) {
		const cudaError_t error = tp_cuda.cudaEventQuery(staging->free[part]);
		if (error != cudaErrorNotReady)
			return tp_cuda_status(error, "cudaEventQuery", __FILE__, __LINE__);
		if (tp_now_ns() >= deadline)
			return tp_fail(TP_ERR_TIMEOUT, "device cuda: the GPU takes no more uploads");
		tp_cuda_pause(turn);
	}
}

enum tp_status tp_cuda_stage(struct tp_cuda_device *device, const void *from, size_t bytes, void **on_device)
{
	struct tp_cuda_staging *staging = device->staging;
	if (bytes > staging->part_bytes)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "device cuda: stage %d uploads at most %zu bytes in one piece, found %zu",
		               (int)device->base.stage, staging->part_bytes, bytes);
	const int part = (int)(staging->calls % PARTS);
	TP_TRY(await_part(device, part));
	staging->calls++;
	unsigned char *host = staging->host + (size_t)part * staging->part_bytes;
	*on_device = staging->device + (size_t)part * staging->part_bytes;
	memcpy(host, from, bytes);
	TP_TRY(TP_CUDA_CHECK(cudaMemcpyAsync, *on_device, host, bytes, cudaMemcpyHostToDevice, device->uploads));
	TP_TRY(TP_CUDA_CHECK(cudaEventRecord, staging->copied[part], device->uploads));
	return TP_CUDA_CHECK(cudaStreamWaitEvent, device->compute, staging->copied[part], 0);
}

enum tp_status tp_cuda_unstage(struct tp_cuda_device *device)
{
	struct tp_cuda_staging *staging = device->staging;
	return TP_CUDA_CHECK(cudaEventRecord, staging->free[(staging->calls - 1) % PARTS], device->compute);
}
