#include "tests/parity/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the backward of a mini-batch reads. */
enum backward_reads {
	READS_LIVE,    /* the stage's live version when it runs */
	READS_STASHED, /* the version that its forward read at the stage */
	READS_STAMP,   /* the newest version committed when it started at the last stage, carried along */
};

struct rules {
	const char *schedule;
	const char *backward_version;
	bool one_stage;
	bool forward_micro;
	bool backward_micro; /* last micro-batch first */
	bool flush;          /* one mini-batch in flight, else W - s */
	bool tagged; /* forwards read the version live at stage 0 when the micro-batch entered, else the live one */
	enum backward_reads reads;
};

static const struct rules all_rules[] = {
        {.schedule = "sequential", .one_stage = true, .reads = READS_LIVE},
        {.schedule = "gpipe", .forward_micro = true, .backward_micro = true, .flush = true, .reads = READS_LIVE},
        {.schedule = "pipedream", .reads = READS_STASHED},
        {.schedule = "timeprest",
         .backward_version = "committed",
         .forward_micro = true,
         .tagged = true,
         .reads = READS_STAMP},
        {.schedule = "timeprest",
         .backward_version = "latest",
         .forward_micro = true,
         .tagged = true,
         .reads = READS_LIVE},
};

enum { NOT_YET = -1 };

/* One epoch being played. Mini-batches are counted from 0 here; a slot of NOT_YET says that it has not run. */
struct play {
	struct oracle_plan *plan;
	const struct rules *rules;
	int epoch;
	int base;       /* every stage's version when the epoch begins */
	int units;      /* backwards per mini-batch and stage */
	int *f_slot;    /* [stage][mini][micro] */
	int *f_version; /* [stage][mini][micro] */
	int *b_slot;    /* [stage][mini][unit] */
	int *b_version; /* [stage][mini][unit] */
	bool *kept;     /* [stage][version], over the whole run */
};

static int f_at(const struct play *play, int stage, int mini, int micro)
{
	return (stage * play->plan->mini_batches + mini) * play->plan->micro_batches + micro;
}

static int b_at(const struct play *play, int stage, int mini, int unit)
{
	return (stage * play->plan->mini_batches + mini) * play->units + unit;
}

static bool *kept_at(const struct play *play, int stage, int version)
{
	return &play->kept[stage * (play->plan->epochs * play->plan->mini_batches + 1) + version];
}

/* A result is usable from the slot after the one that made it. */
static bool usable(int made, int slot)
{
	return made != NOT_YET && made < slot;
}

/* A mini-batch's backward at a stage ends with unit 0, its only one or that of its first micro-batch. */
static bool backward_done(const struct play *play, int stage, int mini, int slot)
{
	return usable(play->b_slot[b_at(play, stage, mini, 0)], slot);
}

static int live(const struct play *play, int stage, int slot)
{
	int version = play->base;

	for (int i = 0; i < play->plan->mini_batches; i++)
		version += backward_done(play, stage, i, slot);
	return version;
}

/* The newest version applied at all stages, as seen in a slot. */
static int committed(const struct play *play, int slot)
{
	int version = live(play, 0, slot);

	for (int s = 1; s < play->plan->stages; s++)
		if (live(play, s, slot) < version)
			version = live(play, s, slot);
	return version;
}

static bool may_start_mini(const struct play *play, int stage, int slot)
{
	int cap = play->rules->flush ? 1 : play->plan->stages - stage;
	int in_flight = 0;

	for (int i = 0; i < play->plan->mini_batches; i++)
		in_flight +=
		        usable(play->f_slot[f_at(play, stage, i, 0)], slot) && !backward_done(play, stage, i, slot);
	return in_flight < cap;
}

static void record(struct play *play, struct oracle_op op)
{
	op.epoch = play->epoch;
	if (!*kept_at(play, op.stage, op.version)) {
		fprintf(stderr, "oracle: stage %d, slot %d: mini-batch %d reads version %d, which was freed\n",
		        op.stage, op.slot, op.mini, op.version);
		abort();
	}
	play->plan->ops[play->plan->op_count++] = op;
}

