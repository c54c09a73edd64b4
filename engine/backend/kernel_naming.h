/* How devices and stages name their kernels, while a run is planned. With `names` NULL no kernels are wanted: nothing
 * is done, numbers are TP_KERNEL_UNNAMED and tables NULL. */
#ifndef TP_ENGINE_BACKEND_KERNEL_NAMING_H
#define TP_ENGINE_BACKEND_KERNEL_NAMING_H

#include "engine/backend/kernel.h"
#include "profiler/kernel_names.h"

/* A kernel that runs on different numbers of samples. */
struct tp_named_kernel {
	const char *name;
	const char *pass;
	const struct tp_layer *layer;      /* NULL: it is no layer's */
	struct tp_shape from, to;          /* of a sample; alike where it has one shape only, and no product */
	bool window;                       /* the layer's window is part of the shape */
	int64_t fixed_bytes, sample_bytes; /* moved whatever the samples, and for each */
	int64_t sample_flops;
};

/* Multiplications and additions of one pass of a layer over one sample, 2 for one of each; 0 where a layer has no
 * product of weights. What its ReLU compares is not counted. */
int64_t tp_layer_product_flops(const struct tp_layer *layer);

/* All of `kernel` for so many samples, as text and numbers. */
void tp_describe_kernel(const struct tp_named_kernel *kernel, int32_t samples, struct tp_kernel_name *name);

/* The number of a kernel whose size does not depend on samples; its shape is given. */
enum tp_status tp_name_fixed(struct tp_kernel_names *names, const struct tp_named_kernel *kernel, const char *shape,
                             int32_t *number);

/* A table of numbers by samples, with an entry for every number that a forward of one slice, or a backward, can cover.
 * Freed with tp_free(), on failure too. */
enum tp_status tp_name_forwards(struct tp_kernel_names *names, const struct tp_named_kernel *kernel,
                                struct tp_slicing slicing, int32_t **table);
enum tp_status tp_name_backwards(struct tp_kernel_names *names, const struct tp_named_kernel *kernel,
                                 struct tp_slicing slicing, enum tp_span span, int32_t **table);

static inline int32_t tp_name_of(const int32_t *table, int32_t samples)
{
	return table ? table[samples] : TP_KERNEL_UNNAMED;
}

#endif
