/* One stage's GPU: opening, closing, and how kernels of ours are issued. */
#include "engine/cuda/cuda_device.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cuda_fatbin.h"
#include "engine/cuda/cuda_gpu.h"

/* The GPU that this thread's calls are for; -1: not said yet. */
static _Thread_local int thread_gpu = -1;

enum tp_status tp_cuda_enter(const struct tp_cuda_device *device)
{
	if (thread_gpu == device->gpu)
		return TP_OK;
	TP_TRY(TP_CUDA_CHECK(cudaSetDevice, device->gpu));
	thread_gpu = device->gpu;
	return TP_OK;
}

enum tp_status tp_cuda_keep(struct tp_cuda_device *device, enum tp_status status)
{
	if (status != TP_OK && device->failure == TP_OK) {
		device->failure = status;
		memcpy(device->failure_detail, tp_detail(), sizeof device->failure_detail);
	}
	return status;
}

enum tp_status tp_cuda_failure(const struct tp_cuda_device *device)
{
	if (device->failure == TP_OK)
		return TP_OK;
	return tp_fail(device->failure, "%s", device->failure_detail);
}

void tp_cuda_pause(int64_t turn)
{
	/* Short waits are met at once; in long ones the core is somebody else's. */
	enum { BUSY_TURNS = 100, POLITE_TURNS = 1000 };
	if (turn < BUSY_TURNS)
		return;
	if (turn < POLITE_TURNS)
		(void)sched_yield();
	else
		(void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

enum tp_status tp_cuda_await(struct tp_cuda_device *device, cudaStream_t stream, int64_t timeout_ns)
{
	TP_TRY(tp_cuda_enter(device));
	const int64_t deadline = tp_now_ns() + timeout_ns;
	for (int64_t turn = 0;; turn++) {
		const cudaError_t error = tp_cuda.cudaStreamQuery(stream);
		if (error != cudaErrorNotReady)
			return tp_cuda_keep(device, tp_cuda_status(error, "cudaStreamQuery", __FILE__, __LINE__));
		if (tp_now_ns() >= deadline) {
			char text[32];
			return tp_fail(TP_ERR_TIMEOUT, "device cuda: stage %d on GPU %d did not finish within %s",
			               (int)device->base.stage, device->gpu,
			               tp_format_ns(text, sizeof text, timeout_ns));
		}
		tp_cuda_pause(turn);
	}
}

enum tp_status tp_cuda_launch(struct tp_cuda_device *device, enum tpb_kernel kernel, const void *args, int64_t items)
{
	enum { THREADS = 256, MOST_BLOCKS = 4096 };
	if (items <= 0)
		return TP_OK;
	/* The sum of the losses has one order: of one block. */
	const int64_t blocks = kernel == TPB_LOSS_FORWARD ? 1 : (items + THREADS - 1) / THREADS;
	const dim3 grid = {(unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), 1, 1}, block = {THREADS, 1, 1};
	void *parameters[1];
	memcpy(parameters, &args, sizeof args); /* CUDA only reads it, but does not say const */
	TP_TRY(tp_cuda_enter(device));
	return TP_CUDA_CHECK(cudaLaunchKernel, (const void *)device->kernels[kernel], grid, block, parameters, 0,
	                     device->compute);
}

/* --- opening and closing ------------------------------------------------------------------------------------------ */

static enum tp_status choose_gpu(const struct tp_device_options *options, int32_t stage, int *gpu)
{
	int count = 0;
	TP_TRY(TP_CUDA_CHECK(cudaGetDeviceCount, &count));
	if (options->gpus > count)
		return tp_fail(TP_ERR_INPUT, "--gpus %d: this machine has %d", (int)options->gpus, count);
	const int32_t stages = options->stages > 0 ? options->stages : 1;
	const int32_t all = count < stages ? count : stages;
	*gpu = (int)((int64_t)stage * (options->gpus > 0 ? options->gpus : all) / stages);
	if (*gpu < count)
		return TP_OK;
	return tp_fail(TP_ERR_UNSUPPORTED, "device cuda: stage %d would be on GPU %d of %d", (int)stage, *gpu, count);
}

/* GPUs before Ampere have no such units: cuDNN refuses bfloat16 at the first layer, and what is called TF32 would be
 * computed in float32. */
static enum tp_status check_math(const struct tp_cuda_device *device)
{
	enum { AMPERE = 8 };
	int major = 0;
	if (device->math == TP_MATH_FP32)
		return TP_OK;
	TP_TRY(TP_CUDA_CHECK(cudaDeviceGetAttribute, &major, cudaDevAttrComputeCapabilityMajor, device->gpu));
	if (major >= AMPERE)
		return TP_OK;
	return tp_fail(TP_ERR_UNSUPPORTED,
	               "--math %s needs a GPU of compute capability %d.0 at least, this one has %d: expected --math "
	               "fp32",
	               tp_math_names[device->math], (int)AMPERE, major);
}

static enum tp_status make_streams(struct tp_cuda_device *device)
{
	cudaStream_t *const streams[] = {&device->compute, &device->copy_in, &device->copy_out, &device->uploads};
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
		TP_TRY(TP_CUDA_CHECK(cudaStreamCreateWithFlags, streams[i], cudaStreamNonBlocking));
	return TP_OK;
}

/* CUDA loads a kernel when it is first asked for, and may wait for the whole GPU to do so: that is to be before the
 * window, and not while a stream waits for a neighbour. */
static enum tp_status load_kernel(struct tp_cuda_device *device, int number, const char *name)
{
	struct cudaFuncAttributes attributes;
	TP_TRY(TP_CUDA_CHECK(cudaLibraryGetKernel, &device->kernels[number], device->library, name));
	return TP_CUDA_CHECK(cudaFuncGetAttributes, &attributes, (const void *)device->kernels[number]);
}

static enum tp_status load_kernels(struct tp_cuda_device *device)
{
	static const char *const names[TPB_KERNELS] = {
#define KERNEL_NAME(number, name, args) [number] = #name,
	        TPB_KERNEL_LIST(KERNEL_NAME)
#undef KERNEL_NAME
	};
	TP_TRY(TP_CUDA_CHECK(cudaLibraryLoadData, &device->library, tpb_kernels_fatbin, NULL, NULL, 0, NULL, NULL, 0));
	for (int i = 0; i < TPB_KERNELS; i++)
		if (load_kernel(device, i, names[i]) != TP_OK)
			return tp_fail_in(TP_ERR_DEVICE, "device cuda: kernel %s", names[i]);
	return TP_OK;
}

static enum tp_status make_handles(struct tp_cuda_device *device)
{
	TP_TRY(TP_CUDNN_CHECK(cudnnCreate, &device->dnn));
	TP_TRY(TP_CUDNN_CHECK(cudnnSetStream, device->dnn, device->compute));
	return TP_CUBLAS_CHECK(cublasLtCreate, &device->blas);
}

static enum tp_status make_sums(struct tp_cuda_device *device)
{
	TP_TRY(TP_CUDA_CHECK(cudaMalloc, (void **)&device->loss_sums, sizeof *device->loss_sums));
	TP_TRY(TP_CUDA_CHECK(cudaMemsetAsync, device->loss_sums, 0, sizeof *device->loss_sums, device->compute));
	return tp_cuda_await(device, device->compute, device->patience_ns);
}

static enum tp_status make_all(struct tp_cuda_device *device, size_t upload_bytes)
{
	TP_TRY(check_math(device));
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(make_streams(device));
	TP_TRY(load_kernels(device));
	TP_TRY(make_handles(device));
	TP_TRY(tp_cuda_staging_open(device, upload_bytes));
	return make_sums(device);
}

/* Frees what there is, unless the GPU hangs: then it stays as it is, since freeing would hang as well. A GPU that was
 * lost cannot be entered, but what the libraries and we have on the host for it is freed. */
static void close_device(struct tp_device *base)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	if (!tp_cuda_gpu_rests(device))
		return;
	tp_cuda_gpu_leave(device);
	(void)tp_cuda_enter(device);
	tp_cuda_staging_close(device);
	if (device->loss_sums)
		(void)tp_cuda.cudaFree(device->loss_sums);
	if (device->blas)
		(void)tp_cuda.cublasLtDestroy(device->blas);
	if (device->dnn)
		(void)tp_cuda.cudnnDestroy(device->dnn);
	if (device->library)
		(void)tp_cuda.cudaLibraryUnload(device->library);
	cudaStream_t const streams[] = {device->compute, device->copy_in, device->copy_out, device->uploads};
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
		if (streams[i])
			(void)tp_cuda.cudaStreamDestroy(streams[i]);
	tp_free(device);
}

static enum tp_status open_as(const struct tp_device_ops *ops, enum tpb_type type,
                              const struct tp_device_options *options, int32_t stage, struct tp_device **opened)
{
	int gpu = 0;
	TP_TRY(choose_gpu(options, stage, &gpu));
	struct tp_cuda_device *device = tp_alloc(sizeof *device);
	if (!device)
		return TP_ERR_NOMEM;
	device->base = (struct tp_device){.ops = ops, .stage = stage, .kernel_names = options->kernel_names};
	device->gpu = gpu;
	device->math = options->math;
	device->type = type;
	device->deterministic = options->deterministic;
	device->workspace_limit_bytes = options->workspace_limit_bytes;
	device->patience_ns = options->timeout_ns > 0 ? options->timeout_ns : TP_CUDA_PATIENCE_NS;
	device->operation = -1;
	enum tp_status status = tp_cuda_gpu_join(device);
	if (status != TP_OK) {
		tp_free(device);
		return status;
	}
	status = make_all(device, options->upload_bytes);
	if (status != TP_OK) {
		close_device(&device->base);
		return tp_fail_in(status, "device cuda: stage %d on GPU %d", (int)stage, gpu);
	}
	*opened = &device->base;
	return TP_OK;
}

static enum tp_status open_f32(const struct tp_device_options *options, int32_t stage, struct tp_device **device)
{
	return open_as(&tp_cuda_device_f32, TPB_F32, options, stage, device);
}

static enum tp_status open_bf16(const struct tp_device_options *options, int32_t stage, struct tp_device **device)
{
	return open_as(&tp_cuda_device_bf16, TPB_BF16, options, stage, device);
}

const struct tp_device_ops tp_cuda_device_f32 = {
        .name = "cuda",
        .summary = "NVIDIA GPUs: cuDNN and cuBLASLt, float32",
        .element_bytes = 4,
        .input_layout = TP_LAYOUT_NHWC,
        .maths = 1U << TP_MATH_FP32 | 1U << TP_MATH_TF32,
        .memory = &tp_cuda_memory,
        .async = &tp_cuda_async,
        .probe = tp_cuda_probe,
        .stand_in = tp_cuda_stand_in,
        .open = open_f32,
        .close = close_device,
        .kernel_new = tp_cuda_kernel_new,
        .upload = tp_cuda_upload,
        .sgd = tp_cuda_sgd,
        .loss_forward = tp_cuda_loss_forward,
        .loss_backward = tp_cuda_loss_backward,
        .blend = tp_cuda_blend,
        .copy = tp_cuda_copy,
};

const struct tp_device_ops tp_cuda_device_bf16 = {
        .name = "cuda",
        .summary = "NVIDIA GPUs: cuDNN and cuBLASLt, values in bfloat16",
        .element_bytes = 2,
        .input_layout = TP_LAYOUT_NHWC,
        .maths = 1U << TP_MATH_BF16,
        .memory = &tp_cuda_memory,
        .async = &tp_cuda_async,
        .probe = tp_cuda_probe,
        .stand_in = tp_cuda_stand_in,
        .open = open_bf16,
        .close = close_device,
        .kernel_new = tp_cuda_kernel_new,
        .upload = tp_cuda_upload,
        .sgd = tp_cuda_sgd,
        .loss_forward = tp_cuda_loss_forward,
        .loss_backward = tp_cuda_loss_backward,
        .blend = tp_cuda_blend,
        .blend_values = tp_cuda_blend_values,
        .copy = tp_cuda_copy,
};
