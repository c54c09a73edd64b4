/* What the readers of engine/data share; for files of this folder only. */
#ifndef TP_ENGINE_DATA_READERS_H
#define TP_ENGINE_DATA_READERS_H

#include <zlib.h>

#include "engine/data/dataset.h"

/* One opener per row of tp_datasets. */
enum tp_status tp_cifar10_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                               struct tp_dataset **dataset);
enum tp_status tp_cifar100_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                                struct tp_dataset **dataset);
enum tp_status tp_mnist_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                             struct tp_dataset **dataset);
enum tp_status tp_synthetic_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                                 struct tp_dataset **dataset);

/* What a reader knows before it reads the first sample. Channels beyond shape.c have no mean and std. */
struct tp_dataset_form {
	struct tp_shape shape;
	int32_t classes;
	int64_t train, test; /* samples, each at least 1 */
	double mean[3], std[3];
	bool flip_ok;
};

/* A data set of that form with its normalisation table, room for its pixels and labels, and nothing in them yet. Free
 * with tp_dataset_free(). */
enum tp_status tp_dataset_new(const struct tp_dataset_entry *entry, const struct tp_dataset_form *form,
                              struct tp_dataset **dataset);

#define TP_DATA_PATH_BYTES 4352

/* A regular, non-empty file that is read from its front. */
struct tp_data_file {
	char path[TP_DATA_PATH_BYTES];
	int64_t file_bytes; /* on disk */
	int fd;             /* -1 once `gz` owns it, or when not open */
	gzFile gz;          /* NULL: plain */
};

/* A file that is not open: closing it does nothing. */
#define TP_DATA_FILE_CLOSED \
	{                   \
		.fd = -1    \
	}

/* The end of a path, short enough to leave room in a detail for what was expected and found. */
const char *tp_data_shown(const char *path);

/* TP_ERR_INPUT unless `dir` is a folder. */
enum tp_status tp_data_folder_check(const char *dir);

/* Whether `dir` holds an entry of that name, of whatever kind. */
bool tp_data_file_exists(const char *dir, const char *name);

/* Open dir/name. With `unzip` a gzip file is read as what it holds; a plain one as it is. On failure it is closed. */
enum tp_status tp_data_file_open(struct tp_data_file *file, const char *dir, const char *name, bool unzip);

/* The next `bytes` bytes; fewer than that is TP_ERR_INPUT. */
enum tp_status tp_data_file_read(struct tp_data_file *file, void *into, size_t bytes);

/* TP_ERR_INPUT unless all was read; for a gzip file this also checks its checksum. */
enum tp_status tp_data_file_end(struct tp_data_file *file);

void tp_data_file_close(struct tp_data_file *file);

#endif
