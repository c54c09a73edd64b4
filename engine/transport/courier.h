/* The courier: one thread that delivers what travels over emulated links under the real clock. It sleeps until the next
 * arrival, so a message on its way takes no processor from the stages, and sending one is a note to it, never a wait.
 */
#ifndef TP_ENGINE_TRANSPORT_COURIER_H
#define TP_ENGINE_TRANSPORT_COURIER_H

#include <pthread.h>

#include "engine/transport/channel.h"

struct tp_courier {
	struct tp_channel **channels; /* not owned */
	int32_t channel_count, capacity;
	int64_t clock_zero_ns; /* of the run's clock, which messages go by, on the machine's */
	pthread_t thread;
	/* Held by the courier while it delivers, so that nobody else moves a channel's counter meanwhile. Taken before
	 * a waiter's mutex, never after. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool noticed; /* something was sent since the courier looked */
	bool ending;
	bool made, started;
};

/* For at most `capacity` channels. Release with tp_courier_release(), which also stops it; safe after a failure and on
 * a zeroed courier. */
enum tp_status tp_courier_init(struct tp_courier *courier, int32_t capacity, int64_t clock_zero_ns);
void tp_courier_release(struct tp_courier *courier);

/* Before the start: what is sent through the channel goes over this link from now on. */
void tp_courier_attach(struct tp_courier *courier, struct tp_channel *channel, const struct tp_link *link);

enum tp_status tp_courier_start(struct tp_courier *courier);

/* Keep the courier from delivering: for whoever changes what its channels hold other than by sending. */
void tp_courier_lock(struct tp_courier *courier);
void tp_courier_unlock(struct tp_courier *courier);

/* A sender has put something into one of the channels. */
void tp_courier_notice(struct tp_courier *courier);

#endif
