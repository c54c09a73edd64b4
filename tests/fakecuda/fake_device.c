/* GPUs, as they describe themselves, and the names of errors. */
#include "tests/fakecuda/fake_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_profiler_api.h>

int *fake_device(void)
{
	static _Thread_local int device;
	return &device;
}

static bool is_device(int device)
{
	return device >= 0 && device < fake.devices;
}

FAKE_EXPORT cudaError_t cudaGetDeviceCount(int *count)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && fake.devices == 0)
		error = cudaErrorNoDevice;
	if (!error)
		*count = fake.devices;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaSetDevice(int device)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !is_device(device))
		error = cudaErrorInvalidDevice;
	if (!error)
		*fake_device() = device;
	return fake_leave(&call, error);
}

/* FAKECUDA_CAPABILITY=7: an older GPU than the H100 that it is else. */
static int capability(void)
{
	const char *text = getenv("FAKECUDA_CAPABILITY");
	return text && *text ? atoi(text) : 9;
}

/* An H100's shape, so that nothing divides by zero; the name says what it is. */
FAKE_EXPORT cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !is_device(device))
		error = cudaErrorInvalidDevice;
	if (error)
		return fake_leave(&call, error);
	*properties = (struct cudaDeviceProp){.totalGlobalMem = fake.memory_bytes,
	                                      .major = capability(),
	                                      .multiProcessorCount = 132,
	                                      .l2CacheSize = 50 << 20,
	                                      .memoryBusWidth = 5120,
	                                      .warpSize = 32,
	                                      .maxThreadsPerBlock = 1024,
	                                      .maxThreadsPerMultiProcessor = 2048,
	                                      .sharedMemPerBlock = 48 << 10,
	                                      .sharedMemPerMultiprocessor = 228 << 10,
	                                      .regsPerBlock = 65536,
	                                      .concurrentKernels = 1,
	                                      .asyncEngineCount = 3,
	                                      .unifiedAddressing = 1,
	                                      .pciBusID = device + 1};
	(void)snprintf(properties->name, sizeof properties->name, "%s", FAKECUDA_LABEL);
	(void)memset(&properties->uuid, device + 1, sizeof properties->uuid);
	return fake_leave(&call, cudaSuccess);
}

static cudaError_t attribute(int *value, enum cudaDeviceAttr which, int device)
{
	switch (which) {
	case cudaDevAttrComputeCapabilityMajor:
		*value = capability();
		break;
	case cudaDevAttrComputeCapabilityMinor:
		*value = 0;
		break;
	case cudaDevAttrMultiProcessorCount:
		*value = 132;
		break;
	case cudaDevAttrClockRate:
	case cudaDevAttrMemoryClockRate:
		*value = 1000000; /* kHz */
		break;
	case cudaDevAttrGlobalMemoryBusWidth:
		*value = 5120;
		break;
	case cudaDevAttrL2CacheSize:
		*value = 50 << 20;
		break;
	case cudaDevAttrMaxThreadsPerBlock:
		*value = 1024;
		break;
	case cudaDevAttrMaxThreadsPerMultiProcessor:
		*value = 2048;
		break;
	case cudaDevAttrPciBusId:
		*value = device + 1;
		break;
	default:
		*value = 0;
	}
	return cudaSuccess;
}

FAKE_EXPORT cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error)
		error = is_device(device) ? attribute(value, which, device) : cudaErrorInvalidDevice;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaDeviceGetPCIBusId(char *text, int bytes, int device)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !is_device(device))
		error = cudaErrorInvalidDevice;
	if (!error && bytes < 13)
		error = cudaErrorInvalidValue;
	if (!error)
		(void)snprintf(text, (size_t)bytes, "0000:%02X:00.0", (unsigned)device + 1);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && (!is_device(device) || !is_device(peer)))
		error = cudaErrorInvalidDevice;
	const char *none = getenv("FAKECUDA_NO_PEERS");
	if (!error)
		*can = device != peer && !(none && *none);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int flags)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	int device = *fake_device();
	if (!error && (!is_device(peer) || peer == device))
		error = cudaErrorInvalidDevice;
	if (!error && flags != 0)
		error = cudaErrorInvalidValue;
	if (!error && fake.peers[device][peer])
		error = cudaErrorPeerAccessAlreadyEnabled;
	if (!error)
		fake.peers[device][peer] = true;
	return fake_leave(&call, error);
}

/* FAKECUDA_DRIVER=0: as where there is no driver. */
FAKE_EXPORT cudaError_t cudaDriverGetVersion(int *version)
{
	struct fake_call call;
	int error = fake_injected(__func__);
	const char *text = getenv("FAKECUDA_DRIVER");
	(void)fake_enter_plain(&call, __func__);
	*version = text && *text ? atoi(text) : CUDART_VERSION;
	return fake_leave(&call, (cudaError_t)error);
}

FAKE_EXPORT cudaError_t cudaRuntimeGetVersion(int *version)
{
	struct fake_call call;
	int error = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	*version = CUDART_VERSION;
	return fake_leave(&call, (cudaError_t)error);
}

FAKE_EXPORT cudaError_t cudaProfilerStart(void)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaProfilerStop(void)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	return fake_leave(&call, error);
}

/* Those that fakecuda gives, or that tests inject. */
#define ERROR_LIST(X)                                                                                  \
	X(cudaSuccess, "no error")                                                                     \
	X(cudaErrorInvalidValue, "invalid argument")                                                   \
	X(cudaErrorMemoryAllocation, "out of memory")                                                  \
	X(cudaErrorInitializationError, "initialization error")                                        \
	X(cudaErrorInvalidConfiguration, "invalid configuration argument")                             \
	X(cudaErrorStubLibrary, "CUDA driver is a stub library")                                       \
	X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version") \
	X(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable")            \
	X(cudaErrorInvalidDeviceFunction, "invalid device function")                                   \
	X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                     \
	X(cudaErrorInvalidDevice, "invalid device ordinal")                                            \
	X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device") \
	X(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered")                            \
	X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                   \
	X(cudaErrorSymbolNotFound, "named symbol not found")                                           \
	X(cudaErrorNotReady, "device not ready")                                                       \
	X(cudaErrorIllegalAddress, "an illegal memory access was encountered")                         \
	X(cudaErrorLaunchTimeout, "the launch timed out and was terminated")                           \
	X(cudaErrorPeerAccessAlreadyEnabled, "peer access is already enabled")                         \
	X(cudaErrorLaunchFailure, "unspecified launch failure")

FAKE_EXPORT const char *cudaGetErrorName(cudaError_t error)
{
	switch ((int)error) {
#define ERROR_NAME(number, text) \
	case number:             \
		return #number;
		ERROR_LIST(ERROR_NAME)
#undef ERROR_NAME
	default:
		return "unrecognized error code";
	}
}

FAKE_EXPORT const char *cudaGetErrorString(cudaError_t error)
{
	switch ((int)error) {
#define ERROR_TEXT(number, text) \
	case number:             \
		return text;
		ERROR_LIST(ERROR_TEXT)
#undef ERROR_TEXT
	default:
		return "unrecognized error code";
	}
}
