/* cuBLASLt's products: which are supported, by which algorithms, and their arithmetic. */
#include "tests/fakecuda/fake_cublaslt.h"

#include <stdlib.h>
#include <string.h>

/* --- what is supported -------------------------------------------------------------------------------------------- */

static cublasStatus_t get_matrix(const char *call, cublasLtMatrixLayout_t from, struct fake_matrix *matrix)
{
	struct fake_layout layout;
	if (!fake_layout_get(from, &layout))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "a layout is missing");
	if (layout.type != CUDA_R_32F && layout.type != CUDA_R_16BF)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "neither float nor bfloat16");
	if (layout.order != CUBLASLT_ORDER_COL && layout.order != CUBLASLT_ORDER_ROW)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "neither column-major nor row-major");
	if (layout.batch != 1)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "batches of products");
	*matrix = (struct fake_matrix){layout.type == CUDA_R_16BF ? FAKE_BF16 : FAKE_F32,
	                               layout.order == CUBLASLT_ORDER_ROW, (int64_t)layout.rows,
	                               (int64_t)layout.columns, layout.ld};
	if (matrix->rows <= 0 || matrix->columns <= 0 ||
	    matrix->ld < (matrix->by_rows ? matrix->columns : matrix->rows))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no elements, or lines that overlap");
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t get_matrices(const char *call, const cublasLtMatrixLayout_t layouts[4],
                                   struct fake_problem *problem)
{
	FAKE_CUBLASLT_TRY(get_matrix(call, layouts[0], &problem->a));
	FAKE_CUBLASLT_TRY(get_matrix(call, layouts[1], &problem->b));
	FAKE_CUBLASLT_TRY(get_matrix(call, layouts[2], &problem->c));
	return get_matrix(call, layouts[3], &problem->d);
}

static cublasStatus_t check_types(const char *call, const struct fake_matmul *matmul,
                                  const struct fake_problem *problem)
{
	bool fast = matmul->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
	if (!fast && matmul->compute != CUBLAS_COMPUTE_32F && matmul->compute != CUBLAS_COMPUTE_32F_PEDANTIC)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "only computing in float or TF32");
	if (matmul->scale_type != CUDA_R_32F || matmul->pointer_mode != CUBLASLT_POINTER_MODE_HOST)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "alpha and beta not host floats");
	if (problem->a.type != problem->b.type || problem->c.type != problem->d.type)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "A and B, or C and D, differ in type");
	if (problem->a.type == FAKE_F32 && problem->d.type != FAKE_F32)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "bfloat16 from float");
	if (fast && problem->a.type != FAKE_F32)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "TF32 of other than float");
	return CUBLAS_STATUS_SUCCESS;
}

/* A bias belongs to a row of D. For a D in row-major order the library has no algorithm with a bias. */
static cublasStatus_t get_epilogue(const char *call, const struct fake_matmul *matmul, struct fake_problem *problem)
{
	uint32_t parts = matmul->epilogue & ~(uint32_t)CUBLASLT_EPILOGUE_RELU_BIAS;
	if (matmul->epilogue != CUBLASLT_EPILOGUE_DEFAULT && (matmul->epilogue == 0 || parts != 0))
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "no such epilogue in the stand-in");
	problem->relu = (matmul->epilogue & CUBLASLT_EPILOGUE_RELU) != 0;
	problem->has_bias = (matmul->epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
	problem->bias = problem->has_bias ? matmul->bias : NULL;
	if (!problem->has_bias)
		return CUBLAS_STATUS_SUCCESS;
	if (problem->d.by_rows)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "a bias and D in row-major order");
	if (matmul->bias_type != -1 &&
	    matmul->bias_type != (int32_t)(problem->d.type == FAKE_BF16 ? CUDA_R_16BF : CUDA_R_32F))
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "a bias of another type than D");
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check_sizes(const char *call, struct fake_problem *problem)
{
	const struct fake_matrix *a = &problem->a, *b = &problem->b, *c = &problem->c, *d = &problem->d;
	problem->m = problem->transpose_a ? a->columns : a->rows;
	problem->k = problem->transpose_a ? a->rows : a->columns;
	problem->n = problem->transpose_b ? b->rows : b->columns;
	if (problem->k != (problem->transpose_b ? b->columns : b->rows) || d->rows != problem->m ||
	    d->columns != problem->n || c->rows != problem->m || c->columns != problem->n)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "sizes do not fit");
	if (c->by_rows != d->by_rows)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "C and D differ in order");
	return CUBLAS_STATUS_SUCCESS;
}

