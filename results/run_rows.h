/* The tables that hold rows of runs. They are asked of the file, so that a table that is added later is not forgotten,
 * and one of the user's own that refers to runs does not stand in the way. */
#ifndef TP_RESULTS_RUN_ROWS_H
#define TP_RESULTS_RUN_ROWS_H

#include "results/store_internal.h"

/* What to do with one of them. */
typedef enum tp_status tp_table_visit(struct tp_store *store, const char *table, void *context);

/* Visit `run` and every table that refers to a run by its run_id. */
enum tp_status tp_each_run_table(struct tp_store *store, tp_table_visit *visit, void *context);

#endif
