/* Our own GPU kernels: their names, and one structure of arguments for each, shared by the .cu file, by what launches
 * them and by the stand-in that runs them as host functions. All work over flat arrays or rows, any grid of blocks of
 * one dimension will do (grid-stride loops). */
#ifndef TP_ENGINE_CUDA_KERNELS_H
#define TP_ENGINE_CUDA_KERNELS_H

#include <stdint.h>

/* Types of elements. */
enum tpb_type { TPB_F32, TPB_BF16 };

/* number, name in the module, arguments */
#define TPB_KERNEL_LIST(X)                                            \
	X(TPB_UPLOAD, tpb_upload, struct tpb_upload_args)             \
	X(TPB_SGD, tpb_sgd, struct tpb_sgd_args)                      \
	X(TPB_BLEND, tpb_blend, struct tpb_blend_args)                \
	X(TPB_LOSS_FORWARD, tpb_loss_forward, struct tpb_loss_args)   \
	X(TPB_LOSS_BACKWARD, tpb_loss_backward, struct tpb_loss_args) \
	X(TPB_BIAS_RELU, tpb_bias_relu, struct tpb_bias_args)         \
	X(TPB_BIAS_GRADIENT, tpb_bias_gradient, struct tpb_sums_args) \
	X(TPB_RELU_MASK, tpb_relu_mask, struct tpb_mask_args)         \
	X(TPB_ADD_RELU, tpb_add_relu, struct tpb_add_args)            \
	X(TPB_CONVERT, tpb_convert, struct tpb_convert_args)          \
	X(TPB_PERMUTE, tpb_permute, struct tpb_permute_args)

enum tpb_kernel {
#define TPB_KERNEL_ENUM(number, name, args) number,
	TPB_KERNEL_LIST(TPB_KERNEL_ENUM)
#undef TPB_KERNEL_ENUM
	        TPB_KERNELS
};

/* to[n][h][w][c] = from[n][c][h][w], from float to `type` */
struct tpb_upload_args {
	const float *from;
	void *to;
	int64_t samples;
	int32_t c, hw, type;
};

/* g += wd * from; m = first_step ? g : momentum * m + g; to = from - lr * m; `to` may be `from` */
struct tpb_sgd_args {
	const float *from;
	float *to;
	const float *gradient;
	float *momentum_buffer;
	int64_t count;
	float lr, momentum, weight_decay;
	int32_t first_step;
};

/* to = a * x + b * y; `to` may be x or y */
struct tpb_blend_args {
	const void *x, *y;
	void *to;
	int64_t count;
	float a, b;
	int32_t type;
};

/* Softmax cross-entropy over rows of `classes`; forward: probabilities (NULL: not wanted), and adds to the sums; a
 * label whose logit is not a number counts nowhere. The first block does all rows, so that the sum has one order:
 * others have nothing to do. Its threads are a multiple of 32. Backward: dlogits = (probabilities - onehot) * scale; an
 * item is a logit. */
struct tpb_loss_sums {
	double loss_sum;
	unsigned long long top1, top5;
};
struct tpb_loss_args {
	const void *logits;
	void *probabilities;
	const int32_t *labels; /* on the device */
	void *dlogits;
	struct tpb_loss_sums *sums;
	int32_t rows, classes, type;
	float scale;
};

/* Rows of `channels` values, in place: y = y + bias (NULL: none), then ReLU when asked. */
struct tpb_bias_args {
	void *y;
	const float *bias;
	int64_t rows;
	int32_t channels, relu, type;
};

/* Sums over rows of `channels` values, which are cut into `chunks` of (nearly) equal length: to[chunk][c] = (accumulate
 * ? old : 0) + sum over the chunk's rows of from[row][c]. Each sum has one thread and one order, whatever the grid;
 * what has many rows is summed in several passes. An item is a sum. */
struct tpb_sums_args {
	const void *from;
	float *to;
	int64_t rows;
	int32_t channels, chunks, accumulate, type;
};

/* masked = y > 0 ? dy : 0; `masked` may be dy */
struct tpb_mask_args {
	const void *dy, *y;
	void *masked;
	int64_t count;
	int32_t type;
};

/* y = a + b, then ReLU when asked */
struct tpb_add_args {
	const void *a, *b;
	void *y;
	int64_t count;
	int32_t relu, type;
};

/* to = from in another type, or with accumulate to += from */
struct tpb_convert_args {
	const void *from;
	void *to;
	int64_t count;
	int32_t from_type, to_type, accumulate;
};

/* Samples between [hw][c] and [c][hw] (to_plain), elements of `type`. */
struct tpb_permute_args {
	const void *from;
	void *to;
	int64_t samples;
	int32_t c, hw, to_plain, type;
};

#endif
