/* Buffers made by hand from CUPTI's structures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cupti_buffer.h"
#include "engine/base/memory.h"
#include "engine/cuda/cupti_parse.h"

static struct tp_cupti_records records;
static struct buffer buffer;

static int begin(void **state)
{
	(void)state;
	buffer.used = 0;
	return tp_cupti_records_begin(&records, 4) == TP_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	tp_cupti_records_release(&records);
	return 0;
}

static void parse(size_t size)
{
	tp_cupti_parse(&records, next_record, buffer.bytes, size);
}

static const struct tp_gpu_kernel *kernel(int64_t i)
{
	assert_true(i < records.kernels.count);
	return (const struct tp_gpu_kernel *)records.kernels.items + i;
}

static const struct tp_gpu_copy *copy(int64_t i)
{
	assert_true(i < records.copies.count);
	return (const struct tp_gpu_copy *)records.copies.items + i;
}

static const struct tp_cupti_link *link_at(int64_t i)
{
	assert_true(i < records.links.count);
	return (const struct tp_cupti_link *)records.links.items + i;
}

static void kernels_are_read(void **state)
{
	(void)state;
	append_kernel(&buffer, "tpb_sgd", 100, 130, 11);
	parse(buffer.used);
	const struct tp_gpu_kernel *read = kernel(0);
	assert_int_equal(read->place.start_ns, 100);
	assert_int_equal(read->place.end_ns, 130);
	assert_int_equal(read->place.operation, -1);
	assert_int_equal(read->place.stage, -1);
	assert_int_equal(read->place.gpu_number, 1);
	assert_int_equal(read->place.context_number, 2);
	assert_int_equal(read->place.stream_number, 7);
	assert_int_equal(read->place.correlation_number, 11);
	assert_string_equal(records.names.texts[read->name], "tpb_sgd");
	assert_int_equal(read->grid[0], 3);
	assert_int_equal(read->grid[2], 5);
	assert_int_equal(read->block[0], 128);
	assert_int_equal(read->block[1], 2);
	assert_int_equal(read->registers_per_thread, 40);
	assert_int_equal(read->static_shared_bytes, 16);
	assert_int_equal(read->dynamic_shared_bytes, 1024);
	assert_int_equal(records.lost, 0);
}

/* Within one GPU, to a peer, and a set: all are copies, the last of kind 0. */
static void copies_and_sets_are_read(void **state)
{
	(void)state;
	const CUpti_ActivityMemcpyPtoP4 peer = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY2,
	                                        .copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_DTOD,
	                                        .bytes = 64,
	                                        .start = 5,
	                                        .end = 6,
	                                        .streamId = 9,
	                                        .correlationId = 12};
	const CUpti_ActivityMemset4 set = {
	        .kind = CUPTI_ACTIVITY_KIND_MEMSET, .bytes = 32, .start = 7, .end = 8, .correlationId = 13};
	append_copy(&buffer, CUPTI_ACTIVITY_MEMCPY_KIND_DTOD, 128, 3, 4, 11);
	append(&buffer, &peer, sizeof peer);
	append(&buffer, &set, sizeof set);
	parse(buffer.used);
	static const int64_t expected[3][4] = {{8, 128, 3, 11}, {10, 64, 5, 12}, {0, 32, 7, 13}};
	assert_int_equal(records.copies.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(copy(i)->kind, expected[i][0]);
		assert_int_equal(copy(i)->bytes, expected[i][1]);
		assert_int_equal(copy(i)->place.start_ns, expected[i][2]);
		assert_int_equal(copy(i)->place.correlation_number, expected[i][3]);
	}
}

