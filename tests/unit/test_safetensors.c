/* safetensors: round trip, files that others may write, and files that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/model/safetensors.h"

static char folder[256];
static char path[300];

static int make_folder(void **state)
{
	(void)state;
	const char *parent = getenv("TMPDIR");
	(void)snprintf(folder, sizeof folder, "%s/tpbench-safetensors-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof path, "%s/w.safetensors", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder); /* fails when a test left a temporary file */
}

static void write_bytes(const void *bytes, size_t count)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

/* A file of this header, with its true length, and so many bytes of values: 0, 1, 2, .. */
static void write_file(const char *header, size_t value_bytes)
{
	unsigned char bytes[4096];
	uint64_t length = strlen(header);
	assert_true(8 + length + value_bytes <= sizeof bytes);
	memcpy(bytes, &length, 8);
	memcpy(bytes + 8, header, length);
	for (size_t i = 0; i < value_bytes; i++)
		bytes[8 + length + i] = (unsigned char)i;
	write_bytes(bytes, 8 + length + value_bytes);
}

static const float weight[6] = {1.5F, -2, 3.25F, 0, 1e-30F, -1e30F};
static const float bias[3] = {7, 8, 9};
static const int64_t counter = INT64_C(1) << 40;
static const struct tp_safetensors_entry entries[] = {
        {"fc.weight", TP_SAFETENSORS_F32, 2, {3, 2}},
        {"fc.bias", TP_SAFETENSORS_F32, 1, {3}},
        {"norm.num_batches_tracked", TP_SAFETENSORS_I64, 0, {0}},
};

static void write_sample(void)
{
	struct tp_safetensors_writer *writer;
	assert_int_equal(tp_safetensors_create(path, entries, 3, &writer), TP_OK);
	assert_int_equal(tp_safetensors_append(writer, weight, 8), TP_OK);
	assert_int_equal(tp_safetensors_append(writer, weight + 2, sizeof weight - 8), TP_OK);
	assert_int_equal(tp_safetensors_append(writer, bias, sizeof bias), TP_OK);
	assert_int_equal(tp_safetensors_append(writer, &counter, sizeof counter), TP_OK);
	assert_int_equal(tp_safetensors_commit(writer), TP_OK);
}

static size_t read_bytes(unsigned char *bytes, size_t room)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t count = fread(bytes, 1, room, file);
	(void)fclose(file);
	return count;
}

static int files_in_folder(void)
{
	int count = 0;
	DIR *listing = opendir(folder);
	assert_non_null(listing);
	for (struct dirent *item = readdir(listing); item; item = readdir(listing))
		count += item->d_name[0] != '.';
	(void)closedir(listing);
	return count;
}

static void test_round_trip(void **state)
{
	(void)state;
	struct tp_safetensors *file;
	write_sample();
	assert_int_equal(files_in_folder(), 1);
	assert_int_equal(tp_safetensors_open(path, &file), TP_OK);
	assert_int_equal(tp_safetensors_count(file), 3);
	const struct tp_safetensor *tensor = tp_safetensors_find(file, "fc.weight");
	assert_non_null(tensor);
	assert_ptr_equal(tensor, tp_safetensors_at(file, 0));
	assert_int_equal(tensor->entry.rank, 2);
	assert_int_equal(tensor->entry.dims[0], 3);
	assert_int_equal(tensor->entry.dims[1], 2);
	assert_int_equal(tensor->elements, 6);
	assert_memory_equal(tensor->f32, weight, sizeof weight);
	assert_null(tensor->i64);
	assert_memory_equal(tp_safetensors_find(file, "fc.bias")->f32, bias, sizeof bias);
	tensor = tp_safetensors_find(file, "norm.num_batches_tracked");
	assert_int_equal(tensor->entry.rank, 0);
	assert_int_equal(tensor->elements, 1);
	assert_true(*tensor->i64 == counter);
	assert_null(tp_safetensors_find(file, "fc"));
	tp_safetensors_close(file);
}

/* The bytes as the format has them: little-endian length, a header padded to a multiple of 8, then the values. */
static void test_bytes_on_disk(void **state)
{
	(void)state;
	static const char header[] =
	        "{\"__metadata__\":{\"format\":\"pt\"},"
	        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
	        "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]},"
	        "\"norm.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[36,44]}}";
	unsigned char bytes[1024];
	write_sample();
	size_t count = read_bytes(bytes, sizeof bytes);
	size_t length = bytes[0] + 256U * bytes[1];
	assert_int_equal(length % 8, 0);
	assert_in_range(length, sizeof header - 1, sizeof header + 6);
	assert_int_equal(count, 8 + length + 44);
	assert_memory_equal(bytes + 8, header, sizeof header - 1);
	for (size_t i = sizeof header - 1; i < length; i++)
		assert_int_equal(bytes[8 + i], ' ');
	assert_memory_equal(bytes + 8 + length, weight, sizeof weight);
}

