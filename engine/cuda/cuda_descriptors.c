#include "engine/cuda/cuda_descriptors.h"

static cudnnDataType_t data_type(enum tpb_type type)
{
	return type == TPB_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

enum tp_status tp_cuda_describe_values(enum tpb_type type, int32_t samples, struct tp_shape shape,
                                       cudnnTensorDescriptor_t *values)
{
	TP_TRY(TP_CUDNN_CHECK(cudnnCreateTensorDescriptor, values));
	return TP_CUDNN_CHECK(cudnnSetTensor4dDescriptor, *values, CUDNN_TENSOR_NHWC, data_type(type), samples, shape.c,
	                      shape.h, shape.w);
}

enum tp_status tp_cuda_describe_channels(int32_t channels, cudnnTensorDescriptor_t *values)
{
	TP_TRY(TP_CUDNN_CHECK(cudnnCreateTensorDescriptor, values));
	return TP_CUDNN_CHECK(cudnnSetTensor4dDescriptor, *values, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, channels, 1,
	                      1);
}

enum tp_status tp_cuda_describe_filter(enum tpb_type type, const struct tp_layer *layer,
                                       cudnnFilterDescriptor_t *filter)
{
	TP_TRY(TP_CUDNN_CHECK(cudnnCreateFilterDescriptor, filter));
	return TP_CUDNN_CHECK(cudnnSetFilter4dDescriptor, *filter, data_type(type), CUDNN_TENSOR_NHWC,
	                      layer->out_shape.c, layer->in_shape.c, layer->kernel, layer->kernel);
}

enum tp_status tp_cuda_describe_conv(const struct tp_layer *layer, cudnnMathType_t math,
                                     cudnnConvolutionDescriptor_t *conv)
{
	const int padding = layer->padding, stride = layer->stride, dilation = 1;
	TP_TRY(TP_CUDNN_CHECK(cudnnCreateConvolutionDescriptor, conv));
	TP_TRY(TP_CUDNN_CHECK(cudnnSetConvolution2dDescriptor, *conv, padding, padding, stride, stride, dilation,
	                      dilation, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
	return TP_CUDNN_CHECK(cudnnSetConvolutionMathType, *conv, math);
}

enum tp_status tp_cuda_describe_pool(const struct tp_layer *layer, bool deterministic, cudnnPoolingDescriptor_t *pool)
{
	cudnnPoolingMode_t mode = deterministic ? CUDNN_POOLING_MAX_DETERMINISTIC : CUDNN_POOLING_MAX;
	int height = layer->kernel, width = layer->kernel, stride = layer->stride;
	if (layer->kind == TP_LAYER_GLOBAL_AVGPOOL) {
		mode = CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
		height = layer->in_shape.h;
		width = layer->in_shape.w;
		stride = 1;
	}
	TP_TRY(TP_CUDNN_CHECK(cudnnCreatePoolingDescriptor, pool));
	return TP_CUDNN_CHECK(cudnnSetPooling2dDescriptor, *pool, mode, CUDNN_PROPAGATE_NAN, height, width, 0, 0,
	                      stride, stride);
}

void tp_cuda_forget_values(cudnnTensorDescriptor_t values)
{
	if (values)
		(void)tp_cuda.cudnnDestroyTensorDescriptor(values);
}

void tp_cuda_forget_filter(cudnnFilterDescriptor_t filter)
{
	if (filter)
		(void)tp_cuda.cudnnDestroyFilterDescriptor(filter);
}

void tp_cuda_forget_conv(cudnnConvolutionDescriptor_t conv)
{
	if (conv)
		(void)tp_cuda.cudnnDestroyConvolutionDescriptor(conv);
}

void tp_cuda_forget_pool(cudnnPoolingDescriptor_t pool)
{
	if (pool)
		(void)tp_cuda.cudnnDestroyPoolingDescriptor(pool);
}
