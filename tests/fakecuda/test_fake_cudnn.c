/* The stand-in for cuDNN's convolutions: values against loops over the definition, in NCHW and double; algorithms and
 * their workspaces; and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakecuda/cudnn_fixture.h"

#define OK(call) assert_int_equal(call, CUDNN_STATUS_SUCCESS)

/* A convolution, by its definition. */
struct shape {
	struct dims x;
	int k, kernel_h, kernel_w, pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
};

static const struct shape shapes[] = {
        {{2, 3, 6, 5}, 4, 3, 3, 1, 1, 1, 1, 1, 1},  {{3, 5, 7, 9}, 2, 3, 2, 2, 0, 2, 3, 1, 1},
        {{1, 8, 4, 4}, 8, 1, 1, 0, 0, 2, 2, 1, 1},  {{2, 2, 9, 9}, 3, 3, 3, 2, 2, 1, 1, 2, 3},
        {{5, 6, 8, 8}, 37, 3, 3, 1, 1, 1, 1, 1, 1}, {{2, 4, 11, 11}, 6, 7, 7, 3, 3, 2, 2, 1, 1},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0], WORKSPACE_BYTES = 1 << 16 };

struct fixture {
	cudnnHandle_t handle;
	cudnnConvolutionDescriptor_t how;
	struct shape shape;
	struct tensor x, w, y; /* in a backward y's memory is dy, and that of x or w the result */
	double *expected_x, *expected_w, *expected_y;
	void *workspace;
};

static int out_size(int in, int kernel, int pad, int stride, int dilation)
{
	int count = 0;
	for (int at = -pad; at + (kernel - 1) * dilation < in + pad; at += stride)
		count++;
	return count;
}

static double *doubles(int64_t count)
{
	double *values = calloc((size_t)count, sizeof *values);
	assert_non_null(values);
	return values;
}

static void fixture_init(struct fixture *f, const struct shape *shape, struct mode mode)
{
	struct dims y = {shape->x.n, shape->k,
	                 out_size(shape->x.h, shape->kernel_h, shape->pad_h, shape->stride_h, shape->dilation_h),
	                 out_size(shape->x.w, shape->kernel_w, shape->pad_w, shape->stride_w, shape->dilation_w)};
	f->shape = *shape;
	OK(cudnnCreate(&f->handle));
	OK(cudnnCreateConvolutionDescriptor(&f->how));
	OK(cudnnSetConvolution2dDescriptor(f->how, shape->pad_h, shape->pad_w, shape->stride_h, shape->stride_w,
	                                   shape->dilation_h, shape->dilation_w, CUDNN_CROSS_CORRELATION,
	                                   CUDNN_DATA_FLOAT));
	tensor_init(&f->x, mode, shape->x, 1);
	tensor_init(&f->w, mode, (struct dims){shape->k, shape->x.c, shape->kernel_h, shape->kernel_w}, 2);
	tensor_init(&f->y, mode, y, 3);
	f->expected_x = doubles(f->x.count);
	f->expected_w = doubles(f->w.count);
	f->expected_y = doubles(f->y.count);
	f->workspace = test_memory(WORKSPACE_BYTES);
}

static void fixture_release(struct fixture *f)
{
	OK(cudnnDestroyConvolutionDescriptor(f->how));
	OK(cudnnDestroy(f->handle));
	tensor_release(&f->x);
	tensor_release(&f->w);
	tensor_release(&f->y);
	free(f->expected_x);
	free(f->expected_w);
	free(f->expected_y);
	free(f->workspace);
}

/* All three results at once: each product of the definition belongs to one element of each. */
static void compute(struct fixture *f)
{
	const struct shape *s = &f->shape;
	struct dims in = f->x.dims, out = f->y.dims;
	memset(f->expected_y, 0, (size_t)f->y.count * sizeof(double));
	memset(f->expected_x, 0, (size_t)f->x.count * sizeof(double));
	memset(f->expected_w, 0, (size_t)f->w.count * sizeof(double));
	for (int64_t i = 0; i < f->y.count; i++)
		for (int64_t j = 0; j < (int64_t)in.c * s->kernel_h * s->kernel_w; j++) {
			int64_t n = i / (out.c * out.h * out.w), k = i / (out.h * out.w) % out.c;
			int64_t c = j / (s->kernel_h * s->kernel_w);
			int64_t h = i / out.w % out.h * s->stride_h - s->pad_h +
			            j / s->kernel_w % s->kernel_h * s->dilation_h;
			int64_t w = i % out.w * s->stride_w - s->pad_w + j % s->kernel_w * s->dilation_w;
			if (h < 0 || w < 0 || h >= in.h || w >= in.w)
				continue;
			int64_t at_x = ((n * in.c + c) * in.h + h) * in.w + w;
			int64_t at_w = k * in.c * s->kernel_h * s->kernel_w + j;
			f->expected_y[i] += f->x.plain[at_x] * f->w.plain[at_w];
			f->expected_x[at_x] += f->w.plain[at_w] * f->y.plain[i];
			f->expected_w[at_w] += f->x.plain[at_x] * f->y.plain[i];
		}
}

