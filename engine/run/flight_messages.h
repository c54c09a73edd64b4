/* Messages between stages whose devices work on their own: marks, copies, and the order in which memory is used again.
 *
 * A forward's message carries its sender's buffer; the receiver asks for the copy, once the slot that it goes to is its
 * own (cuda-copy), reads it where it lies (cuda-direct), or both take part (nccl). A gradient's message carries the
 * slot's own buffer, and goes to the buffer that came with the activation. What keeps memory from being used too early:
 *   the copy into a slot waits for the slot's last operation before (room);
 *   a backward that writes its own gradient waits until the gradient sent from there before was read (left);
 *   a sender's output is used again after its backward, which waits for the gradient, which was computed from the copy.
 */
#ifndef TP_ENGINE_RUN_FLIGHT_MESSAGES_H
#define TP_ENGINE_RUN_FLIGHT_MESSAGES_H

#include "engine/run/flight.h"

enum tp_status tp_flight_init_channels(struct tp_worker *worker);
void tp_flight_release_channels(struct tp_worker *worker);

/* Ask for what has come and deliver what is there. */
void tp_flight_accept(struct tp_worker *worker);

/* Let the device wait for the message that the operation takes, and for its slot's own gradient buffer. */
enum tp_status tp_flight_await_message(struct tp_worker *worker, const struct tp_action *action);

/* Keep the first failure. */
void tp_flight_keep(struct tp_flight *flight, enum tp_status status);

#endif
