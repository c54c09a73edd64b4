/* A pipeline handed to the verifier with its own limits: what its policy allows in flight, the weight buffers that its
 * ledger reserves, and the rings that its messages wait in. */
#ifndef TP_ENGINE_RUN_SOUNDNESS_H
#define TP_ENGINE_RUN_SOUNDNESS_H

#include "engine/schedule/verify.h"

/* Longest list that is kept for the verifier, all ranks together. */
#define TP_VERIFY_OPERATIONS_MAX 100000000LL

/* List the pipeline's slot plan and verify it. Rings: messages per boundary, NULL for any number. TP_OK with the verdict
 * in `report`, TP_ERR_INPUT when the list would be too long. Release both on success. */
enum tp_status tp_soundness_check(const struct tp_pipeline *pipeline, const int64_t *ring_forward,
                                  const int64_t *ring_backward, struct tp_listing *listing,
                                  struct tp_verify_report *report);

/* The same for as many mini-batches as it takes until the pipeline repeats itself; a fault is TP_ERR_INPUT. On success
 * `report` says what the run needs; release it. */
enum tp_status tp_soundness_require(const struct tp_pipeline *pipeline, const int64_t *ring_forward,
                                    const int64_t *ring_backward, struct tp_verify_report *report);

#endif
