#include "engine/backend/kernel_naming.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"

int64_t tp_layer_product_flops(const struct tp_layer *layer)
{
	int64_t products = tp_shape_elements(layer->out_shape) * layer->in_shape.c;
	if (layer->kind == TP_LAYER_CONV)
		return 2 * products * layer->kernel * layer->kernel;
	return layer->kind == TP_LAYER_LINEAR ? 2 * products : 0;
}

/* "48x3x32x32", or "48x10" for vectors, at the end of `text`. */
static void add_shape(char *text, size_t size, int32_t samples, struct tp_shape shape)
{
	size_t length = strlen(text);
	if (shape.h == 1 && shape.w == 1)
		(void)snprintf(text + length, size - length, "%dx%d", samples, shape.c);
	else
		(void)snprintf(text + length, size - length, "%dx%dx%dx%d", samples, shape.c, shape.h, shape.w);
}

/* The texts but for the shape. */
static struct tp_kernel_name begin_name(const struct tp_named_kernel *kernel)
{
	struct tp_kernel_name name = {0};
	(void)snprintf(name.name, sizeof name.name, "%s", kernel->name);
	(void)snprintf(name.pass, sizeof name.pass, "%s", kernel->pass);
	(void)snprintf(name.layer, sizeof name.layer, "%s", kernel->layer ? kernel->layer->name : "");
	name.moved_bytes = kernel->fixed_bytes;
	return name;
}

void tp_describe_kernel(const struct tp_named_kernel *kernel, int32_t samples, struct tp_kernel_name *name)
{
	*name = begin_name(kernel);
	add_shape(name->shape, sizeof name->shape, samples, kernel->from);
	if (!tp_shape_equal(kernel->from, kernel->to) || kernel->sample_flops > 0) {
		size_t length = strlen(name->shape);
		(void)snprintf(name->shape + length, sizeof name->shape - length, " -> ");
		add_shape(name->shape, sizeof name->shape, samples, kernel->to);
	}
	size_t length = strlen(name->shape);
	if (kernel->window)
		(void)snprintf(name->shape + length, sizeof name->shape - length, " k%ds%dp%d", kernel->layer->kernel,
		               kernel->layer->stride, kernel->layer->padding);
	name->moved_bytes += kernel->sample_bytes * samples;
	name->kernel_flops = kernel->sample_flops * samples;
}

enum tp_status tp_name_fixed(struct tp_kernel_names *names, const struct tp_named_kernel *kernel, const char *shape,
                             int32_t *number)
{
	*number = TP_KERNEL_UNNAMED;
	if (!names)
		return TP_OK;
	struct tp_kernel_name name = begin_name(kernel);
	(void)snprintf(name.shape, sizeof name.shape, "%s", shape);
	return tp_kernel_names_add(names, &name, number);
}

static enum tp_status begin_table(struct tp_slicing slicing, int32_t **table)
{
	*table = tp_alloc_array((size_t)slicing.batch + 1, sizeof **table);
	if (!*table)
		return TP_ERR_NOMEM;
	for (int32_t samples = 0; samples <= slicing.batch; samples++)
		(*table)[samples] = TP_KERNEL_UNNAMED;
	return TP_OK;
}

static enum tp_status fill(struct tp_kernel_names *names, const struct tp_named_kernel *kernel, int32_t samples,
                           int32_t *table)
{
	struct tp_kernel_name name;
	if (table[samples] != TP_KERNEL_UNNAMED)
		return TP_OK;
	tp_describe_kernel(kernel, samples, &name);
	return tp_kernel_names_add(names, &name, &table[samples]);
}

enum tp_status tp_name_forwards(struct tp_kernel_names *names, const struct tp_named_kernel *kernel,
                                struct tp_slicing slicing, int32_t **table)
{
	*table = NULL;
	if (!names)
		return TP_OK;
	TP_TRY(begin_table(slicing, table));
	TP_TRY(fill(names, kernel, tp_slice_size(slicing, 0), *table));
	return fill(names, kernel, tp_slice_size(slicing, slicing.count - 1), *table);
}

enum tp_status tp_name_backwards(struct tp_kernel_names *names, const struct tp_named_kernel *kernel,
                                 struct tp_slicing slicing, enum tp_span span, int32_t **table)
{
	if (span == TP_SPAN_SLICE)
		return tp_name_forwards(names, kernel, slicing, table);
	*table = NULL;
	if (!names)
		return TP_OK;
	TP_TRY(begin_table(slicing, table));
	TP_TRY(fill(names, kernel, slicing.batch, *table));
	for (int32_t first = 0; first < slicing.count && span == TP_SPAN_RUNS; first++)
		for (int32_t count = 1; first + count <= slicing.count; count++)
			TP_TRY(fill(names, kernel, tp_slices_samples(slicing, first, count), *table));
	return TP_OK;
}