static cudnnStatus_t forward(struct fixture *f, float alpha, float beta)
{
	return cudnnConvolutionForward(f->handle, &alpha, f->x.desc, f->x.memory, f->w.filter, f->w.memory, f->how,
	                               CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, f->workspace, WORKSPACE_BYTES,
	                               &beta, f->y.desc, f->y.memory);
}

static cudnnStatus_t backward_data(struct fixture *f, float alpha, float beta)
{
	return cudnnConvolutionBackwardData(f->handle, &alpha, f->w.filter, f->w.memory, f->y.desc, f->y.memory, f->how,
	                                    CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, f->workspace, WORKSPACE_BYTES, &beta,
	                                    f->x.desc, f->x.memory);
}

static cudnnStatus_t backward_filter(struct fixture *f, float alpha, float beta)
{
	return cudnnConvolutionBackwardFilter(f->handle, &alpha, f->x.desc, f->x.memory, f->y.desc, f->y.memory, f->how,
	                                      CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, f->workspace, WORKSPACE_BYTES, &beta,
	                                      f->w.filter, f->w.memory);
}

/* Each backward overwrites an operand of the other, which is put back. */
static void check_all(struct fixture *f, float alpha, float beta)
{
	OK(forward(f, alpha, beta));
	tensor_expect(&f->y, f->expected_y, (double)alpha, (double)beta);
	tensor_put(&f->y);
	OK(backward_data(f, alpha, beta));
	tensor_expect(&f->x, f->expected_x, (double)alpha, (double)beta);
	tensor_put(&f->x);
	OK(backward_filter(f, alpha, beta));
	tensor_expect(&f->w, f->expected_w, (double)alpha, (double)beta);
	tensor_put(&f->w);
}

static void test_values_follow_the_definition(void **unused)
{
	(void)unused;
	for (int shape = 0; shape < SHAPES; shape++)
		for (int mode = 0; mode < MODES; mode++) {
			struct fixture f;
			fixture_init(&f, &shapes[shape], modes[mode]);
			compute(&f);
			check_all(&f, 1, 0);
			check_all(&f, 0.5F, 2);
			fixture_release(&f);
		}
}

static void test_beta_zero_reads_nothing(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], modes[0]);
	compute(&f);
	memset(f.y.memory, 0xff, f.y.bytes);
	OK(forward(&f, 1, 0));
	tensor_expect(&f.y, f.expected_y, 1, 0);
	assert_int_equal(run_at_once_touch(f.y.memory, true)->bytes, f.y.bytes);
	assert_int_equal(run_at_once_touch(f.x.memory, false)->bytes, f.x.bytes);
	assert_int_equal(run_at_once_touch(f.w.memory, false)->bytes, f.w.bytes);
	assert_true(run_at_once_touch(f.workspace, true)->bytes > 0);
	assert_int_equal(run_at_once.touches.count, 4);
	OK(forward(&f, 1, 1));
	assert_int_equal(run_at_once_touch(f.y.memory, false)->bytes, f.y.bytes);
	fixture_release(&f);
}

/* 1 + 2^-11 is between two values of TF32; as a product of two it shows which were multiplied. */
static void test_math_type_decides_on_tf32(void **unused)
{
	(void)unused;
	static const struct {
		cudnnMathType_t math;
		double factor;
	} cases[] = {{CUDNN_DEFAULT_MATH, 1 + 1.0 / 1024},
	             {CUDNN_TENSOR_OP_MATH, 1 + 1.0 / 1024},
	             {CUDNN_FMA_MATH, 1 + 1.0 / 2048}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		fixture_init(&f, &shapes[0], modes[0]);
		compute(&f);
		for (int64_t j = 0; j < f.x.count; j++)
			f.x.plain[j] = 1 + 1.0 / 2048;
		for (int64_t j = 0; j < f.w.count; j++)
			f.w.plain[j] = 1;
		tensor_put(&f.x);
		tensor_put(&f.w);
		OK(cudnnSetConvolutionMathType(f.how, cases[i].math));
		OK(forward(&f, 1, 0));
		/* All 27 taps of a point in the middle lie inside. */
		test_near(tensor_get(&f.y, f.y.dims.w + 1), 27 * cases[i].factor, 2e-7);
		fixture_release(&f);
	}
}

