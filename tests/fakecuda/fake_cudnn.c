/* cuDNN's handles, descriptors and texts. */
#include "tests/fakecuda/fake_cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_error[256];

cudnnStatus_t fake_cudnn_refuse(cudnnStatus_t status, const char *call, const char *reason)
{
	snprintf(last_error, sizeof last_error, "fakecuda: %s: %s", call, reason);
	return status;
}

FAKE_EXPORT void cudnnGetLastErrorString(char *message, size_t max_size)
{
	if (message && max_size > 0)
		snprintf(message, max_size, "%s", last_error);
	last_error[0] = '\0';
}

FAKE_EXPORT const char *cudnnGetErrorString(cudnnStatus_t status)
{
#define TEXT(name)                        \
	{                                 \
		name, #name " (fakecuda)" \
	}
	static const struct {
		cudnnStatus_t status;
		const char *text;
	} texts[] = {
	        TEXT(CUDNN_STATUS_SUCCESS),
	        TEXT(CUDNN_STATUS_NOT_INITIALIZED),
	        TEXT(CUDNN_STATUS_BAD_PARAM),
	        TEXT(CUDNN_STATUS_NOT_SUPPORTED),
	        TEXT(CUDNN_STATUS_INTERNAL_ERROR),
	        TEXT(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED),
	        TEXT(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED),
	        TEXT(CUDNN_STATUS_EXECUTION_FAILED),
	        TEXT(CUDNN_STATUS_EXECUTION_FAILED_CUDART),
	};
#undef TEXT
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "CUDNN_UNKNOWN_STATUS (fakecuda)";
}

FAKE_EXPORT size_t cudnnGetVersion(void)
{
	return CUDNN_VERSION;
}

/* --- what calls have in common ------------------------------------------------------------------------------------ */

