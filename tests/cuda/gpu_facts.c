/* What only a GPU can show, of what the device cuda is built on: gpu_facts FILE [LIBFAKECUDA] writes one JSON object to
 * FILE, with a member for each fact that is passed, failed, or skipped, and why. On the stand-in no time is written. A
 * fact is a cmocka test, so that helpers of tests can be used; 77 where there is no GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>

#include "engine/base/clock.h"
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cupti_tracer.h"
#include "tests/cuda/layer_pair.h"
#include "tests/cuda/stand_in.h"

enum { OPERATIONS = 100, PER_OPERATION = 10, KERNELS = OPERATIONS * PER_OPERATION };
enum { SMALL = 64 * 1024, LARGE = 64 << 20, COPIES = 8 };

/* By fact; a test that does not come to its end leaves it failed. */
static json_t *facts;
static const char *file;

static bool write_facts(void)
{
	json_t *root = json_pack("{s:s, s:O}", "device", tp_cuda.stand_in ? tp_cuda.stand_in : "cuda", "facts", facts);
	const bool written = root && json_dump_file(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
	json_decref(root);
	return written;
}

/* Written before it is looked at, so that the file also tells of one that hangs. */
static json_t *begin(const char *name)
{
	json_t *fact = json_object();
	(void)json_object_set_new(fact, "state", json_string("failed"));
	(void)json_object_set_new(fact, "why", json_string("did not come to its end"));
	(void)json_object_set_new(facts, name, fact);
	(void)write_facts();
	return fact;
}

static void end(json_t *fact, const char *state, const char *why)
{
	(void)json_object_set_new(fact, "state", json_string(state));
	if (why)
		(void)json_object_set_new(fact, "why", json_string(why));
	else
		(void)json_object_del(fact, "why");
}

/* A reason that is kept also when the test ends here. */
static void expect(json_t *fact, bool holds, const char *why)
{
	if (!holds) {
		end(fact, "failed", why);
		fail_msg("%s", why);
	}
}

static void must(json_t *fact, enum tp_status status)
{
	expect(fact, status == TP_OK, tp_detail());
}

static struct tp_device *open_device(json_t *fact, enum tp_math math)
{
	const struct tp_device_options options = {.math = math, .stages = 1, .gpus = 1};
	const struct tp_device_ops *ops = math == TP_MATH_BF16 ? &tp_cuda_device_bf16 : &tp_cuda_device_f32;
	struct tp_device *device = NULL;
	must(fact, ops->open(&options, 0, &device));
	return device;
}

static void *reserve(json_t *fact, struct tp_device *device, size_t bytes)
{
	void *memory = NULL;
	must(fact, device->ops->memory->reserve(device, bytes, &memory));
	return memory;
}

/* --- kernels that CUPTI records -----------------------------------------------------------------------------------
 */

/* A thousand short kernels, ten to an operation; how long the host saw them. */
static int64_t run_kernels(json_t *fact, struct tp_device *device, float *values)
{
	const int64_t start_ns = tp_now_ns();
	for (int64_t operation = 0; operation < OPERATIONS; operation++) {
		device->ops->async->operation(device, operation);
		for (int i = 0; i < PER_OPERATION; i++)
			device->ops->blend(device, 0.5, values, 0.5, values, values, SMALL);
	}
	device->ops->async->operation(device, -1);
	must(fact, device->ops->async->finish(device, TP_CUDA_PATIENCE_NS));
	return tp_now_ns() - start_ns;
}

/* Once to warm up, then the time of a second time. */
static int64_t time_kernels(json_t *fact, bool traced, struct tp_gpu_trace *trace, int64_t *start_ns, int64_t *end_ns)
{
	must(fact, tp_cuda_tracer.start(traced));
	struct tp_device *device = open_device(fact, TP_MATH_FP32);
	float *values = reserve(fact, device, SMALL);
	(void)run_kernels(fact, device, values);
	tp_cuda_tracer.begin_epoch();
	*start_ns = tp_now_ns();
	const int64_t taken_ns = run_kernels(fact, device, values);
	*end_ns = tp_now_ns();
	must(fact, tp_cuda_tracer.end_epoch(trace));
	device->ops->memory->release(device, values);
	device->ops->close(device);
	return taken_ns;
}

static void check_clock(json_t *fact, const struct tp_gpu_trace *trace, int64_t start_ns, int64_t end_ns)
{
	int64_t outside = 0;
	for (int64_t i = 0; i < trace->kernel_count; i++)
		outside += trace->kernels[i].place.start_ns < start_ns || trace->kernels[i].place.end_ns > end_ns;
	(void)json_object_set_new(fact, "kernels_outside", json_integer(outside));
	(void)json_object_set_new(fact, "clock_error_ns", json_integer(trace->clock_error_ns));
	expect(fact, trace->clock_error_ns == 0, "CUPTI does not take the monotonic clock: its own is bracketed");
	expect(fact, outside == 0, "kernels outside the host's bracket");
	end(fact, "passed", NULL);
}

static void check_correlation(json_t *fact, const struct tp_gpu_trace *trace)
{
	int64_t right = 0;
	for (int64_t i = 0; i < trace->kernel_count; i++)
		right += trace->kernels[i].place.operation == i / PER_OPERATION;
	(void)json_object_set_new(fact, "unmatched", json_integer(trace->unmatched));
	(void)json_object_set_new(fact, "coverage_ratio", json_real((double)right / KERNELS));
	expect(fact, right == KERNELS, "kernels without their operation, or with another's");
	end(fact, "passed", NULL);
}

static void cupti_records_kernels(void **unused)
{
	(void)unused;
	json_t *clock = begin("cupti_clock"), *correlation = begin("cupti_correlation"), *fact = begin("cupti_kernels");
	struct tp_gpu_trace trace;
	int64_t start_ns, end_ns;
	const int64_t untraced_ns = time_kernels(fact, false, &trace, &start_ns, &end_ns);
	tp_cuda_tracer.stop();
	const int64_t traced_ns = time_kernels(fact, true, &trace, &start_ns, &end_ns);
	if (trace.mode != TP_GPU_TRACE_CUPTI && strstr(trace.reason, "in use by")) {
		end(fact, "skipped", trace.reason);
		end(clock, "skipped", trace.reason);
		end(correlation, "skipped", trace.reason);
		return;
	}
	expect(fact, trace.mode == TP_GPU_TRACE_CUPTI, trace.reason);
	(void)json_object_set_new(fact, "kernels", json_integer(trace.kernel_count));
	(void)json_object_set_new(fact, "dropped", json_integer(trace.dropped));
	(void)json_object_set_new(fact, "untimed", json_integer(trace.untimed));
	(void)json_object_set_new(fact, "traced_to_untraced_ratio",
	                          tp_cuda.stand_in ? json_null() : json_real((double)traced_ns / (double)untraced_ns));
	expect(fact, trace.dropped == 0 && trace.untimed == 0, "records that are lost, or without times");
	expect(fact, trace.kernel_count == KERNELS, "not as many kernels as were launched");
	end(fact, "passed", NULL);
	check_clock(clock, &trace, start_ns, end_ns);
	check_correlation(correlation, &trace);
	tp_cuda_tracer.stop();
}

static void CUPTIAPI nothing(void *context, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
	(void)context;
	(void)domain;
	(void)id;
	(void)data;
}

/* Somebody else has CUPTI: the same as under Nsight Compute, a debugger or compute-sanitizer. */
static void cupti_gives_way(void **unused)
{
	(void)unused;
	json_t *fact = begin("cupti_gives_way");
	static char holder[64];
	CUpti_SubscriberParams params = {.structSize = CUpti_SubscriberParams_STRUCT_SIZE,
	                                 .subscriberName = "gpu_facts",
	                                 .oldSubscriberName = holder,
	                                 .oldSubscriberSize = sizeof holder};
	CUpti_SubscriberHandle subscriber = NULL;
	struct tp_gpu_trace trace;
	int64_t start_ns, end_ns;
	expect(fact, tp_cuda.has_cupti, "CUPTI's library is not there");
	expect(fact, tp_cuda.cuptiSubscribe_v2(&subscriber, nothing, NULL, &params) == CUPTI_SUCCESS,
	       "cuptiSubscribe_v2 is refused to the first that asks");
	(void)time_kernels(fact, true, &trace, &start_ns, &end_ns);
	tp_cuda_tracer.stop();
	(void)tp_cuda.cuptiUnsubscribe(subscriber);
	(void)json_object_set_new(fact, "reason", json_string(trace.reason));
	expect(fact, trace.mode == TP_GPU_TRACE_EVENTS, "the tracer went on beside another subscriber");
	expect(fact, strstr(trace.reason, "in use by") != NULL, "the reason is not that CUPTI is taken");
	end(fact, "passed", NULL);
}

/* --- streams, kernels, libraries ----------------------------------------------------------------------------------
 */

/* Of a copy's time, what some kernel ran in. Kernels of one stream follow one another. */
static int64_t shared_ns(const struct tp_gpu_trace *trace, const struct tp_gpu_place *copy)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < trace->kernel_count; i++) {
		const struct tp_gpu_place *kernel = &trace->kernels[i].place;
		const int64_t from = kernel->start_ns > copy->start_ns ? kernel->start_ns : copy->start_ns;
		const int64_t to = kernel->end_ns < copy->end_ns ? kernel->end_ns : copy->end_ns;
		sum += to > from ? to - from : 0;
	}
	return sum;
}

