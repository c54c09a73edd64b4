/* Convolutions, as products of matrices: the windows of a few output points as rows [tap][channel], times the filter.
 */
#include "tests/fakecuda/fake_cudnn.h"

#include <stdlib.h>

/* --- what is a convolution ---------------------------------------------------------------------------------------- */

static int output_size(int in, int pad, int kernel, int stride, int dilation)
{
	int reach = (kernel - 1) * dilation + 1;
	return in + 2 * pad < reach ? 0 : (in + 2 * pad - reach) / stride + 1;
}

static cudnnStatus_t output_dims(const char *call, const struct cudnnConvolutionStruct *how,
                                 const struct cudnnTensorStruct *x, const struct cudnnFilterStruct *w,
                                 struct cudnnTensorStruct *y)
{
	if (x->c != w->c)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "input and filter differ in channels");
	*y = *x;
	y->c = w->k;
	y->h = output_size(x->h, how->pad_h, w->h, how->stride_h, how->dilation_h);
	y->w = output_size(x->w, how->pad_w, w->w, how->stride_w, how->dilation_w);
	if (y->h <= 0 || y->w <= 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "the filter is larger than the padded input");
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_set(const char *call, cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t x,
                               cudnnFilterDescriptor_t w)
{
	if (!how || !x || !w)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a descriptor is NULL");
	if (!how->set || x->n == 0 || w->k == 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a descriptor was never set");
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t convDesc,
                                                                const cudnnTensorDescriptor_t inputTensorDesc,
                                                                const cudnnFilterDescriptor_t filterDesc, int *n,
                                                                int *c, int *h, int *w)
{
	static const char call[] = "cudnnGetConvolution2dForwardOutputDim";
	FAKE_CUDNN_BEGIN(cudnnGetConvolution2dForwardOutputDim);
	struct cudnnTensorStruct y = {.n = 0};
	FAKE_CUDNN_TRY(check_set(call, convDesc, inputTensorDesc, filterDesc));
	if (!n || !c || !h || !w)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no place for a size");
	FAKE_CUDNN_TRY(output_dims(call, convDesc, inputTensorDesc, filterDesc, &y));
	*n = y.n;
	*c = y.c;
	*h = y.h;
	*w = y.w;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t fake_convolution_init(struct fake_convolution *convolution, const char *call, cudnnHandle_t handle,
                                    cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                                    cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y)
{
	struct cudnnTensorStruct expected = {.n = 0};
	if (!handle || !y)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "handle or descriptor is NULL");
	FAKE_CUDNN_TRY(check_set(call, how, x, w));
	FAKE_CUDNN_TRY(output_dims(call, how, x, w, &expected));
	if (y->n != expected.n || y->c != expected.c || y->h != expected.h || y->w != expected.w)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call,
		                         "the output is not as large as input, filter and convolution make it");
	if (x->type != w->type || x->type != y->type)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "types differ");
	if (x->format != w->format || x->format != y->format)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "formats differ");
	*convolution = (struct fake_convolution){*x, *y, *w, *how};
	return CUDNN_STATUS_SUCCESS;
}

/* --- the arithmetic ----------------------------------------------------------------------------------------------- */

/* Output points that are done at once. */
enum { POINTS = 64 };

struct work {
	struct fake_convolution of;
	struct fake_scale scale;
	const void *in[2];
	void *out, *workspace;
	size_t workspace_bytes;
};

static bool rounds(const struct fake_convolution *of)
{
	return of->x.type == FAKE_F32 && of->how.math != CUDNN_FMA_MATH;
}

static int64_t window_elements(const struct fake_convolution *of)
{
	return (int64_t)of->w.h * of->w.w * of->w.c;
}

static int64_t output_points(const struct fake_convolution *of)
{
	return (int64_t)of->y.n * of->y.h * of->y.w;
}

