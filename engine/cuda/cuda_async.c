/* Marks in a stage's work, its clock, and waiting for its end. */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cuda_gpu.h"
#include "engine/cuda/cuda_info.h"
#include "engine/cuda/cupti_tracer.h"

static enum tp_status mark_new(struct tp_device *base, struct tp_mark **mark)
{
	TP_TRY(tp_cuda_enter(tp_cuda_of(base)));
	*mark = tp_alloc(sizeof **mark);
	if (!*mark)
		return TP_ERR_NOMEM;
	(*mark)->device = tp_cuda_of(base);
	const enum tp_status status =
	        TP_CUDA_CHECK(cudaEventCreateWithFlags, &(*mark)->event, cudaEventDefault); /* with times */
	if (status != TP_OK) {
		tp_free(*mark);
		*mark = NULL;
	}
	return status;
}

static void mark_free(struct tp_device *base, struct tp_mark *mark)
{
	if (!mark)
		return;
	if (tp_cuda_enter(tp_cuda_of(base)) == TP_OK)
		(void)tp_cuda.cudaEventDestroy(mark->event);
	tp_free(mark);
}

static enum tp_status record(struct tp_device *base, struct tp_mark *mark)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	TP_TRY(tp_cuda_failure(device));
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(tp_cuda_keep(device, tp_cuda_clock_tick(device, tp_now_ns())));
	return tp_cuda_keep(device, TP_CUDA_CHECK(cudaEventRecord, mark->event, device->compute));
}

static enum tp_status wait(struct tp_device *base, struct tp_mark *mark)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	TP_TRY(tp_cuda_failure(device));
	TP_TRY(tp_cuda_enter(device));
	return tp_cuda_keep(device, TP_CUDA_CHECK(cudaStreamWaitEvent, device->compute, mark->event, 0));
}

static enum tp_status reached(struct tp_device *base, struct tp_mark *mark, bool *is_reached)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	*is_reached = false;
	TP_TRY(tp_cuda_failure(device));
	TP_TRY(tp_cuda_enter(device));
	const cudaError_t error = tp_cuda.cudaEventQuery(mark->event);
	if (error == cudaErrorNotReady)
		return TP_OK;
	*is_reached = error == cudaSuccess;
	return tp_cuda_keep(device, tp_cuda_status(error, "cudaEventQuery", __FILE__, __LINE__));
}

/* By the clock of the GPU that the mark is of, which may be a neighbour's. */
static enum tp_status time_of(struct tp_device *base, const struct tp_mark *mark, int64_t *monotonic_ns)
{
	(void)base;
	TP_TRY(tp_cuda_enter(mark->device));
	return tp_cuda_clock_read(mark->device, mark->event, monotonic_ns);
}

static enum tp_status finish(struct tp_device *base, int64_t timeout_ns)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	const int64_t deadline = tp_now_ns() + timeout_ns;
	cudaStream_t const streams[] = {device->compute, device->copy_in, device->copy_out, device->uploads};
	TP_TRY(tp_cuda_failure(device));
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		const int64_t left = deadline - tp_now_ns();
		TP_TRY(tp_cuda_await(device, streams[i], left > 0 ? left : 0));
	}
	return TP_OK;
}

static enum tp_status start_clock(struct tp_device *base, int64_t *error_ns)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	TP_TRY(finish(base, device->patience_ns));
	return tp_cuda_keep(device, tp_cuda_clock_start(device, error_ns));
}

static enum tp_status collect_loss(struct tp_device *base, struct tp_loss_result *result)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	struct tpb_loss_sums *sums = tp_cuda_host_sums(device);
	*result = (struct tp_loss_result){0};
	TP_TRY(tp_cuda_failure(device));
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(TP_CUDA_CHECK(cudaMemcpyAsync, sums, device->loss_sums, sizeof *sums, cudaMemcpyDeviceToHost,
	                     device->compute));
	TP_TRY(TP_CUDA_CHECK(cudaMemsetAsync, device->loss_sums, 0, sizeof *sums, device->compute));
	TP_TRY(tp_cuda_await(device, device->compute, device->patience_ns));
	*result = (struct tp_loss_result){
	        .loss_sum = sums->loss_sum, .top1 = (int64_t)sums->top1, .top5 = (int64_t)sums->top5};
	return TP_OK;
}

static void operation(struct tp_device *base, int64_t number)
{
	tp_cuda_of(base)->operation = number;
	tp_cuda_trace_operation(base->stage, number);
}

static void retire(struct tp_device *base, const void *at, size_t bytes)
{
	if (tp_cuda.fakecuda_retire)
		tp_cuda.fakecuda_retire(tp_cuda_of(base)->compute, at, bytes);
}

static const struct tp_link_ops *const links[] = {&tp_cuda_link_copy, &tp_cuda_link_direct, &tp_cuda_link_nccl, NULL};

const struct tp_async_ops tp_cuda_async = {
        .mark_new = mark_new,
        .mark_free = mark_free,
        .record = record,
        .wait = wait,
        .reached = reached,
        .time = time_of,
        .start_clock = start_clock,
        .finish = finish,
        .collect_loss = collect_loss,
        .operation = operation,
        .retire = retire,
        .gpus = tp_cuda_gpus,
        .links = links,
        .tracer = &tp_cuda_tracer,
};
