#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakecuda/cudnn_fixture.h"

#include <stdlib.h>

const struct mode modes[MODES] = {
        {CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT},
        {CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT},
        {CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16},
        {CUDNN_TENSOR_NCHW, CUDNN_DATA_BFLOAT16},
};

double mode_tolerance(struct mode mode)
{
	return mode.type == CUDNN_DATA_BFLOAT16 ? 1.0 / 256 : 2e-7;
}

void tensor_init(struct tensor *tensor, struct mode mode, struct dims dims, uint32_t seed)
{
	*tensor = (struct tensor){.mode = mode, .dims = dims};
	tensor->count = (int64_t)dims.n * dims.c * dims.h * dims.w;
	tensor->bytes = (size_t)tensor->count * (mode.type == CUDNN_DATA_BFLOAT16 ? 2 : 4);
	tensor->plain = calloc((size_t)tensor->count, sizeof *tensor->plain);
	assert_non_null(tensor->plain);
	tensor->memory = test_memory(tensor->bytes);
	test_values(tensor->plain, tensor->count, seed);
	tensor_put(tensor);
	assert_int_equal(cudnnCreateTensorDescriptor(&tensor->desc), CUDNN_STATUS_SUCCESS);
	assert_int_equal(
	        cudnnSetTensor4dDescriptor(tensor->desc, mode.format, mode.type, dims.n, dims.c, dims.h, dims.w),
	        CUDNN_STATUS_SUCCESS);
	assert_int_equal(cudnnCreateFilterDescriptor(&tensor->filter), CUDNN_STATUS_SUCCESS);
	assert_int_equal(
	        cudnnSetFilter4dDescriptor(tensor->filter, mode.type, mode.format, dims.n, dims.c, dims.h, dims.w),
	        CUDNN_STATUS_SUCCESS);
}

void tensor_release(struct tensor *tensor)
{
	free(tensor->plain);
	free(tensor->memory);
	assert_int_equal(cudnnDestroyTensorDescriptor(tensor->desc), CUDNN_STATUS_SUCCESS);
	assert_int_equal(cudnnDestroyFilterDescriptor(tensor->filter), CUDNN_STATUS_SUCCESS);
}

/* Where the value at an index of NCHW lies. */
static int64_t place(const struct tensor *tensor, int64_t index)
{
	struct dims dims = tensor->dims;
	if (tensor->mode.format == CUDNN_TENSOR_NCHW)
		return index;
	int64_t image = (int64_t)dims.h * dims.w;
	int64_t n = index / (image * dims.c), c = index / image % dims.c, point = index % image;
	return (n * image + point) * dims.c + c;
}

void tensor_put(struct tensor *tensor)
{
	for (int64_t i = 0; i < tensor->count; i++) {
		int64_t at = place(tensor, i);
		if (tensor->mode.type == CUDNN_DATA_BFLOAT16)
			((uint16_t *)tensor->memory)[at] = fake_to_bf16((float)tensor->plain[i]);
		else
			((float *)tensor->memory)[at] = (float)tensor->plain[i];
	}
}

double tensor_get(const struct tensor *tensor, int64_t index)
{
	int64_t at = place(tensor, index);
	if (tensor->mode.type == CUDNN_DATA_BFLOAT16)
		return (double)fake_from_bf16(((const uint16_t *)tensor->memory)[at]);
	return (double)((const float *)tensor->memory)[at];
}

void tensor_expect(const struct tensor *tensor, const double *expected, double alpha, double beta)
{
	for (int64_t i = 0; i < tensor->count; i++)
		test_near(tensor_get(tensor, i), alpha * expected[i] + (beta != 0 ? beta * tensor->plain[i] : 0),
		          mode_tolerance(tensor->mode));
}
