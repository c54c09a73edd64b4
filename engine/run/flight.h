/* Operations in flight at a stage whose device works on its own: issued by the stage's thread, not known to be over.
 * The thread runs ahead of the device, so while it issues an operation nobody knows when it begins or ends. What is
 * recorded meanwhile carries stamps in place of times: numbers of moments on the device's compute stream, each with a
 * mark. When the marks of an operation have been reached its records are completed with the times of the marks and
 * handed on, in order: a harvest.
 *
 * Under static order the thread runs ahead as far as there are marks. Where what is chosen next depends on what has
 * happened (dynamic order, a staleness bound) it settles each operation before it goes on.
 *
 * Used by the stage's thread alone; nothing here is called while flight->ops is NULL, but init, release and the ends of
 * an epoch. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_FLIGHT_H
#define TP_ENGINE_RUN_FLIGHT_H

#include "engine/backend/device.h"
#include "engine/transport/channel.h"
#include "profiler/recorder.h"

/* Messages whose operations are in flight at a stage, at most. */
#define TP_FLIGHT_MESSAGES 128

struct tp_worker;
struct tp_action;

/* A message that an operation consumed. */
struct tp_noted_message {
	struct tp_message message; /* its marks stay until the channel's place is received */
	struct tp_channel *channel;
	int64_t taken; /* stamp */
};

/* Marks of a slot: what may be read or written no more before it is used again. */
struct tp_slot_marks {
	struct tp_mark *room;        /* its last operation is over */
	struct tp_mark *left;        /* the gradient that was sent from it has been read */
	struct tp_mark *output_left; /* so has its output, where the sender takes part in that; else never recorded */
	bool given_back, sent;
};

struct tp_flight {
	const struct tp_async_ops *ops; /* NULL: the device is blocking, and nothing is ever in flight */
	struct tp_device *device;
	bool runs_ahead;
	bool stares;            /* may keep a core busy while it waits for the device */
	struct tp_mark **marks; /* by stamp, a ring */
	int64_t mask;
	int64_t next;      /* stamp */
	int64_t settled;   /* stamps below this were read for the last time */
	int64_t harvested; /* operations */
	/* Records with stamps for times; its rings lie in one piece of memory. */
	struct tp_recorder noted;
	void *memory;
	struct tp_noted_message *messages; /* a ring as long as that of the marks */
	int64_t message_first, message_end;
	struct tp_slot_marks *slots;
	int64_t peak_bytes, peak_ns; /* of the stage's memory, as harvested */
	enum tp_status failure;      /* of the device or a link; the thread's detail says why */
};

/* For a stage that is laid out, and the channels that lead to it, whose marks are made here. `worker` is complete but
 * for this. Nothing on a blocking device. Release before any stage is; safe after a failure. */
enum tp_status tp_flight_init(struct tp_worker *worker);
void tp_flight_release(struct tp_worker *worker);

/* On the stage's thread, around an epoch: from here on its records carry stamps, and from here on times again. */
void tp_flight_begin_epoch(struct tp_worker *worker);
void tp_flight_end_epoch(struct tp_worker *worker);

/* A moment of the compute stream: after all that was issued so far. */
int64_t tp_flight_stamp(struct tp_flight *flight);

/* Before an operation is issued: wait (on the host) until there are marks for it, then let the device wait for its
 * message and for what its slot was used for before. */
enum tp_status tp_flight_begin(struct tp_worker *worker, const struct tp_action *action);

/* What is issued from here on belongs to the operation that is recorded next. */
void tp_flight_tell(struct tp_worker *worker);

/* Where nothing may run ahead: wait until all that was issued is over. */
enum tp_status tp_flight_settle(struct tp_worker *worker);
/* Wait until all is over and harvested, at the end of an epoch. */
enum tp_status tp_flight_land(struct tp_worker *worker);

/* Whatever can be done now: harvest, ask for copies of messages that have come, deliver. Failures are kept in
 * flight->failure. */
void tp_flight_service(struct tp_worker *worker);

/* The message of an operation that was delivered, as take_message() wants it: note it and connect its slot. */
struct tp_activation_slot;
void tp_flight_take(struct tp_worker *worker, struct tp_channel *channel, struct tp_activation_slot *slot,
                    int64_t taken);

/* Send `message` after the operation that was issued last. */
enum tp_status tp_flight_send(struct tp_worker *worker, struct tp_channel *channel, struct tp_activation_slot *slot,
                              const struct tp_action *action, struct tp_message *message);

/* The ledger has given up a version, which the operation that is about to be issued may still read; and once it was
 * issued, tell the device. */
void tp_flight_note_freed(struct tp_worker *worker, int64_t version);
void tp_flight_retire(struct tp_worker *worker);

/* The slot of an operation has been given back: from here on it may be written again. */
enum tp_status tp_flight_leave(struct tp_worker *worker, const struct tp_activation_slot *slot);

#endif
