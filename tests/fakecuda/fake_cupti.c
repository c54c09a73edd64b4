/* CUPTI of the stand-in: records of what fakecuda runs and of the calls that issued it, in buffers of the client, as
 * CUPTI's own structures. Every function can fail by injection; cuptiSubscribe_v2 with 39 names another tool. Injected
 * into "cuptiRecord", a failure loses a record. */
#include <cupti.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/fakecuda/cupti_records.h"
#include "tests/fakecuda/fake_inside.h"

enum { KINDS = CUPTI_ACTIVITY_KIND_COUNT, CALLS = 1024, DEPTH = 8, REGISTERS = 32 };

/* Its lock may be taken with that of fakecuda held, never the other way. */
static struct {
	pthread_mutex_t lock;
	bool subscribed, kinds[KINDS], runtime[CALLS];
	CUpti_BuffersCallbackRequestFunc requested;
	CUpti_BuffersCallbackCompleteFunc completed;
	CUpti_TimestampCallbackFunc clock; /* NULL: the machine's real time */
	int64_t offset_ns;                 /* of it from the monotonic one */
	uint8_t *buffer;
	size_t size, used;
	size_t dropped;
	size_t held_bytes; /* of all devices, as recorded last */
} cupti = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local uint64_t pushed[DEPTH];
static _Thread_local int depth;

#define FAIL_IF_INJECTED()                               \
	do {                                             \
		int injected_ = fake_injected(__func__); \
		if (injected_)                           \
			return (CUptiResult)injected_;   \
	} while (0)

/* --- time --- */

static int64_t real_time_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* From the monotonic clock to that of the records: looked at once, so that what is later has the later time. */
static int64_t look_at_clock(void)
{
	int64_t best_ns = INT64_MAX, offset_ns = 0;
	for (int i = 0; i < 32 && best_ns > 0; i++) {
		int64_t before = fake_now_ns(), now = cupti.clock ? (int64_t)cupti.clock() : real_time_ns();
		int64_t after = fake_now_ns(), apart_ns = after - before;
		if (now >= before && now <= after) /* it is the same clock */
			return 0;
		if (apart_ns < best_ns) {
			best_ns = apart_ns;
			offset_ns = now - before - apart_ns / 2;
		}
	}
	return offset_ns;
}

static uint64_t on_clock(int64_t monotonic_ns)
{
	return (uint64_t)(monotonic_ns + cupti.offset_ns);
}

/* --- records, with the lock held --- */

static void complete(void)
{
	if (cupti.buffer)
		cupti.completed(NULL, 0, cupti.buffer, cupti.size, cupti.used);
	cupti.buffer = NULL;
	cupti.size = cupti.used = 0;
}

static void write_record(const void *record, size_t bytes)
{
	size_t most = 0;
	if (cupti.buffer && cupti.size - cupti.used < bytes)
		complete();
	if (!cupti.buffer && cupti.requested)
		cupti.requested(&cupti.buffer, &cupti.size, &most);
	if (!cupti.buffer || cupti.size - cupti.used < bytes || fake_injected("cuptiRecord")) {
		cupti.dropped++;
		return;
	}
	(void)memcpy(cupti.buffer + cupti.used, record, bytes);
	cupti.used += bytes;
}

static void record_kernel(const struct fake_ran *ran)
{
	const CUpti_ActivityKernel10 record = {.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
	                                       .registersPerThread = REGISTERS,
	                                       .start = on_clock(ran->start_ns),
	                                       .end = on_clock(ran->end_ns),
	                                       .deviceId = (uint32_t)ran->device,
	                                       .contextId = (uint32_t)ran->device + 1,
	                                       .streamId = (uint32_t)ran->stream,
	                                       .gridX = (int32_t)ran->grid.x,
	                                       .gridY = (int32_t)ran->grid.y,
	                                       .gridZ = (int32_t)ran->grid.z,
	                                       .blockX = (int32_t)ran->block.x,
	                                       .blockY = (int32_t)ran->block.y,
	                                       .blockZ = (int32_t)ran->block.z,
	                                       .correlationId = ran->correlation,
	                                       .name = ran->name};
	write_record(&record, sizeof record);
}

