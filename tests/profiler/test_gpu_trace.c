/* From the trace of a GPU to records of the run, and better times for the engine's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "profiler/gpu_trace.h"

enum { ZERO_NS = 1000000 };

static struct tp_gpu_place place(int16_t stage, int64_t operation, int64_t start_ns, int64_t end_ns)
{
	return (struct tp_gpu_place){.start_ns = ZERO_NS + start_ns,
	                             .end_ns = ZERO_NS + end_ns,
	                             .operation = operation,
	                             .stream_number = 7 + stage,
	                             .stage = stage};
}

static const char *const kernel_names[] = {
        "tpb_sgd",
        "void cudnn::ops::relu<float, (bool)1>(float*, int)",
        "(anonymous namespace)::pool(int)",
        "void space::(anonymous namespace)::norm<int>()",
        "operator",
};

static void modes_have_texts(void **state)
{
	(void)state;
	assert_string_equal(tp_gpu_trace_mode_text(TP_GPU_TRACE_CUPTI), "cupti");
	assert_string_equal(tp_gpu_trace_mode_text(TP_GPU_TRACE_EVENTS), "events");
	assert_string_equal(tp_gpu_trace_mode_text(TP_GPU_TRACE_HOST), "host");
}

static void only_a_whole_trace_is_complete(void **state)
{
	(void)state;
	struct tp_gpu_trace trace = {.mode = TP_GPU_TRACE_CUPTI, .unmatched = 3};
	assert_true(tp_gpu_trace_complete(&trace));
	trace.dropped = 1;
	assert_false(tp_gpu_trace_complete(&trace));
	trace = (struct tp_gpu_trace){.mode = TP_GPU_TRACE_CUPTI, .untimed = 1};
	assert_false(tp_gpu_trace_complete(&trace));
	trace = (struct tp_gpu_trace){.mode = TP_GPU_TRACE_EVENTS};
	assert_false(tp_gpu_trace_complete(&trace));
}

/* By stage and time, on the run's clock, whatever order they came in. */
static void records_are_by_stage_and_time(void **state)
{
	(void)state;
	const struct tp_gpu_kernel kernels[] = {
	        {.place = place(1, 0, 30, 40), .name = 1, .grid = {4, 1, 1}},
	        {.place = place(0, 1, 20, 25), .name = 0, .grid = {2, 1, 1}},
	        {.place = place(0, 0, 5, 10), .name = 1, .grid = {3, 1, 1}},
	};
	const struct tp_gpu_copy copies[] = {{.place = place(1, 0, 26, 29), .bytes = 8, .kind = 8},
	                                     {.place = place(0, 0, 1, 2), .bytes = 16, .kind = 1}};
	const struct tp_gpu_trace trace = {.kernels = kernels,
	                                   .kernel_count = 3,
	                                   .copies = copies,
	                                   .copy_count = 2,
	                                   .names = kernel_names,
	                                   .name_count = 5};
	struct tp_kernel_names names = {0};
	struct tp_gpu_records records;
	int32_t other;
	assert_int_equal(tp_kernel_names_add(&names, &(struct tp_kernel_name){.name = "conv", .pass = "F"}, &other),
	                 TP_OK);
	assert_int_equal(tp_gpu_records_make(&trace, ZERO_NS, &names, &records), TP_OK);
	assert_int_equal(records.kernel_count, 3);
	static const int64_t starts[] = {5, 20, 30}, ends[] = {10, 25, 40}, operations[] = {0, 1, 0},
	                     grids[] = {3, 2, 4};
	static const int32_t stages[] = {0, 0, 1}, numbers[] = {2, 1, 2};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(records.kernels[i].start_ns, starts[i]);
		assert_int_equal(records.kernels[i].end_ns, ends[i]);
		assert_int_equal(records.kernels[i].operation, operations[i]);
		assert_int_equal(records.kernels[i].stage, stages[i]);
		assert_int_equal(records.kernels[i].name, numbers[i]);
		assert_int_equal(records.launches[i].grid[0], grids[i]);
		assert_int_equal(records.launches[i].place.start_ns, starts[i]);
	}
	assert_int_equal(records.copy_count, 2);
	assert_int_equal(records.copies[0].bytes, 16);
	assert_int_equal(records.copies[1].place.start_ns, 26);
	static const char *const shorts[] = {"conv", "tpb_sgd", "relu", "pool", "norm", "operator"};
	assert_int_equal(names.count, 6);
	for (int i = 0; i < 6; i++)
		assert_string_equal(names.entries[i].name, shorts[i]);
	assert_string_equal(names.entries[2].implementation, kernel_names[1]);
	tp_gpu_records_release(&records);
	/* A later epoch of the same run adds nothing. */
	assert_int_equal(tp_gpu_records_make(&trace, ZERO_NS, &names, &records), TP_OK);
	assert_int_equal(names.count, 6);
	tp_gpu_records_release(&records);
	tp_kernel_names_release(&names);
}

