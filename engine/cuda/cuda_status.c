/* Statuses of CUDA's libraries as ours. */
#include <string.h>

#include "engine/cuda/cuda_api.h"

/* Files are named from the root of the source, however the compiler was called. */
static const char *place_of(const char *file)
{
	const char *part = strstr(file, "engine/cuda/");
	return part ? part : file;
}

enum tp_status tp_cuda_status(cudaError_t error, const char *call, const char *file, int line)
{
	if (error == cudaSuccess)
		return TP_OK;
	return tp_fail(error == cudaErrorMemoryAllocation ? TP_ERR_NOMEM : TP_ERR_DEVICE, "%s at %s:%d: %s (%d): %s",
	               call, place_of(file), line, tp_cuda.cudaGetErrorName(error), (int)error,
	               tp_cuda.cudaGetErrorString(error));
}

/* cuDNN alone keeps a sentence about its latest failure, of this thread. */
enum tp_status tp_cudnn_status(cudnnStatus_t error, const char *call, const char *file, int line)
{
	if (error == CUDNN_STATUS_SUCCESS)
		return TP_OK;
	char sentence[256] = "";
	tp_cuda.cudnnGetLastErrorString(sentence, sizeof sentence);
	sentence[sizeof sentence - 1] = '\0';
	sentence[strcspn(sentence, "\n")] = '\0';
	const bool memory = error == CUDNN_STATUS_ALLOC_FAILED ||
	                    error == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
	                    error == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
	return tp_fail(memory ? TP_ERR_NOMEM : TP_ERR_DEVICE, "%s at %s:%d: %s (%d)%s%s", call, place_of(file), line,
	               tp_cuda.cudnnGetErrorString(error), (int)error, sentence[0] ? ": " : "", sentence);
}

enum tp_status tp_cublas_status(cublasStatus_t error, const char *call, const char *file, int line)
{
	if (error == CUBLAS_STATUS_SUCCESS)
		return TP_OK;
	return tp_fail(error == CUBLAS_STATUS_ALLOC_FAILED ? TP_ERR_NOMEM : TP_ERR_DEVICE, "%s at %s:%d: %s (%d)", call,
	               place_of(file), line, tp_cuda.cublasLtGetStatusString(error), (int)error);
}

/* Under way is no failure: a communicator that does not block says so. */
enum tp_status tp_nccl_status(ncclResult_t error, const char *call, const char *file, int line)
{
	if (error == ncclSuccess || error == ncclInProgress)
		return TP_OK;
	const char *sentence = tp_cuda.ncclGetLastError(NULL);
	return tp_fail(TP_ERR_DEVICE, "%s at %s:%d: %s (%d)%s%s", call, place_of(file), line,
	               tp_cuda.ncclGetErrorString(error), (int)error, sentence && sentence[0] ? ": " : "",
	               sentence ? sentence : "");
}
