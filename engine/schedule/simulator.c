#include "engine/schedule/simulator.h"

#include "engine/base/memory.h"
#include "engine/schedule/event_queue.h"
#include "engine/schedule/slot_plan.h"

struct sim_stage {
	struct tp_station *station;
	struct tp_sim_op running;
	int64_t planned; /* static order: operations taken from the plan */
	bool busy;
	bool updating; /* the operation has ended, its update goes on */
	bool held;     /* idle with a backward that only the staleness bound keeps from starting */
};

/* Sets of stages, walked in ascending order. */
struct stage_set {
	uint64_t *words;
	int32_t word_count;
};

struct sim {
	const struct tp_sim_input *input;
	struct tp_pipeline pipeline;
	struct sim_stage *stages;
	struct tp_station *own_stations;              /* when the caller gave none */
	struct tp_sim_channel *downstream, *upstream; /* into each stage; NULL: messages take no time and nobody asks */
	struct tp_event_queue queue; /* ends of operations and updates by stage; then arrivals, see event numbers */
	struct stage_set awake;      /* their situation changed: let them choose */
	struct stage_set ending;     /* slots only: stages at work, which all end with the slot */
	bool slots, detailed;
	/* What all can see. */
	struct tp_observation board;
	struct tp_stamps own_stamps;
	const struct tp_stamps *stamps;
	int64_t now;
	int64_t difference_sum;
	struct tp_sim_summary *summary;
};

/* Event numbers: [0, W) ends at a stage, [W, 2W) arrivals from upstream, [2W, 3W) from downstream. */
static int64_t arrival_event(const struct sim *sim, int32_t stage, bool gradient)
{
	return (int64_t)sim->pipeline.stages * (gradient ? 2 : 1) + stage;
}

static void set_add(struct stage_set *set, int32_t stage)
{
	set->words[stage / 64] |= UINT64_C(1) << (stage % 64);
}

