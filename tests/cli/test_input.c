/* Input that must be refused before anything is trained: data, weights, databases, plans. argv[1] is the built tpbench.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/cli/harness.h"

/* A run small enough for the reference device; what a test adds comes later and wins. */
#define SMALL                                                                                                        \
	"run --device reference --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 --synthetic-train 12 " \
	"--synthetic-test 4"

/* As cli_expect_refusal(), and no database was begun. */
static void expect_refusal(const char *more, const char *first, const char *second)
{
	char arguments[1024];
	(void)snprintf(arguments, sizeof arguments, SMALL " %s", more);
	cli_expect_refusal(arguments, first, second);
	if (access("tpbench.db", F_OK) == 0)
		fail_msg("tpbench %s: refused, but began a database", arguments);
}

static void plans_that_cannot_work(void **state)
{
	(void)state;
	expect_refusal("--stages 5", "--stages", "4");
	expect_refusal("--partition 1,2", "--partition", NULL);
	expect_refusal("--partition 4,0", "--partition", NULL);
	expect_refusal("--partition 1,1,2", "--partition", "2");
	expect_refusal("--partition some", "--partition", "some");
	expect_refusal("--batch 13", "--batch", "12");
	expect_refusal("--partial", "--partial", "--load-weights");
	expect_refusal("--backward-version latest gpipe", "--backward-version", "gpipe");
	expect_refusal("--save-weights no-such-folder/weights", "--save-weights", "no-such-folder");
	expect_refusal("--save-weights .", "--save-weights", "folder");
}

#define CIFAR10_RECORD 3073

/* `records` of CIFAR-10, all of class `label`. */
static void write_cifar10(const char *path, int records, int label, size_t cut)
{
	size_t size = (size_t)records * CIFAR10_RECORD;
	unsigned char *bytes = calloc(size + 1, 1);
	assert_non_null(bytes);
	for (int i = 0; i < records; i++)
		bytes[(size_t)i * CIFAR10_RECORD] = (unsigned char)label;
	cli_write_file(path, bytes, size - cut);
	free(bytes);
}

static void data_that_is_missing_or_damaged(void **state)
{
	(void)state;
	expect_refusal("--dataset cifar10", "--data-dir", "data_batch_1.bin");
	expect_refusal("--dataset cifar10 --data-dir nowhere", "nowhere", NULL);
	expect_refusal("--data-dir .", "--data-dir", "synthetic");
	assert_int_equal(mkdir("images", 0700), 0);
	expect_refusal("--dataset cifar10 --data-dir images", "images", "data_batch_1.bin");
	write_cifar10("images/test_batch.bin", 4, 3, 0);
	write_cifar10("images/data_batch_1.bin", 0, 3, 0);
	expect_refusal("--dataset cifar10 --data-dir images", "data_batch_1.bin", "empty");
	write_cifar10("images/data_batch_1.bin", 8, 3, 7);
	expect_refusal("--dataset cifar10 --data-dir images", "data_batch_1.bin", "whole number of records");
	write_cifar10("images/data_batch_1.bin", 8, 10, 0);
	expect_refusal("--dataset cifar10 --data-dir images", "data_batch_1.bin", "0 to 9");
	write_cifar10("images/data_batch_1.bin", 8, 9, 0);
	expect_refusal("--dataset cifar10 --data-dir images --batch 9", "--batch", "8");
}

/* A safetensors file: length of the header, header, values (zeros). */
static void write_safetensors(const char *path, uint64_t claimed_length, const char *header, size_t value_bytes)
{
	size_t length = strlen(header), size = 8 + length + value_bytes;
	unsigned char *bytes = calloc(size, 1);
	assert_non_null(bytes);
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(claimed_length >> (8 * i));
	memcpy(bytes + 8, header, length);
	cli_write_file(path, bytes, size);
	free(bytes);
}

