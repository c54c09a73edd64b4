/* The tracer of the device cuda over the stand-in: operations, kernels, copies and sets as CUPTI would record them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "tests/cuda/stand_in.h"

enum { VALUES = 256, BYTES = VALUES * sizeof(float) };

static const struct tp_gpu_tracer *tracer;

static int find_tracer(void **state)
{
	(void)state;
	const struct tp_device_ops *ops = NULL;
	if (tp_device_find("cuda", TP_MATH_FP32, &ops) != TP_OK)
		fail_msg("%s", tp_detail());
	tracer = ops->async->tracer;
	assert_non_null(tracer);
	return 0;
}

static int stop(void **state)
{
	tracer->stop();
	stand_in.inject(NULL);
	return stand_in_clean(state);
}

/* A stage's device, and two operations of an epoch: a blend, and a copy with a set before it. Returns when they began.
 */
struct stage {
	struct tp_device *device;
	float *a, *b;
};

static struct stage open_stage(int32_t number)
{
	struct stage stage = {.device = stand_in_open(TP_MATH_FP32, number, 2, 1)};
	stage.a = stand_in_memory(stage.device, BYTES);
	stage.b = stand_in_memory(stage.device, BYTES);
	stand_in_finish(stage.device);
	return stage;
}

static void close_stage(const struct stage *stage)
{
	stage->device->ops->memory->release(stage->device, stage->a);
	stage->device->ops->memory->release(stage->device, stage->b);
	stage->device->ops->close(stage->device);
}

static void operate(const struct stage *stage, int64_t first)
{
	const struct tp_device_ops *ops = stage->device->ops;
	ops->async->operation(stage->device, first);
	ops->blend(stage->device, 1, stage->a, 1, stage->b, stage->a, BYTES);
	ops->async->operation(stage->device, first + 1);
	ops->copy(stage->device, stage->a, stage->b, BYTES);
	ops->async->operation(stage->device, -1);
}

static void start(void)
{
	if (tracer->start(true) != TP_OK)
		fail_msg("%s", tp_detail());
}

static struct tp_gpu_trace end_epoch(void)
{
	struct tp_gpu_trace trace;
	if (tracer->end_epoch(&trace) != TP_OK)
		fail_msg("%s", tp_detail());
	return trace;
}

static const struct tp_gpu_copy *copy_of(const struct tp_gpu_trace *trace, int32_t stage)
{
	for (int64_t i = 0; i < trace->copy_count; i++)
		if (trace->copies[i].place.stage == stage && trace->copies[i].kind == 8)
			return &trace->copies[i];
	fail_msg("stage %d has no copy", (int)stage);
	return NULL;
}

static const struct tp_gpu_kernel *kernel_of(const struct tp_gpu_trace *trace, int32_t stage)
{
	for (int64_t i = 0; i < trace->kernel_count; i++)
		if (trace->kernels[i].place.stage == stage)
			return &trace->kernels[i];
	fail_msg("stage %d has no kernel", (int)stage);
	return NULL;
}

static void operations_have_their_kernels_and_copies(void **state)
{
	(void)state;
	start();
	struct stage stages[] = {open_stage(0), open_stage(1)};
	operate(&stages[0], 3); /* of no epoch */
	stand_in_finish(stages[0].device);
	tracer->begin_epoch();
	int64_t before = tp_now_ns();
	operate(&stages[0], 0);
	operate(&stages[1], 5);
	stand_in_finish(stages[0].device);
	stand_in_finish(stages[1].device);
	struct tp_gpu_trace trace = end_epoch();
	int64_t after = tp_now_ns();
	assert_int_equal(trace.mode, TP_GPU_TRACE_CUPTI);
	assert_string_equal(trace.reason, "");
	assert_true(tp_gpu_trace_complete(&trace));
	assert_int_equal(trace.unmatched, 0);
	assert_int_equal(trace.clock_error_ns, 0);
	assert_int_equal(trace.kernel_count, 2);
	for (int32_t s = 0; s < 2; s++) {
		const struct tp_gpu_kernel *kernel = kernel_of(&trace, s);
		assert_string_equal(trace.names[kernel->name], "tpb_blend");
		assert_int_equal(kernel->place.operation, 5 * s);
		assert_true(kernel->place.start_ns >= before && kernel->place.end_ns <= after);
		assert_true(kernel->grid[0] > 0 && kernel->block[0] > 0);
		const struct tp_gpu_copy *copy = copy_of(&trace, s);
		assert_int_equal(copy->place.operation, 5 * s + 1);
		assert_int_equal(copy->bytes, BYTES);
		assert_int_equal(copy->place.stream_number, kernel->place.stream_number);
	}
	assert_true(trace.allocated_peak_bytes >= 4 * BYTES);
	assert_int_equal(trace.allocations, 0);
	close_stage(&stages[0]);
	close_stage(&stages[1]);
}