static void test_output_dims(void **unused)
{
	(void)unused;
	for (int shape = 0; shape < SHAPES; shape++) {
		struct fixture f;
		struct dims found;
		fixture_init(&f, &shapes[shape], modes[0]);
		OK(cudnnGetConvolution2dForwardOutputDim(f.how, f.x.desc, f.w.filter, &found.n, &found.c, &found.h,
		                                         &found.w));
		assert_memory_equal(&found, &f.y.dims, sizeof found);
		fixture_release(&f);
	}
}

/* --- algorithms --------------------------------------------------------------------------------------------------- */

static int find_forward(struct fixture *f, size_t workspace_bytes, cudnnConvolutionFwdAlgoPerf_t rows[8])
{
	int returned = -1;
	OK(cudnnFindConvolutionForwardAlgorithmEx(f->handle, f->x.desc, f->x.memory, f->w.filter, f->w.memory, f->how,
	                                          f->y.desc, f->y.memory, 8, &returned, rows, f->workspace,
	                                          workspace_bytes));
	return returned;
}

static void test_found_algorithms_differ(void **unused)
{
	(void)unused;
	struct fixture f;
	cudnnConvolutionFwdAlgoPerf_t rows[8];
	fixture_init(&f, &shapes[0], modes[0]);
	assert_int_equal(find_forward(&f, WORKSPACE_BYTES, rows), 3);
	assert_int_equal(rows[0].status, CUDNN_STATUS_SUCCESS);
	assert_int_equal(rows[1].status, CUDNN_STATUS_SUCCESS);
	assert_true(rows[0].time > 0.0F && rows[0].time < rows[1].time);
	assert_int_equal(rows[0].determinism, CUDNN_NON_DETERMINISTIC);
	assert_int_equal(rows[1].determinism, CUDNN_DETERMINISTIC);
	assert_int_equal(rows[1].memory, 0);
	/* What the workspace does not suffice for comes last, as a failure that says what it takes. */
	assert_int_not_equal(rows[2].status, CUDNN_STATUS_SUCCESS);
	assert_true(rows[2].memory > (size_t)64 << 20);
	/* What lay in y is lost: its values are no numbers now. */
	assert_true(isnan(tensor_get(&f.y, 0)));
	assert_int_equal(find_forward(&f, 0, rows), 3);
	assert_int_equal(rows[0].memory, 0);
	assert_int_not_equal(rows[1].status, CUDNN_STATUS_SUCCESS);
	fixture_release(&f);
}

