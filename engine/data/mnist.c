/* MNIST in IDX files (LeCun, Cortes, Burges): a big-endian header of magic, count and (for images) rows and columns,
 * then bytes. Each file may be plain or gzip. */
#include <stdio.h>
#include <string.h>

#include "engine/data/readers.h"

#define SIDE 28
#define IMAGE_BYTES ((int64_t)SIDE * SIDE)
#define CLASSES 10

/* The third byte of the magic is the type (8: unsigned byte), the fourth the number of dimensions. */
#define MAGIC_IMAGES UINT32_C(0x00000803)
#define MAGIC_LABELS UINT32_C(0x00000801)

/* A deflate stream cannot grow by more than this, so a header that promises more is lying. */
#define DEFLATE_MAX_RATIO 1032

struct idx_file {
	struct tp_data_file file;
	int64_t count;
};

/* By enum tp_split: images, labels. */
static const char *const file_names[2][2] = {
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
        {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
};

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The plain file where there is one, else the .gz. */
static enum tp_status open_either(struct tp_data_file *file, const char *dir, const char *name)
{
	char zipped[64];
	(void)snprintf(zipped, sizeof zipped, "%s.gz", name);
	if (tp_data_file_exists(dir, name))
		return tp_data_file_open(file, dir, name, true);
	if (tp_data_file_exists(dir, zipped))
		return tp_data_file_open(file, dir, zipped, true);
	return tp_fail(TP_ERR_INPUT, "%s: expected %s or %s, found neither", tp_data_shown(dir), name, zipped);
}

/* Read the header of a file of `dimensions` dimensions, of which all but the first are SIDE. */
static enum tp_status read_header(struct idx_file *idx, int dimensions)
{
	unsigned char header[16];
	uint32_t magic = dimensions == 3 ? MAGIC_IMAGES : MAGIC_LABELS;
	TP_TRY(tp_data_file_read(&idx->file, header, 4));
	if (big_endian(header) != magic)
		return tp_fail(TP_ERR_INPUT, "%s: expected an IDX file of %s, magic 0x%08x, found magic 0x%08x",
		               tp_data_shown(idx->file.path), dimensions == 3 ? "images" : "labels", (unsigned)magic,
		               (unsigned)big_endian(header));
	TP_TRY(tp_data_file_read(&idx->file, header + 4, 4 * (size_t)dimensions));
	idx->count = big_endian(header + 4);
	int64_t bytes = idx->count;
	for (int i = 1; i < dimensions; i++) {
		uint32_t found = big_endian(header + 4 + 4 * i);
		if (found != SIDE)
			return tp_fail(TP_ERR_INPUT, "%s: expected images of %d x %d pixels, found %u %s",
			               tp_data_shown(idx->file.path), SIDE, SIDE, (unsigned)found,
			               i == 1 ? "rows" : "columns");
		bytes *= SIDE;
	}
	if (idx->count == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected at least 1 sample, found 0", tp_data_shown(idx->file.path));
	/* Before room is made for what the header promises. */
	if (bytes / DEFLATE_MAX_RATIO > idx->file.file_bytes)
		return tp_fail(TP_ERR_INPUT,
		               "%s: cut short: expected %lld samples by its header, found a file of %lld bytes",
		               tp_data_shown(idx->file.path), (long long)idx->count, (long long)idx->file.file_bytes);
	return TP_OK;
}

/* Images and labels of one split, open behind their headers. */
struct mnist_split {
	struct idx_file images, labels;
};

static void close_split(struct mnist_split *split)
{
	tp_data_file_close(&split->images.file);
	tp_data_file_close(&split->labels.file);
}

static enum tp_status open_split(struct mnist_split *split, const char *dir, enum tp_split which)
{
	TP_TRY(open_either(&split->images.file, dir, file_names[which][0]));
	TP_TRY(open_either(&split->labels.file, dir, file_names[which][1]));
	TP_TRY(read_header(&split->images, 3));
	TP_TRY(read_header(&split->labels, 1));
	if (split->images.count != split->labels.count)
		return tp_fail(TP_ERR_INPUT, "%s: expected %lld labels, one for each image of %s, found %lld",
		               tp_data_shown(split->labels.file.path), (long long)split->images.count,
		               file_names[which][0], (long long)split->labels.count);
	return TP_OK;
}

static enum tp_status read_split(struct mnist_split *split, uint8_t *pixels, int32_t *labels)
{
	int64_t count = split->images.count;
	TP_TRY(tp_data_file_read(&split->images.file, pixels, (size_t)(count * IMAGE_BYTES)));
	TP_TRY(tp_data_file_end(&split->images.file));
	unsigned char chunk[4096];
	for (int64_t i = 0; i < count; i++) {
		int64_t slot = i % (int64_t)sizeof chunk;
		if (slot == 0) {
			int64_t left = count - i;
			size_t bytes = left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk;
			TP_TRY(tp_data_file_read(&split->labels.file, chunk, bytes));
		}
		if (chunk[slot] >= CLASSES)
			return tp_fail(TP_ERR_INPUT, "%s: record %lld of %lld: expected a label from 0 to %d, found %d",
			               tp_data_shown(split->labels.file.path), (long long)i + 1, (long long)count,
			               CLASSES - 1, chunk[slot]);
		labels[i] = chunk[slot];
	}
	return tp_data_file_end(&split->labels.file);
}

static enum tp_status read_both(struct mnist_split splits[2], const struct tp_dataset_entry *entry,
                                struct tp_dataset **dataset)
{
	const struct tp_dataset_form form = {
	        .shape = {1, SIDE, SIDE},
	        .classes = CLASSES,
	        .train = splits[TP_TRAIN].images.count,
	        .test = splits[TP_TEST].images.count,
	        .mean = {.1307},
	        .std = {.3081},
	        .flip_ok = false,
	};
	TP_TRY(tp_dataset_new(entry, &form, dataset));
	TP_TRY(read_split(&splits[TP_TRAIN], (*dataset)->pixels, (*dataset)->labels));
	return read_split(&splits[TP_TEST], (*dataset)->pixels + form.train * IMAGE_BYTES,
	                  (*dataset)->labels + form.train);
}

enum tp_status tp_mnist_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                             struct tp_dataset **dataset)
{
	const struct idx_file closed = {.file = TP_DATA_FILE_CLOSED};
	struct mnist_split splits[2] = {{closed, closed}, {closed, closed}};
	struct tp_dataset *read = NULL;
	enum tp_status status = open_split(&splits[TP_TRAIN], options->dir, TP_TRAIN);
	if (status == TP_OK)
		status = open_split(&splits[TP_TEST], options->dir, TP_TEST);
	if (status == TP_OK)
		status = read_both(splits, entry, &read);
	close_split(&splits[TP_TRAIN]);
	close_split(&splits[TP_TEST]);
	if (status == TP_OK)
		*dataset = read;
	else
		tp_dataset_free(read);
	return status;
}
