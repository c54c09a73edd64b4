/* The tracer over a CUPTI made of a few functions here: what it asks, in which order, and what it does when it is
 * refused. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cupti_buffer.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cuda/cuda_api.h"
#include "engine/cuda/cupti_buffers.h"
#include "engine/cuda/cupti_clock.h"
#include "engine/cuda/cupti_tracer.h"

/* --- CUPTI ---------------------------------------------------------------------------------------------------------
 */

static struct {
	uint32_t version;
	CUptiResult subscribe, clock, flush;
	CUpti_ActivityKind refused_kind;
	const char *holder;
	int64_t clock_offset_ns;
	size_t dropped;
	char log[4096]; /* of what was asked, "a b c" */
	CUpti_BuffersCallbackRequestFunc requested;
	CUpti_BuffersCallbackCompleteFunc completed;
	CUpti_TimestampCallbackFunc timestamp;
	struct buffer staged; /* what the next flush brings */
	int buffers;
} cupti;

static _Thread_local uint64_t pushed[4];
static _Thread_local int depth;

static void note(const char *what)
{
	size_t used = strlen(cupti.log);
	(void)snprintf(cupti.log + used, sizeof cupti.log - used, "%s%s", used ? " " : "", what);
}

static CUptiResult get_version(uint32_t *version)
{
	note("version");
	*version = cupti.version;
	return CUPTI_SUCCESS;
}

static CUptiResult subscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc callback, void *context,
                             CUpti_SubscriberParams *params)
{
	note("subscribe");
	assert_non_null(callback);
	assert_null(context);
	assert_true(params->structSize >= sizeof *params);
	assert_true(params->oldSubscriberSize >= CUPTI_OLD_SUBSCRIBER_NAME_MIN_LEN);
	assert_string_equal(params->subscriberName, "tpbench");
	if (cupti.holder)
		(void)snprintf(params->oldSubscriberName, params->oldSubscriberSize, "%s", cupti.holder);
	*subscriber = (CUpti_SubscriberHandle)&cupti;
	return cupti.subscribe;
}

static CUptiResult unsubscribe(CUpti_SubscriberHandle subscriber)
{
	assert_ptr_equal(subscriber, &cupti);
	note("unsubscribe");
	return CUPTI_SUCCESS;
}

static CUptiResult finalize(void)
{
	note("finalize");
	return CUPTI_SUCCESS;
}

static CUptiResult register_clock(CUpti_TimestampCallbackFunc timestamp)
{
	note("clock");
	cupti.timestamp = timestamp;
	return cupti.clock;
}

static CUptiResult register_buffers(CUpti_BuffersCallbackRequestFunc requested,
                                    CUpti_BuffersCallbackCompleteFunc completed)
{
	note("buffers");
	cupti.requested = requested;
	cupti.completed = completed;
	return CUPTI_SUCCESS;
}

static CUptiResult set_attribute(CUpti_ActivityAttribute attribute, size_t *size, void *value)
{
	assert_int_equal(attribute, CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER);
	assert_int_equal(*size, 1);
	assert_int_equal(*(uint8_t *)value, 1);
	return CUPTI_SUCCESS;
}

static CUptiResult enable(CUpti_ActivityKind kind)
{
	assert_int_not_equal(kind, CUPTI_ACTIVITY_KIND_KERNEL); /* it would let one kernel run at a time */
	if (!strstr(cupti.log, "enable"))
		note("enable");
	return kind == cupti.refused_kind ? CUPTI_ERROR_NOT_COMPATIBLE : CUPTI_SUCCESS;
}

static CUptiResult disable(CUpti_ActivityKind kind)
{
	(void)kind;
	return CUPTI_SUCCESS;
}

static CUptiResult enable_call(CUpti_CallbackId id, uint8_t on)
{
	(void)id;
	(void)on;
	return CUPTI_SUCCESS;
}

