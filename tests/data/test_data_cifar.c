/* CIFAR-10 and CIFAR-100 in their binary form: what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/data/data_files.h"

#define RECORDS 40 /* more than one chunk of the reader, and no multiple of it */

static struct test_folder folder;
static unsigned char bytes[RECORDS * (CIFAR_IMAGE_BYTES + 2)];

/* A good CIFAR-100 of RECORDS and 3 samples. */
static int make_cifar100(void **state)
{
	(void)state;
	test_folder_make(&folder);
	test_folder_write(&folder, "test.bin", bytes, test_cifar_records(bytes, 2, 3));
	test_folder_write(&folder, "train.bin", bytes, test_cifar_records(bytes, 2, RECORDS));
	return 0;
}

static int make_empty(void **state)
{
	(void)state;
	test_folder_make(&folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	test_folder_remove(&folder);
	return 0;
}

static void expect_samples(const struct tp_dataset *dataset, int64_t first, int count)
{
	for (int r = 0; r < count; r++) {
		const uint8_t *pixels = dataset->pixels + (first + r) * CIFAR_IMAGE_BYTES;
		assert_int_equal(dataset->labels[first + r], r % dataset->classes);
		for (int p = 0; p < CIFAR_IMAGE_BYTES; p++)
			assert_int_equal(pixels[p], (r * 7 + p) % 256);
	}
}

static void cifar100_is_read_with_fine_labels(void **state)
{
	(void)state;
	struct tp_dataset *dataset = test_open("cifar100", folder.path);
	assert_string_equal(dataset->name, "cifar100");
	assert_int_equal(dataset->classes, 100);
	assert_true(tp_shape_equal(dataset->shape, (struct tp_shape){3, 32, 32}));
	assert_int_equal(dataset->count[TP_TRAIN], RECORDS);
	assert_int_equal(dataset->count[TP_TEST], 3);
	assert_true(dataset->flip_ok);
	assert_true(dataset->mean[0] == .5071 && dataset->mean[1] == .4865 && dataset->mean[2] == .4409);
	assert_true(dataset->std[0] == .2673 && dataset->std[1] == .2564 && dataset->std[2] == .2762);
	expect_samples(dataset, 0, RECORDS);
	expect_samples(dataset, RECORDS, 3);
	tp_dataset_free(dataset);
}

static void cifar10_joins_the_batches_that_are_there(void **state)
{
	(void)state;
	test_folder_write(&folder, "data_batch_4.bin", bytes, test_cifar_records(bytes, 1, 2));
	test_folder_write(&folder, "data_batch_2.bin", bytes, test_cifar_records(bytes, 1, 17));
	test_folder_write(&folder, "test_batch.bin", bytes, test_cifar_records(bytes, 1, 5));
	struct tp_dataset *dataset = test_open("cifar10", folder.path);
	assert_int_equal(dataset->classes, 10);
	assert_int_equal(dataset->count[TP_TRAIN], 19);
	assert_int_equal(dataset->count[TP_TEST], 5);
	assert_true(dataset->mean[0] == .4914 && dataset->std[2] == .2616);
	expect_samples(dataset, 0, 17);
	expect_samples(dataset, 17, 2);
	expect_samples(dataset, 19, 5);
	tp_dataset_free(dataset);
}

static void cifar10_without_its_test_file_is_refused(void **state)
{
	(void)state;
	test_folder_write(&folder, "data_batch_1.bin", bytes, test_cifar_records(bytes, 1, 2));
	TEST_REFUSED("cifar10", folder.path, "test_batch.bin", "found none");
	test_folder_write(&folder, "test_batch.bin", "", 0);
	TEST_REFUSED("cifar10", folder.path, "test_batch.bin", "found an empty one");
}

static void cifar10_labels_go_to_nine(void **state)
{
	(void)state;
	test_folder_write(&folder, "test_batch.bin", bytes, test_cifar_records(bytes, 1, 2));
	test_folder_write(&folder, "data_batch_1.bin", bytes, test_cifar_records(bytes, 1, 2));
	bytes[CIFAR_IMAGE_BYTES + 1] = 10;
	test_folder_write(&folder, "data_batch_3.bin", bytes, 2 * (CIFAR_IMAGE_BYTES + 1));
	TEST_REFUSED("cifar10", folder.path, "data_batch_3.bin", "record 2 of 2", "label from 0 to 9", "found 10");
}

static void a_missing_file_is_named(void **state)
{
	(void)state;
	test_folder_unlink(&folder, "test.bin");
	TEST_REFUSED("cifar100", folder.path, "/test.bin", "found none", "No such file");
}

static void an_empty_file_is_named(void **state)
{
	(void)state;
	test_folder_write(&folder, "train.bin", "", 0);
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "found an empty one");
}

static void a_folder_in_place_of_a_file_is_named(void **state)
{
	(void)state;
	test_folder_unlink(&folder, "test.bin");
	test_folder_mkdir(&folder, "test.bin");
	TEST_REFUSED("cifar100", folder.path, "/test.bin", "expected a data file", "found a folder");
}

static void part_of_a_record_is_refused(void **state)
{
	(void)state;
	size_t size = test_cifar_records(bytes, 2, 2);
	test_folder_write(&folder, "train.bin", bytes, size - 1);
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "whole number of records of 3074 bytes",
	             "found 6147 bytes");
	test_folder_write(&folder, "train.bin", bytes, 1);
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "found 1 bytes");
	/* The ten-class form in place of the hundred-class one. */
	test_folder_write(&folder, "train.bin", bytes, test_cifar_records(bytes, 1, 2));
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "3074 bytes", "found 6146 bytes");
}

static void labels_out_of_range_are_refused_in_any_record(void **state)
{
	(void)state;
	size_t size = test_cifar_records(bytes, 2, RECORDS);
	size_t last = size - (CIFAR_IMAGE_BYTES + 2);
	bytes[last + 1] = 100;
	test_folder_write(&folder, "train.bin", bytes, size);
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "record 40 of 40", "fine label from 0 to 99", "found 100");
	bytes[last + 1] = 99;
	bytes[0] = 20;
	test_folder_write(&folder, "train.bin", bytes, size);
	TEST_REFUSED("cifar100", folder.path, "/train.bin", "record 1 of 40", "coarse label from 0 to 19", "found 20");
	bytes[0] = 19;
	test_folder_write(&folder, "train.bin", bytes, size);
	tp_dataset_free(test_open("cifar100", folder.path));
}

#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH(cifar100_is_read_with_fine_labels, make_cifar100),
	        WITH(cifar10_joins_the_batches_that_are_there, make_empty),
	        WITH(cifar10_without_its_test_file_is_refused, make_empty),
	        WITH(cifar10_labels_go_to_nine, make_empty),
	        WITH(a_missing_file_is_named, make_cifar100),
	        WITH(an_empty_file_is_named, make_cifar100),
	        WITH(a_folder_in_place_of_a_file_is_named, make_cifar100),
	        WITH(part_of_a_record_is_refused, make_cifar100),
	        WITH(labels_out_of_range_are_refused_in_any_record, make_cifar100),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
