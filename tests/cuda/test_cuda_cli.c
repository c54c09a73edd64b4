/* Runs on the stand-in for a GPU through the command line: what is printed and stored, and how they end when the GPU
 * fails. argv[1] is the built tpbench, argv[2] libfakecuda.so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/cli/harness.h"

/* For a plan and, without a warm-up, for runs. */
#define PLANNED                                                                                             \
	"--device cuda --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 --synthetic-train 16 " \
	"--synthetic-test 4 "
#define SMALL PLANNED "--warm-up 0 "

static int begin(void **state)
{
	(void)state;
	cli_remove_database();
	(void)unsetenv("FAKECUDA_FAIL");
	(void)unsetenv("FAKECUDA_MEMORY");
	(void)unsetenv("FAKECUDA_DEVICES");
	return 0;
}

static int64_t query(const char *sql)
{
	return cli_query("tpbench.db", sql);
}

static void expect_well(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	assert_null(strstr(result.out, "WARNING"));
	assert_null(strstr(result.err, "FAULTS")); /* what the stand-in says when an access was not ordered */
	cli_release(&result);
}

static void runs_carry_the_stand_ins_name(void **state)
{
	(void)state;
	expect_well("--compare gpipe,pipedream,timeprest " SMALL "--repeats 1 --epochs 2");
	assert_int_equal(query("SELECT count(*) FROM run WHERE device = 'fakecuda (no GPU)'"), 3);
	assert_int_equal(query("SELECT count(*) FROM run_end WHERE ending = 'done'"), 3);
	assert_int_equal(query("SELECT count(*) FROM run_check WHERE NOT passed"), 0);
	assert_int_equal(query("SELECT count(*) FROM epoch"), 6);
	assert_int_equal(query("SELECT count(*) FROM gpu_trace WHERE trace_mode = 'events'"), 6);
	assert_int_equal(query("SELECT count(DISTINCT run_id) FROM gpu WHERE name = 'fakecuda (no GPU)'"), 3);
	assert_int_equal(query("SELECT count(samples_per_s) FROM epoch_summary"), 0);
	assert_int_equal(query("SELECT count(*) > 0 FROM message WHERE NOT handed_over"), 1);
}

static void plans_have_no_times(void **state)
{
	(void)state;
	struct cli_result result = cli_run("plan " PLANNED);
	cli_expect_exit(&result, "plan", 0);
	cli_expect_part(result.out, "what runs as device cuda stands in for a GPU");
	assert_null(strstr(result.out, "samples/s"));
	cli_release(&result);
}

static void kernels_find_their_operations(void **state)
{
	(void)state;
	expect_well("run " SMALL "--profile kernels --order static");
	assert_int_equal(query("SELECT count(*) FROM gpu_trace WHERE trace_mode = 'cupti' AND lost_record_count = 0"),
	                 1);
	assert_true(query("SELECT count(*) FROM kernel") > 100);
	assert_int_equal(
	        query("SELECT count(*) FROM kernel LEFT JOIN operation AS o ON o.run_id = kernel.run_id AND o.epoch "
	              "= kernel.epoch AND o.stage = kernel.stage AND o.record_number = operation_number WHERE "
	              "o.run_id IS NULL OR kernel.start_ns < o.start_ns OR kernel.end_ns > o.end_ns"),
	        0);
	assert_int_equal(query("SELECT count(*) FROM kernel LEFT JOIN kernel_launch USING (run_id, epoch, stage, "
	                       "record_number) WHERE gpu_number IS NULL"),
	                 0);
	assert_int_equal(
	        query("SELECT (SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL) = (SELECT count(*) FROM kernel)"), 1);
	assert_int_equal(
	        query("SELECT count(*) FROM message WHERE NOT handed_over AND NOT EXISTS (SELECT 1 FROM device_copy "
	              "WHERE copy_kind = 8 AND device_copy.start_ns = sent_ns AND end_ns = arrived_ns)"),
	        0);
}

/* An epoch whose records do not fit is stored while it runs, and its kernels when it has ended. */
static void long_epochs_are_stored_while_they_run(void **state)
{
	(void)state;
	expect_well("run " SMALL "--profile kernels --profile-buffer 64KiB --synthetic-train 4000");
	assert_int_equal(query("SELECT count(*) FROM run_check WHERE NOT passed"), 0);
	assert_true(query("SELECT count(*) FROM operation") >= 8000);
	assert_true(query("SELECT count(*) FROM kernel") > 20000);
}