/* The place in x of one tap of an output point; false: in the padding. */
static bool tap_point(const struct fake_convolution *of, int64_t point, int64_t tap, int64_t *at)
{
	int64_t n = point / (of->y.h * of->y.w), in_image = point % (of->y.h * of->y.w);
	int64_t h = in_image / of->y.w * of->how.stride_h - of->how.pad_h + tap / of->w.w * of->how.dilation_h;
	int64_t w = in_image % of->y.w * of->how.stride_w - of->how.pad_w + tap % of->w.w * of->how.dilation_w;
	if (h < 0 || h >= of->x.h || w < 0 || w >= of->x.w)
		return false;
	*at = fake_tensor_point(&of->x, n, h, w);
	return true;
}

/* windows[point][tap][channel] */
static void get_windows(const struct fake_convolution *of, const void *x, int64_t first, int64_t points,
                        double *windows)
{
	int64_t taps = (int64_t)of->w.h * of->w.w, step = fake_tensor_channel_step(&of->x), at;
	for (int64_t i = 0; i < points * taps; i++) {
		double *to = windows + i * of->x.c;
		if (tap_point(of, first + i / taps, i % taps, &at))
			fake_get_row(to, x, of->x.type, at, step, of->x.c, rounds(of));
		else
			for (int c = 0; c < of->x.c; c++)
				to[c] = 0;
	}
}

/* x[..] += windows, x as [n][h][w][c] of doubles. */
static void add_windows(const struct fake_convolution *of, const double *windows, int64_t first, int64_t points,
                        double *x)
{
	int64_t taps = (int64_t)of->w.h * of->w.w, at;
	struct fake_convolution plain = *of;
	plain.x.format = CUDNN_TENSOR_NHWC;
	for (int64_t i = 0; i < points * taps; i++)
		if (tap_point(&plain, first + i / taps, i % taps, &at))
			for (int c = 0; c < of->x.c; c++)
				x[at + c] += windows[i * of->x.c + c];
}

static int64_t point_of(const struct cudnnTensorStruct *tensor, int64_t point)
{
	int64_t image = (int64_t)tensor->h * tensor->w, in_image = point % image;
	return fake_tensor_point(tensor, point / image, in_image / tensor->w, in_image % tensor->w);
}

/* rows[point][channel] of an output */
static void get_points(const struct cudnnTensorStruct *y, const void *from, int64_t first, int64_t points, bool round,
                       double *rows)
{
	for (int64_t i = 0; i < points; i++)
		fake_get_row(rows + i * y->c, from, y->type, point_of(y, first + i), fake_tensor_channel_step(y), y->c,
		             round);
}

static void put_points(const struct cudnnTensorStruct *y, void *to, int64_t first, int64_t points,
                       struct fake_scale scale, const double *rows)
{
	int64_t step = fake_tensor_channel_step(y);
	for (int64_t i = 0; i < points; i++) {
		int64_t at = point_of(y, first + i);
		for (int c = 0; c < y->c; c++)
			fake_blend(to, y->type, at + c * step, scale, rows[i * y->c + c]);
	}
}

/* Where one element of a filter lies: filter k, tap, channel c. */
static int64_t filter_at(const struct cudnnFilterStruct *w, int64_t k, int64_t tap, int64_t c)
{
	int64_t taps = (int64_t)w->h * w->w;
	return w->format == CUDNN_TENSOR_NHWC ? (k * taps + tap) * w->c + c : (k * w->c + c) * taps + tap;
}

/* filter[k][tap][channel], or with `transposed` filter[tap][channel][k] */
static double *get_filter(const struct fake_convolution *of, const void *w, bool transposed)
{
	int64_t taps = (int64_t)of->w.h * of->w.w, window = window_elements(of);
	double *filter = fake_doubles(of->w.k * window);
	for (int64_t k = 0; k < of->w.k; k++)
		for (int64_t tap = 0; tap < taps; tap++)
			for (int64_t c = 0; c < of->w.c; c++) {
				double value = fake_get(w, of->w.type, filter_at(&of->w, k, tap, c));
				int64_t at = tap * of->w.c + c;
				filter[transposed ? at * of->w.k + k : k * window + at] =
				        rounds(of) ? fake_tf32(value) : value;
			}
	return filter;
}

