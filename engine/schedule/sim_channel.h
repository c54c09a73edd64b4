/* The way from one simulated stage to a neighbour: messages queue for the link, travel, arrive in order and wait to be
 * taken. The two directions of a boundary are channels of their own and do not disturb each other. */
#ifndef TP_ENGINE_SCHEDULE_SIM_CHANNEL_H
#define TP_ENGINE_SCHEDULE_SIM_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"

/* How long messages of one direction of a boundary take. All zero: no time. */
struct tp_link_cost {
	const int64_t *transfer; /* on the link, by micro-batch or one for the whole; NULL: none */
	int64_t latency;
};

/* When a message was there to be sent, left, and arrived. */
struct tp_sim_message {
	int64_t ready, sent, arrived;
};

struct tp_sim_channel {
	struct tp_link_cost cost;
	struct tp_sim_message *ring; /* as long as what is between sending and taking calls for */
	int64_t mask;
	int64_t sent, arrived, taken; /* messages so far */
	int64_t free_at;              /* the link has sent all it was given */
};

/* Release with tp_sim_channel_release(). */
enum tp_status tp_sim_channel_init(struct tp_sim_channel *channel, struct tp_link_cost cost);
void tp_sim_channel_release(struct tp_sim_channel *channel);

/* A message is ready `now`; `micro` as in actions. */
enum tp_status tp_sim_channel_send(struct tp_sim_channel *channel, int64_t now, int32_t micro);

/* Messages are under way, and when the first of them arrives. */
static inline bool tp_sim_channel_busy(const struct tp_sim_channel *channel)
{
	return channel->arrived < channel->sent;
}
static inline int64_t tp_sim_channel_next(const struct tp_sim_channel *channel)
{
	return channel->ring[channel->arrived & channel->mask].arrived;
}

/* The next message in order; it has arrived. */
static inline struct tp_sim_message tp_sim_channel_take(struct tp_sim_channel *channel)
{
	return channel->ring[channel->taken++ & channel->mask];
}

#endif
