/* Where a stage's thread writes its records: arrays of fixed size, set aside before the window by their owner, one
 * writer. A record that finds its array full is counted as dropped, and the figures that need it are void. */
#ifndef TP_PROFILER_RECORDER_H
#define TP_PROFILER_RECORDER_H

#include <stddef.h>

#include "profiler/records.h"

struct tp_recorder {
	struct tp_op_record *ops; /* not owned */
	struct tp_message_record *messages;
	struct tp_read_record *reads;
	int64_t op_capacity, op_count; /* capacity 0: nothing is recorded and nothing dropped */
	int64_t message_capacity, message_count;
	int64_t read_capacity, read_count;
	int64_t dropped;
};

static inline void tp_recorder_restart(struct tp_recorder *recorder)
{
	recorder->op_count = recorder->message_count = recorder->read_count = recorder->dropped = 0;
}

/* The next free record, to be filled; NULL when recording is off or the array is full. */
static inline struct tp_op_record *tp_record_op(struct tp_recorder *recorder)
{
	if (recorder->op_count < recorder->op_capacity)
		return &recorder->ops[recorder->op_count++];
	recorder->dropped += recorder->op_capacity > 0;
	return NULL;
}

static inline struct tp_message_record *tp_record_message(struct tp_recorder *recorder)
{
	if (recorder->message_count < recorder->message_capacity)
		return &recorder->messages[recorder->message_count++];
	recorder->dropped += recorder->message_capacity > 0;
	return NULL;
}

static inline struct tp_read_record *tp_record_read(struct tp_recorder *recorder)
{
	if (recorder->read_count < recorder->read_capacity)
		return &recorder->reads[recorder->read_count++];
	recorder->dropped += recorder->read_capacity > 0;
	return NULL;
}

#endif
