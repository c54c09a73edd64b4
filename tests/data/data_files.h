/* Data files for the tests of the readers: made in a temporary folder, never kept. Every helper fails the running test
 * when it cannot do its work. */
#ifndef TP_TESTS_DATA_DATA_FILES_H
#define TP_TESTS_DATA_DATA_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "engine/data/dataset.h"

struct test_folder {
	char path[512];
};

void test_folder_make(struct test_folder *folder);
void test_folder_remove(struct test_folder *folder); /* with what lies in it, one level deep */
void test_folder_write(const struct test_folder *folder, const char *name, const void *bytes, size_t size);
void test_folder_write_gzip(const struct test_folder *folder, const char *name, const void *bytes, size_t size);
void test_folder_unlink(const struct test_folder *folder, const char *name);
void test_folder_mkdir(const struct test_folder *folder, const char *name);

#define CIFAR_IMAGE_BYTES 3072

/* Records with labels that count up from 0, CIFAR-100's coarse label being fine / 5; pixel p of record r is
 * (r * 7 + p) % 256. Returns the bytes written. */
size_t test_cifar_records(unsigned char *into, int label_bytes, int records);

#define MNIST_IMAGE_BYTES 784
#define MNIST_IMAGES_BYTES(count) (16 + (size_t)(count)*MNIST_IMAGE_BYTES)
#define MNIST_LABELS_BYTES(count) (8 + (size_t)(count))

/* Whole IDX files; labels count up modulo 10, pixel p of image i is (i * 7 + p) % 256. */
void test_mnist_images(unsigned char *into, int count);
void test_mnist_labels(unsigned char *into, int count);

/* Open `name` on `dir`; it must succeed. */
struct tp_dataset *test_open(const char *name, const char *dir);

/* Open it; it must be TP_ERR_INPUT, leave nothing allocated, and its detail must hold each of `parts` (NULL-ended). */
void test_refused(const char *name, const char *dir, const char *const *parts);
#define TEST_REFUSED(name, dir, ...) test_refused(name, dir, (const char *const[]){__VA_ARGS__, NULL})

/* The folder `name` of the real data sets, from TPBENCH_DATA or TPBENCH_TEST_DATA, with `file` in it. Exits 77 with a
 * reason where it is missing. Valid until the next call. */
const char *test_real_data(const char *name, const char *file);

#endif
