/* The real driver: one thread per stage, at once, on the machine's clock. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_REAL_DRIVER_H
#define TP_ENGINE_RUN_REAL_DRIVER_H

#include "engine/run/worker.h"

/* Run `body` for every worker at once, each on a thread of its own: start together, join. `allocations` is set to how
 * often our code allocated in between. Returns the first failure that a body noted with tp_crew_fail(), with its
 * detail. */
typedef void tp_worker_body(struct tp_worker *worker);
enum tp_status tp_real_driver_run(struct tp_crew *crew, tp_worker_body *body, uint64_t *allocations);

#endif
