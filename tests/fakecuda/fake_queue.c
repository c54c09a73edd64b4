/* Streams, events, and the running of what was issued: by whoever waits or asks, the heads of all streams in an order
 * that the seed decides. */
#include "tests/fakecuda/fake_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct CUstream_st *defaults[FAKE_DEVICES_MAX];
static int stream_numbers;
static struct fake_clock buried; /* what streams did that are no more */

static struct CUstream_st *stream_new(int device, int number)
{
	struct CUstream_st *stream = fake_alloc(sizeof *stream);
	stream->device = device;
	stream->number = number;
	stream->slot = fake_slot_new();
	stream->end = &stream->first;
	stream->next = fake.streams;
	fake.streams = stream;
	return stream;
}

struct CUstream_st *fake_stream(cudaStream_t stream)
{
	if (!stream) {
		struct CUstream_st **own = &defaults[*fake_device()];
		if (!*own)
			*own = stream_new(*fake_device(), 0);
		return *own;
	}
	for (struct CUstream_st *s = fake.streams; s; s = s->next)
		if (s == stream && !s->destroyed)
			return s;
	return NULL;
}

static void bury_stream(struct CUstream_st *stream)
{
	struct CUstream_st **at = &fake.streams;
	if (!stream->destroyed || stream->first)
		return;
	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	fake_clock_join(&buried, &stream->clock);
	fake_slot_free(stream->slot);
	free(stream);
}

static void let_go(struct fake_record *record)
{
	if (record && --record->references == 0)
		free(record);
}

struct fake_operation *fake_operation_new(struct CUstream_st *stream, enum fake_kind kind, const char *name,
                                          const void *args, size_t args_bytes)
{
	struct fake_operation *operation = fake_alloc(sizeof *operation + args_bytes);
	operation->stream = stream;
	operation->kind = kind;
	operation->name = name;
	operation->correlation = fake_correlation();
	operation->grid = operation->block = (dim3){1, 1, 1};
	if (args_bytes > 0)
		(void)memcpy(operation->args, args, args_bytes);
	return operation;
}

void fake_issue(struct fake_operation *operation)
{
	struct CUstream_st *stream = operation->stream;
	operation->astray = !fake_order_issue(operation);
	if (operation->source && !operation->astray)
		operation->source_hash = fake_hash(operation->source, operation->bytes);
	*stream->end = operation;
	stream->end = &operation->next;
	fake_tell_others();
}

static void pop(struct CUstream_st *stream)
{
	struct fake_operation *operation = stream->first;
	stream->first = operation->next;
	if (!stream->first)
		stream->end = &stream->first;
	let_go(operation->record);
	fake_group_free(operation->group);
	free(operation);
	bury_stream(stream);
}

bool fake_at_head(const struct fake_operation *operation)
{
	return operation->stream->first == operation;
}

static bool is_ready(const struct fake_operation *operation)
{
	if (!operation)
		return false;
	if (operation->kind == FAKE_WAIT)
		return operation->record->done;
	return operation->kind != FAKE_TRANSFER || fake_group_ready(operation->group);
}

static void tell(const struct fake_operation *operation, int64_t start_ns)
{
	struct fake_ran ran = {.name = operation->name,
	                       .kind = operation->kind,
	                       .copy_kind = operation->copy_kind,
	                       .bytes = operation->bytes,
	                       .device = operation->stream->device,
	                       .stream = operation->stream->number,
	                       .grid = operation->grid,
	                       .block = operation->block,
	                       .correlation = operation->correlation,
	                       .start_ns = start_ns,
	                       .end_ns = fake_now_ns()};
	if (fake_on_operation)
		fake_on_operation(&ran);
}

/* A kernel that fails takes its device along, and the next call finds it. */
static void run_work(struct fake_operation *operation)
{
	int64_t start_ns = fake_now_ns();
	int failure = fake_injected_run(operation->name);
	fake.counts.operations++;
	fake.hang |= fake.counts.operations == fake.hang_after;
	if (failure) {
		fake.lost = (cudaError_t)failure;
		return;
	}
	if (operation->source && !operation->astray &&
	    fake_hash(operation->source, operation->bytes) != operation->source_hash)
		fake.counts.stale_host_reads++;
	if (operation->run && !operation->astray)
		operation->run(operation->args);
	tell(operation, start_ns);
}

