#include "engine/run/virtual_driver.h"

#include "engine/base/memory.h"
#include "engine/run/worker_compute.h"
#include "engine/run/worker_records.h"

struct epoch {
	struct tp_crew *crew;
	struct tp_drain *drain; /* NULL: the rings hold the whole epoch */
	int64_t start_ns;
};

/* What the real driver's messages carry: where the input lies, and where its gradient goes. */
static void connect(struct tp_worker *worker, struct tp_activation_slot *slot, const struct tp_action *action,
                    struct tp_message *message)
{
	struct tp_worker *upstream = &worker->crew->workers[worker->index - 1];
	struct tp_activation_slot *from = tp_worker_slot_of(upstream, action);
	slot->input = message->activation = tp_stage_output_data(&upstream->stage, from);
	slot->input_gradient = from->output_gradient;
}

static void take_message(const struct epoch *epoch, struct tp_worker *worker, struct tp_activation_slot *slot,
                         const struct tp_sim_op *op)
{
	bool forward = op->action.kind == TP_OP_F;
	const struct tp_worker *sender = &epoch->crew->workers[op->stage + (forward ? -1 : 1)];
	struct tp_message message = {
	        .mini = op->action.mini,
	        .micro = op->action.micro,
	        .bytes = tp_worker_message_bytes(sender, &op->action),
	        .ready_ns = epoch->start_ns + op->message.ready,
	        .sent_ns = epoch->start_ns + op->message.sent,
	        .arrived_ns = epoch->start_ns + op->message.arrived,
	};
	if (forward)
		connect(worker, slot, &op->action, &message);
	tp_worker_write_message(worker, &message, epoch->start_ns + op->start);
}

/* All arithmetic of an operation happens as it begins: its inputs are there, and nobody looks at its results before it
 * has ended. */
static enum tp_status begin(void *context, const struct tp_sim_op *op)
{
	const struct epoch *epoch = context;
	struct tp_worker *worker = &epoch->crew->workers[op->stage];
	if (atomic_load_explicit(&epoch->crew->control->stop, memory_order_relaxed))
		return tp_fail(TP_ERR_INTERRUPTED, "interrupted");
	tp_worker_record_versions(worker, epoch->start_ns + op->start);
	struct tp_activation_slot *slot = tp_worker_slot(worker, &op->action);
	if (op->takes_message)
		take_message(epoch, worker, slot, op);
	if (op->action.kind == TP_OP_B || op->action.kind == TP_OP_BX)
		tp_worker_record_reads(worker, &op->action);
	TP_TRY(tp_worker_compute(worker, slot, &op->action, op->version_read));
	return tp_stage_finish(&worker->stage);
}

static enum tp_status update(const struct epoch *epoch, struct tp_worker *worker, const struct tp_sim_op *op)
{
	int64_t live = worker->station.ledger.live - 1; /* before this update */
	const struct tp_op_times times = {
	        .start_ns = epoch->start_ns + op->end,
	        .end_ns = epoch->start_ns + op->update_end,
	        .begun = {live, op->update.base, op->update.base},
	        .committed = op->seen.committed,
	        .in_place = op->update.in_place,
	};
	const struct tp_action as_update = {.kind = TP_OP_U, .micro = TP_WHOLE, .mini = op->action.mini};
	tp_worker_record_versions(worker, times.start_ns);
	tp_worker_update(worker, &op->update);
	tp_worker_record_op(worker, &as_update, &times);
	return tp_stage_finish(&worker->stage);
}

static enum tp_status end(void *context, const struct tp_sim_op *op)
{
	const struct epoch *epoch = context;
	struct tp_worker *worker = &epoch->crew->workers[op->stage];
	const struct tp_op_times times = {
	        .start_ns = epoch->start_ns + op->start,
	        .end_ns = epoch->start_ns + op->end,
	        .held_until_ns = op->held_until > 0 ? epoch->start_ns + op->held_until : 0,
	        .begun = {op->version_live, op->version_read, op->version_oldest_forward},
	        .committed = op->seen.committed,
	};
	tp_worker_record_versions(worker, times.end_ns);
	tp_worker_leave_slot(worker, &op->action);
	tp_worker_record_op(worker, &op->action, &times);
	if (op->updates)
		TP_TRY(update(epoch, worker, op));
	return epoch->drain ? tp_drain_pass(epoch->drain, false) : TP_OK;
}

static struct tp_sim_input input_of(const struct tp_crew *crew, const struct tp_cost_table *costs)
{
	return (struct tp_sim_input){
	        .pipeline = &crew->pipeline,
	        .costs = costs->stage,
	        .boundaries = crew->emulation->boundaries,
	        .plan = crew->static_order ? &crew->plan : NULL,
	};
}

enum tp_status tp_virtual_driver_run(struct tp_crew *crew, const struct tp_cost_table *costs, struct tp_drain *drain,
                                     int64_t start_ns, int64_t *end_ns)
{
	static const struct tp_sim_hooks hooks = {begin, end};
	struct epoch epoch = {crew, drain->recorders ? drain : NULL, start_ns};
	struct tp_sim_input input = input_of(crew, costs);
	struct tp_sim_summary summary = {0};
	struct tp_station **stations = tp_alloc_array((size_t)crew->pipeline.stages, sizeof(struct tp_station *));
	if (!stations)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		stations[s] = &crew->workers[s].station;
		crew->workers[s].idle_since_ns = start_ns;
	}
	input.stations = stations;
	input.hooks = &hooks;
	input.context = &epoch;
	enum tp_status status = tp_simulate_epoch(&input, &summary);
	*end_ns = start_ns + summary.makespan;
	tp_sim_summary_release(&summary);
	tp_free(stations);
	return status;
}

enum tp_status tp_predict_epoch(const struct tp_crew *crew, const struct tp_cost_table *costs,
                                struct tp_sim_summary *summary)
{
	struct tp_sim_input input = input_of(crew, costs);
	return tp_simulate_epoch(&input, summary);
}
