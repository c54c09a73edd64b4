/* The verifier: is a schedule, as lists of operations, sound? It replays the lists by itself, by their dependencies
 * alone; neither the simulator nor the drivers have a part in it. */
#ifndef TP_ENGINE_SCHEDULE_VERIFY_H
#define TP_ENGINE_SCHEDULE_VERIFY_H

#include "engine/schedule/listing.h"

enum tp_fault {
	TP_FAULT_NONE,
	TP_FAULT_TWICE,     /* an operation is listed more than once */
	TP_FAULT_MISSING,   /* or not at all */
	TP_FAULT_STUCK,     /* waits for what never comes: a wrong order, or a circle of ranks */
	TP_FAULT_RING,      /* stands still because a message finds no place */
	TP_FAULT_MESSAGE,   /* a send without its receive, a receive without its send, or out of order */
	TP_FAULT_IN_FLIGHT, /* a stage holds more than its limit */
	TP_FAULT_VERSION,   /* reads a version that is not made yet, or that is not kept */
};

struct tp_verify_limits {
	const int64_t *ring_forward, *ring_backward; /* messages that wait at most, per boundary; NULL: any number */
	const int64_t *mini_limit;           /* in flight, per stage; NULL: none */
	const int64_t *micro_limit;
	const int32_t *version_limit; /* versions kept, per stage; NULL: none */
};

struct tp_verify_report {
	enum tp_fault fault; /* the first one found; where: */
	int32_t rank;
	int64_t step;      /* in the rank's list, 0-based */
	char reason[256];  /* what was expected and what was found */
	int64_t *position; /* of every rank when it stood still */
	/* Information; valid when there is no fault. */
	bool rendezvous; /* runs when a sender waits until its message is taken */
	int32_t rendezvous_rank;
	int64_t rendezvous_step;                     /* where it stands still, if it does */
	int64_t *ring_forward, *ring_backward;       /* per boundary: the smallest rings found that suffice, together */
	int64_t *minis_in_flight, *micros_in_flight; /* per stage, at most */
	int64_t makespan; /* slots */
	int32_t *versions;                           /* per stage: needed at once at most; 0 when not known */
};

/* TP_OK with the verdict in `report`; TP_ERR_NOMEM. Release with tp_verify_release(). */
enum tp_status tp_verify(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                         struct tp_verify_report *report);
void tp_verify_release(struct tp_verify_report *report);

/* The fault in words, and the lists around it: a line for each rank near it, the item marked. */
void tp_verify_explain(const struct tp_listing *listing, const struct tp_verify_report *report, struct tp_text *text);

/* The listing in slots: every operation takes one, messages none; a line for each rank. A listing that stands still is
 * drawn as far as it comes. */
enum tp_status tp_listing_grid(const struct tp_listing *listing, struct tp_text *text);

#endif
