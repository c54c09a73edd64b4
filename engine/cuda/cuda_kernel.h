/* What the kernels of layers on a GPU share. Values are NHWC in the device's element type; parameters, their gradients
 * and running statistics are float32, weights of convolutions as [out][h][w][in]. Forward, backward and inference only
 * issue work on the device's compute stream: they allocate nothing and wait for nothing. */
#ifndef TP_ENGINE_CUDA_KERNEL_H
#define TP_ENGINE_CUDA_KERNEL_H

#include "engine/backend/kernel_sizes.h"
#include "engine/cuda/cuda_device.h"

/* Head of every kernel of this device. */
struct tp_cuda_kernel {
	struct tp_kernel base;
	struct tp_cuda_device *device;
	struct tp_slicing slicing;
	enum tp_span span;
	struct tp_tensor_desc in[TP_LAYER_INPUTS];
};

/* A kernel of `bytes`, zeroed but for its head, into *(struct ... **)kernel. Freed with tp_free(). */
enum tp_status tp_cuda_kernel_alloc(size_t bytes, const struct tp_kernel_ops *ops, struct tp_device *device,
                                    const struct tp_kernel_spec *spec, void *kernel);

/* A value on the device: NHWC, or plain where that is the same. */
struct tp_tensor_desc tp_cuda_tensor(const struct tp_cuda_device *device, struct tp_shape shape);

/* Do the values of a sample lie in plain order? */
bool tp_cuda_is_plain(struct tp_tensor_desc desc);

/* TP_ERR_UNSUPPORTED when a slice may start where cuDNN reads nothing from: its pointers are multiples of 16 bytes. */
enum tp_status tp_cuda_check_alignment(const struct tp_cuda_kernel *kernel);

/* Place tensors one after another in the parameter block (or, for state, the state block). */
void tp_cuda_place_param(struct tp_cuda_kernel *kernel, int32_t index, size_t bytes, bool trainable);

/* Scratch grows to `bytes`. */
void tp_cuda_need_scratch(struct tp_cuda_kernel *kernel, size_t bytes);

static inline int32_t tp_cuda_backward_samples(const struct tp_cuda_kernel *kernel, const struct tp_backward_args *args)
{
	return tp_slices_samples(kernel->slicing, args->first_slice, args->slice_count);
}

/* Import and export of a tensor that is plain on the device too. Hooks that return nothing: failures are kept. */
void tp_cuda_import_plain(struct tp_kernel *kernel, int32_t index, const float *plain, void *block);
void tp_cuda_export_plain(struct tp_kernel *kernel, int32_t index, const void *block, double *plain);

/* Zero what lies between the tensors of a gradient, so that an update leaves the gaps of the parameters alone. */
enum tp_status tp_cuda_clear_gaps(const struct tp_cuda_kernel *kernel, void *dparams);

/* y = y + bias (NULL: none), then ReLU when asked, of rows of the layer's output channels. */
enum tp_status tp_cuda_bias_relu(const struct tp_cuda_kernel *kernel, int32_t samples, void *y, const float *bias,
                                 bool relu);

/* masked = dy where y > 0, of the samples that the backward covers. */
enum tp_status tp_cuda_mask_gradient(const struct tp_cuda_kernel *kernel, const struct tp_backward_args *args,
                                     void *masked);

/* bias_gradient[c] = (accumulate ? old : 0) + sum of dy over samples and pixels; with scratch for the sums of parts. */
enum tp_status tp_cuda_bias_gradient(const struct tp_cuda_kernel *kernel, int32_t samples, const void *dy,
                                     float *bias_gradient, bool accumulate, void *scratch);
size_t tp_cuda_bias_gradient_bytes(const struct tp_cuda_kernel *kernel, int32_t samples);

/* `count` elements between types; with `accumulate` to += from. */
enum tp_status tp_cuda_convert(const struct tp_cuda_kernel *kernel, const void *from, enum tpb_type from_type, void *to,
                               enum tpb_type to_type, int64_t count, bool accumulate);

/* The parameter block in the type of values: the block itself, or a copy at the start of scratch that takes so many
 * bytes. */
size_t tp_cuda_typed_params_bytes(const struct tp_cuda_kernel *kernel);
enum tp_status tp_cuda_typed_params(const struct tp_cuda_kernel *kernel, const void *params, void *scratch,
                                    const void **typed);
const void *tp_cuda_typed_param(const struct tp_cuda_kernel *kernel, const void *typed, int32_t index);

/* One constructor per kind of layer. */
typedef enum tp_status tp_cuda_kernel_new_fn(struct tp_device *device, const struct tp_kernel_spec *spec,
                                             struct tp_kernel **kernel);
tp_cuda_kernel_new_fn tp_cuda_conv_new, tp_cuda_batchnorm_new, tp_cuda_pool_new, tp_cuda_flatten_new,
        tp_cuda_linear_new, tp_cuda_add_new;

#endif
