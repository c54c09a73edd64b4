#include "tests/parity/oracle_play.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_YET = ORACLE_NOT_YET };

/* The micro-batch that the unit-th backward of a mini-batch covers, -1 for the whole mini-batch. */
static int micro_of(const struct oracle_play *play, int unit)
{
	if (!play->rules->backward_micro)
		return -1;
	return play->rules->last_first ? play->units - 1 - unit : unit;
}

/* The stage's limits on what is in flight, before a forward: mini-batches, or micro-batches. */
static bool may_forward(const struct oracle_play *play, int stage, int micro, int slot)
{
	const struct oracle_plan *plan = play->plan;
	const int cap = play->depth - stage > 1 ? play->depth - stage : 1;
	int minis = 0;
	int micros = 0;       /* between F and B, or BX */
	int micros_split = 0; /* between F and BW */

	for (int i = 0; i < plan->mini_batches; i++) {
		minis += oracle_usable(play->f_slot[oracle_f_at(play, stage, i, 0)], slot) &&
		         !oracle_mini_done(play, stage, i, slot);
		for (int j = 0; play->rules->micro_limit && j < plan->micro_batches; j++) {
			if (!oracle_usable(play->f_slot[oracle_f_at(play, stage, i, j)], slot))
				continue;
			micros += !oracle_usable(play->b_slot[oracle_b_at(play, stage, i, j)], slot);
			micros_split += !oracle_usable(play->w_slot[oracle_b_at(play, stage, i, j)], slot);
		}
	}
	if (play->rules->flush && micro == 0 && minis > 0)
		return false;
	if (play->rules->split && micros_split >= play->depth)
		return false;
	if (play->rules->micro_limit)
		return micros < cap;
	return play->rules->flush || micro > 0 || minis < cap;
}

static void record(struct oracle_play *play, struct oracle_op op)
{
	op.epoch = play->epoch;
	oracle_check_kept(play, &op);
	play->plan->ops[play->plan->op_count++] = op;
}

/* Has the backward got what it waits for: the next stage's, or at the last stage the forward and the commit? */
static bool backward_ready(const struct oracle_play *play, int stage, int mini, int unit, int slot)
{
	const struct oracle_plan *plan = play->plan;
	int micro = plan->micro_batches - 1;

	if (stage < plan->stages - 1)
		return oracle_usable(play->b_slot[oracle_b_at(play, stage + 1, mini, unit)], slot);
	if (play->rules->backward_micro && !play->rules->last_first)
		micro = unit;
	if (!oracle_usable(play->f_slot[oracle_f_at(play, stage, mini, micro)], slot))
		return false;
	return play->staleness == 0 || oracle_committed(play, slot) >= play->base + mini + 1 - play->staleness;
}

/* Stage 0 has stamped all micro-batches, and the last stage the mini-batch: how far between them to read. */
static void weigh(const struct oracle_play *play, int mini, int stamp)
{
	struct oracle_plan *plan = play->plan;
	const int first = (play->base + mini) * plan->micro_batches;

	for (int j = first; j < first + plan->micro_batches; j++)
		plan->lambda[j] = exp(-play->decay * (stamp - plan->tags[j]));
}

