/* The arithmetic of operations at a worker, with the slots and weights they need and their account of memory: the same
 * whoever drives. Choosing, messages and records are the drivers'. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_WORKER_COMPUTE_H
#define TP_ENGINE_RUN_WORKER_COMPUTE_H

#include "engine/run/worker.h"

/* The slot that an operation works in; a forward that begins one takes it. And the slot that is held for it. */
struct tp_activation_slot *tp_worker_slot(struct tp_worker *worker, const struct tp_action *action);
struct tp_activation_slot *tp_worker_slot_of(struct tp_worker *worker, const struct tp_action *action);

/* What a slot belongs to, 1-based: a mini-batch, or with slots of one micro-batch that. */
int64_t tp_worker_unit(const struct tp_worker *worker, const struct tp_action *action);

/* A forward or backward whose versions the station has resolved; `read` is that of tp_begun. */
enum tp_status tp_worker_compute(struct tp_worker *worker, struct tp_activation_slot *slot,
                                 const struct tp_action *action, int64_t read);

/* After an operation has ended: give its slot back if nobody needs it any more. */
void tp_worker_leave_slot(struct tp_worker *worker, const struct tp_action *action);

/* The arithmetic of the update that the ledger has decided on. */
void tp_worker_update(struct tp_worker *worker, const struct tp_update_step *step);

/* Tell the memory ledger how many versions and lineages the station holds now. */
void tp_worker_count_versions(struct tp_worker *worker);

/* The parts of tp_worker_compute(), as operations are measured by themselves: samples drawn at stage 0, loss at the
 * last; and one backward of `part` over the action's micro-batches with one version buffer. */
enum tp_status tp_worker_forward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                 const struct tp_action *action, int32_t version_buffer);
enum tp_status tp_worker_backward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                  const struct tp_action *action, int32_t version_buffer, bool accumulate);

/* Bytes of the message that an operation sends, the output of a forward or the input gradient of a backward. */
int64_t tp_worker_message_bytes(const struct tp_worker *worker, const struct tp_action *action);

#endif
