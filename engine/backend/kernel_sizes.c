#include "engine/backend/kernel_sizes.h"

static void add_size(struct tp_kernel_sizes *sizes, int32_t samples)
{
	for (int32_t i = 0; i < sizes->count && i < TP_KERNEL_SIZES; i++)
		if (sizes->samples[i] == samples)
			return;
	if (samples > 0 && sizes->count < TP_KERNEL_SIZES)
		sizes->samples[sizes->count] = samples;
	sizes->count += samples > 0;
}

struct tp_kernel_sizes tp_kernel_train_sizes(const struct tp_kernel_spec *spec)
{
	struct tp_kernel_sizes sizes = {0};
	add_size(&sizes, tp_slice_size(spec->slicing, 0));
	add_size(&sizes, tp_slice_size(spec->slicing, spec->slicing.count - 1));
	return sizes;
}

struct tp_kernel_sizes tp_kernel_infer_sizes(const struct tp_kernel_spec *spec)
{
	struct tp_kernel_sizes sizes = {0};
	add_size(&sizes, spec->infer_sizes[0]);
	add_size(&sizes, spec->infer_sizes[1]);
	return sizes;
}

struct tp_kernel_sizes tp_kernel_forward_sizes(const struct tp_kernel_spec *spec)
{
	struct tp_kernel_sizes sizes = tp_kernel_train_sizes(spec);
	add_size(&sizes, spec->infer_sizes[0]);
	add_size(&sizes, spec->infer_sizes[1]);
	return sizes;
}

struct tp_kernel_sizes tp_kernel_backward_sizes(const struct tp_kernel_spec *spec)
{
	struct tp_kernel_sizes sizes = {0};
	int32_t slices = spec->slicing.count;
	if (spec->span == TP_SPAN_SLICE)
		return tp_kernel_train_sizes(spec);
	add_size(&sizes, spec->slicing.batch);
	for (int32_t length = slices - 1; length > 0 && spec->span == TP_SPAN_RUNS; length--) {
		for (int32_t first = 0; first + length <= slices; first++)
			add_size(&sizes, tp_slices_samples(spec->slicing, first, length));
	}
	return sizes;
}

int32_t tp_kernel_size_index(const struct tp_kernel_sizes *sizes, int32_t samples)
{
	int32_t index = 0;
	while (index < sizes->count && sizes->samples[index] != samples)
		index++;
	TP_CHECK(index < sizes->count);
	return index;
}
