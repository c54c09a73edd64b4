/* Is a schedule sound? A replay of its lists that knows nothing of policies or of the simulator: every operation is
 * there once, what it needs comes, messages come in the order they are taken, stages hold no more than they may, and
 * weight versions exist when they are read. It also says how long the rings between neighbours must be.
 *
 * In the replay every operation takes one slot, updates and messages none, and a rank begins its next operation as soon
 * as it can. A message is sent when its operation ends and leaves the ring when the operation that wants it begins;
 * stages of one rank exchange nothing. Time and memory grow linearly with the operations. */
#ifndef TP_ENGINE_SCHEDULE_VERIFY_H
#define TP_ENGINE_SCHEDULE_VERIFY_H

#include "engine/schedule/listing.h"

enum tp_fault_kind {
	TP_FAULT_NONE,
	TP_FAULT_PLACE,     /* an operation that the pipeline does not have, or a stage on two ranks */
	TP_FAULT_TWICE,     /* an operation a second time */
	TP_FAULT_MISSING,   /* an operation or message that never comes; the step is the end of the list */
	TP_FAULT_ORDER,     /* messages are not taken in the order they are sent, or outside send and receive */
	TP_FAULT_DEADLOCK,  /* waits for what waits for it */
	TP_FAULT_RING,      /* the same, because a ring is full */
	TP_FAULT_IN_FLIGHT, /* a stage holds more than it may */
	TP_FAULT_UPDATE,  /* an update that is not due, or none where it is, or a live version that it does not explain
	                   */
	TP_FAULT_VERSION, /* reads a version that is not there yet, or no more */
	TP_FAULT_ALIVE,   /* more versions are needed than are said to be alive, or some are never let go */
	TP_FAULT_KINDS
};

/* "deadlock", ... */
const char *tp_fault_kind_text(enum tp_fault_kind kind);

enum { TP_FAULT_TEXT_BYTES = 384 };

struct tp_fault {
	enum tp_fault_kind kind;
	int32_t rank, stage;
	int64_t step; /* 0-based, in the list of the rank */
	char text[TP_FAULT_TEXT_BYTES];
};

struct tp_verify_limits {
	int64_t ring_forward, ring_backward; /* messages that the ring of every boundary holds; both 0: no limit */
	const int64_t *mini_limit;           /* per stage: mini-batches in flight at most; NULL: no limit */
	const int64_t *micro_limit;          /* and micro-batches; a split backward ends with its weight part */
};

struct tp_verify_report {
	bool ok;
	int64_t ring_forward, ring_backward; /* as in the limits */
	struct tp_fault fault;               /* the first one */
	/* What follows is known as far as the checks came: `replayed` without a fault before or in the replay. */
	bool replayed;
	int32_t stages;
	int64_t operations; /* that compute */
	int64_t makespan;   /* slots, no limit to the rings */
	/* Per boundary s to s + 1: smallest ring with which no stage ever waits for a place; 0 within a rank. */
	int64_t *min_ring_forward, *min_ring_backward;
	/* Per stage, most at once. Mini-batches count from their first forward to their last backward. */
	int64_t *minis_in_flight_max, *micros_in_flight_max;
	int32_t *versions_alive_max; /* as listed; 0 when unknown */
	bool rendezvous_ok;          /* also runs when every sender waits for its receiver */
	struct tp_fault rendezvous;  /* else where that sticks */
};

/* TP_OK whether or not the schedule is sound, see `report->ok`; TP_ERR_NOMEM. Release with tp_verify_release(). */
enum tp_status tp_verify(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                         struct tp_verify_report *report);
void tp_verify_release(struct tp_verify_report *report);

/* Add the fault and the lists of all ranks around it, about 12 steps of each, the place marked >token<. Adds nothing
 * when there is none. */
enum tp_status tp_verify_explain(const struct tp_listing *listing, const struct tp_verify_report *report,
                                 struct tp_text *text);

/* Add the replay as a grid: a line per rank, a token per slot, `.` idle, without messages. TP_ERR_INPUT when it
 * deadlocks. */
enum tp_status tp_listing_grid(const struct tp_listing *listing, struct tp_text *text);

/* The same with the in-flight limits of a policy. */
enum tp_status tp_verify_pipeline(const struct tp_pipeline *pipeline, const struct tp_listing *listing,
                                  int64_t ring_forward, int64_t ring_backward, struct tp_verify_report *report);

#endif
