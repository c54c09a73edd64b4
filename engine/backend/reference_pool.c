/* Max pooling, which saves where each maximum was, and global average pooling. */
#include "engine/backend/reference_kernel.h"

#include <string.h>

/* One index per output: of the maximum in its input plane. */
static size_t maxpool_saved_bytes(const struct tp_reference_kernel *kernel)
{
	return (size_t)kernel->out_elements * sizeof(int32_t);
}

/* The index of the largest input in the window whose first pixel is (y, x); the first one on ties. */
static int32_t window_maximum(const struct tp_layer *layer, const double *plane, int32_t y, int32_t x)
{
	int32_t width = layer->in_shape.w, best = y * width + x;
	for (int32_t dy = 0; dy < layer->kernel; dy++) {
		for (int32_t dx = 0; dx < layer->kernel; dx++) {
			int32_t index = (y + dy) * width + x + dx;
			if (plane[index] > plane[best])
				best = index;
		}
	}
	return best;
}

/* Planes: one channel of one sample. */
static void maxpool_forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	const struct tp_layer *layer = kernel->base.layer;
	struct tp_shape in = layer->in_shape, out = layer->out_shape;
	int32_t *saved = batch->saved;
	const double *plane = batch->x[0];
	for (int64_t i = 0; i < (int64_t)batch->samples * in.c; i++, plane += (int64_t)in.h * in.w) {
		for (int32_t row = 0; row < out.h; row++) {
			for (int32_t column = 0; column < out.w; column++) {
				int32_t best =
				        window_maximum(layer, plane, row * layer->stride, column * layer->stride);
				*y++ = plane[best];
				if (saved)
					*saved++ = best;
			}
		}
	}
}

static void maxpool_backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
                             const double *dy, double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	(void)dparams;
	if (!dx[0])
		return;
	struct tp_shape in = kernel->base.layer->in_shape, out = kernel->base.layer->out_shape;
	const int32_t *saved = batch->saved;
	double *plane = dx[0];
	memset(dx[0], 0, (size_t)(batch->samples * kernel->in_elements) * sizeof(double));
	for (int64_t i = 0; i < (int64_t)batch->samples * in.c; i++, plane += (int64_t)in.h * in.w)
		for (int64_t pixel = 0; pixel < (int64_t)out.h * out.w; pixel++)
			plane[*saved++] += *dy++;
}

const struct tp_reference_operator tp_reference_maxpool = {
        .saved_sample_bytes = maxpool_saved_bytes,
        .forward = maxpool_forward,
        .backward = maxpool_backward,
};

static void avgpool_forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	struct tp_shape in = kernel->base.layer->in_shape;
	int64_t pixels = (int64_t)in.h * in.w;
	const double *plane = batch->x[0];
	for (int64_t i = 0; i < (int64_t)batch->samples * in.c; i++, plane += pixels) {
		double sum = 0;
		for (int64_t pixel = 0; pixel < pixels; pixel++)
			sum += plane[pixel];
		y[i] = sum / (double)pixels;
	}
}

static void avgpool_backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
                             const double *dy, double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	(void)dparams;
	if (!dx[0])
		return;
	struct tp_shape in = kernel->base.layer->in_shape;
	int64_t pixels = (int64_t)in.h * in.w;
	double *plane = dx[0];
	for (int64_t i = 0; i < (int64_t)batch->samples * in.c; i++, plane += pixels)
		for (int64_t pixel = 0; pixel < pixels; pixel++)
			plane[pixel] = dy[i] / (double)pixels;
}

const struct tp_reference_operator tp_reference_global_avgpool = {
        .forward = avgpool_forward,
        .backward = avgpool_backward,
};
