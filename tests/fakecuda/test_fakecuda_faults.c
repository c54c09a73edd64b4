/* Faults that fakecuda finds in a program, and those that it makes for one: memory, host buffers, failures on demand.
 */
#include "tests/fakecuda/fixture.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cuda/cuda_api.h"

#define OK(call) assert_int_equal(call, cudaSuccess)

static void test_nothing_that_the_plugin_calls_is_missing(void **state)
{
	static const char *const names[] = {
#define NAME(function) #function,
	        TP_CUDART_LIST(NAME) TP_NCCL_LIST(NAME)
#undef NAME
	};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!dlsym(RTLD_DEFAULT, names[i]))
			fail_msg("%s", names[i]);
}

/* --- memory --- */

static void test_new_memory_is_no_number(void **state)
{
	struct fixture *f = *state;
	float result[COUNT];
	OK(cudaMemcpyAsync(result, f->x, BYTES, cudaMemcpyDeviceToHost, f->a)); /* pageable: returns when it is there */
	for (int i = 0; i < COUNT; i++)
		assert_true(result[i] != result[i]);
}

static void test_pageable_source_is_read_at_issue(void **state)
{
	struct fixture *f = *state;
	float values[COUNT], result[COUNT];
	for (int i = 0; i < COUNT; i++)
		values[i] = (float)i;
	OK(cudaMemcpyAsync(f->x, values, BYTES, cudaMemcpyHostToDevice, f->a));
	(void)memset(values, 0, sizeof values);
	OK(cudaMemcpyAsync(result, f->x, BYTES, cudaMemcpyDeviceToHost, f->a));
	for (int i = 0; i < COUNT; i++)
		assert_true(result[i] == (float)i);
	assert_int_equal(fixture_counts().stale_host_reads, 0);
}

static void test_early_reuse_of_pinned_memory_is_found(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		(void)memset(f->host, 0, BYTES);
		OK(cudaMemcpyAsync(f->x, f->host, BYTES, cudaMemcpyHostToDevice, f->a));
		OK(cudaStreamSynchronize(f->a));
		f->host[COUNT - 1] = 1; /* after the copy */
		OK(cudaMemcpyAsync(f->x, f->host, BYTES, cudaMemcpyHostToDevice, f->a));
		assert_int_equal(fixture_counts().stale_host_reads, 0);
		f->host[COUNT - 1] = 2; /* before it */
		OK(cudaStreamSynchronize(f->a));
		assert_int_equal(fixture_counts().stale_host_reads, 1);
	}
}

static void test_host_destination_is_poisoned_until_the_copy_ran(void **state)
{
	struct fixture *f = *state;
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	f->host[0] = 7;
	OK(cudaMemcpyAsync(f->host, f->x, BYTES, cudaMemcpyDeviceToHost, f->a));
	assert_true(f->host[0] != f->host[0]);
	OK(cudaStreamSynchronize(f->a));
	assert_true(f->host[0] == 0);
}

static void test_two_copies_into_one_host_buffer_race(void **state)
{
	struct fixture *f = *state;
	OK(cudaMemcpyAsync(f->host, f->x, BYTES, cudaMemcpyDeviceToHost, f->a));
	OK(cudaMemcpyAsync(f->host, f->y, BYTES, cudaMemcpyDeviceToHost, f->b));
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().races, 1);
	assert_non_null(strstr(fixture_counts().first_race, "of the host"));
}

static void test_retired_bytes_must_be_written_before_they_are_read(void **state)
{
	struct fixture *f = *state;
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	fakecuda_retire(f->a, f->x, BYTES);
	OK(cudaMemsetAsync(f->x, 0, BYTES / 2, f->a));
	OK(cudaMemcpyAsync(f->y, f->x, BYTES / 2, cudaMemcpyDeviceToDevice, f->a));
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 0);
	OK(fixture_add(f, f->x, f->y, 1, f->a)); /* the second half is nobody's */
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	assert_non_null(strstr(fixture_counts().first_race, "given up"));
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(fixture_add(f, f->x, f->y, 1, f->a));
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	assert_int_equal(fixture_counts().races, 0);
}

