/* Which of cuDNN's algorithms does a convolution: found by timing once per shape, before the window. */
#ifndef TP_ENGINE_CUDA_CONV_CHOICE_H
#define TP_ENGINE_CUDA_CONV_CHOICE_H

#include "engine/cuda/cuda_device.h"

enum tp_cuda_conv_pass { TP_CUDA_FORWARD, TP_CUDA_BACKWARD_DATA, TP_CUDA_BACKWARD_WEIGHTS, TP_CUDA_CONV_PASSES };

/* One pass of a layer over a batch, as cuDNN is told. The descriptors are borrowed. */
struct tp_cuda_conv {
	const struct tp_layer *layer;
	enum tp_cuda_conv_pass pass;
	int32_t samples;
	cudnnTensorDescriptor_t x, y;
	cudnnFilterDescriptor_t filter;
	cudnnConvolutionDescriptor_t conv; /* with tp_cuda_conv_math() until an algorithm is chosen */
};

struct tp_cuda_conv_choice {
	int algorithm; /* of the pass's enumeration */
	cudnnMathType_t math;
	size_t workspace_bytes;
	bool timed; /* else cuDNN's rule decided */
};

/* What cuDNN may compute with, at most. */
cudnnMathType_t tp_cuda_conv_math(const struct tp_cuda_device *device);

/* The fastest algorithm within the device's workspace limit, one that gives the same bits every time where the device
 * shall; with `timed` by running all of them on memory of its own, where there is memory, else by cuDNN's rule. Equal
 * shapes on one GPU get one answer, found once. Blocks. TP_ERR_UNSUPPORTED when there is none. */
enum tp_status tp_cuda_conv_choose(struct tp_cuda_device *device, const struct tp_cuda_conv *conv, bool timed,
                                   struct tp_cuda_conv_choice *choice);

/* "implicit_precomp_gemm" */
const char *tp_cuda_conv_algorithm_text(enum tp_cuda_conv_pass pass, int algorithm);

#endif
