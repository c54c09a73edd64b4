/* The real driver: one thread per stage, at once, on the machine's clock. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_REAL_DRIVER_H
#define TP_ENGINE_RUN_REAL_DRIVER_H

#include "engine/run/worker.h"

/* Run one epoch to its drain: barrier, window, join. `allocations` is set to how often our code allocated while the stages
 * worked. Returns the first failure of any stage, with its detail. */
enum tp_status tp_real_driver_epoch(struct tp_crew *crew, uint64_t *allocations);

#endif
