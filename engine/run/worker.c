#include "engine/run/worker.h"

#include <time.h>

#include "engine/base/clock.h"
#include "engine/run/worker_compute.h"
#include "engine/run/worker_nvtx.h"
#include "engine/run/worker_records.h"

static int64_t run_clock(const struct tp_crew *crew)
{
	return tp_now_ns() - crew->clock_zero_ns;
}

/* The moment after all that was computed so far: a time, or a stamp where nobody knows yet. */
static int64_t moment(struct tp_worker *worker)
{
	return worker->flight.ops ? tp_flight_stamp(&worker->flight) : run_clock(worker->crew);
}

/* --- choosing ------------------------------------------------------------------------------------------------- */

static const struct tp_planned_op *planned_op(const struct tp_worker *worker)
{
	const struct tp_slot_plan *plan = &worker->crew->plan;
	return &plan->ops[worker->index * plan->ops_per_stage + worker->planned];
}

/* What the neighbours have sent, and what the bound needs to know. */
static void look_around(struct tp_worker *worker)
{
	struct tp_progress *progress = &worker->station.progress;
	if (worker->flight.ops)
		tp_flight_service(worker);
	if (worker->index > 0)
		progress->forwards_arrived = tp_channel_delivered(&worker->activations);
	if (!tp_worker_is_last(worker))
		progress->backwards_arrived = tp_channel_delivered(&worker->gradients);
	if (progress->max_staleness != INT64_MAX)
		progress->committed = tp_board_observe(&worker->crew->board).committed;
}

/* What can be done now, if anything: a tp_worker_ready. */
static bool try_choose(struct tp_worker *worker, void *context)
{
	struct tp_action *action = context;
	const struct tp_progress *progress = &worker->station.progress;
	look_around(worker);
	if (worker->flight.failure != TP_OK)
		return true;
	if (worker->crew->static_order) {
		*action = planned_op(worker)->action;
		return tp_progress_ready(progress, action->kind);
	}
	if (tp_progress_choose(progress, action))
		return true;
	worker->held = tp_progress_held(progress);
	return false;
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

struct tp_channel *tp_worker_message_channel(struct tp_worker *worker, const struct tp_action *action)
{
	if (action->kind == TP_OP_F)
		return worker->index > 0 ? &worker->activations : NULL;
	return action->kind != TP_OP_BW && !tp_worker_is_last(worker) ? &worker->gradients : NULL;
}

static void receive(struct tp_worker *worker, struct tp_channel *channel, const struct tp_action *action,
                    struct tp_activation_slot *slot, const struct tp_op_times *times)
{
	const struct tp_message *message = tp_channel_peek(channel);
	TP_CHECK(message && message->mini == action->mini && message->micro == action->micro);
	if (action->kind == TP_OP_F) {
		slot->input = message->activation;
		slot->input_gradient = message->gradient;
	}
	tp_worker_write_message(worker, message, times->start_ns);
	tp_channel_pop(channel);
}

static void take_message(struct tp_worker *worker, const struct tp_action *action, struct tp_activation_slot *slot,
                         const struct tp_op_times *times)
{
	struct tp_channel *channel = tp_worker_message_channel(worker, action);
	if (!channel)
		return;
	tp_worker_push_range(worker, TP_NVTX_RECV, action, times->begun.read);
	if (worker->flight.ops)
		tp_flight_take(worker, channel, slot, times->start_ns);
	else
		receive(worker, channel, action, slot, times);
	tp_nvtx_pop();
}

/* The result of an operation, to whom it concerns. */
static enum tp_status send(struct tp_worker *worker, const struct tp_action *action, struct tp_activation_slot *slot,
                           const struct tp_op_times *times)
{
	struct tp_worker *workers = worker->crew->workers;
	struct tp_channel *channel = NULL;
	struct tp_message message = {
	        .mini = action->mini,
	        .micro = action->micro,
	        /* A pointer is handed over: ready, sent and there at one moment. An emulated link sees to it otherwise.
	         */
	        .ready_ns = times->end_ns,
	        .sent_ns = times->end_ns,
	        .arrived_ns = times->end_ns,
	};
	if (action->kind == TP_OP_F && !tp_worker_is_last(worker)) {
		channel = &workers[worker->index + 1].activations;
		message.activation = tp_stage_output_data(&worker->stage, slot);
		message.gradient = slot->output_gradient;
	} else if ((action->kind == TP_OP_B || action->kind == TP_OP_BX) && worker->index > 0) {
		channel = &workers[worker->index - 1].gradients;
	}
	if (!channel)
		return TP_OK;
	message.bytes = tp_worker_message_bytes(worker, action);
	tp_worker_push_range(worker, TP_NVTX_SEND, action, times->begun.read);
	enum tp_status status = TP_OK;
	if (worker->flight.ops)
		status = tp_flight_send(worker, channel, slot, action, &message);
	else /* a channel is as long as the in-flight limit allows messages to wait in it */
		TP_CHECK(tp_channel_send(channel, &message) == TP_SEND_DONE);
	tp_nvtx_pop();
	return status;
}

/* --- one operation ----------------------------------------------------------------------------------------------- */

/* A worker that is slower than this machine takes longer: sleep for the rest. */
static void slow_down(const struct tp_worker *worker, int64_t start_ns)
{
	double speed = tp_emulation_speed(worker->crew->emulation, worker->index);
	if (speed >= 1 || worker->flight.ops)
		return;
	int64_t took = run_clock(worker->crew) - start_ns;
	int64_t until = worker->crew->clock_zero_ns + start_ns + (int64_t)((double)took / speed);
	struct timespec deadline = {.tv_sec = until / TP_NS_PER_S, .tv_nsec = until % TP_NS_PER_S};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) != 0)
		;
}