static void record_copy(const struct fake_ran *ran)
{
	const CUpti_ActivityMemcpy6 record = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY,
	                                      .copyKind = (uint8_t)ran->copy_kind,
	                                      .bytes = ran->bytes,
	                                      .start = on_clock(ran->start_ns),
	                                      .end = on_clock(ran->end_ns),
	                                      .deviceId = (uint32_t)ran->device,
	                                      .contextId = (uint32_t)ran->device + 1,
	                                      .streamId = (uint32_t)ran->stream,
	                                      .correlationId = ran->correlation};
	write_record(&record, sizeof record);
}

static void record_peer_copy(const struct fake_ran *ran)
{
	const CUpti_ActivityMemcpyPtoP4 record = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY2,
	                                          .copyKind = (uint8_t)ran->copy_kind,
	                                          .bytes = ran->bytes,
	                                          .start = on_clock(ran->start_ns),
	                                          .end = on_clock(ran->end_ns),
	                                          .deviceId = (uint32_t)ran->device,
	                                          .contextId = (uint32_t)ran->device + 1,
	                                          .streamId = (uint32_t)ran->stream,
	                                          .correlationId = ran->correlation};
	write_record(&record, sizeof record);
}

static void record_set(const struct fake_ran *ran)
{
	const CUpti_ActivityMemset4 record = {.kind = CUPTI_ACTIVITY_KIND_MEMSET,
	                                      .bytes = ran->bytes,
	                                      .start = on_clock(ran->start_ns),
	                                      .end = on_clock(ran->end_ns),
	                                      .deviceId = (uint32_t)ran->device,
	                                      .contextId = (uint32_t)ran->device + 1,
	                                      .streamId = (uint32_t)ran->stream,
	                                      .correlationId = ran->correlation};
	write_record(&record, sizeof record);
}

/* What a call took or gave back, when it was one of those that do. */
static void record_memory(uint32_t correlation, int64_t end_ns)
{
	size_t held = 0;
	for (int i = 0; i < FAKE_DEVICES_MAX; i++)
		held += fake.used_bytes[i];
	bool taken = held > cupti.held_bytes;
	if (held == cupti.held_bytes)
		return;
	const CUpti_ActivityMemory4 record = {.kind = CUPTI_ACTIVITY_KIND_MEMORY2,
	                                      .memoryOperationType =
	                                              taken ? CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION
	                                                    : CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE,
	                                      .memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
	                                      .correlationId = correlation,
	                                      .bytes = taken ? held - cupti.held_bytes : cupti.held_bytes - held,
	                                      .timestamp = on_clock(end_ns)};
	cupti.held_bytes = held;
	if (cupti.kinds[CUPTI_ACTIVITY_KIND_MEMORY2])
		write_record(&record, sizeof record);
}

/* --- what fakecuda tells --- */

static void on_operation(const struct fake_ran *ran)
{
	(void)pthread_mutex_lock(&cupti.lock);
	if (ran->kind == FAKE_SET && cupti.kinds[CUPTI_ACTIVITY_KIND_MEMSET])
		record_set(ran);
	else if (ran->kind == FAKE_COPY && ran->copy_kind == CUPTI_ACTIVITY_MEMCPY_KIND_PTOP) {
		if (cupti.kinds[CUPTI_ACTIVITY_KIND_MEMCPY2])
			record_peer_copy(ran);
	} else if (ran->kind == FAKE_COPY && cupti.kinds[CUPTI_ACTIVITY_KIND_MEMCPY])
		record_copy(ran);
	else if ((ran->kind == FAKE_KERNEL || ran->kind == FAKE_TRANSFER) &&
	         cupti.kinds[CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL])
		record_kernel(ran);
	(void)pthread_mutex_unlock(&cupti.lock);
}