/* Runs the stage's next backward, or its BX, in this slot if it is ready. */
static bool run_backward(struct oracle_play *play, int stage, int slot)
{
	struct oracle_plan *plan = play->plan;
	const enum oracle_reads reads = play->rules->reads;
	struct oracle_op op = {.slot = slot, .stage = stage, .backward = true};
	int next = oracle_b_at(play, stage, 0, 0);
	int mini;
	int unit;

	while (next < oracle_b_at(play, stage + 1, 0, 0) && play->b_slot[next] != NOT_YET)
		next++;
	mini = next / play->units - stage * plan->mini_batches;
	unit = next % play->units;
	if (mini == plan->mini_batches || !backward_ready(play, stage, mini, unit, slot))
		return false;

	play->b_slot[next] = slot;
	play->b_version[next] = oracle_backward_reads(play, stage, mini, unit, slot);
	if (stage == plan->stages - 1 && unit == 0) {
		plan->v[play->base + mini] = play->base + mini + 1 - oracle_committed(play, slot);
		oracle_join_lineage(play, mini);
		if (reads == ORACLE_BETWEEN)
			weigh(play, mini, play->b_version[next]);
	}
	op.part = play->rules->split ? ORACLE_INPUT : ORACLE_WHOLE;
	op.mini = play->base + mini + 1;
	op.micro = micro_of(play, unit);
	op.version = play->b_version[next];
	if (play->rules->tagged && (reads == ORACLE_STASHED || reads == ORACLE_BETWEEN))
		op.tags = plan->tags + (op.mini - 1) * plan->micro_batches;
	if (reads == ORACLE_BETWEEN)
		op.lambda = plan->lambda + (op.mini - 1) * plan->micro_batches;
	op.update = !play->rules->split && unit == play->units - 1;
	record(play, op);
	return true;
}

/* Runs the stage's next BW in this slot if its BX is done. */
static bool run_weight_part(struct oracle_play *play, int stage, int slot)
{
	int next = oracle_b_at(play, stage, 0, 0);

	if (!play->rules->split)
		return false;
	while (next < oracle_b_at(play, stage + 1, 0, 0) && play->w_slot[next] != NOT_YET)
		next++;
	if (next == oracle_b_at(play, stage + 1, 0, 0) || !oracle_usable(play->b_slot[next], slot))
		return false;
	play->w_slot[next] = slot;
	record(play, (struct oracle_op){
	                     .slot = slot,
	                     .stage = stage,
	                     .backward = true,
	                     .part = ORACLE_WEIGHT,
	                     .mini = play->base + next / play->units - stage * play->plan->mini_batches + 1,
	                     .micro = micro_of(play, next % play->units),
	                     .version = play->b_version[next],
	                     .update = next % play->units == play->units - 1,
	             });
	return true;
}

/* Runs the stage's next forward in this slot if it is ready. */
static bool run_forward(struct oracle_play *play, int stage, int slot)
{
	struct oracle_plan *plan = play->plan;
	int next = oracle_f_at(play, stage, 0, 0);
	int mini;
	int micro;

	while (next < oracle_f_at(play, stage + 1, 0, 0) && play->f_slot[next] != NOT_YET)
		next++;
	mini = next / plan->micro_batches - stage * plan->mini_batches;
	micro = next % plan->micro_batches;
	if (mini == plan->mini_batches)
		return false;
	if (stage > 0 && !oracle_usable(play->f_slot[oracle_f_at(play, stage - 1, mini, micro)], slot))
		return false;
	if (!may_forward(play, stage, micro, slot))
		return false;

	play->f_slot[next] = slot;
	play->f_version[next] = oracle_forward_reads(play, stage, mini, micro, slot);
	if (stage == 0)
		plan->tags[(play->base + mini) * plan->micro_batches + micro] = play->f_version[next];
	record(play, (struct oracle_op){.slot = slot,
	                                .stage = stage,
	                                .mini = play->base + mini + 1,
	                                .micro = play->rules->forward_micro ? micro : -1,
	                                .version = play->f_version[next]});
	return true;
}

static void play_epoch(struct oracle_play *play)
{
	struct oracle_plan *plan = play->plan;
	const int forwards = plan->stages * plan->mini_batches * plan->micro_batches;
	const int backwards = plan->stages * plan->mini_batches * play->units;
	const int operations = forwards + backwards * (play->rules->split ? 2 : 1);
	const size_t begin = plan->op_count;
	int slot = 0;

	for (int k = 0; k < forwards; k++)
		play->f_slot[k] = NOT_YET;
	for (int k = 0; k < backwards; k++)
		play->b_slot[k] = play->w_slot[k] = NOT_YET;
	for (; plan->op_count < begin + (size_t)operations; slot++) {
		const size_t before = plan->op_count;

		for (int s = 0; s < plan->stages; s++)
			if (!run_backward(play, s, slot) && !run_forward(play, s, slot))
				run_weight_part(play, s, slot);
		if (plan->op_count == before) {
			fprintf(stderr, "oracle: nothing is ready in slot %d of epoch %d\n", slot, play->epoch);
			abort();
		}
		for (size_t k = before; k < plan->op_count; k++)
			oracle_retain(play, plan->ops[k].stage, slot);
	}
	plan->grids[play->epoch] = oracle_draw(plan->ops + begin, plan->op_count - begin, plan->stages, slot);
	plan->chains[play->epoch] = oracle_count_chains(play);
}

