/* Convolution as a linear layer over patches: row p of the patch matrix holds the kernel*kernel*channels inputs that
 * output pixel p sees (zeros beyond the border), in the order of one row of the weight, OIHW. */
#include "engine/backend/reference_kernel.h"

#include <string.h>

struct geometry {
	struct tp_shape in, out;
	int32_t kernel, stride, padding;
	int64_t pixels; /* of the output, rows of the patch matrix */
	int64_t taps;   /* inputs an output sees, columns of the patch matrix */
};

static struct geometry geometry_of(const struct tp_reference_kernel *kernel)
{
	const struct tp_layer *layer = kernel->base.layer;
	return (struct geometry){
	        .in = layer->in_shape,
	        .out = layer->out_shape,
	        .kernel = layer->kernel,
	        .stride = layer->stride,
	        .padding = layer->padding,
	        .pixels = (int64_t)layer->out_shape.h * layer->out_shape.w,
	        .taps = (int64_t)layer->in_shape.c * layer->kernel * layer->kernel,
	};
}

/* One tap of one output pixel: channel c, offset (ky, kx) in the window. */
struct tap {
	int32_t oy, ox, c, ky, kx;
};

/* Where the tap's input lies in the sample; false beyond the border. */
static bool input_of_tap(const struct geometry *g, struct tap tap, int64_t *index)
{
	int32_t y = tap.oy * g->stride - g->padding + tap.ky;
	int32_t x = tap.ox * g->stride - g->padding + tap.kx;
	*index = ((int64_t)tap.c * g->in.h + y) * g->in.w + x;
	return y >= 0 && y < g->in.h && x >= 0 && x < g->in.w;
}

/* To the tap that is next in the patch matrix; false after the last. */
static bool next_tap(const struct geometry *g, struct tap *tap)
{
	if (++tap->kx < g->kernel)
		return true;
	tap->kx = 0;
	if (++tap->ky < g->kernel)
		return true;
	tap->ky = 0;
	if (++tap->c < g->in.c)
		return true;
	tap->c = 0;
	if (++tap->ox < g->out.w)
		return true;
	tap->ox = 0;
	return ++tap->oy < g->out.h;
}

static void gather_patches(const struct geometry *g, const double *x, double *patches)
{
	struct tap tap = {0};
	do {
		int64_t index;
		*patches++ = input_of_tap(g, tap, &index) ? x[index] : 0;
	} while (next_tap(g, &tap));
}

static void scatter_patches(const struct geometry *g, const double *dpatches, double *dx)
{
	struct tap tap = {0};
	memset(dx, 0, (size_t)tp_shape_elements(g->in) * sizeof *dx);
	do {
		int64_t index;
		if (input_of_tap(g, tap, &index))
			dx[index] += *dpatches;
		dpatches++;
	} while (next_tap(g, &tap));
}

/* Patches, and in backward their gradients. */
static size_t scratch_bytes(const struct tp_reference_kernel *kernel)
{
	struct geometry g = geometry_of(kernel);
	return 2 * (size_t)(g.pixels * g.taps) * sizeof(double);
}

static void forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	struct geometry g = geometry_of(kernel);
	const double *weight = batch->params, *bias = weight + g.out.c * g.taps;
	double *patches = batch->scratch;
	for (int32_t n = 0; n < batch->samples; n++) {
		gather_patches(&g, batch->x[0] + n * kernel->in_elements, patches);
		for (int32_t c = 0; c < g.out.c; c++)
			for (int64_t p = 0; p < g.pixels; p++)
				*y++ = bias[c] + tp_reference_dot(weight + c * g.taps, patches + p * g.taps, g.taps);
	}
}

static void backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, const double *dy,
                     double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	struct geometry g = geometry_of(kernel);
	const double *weight = batch->params;
	double *dweight = dparams, *dbias = dparams ? dweight + g.out.c * g.taps : NULL;
	double *patches = batch->scratch, *dpatches = patches + g.pixels * g.taps;
	for (int32_t n = 0; n < batch->samples; n++) {
		gather_patches(&g, batch->x[0] + n * kernel->in_elements, patches);
		memset(dpatches, 0, (size_t)(g.pixels * g.taps) * sizeof *dpatches);
		for (int32_t c = 0; c < g.out.c; c++) {
			for (int64_t p = 0; p < g.pixels; p++) {
				double gradient = *dy++;
				if (dparams) {
					dbias[c] += gradient;
					tp_reference_axpy(gradient, patches + p * g.taps, dweight + c * g.taps, g.taps);
				}
				if (dx[0])
					tp_reference_axpy(gradient, weight + c * g.taps, dpatches + p * g.taps, g.taps);
			}
		}
		if (dx[0])
			scatter_patches(&g, dpatches, dx[0] + n * kernel->in_elements);
	}
}

const struct tp_reference_operator tp_reference_conv = {
        .scratch_bytes = scratch_bytes,
        .forward = forward,
        .backward = backward,
};
