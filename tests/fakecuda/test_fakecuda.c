/* What fakecuda promises, without which tests that pass on it say nothing: it finds what is wrong whatever order came
 * out, and it finds nothing wrong with a program that is right. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakecuda/fake_inside.h"

enum { SEEDS = 20, COUNT = 1024 };
enum { BYTES = COUNT * (int)sizeof(float) };

#define OK(call) assert_int_equal(call, cudaSuccess)

/* --- two kernels of our own --- */

struct add_args {
	const float *from;
	float *to;
	int64_t count;
	float summand;
};

static void add_run(const void *args)
{
	const struct add_args *add = args;
	for (int64_t i = 0; i < add->count; i++)
		add->to[i] = add->from[i] + add->summand;
}

static void add_touches(const void *args, struct fake_touches *touches)
{
	const struct add_args *add = args;
	fake_reads(touches, add->from, (size_t)add->count * sizeof(float));
	fake_writes(touches, add->to, (size_t)add->count * sizeof(float));
}

struct note_args {
	char *log; /* the host's */
	char letter;
};

static void note_run(const void *args)
{
	const struct note_args *note = args;
	size_t length = strlen(note->log);
	note->log[length] = note->letter;
	note->log[length + 1] = '\0';
}

static void note_touches(const void *args, struct fake_touches *touches)
{
	(void)args, (void)touches;
}

static const struct fake_kernel test_kernels[] = {{"test_add", sizeof(struct add_args), add_run, add_touches},
                                                  {"test_note", sizeof(struct note_args), note_run, note_touches},
                                                  {NULL, 0, NULL, NULL}};

struct fixture {
	cudaStream_t a, b;
	cudaEvent_t done, other;
	cudaLibrary_t library;
	cudaKernel_t add, note;
	float *x, *y, *z; /* on the GPU, COUNT each */
	float *host;      /* pinned, COUNT */
};

static int setup(void **state)
{
	static struct fixture f;
	*state = &f;
	fakecuda_reset(1);
	fakecuda_kernels(test_kernels);
	OK(cudaStreamCreateWithFlags(&f.a, cudaStreamNonBlocking));
	OK(cudaStreamCreateWithFlags(&f.b, cudaStreamNonBlocking));
	OK(cudaEventCreateWithFlags(&f.done, cudaEventDefault));
	OK(cudaEventCreateWithFlags(&f.other, cudaEventDefault));
	OK(cudaLibraryLoadData(&f.library, "module", NULL, NULL, 0, NULL, NULL, 0));
	OK(cudaLibraryGetKernel(&f.add, f.library, "test_add"));
	OK(cudaLibraryGetKernel(&f.note, f.library, "test_note"));
	OK(cudaMalloc((void **)&f.x, BYTES));
	OK(cudaMalloc((void **)&f.y, BYTES));
	OK(cudaMalloc((void **)&f.z, BYTES));
	OK(cudaMallocHost((void **)&f.host, BYTES));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	fakecuda_reset(1);
	OK(cudaFree(f->x));
	OK(cudaFree(f->y));
	OK(cudaFree(f->z));
	OK(cudaFreeHost(f->host));
	OK(cudaLibraryUnload(f->library));
	OK(cudaEventDestroy(f->done));
	OK(cudaEventDestroy(f->other));
	OK(cudaStreamDestroy(f->a));
	OK(cudaStreamDestroy(f->b));
	struct fake_counts counts;
	fakecuda_counts(&counts);
	assert_int_equal(counts.device_allocations, 0);
	assert_int_equal(counts.device_bytes, 0);
	assert_int_equal(counts.host_allocations, 0);
	assert_int_equal(counts.streams, 0);
	assert_int_equal(counts.events, 0);
	return 0;
}

static struct fake_counts counted(void)
{
	struct fake_counts counts;
	fakecuda_counts(&counts);
	return counts;
}

static cudaError_t launch(cudaKernel_t kernel, void *args, cudaStream_t stream)
{
	void *list[] = {args};
	return cudaLaunchKernel((const void *)kernel, (dim3){4, 1, 1}, (dim3){256, 1, 1}, list, 0, stream);
}

static cudaError_t add(const struct fixture *f, const float *from, float *to, float summand, cudaStream_t stream)
{
	struct add_args args = {from, to, COUNT, summand};
	return launch(f->add, &args, stream);
}

/* x = host, y = x + 1 on stream a; z = y + 2 and the copy back on stream b, which waits or does not; then x is used
 * again, after b is done with it or not. Returns the first value that came back. */
static float pipeline(struct fixture *f, bool waits)
{
	float result[COUNT];
	for (int i = 0; i < COUNT; i++)
		f->host[i] = 1;
	OK(cudaMemcpyAsync(f->x, f->host, BYTES, cudaMemcpyHostToDevice, f->a));
	OK(add(f, f->x, f->y, 1, f->a));
	OK(cudaEventRecord(f->done, f->a));
	if (waits)
		OK(cudaStreamWaitEvent(f->b, f->done, 0));
	OK(add(f, f->y, f->z, 2, f->b));
	OK(cudaEventRecord(f->other, f->b));
	OK(cudaStreamWaitEvent(f->a, f->other, 0));
	OK(add(f, f->x, f->y, 5, f->a));
	OK(cudaMemcpyAsync(result, f->z, BYTES, cudaMemcpyDeviceToHost, f->b));
	OK(cudaStreamSynchronize(f->a));
	return result[0];
}

static void test_right_program_is_clean_on_every_seed(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		assert_true(pipeline(*state, true) == 4);
		struct fake_counts counts = counted();
		if (counts.first_race[0])
			fail_msg("seed %d: %s", (int)seed, counts.first_race);
		assert_int_equal(counts.races + counts.stale_host_reads + counts.reads_of_freed + counts.deadlocks, 0);
		assert_int_equal(counts.operations, 5);
	}
}

static void test_missing_wait_is_found_on_every_seed(void **state)
{
	int wrong = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		wrong += !(pipeline(*state, false) == 4);
		struct fake_counts counts = counted();
		assert_true(counts.races > 0);
		assert_non_null(strstr(counts.first_race, "test_add"));
		assert_non_null(strstr(counts.first_race, "unordered"));
	}
	/* Numbers alone show it on some seeds only. */
	assert_in_range(wrong, 1, SEEDS - 1);
}

static void test_orders_differ_between_seeds(void **state)
{
	struct fixture *f = *state;
	char logs[SEEDS][16] = {{0}};
	int differ = 0;
	for (int seed = 0; seed < SEEDS; seed++) {
		fakecuda_reset((uint64_t)seed);
		for (int i = 0; i < 3; i++) {
			struct note_args a = {logs[seed], (char)('a' + i)}, b = {logs[seed], (char)('A' + i)};
			OK(launch(f->note, &a, f->a));
			OK(launch(f->note, &b, f->b));
		}
		assert_int_equal(strlen(logs[seed]), 0); /* nothing runs before somebody waits */
		OK(cudaDeviceSynchronize());
		assert_int_equal(strlen(logs[seed]), 6);
		assert_true(strchr(logs[seed], 'a') < strchr(logs[seed], 'b'));
		assert_true(strchr(logs[seed], 'B') < strchr(logs[seed], 'C'));
		differ += strcmp(logs[seed], logs[0]) != 0;
	}
	assert_true(differ > SEEDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_right_program_is_clean_on_every_seed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_missing_wait_is_found_on_every_seed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_orders_differ_between_seeds, setup, teardown),
	};
	return cmocka_run_group_tests_name("fakecuda", tests, NULL, NULL);
}
