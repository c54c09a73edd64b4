/* One stage's GPU, over fakecuda: memory, hooks, marks, failures. argv[1] is libfakecuda.so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "engine/base/clock.h"
#include "tests/cuda/stand_in.h"

static void tables_fit_their_precision(void **state)
{
	(void)state;
	const struct tp_device_ops *f32 = NULL, *tf32 = NULL, *bf16 = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &f32), TP_OK);
	assert_int_equal(tp_device_find("cuda", TP_MATH_TF32, &tf32), TP_OK);
	assert_int_equal(tp_device_find("cuda", TP_MATH_BF16, &bf16), TP_OK);
	assert_ptr_equal(f32, tf32);
	assert_int_equal(f32->element_bytes, 4);
	assert_int_equal(bf16->element_bytes, 2);
	assert_non_null(bf16->blend_values);
	assert_non_null(f32->async);
	assert_string_equal(f32->async->links[0]->name, "cuda-copy");
	for (const struct tp_device_ops *const *row = tp_devices; *row; row++)
		if (strcmp((*row)->name, "cuda") == 0)
			assert_string_equal((*row)->stand_in(), FAKECUDA_LABEL);
}

/* CUDA reads it when it starts, so it is there as soon as the device was looked for. */
static void streams_have_queues(void **state)
{
	(void)state;
	const struct tp_device_ops *ops = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_OK);
	assert_string_equal(getenv("CUDA_DEVICE_MAX_CONNECTIONS"), "32");
}

static void expect_unusable(const char *reason)
{
	const struct tp_device_ops *ops = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_ERR_UNSUPPORTED);
	stand_in_expect_detail("device cuda: cannot be used here: ");
	stand_in_expect_detail(reason);
	stand_in.inject(NULL);
}

/* What a driver says that is missing, too old, none, or has nothing. */
static void reasons_why_not(void **state)
{
	(void)state;
	(void)setenv("FAKECUDA_DRIVER", "0", 1);
	expect_unusable("no NVIDIA driver");
	(void)setenv("FAKECUDA_DRIVER", "12040", 1);
	stand_in.inject("cudaGetDeviceCount:1:35");
	expect_unusable("the driver is too old: it is for CUDA 12.4, the runtime is 13.0");
	(void)unsetenv("FAKECUDA_DRIVER");
	stand_in.inject("cudaGetDeviceCount:1:34");
	expect_unusable("stub");
	stand_in.inject("cudaGetDeviceCount:1:100");
	expect_unusable("no GPU that CUDA can use");
	stand_in.inject("cudaGetDeviceCount:1:999");
	expect_unusable(" (999): ");
}

static void gpus_that_are_not_there(void **state)
{
	(void)state;
	const struct tp_device_options options = {.gpus = 3, .stages = 4};
	const struct tp_device_ops *ops = NULL;
	struct tp_device *device = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_OK);
	assert_int_equal(ops->open(&options, 0, &device), TP_ERR_INPUT);
	stand_in_expect_detail("--gpus 3: this machine has 2");
}

static void math_that_the_gpu_does_not_have(void **state)
{
	(void)state;
	static const enum tp_math maths[] = {TP_MATH_FP32, TP_MATH_TF32, TP_MATH_BF16};
	(void)setenv("FAKECUDA_CAPABILITY", "7", 1);
	for (size_t i = 0; i < sizeof maths / sizeof maths[0]; i++) {
		const struct tp_device_options options = {.math = maths[i], .gpus = 1, .stages = 1};
		const struct tp_device_ops *ops = NULL;
		struct tp_device *device = NULL;
		assert_int_equal(tp_device_find("cuda", maths[i], &ops), TP_OK);
		const enum tp_status status = ops->open(&options, 0, &device);
		assert_int_equal(status, i == 0 ? TP_OK : TP_ERR_UNSUPPORTED);
		if (status == TP_OK)
			ops->close(device);
		else
			stand_in_expect_detail("needs a GPU of compute capability 8.0 at least, this one has 7");
	}
	(void)unsetenv("FAKECUDA_CAPABILITY");
}

