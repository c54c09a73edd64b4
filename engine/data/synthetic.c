/* Made-up images in CIFAR-100's shape that a network can learn: each class has a prototype (a tint and smooth ripples),
 * each sample is its prototype shifted by a few pixels, plus noise. Integer arithmetic throughout, so that a seed gives
 * the same bytes on every machine; a sample depends on the seed, its split and its number, not on how many there are.
 */
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/data/readers.h"

#define CLASSES 100
#define CHANNELS 3
#define SIDE 32
#define CELLS 4 /* a prototype is drawn on a grid of CELLS x CELLS points and interpolated between them */
#define CELL_PIXELS (SIDE / CELLS)
#define PLANE (SIDE * SIDE)
#define IMAGE_BYTES (CHANNELS * PLANE)

/* Ranges chosen so that all pixels together have about mean .5 and standard deviation .25 of the full scale. */
#define TINT 56   /* of a channel, either way */
#define RIPPLE 88 /* of a grid point, either way */
#define SHIFT 2   /* pixels, either way, wrapping round */

#define DEFAULT_TRAIN 480
#define DEFAULT_TEST 240
#define MAX_SAMPLES 10000000

/* Uniform in -range .. range. */
static int32_t either_way(struct tp_prng *prng, int32_t range)
{
	return (int32_t)tp_prng_below(prng, 2 * (uint64_t)range + 1) - range;
}

/* One channel of a prototype, bilinear between grid points, the last ones joined to the first so that shifts may wrap.
 */
static void draw_plane(struct tp_prng *prng, int16_t *plane)
{
	int32_t grid[CELLS][CELLS];
	int32_t middle = 128 + either_way(prng, TINT);
	for (int y = 0; y < CELLS; y++)
		for (int x = 0; x < CELLS; x++)
			grid[y][x] = middle + either_way(prng, RIPPLE);
	for (int y = 0; y < SIDE; y++) {
		int top = y / CELL_PIXELS, bottom = (top + 1) % CELLS, down = y % CELL_PIXELS;
		for (int x = 0; x < SIDE; x++) {
			int left = x / CELL_PIXELS, right = (left + 1) % CELLS, along = x % CELL_PIXELS;
			int32_t above = grid[top][left] * (CELL_PIXELS - along) + grid[top][right] * along;
			int32_t below = grid[bottom][left] * (CELL_PIXELS - along) + grid[bottom][right] * along;
			plane[y * SIDE + x] =
			        (int16_t)((above * (CELL_PIXELS - down) + below * down) / (CELL_PIXELS * CELL_PIXELS));
		}
	}
}

static void draw_sample(struct tp_prng *prng, const int16_t *prototype, uint8_t *image)
{
	int dy = SIDE + either_way(prng, SHIFT), dx = SIDE + either_way(prng, SHIFT);
	uint64_t noise = 0;
	for (int i = 0; i < IMAGE_BYTES; i++) {
		int c = i / PLANE, y = i / SIDE % SIDE, x = i % SIDE;
		if (i % 4 == 0)
			noise = tp_prng_u64(prng);
		/* the difference of two bytes is distributed as a triangle; 3/8 of it reaches 95 either way */
		int32_t difference = (int32_t)(noise & 255) - (int32_t)(noise >> 8 & 255);
		noise >>= 16;
		int32_t value = prototype[c * PLANE + (y + dy) % SIDE * SIDE + (x + dx) % SIDE] + difference * 3 / 8;
		image[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
	}
}

static void draw_split(const int16_t *prototypes, uint64_t seed, const char *stream, int64_t count, uint8_t *pixels,
                       int32_t *labels)
{
	uint64_t key = tp_hash_text(stream);
	for (int64_t i = 0; i < count; i++) {
		struct tp_prng prng;
		tp_prng_init(&prng, seed, tp_mix64(key, (uint64_t)i));
		labels[i] = (int32_t)(i % CLASSES);
		draw_sample(&prng, prototypes + (size_t)labels[i] * IMAGE_BYTES, pixels + i * IMAGE_BYTES);
	}
}

static enum tp_status sample_count(const char *what, int64_t asked, int64_t otherwise, int64_t *count)
{
	if (asked < 0 || asked > MAX_SAMPLES)
		return tp_fail(TP_ERR_INPUT, "%s: expected 0 (the default) to %d samples, found %lld", what,
		               MAX_SAMPLES, (long long)asked);
	*count = asked > 0 ? asked : otherwise;
	return TP_OK;
}

enum tp_status tp_synthetic_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                                 struct tp_dataset **dataset)
{
	struct tp_dataset_form form = {
	        .shape = {CHANNELS, SIDE, SIDE},
	        .classes = CLASSES,
	        .mean = {.5, .5, .5},
	        .std = {.25, .25, .25},
	        .flip_ok = false, /* a mirrored prototype is no class at all */
	};
	TP_TRY(sample_count("--synthetic-train", options->synthetic_train, DEFAULT_TRAIN, &form.train));
	TP_TRY(sample_count("--synthetic-test", options->synthetic_test, DEFAULT_TEST, &form.test));
	int16_t *prototypes = tp_alloc_array((size_t)CLASSES * IMAGE_BYTES, sizeof *prototypes);
	if (!prototypes)
		return TP_ERR_NOMEM;
	struct tp_dataset *made = NULL;
	enum tp_status status = tp_dataset_new(entry, &form, &made);
	if (status == TP_OK) {
		struct tp_prng prng;
		tp_prng_init(&prng, options->seed, tp_hash_text("synthetic-prototypes"));
		for (int plane = 0; plane < CLASSES * CHANNELS; plane++)
			draw_plane(&prng, prototypes + (size_t)plane * PLANE);
		draw_split(prototypes, options->seed, "synthetic-train", form.train, made->pixels, made->labels);
		draw_split(prototypes, options->seed, "synthetic-test", form.test,
		           made->pixels + form.train * IMAGE_BYTES, made->labels + form.train);
		*dataset = made;
	}
	tp_free(prototypes);
	return status;
}
