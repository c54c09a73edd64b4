/* Which algorithms cuDNN would offer for a convolution. Their numbers are made up so that whoever chooses meets every
 * case: the fastest wants more workspace than most will give and is not there for all shapes, the second is not
 * deterministic, the third is deterministic, and one of the two wants none. */
#include "tests/fakecuda/fake_cudnn.h"

#include <string.h>

enum { ALGORITHMS = 3, MEBIBYTE = 1 << 20 };

enum need { NEEDS_MUCH, NEEDS_INDICES, NEEDS_NOTHING };

struct algorithm {
	int number;
	enum need need;
	cudnnDeterminism_t determinism;
	float time_ms;
};

/* Fastest first. */
static const struct algorithm algorithms[][ALGORITHMS] = {
        [FAKE_FORWARD] = {{CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, NEEDS_MUCH, CUDNN_DETERMINISTIC, 0.1F},
                          {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, NEEDS_INDICES, CUDNN_NON_DETERMINISTIC,
                           0.25F},
                          {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, NEEDS_NOTHING, CUDNN_DETERMINISTIC, 0.5F}},
        [FAKE_BACKWARD_DATA] = {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, NEEDS_MUCH, CUDNN_DETERMINISTIC,
                                 0.125F},
                                {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, NEEDS_NOTHING, CUDNN_NON_DETERMINISTIC, 0.375F},
                                {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, NEEDS_INDICES, CUDNN_DETERMINISTIC, 0.5F}},
        [FAKE_BACKWARD_FILTER] = {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, NEEDS_MUCH, CUDNN_DETERMINISTIC,
                                   0.125F},
                                  {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, NEEDS_NOTHING, CUDNN_NON_DETERMINISTIC, 0.25F},
                                  {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, NEEDS_INDICES, CUDNN_DETERMINISTIC, 0.75F}},
};

/* Independent of the batch, as the caller uses one workspace for all its slices. */
static size_t needed_bytes(const struct algorithm *algorithm, const struct fake_convolution *convolution)
{
	if (algorithm->need == NEEDS_NOTHING)
		return 0;
	if (algorithm->need == NEEDS_MUCH)
		return (size_t)96 * MEBIBYTE;
	size_t taps = (size_t)convolution->w.h * (size_t)convolution->w.w;
	size_t points = (size_t)convolution->y.h * (size_t)convolution->y.w;
	return (taps * points * sizeof(int32_t) + 255) / 256 * 256;
}

static bool supported(const struct algorithm *algorithm, const struct fake_convolution *convolution)
{
	const struct cudnnConvolutionStruct *how = &convolution->how;
	return algorithm->need != NEEDS_MUCH || (convolution->w.h == 3 && convolution->w.w == 3 && how->stride_h == 1 &&
	                                         how->stride_w == 1 && how->dilation_h == 1 && how->dilation_w == 1);
}

cudnnStatus_t fake_algorithm_needs(const char *call, enum fake_direction direction,
                                   const struct fake_convolution *convolution, int algorithm, size_t *bytes)
{
	for (int i = 0; i < ALGORITHMS; i++) {
		const struct algorithm *of = &algorithms[direction][i];
		if (of->number == algorithm && supported(of, convolution)) {
			*bytes = needed_bytes(of, convolution);
			return CUDNN_STATUS_SUCCESS;
		}
	}
	return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "the algorithm is not there for this convolution");
}

/* The three structures of results are the same but for the type of `algo`. */
struct results {
	cudnnConvolutionFwdAlgoPerf_t rows[ALGORITHMS];
	int count;
};

/* Those that work first, each group in the order of the table. `limit_bytes`: of a workspace, more is no success. */
static void list(struct results *results, enum fake_direction direction, const struct fake_convolution *convolution,
                 size_t limit_bytes, bool measured)
{
	*results = (struct results){.count = 0};
	for (int works = 1; works >= 0; works--)
		for (int i = 0; i < ALGORITHMS; i++) {
			const struct algorithm *of = &algorithms[direction][i];
			size_t bytes = needed_bytes(of, convolution);
			cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
			if (!supported(of, convolution))
				status = CUDNN_STATUS_NOT_SUPPORTED;
			else if (bytes > limit_bytes)
				status = CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
			if ((status == CUDNN_STATUS_SUCCESS) != (works == 1))
				continue;
			cudnnConvolutionFwdAlgoPerf_t *row = &results->rows[results->count++];
			row->algo = (cudnnConvolutionFwdAlgo_t)of->number;
			row->status = status;
			row->time = measured && works ? of->time_ms : -1.0F;
			row->memory = supported(of, convolution) ? bytes : 0;
			row->determinism = of->determinism;
			row->mathType = convolution->how.math;
		}
}