/* Whatever fails on the way, what was made before is given back. */
static void opening_fails_cleanly(void **state)
{
	(void)state;
	static const char *const calls[] = {"cudaStreamCreateWithFlags:1:2",
	                                    "cudaStreamCreateWithFlags:3:2",
	                                    "cudaLibraryLoadData:1:209",
	                                    "cudaLibraryGetKernel:2:500",
	                                    "cudaFuncGetAttributes:11:209",
	                                    "cudaMallocHost:1:2",
	                                    "cudaMalloc:1:2",
	                                    "cudaMallocHost:2:2",
	                                    "cudaEventCreateWithFlags:3:2",
	                                    "cudaMalloc:2:2",
	                                    "cudaMemsetAsync:1:1"};
	const struct tp_device_options options = {.gpus = 1, .stages = 1};
	const struct tp_device_ops *ops = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_OK);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct tp_device *device = NULL;
		stand_in.inject(calls[i]);
		if (ops->open(&options, 0, &device) == TP_OK)
			fail_msg("opened in spite of %s", calls[i]);
		stand_in_expect_detail("device cuda: stage 0 on GPU 0: ");
		stand_in.inject(NULL);
		(void)stand_in_clean(state);
	}
}

static void memory_is_zeroed_and_ends(void **state)
{
	(void)state;
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 1, 2, 1);
	const unsigned char *memory = stand_in_memory(device, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(memory[i], 0);
	assert_int_equal((uintptr_t)memory % 256, 0);
	void *more = (void *)(uintptr_t)memory;
	assert_int_equal(device->ops->memory->reserve(device, (size_t)9 << 30, &more), TP_ERR_NOMEM);
	assert_null(more);
	stand_in_expect_detail("GPU 0 has no 9.0 GiB more for stage 1: ");
	stand_in_expect_detail(" of 8.0 GiB are free");
	device->ops->memory->release(device, NULL);
	device->ops->memory->release(device, (void *)(uintptr_t)memory);
	device->ops->close(device);
}

/* More than the ring holds at once, so that its parts are used again while work is under way. */
static void upload_of_stage(int32_t stage)
{
	enum { C = 3, HW = 64 * 64, SAMPLES = 300, ELEMENTS = C * HW };
	const struct tp_shape shape = {C, 64, 64};
	float *plain = malloc(sizeof *plain * SAMPLES * ELEMENTS);
	assert_non_null(plain);
	struct tp_device *device = stand_in_open(TP_MATH_FP32, stage, 2, 1);
	float *values = stand_in_memory(device, sizeof *values * SAMPLES * ELEMENTS);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < SAMPLES * ELEMENTS; i++)
			plain[i] = (float)(i % 9973 + round);
		device->ops->upload(device, plain, values, shape, SAMPLES);
	}
	memset(plain, 0, sizeof *plain * SAMPLES * ELEMENTS); /* it is ours again at once */
	stand_in_finish(device);
	for (int n = 0; n < SAMPLES; n++)
		for (int c = 0; c < C; c++)
			for (int p = 0; p < HW; p++) {
				const float expected = (float)((n * ELEMENTS + c * HW + p) % 9973 + 3);
				if (values[n * ELEMENTS + p * C + c] != expected)
					fail_msg("sample %d, channel %d, place %d: wrong value", n, c, p);
			}
	device->ops->memory->release(device, values);
	device->ops->close(device);
	free(plain);
}

static void uploads_are_in_order(void **state)
{
	(void)state;
	upload_of_stage(0);
	upload_of_stage(1);
}

