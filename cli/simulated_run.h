/* A forecast as a stored run, so that whatever draws or reports stored runs can show it as well. */
#ifndef TP_CLI_SIMULATED_RUN_H
#define TP_CLI_SIMULATED_RUN_H

#include "cli/forecasting.h"
#include "results/store.h"

/* Store the forecast of `config` as a run of one epoch that is done; its clock is "virtual", or "slots" where nothing
 * has a duration. Meant for tp_store_open_memory(). Costs, parameters and environment are not stored, nor are versions,
 * since nobody says when they were freed. */
enum tp_status tp_simulated_run_store(struct tp_store *store, const struct tp_run_config *config,
                                      const struct tp_forecast *forecast, int64_t *run_id);

/* The same of a schedule on ideal slots, as a paper draws it: `config` has schedule, stages, micro-batches and axes. */
enum tp_status tp_simulated_run_slots(struct tp_store *store, const struct tp_run_config *config, int64_t minis,
                                      int64_t *run_id);

#endif
