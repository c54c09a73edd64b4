/* Data sets: held in memory as they came (8-bit pixels where the file has them), read-only once open. */
#ifndef TP_ENGINE_DATA_DATASET_H
#define TP_ENGINE_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/tensor/shape.h"

enum tp_split { TP_TRAIN, TP_TEST };

struct tp_dataset;

struct tp_dataset_options {
	const char *dir;         /* folder of the files under their official names; NULL or "": none */
	uint64_t seed;           /* synthetic only */
	int64_t synthetic_train; /* samples to make; 0: a default */
	int64_t synthetic_test;
};

/* One row of the table of data sets. */
struct tp_dataset_entry {
	const char *name;
	const char *summary;
	const char *files; /* what --data-dir must hold, for help and errors; "" for none */
	enum tp_status (*open)(const struct tp_dataset_entry *entry, const struct tp_dataset_options *options,
	                       struct tp_dataset **dataset);
};

/* All data sets, ended by a row whose name is NULL. */
extern const struct tp_dataset_entry tp_datasets[];

/* A data set in memory. `pixels` holds all training samples, then all test samples, C*H*W bytes each, NCHW; a sample's
 * value is (pixel/255 - mean[c]) / std[c]. */
struct tp_dataset {
	const char *name;
	struct tp_shape shape;
	int32_t classes;
	int64_t count[2];       /* by enum tp_split */
	double mean[3], std[3]; /* of values in [0, 1], per channel */
	float value[3][256];    /* the normalised value of each pixel, per channel */
	bool flip_ok;           /* a mirrored sample is still of its class: augmentation may flip (not for digits) */
	uint8_t *pixels;
	int32_t *labels;
	int64_t held_bytes; /* memory of the above */
};

/* Open by name. A name that is not in the table, a folder that is needed and not given (or given and not needed), a
 * file that is missing, cut short, of the wrong kind or inconsistent is TP_ERR_INPUT with the file, what was expected
 * and what was found. Free with tp_dataset_free(). */
enum tp_status tp_dataset_open(const char *name, const struct tp_dataset_options *options, struct tp_dataset **dataset);
void tp_dataset_free(struct tp_dataset *dataset);

/* The order in which an epoch visits the training samples. */
struct tp_sample_order {
	int64_t *index; /* NULL: file order */
	int64_t count;
	uint64_t seed;
	int32_t epoch; /* 1-based */
	bool shuffle, augment;
};

/* Allocate for `dataset` and stand at epoch 1; then set each epoch's order in place, without allocating. The
 * permutation is Fisher-Yates from the stream (seed, epoch). */
enum tp_status tp_sample_order_init(struct tp_sample_order *order, const struct tp_dataset *dataset, uint64_t seed,
                                    bool shuffle, bool augment);
void tp_sample_order_begin_epoch(struct tp_sample_order *order, int32_t epoch);
void tp_sample_order_release(struct tp_sample_order *order);

/* Training samples at positions first .. first + count - 1 of the order: normalised NCHW floats into x (count * C*H*W),
 * labels into `labels`. Augmentation (when on): shift by up to 4 pixels each way, the pixels shifted in being 0
 * after normalisation; mirrored with probability 1/2 where flip_ok; decided by (seed, epoch,
 * sample) alone. Either destination may be NULL. Safe from several threads. Asking beyond the
 * end of the split is a broken invariant, here and below. */
void tp_batch_train(const struct tp_dataset *dataset, const struct tp_sample_order *order, int64_t first, int32_t count,
                    float *x, int32_t *labels);
/* Test samples in file order. */
void tp_batch_test(const struct tp_dataset *dataset, int64_t first, int32_t count, float *x, int32_t *labels);

#endif