static CUptiResult get_timestamp(uint64_t *timestamp)
{
	*timestamp = (uint64_t)(tp_now_ns() + cupti.clock_offset_ns);
	return CUPTI_SUCCESS;
}

static CUptiResult get_dropped(CUcontext context, uint32_t stream, size_t *dropped)
{
	(void)context;
	(void)stream;
	*dropped = cupti.dropped;
	cupti.dropped = 0;
	return CUPTI_SUCCESS;
}

static CUptiResult push(CUpti_ExternalCorrelationKind kind, uint64_t id)
{
	assert_int_equal(kind, CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0);
	assert_true(depth < 4);
	pushed[depth++] = id;
	return CUPTI_SUCCESS;
}

static CUptiResult pop(CUpti_ExternalCorrelationKind kind, uint64_t *last)
{
	assert_int_equal(kind, CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0);
	assert_null(last);
	assert_true(depth > 0);
	depth--;
	return CUPTI_SUCCESS;
}

static CUptiResult result_string(CUptiResult result, const char **text)
{
	*text = result == CUPTI_ERROR_NOT_COMPATIBLE ? "CUPTI_ERROR_NOT_COMPATIBLE" : "?";
	return CUPTI_SUCCESS;
}

/* What is staged goes into a buffer, which must be as it was promised. */
static CUptiResult flush(uint32_t flag)
{
	uint8_t *buffer = NULL;
	size_t size = 0, most = 1;
	(void)flag;
	if (cupti.staged.used == 0 || !cupti.requested)
		return cupti.flush;
	cupti.requested(&buffer, &size, &most);
	assert_non_null(buffer);
	assert_int_equal(size, TP_CUPTI_BUFFER_BYTES);
	assert_int_equal(most, 0);
	assert_int_equal((uintptr_t)buffer % 8, 0);
	for (size_t i = 0; i < 2 * sizeof cupti.staged.bytes; i++)
		assert_int_equal(buffer[i], 0);
	(void)memcpy(buffer, cupti.staged.bytes, cupti.staged.used);
	size_t used = cupti.staged.used;
	cupti.staged.used = 0;
	cupti.buffers++;
	cupti.completed(NULL, 0, buffer, size, used);
	return cupti.flush;
}

static int reset(void **state)
{
	(void)state;
	(void)memset(&cupti, 0, sizeof cupti);
	cupti.version = CUPTI_API_VERSION;
	cupti.refused_kind = CUPTI_ACTIVITY_KIND_INVALID;
	tp_cuda = (struct tp_cuda_api){
	        .cuptiActivityDisable = disable,
	        .cuptiActivityEnable = enable,
	        .cuptiActivityEnableDriverApi = enable_call,
	        .cuptiActivityEnableRuntimeApi = enable_call,
	        .cuptiActivityFlushAll = flush,
	        .cuptiActivityGetNextRecord = next_record,
	        .cuptiActivityGetNumDroppedRecords = get_dropped,
	        .cuptiActivityPopExternalCorrelationId = pop,
	        .cuptiActivityPushExternalCorrelationId = push,
	        .cuptiActivityRegisterCallbacks = register_buffers,
	        .cuptiActivityRegisterTimestampCallback = register_clock,
	        .cuptiActivitySetAttribute = set_attribute,
	        .cuptiFinalize = finalize,
	        .cuptiGetResultString = result_string,
	        .cuptiGetTimestamp = get_timestamp,
	        .cuptiGetVersion = get_version,
	        .cuptiSubscribe_v2 = subscribe,
	        .cuptiUnsubscribe = unsubscribe,
	        .has_cupti = true,
	};
	return 0;
}

static int stop(void **state)
{
	(void)state;
	tp_cuda_tracer.stop();
	tp_alloc_fail_after(-1);
	depth = 0;
	return 0;
}

/* --- refusals ------------------------------------------------------------------------------------------------------
 */

