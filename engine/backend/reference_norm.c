/* Batch normalisation (Ioffe, Szegedy 2015). Training normalises a slice by the slice's own statistics. */
#include "engine/backend/reference_kernel.h"

#include <math.h>

/* Per channel and slice: what backward needs of the statistics. */
struct channel_statistics {
	double mean;
	double inverse_std; /* 1 / sqrt(biased variance + eps) */
};

static size_t saved_slice_bytes(const struct tp_reference_kernel *kernel)
{
	return (size_t)kernel->base.layer->out_shape.c * sizeof(struct channel_statistics);
}

static int64_t pixels_of(const struct tp_reference_kernel *kernel)
{
	return (int64_t)kernel->base.layer->in_shape.h * kernel->base.layer->in_shape.w;
}

struct moments {
	double mean;
	double square_sum; /* of the distances from the mean */
	double count;
};

static struct moments channel_moments(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch,
                                      int32_t channel)
{
	int64_t pixels = pixels_of(kernel);
	const double *first = batch->x[0] + channel * pixels;
	struct moments moments = {0, 0, (double)batch->samples * (double)pixels};
	for (int32_t n = 0; n < batch->samples; n++)
		for (int64_t i = 0; i < pixels; i++)
			moments.mean += first[n * kernel->in_elements + i] / moments.count;
	for (int32_t n = 0; n < batch->samples; n++) {
		for (int64_t i = 0; i < pixels; i++) {
			double distance = first[n * kernel->in_elements + i] - moments.mean;
			moments.square_sum += distance * distance;
		}
	}
	return moments;
}

/* y = (x - mean) * inverse_std * weight + bias, for one channel */
static void normalise(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, int32_t channel,
                      struct channel_statistics statistics, double *y)
{
	int64_t pixels = pixels_of(kernel);
	double weight = batch->params[channel], bias = batch->params[kernel->base.layer->out_shape.c + channel];
	for (int32_t n = 0; n < batch->samples; n++) {
		int64_t first = n * kernel->in_elements + channel * pixels;
		for (int64_t i = first; i < first + pixels; i++)
			y[i] = (batch->x[0][i] - statistics.mean) * statistics.inverse_std * weight + bias;
	}
}

static void forward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	const struct tp_layer *layer = kernel->base.layer;
	int32_t channels = layer->out_shape.c;
	double *running_mean = batch->state, *running_var = batch->state ? running_mean + channels : NULL;
	struct channel_statistics *saved = batch->saved;
	for (int32_t c = 0; c < channels; c++) {
		struct moments moments = channel_moments(kernel, batch, c);
		saved[c].mean = moments.mean;
		saved[c].inverse_std = 1 / sqrt(moments.square_sum / moments.count + layer->eps);
		normalise(kernel, batch, c, saved[c], y);
		if (!batch->state)
			continue;
		/* The running variance is unbiased; of a single value, where that is undefined, it is 0. */
		double unbiased = moments.square_sum / fmax(moments.count - 1, 1);
		running_mean[c] += layer->momentum * (moments.mean - running_mean[c]);
		running_var[c] += layer->momentum * (unbiased - running_var[c]);
	}
}

static void infer(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, double *y)
{
	const struct tp_layer *layer = kernel->base.layer;
	int32_t channels = layer->out_shape.c;
	const double *running_mean = batch->state, *running_var = running_mean + channels;
	for (int32_t c = 0; c < channels; c++) {
		struct channel_statistics statistics = {running_mean[c], 1 / sqrt(running_var[c] + layer->eps)};
		normalise(kernel, batch, c, statistics, y);
	}
}

/* With h = (x - mean) * inverse_std over the n values of a channel:
 * dweight = sum dy h, dbias = sum dy, dx = weight * inverse_std * (dy - dbias / n - h * dweight / n) */
static void backward(const struct tp_reference_kernel *kernel, const struct tp_reference_batch *batch, const double *dy,
                     double *const dx[TP_LAYER_INPUTS], double *dparams)
{
	int32_t channels = kernel->base.layer->out_shape.c;
	int64_t pixels = pixels_of(kernel);
	double count = (double)batch->samples * (double)pixels;
	const struct channel_statistics *saved = batch->saved;
	for (int32_t c = 0; c < channels; c++) {
		double mean = saved[c].mean, inverse_std = saved[c].inverse_std;
		double dweight = 0, dbias = 0;
		for (int32_t n = 0; n < batch->samples; n++) {
			int64_t first = n * kernel->in_elements + c * pixels;
			for (int64_t i = first; i < first + pixels; i++) {
				dweight += dy[i] * (batch->x[0][i] - mean) * inverse_std;
				dbias += dy[i];
			}
		}
		dparams[c] += dweight;
		dparams[channels + c] += dbias;
		if (!dx[0])
			continue;
		for (int32_t n = 0; n < batch->samples; n++) {
			int64_t first = n * kernel->in_elements + c * pixels;
			for (int64_t i = first; i < first + pixels; i++) {
				double h = (batch->x[0][i] - mean) * inverse_std;
				dx[0][i] =
				        batch->params[c] * inverse_std * (dy[i] - dbias / count - h * dweight / count);
			}
		}
	}
}

const struct tp_reference_operator tp_reference_batchnorm = {
        .saved_slice_bytes = saved_slice_bytes,
        .forward = forward,
        .infer = infer,
        .both_at_once = true,
        .backward = backward,
};
