/* Linear layer, and the sum of two values. */
#include "engine/backend/reference_kernel.h"

#include <string.h>

/* y = W x + b, W of {out, in} */
static void linear_forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	int64_t in = kernel->in_elements, out = kernel->out_elements;
	const double *weight = batch->params, *bias = weight + out * in;
	for (int32_t n = 0; n < batch->samples; n++)
		for (int64_t o = 0; o < out; o++)
			y[n * out + o] = bias[o] + tp_reference_dot(weight + o * in, batch->x[0] + n * in, in);
}

static void linear_backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
                            const double *dy, double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	int64_t in = kernel->in_elements, out = kernel->out_elements;
	const double *weight = batch->params;
	double *dweight = dparams, *dbias = dparams ? dweight + out * in : NULL;
	if (dx[0])
		memset(dx[0], 0, (size_t)(batch->samples * in) * sizeof(double));
	for (int32_t n = 0; n < batch->samples; n++) {
		for (int64_t o = 0; o < out; o++) {
			double gradient = dy[n * out + o];
			if (dparams) {
				dbias[o] += gradient;
				tp_reference_axpy(gradient, batch->x[0] + n * in, dweight + o * in, in);
			}
			if (dx[0])
				tp_reference_axpy(gradient, weight + o * in, dx[0] + n * in, in);
		}
	}
}

const struct tp_reference_operator tp_reference_linear = {
        .forward = linear_forward,
        .backward = linear_backward,
};

static void add_forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	for (int64_t i = 0; i < batch->samples * kernel->out_elements; i++)
		y[i] = batch->x[0][i] + batch->x[1][i];
}

static void add_backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
                         const double *dy, double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	(void)dparams;
	for (int32_t i = 0; i < TP_LAYER_INPUTS; i++)
		if (dx[i])
			memcpy(dx[i], dy, (size_t)(batch->samples * kernel->out_elements) * sizeof *dy);
}

const struct tp_reference_operator tp_reference_add = {
        .forward = add_forward,
        .backward = add_backward,
};
