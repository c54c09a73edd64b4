/* The virtual driver: every worker's operations on the calling thread, one after another, in the order of an event
 * queue. Arithmetic, versions and records are those of the real driver; time is the sum of a cost table and the links.
 * Internal to engine/run. */
#ifndef TP_ENGINE_RUN_VIRTUAL_DRIVER_H
#define TP_ENGINE_RUN_VIRTUAL_DRIVER_H

#include "engine/run/worker.h"
#include "profiler/drain.h"

/* One epoch with `costs` (at the workers' speeds already), beginning at `start_ns` of the run's modelled time; *end_ns
 * is when it ends. Workers have begun the epoch. `drain` empties the rings while it runs; without recorders they hold
 * all of it. */
enum tp_status tp_virtual_driver_run(struct tp_crew *crew, const struct tp_cost_table *costs, struct tp_drain *drain,
                                     int64_t start_ns, int64_t *end_ns);

/* What the same epoch takes, without arithmetic. Release the summary, which is zeroed on failure. */
enum tp_status tp_predict_epoch(const struct tp_crew *crew, const struct tp_cost_table *costs,
                                struct tp_sim_summary *summary);

#endif
