/* The page of a report: one HTML file that needs no network and no other file. */
#ifndef TP_REPORTS_PAGE_H
#define TP_REPORTS_PAGE_H

#include "reports/claims.h"
#include "reports/figure.h"
#include "reports/groups.h"
#include "reports/summary.h"

struct tp_page_request {
	const char *database;   /* as it was named */
	const char *comparison; /* NULL: all runs */
	const char *folder;     /* where the figures were drawn */
	const struct tp_claims *claims;
	const struct tp_figures *figures;
	/* Schedules laid out in ideal slots, as runs of a store in memory. */
	struct tp_store *slots;
	const int64_t *slot_runs;
	int32_t slot_run_count;
};

/* Append the page to `out`: the summary on top, then a section for each part of the report, which says what is missing
 * where it has nothing. TP_ERR_IO, TP_ERR_NOMEM. */
enum tp_status tp_page_write(struct tp_store *store, const struct tp_groups *groups, const struct tp_summary *summary,
                             const struct tp_page_request *request, struct tp_text *out);

/* Parts of the page, internal to it: where runs come from and how they ended, and how some of them went. */
enum tp_status tp_page_write_origin(struct tp_store *store, const struct tp_page_request *request, struct tp_text *out);
enum tp_status tp_page_write_runs(struct tp_store *store, const struct tp_groups *groups,
                                  const struct tp_page_request *request, struct tp_text *out);
enum tp_status tp_page_write_timelines(struct tp_store *store, const struct tp_groups *groups, struct tp_text *out);
enum tp_status tp_page_write_slots(const struct tp_page_request *request, struct tp_text *out);

#endif
