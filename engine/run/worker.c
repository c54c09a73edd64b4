#include "engine/run/worker.h"

#include "engine/base/clock.h"
#include "engine/run/worker_records.h"

static int64_t run_clock(const struct tp_crew *crew)
{
	return tp_now_ns() - crew->clock_zero_ns;
}

static bool is_last(const struct tp_worker *worker)
{
	return worker->index == worker->crew->pipeline.stages - 1;
}

/* --- choosing ------------------------------------------------------------------------------------------------- */

static void note_arrivals(struct tp_worker *worker)
{
	if (worker->index > 0)
		worker->progress.forwards_arrived = tp_channel_sent(&worker->activations);
	if (!is_last(worker))
		worker->progress.backwards_arrived = tp_channel_sent(&worker->gradients);
}

static const struct tp_planned_op *planned_op(const struct tp_worker *worker)
{
	const struct tp_slot_plan *plan = &worker->crew->plan;
	return &plan->ops[worker->index * plan->ops_per_stage + worker->planned];
}

/* What can be done now, if anything: a tp_worker_ready. */
static bool try_choose(struct tp_worker *worker, void *context)
{
	struct tp_action *action = context;
	struct tp_view view;
	note_arrivals(worker);
	if (!tp_progress_view(&worker->progress, &view))
		return false;
	if (!worker->crew->static_order) {
		*action = tp_policy_pick(worker->crew->pipeline.policy, &view);
		return true;
	}
	*action = planned_op(worker)->action;
	return action->kind == TP_OP_F ? view.forward_ready : view.backward_ready;
}

/* What the stage knows of the others as it starts: from the plan under static order, else as it is now. */
static struct tp_observation observe(struct tp_worker *worker)
{
	struct tp_crew *crew = worker->crew;
	struct tp_observation seen = crew->static_order ? planned_op(worker)->seen : tp_board_observe(&crew->board);
	tp_ledger_observe(&worker->ledger, &seen, crew->static_order ? &crew->plan.stamps : &crew->board.stamps);
	tp_weights_count(&worker->stage.weights, worker->ledger.alive, &worker->stage.memory);
	return seen;
}

/* --- forward --------------------------------------------------------------------------------------------------- */

static int32_t slice_of(const struct tp_worker *worker, const struct tp_action *action)
{
	/* The only micro-batch of a mini-batch is all of it. */
	return worker->crew->slicing.count == 1 ? TP_WHOLE : action->micro;
}

static struct tp_activation_slot *slot_for_forward(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_activations *activations = &worker->stage.activations;
	return action->micro <= 0 ? tp_activations_take(activations, action->mini, &worker->stage.memory)
	                          : tp_activations_of(activations, action->mini);
}

static void take_message(struct tp_worker *worker, struct tp_channel *channel, const struct tp_action *action,
                         struct tp_activation_slot *slot, int64_t start_ns)
{
	const struct tp_message *message = tp_channel_peek(channel);
	TP_CHECK(message && message->mini == action->mini && message->micro == action->micro);
	if (action->kind == TP_OP_F) {
		slot->input = message->activation;
		slot->input_gradient = message->gradient;
	}
	tp_worker_record_message(worker, message, start_ns);
	tp_channel_pop(channel);
}

/* Stage 0: the samples of a slice, into its slot. */
static void draw_samples(struct tp_worker *worker, struct tp_activation_slot *slot, const struct tp_action *action)
{
	const struct tp_crew *crew = worker->crew;
	struct tp_stage *stage = &worker->stage;
	if (stage->ops->element_bytes == 0)
		return;
	int32_t slice = slice_of(worker, action);
	int32_t first = tp_slice_first(crew->slicing, slice), count = tp_slice_size(crew->slicing, slice);
	tp_batch_train(crew->dataset, &crew->order, (action->mini - 1) * crew->slicing.batch + first, count,
	               worker->staging, NULL);
	unsigned char *input = tp_stage_input_data(stage, slot);
	stage->ops->upload(stage->device, worker->staging, input + (size_t)first * stage->spec.input.sample_bytes,
	                   count * tp_shape_elements(stage->spec.input.shape));
}

