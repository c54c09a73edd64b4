/* One constructor per kind of layer. */
#include "engine/cuda/cuda_device.h"

enum tp_status tp_cuda_kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	(void)device, (void)kernel;
	return tp_fail(TP_ERR_UNSUPPORTED, "device cuda: no kernel for layer '%s'", spec->layer->name);
}
