/* Streams, events, memory and two kernels for the tests of fakecuda itself. */
#ifndef TP_TESTS_FAKECUDA_FIXTURE_H
#define TP_TESTS_FAKECUDA_FIXTURE_H

#include "tests/fakecuda/fake_inside.h"

enum { SEEDS = 20, COUNT = 1024 };
enum { BYTES = COUNT * (int)sizeof(float) };

/* Of "test_note": adds its letter to the text; touches no memory of a GPU. */
struct note_args {
	char *log; /* the host's */
	char letter;
};

struct fixture {
	cudaStream_t a, b;
	cudaEvent_t done, other;
	cudaLibrary_t library;
	cudaKernel_t add, note;
	float *x, *y, *z; /* on the GPU, COUNT each */
	float *host;      /* pinned, COUNT */
};

/* As cmocka wants them; the teardown fails when anything of CUDA's is left. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct fake_counts fixture_counts(void);
cudaError_t fixture_launch(cudaKernel_t kernel, void *args, cudaStream_t stream);
/* to = from + summand, COUNT values */
cudaError_t fixture_add(const struct fixture *f, const float *from, float *to, float summand, cudaStream_t stream);

#endif
