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

static void axes_that_contradict_the_schedule(void **state)
{
	(void)state;
	expect_refusal("--micro-batches 5", "--micro-batches", "found 5"); /* of 4 samples */
	expect_refusal("--backward-version newest", "--backward-version", "'newest'");
	expect_refusal("--backward-version between", "--backward-version", "'between'");
	expect_refusal("--sequence alone", "--sequence", "'alone'");
	expect_refusal("--max-staleness 2 gpipe", "--max-staleness", "'gpipe'");
	expect_refusal("--max-staleness 2 timeprest-stash", "--max-staleness", "'timeprest-stash'");
	expect_refusal("--max-staleness 2 --backward-version latest", "--max-staleness", "as asked for");
	expect_refusal("--max-staleness -1", "--max-staleness", "'-1'");
	expect_refusal("--sequence independent pipedream", "--sequence", "'pipedream'");
	expect_refusal("--sequence independent --backward-version stashed", "--sequence", "as asked for");
	expect_refusal("--in-flight 2 sequential", "--in-flight", "'sequential'");
	expect_refusal("--staleness-decay 2 timeprest", "--staleness-decay", "i-timeprest");
	expect_refusal("--micro-batches 1 pipedream-2bw", "--micro-batches", "'pipedream-2bw'");
}

/* A cluster file `lab.cluster` of these lines. */
static void expect_refused_cluster(const char *lines, const char *first, const char *second)
{
	cli_write_file("lab.cluster", lines, strlen(lines));
	expect_refusal("--cluster lab.cluster", first, second);
	expect_refusal("--clock virtual --costs uniform:1ms,2ms --cluster lab.cluster", first, second);
}

static void links_and_clusters_that_cannot_be(void **state)
{
	(void)state;
	expect_refusal("--link 0gbit", "--link", "'0gbit'");
	expect_refusal("--link -1gbit", "--link", "'-1gbit'");
	expect_refusal("--link 1gbit,-5us", "--link", "'-5us'");
	expect_refusal("--link 1gbit,", "--link", "''");
	expect_refusal("--link fast", "--link", "'fast'");
	expect_refusal("--cluster paper-c", "--cluster paper-c", "found 4"); /* workers for 2 stages */
	expect_refusal("--cluster paper-a --stages 3", "(3), found 2", NULL);
	expect_refusal("--cluster paper-x", "--cluster", "did you mean 'paper-");
	expect_refusal("--cluster no/such.cluster", "--cluster no/such.cluster", "No such file");
	expect_refused_cluster("worker name=a\nworker name=b sped=1\n", "lab.cluster: line 2", "'speed'");
	expect_refused_cluster("worker name=a\n\nworker name=b speed=slow\n", "lab.cluster: line 3: speed", "'slow'");
	expect_refused_cluster("worker name=a\nworker name=b\nlink bandwidth=0mbit\n", "lab.cluster: line 3: bandwidth",
	                       "'0mbit'");
	expect_refused_cluster("worker name=a\nworker name=b\nlink bandwidth=1gbit from=0 to=0\n",
	                       "lab.cluster: line 3: to", "neighbour");
	expect_refused_cluster("", "lab.cluster", "worker name=");
	expect_refused_cluster("worker name=a\n", "lab.cluster", "found 1");
}

/* No worker is held to be faster than this machine in real time, and none holds more than it can: the refusal has the
 * parts of what it would need. */
static void workers_that_cannot_do_it(void **state)
{
	(void)state;
	static const char fast[] = "worker name=a\nworker name=b speed=1.5\n",
	                  small[] = "worker name=a\nworker name=tiny memory=2kB\n";
	cli_write_file("lab.cluster", fast, sizeof fast - 1);
	expect_refusal("--cluster lab.cluster", "worker 1", "found 1.5");
	expect_refused_cluster(small, "worker 'tiny' has 2000 bytes", "weights_live ");
	expect_refused_cluster(small, "stage 1", ", activations ");
}