/* While the GPU is at work on something else, the host gets rid of a whole mini-batch. */
static void uploads_do_not_wait_for_work(void **state)
{
	(void)state;
	enum { C = 3, HW = 128 * 128, SAMPLES = 80, ELEMENTS = C * HW };
	const struct tp_shape shape = {C, 128, 128};
	const size_t bytes = sizeof(float) * SAMPLES * ELEMENTS;
	const struct tp_device_options options = {
	        .gpus = 1, .stages = 2, .upload_bytes = bytes, .timeout_ns = TP_NS_PER_S / 5};
	const struct tp_device_ops *ops = NULL;
	struct tp_device *device = NULL;
	assert_int_equal(tp_device_find("cuda", TP_MATH_FP32, &ops), TP_OK);
	assert_int_equal(ops->open(&options, 0, &device), TP_OK);
	float *plain = calloc(SAMPLES * ELEMENTS, sizeof *plain);
	assert_non_null(plain);
	float *values = stand_in_memory(device, bytes);
	plain[SAMPLES * ELEMENTS - 1] = 5;
	stand_in.hang(true);
	device->ops->upload(device, plain, values, shape, SAMPLES);
	stand_in.hang(false);
	stand_in_finish(device);
	assert_true(values[SAMPLES * ELEMENTS - 1] == 5);
	device->ops->memory->release(device, values);
	device->ops->close(device);
	free(plain);
}

static void update_and_blend(void **state)
{
	(void)state;
	enum { COUNT = 1000 };
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 0, 1, 1);
	float *x = stand_in_memory(device, sizeof *x * COUNT), *y = stand_in_memory(device, sizeof *y * COUNT);
	float *g = stand_in_memory(device, sizeof *g * COUNT), *m = stand_in_memory(device, sizeof *m * COUNT);
	for (int i = 0; i < COUNT; i++) {
		x[i] = (float)i;
		g[i] = 2;
		m[i] = 4;
	}
	const struct tp_sgd step = {.lr = 0.5, .momentum = 0.25, .weight_decay = 0};
	device->ops->sgd(device, &step, x, y, g, m, sizeof *x * COUNT); /* y = x - 1.5 */
	device->ops->blend(device, 2, x, -1, y, x, sizeof *x * COUNT);  /* x + 1.5 */
	device->ops->copy(device, x, g, sizeof *x * COUNT);
	stand_in_finish(device);
	for (int i = 0; i < COUNT; i++)
		if (y[i] != (float)i - 1.5F || g[i] != (float)i + 1.5F)
			fail_msg("element %d is wrong", i);
	void *const all[] = {x, y, g, m};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		device->ops->memory->release(device, all[i]);
	device->ops->close(device);
}

static void loss_is_collected(void **state)
{
	(void)state;
	enum { ROWS = 3, CLASSES = 10 };
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 1, 2, 1);
	float *logits = stand_in_memory(device, sizeof *logits * ROWS * CLASSES);
	float *probabilities = stand_in_memory(device, sizeof *logits * ROWS * CLASSES);
	float *dlogits = stand_in_memory(device, sizeof *logits * ROWS * CLASSES);
	int32_t labels[ROWS] = {0, 4, 9}; /* all logits equal: only class 0 is first, and 0 to 4 are the first five */
	struct tp_loss_result result = {1, 1, 1};
	device->ops->loss_forward(device, ROWS, CLASSES, logits, labels, probabilities, &result);
	assert_true(result.loss_sum == 0 && result.top1 == 0 && result.top5 == 0);
	device->ops->loss_backward(device, ROWS, CLASSES, probabilities, labels, 2, dlogits);
	device->ops->loss_forward(device, ROWS, CLASSES, logits, labels, NULL, &result);
	memset(labels, -1, sizeof labels); /* they are ours again */
	assert_int_equal(device->ops->async->collect_loss(device, &result), TP_OK);
	assert_true(fabs(result.loss_sum - 6 * log(10)) < 1e-5);
	assert_int_equal(result.top1, 2);
	assert_int_equal(result.top5, 4);
	assert_true(fabsf(dlogits[0] + 1.8F) < 1e-6F && fabsf(dlogits[1] - 0.2F) < 1e-6F);
	assert_int_equal(device->ops->async->collect_loss(device, &result), TP_OK);
	assert_true(result.loss_sum == 0 && result.top1 == 0 && result.top5 == 0);
	device->ops->memory->release(device, logits);
	device->ops->memory->release(device, probabilities);
	device->ops->memory->release(device, dlogits);
	device->ops->close(device);
}

