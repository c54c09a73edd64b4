/* What the records in CUPTI's buffers say: kernels, copies, and which of our operations issued them. Pure: no state but
 * the one given, no call of CUDA's but the one that steps through a buffer. */
#ifndef TP_ENGINE_CUDA_CUPTI_PARSE_H
#define TP_ENGINE_CUDA_CUPTI_PARSE_H

#include <cupti.h>
#include <stdbool.h>

#include "engine/base/status.h"
#include "engine/cuda/cupti_names.h"
#include "profiler/gpu_trace.h"

/* A launching call, and the number that was pushed around it. */
struct tp_cupti_link {
	uint64_t id;
	uint32_t correlation;
};

/* Grows by doubling; large lists cost memory only as far as they are used. */
struct tp_cupti_list {
	void *items;
	int64_t count, room;
};

/* Of an epoch, in the order in which buffers came. Times are CUPTI's. Zero-initialise. */
struct tp_cupti_records {
	struct tp_cupti_list kernels; /* struct tp_gpu_kernel: of no stage and operation, names are places in `names` */
	struct tp_cupti_list copies;  /* struct tp_gpu_copy: the same */
	struct tp_cupti_list links;   /* struct tp_cupti_link */
	bool paused;                  /* nothing is added to the lists: only memory is followed */
	int64_t untimed;              /* kernels and copies without times */
	int64_t lost;                 /* records that cannot be read or found no place, at least */
	int64_t overhead_ns;          /* of CUPTI, as it says itself */
	int64_t allocations;          /* of GPU memory */
	/* Over the whole run. */
	int64_t held_bytes, held_peak_bytes;
	struct tp_cupti_names names;
};

/* cuptiActivityGetNextRecord(): from NULL to the first record, from one to the next. */
typedef CUptiResult tp_cupti_next(uint8_t *buffer, size_t size, CUpti_Activity **record);

/* An epoch begins: empty and not paused, with place for as many as the last one had twice, and for `kernels` at least.
 * TP_ERR_NOMEM.
 */
enum tp_status tp_cupti_records_begin(struct tp_cupti_records *records, int64_t kernels);
void tp_cupti_records_release(struct tp_cupti_records *records);

/* Add what a buffer holds. Frees what CUPTI hands over with a record. Kinds that it does not know are passed over;
 * where a record is cut short the rest is lost. */
void tp_cupti_parse(struct tp_cupti_records *records, tp_cupti_next *next, uint8_t *buffer, size_t size);

#endif
