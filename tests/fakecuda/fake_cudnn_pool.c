/* cuDNN's pooling. The backward of the maximum finds its place again, from x and y: the first of equals in the order of
 * the window. */
#include "tests/fakecuda/fake_cudnn.h"

#include <math.h>
#include <stdlib.h>

struct pool {
	struct cudnnPoolingStruct how;
	struct cudnnTensorStruct x, y;
	struct fake_scale scale;
	const void *in, *out, *d_out;
	void *to; /* y or dx */
};

/* The part of a window that lies inside, rows h0 .. h1 - 1. */
struct window {
	int64_t n, h0, h1, w0, w1;
};

static int64_t inside(int64_t at, int64_t size)
{
	return at < 0 ? 0 : at > size ? size : at;
}

static struct window window_of(const struct pool *pool, int64_t point)
{
	int64_t image = (int64_t)pool->y.h * pool->y.w;
	int64_t h = point % image / pool->y.w * pool->how.stride_h - pool->how.pad_h;
	int64_t w = point % pool->y.w * pool->how.stride_w - pool->how.pad_w;
	return (struct window){point / image, inside(h, pool->x.h), inside(h + pool->how.window_h, pool->x.h),
	                       inside(w, pool->x.w), inside(w + pool->how.window_w, pool->x.w)};
}

static bool is_max(const struct pool *pool)
{
	return pool->how.mode == CUDNN_POOLING_MAX || pool->how.mode == CUDNN_POOLING_MAX_DETERMINISTIC;
}

static double divisor(const struct pool *pool, const struct window *window)
{
	if (pool->how.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING)
		return (double)pool->how.window_h * pool->how.window_w;
	return (double)((window->h1 - window->h0) * (window->w1 - window->w0));
}

static int64_t x_at(const struct pool *pool, const struct window *window, int64_t h, int64_t w, int64_t c)
{
	return fake_tensor_point(&pool->x, window->n, h, w) + c * fake_tensor_channel_step(&pool->x);
}

static double maximum(const struct pool *pool, const struct window *window, int64_t c)
{
	double max = -(double)INFINITY;
	for (int64_t h = window->h0; h < window->h1; h++)
		for (int64_t w = window->w0; w < window->w1; w++) {
			double value = fake_get(pool->in, pool->x.type, x_at(pool, window, h, w, c));
			if (value > max || (pool->how.propagate_nan && isnan(value)))
				max = value;
			if (isnan(max))
				return max;
		}
	return max;
}

static double average(const struct pool *pool, const struct window *window, int64_t c)
{
	double sum = 0;
	for (int64_t h = window->h0; h < window->h1; h++)
		for (int64_t w = window->w0; w < window->w1; w++)
			sum += fake_get(pool->in, pool->x.type, x_at(pool, window, h, w, c));
	return sum / divisor(pool, window);
}

static int64_t point_of(const struct cudnnTensorStruct *tensor, int64_t point)
{
	int64_t image = (int64_t)tensor->h * tensor->w, in_image = point % image;
	return fake_tensor_point(tensor, point / image, in_image / tensor->w, in_image % tensor->w);
}

static int64_t points_of(const struct cudnnTensorStruct *tensor)
{
	return (int64_t)tensor->n * tensor->h * tensor->w;
}

static void run_forward(const void *args)
{
	const struct pool *pool = args;
	int64_t step = fake_tensor_channel_step(&pool->y);
	for (int64_t point = 0; point < points_of(&pool->y); point++) {
		struct window window = window_of(pool, point);
		int64_t at = point_of(&pool->y, point);
		for (int64_t c = 0; c < pool->y.c; c++) {
			double value = is_max(pool) ? maximum(pool, &window, c) : average(pool, &window, c);
			fake_blend(pool->to, pool->y.type, at + c * step, pool->scale, value);
		}
	}
}

static void give_to_maximum(const struct pool *pool, const struct window *window, int64_t c, double y, double dy,
                            double *dx)
{
	for (int64_t h = window->h0; h < window->h1; h++)
		for (int64_t w = window->w0; w < window->w1; w++) {
			int64_t at = x_at(pool, window, h, w, c);
			double value = fake_get(pool->in, pool->x.type, at);
			if (value == y || (isnan(value) && isnan(y))) {
				dx[at] += dy;
				return;
			}
		}
}

static void give_to_all(const struct pool *pool, const struct window *window, int64_t c, double dy, double *dx)
{
	for (int64_t h = window->h0; h < window->h1; h++)
		for (int64_t w = window->w0; w < window->w1; w++)
			dx[x_at(pool, window, h, w, c)] += dy / divisor(pool, window);
}

