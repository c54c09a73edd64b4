#include "tests/data/data_files.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "engine/base/memory.h"

#define PATH_BYTES 1024

static void path_in(char path[PATH_BYTES], const struct test_folder *folder, const char *name)
{
	assert_in_range(snprintf(path, PATH_BYTES, "%s/%s", folder->path, name), 1, PATH_BYTES - 1);
}

void test_folder_make(struct test_folder *folder)
{
	const char *base = getenv("TMPDIR");
	assert_in_range(snprintf(folder->path, sizeof folder->path, "%s/tpbench-data-XXXXXX", base ? base : "/tmp"), 1,
	                sizeof folder->path - 1);
	assert_non_null(mkdtemp(folder->path));
}

void test_folder_remove(struct test_folder *folder)
{
	DIR *dir = opendir(folder->path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			test_folder_unlink(folder, entry->d_name);
	}
	(void)closedir(dir);
	assert_int_equal(rmdir(folder->path), 0);
}

void test_folder_write(const struct test_folder *folder, const char *name, const void *bytes, size_t size)
{
	char path[PATH_BYTES];
	path_in(path, folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

void test_folder_write_gzip(const struct test_folder *folder, const char *name, const void *bytes, size_t size)
{
	char path[PATH_BYTES];
	path_in(path, folder, name);
	gzFile file = gzopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
	assert_int_equal(gzclose(file), Z_OK);
}

void test_folder_unlink(const struct test_folder *folder, const char *name)
{
	char path[PATH_BYTES];
	path_in(path, folder, name);
	assert_int_equal(remove(path), 0);
}

void test_folder_mkdir(const struct test_folder *folder, const char *name)
{
	char path[PATH_BYTES];
	path_in(path, folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

size_t test_cifar_records(unsigned char *into, int label_bytes, int records)
{
	unsigned char *at = into;
	for (int r = 0; r < records; r++) {
		int classes = label_bytes == 2 ? 100 : 10;
		if (label_bytes == 2)
			*at++ = (unsigned char)(r % classes / 5);
		*at++ = (unsigned char)(r % classes);
		for (int p = 0; p < CIFAR_IMAGE_BYTES; p++)
			*at++ = (unsigned char)(r * 7 + p);
	}
	return (size_t)(at - into);
}

static void put_big_endian(unsigned char *at, unsigned value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (24 - 8 * i));
}

void test_mnist_images(unsigned char *into, int count)
{
	put_big_endian(into, 0x803);
	put_big_endian(into + 4, (unsigned)count);
	put_big_endian(into + 8, 28);
	put_big_endian(into + 12, 28);
	for (int i = 0; i < count; i++)
		for (int p = 0; p < MNIST_IMAGE_BYTES; p++)
			into[16 + i * MNIST_IMAGE_BYTES + p] = (unsigned char)(i * 7 + p);
}

void test_mnist_labels(unsigned char *into, int count)
{
	put_big_endian(into, 0x801);
	put_big_endian(into + 4, (unsigned)count);
	for (int i = 0; i < count; i++)
		into[8 + i] = (unsigned char)(i % 10);
}

struct tp_dataset *test_open(const char *name, const char *dir)
{
	const struct tp_dataset_options options = {.dir = dir};
	struct tp_dataset *dataset = NULL;
	if (tp_dataset_open(name, &options, &dataset) != TP_OK)
		fail_msg("%s on %s: %s", name, dir, tp_detail());
	assert_non_null(dataset);
	return dataset;
}

void test_refused(const char *name, const char *dir, const char *const *parts)
{
	const struct tp_dataset_options options = {.dir = dir};
	struct tp_dataset *dataset = NULL;
	uint64_t held = tp_alloc_bytes();
	assert_int_equal(tp_dataset_open(name, &options, &dataset), TP_ERR_INPUT);
	assert_null(dataset);
	assert_int_equal(tp_alloc_bytes(), held);
	for (; *parts; parts++) {
		if (!strstr(tp_detail(), *parts))
			fail_msg("expected '%s' in: %s", *parts, tp_detail());
	}
}

const char *test_real_data(const char *name, const char *file)
{
	static char dir[PATH_BYTES];
	const char *base = getenv("TPBENCH_DATA");
	if (!base)
		base = getenv("TPBENCH_TEST_DATA");
	char path[2 * PATH_BYTES];
	(void)snprintf(dir, sizeof dir, "%s/%s", base ? base : ".", name);
	(void)snprintf(path, sizeof path, "%s/%s", dir, file);
	if (!base || access(path, R_OK) != 0) {
		(void)printf("skipped: no %s/%s in the folder that TPBENCH_DATA names (%s)\n", name, file,
		             base ? base : "not set");
		exit(77);
	}
	return dir;
}
