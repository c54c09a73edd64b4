/* A schedule as lists: for each rank the operations it does, in order. What the verifier checks and replays; made from
 * a policy's slot plan, or read from a file. */
#ifndef TP_ENGINE_SCHEDULE_LISTING_H
#define TP_ENGINE_SCHEDULE_LISTING_H

#include "engine/base/text.h"
#include "engine/schedule/simulator.h"

enum tp_listed_what {
	TP_LISTED_OPERATION, /* `kind` says which */
	TP_LISTED_SEND_F,    /* the output of a forward, to the next stage; and its arrival there */
	TP_LISTED_RECV_F,
	TP_LISTED_SEND_B, /* the input gradient of a backward, to the stage before; and its arrival there */
	TP_LISTED_RECV_B,
};

struct tp_listed {
	enum tp_listed_what what;
	enum tp_op_kind kind; /* F, B, BX or BW */
	int32_t stage;
	int32_t micro; /* or TP_WHOLE */
	int64_t mini;  /* 1-based */
	/* Only where versions are known (tp_listing.versions). */
	int64_t version_read;
	int32_t versions_alive; /* that the stage holds when the operation has ended */
	bool updates;           /* an update follows */
};

struct tp_listing {
	int32_t ranks, stages;
	int32_t forwards_per_mini, backwards_per_mini;
	int64_t minis;
	bool versions;
	int64_t *first; /* of rank r's items: [first[r], first[r + 1]) */
	struct tp_listed *items;
	int32_t *rank_of_stage;
};

/* The slot plan of one epoch. TP_ERR_NOMEM, or what the simulator says. Release with tp_listing_release(). */
enum tp_status tp_listing_from_pipeline(const struct tp_pipeline *pipeline, struct tp_listing *listing);

/* A file in the form of PyTorch's pipelining CSV: a row for each rank, a cell for each step, `0F3` the forward of
 * micro-batch 3 at stage 0, B a backward, I and W its input and weight part, SEND_F, RECV_F, SEND_B, RECV_B,
 * `(0F1;1B0)OVERLAP_F_B` two in one step; UNSHARD, RESHARD and REDUCE_GRAD are passed over. One mini-batch.
 * TP_ERR_INPUT names the file, row, column, what was expected and what was found. */
enum tp_status tp_listing_read_csv(const char *path, struct tp_listing *listing);
enum tp_status tp_listing_parse_csv(const char *file_name, const char *text, struct tp_listing *listing);

void tp_listing_release(struct tp_listing *listing);

/* An item as grids write it: `1A`, `1`, `1a`, `1a'`, with the stage before it (`2:1A`) where ranks hold several; sends
 * and receives as `1A>` and `>1A`. */
void tp_listed_token(const struct tp_listing *listing, const struct tp_listed *item, struct tp_text *text);

/* Index of an item's unit among the forwards (for F, SEND_F, RECV_F) or backwards of its stage, 0-based. */
int64_t tp_listed_unit(const struct tp_listing *listing, const struct tp_listed *item);

#endif
