#include "profiler/statistics.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double percentile(const double *sorted, int64_t count, double share)
{
	double rank = share * (double)(count - 1);
	int64_t below = (int64_t)rank;
	int64_t above = below + 1 < count ? below + 1 : below;
	return sorted[below] + (rank - (double)below) * (sorted[above] - sorted[below]);
}

struct tp_statistics tp_statistics_of(double *values, int64_t count)
{
	struct tp_statistics figures = {.count = count};
	if (count == 0)
		return figures;
	qsort(values, (size_t)count, sizeof *values, by_value);
	double sum = 0, squares = 0;
	for (int64_t i = 0; i < count; i++)
		sum += values[i];
	figures.mean = sum / (double)count;
	for (int64_t i = 0; i < count; i++)
		squares += (values[i] - figures.mean) * (values[i] - figures.mean);
	figures.stdev = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
	figures.min = values[0];
	figures.max = values[count - 1];
	figures.median = percentile(values, count, 0.5);
	figures.p95 = percentile(values, count, 0.95);
	return figures;
}
