/* cuDNN's spatial batch normalisation: each channel over N, H and W. */
#include "tests/fakecuda/fake_cudnn.h"

#include <math.h>
#include <stdlib.h>

struct norm {
	struct cudnnTensorStruct tensor; /* x, y, dx, dy */
	struct fake_scale scale;         /* of y or dx */
	struct fake_scale param_scale;   /* of the gradients of scale and bias */
	double epsilon, factor;
	const void *x, *dy;
	void *y;                                            /* or dx */
	const float *gamma, *beta, *mean, *variance;        /* read */
	float *running_mean, *running_variance;             /* read and written */
	float *save_mean, *save_inverse, *d_gamma, *d_beta; /* written */
};

/* --- channel by channel, in the order of memory ------------------------------------------------------------------- */

/* Values come in runs of `inner`; in NHWC each run goes through all channels, in NCHW it belongs to one. */
struct runs {
	int64_t outer, inner;
	bool interleaved;
	int channels;
};

static struct runs runs_of(const struct cudnnTensorStruct *tensor)
{
	int64_t image = (int64_t)tensor->h * tensor->w;
	if (tensor->format == CUDNN_TENSOR_NHWC)
		return (struct runs){tensor->n * image, tensor->c, true, tensor->c};
	return (struct runs){(int64_t)tensor->n * tensor->c, image, false, tensor->c};
}

static int64_t channel_of(const struct runs *runs, int64_t index)
{
	return runs->interleaved ? index % runs->inner : index / runs->inner % runs->channels;
}

static int64_t samples_of(const struct cudnnTensorStruct *tensor)
{
	return (int64_t)tensor->n * tensor->h * tensor->w;
}

/* Mean and biased variance of each channel, in two passes. */
static void statistics(const struct norm *norm, double *mean, double *variance)
{
	struct runs runs = runs_of(&norm->tensor);
	int64_t count = fake_tensor_elements(&norm->tensor), samples = samples_of(&norm->tensor);
	for (int64_t i = 0; i < count; i++)
		mean[channel_of(&runs, i)] += fake_get(norm->x, norm->tensor.type, i);
	for (int c = 0; c < runs.channels; c++)
		mean[c] /= (double)samples;
	for (int64_t i = 0; i < count; i++) {
		int64_t c = channel_of(&runs, i);
		double off = fake_get(norm->x, norm->tensor.type, i) - mean[c];
		variance[c] += off * off;
	}
	for (int c = 0; c < runs.channels; c++)
		variance[c] /= (double)samples;
}

static void normalise(const struct norm *norm, const double *mean, const double *inverse)
{
	struct runs runs = runs_of(&norm->tensor);
	int64_t count = fake_tensor_elements(&norm->tensor);
	for (int64_t i = 0; i < count; i++) {
		int64_t c = channel_of(&runs, i);
		double normal = (fake_get(norm->x, norm->tensor.type, i) - mean[c]) * inverse[c];
		fake_blend(norm->y, norm->tensor.type, i, norm->scale,
		           normal * (double)norm->gamma[c] + (double)norm->beta[c]);
	}
}

static float advance(float running, double now, double factor)
{
	return (float)(factor == 1 ? now : now * factor + (double)running * (1 - factor));
}

static void run_training(const void *args)
{
	const struct norm *norm = args;
	int channels = norm->tensor.c;
	double *mean = fake_doubles(channels), *variance = fake_doubles(channels), *inverse = fake_doubles(channels);
	double samples = (double)samples_of(&norm->tensor);
	statistics(norm, mean, variance);
	for (int c = 0; c < channels; c++) {
		inverse[c] = 1 / sqrt(variance[c] + norm->epsilon);
		if (norm->running_mean) {
			/* The running variance is the unbiased one. */
			double unbiased = samples > 1 ? variance[c] * samples / (samples - 1) : variance[c];
			norm->running_mean[c] = advance(norm->running_mean[c], mean[c], norm->factor);
			norm->running_variance[c] = advance(norm->running_variance[c], unbiased, norm->factor);
		}
		if (norm->save_mean) {
			norm->save_mean[c] = (float)mean[c];
			norm->save_inverse[c] = (float)inverse[c];
		}
	}
	normalise(norm, mean, inverse);
	free(inverse);
	free(variance);
	free(mean);
}

