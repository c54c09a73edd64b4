/* What may go wrong around a database: foreign and newer files, places that cannot be written, a writer that is killed,
 * two writers, a reader beside a writer, a full disk. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/results/test_store_support.h"

static int64_t file_bytes(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	int64_t bytes = ftell(file);
	(void)fclose(file);
	return bytes;
}

/* Refused, with a reason that names the file, and not one byte changed. */
static void check_refused(const char *path, const char *reason)
{
	struct tp_store *store = NULL;
	int64_t before = file_bytes(path);
	assert_fails(tp_store_open(path, &store), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), path));
	if (!strstr(tp_detail(), reason))
		fail_msg("expected '%s' in: %s", reason, tp_detail());
	assert_int_equal(file_bytes(path), before);
}

static void test_foreign_files(void **state)
{
	(void)state;
	const char *other = in_folder("other.db"), *text = in_folder("text.db"), *newer = in_folder("newer.db");
	sql_execute(other, "CREATE TABLE t(a); PRAGMA application_id = 77");
	check_refused(other, "another program");
	FILE *file = fopen(text, "w");
	assert_non_null(file);
	assert_true(fputs("this is a letter, not a database\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	check_refused(text, "not SQLite");
	tp_store_close(open_store(newer));
	sql_execute(newer, "PRAGMA user_version = 999");
	check_refused(newer, "999");
}

static void test_places(void **state)
{
	(void)state;
	struct tp_store *store = NULL;
	assert_fails(tp_store_open(in_folder("missing/x.db"), &store), TP_ERR_INPUT);
	assert_fails(tp_store_open(in_folder("."), &store), TP_ERR_INPUT);
	assert_fails(tp_store_open_readonly(in_folder("none.db"), &store), TP_ERR_INPUT);
	assert_int_not_equal(access(in_folder("none.db"), F_OK), 0); /* nothing was made */
}

/* A process killed in the middle leaves a database that opens, with its run interrupted and whole epochs only. */
static void test_killed_writer(void **state)
{
	(void)state;
	const char *path = in_folder("killed.db");
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct tp_store *store = open_store(path);
		int64_t run = begin_sample(store);
		struct tp_store_epoch first = sample_epoch(1);
		if (tp_store_add_epoch(store, run, &first) != TP_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (int32_t e = 2;; e++) { /* until killed */
			struct tp_store_epoch busy = long_epoch(e, 20000);
			(void)tp_store_add_epoch(store, run, &busy);
		}
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)usleep(30000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_string_equal(sql_text(path, "PRAGMA integrity_check"), "ok");
	tp_store_close(open_store(path));
	assert_string_equal(sql_text(path, "SELECT ending FROM run_end"), "interrupted");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation WHERE epoch = 1"), SAMPLE_OPS);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM (SELECT epoch FROM operation WHERE epoch > 1 "
	                                   "GROUP BY epoch HAVING count(*) <> 20000)"),
	                 0);
}

/* Two processes write the same file: they wait for each other, and nothing is lost. */
static void test_two_writers(void **state)
{
	(void)state;
	const char *path = in_folder("shared.db");
	pid_t children[2];
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			struct tp_store *store = open_store(path);
			int64_t run = begin_sample(store);
			bool good = true;
			for (int32_t e = 1; e <= 8; e++) {
				struct tp_store_epoch epoch = long_epoch(e, 500);
				good = good && tp_store_add_epoch(store, run, &epoch) == TP_OK;
			}
			good = good && tp_store_end_run(store, run, TP_STORE_DONE, "", NULL, 0) == TP_OK;
			tp_store_close(store);
			_exit(good ? 0 : 1);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM run_end WHERE ending = 'done'"), 2);
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), 2 * 8 * 500);
}

/* A second connection reads while a run is being written. */
static void test_reader_beside_a_writer(void **state)
{
	(void)state;
	const char *path = in_folder("read.db");
	struct tp_store *writer = open_store(path), *reader;
	int64_t run = begin_sample(writer);
	struct tp_store_epoch epoch = sample_epoch(1);
	assert_ok(tp_store_add_epoch(writer, run, &epoch));
	assert_ok(tp_store_open_readonly(path, &reader));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), SAMPLE_OPS);
	assert_string_equal(sql_text(path, "SELECT state FROM run_state"), "running");
	tp_store_close(reader);
	assert_ok(tp_store_end_run(writer, run, TP_STORE_DONE, "", NULL, 0));
	tp_store_close(writer);
}

/* A file that cannot grow: the epoch fails with a reason, what was there before stays readable. */
static void test_full_disk(void **state)
{
	(void)state;
	const char *path = in_folder("full.db");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct tp_store *store = open_store(path);
		int64_t run = begin_sample(store);
		struct tp_store_epoch first = sample_epoch(1), large = long_epoch(2, 20000);
		if (tp_store_add_epoch(store, run, &first) != TP_OK)
			_exit(1);
		struct rlimit limit = {.rlim_cur = 200000, .rlim_max = 200000};
		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(2);
		bool told = tp_store_add_epoch(store, run, &large) == TP_ERR_IO && tp_detail()[0] != '\0';
		tp_store_close(store);
		_exit(told ? 0 : 3);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	tp_store_close(open_store(path));
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM operation"), SAMPLE_OPS);
	assert_string_equal(sql_text(path, "SELECT ending FROM run_end"), "interrupted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_foreign_files),          cmocka_unit_test(test_places),
	        cmocka_unit_test(test_killed_writer),          cmocka_unit_test(test_two_writers),
	        cmocka_unit_test(test_reader_beside_a_writer), cmocka_unit_test(test_full_disk),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
