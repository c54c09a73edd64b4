/* Which operation a record belongs to: every operation gets a number that CUPTI ties to the calls made meanwhile. */
#ifndef TP_ENGINE_CUDA_CUPTI_JOIN_H
#define TP_ENGINE_CUDA_CUPTI_JOIN_H

#include <stdatomic.h>

#include "engine/cuda/cupti_parse.h"

/* The operations of an epoch, by the order in which they began. */
struct tp_cupti_operation {
	int64_t operation;
	int32_t stage;
};

struct tp_cupti_operations {
	struct tp_cupti_operation *items;
	int64_t room;
	int64_t first_id;      /* of this epoch; numbers are never used again */
	_Atomic int64_t count; /* of those that began, also beyond the room */
};

/* TP_ERR_NOMEM. */
enum tp_status tp_cupti_operations_init(struct tp_cupti_operations *operations, int64_t room);
void tp_cupti_operations_release(struct tp_cupti_operations *operations);
/* While no operation is under way: a new epoch, with room for twice as many as the last one had. TP_ERR_NOMEM. */
enum tp_status tp_cupti_operations_begin(struct tp_cupti_operations *operations);

/* A number for an operation, from 1; 0: there is no room. From any thread. */
uint64_t tp_cupti_operations_add(struct tp_cupti_operations *operations, int32_t stage, int64_t operation);

/* Give every kernel and copy of `records` its operation and stage. Sorts the links. Returns how many have none. */
int64_t tp_cupti_join(const struct tp_cupti_operations *operations, struct tp_cupti_records *records);

#endif