static void run_inference(const void *args)
{
	const struct norm *norm = args;
	double *mean = fake_doubles(norm->tensor.c), *inverse = fake_doubles(norm->tensor.c);
	for (int c = 0; c < norm->tensor.c; c++) {
		mean[c] = (double)norm->mean[c];
		inverse[c] = 1 / sqrt((double)norm->variance[c] + norm->epsilon);
	}
	normalise(norm, mean, inverse);
	free(inverse);
	free(mean);
}

/* As saved by the forward, or, where nothing was, from x again. */
static void recall(const struct norm *norm, double *mean, double *inverse)
{
	if (!norm->mean)
		statistics(norm, mean, inverse);
	for (int c = 0; c < norm->tensor.c; c++) {
		mean[c] = norm->mean ? (double)norm->mean[c] : mean[c];
		inverse[c] = norm->mean ? (double)norm->variance[c] : 1 / sqrt(inverse[c] + norm->epsilon);
	}
}

static void blend_param(float *at, int c, struct fake_scale scale, double value)
{
	fake_blend(at, FAKE_F32, c, scale, value);
}

static void run_backward(const void *args)
{
	const struct norm *norm = args;
	struct runs runs = runs_of(&norm->tensor);
	enum fake_type type = norm->tensor.type;
	int channels = norm->tensor.c;
	int64_t count = fake_tensor_elements(&norm->tensor);
	double samples = (double)samples_of(&norm->tensor);
	double *mean = fake_doubles(channels), *inverse = fake_doubles(channels);
	double *d_gamma = fake_doubles(channels), *d_beta = fake_doubles(channels);
	recall(norm, mean, inverse);
	for (int64_t i = 0; i < count; i++) {
		int64_t c = channel_of(&runs, i);
		double dy = fake_get(norm->dy, type, i);
		d_beta[c] += dy;
		d_gamma[c] += dy * (fake_get(norm->x, type, i) - mean[c]) * inverse[c];
	}
	for (int64_t i = 0; i < count; i++) {
		int64_t c = channel_of(&runs, i);
		double normal = (fake_get(norm->x, type, i) - mean[c]) * inverse[c];
		double centred = fake_get(norm->dy, type, i) - (d_beta[c] + normal * d_gamma[c]) / samples;
		fake_blend(norm->y, type, i, norm->scale, (double)norm->gamma[c] * inverse[c] * centred);
	}
	for (int c = 0; c < channels; c++) {
		blend_param(norm->d_gamma, c, norm->param_scale, d_gamma[c]);
		blend_param(norm->d_beta, c, norm->param_scale, d_beta[c]);
	}
	free(d_beta);
	free(d_gamma);
	free(inverse);
	free(mean);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

/* What all three have: a mode, tensors of one description, parameters as 1 x C x 1 x 1 of float. */
static cudnnStatus_t check(const char *call, cudnnHandle_t handle, cudnnBatchNormMode_t mode, double epsilon,
                           cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t y, cudnnTensorDescriptor_t params)
{
	if (!handle || !x || !y || !params)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "handle or descriptor is NULL");
	if (mode != CUDNN_BATCHNORM_SPATIAL && mode != CUDNN_BATCHNORM_SPATIAL_PERSISTENT)
		return fake_cudnn_refuse(CUDNN_STATUS_NOT_SUPPORTED, call, "only spatial normalisation");
	if (!(epsilon >= CUDNN_BN_MIN_EPSILON))
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "epsilon is below CUDNN_BN_MIN_EPSILON");
	if (x->n == 0 || y->n == 0 || params->n == 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a descriptor was never set");
	if (!fake_same_tensor(x, y))
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "tensors differ in size, type or format");
	if (params->n != 1 || params->c != x->c || params->h != 1 || params->w != 1 || params->type != FAKE_F32)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "parameters are not 1 x C x 1 x 1 of float");
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_vector(const char *call, const void *at)
{
	if (!at)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a parameter's pointer is NULL");
	if ((uintptr_t)at % sizeof(float) != 0)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "a parameter's pointer is not aligned");
	return CUDNN_STATUS_SUCCESS;
}

