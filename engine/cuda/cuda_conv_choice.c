#include "engine/cuda/cuda_conv_choice.h"

#include <pthread.h>
#include <string.h>

/* One algorithm as cuDNN offers it; its three structures differ in the enumeration alone. */
struct offer {
	int algorithm;
	cudnnStatus_t status;
	size_t memory_bytes;
	cudnnDeterminism_t determinism;
	cudnnMathType_t math;
};

/* Every algorithm, with each of two kinds of arithmetic. */
enum { OFFERS = 2 * CUDNN_CONVOLUTION_FWD_ALGO_COUNT };

struct offers {
	int count;
	struct offer offer[OFFERS];
};

/* Memory that algorithms are timed on. Its contents do not matter. */
struct trial {
	void *x, *y, *weights, *workspace;
	size_t workspace_bytes;
};

/* What an answer depends on. */
struct key {
	int64_t limit_bytes;
	int32_t gpu, pass, samples, type, math, deterministic, timed;
	int32_t from[3], to[3], window[3];
};

struct answer {
	struct key key;
	struct tp_cuda_conv_choice choice;
};

/* Beyond so many shapes each is found anew. The lock is held while algorithms are timed, so that no other stage's
 * timing on the same GPU disturbs it. */
enum { ANSWERS = 1024 };
static struct answer answers[ANSWERS];
static int answer_count;
static pthread_mutex_t answers_lock = PTHREAD_MUTEX_INITIALIZER;

cudnnMathType_t tp_cuda_conv_math(const struct tp_cuda_device *device)
{
	static const cudnnMathType_t maths[] = {
	        [TP_MATH_FP32] = CUDNN_FMA_MATH, /* the default would round to TF32 */
	        [TP_MATH_TF32] = CUDNN_DEFAULT_MATH,
	        [TP_MATH_BF16] = CUDNN_TENSOR_OP_MATH,
	};
	return maths[device->math];
}

const char *tp_cuda_conv_algorithm_text(enum tp_cuda_conv_pass pass, int algorithm)
{
	static const char *const forward[CUDNN_CONVOLUTION_FWD_ALGO_COUNT] = {
	        "implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling",
	        "winograd",      "winograd_nonfused",
	};
	static const char *const data[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT] = {
	        "0", "1", "fft", "fft_tiling", "winograd", "winograd_nonfused",
	};
	static const char *const weights[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT] = {
	        "0", "1", "fft", "3", "winograd", "winograd_nonfused", "fft_tiling",
	};
	static const char *const *const texts[TP_CUDA_CONV_PASSES] = {forward, data, weights};
	static const int counts[TP_CUDA_CONV_PASSES] = {
	        CUDNN_CONVOLUTION_FWD_ALGO_COUNT,
	        CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT,
	        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT,
	};
	return algorithm >= 0 && algorithm < counts[pass] ? texts[pass][algorithm] : "unknown";
}

static struct key key_of(const struct tp_cuda_device *device, const struct tp_cuda_conv *conv, bool timed)
{
	const struct tp_layer *layer = conv->layer;
	const struct tp_shape from = layer->in_shape, to = layer->out_shape;
	struct key key;
	memset(&key, 0, sizeof key); /* compared as bytes */
	key.limit_bytes = device->workspace_limit_bytes;
	key.gpu = device->gpu;
	key.pass = (int32_t)conv->pass;
	key.samples = conv->samples;
	key.type = (int32_t)device->type;
	key.math = (int32_t)device->math;
	key.deterministic = device->deterministic;
	key.timed = timed;
	memcpy(key.from, (const int32_t[]){from.c, from.h, from.w}, sizeof key.from);
	memcpy(key.to, (const int32_t[]){to.c, to.h, to.w}, sizeof key.to);
	memcpy(key.window, (const int32_t[]){layer->kernel, layer->stride, layer->padding}, sizeof key.window);
	return key;
}

#define TAKE_OFFERS(found, results, offers)                                                                      \
	do {                                                                                                     \
		(offers)->count = (found);                                                                       \
		for (int i = 0; i < (found); i++)                                                                \
			(offers)->offer[i] =                                                                     \
			        (struct offer){(int)(results)[i].algo, (results)[i].status, (results)[i].memory, \
			                       (results)[i].determinism, (results)[i].mathType};                 \
	} while (0)