static void issue_both(json_t *fact, struct tp_device *device, float *values, void *from, void *to)
{
	struct tp_cuda_device *cuda = tp_cuda_of(device);
	for (int i = 0; i < COPIES; i++) {
		device->ops->blend(device, 0.5, values, 0.5, values, values, LARGE);
		must(fact, TP_CUDA_CHECK(cudaMemcpyAsync, to, from, LARGE, cudaMemcpyDeviceToDevice, cuda->copy_out));
	}
	must(fact, tp_cuda_await(cuda, cuda->copy_out, TP_CUDA_PATIENCE_NS));
	must(fact, device->ops->async->finish(device, TP_CUDA_PATIENCE_NS));
}

static void copies_overlap_kernels(void **unused)
{
	(void)unused;
	json_t *fact = begin("copy_overlap");
	struct tp_gpu_trace trace;
	if (tp_cuda.stand_in) {
		end(fact, "skipped", "the stand-in does one thing at a time");
		return;
	}
	must(fact, tp_cuda_tracer.start(true));
	struct tp_device *device = open_device(fact, TP_MATH_FP32);
	void *memory[3];
	for (int i = 0; i < 3; i++)
		memory[i] = reserve(fact, device, LARGE);
	issue_both(fact, device, memory[0], memory[1], memory[2]);
	tp_cuda_tracer.begin_epoch();
	issue_both(fact, device, memory[0], memory[1], memory[2]);
	must(fact, tp_cuda_tracer.end_epoch(&trace));
	int64_t copies_ns = 0, both_ns = 0;
	for (int64_t i = 0; i < trace.copy_count; i++) {
		copies_ns += trace.copies[i].place.end_ns - trace.copies[i].place.start_ns;
		both_ns += shared_ns(&trace, &trace.copies[i].place);
	}
	for (int i = 0; i < 3; i++)
		device->ops->memory->release(device, memory[i]);
	device->ops->close(device);
	tp_cuda_tracer.stop();
	expect(fact, copies_ns > 0, trace.reason[0] ? trace.reason : "no copy was recorded");
	(void)json_object_set_new(fact, "overlap_ratio", json_real((double)both_ns / (double)copies_ns));
	expect(fact, both_ns > 0, "copies and kernels on two streams do not overlap");
	end(fact, "passed", NULL);
}

