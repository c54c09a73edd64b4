/* Reports from stored runs: numbers are computed once (struct tp_report), writers only format. */
#ifndef TP_REPORTS_REPORTS_H
#define TP_REPORTS_REPORTS_H

#include "engine/base/text.h"
#include "results/store.h"

struct tp_report;

/* Read the runs from the database, grouped by schedule in the order first seen; repeats of one schedule are samples of
 * one row. Free with tp_report_free(). */
enum tp_status tp_report_read(struct tp_store *store, const char *database_path, const int64_t *run_ids,
                              int32_t run_count, struct tp_report **report);
void tp_report_free(struct tp_report *report);

/* The comparison table with its footer, for a terminal of 120 columns. */
void tp_report_write_compare(const struct tp_report *report, struct tp_text *out);
/* One schedule in detail: per stage time split, idle causes, versions, memory by kind; epochs. */
void tp_report_write_run(const struct tp_report *report, struct tp_text *out);
/* One JSON object, every sample included, ended by a newline. */
enum tp_status tp_report_write_json(const struct tp_report *report, struct tp_text *out);

#endif