/* One device writes what another reads, with a mark between them or without; returns the races that were found. */
static int64_t write_and_read(uint64_t seed, bool with_mark)
{
	enum { BYTES = 4096 };
	stand_in.reset(seed);
	struct tp_device *writer = stand_in_open(TP_MATH_FP32, 0, 2, 1), *reader = stand_in_open(TP_MATH_FP32, 1, 2, 1);
	unsigned char *from = stand_in_memory(writer, BYTES), *middle = stand_in_memory(writer, BYTES);
	unsigned char *to = stand_in_memory(reader, BYTES);
	struct tp_mark *written = stand_in_mark(writer);
	memset(from, 7, BYTES);
	writer->ops->copy(writer, from, middle, BYTES);
	assert_int_equal(writer->ops->async->record(writer, written), TP_OK);
	if (with_mark)
		assert_int_equal(reader->ops->async->wait(reader, written), TP_OK);
	reader->ops->copy(reader, middle, to, BYTES);
	stand_in_finish(reader);
	stand_in_finish(writer);
	if (with_mark)
		assert_int_equal(to[BYTES - 1], 7);
	struct fake_counts counts;
	stand_in.counts(&counts);
	writer->ops->async->mark_free(writer, written);
	writer->ops->memory->release(writer, from);
	writer->ops->memory->release(writer, middle);
	reader->ops->memory->release(reader, to);
	writer->ops->close(writer);
	reader->ops->close(reader);
	return counts.races;
}

static void marks_order_devices(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		assert_int_equal(write_and_read(seed, true), 0);
		if (write_and_read(seed, false) == 0)
			fail_msg("seed %d: a missing wait was not found", (int)seed);
	}
	stand_in.reset(1);
}

static void marks_are_reached_and_have_times(void **state)
{
	(void)state;
	enum { BYTES = 4096 };
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 0, 1, 1);
	const struct tp_async_ops *async = device->ops->async;
	unsigned char *memory = stand_in_memory(device, 2 * BYTES);
	struct tp_mark *first = stand_in_mark(device), *second = stand_in_mark(device);
	int64_t error_ns = 0, first_ns = 0, second_ns = 0;
	const int64_t before_ns = tp_now_ns();
	assert_int_equal(async->start_clock(device, &error_ns), TP_OK);
	assert_true(error_ns >= 0 && error_ns <= tp_now_ns() - before_ns);
	bool reached = true;
	stand_in.hang(true);
	assert_int_equal(async->record(device, first), TP_OK);
	device->ops->copy(device, memory, memory + BYTES, BYTES);
	assert_int_equal(async->record(device, second), TP_OK);
	assert_int_equal(async->reached(device, second, &reached), TP_OK);
	assert_false(reached);
	stand_in.hang(false);
	for (int turn = 0; turn < 1000 && !reached; turn++)
		assert_int_equal(async->reached(device, second, &reached), TP_OK);
	assert_true(reached);
	assert_int_equal(async->time(device, first, &first_ns), TP_OK);
	assert_int_equal(async->time(device, second, &second_ns), TP_OK);
	assert_true(first_ns >= before_ns - error_ns && second_ns >= first_ns && second_ns <= tp_now_ns() + error_ns);
	async->mark_free(device, first);
	async->mark_free(device, second);
	device->ops->memory->release(device, memory);
	device->ops->close(device);
}