static void weights_that_do_not_fit(void **state)
{
	(void)state;
	const char *load = "--load-weights w.safetensors";
	expect_refusal(load, "w.safetensors", NULL);
	cli_write_file("w.safetensors", "", 0);
	expect_refusal(load, "w.safetensors", NULL);
	cli_write_file("w.safetensors", "not weights at all, but a text", 30);
	expect_refusal(load, "w.safetensors", NULL);
	static const char one[] = "{\"fc4.bias\":{\"dtype\":\"F32\",\"shape\":[100],\"data_offsets\":[0,400]}}";
	write_safetensors("w.safetensors", UINT64_C(1) << 40, one, 400);
	expect_refusal(load, "w.safetensors", "header");
	write_safetensors("w.safetensors", sizeof one - 1, one, 396);
	expect_refusal(load, "w.safetensors", "fc4.bias");
	write_safetensors("w.safetensors", sizeof one - 1, one, 400);
	expect_refusal(load, "w.safetensors", "fc1.weight"); /* missing */
	static const char overlapping[] = "{\"fc4.bias\":{\"dtype\":\"F32\",\"shape\":[100],\"data_offsets\":[0,400]},"
	                                  "\"fc3.bias\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[392,424]}}";
	write_safetensors("w.safetensors", sizeof overlapping - 1, overlapping, 424);
	expect_refusal(load, "w.safetensors", "overlap");
	static const char wrong_shape[] = "{\"fc4.bias\":{\"dtype\":\"F32\",\"shape\":[99],\"data_offsets\":[0,396]}}";
	write_safetensors("w.safetensors", sizeof wrong_shape - 1, wrong_shape, 396);
	expect_refusal(load, "w.safetensors", NULL);
}

/* Weights of another width: right names, wrong shapes. */
static void weights_of_another_model(void **state)
{
	(void)state;
	struct cli_result result = cli_run(SMALL " --epochs 0 --hidden 9 --save-weights other.safetensors");
	cli_expect_exit(&result, "--epochs 0 --save-weights", 0);
	cli_release(&result);
	expect_refusal("--load-weights other.safetensors", "other.safetensors", "fc1.weight");
}

static void databases_that_are_not_ours(void **state)
{
	(void)state;
	expect_refusal("--db no-such-folder/results.db", "no-such-folder/results.db", NULL);
	expect_refusal("--db .", ".", NULL);
	static const char text[] = "This is a diary, and nobody should write into it, least of all a benchmark.";
	cli_write_file("diary.db", text, sizeof text - 1);
	expect_refusal("--db diary.db", "diary.db", NULL);
	FILE *file = fopen("diary.db", "r");
	char found[sizeof text] = "";
	assert_non_null(file);
	assert_int_equal(fread(found, 1, sizeof found, file), sizeof text - 1);
	assert_string_equal(found, text);
	fclose(file);

	sqlite3 *database = NULL;
	assert_int_equal(sqlite3_open("foreign.db", &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "pragma application_id = 77; create table runs (x)", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(database);
	expect_refusal("--db foreign.db", "foreign.db", NULL);
	assert_int_equal(cli_query("foreign.db", "select count(*) from sqlite_master"), 1);
}

/* A comparison is refused as a whole when one of its schedules is. */
static void one_wrong_schedule_stops_all(void **state)
{
	(void)state;
	cli_expect_refusal(
	        "--compare sequential,timeprest --device reference --model mlp --hidden 8 --stages 5 --batch 4 "
	        "--micro-batches 2 --synthetic-train 12",
	        "--stages", "4");
	assert_int_not_equal(access("tpbench.db", F_OK), 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s TPBENCH\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(plans_that_cannot_work),      cmocka_unit_test(data_that_is_missing_or_damaged),
	        cmocka_unit_test(weights_that_do_not_fit),     cmocka_unit_test(weights_of_another_model),
	        cmocka_unit_test(databases_that_are_not_ours), cmocka_unit_test(one_wrong_schedule_stops_all),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
