/* CUPTI has one user at a time, and its calls fail in many ways where there is another one, an old driver or none. So
 * it is subscribed to first, and whatever is refused means only that times come from events. */
#include "engine/cuda/cupti_tracer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/cuda/cuda_api.h"
#include "engine/cuda/cupti_buffers.h"
#include "engine/cuda/cupti_clock.h"
#include "engine/cuda/cupti_join.h"

enum {
	BUFFERS = 16,         /* 64 MiB: some 200000 kernels with their calls */
	KERNELS = 1 << 19,    /* of an epoch, at first */
	OPERATIONS = 1 << 18, /* the same */
	CUPTI_MAJOR = 10000   /* of its version numbers */
};

static struct {
	/* Set while nothing runs; the number of the run that is traced, 0: none is. */
	_Atomic uint64_t run;
	uint64_t runs;
	char reason[160]; /* why nothing is traced; "" when it is */
	CUpti_SubscriberHandle subscriber;
	struct tp_cupti_buffers *buffers;
	struct tp_cupti_operations operations;
	bool foreign_clock; /* CUPTI does not take our clock */
	struct tp_cupti_moment first, last;
	pthread_mutex_t lock; /* of what follows: the thread that reads buffers writes it */
	struct tp_cupti_records records;
	int64_t dropped;
	enum tp_status failure; /* of begin_epoch() */
} tracer = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- what CUPTI calls ----------------------------------------------------------------------------------------------
 */

static void CUPTIAPI nothing(void *context, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	(void)context;
	(void)domain;
	(void)id;
	(void)data;
}

static uint64_t CUPTIAPI monotonic(void)
{
	return (uint64_t)tp_now_ns();
}

static void CUPTIAPI buffer_requested(uint8_t **buffer, size_t *size, size_t *most_records)
{
	*buffer = tp_cupti_buffers_take(tracer.buffers);
	*size = *buffer ? TP_CUPTI_BUFFER_BYTES : 0;
	*most_records = 0; /* as many as fit */
}

static void CUPTIAPI buffer_completed(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size,
                                      size_t valid_bytes)
{
	(void)context;
	(void)stream;
	(void)size;
	tp_cupti_buffers_put(tracer.buffers, buffer, valid_bytes);
}

static void read_buffer(void *context, uint8_t *buffer, size_t bytes)
{
	size_t dropped = 0;
	(void)context;
	(void)pthread_mutex_lock(&tracer.lock);
	tp_cupti_parse(&tracer.records, tp_cuda.cuptiActivityGetNextRecord, buffer, bytes);
	if (tp_cuda.cuptiActivityGetNumDroppedRecords(NULL, 0, &dropped) == CUPTI_SUCCESS)
		tracer.dropped += (int64_t)dropped;
	(void)pthread_mutex_unlock(&tracer.lock);
}

/* --- start ---------------------------------------------------------------------------------------------------------
 */

/* Keep why there is no trace. */
static bool refuse(const char *call, CUptiResult result)
{
	const char *text = NULL;
	(void)tp_cuda.cuptiGetResultString(result, &text);
	(void)snprintf(tracer.reason, sizeof tracer.reason, "%s: %s (%d)", call, text ? text : "?", (int)result);
	return false;
}

