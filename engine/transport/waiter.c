#include "engine/transport/waiter.h"

#include <time.h>

#include "engine/base/clock.h"

#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#else
#define RELAX() ((void)0)
#endif

enum tp_status tp_waiter_init(struct tp_waiter *waiter, int64_t spin_ns)
{
	atomic_init(&waiter->signals, 0);
	atomic_init(&waiter->parked, 0);
	waiter->spin_ns = spin_ns;
	pthread_condattr_t attributes;
	if (pthread_mutex_init(&waiter->mutex, NULL) != 0)
		return tp_fail(TP_ERR_NOMEM, "cannot make a mutex");
	bool made = pthread_condattr_init(&attributes) == 0;
	if (made) {
		made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
		       pthread_cond_init(&waiter->wake, &attributes) == 0;
		(void)pthread_condattr_destroy(&attributes);
	}
	if (made)
		return TP_OK;
	(void)pthread_mutex_destroy(&waiter->mutex);
	return tp_fail(TP_ERR_NOMEM, "cannot make a condition variable");
}

void tp_waiter_release(struct tp_waiter *waiter)
{
	(void)pthread_cond_destroy(&waiter->wake);
	(void)pthread_mutex_destroy(&waiter->mutex);
}

void tp_waiter_signal(struct tp_waiter *waiter)
{
	/* Sequentially consistent on both sides: either the waiter sees the new count, or we see that it parks. */
	atomic_fetch_add(&waiter->signals, 1);
	if (atomic_load(&waiter->parked)) {
		(void)pthread_mutex_lock(&waiter->mutex);
		(void)pthread_cond_signal(&waiter->wake);
		(void)pthread_mutex_unlock(&waiter->mutex);
	}
}

static bool spin(struct tp_waiter *waiter, uint32_t count)
{
	int64_t until = waiter->spin_ns > 0 ? tp_now_ns() + waiter->spin_ns : 0;
	while (until > 0) {
		for (int i = 0; i < 64; i++) {
			if (atomic_load_explicit(&waiter->signals, memory_order_acquire) != count)
				return true;
			RELAX();
		}
		if (tp_now_ns() >= until)
			break;
	}
	return false;
}

bool tp_waiter_wait(struct tp_waiter *waiter, uint32_t count, int64_t deadline_ns)
{
	if (atomic_load(&waiter->signals) != count || spin(waiter, count))
		return true;
	struct timespec deadline = {.tv_sec = deadline_ns / TP_NS_PER_S, .tv_nsec = deadline_ns % TP_NS_PER_S};
	bool in_time = true;
	(void)pthread_mutex_lock(&waiter->mutex);
	atomic_store(&waiter->parked, 1);
	while (in_time && atomic_load(&waiter->signals) == count)
		in_time = pthread_cond_timedwait(&waiter->wake, &waiter->mutex, &deadline) == 0;
	atomic_store(&waiter->parked, 0);
	(void)pthread_mutex_unlock(&waiter->mutex);
	return atomic_load(&waiter->signals) != count;
}