/* What belongs to no operation is its stream's stage's, or nobody's. */
static void streams_tell_the_stage(void **state)
{
	(void)state;
	struct tp_gpu_kernel kernels[] = {
	        {.place = place(1, 0, 30, 40)}, {.place = place(1, -1, 50, 60)}, {.place = place(5, -1, 1, 2)}};
	kernels[1].place.stage = kernels[2].place.stage = -1;
	const struct tp_gpu_trace trace = {
	        .kernels = kernels, .kernel_count = 3, .names = kernel_names, .name_count = 1};
	struct tp_kernel_names names = {0};
	struct tp_gpu_records records;
	assert_int_equal(tp_gpu_records_make(&trace, 0, &names, &records), TP_OK);
	assert_int_equal(records.kernels[0].stage, -1);
	assert_int_equal(records.kernels[1].stage, 1);
	assert_int_equal(records.kernels[2].stage, 1);
	assert_int_equal(records.kernels[2].operation, -1);
	tp_gpu_records_release(&records);
	tp_kernel_names_release(&names);
}

static void no_memory_is_said(void **state)
{
	(void)state;
	const struct tp_gpu_trace trace = {.names = kernel_names, .name_count = 1};
	for (int64_t successes = 0; successes < 5; successes++) {
		struct tp_kernel_names names = {0};
		struct tp_gpu_records records;
		tp_alloc_fail_after(successes);
		assert_int_equal(tp_gpu_records_make(&trace, 0, &names, &records), TP_ERR_NOMEM);
		tp_alloc_fail_after(-1);
		tp_gpu_records_release(&records);
		tp_kernel_names_release(&names);
	}
}

static struct tp_op_record op(int16_t stage, enum tp_op_kind kind, int32_t micro, int64_t start_ns, int64_t end_ns)
{
	return (struct tp_op_record){.stage = stage,
	                             .kind = (int16_t)kind,
	                             .mini = 1,
	                             .micro = micro,
	                             .start_ns = start_ns,
	                             .end_ns = end_ns};
}

static struct tp_kernel_record kernel(int16_t stage, int64_t operation, int64_t start_ns, int64_t end_ns)
{
	return (struct tp_kernel_record){
	        .stage = stage, .operation = operation, .start_ns = start_ns, .end_ns = end_ns};
}

static void assert_times(const struct tp_op_record *record, int64_t start_ns, int64_t end_ns)
{
	assert_int_equal(record->start_ns, start_ns);
	assert_int_equal(record->end_ns, end_ns);
}

static void operations_last_as_their_kernels(void **state)
{
	(void)state;
	struct tp_op_record ops[] = {
	        op(0, TP_OP_F, 0, 0, 100),          op(0, TP_OP_F, 1, 100, 110), /* without kernels, and too late */
	        op(0, TP_OP_B, TP_WHOLE, 110, 200), op(1, TP_OP_F, 0, 50, 60),   /* without kernels */
	        op(1, TP_OP_B, TP_WHOLE, 60, 90),
	};
	struct tp_kernel_record kernels[] = {
	        kernel(-1, -1, 0, 500), kernel(0, 0, 2, 40),    kernel(0, 0, 41, 95), kernel(0, -1, 96, 97),
	        kernel(0, 2, 105, 300), kernel(0, 2, 120, 130), kernel(0, 9, 1, 2),   kernel(1, 1, 55, 70),
	};
	struct tp_gpu_records records = {.kernels = kernels, .kernel_count = 8};
	assert_int_equal(tp_gpu_refine(&records, ops, 5, NULL, 0), TP_OK);
	assert_times(&ops[0], 2, 95);
	assert_times(&ops[1], 100, 105);
	assert_times(&ops[2], 105, 300);
	assert_times(&ops[3], 50, 55);
	assert_times(&ops[4], 55, 70);
}

static struct tp_message_record message(int16_t from, int16_t to, int32_t micro, int64_t bytes)
{
	return (struct tp_message_record){.from_stage = from,
	                                  .to_stage = to,
	                                  .is_gradient = from > to,
	                                  .mini = 1,
	                                  .micro = micro,
	                                  .bytes = bytes,
	                                  .ready_ns = 10,
	                                  .sent_ns = 11,
	                                  .arrived_ns = 12,
	                                  .wanted_ns = 13};
}

