#include "engine/schedule/simulator.h"

#include "engine/base/memory.h"

struct sim_stage {
	struct tp_progress progress;
	struct tp_version_ledger ledger;
	struct tp_sim_op running;
	bool busy;
	bool awake; /* its situation changed: let it choose */
};

struct sim {
	struct tp_pipeline pipeline;
	const struct tp_stage_cost *costs;
	struct sim_stage *stages;
	/* A binary heap of busy stages by (end of the running operation, stage). */
	int32_t *heap;
	int32_t heap_count;
	/* Stages to look at next, each once. */
	int32_t *wake_list;
	int32_t wake_count;
	/* What all can see. */
	struct tp_observation board;
	struct tp_stamps stamps;
	int64_t now;
	int64_t difference_sum;
	struct tp_sim_summary *summary;
};

static bool ends_before(const struct sim *sim, int32_t a, int32_t b)
{
	int64_t end_a = sim->stages[a].running.end, end_b = sim->stages[b].running.end;
	return end_a < end_b || (end_a == end_b && a < b);
}

static void heap_push(struct sim *sim, int32_t stage)
{
	int32_t at = sim->heap_count++;
	while (at > 0 && ends_before(sim, stage, sim->heap[(at - 1) / 2])) {
		sim->heap[at] = sim->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	sim->heap[at] = stage;
}

static int32_t heap_pop(struct sim *sim)
{
	int32_t top = sim->heap[0], moved = sim->heap[--sim->heap_count], at = 0;
	for (;;) {
		int32_t child = 2 * at + 1;
		if (child >= sim->heap_count)
			break;
		if (child + 1 < sim->heap_count && ends_before(sim, sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!ends_before(sim, sim->heap[child], moved))
			break;
		sim->heap[at] = sim->heap[child];
		at = child;
	}
	sim->heap[at] = moved;
	return top;
}

static void wake(struct sim *sim, int32_t stage)
{
	if (stage < 0 || stage >= sim->pipeline.stages || sim->stages[stage].awake)
		return;
	sim->stages[stage].awake = true;
	sim->wake_list[sim->wake_count++] = stage;
}

static int64_t cost_of(const struct sim *sim, int32_t stage, const struct tp_action *action)
{
	if (!sim->costs)
		return 1;
	const struct tp_stage_cost *cost = &sim->costs[stage];
	const int64_t *table = action->kind == TP_OP_F ? cost->forward : cost->backward;
	return table[action->micro == TP_WHOLE ? 0 : action->micro];
}

static void start_forward(struct sim *sim, struct sim_stage *stage)
{
	struct tp_sim_op *op = &stage->running;
	int64_t index = tp_forward_index(&op->action, stage->progress.forwards_per_mini);
	op->version_read = op->version_oldest_forward = tp_ledger_begin_forward(&stage->ledger, index);
	if (op->stage == 0) {
		sim->stamps.tags[index & sim->stamps.tag_mask] = op->version_read;
		sim->board.entered = index + 1;
	}
}

static void start_backward(struct sim *sim, struct sim_stage *stage)
{
	struct tp_sim_op *op = &stage->running;
	bool first = stage->progress.backwards_done % stage->progress.backwards_per_mini == 0;
	if (op->stage == sim->pipeline.stages - 1 && first) {
		int64_t mini = op->action.mini, difference = mini - op->seen.committed;
		sim->difference_sum += difference;
		if (difference > sim->summary->version_difference_max)
			sim->summary->version_difference_max = difference;
		sim->stamps.stamps[(mini - 1) & sim->stamps.stamp_mask] = op->seen.committed;
		sim->board.started = mini;
		if (stage->ledger.uses_stamps)
			tp_ledger_stamp(&stage->ledger, mini, op->seen.committed);
	}
	op->version_read = tp_ledger_begin_backward(&stage->ledger, &op->action);
	op->version_oldest_forward = tp_ledger_oldest_forward_version(&stage->ledger, &op->action);
	op->stamp = stage->ledger.uses_stamps ? op->version_read : -1;
}

/* Let a free stage start what the policy prefers. `seen` is the board as it was before any stage chose at this moment.
 */
static void choose(struct sim *sim, int32_t index, const struct tp_observation *seen)
{
	struct sim_stage *stage = &sim->stages[index];
	struct tp_view view;
	if (stage->busy || !tp_progress_view(&stage->progress, &view))
		return;
	struct tp_action action = tp_policy_pick(sim->pipeline.policy, &view);
	tp_ledger_observe(&stage->ledger, seen, &sim->stamps);
	stage->running = (struct tp_sim_op){
	        .stage = index,
	        .action = action,
	        .start = sim->now,
	        .seen = *seen,
	        .version_live = stage->ledger.live,
	        .stamp = -1,
	};
	if (action.kind == TP_OP_F)
		start_forward(sim, stage);
	else
		start_backward(sim, stage);
	stage->running.end = sim->now + cost_of(sim, index, &action);
	if (action.kind == TP_OP_B && sim->costs &&
	    (stage->progress.backwards_done + 1) % stage->progress.backwards_per_mini == 0)
		stage->running.end += sim->costs[index].update;
	stage->busy = true;
	heap_push(sim, index);
}

static void finish_forward(struct sim *sim, struct sim_stage *stage)
{
	struct tp_sim_op *op = &stage->running;
	tp_ledger_end_forward(&stage->ledger, tp_forward_index(&op->action, stage->progress.forwards_per_mini));
	(void)tp_progress_complete(&stage->progress, &op->action);
	if (op->stage + 1 < sim->pipeline.stages) {
		sim->stages[op->stage + 1].progress.forwards_arrived++;
		wake(sim, op->stage + 1);
	}
}

static void finish_backward(struct sim *sim, struct sim_stage *stage)
{
	struct tp_sim_op *op = &stage->running;
	op->updates = tp_progress_complete(&stage->progress, &op->action);
	tp_ledger_end_backward(&stage->ledger, &op->action, op->updates);
	op->seen_at_end = sim->board;
	if (op->updates) {
		/* Stage 0 commits with its update: a stamp given while this backward ran may still name the old
		 * version. */
		if (op->stage == 0)
			tp_ledger_observe(&stage->ledger, &op->seen_at_end, &sim->stamps);
		op->update_in_place = tp_ledger_update(&stage->ledger).in_place;
		if (op->stage == 0)
			sim->board.committed = stage->ledger.live;
	}
	if (op->stage > 0) {
		sim->stages[op->stage - 1].progress.backwards_arrived++;
		wake(sim, op->stage - 1);
	}
}

static enum tp_status finish(struct sim *sim, int32_t index, tp_sim_sink *sink, void *context)
{
	struct sim_stage *stage = &sim->stages[index];
	if (stage->running.action.kind == TP_OP_F)
		finish_forward(sim, stage);
	else
		finish_backward(sim, stage);
	stage->busy = false;
	stage->running.versions_alive = stage->ledger.alive;
	wake(sim, index);
	sim->summary->operations++;
	sim->summary->busy[index] += stage->running.end - stage->running.start;
	return sink ? sink(context, &stage->running) : TP_OK;
}

static enum tp_status check_finished(const struct sim *sim)
{
	for (int32_t s = 0; s < sim->pipeline.stages; s++) {
		const struct tp_progress *progress = &sim->stages[s].progress;
		if (!tp_progress_finished(progress))
			return tp_fail(TP_ERR_INPUT,
			               "schedule '%s' stands still: stage %d has done %lld forwards and %lld backwards "
			               "of %lld mini-batches and nothing is ready",
			               sim->pipeline.policy->name, s, (long long)progress->forwards_done,
			               (long long)progress->backwards_done, (long long)progress->minis);
	}
	return TP_OK;
}

static enum tp_status run(struct sim *sim, tp_sim_sink *sink, void *context)
{
	for (int32_t s = 0; s < sim->pipeline.stages; s++)
		wake(sim, s);
	for (;;) {
		struct tp_observation seen = sim->board;
		for (int32_t i = 0; i < sim->wake_count; i++) {
			sim->stages[sim->wake_list[i]].awake = false;
			choose(sim, sim->wake_list[i], &seen);
		}
		sim->wake_count = 0;
		if (sim->heap_count == 0)
			return check_finished(sim);
		sim->now = sim->stages[sim->heap[0]].running.end;
		while (sim->heap_count > 0 && sim->stages[sim->heap[0]].running.end == sim->now)
			TP_TRY(finish(sim, heap_pop(sim), sink, context));
	}
}

static enum tp_status sim_init(struct sim *sim)
{
	size_t stages = (size_t)sim->pipeline.stages;
	sim->stages = tp_alloc_array(stages, sizeof *sim->stages);
	sim->heap = tp_alloc_array(stages, sizeof *sim->heap);
	sim->wake_list = tp_alloc_array(stages, sizeof *sim->wake_list);
	sim->summary->busy = tp_alloc_array(stages, sizeof *sim->summary->busy);
	sim->summary->versions_alive_max = tp_alloc_array(stages, sizeof *sim->summary->versions_alive_max);
	if (!sim->stages || !sim->heap || !sim->wake_list || !sim->summary->busy || !sim->summary->versions_alive_max)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < sim->pipeline.stages; s++) {
		tp_progress_init(&sim->stages[s].progress, &sim->pipeline, s);
		TP_TRY(tp_ledger_init(&sim->stages[s].ledger, &sim->pipeline, s));
	}
	/* The shared rings are as long as every stage's own. */
	sim->stamps.tag_mask = sim->stages[0].ledger.forward_mask;
	sim->stamps.stamp_mask = sim->stages[0].ledger.mini_mask;
	sim->stamps.tags = tp_alloc_array((size_t)sim->stamps.tag_mask + 1, sizeof *sim->stamps.tags);
	sim->stamps.stamps = tp_alloc_array((size_t)sim->stamps.stamp_mask + 1, sizeof *sim->stamps.stamps);
	return sim->stamps.tags && sim->stamps.stamps ? TP_OK : TP_ERR_NOMEM;
}

enum tp_status tp_simulate(const struct tp_pipeline *pipeline, const struct tp_stage_cost *costs, tp_sim_sink *sink,
                           void *context, struct tp_sim_summary *summary)
{
	*summary = (struct tp_sim_summary){0};
	struct sim sim = {.pipeline = *pipeline, .costs = costs, .summary = summary};
	if (pipeline->policy->single_stage)
		sim.pipeline.stages = 1;
	enum tp_status status = sim_init(&sim);
	if (status == TP_OK)
		status = run(&sim, sink, context);
	if (status == TP_OK) {
		summary->makespan = sim.now;
		summary->version_difference_mean = (double)sim.difference_sum / (double)pipeline->minis;
		for (int32_t s = 0; s < sim.pipeline.stages; s++)
			summary->versions_alive_max[s] = sim.stages[s].ledger.alive_max;
	}
	for (int32_t s = 0; sim.stages && s < sim.pipeline.stages; s++)
		tp_ledger_release(&sim.stages[s].ledger);
	tp_free(sim.stages);
	tp_free(sim.heap);
	tp_free(sim.wake_list);
	tp_free(sim.stamps.tags);
	tp_free(sim.stamps.stamps);
	if (status != TP_OK)
		tp_sim_summary_release(summary);
	return status;
}

void tp_sim_summary_release(struct tp_sim_summary *summary)
{
	tp_free(summary->busy);
	tp_free(summary->versions_alive_max);
	*summary = (struct tp_sim_summary){0};
}
