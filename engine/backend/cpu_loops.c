#include "engine/backend/cpu_loops.h"

/* Each loop is written once and compiled three times on x86-64, so that a program built for any processor still runs it
 * with the widest vectors of the one it finds itself on. All variants round alike: nothing is contracted or reordered.
 */
#define BODY static inline __attribute__((always_inline)) void

#if defined(__x86_64__)
#define VARIANTS(name, body, parameters, arguments)                             \
	__attribute__((target("avx512f"))) static void body##_avx512 parameters \
	{                                                                       \
		body arguments;                                                 \
	}                                                                       \
	__attribute__((target("avx2"))) static void body##_avx2 parameters      \
	{                                                                       \
		body arguments;                                                 \
	}                                                                       \
	void name parameters                                                    \
	{                                                                       \
		if (__builtin_cpu_supports("avx512f"))                          \
			body##_avx512 arguments;                                \
		else if (__builtin_cpu_supports("avx2"))                        \
			body##_avx2 arguments;                                  \
		else                                                            \
			body arguments;                                         \
	}
#else
#define VARIANTS(name, body, parameters, arguments) \
	void name parameters                        \
	{                                           \
		body arguments;                     \
	}
#endif

BODY sgd(const struct tp_cpu_sgd *step, const float *from, float *to, const float *gradient, float *moment,
         size_t count)
{
	const float lr = step->lr, momentum = step->momentum, decay = step->weight_decay;
	if (step->first_step) { /* what the moment held before does not matter, not even when it is not a number */
#pragma omp simd
		for (size_t i = 0; i < count; i++) {
			float m = gradient[i] + decay * from[i];
			moment[i] = m;
			to[i] = from[i] - lr * m;
		}
		return;
	}
#pragma omp simd
	for (size_t i = 0; i < count; i++) {
		float m = momentum * moment[i] + (gradient[i] + decay * from[i]);
		moment[i] = m;
		to[i] = from[i] - lr * m;
	}
}

VARIANTS(tp_cpu_sgd, sgd,
         (const struct tp_cpu_sgd *step, const float *from, float *to, const float *gradient, float *moment,
          size_t count),
         (step, from, to, gradient, moment, count))

BODY add_into(const float *from, float *to, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		to[i] += from[i];
}

VARIANTS(tp_cpu_add_into, add_into, (const float *from, float *to, size_t count), (from, to, count))

BODY mix(float a, const float *x, float b, const float *y, float *to, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		to[i] = a * x[i] + b * y[i];
}

VARIANTS(tp_cpu_mix, mix, (float a, const float *x, float b, const float *y, float *to, size_t count),
         (a, x, b, y, to, count))

BODY sum(const float *a, const float *b, float *y, size_t count, bool relu)
{
	if (relu) {
#pragma omp simd
		for (size_t i = 0; i < count; i++) {
			float value = a[i] + b[i];
			y[i] = value < 0.0F ? 0.0F : value; /* keeps what is not a number */
		}
		return;
	}
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		y[i] = a[i] + b[i];
}

VARIANTS(tp_cpu_sum, sum, (const float *a, const float *b, float *y, size_t count, bool relu), (a, b, y, count, relu))

BODY relu_mask(const float *dy, const float *y, float *masked, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		masked[i] = y[i] > 0.0F ? dy[i] : 0.0F;
}

VARIANTS(tp_cpu_relu_mask, relu_mask, (const float *dy, const float *y, float *masked, size_t count),
         (dy, y, masked, count))

BODY blend(float *running, const float *batch, float momentum, float factor, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		running[i] = (1.0F - momentum) * running[i] + momentum * (factor * batch[i]);
}

VARIANTS(tp_cpu_blend, blend, (float *running, const float *batch, float momentum, float factor, size_t count),
         (running, batch, momentum, factor, count))

BODY mean_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor)
{
	for (int32_t lane = 0; lane < lanes; lane++)
		to[lane] = 0.0F;
	for (int32_t row = 0; row < rows; row++, from += pitch) {
#pragma omp simd
		for (int32_t lane = 0; lane < lanes; lane++)
			to[lane] += from[lane];
	}
	for (int32_t lane = 0; lane < lanes; lane++)
		to[lane] *= factor;
}

VARIANTS(tp_cpu_mean_rows, mean_rows,
         (const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor),
         (from, to, rows, pitch, lanes, factor))

BODY spread_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor)
{
	for (int32_t row = 0; row < rows; row++, to += pitch) {
#pragma omp simd
		for (int32_t lane = 0; lane < lanes; lane++)
			to[lane] = factor * from[lane];
	}
}

VARIANTS(tp_cpu_spread_rows, spread_rows,
         (const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor),
         (from, to, rows, pitch, lanes, factor))
