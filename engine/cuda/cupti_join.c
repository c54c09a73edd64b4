#include "engine/cuda/cupti_join.h"

#include <stdlib.h>

#include "engine/base/memory.h"

enum tp_status tp_cupti_operations_init(struct tp_cupti_operations *operations, int64_t room)
{
	*operations = (struct tp_cupti_operations){
	        .items = tp_alloc_array((size_t)room, sizeof *operations->items), .room = room, .first_id = 1};
	return operations->items ? TP_OK : TP_ERR_NOMEM;
}

void tp_cupti_operations_release(struct tp_cupti_operations *operations)
{
	tp_free(operations->items);
	*operations = (struct tp_cupti_operations){0};
}

enum tp_status tp_cupti_operations_begin(struct tp_cupti_operations *operations)
{
	int64_t count = atomic_load(&operations->count), room = 2 * count;
	operations->first_id += count;
	atomic_store(&operations->count, 0);
	if (room <= operations->room)
		return TP_OK;
	struct tp_cupti_operation *items = tp_alloc_array((size_t)room, sizeof *items);
	if (!items)
		return TP_ERR_NOMEM;
	tp_free(operations->items);
	operations->items = items;
	operations->room = room;
	return TP_OK;
}

uint64_t tp_cupti_operations_add(struct tp_cupti_operations *operations, int32_t stage, int64_t operation)
{
	int64_t at = atomic_fetch_add_explicit(&operations->count, 1, memory_order_relaxed);
	if (at >= operations->room)
		return 0;
	operations->items[at] = (struct tp_cupti_operation){operation, stage};
	return (uint64_t)(operations->first_id + at);
}

/* --- joining -------------------------------------------------------------------------------------------------------
 */

static int by_correlation(const void *a, const void *b)
{
	const struct tp_cupti_link *x = a, *y = b;
	return (x->correlation > y->correlation) - (x->correlation < y->correlation);
}

/* Of what the call with this correlation issued; NULL: nobody's, or of an earlier epoch. */
static const struct tp_cupti_operation *find(const struct tp_cupti_operations *operations,
                                             const struct tp_cupti_list *links, uint32_t correlation)
{
	const struct tp_cupti_link wanted = {.correlation = correlation};
	const struct tp_cupti_link *link =
	        links->count > 0 ? bsearch(&wanted, links->items, (size_t)links->count, sizeof wanted, by_correlation)
	                         : NULL;
	int64_t count = atomic_load(&operations->count), at = link ? (int64_t)link->id - operations->first_id : -1;
	return at >= 0 && at < count && at < operations->room ? &operations->items[at] : NULL;
}

/* 1 when it has none. */
static int64_t place(const struct tp_cupti_operations *operations, const struct tp_cupti_list *links,
                     struct tp_gpu_place *place)
{
	const struct tp_cupti_operation *found = find(operations, links, place->correlation_number);
	if (!found)
		return 1;
	place->operation = found->operation;
	place->stage = (int16_t)found->stage;
	return 0;
}

int64_t tp_cupti_join(const struct tp_cupti_operations *operations, struct tp_cupti_records *records)
{
	struct tp_gpu_kernel *kernels = records->kernels.items;
	struct tp_gpu_copy *copies = records->copies.items;
	const struct tp_cupti_list *links = &records->links;
	int64_t unmatched = 0;
	if (links->count > 1)
		qsort(links->items, (size_t)links->count, sizeof(struct tp_cupti_link), by_correlation);
	for (int64_t i = 0; i < records->kernels.count; i++)
		unmatched += place(operations, links, &kernels[i].place);
	for (int64_t i = 0; i < records->copies.count; i++)
		unmatched += place(operations, links, &copies[i].place);
	return unmatched;
}
