/* Buffers as CUPTI fills them, made by hand from its own structures, and a way through them. */
#ifndef TP_TESTS_CUDA_CUPTI_BUFFER_H
#define TP_TESTS_CUDA_CUPTI_BUFFER_H

#include <cupti.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "tests/fakecuda/cupti_records.h"

struct buffer {
	alignas(8) uint8_t bytes[16384];
	size_t used;
};

/* As cuptiActivityGetNextRecord(). */
static inline CUptiResult next_record(uint8_t *buffer, size_t size, CUpti_Activity **record)
{
	uint8_t *at = *record ? (uint8_t *)*record + fake_record_bytes((*record)->kind) : buffer;
	if (at >= buffer + size)
		return CUPTI_ERROR_MAX_LIMIT_REACHED;
	if (at + sizeof **record > buffer + size)
		return CUPTI_ERROR_INVALID_KIND;
	*record = (CUpti_Activity *)(void *)at;
	return fake_record_bytes((*record)->kind) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_KIND;
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
