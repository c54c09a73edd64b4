/* The libraries' stand-ins on fakecuda's streams: their work waits in the queue of the handle's stream although the
 * descriptors are gone, what it touches is checked for races, and a workspace that two streams share is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <cublasLt.h>
#include <cudnn.h>

#include "tests/fakecuda/fake.h"

#define OK(call) assert_int_equal(call, 0)

enum { SEEDS = 20, SIDE = 8, COUNT = SIDE * SIDE, BYTES = COUNT * (int)sizeof(float), WORKSPACE_BYTES = 4096 };

struct fixture {
	cudaStream_t a, b;
	cudaEvent_t done;
	cudnnHandle_t dnn;
	cublasLtHandle_t blas;
	float *x, *y, *z, *w, *product, *identity, *host;
	void *workspace;
};

static int setup(void **state)
{
	static struct fixture f;
	*state = &f;
	fakecuda_reset(1);
	OK(cudaStreamCreateWithFlags(&f.a, cudaStreamNonBlocking));
	OK(cudaStreamCreateWithFlags(&f.b, cudaStreamNonBlocking));
	OK(cudaEventCreateWithFlags(&f.done, cudaEventDefault));
	OK(cudnnCreate(&f.dnn));
	OK(cudnnSetStream(f.dnn, f.a));
	OK(cublasLtCreate(&f.blas));
	float **const arrays[] = {&f.x, &f.y, &f.z, &f.w, &f.product, &f.identity};
	for (int i = 0; i < 6; i++)
		OK(cudaMalloc((void **)arrays[i], BYTES));
	OK(cudaMalloc(&f.workspace, WORKSPACE_BYTES));
	OK(cudaMallocHost((void **)&f.host, BYTES));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct fake_counts counts;
	float *const arrays[] = {f->x, f->y, f->z, f->w, f->product, f->identity};
	fakecuda_reset(1);
	for (int i = 0; i < 6; i++)
		OK(cudaFree(arrays[i]));
	OK(cudaFree(f->workspace));
	OK(cudaFreeHost(f->host));
	OK(cublasLtDestroy(f->blas));
	OK(cudnnDestroy(f->dnn));
	OK(cudaEventDestroy(f->done));
	OK(cudaStreamDestroy(f->a));
	OK(cudaStreamDestroy(f->b));
	fakecuda_counts(&counts);
	assert_int_equal(counts.device_allocations + counts.streams + counts.events, 0);
	return 0;
}

/* From x to y on the handle's stream: 1x1 convolution of one channel with weight w[0]. All that describes it is
 * destroyed before it can have run. */
