/* Seeded mutations of good files: bytes changed, cut off, added. A reader may accept what it gets or refuse it with a
 * detail, never more; what it accepts must be in range, and what it refuses must leave nothing allocated. Run under the
 * address and undefined-behaviour sanitizers this also finds reads outside the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "tests/data/data_files.h"

#define MAX_BYTES (3 * (CIFAR_IMAGE_BYTES + 2))
#define MUTATIONS 1500 /* of each data set */

static struct test_folder folder;

struct good_file {
	const char *name;
	unsigned char bytes[MAX_BYTES];
	size_t size;
};

struct tally {
	int accepted, refused;
};

/* Between one and four changes; the first bytes, where headers and labels are, are as likely as all others together. */
static size_t mutate(struct tp_prng *prng, unsigned char *bytes, size_t size, size_t room)
{
	for (uint64_t changes = 1 + tp_prng_below(prng, 4); changes > 0; changes--) {
		uint64_t reach = size > 0 ? size : 1;
		if (tp_prng_below(prng, 2) == 0 && reach > 20)
			reach = 20;
		size_t at = (size_t)tp_prng_below(prng, reach);
		switch (tp_prng_below(prng, 6)) {
		case 0:
			bytes[at] = (unsigned char)tp_prng_u64(prng);
			break;
		case 1:
			bytes[at] ^= (unsigned char)(1u << tp_prng_below(prng, 8));
			break;
		case 2:
			bytes[at] = tp_prng_below(prng, 2) ? 0xff : 0;
			break;
		case 3:
			bytes[at]++;
			break;
		case 4:
			size = (size_t)tp_prng_below(prng, size + 1);
			break;
		default:
			while (size < room && tp_prng_below(prng, 8) != 0)
				bytes[size++] = (unsigned char)tp_prng_u64(prng);
		}
	}
	return size;
}

static void expect_sound(const struct tp_dataset *dataset)
{
	int64_t samples = dataset->count[TP_TRAIN] + dataset->count[TP_TEST];
	assert_true(dataset->count[TP_TRAIN] >= 1 && dataset->count[TP_TEST] >= 1);
	unsigned checksum = 0;
	for (int64_t i = 0; i < samples; i++)
		assert_in_range(dataset->labels[i], 0, dataset->classes - 1);
	for (int64_t i = 0; i < samples * tp_shape_elements(dataset->shape); i++)
		checksum += dataset->pixels[i];
	assert_true(checksum <= 255u * (unsigned)(samples * tp_shape_elements(dataset->shape)));
}

static void open_once(const char *name, struct tally *tally)
{
	const struct tp_dataset_options options = {.dir = folder.path};
	struct tp_dataset *dataset;
	uint64_t held = tp_alloc_bytes();
	(void)tp_fail(TP_OK, "%s", "");
	enum tp_status status = tp_dataset_open(name, &options, &dataset);
	if (status == TP_OK) {
		tally->accepted++;
		expect_sound(dataset);
	} else {
		tally->refused++;
		assert_int_equal(status, TP_ERR_INPUT);
		assert_null(dataset);
		assert_non_null(strstr(tp_detail(), folder.path));
	}
	tp_dataset_free(dataset);
	assert_int_equal(tp_alloc_bytes(), held);
}

static void fuzz(const char *name, struct good_file *files, size_t count)
{
	struct tp_prng prng;
	struct tally tally = {0, 0};
	tp_prng_init(&prng, 20240229, tp_hash_text(name));
	for (size_t i = 0; i < count; i++)
		test_folder_write(&folder, files[i].name, files[i].bytes, files[i].size);
	open_once(name, &tally);
	assert_int_equal(tally.accepted, 1);
	for (int i = 0; i < MUTATIONS; i++) {
		unsigned char bytes[MAX_BYTES + 64];
		struct good_file *file = &files[tp_prng_below(&prng, count)];
		memcpy(bytes, file->bytes, file->size);
		size_t size = mutate(&prng, bytes, file->size, sizeof bytes);
		test_folder_write(&folder, file->name, bytes, size);
		open_once(name, &tally);
		test_folder_write(&folder, file->name, file->bytes, file->size);
	}
	print_message("%s: %d accepted, %d refused\n", name, tally.accepted, tally.refused);
	/* Both must happen, or the mutations test nothing. */
	assert_true(tally.accepted > MUTATIONS / 50 && tally.refused > MUTATIONS / 5);
}

static void cifar100(void **state)
{
	(void)state;
	static struct good_file files[2] = {{.name = "train.bin"}, {.name = "test.bin"}};
	for (int i = 0; i < 2; i++)
		files[i].size = test_cifar_records(files[i].bytes, 2, 3 - i);
	fuzz("cifar100", files, 2);
}

static void cifar10(void **state)
{
	(void)state;
	static struct good_file files[3] = {
	        {.name = "data_batch_1.bin"}, {.name = "data_batch_5.bin"}, {.name = "test_batch.bin"}};
	for (int i = 0; i < 3; i++)
		files[i].size = test_cifar_records(files[i].bytes, 1, 3 - i);
	fuzz("cifar10", files, 3);
}

/* The first two stay plain, the others are gzip. */
static void mnist(void **state)
{
	(void)state;
	static struct good_file files[4] = {{.name = "train-images-idx3-ubyte"},
	                                    {.name = "train-labels-idx1-ubyte"},
	                                    {.name = "t10k-images-idx3-ubyte.gz"},
	                                    {.name = "t10k-labels-idx1-ubyte.gz"}};
	for (int i = 0; i < 4; i += 2) {
		int count = 3 - i / 2;
		test_mnist_images(files[i].bytes, count);
		files[i].size = MNIST_IMAGES_BYTES(count);
		test_mnist_labels(files[i + 1].bytes, count);
		files[i + 1].size = MNIST_LABELS_BYTES(count);
	}
	for (int i = 2; i < 4; i++) {
		char path[600];
		test_folder_write_gzip(&folder, files[i].name, files[i].bytes, files[i].size);
		(void)snprintf(path, sizeof path, "%s/%s", folder.path, files[i].name);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		files[i].size = fread(files[i].bytes, 1, MAX_BYTES, file);
		(void)fclose(file);
	}
	fuzz("mnist", files, 4);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(cifar100, make_folder, remove_folder),
	        cmocka_unit_test_setup_teardown(cifar10, make_folder, remove_folder),
	        cmocka_unit_test_setup_teardown(mnist, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
