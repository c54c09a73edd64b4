/* What came of a sweep, point by point. */
#ifndef TP_CLI_SWEEP_REPORT_H
#define TP_CLI_SWEEP_REPORT_H

#include "cli/sweep_points.h"
#include "results/queries.h"

/* Print the points from the runs that the database has of them, `config_hashes` by point: medians over the runs that
 * are done; as a table or, with --json, as one JSON object. `*unfinished` is the number of points of which some repeat
 * is not done. */
enum tp_status tp_sweep_report(const struct tp_sweep_points *points, const char *comparison,
                               const uint64_t *config_hashes, const struct tp_store_outcome *outcomes, int64_t count,
                               int32_t *unfinished);

#endif
