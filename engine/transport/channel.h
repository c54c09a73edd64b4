/* A bounded queue of messages with one sending and one receiving thread, between neighbouring stages and in one
 * direction. Between threads a message hands a pointer over: the buffer stays its owner's until the answer (the
 * gradient for an activation) has come back, which the in-flight limit bounds; nothing is copied.
 *
 * Over an emulated link (courier.h) a message lies in the queue from its sending, and the receiver sees it when it has
 * arrived. */
#ifndef TP_ENGINE_TRANSPORT_CHANNEL_H
#define TP_ENGINE_TRANSPORT_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/config/link.h"
#include "engine/transport/waiter.h"

struct tp_message {
	int64_t mini;  /* 1-based in the epoch */
	int32_t micro; /* or TP_WHOLE */
	int64_t bytes;
	const void *activation; /* downstream: the sender's mini-batch buffer of its output, first sample */
	void *gradient;         /* downstream: where the receiver is to write the gradient of all of it */
	int64_t ready_ns, sent_ns, arrived_ns; /* on the run's clock */
};

struct tp_courier;

struct tp_channel {
	struct tp_message *messages; /* a ring */
	int64_t mask;
	struct tp_waiter *receiver; /* signalled by a delivery; not owned */
	struct tp_courier *courier; /* NULL: what is sent is there; not owned */
	struct tp_link link;        /* with a courier; one direction */
	int64_t link_free_ns;       /* sender's: when the link has sent all it was given, on the run's clock */
	/* The counters lie on cache lines of their own: each is written by one side. */
	_Alignas(64) _Atomic int64_t sent;      /* in the ring */
	_Alignas(64) _Atomic int64_t delivered; /* of those, arrived */
	_Alignas(64) _Atomic int64_t received;
};

enum tp_send { TP_SEND_DONE, TP_SEND_BUSY /* full: try again later */ };

/* `capacity` messages at least. Release with tp_channel_release(); safe after a failure. */
enum tp_status tp_channel_init(struct tp_channel *channel, int64_t capacity, struct tp_waiter *receiver);
void tp_channel_release(struct tp_channel *channel);

/* Sender's side. Never waits. Over an emulated link the message's sent_ns and arrived_ns are those of the link: it
 * leaves when those before it have, and arrives a transfer and a latency later. */
enum tp_send tp_channel_send(struct tp_channel *channel, const struct tp_message *message);
/* The same past any emulated link, while none of its messages is under way. */
enum tp_send tp_channel_send_now(struct tp_channel *channel, const struct tp_message *message);

/* Receiver's side: messages delivered since the beginning; the next one, or NULL; and done with the next one. */
static inline int64_t tp_channel_delivered(struct tp_channel *channel)
{
	return atomic_load_explicit(&channel->delivered, memory_order_acquire);
}
const struct tp_message *tp_channel_peek(struct tp_channel *channel);
void tp_channel_pop(struct tp_channel *channel);

/* While both sides rest: forget everything, for a new epoch. */
void tp_channel_reset(struct tp_channel *channel);

#endif