static void convolve(struct fixture *f, const float *x, float *y, cudnnConvolutionFwdAlgo_t algorithm)
{
	const float one = 1, zero = 0;
	cudnnTensorDescriptor_t tensor;
	cudnnFilterDescriptor_t filter;
	cudnnConvolutionDescriptor_t how;
	OK(cudnnCreateTensorDescriptor(&tensor));
	OK(cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 1, SIDE, SIDE));
	OK(cudnnCreateFilterDescriptor(&filter));
	OK(cudnnSetFilter4dDescriptor(filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 1, 1, 1, 1));
	OK(cudnnCreateConvolutionDescriptor(&how));
	OK(cudnnSetConvolution2dDescriptor(how, 0, 0, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
	OK(cudnnConvolutionForward(f->dnn, &one, tensor, x, filter, f->w, how, algorithm, f->workspace, WORKSPACE_BYTES,
	                           &zero, tensor, y));
	OK(cudnnDestroyConvolutionDescriptor(how));
	OK(cudnnDestroyFilterDescriptor(filter));
	OK(cudnnDestroyTensorDescriptor(tensor));
}

/* product = identity * from, on stream b. */
static void multiply(struct fixture *f, const float *from)
{
	const float one = 1, zero = 0;
	cublasLtMatrixLayout_t square;
	cublasLtMatmulDesc_t desc;
	OK(cublasLtMatrixLayoutCreate(&square, CUDA_R_32F, SIDE, SIDE, SIDE));
	OK(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
	OK(cublasLtMatmul(f->blas, desc, &one, f->identity, square, from, square, &zero, f->product, square, f->product,
	                  square, NULL, NULL, 0, f->b));
	OK(cublasLtMatmulDescDestroy(desc));
	OK(cublasLtMatrixLayoutDestroy(square));
}

static void fill(struct fixture *f, float *to, float first, float step, int every)
{
	for (int i = 0; i < COUNT; i++)
		f->host[i] = i % every == 0 ? first + (float)i * step : 0;
	OK(cudaMemcpyAsync(to, f->host, BYTES, cudaMemcpyHostToDevice, f->a));
	OK(cudaStreamSynchronize(f->a));
}

/* A convolution on stream a, a product of its result on stream b, which waits for it or does not. */
static void two_streams(struct fixture *f, bool waits)
{
	fill(f, f->x, 1, 1, 1);
	fill(f, f->w, 3, 0, 1);
	fill(f, f->identity, 1, 0, SIDE + 1);
	fill(f, f->y, 0, 0, 1);
	convolve(f, f->x, f->y, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
	OK(cudaEventRecord(f->done, f->a));
	if (waits)
		OK(cudaStreamWaitEvent(f->b, f->done, 0));
	multiply(f, f->y);
	OK(cudaMemcpyAsync(f->host, f->product, BYTES, cudaMemcpyDeviceToHost, f->b));
	OK(cudaStreamSynchronize(f->b));
	OK(cudaDeviceSynchronize());
}

static void test_right_program_is_clean_on_every_seed(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct fake_counts counts;
		fakecuda_reset(seed);
		two_streams(f, true);
		for (int i = 0; i < COUNT; i++)
			assert_true(f->host[i] == (float)(3 * (i + 1)));
		fakecuda_counts(&counts);
		if (counts.first_race[0])
			fail_msg("seed %d: %s", (int)seed, counts.first_race);
		assert_int_equal(counts.stale_host_reads + counts.reads_of_freed + counts.deadlocks, 0);
	}
}

static void test_missing_wait_is_found_on_every_seed(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct fake_counts counts;
		fakecuda_reset(seed);
		two_streams(*state, false);
		fakecuda_counts(&counts);
		assert_true(counts.races > 0);
		assert_non_null(strstr(counts.first_race, "cudnnConvolutionForward"));
		assert_non_null(strstr(counts.first_race, "cublasLtMatmul"));
	}
}

/* Two convolutions that share nothing but the workspace. */
static int64_t shared_workspace(struct fixture *f, cudnnConvolutionFwdAlgo_t algorithm)
{
	struct fake_counts counts;
	fakecuda_reset(1);
	fill(f, f->x, 1, 1, 1);
	fill(f, f->w, 3, 0, 1);
	convolve(f, f->x, f->y, algorithm);
	OK(cudnnSetStream(f->dnn, f->b));
	convolve(f, f->x, f->z, algorithm);
	OK(cudnnSetStream(f->dnn, f->a));
	OK(cudaDeviceSynchronize());
	fakecuda_counts(&counts);
	return counts.races;
}

static void test_shared_workspace_is_a_race(void **state)
{
	assert_true(shared_workspace(*state, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) > 0);
	assert_int_equal(shared_workspace(*state, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM), 0);
}

static void test_injected_failures_come_by_call(void **unused)
{
	(void)unused;
	cudnnTensorDescriptor_t tensor;
	fakecuda_reset(1);
	fakecuda_inject("cudnnCreateTensorDescriptor:2:4003");
	OK(cudnnCreateTensorDescriptor(&tensor));
	OK(cudnnDestroyTensorDescriptor(tensor));
	assert_int_equal(cudnnCreateTensorDescriptor(&tensor), CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
	OK(cudnnCreateTensorDescriptor(&tensor));
	OK(cudnnDestroyTensorDescriptor(tensor));
	fakecuda_inject(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_right_program_is_clean_on_every_seed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_missing_wait_is_found_on_every_seed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_shared_workspace_is_a_race, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_injected_failures_come_by_call, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
