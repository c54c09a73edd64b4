#include "profiler/drain.h"

#include <time.h>

#include "engine/base/clock.h"

/* A ring of 64 Ki records, written every 200 ns, is half full after 6 ms. */
enum { PAUSE_NS = 2000000 };

static enum tp_status empty_ring(struct tp_drain *drain, struct tp_recorder *recorder, enum tp_record_kind kind,
                                 int64_t at_least)
{
	struct tp_ring *ring = &recorder->rings[kind];
	struct tp_record_batch batch = {.kind = kind, .epoch = drain->epoch, .stage = recorder->stage};
	for (;;) {
		batch.records = tp_ring_peek(ring, &batch.first, &batch.count);
		int64_t waiting = tp_ring_written(ring) - batch.first;
		if (batch.count == 0 || waiting < at_least)
			return TP_OK;
		TP_TRY(drain->sink.take(drain->sink.context, &batch));
		tp_ring_release(ring, batch.count);
	}
}

static enum tp_status empty_rings(struct tp_drain *drain, bool all)
{
	for (int32_t s = 0; s < drain->count; s++) {
		struct tp_recorder *recorder = drain->recorders[s];
		for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++) {
			int64_t capacity = recorder->rings[kind].capacity;
			if (capacity > 0)
				TP_TRY(empty_ring(drain, recorder, kind, all ? 1 : capacity / 2));
		}
	}
	return TP_OK;
}

enum tp_status tp_drain_pass(struct tp_drain *drain, bool all)
{
	if (drain->status != TP_OK)
		return drain->status;
	drain->status = empty_rings(drain, all);
	if (drain->status != TP_OK)
		drain->failed(drain->context, drain->status);
	return drain->status;
}

static void *drain_main(void *argument)
{
	struct tp_drain *drain = argument;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	while (!atomic_load_explicit(&drain->stop, memory_order_acquire)) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		(void)tp_drain_pass(drain, false);
	}
	return NULL;
}

enum tp_status tp_drain_start(struct tp_drain *drain)
{
	atomic_store(&drain->stop, false);
	drain->running = pthread_create(&drain->thread, NULL, drain_main, drain) == 0;
	return drain->running ? TP_OK : tp_fail(TP_ERR_NOMEM, "cannot start the thread that stores records");
}

enum tp_status tp_drain_stop(struct tp_drain *drain)
{
	if (drain->running) {
		atomic_store_explicit(&drain->stop, true, memory_order_release);
		(void)pthread_join(drain->thread, NULL);
		drain->running = false;
	}
	return tp_drain_pass(drain, true);
}
