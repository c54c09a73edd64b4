/* The table of data sets, and what is the same for all of them. */
#include "engine/data/dataset.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/data/readers.h"

const struct tp_dataset_entry tp_datasets[] = {
        {"synthetic", "made from the seed, in CIFAR-100's shape", "", tp_synthetic_open},
        {"cifar10", "CIFAR-10, binary version", "data_batch_1.bin .. data_batch_5.bin (at least one), test_batch.bin",
         tp_cifar10_open},
        {"cifar100", "CIFAR-100, binary version, fine labels", "train.bin, test.bin", tp_cifar100_open},
        {"mnist", "MNIST digits, IDX files",
         "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain "
         "or .gz",
         tp_mnist_open},
        {NULL, NULL, NULL, NULL},
};

#define TABLE_ROWS (sizeof tp_datasets / sizeof tp_datasets[0])

/* NULL with a detail set when there is no such row. */
static const struct tp_dataset_entry *find(const char *name)
{
	const char *names[TABLE_ROWS];
	for (size_t i = 0; i < TABLE_ROWS; i++) {
		names[i] = tp_datasets[i].name;
		if (names[i] && strcmp(names[i], name) == 0)
			return &tp_datasets[i];
	}
	const char *nearest = tp_nearest(name, names);
	if (nearest) {
		(void)tp_fail(TP_ERR_INPUT, "--dataset: there is no data set '%s'; did you mean '%s'?", name, nearest);
		return NULL;
	}
	struct tp_text known = {0};
	for (size_t i = 0; names[i]; i++)
		tp_text_add(&known, "%s%s", i > 0 ? ", " : "", names[i]);
	(void)tp_fail(TP_ERR_INPUT, "--dataset: there is no data set '%s'; expected one of %s", name,
	              tp_text_get(&known));
	tp_text_release(&known);
	return NULL;
}

enum tp_status tp_dataset_open(const char *name, const struct tp_dataset_options *options, struct tp_dataset **dataset)
{
	*dataset = NULL;
	const struct tp_dataset_entry *entry = find(name);
	if (!entry)
		return TP_ERR_INPUT;
	bool has_dir = options->dir && options->dir[0] != '\0';
	bool needs_dir = entry->files[0] != '\0';
	if (needs_dir && !has_dir)
		return tp_fail(TP_ERR_INPUT,
		               "--data-dir: expected the folder of data set '%s', which holds %s; found none", name,
		               entry->files);
	/* Whoever names a folder wants its data, not made-up ones. */
	if (!needs_dir && has_dir)
		return tp_fail(TP_ERR_INPUT,
		               "--data-dir: data set '%s' reads no files, found '%s'; name the data set with --dataset",
		               name, options->dir);
	if (needs_dir)
		TP_TRY(tp_data_folder_check(options->dir));
	return entry->open(entry, options, dataset);
}

enum tp_status tp_dataset_new(const struct tp_dataset_entry *entry, const struct tp_dataset_form *form,
                              struct tp_dataset **dataset)
{
	size_t samples = (size_t)form->train + (size_t)form->test;
	size_t sample_bytes = (size_t)tp_shape_elements(form->shape);
	struct tp_dataset *made = tp_alloc(sizeof *made);
	if (!made)
		return TP_ERR_NOMEM;
	made->name = entry->name;
	made->shape = form->shape;
	made->classes = form->classes;
	made->count[TP_TRAIN] = form->train;
	made->count[TP_TEST] = form->test;
	made->flip_ok = form->flip_ok;
	for (int32_t c = 0; c < form->shape.c; c++) {
		made->mean[c] = form->mean[c];
		made->std[c] = form->std[c];
		for (int pixel = 0; pixel < 256; pixel++)
			made->value[c][pixel] = (float)((pixel / 255.0 - form->mean[c]) / form->std[c]);
	}
	made->pixels = tp_alloc_array(samples, sample_bytes);
	made->labels = made->pixels ? tp_alloc_array(samples, sizeof *made->labels) : NULL;
	if (!made->labels) {
		tp_dataset_free(made);
		return TP_ERR_NOMEM;
	}
	made->held_bytes = (int64_t)(tp_align_up(sizeof *made) + tp_align_up(samples * sample_bytes) +
	                             tp_align_up(samples * sizeof *made->labels));
	*dataset = made;
	return TP_OK;
}

void tp_dataset_free(struct tp_dataset *dataset)
{
	if (!dataset)
		return;
	tp_free(dataset->pixels);
	tp_free(dataset->labels);
	tp_free(dataset);
}
