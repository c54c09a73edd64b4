/* A GPU described, by a driver made of a few functions here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/cuda/cuda_api.h"
#include "engine/cuda/cuda_info.h"

struct tp_cuda_api tp_cuda;
static bool loads;
static int gpus, broken = -1;

bool tp_cuda_load(struct tp_text *why_not)
{
	(void)why_not;
	return loads;
}

static cudaError_t count(int *number)
{
	*number = gpus;
	return gpus ? cudaSuccess : cudaErrorNoDevice;
}

static cudaError_t properties(struct cudaDeviceProp *of, int gpu)
{
	*of = (struct cudaDeviceProp){.totalGlobalMem = 1000, .multiProcessorCount = 132, .major = 9};
	(void)snprintf(of->name, sizeof of->name, "a GPU %d", gpu);
	for (int i = 0; i < 16; i++)
		of->uuid.bytes[i] = (char)(0xf0 + i);
	return gpu == broken ? cudaErrorUnknown : cudaSuccess;
}

static cudaError_t attribute(int *value, enum cudaDeviceAttr which, int gpu)
{
	(void)gpu;
	switch (which) {
	case cudaDevAttrMemoryClockRate:
		*value = 2619000;
		return cudaSuccess;
	case cudaDevAttrGlobalMemoryBusWidth:
		*value = 5120;
		return cudaSuccess;
	case cudaDevAttrClockRate:
		*value = 1980000;
		return cudaSuccess;
	default:
		return cudaErrorInvalidValue;
	}
}

static cudaError_t bus(char *text, int size, int gpu)
{
	(void)snprintf(text, (size_t)size, "0000:%02d:00.0", gpu);
	return cudaSuccess;
}

static int reset(void **state)
{
	(void)state;
	loads = true;
	gpus = 2;
	broken = -1;
	tp_cuda.cudaGetDeviceCount = count;
	tp_cuda.cudaDeviceGetAttribute = attribute;
	tp_cuda.cudaDeviceGetPCIBusId = bus;
	tp_cuda.cudaGetDeviceProperties = properties;
	return 0;
}

static void gpus_are_described(void **state)
{
	(void)state;
	struct tp_gpu_info infos[4];
	assert_int_equal(tp_cuda_gpus(infos, 4), 2);
	assert_int_equal(infos[1].number, 1);
	assert_string_equal(infos[1].name, "a GPU 1");
	assert_string_equal(infos[1].bus, "0000:01:00.0");
	assert_string_equal(infos[1].uuid, "GPU-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff");
	assert_int_equal(infos[0].memory_bytes, 1000);
	assert_int_equal(infos[0].l2_cache_bytes, 0);
	assert_int_equal(infos[0].memory_bandwidth_bytes_per_s, INT64_C(3352320000000));
	assert_int_equal(infos[0].clock_rate_hz, 1980000000);
	assert_int_equal(infos[0].multiprocessors, 132);
	assert_int_equal(infos[0].compute_major, 9);
}

static void no_more_than_there_is_place_for(void **state)
{
	(void)state;
	struct tp_gpu_info info;
	assert_int_equal(tp_cuda_gpus(&info, 1), 1);
	broken = 0;
	assert_int_equal(tp_cuda_gpus(&info, 1), 0);
	broken = -1;
	gpus = 0;
	assert_int_equal(tp_cuda_gpus(&info, 1), 0);
	gpus = 1;
	loads = false;
	assert_int_equal(tp_cuda_gpus(&info, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(gpus_are_described, reset),
	        cmocka_unit_test_setup(no_more_than_there_is_place_for, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