static void compute_loss(struct tp_worker *worker, struct tp_activation_slot *slot, const struct tp_action *action)
{
	struct tp_crew *crew = worker->crew;
	int32_t slice = slice_of(worker, action);
	int32_t first = tp_slice_first(crew->slicing, slice), count = tp_slice_size(crew->slicing, slice);
	struct tp_loss_result loss = {0};
	tp_batch_train(crew->dataset, &crew->order, (action->mini - 1) * crew->slicing.batch + first, count, NULL,
	               slot->labels + first);
	tp_stage_loss(&worker->stage, slot, slice, &loss);
	worker->loss.loss_sum += loss.loss_sum;
	worker->loss.top1 += loss.top1;
	worker->samples_seen += count;
}

static void send(struct tp_worker *worker, struct tp_channel *channel, const struct tp_action *action,
                 const struct tp_tensor_desc *desc, struct tp_activation_slot *slot, int64_t ready_ns)
{
	int32_t samples = tp_slice_size(worker->crew->slicing, slice_of(worker, action));
	struct tp_message message = {
	        .mini = action->mini,
	        .micro = action->micro,
	        .bytes = (int64_t)desc->sample_bytes * samples,
	        /* A pointer is handed over: it is ready, sent and there at one moment. */
	        .ready_ns = ready_ns,
	        .sent_ns = ready_ns,
	        .arrived_ns = ready_ns,
	};
	if (action->kind == TP_OP_F) {
		message.activation = tp_stage_output_data(&worker->stage, slot);
		message.gradient = slot->output_gradient;
	}
	/* A channel is as long as the in-flight limit allows messages to wait in it. */
	TP_CHECK(tp_channel_send(channel, &message) == TP_SEND_DONE);
}

enum tp_status tp_worker_compute_forward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                         const struct tp_action *action, int32_t version_buffer)
{
	if (worker->index == 0)
		draw_samples(worker, slot, action);
	TP_TRY(tp_stage_forward(&worker->stage, slot, slice_of(worker, action), version_buffer));
	if (is_last(worker))
		compute_loss(worker, slot, action);
	return TP_OK;
}

static enum tp_status run_forward(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_crew *crew = worker->crew;
	struct tp_stage *stage = &worker->stage;
	struct tp_op_times times = {.start_ns = run_clock(crew), .live = worker->ledger.live};
	times.seen = observe(worker);
	int64_t index = tp_forward_index(action, worker->progress.forwards_per_mini);
	times.read = times.oldest_forward = tp_ledger_begin_forward(&worker->ledger, index);
	if (worker->index == 0)
		tp_board_enter(&crew->board, index, times.read);

	struct tp_activation_slot *slot = slot_for_forward(worker, action);
	if (worker->index > 0)
		take_message(worker, &worker->activations, action, slot, times.start_ns);
	TP_TRY(tp_worker_compute_forward(worker, slot, action, tp_ledger_buffer(&worker->ledger, times.read)));
	times.end_ns = run_clock(crew);

	tp_ledger_end_forward(&worker->ledger, index);
	(void)tp_progress_complete(&worker->progress, action);
	if (!is_last(worker))
		send(worker, &crew->workers[worker->index + 1].activations, action, tp_stage_output(stage), slot,
		     times.end_ns);
	tp_worker_record_op(worker, action, &times);
	return TP_OK;
}

/* --- backward and update ---------------------------------------------------------------------------------------- */

/* The last stage begins a mini-batch's backward: from here on its stamp counts. */
static void begin_at_last_stage(struct tp_worker *worker, const struct tp_action *action, struct tp_op_times *times)
{
	struct tp_crew *crew = worker->crew;
	if (!crew->static_order)
		times->seen.committed = tp_board_start_backward(&crew->board, action->mini);
	if (worker->ledger.uses_stamps)
		tp_ledger_stamp(&worker->ledger, action->mini, times->seen.committed);
}

/* Commit point: a mini-batch counts as applied at all stages from the end of its backward at stage 0, when nothing can
 * stop its update any more. Everyone who was promised the version before is known at the same moment, which is what
 * lets the update happen in place. */
static void commit(struct tp_worker *worker)
{
	struct tp_crew *crew = worker->crew;
	struct tp_observation before;
	if (crew->static_order) {
		before = planned_op(worker)->seen_at_end;
		tp_ledger_observe(&worker->ledger, &before, &crew->plan.stamps);
	} else {
		before = tp_board_commit(&crew->board, worker->ledger.live + 1);
		tp_ledger_observe(&worker->ledger, &before, &crew->board.stamps);
	}
}

