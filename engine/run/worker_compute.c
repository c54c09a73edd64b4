#include "engine/run/worker_compute.h"

#include "engine/backend/kernel_naming.h"
#include "profiler/kernel_probe.h"

/* --- slots ---------------------------------------------------------------------------------------------------------
 */

int64_t tp_worker_unit(const struct tp_worker *worker, const struct tp_action *action)
{
	if (worker->crew->span != TP_SPAN_SLICE)
		return action->mini;
	return tp_forward_index(action, worker->station.progress.forwards_per_mini) + 1;
}

struct tp_activation_slot *tp_worker_slot_of(struct tp_worker *worker, const struct tp_action *action)
{
	return tp_activations_of(&worker->stage.activations, tp_worker_unit(worker, action));
}

struct tp_activation_slot *tp_worker_slot(struct tp_worker *worker, const struct tp_action *action)
{
	bool begins = action->kind == TP_OP_F && (worker->crew->span == TP_SPAN_SLICE || action->micro <= 0);
	if (!begins)
		return tp_worker_slot_of(worker, action);
	return tp_activations_take(&worker->stage.activations, tp_worker_unit(worker, action), &worker->stage.memory);
}

void tp_worker_leave_slot(struct tp_worker *worker, const struct tp_action *action)
{
	if (action->kind == TP_OP_B || action->kind == TP_OP_BW)
		tp_activations_give_back(&worker->stage.activations, tp_worker_unit(worker, action),
		                         &worker->stage.memory);
}

/* --- forward --------------------------------------------------------------------------------------------------- */

static int32_t slice_of(const struct tp_worker *worker, const struct tp_action *action)
{
	/* The only micro-batch of a mini-batch is all of it. */
	return worker->crew->slicing.count == 1 ? TP_WHOLE : action->micro;
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
	int64_t start_ns = tp_kernel_begin();
	tp_batch_train(crew->dataset, &crew->order, (action->mini - 1) * crew->slicing.batch + first, count,
	               worker->staging, NULL);
	tp_kernel_end(start_ns, tp_name_of(stage->names.draw, count));
	unsigned char *input = tp_stage_input_data(stage, slot);
	size_t offset = (size_t)tp_stage_slot_first(stage, slice) * stage->spec.input.sample_bytes;
	start_ns = tp_kernel_begin();
	stage->ops->upload(stage->device, worker->staging, input + offset, stage->spec.input.shape, count);
	tp_kernel_end(start_ns, tp_name_of(stage->names.upload, count));
}

static void compute_loss(struct tp_worker *worker, struct tp_activation_slot *slot, const struct tp_action *action)
{
	struct tp_crew *crew = worker->crew;
	int32_t slice = slice_of(worker, action);
	int32_t first = tp_slice_first(crew->slicing, slice), count = tp_slice_size(crew->slicing, slice);
	struct tp_loss_result loss = {0};
	tp_batch_train(crew->dataset, &crew->order, (action->mini - 1) * crew->slicing.batch + first, count, NULL,
	               slot->labels + tp_stage_slot_first(&worker->stage, slice));
	tp_stage_loss(&worker->stage, slot, slice, &loss);
	worker->loss.loss_sum += loss.loss_sum;
	worker->loss.top1 += loss.top1;
	worker->samples_seen += count;
}

enum tp_status tp_worker_forward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                 const struct tp_action *action, int32_t version_buffer)
{
	if (worker->index == 0)
		draw_samples(worker, slot, action);
	TP_TRY(tp_stage_forward(&worker->stage, slot, slice_of(worker, action), version_buffer));
	if (tp_worker_is_last(worker))
		compute_loss(worker, slot, action);
	return TP_OK;
}

/* --- backward and update ---------------------------------------------------------------------------------------- */

static enum tp_backward_part part_of(const struct tp_action *action)
{
	if (action->kind == TP_OP_B)
		return TP_BACKWARD_BOTH;
	return action->kind == TP_OP_BX ? TP_BACKWARD_INPUT : TP_BACKWARD_WEIGHTS;
}