static void test_accepts_what_the_format_allows(void **state)
{
	(void)state;
	struct tp_safetensors *file;
	write_file("{}", 0);
	assert_int_equal(tp_safetensors_open(path, &file), TP_OK);
	assert_int_equal(tp_safetensors_count(file), 0);
	tp_safetensors_close(file);

	/* values in another order than the names, an odd header length, an empty tensor, extra white space */
	write_file("{ \"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},\n"
	           "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
	           "\"e\":{\"dtype\":\"I64\",\"shape\":[9,0],\"data_offsets\":[4,4]},"
	           "\"__metadata__\":{\"made by\":\"hand\"}}   ",
	           12);
	assert_int_equal(tp_safetensors_open(path, &file), TP_OK);
	assert_int_equal(tp_safetensors_count(file), 3);
	assert_string_equal(tp_safetensors_at(file, 0)->entry.name, "a");
	assert_string_equal(tp_safetensors_at(file, 2)->entry.name, "b");
	assert_int_equal(tp_safetensors_find(file, "e")->elements, 0);
	const unsigned char second[] = {4, 5, 6, 7};
	assert_memory_equal(tp_safetensors_find(file, "b")->f32, second, 4);
	tp_safetensors_close(file);
}

static void assert_refused(const char *message)
{
	struct tp_safetensors *file = NULL;
	assert_int_equal(tp_safetensors_open(path, &file), TP_ERR_INPUT);
	assert_null(file);
	assert_non_null(strstr(tp_detail(), path));
	if (!strstr(tp_detail(), message))
		fail_msg("expected a message with '%s', found '%s'", message, tp_detail());
}

#define TENSOR(name, dtype, shape, begin, end) \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void test_refuses_headers_that_lie(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		size_t value_bytes;
		const char *message;
	} cases[] = {
	        {"[1,2]", 0, "not a safetensors file"},
	        {"{\"a\":", 0, "header, byte"},
	        {"{\"a\":{}} x", 0, "header, byte"},
	        {"{\"a\":3}", 0, "tensor a: expected an object"},
	        {"{\"a\":{}}", 0, "tensor a: dtype: expected \"F32\" or \"I64\", found no text"},
	        {"{" TENSOR("a", "F16", "[2]", "0", "4") "}", 4,
	         "tensor a: dtype: expected \"F32\" or \"I64\", found \"F16\""},
	        {"{" TENSOR("a", "F32", "2", "0", "8") "}", 8, "tensor a: shape: expected a list"},
	        {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "at most 8 numbers"},
	        {"{" TENSOR("a", "F32", "[-2]", "0", "8") "}", 8, "tensor a: shape: expected whole numbers"},
	        {"{" TENSOR("a", "F32", "[2.0]", "0", "8") "}", 8, "tensor a: shape: expected whole numbers"},
	        {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "0", "0") "}", 0, "fits 63 bits"},
	        {"{" TENSOR("a", "F32", "[99999999999999999999]", "0", "0") "}", 0, "header, byte"},
	        {"{" TENSOR("a", "F32", "[2]", "0", "7") "}", 8, "expected 8 bytes for its shape, found 0 to 7"},
	        {"{" TENSOR("a", "F32", "[2]", "0", "8") "}", 4, "expected a range within 0 to 4, found 0 to 8"},
	        {"{" TENSOR("a", "F32", "[2]", "-8", "0") "}", 8, "found -8 to 0"},
	        {"{" TENSOR("a", "F32", "[2]", "8", "0") "}", 8, "found 8 to 0"},
	        {"{" TENSOR("a", "F32", "[2]", "0", "8") "}", 12, "expected 8 bytes of values, found 12"},
	        {"{" TENSOR("a", "F32", "[1]", "4", "8") "}", 8, "tensor a: expected values from offset 0 on"},
	        {"{" TENSOR("a", "F32", "[2]", "0", "8") "," TENSOR("b", "F32", "[2]", "4", "12") "}", 12,
	         "tensor b: expected values from offset 8 on, after a, found 4: they overlap"},
	        {"{" TENSOR("a", "F32", "[2]", "0", "8") "," TENSOR("b", "F32", "[1]", "12", "16") "}", 16,
	         "tensor b: expected values from offset 8 on, after a, found 12: a gap"},
	        {"{" TENSOR("a", "F32", "[1]", "0", "4") "," TENSOR("a", "F32", "[1]", "4", "8") "}", 8, "duplicate"},
	        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two whole numbers"},
	        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "two whole numbers"},
	        {"{\"__metadata__\":3}", 0, "__metadata__: expected an object"},
	        {"{\"__metadata__\":{\"n\":3}}", 0, "expected a text for 'n'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_file(cases[i].header, cases[i].value_bytes);
		assert_refused(cases[i].message);
	}
}

