/* Figures of a sample. One percentile rule everywhere: linear interpolation between the two nearest ranks, with the
 * smallest value at 0 and the largest at 1 (the median of an even count is the mean of the middle two). */
#ifndef TP_PROFILER_STATISTICS_H
#define TP_PROFILER_STATISTICS_H

#include <stdint.h>

struct tp_statistics {
	int64_t count;
	double min, median, p95, max, mean;
	double stdev; /* of the sample (n - 1); 0 for one value */
};

/* Sorts `values` in place. All zero for none. */
struct tp_statistics tp_statistics_of(double *values, int64_t count);

#endif
