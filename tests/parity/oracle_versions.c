#include "tests/parity/oracle_play.h"

#include <stdio.h>
#include <stdlib.h>

static bool *kept_at(const struct oracle_play *play, int stage, int version)
{
	return &play->kept[stage * (play->plan->epochs * play->plan->mini_batches + 1) + version];
}

bool oracle_mini_done(const struct oracle_play *play, int stage, int mini, int slot)
{
	const int *ran = play->rules->split ? play->w_slot : play->b_slot;

	return oracle_usable(ran[oracle_b_at(play, stage, mini, play->units - 1)], slot);
}

int oracle_live(const struct oracle_play *play, int stage, int slot)
{
	int version = play->base;

	for (int i = 0; i < play->plan->mini_batches; i++)
		version += oracle_mini_done(play, stage, i, slot);
	return version;
}

int oracle_committed(const struct oracle_play *play, int slot)
{
	int version = oracle_live(play, 0, slot);

	for (int s = 1; s < play->plan->stages; s++)
		if (oracle_live(play, s, slot) < version)
			version = oracle_live(play, s, slot);
	return version;
}

/* pipedream-2bw: mini-batch t = base + mini + 1 reads version t - 2, if there was one. */
static int delayed(const struct oracle_play *play, int mini)
{
	const int version = play->base + mini + 1 - 2;

	return version > 0 ? version : 0;
}

int oracle_forward_reads(const struct oracle_play *play, int stage, int mini, int micro, int slot)
{
	if (play->rules->reads == ORACLE_DELAYED)
		return delayed(play, mini);
	if (play->rules->tagged && stage > 0)
		return play->f_version[oracle_f_at(play, 0, mini, micro)];
	return oracle_live(play, stage, slot);
}

int oracle_backward_reads(const struct oracle_play *play, int stage, int mini, int unit, int slot)
{
	const int last = play->plan->stages - 1;

	switch (play->rules->reads) {
	case ORACLE_LIVE:
		break;
	case ORACLE_STASHED: /* versions do not fall with the micro-batches */
		return play->f_version[oracle_f_at(play, stage, mini, play->plan->micro_batches - 1)];
	case ORACLE_STAMP:
	case ORACLE_BETWEEN:
		return stage == last ? oracle_committed(play, slot)
		                     : play->b_version[oracle_b_at(play, last, mini, unit)];
	case ORACLE_DELAYED:
		return delayed(play, mini);
	}
	return oracle_live(play, stage, slot);
}

void oracle_join_lineage(const struct oracle_play *play, int mini)
{
	struct oracle_plan *plan = play->plan;
	int *lineage = plan->lineage + play->base; /* [mini] */
	const int *stamp = play->b_version + oracle_b_at(play, plan->stages - 1, 0, 0);
	int of_stamp;
	int newest = 0;
	bool extended = false;

	lineage[mini] = 1;
	if (!plan->independent)
		return;
	of_stamp = stamp[mini] > play->base ? lineage[stamp[mini] - play->base - 1] : 1;
	for (int i = 0; i < mini; i++) {
		newest = lineage[i] > newest ? lineage[i] : newest;
		extended = extended || stamp[i] == stamp[mini];
	}
	lineage[mini] = extended ? newest + 1 : of_stamp;
	plan->forked_from[play->base + mini] = extended ? of_stamp : 0;
}

int oracle_count_chains(const struct oracle_play *play)
{
	const struct oracle_plan *plan = play->plan;
	int roots = 0;
	int lineages = 0;

	for (int i = 0; i < plan->mini_batches; i++) {
		bool root = true;

		for (int s = 0; s < plan->stages; s++)
			for (int u = 0; u < play->units; u++)
				if (play->b_version[oracle_b_at(play, s, i, u)] > play->base)
					root = false;
		roots += root;
		if (plan->lineage[play->base + i] > lineages)
			lineages = plan->lineage[play->base + i];
	}
	return plan->independent ? lineages : roots;
}

void oracle_check_kept(const struct oracle_play *play, const struct oracle_op *op)
{
	bool kept = *kept_at(play, op->stage, op->version);

	for (int j = 0; op->tags != NULL && j < play->plan->micro_batches; j++)
		kept = kept && *kept_at(play, op->stage, op->tags[j]);
	if (!kept) {
		fprintf(stderr,
		        "oracle: stage %d, slot %d: mini-batch %d reads version %d, or a tag's, which is freed\n",
		        op->stage, op->slot, op->mini, op->version);
		abort();
	}
}

/* Will an operation of the mini-batch at the stage read the version, that has been promised to it? */
static bool will_read(const struct oracle_play *play, int stage, int mini, int version)
{
	const struct oracle_rules *rules = play->rules;
	const int at_last = oracle_b_at(play, play->plan->stages - 1, mini, 0);

	for (int j = 0; j < play->plan->micro_batches; j++) {
		const int here = oracle_f_at(play, stage, mini, j);
		const int entry = oracle_f_at(play, 0, mini, j);

		/* A forward that has entered and not run here, and a backward that reads what its forward has read. */
		if (rules->tagged && play->f_slot[entry] != ORACLE_NOT_YET && play->f_slot[here] == ORACLE_NOT_YET &&
		    play->f_version[entry] == version)
			return true;
		if ((rules->reads == ORACLE_STASHED || rules->reads == ORACLE_BETWEEN) &&
		    play->b_slot[oracle_b_at(play, stage, mini, 0)] == ORACLE_NOT_YET &&
		    play->f_slot[here] != ORACLE_NOT_YET && play->f_version[here] == version)
			return true;
	}
	return (rules->reads == ORACLE_STAMP || rules->reads == ORACLE_BETWEEN) &&
	       play->b_slot[oracle_b_at(play, stage, mini, 0)] == ORACLE_NOT_YET &&
	       play->b_slot[at_last] != ORACLE_NOT_YET && play->b_version[at_last] == version;
}

/* The newest version of lineage 1 up to the stage's live one. */
static int first_head(const struct oracle_play *play, int live)
{
	while (live > play->base && play->plan->lineage[live - 1] != 1)
		live--;
	return live;
}

/* Must a stage that ended an operation in this slot keep the version? */
static bool needed(const struct oracle_play *play, int stage, int version, int slot)
{
	const int live = oracle_live(play, stage, slot + 1);

	if (version == live)
		return true;
	/* Until the last backward of mini-batch version + 2, that is until version + 2 is live. */
	if (play->rules->reads == ORACLE_DELAYED && live < version + 2)
		return true;
	if (play->rules->tagged && version >= oracle_committed(play, slot + 1))
		return true;
	if (play->plan->independent && version == first_head(play, live))
		return true;
	for (int i = 0; i < play->plan->mini_batches; i++)
		if (will_read(play, stage, i, version))
			return true;
	return false;
}

void oracle_retain(struct oracle_play *play, int stage, int slot)
{
	int newest = oracle_live(play, stage, slot + 1);
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
