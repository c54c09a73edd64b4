/* What a tool is told, with the recorder linked in: no file is loaded, so this holds where nothing can be injected. */
#include <stdio.h>

#include "profiler/nvtx.h"

#if TPBENCH_NVTX

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/nvtx/recorder.h"

/* NVTX looks here when the environment names no tool. */
extern NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr;
extern NvtxExtInitializeInjectionFunc_t InitializeInjectionNvtxExtension_fnptr;
NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr = InitializeInjectionNvtx2;
NvtxExtInitializeInjectionFunc_t InitializeInjectionNvtxExtension_fnptr = InitializeInjectionNvtxExtension;

static char path[] = "/tmp/tpbench-nvtx-XXXXXX";

/* The log so far; the next call overwrites it. */
static const char *read_log(void)
{
	static char text[8192];
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	return text;
}

static int count_lines(const char *text, const char *first_word)
{
	int count = 0;
	size_t length = strlen(first_word);
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
		count += strncmp(line, first_word, length) == 0 && line[length] == ' ';
	return count;
}

static void everything_is_registered_once(void **state)
{
	(void)state;
	tp_nvtx_init();
	tp_nvtx_init();
	const char *log = read_log();
	assert_true(tp_nvtx_listening);
	assert_non_null(strstr(log, "domain tpbench\n"));
	assert_int_equal(count_lines(log, "domain"), 1);
	assert_int_equal(count_lines(log, "string"), TP_NVTX_RANGES);
	assert_int_equal(count_lines(log, "category"), 7);
	assert_int_equal(count_lines(log, "schema"), 1);
}

/* 17 is a 64-bit integer, 15 one of 32 bits. */
static void the_schema_says_where_fields_lie(void **state)
{
	(void)state;
	assert_non_null(strstr(read_log(), "schema tpbench operation|32\n"
	                                   "entry run 17 0\n"
	                                   "entry stage 15 8\n"
	                                   "entry micro_batch 15 12\n"
	                                   "entry mini_batch 17 16\n"
	                                   "entry version 17 24\n"));
}

static void ranges_nest_and_carry_their_payload(void **state)
{
	(void)state;
	tp_nvtx_push(TP_NVTX_BX,
	             (struct tp_nvtx_payload){
	                     .run = 5000000000, .stage = 3, .micro_batch = -1, .mini_batch = 6000000000, .version = 7});
	tp_nvtx_push(TP_NVTX_RECV, (struct tp_nvtx_payload){0});
	tp_nvtx_pop();
	tp_nvtx_pop();
	assert_non_null(strstr(read_log(), "push 1 0 BX 2 fff28e2b 5000000000 3 -1 6000000000 7\n"
	                                   "push 1 1 RECV 5 ff76b7b2 0 0 0 0 0\n"
	                                   "pop 1 1\n"
	                                   "pop 1 0\n"));
}

/* With a tool attached CUDA's profiler is looked for, loaded or not, and that must not matter. */
static void the_window_has_a_range_of_its_own(void **state)
{
	(void)state;
	const struct tp_nvtx_payload payload = {9, -1, -1, 1, 0};
	tp_nvtx_begin_measure(&payload);
	tp_nvtx_end_measure();
	assert_non_null(strstr(read_log(), "push 1 0 measure 7 ffedc948 9 -1 -1 1 0\npop 1 0\n"));
}

int main(void)
{
	int file = mkstemp(path);
	if (file < 0 || setenv("TPBENCH_NVTX_LOG", path, 1) != 0 || unsetenv("NVTX_INJECTION64_PATH") != 0) {
		perror("test_nvtx");
		return 1;
	}
	close(file);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(everything_is_registered_once),
	        cmocka_unit_test(the_schema_says_where_fields_lie),
	        cmocka_unit_test(ranges_nest_and_carry_their_payload),
	        cmocka_unit_test(the_window_has_a_range_of_its_own),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}

#else

int main(void)
{
	printf("skipped: built without NVTX\n");
	return 77;
}

#endif
