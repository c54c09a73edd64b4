/* A pipeline handed to the verifier: as tpbench verify asks for it, and before every run. */
#ifndef TP_ENGINE_RUN_SOUNDNESS_H
#define TP_ENGINE_RUN_SOUNDNESS_H

#include "engine/schedule/verify.h"

/* Lists lie in memory, about 100 bytes an operation. */
#define TP_VERIFY_OPERATIONS_MAX INT64_C(20000000)

/* List the pipeline's slot plan and verify it within its own limits and these rings, 0 for any length. TP_OK with the
 * verdict in `report`; TP_ERR_INPUT when the lists would be too long. Release both on success. */
enum tp_status tp_soundness_check(const struct tp_pipeline *pipeline, int64_t ring_forward, int64_t ring_backward,
                                  struct tp_listing *listing, struct tp_verify_report *report);

/* The same for as many mini-batches as it takes until the pipeline repeats itself; a fault is TP_ERR_INPUT. On success
 * `report` says what the run needs; release it. */
enum tp_status tp_soundness_require(const struct tp_pipeline *pipeline, int64_t ring_forward, int64_t ring_backward,
                                    struct tp_verify_report *report);

#endif