/* The call of the runtime that it is, or by which a library launches; 0: it issues nothing. */
static CUpti_CallbackId call_id(const char *call)
{
	static const struct {
		const char *prefix;
		CUpti_CallbackId id;
	} calls[] = {
	        {"cudaLaunchKernel", CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernel_v7000},
	        {"cudaMemcpyAsync", CUPTI_RUNTIME_TRACE_CBID_cudaMemcpyAsync_v3020},
	        {"cudaMemcpyPeerAsync", CUPTI_RUNTIME_TRACE_CBID_cudaMemcpyPeerAsync_v4000},
	        {"cudaMemsetAsync", CUPTI_RUNTIME_TRACE_CBID_cudaMemsetAsync_v3020},
	        {"cudnn", CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernelExC_v11060},
	        {"cublasLt", CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernelExC_v11060},
	        {"nccl", CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernelExC_v11060},
	};
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (strncmp(call, calls[i].prefix, strlen(calls[i].prefix)) == 0)
			return calls[i].id;
	return 0;
}

static void on_call(const char *call, uint32_t correlation, int64_t start_ns, int64_t end_ns)
{
	const CUpti_CallbackId id = call_id(call);
	(void)pthread_mutex_lock(&cupti.lock);
	record_memory(correlation, end_ns);
	if (id && (cupti.runtime[id] || cupti.kinds[CUPTI_ACTIVITY_KIND_RUNTIME])) {
		if (depth > 0 && cupti.kinds[CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION]) {
			const CUpti_ActivityExternalCorrelation link = {
			        .kind = CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION,
			        .externalKind = CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0,
			        .externalId = pushed[depth - 1],
			        .correlationId = correlation};
			write_record(&link, sizeof link);
		}
		const CUpti_ActivityAPI api = {.kind = CUPTI_ACTIVITY_KIND_RUNTIME,
		                               .cbid = id,
		                               .start = on_clock(start_ns),
		                               .end = on_clock(end_ns),
		                               .correlationId = correlation};
		write_record(&api, sizeof api);
	}
	(void)pthread_mutex_unlock(&cupti.lock);
}

static void listen_to_fakecuda(bool on)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	fake_on_operation = on ? on_operation : NULL;
	fake_on_call = on ? on_call : NULL;
	(void)fake_leave(&call, cudaSuccess);
}

/* --- functions --- */