static void wake(struct sim *sim, int32_t stage)
{
	set_add(&sim->awake, stage);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static void deliver(struct sim *sim, int32_t stage, bool gradient)
{
	struct tp_progress *progress = &sim->stages[stage].station->progress;
	*(gradient ? &progress->backwards_arrived : &progress->forwards_arrived) += 1;
	wake(sim, stage);
}

/* Everything of a channel that has arrived by now; then the next arrival is an event. */
static void deliver_due(struct sim *sim, int32_t stage, bool gradient)
{
	struct tp_sim_channel *channel = &(gradient ? sim->upstream : sim->downstream)[stage];
	while (tp_sim_channel_busy(channel) && tp_sim_channel_next(channel) <= sim->now) {
		channel->arrived++;
		deliver(sim, stage, gradient);
	}
	if (tp_sim_channel_busy(channel))
		tp_event_push(&sim->queue, tp_sim_channel_next(channel), arrival_event(sim, stage, gradient));
}

/* The result of an operation goes to stage `to`. */
static enum tp_status send(struct sim *sim, int32_t to, bool gradient, int32_t micro)
{
	if (!sim->downstream) {
		deliver(sim, to, gradient);
		return TP_OK;
	}
	struct tp_sim_channel *channel = &(gradient ? sim->upstream : sim->downstream)[to];
	bool was_busy = tp_sim_channel_busy(channel);
	TP_TRY(tp_sim_channel_send(channel, sim->now, micro));
	if (!was_busy)
		deliver_due(sim, to, gradient);
	return TP_OK;
}

/* --- an operation begins ------------------------------------------------------------------------------------------ */

static int64_t cost_of(const struct sim *sim, int32_t stage, const struct tp_action *action)
{
	if (sim->slots)
		return 1;
	const struct tp_stage_cost *cost = &sim->input->costs[stage];
	int32_t at = action->micro == TP_WHOLE ? 0 : action->micro;
	switch (action->kind) {
	case TP_OP_F:
		return cost->forward[at];
	case TP_OP_BW:
		return cost->weights[at];
	default:
		return cost->backward[at];
	}
}

static const struct tp_planned_op *planned_op(const struct sim *sim, int32_t stage)
{
	const struct tp_slot_plan *plan = sim->input->plan;
	return &plan->ops[stage * plan->ops_per_stage + sim->stages[stage].planned];
}

/* What the stage does next, if it can. */
static bool choose(const struct sim *sim, int32_t stage, struct tp_action *action)
{
	const struct tp_progress *progress = &sim->stages[stage].station->progress;
	if (!sim->input->plan)
		return tp_progress_choose(progress, action);
	if (tp_progress_finished(progress))
		return false;
	*action = planned_op(sim, stage)->action;
	return tp_progress_ready(progress, action->kind);
}

/* The last stage begins a mini-batch's backward. */
static void note_difference(struct sim *sim, const struct tp_action *action, const struct tp_observation *seen,
                            int64_t version_read)
{
	struct tp_sim_summary *summary = sim->summary;
	int64_t difference = action->mini - seen->committed;
	sim->difference_sum += difference;
	if (difference > summary->version_difference_max)
		summary->version_difference_max = difference;
	summary->version_chains += version_read <= 0;
	if (summary->last_stage_backwards++ == 0)
		summary->first_backward_start = sim->now;
	summary->last_backward_start = sim->now;
}

static void publish_stamp(struct sim *sim, int64_t mini, int64_t stamp)
{
	sim->own_stamps.stamps[(mini - 1) & sim->own_stamps.stamp_mask] = stamp;
	sim->board.started = mini;
}

static void publish_tag(struct sim *sim, int64_t index, int64_t tag)
{
	sim->own_stamps.tags[index & sim->own_stamps.tag_mask] = tag;
	sim->board.entered = index + 1;
}

/* Only where somebody looks at it. */
static void describe(struct sim *sim, struct sim_stage *stage, const struct tp_begun *begun,
                     const struct tp_observation *seen)
{
	struct tp_sim_op *op = &stage->running;
	const struct tp_version_ledger *ledger = &stage->station->ledger;
	bool backward = op->action.kind != TP_OP_F;
	op->held_until = backward && stage->held ? sim->now : 0;
	op->seen = *seen;
	op->version_read = begun->read;
	op->version_live = begun->live;
	op->version_oldest_forward = begun->oldest_forward;
	op->stamp = backward && ledger->uses_stamps ? begun->read : -1;
	op->read_buffer = tp_ledger_buffer(ledger, begun->read);
	op->updates = false;
}

/* Take the message that the operation consumes, if it consumes one. */
static void take_message(struct sim *sim, struct tp_sim_op *op)
{
	bool forward = op->action.kind == TP_OP_F;
	op->takes_message =
	        forward ? op->stage > 0 : op->action.kind != TP_OP_BW && op->stage < sim->pipeline.stages - 1;
	if (op->takes_message && sim->downstream)
		op->message = tp_sim_channel_take(&(forward ? sim->downstream : sim->upstream)[op->stage]);
}

static enum tp_status begin(struct sim *sim, int32_t index, const struct tp_observation *now)
{
	struct sim_stage *stage = &sim->stages[index];
	struct tp_sim_op *op = &stage->running;
	if (stage->busy)
		return TP_OK;
	if (!choose(sim, index, &op->action)) {
		stage->held = tp_progress_held(&stage->station->progress);
		return TP_OK;
	}
	const struct tp_observation *seen = sim->input->plan ? &planned_op(sim, index)->seen : now;
	bool stamps = tp_station_stamps(stage->station, &op->action);
	if (stamps)
		publish_stamp(sim, op->action.mini, seen->committed);
	struct tp_begun begun = tp_station_begin(stage->station, &op->action, seen->committed, seen, sim->stamps);
	if (stamps)
		note_difference(sim, &op->action, seen, begun.read);
	if (index == 0 && op->action.kind == TP_OP_F)
		publish_tag(sim, tp_forward_index(&op->action, stage->station->progress.forwards_per_mini), begun.read);
	op->stage = index;
	op->start = sim->now;
	op->end = op->update_end = sim->now + cost_of(sim, index, &op->action);
	take_message(sim, op);
	stage->busy = true;
	if (sim->slots)
		set_add(&sim->ending, index);
	else
		tp_event_push(&sim->queue, op->end, index);
	if (!sim->detailed)
		return TP_OK;
	describe(sim, stage, &begun, seen);
	stage->held = false;
	const struct tp_sim_hooks *hooks = sim->input->hooks;
	return hooks->begin ? hooks->begin(sim->input->context, op) : TP_OK;
}

/* --- an operation ends -------------------------------------------------------------------------------------------- */

/* Stage 0 commits with its update: a stamp given while this backward ran may still name the old version. */
static void commit(struct sim *sim, struct sim_stage *stage, const struct tp_observation *at_end)
{
	struct sim_stage *last = &sim->stages[sim->pipeline.stages - 1];
	tp_ledger_observe(&stage->station->ledger, at_end, sim->stamps);
	sim->board.committed = stage->station->ledger.live + 1;
	last->station->progress.committed = sim->board.committed;
	if (sim->pipeline.max_staleness > 0)
		wake(sim, sim->pipeline.stages - 1);
}

static void update(struct sim *sim, int32_t index)
{
	struct sim_stage *stage = &sim->stages[index];
	struct tp_sim_op *op = &stage->running;
	op->updates = true;
	if (index == 0)
		commit(sim, stage, &op->seen_at_end);
	op->update = tp_ledger_update(&stage->station->ledger, op->action.mini);
	if (sim->slots || sim->input->costs[index].update == 0)
		return;
	op->update_end = op->end + sim->input->costs[index].update;
	stage->updating = true;
	tp_event_push(&sim->queue, op->update_end, index);
}

static enum tp_status finish(struct sim *sim, int32_t index)
{
	struct sim_stage *stage = &sim->stages[index];
	struct tp_sim_op *op = &stage->running;
	enum tp_op_kind kind = op->action.kind;
	bool updates = tp_station_end(stage->station, &op->action);
	op->seen_at_end = sim->input->plan ? planned_op(sim, index)->seen_at_end : sim->board;
	if (kind == TP_OP_F && index + 1 < sim->pipeline.stages)
		TP_TRY(send(sim, index + 1, false, op->action.micro));
	else if ((kind == TP_OP_B || kind == TP_OP_BX) && index > 0)
		TP_TRY(send(sim, index - 1, true, op->action.micro));
	if (updates)
		update(sim, index);
	stage->planned++;
	sim->summary->operations++;
	sim->summary->busy[index] += op->update_end - op->start;
	if (!stage->updating) {
		stage->busy = false;
		wake(sim, index);
	}
	if (!sim->detailed || !sim->input->hooks->end)
		return TP_OK;
	op->versions_alive = stage->station->ledger.alive;
	return sim->input->hooks->end(sim->input->context, op);
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

/* Take the first member at or after `from` out of the set; -1 when there is none. */
static int32_t set_take(struct stage_set *set, int32_t from)
{
	uint64_t mask = ~UINT64_C(0) << (from % 64);
	for (int32_t w = from / 64; w < set->word_count; w++, mask = ~UINT64_C(0)) {
		uint64_t members = set->words[w] & mask;
		if (members == 0)
			continue;
		int32_t bit = __builtin_ctzll(members);
		set->words[w] &= ~(UINT64_C(1) << bit);
		return w * 64 + bit;
	}
	return -1;
}

static enum tp_status let_choose(struct sim *sim)
{
	const struct tp_observation seen = sim->board; /* as it was before any stage chose at this moment */
	for (int32_t s = set_take(&sim->awake, 0); s >= 0; s = set_take(&sim->awake, s + 1))
		TP_TRY(begin(sim, s, &seen));
	return TP_OK;
}

static enum tp_status run_slots(struct sim *sim)
{
	int64_t before = -1;
	while (sim->summary->operations != before) {
		before = sim->summary->operations;
		TP_TRY(let_choose(sim));
		sim->now++;
		for (int32_t s = set_take(&sim->ending, 0); s >= 0; s = set_take(&sim->ending, s + 1))
			TP_TRY(finish(sim, s));
	}
	sim->now--; /* the last slot was empty */
	return TP_OK;
}

static enum tp_status handle(struct sim *sim, int64_t event)
{
	int32_t stages = sim->pipeline.stages, index = (int32_t)(event % stages);
	if (event >= stages) {
		deliver_due(sim, index, event >= 2 * (int64_t)stages);
		return TP_OK;
	}
	struct sim_stage *stage = &sim->stages[index];
	if (!stage->updating)
		return finish(sim, index);
	stage->updating = stage->busy = false;
	wake(sim, index);
	return TP_OK;
}

static enum tp_status run_events(struct sim *sim)
{
	for (;;) {
		TP_TRY(let_choose(sim));
		if (sim->queue.count == 0)
			return TP_OK;
		sim->now = tp_event_next_time(&sim->queue);
		while (sim->queue.count > 0 && tp_event_next_time(&sim->queue) == sim->now)
			TP_TRY(handle(sim, tp_event_pop(&sim->queue)));
	}
}

static enum tp_status check_finished(const struct sim *sim)
{
	for (int32_t s = 0; s < sim->pipeline.stages; s++) {
		const struct tp_progress *progress = &sim->stages[s].station->progress;
		if (!tp_progress_finished(progress))
			return tp_fail(TP_ERR_INPUT,
			               "schedule '%s' stands still: stage %d has done %lld forwards and %lld backwards "
			               "of %lld mini-batches and nothing is ready",
			               sim->pipeline.policy->name, s, (long long)progress->forward.done,
			               (long long)progress->backward.done, (long long)progress->minis);
	}
	return TP_OK;
}

/* --- making and ending ---------------------------------------------------------------------------------------------
 */

static enum tp_status set_init(struct stage_set *set, int32_t stages)
{
	set->word_count = (stages + 63) / 64;
	set->words = tp_alloc_array((size_t)set->word_count, sizeof *set->words);
	return set->words ? TP_OK : TP_ERR_NOMEM;
}

static enum tp_status make_stations(struct sim *sim)
{
	if (sim->input->stations) {
		for (int32_t s = 0; s < sim->pipeline.stages; s++)
			sim->stages[s].station = sim->input->stations[s];
		return TP_OK;
	}
	sim->own_stations = tp_alloc_array((size_t)sim->pipeline.stages, sizeof *sim->own_stations);
	if (!sim->own_stations)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < sim->pipeline.stages; s++) {
		sim->stages[s].station = &sim->own_stations[s];
		TP_TRY(tp_station_init(&sim->own_stations[s], &sim->pipeline, s));
	}
	return TP_OK;
}

static enum tp_status make_channels(struct sim *sim)
{
	const struct tp_boundary_cost *boundaries = sim->input->boundaries;
	if (!boundaries && !(sim->detailed && sim->input->hooks->begin))
		return TP_OK;
	sim->downstream = tp_alloc_array((size_t)sim->pipeline.stages, sizeof *sim->downstream);
	sim->upstream = tp_alloc_array((size_t)sim->pipeline.stages, sizeof *sim->upstream);
	if (!sim->downstream || !sim->upstream)
		return TP_ERR_NOMEM;
	const struct tp_boundary_cost none = {{NULL, 0}, {NULL, 0}};
	for (int32_t s = 0; s + 1 < sim->pipeline.stages; s++) {
		const struct tp_boundary_cost *cost = boundaries ? &boundaries[s] : &none;
		TP_TRY(tp_sim_channel_init(&sim->downstream[s + 1], cost->downstream));
		TP_TRY(tp_sim_channel_init(&sim->upstream[s], cost->upstream));
	}
	return TP_OK;
}

static enum tp_status sim_init(struct sim *sim)
{
	size_t stages = (size_t)sim->pipeline.stages;
	sim->stages = tp_alloc_array(stages, sizeof *sim->stages);
	sim->summary->busy = tp_alloc_array(stages, sizeof *sim->summary->busy);
	sim->summary->versions_alive_max = tp_alloc_array(stages, sizeof *sim->summary->versions_alive_max);
	if (!sim->stages || !sim->summary->busy || !sim->summary->versions_alive_max)
		return TP_ERR_NOMEM;
	TP_TRY(set_init(&sim->awake, sim->pipeline.stages));
	TP_TRY(set_init(&sim->ending, sim->pipeline.stages));
	TP_TRY(make_stations(sim));
	TP_TRY(make_channels(sim));
	TP_TRY(tp_event_queue_init(&sim->queue, 3 * (int64_t)sim->pipeline.stages));
	struct tp_stamps *stamps = &sim->own_stamps;
	stamps->tag_mask = sim->stages[0].station->ledger.tags_in_flight - 1;
	stamps->stamp_mask = sim->stages[0].station->ledger.stamps_in_flight - 1;
	stamps->tags = tp_alloc_array((size_t)stamps->tag_mask + 1, sizeof *stamps->tags);
	stamps->stamps = tp_alloc_array((size_t)stamps->stamp_mask + 1, sizeof *stamps->stamps);
	sim->stamps = sim->input->plan ? &sim->input->plan->stamps : stamps;
	return stamps->tags && stamps->stamps ? TP_OK : TP_ERR_NOMEM;
}

static void sim_release(struct sim *sim)
{
	for (int32_t s = 0; s < sim->pipeline.stages; s++) {
		if (sim->own_stations)
			tp_station_release(&sim->own_stations[s]);
		if (sim->downstream)
			tp_sim_channel_release(&sim->downstream[s]);
		if (sim->upstream)
			tp_sim_channel_release(&sim->upstream[s]);
	}
	tp_free(sim->own_stations);
	tp_free(sim->downstream);
	tp_free(sim->upstream);
	tp_free(sim->stages);
	tp_free(sim->awake.words);
	tp_free(sim->ending.words);
	tp_event_queue_release(&sim->queue);
	tp_free(sim->own_stamps.tags);
	tp_free(sim->own_stamps.stamps);
}

static enum tp_status run(struct sim *sim)
{
	for (int32_t s = 0; s < sim->pipeline.stages; s++)
		wake(sim, s);
	TP_TRY(sim->slots ? run_slots(sim) : run_events(sim));
	TP_TRY(check_finished(sim));
	sim->summary->makespan = sim->now;
	sim->summary->version_difference_mean = (double)sim->difference_sum / (double)sim->pipeline.minis;
	for (int32_t s = 0; s < sim->pipeline.stages; s++)
		sim->summary->versions_alive_max[s] = sim->stages[s].station->ledger.alive_max;
	return TP_OK;
}

enum tp_status tp_simulate_epoch(const struct tp_sim_input *input, struct tp_sim_summary *summary)
{
	*summary = (struct tp_sim_summary){0};
	struct sim sim = {
	        .input = input,
	        .pipeline = *input->pipeline,
	        .summary = summary,
	        .slots = !input->costs,
	        .detailed = input->hooks != NULL,
	};
	TP_CHECK(input->costs || !input->boundaries);
	if (sim.pipeline.policy->single_stage)
		sim.pipeline.stages = 1;
	enum tp_status status = sim_init(&sim);
	if (status == TP_OK)
		status = run(&sim);
	sim_release(&sim);
	if (status != TP_OK)
		tp_sim_summary_release(summary);
	return status;
}

enum tp_status tp_simulate(const struct tp_pipeline *pipeline, const struct tp_stage_cost *costs, tp_sim_sink *sink,
                           void *context, struct tp_sim_summary *summary)
{
	const struct tp_sim_hooks hooks = {.end = sink};
	const struct tp_sim_input input = {
	        .pipeline = pipeline,
	        .costs = costs,
	        .hooks = sink ? &hooks : NULL,
	        .context = context,
	};
	return tp_simulate_epoch(&input, summary);
}

void tp_sim_summary_release(struct tp_sim_summary *summary)
{
	tp_free(summary->busy);
	tp_free(summary->versions_alive_max);
	*summary = (struct tp_sim_summary){0};
}
