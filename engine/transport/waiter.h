/* How a stage's thread waits for its neighbours: it spins for a moment, in which most waits on an idle core end, then
 * parks. Whoever gives it something to do signals. The signal is a counter read before looking for work, so that a
 * signal between looking and parking is never lost. */
#ifndef TP_ENGINE_TRANSPORT_WAITER_H
#define TP_ENGINE_TRANSPORT_WAITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"

struct tp_waiter {
	_Atomic uint32_t signals;
	_Atomic uint32_t parked; /* 0 or 1 */
	pthread_mutex_t mutex;   /* held only to park and to wake a parked thread */
	pthread_cond_t wake;
	int64_t spin_ns; /* 0: park at once, for when there are more stages than cores */
};

enum tp_status tp_waiter_init(struct tp_waiter *waiter, int64_t spin_ns);
void tp_waiter_release(struct tp_waiter *waiter);

/* From any thread: there may be something to do. */
void tp_waiter_signal(struct tp_waiter *waiter);

/* The count to pass to tp_waiter_wait(); read it before looking for work. */
static inline uint32_t tp_waiter_count(struct tp_waiter *waiter)
{
	return atomic_load(&waiter->signals);
}

/* Block the owning thread until the count differs from `count` or the clock passes `deadline_ns`; false at the
 * deadline. */
bool tp_waiter_wait(struct tp_waiter *waiter, uint32_t count, int64_t deadline_ns);

#endif