static void update(struct tp_worker *worker, const struct tp_action *action, const struct tp_op_times *backward)
{
	struct tp_crew *crew = worker->crew;
	const struct tp_run_config *config = crew->config;
	struct tp_op_times times = {.start_ns = backward->end_ns, .seen = backward->seen, .live = worker->ledger.live};
	times.read = times.oldest_forward = times.live;
	struct tp_update_step step = tp_ledger_update(&worker->ledger);
	tp_weights_count(&worker->stage.weights, worker->ledger.alive, &worker->stage.memory);
	tp_stage_update(&worker->stage, step.from_buffer, step.to_buffer, config->lr, config->momentum,
	                config->weight_decay);
	times.end_ns = run_clock(crew);
	times.in_place = step.in_place;
	if (worker->index == 0)
		atomic_fetch_add_explicit(&crew->control->minis_done, 1, memory_order_relaxed);
	struct tp_action as_update = {.kind = TP_OP_U, .micro = TP_WHOLE, .mini = action->mini};
	tp_worker_record_op(worker, &as_update, &times);
}

enum tp_status tp_worker_compute_backward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                          const struct tp_action *action, int32_t version_buffer, bool accumulate)
{
	int32_t slice = slice_of(worker, action);
	if (is_last(worker))
		tp_stage_loss_gradient(&worker->stage, slot, slice);
	return tp_stage_backward(&worker->stage, slot, slice, version_buffer, accumulate);
}

static enum tp_status run_backward(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_crew *crew = worker->crew;
	struct tp_stage *stage = &worker->stage;
	bool first = worker->progress.backwards_done % worker->progress.backwards_per_mini == 0;
	struct tp_op_times times = {.start_ns = run_clock(crew), .live = worker->ledger.live};
	times.seen = observe(worker);
	struct tp_activation_slot *slot = tp_activations_of(&stage->activations, action->mini);
	if (!is_last(worker))
		take_message(worker, &worker->gradients, action, slot, times.start_ns);
	else if (first)
		begin_at_last_stage(worker, action, &times);
	times.read = tp_ledger_begin_backward(&worker->ledger, action);
	times.oldest_forward = tp_ledger_oldest_forward_version(&worker->ledger, action);
	TP_TRY(tp_worker_compute_backward(worker, slot, action, tp_ledger_buffer(&worker->ledger, times.read), !first));
	times.end_ns = run_clock(crew);

	bool last = tp_progress_complete(&worker->progress, action);
	tp_ledger_end_backward(&worker->ledger, action, last);
	if (worker->index > 0)
		send(worker, &crew->workers[worker->index - 1].gradients, action, &stage->spec.input, slot,
		     times.end_ns);
	tp_worker_record_op(worker, action, &times);
	if (!last)
		return TP_OK;
	tp_activations_give_back(&stage->activations, action->mini, &stage->memory);
	if (worker->index == 0)
		commit(worker);
	update(worker, action, &times);
	return TP_OK;
}

/* --- the epoch --------------------------------------------------------------------------------------------------- */

static enum tp_status work(struct tp_worker *worker)
{
	while (!tp_progress_finished(&worker->progress)) {
		struct tp_action action;
		TP_TRY(tp_worker_wait(worker, try_choose, &action));
		if (action.kind == TP_OP_F)
			TP_TRY(run_forward(worker, &action));
		else
			TP_TRY(run_backward(worker, &action));
		worker->planned++;
	}
	return TP_OK;
}

/* The pipeline has drained: every version has been applied everywhere, and only the live one is still needed. */
static void drain(struct tp_worker *worker)
{
	struct tp_observation all = worker->ledger.seen;
	all.committed = worker->ledger.live;
	tp_ledger_observe(&worker->ledger, &all, &worker->crew->board.stamps);
	tp_weights_count(&worker->stage.weights, worker->ledger.alive, &worker->stage.memory);
}

void tp_worker_epoch(struct tp_worker *worker)
{
	worker->idle_since_ns = run_clock(worker->crew);
	enum tp_status status = work(worker);
	if (status == TP_OK)
		drain(worker);
	else
		tp_crew_fail(worker->crew, status);
}