_Static_assert(sizeof(cudnnConvolutionFwdAlgoPerf_t) == sizeof(cudnnConvolutionBwdDataAlgoPerf_t) &&
                       sizeof(cudnnConvolutionFwdAlgoPerf_t) == sizeof(cudnnConvolutionBwdFilterAlgoPerf_t),
               "one row serves all directions");

static cudnnStatus_t hand_out(const char *call, const struct results *results, int requested, int *returned, void *rows)
{
	if (!returned || !rows)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no place for results");
	if (requested < 1)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "no results are asked for");
	*returned = requested < results->count ? requested : results->count;
	memcpy(rows, results->rows, (size_t)*returned * sizeof results->rows[0]);
	return CUDNN_STATUS_SUCCESS;
}

/* --- by heuristics ------------------------------------------------------------------------------------------------ */

static cudnnStatus_t heuristic(const char *call, enum fake_direction direction, cudnnHandle_t handle,
                               cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                               cudnnTensorDescriptor_t y, int requested, int *returned, void *rows)
{
	struct fake_convolution convolution;
	struct results results;
	FAKE_CUDNN_TRY(fake_convolution_init(&convolution, call, handle, x, w, how, y));
	list(&results, direction, &convolution, SIZE_MAX, false);
	return hand_out(call, &results, requested, returned, rows);
}

FAKE_EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
        cudnnHandle_t handle, const cudnnTensorDescriptor_t srcDesc, const cudnnFilterDescriptor_t filterDesc,
        const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t destDesc,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionFwdAlgoPerf_t *perfResults)
{
	FAKE_CUDNN_BEGIN(cudnnGetConvolutionForwardAlgorithm_v7);
	return heuristic("cudnnGetConvolutionForwardAlgorithm_v7", FAKE_FORWARD, handle, srcDesc, filterDesc, convDesc,
	                 destDesc, requestedAlgoCount, returnedAlgoCount, perfResults);
}

FAKE_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
        cudnnHandle_t handle, const cudnnFilterDescriptor_t filterDesc, const cudnnTensorDescriptor_t diffDesc,
        const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t gradDesc,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionBwdDataAlgoPerf_t *perfResults)
{
	FAKE_CUDNN_BEGIN(cudnnGetConvolutionBackwardDataAlgorithm_v7);
	return heuristic("cudnnGetConvolutionBackwardDataAlgorithm_v7", FAKE_BACKWARD_DATA, handle, gradDesc,
	                 filterDesc, convDesc, diffDesc, requestedAlgoCount, returnedAlgoCount, perfResults);
}

FAKE_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        cudnnHandle_t handle, const cudnnTensorDescriptor_t srcDesc, const cudnnTensorDescriptor_t diffDesc,
        const cudnnConvolutionDescriptor_t convDesc, const cudnnFilterDescriptor_t gradDesc,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionBwdFilterAlgoPerf_t *perfResults)
{
	FAKE_CUDNN_BEGIN(cudnnGetConvolutionBackwardFilterAlgorithm_v7);
	return heuristic("cudnnGetConvolutionBackwardFilterAlgorithm_v7", FAKE_BACKWARD_FILTER, handle, srcDesc,
	                 gradDesc, convDesc, diffDesc, requestedAlgoCount, returnedAlgoCount, perfResults);
}

/* --- by trying ---------------------------------------------------------------------------------------------------- */

struct trial {
	const void *in[2];
	size_t in_bytes[2];
	void *out, *workspace;
	size_t out_bytes, workspace_bytes;
};

/* What lay in the output is lost. */
static void run_trial(const void *args)
{
	const struct trial *trial = args;
	fake_scribble(trial->workspace, trial->workspace_bytes);
	memset(trial->out, 0xff, trial->out_bytes);
}

