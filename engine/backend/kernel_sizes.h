/* The batch sizes that a kernel is made ready for: devices whose libraries build an operation for each. */
#ifndef TP_ENGINE_BACKEND_KERNEL_SIZES_H
#define TP_ENGINE_BACKEND_KERNEL_SIZES_H

#include "engine/backend/kernel.h"

/* Distinct batch sizes that a pass runs with, the largest first. */
#define TP_KERNEL_SIZES 256
struct tp_kernel_sizes {
	int32_t count; /* beyond TP_KERNEL_SIZES: there are more, which no kernel is built for */
	int32_t samples[TP_KERNEL_SIZES];
};

/* Sizes of the slices, of evaluation, of both, and of the backward. */
struct tp_kernel_sizes tp_kernel_train_sizes(const struct tp_kernel_spec *spec);
struct tp_kernel_sizes tp_kernel_infer_sizes(const struct tp_kernel_spec *spec);
struct tp_kernel_sizes tp_kernel_forward_sizes(const struct tp_kernel_spec *spec);
struct tp_kernel_sizes tp_kernel_backward_sizes(const struct tp_kernel_spec *spec);
/* Where `samples` stands; a size that was not announced is a broken invariant. */
int32_t tp_kernel_size_index(const struct tp_kernel_sizes *sizes, int32_t samples);

#endif