/* Resolve what the operation reads, from the plan under static order, else from how things are. */
static void begin(struct tp_worker *worker, const struct tp_action *action, struct tp_op_times *times)
{
	struct tp_crew *crew = worker->crew;
	struct tp_station *station = &worker->station;
	if (crew->static_order) {
		const struct tp_observation *seen = &planned_op(worker)->seen;
		times->committed = seen->committed;
		times->begun = tp_station_begin(station, action, seen->committed, seen, &crew->plan.stamps);
	} else {
		/* The stamp first: what is seen after it includes all that was promised before. */
		int64_t stamp =
		        tp_station_stamps(station, action) ? tp_board_start_backward(&crew->board, action->mini) : -1;
		struct tp_observation seen = tp_board_observe(&crew->board);
		times->committed = stamp >= 0 ? stamp : seen.committed;
		times->begun = tp_station_begin(station, action, stamp, &seen, &crew->board.stamps);
		if (worker->index == 0 && action->kind == TP_OP_F)
			tp_board_enter(&crew->board, tp_forward_index(action, station->progress.forwards_per_mini),
			               times->begun.read);
	}
	tp_worker_record_versions(worker, times->start_ns);
}

/* Commit point: a mini-batch counts as applied at all stages from the end of its backward at stage 0, when nothing can
 * stop its update any more. Everyone who was promised the version before is known at the same moment, which is what
 * lets the update happen in place. */
static void commit(struct tp_worker *worker)
{
	struct tp_crew *crew = worker->crew;
	struct tp_version_ledger *ledger = &worker->station.ledger;
	struct tp_observation before = tp_board_commit(&crew->board, ledger->live + 1);
	if (crew->static_order) /* versions are the plan's; the bound alone goes by what has happened */
		tp_ledger_observe(ledger, &planned_op(worker)->seen_at_end, &crew->plan.stamps);
	else
		tp_ledger_observe(ledger, &before, &crew->board.stamps);
	if (crew->pipeline.max_staleness > 0) /* the last stage may be waiting for this */
		tp_waiter_signal(&crew->workers[crew->pipeline.stages - 1].waiter);
}

