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
	const struct tp_gpu_records records = {.kernels = kernels, .kernel_count = 8};
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

static void messages_are_under_way_as_their_copies(void **state)
{
	(void)state;
	struct tp_op_record ops[] = {
	        op(0, TP_OP_F, 0, 0, 1),   op(0, TP_OP_F, 1, 1, 2),   op(0, TP_OP_B, TP_WHOLE, 60, 70),
	        op(1, TP_OP_F, 0, 20, 30), op(1, TP_OP_F, 1, 30, 40), op(1, TP_OP_B, TP_WHOLE, 40, 50),
	};
	struct tp_message_record messages[] = {message(1, 0, 0, 64), message(1, 0, 1, 64), message(0, 1, 0, 32),
	                                       message(0, 1, 1, 32)};
	messages[3].handed_over = 1;
	messages[2].ready_ns = 9;
	struct tp_gpu_copy copies[] = {
	        {.place = {.stage = 0, .operation = 2, .start_ns = 51, .end_ns = 53}, .kind = 8, .bytes = 64},
	        {.place = {.stage = 0, .operation = 2, .start_ns = 52, .end_ns = 54}, .kind = 8, .bytes = 16},
	        {.place = {.stage = 0, .operation = 2, .start_ns = 54, .end_ns = 56}, .kind = 10, .bytes = 64},
	        {.place = {.stage = 1, .operation = 0, .start_ns = 2, .end_ns = 3}, .kind = 1, .bytes = 32},
	        {.place = {.stage = 1, .operation = 0, .start_ns = 8, .end_ns = 9}, .kind = 8, .bytes = 32},
	        {.place = {.stage = 1, .operation = 1, .start_ns = 9, .end_ns = 19}, .kind = 8, .bytes = 32},
	};
	const struct tp_gpu_records records = {.copies = copies, .copy_count = 6};
	assert_int_equal(tp_gpu_refine(&records, ops, 6, messages, 4), TP_OK);
	static const int64_t expected[4][4] = {{10, 51, 53, 13}, {10, 54, 56, 13}, {8, 8, 9, 13}, {10, 11, 12, 13}};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(messages[i].ready_ns, expected[i][0]);
		assert_int_equal(messages[i].sent_ns, expected[i][1]);
		assert_int_equal(messages[i].arrived_ns, expected[i][2]);
		assert_int_equal(messages[i].wanted_ns, expected[i][3]);
	}
}

/* An operation that nobody reads the message of, and one whose copy is not there: the event's times stay. */
static void messages_without_copies_stay(void **state)
{
	(void)state;
	struct tp_op_record ops[] = {op(1, TP_OP_F, 0, 20, 30), op(1, TP_OP_F, 1, 30, 40)};
	struct tp_message_record messages[] = {message(0, 1, 7, 32), message(0, 1, 0, 32), message(0, 1, 1, 32)};
	struct tp_gpu_copy copies[] = {
	        {.place = {.stage = 1, .operation = 1, .start_ns = 21, .end_ns = 22}, .kind = 8, .bytes = 32}};
	const struct tp_gpu_records records = {.copies = copies, .copy_count = 1};
	assert_int_equal(tp_gpu_refine(&records, ops, 2, messages, 3), TP_OK);
	assert_int_equal(messages[0].sent_ns, 11);
	assert_int_equal(messages[1].sent_ns, 11);
	assert_int_equal(messages[2].sent_ns, 21);
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
	        cmocka_unit_test(messages_without_copies_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
