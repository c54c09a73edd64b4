#include "engine/transport/channel.h"

#include "engine/base/memory.h"

enum tp_status tp_channel_init(struct tp_channel *channel, int64_t capacity, struct tp_waiter *receiver)
{
	int64_t size = 1;
	while (size < capacity)
		size *= 2;
	channel->mask = size - 1;
	channel->receiver = receiver;
	channel->messages = tp_alloc_array((size_t)size, sizeof *channel->messages);
	tp_channel_reset(channel);
	return channel->messages ? TP_OK : TP_ERR_NOMEM;
}

void tp_channel_release(struct tp_channel *channel)
{
	tp_free(channel->messages);
	channel->messages = NULL;
}

enum tp_send tp_channel_send(struct tp_channel *channel, const struct tp_message *message)
{
	int64_t sent = atomic_load_explicit(&channel->sent, memory_order_relaxed);
	if (sent - atomic_load_explicit(&channel->received, memory_order_acquire) > channel->mask)
		return TP_SEND_BUSY;
	channel->messages[sent & channel->mask] = *message;
	atomic_store_explicit(&channel->sent, sent + 1, memory_order_release);
	tp_waiter_signal(channel->receiver);
	return TP_SEND_DONE;
}

const struct tp_message *tp_channel_peek(struct tp_channel *channel)
{
	int64_t received = atomic_load_explicit(&channel->received, memory_order_relaxed);
	if (received == atomic_load_explicit(&channel->sent, memory_order_acquire))
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
	atomic_store(&channel->sent, 0);
	atomic_store(&channel->received, 0);
}
