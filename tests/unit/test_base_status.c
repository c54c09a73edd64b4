/* Status codes and the detail of a failure. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/status.h"

static enum tp_status pass_on(enum tp_status status)
{
	TP_TRY(status);
	return TP_ERR_TIMEOUT; /* reached only by TP_OK */
}

static void the_detail_is_of_the_latest_failure(void **state)
{
	(void)state;
	assert_string_equal(tp_detail(), "");
	assert_int_equal(tp_fail(TP_ERR_INPUT, "--stages: expected %d, found %s", 4, "'x'"), TP_ERR_INPUT);
	assert_string_equal(tp_detail(), "--stages: expected 4, found 'x'");
	assert_int_equal(tp_fail(TP_ERR_IO, "later"), TP_ERR_IO);
	assert_string_equal(tp_detail(), "later");
}

static void a_caller_may_say_where(void **state)
{
	(void)state;
	(void)tp_fail(TP_ERR_INPUT, "found 'x'");
	assert_int_equal(tp_fail_in(TP_ERR_INPUT, "line %d", 3), TP_ERR_INPUT);
	assert_int_equal(tp_fail_in(TP_ERR_IO, "%s", "a.txt"), TP_ERR_IO);
	assert_string_equal(tp_detail(), "a.txt: line 3: found 'x'");
}

static void the_old_detail_may_be_an_argument_of_the_new(void **state)
{
	(void)state;
	(void)tp_fail(TP_ERR_INPUT, "inner");
	(void)tp_fail(TP_ERR_DEVICE, "outer (%s) and %s", tp_detail(), tp_detail());
	assert_string_equal(tp_detail(), "outer (inner) and inner");
	(void)tp_fail_in(TP_ERR_DEVICE, "[%s]", tp_detail());
	assert_string_equal(tp_detail(), "[outer (inner) and inner]: outer (inner) and inner");
}

static void what_is_too_long_is_cut(void **state)
{
	(void)state;
	char text[2 * TP_DETAIL_BYTES];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	(void)tp_fail(TP_ERR_INPUT, "%s", text);
	assert_int_equal(strlen(tp_detail()), TP_DETAIL_BYTES - 1);
	(void)tp_fail_in(TP_ERR_INPUT, "where");
	assert_int_equal(strlen(tp_detail()), TP_DETAIL_BYTES - 1);
	assert_memory_equal(tp_detail(), "where: aaa", 10);
	(void)tp_fail(TP_ERR_INPUT, "short");
	(void)tp_fail_in(TP_ERR_INPUT, "%s", text);
	assert_int_equal(strlen(tp_detail()), TP_DETAIL_BYTES - 1);
	/* A place that leaves room for the colon alone. */
	text[TP_DETAIL_BYTES - 2] = '\0';
	(void)tp_fail_in(TP_ERR_INPUT, "%s", text);
	assert_int_equal(strlen(tp_detail()), TP_DETAIL_BYTES - 1);
	assert_int_equal(tp_detail()[TP_DETAIL_BYTES - 2], ':');
}

static void *fail_elsewhere(void *seen)
{
	*(bool *)seen = tp_detail()[0] != '\0';
	(void)tp_fail(TP_ERR_DEVICE, "elsewhere");
	return NULL;
}

static void each_thread_has_its_own_detail(void **state)
{
	(void)state;
	(void)tp_fail(TP_ERR_INPUT, "here");
	pthread_t thread;
	bool seen = true;
	assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &seen), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(seen);
	assert_string_equal(tp_detail(), "here");
}

static void every_status_has_its_text_and_exit_code(void **state)
{
	(void)state;
	assert_int_equal(tp_status_exit_code(TP_OK), 0);
	assert_int_equal(tp_status_exit_code(TP_ERR_INPUT), 2);
	assert_int_equal(tp_status_exit_code(TP_ERR_UNSUPPORTED), 2);
	for (int status = TP_ERR_IO; status <= TP_ERR_INTERRUPTED; status++)
		assert_int_equal(tp_status_exit_code((enum tp_status)status), 1);
	for (int a = TP_OK; a <= TP_ERR_INTERRUPTED; a++) {
		assert_true(strlen(tp_status_text((enum tp_status)a)) > 1);
		for (int b = TP_OK; b < a; b++)
			assert_string_not_equal(tp_status_text((enum tp_status)a), tp_status_text((enum tp_status)b));
	}
}

static void failures_are_passed_on(void **state)
{
	(void)state;
	assert_int_equal(pass_on(TP_ERR_NOMEM), TP_ERR_NOMEM);
	assert_int_equal(pass_on(TP_OK), TP_ERR_TIMEOUT);
}

static void a_broken_invariant_says_where_and_aborts(void **state)
{
	(void)state;
	int channel[2];
	assert_int_equal(pipe(channel), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(channel[1], STDERR_FILENO);
		TP_CHECK(1 + 1 == 2);
		TP_CHECK(1 + 1 == 3);
		_exit(0);
	}
	(void)close(channel[1]);
	int ended = 0;
	assert_int_equal(waitpid(child, &ended, 0), child);
	char said[256] = "";
	assert_true(read(channel[0], said, sizeof said - 1) > 0);
	(void)close(channel[0]);
	assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
	assert_non_null(strstr(said, "test_base_status.c"));
	assert_non_null(strstr(said, "1 + 1 == 3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_detail_is_of_the_latest_failure),
	        cmocka_unit_test(a_caller_may_say_where),
	        cmocka_unit_test(the_old_detail_may_be_an_argument_of_the_new),
	        cmocka_unit_test(what_is_too_long_is_cut),
	        cmocka_unit_test(each_thread_has_its_own_detail),
	        cmocka_unit_test(every_status_has_its_text_and_exit_code),
	        cmocka_unit_test(failures_are_passed_on),
	        cmocka_unit_test(a_broken_invariant_says_where_and_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
