/* What the parts of the stand-in for cuBLASLt share. The library's descriptors are arrays of words that it alone
 * understands; these are kept in them. */
#ifndef TP_TESTS_FAKECUDA_FAKE_CUBLASLT_H
#define TP_TESTS_FAKECUDA_FAKE_CUBLASLT_H

#include <cublasLt.h>

#include "tests/fakecuda/fake_math.h"

struct fake_layout {
	uint32_t tag; /* of a layout that was made */
	cudaDataType_t type;
	int32_t order, batch;
	uint64_t rows, columns;
	int64_t ld;
};

struct fake_matmul {
	uint32_t tag;
	cublasComputeType_t compute;
	cudaDataType_t scale_type;
	int32_t pointer_mode, transpose_a, transpose_b, bias_type;
	uint32_t epilogue;
	const void *bias;
};

struct fake_preference {
	uint32_t tag;
	uint32_t alignment_bytes[4]; /* of A, B, C and D */
	uint64_t workspace_bytes;
};

/* A matrix whose layout was found right. */
struct fake_matrix {
	enum fake_type type;
	bool by_rows;
	int64_t rows, columns, ld;
};

/* D = alpha op(A) op(B) + beta C, then bias and ReLU: op(A) is m x k, op(B) k x n. */
struct fake_problem {
	struct fake_matrix a, b, c, d;
	bool transpose_a, transpose_b, tf32, has_bias, relu;
	int64_t m, n, k;
	const void *bias;
};

struct fake_product {
	struct fake_problem of;
	struct fake_scale scale;
	const void *a, *b, *c;
	void *d, *workspace;
	size_t workspace_bytes;
};

/* Keeps to what the library does with CUBLASLT_LOG_LEVEL set: the reason goes to stderr. */
cublasStatus_t fake_cublaslt_refuse(cublasStatus_t status, const char *call, const char *reason);

#define FAKE_CUBLASLT_BEGIN(function)                                                                         \
	do {                                                                                                  \
		int injected = fake_injected(#function);                                                      \
		if (injected)                                                                                 \
			return fake_cublaslt_refuse((cublasStatus_t)injected, #function, "injected failure"); \
	} while (0)

#define FAKE_CUBLASLT_TRY(call)                     \
	do {                                        \
		cublasStatus_t tried = (call);      \
		if (tried != CUBLAS_STATUS_SUCCESS) \
			return tried;               \
	} while (0)

/* False: never made. */
bool fake_layout_get(cublasLtMatrixLayout_t from, struct fake_layout *layout);
bool fake_matmul_get(cublasLtMatmulDesc_t from, struct fake_matmul *matmul);
bool fake_preference_get(cublasLtMatmulPreference_t from, struct fake_preference *preference);

/* From the first to behind the last element. */
static inline size_t fake_matrix_bytes(const struct fake_matrix *matrix)
{
	int64_t lines = matrix->by_rows ? matrix->rows : matrix->columns;
	int64_t length = matrix->by_rows ? matrix->columns : matrix->rows;
	return (size_t)((lines - 1) * matrix->ld + length) * fake_type_bytes(matrix->type);
}

/* `args` is a fake_product. */
void fake_product_run(const void *args);

#endif
