#include "engine/backend/cpu_tiny_conv.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define AVX512_INLINE static inline __attribute__((always_inline, target("avx512f")))

enum {
	LANES = 16,             /* channels of a block */
	PIXELS = 4,             /* of an image */
	TAPS = 9,               /* of the kernel */
	IMAGE = PIXELS * LANES, /* floats of one block of channels of one sample */
	TILE = LANES * LANES,   /* weights of one tap between two blocks */
	WEIGHTS = TAPS * TILE,  /* ... of all taps */
	TOGETHER = 4,           /* samples whose outputs are held in registers */
};

/* The tap through which output pixel `to` sees input pixel `from`; through the mirrored one the gradient goes back. */
static inline int tap_of(int from, int to)
{
	return (from / 2 - to / 2 + 1) * 3 + (from % 2 - to % 2 + 1);
}

bool tp_tiny_conv_suits(const struct tp_layer *layer, int32_t in_layout, int32_t out_layout,
                        const struct tp_dnnl_md *weights)
{
	const struct tp_shape in = layer->in_shape;
	struct tp_dnnl_md wanted = {0};
	if (!__builtin_cpu_supports("avx512f") || in.h != 2 || in.w != 2 || layer->kernel != 3 || layer->stride != 1 ||
	    layer->padding != 1 || in_layout != LANES || out_layout != LANES || in.c % LANES != 0 ||
	    layer->out_shape.c % LANES != 0)
		return false;
	if (tp_dnnl_md_blocked_weights(&wanted, layer) != TP_OK)
		return false;
	bool equal = tp_dnnl_md_equal(&wanted, weights);
	tp_dnnl_md_release(&wanted);
	return equal;
}

size_t tp_tiny_conv_scratch_bytes(const struct tp_layer *layer, int32_t samples)
{
	size_t channels = (size_t)layer->in_shape.c + (size_t)layer->out_shape.c;
	return sizeof(float) * PIXELS * channels * (size_t)samples;
}

/* Blocks of one sample lie a multiple of 4 KiB apart from the same block of the next one, which a cache maps onto a few
 * of its sets. So values are brought together by block first, [block][sample][pixel][lane], and taken apart at the end.
 */
static void gather(const float *values, int32_t blocks, int32_t samples, float *packed)
{
	for (int32_t block = 0; block < blocks; block++)
		for (int32_t n = 0; n < samples; n++, packed += IMAGE)
			memcpy(packed, values + ((size_t)n * (size_t)blocks + (size_t)block) * IMAGE,
			       sizeof(float) * IMAGE);
}

static void scatter_block(const float *packed, int32_t blocks, int32_t block, int32_t samples, float *values)
{
	for (int32_t n = 0; n < samples; n++, packed += IMAGE)
		memcpy(values + ((size_t)n * (size_t)blocks + (size_t)block) * IMAGE, packed, sizeof(float) * IMAGE);
}

/* to += from * weights, over one block of input and one of output channels, for `count` samples in a row. */
AVX512_INLINE void multiply(const float *from, const float *weights, float *to, int count, bool mirrored)
{
	__m512 sum[TOGETHER][PIXELS];
	for (int n = 0; n < count; n++)
		for (int p = 0; p < PIXELS; p++)
			sum[n][p] = _mm512_loadu_ps(to + n * IMAGE + p * LANES);
	for (int lane = 0; lane < LANES; lane++) {
		__m512 w[TAPS];
		for (int tap = 0; tap < TAPS; tap++)
			w[tap] = _mm512_loadu_ps(weights + tap * TILE + lane * LANES);
		for (int n = 0; n < count; n++) {
			for (int p = 0; p < PIXELS; p++) {
				__m512 value = _mm512_set1_ps(from[n * IMAGE + p * LANES + lane]);
				for (int q = 0; q < PIXELS; q++) {
					int tap = mirrored ? tap_of(q, p) : tap_of(p, q);
					sum[n][q] = _mm512_fmadd_ps(value, w[tap], sum[n][q]);
				}
			}
		}
	}
	for (int n = 0; n < count; n++)
		for (int p = 0; p < PIXELS; p++)
			_mm512_storeu_ps(to + n * IMAGE + p * LANES, sum[n][p]);
}

/* ... for all samples. The order in which a sample's terms are added does not depend on how many there are. */
AVX512 static void multiply_all(const float *from, const float *weights, float *to, int32_t samples, bool mirrored)
{
	int32_t n = 0;
	for (; n + TOGETHER <= samples; n += TOGETHER) {
		if (mirrored)
			multiply(from + n * IMAGE, weights, to + n * IMAGE, TOGETHER, true);
		else
			multiply(from + n * IMAGE, weights, to + n * IMAGE, TOGETHER, false);
	}
	for (; n < samples; n++) {
		if (mirrored)
			multiply(from + n * IMAGE, weights, to + n * IMAGE, 1, true);
		else
			multiply(from + n * IMAGE, weights, to + n * IMAGE, 1, false);
	}
}

AVX512 void tp_tiny_conv_forward(const struct tp_layer *layer, int32_t samples, const float *x, const float *weights,
                                 const float *bias, float *y, float *scratch)
{
	const int32_t in_blocks = layer->in_shape.c / LANES, out_blocks = layer->out_shape.c / LANES;
	const size_t block_floats = (size_t)samples * IMAGE;
	float *to = scratch + block_floats * (size_t)in_blocks;
	gather(x, in_blocks, samples, scratch);
	for (int32_t o = 0; o < out_blocks; o++) {
		__m512 start = _mm512_loadu_ps(bias + o * LANES);
		for (size_t i = 0; i < block_floats; i += LANES)
			_mm512_storeu_ps(to + i, start);
		for (int32_t i = 0; i < in_blocks; i++, weights += WEIGHTS)
			multiply_all(scratch + block_floats * (size_t)i, weights, to, samples, false);
		for (size_t i = 0; layer->relu && i < block_floats; i += LANES)
			_mm512_storeu_ps(to + i, _mm512_max_ps(_mm512_setzero_ps(), _mm512_loadu_ps(to + i)));
		scatter_block(to, out_blocks, o, samples, y);
	}
}