static void our_links_alone_are_read(void **state)
{
	(void)state;
	const CUpti_ActivityExternalCorrelation other = {.kind = CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION,
	                                                 .externalKind = CUPTI_EXTERNAL_CORRELATION_KIND_OPENACC,
	                                                 .externalId = 1,
	                                                 .correlationId = 11};
	append(&buffer, &other, sizeof other);
	append_link(&buffer, UINT64_C(1) << 40, 12);
	parse(buffer.used);
	assert_int_equal(records.links.count, 1);
	assert_int_equal(link_at(0)->id, INT64_C(1) << 40);
	assert_int_equal(link_at(0)->correlation, 12);
}

static void what_has_no_times_is_counted(void **state)
{
	(void)state;
	append_kernel(&buffer, "a", 0, 0, 1);
	append_kernel(&buffer, "a", 9, 8, 2);
	append_copy(&buffer, 1, 8, 0, 0, 3);
	append_kernel(&buffer, "a", 8, 9, 4);
	parse(buffer.used);
	assert_int_equal(records.untimed, 3);
	assert_int_equal(records.kernels.count, 1);
	assert_int_equal(records.copies.count, 0);
	assert_int_equal(records.lost, 0);
}

/* Kinds that are not read, among them the calls, are stepped over. */
static void other_kinds_are_passed_over(void **state)
{
	(void)state;
	const CUpti_ActivityMarker2 marker = {.kind = CUPTI_ACTIVITY_KIND_MARKER};
	append_call(&buffer, 1);
	append(&buffer, &marker, sizeof marker);
	append_kernel(&buffer, "a", 1, 2, 1);
	parse(buffer.used);
	assert_int_equal(records.kernels.count, 1);
	assert_int_equal(records.lost, 0);
}

/* A kind that nobody knows ends the buffer: what is behind it cannot be found. */
static CUptiResult no_record(uint8_t *bytes, size_t size, CUpti_Activity **record)
{
	(void)bytes, (void)size, (void)record;
	return CUPTI_ERROR_INVALID_KIND;
}

static void an_empty_buffer_loses_nothing(void **state)
{
	(void)state;
	tp_cupti_parse(&records, no_record, buffer.bytes, 0);
	assert_int_equal(records.lost, 0);
}

static void an_unwritten_end_loses_nothing(void **state)
{
	(void)state;
	const CUpti_ActivityMemset4 nothing = {.kind = CUPTI_ACTIVITY_KIND_INVALID};
	append_kernel(&buffer, "a", 1, 2, 1);
	append_call(&buffer, 1);
	append(&buffer, &nothing, sizeof nothing);
	parse(buffer.used);
	assert_int_equal(records.kernels.count, 1);
	assert_int_equal(records.lost, 0);
}

static void a_broken_buffer_loses_its_rest(void **state)
{
	(void)state;
	const CUpti_Activity nonsense[2] = {{.kind = (CUpti_ActivityKind)4000}};
	append_kernel(&buffer, "a", 1, 2, 1);
	append(&buffer, nonsense, sizeof nonsense);
	append_kernel(&buffer, "a", 3, 4, 2);
	parse(buffer.used);
	assert_int_equal(records.kernels.count, 1);
	assert_int_equal(records.lost, 1);
}

/* Wherever it is cut, nothing is read from behind the end, and a cut record is lost. */
static void a_cut_buffer_is_noticed(void **state)
{
	(void)state;
	append_kernel(&buffer, "a", 1, 2, 1);
	append_copy(&buffer, 1, 8, 3, 4, 2);
	append_link(&buffer, 1, 2);
	const size_t kernel_bytes = sizeof(CUpti_ActivityKernel10), copy_bytes = sizeof(CUpti_ActivityMemcpy6);
	for (size_t size = 0; size <= buffer.used; size++) {
		/* In memory of its own, so that reading too far is seen. */
		uint8_t *cut = malloc(size ? size : 1);
		assert_non_null(cut);
		(void)memcpy(cut, buffer.bytes, size);
		assert_int_equal(tp_cupti_records_begin(&records, 4), TP_OK);
		tp_cupti_parse(&records, next_record, cut, size);
		bool whole =
		        size == 0 || size == kernel_bytes || size == kernel_bytes + copy_bytes || size == buffer.used;
		assert_int_equal(records.lost, !whole);
		assert_int_equal(records.kernels.count, size >= kernel_bytes);
		assert_int_equal(records.copies.count, size >= kernel_bytes + copy_bytes);
		assert_int_equal(records.links.count, size == buffer.used);
		free(cut);
	}
}