cudnnStatus_t fake_cudnn_type(const char *call, cudnnDataType_t type, enum fake_type *to)
{
	if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "neither float nor bfloat16");
	*to = type == CUDNN_DATA_BFLOAT16 ? FAKE_BF16 : FAKE_F32;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t fake_cudnn_pointer(const char *call, const void *at)
{
	if (!at)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a tensor's pointer is NULL");
	if ((uintptr_t)at % 16 != 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a tensor's pointer is not aligned to 16 bytes");
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t fake_cudnn_scale(const char *call, const void *alpha, const void *beta, struct fake_scale *scale)
{
	if (!alpha || !beta)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "alpha or beta is NULL");
	*scale = (struct fake_scale){*(const float *)alpha, *(const float *)beta};
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t fake_cudnn_submit(cudnnHandle_t handle, const char *call, const struct fake_touches *touches,
                                void (*run)(const void *args), const void *args, size_t args_bytes)
{
	if (fake_submit(handle->stream, call, call, touches, run, args, args_bytes) != cudaSuccess)
		return fake_cudnn_refuse(CUDNN_STATUS_EXECUTION_FAILED_CUDART, call, "the stream takes no work");
	return CUDNN_STATUS_SUCCESS;
}

/* --- handles and descriptors -------------------------------------------------------------------------------------- */

/* Zeroed, so that a descriptor that was never set is known as such. */
#define CREATE(function, type)                                                                          \
	FAKE_EXPORT cudnnStatus_t function(type *to)                                                    \
	{                                                                                               \
		FAKE_CUDNN_BEGIN(function);                                                             \
		if (!to)                                                                                \
			return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, #function, "NULL");            \
		*to = calloc(1, sizeof **to);                                                           \
		return *to ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED; \
	}

#define DESTROY(function, type)                     \
	FAKE_EXPORT cudnnStatus_t function(type of) \
	{                                           \
		FAKE_CUDNN_BEGIN(function);         \
		free(of);                           \
		return CUDNN_STATUS_SUCCESS;        \
	}

CREATE(cudnnCreate, cudnnHandle_t)
CREATE(cudnnCreateTensorDescriptor, cudnnTensorDescriptor_t)
CREATE(cudnnCreateFilterDescriptor, cudnnFilterDescriptor_t)
CREATE(cudnnCreateConvolutionDescriptor, cudnnConvolutionDescriptor_t)
CREATE(cudnnCreatePoolingDescriptor, cudnnPoolingDescriptor_t)
DESTROY(cudnnDestroy, cudnnHandle_t)
DESTROY(cudnnDestroyTensorDescriptor, cudnnTensorDescriptor_t)
DESTROY(cudnnDestroyFilterDescriptor, cudnnFilterDescriptor_t)
DESTROY(cudnnDestroyConvolutionDescriptor, cudnnConvolutionDescriptor_t)
DESTROY(cudnnDestroyPoolingDescriptor, cudnnPoolingDescriptor_t)

FAKE_EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t streamId)
{
	FAKE_CUDNN_BEGIN(cudnnSetStream);
	if (!handle)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, "cudnnSetStream", "no handle");
	handle->stream = streamId;
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_format(const char *call, cudnnTensorFormat_t format)
{
	if (format != CUDNN_TENSOR_NCHW && format != CUDNN_TENSOR_NHWC)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "neither NCHW nor NHWC");
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensorDesc, cudnnTensorFormat_t format,
                                                     cudnnDataType_t dataType, int n, int c, int h, int w)
{
	static const char call[] = "cudnnSetTensor4dDescriptor";
	FAKE_CUDNN_BEGIN(cudnnSetTensor4dDescriptor);
	if (!tensorDesc)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no descriptor");
	if (n <= 0 || c <= 0 || h <= 0 || w <= 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a size is not positive");
	enum fake_type type;
	FAKE_CUDNN_TRY(check_format(call, format));
	FAKE_CUDNN_TRY(fake_cudnn_type(call, dataType, &type));
	*tensorDesc = (struct cudnnTensorStruct){format, type, n, c, h, w};
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filterDesc, cudnnDataType_t dataType,
                                                     cudnnTensorFormat_t format, int k, int c, int h, int w)
{
	static const char call[] = "cudnnSetFilter4dDescriptor";
	FAKE_CUDNN_BEGIN(cudnnSetFilter4dDescriptor);
	if (!filterDesc)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no descriptor");
	if (k <= 0 || c <= 0 || h <= 0 || w <= 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a size is not positive");
	enum fake_type type;
	FAKE_CUDNN_TRY(check_format(call, format));
	FAKE_CUDNN_TRY(fake_cudnn_type(call, dataType, &type));
	*filterDesc = (struct cudnnFilterStruct){format, type, k, c, h, w};
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convDesc, int pad_h, int pad_w,
                                                          int u, int v, int dilation_h, int dilation_w,
                                                          cudnnConvolutionMode_t mode, cudnnDataType_t computeType)
{
	static const char call[] = "cudnnSetConvolution2dDescriptor";
	FAKE_CUDNN_BEGIN(cudnnSetConvolution2dDescriptor);
	if (!convDesc)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no descriptor");
	if (pad_h < 0 || pad_w < 0 || u <= 0 || v <= 0 || dilation_h <= 0 || dilation_w <= 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call,
		                         "padding below 0, or stride or dilation below 1");
	if (mode != CUDNN_CROSS_CORRELATION)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "only cross-correlation");
	if (computeType != CUDNN_DATA_FLOAT)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "only computing in float");
	*convDesc =
	        (struct cudnnConvolutionStruct){true, pad_h, pad_w, u, v, dilation_h, dilation_w, CUDNN_DEFAULT_MATH};
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convDesc, cudnnMathType_t mathType)
{
	static const char call[] = "cudnnSetConvolutionMathType";
	FAKE_CUDNN_BEGIN(cudnnSetConvolutionMathType);
	if (!convDesc)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no descriptor");
	if ((unsigned)mathType > CUDNN_FMA_MATH)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no such math type");
	convDesc->math = mathType;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t poolingDesc, cudnnPoolingMode_t mode,
                                                      cudnnNanPropagation_t maxpoolingNanOpt, int windowHeight,
                                                      int windowWidth, int verticalPadding, int horizontalPadding,
                                                      int verticalStride, int horizontalStride)
{
	static const char call[] = "cudnnSetPooling2dDescriptor";
	FAKE_CUDNN_BEGIN(cudnnSetPooling2dDescriptor);
	if (!poolingDesc)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no descriptor");
	if ((unsigned)mode > CUDNN_POOLING_MAX_DETERMINISTIC || (unsigned)maxpoolingNanOpt > CUDNN_PROPAGATE_NAN)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no such mode");
	if (windowHeight <= 0 || windowWidth <= 0 || verticalStride <= 0 || horizontalStride <= 0 ||
	    verticalPadding < 0 || horizontalPadding < 0 || verticalPadding >= windowHeight ||
	    horizontalPadding >= windowWidth)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call,
		                         "window and stride must be positive, and padding below the window");
	*poolingDesc = (struct cudnnPoolingStruct){true,
	                                           mode,
	                                           maxpoolingNanOpt == CUDNN_PROPAGATE_NAN,
	                                           windowHeight,
	                                           windowWidth,
	                                           verticalPadding,
	                                           horizontalPadding,
	                                           verticalStride,
	                                           horizontalStride};
	return CUDNN_STATUS_SUCCESS;
}
