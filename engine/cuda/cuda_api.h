/* Every call of CUDA's libraries goes through this table, which is filled by dlopen and dlsym when the device is first
 * asked for. So the plugin runs where a library is missing, and says which; and tests can put a stand-in in their
 * place. A function that is not listed here is not used. */
#ifndef TP_ENGINE_CUDA_API_H
#define TP_ENGINE_CUDA_API_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <cupti.h>
#include <nccl.h>

#include "engine/base/status.h"
#include "engine/base/text.h"

#define TP_CUDART_LIST(X)             \
	X(cudaDeviceCanAccessPeer)    \
	X(cudaDeviceEnablePeerAccess) \
	X(cudaDeviceGetAttribute)     \
	X(cudaDeviceGetPCIBusId)      \
	X(cudaDriverGetVersion)       \
	X(cudaEventCreateWithFlags)   \
	X(cudaEventDestroy)           \
	X(cudaEventElapsedTime)       \
	X(cudaEventQuery)             \
	X(cudaEventRecord)            \
	X(cudaFree)                   \
	X(cudaFreeHost)               \
	X(cudaFuncGetAttributes)      \
	X(cudaGetDeviceCount)         \
	X(cudaGetDeviceProperties)    \
	X(cudaGetErrorName)           \
	X(cudaGetErrorString)         \
	X(cudaGetLastError)           \
	X(cudaLaunchKernel)           \
	X(cudaLibraryGetKernel)       \
	X(cudaLibraryLoadData)        \
	X(cudaLibraryUnload)          \
	X(cudaMalloc)                 \
	X(cudaMallocHost)             \
	X(cudaMemGetInfo)             \
	X(cudaMemcpyAsync)            \
	X(cudaMemcpyPeerAsync)        \
	X(cudaMemsetAsync)            \
	X(cudaRuntimeGetVersion)      \
	X(cudaSetDevice)              \
	X(cudaStreamCreateWithFlags)  \
	X(cudaStreamDestroy)          \
	X(cudaStreamQuery)            \
	X(cudaStreamWaitEvent)

#define TP_CUDNN_LIST(X)                                 \
	X(cudnnBatchNormalizationBackward)               \
	X(cudnnBatchNormalizationForwardInference)       \
	X(cudnnBatchNormalizationForwardTraining)        \
	X(cudnnConvolutionBackwardData)                  \
	X(cudnnConvolutionBackwardFilter)                \
	X(cudnnConvolutionForward)                       \
	X(cudnnCreate)                                   \
	X(cudnnCreateConvolutionDescriptor)              \
	X(cudnnCreateFilterDescriptor)                   \
	X(cudnnCreatePoolingDescriptor)                  \
	X(cudnnCreateTensorDescriptor)                   \
	X(cudnnDestroy)                                  \
	X(cudnnDestroyConvolutionDescriptor)             \
	X(cudnnDestroyFilterDescriptor)                  \
	X(cudnnDestroyPoolingDescriptor)                 \
	X(cudnnDestroyTensorDescriptor)                  \
	X(cudnnFindConvolutionBackwardDataAlgorithmEx)   \
	X(cudnnFindConvolutionBackwardFilterAlgorithmEx) \
	X(cudnnFindConvolutionForwardAlgorithmEx)        \
	X(cudnnGetConvolution2dForwardOutputDim)         \
	X(cudnnGetConvolutionBackwardDataAlgorithm_v7)   \
	X(cudnnGetConvolutionBackwardFilterAlgorithm_v7) \
	X(cudnnGetConvolutionForwardAlgorithm_v7)        \
	X(cudnnGetErrorString)                           \
	X(cudnnGetLastErrorString)                       \
	X(cudnnGetPooling2dForwardOutputDim)             \
	X(cudnnGetVersion)                               \
	X(cudnnPoolingBackward)                          \
	X(cudnnPoolingForward)                           \
	X(cudnnSetConvolution2dDescriptor)               \
	X(cudnnSetConvolutionMathType)                   \
	X(cudnnSetFilter4dDescriptor)                    \
	X(cudnnSetPooling2dDescriptor)                   \
	X(cudnnSetStream)                                \
	X(cudnnSetTensor4dDescriptor)