static void run_backward(const void *args)
{
	const struct pool *pool = args;
	int64_t step = fake_tensor_channel_step(&pool->y), count = fake_tensor_elements(&pool->x);
	double *dx = fake_doubles(count);
	for (int64_t point = 0; point < points_of(&pool->y); point++) {
		struct window window = window_of(pool, point);
		for (int64_t c = 0; c < pool->y.c; c++) {
			int64_t at = point_of(&pool->y, point) + c * step;
			double dy = fake_get(pool->d_out, pool->y.type, at);
			if (is_max(pool))
				give_to_maximum(pool, &window, c, fake_get(pool->out, pool->y.type, at), dy, dx);
			else
				give_to_all(pool, &window, c, dy, dx);
		}
	}
	for (int64_t i = 0; i < count; i++)
		fake_blend(pool->to, pool->x.type, i, pool->scale, dx[i]);
	free(dx);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static int output_size(int in, int pad, int window, int stride)
{
	return in + 2 * pad < window ? 0 : 1 + (in + 2 * pad - window) / stride;
}

static cudnnStatus_t output_dims(const char *call, cudnnPoolingDescriptor_t how, cudnnTensorDescriptor_t x,
                                 struct cudnnTensorStruct *y)
{
	if (!how || !x)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a descriptor is NULL");
	if (!how->set || x->n == 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a descriptor was never set");
	*y = *x;
	y->h = output_size(x->h, how->pad_h, how->window_h, how->stride_h);
	y->w = output_size(x->w, how->pad_w, how->window_w, how->stride_w);
	if (y->h == 0 || y->w == 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "the window is larger than the padded input");
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetPooling2dForwardOutputDim(const cudnnPoolingDescriptor_t poolingDesc,
                                                            const cudnnTensorDescriptor_t inputTensorDesc, int *n,
                                                            int *c, int *h, int *w)
{
	static const char call[] = "cudnnGetPooling2dForwardOutputDim";
	FAKE_CUDNN_BEGIN(cudnnGetPooling2dForwardOutputDim);
	struct cudnnTensorStruct y = {.n = 0};
	FAKE_CUDNN_TRY(output_dims(call, poolingDesc, inputTensorDesc, &y));
	if (!n || !c || !h || !w)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no place for a size");
	*n = y.n;
	*c = y.c;
	*h = y.h;
	*w = y.w;
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check(const char *call, cudnnHandle_t handle, cudnnPoolingDescriptor_t how,
                           cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t y)
{
	struct cudnnTensorStruct expected = {.n = 0};
	if (!handle || !y)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "handle or descriptor is NULL");
	FAKE_CUDNN_TRY(output_dims(call, how, x, &expected));
	if (!fake_same_tensor(y, &expected))
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call,
		                         "the output differs in size, type or format from what the input makes it");
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t poolingDesc,
                                              const void *alpha, const cudnnTensorDescriptor_t xDesc, const void *x,
                                              const void *beta, const cudnnTensorDescriptor_t yDesc, void *y)
{
	static const char call[] = "cudnnPoolingForward";
	FAKE_CUDNN_BEGIN(cudnnPoolingForward);
	FAKE_CUDNN_TRY(check(call, handle, poolingDesc, xDesc, yDesc));
	struct pool pool = {.how = *poolingDesc, .x = *xDesc, .y = *yDesc, .in = x, .to = y};
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &pool.scale));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, x));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, y));
	struct fake_touches touches = {.count = 0};
	fake_reads(&touches, x, fake_tensor_bytes(&pool.x));
	fake_blends(&touches, y, fake_tensor_bytes(&pool.y), pool.scale);
	return fake_cudnn_submit(handle, call, &touches, run_forward, &pool, sizeof pool);
}

FAKE_EXPORT cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t poolingDesc,
                                               const void *alpha, const cudnnTensorDescriptor_t yDesc, const void *y,
                                               const cudnnTensorDescriptor_t dyDesc, const void *dy,
                                               const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
                                               const cudnnTensorDescriptor_t dxDesc, void *dx)
{
	static const char call[] = "cudnnPoolingBackward";
	FAKE_CUDNN_BEGIN(cudnnPoolingBackward);
	FAKE_CUDNN_TRY(check(call, handle, poolingDesc, xDesc, yDesc));
	FAKE_CUDNN_TRY(check(call, handle, poolingDesc, xDesc, dyDesc));
	FAKE_CUDNN_TRY(check(call, handle, poolingDesc, dxDesc, yDesc));
	if (!fake_same_tensor(xDesc, dxDesc))
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "input and its gradient differ");
	struct pool pool = {.how = *poolingDesc, .x = *xDesc, .y = *yDesc, .in = x, .out = y, .d_out = dy, .to = dx};
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &pool.scale));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, x));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, y));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, dy));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, dx));
	struct fake_touches touches = {.count = 0};
	fake_reads(&touches, x, fake_tensor_bytes(&pool.x));
	fake_reads(&touches, y, fake_tensor_bytes(&pool.y));
	fake_reads(&touches, dy, fake_tensor_bytes(&pool.y));
	fake_blends(&touches, dx, fake_tensor_bytes(&pool.x), pool.scale);
	return fake_cudnn_submit(handle, call, &touches, run_backward, &pool, sizeof pool);
}