static void other_clocks_numbers_and_transports(void **state)
{
	(void)state;
	expect_well("run " SMALL "--clock virtual --costs uniform:1ms,2ms");
	expect_well("run " SMALL "--clock virtual");
	expect_well("run " SMALL "--math bf16 --order static");
	expect_well("run " SMALL "--math tf32 --transport cuda-direct --schedule zb-h1");
	expect_well("run " SMALL "--deterministic --schedule 1f1b --stages 3");
	(void)setenv("FAKECUDA_DEVICES", "2", 1);
	expect_well("run " SMALL "--transport nccl --save-weights w.safetensors");
	expect_well("run " SMALL "--gpus 1 --load-weights w.safetensors");
	assert_int_equal(query("SELECT count(*) FROM run_check WHERE NOT passed"), 0);
	assert_int_equal(query("SELECT count(*) FROM run_parameter WHERE name = 'math' AND value = 'bf16'"), 1);
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("run " SMALL "--transport nccl", "nccl", "share GPU 0");
	cli_expect_refusal("run " SMALL "--gpus 2", "--gpus 2", NULL);
	cli_expect_refusal("run " SMALL "--link 1gbit,50us", "--clock virtual", NULL);
	cli_expect_refusal("run --model mlp --device cpu --math bf16", "device cpu", "--math bf16");
	cli_expect_refusal("run --model mlp --device reference --transport nccl", "--transport", "reference");
	(void)setenv("FAKECUDA_MEMORY", "100000", 1);
	struct cli_result result = cli_run("run " SMALL);
	cli_expect_exit(&result, "too little memory", 1);
	cli_expect_part(result.err, "out of memory");
	cli_release(&result);
}

/* The run that failed keeps its first epoch, and says why there is no third. */
static void expect_failure_by(const char *variable, const char *injected, const char *arguments, const char *part)
{
	cli_remove_database();
	(void)setenv(variable, injected, 1);
	time_t start = time(NULL);
	struct cli_result result = cli_run(arguments);
	(void)unsetenv(variable);
	cli_expect_exit(&result, injected, 1);
	cli_expect_part(result.err, part);
	cli_release(&result);
	assert_true(time(NULL) - start < 40);
	assert_int_equal(query("SELECT count(*) FROM run_end WHERE ending = 'failed' AND reason <> ''"), 1);
	assert_int_equal(query("SELECT count(*) FROM epoch WHERE epoch = 1 AND mini_batch_count = 4"), 1);
	assert_int_equal(query("SELECT count(*) > 10 FROM operation WHERE epoch = 1"), 1);
}

static void expect_failure(const char *injected, const char *arguments, const char *part)
{
	expect_failure_by("FAKECUDA_FAIL", injected, arguments, part);
}

static void a_gpu_that_hangs_ends_the_run(void **state)
{
	(void)state;
	expect_failure_by("FAKECUDA_HANG", "400", "run " SMALL "--epochs 3 --order static --timeout 2s", "--timeout");
	expect_failure_by("FAKECUDA_HANG", "400", "run " SMALL "--epochs 3 --order dynamic --timeout 2s", "--timeout");
	(void)setenv("FAKECUDA_DEVICES", "2", 1);
	expect_failure_by("FAKECUDA_HANG", "400", "run " SMALL "--epochs 3 --transport nccl --timeout 2s", "--timeout");
}

static void failures_keep_what_was_recorded(void **state)
{
	(void)state;
	static const char three[] = "run " SMALL "--epochs 3 --order static --timeout 3s";
	expect_failure("cublasLtMatmul:150:13", three, "cublasLtMatmul");
	expect_failure("cudaLaunchKernel:200:98", three, "cudaLaunchKernel");
	expect_failure("cudaLaunchKernel:200:46+", three, "cuda");
	expect_failure("@tpb_sgd:12:719", three, "719");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(runs_carry_the_stand_ins_name, begin),
	        cmocka_unit_test_setup(plans_have_no_times, begin),
	        cmocka_unit_test_setup(kernels_find_their_operations, begin),
	        cmocka_unit_test_setup(long_epochs_are_stored_while_they_run, begin),
	        cmocka_unit_test_setup(other_clocks_numbers_and_transports, begin),
	        cmocka_unit_test_setup(what_cannot_be_is_refused, begin),
	        cmocka_unit_test_setup(failures_keep_what_was_recorded, begin),
	        cmocka_unit_test_setup(a_gpu_that_hangs_ends_the_run, begin),
	};
	if (argc < 3)
		return 1;
	(void)setenv("TPBENCH_CUDA_RUNTIME", argv[2], 1);
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
