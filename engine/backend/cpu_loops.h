/* Loops of the CPU device over flat float32 arrays, compiled for several instruction sets and chosen at run time. */
#ifndef TP_ENGINE_BACKEND_CPU_LOOPS_H
#define TP_ENGINE_BACKEND_CPU_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* to = from + update, see tp_sgd. `to` may be `from`. */
struct tp_cpu_sgd {
	float lr, momentum, weight_decay;
	bool first_step;
};
void tp_cpu_sgd(const struct tp_cpu_sgd *step, const float *from, float *to, const float *gradient, float *moment,
                size_t count);

/* to += from */
void tp_cpu_add_into(const float *from, float *to, size_t count);
/* to = a * x + b * y; `to` may be x or y */
void tp_cpu_mix(float a, const float *x, float b, const float *y, float *to, size_t count);
/* y = a + b, then ReLU when asked */
void tp_cpu_sum(const float *a, const float *b, float *y, size_t count, bool relu);
/* masked = dy where y > 0, else 0 */
void tp_cpu_relu_mask(const float *dy, const float *y, float *masked, size_t count);
/* running = (1 - momentum) * running + momentum * factor * batch */
void tp_cpu_blend(float *running, const float *batch, float momentum, float factor, size_t count);

/* `rows` rows of `lanes` values, `pitch` apart: to[lane] = factor * sum over rows of from[row][lane]; and the way back:
 * to[row][lane] = factor * from[lane]. */
void tp_cpu_mean_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor);
void tp_cpu_spread_rows(const float *from, float *to, int32_t rows, int32_t pitch, int32_t lanes, float factor);

#endif
