/* CIFAR-10 and CIFAR-100, binary version (Krizhevsky 2009): records of one label byte (CIFAR-100: coarse, then fine),
 * then 1024 red, 1024 green and 1024 blue bytes, row by row. A file holds any whole number of records, so cut-down sets
 * are read as they are. */
#include <string.h>

#include "engine/data/readers.h"

#define IMAGE_BYTES 3072
#define MAX_LABELS 2
#define MAX_FILES 6

struct label_byte {
	const char *name;
	int32_t classes;
};

struct cifar {
	int32_t label_bytes;
	struct label_byte labels[MAX_LABELS]; /* the last one is what is trained */
	const char *train_files[MAX_FILES];   /* NULL-ended; those that are missing are left out, but for all of them */
	const char *test_file;
	double mean[3], std[3];
};

static const struct cifar cifar10 = {
        .label_bytes = 1,
        .labels = {{"label", 10}},
        .train_files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                        "data_batch_5.bin"},
        .test_file = "test_batch.bin",
        .mean = {.4914, .4822, .4465},
        .std = {.2470, .2435, .2616},
};

static const struct cifar cifar100 = {
        .label_bytes = 2,
        .labels = {{"coarse label", 20}, {"fine label", 100}},
        .train_files = {"train.bin"},
        .test_file = "test.bin",
        .mean = {.5071, .4865, .4409},
        .std = {.2673, .2564, .2762},
};

static int64_t record_bytes(const struct cifar *kind)
{
	return kind->label_bytes + IMAGE_BYTES;
}

static enum tp_status open_records(struct tp_data_file *file, const struct cifar *kind, const char *dir,
                                   const char *name, int64_t *records)
{
	TP_TRY(tp_data_file_open(file, dir, name, false));
	if (file->file_bytes % record_bytes(kind) != 0)
		return tp_fail(
		        TP_ERR_INPUT,
		        "%s: expected a whole number of records of %lld bytes, found %lld bytes, %lld after the last "
		        "whole record",
		        tp_data_shown(file->path), (long long)record_bytes(kind), (long long)file->file_bytes,
		        (long long)(file->file_bytes % record_bytes(kind)));
	*records = file->file_bytes / record_bytes(kind);
	return TP_OK;
}

/* All records of one file to the samples from `first` on. */
static enum tp_status read_records(struct tp_data_file *file, const struct cifar *kind, struct tp_dataset *dataset,
                                   int64_t first)
{
	enum { CHUNK_RECORDS = 16 };
	unsigned char chunk[CHUNK_RECORDS * (MAX_LABELS + IMAGE_BYTES)];
	size_t size = (size_t)record_bytes(kind);
	int64_t records = file->file_bytes / record_bytes(kind);
	for (int64_t record = 0; record < records; record++) {
		int64_t slot = record % CHUNK_RECORDS;
		if (slot == 0) {
			int64_t left = records - record;
			TP_TRY(tp_data_file_read(file, chunk,
			                         (size_t)(left < CHUNK_RECORDS ? left : CHUNK_RECORDS) * size));
		}
		const unsigned char *at = chunk + (size_t)slot * size;
		for (int32_t i = 0; i < kind->label_bytes; i++) {
			if (at[i] >= kind->labels[i].classes)
				return tp_fail(TP_ERR_INPUT,
				               "%s: record %lld of %lld: expected a %s from 0 to %d, found %d",
				               tp_data_shown(file->path), (long long)record + 1, (long long)records,
				               kind->labels[i].name, kind->labels[i].classes - 1, at[i]);
		}
		dataset->labels[first + record] = at[kind->label_bytes - 1];
		memcpy(dataset->pixels + (first + record) * IMAGE_BYTES, at + kind->label_bytes, IMAGE_BYTES);
	}
	return tp_data_file_end(file);
}

/* The training files that are there, in order, then the test file. */
struct cifar_files {
	struct tp_data_file files[MAX_FILES];
	int64_t records[MAX_FILES];
	int32_t count;
};

static enum tp_status open_files(struct cifar_files *set, const struct cifar *kind,
                                 const struct tp_dataset_entry *entry, const char *dir)
{
	for (const char *const *name = kind->train_files; *name; name++) {
		if (tp_data_file_exists(dir, *name)) {
			int32_t at = set->count++;
			TP_TRY(open_records(&set->files[at], kind, dir, *name, &set->records[at]));
		}
	}
	if (set->count == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected %s; found no training file", tp_data_shown(dir),
		               entry->files);
	int32_t at = set->count++;
	return open_records(&set->files[at], kind, dir, kind->test_file, &set->records[at]);
}

static enum tp_status read_files(struct cifar_files *set, const struct cifar *kind,
                                 const struct tp_dataset_entry *entry, struct tp_dataset **dataset)
{
	struct tp_dataset_form form = {.shape = {3, 32, 32}, .flip_ok = true};
	form.classes = kind->labels[kind->label_bytes - 1].classes;
	memcpy(form.mean, kind->mean, sizeof form.mean);
	memcpy(form.std, kind->std, sizeof form.std);
	for (int32_t i = 0; i < set->count - 1; i++)
		form.train += set->records[i];
	form.test = set->records[set->count - 1];
	TP_TRY(tp_dataset_new(entry, &form, dataset));
	int64_t first = 0;
	for (int32_t i = 0; i < set->count; i++) {
		TP_TRY(read_records(&set->files[i], kind, *dataset, first));
		first += set->records[i];
	}
	return TP_OK;
}

static enum tp_status open_cifar(const struct cifar *kind, const struct tp_dataset_entry *entry, const char *dir,
                                 struct tp_dataset **dataset)
{
	struct cifar_files set = {.count = 0};
	struct tp_dataset *read = NULL;
	enum tp_status status = open_files(&set, kind, entry, dir);
	if (status == TP_OK)
		status = read_files(&set, kind, entry, &read);
	for (int32_t i = 0; i < set.count; i++)
		tp_data_file_close(&set.files[i]);
	if (status == TP_OK)
		*dataset = read;
	else
		tp_dataset_free(read);
	return status;
}

enum tp_status tp_cifar10_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                               struct tp_dataset **dataset)
{
	return open_cifar(&cifar10, entry, options->dir, dataset);
}

enum tp_status tp_cifar100_open(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
                                struct tp_dataset **dataset)
{
	return open_cifar(&cifar100, entry, options->dir, dataset);
}
