/* The stand-in for cuBLASLt: products against the definition in double, for all orders, transpositions and types; which
 * algorithms it offers; and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakecuda/cublaslt_fixture.h"

/* --- values ------------------------------------------------------------------------------------------------------- */

static double operand(const struct matrix *matrix, bool transpose, int row, int column)
{
	return transpose ? matrix->plain[column * matrix->columns + row]
	                 : matrix->plain[row * matrix->columns + column];
}

static double expected(const struct fixture *f, int row, int column, double alpha, double beta)
{
	double sum = 0;
	for (int i = 0; i < f->kind.k; i++)
		sum += operand(&f->a, f->kind.transpose_a, row, i) * operand(&f->b, f->kind.transpose_b, i, column);
	double value = alpha * sum;
	if (beta != 0)
		value += beta * f->c.plain[row * f->kind.n + column];
	if (f->kind.epilogue & CUBLASLT_EPILOGUE_BIAS)
		value += f->bias.plain[row];
	return f->kind.epilogue & CUBLASLT_EPILOGUE_RELU ? fmax(value, 0) : value;
}

static void check_product(struct fixture *f, float alpha, float beta, const cublasLtMatmulAlgo_t *algorithm)
{
	memset(f->d.memory, 0xff, f->d.bytes);
	OK(multiply(f, alpha, beta, algorithm));
	for (int row = 0; row < f->kind.m; row++)
		for (int column = 0; column < f->kind.n; column++)
			test_near(matrix_get(&f->d, row, column), expected(f, row, column, (double)alpha, (double)beta),
			          f->kind.out == CUDA_R_16BF ? 1.0 / 256 : 2e-7);
}

static const struct kind plain_kind = {.m = 8,
                                       .n = 4,
                                       .k = 16,
                                       .in = CUDA_R_32F,
                                       .out = CUDA_R_32F,
                                       .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
                                       .compute = CUBLAS_COMPUTE_32F};

static const struct {
	cudaDataType_t in, out;
} types[] = {{CUDA_R_32F, CUDA_R_32F}, {CUDA_R_16BF, CUDA_R_16BF}, {CUDA_R_16BF, CUDA_R_32F}};
static const struct {
	int m, n, k;
} sizes[] = {{8, 4, 16}, {1, 9, 5}, {37, 3, 301}, {5, 33, 6}};

/* Bit by bit: orders of A, B and D, transpositions of A and B, gaps. */
static void test_all_orders_and_transpositions(void **unused)
{
	(void)unused;
	for (int bits = 0; bits < 64; bits++)
		for (int type = 0; type < 3; type++)
			for (int size = 0; size < 4; size++) {
				struct kind kind = {.m = sizes[size].m,
				                    .n = sizes[size].n,
				                    .k = sizes[size].k,
				                    .order_a = bits & 1,
				                    .order_b = bits >> 1 & 1,
				                    .order_d = bits >> 2 & 1,
				                    .transpose_a = bits >> 3 & 1,
				                    .transpose_b = bits >> 4 & 1,
				                    .gap = 3 * (bits >> 5),
				                    .in = types[type].in,
				                    .out = types[type].out,
				                    .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
				                    .compute = CUBLAS_COMPUTE_32F};
				struct fixture f;
				fixture_init(&f, &kind);
				check_product(&f, 1, 0, NULL);
				check_product(&f, -0.5F, 2, NULL);
				fixture_release(&f);
			}
}

static void test_epilogues(void **unused)
{
	(void)unused;
	static const uint32_t epilogues[] = {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS,
	                                     CUBLASLT_EPILOGUE_RELU};
	for (int epilogue = 0; epilogue < 3; epilogue++)
		for (int type = 0; type < 3; type++)
			for (int size = 0; size < 4; size++) {
				struct kind kind = plain_kind;
				struct fixture f;
				kind.m = sizes[size].m;
				kind.n = sizes[size].n;
				kind.k = sizes[size].k;
				kind.in = types[type].in;
				kind.out = types[type].out;
				kind.epilogue = epilogues[epilogue];
				fixture_init(&f, &kind);
				check_product(&f, 1, 0, NULL);
				check_product(&f, 2, 1, NULL);
				fixture_release(&f);
			}
}

static void test_result_in_place_of_the_summand(void **unused)
{
	(void)unused;
	const float one = 1;
	struct fixture f;
	fixture_init(&f, &plain_kind);
	OK(cublasLtMatmul(f.handle, f.desc, &one, f.a.memory, f.a.layout, f.b.memory, f.b.layout, &one, f.c.memory,
	                  f.c.layout, f.c.memory, f.c.layout, NULL, NULL, 0, NULL));
	for (int i = 0; i < f.kind.m * f.kind.n; i++)
		test_near(matrix_get(&f.c, i / f.kind.n, i % f.kind.n), expected(&f, i / f.kind.n, i % f.kind.n, 1, 1),
		          2e-7);
	fixture_release(&f);
}

