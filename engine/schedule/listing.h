/* A schedule as lists: what every rank does, in order, with nothing left to choose. A policy laid out on ideal slots
 * becomes one, and so does a file of somebody else's; the verifier and the drawing below take either. */
#ifndef TP_ENGINE_SCHEDULE_LISTING_H
#define TP_ENGINE_SCHEDULE_LISTING_H

#include "engine/base/text.h"
#include "engine/schedule/progress.h"

enum tp_listed_kind {
	TP_LISTED_F,
	TP_LISTED_B,
	TP_LISTED_BX, /* of a split backward, the input part */
	TP_LISTED_BW, /* and the weight part */
	/* Messages, where a list names them: SEND_F of stage s goes to s + 1, RECV_F of s comes from s - 1; B the other
	 * way round. They take no time. */
	TP_LISTED_SEND_F,
	TP_LISTED_RECV_F,
	TP_LISTED_SEND_B,
	TP_LISTED_RECV_B,
	TP_LISTED_IDLE, /* nothing, or nothing that matters here */
	TP_LISTED_KINDS
};

/* "F", "B", "BX", "BW", "SEND_F", ... */
const char *tp_listed_kind_text(enum tp_listed_kind kind);

static inline bool tp_listed_computes(enum tp_listed_kind kind)
{
	return kind <= TP_LISTED_BW;
}

struct tp_listed {
	enum tp_listed_kind kind;
	int32_t stage;
	int32_t micro;                      /* 0-based, or TP_WHOLE */
	int32_t versions_alive;             /* at the stage when the operation ended, its update included */
	int64_t mini;                       /* 1-based */
	int64_t version_read, version_live; /* when it began; counted over the epoch */
	int32_t column;                     /* of the file it was read from, 1-based; 0: none */
	bool updates;                       /* the update of its mini-batch follows */
};

struct tp_listed_rank {
	struct tp_listed *ops;
	int64_t count, capacity;
};

struct tp_listing {
	int32_t ranks, stages;
	int32_t micro_batches;      /* forwards per mini-batch */
	int32_t backwards_per_mini; /* as many, or one for the whole */
	int64_t minis;
	bool names_stages;        /* some stages do not stand on the rank of their number: tokens carry them */
	bool split;               /* some backwards come as BX and BW */
	bool names_messages;      /* SEND and RECV are listed: nothing is sent but by them */
	bool knows_versions;      /* the version fields hold something */
	bool reads_lag;           /* forwards read two updates behind, so that two versions outlast an epoch */
	int64_t max_staleness;    /* --max-staleness: a backward at the last stage waits for its commit; 0: none */
	int64_t oldest_version;   /* that may be read: 0, or less where the epoch before left older ones */
	int32_t *versions_at_end; /* per stage, once drained; NULL unless knows_versions */
	struct tp_listed_rank *lists;
};

/* Make room for so many ranks with empty lists; the other fields are the caller's. */
enum tp_status tp_listing_init(struct tp_listing *listing, int32_t ranks);
enum tp_status tp_listing_add(struct tp_listing *listing, int32_t rank, const struct tp_listed *op);
void tp_listing_release(struct tp_listing *listing);

/* The slot plan of one epoch, a rank per stage. Release with tp_listing_release(); on failure nothing is left. */
enum tp_status tp_listing_from_pipeline(const struct tp_pipeline *pipeline, struct tp_listing *listing);

/* Add the token of one operation: `1A`, `1`, `1a`, `1a'`; `stage:` before it when `with_stage`; `SEND_F1A` and the like
 * for messages. */
void tp_listed_token(const struct tp_listed *op, bool with_stage, struct tp_text *text);

#endif