static bool is_transpose(int32_t operation)
{
	return operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

static cublasStatus_t problem_init(struct fake_problem *problem, const char *call, cublasLtHandle_t handle,
                                   cublasLtMatmulDesc_t desc, const cublasLtMatrixLayout_t layouts[4])
{
	struct fake_matmul matmul;
	*problem = (struct fake_problem){.m = 0};
	if (!handle)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_INITIALIZED, call, "no handle");
	if (!fake_matmul_get(desc, &matmul))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no description of the product");
	FAKE_CUBLASLT_TRY(get_matrices(call, layouts, problem));
	if ((matmul.transpose_a != CUBLAS_OP_N && !is_transpose(matmul.transpose_a)) ||
	    (matmul.transpose_b != CUBLAS_OP_N && !is_transpose(matmul.transpose_b)))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no such transposition");
	problem->transpose_a = is_transpose(matmul.transpose_a);
	problem->transpose_b = is_transpose(matmul.transpose_b);
	problem->tf32 = matmul.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
	FAKE_CUBLASLT_TRY(check_sizes(call, problem));
	FAKE_CUBLASLT_TRY(check_types(call, &matmul, problem));
	return get_epilogue(call, &matmul, problem);
}

/* --- algorithms --------------------------------------------------------------------------------------------------- */

/* Made up, fastest first: one that wants much, one that wants aligned operands, and one that always works. */
struct algorithm {
	uint64_t workspace_bytes, alignment_bytes;
};
static const struct algorithm algorithms[] = {{(uint64_t)80 << 20, 16}, {(uint64_t)4 << 20, 16}, {0, 16}, {0, 0}};

enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0], TAG_ALGORITHM = 0xa160 };

/* What cublasLtMatmulAlgo_t holds: an algorithm is one of a kind of product. */
struct chosen {
	uint64_t tag, number, product;
};

_Static_assert(sizeof(struct chosen) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm fits into the library's words");

static uint64_t mix(uint64_t hash, int64_t value)
{
	return (hash ^ (uint64_t)value) * 0x100000001b3U;
}

static uint64_t product_of(const struct fake_problem *problem)
{
	uint64_t hash = 0xcbf29ce484222325U;
	const struct fake_matrix *matrices[] = {&problem->a, &problem->b, &problem->c, &problem->d};
	for (int i = 0; i < 4; i++) {
		hash = mix(mix(hash, (int64_t)matrices[i]->type), matrices[i]->by_rows);
		hash = mix(mix(mix(hash, matrices[i]->rows), matrices[i]->columns), matrices[i]->ld);
	}
	hash = mix(mix(hash, problem->transpose_a), problem->transpose_b);
	return mix(mix(mix(hash, problem->tf32), problem->has_bias), problem->relu);
}

static bool divides(uint64_t alignment_bytes, uint64_t value)
{
	return alignment_bytes == 0 || value % alignment_bytes == 0;
}

/* Lines that begin aligned when the matrix does. */
static bool aligned_lines(uint64_t alignment_bytes, const struct fake_problem *problem)
{
	const struct fake_matrix *matrices[] = {&problem->a, &problem->b, &problem->c, &problem->d};
	for (int i = 0; i < 4; i++)
		if (!divides(alignment_bytes, (uint64_t)matrices[i]->ld * fake_type_bytes(matrices[i]->type)))
			return false;
	return divides(alignment_bytes, (uintptr_t)problem->bias);
}

static bool suits(const struct algorithm *algorithm, const struct fake_problem *problem,
                  const struct fake_preference *preference)
{
	for (int i = 0; i < 4; i++)
		if (preference->alignment_bytes[i] < algorithm->alignment_bytes)
			return false;
	return algorithm->workspace_bytes <= preference->workspace_bytes &&
	       aligned_lines(algorithm->alignment_bytes, problem);
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle,
                                                          cublasLtMatmulDesc_t operationDesc,
                                                          cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc,
                                                          cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                                          cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                                          cublasLtMatmulHeuristicResult_t heuristicResultsArray[],
                                                          int *returnAlgoCount)
{
	static const char call[] = "cublasLtMatmulAlgoGetHeuristic";
	FAKE_CUBLASLT_BEGIN(cublasLtMatmulAlgoGetHeuristic);
	struct fake_problem problem;
	struct fake_preference wanted;
	if (!returnAlgoCount || !heuristicResultsArray || requestedAlgoCount <= 0 ||
	    !fake_preference_get(preference, &wanted))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call,
		                            "no preference, or no place for results");
	*returnAlgoCount = 0;
	FAKE_CUBLASLT_TRY(problem_init(&problem, call, lightHandle, operationDesc,
	                               (cublasLtMatrixLayout_t[]){Adesc, Bdesc, Cdesc, Ddesc}));
	for (int i = 0; i < ALGORITHMS && *returnAlgoCount < requestedAlgoCount; i++) {
		if (!suits(&algorithms[i], &problem, &wanted))
			continue;
		cublasLtMatmulHeuristicResult_t *result = &heuristicResultsArray[(*returnAlgoCount)++];
		struct chosen chosen = {TAG_ALGORITHM, (uint64_t)i, product_of(&problem)};
		*result = (cublasLtMatmulHeuristicResult_t){.workspaceSize = algorithms[i].workspace_bytes,
		                                            .state = CUBLAS_STATUS_SUCCESS,
		                                            .wavesCount = 1.0F};
		memcpy(&result->algo, &chosen, sizeof chosen);
	}
	return CUBLAS_STATUS_SUCCESS;
}

