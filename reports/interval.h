/* How two samples differ, with a confidence interval: Hodges and Lehmann's shift, the median over all pairs of a value
 * of each, between two of the ordered pairs, chosen by the distribution of Mann and Whitney's U. It assumes no
 * distribution of the values (times of epochs have long tails), only that each is drawn independently; nothing is drawn
 * at random, so the same samples give the same interval. E. L. Lehmann, Nonparametrics (1975), section 2.5. */
#ifndef TP_REPORTS_INTERVAL_H
#define TP_REPORTS_INTERVAL_H

#include <stdint.h>

#include "engine/base/status.h"

/* What is aimed at. Fewer than 4 values on either side may not reach it: 3 and 3 give 90 %, 2 and 2 give 67 %. */
#define TP_INTERVAL_CONFIDENCE 0.95

struct tp_interval {
	double low, mid, high; /* NAN where there is none */
	double confidence;     /* of low to high, as a share; 0: a side has fewer than 2 values, there is no interval */
	int64_t n_a, n_b;
};

/* b / a, 1 for no change. There is none of it when a value is not above 0. TP_ERR_NOMEM. */
enum tp_status tp_ratio_interval(const double *a, int64_t n_a, const double *b, int64_t n_b,
                                 struct tp_interval *interval);

/* b - a, 0 for no change. TP_ERR_NOMEM. */
enum tp_status tp_difference_interval(const double *a, int64_t n_a, const double *b, int64_t n_b,
                                      struct tp_interval *interval);

#endif