/* Times come from events, for this reason; the hooks do nothing. */
static void assert_refused(const char *reason)
{
	struct tp_gpu_trace trace;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(0, 1);
	assert_int_equal(depth, 0);
	assert_int_equal(tp_cuda_tracer.end_epoch(&trace), TP_OK);
	assert_int_equal(trace.mode, TP_GPU_TRACE_EVENTS);
	assert_string_equal(trace.reason, reason);
	assert_int_equal(trace.kernel_count, 0);
	tp_cuda_tracer.stop();
}

static void another_tool_is_named(void **state)
{
	(void)state;
	cupti.subscribe = CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	cupti.holder = "Nsight Systems";
	assert_refused("CUPTI is in use by Nsight Systems");
	assert_string_equal(cupti.log, "version subscribe");
	cupti.holder = NULL;
	assert_refused("CUPTI is in use by another tool");
}

static void a_failed_subscription_is_the_last_call(void **state)
{
	(void)state;
	cupti.subscribe = CUPTI_ERROR_UNKNOWN;
	assert_refused("cuptiSubscribe_v2 failed with 999");
	assert_string_equal(cupti.log, "version subscribe");
}

static void another_major_version_is_not_asked(void **state)
{
	(void)state;
	char expected[160];
	cupti.version = CUPTI_API_VERSION + 10000;
	(void)snprintf(expected, sizeof expected,
	               "CUPTI is of version %d, this program was made with the records of %d",
	               CUPTI_API_VERSION + 10000, CUPTI_API_VERSION);
	assert_refused(expected);
	assert_string_equal(cupti.log, "version");
}

static void a_missing_library_is_not_asked(void **state)
{
	(void)state;
	tp_cuda = (struct tp_cuda_api){.has_cupti = false};
	assert_refused("CUPTI's library is not there");
}

static void what_is_not_wanted_is_not_traced(void **state)
{
	(void)state;
	struct tp_gpu_trace trace;
	assert_int_equal(tp_cuda_tracer.start(false), TP_OK);
	assert_int_equal(tp_cuda_tracer.end_epoch(&trace), TP_OK);
	assert_int_equal(trace.mode, TP_GPU_TRACE_EVENTS);
	assert_string_equal(trace.reason, "kernels are not to be recorded (--profile)");
	assert_string_equal(cupti.log, "");
}

/* What was begun is ended, the subscription first. */
static void a_needed_kind_that_is_refused_ends_it(void **state)
{
	(void)state;
	cupti.refused_kind = CUPTI_ACTIVITY_KIND_MEMCPY;
	assert_refused("cuptiActivityEnable: CUPTI_ERROR_NOT_COMPATIBLE (14)");
	assert_string_equal(cupti.log, "version subscribe clock buffers enable unsubscribe finalize");
}

static void other_kinds_may_be_refused(void **state)
{
	(void)state;
	struct tp_gpu_trace trace;
	cupti.refused_kind = CUPTI_ACTIVITY_KIND_OVERHEAD;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	assert_int_equal(tp_cuda_tracer.end_epoch(&trace), TP_OK);
	assert_int_equal(trace.mode, TP_GPU_TRACE_CUPTI);
	assert_string_equal(trace.reason, "");
	tp_cuda_tracer.stop();
	assert_string_equal(cupti.log, "version subscribe clock buffers enable unsubscribe finalize");
}

static void no_memory_is_a_failure(void **state)
{
	(void)state;
	for (int64_t successes = 0; successes < 10; successes++) {
		tp_alloc_fail_after(successes);
		assert_int_equal(tp_cuda_tracer.start(true), TP_ERR_NOMEM);
		tp_alloc_fail_after(-1);
		tp_cuda_tracer.stop();
	}
}

/* --- traces --------------------------------------------------------------------------------------------------------
 */