static void run_head(struct CUstream_st *stream)
{
	struct fake_operation *operation = stream->first;
	struct fake_record *record = operation->record;
	if (operation->kind == FAKE_TRANSFER) {
		if (!fake_group_run(operation->group))
			return;
	} else {
		fake_order_run(operation);
	}
	switch (operation->kind) {
	case FAKE_RECORD:
		record->clock = stream->clock;
		record->done = true;
		record->done_ns = fake_now_ns();
		break;
	case FAKE_WAIT:
		fake_clock_join(&stream->clock, &record->clock);
		break;
	case FAKE_RETIRE:
		break;
	default:
		run_work(operation);
	}
	pop(stream);
}

bool fake_run_one(void)
{
	struct CUstream_st *chosen = NULL;
	uint64_t ready = 0;
	if (fake.hang || fake.lost)
		return false;
	for (struct CUstream_st *s = fake.streams; s; s = s->next)
		if (is_ready(s->first) && fake_random(++ready) == 0)
			chosen = s;
	if (!chosen)
		return false;
	run_head(chosen);
	return true;
}

/* Who polls must come to an end: at least one operation, if there is one. */
static void run_some(void)
{
	uint64_t count = 1 + fake_random(6);
	while (count-- > 0 && fake_run_one())
		;
}

static bool ranges_meet(const struct fake_touch *touch, const void *at, size_t bytes)
{
	uintptr_t a = (uintptr_t)touch->at, b = (uintptr_t)at;
	return a < b + bytes && b < a + touch->bytes;
}

bool fake_pending(const void *at, size_t bytes)
{
	for (struct CUstream_st *s = fake.streams; s; s = s->next)
		for (struct fake_operation *o = s->first; o; o = o->next)
			for (int i = 0; i < o->touches.count && o->kind != FAKE_RETIRE; i++)
				if (ranges_meet(&o->touches.touch[i], at, bytes))
					return true;
	return false;
}

/* One step of a wait. Not ready: go on waiting. */
static cudaError_t step(void)
{
	if (fake.lost)
		return fake.lost;
	if (fake.hang)
		return cudaErrorLaunchTimeout;
	if (fake_run_one() || fake.lost || fake_wait_for_others())
		return cudaErrorNotReady;
	fake.counts.deadlocks++;
	(void)fprintf(stderr, "fakecuda: DEADLOCK: every stream waits for what nobody issues\n");
	return cudaErrorLaunchTimeout;
}

cudaError_t fake_finish(struct CUstream_st *stream)
{
	cudaError_t error = cudaErrorNotReady;
	while (stream->first && error == cudaErrorNotReady)
		error = step();
	if (stream->first)
		return error;
	fake_order_learn(&stream->clock, true);
	return fake.lost;
}

/* As after a device that was lost: what waits is never run. */
void fake_drop_all(void)
{
	struct CUstream_st *next;
	for (struct CUstream_st *s = fake.streams; s; s = next) {
		next = s->next;
		for (int left = s->first != NULL; left;) {
			struct fake_operation *operation = s->first;
			left = operation->next != NULL;
			if (operation->kind == FAKE_RECORD)
				operation->record->done = true;
			pop(s);
		}
	}
}

cudaError_t fake_submit(cudaStream_t stream, const char *call_name, const char *name,
                        const struct fake_touches *touches, void (*run)(const void *args), const void *args,
                        size_t args_bytes)
{
	struct fake_call call;
	cudaError_t error = fake_enter_plain(&call, call_name);
	struct CUstream_st *on = fake_stream(stream);
	if (error)
		return fake_leave(&call, error);
	if (!on || on->device != *fake_device())
		return fake_leave(&call, cudaErrorInvalidResourceHandle);
	struct fake_operation *operation = fake_operation_new(on, FAKE_KERNEL, name, args, args_bytes);
	operation->touches = *touches;
	operation->run = run;
	fake_issue(operation);
	return fake_leave(&call, cudaSuccess);
}

/* --- streams --- */

FAKE_EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && (!stream || flags > cudaStreamNonBlocking))
		error = cudaErrorInvalidValue;
	if (!error)
		*stream = stream_new(*fake_device(), ++stream_numbers);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = stream ? fake_stream(stream) : NULL;
	/* Also of a lost device, or its streams could never be given back. */
	if (own && (!error || error == fake.lost)) {
		own->destroyed = true;
		bury_stream(own);
	} else if (!error) {
		error = cudaErrorInvalidResourceHandle;
	}
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	if (!error)
		error = own ? fake_finish(own) : cudaErrorInvalidResourceHandle;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaStreamQuery(cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	if (!error && !own)
		error = cudaErrorInvalidResourceHandle;
	if (error)
		return fake_leave(&call, error);
	if (own->first)
		run_some();
	if (!own->first)
		fake_order_learn(&own->clock, true);
	error = fake.lost ? fake.lost : own->first ? cudaErrorNotReady : cudaSuccess;
	return fake_leave(&call, error);
}