/* 1 + 2^-11 lies between two values of TF32. */
static void test_compute_type_decides_on_tf32(void **unused)
{
	(void)unused;
	static const struct {
		cublasComputeType_t compute;
		double factor;
	} cases[] = {{CUBLAS_COMPUTE_32F, 1 + 1.0 / 2048}, {CUBLAS_COMPUTE_32F_FAST_TF32, 1 + 1.0 / 1024}};
	for (int i = 0; i < 2; i++) {
		struct kind kind = plain_kind;
		struct fixture f;
		kind.compute = cases[i].compute;
		fixture_init(&f, &kind);
		for (int j = 0; j < kind.m * kind.k; j++)
			f.a.plain[j] = 1 + 1.0 / 2048;
		for (int j = 0; j < kind.k * kind.n; j++)
			f.b.plain[j] = 1;
		matrix_put(&f.a);
		matrix_put(&f.b);
		OK(multiply(&f, 1, 0, NULL));
		test_near(matrix_get(&f.d, 3, 2), kind.k * cases[i].factor, 2e-7);
		fixture_release(&f);
	}
}

static void test_touches(void **unused)
{
	(void)unused;
	struct kind kind = plain_kind;
	struct fixture f;
	kind.epilogue = CUBLASLT_EPILOGUE_BIAS;
	kind.gap = 4;
	fixture_init(&f, &kind);
	OK(multiply(&f, 1, 0, NULL));
	assert_int_equal(run_at_once.touches.count, 5);
	assert_int_equal(run_at_once_touch(f.a.memory, false)->bytes, f.a.bytes);
	assert_int_equal(run_at_once_touch(f.b.memory, false)->bytes, f.b.bytes);
	assert_int_equal(run_at_once_touch(f.bias.memory, false)->bytes, f.bias.bytes);
	assert_int_equal(run_at_once_touch(f.d.memory, true)->bytes, f.d.bytes);
	assert_true(run_at_once_touch(f.workspace, true)->bytes <= WORKSPACE_BYTES);
	OK(multiply(&f, 1, 1, NULL));
	assert_int_equal(run_at_once_touch(f.c.memory, false)->bytes, f.c.bytes);
	fixture_release(&f);
}

/* --- algorithms --------------------------------------------------------------------------------------------------- */

static void prefer_workspace(struct fixture *f, uint64_t bytes)
{
	OK(cublasLtMatmulPreferenceSetAttribute(f->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
	                                        sizeof bytes));
}

static void test_heuristic_keeps_to_the_workspace(void **unused)
{
	(void)unused;
	cublasLtMatmulHeuristicResult_t results[8];
	struct fixture f;
	int found = -1;
	fixture_init(&f, &plain_kind);
	OK(heuristic(&f, 8, results, &found));
	assert_int_equal(found, 3);
	for (int i = 0; i < found; i++) {
		assert_int_equal(results[i].state, CUBLAS_STATUS_SUCCESS);
		assert_true(results[i].workspaceSize <= WORKSPACE_BYTES);
		check_product(&f, 1, 0, &results[i].algo);
	}
	assert_true(results[0].workspaceSize > 0);
	prefer_workspace(&f, 0);
	OK(heuristic(&f, 8, results, &found));
	assert_int_equal(found, 2);
	prefer_workspace(&f, (uint64_t)1 << 30);
	OK(heuristic(&f, 1, results, &found));
	assert_int_equal(found, 1);
	assert_true(results[0].workspaceSize > (size_t)64 << 20);
	INVALID(multiply(&f, 1, 0, &results[0].algo));
	fixture_release(&f);
}

