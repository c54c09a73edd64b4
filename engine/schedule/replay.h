/* A listing played out by its dependencies: every rank does what is next in its list as soon as it can. Internal to the
 * verifier. */
#ifndef TP_ENGINE_SCHEDULE_REPLAY_H
#define TP_ENGINE_SCHEDULE_REPLAY_H

#include "engine/schedule/listing.h"

#define TP_REPLAY_UNLIMITED INT64_MAX

struct tp_replay {
	const struct tp_listing *listing;
	/* Rings by boundary: how many messages fit; 0 is rendezvous: a sender waits until its message is taken. */
	int64_t *capacity[2]; /* 0: downstream, 1: upstream */
	int64_t *waiting[2];  /* messages that wait now */
	int64_t *position;    /* next item, per rank, from its first */
	int64_t *offered; /* per rank: the item whose message it still has to place, or has placed and waits for; -1 */
	int64_t *free_at; /* per rank: slot after its latest operation */
	int64_t *forward_end, *backward_end; /* [stage][unit]: slot in which it ended, plus 1; 0: not yet */
	bool *weights_done, *taken[2];       /* [stage][unit]; message taken by its receiver */
	int64_t *start;                      /* per item: its slot; NULL: nobody asks */
};

enum tp_status tp_replay_init(struct tp_replay *replay, const struct tp_listing *listing, int64_t forward_capacity,
                              int64_t backward_capacity);
void tp_replay_release(struct tp_replay *replay);

/* Play on until nothing moves; true when every list is done. Rings may be made longer in between. */
bool tp_replay_run(struct tp_replay *replay);

/* The rank is done, or what keeps it: its item (position), or the message that it offers. */
bool tp_replay_done(const struct tp_replay *replay, int32_t rank);

/* The boundary and direction of the message that an operation of this item sends; false: none. */
bool tp_replay_sends(const struct tp_listing *listing, const struct tp_listed *item, int32_t *boundary, int *direction);

#endif