/* One tap's block with rows and columns exchanged. */
AVX512_INLINE void transpose(const float *from, float *to)
{
	__m512 a[LANES], b[LANES];
	for (int i = 0; i < LANES; i++)
		a[i] = _mm512_loadu_ps(from + i * LANES);
	for (int i = 0; i < LANES; i += 2) {
		b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
		b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
	}
	for (int i = 0; i < LANES; i += 4) { /* pairs of rows into fours: columns i % 4 of each quarter */
		for (int j = 0; j < 2; j++) {
			__m512d even = _mm512_castps_pd(b[i + j]), odd = _mm512_castps_pd(b[i + j + 2]);
			a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(even, odd));
			a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd));
		}
	}
	for (int j = 0; j < 4; j++) { /* quarters of the four fours */
		__m512 low0 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88),
		       low1 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88);
		__m512 high0 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xdd),
		       high1 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xdd);
		_mm512_storeu_ps(to + j * LANES, _mm512_shuffle_f32x4(low0, low1, 0x88));
		_mm512_storeu_ps(to + (8 + j) * LANES, _mm512_shuffle_f32x4(low0, low1, 0xdd));
		_mm512_storeu_ps(to + (4 + j) * LANES, _mm512_shuffle_f32x4(high0, high1, 0x88));
		_mm512_storeu_ps(to + (12 + j) * LANES, _mm512_shuffle_f32x4(high0, high1, 0xdd));
	}
}

AVX512 void tp_tiny_conv_backward_data(const struct tp_layer *layer, int32_t samples, const float *dy,
                                       const float *weights, float *dx, float *scratch)
{
	const int32_t in_blocks = layer->in_shape.c / LANES, out_blocks = layer->out_shape.c / LANES;
	const size_t block_floats = (size_t)samples * IMAGE;
	float *to = scratch + block_floats * (size_t)out_blocks;
	float exchanged[WEIGHTS];
	gather(dy, out_blocks, samples, scratch);
	for (int32_t i = 0; i < in_blocks; i++) {
		memset(to, 0, sizeof(float) * block_floats);
		for (int32_t o = 0; o < out_blocks; o++) {
			const float *block = weights + ((size_t)o * (size_t)in_blocks + (size_t)i) * WEIGHTS;
			for (int tap = 0; tap < TAPS; tap++)
				transpose(block + tap * TILE, exchanged + tap * TILE);
			multiply_all(scratch + block_floats * (size_t)o, exchanged, to, samples, true);
		}
		scatter_block(to, in_blocks, i, samples, dx);
	}
}

/* The gradient of one tap's block: sums over samples and over the pixels that meet through the tap. */
AVX512_INLINE void accumulate_tap(const float *x, const float *dy, int32_t samples, int tap, float *dweights)
{
	__m512 sum[LANES];
	for (int i = 0; i < LANES; i++)
		sum[i] = _mm512_setzero_ps();
	for (int p = 0; p < PIXELS; p++) {
		for (int q = 0; q < PIXELS; q++) {
			if (tap_of(p, q) != tap)
				continue;
			for (int32_t n = 0; n < samples; n++) {
				__m512 gradient = _mm512_loadu_ps(dy + n * IMAGE + q * LANES);
				for (int i = 0; i < LANES; i++)
					sum[i] = _mm512_fmadd_ps(_mm512_set1_ps(x[n * IMAGE + p * LANES + i]), gradient,
					                         sum[i]);
			}
		}
	}
	for (int i = 0; i < LANES; i++)
		_mm512_storeu_ps(dweights + i * LANES, sum[i]);
}

AVX512 void tp_tiny_conv_backward_weights(const struct tp_layer *layer, int32_t samples, const float *x,
                                          const float *dy, float *dweights, float *dbias, float *scratch)
{
	const int32_t in_blocks = layer->in_shape.c / LANES, out_blocks = layer->out_shape.c / LANES;
	const size_t block_floats = (size_t)samples * IMAGE;
	float *gradients = scratch + block_floats * (size_t)in_blocks;
	gather(x, in_blocks, samples, scratch);
	gather(dy, out_blocks, samples, gradients);
	for (int32_t o = 0; o < out_blocks; o++, gradients += block_floats) {
		__m512 sum = _mm512_setzero_ps();
		for (size_t i = 0; i < block_floats; i += LANES)
			sum = _mm512_add_ps(sum, _mm512_loadu_ps(gradients + i));
		_mm512_storeu_ps(dbias + o * LANES, sum);
		for (int32_t i = 0; i < in_blocks; i++)
			for (int tap = 0; tap < TAPS; tap++, dweights += TILE)
				accumulate_tap(scratch + block_floats * (size_t)i, gradients, samples, tap, dweights);
	}
}

#else /* never chosen elsewhere */

bool tp_tiny_conv_suits(const struct tp_layer *layer, int32_t in_layout, int32_t out_layout,
                        const struct tp_dnnl_md *weights)
{
	(void)layer, (void)in_layout, (void)out_layout, (void)weights;
	return false;
}
#endif
