#include "reports/interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

/* Up to here counts of orders of both samples are whole numbers in a double, C(50, 25) being the largest. */
#define EXACT_VALUES 50
/* Of the normal distribution, for TP_INTERVAL_CONFIDENCE on both sides. */
#define NORMAL_QUANTILE 1.959963984540054

/* Rises with b, falls with a. */
typedef double (*pair_fn)(double a, double b);

static double ratio_of(double a, double b)
{
	return b / a;
}

static double difference_of(double a, double b)
{
	return b - a;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Both samples in order, a before b in one piece of memory. */
struct samples {
	double *a, *b;
	int64_t n_a, n_b;
	pair_fn pair;
};

/* How many pairs are at most `limit`. Along ascending b those a for which the pair is begin ever later. */
static int64_t count_pairs(const struct samples *s, double limit)
{
	int64_t count = 0, first = 0;
	for (int64_t j = 0; j < s->n_b; j++) {
		while (first < s->n_a && s->pair(s->a[first], s->b[j]) > limit)
			first++;
		count += s->n_a - first;
	}
	return count;
}

/* The pair of this rank, from 1 on: the least number that as many pairs do not exceed. All pairs at once would take
 * memory with the square of the values. */
static double pair_of_rank(const struct samples *s, int64_t rank)
{
	double low = s->pair(s->a[s->n_a - 1], s->b[0]), high = s->pair(s->a[0], s->b[s->n_b - 1]);
	if (count_pairs(s, low) >= rank)
		return low;
	for (;;) {
		double middle = low + (high - low) / 2;
		if (middle <= low || middle >= high)
			return high;
		if (count_pairs(s, middle) >= rank)
			high = middle;
		else
			low = middle;
	}
}

/* Of how many of the equally likely orders of both samples U is 0, 1, ..: the coefficients of the Gaussian binomial,
 * the product over i of (1 - q^(n_b + i)) / (1 - q^i). */
static void count_orders(int64_t n_a, int64_t n_b, double *orders)
{
	int64_t last = n_a * n_b;
	orders[0] = 1;
	for (int64_t i = 1; i <= n_a; i++) {
		for (int64_t u = last; u >= n_b + i; u--)
			orders[u] -= orders[u - n_b - i];
		for (int64_t u = i; u <= last; u++)
			orders[u] += orders[u - i];
	}
}

/* The rank of the lower end among the pairs, the upper end being as far from the other end; and how sure that is. */
static enum tp_status choose_rank(int64_t n_a, int64_t n_b, int64_t *rank, double *confidence)
{
	double pairs = (double)n_a * (double)n_b;
	*confidence = TP_INTERVAL_CONFIDENCE;
	if (n_a + n_b > EXACT_VALUES) {
		double below = pairs / 2 - NORMAL_QUANTILE * sqrt(pairs * (double)(n_a + n_b + 1) / 12);
		*rank = below > 1 ? (int64_t)below : 1;
		return TP_OK;
	}
	double *orders = tp_alloc_array((size_t)(n_a * n_b) + 1, sizeof *orders);
	if (!orders)
		return TP_ERR_NOMEM;
	count_orders(n_a, n_b, orders);
	double all = 0, outside = orders[0];
	for (int64_t u = 0; u <= n_a * n_b; u++)
		all += orders[u];
	*rank = 1;
	while (2 * (outside + orders[*rank]) <= (1 - TP_INTERVAL_CONFIDENCE) * all)
		outside += orders[(*rank)++];
	*confidence = 1 - 2 * outside / all;
	tp_free(orders);
	return TP_OK;
}

static enum tp_status measure(const struct samples *s, struct tp_interval *interval)
{
	int64_t pairs = s->n_a * s->n_b, rank;
	interval->mid = (pair_of_rank(s, (pairs + 1) / 2) + pair_of_rank(s, pairs / 2 + 1)) / 2;
	if (s->n_a < 2 || s->n_b < 2)
		return TP_OK;
	TP_TRY(choose_rank(s->n_a, s->n_b, &rank, &interval->confidence));
	interval->low = pair_of_rank(s, rank);
	interval->high = pair_of_rank(s, pairs + 1 - rank);
	return TP_OK;
}

static enum tp_status compare(const double *a, int64_t n_a, const double *b, int64_t n_b, pair_fn pair,
                              struct tp_interval *interval)
{
	*interval = (struct tp_interval){
	        .low = (double)NAN, .mid = (double)NAN, .high = (double)NAN, .n_a = n_a, .n_b = n_b};
	if (n_a == 0 || n_b == 0)
		return TP_OK;
	double *values = tp_alloc_array((size_t)(n_a + n_b), sizeof *values);
	if (!values)
		return TP_ERR_NOMEM;
	struct samples samples = {values, values + n_a, n_a, n_b, pair};
	memcpy(samples.a, a, (size_t)n_a * sizeof *a);
	memcpy(samples.b, b, (size_t)n_b * sizeof *b);
	qsort(samples.a, (size_t)n_a, sizeof *a, by_value);
	qsort(samples.b, (size_t)n_b, sizeof *b, by_value);
	enum tp_status status = TP_OK;
	if (pair == difference_of || (samples.a[0] > 0 && samples.b[0] > 0))
		status = measure(&samples, interval);
	tp_free(values);
	return status;
}

enum tp_status tp_ratio_interval(const double *a, int64_t n_a, const double *b, int64_t n_b,
                                 struct tp_interval *interval)
{
	return compare(a, n_a, b, n_b, ratio_of, interval);
}

enum tp_status tp_difference_interval(const double *a, int64_t n_a, const double *b, int64_t n_b,
                                      struct tp_interval *interval)
{
	return compare(a, n_a, b, n_b, difference_of, interval);
}
