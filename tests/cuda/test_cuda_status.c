/* Statuses of CUDA's libraries as ours. The table of functions is this test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cuda/cuda_api.h"

static cudaError_t next_error;
static const char *last_sentence = "";

static cudaError_t fake_free(void *memory)
{
	(void)memory;
	return next_error;
}

static const char *error_name(cudaError_t error)
{
	return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorLaunchFailure";
}

static const char *error_string(cudaError_t error)
{
	return error == cudaErrorMemoryAllocation ? "out of memory" : "unspecified launch failure";
}

static const char *dnn_string(cudnnStatus_t status)
{
	(void)status;
	return "CUDNN_STATUS_BAD_PARAM";
}

static void dnn_sentence(char *message, size_t size)
{
	(void)snprintf(message, size, "%s", last_sentence);
}

static const char *blas_string(cublasStatus_t status)
{
	(void)status;
	return "CUBLAS_STATUS_NOT_SUPPORTED";
}

static const char *nccl_string(ncclResult_t result)
{
	(void)result;
	return "invalid usage";
}

static const char *nccl_sentence(ncclComm_t comm)
{
	(void)comm;
	return last_sentence;
}

static int fill_table(void **state)
{
	(void)state;
	tp_cuda.cudaFree = fake_free;
	tp_cuda.cudaGetErrorName = error_name;
	tp_cuda.cudaGetErrorString = error_string;
	tp_cuda.cudnnGetErrorString = dnn_string;
	tp_cuda.cudnnGetLastErrorString = dnn_sentence;
	tp_cuda.cublasLtGetStatusString = blas_string;
	tp_cuda.ncclGetErrorString = nccl_string;
	tp_cuda.ncclGetLastError = nccl_sentence;
	return 0;
}

static void expect_detail(const char *part)
{
	if (!strstr(tp_detail(), part))
		fail_msg("'%s' lacks '%s'", tp_detail(), part);
}

static void runtime_names_call_place_and_error(void **state)
{
	(void)state;
	next_error = cudaSuccess;
	assert_int_equal(TP_CUDA_CHECK(cudaFree, NULL), TP_OK);
	next_error = cudaErrorLaunchFailure;
	assert_int_equal(TP_CUDA_CHECK(cudaFree, NULL), TP_ERR_DEVICE);
	expect_detail("cudaFree at ");
	expect_detail("test_cuda_status.c:");
	expect_detail("cudaErrorLaunchFailure (719): unspecified launch failure");
	next_error = cudaErrorMemoryAllocation;
	assert_int_equal(TP_CUDA_CHECK(cudaFree, NULL), TP_ERR_NOMEM);
	/* From the root of the source, however the compiler was called. */
	assert_int_equal(tp_cuda_status(cudaErrorLaunchFailure, "call", "/home/me/engine/cuda/x.c", 7), TP_ERR_DEVICE);
	expect_detail("call at engine/cuda/x.c:7: ");
}

static void dnn_has_its_sentence(void **state)
{
	(void)state;
	assert_int_equal(tp_cudnn_status(CUDNN_STATUS_SUCCESS, "call", "file", 1), TP_OK);
	last_sentence = "height is wrong\nmore";
	assert_int_equal(tp_cudnn_status(CUDNN_STATUS_BAD_PARAM, "call", "file", 1), TP_ERR_DEVICE);
	assert_string_equal(tp_detail(), "call at file:1: CUDNN_STATUS_BAD_PARAM (2000): height is wrong");
	last_sentence = "";
	assert_int_equal(tp_cudnn_status(CUDNN_STATUS_BAD_PARAM, "call", "file", 1), TP_ERR_DEVICE);
	assert_string_equal(tp_detail(), "call at file:1: CUDNN_STATUS_BAD_PARAM (2000)");
	assert_int_equal(tp_cudnn_status(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, "call", "file", 1),
	                 TP_ERR_NOMEM);
}

static void blas_and_nccl(void **state)
{
	(void)state;
	last_sentence = "Duplicate GPU detected";
	assert_int_equal(tp_cublas_status(CUBLAS_STATUS_SUCCESS, "call", "file", 1), TP_OK);
	assert_int_equal(tp_cublas_status(CUBLAS_STATUS_NOT_SUPPORTED, "call", "file", 1), TP_ERR_DEVICE);
	expect_detail("CUBLAS_STATUS_NOT_SUPPORTED (15)");
	assert_int_equal(tp_cublas_status(CUBLAS_STATUS_ALLOC_FAILED, "call", "file", 1), TP_ERR_NOMEM);
	assert_int_equal(tp_nccl_status(ncclInProgress, "call", "file", 1), TP_OK);
	assert_int_equal(tp_nccl_status(ncclInvalidUsage, "call", "file", 1), TP_ERR_DEVICE);
	assert_string_equal(tp_detail(), "call at file:1: invalid usage (5): Duplicate GPU detected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(runtime_names_call_place_and_error),
	        cmocka_unit_test(dnn_has_its_sentence),
	        cmocka_unit_test(blas_and_nccl),
	};
	return cmocka_run_group_tests(tests, fill_table, NULL);
}
