#include "tests/fakecuda/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

int fixture_setup(void **state)
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

int fixture_teardown(void **state)
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

struct fake_counts fixture_counts(void)
{
	struct fake_counts counts;
	fakecuda_counts(&counts);
	return counts;
}

cudaError_t fixture_launch(cudaKernel_t kernel, void *args, cudaStream_t stream)
{
	void *list[] = {args};
	return cudaLaunchKernel((const void *)kernel, (dim3){4, 1, 1}, (dim3){256, 1, 1}, list, 0, stream);
}

cudaError_t fixture_add(const struct fixture *f, const float *from, float *to, float summand, cudaStream_t stream)
{
	struct add_args args = {from, to, COUNT, summand};
	return fixture_launch(f->add, &args, stream);
}