/* In place: the operation reads what was given up, although it also writes it. */
static void test_retired_bytes_read_in_place_are_found(void **state)
{
	struct fixture *f = *state;
	fakecuda_retire(f->a, f->x, BYTES);
	OK(fixture_add(f, f->x, f->x, 1, f->a));
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
}

static void test_retired_while_another_stream_reads_is_a_race(void **state)
{
	struct fixture *f = *state;
	OK(fixture_add(f, f->x, f->y, 1, f->b));
	fakecuda_retire(f->a, f->x, BYTES);
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().races, 1);
	assert_non_null(strstr(fixture_counts().first_race, "giving up"));
}

static void test_freed_and_foreign_memory_is_found_and_not_touched(void **state)
{
	struct fixture *f = *state;
	float *gone, mine[4] = {1, 2, 3, 4};
	OK(cudaMalloc((void **)&gone, BYTES));
	OK(cudaFree(gone));
	OK(cudaMemsetAsync(gone, 0, BYTES, f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	assert_non_null(strstr(fixture_counts().first_race, "not allocated"));
	OK(fixture_add(f, f->x + 1, f->y, 1, f->a)); /* one value too far */
	OK(cudaMemsetAsync(mine, 0, sizeof mine, f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 3);
	OK(cudaStreamSynchronize(f->a));
	assert_true(mine[0] == 1);
	assert_int_equal(cudaFree(gone), cudaErrorInvalidValue);
	assert_int_equal(cudaFree(f->host), cudaErrorInvalidValue);
}

static void test_freeing_what_a_queue_still_wants_is_found(void **state)
{
	struct fixture *f = *state;
	float *early;
	OK(cudaMalloc((void **)&early, BYTES));
	OK(cudaMemsetAsync(early, 0, BYTES, f->a));
	OK(cudaFree(early));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	OK(cudaStreamSynchronize(f->a));
}

static void test_leaks_are_counted(void **state)
{
	struct fixture *f = *state;
	struct fake_counts before = fixture_counts(), after;
	void *device, *host;
	cudaStream_t stream;
	cudaEvent_t event;
	OK(cudaMalloc(&device, 1000));
	OK(cudaMallocHost(&host, 10));
	OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
	OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
	after = fixture_counts();
	assert_int_equal(after.device_bytes - before.device_bytes, 1000);
	assert_int_equal(after.device_allocations - before.device_allocations, 1);
	assert_int_equal(after.host_allocations - before.host_allocations, 1);
	assert_int_equal(after.streams - before.streams, 1);
	assert_int_equal(after.events - before.events, 1);
	/* A stream that is destroyed finishes what it has. */
	OK(cudaMemsetAsync(f->x, 0, BYTES, stream));
	OK(cudaStreamDestroy(stream));
	OK(cudaEventDestroy(event));
	OK(cudaFree(device));
	OK(cudaFreeHost(host));
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().operations, 1);
	assert_int_equal(fixture_counts().streams, before.streams);
	assert_int_equal(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
}

static void test_memory_has_an_end(void **state)
{
	void *memory = NULL, *more = NULL;
	size_t available, total;
	(void)state;
	(void)setenv("FAKECUDA_MEMORY", "1000000", 1);
	fakecuda_reset(1);
	OK(cudaMemGetInfo(&available, &total));
	assert_int_equal(total, 1000000);
	assert_int_equal(available, 1000000 - 3 * BYTES);
	OK(cudaMalloc(&memory, 900000));
	assert_int_equal(cudaMalloc(&more, 900000), cudaErrorMemoryAllocation);
	assert_null(more);
	assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
	OK(cudaGetLastError());
	OK(cudaFree(memory));
	OK(cudaMalloc(&more, 900000));
	OK(cudaFree(more));
	(void)unsetenv("FAKECUDA_MEMORY");
}

/* --- kernels --- */

static void test_kernels_by_name_with_their_arguments_by_value(void **state)
{
	struct fixture *f = *state;
	cudaKernel_t none = f->add;
	char text[4] = "";
	assert_int_equal(cudaLibraryGetKernel(&none, f->library, "test_nothing"), cudaErrorSymbolNotFound);
	assert_null(none);
	struct note_args args = {text, 'q'};
	OK(fixture_launch(f->note, &args, f->a));
	args = (struct note_args){NULL, 'z'};
	OK(cudaStreamSynchronize(f->a));
	assert_string_equal(text, "q");
	void *list[] = {&args};
	assert_int_equal(cudaLaunchKernel((const void *)f->note, (dim3){1, 1, 1}, (dim3){2048, 1, 1}, list, 0, f->a),
	                 cudaErrorInvalidConfiguration);
	assert_int_equal(cudaLaunchKernel(NULL, (dim3){1, 1, 1}, (dim3){1, 1, 1}, list, 0, f->a),
	                 cudaErrorInvalidDeviceFunction);
}

/* --- failures on demand --- */

static void test_calls_fail_on_demand(void **state)
{
	struct fixture *f = *state;
	void *memory;
	fakecuda_inject("cudaMalloc:2:2,cudaMemsetAsync:1:1,cudaEventRecord:2:400+");
	OK(cudaMalloc(&memory, 16));
	OK(cudaFree(memory));
	assert_int_equal(cudaMalloc(&memory, 16), cudaErrorMemoryAllocation);
	assert_int_equal(cudaMemsetAsync(f->x, 0, BYTES, f->a), cudaErrorInvalidValue);
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(cudaEventRecord(f->done, f->a));
	for (int i = 0; i < 3; i++)
		assert_int_equal(cudaEventRecord(f->done, f->a), cudaErrorInvalidResourceHandle);
	fakecuda_inject(NULL);
	OK(cudaEventRecord(f->done, f->a));
	OK(cudaStreamSynchronize(f->a));
	assert_string_equal(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
	assert_string_equal(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

static void test_lost_device_stays_lost(void **state)
{
	struct fixture *f = *state;
	void *memory;
	fakecuda_inject("cudaLaunchKernel:2:719+");
	OK(fixture_add(f, f->y, f->x, 1, f->a));
	assert_int_equal(fixture_add(f, f->y, f->x, 1, f->a), cudaErrorLaunchFailure);
	assert_int_equal(cudaStreamSynchronize(f->a), cudaErrorLaunchFailure);
	assert_int_equal(cudaStreamQuery(f->a), cudaErrorLaunchFailure);
	assert_int_equal(cudaMalloc(&memory, 16), cudaErrorLaunchFailure);
	assert_int_equal(cudaGetLastError(), cudaErrorLaunchFailure);
	assert_int_equal(cudaGetLastError(), cudaErrorLaunchFailure);
}

/* CUDA finds a kernel's failure after its launch, and gives it to whoever calls next. */
static void test_failure_of_a_run_is_found_later(void **state)
{
	struct fixture *f = *state;
	fakecuda_inject("@test_add:2:700");
	for (int i = 0; i < 3; i++)
		OK(fixture_add(f, f->x, f->x, 1, f->a));
	assert_int_equal(cudaStreamSynchronize(f->a), cudaErrorIllegalAddress);
	assert_int_equal(fixture_add(f, f->x, f->x, 1, f->a), cudaErrorIllegalAddress);
	assert_int_equal(fixture_counts().operations, 2);
}

static void test_hang(void **state)
{
	struct fixture *f = *state;
	OK(fixture_add(f, f->y, f->x, 1, f->a));
	OK(cudaEventRecord(f->done, f->a));
	fakecuda_hang(true);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(cudaStreamQuery(f->a), cudaErrorNotReady);
		assert_int_equal(cudaEventQuery(f->done), cudaErrorNotReady);
	}
	assert_int_equal(cudaStreamSynchronize(f->a), cudaErrorLaunchTimeout);
	assert_int_equal(cudaEventSynchronize(f->done), cudaErrorLaunchTimeout);
	assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchTimeout);
	assert_int_equal(fixture_counts().operations, 0);
	assert_int_equal(fixture_counts().deadlocks, 0);
	fakecuda_hang(false);
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().operations, 1);
}

/* --- several GPUs --- */

static void test_devices(void **state)
{
	struct fixture *f = *state;
	struct cudaDeviceProp properties;
	char bus[16];
	int count, can;
	float *far;
	(void)setenv("FAKECUDA_DEVICES", "2", 1);
	fakecuda_reset(1);
	OK(cudaGetDeviceCount(&count));
	assert_int_equal(count, 2);
	OK(cudaGetDeviceProperties(&properties, 1));
	assert_string_equal(properties.name, FAKECUDA_LABEL);
	assert_string_equal(fakecuda_label(), FAKECUDA_LABEL);
	OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 1));
	assert_string_equal(bus, "0000:02:00.0");
	assert_int_equal(cudaSetDevice(2), cudaErrorInvalidDevice);
	OK(cudaDeviceCanAccessPeer(&can, 0, 1));
	assert_true(can);
	OK(cudaSetDevice(1));
	OK(cudaMalloc((void **)&far, BYTES));
	assert_int_equal(fixture_add(f, f->x, f->y, 1, f->a), cudaErrorInvalidResourceHandle); /* of GPU 0 */
	OK(cudaSetDevice(0));
	OK(cudaMemcpyPeerAsync(far, 1, f->x, 0, BYTES, f->a));
	assert_int_equal(cudaMemcpyPeerAsync(far, 0, f->x, 0, BYTES, f->a), cudaErrorInvalidValue);
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 0);
	OK(fixture_add(f, far, f->y, 1, f->a)); /* a kernel reads a peer's memory */
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	OK(cudaDeviceEnablePeerAccess(1, 0));
	assert_int_equal(cudaDeviceEnablePeerAccess(1, 0), cudaErrorPeerAccessAlreadyEnabled);
	OK(fixture_add(f, far, f->y, 1, f->a));
	assert_int_equal(fixture_counts().reads_of_freed, 1);
	OK(cudaStreamSynchronize(f->a));
	OK(cudaFree(far));
	(void)setenv("FAKECUDA_DEVICES", "0", 1);
	fakecuda_reset(1);
	assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
	(void)unsetenv("FAKECUDA_DEVICES");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_nothing_that_the_plugin_calls_is_missing),
	        TEST(test_new_memory_is_no_number),
	        TEST(test_pageable_source_is_read_at_issue),
	        TEST(test_early_reuse_of_pinned_memory_is_found),
	        TEST(test_host_destination_is_poisoned_until_the_copy_ran),
	        TEST(test_two_copies_into_one_host_buffer_race),
	        TEST(test_retired_bytes_must_be_written_before_they_are_read),
	        TEST(test_retired_bytes_read_in_place_are_found),
	        TEST(test_retired_while_another_stream_reads_is_a_race),
	        TEST(test_freed_and_foreign_memory_is_found_and_not_touched),
	        TEST(test_freeing_what_a_queue_still_wants_is_found),
	        TEST(test_leaks_are_counted),
	        TEST(test_memory_has_an_end),
	        TEST(test_kernels_by_name_with_their_arguments_by_value),
	        TEST(test_calls_fail_on_demand),
	        TEST(test_lost_device_stays_lost),
	        TEST(test_failure_of_a_run_is_found_later),
	        TEST(test_hang),
	        TEST(test_devices),
	};
	return cmocka_run_group_tests_name("fakecuda: faults", tests, NULL, NULL);
}
