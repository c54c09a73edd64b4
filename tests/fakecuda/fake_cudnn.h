/* What the parts of the stand-in for cuDNN share: descriptors, and how calls are refused. */
#ifndef TP_TESTS_FAKECUDA_FAKE_CUDNN_H
#define TP_TESTS_FAKECUDA_FAKE_CUDNN_H

#include <cudnn.h>

#include "tests/fakecuda/fake_math.h"

struct cudnnContext {
	cudaStream_t stream;
};

/* Sizes are 0 until the descriptor is set. */
struct cudnnTensorStruct {
	cudnnTensorFormat_t format;
	enum fake_type type;
	int n, c, h, w;
};

struct cudnnFilterStruct {
	cudnnTensorFormat_t format;
	enum fake_type type;
	int k, c, h, w;
};

struct cudnnConvolutionStruct {
	bool set;
	int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
	cudnnMathType_t math;
};

struct cudnnPoolingStruct {
	bool set;
	cudnnPoolingMode_t mode;
	bool propagate_nan;
	int window_h, window_w, pad_h, pad_w, stride_h, stride_w;
};

/* An injected failure at the start of a function. */
#define FAKE_CUDNN_BEGIN(function)                                                                        \
	do {                                                                                              \
		int injected = fake_injected(#function);                                                  \
		if (injected)                                                                             \
			return fake_cudnn_refuse((cudnnStatus_t)injected, #function, "injected failure"); \
	} while (0)

#define FAKE_CUDNN_TRY(call)                       \
	do {                                       \
		cudnnStatus_t tried = (call);      \
		if (tried != CUDNN_STATUS_SUCCESS) \
			return tried;              \
	} while (0)

/* Keeps the reason for cudnnGetLastErrorString() and passes the status on. The library's older functions tell apart no
 * more than CUDNN_STATUS_BAD_PARAM and CUDNN_STATUS_NOT_SUPPORTED, so these refuse with the two. */
cudnnStatus_t fake_cudnn_refuse(cudnnStatus_t status, const char *call, const char *reason);

/* cudnnSetTensor4dDescriptor's and cudnnSetFilter4dDescriptor's types. */
cudnnStatus_t fake_cudnn_type(const char *call, cudnnDataType_t type, enum fake_type *to);

/* Of a pointer to values: there, and aligned to 16 bytes. */
cudnnStatus_t fake_cudnn_pointer(const char *call, const void *at);

/* alpha and beta: both there. */
cudnnStatus_t fake_cudnn_scale(const char *call, const void *alpha, const void *beta, struct fake_scale *scale);

cudnnStatus_t fake_cudnn_submit(cudnnHandle_t handle, const char *call, const struct fake_touches *touches,
                                void (*run)(const void *args), const void *args, size_t args_bytes);

static inline int64_t fake_tensor_elements(const struct cudnnTensorStruct *tensor)
{
	return (int64_t)tensor->n * tensor->c * tensor->h * tensor->w;
}

static inline size_t fake_tensor_bytes(const struct cudnnTensorStruct *tensor)
{
	return (size_t)fake_tensor_elements(tensor) * fake_type_bytes(tensor->type);
}

static inline bool fake_same_tensor(const struct cudnnTensorStruct *a, const struct cudnnTensorStruct *b)
{
	return a->format == b->format && a->type == b->type && a->n == b->n && a->c == b->c && a->h == b->h &&
	       a->w == b->w;
}

/* Where the channels of one point lie: the first, and how far apart. */
static inline int64_t fake_tensor_point(const struct cudnnTensorStruct *tensor, int64_t n, int64_t h, int64_t w)
{
	if (tensor->format == CUDNN_TENSOR_NHWC)
		return ((n * tensor->h + h) * tensor->w + w) * tensor->c;
	return (n * tensor->c * tensor->h + h) * tensor->w + w;
}

static inline int64_t fake_tensor_channel_step(const struct cudnnTensorStruct *tensor)
{
	return tensor->format == CUDNN_TENSOR_NHWC ? 1 : (int64_t)tensor->h * tensor->w;
}

/* Reads where beta is not 0, writes always. */
static inline void fake_blends(struct fake_touches *touches, void *at, size_t bytes, struct fake_scale scale)
{
	if (scale.beta != 0.0F)
		fake_reads(touches, at, bytes);
	fake_writes(touches, at, bytes);
}

/* --- convolutions ------------------------------------------------------------------------------------------------ */

enum fake_direction { FAKE_FORWARD, FAKE_BACKWARD_DATA, FAKE_BACKWARD_FILTER };

/* One convolution: y = x * w. Copies, since descriptors may be gone before it is run. */
struct fake_convolution {
	struct cudnnTensorStruct x, y;
	struct cudnnFilterStruct w;
	struct cudnnConvolutionStruct how;
};

/* Are all descriptors there and set, do sizes, formats and types match, is the combination supported? */
cudnnStatus_t fake_convolution_init(struct fake_convolution *convolution, const char *call, cudnnHandle_t handle,
                                    cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                                    cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y);

static inline size_t fake_filter_bytes(const struct cudnnFilterStruct *filter)
{
	return (size_t)filter->k * (size_t)filter->c * (size_t)filter->h * (size_t)filter->w *
	       fake_type_bytes(filter->type);
}

/* Is `algorithm` there for this convolution, and how much workspace does it need? */
cudnnStatus_t fake_algorithm_needs(const char *call, enum fake_direction direction,
                                   const struct fake_convolution *convolution, int algorithm, size_t *bytes);

#endif
