#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fakecuda/cublaslt_fixture.h"

#include <stdlib.h>

static int64_t place(const struct matrix *matrix, int row, int column)
{
	if (matrix->order == CUBLASLT_ORDER_ROW)
		return (int64_t)row * matrix->ld + column;
	return row + (int64_t)column * matrix->ld;
}

double matrix_get(const struct matrix *matrix, int row, int column)
{
	int64_t at = place(matrix, row, column);
	if (matrix->type == CUDA_R_16BF)
		return (double)fake_from_bf16(((const uint16_t *)matrix->memory)[at]);
	return (double)((const float *)matrix->memory)[at];
}

void matrix_put(struct matrix *matrix)
{
	for (int i = 0; i < matrix->rows * matrix->columns; i++) {
		int64_t at = place(matrix, i / matrix->columns, i % matrix->columns);
		if (matrix->type == CUDA_R_16BF)
			((uint16_t *)matrix->memory)[at] = fake_to_bf16((float)matrix->plain[i]);
		else
			((float *)matrix->memory)[at] = (float)matrix->plain[i];
	}
}

/* `gap`: elements between one line and the next. */
static void matrix_init(struct matrix *matrix, int rows, int columns, int order, int gap, cudaDataType_t type,
                        uint32_t seed)
{
	int length = order == CUBLASLT_ORDER_ROW ? columns : rows, lines = order == CUBLASLT_ORDER_ROW ? rows : columns;
	int32_t order_value = order;
	*matrix = (struct matrix){rows, columns, order, length + gap, type, 0, NULL, NULL, NULL};
	matrix->bytes = ((size_t)(lines - 1) * (size_t)matrix->ld + (size_t)length) * (type == CUDA_R_16BF ? 2 : 4);
	matrix->plain = calloc((size_t)(rows * columns), sizeof *matrix->plain);
	assert_non_null(matrix->plain);
	matrix->memory = test_memory(matrix->bytes);
	test_values(matrix->plain, (int64_t)rows * columns, seed);
	matrix_put(matrix);
	OK(cublasLtMatrixLayoutCreate(&matrix->layout, type, (uint64_t)rows, (uint64_t)columns, matrix->ld));
	OK(cublasLtMatrixLayoutSetAttribute(matrix->layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &order_value,
	                                    sizeof order_value));
}

static void matrix_release(struct matrix *matrix)
{
	OK(cublasLtMatrixLayoutDestroy(matrix->layout));
	free(matrix->plain);
	free(matrix->memory);
}

#define SET(name, value) \
	OK(cublasLtMatmulDescSetAttribute(f->desc, CUBLASLT_MATMUL_DESC_##name, &(value), sizeof(value)))

void fixture_init(struct fixture *f, const struct kind *kind)
{
	int32_t transpose_a = kind->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
	int32_t transpose_b = kind->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
	uint64_t workspace_bytes = WORKSPACE_BYTES;
	f->kind = *kind;
	OK(cublasLtCreate(&f->handle));
	OK(cublasLtMatmulDescCreate(&f->desc, kind->compute, CUDA_R_32F));
	SET(TRANSA, transpose_a);
	SET(TRANSB, transpose_b);
	SET(EPILOGUE, kind->epilogue);
	matrix_init(&f->a, kind->transpose_a ? kind->k : kind->m, kind->transpose_a ? kind->m : kind->k, kind->order_a,
	            kind->gap, kind->in, 1);
	matrix_init(&f->b, kind->transpose_b ? kind->n : kind->k, kind->transpose_b ? kind->k : kind->n, kind->order_b,
	            kind->gap, kind->in, 2);
	matrix_init(&f->c, kind->m, kind->n, kind->order_d, kind->gap, kind->out, 3);
	matrix_init(&f->d, kind->m, kind->n, kind->order_d, 2 * kind->gap, kind->out, 4);
	matrix_init(&f->bias, kind->m, 1, CUBLASLT_ORDER_COL, 0, kind->out, 5);
	if (kind->epilogue & CUBLASLT_EPILOGUE_BIAS)
		SET(BIAS_POINTER, f->bias.memory);
	OK(cublasLtMatmulPreferenceCreate(&f->preference));
	OK(cublasLtMatmulPreferenceSetAttribute(f->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
	                                        &workspace_bytes, sizeof workspace_bytes));
	f->workspace = test_memory(WORKSPACE_BYTES);
}

void fixture_release(struct fixture *f)
{
	matrix_release(&f->a);
	matrix_release(&f->b);
	matrix_release(&f->c);
	matrix_release(&f->d);
	matrix_release(&f->bias);
	OK(cublasLtMatmulPreferenceDestroy(f->preference));
	OK(cublasLtMatmulDescDestroy(f->desc));
	OK(cublasLtDestroy(f->handle));
	free(f->workspace);
}

cublasStatus_t heuristic(struct fixture *f, int requested, cublasLtMatmulHeuristicResult_t *results, int *found)
{
	return cublasLtMatmulAlgoGetHeuristic(f->handle, f->desc, f->a.layout, f->b.layout, f->c.layout, f->d.layout,
	                                      f->preference, requested, results, found);
}

cublasStatus_t multiply(struct fixture *f, float alpha, float beta, const cublasLtMatmulAlgo_t *algorithm)
{
	return cublasLtMatmul(f->handle, f->desc, &alpha, f->a.memory, f->a.layout, f->b.memory, f->b.layout, &beta,
	                      f->c.memory, f->c.layout, f->d.memory, f->d.layout, algorithm, f->workspace,
	                      WORKSPACE_BYTES, NULL);
}
