/* Arithmetic of the libraries' stand-ins: values are read as doubles, multiplied and added there, and rounded once when
 * they are written. So a test can hold them against any other order of the same sums. */
#ifndef TP_TESTS_FAKECUDA_FAKE_MATH_H
#define TP_TESTS_FAKECUDA_FAKE_MATH_H

#include "tests/fakecuda/fake.h"

/* The two types that the stand-ins compute with. */
enum fake_type { FAKE_F32, FAKE_BF16 };

static inline size_t fake_type_bytes(enum fake_type type)
{
	return type == FAKE_BF16 ? 2 : 4;
}

static inline double fake_get(const void *at, enum fake_type type, int64_t index)
{
	if (type == FAKE_BF16)
		return (double)fake_from_bf16(((const uint16_t *)at)[index]);
	return (double)((const float *)at)[index];
}

static inline void fake_put(void *at, enum fake_type type, int64_t index, double value)
{
	if (type == FAKE_BF16)
		((uint16_t *)at)[index] = fake_to_bf16((float)value);
	else
		((float *)at)[index] = (float)value;
}

/* How a result meets what lies at its place: alpha * result + beta * old. With beta 0 the old is not read. */
struct fake_scale {
	float alpha, beta;
};

static inline void fake_blend(void *at, enum fake_type type, int64_t index, struct fake_scale scale, double value)
{
	double result = (double)scale.alpha * value;
	if (scale.beta != 0.0F)
		result += (double)scale.beta * fake_get(at, type, index);
	fake_put(at, type, index, result);
}

/* A float as a tensor core reads it: 10 bits of mantissa, to the nearest, ties away from zero. */
double fake_tf32(double value);

/* `count` elements, `step` apart, as doubles one behind another. `round`: float as TF32. */
void fake_get_row(double *to, const void *from, enum fake_type type, int64_t first, int64_t step, int64_t count,
                  bool round);

/* c += a b: c is m x n with rows `n` apart, a m x k with strides, b k x n with rows `b_row` apart. */
void fake_gemm(int64_t m, int64_t n, int64_t k, const double *a, int64_t a_row, int64_t a_column, const double *b,
               int64_t b_row, double *c);

/* Zeroed doubles, to be freed; ends the process where there are none. */
double *fake_doubles(int64_t count);

/* Make a workspace unusable, as an algorithm does: whoever keeps something there shall see wrong numbers. */
void fake_scribble(void *at, size_t bytes);

#endif
