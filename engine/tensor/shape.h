/* Shapes of one sample, and tensors as the engine sees them: a batch of samples, outermost dimension N, in a layout
 * that only the device understands. The samples of a batch lie one after another, `sample_bytes` apart, in every
 * layout; so the slice that starts at sample k of a mini-batch buffer is the pointer base + k * sample_bytes. */
#ifndef TP_ENGINE_TENSOR_SHAPE_H
#define TP_ENGINE_TENSOR_SHAPE_H

#include <stddef.h>
#include <stdint.h>

/* channels, height, width; a feature vector of n elements is {n, 1, 1} */
struct tp_shape {
	int32_t c, h, w;
};

static inline int64_t tp_shape_elements(struct tp_shape shape)
{
	return (int64_t)shape.c * shape.h * shape.w;
}

static inline int tp_shape_equal(struct tp_shape a, struct tp_shape b)
{
	return a.c == b.c && a.h == b.h && a.w == b.w;
}

/* Layout 0 is plain NCHW; other values mean what the device says they mean. */
#define TP_LAYOUT_PLAIN 0

struct tp_tensor_desc {
	struct tp_shape shape;
	int32_t layout;
	int32_t element_bytes;
	size_t sample_bytes; /* padding of blocked channels included */
};

static inline struct tp_tensor_desc tp_tensor_plain(struct tp_shape shape, int32_t element_bytes)
{
	struct tp_tensor_desc desc = {shape, TP_LAYOUT_PLAIN, element_bytes, 0};
	desc.sample_bytes = (size_t)tp_shape_elements(shape) * (size_t)element_bytes;
	return desc;
}

#endif
