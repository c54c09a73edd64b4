/* --profile-cost: epochs are recorded and not in turn, in pairs; what recording cost is the ratio of their times. */
#ifndef TP_CLI_PROFILE_COST_H
#define TP_CLI_PROFILE_COST_H

#include "engine/config/options.h"
#include "results/store.h"

/* Refuses what has no cost to measure: --profile off, the virtual clock, an odd number of epochs. */
enum tp_status tp_profile_cost_check(const struct tp_options *options);

/* Is this epoch (from 1) recorded? Pairs begin with either in turn, so that what drifts falls on both alike. */
static inline bool tp_profile_cost_records(int32_t epoch)
{
	return epoch % 4 == 1 || epoch % 4 == 0;
}

/* From the times of `epochs` epochs (even, at least 2) in order; TP_ERR_NOMEM. `level` stays the caller's. */
enum tp_status tp_profile_cost_compute(const int64_t *window_ns, int32_t epochs, const char *level,
                                       struct tp_store_profile_cost *cost);

#endif