static void test_refuses_files_of_another_kind(void **state)
{
	(void)state;
	write_bytes("", 0);
	assert_refused("expected at least 8 bytes, found 0");
	write_bytes("\x10\0\0\0\0\0\0\0{}", 10);
	assert_refused("expected a header of 2 to 2 bytes, found a length of 16");
	write_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
	assert_refused("found a length of 18446744073709551615");
	assert_int_equal(unlink(path), 0);
	assert_refused("cannot open");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused("expected a file, found something else");
	assert_int_equal(rmdir(path), 0);
}

/* Whatever is in the file, opening it answers, and all that is opened can be read. */
static void open_and_touch(void)
{
	struct tp_safetensors *file = NULL;
	enum tp_status status = tp_safetensors_open(path, &file);
	if (status != TP_OK) {
		assert_int_equal(status, TP_ERR_INPUT);
		return;
	}
	int64_t sum = 0;
	for (size_t i = 0; i < tp_safetensors_count(file); i++) {
		const struct tp_safetensor *tensor = tp_safetensors_at(file, i);
		for (int64_t k = 0; k < tensor->elements; k++)
			sum += tensor->i64 ? tensor->i64[k] & 1 : tensor->f32[k] > 0;
	}
	assert_true(sum >= 0);
	tp_safetensors_close(file);
}

static void test_damaged_files(void **state)
{
	(void)state;
	unsigned char sample[1024], bytes[1024];
	struct tp_prng prng;
	write_sample();
	size_t count = read_bytes(sample, sizeof sample);
	uint64_t held = tp_alloc_bytes();
	for (size_t length = 0; length < count; length++) {
		write_bytes(sample, length);
		assert_refused("");
	}
	tp_prng_init(&prng, 1, 2);
	for (int trial = 0; trial < 3000; trial++) {
		memcpy(bytes, sample, count);
		size_t header = count - 44;
		for (uint64_t flips = 1 + tp_prng_below(&prng, 3); flips > 0; flips--)
			bytes[tp_prng_below(&prng, header)] ^= (unsigned char)(1U << tp_prng_below(&prng, 8));
		write_bytes(bytes, count);
		open_and_touch();
	}
	assert_true(tp_alloc_bytes() == held);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	struct tp_safetensors *file = NULL;
	struct tp_safetensors_writer *writer = NULL;
	write_sample();
	uint64_t held = tp_alloc_bytes();
	enum tp_status status = TP_ERR_NOMEM;
	for (int successes = 0; status != TP_OK; successes++) {
		tp_alloc_fail_after(successes);
		status = tp_safetensors_open(path, &file);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_OK || status == TP_ERR_NOMEM);
	}
	tp_safetensors_close(file);
	status = TP_ERR_NOMEM;
	for (int successes = 0; status != TP_OK; successes++) {
		tp_alloc_fail_after(successes);
		status = tp_safetensors_create(path, entries, 3, &writer);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_OK || status == TP_ERR_NOMEM);
	}
	tp_safetensors_discard(writer);
	assert_true(tp_alloc_bytes() == held);
	assert_int_equal(files_in_folder(), 1);
}

/* What stood under the name stays until the new file is complete. */
static void test_writer_replaces_at_the_end(void **state)
{
	(void)state;
	unsigned char bytes[16];
	struct tp_safetensors_writer *writer;
	write_bytes("before", 6);
	assert_int_equal(tp_safetensors_create(path, entries, 3, &writer), TP_OK);
	assert_int_equal(tp_safetensors_append(writer, weight, sizeof weight), TP_OK);
	assert_int_equal(read_bytes(bytes, sizeof bytes), 6);
	assert_int_equal(files_in_folder(), 2);
	tp_safetensors_discard(writer);
	assert_int_equal(files_in_folder(), 1);
	assert_int_equal(read_bytes(bytes, sizeof bytes), 6);

	char nowhere[400];
	(void)snprintf(nowhere, sizeof nowhere, "%s/missing/w.safetensors", folder);
	assert_int_equal(tp_safetensors_create(nowhere, entries, 3, &writer), TP_ERR_IO);
	assert_non_null(strstr(tp_detail(), "missing/w.safetensors: cannot create: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_round_trip),
	        cmocka_unit_test(test_bytes_on_disk),
	        cmocka_unit_test(test_accepts_what_the_format_allows),
	        cmocka_unit_test(test_refuses_headers_that_lie),
	        cmocka_unit_test(test_refuses_files_of_another_kind),
	        cmocka_unit_test(test_damaged_files),
	        cmocka_unit_test(test_out_of_memory),
	        cmocka_unit_test(test_writer_replaces_at_the_end),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
