/* Opening data sets by name: what is wrong before any file is read, and running out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/data/data_files.h"

static struct test_folder folder;

static int make_folder(void **state)
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

static void the_table_is_whole(void **state)
{
	(void)state;
	int rows = 0;
	for (const struct tp_dataset_entry *entry = tp_datasets; entry->name; entry++, rows++) {
		assert_non_null(entry->summary);
		assert_non_null(entry->files);
		assert_non_null(entry->open);
	}
	assert_int_equal(rows, 4);
}

static void a_misspelt_name_is_answered_with_the_nearest(void **state)
{
	(void)state;
	TEST_REFUSED("cifar-100", NULL, "--dataset", "'cifar-100'", "did you mean 'cifar100'");
	TEST_REFUSED("imagenet", NULL, "--dataset", "'imagenet'", "synthetic, cifar10, cifar100, mnist");
	TEST_REFUSED("", NULL, "--dataset", "''");
}

static void a_folder_that_is_needed_is_asked_for_with_its_files(void **state)
{
	(void)state;
	TEST_REFUSED("cifar10", NULL, "--data-dir", "data_batch_1.bin", "test_batch.bin");
	TEST_REFUSED("cifar100", "", "--data-dir", "train.bin, test.bin");
	TEST_REFUSED("mnist", NULL, "--data-dir", "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
}

static void a_folder_that_is_not_needed_is_refused(void **state)
{
	(void)state;
	TEST_REFUSED("synthetic", folder.path, "--data-dir", "'synthetic' reads no files", folder.path);
}

static void a_folder_that_is_none_is_refused(void **state)
{
	(void)state;
	char path[600];
	(void)snprintf(path, sizeof path, "%s/nowhere", folder.path);
	TEST_REFUSED("mnist", path, path, "expected a folder", "No such file");
	test_folder_write(&folder, "file", "x", 1);
	(void)snprintf(path, sizeof path, "%s/file", folder.path);
	TEST_REFUSED("cifar100", path, path, "expected a folder", "found a file");
	test_folder_unlink(&folder, "file");
}

/* However long the path, the detail has room for what was expected. */
static void a_path_that_is_too_long_is_refused(void **state)
{
	(void)state;
	static char path[8000];
	memset(path, 'x', sizeof path - 1);
	TEST_REFUSED("cifar100", path, "xxx: expected a folder", "File name too long");
	memset(path, '/', sizeof path - 1);
	TEST_REFUSED("mnist", path, "///: expected a folder", "File name too long");
	path[4000] = '\0'; /* the root folder, by a path that just fits */
	TEST_REFUSED("cifar100", path, "///: expected train.bin", "found no training file");
}

static void no_data_are_refused(void **state)
{
	(void)state;
	TEST_REFUSED("cifar10", folder.path, folder.path, "data_batch_1.bin", "found no training file");
	TEST_REFUSED("cifar100", folder.path, folder.path, "train.bin", "found no training file");
	TEST_REFUSED("mnist", folder.path, folder.path, "train-images-idx3-ubyte.gz", "found neither");
}

static void bad_counts_of_synthetic_samples_are_refused(void **state)
{
	(void)state;
	struct tp_dataset *dataset;
	struct tp_dataset_options options = {.synthetic_train = -1};
	assert_int_equal(tp_dataset_open("synthetic", &options, &dataset), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "--synthetic-train"));
	options = (struct tp_dataset_options){.synthetic_test = INT64_MAX};
	assert_int_equal(tp_dataset_open("synthetic", &options, &dataset), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "--synthetic-test"));
	assert_null(dataset);
}

/* Let each allocation in turn be the one that fails. */
static void every_opener_survives_without_memory(void **state)
{
	(void)state;
	static unsigned char bytes[4 * (CIFAR_IMAGE_BYTES + 2)];
	size_t size = test_cifar_records(bytes, 2, 2);
	test_folder_write(&folder, "train.bin", bytes, size);
	test_folder_write(&folder, "test.bin", bytes, size);
	size = test_cifar_records(bytes, 1, 2);
	test_folder_write(&folder, "data_batch_1.bin", bytes, size);
	test_folder_write(&folder, "test_batch.bin", bytes, size);
	test_mnist_images(bytes, 2);
	test_folder_write(&folder, "train-images-idx3-ubyte", bytes, MNIST_IMAGES_BYTES(2));
	test_folder_write(&folder, "t10k-images-idx3-ubyte", bytes, MNIST_IMAGES_BYTES(2));
	test_mnist_labels(bytes, 2);
	test_folder_write(&folder, "train-labels-idx1-ubyte", bytes, MNIST_LABELS_BYTES(2));
	test_folder_write(&folder, "t10k-labels-idx1-ubyte", bytes, MNIST_LABELS_BYTES(2));

	for (const struct tp_dataset_entry *entry = tp_datasets; entry->name; entry++) {
		struct tp_dataset_options options = {.dir = entry->files[0] ? folder.path : NULL};
		struct tp_dataset *dataset;
		uint64_t held = tp_alloc_bytes();
		int64_t successes = 0;
		enum tp_status status;
		do {
			tp_alloc_fail_after(successes++);
			status = tp_dataset_open(entry->name, &options, &dataset);
			tp_alloc_fail_after(-1);
			if (status != TP_OK) {
				assert_int_equal(status, TP_ERR_NOMEM);
				assert_null(dataset);
				assert_int_equal(tp_alloc_bytes(), held);
			}
		} while (status != TP_OK && successes < 100);
		assert_int_equal(status, TP_OK);
		assert_in_range(successes, 4, 99); /* the data set, its pixels and its labels failed once each */
		assert_int_equal(dataset->held_bytes, tp_alloc_bytes() - held);
		tp_dataset_free(dataset);
		assert_int_equal(tp_alloc_bytes(), held);
	}
	tp_dataset_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_table_is_whole),
	        cmocka_unit_test(a_misspelt_name_is_answered_with_the_nearest),
	        cmocka_unit_test(a_folder_that_is_needed_is_asked_for_with_its_files),
	        cmocka_unit_test(a_folder_that_is_not_needed_is_refused),
	        cmocka_unit_test(a_folder_that_is_none_is_refused),
	        cmocka_unit_test(a_path_that_is_too_long_is_refused),
	        cmocka_unit_test(no_data_are_refused),
	        cmocka_unit_test(bad_counts_of_synthetic_samples_are_refused),
	        cmocka_unit_test(every_opener_survives_without_memory),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