FAKE_EXPORT CUptiResult cuptiGetVersion(uint32_t *version)
{
	FAIL_IF_INJECTED();
	*version = CUPTI_API_VERSION;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetResultString(CUptiResult result, const char **text)
{
	static _Thread_local char written[48];
	(void)snprintf(written, sizeof written, "fakecuda's CUPTI failed with %d", (int)result);
	*text = written;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiSubscribe_v2(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc callback,
                                          void *context, CUpti_SubscriberParams *params)
{
	(void)callback, (void)context;
	int injected = fake_injected(__func__);
	if (injected == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED && params && params->oldSubscriberName)
		(void)snprintf(params->oldSubscriberName, params->oldSubscriberSize, "CUPTI for another tool");
	if (injected)
		return (CUptiResult)injected;
	(void)pthread_mutex_lock(&cupti.lock);
	bool free_to_take = !cupti.subscribed;
	cupti.subscribed = true;
	cupti.offset_ns = look_at_clock();
	(void)pthread_mutex_unlock(&cupti.lock);
	if (!free_to_take)
		return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	*subscriber = (CUpti_SubscriberHandle)&cupti;
	listen_to_fakecuda(true);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiUnsubscribe(CUpti_SubscriberHandle subscriber)
{
	if (subscriber != (CUpti_SubscriberHandle)&cupti)
		return CUPTI_ERROR_INVALID_PARAMETER;
	listen_to_fakecuda(false);
	(void)pthread_mutex_lock(&cupti.lock);
	cupti.subscribed = false;
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

/* Everything is as before the first call. */
FAKE_EXPORT CUptiResult cuptiFinalize(void)
{
	(void)pthread_mutex_lock(&cupti.lock);
	(void)memset(cupti.kinds, 0, sizeof cupti.kinds);
	(void)memset(cupti.runtime, 0, sizeof cupti.runtime);
	cupti.requested = NULL;
	cupti.completed = NULL;
	cupti.clock = NULL;
	cupti.buffer = NULL;
	cupti.size = cupti.used = cupti.dropped = 0;
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetTimestamp(uint64_t *timestamp)
{
	FAIL_IF_INJECTED();
	(void)pthread_mutex_lock(&cupti.lock);
	*timestamp = cupti.clock ? cupti.clock() : (uint64_t)real_time_ns();
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc clock)
{
	FAIL_IF_INJECTED();
	(void)pthread_mutex_lock(&cupti.lock);
	cupti.clock = clock;
	cupti.offset_ns = look_at_clock();
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc requested,
                                                       CUpti_BuffersCallbackCompleteFunc completed)
{
	FAIL_IF_INJECTED();
	(void)pthread_mutex_lock(&cupti.lock);
	cupti.requested = requested;
	cupti.completed = completed;
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivitySetAttribute(CUpti_ActivityAttribute attribute, size_t *size, void *value)
{
	(void)attribute, (void)size, (void)value;
	FAIL_IF_INJECTED();
	return CUPTI_SUCCESS;
}

static CUptiResult set_kind(CUpti_ActivityKind kind, bool on)
{
	(void)pthread_mutex_lock(&cupti.lock);
	bool known = (int)kind < KINDS, may = cupti.subscribed;
	if (known && may)
		cupti.kinds[kind] = on;
	(void)pthread_mutex_unlock(&cupti.lock);
	if (!may)
		return CUPTI_ERROR_NOT_INITIALIZED;
	return known ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_KIND;
}

FAKE_EXPORT CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind)
{
	FAIL_IF_INJECTED();
	return set_kind(kind, true);
}

FAKE_EXPORT CUptiResult cuptiActivityDisable(CUpti_ActivityKind kind)
{
	return set_kind(kind, false);
}

FAKE_EXPORT CUptiResult cuptiActivityEnableRuntimeApi(CUpti_CallbackId call, uint8_t enable)
{
	FAIL_IF_INJECTED();
	if (call >= CALLS)
		return CUPTI_ERROR_INVALID_PARAMETER;
	(void)pthread_mutex_lock(&cupti.lock);
	cupti.runtime[call] = enable != 0;
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

/* Fakecuda has no driver below its runtime. */
FAKE_EXPORT CUptiResult cuptiActivityEnableDriverApi(CUpti_CallbackId call, uint8_t enable)
{
	(void)call, (void)enable;
	FAIL_IF_INJECTED();
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityFlushAll(uint32_t flag)
{
	(void)flag;
	FAIL_IF_INJECTED();
	(void)pthread_mutex_lock(&cupti.lock);
	complete();
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t stream, size_t *dropped)
{
	(void)context, (void)stream;
	(void)pthread_mutex_lock(&cupti.lock);
	*dropped = cupti.dropped;
	cupti.dropped = 0;
	(void)pthread_mutex_unlock(&cupti.lock);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityGetNextRecord(uint8_t *buffer, size_t size, CUpti_Activity **record)
{
	uint8_t *at = *record ? (uint8_t *)*record + fake_record_bytes((*record)->kind) : buffer;
	if (at == buffer + size)
		return CUPTI_ERROR_MAX_LIMIT_REACHED;
	if (at + sizeof **record > buffer + size)
		return CUPTI_ERROR_INVALID_KIND;
	CUpti_Activity *next = (void *)at;
	if (fake_record_bytes(next->kind) == 0 || at + fake_record_bytes(next->kind) > buffer + size)
		return CUPTI_ERROR_INVALID_KIND;
	*record = next;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityPushExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t id)
{
	FAIL_IF_INJECTED();
	if (kind != CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0 || depth == DEPTH)
		return CUPTI_ERROR_INVALID_PARAMETER;
	pushed[depth++] = id;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityPopExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t *last)
{
	if (kind != CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0)
		return CUPTI_ERROR_INVALID_PARAMETER;
	if (depth == 0)
		return CUPTI_ERROR_QUEUE_EMPTY;
	depth--;
	if (last)
		*last = pushed[depth];
	return CUPTI_SUCCESS;
}