/* The algorithm asked for, or, where none was, the first that these pointers and this workspace suit. */
static cublasStatus_t choose(const char *call, const struct fake_product *product, const cublasLtMatmulAlgo_t *algo,
                             const struct algorithm **algorithm)
{
	uint64_t pointers =
	        (uintptr_t)product->a | (uintptr_t)product->b | (uintptr_t)product->c | (uintptr_t)product->d;
	struct chosen chosen = {.number = 0};
	if (!algo) {
		for (int i = 0; i < ALGORITHMS; i++) {
			*algorithm = &algorithms[i];
			if ((*algorithm)->workspace_bytes <= product->workspace_bytes &&
			    divides((*algorithm)->alignment_bytes, pointers) &&
			    aligned_lines((*algorithm)->alignment_bytes, &product->of))
				break;
		}
		return CUBLAS_STATUS_SUCCESS;
	}
	memcpy(&chosen, algo, sizeof chosen);
	if (chosen.tag != TAG_ALGORITHM || chosen.number >= ALGORITHMS || chosen.product != product_of(&product->of))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "an algorithm of another product");
	*algorithm = &algorithms[chosen.number];
	if ((*algorithm)->workspace_bytes > product->workspace_bytes)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call,
		                            "less workspace than the algorithm needs");
	if (!divides((*algorithm)->alignment_bytes, pointers) ||
	    !divides((*algorithm)->alignment_bytes, (uintptr_t)product->of.bias))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call,
		                            "a pointer is less aligned than the algorithm needs");
	return CUBLAS_STATUS_SUCCESS;
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

/* A matrix as doubles without gaps, in the order of its memory, seen as op(matrix). */
struct view {
	double *at;
	int64_t row, column;
};

static struct view view_of(const struct fake_matrix *matrix, const void *from, bool transpose, bool round)
{
	int64_t lines = matrix->by_rows ? matrix->rows : matrix->columns;
	int64_t length = matrix->by_rows ? matrix->columns : matrix->rows;
	double *at = fake_doubles(lines * length);
	for (int64_t i = 0; i < lines; i++)
		fake_get_row(at + i * length, from, matrix->type, i * matrix->ld, 1, length, round);
	bool rows_lie = matrix->by_rows != transpose;
	return (struct view){at, rows_lie ? length : 1, rows_lie ? 1 : length};
}

/* The same with lines of `columns` elements, as fake_gemm() wants its second operand. */
static double *by_rows(struct view view, int64_t rows, int64_t columns)
{
	double *to = fake_doubles(rows * columns);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < columns; j++)
			to[i * columns + j] = view.at[i * view.row + j * view.column];
	return to;
}

static int64_t element_at(const struct fake_matrix *matrix, int64_t row, int64_t column)
{
	return matrix->by_rows ? row * matrix->ld + column : row + column * matrix->ld;
}

static void put(const struct fake_product *product, int64_t row, int64_t column, double sum)
{
	const struct fake_problem *of = &product->of;
	double value = (double)product->scale.alpha * sum;
	if (product->scale.beta != 0.0F)
		value +=
		        (double)product->scale.beta * fake_get(product->c, of->c.type, element_at(&of->c, row, column));
	if (of->has_bias)
		value += fake_get(of->bias, of->d.type, row);
	if (of->relu && value < 0)
		value = 0;
	fake_put(product->d, of->d.type, element_at(&of->d, row, column), value);
}

