/* What a GPU's trace becomes: rows of kernels, launches and copies, and the views of Nsight's names over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test_store_support.h"

static const char *path;
static struct tp_store *store;
static int64_t run_id;

static const struct tp_gpu_info gpus[] = {{.number = 1,
                                           .name = "a GPU",
                                           .bus = "0000:17:00.0",
                                           .uuid = "GPU-1",
                                           .memory_bytes = 1000,
                                           .l2_cache_bytes = 100,
                                           .memory_bandwidth_bytes_per_s = 4000,
                                           .clock_rate_hz = 5000,
                                           .multiprocessors = 132,
                                           .compute_major = 9,
                                           .compute_minor = 1}};

static const struct tp_kernel_name kernel_names[] = {{.name = "sgd"}, {.name = "conv", .implementation = "conv<1>"}};

static struct tp_gpu_place place(int16_t stage, int64_t operation, int64_t start_ns, uint32_t correlation)
{
	return (struct tp_gpu_place){.start_ns = start_ns,
	                             .end_ns = start_ns + 4,
	                             .operation = operation,
	                             .gpu_number = 1,
	                             .context_number = 2,
	                             .stream_number = 10 + stage,
	                             .correlation_number = correlation,
	                             .stage = stage};
}

/* An epoch with two kernels at stage 0 and one at stage 1, and copies of both. */
static void add_epoch(int32_t number)
{
	struct tp_kernel_record kernels[] = {{.start_ns = 1, .end_ns = 5, .operation = 0, .name = 1, .stage = 0},
	                                     {.start_ns = 6, .end_ns = 10, .operation = 0, .name = 0, .stage = 0},
	                                     {.start_ns = 3, .end_ns = 7, .operation = -1, .name = 1, .stage = 1}};
	struct tp_gpu_kernel launches[] = {{.place = place(0, 0, 1, 21),
	                                    .grid = {2, 3, 4},
	                                    .block = {5, 6, 7},
	                                    .registers_per_thread = 32,
	                                    .static_shared_bytes = 48,
	                                    .dynamic_shared_bytes = 64},
	                                   {.place = place(0, 0, 6, 22)},
	                                   {.place = place(1, -1, 3, 23)}};
	struct tp_gpu_copy copies[] = {{.place = place(0, 0, 2, 31), .bytes = 512, .kind = 1},
	                               {.place = place(0, -1, 9, 32), .bytes = 8, .kind = 0},
	                               {.place = place(1, 0, 4, 33), .bytes = 64, .kind = 8}};
	const struct tp_gpu_records records = {kernels, launches, copies, 3, 3};
	const struct tp_gpu_trace trace = {.mode = TP_GPU_TRACE_CUPTI,
	                                   .reason = "",
	                                   .dropped = 1,
	                                   .untimed = 2,
	                                   .unmatched = 3,
	                                   .overhead_ns = 4,
	                                   .clock_error_ns = 5,
	                                   .allocated_peak_bytes = 6,
	                                   .allocations = 7};
	struct tp_store_epoch epoch = sample_epoch(number);
	epoch.records.kernels = kernels;
	epoch.records.kernel_count = 3;
	epoch.gpu = &trace;
	epoch.gpu_records = &records;
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
}

static int store_a_run(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	path = in_folder("gpu.db");
	store = open_store(path);
	struct tp_store_run run = sample_run;
	run.gpus = gpus;
	run.gpu_count = 1;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	return 0;
}

static int close_the_store(void **state)
{
	tp_store_close(store);
	return remove_folder(state);
}

static void the_gpu_is_described(void **state)
{
	(void)state;
	assert_string_equal(sql_text(path, "SELECT id, name, busLocation, uuid, totalMemory, l2CacheSize, "
	                                   "memoryBandwidth, clockRate, smCount, computeMajor, computeMinor "
	                                   "FROM TARGET_INFO_GPU"),
	                    "1|a GPU|0000:17:00.0|GPU-1|1000|100|4000|5000|132|9|1");
}

