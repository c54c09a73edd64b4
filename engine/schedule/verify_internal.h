/* The parts of the verifier. Each notes the first fault it finds in the report and returns TP_OK, or TP_ERR_NOMEM. */
#ifndef TP_ENGINE_SCHEDULE_VERIFY_INTERNAL_H
#define TP_ENGINE_SCHEDULE_VERIFY_INTERNAL_H

#include "engine/schedule/verify.h"

/* Note a fault, unless there is one already. `index` of the item in the listing; of the rank, not of an item: its end.
 */
void tp_verify_fault(const struct tp_listing *listing, struct tp_verify_report *report, enum tp_fault fault,
                     int32_t rank, int64_t index, const char *fmt, ...) TP_PRINTF(6, 7);

/* What can be said of each rank's list without playing it: every operation once, sends and receives in pairs, in
 * flight, versions. */
enum tp_status tp_verify_lists(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                               struct tp_verify_report *report);

/* Versions: made before they are read, and kept as long as they are read. */
enum tp_status tp_verify_versions(const struct tp_listing *listing, const struct tp_verify_limits *limits,
                                  struct tp_verify_report *report);

#endif
