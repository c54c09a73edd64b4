/* cuBLASLt's handles, descriptors and texts. */
#include "tests/fakecuda/fake_cublaslt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cublasLtContext {
	int unused;
};

enum { TAG_LAYOUT = 0x1a70, TAG_MATMUL = 0x3a73, TAG_PREFERENCE = 0x93ef };

cublasStatus_t fake_cublaslt_refuse(cublasStatus_t status, const char *call, const char *reason)
{
	const char *level = getenv("CUBLASLT_LOG_LEVEL");
	if (level && strcmp(level, "0") != 0)
		(void)fprintf(stderr, "fakecuda: %s: %s\n", call, reason);
	return status;
}

FAKE_EXPORT const char *cublasLtGetStatusString(cublasStatus_t status)
{
	switch (status) {
	case CUBLAS_STATUS_SUCCESS:
		return "CUBLAS_STATUS_SUCCESS (fakecuda)";
	case CUBLAS_STATUS_NOT_INITIALIZED:
		return "CUBLAS_STATUS_NOT_INITIALIZED (fakecuda)";
	case CUBLAS_STATUS_ALLOC_FAILED:
		return "CUBLAS_STATUS_ALLOC_FAILED (fakecuda)";
	case CUBLAS_STATUS_INVALID_VALUE:
		return "CUBLAS_STATUS_INVALID_VALUE (fakecuda)";
	case CUBLAS_STATUS_EXECUTION_FAILED:
		return "CUBLAS_STATUS_EXECUTION_FAILED (fakecuda)";
	case CUBLAS_STATUS_INTERNAL_ERROR:
		return "CUBLAS_STATUS_INTERNAL_ERROR (fakecuda)";
	case CUBLAS_STATUS_NOT_SUPPORTED:
		return "CUBLAS_STATUS_NOT_SUPPORTED (fakecuda)";
	default:
		return "unknown status (fakecuda)";
	}
}

FAKE_EXPORT size_t cublasLtGetVersion(void)
{
	return CUBLAS_VERSION;
}

FAKE_EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *lightHandle)
{
	FAKE_CUBLASLT_BEGIN(cublasLtCreate);
	if (!lightHandle)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtCreate", "NULL");
	*lightHandle = calloc(1, sizeof **lightHandle);
	return *lightHandle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

FAKE_EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle)
{
	FAKE_CUBLASLT_BEGIN(cublasLtDestroy);
	if (!lightHandle)
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_INITIALIZED, "cublasLtDestroy", "no handle");
	free(lightHandle);
	return CUBLAS_STATUS_SUCCESS;
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct fake_layout) <= sizeof(cublasLtMatrixLayoutOpaque_t) &&
                       sizeof(struct fake_matmul) <= sizeof(cublasLtMatmulDescOpaque_t) &&
                       sizeof(struct fake_preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t),
               "descriptors fit into the library's words");

bool fake_layout_get(cublasLtMatrixLayout_t from, struct fake_layout *layout)
{
	if (from)
		memcpy(layout, from, sizeof *layout);
	return from && layout->tag == TAG_LAYOUT;
}

bool fake_matmul_get(cublasLtMatmulDesc_t from, struct fake_matmul *matmul)
{
	if (from)
		memcpy(matmul, from, sizeof *matmul);
	return from && matmul->tag == TAG_MATMUL;
}

bool fake_preference_get(cublasLtMatmulPreference_t from, struct fake_preference *preference)
{
	if (from)
		memcpy(preference, from, sizeof *preference);
	return from && preference->tag == TAG_PREFERENCE;
}

/* Memory of the library's size with ours at its start. */
static void *create(size_t words_bytes, const void *ours, size_t bytes)
{
	void *words = calloc(1, words_bytes);
	if (words)
		memcpy(words, ours, bytes);
	return words;
}

