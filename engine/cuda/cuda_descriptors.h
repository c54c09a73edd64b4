/* cuDNN's descriptions of our layers. They need no GPU; each is destroyed by its owner. NULL is allowed there. */
#ifndef TP_ENGINE_CUDA_DESCRIPTORS_H
#define TP_ENGINE_CUDA_DESCRIPTORS_H

#include "engine/cuda/cuda_device.h"

/* A batch of values of `shape`. */
enum tp_status tp_cuda_describe_values(enum tpb_type type, int32_t samples, struct tp_shape shape,
                                       cudnnTensorDescriptor_t *values);
/* One float per channel: the parameters of a batch normalisation. */
enum tp_status tp_cuda_describe_channels(int32_t channels, cudnnTensorDescriptor_t *values);
/* The weights of a convolution, [out][h][w][in]. */
enum tp_status tp_cuda_describe_filter(enum tpb_type type, const struct tp_layer *layer,
                                       cudnnFilterDescriptor_t *filter);
enum tp_status tp_cuda_describe_conv(const struct tp_layer *layer, cudnnMathType_t math,
                                     cudnnConvolutionDescriptor_t *conv);
/* Of a TP_LAYER_MAXPOOL or TP_LAYER_GLOBAL_AVGPOOL. */
enum tp_status tp_cuda_describe_pool(const struct tp_layer *layer, bool deterministic, cudnnPoolingDescriptor_t *pool);

void tp_cuda_forget_values(cudnnTensorDescriptor_t values);
void tp_cuda_forget_filter(cudnnFilterDescriptor_t filter);
void tp_cuda_forget_conv(cudnnConvolutionDescriptor_t conv);
void tp_cuda_forget_pool(cudnnPoolingDescriptor_t pool);

#endif
