/* The libraries' stand-ins against the engine's reference device: a small model is run on the latter, and each of its
 * layers once more, from the same inputs, by the calls that a GPU would get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <cublasLt.h>

#include "engine/backend/devices.h"
#include "engine/model/builder.h"
#include "tests/backend/graph.h"
#include "tests/fakecuda/cudnn_fixture.h"

#define OK(call) assert_int_equal(call, 0)

enum { BATCH = 3, CONV = 0, NORM = 1, POOL = 2, LINEAR = 4, VECTOR = 4 * 4 * 3, FEATURES = 5 };

static const float one = 1, zero = 0;
static const struct mode mode = {CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT};
static const double tolerance = 2e-5;
static struct tp_model model;
static struct graph graph;
static cudnnHandle_t handle;

static int setup(void **state)
{
	(void)state;
	struct tp_builder builder;
	struct tp_model_options options = {{3, 8, 6}, FEATURES, 0};
	struct graph_options how = {.slicing = {BATCH, 1}, .span = TP_SPAN_MINI};
	tp_builder_init(&builder, "small", &options, &model);
	tp_build_block(&builder);
	int32_t value = tp_build_conv(&builder, "conv", 0, 4, 3, 1, 1);
	value = tp_build_maxpool(&builder, "pool", tp_build_batchnorm(&builder, "norm", value), 2, 2);
	(void)tp_build_linear(&builder, "linear", tp_build_flatten(&builder, "flatten", value), FEATURES, 0);
	OK(tp_builder_finish(&builder));
	graph_open(&graph, &tp_device_reference, &model, &how, 1);
	test_values(graph.values[0], (int64_t)BATCH * 3 * 8 * 6, 7);
	graph_forward(&graph, TP_WHOLE);
	test_values(graph_output_gradient(&graph), (int64_t)BATCH * FEATURES, 8);
	graph_backward(&graph, TP_WHOLE, false);
	OK(cudnnCreate(&handle));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	graph_close(&graph);
	OK(cudnnDestroy(handle));
	return 0;
}

/* With the doubles of the reference, whose values are NCHW and whose filters are KCRS. */
static void tensor_from(struct tensor *tensor, const void *values, struct dims dims)
{
	tensor_init(tensor, mode, dims, 0);
	memcpy(tensor->plain, values, (size_t)tensor->count * sizeof(double));
	tensor_put(tensor);
}

static struct dims dims_of(int32_t value)
{
	struct tp_shape shape = value == 0 ? model.input : model.layers[value - 1].out_shape;
	return (struct dims){BATCH, shape.c, shape.h, shape.w};
}

static void value_from(struct tensor *tensor, int32_t value)
{
	tensor_from(tensor, graph.values[value], dims_of(value));
}

static void gradient_from(struct tensor *tensor, int32_t value)
{
	tensor_from(tensor, graph.gradients[value], dims_of(value));
}

static void expect(const struct tensor *tensor, const double *expected)
{
	for (int64_t i = 0; i < tensor->count; i++)
		test_near(tensor_get(tensor, i), expected[i], tolerance);
}

/* A tensor of a layer's block. */
static const double *param(void *const blocks[], int32_t layer, int32_t index)
{
	return (const double *)((const char *)blocks[layer] + graph.kernels[layer]->params[index].offset_bytes);
}

