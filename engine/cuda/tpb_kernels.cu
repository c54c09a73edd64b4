/* Our kernels, found by name; see cuda_kernels.h. */
#include "engine/cuda/cuda_kernels.h"

static __device__ int64_t first_item()
{
	return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ int64_t item_stride()
{
	return (int64_t)gridDim.x * blockDim.x;
}

extern "C" __global__ void tpb_sgd(const tpb_sgd_args a)
{
	for (int64_t i = first_item(); i < a.count; i += item_stride()) {
		const float g = a.gradient[i] + a.weight_decay * a.from[i];
		const float m = a.first_step ? g : a.momentum * a.momentum_buffer[i] + g;
		a.momentum_buffer[i] = m;
		a.to[i] = a.from[i] - a.lr * m;
	}
}
