/* Our kernels, found by name; what each does stands in cuda_kernels.h. Elements are read four at a time where the
 * pointers allow it: these kernels do little but move memory. */
#include <cuda_bf16.h>

#include "engine/cuda/cuda_kernels.h"

template <class T> struct alignas(4 * sizeof(T)) pack {
	T v[4];
};

static __device__ int64_t first_item()
{
	return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ int64_t item_stride()
{
	return (int64_t)gridDim.x * blockDim.x;
}

static __device__ float number(float value)
{
	return value;
}

static __device__ float number(__nv_bfloat16 value)
{
	return __bfloat162float(value);
}

static __device__ void store(float *to, float value)
{
	*to = value;
}

static __device__ void store(__nv_bfloat16 *to, float value)
{
	*to = __float2bfloat16(value);
}

/* Not a number stays one, so that it reaches the loss and shows there. */
static __device__ float relu_of(float value)
{
	return value < 0.0F ? 0.0F : value;
}

template <class T> static __device__ bool packs_at(const void *pointer)
{
	return (uintptr_t)pointer % sizeof(pack<T>) == 0;
}

/* z[i] = f(x[i], y[i]), i < count; `z` may be x or y */
template <class T, class F>
static __device__ void combine(const void *from_x, const void *from_y, void *to_z, int64_t count, F f)
{
	const T *x = static_cast<const T *>(from_x), *y = static_cast<const T *>(from_y);
	T *z = static_cast<T *>(to_z);
	const int64_t packs = packs_at<T>(x) && packs_at<T>(y) && packs_at<T>(z) ? count / 4 : 0;
	for (int64_t i = first_item(); i < packs; i += item_stride()) {
		const pack<T> a = reinterpret_cast<const pack<T> *>(x)[i];
		const pack<T> b = reinterpret_cast<const pack<T> *>(y)[i];
		pack<T> c;
		for (int k = 0; k < 4; k++)
			store(&c.v[k], f(number(a.v[k]), number(b.v[k])));
		reinterpret_cast<pack<T> *>(z)[i] = c;
	}
	for (int64_t i = 4 * packs + first_item(); i < count; i += item_stride())
		store(&z[i], f(number(x[i]), number(y[i])));
}

template <class F>
static __device__ void combine_as(int type, const void *x, const void *y, void *z, int64_t count, F f)
{
	if (type == TPB_BF16)
		combine<__nv_bfloat16>(x, y, z, count, f);
	else
		combine<float>(x, y, z, count, f);
}

extern "C" __global__ void tpb_blend(const tpb_blend_args a)
{
	combine_as(a.type, a.x, a.y, a.to, a.count, [=](float x, float y) { return a.a * x + a.b * y; });
}

extern "C" __global__ void tpb_relu_mask(const tpb_mask_args a)
{
	combine_as(a.type, a.dy, a.y, a.masked, a.count, [](float dy, float y) { return y > 0.0F ? dy : 0.0F; });
}

extern "C" __global__ void tpb_add_relu(const tpb_add_args a)
{
	combine_as(a.type, a.a, a.b, a.y, a.count,
	           [=](float x, float y) { return a.relu ? relu_of(x + y) : x + y; });
}

extern "C" __global__ void tpb_sgd(const tpb_sgd_args a)
{
	for (int64_t i = first_item(); i < a.count; i += item_stride()) {
		const float from = a.from[i];
		const float g = a.gradient[i] + a.weight_decay * from;
		const float m = a.first_step ? g : a.momentum * a.momentum_buffer[i] + g;
		a.momentum_buffer[i] = m;
		a.to[i] = from - a.lr * m;
	}
}

/* From [c][hw] to [hw][c] of each sample, or back. Writes are in order, reads jump. */
template <class From, class To>
static __device__ void permute(const void *from_any, void *to_any, int64_t samples, int32_t c, int32_t hw, bool to_plain)
{
	const From *from = static_cast<const From *>(from_any);
	To *to = static_cast<To *>(to_any);
	const int32_t inner = to_plain ? hw : c, outer = to_plain ? c : hw;
	const int64_t sample = (int64_t)c * hw, count = samples * sample;
	for (int64_t i = first_item(); i < count; i += item_stride()) {
		const int64_t first = i / sample * sample;
		const int32_t within = (int32_t)(i - first);
		const int32_t row = within / inner, column = within - row * inner;
		store(&to[i], number(from[first + (int64_t)column * outer + row]));
	}
}

extern "C" __global__ void tpb_upload(const tpb_upload_args a)
{
	if (a.type == TPB_BF16)
		permute<float, __nv_bfloat16>(a.from, a.to, a.samples, a.c, a.hw, false);
	else
		permute<float, float>(a.from, a.to, a.samples, a.c, a.hw, false);
}

extern "C" __global__ void tpb_permute(const tpb_permute_args a)
{
	if (a.type == TPB_BF16)
		permute<__nv_bfloat16, __nv_bfloat16>(a.from, a.to, a.samples, a.c, a.hw, a.to_plain != 0);
	else
		permute<float, float>(a.from, a.to, a.samples, a.c, a.hw, a.to_plain != 0);
}

template <class From, class To> static __device__ void convert(const tpb_convert_args &a)
{
	const From *from = static_cast<const From *>(a.from);
	To *to = static_cast<To *>(a.to);
	for (int64_t i = first_item(); i < a.count; i += item_stride())
		store(&to[i], (a.accumulate ? number(to[i]) : 0.0F) + number(from[i]));
}

extern "C" __global__ void tpb_convert(const tpb_convert_args a)
{
	if (a.from_type == TPB_BF16 && a.to_type == TPB_BF16)
		convert<__nv_bfloat16, __nv_bfloat16>(a);
	else if (a.from_type == TPB_BF16)
		convert<__nv_bfloat16, float>(a);
	else if (a.to_type == TPB_BF16)
		convert<float, __nv_bfloat16>(a);
	else
		convert<float, float>(a);
}

template <class T> static __device__ void add_bias(const tpb_bias_args &a)
{
	T *y = static_cast<T *>(a.y);
	const int64_t count = a.rows * a.channels;
	const int64_t packs = a.channels % 4 == 0 && packs_at<T>(y) ? count / 4 : 0;
	for (int64_t i = first_item(); i < packs; i += item_stride()) {
		pack<T> values = reinterpret_cast<pack<T> *>(y)[i];
		const int32_t c = (int32_t)(i % (a.channels / 4)) * 4;
		for (int k = 0; k < 4; k++) {
			const float value = number(values.v[k]) + (a.bias ? a.bias[c + k] : 0.0F);
			store(&values.v[k], a.relu ? relu_of(value) : value);
		}
		reinterpret_cast<pack<T> *>(y)[i] = values;
	}
	for (int64_t i = 4 * packs + first_item(); i < count; i += item_stride()) {
		const float value = number(y[i]) + (a.bias ? a.bias[i % a.channels] : 0.0F);
		store(&y[i], a.relu ? relu_of(value) : value);
	}
}

extern "C" __global__ void tpb_bias_relu(const tpb_bias_args a)
{
	if (a.type == TPB_BF16)
		add_bias<__nv_bfloat16>(a);
	else
		add_bias<float>(a);
}

/* Neighbouring threads have neighbouring channels of a chunk: they read whole rows. */
template <class T> static __device__ void sum_rows(const tpb_sums_args &a)
{
	const T *from = static_cast<const T *>(a.from);
	const int64_t sums = (int64_t)a.chunks * a.channels;
	for (int64_t i = first_item(); i < sums; i += item_stride()) {
		const int64_t chunk = i / a.channels;
		const int32_t c = (int32_t)(i - chunk * a.channels);
		const int64_t end = (chunk + 1) * a.rows / a.chunks;
		double sum = 0;
#pragma unroll 4
		for (int64_t row = chunk * a.rows / a.chunks; row < end; row++)
			sum += (double)number(from[row * a.channels + c]);
		a.to[i] = (a.accumulate ? a.to[i] : 0.0F) + (float)sum;
	}
}

extern "C" __global__ void tpb_bias_gradient(const tpb_sums_args a)
{
	if (a.type == TPB_BF16)
		sum_rows<__nv_bfloat16>(a);
	else
		sum_rows<float>(a);
}

/* Over the 32 threads of a warp, each of which gets the result: pairs at growing distance, always the same ones. */
template <class V, class F> static __device__ V over_warp(V value, F f)
{
	for (int distance = 16; distance > 0; distance /= 2)
		value = f(value, __shfl_xor_sync(0xffffffffU, value, distance));
	return value;
}

/* One row, by a warp. Returns its loss, and the label's rank: 0 for the first. */
template <class T>
static __device__ double row_loss(const T *row, T *out, int32_t classes, int32_t label, int32_t lane, int32_t *rank)
{
	const float of_label = number(row[label]);
	float largest = -INFINITY;
	for (int32_t c = lane; c < classes; c += 32)
		largest = fmaxf(largest, number(row[c]));
	largest = over_warp(largest, [](float x, float y) { return fmaxf(x, y); });
	double sum = 0;
	int32_t before = 0;
	for (int32_t c = lane; c < classes; c += 32) {
		const float value = number(row[c]);
		sum += (double)expf(value - largest);
		before += value > of_label || (value == of_label && c < label);
	}
	sum = over_warp(sum, [](double x, double y) { return x + y; });
	before = over_warp(before, [](int32_t x, int32_t y) { return x + y; });
	const float factor = (float)(1.0 / sum);
	for (int32_t c = lane; c < classes && out; c += 32)
		store(&out[c], expf(number(row[c]) - largest) * factor);
	*rank = isnan(of_label) ? INT32_MAX : before;
	return log(sum) - ((double)of_label - (double)largest);
}

template <class T> static __device__ void sum_losses(const tpb_loss_args &a)
{
	__shared__ struct tpb_loss_sums of_warp[32];
	const int32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
	struct tpb_loss_sums sums = {0, 0, 0};
	for (int32_t r = warp; r < a.rows; r += warps) {
		const T *row = static_cast<const T *>(a.logits) + (int64_t)r * a.classes;
		T *out = a.probabilities ? static_cast<T *>(a.probabilities) + (int64_t)r * a.classes : nullptr;
		int32_t rank = 0;
		sums.loss_sum += row_loss(row, out, a.classes, a.labels[r], lane, &rank);
		sums.top1 += rank < 1;
		sums.top5 += rank < 5;
	}
	if (lane == 0)
		of_warp[warp] = sums;
	__syncthreads();
	for (int32_t w = 0; threadIdx.x == 0 && w < warps; w++) {
		a.sums->loss_sum += of_warp[w].loss_sum;
		a.sums->top1 += of_warp[w].top1;
		a.sums->top5 += of_warp[w].top5;
	}
}

extern "C" __global__ void tpb_loss_forward(const tpb_loss_args a)
{
	if (blockIdx.x > 0)
		return;
	if (a.type == TPB_BF16)
		sum_losses<__nv_bfloat16>(a);
	else
		sum_losses<float>(a);
}

template <class T> static __device__ void loss_gradient(const tpb_loss_args &a)
{
	const T *from = static_cast<const T *>(a.probabilities);
	T *to = static_cast<T *>(a.dlogits);
	const int64_t count = (int64_t)a.rows * a.classes;
	for (int64_t i = first_item(); i < count; i += item_stride()) {
		const int64_t row = i / a.classes;
		const float target = i - row * a.classes == a.labels[row] ? 1.0F : 0.0F;
		store(&to[i], (number(from[i]) - target) * a.scale);
	}
}

extern "C" __global__ void tpb_loss_backward(const tpb_loss_args a)
{
	if (a.type == TPB_BF16)
		loss_gradient<__nv_bfloat16>(a);
	else
		loss_gradient<float>(a);
}
