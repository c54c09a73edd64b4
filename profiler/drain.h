/* Emptying rings that are shorter than an epoch: a thread that looks at them every few milliseconds and hands what it
 * finds to a sink, so that the writers neither wait nor drop while it keeps up. */
#ifndef TP_PROFILER_DRAIN_H
#define TP_PROFILER_DRAIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "profiler/recorder.h"

struct tp_drain {
	struct tp_recorder **recorders; /* one per stage; not owned, nor is the array */
	int32_t count;
	struct tp_record_sink sink;
	/* Told of the sink's first failure, on the thread that found it, whose detail says why. */
	void (*failed)(void *context, enum tp_status status);
	void *context;
	int32_t epoch;
	enum tp_status status; /* of the epoch so far; after a failure records pile up and are dropped */
	pthread_t thread;
	bool running;
	_Atomic bool stop;
};

/* Hand over what is in the rings that are at least half full, or with `all` in any. By one thread at a time. */
enum tp_status tp_drain_pass(struct tp_drain *drain, bool all);

/* The thread that does so until it is stopped; stopping hands over the rest. TP_ERR_NOMEM when it cannot be made; the
 * status of the epoch. */
enum tp_status tp_drain_start(struct tp_drain *drain);
enum tp_status tp_drain_stop(struct tp_drain *drain);

#endif