static void *numbers(size_t count)
{
	return oracle_array(count, sizeof(int));
}

/* The plan's arrays and those to play it with. */
static void reserve(struct oracle_play *play)
{
	struct oracle_plan *plan = play->plan;
	const size_t minis = (size_t)plan->epochs * (size_t)plan->mini_batches;
	const size_t micros = minis * (size_t)plan->micro_batches;
	const size_t stages = (size_t)plan->stages;
	const size_t forwards = stages * (size_t)plan->mini_batches * (size_t)plan->micro_batches;
	const size_t backwards = stages * (size_t)plan->mini_batches * (size_t)play->units;

	plan->ops = oracle_array((size_t)plan->epochs * (forwards + 2 * backwards), sizeof(*plan->ops));
	plan->grids = oracle_array((size_t)plan->epochs, sizeof(*plan->grids));
	plan->v = numbers(minis);
	plan->chains = numbers((size_t)plan->epochs);
	plan->lineage = numbers(minis);
	plan->forked_from = numbers(minis);
	plan->alive = numbers(stages);
	plan->tags = numbers(micros);
	plan->lambda = oracle_array(micros, sizeof(*plan->lambda));
	play->f_slot = numbers(forwards);
	play->f_version = numbers(forwards);
	play->b_slot = numbers(backwards);
	play->b_version = numbers(backwards);
	play->w_slot = numbers(backwards);
	play->kept = oracle_array(stages * (minis + 1), sizeof(*play->kept));
	for (size_t s = 0; s < stages; s++)
		play->kept[s * (minis + 1)] = true; /* version 0 */
}

struct oracle_plan *oracle_plan_new(const struct oracle_pipeline *pipeline)
{
	const struct oracle_rules *rules = oracle_rules_find(pipeline);
	struct oracle_plan *plan;
	struct oracle_play play = {.rules = rules};

	if (rules == NULL)
		return NULL;
	plan = oracle_array(1, sizeof(*plan));
	plan->stages = rules->one_stage ? 1 : pipeline->stages;
	plan->micro_batches = rules->forward_micro ? pipeline->micro_batches : 1;
	plan->mini_batches = pipeline->mini_batches;
	plan->epochs = pipeline->epochs;
	plan->recompute = pipeline->backward != NULL && strcmp(pipeline->backward, "recompute") == 0;
	plan->independent = pipeline->sequence != NULL && strcmp(pipeline->sequence, "independent") == 0;
	play.plan = plan;
	play.depth = pipeline->in_flight ? pipeline->in_flight : plan->stages;
	play.staleness = pipeline->max_staleness;
	play.decay = pipeline->decay > 0 ? pipeline->decay : 1;
	play.units = rules->backward_micro ? plan->micro_batches : 1;
	reserve(&play);

	for (int e = 0; e < plan->epochs; e++) {
		play.epoch = e;
		play.base = e * plan->mini_batches;
		play_epoch(&play);
	}
	free(play.f_slot);
	free(play.f_version);
	free(play.b_slot);
	free(play.b_version);
	free(play.w_slot);
	free(play.kept);
	return plan;
}

void oracle_plan_free(struct oracle_plan *plan)
{
	if (plan == NULL)
		return;
	for (int e = 0; e < plan->epochs; e++)
		free(plan->grids[e]);
	free(plan->grids);
	free(plan->ops);
	free(plan->v);
	free(plan->chains);
	free(plan->lineage);
	free(plan->forked_from);
	free(plan->alive);
	free(plan->tags);
	free(plan->lambda);
	free(plan);
}