#define TP_CUBLASLT_LIST(X)                     \
	X(cublasLtCreate)                       \
	X(cublasLtDestroy)                      \
	X(cublasLtGetStatusString)              \
	X(cublasLtGetVersion)                   \
	X(cublasLtMatmul)                       \
	X(cublasLtMatmulAlgoGetHeuristic)       \
	X(cublasLtMatmulDescCreate)             \
	X(cublasLtMatmulDescDestroy)            \
	X(cublasLtMatmulDescSetAttribute)       \
	X(cublasLtMatmulPreferenceCreate)       \
	X(cublasLtMatmulPreferenceDestroy)      \
	X(cublasLtMatmulPreferenceSetAttribute) \
	X(cublasLtMatrixLayoutCreate)           \
	X(cublasLtMatrixLayoutDestroy)

/* Optional: without it there is no transport nccl. */
#define TP_NCCL_LIST(X)           \
	X(ncclCommAbort)          \
	X(ncclCommDestroy)        \
	X(ncclCommFinalize)       \
	X(ncclCommGetAsyncError)  \
	X(ncclCommInitRankConfig) \
	X(ncclGetErrorString)     \
	X(ncclGetLastError)       \
	X(ncclGetUniqueId)        \
	X(ncclGetVersion)         \
	X(ncclGroupEnd)           \
	X(ncclGroupStart)         \
	X(ncclRecv)               \
	X(ncclSend)

/* Optional: without it times come from events. */
#define TP_CUPTI_LIST(X)                          \
	X(cuptiActivityDisable)                   \
	X(cuptiActivityEnable)                    \
	X(cuptiActivityEnableDriverApi)           \
	X(cuptiActivityEnableRuntimeApi)          \
	X(cuptiActivityFlushAll)                  \
	X(cuptiActivityGetNextRecord)             \
	X(cuptiActivityGetNumDroppedRecords)      \
	X(cuptiActivityPopExternalCorrelationId)  \
	X(cuptiActivityPushExternalCorrelationId) \
	X(cuptiActivityRegisterCallbacks)         \
	X(cuptiActivityRegisterTimestampCallback) \
	X(cuptiActivitySetAttribute)              \
	X(cuptiFinalize)                          \
	X(cuptiGetResultString)                   \
	X(cuptiGetTimestamp)                      \
	X(cuptiGetVersion)                        \
	X(cuptiSubscribe_v2)                      \
	X(cuptiUnsubscribe)

struct tp_cuda_api {
#define TP_CUDA_FIELD(function) __typeof__(function) *function;
	TP_CUDART_LIST(TP_CUDA_FIELD)
	TP_CUDNN_LIST(TP_CUDA_FIELD)
	TP_CUBLASLT_LIST(TP_CUDA_FIELD)
	TP_NCCL_LIST(TP_CUDA_FIELD)
	TP_CUPTI_LIST(TP_CUDA_FIELD)
#undef TP_CUDA_FIELD
	bool has_nccl, has_cupti;
	/* Of a stand-in that checks the lifetimes of memory; else NULL. */
	void (*fakecuda_retire)(cudaStream_t stream, const void *at, size_t bytes);
	const char *stand_in; /* of the library that took CUDA's place: "fakecuda (no GPU)"; NULL: CUDA itself */
};

/* Filled by tp_cuda_load(); read-only from then on. */
extern struct tp_cuda_api tp_cuda;

/* Load everything at the first call. False with a line added that says what is missing: the library and the loader's
 * own text. With TPBENCH_CUDA_RUNTIME set to a file all functions come from it, as far as it has them. */
bool tp_cuda_load(struct tp_text *why_not);

/* A library's status as ours, with the call, the place and the library's own text. Out of memory is TP_ERR_NOMEM, all
 * else TP_ERR_DEVICE. */
enum tp_status tp_cuda_status(cudaError_t error, const char *call, const char *file, int line);
enum tp_status tp_cudnn_status(cudnnStatus_t error, const char *call, const char *file, int line);
enum tp_status tp_cublas_status(cublasStatus_t error, const char *call, const char *file, int line);
enum tp_status tp_nccl_status(ncclResult_t error, const char *call, const char *file, int line);

#define TP_CUDA_CHECK(function, ...) tp_cuda_status(tp_cuda.function(__VA_ARGS__), #function, __FILE__, __LINE__)
#define TP_CUDNN_CHECK(function, ...) tp_cudnn_status(tp_cuda.function(__VA_ARGS__), #function, __FILE__, __LINE__)
#define TP_CUBLAS_CHECK(function, ...) tp_cublas_status(tp_cuda.function(__VA_ARGS__), #function, __FILE__, __LINE__)
#define TP_NCCL_CHECK(function, ...) tp_nccl_status(tp_cuda.function(__VA_ARGS__), #function, __FILE__, __LINE__)

#endif
