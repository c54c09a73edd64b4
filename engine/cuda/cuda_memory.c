/* Memory of a GPU, and blocking copies to and from it: before and after the window only. */
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cuda_gpu.h"

static enum tp_status no_memory(const struct tp_cuda_device *device, size_t bytes)
{
	size_t free_bytes = 0, total_bytes = 0;
	char asked[32], left[32], all[32];
	(void)tp_cuda.cudaGetLastError(); /* nobody else is to find it */
	(void)tp_cuda.cudaMemGetInfo(&free_bytes, &total_bytes);
	return tp_fail(TP_ERR_NOMEM, "GPU %d has no %s more for stage %d: %s of %s are free", device->gpu,
	               tp_format_bytes(asked, sizeof asked, (int64_t)bytes), (int)device->base.stage,
	               tp_format_bytes(left, sizeof left, (int64_t)free_bytes),
	               tp_format_bytes(all, sizeof all, (int64_t)total_bytes));
}

static enum tp_status reserve(struct tp_device *base, size_t bytes, void **memory)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	*memory = NULL;
	TP_TRY(tp_cuda_enter(device));
	const cudaError_t error = tp_cuda.cudaMalloc(memory, bytes > 0 ? bytes : 1);
	if (error == cudaErrorMemoryAllocation)
		return no_memory(device, bytes);
	TP_TRY(tp_cuda_status(error, "cudaMalloc", __FILE__, __LINE__));
	enum tp_status status = TP_CUDA_CHECK(cudaMemsetAsync, *memory, 0, bytes > 0 ? bytes : 1, device->compute);
	if (status == TP_OK)
		status = tp_cuda_await(device, device->compute, device->patience_ns);
	if (status != TP_OK) {
		base->ops->memory->release(base, *memory);
		*memory = NULL;
	}
	return status;
}

static void release(struct tp_device *base, void *memory)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	if (memory && tp_cuda_gpu_rests(device) && tp_cuda_enter(device) == TP_OK)
		(void)tp_cuda.cudaFree(memory);
}

const struct tp_memory_ops tp_cuda_memory = {.reserve = reserve, .release = release};

static enum tp_status copy_now(struct tp_cuda_device *device, const void *from, void *to, size_t bytes,
                               enum cudaMemcpyKind kind)
{
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(TP_CUDA_CHECK(cudaMemcpyAsync, to, from, bytes, kind, device->compute));
	return tp_cuda_await(device, device->compute, device->patience_ns);
}

enum tp_status tp_cuda_to_device(struct tp_cuda_device *device, const void *from, void *to, size_t bytes)
{
	return copy_now(device, from, to, bytes, cudaMemcpyHostToDevice);
}

enum tp_status tp_cuda_to_host(struct tp_cuda_device *device, const void *from, void *to, size_t bytes)
{
	return copy_now(device, from, to, bytes, cudaMemcpyDeviceToHost);
}
