#include "engine/transport/courier.h"

#include <time.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "engine/base/clock.h"
#include "engine/base/memory.h"

/* Nothing is under way: look again only when noticed. */
#define NEVER_NS INT64_MAX

enum tp_status tp_courier_init(struct tp_courier *courier, int32_t capacity, int64_t clock_zero_ns)
{
	*courier = (struct tp_courier){.capacity = capacity, .clock_zero_ns = clock_zero_ns};
	courier->channels = tp_alloc_array((size_t)capacity, sizeof(struct tp_channel *));
	if (!courier->channels)
		return TP_ERR_NOMEM;
	pthread_condattr_t attributes;
	if (pthread_condattr_init(&attributes) != 0)
		return tp_fail(TP_ERR_NOMEM, "cannot make a condition variable");
	courier->made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
	                pthread_mutex_init(&courier->mutex, NULL) == 0;
	if (courier->made && pthread_cond_init(&courier->changed, &attributes) != 0) {
		(void)pthread_mutex_destroy(&courier->mutex);
		courier->made = false;
	}
	(void)pthread_condattr_destroy(&attributes);
	return courier->made ? TP_OK : tp_fail(TP_ERR_NOMEM, "cannot make a condition variable");
}

void tp_courier_lock(struct tp_courier *courier)
{
	(void)pthread_mutex_lock(&courier->mutex);
}

void tp_courier_unlock(struct tp_courier *courier)
{
	(void)pthread_mutex_unlock(&courier->mutex);
}

static void stop(struct tp_courier *courier)
{
	tp_courier_lock(courier);
	courier->ending = true;
	(void)pthread_cond_signal(&courier->changed);
	tp_courier_unlock(courier);
	(void)pthread_join(courier->thread, NULL);
	courier->started = false;
}

void tp_courier_release(struct tp_courier *courier)
{
	if (courier->started)
		stop(courier);
	if (courier->made) {
		(void)pthread_cond_destroy(&courier->changed);
		(void)pthread_mutex_destroy(&courier->mutex);
	}
	tp_free(courier->channels);
	*courier = (struct tp_courier){0};
}

void tp_courier_attach(struct tp_courier *courier, struct tp_channel *channel, const struct tp_link *link)
{
	TP_CHECK(courier->channel_count < courier->capacity && !courier->started);
	courier->channels[courier->channel_count++] = channel;
	channel->courier = courier;
	channel->link = *link;
}

void tp_courier_notice(struct tp_courier *courier)
{
	tp_courier_lock(courier);
	courier->noticed = true;
	(void)pthread_cond_signal(&courier->changed);
	tp_courier_unlock(courier);
}

/* Deliver what has arrived by now; returns when the next one of the channel does, on the machine's clock. */
static int64_t deliver_due(const struct tp_courier *courier, struct tp_channel *channel)
{
	int64_t sent = atomic_load_explicit(&channel->sent, memory_order_acquire), next_ns = NEVER_NS;
	int64_t delivered = atomic_load_explicit(&channel->delivered, memory_order_relaxed), first = delivered;
	while (delivered < sent && next_ns == NEVER_NS) {
		int64_t due_ns = courier->clock_zero_ns + channel->messages[delivered & channel->mask].arrived_ns;
		if (due_ns > tp_now_ns())
			next_ns = due_ns;
		else
			delivered++;
	}
	if (delivered > first) {
		atomic_store_explicit(&channel->delivered, delivered, memory_order_release);
		tp_waiter_signal(channel->receiver);
	}
	return next_ns;
}

static int64_t deliver_all_due(const struct tp_courier *courier)
{
	int64_t next_ns = NEVER_NS;
	for (int32_t i = 0; i < courier->channel_count; i++) {
		int64_t due_ns = deliver_due(courier, courier->channels[i]);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	return next_ns;
}

/* Holding the mutex: sleep until `next_ns`, or until something is noticed. */
static void rest(struct tp_courier *courier, int64_t next_ns)
{
	struct timespec deadline = {.tv_sec = next_ns / TP_NS_PER_S, .tv_nsec = next_ns % TP_NS_PER_S};
	bool in_time = true;
	while (in_time && !courier->noticed && !courier->ending)
		in_time = next_ns == NEVER_NS
		                  ? pthread_cond_wait(&courier->changed, &courier->mutex) == 0
		                  : pthread_cond_timedwait(&courier->changed, &courier->mutex, &deadline) == 0;
	courier->noticed = false;
}

/* Linux lets a thread sleep up to 50 us too long unless it asks otherwise, which is as long as a link's latency. */
static void wake_on_time(void)
{
#ifdef __linux__
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* ns; of this thread alone */
#endif
}

static void *courier_main(void *argument)
{
	struct tp_courier *courier = argument;
	wake_on_time();
	tp_courier_lock(courier);
	while (!courier->ending)
		rest(courier, deliver_all_due(courier));
	tp_courier_unlock(courier);
	return NULL;
}

enum tp_status tp_courier_start(struct tp_courier *courier)
{
	courier->started = pthread_create(&courier->thread, NULL, courier_main, courier) == 0;
	return courier->started ? TP_OK : tp_fail(TP_ERR_NOMEM, "cannot start the courier's thread");
}
