#include "engine/cuda/cupti_parse.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

/* --- lists ---------------------------------------------------------------------------------------------------------
 */

static enum tp_status grow(struct tp_cupti_list *list, int64_t room, size_t item_bytes)
{
	void *larger = tp_alloc_array((size_t)room, item_bytes);
	if (!larger)
		return TP_ERR_NOMEM;
	if (list->count > 0)
		(void)memcpy(larger, list->items, (size_t)list->count * item_bytes);
	tp_free(list->items);
	list->items = larger;
	list->room = room;
	return TP_OK;
}

/* The next free place; NULL, and it is counted as lost, when memory runs out. */
static void *place_in(struct tp_cupti_records *records, struct tp_cupti_list *list, size_t item_bytes)
{
	if (list->count == list->room && grow(list, 2 * list->room + 1, item_bytes) != TP_OK) {
		records->lost++;
		return NULL;
	}
	return (unsigned char *)list->items + (size_t)list->count++ * item_bytes;
}

static enum tp_status begin_list(struct tp_cupti_list *list, int64_t least, size_t item_bytes)
{
	int64_t wanted = least > 2 * list->count ? least : 2 * list->count;
	list->count = 0;
	return list->room < wanted ? grow(list, wanted, item_bytes) : TP_OK;
}

enum tp_status tp_cupti_records_begin(struct tp_cupti_records *records, int64_t kernels)
{
	records->untimed = records->lost = records->overhead_ns = records->allocations = 0;
	records->paused = false;
	TP_TRY(begin_list(&records->kernels, kernels, sizeof(struct tp_gpu_kernel)));
	TP_TRY(begin_list(&records->copies, kernels / 4, sizeof(struct tp_gpu_copy)));
	TP_TRY(begin_list(&records->links, 2 * kernels, sizeof(struct tp_cupti_link)));
	return records->names.texts ? TP_OK : tp_cupti_names_init(&records->names);
}

void tp_cupti_records_release(struct tp_cupti_records *records)
{
	tp_free(records->kernels.items);
	tp_free(records->copies.items);
	tp_free(records->links.items);
	tp_cupti_names_release(&records->names);
	*records = (struct tp_cupti_records){0};
}

/* --- records -------------------------------------------------------------------------------------------------------
 */

/* CUPTI gives none to what it lost sight of. */
static bool timed(struct tp_cupti_records *records, uint64_t start, uint64_t end)
{
	bool is = (start != 0 || end != 0) && end >= start;
	records->untimed += !is;
	return is;
}

/* Structures of different kinds have these fields under the same names. */
#define PLACE_OF(record)                                                       \
	((struct tp_gpu_place){.start_ns = (int64_t)(record)->start,           \
	                       .end_ns = (int64_t)(record)->end,               \
	                       .operation = -1,                                \
	                       .gpu_number = (int32_t)(record)->deviceId,      \
	                       .context_number = (int32_t)(record)->contextId, \
	                       .stream_number = (int32_t)(record)->streamId,   \
	                       .correlation_number = (record)->correlationId,  \
	                       .stage = -1})

static void add_kernel(struct tp_cupti_records *records, const CUpti_ActivityKernel10 *record)
{
	if (!timed(records, record->start, record->end))
		return;
	struct tp_gpu_kernel *kernel = place_in(records, &records->kernels, sizeof *kernel);
	if (!kernel)
		return;
	*kernel = (struct tp_gpu_kernel){
	        .place = PLACE_OF(record),
	        .name = tp_cupti_names_add(&records->names, record->name),
	        .grid = {record->gridX, record->gridY, record->gridZ},
	        .block = {record->blockX, record->blockY, record->blockZ},
	        .registers_per_thread = record->registersPerThread,
	        .static_shared_bytes = record->staticSharedMemory,
	        .dynamic_shared_bytes = record->dynamicSharedMemory,
	};
}

static void add_copy(struct tp_cupti_records *records, struct tp_gpu_place place, uint64_t bytes, int32_t kind)
{
	if (!timed(records, (uint64_t)place.start_ns, (uint64_t)place.end_ns))
		return;
	struct tp_gpu_copy *copy = place_in(records, &records->copies, sizeof *copy);
	if (copy)
		*copy = (struct tp_gpu_copy){.place = place, .bytes = (int64_t)bytes, .kind = kind};
}