/* Both there or both not. */
static cudnnStatus_t check_pair(const char *call, const void *a, const void *b)
{
	if (!a != !b)
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "one of a pair of optional pointers is NULL");
	if (!a)
		return CUDNN_STATUS_SUCCESS;
	FAKE_CUDNN_TRY(check_vector(call, a));
	return check_vector(call, b);
}

static size_t vector_bytes(const struct norm *norm)
{
	return (size_t)norm->tensor.c * sizeof(float);
}

FAKE_EXPORT cudnnStatus_t cudnnBatchNormalizationForwardTraining(
        cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
        const cudnnTensorDescriptor_t xDesc, const void *x, const cudnnTensorDescriptor_t yDesc, void *y,
        const cudnnTensorDescriptor_t bnScaleBiasMeanVarDesc, const void *bnScale, const void *bnBias,
        double exponentialAverageFactor, void *resultRunningMean, void *resultRunningVariance, double epsilon,
        void *resultSaveMean, void *resultSaveInvVariance)
{
	static const char call[] = "cudnnBatchNormalizationForwardTraining";
	FAKE_CUDNN_BEGIN(cudnnBatchNormalizationForwardTraining);
	FAKE_CUDNN_TRY(check(call, handle, mode, epsilon, xDesc, yDesc, bnScaleBiasMeanVarDesc));
	struct norm norm = {.tensor = *xDesc,
	                    .epsilon = epsilon,
	                    .factor = exponentialAverageFactor,
	                    .x = x,
	                    .y = y,
	                    .gamma = bnScale,
	                    .beta = bnBias,
	                    .running_mean = resultRunningMean,
	                    .running_variance = resultRunningVariance,
	                    .save_mean = resultSaveMean,
	                    .save_inverse = resultSaveInvVariance};
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &norm.scale));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, x));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, y));
	FAKE_CUDNN_TRY(check_vector(call, bnScale));
	FAKE_CUDNN_TRY(check_vector(call, bnBias));
	FAKE_CUDNN_TRY(check_pair(call, resultRunningMean, resultRunningVariance));
	FAKE_CUDNN_TRY(check_pair(call, resultSaveMean, resultSaveInvVariance));
	if (resultRunningMean && !(exponentialAverageFactor >= 0 && exponentialAverageFactor <= 1))
		return fake_cudnn_refuse(CUDNN_STATUS_BAD_PARAM, call, "the average's factor is not in 0 .. 1");
	struct fake_touches touches = {.count = 0};
	struct fake_scale running = {1, norm.factor == 1 ? 0 : 1};
	fake_reads(&touches, x, fake_tensor_bytes(&norm.tensor));
	fake_reads(&touches, bnScale, vector_bytes(&norm));
	fake_reads(&touches, bnBias, vector_bytes(&norm));
	fake_blends(&touches, y, fake_tensor_bytes(&norm.tensor), norm.scale);
	fake_blends(&touches, resultRunningMean, vector_bytes(&norm), running);
	fake_blends(&touches, resultRunningVariance, vector_bytes(&norm), running);
	fake_writes(&touches, resultSaveMean, vector_bytes(&norm));
	fake_writes(&touches, resultSaveInvVariance, vector_bytes(&norm));
	return fake_cudnn_submit(handle, call, &touches, run_training, &norm, sizeof norm);
}

