/* Reading the numbers of one row of the summary. Internal to reports. */
#ifndef TP_REPORTS_SUMMARY_READ_H
#define TP_REPORTS_SUMMARY_READ_H

#include "reports/summary.h"

struct sqlite3_stmt;
struct tp_summary_reader {
	struct tp_store *store;
	struct sqlite3_stmt *epochs, *peaks, *alive, *targets;
};

/* Safe to release after a failure. */
enum tp_status tp_summary_reader_init(struct tp_summary_reader *reader, struct tp_store *store);
void tp_summary_reader_release(struct tp_summary_reader *reader);

/* samples/s of every epoch of a row, which comparisons need. Free `values` with tp_free(). */
struct tp_summary_rates {
	double *values;
	int64_t count;
};

/* All numbers of `row` that come from epochs. Before it they are NAN, and its lists have room for each stage. */
enum tp_status tp_summary_read_group(struct tp_summary_reader *reader, const struct tp_group *group,
                                     struct tp_summary_row *row, struct tp_summary_rates *rates);

#endif