static void several_buffers_add_up(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		buffer.used = 0;
		append_kernel(&buffer, i % 2 ? "odd" : "even", (uint64_t)i + 1, (uint64_t)i + 2, (uint32_t)i);
		append_link(&buffer, (uint64_t)i, (uint32_t)i);
		append_link(&buffer, (uint64_t)i, (uint32_t)i);
		append_copy(&buffer, 1, 8, (uint64_t)i + 1, (uint64_t)i + 2, (uint32_t)i);
		parse(buffer.used);
	}
	assert_int_equal(records.kernels.count, 20);
	assert_int_equal(records.copies.count, 20);
	assert_int_equal(records.links.count, 40);
	assert_int_equal(records.names.count, 2);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kernel(i)->place.start_ns, i + 1);
		assert_string_equal(records.names.texts[kernel(i)->name], i % 2 ? "odd" : "even");
	}
	/* The next epoch begins empty, has room for twice as much, and knows the names. */
	assert_int_equal(tp_cupti_records_begin(&records, 4), TP_OK);
	assert_int_equal(records.kernels.count, 0);
	assert_true(records.kernels.room >= 40);
	uint64_t before = tp_alloc_count();
	parse(buffer.used);
	assert_int_equal(tp_alloc_count(), before);
	assert_int_equal(records.names.count, 2);
}

/* Between epochs only memory is followed, and what is in the lists stays where it is. */
static void a_pause_adds_nothing(void **state)
{
	(void)state;
	append_kernel(&buffer, "a", 1, 2, 1);
	append_copy(&buffer, 1, 8, 3, 4, 2);
	append_link(&buffer, 1, 2);
	parse(buffer.used);
	records.paused = true;
	const CUpti_ActivityMemory4 memory = {.kind = CUPTI_ACTIVITY_KIND_MEMORY2,
	                                      .memoryOperationType = CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION,
	                                      .memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE,
	                                      .bytes = 5};
	append(&buffer, &memory, sizeof memory);
	parse(buffer.used);
	assert_int_equal(records.kernels.count, 1);
	assert_int_equal(records.copies.count, 1);
	assert_int_equal(records.links.count, 1);
	assert_int_equal(records.held_bytes, 5);
}

static void no_memory_loses_records(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		append_kernel(&buffer, "a", 1, 2, 1);
	tp_alloc_fail_after(0);
	parse(buffer.used);
	tp_alloc_fail_after(-1);
	assert_int_equal(records.kernels.count, 4);
	assert_int_equal(records.lost, 1);
}

static void memory_of_the_gpu_is_counted(void **state)
{
	(void)state;
	static const struct {
		CUpti_ActivityMemoryOperationType type;
		CUpti_ActivityMemoryKind kind;
		uint64_t bytes;
	} changes[] = {
	        {CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION, CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, 100},
	        {CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION, CUPTI_ACTIVITY_MEMORY_KIND_PINNED, 1000},
	        {CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION, CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, 50},
	        {CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE, CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, 100},
	        {CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION, CUPTI_ACTIVITY_MEMORY_KIND_DEVICE, 20},
	};
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		const CUpti_ActivityMemory4 record = {.kind = CUPTI_ACTIVITY_KIND_MEMORY2,
		                                      .memoryOperationType = changes[i].type,
		                                      .memoryKind = changes[i].kind,
		                                      .bytes = changes[i].bytes};
		append(&buffer, &record, sizeof record);
	}
	parse(buffer.used);
	assert_int_equal(records.allocations, 3);
	assert_int_equal(records.held_bytes, 70);
	assert_int_equal(records.held_peak_bytes, 150);
	/* What is held is held in the next epoch, too. */
	assert_int_equal(tp_cupti_records_begin(&records, 4), TP_OK);
	assert_int_equal(records.allocations, 0);
	assert_int_equal(records.held_bytes, 70);
	assert_int_equal(records.held_peak_bytes, 150);
}