/* A launch as CUPTI records it: the link, the call, the kernel. */
static void launch(const char *name, uint32_t correlation, uint64_t start, uint64_t end)
{
	if (depth > 0)
		append_link(&cupti.staged, pushed[depth - 1], correlation);
	append_call(&cupti.staged, correlation);
	append_kernel(&cupti.staged, name, start, end, correlation);
}

static struct tp_gpu_trace end_epoch(void)
{
	struct tp_gpu_trace trace;
	assert_int_equal(tp_cuda_tracer.end_epoch(&trace), TP_OK);
	assert_int_equal(trace.mode, TP_GPU_TRACE_CUPTI);
	return trace;
}

static void records_find_their_operations(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	launch("before", 1, 1, 2);
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(0, 0);
	launch("a", 9, 10, 20);
	tp_cuda_trace_operation(0, 1);
	assert_int_equal(depth, 1);
	launch("b", 5, 30, 40);
	append_link(&cupti.staged, pushed[0], 6);
	append_copy(&cupti.staged, CUPTI_ACTIVITY_MEMCPY_KIND_DTOD, 64, 41, 42, 6);
	tp_cuda_trace_operation(0, -1);
	assert_int_equal(depth, 0);
	launch("a", 7, 50, 60);
	tp_cuda_trace_operation(3, 2);
	launch("a", 8, 70, 80);
	tp_cuda_trace_operation(3, -1);
	struct tp_gpu_trace trace = end_epoch();
	assert_int_equal(trace.kernel_count, 4);
	static const int64_t expected[4][3] = {{0, 0, 10}, {0, 1, 30}, {-1, -1, 50}, {3, 2, 70}};
	static const char *const names[] = {"a", "b", "a", "a"};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(trace.kernels[i].place.stage, expected[i][0]);
		assert_int_equal(trace.kernels[i].place.operation, expected[i][1]);
		assert_int_equal(trace.kernels[i].place.start_ns, expected[i][2]);
		assert_string_equal(trace.names[trace.kernels[i].name], names[i]);
	}
	assert_int_equal(trace.copy_count, 1);
	assert_int_equal(trace.copies[0].place.operation, 1);
	assert_int_equal(trace.unmatched, 1);
	assert_int_equal(trace.dropped, 0);
	assert_int_equal(trace.clock_error_ns, 0);
	/* What comes between epochs is nobody's, and moves nothing. */
	launch("between", 10, 90, 91);
	tp_cuda_tracer.begin_epoch();
	trace = end_epoch();
	assert_int_equal(trace.kernel_count, 0);
	assert_int_equal(trace.unmatched, 0);
}

/* An operation of an earlier epoch is not one of this. */
static void numbers_are_not_used_again(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(1, 5);
	uint64_t earlier = pushed[0];
	tp_cuda_trace_operation(1, -1);
	(void)end_epoch();
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(1, 7);
	assert_int_not_equal(pushed[0], earlier);
	append_link(&cupti.staged, earlier, 1);
	append_kernel(&cupti.staged, "late", 1, 2, 1);
	launch("now", 2, 3, 4);
	tp_cuda_trace_operation(1, -1);
	struct tp_gpu_trace trace = end_epoch();
	assert_int_equal(trace.kernels[0].place.operation, -1);
	assert_int_equal(trace.kernels[1].place.operation, 7);
	assert_int_equal(trace.unmatched, 1);
}

static void lost_records_are_counted(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	launch("a", 1, 1, 2);
	launch("a", 2, 0, 0);
	cupti.dropped = 3;
	struct tp_gpu_trace trace = end_epoch();
	assert_int_equal(trace.dropped, 3);
	assert_int_equal(trace.untimed, 1);
	assert_false(tp_gpu_trace_complete(&trace));
	tp_cuda_tracer.begin_epoch();
	trace = end_epoch();
	assert_int_equal(trace.dropped, 0);
	tp_cuda_tracer.begin_epoch();
	cupti.flush = CUPTI_ERROR_NOT_COMPATIBLE;
	trace = end_epoch();
	assert_int_equal(trace.dropped, 1);
	assert_string_equal(trace.reason, "cuptiActivityFlushAll: CUPTI_ERROR_NOT_COMPATIBLE (14)");
}

