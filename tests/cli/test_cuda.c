/* What a user is told where no GPU can be used. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cli/harness.h"

#define RUN                                                                                                     \
	"run --device cuda --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 --synthetic-train 12 " \
	"--synthetic-test 4"

/* Both the run and doctor say it; the run ends with exit 2 and begins no database, doctor is content. */
static void expect_reason(const char *first, const char *second)
{
	cli_expect_refusal(RUN, first, second);
	assert_int_not_equal(access("tpbench.db", F_OK), 0);
	struct cli_result result = cli_run("doctor");
	cli_expect_exit(&result, "doctor", 0);
	cli_expect_part(result.out, "cuda         not usable: ");
	cli_expect_part(result.out, first);
	cli_expect_part(result.out, second);
	cli_release(&result);
}

static void restore(void)
{
	(void)setenv("TPBENCH_CUDA_PLUGIN", TPBENCH_PLUGIN, 1);
	(void)unsetenv("TPBENCH_CUDA_RUNTIME");
}

/* The device is listed whether it works here or not, so that its options can be explained. */
static void device_is_listed(void **state)
{
	(void)state;
	struct cli_result result = cli_run("help devices");
	cli_expect_exit(&result, "help devices", 0);
	cli_expect_part(result.out, "cuda");
	cli_release(&result);
}

static void precision_is_refused_elsewhere(void **state)
{
	(void)state;
	cli_expect_refusal(RUN " --device cpu --math bf16", "cpu", "--math bf16");
}

#if TPBENCH_CUDA
static void plugin_that_is_not_there(void **state)
{
	(void)state;
	(void)setenv("TPBENCH_CUDA_PLUGIN", "/no/such/plugin.so", 1);
	expect_reason("its plugin is not there", "/no/such/plugin.so");
	restore();
}

static void plugin_that_is_none(void **state)
{
	(void)state;
	cli_write_file("text.so", "text", 4);
	(void)setenv("TPBENCH_CUDA_PLUGIN", "./text.so", 1);
	expect_reason("its plugin cannot be loaded", "text.so");
	restore();
}

static void library_that_is_missing(void **state)
{
	(void)state;
	(void)setenv("TPBENCH_CUDA_RUNTIME", "/no/such/runtime.so", 1);
	expect_reason("cannot be loaded", "/no/such/runtime.so: cannot open shared object file");
	restore();
}

/* A library that is no CUDA: the first function that is wanted and not there is named. */
static void library_without_functions(void **state)
{
	(void)state;
	(void)setenv("TPBENCH_CUDA_RUNTIME", "libc.so.6", 1);
	expect_reason("libc.so.6", "has no cuda");
	restore();
}

/* The plugin is found beside the program when nothing says where it is; then it depends on the machine. */
static void found_beside_the_program(void **state)
{
	(void)state;
	(void)unsetenv("TPBENCH_CUDA_PLUGIN");
	struct cli_result result = cli_run("doctor");
	cli_expect_exit(&result, "doctor", 0);
	cli_expect_part(result.out, "cuda ");
	if (strstr(result.out, "plugin"))
		fail_msg("not found beside the program: %s", result.out);
	cli_release(&result);
	restore();
}

/* With what this machine has: a GPU, or one of the reasons. */
static void as_this_machine_is(void **state)
{
	(void)state;
	struct cli_result result = cli_run("doctor");
	cli_expect_exit(&result, "doctor", 0);
	const bool usable = strstr(result.out, "cuda         usable: ") != NULL;
	cli_release(&result);
	if (usable)
		skip();
	cli_expect_refusal(RUN, "device cuda: cannot be used here: ", NULL);
	cli_expect_refusal(RUN " --math bf16 --transport nccl", "device cuda: cannot be used here: ", NULL);
	result = cli_run(RUN);
	static const char *const reasons[] = {"no NVIDIA driver", "driver is too old", "stub", "no GPU", "is missing"};
	size_t known = 0;
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		known += strstr(result.err, reasons[i]) != NULL;
	if (known == 0)
		fail_msg("no reason that is known: %s", result.err);
	cli_release(&result);
}
#else
static void built_without(void **state)
{
	(void)state;
	expect_reason("this build was made without the CUDA toolkit", "cuda");
}
#endif

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s TPBENCH\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_is_listed),
		cmocka_unit_test(precision_is_refused_elsewhere),
#if TPBENCH_CUDA
		cmocka_unit_test(plugin_that_is_not_there),
		cmocka_unit_test(plugin_that_is_none),
		cmocka_unit_test(library_that_is_missing),
		cmocka_unit_test(library_without_functions),
		cmocka_unit_test(found_beside_the_program),
		cmocka_unit_test(as_this_machine_is),
#else
		cmocka_unit_test(built_without),
#endif
	};
	restore();
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
