/* Buffers as CUPTI fills them, made by hand from its own structures, and a way through them. */
#ifndef TP_TESTS_CUDA_CUPTI_BUFFER_H
#define TP_TESTS_CUDA_CUPTI_BUFFER_H

#include <cupti.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

struct buffer {
	alignas(8) uint8_t bytes[16384];
	size_t used;
};

/* Sizes, as the library knows them, of a kind that the parser does not read, too. */
static inline size_t record_bytes(CUpti_ActivityKind kind)
{
	switch (kind) {
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
		return sizeof(CUpti_ActivityKernel10);
	case CUPTI_ACTIVITY_KIND_MEMCPY:
		return sizeof(CUpti_ActivityMemcpy6);
	case CUPTI_ACTIVITY_KIND_MEMCPY2:
		return sizeof(CUpti_ActivityMemcpyPtoP4);
	case CUPTI_ACTIVITY_KIND_MEMSET:
		return sizeof(CUpti_ActivityMemset4);
	case CUPTI_ACTIVITY_KIND_MEMORY2:
		return sizeof(CUpti_ActivityMemory4);
	case CUPTI_ACTIVITY_KIND_OVERHEAD:
		return sizeof(CUpti_ActivityOverhead3);
	case CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION:
		return sizeof(CUpti_ActivityExternalCorrelation);
	case CUPTI_ACTIVITY_KIND_RUNTIME:
		return sizeof(CUpti_ActivityAPI);
	case CUPTI_ACTIVITY_KIND_MARKER:
		return sizeof(CUpti_ActivityMarker2);
	default:
		return 0;
	}
}

/* As cuptiActivityGetNextRecord(). */
static inline CUptiResult next_record(uint8_t *buffer, size_t size, CUpti_Activity **record)
{
	uint8_t *at = *record ? (uint8_t *)*record + record_bytes((*record)->kind) : buffer;
	if (at >= buffer + size)
		return CUPTI_ERROR_MAX_LIMIT_REACHED;
	if (at + sizeof **record > buffer + size)
		return CUPTI_ERROR_INVALID_KIND;
	*record = (CUpti_Activity *)(void *)at;
	return record_bytes((*record)->kind) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_KIND;
}

static inline void append(struct buffer *buffer, const void *record, size_t bytes)
{
	(void)memcpy(buffer->bytes + buffer->used, record, bytes);
	buffer->used += bytes;
}

static inline void append_kernel(struct buffer *buffer, const char *name, uint64_t start, uint64_t end,
                                 uint32_t correlation)
{
	const CUpti_ActivityKernel10 record = {.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
	                                       .registersPerThread = 40,
	                                       .start = start,
	                                       .end = end,
	                                       .deviceId = 1,
	                                       .contextId = 2,
	                                       .streamId = 7,
	                                       .gridX = 3,
	                                       .gridY = 4,
	                                       .gridZ = 5,
	                                       .blockX = 128,
	                                       .blockY = 2,
	                                       .blockZ = 1,
	                                       .staticSharedMemory = 16,
	                                       .dynamicSharedMemory = 1024,
	                                       .correlationId = correlation,
	                                       .name = name};
	append(buffer, &record, sizeof record);
}

static inline void append_copy(struct buffer *buffer, uint8_t kind, uint64_t bytes, uint64_t start, uint64_t end,
                               uint32_t correlation)
{
	const CUpti_ActivityMemcpy6 record = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY,
	                                      .copyKind = kind,
	                                      .bytes = bytes,
	                                      .start = start,
	                                      .end = end,
	                                      .streamId = 8,
	                                      .correlationId = correlation};
	append(buffer, &record, sizeof record);
}

static inline void append_link(struct buffer *buffer, uint64_t id, uint32_t correlation)
{
	const CUpti_ActivityExternalCorrelation record = {.kind = CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION,
	                                                  .externalKind = CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0,
	                                                  .externalId = id,
	                                                  .correlationId = correlation};
	append(buffer, &record, sizeof record);
}

static inline void append_call(struct buffer *buffer, uint32_t correlation)
{
	const CUpti_ActivityAPI record = {.kind = CUPTI_ACTIVITY_KIND_RUNTIME, .correlationId = correlation};
	append(buffer, &record, sizeof record);
}

#endif
