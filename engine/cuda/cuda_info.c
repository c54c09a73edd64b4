#include "engine/cuda/cuda_info.h"

#include <stdio.h>
#include <string.h>

#include "engine/cuda/cuda_api.h"

/* 0 where the driver does not tell. */
static int64_t attribute(enum cudaDeviceAttr which, int gpu)
{
	int value = 0;
	return tp_cuda.cudaDeviceGetAttribute(&value, which, gpu) == cudaSuccess ? value : 0;
}

/* As nvidia-smi writes it. */
static void format_uuid(const cudaUUID_t *uuid, char *text, size_t size)
{
	int used = snprintf(text, size, "GPU");
	for (int i = 0; i < 16; i++) {
		bool group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
		used += snprintf(text + used, size - (size_t)used, "%s%02x", group ? "-" : "",
		                 (unsigned char)uuid->bytes[i]);
	}
}

static bool describe(int gpu, struct tp_gpu_info *info)
{
	struct cudaDeviceProp properties;
	if (tp_cuda.cudaGetDeviceProperties(&properties, gpu) != cudaSuccess)
		return false;
	/* Clocks come in kHz, and memory moves on both edges of its own. */
	const int64_t memory_hz = attribute(cudaDevAttrMemoryClockRate, gpu) * 1000,
	              bus_bytes = attribute(cudaDevAttrGlobalMemoryBusWidth, gpu) / 8;
	*info = (struct tp_gpu_info){
	        .number = gpu,
	        .memory_bytes = (int64_t)properties.totalGlobalMem,
	        .l2_cache_bytes = attribute(cudaDevAttrL2CacheSize, gpu),
	        .memory_bandwidth_bytes_per_s = 2 * memory_hz * bus_bytes,
	        .clock_rate_hz = attribute(cudaDevAttrClockRate, gpu) * 1000,
	        .multiprocessors = properties.multiProcessorCount,
	        .compute_major = properties.major,
	        .compute_minor = properties.minor,
	};
	(void)snprintf(info->name, sizeof info->name, "%.127s", properties.name);
	if (tp_cuda.cudaDeviceGetPCIBusId(info->bus, sizeof info->bus, gpu) != cudaSuccess)
		info->bus[0] = '\0';
	format_uuid(&properties.uuid, info->uuid, sizeof info->uuid);
	return true;
}

int32_t tp_cuda_gpus(struct tp_gpu_info *infos, int32_t most)
{
	struct tp_text ignored = {0};
	const bool loaded = tp_cuda_load(&ignored);
	int count = 0, described = 0;
	tp_text_release(&ignored);
	if (!loaded || tp_cuda.cudaGetDeviceCount(&count) != cudaSuccess)
		return 0;
	while (described < count && described < most && describe(described, &infos[described]))
		described++;
	return described;
}
