/* `tpbench trace` as a user runs it: what it refuses, where it writes, and that a failure leaves nothing. argv[1] is
 * the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cli/harness.h"
#include "tests/trace/trace_fixture.h"

static const char *const formats[] = {"perfetto", "chrome", "nvtxt"};
static const char *const endings[] = {"perfetto-trace", "json", "nvtxt"};
enum { FORMATS = 3 };

/* Runs 1 with records and 2 without, as tpbench.db where the program looks for it. */
static int begin(void **state)
{
	(void)state;
	const char *made = fixture_database("made.db", &(struct fixture){.clock = "real"});
	cli_remove_database();
	fixture_add_empty_run(made, 2);
	sql_execute(made, "PRAGMA journal_mode = DELETE");
	return rename(made, "tpbench.db");
}

static bool is_there(const char *path)
{
	struct stat info;
	return lstat(path, &info) == 0;
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(1 << 20);
	assert_non_null(file);
	assert_non_null(bytes);
	*size = fread(bytes, 1, 1 << 20, file);
	(void)fclose(file);
	return bytes;
}

static void what_is_not_there_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("trace --run 9", "--run 9", "the latest is 2");
	cli_expect_refusal("trace --run 0", "--run", "'0'");
	cli_expect_refusal("trace --run x", "--run", "whole number");
	cli_expect_refusal("trace", "run 2", "--profile ops"); /* the latest has no records */
	cli_expect_refusal("trace --run 1 --epoch 3", "--epoch 3", "1 to 2");
	cli_expect_refusal("trace --run 1 --epoch 0", "--epoch", "'0'");
	cli_expect_refusal("trace --run 1 --format svg", "--format", "perfetto|chrome|nvtxt");
	cli_expect_refusal("trace --db missing.db", "missing.db", NULL);
	cli_expect_refusal("trace 1", "1", "trace");
	cli_expect_refusal("trace --model mlp", "--model", "compare");
	struct tp_store *store;
	assert_ok(tp_store_open("none.db", &store));
	tp_store_close(store);
	cli_expect_refusal("trace --db none.db", "none.db", "no run");
	assert_false(is_there("run-2.perfetto-trace.part"));
	assert_false(is_there("run-1.perfetto-trace.part"));
}

static void where_nothing_can_be_written_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("trace --run 1 --out missing/trace", "missing/trace", "No such file");
	cli_expect_refusal("trace --run 1 --out .", "'.'", "folder");
	cli_expect_refusal("trace --run 1 --out tpbench.db", "tpbench.db", "database itself");
	cli_expect_refusal("trace --run 1 --out ./tpbench.db", "tpbench.db", "database itself");
	assert_int_equal(cli_query("tpbench.db", "select count(*) from run"), 2);
}

/* The same bytes to a file of the default name, to one that is named, and to stdout. */
static void every_format_goes_where_it_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < FORMATS; i++) {
		char arguments[128], path[64];
		size_t size, other_size;
		(void)snprintf(path, sizeof path, "run-1.%s", endings[i]);
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s", formats[i]);
		struct cli_result result = cli_run(arguments);
		cli_expect_exit(&result, arguments, 0);
		cli_expect_part(result.out, path);
		cli_expect_part(result.out, " events, ");
		cli_release(&result);
		char *bytes = read_file(path, &size);
		assert_true(size > 1000);
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s --out named", formats[i]);
		result = cli_run(arguments); /* the second time round there is one to replace */
		cli_expect_exit(&result, arguments, 0);
		cli_release(&result);
		char *named = read_file("named", &other_size);
		assert_int_equal(size, other_size);
		assert_memory_equal(bytes, named, size);
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s --out -", formats[i]);
		result = cli_run(arguments);
		cli_expect_exit(&result, arguments, 0);
		cli_release(&result);
		char *standard = read_file("stdout.txt", &other_size);
		assert_int_equal(size, other_size);
		assert_memory_equal(bytes, standard, size);
		assert_false(is_there("named.part"));
		assert_int_equal(unlink(path), 0);
		free(bytes);
		free(named);
		free(standard);
	}
}

static void a_full_disk_leaves_nothing(void **state)
{
	(void)state;
	struct stat device;
	size_t size;
	for (int i = 0; i < FORMATS; i++) {
		char arguments[128];
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s --out /dev/full", formats[i]);
		struct cli_result result = cli_run(arguments);
		cli_expect_exit(&result, arguments, 1);
		cli_expect_part(result.err, "No space left");
		cli_release(&result);
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s --out new", formats[i]);
		result = cli_run_limited(arguments, 512);
		cli_expect_exit(&result, arguments, 1);
		assert_string_equal(result.out, "");
		cli_release(&result);
		assert_false(is_there("new"));
		assert_false(is_there("new.part"));
		cli_write_file("old", "as it was", 9);
		(void)snprintf(arguments, sizeof arguments, "trace --run 1 --format %s --out old", formats[i]);
		result = cli_run_limited(arguments, 512);
		cli_expect_exit(&result, arguments, 1);
		cli_release(&result);
		char *old = read_file("old", &size);
		assert_int_equal(size, 9);
		assert_memory_equal(old, "as it was", 9);
		assert_false(is_there("old.part"));
		free(old);
	}
	assert_int_equal(stat("/dev/full", &device), 0);
	assert_true(S_ISCHR(device.st_mode)); /* written to, not replaced */
	assert_false(is_there("/dev/full.part"));
}

/* A file that an older version wrote is brought up by whoever writes to it next; until then it is refused. */
static void an_older_schema_is_refused(void **state)
{
	(void)state;
	sql_execute("tpbench.db", "PRAGMA user_version = 2");
	cli_expect_refusal("trace --run 1", "schema version 2", NULL);
}

static int enter(void **state)
{
	return make_folder(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(what_is_not_there_is_refused, begin),
	        cmocka_unit_test_setup(where_nothing_can_be_written_is_refused, begin),
	        cmocka_unit_test_setup(every_format_goes_where_it_is_told, begin),
	        cmocka_unit_test_setup(a_full_disk_leaves_nothing, begin),
	        cmocka_unit_test_setup(an_older_schema_is_refused, begin),
	};
	if (argc != 2)
		return 1;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, enter, remove_folder);
	cli_leave_folder();
	return failed;
}