static bool is_idle(int device)
{
	for (const struct CUstream_st *s = fake.streams; s; s = s->next)
		if (s->device == device && s->first)
			return false;
	return true;
}

FAKE_EXPORT cudaError_t cudaDeviceSynchronize(void)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (error)
		return fake_leave(&call, error);
	while ((!error || error == cudaErrorNotReady) && !is_idle(*fake_device()))
		error = step();
	if (!is_idle(*fake_device()))
		return fake_leave(&call, error);
	for (const struct CUstream_st *s = fake.streams; s; s = s->next)
		if (s->device == *fake_device())
			fake_order_learn(&s->clock, true);
	fake_order_learn(&buried, true);
	return fake_leave(&call, fake.lost);
}

/* --- events --- */

static struct CUevent_st *find_event(cudaEvent_t event)
{
	struct CUevent_st *e = fake.events;
	while (e && e != event)
		e = e->next;
	return e;
}

FAKE_EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && (!event || flags > 7))
		error = cudaErrorInvalidValue;
	if (error)
		return fake_leave(&call, error);
	*event = fake_alloc(sizeof **event);
	**event = (struct CUevent_st){
	        .next = fake.events, .device = *fake_device(), .timed = !(flags & cudaEventDisableTiming)};
	fake.events = *event;
	return fake_leave(&call, cudaSuccess);
}

FAKE_EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUevent_st **at = &fake.events;
	while (*at && *at != event)
		at = &(*at)->next;
	if (*at && (!error || error == fake.lost)) {
		*at = event->next;
		let_go(event->latest);
		free(event);
	} else if (!error) {
		error = cudaErrorInvalidResourceHandle;
	}
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *on = error ? NULL : fake_stream(stream);
	if (!error && (!on || !find_event(event) || event->device != on->device))
		error = cudaErrorInvalidResourceHandle;
	if (error)
		return fake_leave(&call, error);
	struct fake_operation *operation = fake_operation_new(on, FAKE_RECORD, "record", NULL, 0);
	struct fake_record *record = fake_alloc(sizeof *record);
	operation->record = record;
	fake_issue(operation);
	record->references = 2;
	let_go(event->latest);
	event->latest = record;
	return fake_leave(&call, cudaSuccess);
}

FAKE_EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *on = error ? NULL : fake_stream(stream);
	if (!error && (!on || !find_event(event)))
		error = cudaErrorInvalidResourceHandle;
	if (!error && flags > 1)
		error = cudaErrorInvalidValue;
	if (!error && event->latest) {
		struct fake_operation *operation = fake_operation_new(on, FAKE_WAIT, "wait", NULL, 0);
		operation->record = event->latest;
		operation->record->references++;
		fake_issue(operation);
	}
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaEventQuery(cudaEvent_t event)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !find_event(event))
		error = cudaErrorInvalidResourceHandle;
	if (error || !event->latest)
		return fake_leave(&call, error);
	if (!event->latest->done)
		run_some();
	if (event->latest->done)
		fake_order_learn(&event->latest->clock, false);
	error = fake.lost ? fake.lost : event->latest->done ? cudaSuccess : cudaErrorNotReady;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !find_event(event))
		error = cudaErrorInvalidResourceHandle;
	if (error || !event->latest)
		return fake_leave(&call, error);
	/* The record at the moment of the call, whatever other threads do with the event meanwhile. */
	struct fake_record *record = event->latest;
	record->references++;
	while (!record->done && (!error || error == cudaErrorNotReady))
		error = step();
	if (record->done) {
		fake_order_learn(&record->clock, false);
		error = fake.lost;
	}
	let_go(record);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && !ms)
		error = cudaErrorInvalidValue;
	if (!error && (!find_event(start) || !find_event(end) || !start->timed || !end->timed || !start->latest ||
	               !end->latest || start->device != end->device))
		error = cudaErrorInvalidResourceHandle;
	if (!error && (!start->latest->done || !end->latest->done))
		error = cudaErrorNotReady;
	if (!error)
		*ms = (float)((double)(end->latest->done_ns - start->latest->done_ns) / 1e6);
	return fake_leave(&call, error);
}