#define CUPTI_OR_REFUSE(function, ...)                               \
	do {                                                         \
		CUptiResult result_ = tp_cuda.function(__VA_ARGS__); \
		if (result_ != CUPTI_SUCCESS)                        \
			return refuse(#function, result_);           \
	} while (0)

/* Asks for nothing that another tool could be in the way of. */
static bool version_fits(void)
{
	uint32_t version = 0;
	if (!tp_cuda.has_cupti) {
		(void)snprintf(tracer.reason, sizeof tracer.reason, "CUPTI's library is not there");
		return false;
	}
	CUptiResult result = tp_cuda.cuptiGetVersion(&version);
	if (result != CUPTI_SUCCESS)
		return refuse("cuptiGetVersion", result);
	if (version / CUPTI_MAJOR == CUPTI_API_VERSION / CUPTI_MAJOR)
		return true;
	(void)snprintf(tracer.reason, sizeof tracer.reason,
	               "CUPTI is of version %u, this program was made with the records of %d", version,
	               CUPTI_API_VERSION);
	return false;
}

/* After a failure CUPTI belongs to somebody else, or does not work: nothing more is asked of it. */
static bool subscribe(void)
{
	char holder[CUPTI_OLD_SUBSCRIBER_NAME_MIN_LEN] = "";
	CUpti_SubscriberParams params = {.structSize = CUpti_SubscriberParams_STRUCT_SIZE,
	                                 .subscriberName = "tpbench",
	                                 .oldSubscriberName = holder,
	                                 .oldSubscriberSize = sizeof holder};
	CUptiResult result = tp_cuda.cuptiSubscribe_v2(&tracer.subscriber, nothing, NULL, &params);
	if (result == CUPTI_SUCCESS)
		return true;
	holder[sizeof holder - 1] = '\0';
	if (result == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED)
		(void)snprintf(tracer.reason, sizeof tracer.reason, "CUPTI is in use by %s",
		               holder[0] ? holder : "another tool");
	else
		(void)snprintf(tracer.reason, sizeof tracer.reason, "cuptiSubscribe_v2 failed with %d", (int)result);
	return false;
}

/* Calls that issue work, by the runtime and, since libraries go there directly, by the driver. Only these are recorded:
 * links come with them. */
static const CUpti_CallbackId runtime_calls[] = {
        CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernel_v7000,
        CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernel_ptsz_v7000,
        CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernelExC_v11060,
        CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernelExC_ptsz_v11060,
        CUPTI_RUNTIME_TRACE_CBID_cudaMemcpyAsync_v3020,
        CUPTI_RUNTIME_TRACE_CBID_cudaMemcpyAsync_ptsz_v7000,
        CUPTI_RUNTIME_TRACE_CBID_cudaMemcpyPeerAsync_v4000,
        CUPTI_RUNTIME_TRACE_CBID_cudaMemsetAsync_v3020,
        CUPTI_RUNTIME_TRACE_CBID_cudaMemsetAsync_ptsz_v7000,
        CUPTI_RUNTIME_TRACE_CBID_cudaGraphLaunch_v10000,
        CUPTI_RUNTIME_TRACE_CBID_cudaLaunchCooperativeKernel_v9000,
};
static const CUpti_CallbackId driver_calls[] = {
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel,   CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuMemcpyAsync,    CUPTI_DRIVER_TRACE_CBID_cuMemsetD8Async,
        CUPTI_DRIVER_TRACE_CBID_cuMemsetD32Async, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
};

/* Without the first five there is nothing to tell; the others say more. */
enum { NEEDED_KINDS = 5, KINDS = 7 };
static const CUpti_ActivityKind kinds[KINDS] = {
        CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
        CUPTI_ACTIVITY_KIND_MEMCPY,
        CUPTI_ACTIVITY_KIND_MEMCPY2,
        CUPTI_ACTIVITY_KIND_MEMSET,
        CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION,
        CUPTI_ACTIVITY_KIND_MEMORY2,
        CUPTI_ACTIVITY_KIND_OVERHEAD,
};

static bool enable_calls(void)
{
	for (size_t i = 0; i < sizeof runtime_calls / sizeof *runtime_calls; i++)
		CUPTI_OR_REFUSE(cuptiActivityEnableRuntimeApi, runtime_calls[i], 1);
	for (size_t i = 0; i < sizeof driver_calls / sizeof *driver_calls; i++)
		CUPTI_OR_REFUSE(cuptiActivityEnableDriverApi, driver_calls[i], 1);
	return true;
}

/* Note the moment, unless CUPTI does not tell: then the one before stands. */
static void look(struct tp_cupti_moment *moment)
{
	struct tp_cupti_moment now = tp_cupti_look(tp_cuda.cuptiGetTimestamp);
	if (now.error_ns >= 0)
		*moment = now;
}

static bool enable(void)
{
	uint8_t zeroed = 1;
	size_t bytes = sizeof zeroed;
	/* The clock comes first: records of what was enabled before would have another. */
	tracer.foreign_clock = tp_cuda.cuptiActivityRegisterTimestampCallback(monotonic) != CUPTI_SUCCESS;
	tracer.first.error_ns = -1;
	if (tracer.foreign_clock)
		look(&tracer.first);
	tracer.last = tracer.first;
	if (tracer.foreign_clock && tracer.first.error_ns < 0) {
		(void)snprintf(tracer.reason, sizeof tracer.reason, "CUPTI takes no clock and has none");
		return false;
	}
	CUPTI_OR_REFUSE(cuptiActivityRegisterCallbacks, buffer_requested, buffer_completed);
	/* A refusal costs time alone: CUPTI then clears them itself. */
	(void)tp_cuda.cuptiActivitySetAttribute(CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER, &bytes, &zeroed);
	for (int i = 0; i < KINDS; i++) {
		CUptiResult result = tp_cuda.cuptiActivityEnable(kinds[i]);
		if (result != CUPTI_SUCCESS && i < NEEDED_KINDS)
			return refuse("cuptiActivityEnable", result);
	}
	return enable_calls();
}

static void disable(void)
{
	for (size_t i = 0; i < sizeof runtime_calls / sizeof *runtime_calls; i++)
		(void)tp_cuda.cuptiActivityEnableRuntimeApi(runtime_calls[i], 0);
	for (size_t i = 0; i < sizeof driver_calls / sizeof *driver_calls; i++)
		(void)tp_cuda.cuptiActivityEnableDriverApi(driver_calls[i], 0);
	for (int i = 0; i < KINDS; i++)
		(void)tp_cuda.cuptiActivityDisable(kinds[i]);
	(void)tp_cuda.cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	(void)tp_cuda.cuptiUnsubscribe(tracer.subscriber);
	(void)tp_cuda.cuptiFinalize();
}

static void release(void)
{
	tp_cupti_buffers_free(tracer.buffers);
	tracer.buffers = NULL;
	tp_cupti_operations_release(&tracer.operations);
	tp_cupti_records_release(&tracer.records);
}

static enum tp_status reserve(void)
{
	TP_TRY(tp_cupti_records_begin(&tracer.records, KERNELS));
	tracer.records.paused = true;
	TP_TRY(tp_cupti_operations_init(&tracer.operations, OPERATIONS));
	return tp_cupti_buffers_new(BUFFERS, read_buffer, NULL, &tracer.buffers);
}

static enum tp_status start(bool wanted)
{
	tracer.reason[0] = '\0';
	if (!wanted)
		(void)snprintf(tracer.reason, sizeof tracer.reason, "kernels are not to be recorded (--profile)");
	if (!wanted || !version_fits() || !subscribe())
		return TP_OK;
	enum tp_status status = reserve();
	if (status == TP_OK && enable()) {
		atomic_store(&tracer.run, ++tracer.runs);
		return TP_OK;
	}
	disable();
	release();
	return status;
}

static void stop(void)
{
	if (!atomic_exchange(&tracer.run, 0))
		return;
	disable();
	release();
}

/* --- epochs --------------------------------------------------------------------------------------------------------
 */

/* Everything that CUPTI has is read. */
static CUptiResult flush(void)
{
	CUptiResult result = tp_cuda.cuptiActivityFlushAll(0);
	if (result == CUPTI_SUCCESS)
		result = tp_cuda.cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	tp_cupti_buffers_drain(tracer.buffers);
	return result;
}

static void begin_epoch(void)
{
	if (!atomic_load(&tracer.run))
		return;
	(void)flush();
	(void)pthread_mutex_lock(&tracer.lock);
	tracer.dropped = 0;
	tracer.failure = tp_cupti_records_begin(&tracer.records, KERNELS);
	(void)pthread_mutex_unlock(&tracer.lock);
	if (tracer.failure == TP_OK)
		tracer.failure = tp_cupti_operations_begin(&tracer.operations);
	if (tracer.foreign_clock)
		look(&tracer.first);
}

static void put_on_clock(struct tp_gpu_place *place)
{
	place->start_ns = tp_cupti_to_monotonic(&tracer.first, &tracer.last, place->start_ns);
	place->end_ns = tp_cupti_to_monotonic(&tracer.first, &tracer.last, place->end_ns);
}

static int64_t put_all_on_clock(void)
{
	struct tp_gpu_kernel *kernels = tracer.records.kernels.items;
	struct tp_gpu_copy *copies = tracer.records.copies.items;
	if (!tracer.foreign_clock)
		return 0;
	look(&tracer.last);
	for (int64_t i = 0; i < tracer.records.kernels.count; i++)
		put_on_clock(&kernels[i].place);
	for (int64_t i = 0; i < tracer.records.copies.count; i++)
		put_on_clock(&copies[i].place);
	return tracer.first.error_ns > tracer.last.error_ns ? tracer.first.error_ns : tracer.last.error_ns;
}

static void describe(struct tp_gpu_trace *trace)
{
	const struct tp_cupti_records *records = &tracer.records;
	*trace = (struct tp_gpu_trace){
	        .mode = TP_GPU_TRACE_CUPTI,
	        .kernels = records->kernels.items,
	        .copies = records->copies.items,
	        .kernel_count = records->kernels.count,
	        .copy_count = records->copies.count,
	        .names = records->names.texts,
	        .name_count = records->names.count,
	        .dropped = tracer.dropped + records->lost,
	        .untimed = records->untimed,
	        .overhead_ns = records->overhead_ns,
	        .allocated_peak_bytes = records->held_peak_bytes,
	        .allocations = records->allocations,
	};
}

static enum tp_status end_epoch(struct tp_gpu_trace *trace)
{
	if (!atomic_load(&tracer.run)) {
		*trace = (struct tp_gpu_trace){.mode = TP_GPU_TRACE_EVENTS};
		(void)snprintf(trace->reason, sizeof trace->reason, "%s", tracer.reason);
		return TP_OK;
	}
	CUptiResult flushed = flush();
	(void)pthread_mutex_lock(&tracer.lock);
	tracer.records.paused = true; /* what was read stays where it is */
	(void)pthread_mutex_unlock(&tracer.lock);
	int64_t unmatched = tp_cupti_join(&tracer.operations, &tracer.records);
	int64_t clock_error_ns = put_all_on_clock();
	describe(trace);
	trace->unmatched = unmatched;
	trace->clock_error_ns = clock_error_ns;
	if (flushed != CUPTI_SUCCESS) {
		(void)refuse("cuptiActivityFlushAll", flushed);
		(void)snprintf(trace->reason, sizeof trace->reason, "%s", tracer.reason);
		trace->dropped++;
	}
	return tracer.failure;
}

const struct tp_gpu_tracer tp_cuda_tracer = {
        .start = start, .stop = stop, .begin_epoch = begin_epoch, .end_epoch = end_epoch};

/* --- operations ----------------------------------------------------------------------------------------------------
 */

void tp_cuda_trace_operation(int32_t stage, int64_t operation)
{
	/* The run in which this thread told CUPTI of an operation that has not ended. */
	static _Thread_local uint64_t pushed_in;
	const uint64_t run = atomic_load_explicit(&tracer.run, memory_order_relaxed);
	if (run == 0)
		return;
	if (pushed_in == run)
		(void)tp_cuda.cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, NULL);
	pushed_in = 0;
	const uint64_t id = operation >= 0 ? tp_cupti_operations_add(&tracer.operations, stage, operation) : 0;
	if (id > 0 && tp_cuda.cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, id) ==
	                      CUPTI_SUCCESS)
		pushed_in = run;
}
