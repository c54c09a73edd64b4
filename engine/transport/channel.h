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

struct tp_mark;
struct tp_link_way;

/* Moments of a message between devices that work on their own, made for a place in the queue and recorded anew for
 * every message that lies there. */
struct tp_message_marks {
	struct tp_mark *ready;           /* the sender has it */
	struct tp_mark *began, *arrived; /* of the copy; NULL where nothing is copied */
};

struct tp_message {
	int64_t mini;  /* 1-based in the epoch */
	int32_t micro; /* or TP_WHOLE */
	int64_t bytes;
	const void *activation; /* downstream: the sender's mini-batch buffer of its output, first sample */
	void *gradient;         /* downstream: where the receiver is to write the gradient of all of it */
	int64_t ready_ns, sent_ns, arrived_ns; /* on the run's clock; not of a message with marks: */
	const struct tp_message_marks *marks;  /* NULL: what is sent is there */
};

struct tp_courier;

struct tp_channel {
	struct tp_message *messages; /* a ring */
	int64_t mask;
	struct tp_waiter *receiver; /* signalled by a delivery; not owned */
	struct tp_courier *courier; /* NULL: what is sent is there; not owned */
	struct tp_link link;        /* with a courier; one direction */
	int64_t link_free_ns;       /* sender's: when the link has sent all it was given, on the run's clock */
	/* Between devices that work on their own, see engine/run/flight.h; the receiver's counts: */
	struct tp_message_marks *marks; /* one for each place; NULL: blocking devices; not owned */
	struct tp_link_way *way;        /* that messages are carried on; not owned */
	int64_t posted;                 /* messages whose copy the receiver has asked for */
	int64_t taken;                  /* messages whose operation was issued; received when it is over */
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

/* Between devices that work on their own: the marks of the next message, to be recorded before it is put into the
 * queue; and put it there. It is delivered when the receiver says so, which may ask for a copy first. */
static inline const struct tp_message_marks *tp_channel_next_marks(const struct tp_channel *channel)
{
	return &channel->marks[atomic_load_explicit(&channel->sent, memory_order_relaxed) & channel->mask];
}
enum tp_send tp_channel_post(struct tp_channel *channel, const struct tp_message *message);

/* Receiver's side of the same: the next message to ask for, or NULL; the next one to take, once delivered. */
const struct tp_message *tp_channel_next_posted(struct tp_channel *channel);
const struct tp_message *tp_channel_next_taken(struct tp_channel *channel);
/* `count` messages are delivered since the beginning. */
void tp_channel_deliver(struct tp_channel *channel, int64_t count);

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