/* By cuDNN's rule, the best first. */
static enum tp_status ask_rule(struct tp_cuda_device *device, const struct tp_cuda_conv *conv, struct offers *offers)
{
	cudnnConvolutionFwdAlgoPerf_t forward[OFFERS];
	cudnnConvolutionBwdDataAlgoPerf_t data[OFFERS];
	cudnnConvolutionBwdFilterAlgoPerf_t weights[OFFERS];
	int found = 0;
	switch (conv->pass) {
	case TP_CUDA_FORWARD:
		TP_TRY(TP_CUDNN_CHECK(cudnnGetConvolutionForwardAlgorithm_v7, device->dnn, conv->x, conv->filter,
		                      conv->conv, conv->y, OFFERS, &found, forward));
		TAKE_OFFERS(found, forward, offers);
		break;
	case TP_CUDA_BACKWARD_DATA:
		TP_TRY(TP_CUDNN_CHECK(cudnnGetConvolutionBackwardDataAlgorithm_v7, device->dnn, conv->filter, conv->y,
		                      conv->conv, conv->x, OFFERS, &found, data));
		TAKE_OFFERS(found, data, offers);
		break;
	default:
		TP_TRY(TP_CUDNN_CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7, device->dnn, conv->x, conv->y,
		                      conv->conv, conv->filter, OFFERS, &found, weights));
		TAKE_OFFERS(found, weights, offers);
		break;
	}
	return TP_OK;
}

/* By running them, the fastest first. */
static enum tp_status ask_clock(struct tp_cuda_device *device, const struct tp_cuda_conv *conv,
                                const struct trial *trial, struct offers *offers)
{
	cudnnConvolutionFwdAlgoPerf_t forward[OFFERS];
	cudnnConvolutionBwdDataAlgoPerf_t data[OFFERS];
	cudnnConvolutionBwdFilterAlgoPerf_t weights[OFFERS];
	int found = 0;
	switch (conv->pass) {
	case TP_CUDA_FORWARD:
		TP_TRY(TP_CUDNN_CHECK(cudnnFindConvolutionForwardAlgorithmEx, device->dnn, conv->x, trial->x,
		                      conv->filter, trial->weights, conv->conv, conv->y, trial->y, OFFERS, &found,
		                      forward, trial->workspace, trial->workspace_bytes));
		TAKE_OFFERS(found, forward, offers);
		break;
	case TP_CUDA_BACKWARD_DATA:
		TP_TRY(TP_CUDNN_CHECK(cudnnFindConvolutionBackwardDataAlgorithmEx, device->dnn, conv->filter,
		                      trial->weights, conv->y, trial->y, conv->conv, conv->x, trial->x, OFFERS, &found,
		                      data, trial->workspace, trial->workspace_bytes));
		TAKE_OFFERS(found, data, offers);
		break;
	default:
		TP_TRY(TP_CUDNN_CHECK(cudnnFindConvolutionBackwardFilterAlgorithmEx, device->dnn, conv->x, trial->x,
		                      conv->y, trial->y, conv->conv, conv->filter, trial->weights, OFFERS, &found,
		                      weights, trial->workspace, trial->workspace_bytes));
		TAKE_OFFERS(found, weights, offers);
		break;
	}
	return TP_OK;
}

static bool fits(const struct tp_cuda_device *device, const struct offer *offer)
{
	const int64_t limit = device->workspace_limit_bytes;
	return offer->status == CUDNN_STATUS_SUCCESS && (limit == 0 || offer->memory_bytes <= (size_t)limit) &&
	       (!device->deterministic || offer->determinism == CUDNN_DETERMINISTIC);
}

/* The first that fits. Where TF32 is not allowed cuDNN times it all the same, so those with the right arithmetic come
 * before all others, which are run with it too. */
static bool take_first(const struct tp_cuda_device *device, const struct offers *offers,
                       struct tp_cuda_conv_choice *choice)
{
	const cudnnMathType_t math = tp_cuda_conv_math(device);
	const bool strict = math == CUDNN_FMA_MATH;
	for (int any_math = !strict; any_math <= 1; any_math++) {
		for (int i = 0; i < offers->count; i++) {
			const struct offer *offer = &offers->offer[i];
			if (!fits(device, offer) || (!any_math && offer->math != math))
				continue;
			choice->algorithm = offer->algorithm;
			choice->math = strict ? math : offer->math;
			choice->workspace_bytes = offer->memory_bytes;
			return true;
		}
	}
	return false;
}