/* What comes with it is freed: the leak checker would tell. */
static void overhead_is_summed(void **state)
{
	(void)state;
	CUpti_ActivityOverhead3 overhead = {
	        .kind = CUPTI_ACTIVITY_KIND_OVERHEAD, .start = 10, .end = 25, .overheadData = malloc(16)};
	append(&buffer, &overhead, sizeof overhead);
	overhead.overheadData = NULL;
	overhead.end = 12;
	append(&buffer, &overhead, sizeof overhead);
	parse(buffer.used);
	assert_int_equal(records.overhead_ns, 17);
}

static void names_are_readable(void **state)
{
	(void)state;
	append_kernel(&buffer, NULL, 1, 2, 1);
	append_kernel(&buffer, "_Z", 1, 2, 1);
	append_kernel(&buffer, "_Z4tileILi3EEvPf", 1, 2, 1);
	parse(buffer.used);
	assert_string_equal(records.names.texts[kernel(0)->name], "(unknown)");
	assert_string_equal(records.names.texts[kernel(1)->name], "_Z");
	/* This program needs no C++ runtime: what is there decides. */
	const char *name = records.names.texts[kernel(2)->name];
	assert_true(strcmp(name, "void tile<3>(float*)") == 0 || strcmp(name, "_Z4tileILi3EEvPf") == 0);
}

static void too_many_names_share_one(void **state)
{
	(void)state;
	struct tp_cupti_names *names = &records.names;
	char name[4096];
	(void)memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	int32_t others = tp_cupti_names_add(names, name);
	assert_string_equal(names->texts[others], "(others)");
	int32_t first = -1, last = -1;
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof name, "name %d", i);
		last = tp_cupti_names_add(names, name);
		first = i == 0 ? last : first;
	}
	assert_int_equal(last, others);
	assert_int_equal(tp_cupti_names_add(names, "name 0"), first);
	assert_string_equal(names->texts[first], "name 0");
	assert_true(names->count < 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(kernels_are_read, begin, end),
	        cmocka_unit_test_setup_teardown(copies_and_sets_are_read, begin, end),
	        cmocka_unit_test_setup_teardown(our_links_alone_are_read, begin, end),
	        cmocka_unit_test_setup_teardown(what_has_no_times_is_counted, begin, end),
	        cmocka_unit_test_setup_teardown(other_kinds_are_passed_over, begin, end),
	        cmocka_unit_test_setup_teardown(an_empty_buffer_loses_nothing, begin, end),
	        cmocka_unit_test_setup_teardown(an_unwritten_end_loses_nothing, begin, end),
	        cmocka_unit_test_setup_teardown(a_broken_buffer_loses_its_rest, begin, end),
	        cmocka_unit_test_setup_teardown(a_cut_buffer_is_noticed, begin, end),
	        cmocka_unit_test_setup_teardown(several_buffers_add_up, begin, end),
	        cmocka_unit_test_setup_teardown(a_pause_adds_nothing, begin, end),
	        cmocka_unit_test_setup_teardown(no_memory_loses_records, begin, end),
	        cmocka_unit_test_setup_teardown(memory_of_the_gpu_is_counted, begin, end),
	        cmocka_unit_test_setup_teardown(overhead_is_summed, begin, end),
	        cmocka_unit_test_setup_teardown(names_are_readable, begin, end),
	        cmocka_unit_test_setup_teardown(too_many_names_share_one, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
