/* --costs run:ID: the costs of operations from a run in the database, those that its virtual clock went by or, of a
 * measured run, the medians of its latest epoch. */
#ifndef TP_CLI_STORED_COSTS_H
#define TP_CLI_STORED_COSTS_H

#include "engine/schedule/cost_table.h"

/* For a pipeline of `shape`. TP_ERR_INPUT when there is no such database or run, or its costs are for other stages or
 * operations, or it was measured with emulated workers. Release with tp_cost_table_release(). */
enum tp_status tp_stored_costs_read(const char *database, int64_t run_id, struct tp_cost_shape shape,
                                    struct tp_cost_table *table);

#endif
