#include "engine/transport/channel.h"

#include "engine/base/memory.h"
#include "engine/transport/courier.h"

enum tp_status tp_channel_init(struct tp_channel *channel, int64_t capacity, struct tp_waiter *receiver)
{
	int64_t size = 1;
	while (size < capacity)
		size *= 2;
	channel->mask = size - 1;
	channel->receiver = receiver;
	channel->courier = NULL;
	channel->marks = NULL;
	channel->way = NULL;
	channel->messages = tp_alloc_array((size_t)size, sizeof *channel->messages);
	tp_channel_reset(channel);
	return channel->messages ? TP_OK : TP_ERR_NOMEM;
}

void tp_channel_release(struct tp_channel *channel)
{
	tp_free(channel->messages);
	channel->messages = NULL;
}

/* Put a message into the ring; false when it is full. */
static bool put(struct tp_channel *channel, const struct tp_message *message)
{
	int64_t sent = atomic_load_explicit(&channel->sent, memory_order_relaxed);
	if (sent - atomic_load_explicit(&channel->received, memory_order_acquire) > channel->mask)
		return false;
	channel->messages[sent & channel->mask] = *message;
	atomic_store_explicit(&channel->sent, sent + 1, memory_order_release);
	return true;
}

enum tp_send tp_channel_send_now(struct tp_channel *channel, const struct tp_message *message)
{
	struct tp_courier *courier = channel->courier;
	/* A courier that looked at the counters just before must not write back what it saw. */
	if (courier)
		tp_courier_lock(courier);
	bool done = put(channel, message);
	if (done)
		atomic_store_explicit(&channel->delivered, atomic_load_explicit(&channel->sent, memory_order_relaxed),
		                      memory_order_release);
	if (courier)
		tp_courier_unlock(courier);
	if (done)
		tp_waiter_signal(channel->receiver);
	return done ? TP_SEND_DONE : TP_SEND_BUSY;
}

enum tp_send tp_channel_send(struct tp_channel *channel, const struct tp_message *message)
{
	if (!channel->courier)
		return tp_channel_send_now(channel, message);
	struct tp_message travelling = *message;
	int64_t free_ns = channel->link_free_ns;
	travelling.sent_ns = message->ready_ns > free_ns ? message->ready_ns : free_ns;
	free_ns = travelling.sent_ns + tp_link_transfer_ns(&channel->link, message->bytes);
	travelling.arrived_ns = free_ns + channel->link.latency_ns;
	if (!put(channel, &travelling))
		return TP_SEND_BUSY;
	channel->link_free_ns = free_ns;
	tp_courier_notice(channel->courier);
	return TP_SEND_DONE;
}

enum tp_send tp_channel_post(struct tp_channel *channel, const struct tp_message *message)
{
	if (!put(channel, message))
		return TP_SEND_BUSY;
	tp_waiter_signal(channel->receiver);
	return TP_SEND_DONE;
}

const struct tp_message *tp_channel_next_posted(struct tp_channel *channel)
{
	if (channel->posted == atomic_load_explicit(&channel->sent, memory_order_acquire))
		return NULL;
	return &channel->messages[channel->posted & channel->mask];
}

const struct tp_message *tp_channel_next_taken(struct tp_channel *channel)
{
	return channel->taken < tp_channel_delivered(channel) ? &channel->messages[channel->taken & channel->mask]
	                                                      : NULL;
}

void tp_channel_deliver(struct tp_channel *channel, int64_t count)
{
	atomic_store_explicit(&channel->delivered, count, memory_order_release);
}

const struct tp_message *tp_channel_peek(struct tp_channel *channel)
{
	int64_t received = atomic_load_explicit(&channel->received, memory_order_relaxed);
	if (received == tp_channel_delivered(channel))
		return NULL;
	return &channel->messages[received & channel->mask];
}

void tp_channel_pop(struct tp_channel *channel)
{
	int64_t received = atomic_load_explicit(&channel->received, memory_order_relaxed);
	atomic_store_explicit(&channel->received, received + 1, memory_order_release);
}

void tp_channel_reset(struct tp_channel *channel)
{
	/* Both sides rest, the courier may not: it would take the old messages for new ones. */
	if (channel->courier)
		tp_courier_lock(channel->courier);
	atomic_store(&channel->sent, 0);
	atomic_store(&channel->delivered, 0);
	atomic_store(&channel->received, 0);
	channel->link_free_ns = 0;
	channel->posted = channel->taken = 0;
	if (channel->courier)
		tp_courier_unlock(channel->courier);
}