/* Runs the stage's next backward in this slot if it is ready. */
static bool run_backward(struct play *play, int stage, int slot)
{
	const int last = play->plan->stages - 1;
	int mini = 0;
	int unit = play->units - 1;
	int *ran;
	int *version;

	while (mini < play->plan->mini_batches && backward_done(play, stage, mini, slot))
		mini++;
	if (mini == play->plan->mini_batches)
		return false;
	while (play->b_slot[b_at(play, stage, mini, unit)] != NOT_YET)
		unit--;
	if (stage == last && !usable(play->f_slot[f_at(play, stage, mini, play->plan->micro_batches - 1)], slot))
		return false;
	if (stage < last && !usable(play->b_slot[b_at(play, stage + 1, mini, unit)], slot))
		return false;

	ran = &play->b_slot[b_at(play, stage, mini, unit)];
	version = &play->b_version[b_at(play, stage, mini, unit)];
	switch (play->rules->reads) {
	case READS_LIVE:
		*version = live(play, stage, slot);
		break;
	case READS_STASHED:
		*version = play->f_version[f_at(play, stage, mini, 0)];
		break;
	case READS_STAMP:
		*version = stage == last ? committed(play, slot) : play->b_version[b_at(play, stage + 1, mini, unit)];
		break;
	}
	if (stage == last && unit == play->units - 1)
		play->plan->v[play->base + mini] = play->base + mini + 1 - committed(play, slot);
	*ran = slot;
	record(play, (struct oracle_op){.slot = slot,
	                                .stage = stage,
	                                .backward = true,
	                                .mini = play->base + mini + 1,
	                                .micro = play->rules->backward_micro ? unit : -1,
	                                .version = *version,
	                                .update = unit == 0});
	return true;
}

/* Runs the stage's next forward in this slot if it is ready. */
static bool run_forward(struct play *play, int stage, int slot)
{
	int mini = 0;
	int micro = 0;
	int at;

	while (mini < play->plan->mini_batches && play->f_slot[f_at(play, stage, mini, micro)] != NOT_YET)
		if (++micro == play->plan->micro_batches) {
			micro = 0;
			mini++;
		}
	if (mini == play->plan->mini_batches)
		return false;
	if (stage > 0 && !usable(play->f_slot[f_at(play, stage - 1, mini, micro)], slot))
		return false;
	if (micro == 0 && !may_start_mini(play, stage, slot))
		return false;

	at = f_at(play, stage, mini, micro);
	if (play->rules->tagged && stage > 0)
		play->f_version[at] = play->f_version[f_at(play, stage - 1, mini, micro)];
	else
		play->f_version[at] = live(play, stage, slot);
	play->f_slot[at] = slot;
	record(play, (struct oracle_op){.slot = slot,
	                                .stage = stage,
	                                .mini = play->base + mini + 1,
	                                .micro = play->rules->forward_micro ? micro : -1,
	                                .version = play->f_version[at]});
	return true;
}

/* Must a stage that ended an operation in this slot keep the version? */
static bool needed(const struct play *play, int stage, int version, int slot)
{
	if (version == live(play, stage, slot + 1))
		return true;
	if (play->rules->tagged && version >= committed(play, slot + 1))
		return true;
	for (int i = 0; i < play->plan->mini_batches; i++) {
		for (int j = 0; play->rules->tagged && j < play->plan->micro_batches; j++)
			if (play->f_slot[f_at(play, 0, i, j)] != NOT_YET &&
			    play->f_slot[f_at(play, stage, i, j)] == NOT_YET &&
			    play->f_version[f_at(play, 0, i, j)] == version)
				return true;
		if (play->b_slot[b_at(play, stage, i, 0)] != NOT_YET)
			continue;
		if (play->rules->reads == READS_STASHED && play->f_slot[f_at(play, stage, i, 0)] != NOT_YET &&
		    play->f_version[f_at(play, stage, i, 0)] == version)
			return true;
		if (play->rules->reads == READS_STAMP &&
		    play->b_slot[b_at(play, play->plan->stages - 1, i, 0)] != NOT_YET &&
		    play->b_version[b_at(play, play->plan->stages - 1, i, 0)] == version)
			return true;
	}
	return false;
}

/* The boundary after a stage's operation: an update adds the live version, what is not needed goes. */
static void retain(struct play *play, int stage, int slot)
{
	int newest = live(play, stage, slot + 1);
	int alive = 0;

	*kept_at(play, stage, newest) = true;
	for (int k = 0; k <= newest; k++) {
		if (!needed(play, stage, k, slot))
			*kept_at(play, stage, k) = false;
		alive += *kept_at(play, stage, k);
	}
	if (alive > play->plan->alive[stage])
		play->plan->alive[stage] = alive;
}

/* A, B, .. Z, AA, AB, .. in text; returns its end. */
static char *letters(char *text, int micro, bool lower)
{
	if (micro >= 26)
		text = letters(text, micro / 26 - 1, lower);
	*text++ = (char)((lower ? 'a' : 'A') + micro % 26);
	return text;
}