static void add_link(struct tp_cupti_records *records, const CUpti_ActivityExternalCorrelation *record)
{
	if (record->externalKind != CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0)
		return;
	struct tp_cupti_link *link = place_in(records, &records->links, sizeof *link);
	if (link)
		*link = (struct tp_cupti_link){record->externalId, record->correlationId};
}

/* Of the GPU; the host's pinned memory is none of it. */
static void add_memory(struct tp_cupti_records *records, const CUpti_ActivityMemory4 *record)
{
	if (record->memoryKind != CUPTI_ACTIVITY_MEMORY_KIND_DEVICE)
		return;
	bool taken = record->memoryOperationType == CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION;
	if (!taken && record->memoryOperationType != CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE)
		return;
	records->allocations += taken;
	records->held_bytes += taken ? (int64_t)record->bytes : -(int64_t)record->bytes;
	if (records->held_bytes > records->held_peak_bytes)
		records->held_peak_bytes = records->held_bytes;
}

static void add_overhead(struct tp_cupti_records *records, CUpti_ActivityOverhead3 *record)
{
	if (record->end > record->start)
		records->overhead_ns += (int64_t)(record->end - record->start);
	free(record->overheadData);
}

/* Bytes of the kinds that are read; 0: it is not one of them. */
static size_t size_of(CUpti_ActivityKind kind)
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
	case CUPTI_ACTIVITY_KIND_DRIVER:
		return sizeof(CUpti_ActivityAPI);
	default:
		return 0;
	}
}

static void add_work(struct tp_cupti_records *records, const CUpti_Activity *record)
{
	switch (record->kind) {
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
		add_kernel(records, (const void *)record);
		break;
	case CUPTI_ACTIVITY_KIND_MEMCPY: {
		const CUpti_ActivityMemcpy6 *copy = (const void *)record;
		add_copy(records, PLACE_OF(copy), copy->bytes, copy->copyKind);
		break;
	}
	case CUPTI_ACTIVITY_KIND_MEMCPY2: {
		const CUpti_ActivityMemcpyPtoP4 *copy = (const void *)record;
		add_copy(records, PLACE_OF(copy), copy->bytes, CUPTI_ACTIVITY_MEMCPY_KIND_PTOP);
		break;
	}
	case CUPTI_ACTIVITY_KIND_MEMSET: {
		const CUpti_ActivityMemset4 *set = (const void *)record;
		add_copy(records, PLACE_OF(set), set->bytes, 0);
		break;
	}
	case CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION:
		add_link(records, (const void *)record);
		break;
	default: /* calls are recorded so that links are */
		break;
	}
}

static void add_record(struct tp_cupti_records *records, CUpti_Activity *record)
{
	if (record->kind == CUPTI_ACTIVITY_KIND_MEMORY2)
		add_memory(records, (const void *)record);
	else if (record->kind == CUPTI_ACTIVITY_KIND_OVERHEAD)
		add_overhead(records, (void *)record);
	else if (!records->paused)
		add_work(records, record);
}

/* Buffers are zeroed before CUPTI has them: a forced flush may leave the end of one unwritten. */
static bool is_unwritten(const uint8_t *buffer, size_t from, size_t size)
{
	while (from < size && buffer[from] == 0)
		from++;
	return from == size;
}

void tp_cupti_parse(struct tp_cupti_records *records, tp_cupti_next *next, uint8_t *buffer, size_t size)
{
	CUpti_Activity *record = NULL;
	CUptiResult result;
	size_t end = 0;
	if (size == 0) /* as flushes give back: there is no first record to ask for */
		return;
	while ((result = next(buffer, size, &record)) == CUPTI_SUCCESS) {
		size_t at = (size_t)((uint8_t *)record - buffer);
		if (at + sizeof *record > size || at + size_of(record->kind) > size) {
			records->lost++;
			return;
		}
		add_record(records, record);
		end = at + size_of(record->kind);
	}
	if (result != CUPTI_ERROR_MAX_LIMIT_REACHED && !is_unwritten(buffer, end, size))
		records->lost++;
}