/* The clock measures events from an anchor that may be later than they are. */
static void times_before_an_event(void **unused)
{
	(void)unused;
	json_t *fact = begin("time_before_event");
	struct tp_device *device = open_device(fact, TP_MATH_FP32);
	struct tp_mark *earlier = stand_in_mark(device), *later = stand_in_mark(device);
	float *values = reserve(fact, device, LARGE);
	float forth_ms = 0, back_ms = 0;
	must(fact, device->ops->async->record(device, earlier));
	device->ops->blend(device, 0.5, values, 0.5, values, values, LARGE);
	must(fact, device->ops->async->record(device, later));
	must(fact, device->ops->async->finish(device, TP_CUDA_PATIENCE_NS));
	must(fact, TP_CUDA_CHECK(cudaEventElapsedTime, &forth_ms, earlier->event, later->event));
	must(fact, TP_CUDA_CHECK(cudaEventElapsedTime, &back_ms, later->event, earlier->event));
	device->ops->async->mark_free(device, earlier);
	device->ops->async->mark_free(device, later);
	device->ops->memory->release(device, values);
	device->ops->close(device);
	expect(fact, forth_ms > 0 && fabsf(forth_ms + back_ms) < 0.001F, "the time back is not minus the time forth");
	end(fact, "passed", NULL);
}