FAKE_EXPORT cudnnStatus_t cudnnBatchNormalizationForwardInference(
        cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
        const cudnnTensorDescriptor_t xDesc, const void *x, const cudnnTensorDescriptor_t yDesc, void *y,
        const cudnnTensorDescriptor_t bnScaleBiasMeanVarDesc, const void *bnScale, const void *bnBias,
        const void *estimatedMean, const void *estimatedVariance, double epsilon)
{
	static const char call[] = "cudnnBatchNormalizationForwardInference";
	FAKE_CUDNN_BEGIN(cudnnBatchNormalizationForwardInference);
	FAKE_CUDNN_TRY(check(call, handle, mode, epsilon, xDesc, yDesc, bnScaleBiasMeanVarDesc));
	struct norm norm = {.tensor = *xDesc,
	                    .epsilon = epsilon,
	                    .x = x,
	                    .y = y,
	                    .gamma = bnScale,
	                    .beta = bnBias,
	                    .mean = estimatedMean,
	                    .variance = estimatedVariance};
	const void *const vectors[] = {bnScale, bnBias, estimatedMean, estimatedVariance};
	struct fake_touches touches = {.count = 0};
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alpha, beta, &norm.scale));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, x));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, y));
	for (int i = 0; i < 4; i++) {
		FAKE_CUDNN_TRY(check_vector(call, vectors[i]));
		fake_reads(&touches, vectors[i], vector_bytes(&norm));
	}
	fake_reads(&touches, x, fake_tensor_bytes(&norm.tensor));
	fake_blends(&touches, y, fake_tensor_bytes(&norm.tensor), norm.scale);
	return fake_cudnn_submit(handle, call, &touches, run_inference, &norm, sizeof norm);
}

static void backward_touches(const struct norm *norm, struct fake_touches *touches)
{
	size_t bytes = fake_tensor_bytes(&norm->tensor), vector = vector_bytes(norm);
	fake_reads(touches, norm->x, bytes);
	fake_reads(touches, norm->dy, bytes);
	fake_reads(touches, norm->gamma, vector);
	fake_reads(touches, norm->mean, vector);
	fake_reads(touches, norm->variance, vector);
	fake_blends(touches, norm->y, bytes, norm->scale);
	fake_blends(touches, norm->d_gamma, vector, norm->param_scale);
	fake_blends(touches, norm->d_beta, vector, norm->param_scale);
}

FAKE_EXPORT cudnnStatus_t cudnnBatchNormalizationBackward(
        cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alphaDataDiff, const void *betaDataDiff,
        const void *alphaParamDiff, const void *betaParamDiff, const cudnnTensorDescriptor_t xDesc, const void *x,
        const cudnnTensorDescriptor_t dyDesc, const void *dy, const cudnnTensorDescriptor_t dxDesc, void *dx,
        const cudnnTensorDescriptor_t dBnScaleBiasDesc, const void *bnScale, void *dBnScaleResult, void *dBnBiasResult,
        double epsilon, const void *savedMean, const void *savedInvVariance)
{
	static const char call[] = "cudnnBatchNormalizationBackward";
	FAKE_CUDNN_BEGIN(cudnnBatchNormalizationBackward);
	FAKE_CUDNN_TRY(check(call, handle, mode, epsilon, xDesc, dyDesc, dBnScaleBiasDesc));
	FAKE_CUDNN_TRY(check(call, handle, mode, epsilon, xDesc, dxDesc, dBnScaleBiasDesc));
	struct norm norm = {.tensor = *xDesc,
	                    .epsilon = epsilon,
	                    .x = x,
	                    .dy = dy,
	                    .y = dx,
	                    .gamma = bnScale,
	                    .mean = savedMean,
	                    .variance = savedInvVariance,
	                    .d_gamma = dBnScaleResult,
	                    .d_beta = dBnBiasResult};
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alphaDataDiff, betaDataDiff, &norm.scale));
	FAKE_CUDNN_TRY(fake_cudnn_scale(call, alphaParamDiff, betaParamDiff, &norm.param_scale));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, x));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, dy));
	FAKE_CUDNN_TRY(fake_cudnn_pointer(call, dx));
	FAKE_CUDNN_TRY(check_vector(call, bnScale));
	FAKE_CUDNN_TRY(check_vector(call, dBnScaleResult));
	FAKE_CUDNN_TRY(check_vector(call, dBnBiasResult));
	FAKE_CUDNN_TRY(check_pair(call, savedMean, savedInvVariance));
	struct fake_touches touches = {.count = 0};
	backward_touches(&norm, &touches);
	return fake_cudnn_submit(handle, call, &touches, run_backward, &norm, sizeof norm);
}
