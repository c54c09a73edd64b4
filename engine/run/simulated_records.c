#include "engine/run/simulated_records.h"

#include <string.h>

#include "engine/base/memory.h"

/* What one stage recorded so far. Operations of all stages come interleaved, records go by stage. */
struct recorded {
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	int64_t op_count, op_room, message_count, message_room;
	int64_t idle_since;
};

struct recording {
	const struct tp_forecast *forecast;
	struct recorded *stages;
	int64_t end;
};

/* Room for one more of `bytes` each. */
static enum tp_status make_room(void **items, int64_t count, int64_t *room, size_t bytes)
{
	if (count < *room)
		return TP_OK;
	int64_t wanted = *room > 0 ? 2 * *room : 64;
	void *more = tp_alloc_array((size_t)wanted, bytes);
	if (!more)
		return TP_ERR_NOMEM;
	if (count > 0)
		memcpy(more, *items, (size_t)count * bytes);
	tp_free(*items);
	*items = more;
	*room = wanted;
	return TP_OK;
}

static enum tp_status add_op(struct recorded *stage, const struct tp_op_record *op)
{
	void *ops = stage->ops;
	enum tp_status status = make_room(&ops, stage->op_count, &stage->op_room, sizeof *op);
	stage->ops = ops;
	TP_TRY(status);
	stage->ops[stage->op_count++] = *op;
	stage->idle_since = op->end_ns;
	return TP_OK;
}

static enum tp_status add_message(struct recorded *stage, const struct tp_message_record *message)
{
	void *messages = stage->messages;
	enum tp_status status = make_room(&messages, stage->message_count, &stage->message_room, sizeof *message);
	stage->messages = messages;
	TP_TRY(status);
	stage->messages[stage->message_count++] = *message;
	return TP_OK;
}

/* As a worker would have recorded it, see tp_worker_write_message(). */
static enum tp_status begin(void *context, const struct tp_sim_op *op)
{
	const struct recording *recording = context;
	struct recorded *stage = &recording->stages[op->stage];
	bool gradient = op->action.kind != TP_OP_F;
	if (!op->takes_message)
		return TP_OK;
	const struct tp_message_record message = {
	        .ready_ns = op->message.ready,
	        .sent_ns = op->message.sent,
	        .arrived_ns = op->message.arrived,
	        .wanted_ns = op->message.arrived > stage->idle_since ? stage->idle_since : op->start,
	        .mini = op->action.mini,
	        .micro = op->action.micro,
	        .epoch = 1,
	        .from_stage = (int16_t)(op->stage + (gradient ? 1 : -1)),
	        .to_stage = (int16_t)op->stage,
	        .is_gradient = gradient,
	        .handed_over = recording->forecast->emulation.boundaries == NULL,
	};
	return add_message(stage, &message);
}

static int32_t samples_of(const struct tp_pipeline *pipeline, const struct tp_action *action)
{
	return action->micro == TP_WHOLE ? pipeline->micro_batches : 1;
}

static enum tp_status end(void *context, const struct tp_sim_op *op)
{
	struct recording *recording = context;
	struct recorded *stage = &recording->stages[op->stage];
	const struct tp_op_record record = {
	        .start_ns = op->start,
	        .end_ns = op->end,
	        .mini = op->action.mini,
	        .version_read = op->version_read,
	        .version_live = op->version_live,
	        .version_committed = op->seen.committed,
	        .version_forward = op->version_oldest_forward,
	        .epoch = 1,
	        .micro = op->action.micro,
	        .samples = samples_of(&recording->forecast->pipeline, &op->action),
	        .stage = (int16_t)op->stage,
	        .kind = (int16_t)op->action.kind,
	        .versions_alive = (int16_t)op->versions_alive,
	        .held_until_ns = op->held_until,
	};
	const struct tp_op_record update = {
	        .start_ns = op->end,
	        .end_ns = op->update_end,
	        .mini = op->action.mini,
	        .version_read = op->update.base,
	        .version_live = op->action.mini - 1,
	        .version_committed = op->seen.committed,
	        .version_forward = op->update.base,
	        .epoch = 1,
	        .micro = TP_WHOLE,
	        .samples = recording->forecast->pipeline.micro_batches,
	        .stage = (int16_t)op->stage,
	        .kind = TP_OP_U,
	        .versions_alive = (int16_t)op->versions_alive,
	        .in_place = op->update.in_place,
	};
	recording->end = op->update_end > recording->end ? op->update_end : recording->end;
	TP_TRY(add_op(stage, &record));
	return op->updates ? add_op(stage, &update) : TP_OK;
}

/* All stages' records, one stage behind another. */
static enum tp_status gather(const struct recording *recording, int32_t stages, struct tp_simulated_records *made)
{
	int64_t ops = 0, messages = 0;
	for (int32_t s = 0; s < stages; s++) {
		ops += recording->stages[s].op_count;
		messages += recording->stages[s].message_count;
	}
	made->ops = tp_alloc_array((size_t)ops, sizeof *made->ops);
	made->messages = tp_alloc_array((size_t)messages, sizeof *made->messages);
	if (!made->ops || !made->messages)
		return TP_ERR_NOMEM;
	made->end = recording->end;
	for (int32_t s = 0; s < stages; s++) {
		const struct recorded *stage = &recording->stages[s];
		if (stage->op_count > 0)
			memcpy(made->ops + made->records.op_count, stage->ops,
			       (size_t)stage->op_count * sizeof *made->ops);
		if (stage->message_count > 0)
			memcpy(made->messages + made->records.message_count, stage->messages,
			       (size_t)stage->message_count * sizeof *made->messages);
		made->records.op_count += stage->op_count;
		made->records.message_count += stage->message_count;
	}
	made->records.ops = made->ops;
	made->records.messages = made->messages;
	return TP_OK;
}

enum tp_status tp_simulated_records_make(const struct tp_forecast *forecast, struct tp_simulated_records *made)
{
	static const struct tp_sim_hooks hooks = {begin, end};
	int32_t stages = forecast->pipeline.stages;
	struct recording recording = {forecast, tp_alloc_array((size_t)stages, sizeof(struct recorded)), 0};
	struct tp_sim_summary summary = {0};
	*made = (struct tp_simulated_records){0};
	enum tp_status status = recording.stages ? TP_OK : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_forecast_simulate(forecast, &hooks, &recording, &summary);
	if (status == TP_OK)
		status = gather(&recording, stages, made);
	for (int32_t s = 0; recording.stages && s < stages; s++) {
		tp_free(recording.stages[s].ops);
		tp_free(recording.stages[s].messages);
	}
	tp_free(recording.stages);
	tp_sim_summary_release(&summary);
	if (status != TP_OK)
		tp_simulated_records_release(made);
	return status;
}

void tp_simulated_records_release(struct tp_simulated_records *made)
{
	tp_free(made->ops);
	tp_free(made->messages);
	*made = (struct tp_simulated_records){0};
}
