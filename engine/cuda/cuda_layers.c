/* One constructor per kind of layer. */
#include "engine/cuda/cuda_kernel.h"

enum tp_status tp_cuda_kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	static tp_cuda_kernel_new_fn *const constructors[TP_LAYER_KINDS] = {
	        [TP_LAYER_CONV] = tp_cuda_conv_new,       [TP_LAYER_BATCHNORM] = tp_cuda_batchnorm_new,
	        [TP_LAYER_MAXPOOL] = tp_cuda_pool_new,    [TP_LAYER_GLOBAL_AVGPOOL] = tp_cuda_pool_new,
	        [TP_LAYER_FLATTEN] = tp_cuda_flatten_new, [TP_LAYER_LINEAR] = tp_cuda_linear_new,
	        [TP_LAYER_ADD] = tp_cuda_add_new,
	};
	if (tp_kernel_backward_sizes(spec).count > TP_KERNEL_SIZES)
		return tp_fail(
		        TP_ERR_UNSUPPORTED,
		        "layer %s: runs of %d micro-batches can have more than %d sizes; expected fewer micro-batches "
		        "where they are read apart",
		        spec->layer->name, spec->slicing.count, TP_KERNEL_SIZES);
	enum tp_status status = tp_cuda_enter(tp_cuda_of(device));
	if (status == TP_OK)
		status = constructors[spec->layer->kind](device, spec, kernel);
	return status == TP_OK ? status : tp_fail_in(status, "layer %s", spec->layer->name);
}
