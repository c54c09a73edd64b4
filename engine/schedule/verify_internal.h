/* What the parts of the verifier share: where everything stands in the lists, and the replay. */
#ifndef TP_ENGINE_SCHEDULE_VERIFY_INTERNAL_H
#define TP_ENGINE_SCHEDULE_VERIFY_INTERNAL_H

#include "engine/schedule/verify.h"

/* What must be there once per stage and unit. A whole backward is both its parts. */
enum tp_listed_class {
	TP_CLASS_FORWARD,
	TP_CLASS_BACKWARD, /* B or BX */
	TP_CLASS_WEIGHTS,  /* B or BW; empty unless the listing is split */
	TP_CLASS_SEND_F,   /* and the rest empty unless messages are named */
	TP_CLASS_RECV_F,
	TP_CLASS_SEND_B,
	TP_CLASS_RECV_B,
	TP_CLASSES
};

/* Messages of one boundary in one direction, between two ranks; none within one. */
struct tp_verify_channel {
	int32_t from_rank, to_rank;
	int64_t messages;
	int64_t *sends, *takes; /* positions in the lists, in the order of the lists */
};

struct tp_verify_index {
	const struct tp_listing *listing;
	int32_t per_mini[TP_CLASSES];
	int64_t size[TP_CLASSES], offset[TP_CLASSES], stride; /* of one stage */
	int32_t *rank_of;                                     /* by stage; -1: nowhere */
	int64_t *at;   /* by stage * stride + offset + unit: position in the list + 1; 0: not there */
	int64_t *base; /* per rank: entries of the ranks before; [ranks]: of all */
	struct tp_verify_channel *channels; /* [s] forward from s to s + 1, [stages - 1 + s] backward from s + 1 to s */
};

/* A place in the lists. */
struct tp_listed_place {
	int32_t rank;
	int64_t step;
};

static inline const struct tp_listed *tp_listed_at(const struct tp_listing *listing, struct tp_listed_place place)
{
	return &listing->lists[place.rank].ops[place.step];
}

/* Position in the mini-batch: the whole is its only unit. */
static inline int32_t tp_listed_unit(int32_t micro)
{
	return micro == TP_WHOLE ? 0 : micro;
}

/* Of a stage's unit, which must be there. */
static inline struct tp_listed_place tp_verify_find(const struct tp_verify_index *index, int32_t stage,
                                                    enum tp_listed_class group, int64_t mini, int32_t micro)
{
	int64_t unit = (mini - 1) * index->per_mini[group] + tp_listed_unit(micro);
	int64_t at = index->at[stage * index->stride + index->offset[group] + unit];
	TP_CHECK(at > 0);
	return (struct tp_listed_place){index->rank_of[stage], at - 1};
}

/* The channel that an entry sends on, or takes from; -1: none. */
int32_t tp_verify_sends_on(const struct tp_verify_index *index, const struct tp_listed *op);
int32_t tp_verify_takes_from(const struct tp_verify_index *index, const struct tp_listed *op);

/* Find everything, or the first fault: of place, twice, missing or order. TP_ERR_NOMEM. */
enum tp_status tp_verify_index_init(struct tp_verify_index *index, const struct tp_listing *listing,
                                    struct tp_fault *fault);
void tp_verify_index_release(struct tp_verify_index *index);

struct tp_replay_rank {
	int64_t step; /* next entry, or the one whose message waits for a place */
	int64_t time;
	bool computed; /* the entry has run, its message is not away */
	int32_t waits_for;
	int32_t first_waiter, next_waiter; /* ranks that wait for this one, a list; -1 ends it */
};

struct tp_replay_channel {
	int64_t capacity; /* -1: no limit; 0: rendezvous */
	int64_t sent, taken;
	/* When message n was taken, at [n % (capacity + 1)]: its receiver may take one more than the ring holds, the
	 * one that its sender has in hand. NULL without a limit. */
	int64_t *freed;
};

struct tp_replay {
	const struct tp_verify_index *index;
	struct tp_replay_rank *ranks;
	struct tp_replay_channel *channels;
	int32_t *ready; /* stack of ranks to look at */
	int32_t ready_count;
	int64_t *end; /* by index->base[rank] + step */
	int64_t makespan;
	bool finished; /* all lists are through */
};

/* Replay with a capacity per channel (NULL: no limits); then see `finished`. TP_ERR_NOMEM. */
enum tp_status tp_replay_run(struct tp_replay *replay, const struct tp_verify_index *index, const int64_t *capacity);
void tp_replay_release(struct tp_replay *replay);
/* Why it is not finished. */
void tp_replay_explain(const struct tp_replay *replay, struct tp_fault *fault);

static inline int64_t tp_replay_end(const struct tp_replay *replay, struct tp_listed_place place)
{
	return replay->end[replay->index->base[place.rank] + place.step];
}
static inline int64_t tp_replay_start(const struct tp_replay *replay, struct tp_listed_place place)
{
	const struct tp_listed *op = tp_listed_at(replay->index->listing, place);
	return tp_replay_end(replay, place) - tp_listed_computes(op->kind);
}

/* Versions at every stage; leaves `fault` alone when they agree. */
enum tp_status tp_verify_versions(const struct tp_verify_index *index, struct tp_fault *fault);

/* Record a fault at a place: "stage 1, step 3 (2A): " and then the text. `stage` names the stage where the step is
 * beyond the list. */
void tp_fault_set(struct tp_fault *fault, const struct tp_listing *listing, enum tp_fault_kind kind,
                  struct tp_listed_place place, int32_t stage, const char *fmt, ...) TP_PRINTF(6, 7);

/* "2A of stage 1", for texts. Returns `out`. */
char *tp_listed_name(const struct tp_listed *op, char *out, size_t size);

#endif
