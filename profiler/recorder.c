#include "profiler/recorder.h"

#include "engine/base/memory.h"

enum tp_status tp_recorder_init(struct tp_recorder *recorder, int64_t op_capacity, int64_t message_capacity)
{
	*recorder = (struct tp_recorder){.op_capacity = op_capacity, .message_capacity = message_capacity};
	recorder->ops = tp_alloc_array((size_t)op_capacity, sizeof *recorder->ops);
	recorder->messages = tp_alloc_array((size_t)message_capacity, sizeof *recorder->messages);
	if (recorder->ops && recorder->messages)
		return TP_OK;
	tp_recorder_release(recorder);
	return TP_ERR_NOMEM;
}

void tp_recorder_release(struct tp_recorder *recorder)
{
	tp_free(recorder->ops);
	tp_free(recorder->messages);
	*recorder = (struct tp_recorder){0};
}

int64_t tp_recorder_bytes(const struct tp_recorder *recorder)
{
	return recorder->op_capacity * (int64_t)sizeof *recorder->ops +
	       recorder->message_capacity * (int64_t)sizeof *recorder->messages;
}