static void our_clock_is_offered_first(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	assert_non_null(cupti.timestamp);
	int64_t before = tp_now_ns();
	uint64_t now = cupti.timestamp();
	assert_in_range(now, before, tp_now_ns());
}

/* CUPTI keeps its own clock: times are moved, and how well that is known is said. */
static void another_clock_is_bracketed(void **state)
{
	(void)state;
	cupti.clock = CUPTI_ERROR_NOT_COMPATIBLE;
	cupti.clock_offset_ns = INT64_C(1700000000) * 1000000000;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	int64_t at = tp_now_ns();
	uint64_t start = (uint64_t)(at + cupti.clock_offset_ns);
	launch("a", 1, start, start + 1000);
	append_copy(&cupti.staged, 1, 8, start + 2000, start + 3000, 2);
	struct tp_gpu_trace trace = end_epoch();
	assert_true(trace.clock_error_ns > 0);
	int64_t error = trace.clock_error_ns + 1;
	assert_in_range(trace.kernels[0].place.start_ns, at - error, at + error);
	assert_in_range(trace.kernels[0].place.end_ns, at + 1000 - error, at + 1000 + error);
	assert_in_range(trace.copies[0].place.start_ns, at + 2000 - error, at + 2000 + error);
}

static void the_offset_is_a_line(void **state)
{
	(void)state;
	const struct tp_cupti_moment first = {.cupti_ns = 1000, .offset_ns = -500},
	                             last = {.cupti_ns = 3000, .offset_ns = -300};
	assert_int_equal(tp_cupti_to_monotonic(&first, &last, 1000), 500);
	assert_int_equal(tp_cupti_to_monotonic(&first, &last, 2000), 1600);
	assert_int_equal(tp_cupti_to_monotonic(&first, &last, 3000), 2700);
	assert_int_equal(tp_cupti_to_monotonic(&first, &last, 4000), 3800);
	assert_int_equal(tp_cupti_to_monotonic(&first, &first, 4000), 3500);
}

/* Far more buffers than there are, and nothing is allocated. */
static void buffers_are_used_again(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	uint64_t before = tp_alloc_count();
	for (uint32_t i = 0; i < 100; i++) {
		tp_cuda_trace_operation(0, i);
		launch("a", i, i + 1, i + 2);
		tp_cuda_trace_operation(0, -1);
		(void)flush(0);
		if (i % 8 == 7) {
			struct tp_gpu_trace unused = end_epoch(); /* waits for the reader */
			assert_int_equal(unused.kernel_count, 8);
			tp_cuda_tracer.begin_epoch();
		}
	}
	assert_int_equal(cupti.buffers, 100);
	assert_int_equal(tp_alloc_count(), before);
	assert_int_equal(end_epoch().kernel_count, 4);
}

static void *issue(void *of)
{
	const int32_t stage = *(const int32_t *)of;
	for (int64_t i = 0; i < 1000; i++) {
		tp_cuda_trace_operation(stage, i);
		if (depth != 1)
			return NULL;
	}
	tp_cuda_trace_operation(stage, -1);
	return depth == 0 ? of : NULL;
}

static void threads_do_not_meet(void **state)
{
	(void)state;
	int32_t stages[] = {0, 1, 2};
	pthread_t threads[3];
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, issue, &stages[i]), 0);
	for (int i = 0; i < 3; i++) {
		void *ended;
		assert_int_equal(pthread_join(threads[i], &ended), 0);
		assert_non_null(ended);
	}
	assert_int_equal(end_epoch().unmatched, 0);
}