/* A much larger operand stays as it lies: where that is B, the transposed product is computed. Else the result is
 * computed in the order of its memory. */
void fake_product_run(const void *args)
{
	const struct fake_product *product = args;
	const struct fake_problem *of = &product->of;
	bool flip = of->d.by_rows ? of->n > 4 * of->m : 4 * of->n >= of->m;
	int64_t rows = flip ? of->n : of->m, columns = flip ? of->m : of->n;
	struct view a = view_of(&of->a, product->a, of->transpose_a, of->tf32);
	struct view b = view_of(&of->b, product->b, of->transpose_b, of->tf32);
	struct view first = flip ? (struct view){b.at, b.column, b.row} : a;
	struct view second = flip ? (struct view){a.at, a.column, a.row} : b;
	double *lines = by_rows(second, of->k, columns), *sums = fake_doubles(rows * columns);
	fake_scribble(product->workspace, product->workspace_bytes);
	fake_gemm(rows, columns, of->k, first.at, first.row, first.column, lines, columns, sums);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < columns; j++)
			put(product, flip ? j : i, flip ? i : j, sums[i * columns + j]);
	free(sums);
	free(lines);
	free(b.at);
	free(a.at);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static cublasStatus_t check_pointers(const char *call, const struct fake_product *product)
{
	const struct fake_problem *of = &product->of;
	if (!product->a || !product->b || !product->c || !product->d || (of->has_bias && !of->bias))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "a matrix or the bias is NULL");
	if ((uintptr_t)product->a % fake_type_bytes(of->a.type) ||
	    (uintptr_t)product->b % fake_type_bytes(of->b.type) ||
	    (uintptr_t)product->c % fake_type_bytes(of->c.type) ||
	    (uintptr_t)product->d % fake_type_bytes(of->d.type) || (uintptr_t)of->bias % fake_type_bytes(of->d.type))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "a pointer between elements");
	if (product->c == product->d && of->c.ld != of->d.ld)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "C is D under another layout");
	if (product->workspace_bytes > 0 && (!product->workspace || (uintptr_t)product->workspace % 16 != 0))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call,
		                            "no workspace, or not aligned to 16 bytes");
	return CUBLAS_STATUS_SUCCESS;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc,
                                          const void *alpha, const void *A, cublasLtMatrixLayout_t Adesc, const void *B,
                                          cublasLtMatrixLayout_t Bdesc, const void *beta, const void *C,
                                          cublasLtMatrixLayout_t Cdesc, void *D, cublasLtMatrixLayout_t Ddesc,
                                          const cublasLtMatmulAlgo_t *algo, void *workspace,
                                          size_t workspaceSizeInBytes, cudaStream_t stream)
{
	static const char call[] = "cublasLtMatmul";
	FAKE_CUBLASLT_BEGIN(cublasLtMatmul);
	struct fake_product product = {
	        .a = A, .b = B, .c = C, .d = D, .workspace = workspace, .workspace_bytes = workspaceSizeInBytes};
	const struct algorithm *algorithm = NULL;
	FAKE_CUBLASLT_TRY(problem_init(&product.of, call, lightHandle, computeDesc,
	                               (cublasLtMatrixLayout_t[]){Adesc, Bdesc, Cdesc, Ddesc}));
	if (!alpha || !beta)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "alpha or beta is NULL");
	product.scale = (struct fake_scale){*(const float *)alpha, *(const float *)beta};
	FAKE_CUBLASLT_TRY(check_pointers(call, &product));
	FAKE_CUBLASLT_TRY(choose(call, &product, algo, &algorithm));
	product.workspace_bytes = algorithm->workspace_bytes;
	struct fake_touches touches = {.count = 0};
	fake_reads(&touches, A, fake_matrix_bytes(&product.of.a));
	fake_reads(&touches, B, fake_matrix_bytes(&product.of.b));
	if (product.scale.beta != 0.0F)
		fake_reads(&touches, C, fake_matrix_bytes(&product.of.c));
	fake_reads(&touches, product.of.bias, (size_t)product.of.m * fake_type_bytes(product.of.d.type));
	fake_writes(&touches, D, fake_matrix_bytes(&product.of.d));
	fake_writes(&touches, workspace, product.workspace_bytes);
	if (fake_submit(stream, call, call, &touches, fake_product_run, &product, sizeof product) != cudaSuccess)
		return fake_cublaslt_refuse(CUBLAS_STATUS_EXECUTION_FAILED, call, "the stream takes no work");
	return CUBLAS_STATUS_SUCCESS;
}