static void test_heuristic_keeps_to_the_alignment(void **unused)
{
	(void)unused;
	static const cublasLtMatmulPreferenceAttributes_t attributes[] = {
	        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
	        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
	cublasLtMatmulHeuristicResult_t results[8];
	struct fixture f;
	int found = -1;
	for (int i = 0; i < 4; i++) {
		uint32_t four = 4;
		fixture_init(&f, &plain_kind);
		OK(cublasLtMatmulPreferenceSetAttribute(f.preference, attributes[i], &four, sizeof four));
		OK(heuristic(&f, 8, results, &found));
		assert_int_equal(found, 1);
		fixture_release(&f);
	}
	/* Lines of 7 floats begin anywhere. */
	struct kind kind = plain_kind;
	kind.m = 7;
	fixture_init(&f, &kind);
	OK(heuristic(&f, 8, results, &found));
	assert_int_equal(found, 1);
	check_product(&f, 1, 0, &results[0].algo);
	fixture_release(&f);
}

static void test_algorithm_belongs_to_its_product(void **unused)
{
	(void)unused;
	const float one = 1, zero = 0;
	cublasLtMatmulHeuristicResult_t result, other;
	struct kind kind = plain_kind;
	struct fixture f, g;
	int found = 0;
	kind.n = 8;
	fixture_init(&f, &plain_kind);
	fixture_init(&g, &kind);
	OK(heuristic(&f, 1, &result, &found));
	OK(heuristic(&g, 1, &other, &found));
	OK(multiply(&f, 1, 0, &result.algo));
	INVALID(multiply(&f, 1, 0, &other.algo));
	memset(&other.algo, 0, sizeof other.algo);
	INVALID(multiply(&f, 1, 0, &other.algo));
	/* It was found for aligned operands, and with its workspace. */
	INVALID(cublasLtMatmul(f.handle, f.desc, &one, (char *)g.a.memory + 4, f.a.layout, f.b.memory, f.b.layout,
	                       &zero, f.c.memory, f.c.layout, f.d.memory, f.d.layout, &result.algo, f.workspace,
	                       WORKSPACE_BYTES, NULL));
	INVALID(cublasLtMatmul(f.handle, f.desc, &one, f.a.memory, f.a.layout, f.b.memory, f.b.layout, &zero,
	                       f.c.memory, f.c.layout, f.d.memory, f.d.layout, &result.algo, f.workspace,
	                       WORKSPACE_BYTES - 256, NULL));
	fixture_release(&g);
	fixture_release(&f);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

/* Both calls agree on what there is. */
static void check_unsupported(const struct kind *kind)
{
	cublasLtMatmulHeuristicResult_t result;
	struct fixture f;
	int found = -1;
	fixture_init(&f, kind);
	MISSING(heuristic(&f, 1, &result, &found));
	assert_int_equal(found, 0);
	MISSING(multiply(&f, 1, 0, NULL));
	fixture_release(&f);
}

static void test_unsupported_combinations(void **unused)
{
	(void)unused;
	struct kind kind = plain_kind;
	kind.out = CUDA_R_16BF;
	check_unsupported(&kind);
	kind.in = CUDA_R_16BF;
	kind.compute = CUBLAS_COMPUTE_32F_FAST_TF32;
	check_unsupported(&kind);
	kind.compute = CUBLAS_COMPUTE_16F;
	check_unsupported(&kind);
	kind = plain_kind;
	kind.epilogue = CUBLASLT_EPILOGUE_GELU;
	check_unsupported(&kind);
	/* A bias goes along the rows of D, which the library does in column-major order alone. */
	kind.epilogue = CUBLASLT_EPILOGUE_BIAS;
	kind.order_d = CUBLASLT_ORDER_ROW;
	check_unsupported(&kind);
}

static void test_mixed_operands_are_unsupported(void **unused)
{
	(void)unused;
	const float one = 1, zero = 0;
	struct kind kind = plain_kind;
	struct fixture f, g;
	kind.in = CUDA_R_16BF;
	kind.order_d = CUBLASLT_ORDER_ROW;
	fixture_init(&f, &plain_kind);
	fixture_init(&g, &kind);
	MISSING(cublasLtMatmul(f.handle, f.desc, &one, f.a.memory, f.a.layout, g.b.memory, g.b.layout, &zero,
	                       f.c.memory, f.c.layout, f.d.memory, f.d.layout, NULL, NULL, 0, NULL));
	MISSING(cublasLtMatmul(f.handle, f.desc, &one, f.a.memory, f.a.layout, f.b.memory, f.b.layout, &zero,
	                       g.c.memory, g.c.layout, f.d.memory, f.d.layout, NULL, NULL, 0, NULL));
	fixture_release(&g);
	fixture_release(&f);
}

struct attempt {
	cublasLtHandle_t handle;
	cublasLtMatmulDesc_t desc;
	const void *alpha, *beta, *a, *c;
	cublasLtMatrixLayout_t a_layout, d_layout;
	void *d, *workspace;
	size_t workspace_bytes;
};

static const float attempt_one = 1, attempt_zero = 0;

static struct attempt good_attempt(struct fixture *f)
{
	return (struct attempt){f->handle,   f->desc,     &attempt_one, &attempt_zero, f->a.memory,    f->c.memory,
	                        f->a.layout, f->d.layout, f->d.memory,  f->workspace,  WORKSPACE_BYTES};
}

static cublasStatus_t attempt(struct fixture *f, const struct attempt *a)
{
	return cublasLtMatmul(a->handle, a->desc, a->alpha, a->a, a->a_layout, f->b.memory, f->b.layout, a->beta, a->c,
	                      f->c.layout, a->d, a->d_layout, NULL, a->workspace, a->workspace_bytes, NULL);
}

#define REFUSED(field, value, expected_status)                        \
	do {                                                          \
		struct attempt bad = good_attempt(&f);                \
		bad.field = (value);                                  \
		assert_int_equal(attempt(&f, &bad), expected_status); \
	} while (0)

static void test_wrong_arguments_are_refused(void **unused)
{
	(void)unused;
	struct kind kind = plain_kind;
	struct fixture f;
	void *nothing = NULL;
	kind.epilogue = CUBLASLT_EPILOGUE_BIAS;
	fixture_init(&f, &kind);
	struct attempt good = good_attempt(&f);
	OK(attempt(&f, &good));
	int before = run_at_once.count;
	REFUSED(handle, NULL, CUBLAS_STATUS_NOT_INITIALIZED);
	REFUSED(desc, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(alpha, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(beta, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(a, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(a, (char *)f.a.memory + 2, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(c, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(d, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(a_layout, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(a_layout, f.b.layout, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(d_layout, f.a.layout, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(workspace, NULL, CUBLAS_STATUS_INVALID_VALUE);
	REFUSED(workspace, (char *)f.workspace + 8, CUBLAS_STATUS_INVALID_VALUE);
	OK(cublasLtMatmulDescSetAttribute(f.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &nothing, sizeof nothing));
	INVALID(attempt(&f, &good));
	assert_int_equal(run_at_once.count, before);
	fixture_release(&f);
}

static void test_wrong_attributes_are_refused(void **unused)
{
	(void)unused;
	struct fixture f;
	int64_t wide = 0, short_ld = 3;
	int32_t narrow = 0, two = 2, column32 = CUBLASLT_ORDER_COL32;
	fixture_init(&f, &plain_kind);
	INVALID(cublasLtMatmulDescSetAttribute(f.desc, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide));
	INVALID(cublasLtMatmulDescSetAttribute(f.desc, CUBLASLT_MATMUL_DESC_TRANSA, NULL, sizeof narrow));
	INVALID(cublasLtMatmulDescSetAttribute(NULL, CUBLASLT_MATMUL_DESC_TRANSA, &narrow, sizeof narrow));
	INVALID(cublasLtMatrixLayoutSetAttribute(f.a.layout, CUBLASLT_MATRIX_LAYOUT_LD, &narrow, sizeof narrow));
	INVALID(cublasLtMatmulPreferenceSetAttribute(f.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &narrow,
	                                             sizeof narrow));
	OK(cublasLtMatrixLayoutSetAttribute(f.a.layout, CUBLASLT_MATRIX_LAYOUT_LD, &short_ld, sizeof short_ld));
	INVALID(multiply(&f, 1, 0, NULL));
	OK(cublasLtMatrixLayoutSetAttribute(f.b.layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &two, sizeof two));
	OK(cublasLtMatrixLayoutSetAttribute(f.a.layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &column32, sizeof column32));
	MISSING(multiply(&f, 1, 0, NULL));
	fixture_release(&f);
}

static void test_injected_failures_and_texts(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f, &plain_kind);
	int before = run_at_once.count;
	run_at_once_fail("cublasLtMatmul", CUBLAS_STATUS_EXECUTION_FAILED);
	assert_int_equal(multiply(&f, 1, 0, NULL), CUBLAS_STATUS_EXECUTION_FAILED);
	run_at_once_fail(NULL, 0);
	run_at_once.refuse = cudaErrorLaunchFailure;
	assert_int_equal(multiply(&f, 1, 0, NULL), CUBLAS_STATUS_EXECUTION_FAILED);
	run_at_once.refuse = cudaSuccess;
	assert_int_equal(run_at_once.count, before);
	assert_string_equal(cublasLtGetStatusString(CUBLAS_STATUS_NOT_SUPPORTED),
	                    "CUBLAS_STATUS_NOT_SUPPORTED (fakecuda)");
	assert_int_equal(cublasLtGetVersion(), CUBLAS_VERSION);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_all_orders_and_transpositions),
	        cmocka_unit_test(test_epilogues),
	        cmocka_unit_test(test_result_in_place_of_the_summand),
	        cmocka_unit_test(test_compute_type_decides_on_tf32),
	        cmocka_unit_test(test_touches),
	        cmocka_unit_test(test_heuristic_keeps_to_the_workspace),
	        cmocka_unit_test(test_heuristic_keeps_to_the_alignment),
	        cmocka_unit_test(test_algorithm_belongs_to_its_product),
	        cmocka_unit_test(test_unsupported_combinations),
	        cmocka_unit_test(test_mixed_operands_are_unsupported),
	        cmocka_unit_test(test_wrong_arguments_are_refused),
	        cmocka_unit_test(test_wrong_attributes_are_refused),
	        cmocka_unit_test(test_injected_failures_and_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