static cudnnStatus_t find(const char *call, enum fake_direction direction, cudnnHandle_t handle,
                          const struct fake_convolution *convolution, const struct trial *trial, int requested,
                          int *returned, void *rows)
{
	struct results results;
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, trial->in[0]));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, trial->in[1]));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, trial->out));
	if (trial->workspace_bytes > 0)
		FAKE_CUDNN_TRY(fake_cudnn_pointer(call, trial->workspace));
	list(&results, direction, convolution, trial->workspace_bytes, true);
	FAKE_CUDNN_TRY(hand_out(call, &results, requested, returned, rows));
	struct fake_touches touches = {.count = 0};
	fake_reads(&touches, trial->in[0], trial->in_bytes[0]);
	fake_reads(&touches, trial->in[1], trial->in_bytes[1]);
	fake_writes(&touches, trial->out, trial->out_bytes);
	fake_writes(&touches, trial->workspace, trial->workspace_bytes);
	return fake_cudnn_submit(handle, call, &touches, run_trial, trial, sizeof *trial);
}

FAKE_EXPORT cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(
        cudnnHandle_t handle, const cudnnTensorDescriptor_t xDesc, const void *x, const cudnnFilterDescriptor_t wDesc,
        const void *w, const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t yDesc, void *y,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionFwdAlgoPerf_t *perfResults,
        void *workSpace, size_t workSpaceSizeInBytes)
{
	static const char call[] = "cudnnFindConvolutionForwardAlgorithmEx";
	FAKE_CUDNN_BEGIN(cudnnFindConvolutionForwardAlgorithmEx);
	struct fake_convolution c;
	FAKE_CUDNN_TRY(fake_convolution_init(&c, call, handle, xDesc, wDesc, convDesc, yDesc));
	struct trial trial = {{x, w},
	                      {fake_tensor_bytes(&c.x), fake_filter_bytes(&c.w)},
	                      y,
	                      workSpace,
	                      fake_tensor_bytes(&c.y),
	                      workSpaceSizeInBytes};
	return find(call, FAKE_FORWARD, handle, &c, &trial, requestedAlgoCount, returnedAlgoCount, perfResults);
}

FAKE_EXPORT cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(
        cudnnHandle_t handle, const cudnnFilterDescriptor_t wDesc, const void *w, const cudnnTensorDescriptor_t dyDesc,
        const void *dy, const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t dxDesc, void *dx,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionBwdDataAlgoPerf_t *perfResults,
        void *workSpace, size_t workSpaceSizeInBytes)
{
	static const char call[] = "cudnnFindConvolutionBackwardDataAlgorithmEx";
	FAKE_CUDNN_BEGIN(cudnnFindConvolutionBackwardDataAlgorithmEx);
	struct fake_convolution c;
	FAKE_CUDNN_TRY(fake_convolution_init(&c, call, handle, dxDesc, wDesc, convDesc, dyDesc));
	struct trial trial = {{w, dy},
	                      {fake_filter_bytes(&c.w), fake_tensor_bytes(&c.y)},
	                      dx,
	                      workSpace,
	                      fake_tensor_bytes(&c.x),
	                      workSpaceSizeInBytes};
	return find(call, FAKE_BACKWARD_DATA, handle, &c, &trial, requestedAlgoCount, returnedAlgoCount, perfResults);
}

FAKE_EXPORT cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(
        cudnnHandle_t handle, const cudnnTensorDescriptor_t xDesc, const void *x, const cudnnTensorDescriptor_t dyDesc,
        const void *y, const cudnnConvolutionDescriptor_t convDesc, const cudnnFilterDescriptor_t dwDesc, void *dw,
        const int requestedAlgoCount, int *returnedAlgoCount, cudnnConvolutionBwdFilterAlgoPerf_t *perfResults,
        void *workSpace, size_t workSpaceSizeInBytes)
{
	static const char call[] = "cudnnFindConvolutionBackwardFilterAlgorithmEx";
	FAKE_CUDNN_BEGIN(cudnnFindConvolutionBackwardFilterAlgorithmEx);
	struct fake_convolution c;
	FAKE_CUDNN_TRY(fake_convolution_init(&c, call, handle, xDesc, dwDesc, convDesc, dyDesc));
	struct trial trial = {{x, y},
	                      {fake_tensor_bytes(&c.x), fake_tensor_bytes(&c.y)},
	                      dw,
	                      workSpace,
	                      fake_filter_bytes(&c.w),
	                      workSpaceSizeInBytes};
	return find(call, FAKE_BACKWARD_FILTER, handle, &c, &trial, requestedAlgoCount, returnedAlgoCount, perfResults);
}