static void release_trial(struct tp_cuda_device *device, struct trial *trial)
{
	const struct tp_memory_ops *memory = device->base.ops->memory;
	memory->release(&device->base, trial->x);
	memory->release(&device->base, trial->y);
	memory->release(&device->base, trial->weights);
	memory->release(&device->base, trial->workspace);
}

/* Workspace for all that the rule knows and that may be chosen; half of what is free stays free. */
static enum tp_status reserve_trial(struct tp_cuda_device *device, const struct tp_cuda_conv *conv,
                                    const struct offers *known, struct trial *trial)
{
	const struct tp_memory_ops *memory = device->base.ops->memory;
	const struct tp_layer *layer = conv->layer;
	const int64_t bytes = device->base.ops->element_bytes;
	const int64_t weights = (int64_t)layer->out_shape.c * layer->in_shape.c * layer->kernel * layer->kernel;
	size_t free_bytes = 0, total_bytes = 0;
	TP_TRY(TP_CUDA_CHECK(cudaMemGetInfo, &free_bytes, &total_bytes));
	for (int i = 0; i < known->count; i++) {
		const size_t wanted = known->offer[i].memory_bytes;
		if (fits(device, &known->offer[i]) && wanted <= free_bytes / 2 && wanted > trial->workspace_bytes)
			trial->workspace_bytes = wanted;
	}
	const size_t x_bytes = (size_t)(conv->samples * tp_shape_elements(layer->in_shape) * bytes);
	const size_t y_bytes = (size_t)(conv->samples * tp_shape_elements(layer->out_shape) * bytes);
	TP_TRY(memory->reserve(&device->base, x_bytes, &trial->x));
	TP_TRY(memory->reserve(&device->base, y_bytes, &trial->y));
	TP_TRY(memory->reserve(&device->base, (size_t)(weights * bytes), &trial->weights));
	if (trial->workspace_bytes == 0)
		return TP_OK;
	return memory->reserve(&device->base, trial->workspace_bytes, &trial->workspace);
}

static bool choose_by_clock(struct tp_cuda_device *device, const struct tp_cuda_conv *conv, const struct offers *known,
                            struct tp_cuda_conv_choice *choice)
{
	struct trial trial = {0};
	struct offers offers = {0};
	enum tp_status status = reserve_trial(device, conv, known, &trial);
	if (status == TP_OK)
		status = ask_clock(device, conv, &trial, &offers);
	release_trial(device, &trial);
	choice->timed = status == TP_OK && take_first(device, &offers, choice);
	return choice->timed;
}

static enum tp_status choose(struct tp_cuda_device *device, const struct tp_cuda_conv *conv, bool timed,
                             struct tp_cuda_conv_choice *choice)
{
	struct offers known = {0};
	TP_TRY(ask_rule(device, conv, &known));
	/* The clock may choose another one next time; with the same bits every time goes the same algorithm. */
	if (timed && !device->deterministic && choose_by_clock(device, conv, &known, choice))
		return TP_OK;
	if (take_first(device, &known, choice))
		return TP_OK;
	return tp_fail(TP_ERR_UNSUPPORTED,
	               "cuDNN offers no algorithm for %s of %d samples within a workspace of %lld bytes%s",
	               conv->pass == TP_CUDA_FORWARD ? "the forward" : "the backward", conv->samples,
	               (long long)device->workspace_limit_bytes,
	               device->deterministic ? " that gives the same bits every time" : "");
}

enum tp_status tp_cuda_conv_choose(struct tp_cuda_device *device, const struct tp_cuda_conv *conv, bool timed,
                                   struct tp_cuda_conv_choice *choice)
{
	const struct key key = key_of(device, conv, timed);
	enum tp_status status = TP_OK;
	int i = 0;
	*choice = (struct tp_cuda_conv_choice){0};
	(void)pthread_mutex_lock(&answers_lock);
	while (i < answer_count && memcmp(&answers[i].key, &key, sizeof key) != 0)
		i++;
	if (i < answer_count)
		*choice = answers[i].choice;
	else
		status = choose(device, conv, timed, choice);
	if (status == TP_OK && i == answer_count && i < ANSWERS)
		answers[answer_count++] = (struct answer){key, *choice};
	(void)pthread_mutex_unlock(&answers_lock);
	return status;
}
