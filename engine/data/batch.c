/* From pixels to normalised floats: on stage 0's way to its first layer, so nothing here allocates or divides. */
#include <string.h>

#include "engine/base/prng.h"
#include "engine/data/dataset.h"

#define MAX_SHIFT 4 /* pixels, either way */

/* count values of one channel */
static void normalise(const float value[256], const uint8_t *restrict pixels, int64_t count, float *restrict x)
{
	for (int64_t i = 0; i < count; i++)
		x[i] = value[pixels[i]];
}

static void plain_sample(const struct tp_dataset *dataset, const uint8_t *pixels, float *x)
{
	int64_t plane = (int64_t)dataset->shape.h * dataset->shape.w;
	for (int32_t c = 0; c < dataset->shape.c; c++)
		normalise(dataset->value[c], pixels + c * plane, plane, x + c * plane);
}

struct augmentation {
	int32_t dy, dx; /* the sample shows its pixel (y + dy, x + dx) at (y, x) */
	bool flip;
};

static struct augmentation decide(const struct tp_sample_order *order, int64_t sample, bool flip_ok)
{
	uint64_t epoch_key = tp_mix64(order->seed ^ tp_hash_text("augment"), (uint64_t)order->epoch);
	struct tp_prng prng;
	tp_prng_init(&prng, epoch_key, (uint64_t)sample);
	struct augmentation made;
	made.dy = (int32_t)tp_prng_below(&prng, 2 * MAX_SHIFT + 1) - MAX_SHIFT;
	made.dx = (int32_t)tp_prng_below(&prng, 2 * MAX_SHIFT + 1) - MAX_SHIFT;
	made.flip = flip_ok && (tp_prng_u64(&prng) >> 63) != 0;
	return made;
}

/* One row of one channel: x[i] = pixels[i + dx], mirrored on request, zero where that lies outside. */
static void augmented_row(const float value[256], const uint8_t *pixels, int32_t width, struct augmentation how,
                          float *x)
{
	for (int32_t i = 0; i < width; i++) {
		int32_t from = i + how.dx;
		bool inside = from >= 0 && from < width;
		x[how.flip ? width - 1 - i : i] = inside ? value[pixels[from]] : 0.0f;
	}
}

static void augmented_sample(const struct tp_dataset *dataset, const uint8_t *pixels, struct augmentation how, float *x)
{
	int32_t height = dataset->shape.h, width = dataset->shape.w;
	for (int32_t c = 0; c < dataset->shape.c; c++) {
		for (int32_t y = 0; y < height; y++, x += width) {
			int32_t from = y + how.dy;
			if (from < 0 || from >= height)
				memset(x, 0, (size_t)width * sizeof *x);
			else
				augmented_row(dataset->value[c], pixels + ((int64_t)c * height + from) * width, width,
				              how, x);
		}
	}
}

void tp_batch_train(const struct tp_dataset *dataset, const struct tp_sample_order *order, int64_t first, int32_t count,
                    float *x, int32_t *labels)
{
	TP_CHECK(first >= 0 && count >= 0 && first + count <= order->count);
	int64_t elements = tp_shape_elements(dataset->shape);
	for (int32_t i = 0; i < count; i++) {
		int64_t sample = order->index ? order->index[first + i] : first + i;
		if (labels)
			labels[i] = dataset->labels[sample];
		if (!x)
			continue;
		const uint8_t *pixels = dataset->pixels + sample * elements;
		if (order->augment)
			augmented_sample(dataset, pixels, decide(order, sample, dataset->flip_ok), x + i * elements);
		else
			plain_sample(dataset, pixels, x + i * elements);
	}
}

void tp_batch_test(const struct tp_dataset *dataset, int64_t first, int32_t count, float *x, int32_t *labels)
{
	TP_CHECK(first >= 0 && count >= 0 && first + count <= dataset->count[TP_TEST]);
	int64_t elements = tp_shape_elements(dataset->shape);
	for (int32_t i = 0; i < count; i++) {
		int64_t sample = dataset->count[TP_TRAIN] + first + i;
		if (labels)
			labels[i] = dataset->labels[sample];
		if (x)
			plain_sample(dataset, dataset->pixels + sample * elements, x + i * elements);
	}
}