static void test_found_backwards(void **unused)
{
	(void)unused;
	struct fixture f;
	cudnnConvolutionBwdDataAlgoPerf_t data[2];
	cudnnConvolutionBwdFilterAlgoPerf_t filter[2];
	int returned = 0;
	fixture_init(&f, &shapes[1], modes[2]);
	OK(cudnnFindConvolutionBackwardDataAlgorithmEx(f.handle, f.w.filter, f.w.memory, f.y.desc, f.y.memory, f.how,
	                                               f.x.desc, f.x.memory, 2, &returned, data, f.workspace,
	                                               WORKSPACE_BYTES));
	assert_int_equal(returned, 2);
	assert_int_equal(data[0].algo, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0);
	assert_int_equal(data[0].determinism, CUDNN_NON_DETERMINISTIC);
	assert_int_equal(data[1].determinism, CUDNN_DETERMINISTIC);
	assert_true(data[1].memory > 0);
	OK(cudnnFindConvolutionBackwardFilterAlgorithmEx(f.handle, f.x.desc, f.x.memory, f.y.desc, f.y.memory, f.how,
	                                                 f.w.filter, f.w.memory, 2, &returned, filter, f.workspace,
	                                                 WORKSPACE_BYTES));
	assert_int_equal(returned, 2);
	assert_int_equal(filter[0].algo, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0);
	assert_int_equal(filter[1].algo, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
	fixture_release(&f);
}

static void test_heuristics(void **unused)
{
	(void)unused;
	struct fixture f;
	cudnnConvolutionFwdAlgoPerf_t forwards[3];
	cudnnConvolutionBwdDataAlgoPerf_t data[3];
	cudnnConvolutionBwdFilterAlgoPerf_t filter[3];
	int returned = 0, before = run_at_once.count;
	fixture_init(&f, &shapes[2], modes[0]);
	OK(cudnnGetConvolutionForwardAlgorithm_v7(f.handle, f.x.desc, f.w.filter, f.how, f.y.desc, 3, &returned,
	                                          forwards));
	assert_int_equal(returned, 3);
	/* A 1x1 convolution has no Winograd algorithm. */
	assert_int_equal(forwards[2].algo, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED);
	assert_int_equal(forwards[2].status, CUDNN_STATUS_NOT_SUPPORTED);
	assert_true(forwards[0].time < 0.0F);
	OK(cudnnGetConvolutionBackwardDataAlgorithm_v7(f.handle, f.w.filter, f.y.desc, f.how, f.x.desc, 3, &returned,
	                                               data));
	assert_int_equal(data[0].algo, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0);
	OK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(f.handle, f.x.desc, f.y.desc, f.how, f.w.filter, 3, &returned,
	                                                 filter));
	assert_int_equal(filter[0].algo, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0);
	assert_int_equal(run_at_once.count, before);
	fixture_release(&f);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

struct attempt {
	cudnnHandle_t handle;
	const void *alpha, *beta, *x, *w;
	void *y, *workspace;
	cudnnTensorDescriptor_t x_desc, y_desc;
	cudnnFilterDescriptor_t w_desc;
	cudnnConvolutionDescriptor_t how;
	cudnnConvolutionFwdAlgo_t algorithm;
	size_t workspace_bytes;
};

static const float one = 1, zero = 0;

static struct attempt good_attempt(struct fixture *f)
{
	return (struct attempt){.handle = f->handle,
	                        .alpha = &one,
	                        .beta = &zero,
	                        .x = f->x.memory,
	                        .w = f->w.memory,
	                        .y = f->y.memory,
	                        .workspace = f->workspace,
	                        .x_desc = f->x.desc,
	                        .y_desc = f->y.desc,
	                        .w_desc = f->w.filter,
	                        .how = f->how,
	                        .algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
	                        .workspace_bytes = WORKSPACE_BYTES};
}

static cudnnStatus_t attempt(const struct attempt *a)
{
	return cudnnConvolutionForward(a->handle, a->alpha, a->x_desc, a->x, a->w_desc, a->w, a->how, a->algorithm,
	                               a->workspace, a->workspace_bytes, a->beta, a->y_desc, a->y);
}

#define REFUSED(field, value, expected, reason)                                         \
	do {                                                                            \
		struct attempt bad = good_attempt(&f);                                  \
		char text[256];                                                         \
		bad.field = (value);                                                    \
		assert_int_equal(attempt(&bad), expected);                              \
		cudnnGetLastErrorString(text, sizeof text);                             \
		if (!strstr(text, reason))                                              \
			fail_msg("%s is refused for another reason: %s", #field, text); \
	} while (0)

static void test_wrong_arguments_are_refused(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], modes[0]);
	struct attempt good = good_attempt(&f);
	OK(attempt(&good));
	int before = run_at_once.count;
	REFUSED(handle, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(alpha, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(beta, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(x, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(w, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(y, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(x_desc, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(y_desc, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(w_desc, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(how, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(workspace, NULL, CUDNN_STATUS_BAD_PARAM, "NULL");
	REFUSED(workspace_bytes, 16, CUDNN_STATUS_BAD_PARAM, "less workspace");
	REFUSED(y, (char *)f.y.memory + 8, CUDNN_STATUS_BAD_PARAM, "aligned");
	REFUSED(workspace, (char *)f.workspace + 4, CUDNN_STATUS_BAD_PARAM, "aligned");
	REFUSED(algorithm, CUDNN_CONVOLUTION_FWD_ALGO_FFT, CUDNN_STATUS_NOT_SUPPORTED, "not there for");
	REFUSED(algorithm, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, CUDNN_STATUS_BAD_PARAM, "less workspace");
	/* One of them is as large as the other's. */
	REFUSED(y_desc, f.x.desc, CUDNN_STATUS_BAD_PARAM, "not as large");
	REFUSED(x_desc, f.y.desc, CUDNN_STATUS_BAD_PARAM, "differ in channels");
	assert_int_equal(run_at_once.count, before);
	fixture_release(&f);
}

static void test_mixed_descriptors_are_refused(void **unused)
{
	(void)unused;
	struct fixture f;
	struct tensor other_format, other_type;
	cudnnTensorDescriptor_t never_set;
	fixture_init(&f, &shapes[0], modes[0]);
	tensor_init(&other_format, modes[1], f.y.dims, 0);
	tensor_init(&other_type, modes[2], f.y.dims, 0);
	OK(cudnnCreateTensorDescriptor(&never_set));
	REFUSED(y_desc, other_format.desc, CUDNN_STATUS_NOT_SUPPORTED, "formats differ");
	REFUSED(y_desc, other_type.desc, CUDNN_STATUS_NOT_SUPPORTED, "types differ");
	REFUSED(x_desc, never_set, CUDNN_STATUS_BAD_PARAM, "never set");
	OK(cudnnDestroyTensorDescriptor(never_set));
	tensor_release(&other_type);
	tensor_release(&other_format);
	fixture_release(&f);
}

static void test_wrong_descriptors_are_refused(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &shapes[0], modes[0]);
	assert_int_equal(cudnnSetTensor4dDescriptor(f.x.desc, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 0, 1, 1, 1),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnSetTensor4dDescriptor(f.x.desc, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, 1, 1, 1, 1),
	                 CUDNN_STATUS_NOT_SUPPORTED);
	assert_int_equal(cudnnSetTensor4dDescriptor(f.x.desc, CUDNN_TENSOR_NCHW_VECT_C, CUDNN_DATA_FLOAT, 1, 4, 1, 1),
	                 CUDNN_STATUS_NOT_SUPPORTED);
	assert_int_equal(cudnnSetFilter4dDescriptor(f.w.filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 1, -1, 1, 1),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnSetFilter4dDescriptor(NULL, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 1, 1, 1, 1),
	                 CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(
	        cudnnSetConvolution2dDescriptor(f.how, 0, 0, 0, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
	        CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(
	        cudnnSetConvolution2dDescriptor(f.how, 0, 0, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_BFLOAT16),
	        CUDNN_STATUS_BAD_PARAM);
	assert_int_equal(cudnnSetConvolutionMathType(f.how, (cudnnMathType_t)9), CUDNN_STATUS_BAD_PARAM);
	fixture_release(&f);
}

static void test_injected_failures_and_their_text(void **unused)
{
	(void)unused;
	struct fixture f;
	char text[64];
	fixture_init(&f, &shapes[0], modes[0]);
	int before = run_at_once.count;
	run_at_once_fail("cudnnConvolutionForward", CUDNN_STATUS_EXECUTION_FAILED);
	assert_int_equal(forward(&f, 1, 0), CUDNN_STATUS_EXECUTION_FAILED);
	run_at_once_fail(NULL, 0);
	cudnnGetLastErrorString(text, sizeof text);
	assert_string_equal(text, "fakecuda: cudnnConvolutionForward: injected failure");
	assert_string_equal(cudnnGetErrorString(CUDNN_STATUS_EXECUTION_FAILED),
	                    "CUDNN_STATUS_EXECUTION_FAILED (fakecuda)");
	run_at_once.refuse = cudaErrorInvalidResourceHandle;
	assert_int_equal(forward(&f, 1, 0), CUDNN_STATUS_EXECUTION_FAILED_CUDART);
	run_at_once.refuse = cudaSuccess;
	assert_int_equal(run_at_once.count, before);
	assert_int_equal(cudnnGetVersion(), CUDNN_VERSION);
	fixture_release(&f);
}

static void test_handle_gives_the_stream(void **unused)
{
	(void)unused;
	struct fixture f;
	int stream;
	fixture_init(&f, &shapes[0], modes[0]);
	OK(cudnnSetStream(f.handle, (cudaStream_t)(void *)&stream));
	OK(forward(&f, 1, 0));
	assert_ptr_equal(run_at_once.stream, (cudaStream_t)(void *)&stream);
	assert_int_equal(cudnnSetStream(NULL, NULL), CUDNN_STATUS_BAD_PARAM);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_values_follow_the_definition),
	        cmocka_unit_test(test_beta_zero_reads_nothing),
	        cmocka_unit_test(test_math_type_decides_on_tf32),
	        cmocka_unit_test(test_output_dims),
	        cmocka_unit_test(test_found_algorithms_differ),
	        cmocka_unit_test(test_found_backwards),
	        cmocka_unit_test(test_heuristics),
	        cmocka_unit_test(test_wrong_arguments_are_refused),
	        cmocka_unit_test(test_mixed_descriptors_are_refused),
	        cmocka_unit_test(test_wrong_descriptors_are_refused),
	        cmocka_unit_test(test_injected_failures_and_their_text),
	        cmocka_unit_test(test_handle_gives_the_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
