/* The schedules of a report in ideal slots, as the paper draws them: simulated into a store in memory, so that the page
 * sees only results. */
#ifndef TP_CLI_REPORT_SLOTS_H
#define TP_CLI_REPORT_SLOTS_H

#include "reports/groups.h"

#define TP_REPORT_SLOTS_MOST 10

struct tp_report_slots {
	struct tp_store *store;
	int64_t run_ids[TP_REPORT_SLOTS_MOST];
	int32_t count;
};

/* The paper's example (Fig. 2: W = 3, N = 2) under timeprest and pipedream, then each pipeline of the groups that is
 * not there yet, while there is room. Release also after a failure. */
enum tp_status tp_report_slots_init(struct tp_report_slots *slots, const struct tp_groups *groups);
void tp_report_slots_release(struct tp_report_slots *slots);

#endif