static void expect_refused_costs(const char *rows, const char *first, const char *second)
{
	char text[1024];
	(void)snprintf(text, sizeof text, "# tpbench costs 1\nstage,operation,micro_batch,cost_ns\n%s", rows);
	cli_write_file("costs.csv", text, strlen(text));
	expect_refusal("--clock virtual --costs costs.csv", first, second);
}

#define COSTS(s) s ",F,0,1000\n" s ",F,1,1000\n" s ",B,-,4000\n" s ",U,-,10\n"

static void costs_that_do_not_fit(void **state)
{
	(void)state;
	const char *file = "--clock virtual --costs costs.csv";
	cli_write_file("costs.csv", "stage,cost\n", 11);
	expect_refusal(file, "costs.csv: line 1", "# tpbench costs 1");
	expect_refused_costs("0,F,0,-5\n", "costs.csv: line 3: cost_ns", "'-5'");
	expect_refused_costs("0,X,0,5\n", "costs.csv: line 3: operation", "'X'");
	expect_refused_costs("0,BX,0,5\n", "costs.csv: line 3: operation", "does not split");
	expect_refused_costs(COSTS("0") COSTS("0"), "costs.csv: line 7", "second cost of stage 0");
	expect_refused_costs(COSTS("0"), "costs.csv", "at stage 1 of 2");
	expect_refused_costs(COSTS("0") COSTS("1") COSTS("2"), "costs.csv: line 11: stage", "found stage 2");
	expect_refusal("--clock virtual --costs no-such.csv", "no-such.csv", "No such file");
	expect_refusal("--clock virtual --costs uniform:1,2", "--costs uniform", "'1'");
	expect_refusal("--clock virtual --costs uniform:1ms", "--costs uniform", "'1ms'");
	expect_refusal("--clock virtual --costs uniform:0,1ms", "--costs uniform", "'0'");
	expect_refusal("--clock virtual --costs uniform:1ms,2ms,3ms,4ms", "--costs uniform", "three");
	expect_refusal("--clock virtual --costs uniform:1ms,2ms,3ms,", "--costs uniform", "three");
	expect_refusal("--clock virtual --costs run:0", "--costs run", "'0'");
	/* and one that does fit */
	struct cli_result result;
	static const char good[] = "# tpbench costs 1\nstage,operation,micro_batch,cost_ns\n" COSTS("0") COSTS("1");
	cli_write_file("costs.csv", good, sizeof good - 1);
	result = cli_run(SMALL " --db costs.db --clock virtual --costs costs.csv");
	cli_expect_exit(&result, file, 0);
	cli_release(&result);
	assert_int_equal(cli_query("costs.db", "select count(*) from run"), 1);
	assert_int_equal(unlink("costs.db"), 0);
}

/* What a grid cannot be drawn of. */
static void schedules_that_are_too_large(void **state)
{
	(void)state;
	cli_expect_refusal("simulate --stages 1000000", "--stages", "'1000000'");
	cli_expect_refusal("simulate --stages 0", "--stages", "'0'");
	cli_expect_refusal("simulate --stages 99999999999999999999", "--stages", "99999999999999999999");
	cli_expect_refusal("simulate --micro-batches 1000000000", "--micro-batches", "'1000000000'");
	expect_refusal("--stages 1000000", "--stages", "'1000000'");
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
	        cmocka_unit_test(plans_that_cannot_work),
	        cmocka_unit_test(axes_that_contradict_the_schedule),
	        cmocka_unit_test(links_and_clusters_that_cannot_be),
	        cmocka_unit_test(workers_that_cannot_do_it),
	        cmocka_unit_test(costs_that_do_not_fit),
	        cmocka_unit_test(schedules_that_are_too_large),
	        cmocka_unit_test(data_that_is_missing_or_damaged),
	        cmocka_unit_test(weights_that_do_not_fit),
	        cmocka_unit_test(weights_of_another_model),
	        cmocka_unit_test(databases_that_are_not_ours),
	        cmocka_unit_test(one_wrong_schedule_stops_all),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
