#include "engine/schedule/sim_channel.h"

#include "engine/base/memory.h"
#include "profiler/records.h" /* TP_WHOLE */

enum { FIRST_LENGTH = 4 };

enum tp_status tp_sim_channel_init(struct tp_sim_channel *channel, struct tp_link_cost cost)
{
	*channel = (struct tp_sim_channel){.cost = cost, .mask = FIRST_LENGTH - 1};
	channel->ring = tp_alloc_array(FIRST_LENGTH, sizeof *channel->ring);
	return channel->ring ? TP_OK : TP_ERR_NOMEM;
}

void tp_sim_channel_release(struct tp_sim_channel *channel)
{
	tp_free(channel->ring);
	*channel = (struct tp_sim_channel){0};
}

static enum tp_status grow(struct tp_sim_channel *channel)
{
	int64_t mask = 2 * channel->mask + 1;
	struct tp_sim_message *ring = tp_alloc_array((size_t)mask + 1, sizeof *ring);
	if (!ring)
		return TP_ERR_NOMEM;
	for (int64_t i = channel->taken; i < channel->sent; i++)
		ring[i & mask] = channel->ring[i & channel->mask];
	tp_free(channel->ring);
	channel->ring = ring;
	channel->mask = mask;
	return TP_OK;
}

enum tp_status tp_sim_channel_send(struct tp_sim_channel *channel, int64_t now, int32_t micro)
{
	if (channel->sent - channel->taken > channel->mask)
		TP_TRY(grow(channel));
	int64_t transfer = channel->cost.transfer ? channel->cost.transfer[micro == TP_WHOLE ? 0 : micro] : 0;
	struct tp_sim_message message = {.ready = now, .sent = now > channel->free_at ? now : channel->free_at};
	channel->free_at = message.sent + transfer;
	message.arrived = channel->free_at + channel->cost.latency;
	channel->ring[channel->sent++ & channel->mask] = message;
	return TP_OK;
}