static void kernels_are_found_by_name(void **unused)
{
	(void)unused;
	json_t *fact = begin("kernels_by_name");
	struct tp_device *device = open_device(fact, TP_MATH_FP32);
	int found = 0;
	for (int i = 0; i < TPB_KERNELS; i++)
		found += tp_cuda_of(device)->kernels[i] != NULL;
	device->ops->close(device);
	(void)json_object_set_new(fact, "kernels", json_integer(found));
	expect(fact, found == TPB_KERNELS, "kernels that the module lacks");
	end(fact, "passed", NULL);
}

/* Forward and backward of a mini-batch in two slices against the reference device. */
static void check_layer(json_t *fact, struct tp_layer layer, enum tp_math math)
{
	const struct layer_options options = {{8, 2}, TP_SPAN_MINI, math, false};
	struct tp_device *device = open_device(fact, math);
	struct layer_pair pair;
	layer_pair_open(&pair, device, &layer, &options);
	for (int32_t slice = 0; slice < 2; slice++) {
		layer_forward(&pair, &pair.cuda, slice, false);
		layer_forward(&pair, &pair.reference, slice, false);
	}
	layer_compare_state(&pair);
	layer_compare_output(&pair, "forward", 8);
	layer_backward(&pair, &pair.cuda, TP_BACKWARD_BOTH, 0, 2, false);
	layer_backward(&pair, &pair.reference, TP_BACKWARD_BOTH, 0, 2, false);
	layer_compare_gradients(&pair);
	(void)json_object_set_new(fact, "tolerance", json_real(pair.tolerance));
	(void)json_object_set_new(fact, "algorithms", json_string(pair.cuda.kernel->algorithms));
	layer_pair_close(&pair);
	device->ops->close(device);
	end(fact, "passed", NULL);
}

static void convolution_in_bf16(void **unused)
{
	(void)unused;
	const struct tp_layer layer = {.kind = TP_LAYER_CONV,
	                               .name = "conv",
	                               .inputs = 1,
	                               .in_shape = {64, 16, 16},
	                               .out_shape = {32, 16, 16},
	                               .kernel = 3,
	                               .stride = 1,
	                               .padding = 1};
	check_layer(begin("convolution_bf16"), layer, TP_MATH_BF16);
}

static void normalisation(void **unused)
{
	(void)unused;
	const struct tp_layer layer = {.kind = TP_LAYER_BATCHNORM,
	                               .name = "norm",
	                               .relu = true,
	                               .inputs = 1,
	                               .in_shape = {64, 8, 8},
	                               .out_shape = {64, 8, 8},
	                               .eps = 1e-5,
	                               .momentum = 0.1};
	check_layer(begin("batch_normalisation"), layer, TP_MATH_FP32);
}

static void graphs_are_not_used(void **unused)
{
	(void)unused;
	end(begin("graphs"), "skipped", "the device cuda uses no CUDA graphs");
}

