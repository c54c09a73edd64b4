#include "engine/backend/cpu_loops.h"

/* A program built for plain x86-64 still runs these with the widest vectors of the machine it finds itself on. The
 * sanitizers' runtimes are not up yet when the choice is made, and the memory-bound loops do not need it there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(SANITIZED)
#define MULTIVERSIONED __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define MULTIVERSIONED
#endif

MULTIVERSIONED void tp_cpu_sgd(const struct tp_cpu_sgd *sgd, const float *from, float *to, const float *gradient,
                               float *moment, size_t count)
{
	const float lr = sgd->lr, momentum = sgd->momentum, decay = sgd->weight_decay;
	if (sgd->first_step) { /* what the moment held before does not matter, not even when it is not a number */
#pragma omp simd
		for (size_t i = 0; i < count; i++) {
			moment[i] = gradient[i] + decay * from[i];
			to[i] = from[i] - lr * moment[i];
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

MULTIVERSIONED void tp_cpu_add_into(const float *from, float *to, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		to[i] += from[i];
}

MULTIVERSIONED void tp_cpu_sum(const float *a, const float *b, float *y, size_t count, bool relu)
{
	if (relu) {
#pragma omp simd
		for (size_t i = 0; i < count; i++) {
			float sum = a[i] + b[i];
			y[i] = sum < 0.0F ? 0.0F : sum; /* keeps what is not a number */
		}
		return;
	}
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		y[i] = a[i] + b[i];
}

MULTIVERSIONED void tp_cpu_relu_mask(const float *dy, const float *y, float *masked, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		masked[i] = y[i] > 0.0F ? dy[i] : 0.0F;
}

MULTIVERSIONED void tp_cpu_blend(float *running, const float *batch, float momentum, float factor, size_t count)
{
#pragma omp simd
	for (size_t i = 0; i < count; i++)
		running[i] = (1.0F - momentum) * running[i] + momentum * (factor * batch[i]);
}

MULTIVERSIONED void tp_cpu_mean_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes,
                                     float factor)
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

MULTIVERSIONED void tp_cpu_spread_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes,
                                       float factor)
{
	for (int32_t row = 0; row < rows; row++, to += pitch) {
#pragma omp simd
		for (int32_t lane = 0; lane < lanes; lane++)
			to[lane] = factor * from[lane];
	}
}
