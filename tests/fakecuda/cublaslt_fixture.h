/* Products for tests of the stand-in for cuBLASLt: matrices in plain rows of doubles beside the same in memory under a
 * layout. */
#ifndef TP_TESTS_FAKECUDA_CUBLASLT_FIXTURE_H
#define TP_TESTS_FAKECUDA_CUBLASLT_FIXTURE_H

#include <cublasLt.h>

#include "tests/fakecuda/run_at_once.h"

#define OK(call) assert_int_equal(call, CUBLAS_STATUS_SUCCESS)
#define INVALID(call) assert_int_equal(call, CUBLAS_STATUS_INVALID_VALUE)
#define MISSING(call) assert_int_equal(call, CUBLAS_STATUS_NOT_SUPPORTED)

/* A matrix in plain rows of doubles, and in memory under a layout. */
struct matrix {
	int rows, columns, order, ld;
	cudaDataType_t type;
	size_t bytes;
	double *plain;
	void *memory;
	cublasLtMatrixLayout_t layout;
};

/* One element as it is in memory, and all from plain to memory. */
double matrix_get(const struct matrix *matrix, int row, int column);
void matrix_put(struct matrix *matrix);

/* One product, of sizes m, n, k. `gap`: elements between one line and the next. */
struct kind {
	int m, n, k, order_a, order_b, order_d, gap;
	bool transpose_a, transpose_b;
	cudaDataType_t in, out;
	uint32_t epilogue;
	cublasComputeType_t compute;
};

/* All operands with values of their own. */
struct fixture {
	struct kind kind;
	cublasLtHandle_t handle;
	cublasLtMatmulDesc_t desc;
	cublasLtMatmulPreference_t preference;
	struct matrix a, b, c, d, bias;
	void *workspace;
};

enum { WORKSPACE_BYTES = 4 << 20 };

void fixture_init(struct fixture *f, const struct kind *kind);
void fixture_release(struct fixture *f);

/* Of the fixture's operands, with its workspace. */
cublasStatus_t heuristic(struct fixture *f, int requested, cublasLtMatmulHeuristicResult_t *results, int *found);
cublasStatus_t multiply(struct fixture *f, float alpha, float beta, const cublasLtMatmulAlgo_t *algorithm);

#endif
