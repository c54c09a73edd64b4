/* MNIST in IDX files, plain and gzip: what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "engine/base/memory.h"
#include "tests/data/data_files.h"

#define TRAIN 12
#define TEST 3
#define TRAIN_IMAGES "train-images-idx3-ubyte"
#define TRAIN_LABELS "train-labels-idx1-ubyte"
#define TEST_IMAGES "t10k-images-idx3-ubyte"
#define TEST_LABELS "t10k-labels-idx1-ubyte"

static struct test_folder folder;
static unsigned char images[MNIST_IMAGES_BYTES(TRAIN) + 1];
static unsigned char labels[MNIST_LABELS_BYTES(TRAIN) + 1];

/* A good plain set; `images` and `labels` are left as the training files'. */
static int make_plain(void **state)
{
	(void)state;
	test_folder_make(&folder);
	test_mnist_images(images, TEST);
	test_mnist_labels(labels, TEST);
	test_folder_write(&folder, TEST_IMAGES, images, MNIST_IMAGES_BYTES(TEST));
	test_folder_write(&folder, TEST_LABELS, labels, MNIST_LABELS_BYTES(TEST));
	test_mnist_images(images, TRAIN);
	test_mnist_labels(labels, TRAIN);
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	test_folder_write(&folder, TRAIN_LABELS, labels, MNIST_LABELS_BYTES(TRAIN));
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	test_folder_remove(&folder);
	return 0;
}

static void zip_training_images(void)
{
	test_folder_unlink(&folder, TRAIN_IMAGES);
	test_folder_write_gzip(&folder, TRAIN_IMAGES ".gz", images, MNIST_IMAGES_BYTES(TRAIN));
}

static size_t read_back(const char *name, unsigned char *into, size_t room)
{
	char path[600];
	(void)snprintf(path, sizeof path, "%s/%s", folder.path, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t size = fread(into, 1, room, file);
	(void)fclose(file);
	assert_in_range(size, 1, room - 1);
	return size;
}

static void expect_good(void)
{
	struct tp_dataset *dataset = test_open("mnist", folder.path);
	assert_int_equal(dataset->classes, 10);
	assert_true(tp_shape_equal(dataset->shape, (struct tp_shape){1, 28, 28}));
	assert_int_equal(dataset->count[TP_TRAIN], TRAIN);
	assert_int_equal(dataset->count[TP_TEST], TEST);
	assert_false(dataset->flip_ok);
	assert_true(dataset->mean[0] == .1307 && dataset->std[0] == .3081);
	for (int i = 0; i < TRAIN + TEST; i++) {
		int in_split = i < TRAIN ? i : i - TRAIN;
		assert_int_equal(dataset->labels[i], in_split % 10);
		for (int p = 0; p < MNIST_IMAGE_BYTES; p++)
			assert_int_equal(dataset->pixels[i * MNIST_IMAGE_BYTES + p], (in_split * 7 + p) % 256);
	}
	tp_dataset_free(dataset);
}

static void plain_files_are_read(void **state)
{
	(void)state;
	expect_good();
}

static void gzip_files_are_read(void **state)
{
	(void)state;
	zip_training_images();
	test_folder_unlink(&folder, TRAIN_LABELS);
	test_folder_write_gzip(&folder, TRAIN_LABELS ".gz", labels, MNIST_LABELS_BYTES(TRAIN));
	expect_good();
}

static void a_gzip_file_that_is_cut_anywhere_is_refused(void **state)
{
	(void)state;
	zip_training_images();
	static unsigned char zipped[sizeof images];
	size_t size = read_back(TRAIN_IMAGES ".gz", zipped, sizeof zipped);
	for (size_t kept = 2; kept < size; kept++) {
		test_folder_write(&folder, TRAIN_IMAGES ".gz", zipped, kept);
		TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES ".gz", "cut short");
	}
}

static void a_damaged_gzip_file_is_refused(void **state)
{
	(void)state;
	zip_training_images();
	static unsigned char zipped[sizeof images];
	size_t size = read_back(TRAIN_IMAGES ".gz", zipped, sizeof zipped);
	zipped[size - 8] ^= 1; /* the checksum */
	test_folder_write(&folder, TRAIN_IMAGES ".gz", zipped, size);
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES ".gz", "damaged");
	zipped[size - 8] ^= 1;
	zipped[2] = 99; /* the method */
	test_folder_write(&folder, TRAIN_IMAGES ".gz", zipped, size);
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES ".gz", "damaged");
}