static enum tp_status update(struct tp_worker *worker, const struct tp_action *action,
                             const struct tp_op_times *backward)
{
	struct tp_version_ledger *ledger = &worker->station.ledger;
	struct tp_op_times times = {.start_ns = backward->end_ns, .committed = backward->committed};
	int64_t live = ledger->live;
	if (worker->index == 0)
		commit(worker);
	struct tp_update_step step = tp_ledger_update(ledger, action->mini);
	const struct tp_action as_update = {.kind = TP_OP_U, .micro = TP_WHOLE, .mini = action->mini};
	times.begun = (struct tp_begun){live, step.base, step.base};
	tp_worker_push_range(worker, TP_NVTX_U, &as_update, step.base);
	tp_worker_record_versions(worker, times.start_ns);
	if (worker->flight.ops)
		tp_flight_tell(worker);
	tp_worker_update(worker, &step);
	if (worker->flight.ops)
		tp_flight_retire(worker);
	slow_down(worker, times.start_ns);
	times.end_ns = moment(worker);
	tp_nvtx_pop();
	times.in_place = step.in_place;
	tp_worker_record_op(worker, &as_update, &times);
	return worker->flight.ops ? tp_flight_settle(worker) : TP_OK;
}

static enum tp_status run_operation(struct tp_worker *worker, const struct tp_action *action)
{
	if (worker->flight.ops)
		TP_TRY(tp_flight_begin(worker, action));
	struct tp_op_times times = {.start_ns = moment(worker)};
	bool backward = action->kind == TP_OP_B || action->kind == TP_OP_BX;
	if (backward && worker->held)
		times.held_until_ns = times.start_ns;
	worker->held = false;
	begin(worker, action, &times);
	tp_worker_push_range(worker, (enum tp_nvtx_range)action->kind, action, times.begun.read);

	struct tp_activation_slot *slot = tp_worker_slot(worker, action);
	take_message(worker, action, slot, &times);
	if (worker->flight.ops) {
		tp_flight_retire(worker);
		tp_flight_tell(worker);
	}
	enum tp_status computed = tp_worker_compute(worker, slot, action, times.begun.read);
	slow_down(worker, times.start_ns);
	times.end_ns = moment(worker);
	tp_nvtx_pop();
	TP_TRY(computed);
	if (worker->flight.ops)
		TP_TRY(tp_flight_settle(worker));

	if (backward)
		tp_worker_record_reads(worker, action);
	bool updates = tp_station_end(&worker->station, action);
	TP_TRY(send(worker, action, slot, &times));
	tp_worker_record_versions(worker, times.end_ns);
	tp_worker_leave_slot(worker, action);
	if (worker->flight.ops && slot->unit == 0)
		TP_TRY(tp_flight_leave(worker, slot));
	tp_worker_record_op(worker, action, &times);
	return updates ? update(worker, action, &times) : TP_OK;
}

/* --- the epoch --------------------------------------------------------------------------------------------------- */

static enum tp_status work(struct tp_worker *worker)
{
	while (!tp_progress_finished(&worker->station.progress)) {
		struct tp_action action;
		TP_TRY(tp_worker_wait(worker, try_choose, &action));
		TP_TRY(worker->flight.failure);
		TP_TRY(run_operation(worker, &action));
		worker->planned++;
	}
	return worker->flight.ops ? tp_flight_land(worker) : TP_OK;
}

void tp_worker_epoch(struct tp_worker *worker)
{
	tp_worker_begin_kernels(worker);
	tp_flight_begin_epoch(worker);
	worker->idle_since_ns = run_clock(worker->crew);
	enum tp_status status = work(worker);
	tp_flight_end_epoch(worker);
	tp_worker_end_kernels(worker);
	if (status != TP_OK)
		tp_crew_fail(worker->crew, status);
}