/* What a hook that returns nothing met is found by the next who asks, and by all after. */
static void failures_are_kept(void **state)
{
	(void)state;
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 3, 4, 1);
	const struct tp_async_ops *async = device->ops->async;
	float *memory = stand_in_memory(device, 64);
	struct tp_mark *mark = stand_in_mark(device);
	bool reached = false;
	struct tp_loss_result result;
	const struct tp_sgd step = {.lr = 1};
	assert_int_equal(async->record(device, mark), TP_OK);
	stand_in.inject("cudaLaunchKernel:1:719");
	device->ops->sgd(device, &step, memory, memory, memory, memory, 64);
	stand_in.inject(NULL);
	(void)tp_fail(TP_ERR_IO, "something else");
	assert_int_equal(async->reached(device, mark, &reached), TP_ERR_DEVICE);
	stand_in_expect_detail("cudaLaunchKernel at engine/cuda/cuda_device.c:");
	stand_in_expect_detail("cudaErrorLaunchFailure (719)");
	assert_int_equal(async->finish(device, TP_NS_PER_S), TP_ERR_DEVICE);
	assert_int_equal(async->record(device, mark), TP_ERR_DEVICE);
	assert_int_equal(async->wait(device, mark), TP_ERR_DEVICE);
	assert_int_equal(async->collect_loss(device, &result), TP_ERR_DEVICE);
	async->mark_free(device, mark);
	device->ops->memory->release(device, memory);
	device->ops->close(device);
}

/* Every wait ends, closing too; what cannot be freed stays. */
static void hanging_gpu_is_left(void **state)
{
	(void)state;
	struct tp_device *device = stand_in_open(TP_MATH_FP32, 0, 2, 1), *other = stand_in_open(TP_MATH_FP32, 1, 2, 1);
	unsigned char *memory = stand_in_memory(device, 128), *others = stand_in_memory(other, 128);
	stand_in.hang(true);
	device->ops->copy(device, memory, memory + 64, 64);
	assert_int_equal(device->ops->async->finish(device, TP_NS_PER_S / 100), TP_ERR_TIMEOUT);
	stand_in_expect_detail("stage 0 on GPU 0 did not finish within 10.00 ms");
	device->ops->memory->release(device, memory);
	other->ops->memory->release(other, others); /* it would wait for the whole GPU */
	device->ops->close(device);
	other->ops->close(other);
	struct fake_counts counts;
	stand_in.counts(&counts);
	assert_true(counts.device_allocations > 0);
	stand_in.hang(false);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s LIBFAKECUDA\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(tables_fit_their_precision, stand_in_clean),
	        cmocka_unit_test_teardown(streams_have_queues, stand_in_clean),
	        cmocka_unit_test_teardown(reasons_why_not, stand_in_clean),
	        cmocka_unit_test_teardown(gpus_that_are_not_there, stand_in_clean),
	        cmocka_unit_test_teardown(math_that_the_gpu_does_not_have, stand_in_clean),
	        cmocka_unit_test_teardown(opening_fails_cleanly, stand_in_clean),
	        cmocka_unit_test_teardown(memory_is_zeroed_and_ends, stand_in_clean),
	        cmocka_unit_test_teardown(uploads_are_in_order, stand_in_clean),
	        cmocka_unit_test_teardown(uploads_do_not_wait_for_work, stand_in_clean),
	        cmocka_unit_test_teardown(update_and_blend, stand_in_clean),
	        cmocka_unit_test_teardown(loss_is_collected, stand_in_clean),
	        cmocka_unit_test_teardown(marks_order_devices, stand_in_clean),
	        cmocka_unit_test_teardown(marks_are_reached_and_have_times, stand_in_clean),
	        cmocka_unit_test_teardown(failures_are_kept, stand_in_clean),
	        cmocka_unit_test(hanging_gpu_is_left), /* the last: it leaves something */
	};
	(void)unsetenv("CUDA_DEVICE_MAX_CONNECTIONS");
	stand_in_load(argv[1], "2");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