FAKE_EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *matLayout, cudaDataType type,
                                                      uint64_t rows, uint64_t cols, int64_t ld)
{
	FAKE_CUBLASLT_BEGIN(cublasLtMatrixLayoutCreate);
	if (!matLayout)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatrixLayoutCreate", "NULL");
	struct fake_layout layout = {TAG_LAYOUT, type, CUBLASLT_ORDER_COL, 1, rows, cols, ld};
	*matLayout = create(sizeof **matLayout, &layout, sizeof layout);
	return *matLayout ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *matmulDesc, cublasComputeType_t computeType,
                                                    cudaDataType_t scaleType)
{
	FAKE_CUBLASLT_BEGIN(cublasLtMatmulDescCreate);
	if (!matmulDesc)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulDescCreate", "NULL");
	struct fake_matmul matmul = {TAG_MATMUL,  computeType, scaleType, CUBLASLT_POINTER_MODE_HOST,
	                             CUBLAS_OP_N, CUBLAS_OP_N, -1,        CUBLASLT_EPILOGUE_DEFAULT,
	                             NULL};
	*matmulDesc = create(sizeof **matmulDesc, &matmul, sizeof matmul);
	return *matmulDesc ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref)
{
	FAKE_CUBLASLT_BEGIN(cublasLtMatmulPreferenceCreate);
	if (!pref)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulPreferenceCreate", "NULL");
	struct fake_preference preference = {TAG_PREFERENCE, {256, 256, 256, 256}, 0};
	*pref = create(sizeof **pref, &preference, sizeof preference);
	return *pref ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

#define DESTROY(function, type)                      \
	FAKE_EXPORT cublasStatus_t function(type of) \
	{                                            \
		FAKE_CUBLASLT_BEGIN(function);       \
		free(of);                            \
		return CUBLAS_STATUS_SUCCESS;        \
	}

DESTROY(cublasLtMatrixLayoutDestroy, cublasLtMatrixLayout_t)
DESTROY(cublasLtMatmulDescDestroy, cublasLtMatmulDesc_t)
DESTROY(cublasLtMatmulPreferenceDestroy, cublasLtMatmulPreference_t)

/* --- attributes --------------------------------------------------------------------------------------------------- */

/* A value of exactly the attribute's size. */
static cublasStatus_t set(const char *call, void *to, size_t bytes, const void *from, size_t from_bytes)
{
	if (!from || from_bytes != bytes)
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "an attribute of another size");
	memcpy(to, from, bytes);
	return CUBLAS_STATUS_SUCCESS;
}

#define SET(field) set(call, &(field), sizeof(field), buf, sizeInBytes)

FAKE_EXPORT cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout,
                                                            cublasLtMatrixLayoutAttribute_t attr, const void *buf,
                                                            size_t sizeInBytes)
{
	static const char call[] = "cublasLtMatrixLayoutSetAttribute";
	FAKE_CUBLASLT_BEGIN(cublasLtMatrixLayoutSetAttribute);
	struct fake_layout layout;
	cublasStatus_t status;
	if (!fake_layout_get(matLayout, &layout))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no layout");
	switch (attr) {
	case CUBLASLT_MATRIX_LAYOUT_TYPE:
		status = SET(layout.type);
		break;
	case CUBLASLT_MATRIX_LAYOUT_ORDER:
		status = SET(layout.order);
		break;
	case CUBLASLT_MATRIX_LAYOUT_ROWS:
		status = SET(layout.rows);
		break;
	case CUBLASLT_MATRIX_LAYOUT_COLS:
		status = SET(layout.columns);
		break;
	case CUBLASLT_MATRIX_LAYOUT_LD:
		status = SET(layout.ld);
		break;
	case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
		status = SET(layout.batch);
		break;
	default:
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "no such attribute in the stand-in");
	}
	memcpy(matLayout, &layout, sizeof layout);
	return status;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc,
                                                          cublasLtMatmulDescAttributes_t attr, const void *buf,
                                                          size_t sizeInBytes)
{
	static const char call[] = "cublasLtMatmulDescSetAttribute";
	FAKE_CUBLASLT_BEGIN(cublasLtMatmulDescSetAttribute);
	struct fake_matmul matmul;
	cublasStatus_t status;
	if (!fake_matmul_get(matmulDesc, &matmul))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no description of a product");
	switch (attr) {
	case CUBLASLT_MATMUL_DESC_POINTER_MODE:
		status = SET(matmul.pointer_mode);
		break;
	case CUBLASLT_MATMUL_DESC_TRANSA:
		status = SET(matmul.transpose_a);
		break;
	case CUBLASLT_MATMUL_DESC_TRANSB:
		status = SET(matmul.transpose_b);
		break;
	case CUBLASLT_MATMUL_DESC_EPILOGUE:
		status = SET(matmul.epilogue);
		break;
	case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
		status = SET(matmul.bias);
		break;
	case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
		status = SET(matmul.bias_type);
		break;
	default:
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "no such attribute in the stand-in");
	}
	memcpy(matmulDesc, &matmul, sizeof matmul);
	return status;
}

FAKE_EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                                cublasLtMatmulPreferenceAttributes_t attr,
                                                                const void *buf, size_t sizeInBytes)
{
	static const char call[] = "cublasLtMatmulPreferenceSetAttribute";
	FAKE_CUBLASLT_BEGIN(cublasLtMatmulPreferenceSetAttribute);
	struct fake_preference preference;
	cublasStatus_t status;
	if (!fake_preference_get(pref, &preference))
		return fake_cublaslt_refuse(CUBLAS_STATUS_INVALID_VALUE, call, "no preference");
	switch (attr) {
	case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
		status = SET(preference.workspace_bytes);
		break;
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
	case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
		status = SET(preference.alignment_bytes[attr - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES]);
		break;
	/* All algorithms of the stand-in are found by every search and reduce in no other way. */
	case CUBLASLT_MATMUL_PREF_SEARCH_MODE:
	case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
		return set(call, &(uint32_t){0}, sizeof(uint32_t), buf, sizeInBytes);
	default:
		return fake_cublaslt_refuse(CUBLAS_STATUS_NOT_SUPPORTED, call, "no such attribute in the stand-in");
	}
	memcpy(pref, &preference, sizeof preference);
	return status;
}
