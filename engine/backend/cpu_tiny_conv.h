/* 3x3 convolution of 2x2 images, stride 1, padding 1, with AVX-512: the last stage of a VGG on 32x32 images.
 *
 * Such an image is all border. Winograd's tiles are mostly padding there, and oneDNN's direct kernel runs at half speed
 * or less; but every output pixel sees every input pixel, so that the convolution is a dense product, blocked here so
 * that a 16x16 block of weights meets all samples while it sits in the first-level cache.
 *
 * Values are nChw16c with full blocks, weights OIhw16i16o, all float32. */
#ifndef TP_ENGINE_BACKEND_CPU_TINY_CONV_H
#define TP_ENGINE_BACKEND_CPU_TINY_CONV_H

#include "engine/backend/dnnl_shim.h"

/* Is this the shape, are values and weights laid out so, and does the processor have AVX-512? */
bool tp_tiny_conv_suits(const struct tp_layer *layer, int32_t in_layout, int32_t out_layout,
                        const struct tp_dnnl_md *weights);

/* Of any pass, for up to `samples`. */
size_t tp_tiny_conv_scratch_bytes(const struct tp_layer *layer, int32_t samples);

void tp_tiny_conv_forward(const struct tp_layer *layer, int32_t samples, const float *x, const float *weights,
                          const float *bias, float *y, float *scratch);
void tp_tiny_conv_backward_data(const struct tp_layer *layer, int32_t samples, const float *dy, const float *weights,
                                float *dx, float *scratch);
/* Overwrites dweights and dbias. */
void tp_tiny_conv_backward_weights(const struct tp_layer *layer, int32_t samples, const float *x, const float *dy,
                                   float *dweights, float *dbias, float *scratch);

#endif