static char *draw(const struct oracle_op *ops, size_t count, int stages, int slots)
{
	enum { TOKEN = 32 }; /* more than the longest token and a space */
	char *text = oracle_array((size_t)stages * (size_t)slots * TOKEN + 1, 1);
	char *end = text;

	for (int s = 0; s < stages; s++)
		for (int t = 0; t < slots; t++) {
			const struct oracle_op *op = NULL;

			for (size_t k = 0; k < count; k++)
				if (ops[k].stage == s && ops[k].slot == t)
					op = &ops[k];
			if (op == NULL) {
				*end++ = '.';
			} else {
				end += sprintf(end, "%d", op->mini);
				if (!op->backward || op->micro >= 0)
					end = letters(end, op->micro < 0 ? 0 : op->micro, op->backward);
			}
			*end++ = t + 1 < slots ? ' ' : '\n';
		}
	*end = '\0';
	return text;
}

static void play_epoch(struct play *play)
{
	struct oracle_plan *plan = play->plan;
	const int forwards = plan->stages * plan->mini_batches * plan->micro_batches;
	const int backwards = plan->stages * plan->mini_batches * play->units;
	const size_t begin = plan->op_count;
	int slot = 0;

	for (int k = 0; k < forwards; k++)
		play->f_slot[k] = NOT_YET;
	for (int k = 0; k < backwards; k++)
		play->b_slot[k] = NOT_YET;
	for (; plan->op_count < begin + (size_t)(forwards + backwards); slot++) {
		const size_t before = plan->op_count;

		for (int s = 0; s < plan->stages; s++)
			if (!run_backward(play, s, slot))
				run_forward(play, s, slot);
		if (plan->op_count == before) {
			fprintf(stderr, "oracle: nothing is ready in slot %d of epoch %d\n", slot, play->epoch);
			abort();
		}
		for (size_t k = before; k < plan->op_count; k++)
			retain(play, plan->ops[k].stage, slot);
	}
	plan->grids[play->epoch] = draw(plan->ops + begin, plan->op_count - begin, plan->stages, slot);
}

static const struct rules *find_rules(const struct oracle_pipeline *pipeline)
{
	const char *reads = pipeline->backward_version ? pipeline->backward_version : "committed";

	for (size_t k = 0; k < sizeof(all_rules) / sizeof(all_rules[0]); k++) {
		const struct rules *rules = &all_rules[k];

		if (strcmp(rules->schedule, pipeline->schedule) == 0 &&
		    (rules->backward_version == NULL || strcmp(rules->backward_version, reads) == 0))
			return rules;
	}
	return NULL;
}

struct oracle_plan *oracle_plan_new(const struct oracle_pipeline *pipeline)
{
	const struct rules *rules = find_rules(pipeline);
	struct oracle_plan *plan;
	struct play play = {.rules = rules};
	size_t forwards;
	size_t backwards;
	size_t minis;

	if (rules == NULL || pipeline->stages < 1 || pipeline->micro_batches < 1 || pipeline->mini_batches < 1 ||
	    pipeline->epochs < 1)
		return NULL;
	plan = oracle_array(1, sizeof(*plan));
	plan->stages = rules->one_stage ? 1 : pipeline->stages;
	plan->micro_batches = rules->forward_micro ? pipeline->micro_batches : 1;
	plan->mini_batches = pipeline->mini_batches;
	plan->epochs = pipeline->epochs;
	play.plan = plan;
	play.units = rules->backward_micro ? plan->micro_batches : 1;

	minis = (size_t)plan->epochs * (size_t)plan->mini_batches;
	forwards = (size_t)plan->stages * (size_t)plan->mini_batches * (size_t)plan->micro_batches;
	backwards = (size_t)plan->stages * (size_t)plan->mini_batches * (size_t)play.units;
	plan->ops = oracle_array((size_t)plan->epochs * (forwards + backwards), sizeof(*plan->ops));
	plan->grids = oracle_array((size_t)plan->epochs, sizeof(*plan->grids));
	plan->v = oracle_array(minis, sizeof(*plan->v));
	plan->alive = oracle_array((size_t)plan->stages, sizeof(*plan->alive));
	play.f_slot = oracle_array(forwards, sizeof(*play.f_slot));
	play.f_version = oracle_array(forwards, sizeof(*play.f_version));
	play.b_slot = oracle_array(backwards, sizeof(*play.b_slot));
	play.b_version = oracle_array(backwards, sizeof(*play.b_version));
	play.kept = oracle_array((size_t)plan->stages * (minis + 1), sizeof(*play.kept));
	for (int s = 0; s < plan->stages; s++)
		*kept_at(&play, s, 0) = true;

	for (int e = 0; e < plan->epochs; e++) {
		play.epoch = e;
		play.base = e * plan->mini_batches;
		play_epoch(&play);
	}
	free(play.f_slot);
	free(play.f_version);
	free(play.b_slot);
	free(play.b_version);
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
	free(plan->alive);
	free(plan);
}