enum tp_status tp_worker_backward(struct tp_worker *worker, struct tp_activation_slot *slot,
                                  const struct tp_action *action, int32_t version_buffer, bool accumulate)
{
	const struct tp_stage_backward backward = {
	        .part = part_of(action),
	        .first_slice = action->micro == TP_WHOLE ? 0 : action->micro,
	        .slice_count = action->micro == TP_WHOLE ? worker->crew->slicing.count : 1,
	        .read = {.version_buffer = version_buffer, .lambda = 1.0},
	        .accumulate = accumulate,
	};
	return tp_stage_backward(&worker->stage, slot, &backward);
}

/* Micro-batches that read different weights are differentiated apart; it stays one operation. */
static enum tp_status backward_by_runs(struct tp_worker *worker, struct tp_activation_slot *slot,
                                       const struct tp_action *action)
{
	const struct tp_version_ledger *ledger = &worker->station.ledger;
	int32_t count = tp_ledger_read_runs(ledger, action, worker->crew->config->staleness_decay, worker->runs);
	for (int32_t i = 0; i < count; i++) {
		const struct tp_read_run *run = &worker->runs[i];
		const struct tp_stage_backward backward = {
		        .part = TP_BACKWARD_BOTH,
		        .first_slice = run->first,
		        .slice_count = run->count,
		        .read = {tp_ledger_buffer(ledger, run->version), tp_ledger_buffer(ledger, run->newest),
		                 run->lambda},
		        .accumulate = i > 0,
		};
		TP_TRY(tp_stage_backward(&worker->stage, slot, &backward));
	}
	return TP_OK;
}

enum tp_status tp_worker_compute(struct tp_worker *worker, struct tp_activation_slot *slot,
                                 const struct tp_action *action, int64_t read)
{
	const struct tp_progress *progress = &worker->station.progress;
	const struct tp_version_ledger *ledger = &worker->station.ledger;
	if (action->kind == TP_OP_F)
		return tp_worker_forward(worker, slot, action, tp_ledger_buffer(ledger, read));
	if (worker->crew->span == TP_SPAN_RUNS)
		return backward_by_runs(worker, slot, action);
	const struct tp_cursor *cursor = action->kind == TP_OP_BW ? &progress->weights : &progress->backward;
	return tp_worker_backward(worker, slot, action, tp_ledger_buffer(ledger, read), cursor->position > 0);
}

void tp_worker_update(struct tp_worker *worker, const struct tp_update_step *step)
{
	const struct tp_run_config *config = worker->crew->config;
	if (step->fork_from >= 0)
		tp_stage_fork_momentum(&worker->stage, step->fork_from, step->momentum);
	tp_stage_update(&worker->stage, step->from_buffer, step->to_buffer, step->momentum, config->lr,
	                config->momentum, config->weight_decay);
	if (worker->index == 0)
		atomic_fetch_add_explicit(&worker->crew->control->minis_done, 1, memory_order_relaxed);
}

void tp_worker_count_versions(struct tp_worker *worker)
{
	const struct tp_version_ledger *ledger = &worker->station.ledger;
	tp_weights_count(&worker->stage.weights, ledger->alive, &worker->stage.memory);
	if (ledger->lineages.in_use > 0)
		tp_weights_count_momenta(&worker->stage.weights, ledger->lineages.in_use, &worker->stage.memory);
}

int64_t tp_worker_message_bytes(const struct tp_worker *worker, const struct tp_action *action)
{
	const struct tp_stage *stage = &worker->stage;
	const struct tp_tensor_desc *sent = action->kind == TP_OP_F ? tp_stage_output(stage) : &stage->spec.input;
	return (int64_t)sent->sample_bytes * tp_slice_size(worker->crew->slicing, slice_of(worker, action));
}