static int64_t points_left(const struct fake_convolution *of, int64_t first)
{
	int64_t left = output_points(of) - first;
	return left < POINTS ? left : POINTS;
}

static void run_forward(const void *args)
{
	const struct work *work = args;
	const struct fake_convolution *of = &work->of;
	int64_t window = window_elements(of);
	double *filter = get_filter(of, work->in[1], true), *windows = fake_doubles(POINTS * window);
	fake_scribble(work->workspace, work->workspace_bytes);
	for (int64_t first = 0; first < output_points(of); first += POINTS) {
		int64_t points = points_left(of, first);
		double *rows = fake_doubles(POINTS * of->y.c);
		get_windows(of, work->in[0], first, points, windows);
		fake_gemm(points, of->y.c, window, windows, window, 1, filter, of->y.c, rows);
		put_points(&of->y, work->out, first, points, work->scale, rows);
		free(rows);
	}
	free(windows);
	free(filter);
}

static void run_backward_data(const void *args)
{
	const struct work *work = args;
	const struct fake_convolution *of = &work->of;
	int64_t window = window_elements(of);
	double *filter = get_filter(of, work->in[0], false), *dy = fake_doubles(POINTS * of->y.c);
	double *dx = fake_doubles(fake_tensor_elements(&of->x));
	fake_scribble(work->workspace, work->workspace_bytes);
	for (int64_t first = 0; first < output_points(of); first += POINTS) {
		int64_t points = points_left(of, first);
		double *windows = fake_doubles(POINTS * window);
		get_points(&of->y, work->in[1], first, points, rounds(of), dy);
		fake_gemm(points, window, of->y.c, dy, of->y.c, 1, filter, window, windows);
		add_windows(of, windows, first, points, dx);
		free(windows);
	}
	put_points(&of->x, work->out, 0, (int64_t)of->x.n * of->x.h * of->x.w, work->scale, dx);
	free(dx);
	free(dy);
	free(filter);
}

static void put_filter(const struct fake_convolution *of, void *to, struct fake_scale scale, const double *filter)
{
	int64_t taps = (int64_t)of->w.h * of->w.w;
	for (int64_t k = 0; k < of->w.k; k++)
		for (int64_t tap = 0; tap < taps; tap++)
			for (int64_t c = 0; c < of->w.c; c++)
				fake_blend(to, of->w.type, filter_at(&of->w, k, tap, c), scale,
				           filter[(k * taps + tap) * of->w.c + c]);
}

static void run_backward_filter(const void *args)
{
	const struct work *work = args;
	const struct fake_convolution *of = &work->of;
	int64_t window = window_elements(of);
	double *windows = fake_doubles(POINTS * window), *dy = fake_doubles(POINTS * of->y.c);
	double *dw = fake_doubles(of->w.k * window);
	fake_scribble(work->workspace, work->workspace_bytes);
	for (int64_t first = 0; first < output_points(of); first += POINTS) {
		int64_t points = points_left(of, first);
		get_windows(of, work->in[0], first, points, windows);
		get_points(&of->y, work->in[1], first, points, rounds(of), dy);
		fake_gemm(of->y.c, window, points, dy, 1, of->y.c, windows, window, dw);
	}
	put_filter(of, work->out, work->scale, dw);
	free(dw);
	free(dy);
	free(windows);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

/* Of the two that are read and the one that is written. */
struct sizes {
	size_t in[2], out;
};

static cudnnStatus_t submit(const char *call, cudnnHandle_t handle, enum fake_direction direction, int algorithm,
                            struct work *work, struct sizes sizes, void (*run)(const void *args))
{
	size_t given = work->workspace_bytes;
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, work->in[0]));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, work->in[1]));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, work->out));
	FAKE_CUDNN_TRY(fake_algorithm_needs(call, direction, &work->of, algorithm, &work->workspace_bytes));
	if (given < work->workspace_bytes)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call,
		                         "less workspace than the algorithm said it needs");
	if (given > 0)
		FAKE_CUDNN_TRY(fake_cudnn_pointer(call, work->workspace));
	struct fake_touches touches = {.count = 0};
	fake_reads(&touches, work->in[0], sizes.in[0]);
	fake_reads(&touches, work->in[1], sizes.in[1]);
	fake_blends(&touches, work->out, sizes.out, work->scale);
	fake_writes(&touches, work->workspace, work->workspace_bytes);
	return fake_cudnn_submit(handle, call, &touches, run, work, sizeof *work);
}

