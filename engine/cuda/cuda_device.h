/* One stage's GPU: streams, library handles, and what its kernels share. Internal to the plugin. */
#ifndef TP_ENGINE_CUDA_DEVICE_H
#define TP_ENGINE_CUDA_DEVICE_H

#include "engine/backend/device.h"
#include "engine/cuda/cuda_api.h"
#include "engine/cuda/cuda_kernels.h"

/* Layout of values: the samples of a batch one behind another, each as [h][w][c]. TP_LAYOUT_PLAIN where that is the
 * same, as for feature vectors. */
#define TP_LAYOUT_NHWC 1

struct tp_cuda_gpu;

struct tp_cuda_device {
	struct tp_device base;
	struct tp_cuda_gpu *shared; /* what all devices on one GPU share, see cuda_gpu.h */
	struct tp_cuda_device *next_on_gpu;
	int64_t clock_epoch; /* the last that this device took part in, see cuda_clock.c */
	int gpu;             /* as cudaSetDevice() counts */
	/* Work, messages, and what comes from the host; none waits for the default stream. */
	cudaStream_t compute, copy_in, copy_out, uploads;
	cudnnHandle_t dnn; /* on the compute stream */
	cublasLtHandle_t blas;
	enum tp_math math;
	enum tpb_type type; /* of values */
	bool deterministic;
	int64_t workspace_limit_bytes;
	int64_t patience_ns;   /* of waits that have no deadline of their own */
	cudaLibrary_t library; /* our kernels */
	cudaKernel_t kernels[TPB_KERNELS];
	enum tp_status failure; /* the first of what was issued; its detail: */
	char failure_detail[TP_DETAIL_BYTES];
	/* Host memory on its way to the device, see tp_cuda_stage(); sums of the loss on the device; ... */
	struct tp_cuda_staging *staging;
	struct tpb_loss_sums *loss_sums;
	int64_t operation; /* under way, -1: none */
};

static inline struct tp_cuda_device *tp_cuda_of(struct tp_device *device)
{
	return (struct tp_cuda_device *)device;
}

/* On the thread that calls: what follows is for this device's GPU. Cheap when it was before. */
enum tp_status tp_cuda_enter(const struct tp_cuda_device *device);

/* Keep the first failure of what was issued: for hooks that return nothing. Passes `status` on. */
enum tp_status tp_cuda_keep(struct tp_cuda_device *device, enum tp_status status);

/* Issue one of our kernels on the compute stream, with threads for `items` (for the forward of the loss: one
 * block). `args` is the structure of TPB_KERNEL_LIST; it is copied. */
enum tp_status tp_cuda_launch(struct tp_cuda_device *device, enum tpb_kernel kernel, const void *args, int64_t items);

/* `bytes` of host memory, copied before the call returns, into memory of the device that the next issued kernel may
 * read; once that is issued, give it back. It is a part of a ring, used again when that kernel is done. The copy waits
 * for nothing that was issued before, so it goes on beside the kernels. */
enum tp_status tp_cuda_stage(struct tp_cuda_device *device, const void *from, size_t bytes, void **on_device);
enum tp_status tp_cuda_unstage(struct tp_cuda_device *device);

/* The device's failure so far, with its detail: of what was issued, or TP_OK. */
enum tp_status tp_cuda_failure(const struct tp_cuda_device *device);

/* Blocks until all that was issued on the stream is done; TP_ERR_TIMEOUT when that takes longer. Polls, since CUDA's
 * own waits have no end when a GPU hangs. */
enum tp_status tp_cuda_await(struct tp_cuda_device *device, cudaStream_t stream, int64_t timeout_ns);
#define TP_CUDA_PATIENCE_NS (INT64_C(60) * 1000000000) /* where the engine says nothing */

/* Let others run between two questions; `turn` counts them. */
void tp_cuda_pause(int64_t turn);

/* One constructor per kind of layer. */
enum tp_status tp_cuda_kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel);

/* Blocking copies for import and export, before and after the window. */
enum tp_status tp_cuda_to_device(struct tp_cuda_device *device, const void *from, void *to, size_t bytes);
enum tp_status tp_cuda_to_host(struct tp_cuda_device *device, const void *from, void *to, size_t bytes);

#endif