static struct tp_gpu_copy copy(int16_t stage, int32_t stream, int32_t kind, int64_t bytes, int64_t start_ns)
{
	return (struct tp_gpu_copy){
	        .place = {.stage = stage, .stream_number = stream, .start_ns = start_ns, .end_ns = start_ns + 2},
	        .kind = kind,
	        .bytes = bytes};
}

/* Both ways over streams of the later stage, amid what else is copied. */
static void messages_are_under_way_as_their_copies(void **state)
{
	(void)state;
	struct tp_message_record messages[] = {message(1, 0, 1, 32), message(1, 0, 0, 64), message(0, 1, 0, 32),
	                                       message(0, 1, 1, 64)};
	messages[0].arrived_ns = 60;
	messages[1].arrived_ns = 70;
	messages[3].arrived_ns = 30;
	struct tp_gpu_copy copies[] = {
	        copy(0, 1, 8, 16, 3),  copy(1, 2, 1, 32, 4),  copy(1, 3, 8, 32, 8),  copy(1, 3, 10, 64, 20),
	        copy(1, 4, 8, 32, 50), copy(1, 3, 0, 64, 55), copy(1, 4, 8, 64, 65),
	};
	struct tp_op_record ops[] = {op(0, TP_OP_B, 0, 60, 70), op(1, TP_OP_F, 0, 20, 30), op(1, TP_OP_B, 0, 25, 30),
	                             op(1, TP_OP_F, 1, 30, 40)};
	struct tp_gpu_records records = {.copies = copies, .copy_count = 7};
	copies[6].place.operation = 9;
	assert_int_equal(tp_gpu_refine(&records, ops, 4, messages, 4), TP_OK);
	assert_int_equal(copies[2].place.operation, 0);
	assert_int_equal(copies[3].place.operation, 2);
	assert_int_equal(copies[6].place.operation, 9); /* its sender's */
	static const int64_t expected[4][4] = {{10, 50, 52, 13}, {10, 65, 67, 13}, {8, 8, 10, 13}, {10, 20, 22, 13}};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(messages[i].ready_ns, expected[i][0]);
		assert_int_equal(messages[i].sent_ns, expected[i][1]);
		assert_int_equal(messages[i].arrived_ns, expected[i][2]);
		assert_int_equal(messages[i].wanted_ns, expected[i][3]);
	}
}

/* A copy more, one of another size, one missing, and none at all: the events' times stay. */
static void messages_without_their_copies_stay(void **state)
{
	(void)state;
	struct tp_gpu_copy more[] = {copy(1, 3, 8, 32, 20), copy(1, 3, 8, 32, 30), copy(1, 3, 8, 32, 40)};
	struct tp_gpu_copy other[] = {copy(1, 3, 8, 32, 20), copy(1, 3, 8, 31, 30)};
	struct tp_gpu_records tries[] = {{.copies = more, .copy_count = 3},
	                                 {.copies = more, .copy_count = 1},
	                                 {.copies = other, .copy_count = 2},
	                                 {.copy_count = 0}};
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct tp_message_record messages[] = {message(0, 1, 0, 32), message(0, 1, 1, 32)};
		assert_int_equal(tp_gpu_refine(&tries[i], NULL, 0, messages, 2), TP_OK);
		assert_int_equal(messages[0].sent_ns, 11);
		assert_int_equal(messages[1].sent_ns, 11);
	}
	struct tp_message_record handed_over[] = {message(0, 1, 0, 32), message(0, 1, 1, 32)};
	handed_over[0].handed_over = handed_over[1].handed_over = 1;
	struct tp_gpu_records both = {.copies = more, .copy_count = 2};
	assert_int_equal(tp_gpu_refine(&both, NULL, 0, handed_over, 2), TP_OK);
	assert_int_equal(handed_over[0].sent_ns, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(modes_have_texts),
	        cmocka_unit_test(only_a_whole_trace_is_complete),
	        cmocka_unit_test(records_are_by_stage_and_time),
	        cmocka_unit_test(streams_tell_the_stage),
	        cmocka_unit_test(no_memory_is_said),
	        cmocka_unit_test(operations_last_as_their_kernels),
	        cmocka_unit_test(messages_are_under_way_as_their_copies),
	        cmocka_unit_test(messages_without_their_copies_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