/* Memory that is taken inside an epoch is seen. */
static void allocations_are_counted(void **state)
{
	(void)state;
	start();
	struct stage stage = open_stage(0);
	tracer->begin_epoch();
	float *more = stand_in_memory(stage.device, BYTES);
	stand_in_finish(stage.device);
	assert_int_equal(end_epoch().allocations, 1);
	stage.device->ops->memory->release(stage.device, more);
	close_stage(&stage);
}

/* CUPTI keeps its own clock, which is the machine's real time. */
static void another_clock_is_bracketed(void **state)
{
	(void)state;
	stand_in.inject("cuptiActivityRegisterTimestampCallback:1:14");
	start();
	struct stage stage = open_stage(0);
	tracer->begin_epoch();
	int64_t before = tp_now_ns();
	operate(&stage, 0);
	stand_in_finish(stage.device);
	struct tp_gpu_trace trace = end_epoch();
	int64_t after = tp_now_ns();
	assert_true(trace.clock_error_ns > 0);
	/* The stand-in looks at two clocks one after the other, and may be interrupted between. */
	const int64_t slack_ns = trace.clock_error_ns + 50 * 1000 * 1000;
	assert_in_range(trace.kernels[0].place.start_ns, before - slack_ns, after + slack_ns);
	close_stage(&stage);
}

static void lost_records_are_told(void **state)
{
	(void)state;
	start();
	struct stage stage = open_stage(0);
	tracer->begin_epoch();
	stand_in.inject("cuptiRecord:1:1");
	operate(&stage, 0);
	stand_in_finish(stage.device);
	struct tp_gpu_trace trace = end_epoch();
	assert_int_equal(trace.dropped, 1);
	assert_false(tp_gpu_trace_complete(&trace));
	close_stage(&stage);
}

/* Whatever CUPTI refuses, the device works, and the reason is told. */
static void a_refusal_is_no_failure(void **state)
{
	(void)state;
	static const struct {
		const char *injected, *reason;
	} refusals[] = {
	        {"cuptiSubscribe_v2:1:39", "CUPTI is in use by CUPTI for another tool"},
	        {"cuptiSubscribe_v2:1:999", "cuptiSubscribe_v2 failed with 999"},
	        {"cuptiGetVersion:1:999", "cuptiGetVersion: fakecuda's CUPTI failed with 999 (999)"},
	        {"cuptiActivityRegisterCallbacks:1:7",
	         "cuptiActivityRegisterCallbacks: fakecuda's CUPTI failed with 7 (7)"},
	        {"cuptiActivityEnable:2:14", "cuptiActivityEnable: fakecuda's CUPTI failed with 14 (14)"},
	        {"cuptiActivityEnableRuntimeApi:1:15",
	         "cuptiActivityEnableRuntimeApi: fakecuda's CUPTI failed with 15 (15)"},
	};
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		stand_in.inject(refusals[i].injected);
		start();
		struct stage stage = open_stage(0);
		tracer->begin_epoch();
		operate(&stage, 0);
		stand_in_finish(stage.device);
		struct tp_gpu_trace trace = end_epoch();
		assert_int_equal(trace.mode, TP_GPU_TRACE_EVENTS);
		assert_string_equal(trace.reason, refusals[i].reason);
		assert_int_equal(trace.kernel_count, 0);
		close_stage(&stage);
		tracer->stop();
	}
	/* And the next run traces again. */
	stand_in.inject(NULL);
	start();
	tracer->begin_epoch();
	assert_int_equal(end_epoch().mode, TP_GPU_TRACE_CUPTI);
}

static void the_gpus_are_described(void **state)
{
	(void)state;
	const struct tp_device_ops *ops = NULL;
	struct tp_gpu_info infos[4];
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_OK);
	assert_int_equal(ops->async->gpus(infos, 4), 2);
	assert_int_equal(infos[1].number, 1);
	assert_true(infos[0].memory_bytes > 0);
	assert_non_null(strstr(infos[0].name, "fakecuda"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(operations_have_their_kernels_and_copies, stop),
	        cmocka_unit_test_teardown(allocations_are_counted, stop),
	        cmocka_unit_test_teardown(another_clock_is_bracketed, stop),
	        cmocka_unit_test_teardown(lost_records_are_told, stop),
	        cmocka_unit_test_teardown(a_refusal_is_no_failure, stop),
	        cmocka_unit_test(the_gpus_are_described),
	};
	if (argc < 2) {
		(void)fprintf(stderr, "usage: test_cuda_trace LIBFAKECUDA\n");
		return 1;
	}
	stand_in_load(argv[1], "2");
	return cmocka_run_group_tests(tests, find_tracer, NULL);
}