static void a_gzip_header_that_lies_makes_no_room(void **state)
{
	(void)state;
	images[4] = 0xff; /* four thousand million images: terabytes */
	zip_training_images();
	uint64_t before = tp_alloc_count();
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES ".gz", "cut short");
	assert_int_equal(tp_alloc_count(), before);
}

static void a_plain_file_that_is_cut_is_refused(void **state)
{
	(void)state;
	const size_t cuts[] = {1, 3, 4, 7, 15, 16, 17, MNIST_IMAGES_BYTES(TRAIN) - 1};
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		test_folder_write(&folder, TRAIN_IMAGES, images, cuts[i]);
		TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "cut short");
	}
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	for (size_t kept = 1; kept < MNIST_LABELS_BYTES(TRAIN); kept++) {
		test_folder_write(&folder, TRAIN_LABELS, labels, kept);
		TEST_REFUSED("mnist", folder.path, "/" TRAIN_LABELS, "cut short");
	}
}

static void bytes_after_the_last_sample_are_refused(void **state)
{
	(void)state;
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN) + 1);
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "expected the end of the file");
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	test_folder_write(&folder, TRAIN_LABELS, labels, MNIST_LABELS_BYTES(TRAIN) + 1);
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_LABELS, "expected the end of the file");
}

static void files_of_the_wrong_kind_are_refused(void **state)
{
	(void)state;
	test_folder_write(&folder, TRAIN_IMAGES, labels, MNIST_LABELS_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "images, magic 0x00000803", "found magic 0x00000801");
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	test_folder_write(&folder, TRAIN_LABELS, images, MNIST_IMAGES_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_LABELS, "labels, magic 0x00000801", "found magic 0x00000803");
	images[2] = 0x0d; /* floats */
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "magic 0x00000803", "found magic 0x00000d03");
}

static void images_of_another_size_are_refused(void **state)
{
	(void)state;
	images[11] = 14;
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "28 x 28", "found 14 rows");
	images[11] = 28;
	images[15] = 56;
	test_folder_write(&folder, TRAIN_IMAGES, images, MNIST_IMAGES_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_IMAGES, "28 x 28", "found 56 columns");
}

static void counts_that_disagree_are_refused(void **state)
{
	(void)state;
	test_mnist_labels(labels, TRAIN - 1);
	test_folder_write(&folder, TRAIN_LABELS, labels, MNIST_LABELS_BYTES(TRAIN - 1));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_LABELS, "expected 12 labels", TRAIN_IMAGES, "found 11");
}

static void an_empty_split_is_refused(void **state)
{
	(void)state;
	test_mnist_images(images, 0);
	test_mnist_labels(labels, 0);
	test_folder_write(&folder, TEST_IMAGES, images, MNIST_IMAGES_BYTES(0));
	test_folder_write(&folder, TEST_LABELS, labels, MNIST_LABELS_BYTES(0));
	TEST_REFUSED("mnist", folder.path, "/" TEST_IMAGES, "at least 1 sample", "found 0");
	test_folder_write(&folder, TEST_IMAGES, "", 0);
	TEST_REFUSED("mnist", folder.path, "/" TEST_IMAGES, "found an empty one");
}

static void a_label_above_nine_is_refused(void **state)
{
	(void)state;
	labels[8 + 11] = 10;
	test_folder_write(&folder, TRAIN_LABELS, labels, MNIST_LABELS_BYTES(TRAIN));
	TEST_REFUSED("mnist", folder.path, "/" TRAIN_LABELS, "record 12 of 12", "from 0 to 9", "found 10");
}

static void a_missing_file_is_named(void **state)
{
	(void)state;
	test_folder_unlink(&folder, TEST_LABELS);
	TEST_REFUSED("mnist", folder.path, TEST_LABELS, TEST_LABELS ".gz", "found neither");
	test_folder_mkdir(&folder, TEST_LABELS);
	TEST_REFUSED("mnist", folder.path, "/" TEST_LABELS, "found a folder");
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, make_plain, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH(plain_files_are_read),
	        WITH(gzip_files_are_read),
	        WITH(a_gzip_file_that_is_cut_anywhere_is_refused),
	        WITH(a_damaged_gzip_file_is_refused),
	        WITH(a_gzip_header_that_lies_makes_no_room),
	        WITH(a_plain_file_that_is_cut_is_refused),
	        WITH(bytes_after_the_last_sample_are_refused),
	        WITH(files_of_the_wrong_kind_are_refused),
	        WITH(images_of_another_size_are_refused),
	        WITH(counts_that_disagree_are_refused),
	        WITH(an_empty_split_is_refused),
	        WITH(a_label_above_nine_is_refused),
	        WITH(a_missing_file_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