/* Nothing is asked of CUPTI after it was left, and a run that follows begins anew. */
static void a_second_run_begins_anew(void **state)
{
	(void)state;
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(0, 1);
	(void)end_epoch();
	tp_cuda_tracer.stop();
	depth = 0;
	tp_cuda_trace_operation(0, 2);
	assert_int_equal(depth, 0);
	assert_int_equal(tp_cuda_tracer.start(true), TP_OK);
	tp_cuda_tracer.begin_epoch();
	tp_cuda_trace_operation(0, 3);
	assert_int_equal(depth, 1);
	launch("a", 1, 1, 2);
	assert_int_equal(end_epoch().kernels[0].place.operation, 3);
}

/* --- buffers -------------------------------------------------------------------------------------------------------
 */

static void add_first_byte(void *sum, uint8_t *buffer, size_t bytes)
{
	*(int64_t *)sum += buffer[0] + (int64_t)bytes;
}

static void more_buffers_are_made_when_none_is_left(void **state)
{
	(void)state;
	int64_t sum = 0;
	struct tp_cupti_buffers *buffers;
	assert_int_equal(tp_cupti_buffers_new(2, add_first_byte, &sum, &buffers), TP_OK);
	uint8_t *taken[3];
	for (int i = 0; i < 3; i++) {
		taken[i] = tp_cupti_buffers_take(buffers);
		assert_non_null(taken[i]);
		taken[i][0] = (uint8_t)(10 * (i + 1));
	}
	assert_int_equal(tp_cupti_buffers_grown(buffers), 1);
	tp_alloc_fail_after(0);
	assert_null(tp_cupti_buffers_take(buffers));
	tp_alloc_fail_after(-1);
	for (int i = 0; i < 3; i++)
		tp_cupti_buffers_put(buffers, taken[i], 1);
	tp_cupti_buffers_drain(buffers);
	assert_int_equal(sum, 63);
	assert_non_null(taken[0] = tp_cupti_buffers_take(buffers));
	assert_int_equal(taken[0][0], 0);
	assert_int_equal(tp_cupti_buffers_grown(buffers), 2);
	tp_cupti_buffers_put(buffers, taken[0], 5);
	tp_cupti_buffers_free(buffers); /* reads what is queued */
	assert_int_equal(sum, 68);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(another_tool_is_named, reset, stop),
	        cmocka_unit_test_setup_teardown(a_failed_subscription_is_the_last_call, reset, stop),
	        cmocka_unit_test_setup_teardown(another_major_version_is_not_asked, reset, stop),
	        cmocka_unit_test_setup_teardown(a_missing_library_is_not_asked, reset, stop),
	        cmocka_unit_test_setup_teardown(what_is_not_wanted_is_not_traced, reset, stop),
	        cmocka_unit_test_setup_teardown(a_needed_kind_that_is_refused_ends_it, reset, stop),
	        cmocka_unit_test_setup_teardown(other_kinds_may_be_refused, reset, stop),
	        cmocka_unit_test_setup_teardown(no_memory_is_a_failure, reset, stop),
	        cmocka_unit_test_setup_teardown(records_find_their_operations, reset, stop),
	        cmocka_unit_test_setup_teardown(numbers_are_not_used_again, reset, stop),
	        cmocka_unit_test_setup_teardown(lost_records_are_counted, reset, stop),
	        cmocka_unit_test_setup_teardown(our_clock_is_offered_first, reset, stop),
	        cmocka_unit_test_setup_teardown(another_clock_is_bracketed, reset, stop),
	        cmocka_unit_test_setup_teardown(the_offset_is_a_line, reset, stop),
	        cmocka_unit_test_setup_teardown(buffers_are_used_again, reset, stop),
	        cmocka_unit_test_setup_teardown(threads_do_not_meet, reset, stop),
	        cmocka_unit_test_setup_teardown(a_second_run_begins_anew, reset, stop),
	        cmocka_unit_test_setup_teardown(more_buffers_are_made_when_none_is_left, reset, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