static void an_epoch_without_a_gpu_has_no_such_rows(void **state)
{
	(void)state;
	struct tp_store_epoch epoch = sample_epoch(1);
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	assert_string_equal(
	        sql_text(path, "SELECT (SELECT count(*) FROM gpu_trace), (SELECT count(*) FROM device_copy)"), "0|0");
}

/* Names that come later belong to the same run, though another's were written between. */
static void kernels_have_names_that_came_later(void **state)
{
	(void)state;
	assert_ok(tp_store_add_kernel_names(store, run_id, kernel_names, 1));
	int64_t other = begin_sample(store);
	assert_ok(tp_store_add_kernel_names(store, other, kernel_names, 1));
	assert_ok(tp_store_add_kernel_names(store, run_id, kernel_names + 1, 1));
	add_epoch(2);
	assert_string_equal(sql_text(path, "SELECT stage, record_number, name, operation_number, start_ns, end_ns "
	                                   "FROM kernel JOIN kernel_name USING (run_id, kernel_name_id) "
	                                   "ORDER BY stage, record_number"),
	                    "0|0|conv|0|1|5;0|1|sgd|0|6|10;1|0|conv|-1|3|7");
}

static void launches_and_copies_have_their_views(void **state)
{
	(void)state;
	assert_string_equal(
	        sql_text(path,
	                 "SELECT start, \"end\", deviceId, contextId, streamId, correlationId, value, gridX, gridY, "
	                 "gridZ, blockX, blockY, blockZ, registersPerThread, staticSharedMemory, dynamicSharedMemory "
	                 "FROM CUPTI_ACTIVITY_KIND_KERNEL JOIN StringIds ON demangledName = id ORDER BY start"),
	        "1|5|1|2|10|21|conv|2|3|4|5|6|7|32|48|64;3|7|1|2|11|23|conv|0|0|0|0|0|0|0|0|0;"
	        "6|10|1|2|10|22|sgd|0|0|0|0|0|0|0|0|0");
	assert_string_equal(sql_text(path, "SELECT start, \"end\", bytes, copyKind, streamId, correlationId "
	                                   "FROM CUPTI_ACTIVITY_KIND_MEMCPY ORDER BY start"),
	                    "2|6|512|1|10|31;4|8|64|8|11|33");
	assert_string_equal(sql_text(path, "SELECT start, \"end\", bytes, streamId, correlationId "
	                                   "FROM CUPTI_ACTIVITY_KIND_MEMSET"),
	                    "9|13|8|10|32");
	assert_string_equal(sql_text(path, "SELECT stage, record_number, operation_number FROM device_copy "
	                                   "ORDER BY stage, record_number"),
	                    "0|0|0;0|1|-1;1|0|0");
}

static void the_trace_tells_of_itself(void **state)
{
	(void)state;
	assert_string_equal(sql_text(path, "SELECT epoch, trace_mode, reason, lost_record_count, untimed_kernel_count, "
	                                   "unmatched_record_count, overhead_ns, clock_error_ns, "
	                                   "allocated_peak_bytes, window_allocation_count FROM gpu_trace"),
	                    "2|cupti||1|2|3|4|5|6|7");
}

static void kernels_without_names_are_refused(void **state)
{
	(void)state;
	struct tp_kernel_record kernel = {.end_ns = 1, .name = 2};
	const struct tp_record_batch batch = {TP_RECORD_KERNEL, 3, 0, 0, 1, &kernel};
	assert_int_equal(tp_store_add_records(store, run_id, &batch), TP_ERR_INPUT);
	kernel.name = -1;
	assert_int_equal(tp_store_add_records(store, run_id, &batch), TP_ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_gpu_is_described),
	        cmocka_unit_test(an_epoch_without_a_gpu_has_no_such_rows),
	        cmocka_unit_test(kernels_have_names_that_came_later),
	        cmocka_unit_test(launches_and_copies_have_their_views),
	        cmocka_unit_test(the_trace_tells_of_itself),
	        cmocka_unit_test(kernels_without_names_are_refused),
	};
	return cmocka_run_group_tests(tests, store_a_run, close_the_store);
}