static void test_convolution(void **unused)
{
	(void)unused;
	struct tensor x, y, dx, dy, w, dw;
	struct dims filter = {4, 3, 3, 3};
	cudnnConvolutionDescriptor_t how;
	value_from(&x, CONV);
	value_from(&y, CONV + 1);
	gradient_from(&dx, CONV);
	gradient_from(&dy, CONV + 1);
	tensor_from(&w, param(graph.params, CONV, 0), filter);
	tensor_init(&dw, mode, filter, 9);
	memset(y.memory, 0, y.bytes);
	memset(dx.memory, 0, dx.bytes);
	OK(cudnnCreateConvolutionDescriptor(&how));
	OK(cudnnSetConvolution2dDescriptor(how, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
	OK(cudnnSetConvolutionMathType(how, CUDNN_FMA_MATH));
	OK(cudnnConvolutionForward(handle, &one, x.desc, x.memory, w.filter, w.memory, how,
	                           CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, NULL, 0, &zero, y.desc, y.memory));
	OK(cudnnConvolutionBackwardData(handle, &one, w.filter, w.memory, dy.desc, dy.memory, how,
	                                CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, NULL, 0, &zero, dx.desc, dx.memory));
	OK(cudnnConvolutionBackwardFilter(handle, &one, x.desc, x.memory, dy.desc, dy.memory, how,
	                                  CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, NULL, 0, &zero, dw.filter, dw.memory));
	expect(&y, graph.values[CONV + 1]);
	expect(&dx, graph.gradients[CONV]);
	expect(&dw, param(graph.dparams, CONV, 0));
	OK(cudnnDestroyConvolutionDescriptor(how));
	struct tensor *const all[] = {&x, &y, &dx, &dy, &w, &dw};
	for (int i = 0; i < 6; i++)
		tensor_release(all[i]);
}

static void expect_vector(const float *found, const double *expected)
{
	for (int c = 0; c < 4; c++)
		test_near((double)found[c], expected[c], tolerance);
}

static void test_batch_normalisation(void **unused)
{
	(void)unused;
	struct tensor x, y, dx, dy;
	const struct tp_layer *layer = &model.layers[NORM];
	float gamma[4] = {1, 1, 1, 1}, beta[4] = {0}, mean[4] = {0}, variance[4] = {1, 1, 1, 1}, save_mean[4],
	      save_inverse[4], d_gamma[4], d_beta[4];
	cudnnTensorDescriptor_t params;
	value_from(&x, NORM);
	value_from(&y, NORM + 1);
	gradient_from(&dx, NORM);
	gradient_from(&dy, NORM + 1);
	memset(y.memory, 0, y.bytes);
	memset(dx.memory, 0, dx.bytes);
	OK(cudnnCreateTensorDescriptor(&params));
	OK(cudnnSetTensor4dDescriptor(params, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 4, 1, 1));
	OK(cudnnBatchNormalizationForwardTraining(handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, x.desc, x.memory,
	                                          y.desc, y.memory, params, gamma, beta, layer->momentum, mean,
	                                          variance, layer->eps, save_mean, save_inverse));
	OK(cudnnBatchNormalizationBackward(handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one, &zero, x.desc, x.memory,
	                                   dy.desc, dy.memory, dx.desc, dx.memory, params, gamma, d_gamma, d_beta,
	                                   layer->eps, save_mean, save_inverse));
	expect(&y, graph.values[NORM + 1]);
	expect(&dx, graph.gradients[NORM]);
	expect_vector(d_gamma, param(graph.dparams, NORM, 0));
	expect_vector(d_beta, param(graph.dparams, NORM, 1));
	expect_vector(mean, param(graph.state, NORM, 2));
	expect_vector(variance, param(graph.state, NORM, 3));
	OK(cudnnDestroyTensorDescriptor(params));
	struct tensor *const all[] = {&x, &y, &dx, &dy};
	for (int i = 0; i < 4; i++)
		tensor_release(all[i]);
}

static void test_max_pooling(void **unused)
{
	(void)unused;
	struct tensor x, y, dx, dy;
	cudnnPoolingDescriptor_t how;
	value_from(&x, POOL);
	value_from(&y, POOL + 1);
	gradient_from(&dx, POOL);
	gradient_from(&dy, POOL + 1);
	memset(y.memory, 0, y.bytes);
	memset(dx.memory, 0, dx.bytes);
	OK(cudnnCreatePoolingDescriptor(&how));
	OK(cudnnSetPooling2dDescriptor(how, CUDNN_POOLING_MAX, CUDNN_NOT_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
	OK(cudnnPoolingForward(handle, how, &one, x.desc, x.memory, &zero, y.desc, y.memory));
	OK(cudnnPoolingBackward(handle, how, &one, y.desc, y.memory, dy.desc, dy.memory, x.desc, x.memory, &zero,
	                        dx.desc, dx.memory));
	expect(&y, graph.values[POOL + 1]);
	expect(&dx, graph.gradients[POOL]);
	OK(cudnnDestroyPoolingDescriptor(how));
	struct tensor *const all[] = {&x, &y, &dx, &dy};
	for (int i = 0; i < 4; i++)
		tensor_release(all[i]);
}

/* rows x columns floats, column-major, from as many doubles. */
static float *matrix(const double *from, int rows, int columns, cublasLtMatrixLayout_t *layout)
{
	float *to = test_memory((size_t)(rows * columns) * sizeof *to);
	for (int i = 0; i < rows * columns; i++)
		to[i] = from ? (float)from[i] : 0;
	OK(cublasLtMatrixLayoutCreate(layout, CUDA_R_32F, (uint64_t)rows, (uint64_t)columns, rows));
	return to;
}

/* Rows of samples are columns of what the library sees: y (features x batch) = W^T x + bias, W being in x out there. */
static void test_linear(void **unused)
{
	(void)unused;
	cublasLtHandle_t blas;
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t layouts[4];
	int32_t transpose = CUBLAS_OP_T;
	uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
	const double *expected = graph.values[LINEAR + 1];
	float *w = matrix(param(graph.params, LINEAR, 0), VECTOR, FEATURES, &layouts[0]);
	float *x = matrix(graph.values[LINEAR], VECTOR, BATCH, &layouts[1]);
	float *y = matrix(NULL, FEATURES, BATCH, &layouts[2]);
	float *bias = matrix(param(graph.params, LINEAR, 1), FEATURES, 1, &layouts[3]);
	OK(cublasLtCreate(&blas));
	OK(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
	OK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose));
	OK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
	OK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias));
	OK(cublasLtMatmul(blas, desc, &one, w, layouts[0], x, layouts[1], &zero, y, layouts[2], y, layouts[2], NULL,
	                  NULL, 0, NULL));
	for (int i = 0; i < FEATURES * BATCH; i++)
		test_near((double)y[i], expected[i], tolerance);
	OK(cublasLtMatmulDescDestroy(desc));
	OK(cublasLtDestroy(blas));
	float *const all[] = {w, x, y, bias};
	for (int i = 0; i < 4; i++) {
		OK(cublasLtMatrixLayoutDestroy(layouts[i]));
		free(all[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_convolution),
	        cmocka_unit_test(test_batch_normalisation),
	        cmocka_unit_test(test_max_pooling),
	        cmocka_unit_test(test_linear),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