/* --- NCCL ---------------------------------------------------------------------------------------------------------
 */

static void nccl_with_one_rank(void **unused)
{
	(void)unused;
	json_t *fact = begin("nccl_one_rank");
	ncclUniqueId id;
	ncclComm_t comm = NULL;
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	int version = 0;
	if (!tp_cuda.has_nccl) {
		end(fact, "skipped", "NCCL's library is not there");
		return;
	}
	must(fact, TP_NCCL_CHECK(ncclGetVersion, &version));
	must(fact, TP_CUDA_CHECK(cudaSetDevice, 0));
	must(fact, TP_NCCL_CHECK(ncclGetUniqueId, &id));
	must(fact, TP_NCCL_CHECK(ncclCommInitRankConfig, &comm, 1, id, 0, &config));
	must(fact, TP_NCCL_CHECK(ncclCommDestroy, comm));
	(void)json_object_set_new(fact, "version", json_integer(version));
	end(fact, "passed", NULL);
}

/* It is refused, which is why stages that share a GPU have other transports. */
static void nccl_with_two_ranks_on_one_gpu(void **unused)
{
	(void)unused;
	json_t *fact = begin("nccl_two_ranks_on_one_gpu");
	ncclUniqueId id;
	ncclComm_t comms[2] = {NULL, NULL};
	ncclConfig_t configs[2] = {NCCL_CONFIG_INITIALIZER, NCCL_CONFIG_INITIALIZER};
	if (!tp_cuda.has_nccl) {
		end(fact, "skipped", "NCCL's library is not there");
		return;
	}
	must(fact, TP_CUDA_CHECK(cudaSetDevice, 0));
	must(fact, TP_NCCL_CHECK(ncclGetUniqueId, &id));
	must(fact, TP_NCCL_CHECK(ncclGroupStart));
	for (int rank = 0; rank < 2; rank++)
		(void)tp_cuda.ncclCommInitRankConfig(&comms[rank], 2, id, rank, &configs[rank]);
	ncclResult_t result = tp_cuda.ncclGroupEnd();
	if (result == ncclSuccess && comms[0])
		(void)tp_cuda.ncclCommGetAsyncError(comms[0], &result);
	const char *text = tp_cuda.ncclGetLastError(NULL);
	(void)json_object_set_new(fact, "result", json_integer((int)result));
	(void)json_object_set_new(fact, "text", json_string(text ? text : ""));
	for (int rank = 0; rank < 2; rank++)
		if (comms[rank])
			(void)tp_cuda.ncclCommAbort(comms[rank]);
	expect(fact, result != ncclSuccess, "two ranks on one GPU are not refused");
	end(fact, "passed", NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cupti_records_kernels),
	        cmocka_unit_test(copies_overlap_kernels),
	        cmocka_unit_test(times_before_an_event),
	        cmocka_unit_test(kernels_are_found_by_name),
	        cmocka_unit_test(convolution_in_bf16),
	        cmocka_unit_test(normalisation),
	        cmocka_unit_test(graphs_are_not_used),
	        cmocka_unit_test(nccl_with_one_rank),
	        cmocka_unit_test(nccl_with_two_ranks_on_one_gpu),
	        cmocka_unit_test(cupti_gives_way),
	};
	struct tp_text line = {0};
	if (argc != 2 && argc != 3) {
		(void)fprintf(stderr, "usage: gpu_facts FILE [LIBFAKECUDA]\n");
		return 2;
	}
	if (argc == 3)
		stand_in_load(argv[2], "1");
	if (!tp_cuda_probe(&line)) {
		(void)printf("gpu_facts: %s: %s\n", argc == 3 ? "failed" : "skipped", tp_text_get(&line));
		tp_text_release(&line);
		return argc == 3 ? 1 : 77;
	}
	tp_text_release(&line);
	facts = json_object();
	file = argv[1];
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (!write_facts()) {
		(void)fprintf(stderr, "gpu_facts: %s cannot be written\n", file);
		return 1;
	}
	return failed ? 1 : 0;
}
