/* --keep-costs: measured costs of operations in a folder, a file for each pipeline, so that runs of the same operations
 * go by the same costs and none is measured twice. */
#ifndef TP_CLI_KEPT_COSTS_H
#define TP_CLI_KEPT_COSTS_H

#include "engine/config/run_config.h"
#include "engine/schedule/cost_table.h"

/* Read what `folder` has for the run, for a pipeline of `shape`; the table stays empty when it has nothing, or when the
 * run's costs are not measured ones of the virtual clock. TP_ERR_INPUT names a file that cannot be read as such. */
enum tp_status tp_kept_costs_read(const char *folder, const struct tp_run_config *config, struct tp_cost_shape shape,
                                  struct tp_cost_table *table);

/* Keep the run's costs there, when they are measured ones; the folder is made if need be. TP_ERR_IO. */
enum tp_status tp_kept_costs_write(const char *folder, const struct tp_run_config *config,
                                   const struct tp_cost_table *table);

#endif