FAKE_EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha,
                                                  const cudnnTensorDescriptor_t xDesc, const void *x,
                                                  const cudnnFilterDescriptor_t wDesc, const void *w,
                                                  const cudnnConvolutionDescriptor_t convDesc,
                                                  cudnnConvolutionFwdAlgo_t algo, void *workSpace,
                                                  size_t workSpaceSizeInBytes, const void *beta,
                                                  const cudnnTensorDescriptor_t yDesc, void *y)
{
	static const char call[] = "cudnnConvolutionForward";
	FAKE_CUDNN_BEGIN(cudnnConvolutionForward);
	struct work work = {.in = {x, w}, .out = y, .workspace = workSpace, .workspace_bytes = workSpaceSizeInBytes};
	FAKE_CUDNN_TRY(fake_convolution_init(&work.of, call, handle, xDesc, wDesc, convDesc, yDesc));
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &work.scale));
	struct sizes sizes = {{fake_tensor_bytes(&work.of.x), fake_filter_bytes(&work.of.w)},
	                      fake_tensor_bytes(&work.of.y)};
	return submit(call, handle, FAKE_FORWARD, (int)algo, &work, sizes, run_forward);
}

FAKE_EXPORT cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha,
                                                       const cudnnFilterDescriptor_t wDesc, const void *w,
                                                       const cudnnTensorDescriptor_t dyDesc, const void *dy,
                                                       const cudnnConvolutionDescriptor_t convDesc,
                                                       cudnnConvolutionBwdDataAlgo_t algo, void *workSpace,
                                                       size_t workSpaceSizeInBytes, const void *beta,
                                                       const cudnnTensorDescriptor_t dxDesc, void *dx)
{
	static const char call[] = "cudnnConvolutionBackwardData";
	FAKE_CUDNN_BEGIN(cudnnConvolutionBackwardData);
	struct work work = {.in = {w, dy}, .out = dx, .workspace = workSpace, .workspace_bytes = workSpaceSizeInBytes};
	FAKE_CUDNN_TRY(fake_convolution_init(&work.of, call, handle, dxDesc, wDesc, convDesc, dyDesc));
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &work.scale));
	struct sizes sizes = {{fake_filter_bytes(&work.of.w), fake_tensor_bytes(&work.of.y)},
	                      fake_tensor_bytes(&work.of.x)};
	return submit(call, handle, FAKE_BACKWARD_DATA, (int)algo, &work, sizes, run_backward_data);
}

FAKE_EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha,
                                                         const cudnnTensorDescriptor_t xDesc, const void *x,
                                                         const cudnnTensorDescriptor_t dyDesc, const void *dy,
                                                         const cudnnConvolutionDescriptor_t convDesc,
                                                         cudnnConvolutionBwdFilterAlgo_t algo, void *workSpace,
                                                         size_t workSpaceSizeInBytes, const void *beta,
                                                         const cudnnFilterDescriptor_t dwDesc, void *dw)
{
	static const char call[] = "cudnnConvolutionBackwardFilter";
	FAKE_CUDNN_BEGIN(cudnnConvolutionBackwardFilter);
	struct work work = {.in = {x, dy}, .out = dw, .workspace = workSpace, .workspace_bytes = workSpaceSizeInBytes};
	FAKE_CUDNN_TRY(fake_convolution_init(&work.of, call, handle, xDesc, dwDesc, convDesc, dyDesc));
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &work.scale));
	struct sizes sizes = {{fake_tensor_bytes(&work.of.x), fake_tensor_bytes(&work.of.y)},
	                      fake_filter_bytes(&work.of.w)};
	return submit(call, handle, FAKE_BACKWARD_FILTER, (int)algo, &work, sizes, run_backward_filter);
}
