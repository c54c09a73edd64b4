#include "tests/fakecuda/fake_math.h"

#include <stdlib.h>
#include <string.h>

double fake_tf32(double value)
{
	union {
		float value;
		uint32_t bits;
	} u = {(float)value};
	if ((u.bits & 0x7f800000U) != 0x7f800000U)
		u.bits = (u.bits + 0x1000U) & ~0x1fffU;
	return (double)u.value;
}

void fake_get_row(double *to, const void *from, enum fake_type type, int64_t first, int64_t step, int64_t count,
                  bool round)
{
	if (type == FAKE_BF16)
		for (int64_t i = 0; i < count; i++)
			to[i] = (double)fake_from_bf16(((const uint16_t *)from)[first + i * step]);
	else if (round)
		for (int64_t i = 0; i < count; i++)
			to[i] = fake_tf32((double)((const float *)from)[first + i * step]);
	else
		for (int64_t i = 0; i < count; i++)
			to[i] = (double)((const float *)from)[first + i * step];
}

/* What is multiplied was copied from where other threads see it: here the thread sanitizer would only take time, most
 * of that of whole models. */
#define THREADS_OWN __attribute__((no_sanitize("thread")))

/* Blocks of c that stay in the cache while k goes by. */
enum { BLOCK_ROWS = 32, BLOCK_COLUMNS = 256 };

/* Four steps of k at once for one row: c is read and written once for four products. */
THREADS_OWN
static void four_steps(int64_t n, const double weight[4], const double *b, int64_t b_row, double *restrict c)
{
	const double *restrict b0 = b, *restrict b1 = b + b_row;
	const double *restrict b2 = b + 2 * b_row, *restrict b3 = b + 3 * b_row;
	double w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
	for (int64_t j = 0; j < n; j++)
		c[j] += w0 * b0[j] + w1 * b1[j] + w2 * b2[j] + w3 * b3[j];
}

THREADS_OWN
static void one_step(int64_t n, double weight, const double *restrict b, double *restrict c)
{
	for (int64_t j = 0; j < n; j++)
		c[j] += weight * b[j];
}

THREADS_OWN
static void gemm_block(int64_t m, int64_t n, int64_t k, const double *a, int64_t a_row, int64_t a_column,
                       const double *b, int64_t b_row, double *c, int64_t c_row)
{
	int64_t step = 0;
	for (; step + 4 <= k; step += 4)
		for (int64_t i = 0; i < m; i++) {
			double weight[4];
			for (int64_t s = 0; s < 4; s++)
				weight[s] = a[i * a_row + (step + s) * a_column];
			four_steps(n, weight, b + step * b_row, b_row, c + i * c_row);
		}
	for (; step < k; step++)
		for (int64_t i = 0; i < m; i++)
			one_step(n, a[i * a_row + step * a_column], b + step * b_row, c + i * c_row);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void fake_gemm(int64_t m, int64_t n, int64_t k, const double *a, int64_t a_row, int64_t a_column, const double *b,
               int64_t b_row, double *c)
{
	for (int64_t j = 0; j < n; j += BLOCK_COLUMNS)
		for (int64_t i = 0; i < m; i += BLOCK_ROWS)
			gemm_block(least(BLOCK_ROWS, m - i), least(BLOCK_COLUMNS, n - j), k, a + i * a_row, a_row,
			           a_column, b + j, b_row, c + i * n + j, n);
}

double *fake_doubles(int64_t count)
{
	double *doubles = calloc((size_t)count, sizeof *doubles);
	if (!doubles)
		abort();
	return doubles;
}

void fake_scribble(void *at, size_t bytes)
{
	if (at)
		memset(at, 0xff, bytes < 65536 ? bytes : 65536);
}
