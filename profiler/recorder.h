/* Where a stage's thread writes its records: arrays of fixed size, set aside before the window, one writer. A record that
 * finds its array full is counted as dropped, and the figures that need it are void. */
#ifndef TP_PROFILER_RECORDER_H
#define TP_PROFILER_RECORDER_H

#include "engine/base/status.h"
#include "profiler/records.h"

struct tp_recorder {
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	int64_t op_capacity, op_count;
	int64_t message_capacity, message_count;
	int64_t dropped;
};

/* Zero capacities record nothing and drop nothing. Release with tp_recorder_release(). */
enum tp_status tp_recorder_init(struct tp_recorder *recorder, int64_t op_capacity, int64_t message_capacity);
void tp_recorder_release(struct tp_recorder *recorder);
int64_t tp_recorder_bytes(const struct tp_recorder *recorder);

static inline void tp_recorder_restart(struct tp_recorder *recorder)
{
	recorder->op_count = recorder->message_count = recorder->dropped = 0;
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

#endif
