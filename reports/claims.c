/* Which groups of runs a claim sets side by side, and what their comparisons come to. */
#include "reports/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/claims_internal.h"

/* --- what each claim sets side by side
 * ---------------------------------------------------------------------------------- */

enum { MOST_COMPARISONS = 4 };

/* A side: a group with these values, alike the first side but for what a comparison may differ in. */
struct side {
	const char *schedule;
	const char *cluster;   /* NULL: any */
	int32_t micro_batches; /* 0: any */
	int32_t batch_times;   /* the first side's batch divided by this side's; 0: any */
};

struct rule {
	const char *id;
	const char *differ; /* settings in which the sides may differ */
	const char *label;  /* what tells them apart: a setting */
	int32_t side_count;
	struct side sides[TP_CLAIM_SIDES];
	struct tp_claim_comparison comparisons[MOST_COMPARISONS];
	int32_t comparison_count;
};

#define PAIR(claim, subject, other, quantity, direction)                                                     \
	{                                                                                                    \
		.id = (claim), .differ = "schedule", .label = "schedule", .side_count = 2,                   \
		.sides = {{.schedule = (subject)}, {.schedule = (other)}},                                   \
		.comparisons = {{TP_QUANTITY_##quantity, TP_CLAIM_##direction, 0, 1}}, .comparison_count = 1 \
	}

static const struct rule rules[] = {
        PAIR("C01", "timeprest", "pipedream", EPOCH_TIME, LESS),
        PAIR("C02", "timeprest", "pipedream", PEAK, LESS),
        PAIR("C03", "timeprest", "pipedream", STAGE_PEAKS, LESS),
        PAIR("C04", "1f1b", "timeprest", PEAK, LESS),
        PAIR("C05", "timeprest", "pipedream", TOP1_AT_TIME, MORE),
        PAIR("C06", "timeprest", "pipedream", TARGET_TIME, LESS),
        PAIR("C07", "timeprest", "pipedream", TARGET_EPOCHS, MORE),
        PAIR("C12", "timeprest", "gpipe", SENT_BYTES, NEAR),
        PAIR("C13", "timeprest", "pipedream", ALPHA, MORE),
        PAIR("C14", "timeprest-stash", "timeprest", TOP1_AT_EPOCH, MORE),
        PAIR("C15", "timeprest-stash", "timeprest", PEAK, MORE),
        PAIR("C16", "timeprest-1f1b", "timeprest", EPOCH_TIME, MORE),
        {.id = "C17",
         .differ = "cluster,stages",
         .label = "cluster",
         .side_count = 3,
         .sides = {{"timeprest", "paper-a", 0, 0}, {"timeprest", "paper-b", 0, 0}, {"timeprest", "paper-c", 0, 0}},
         .comparisons = {{TP_QUANTITY_EPOCH_TIME, TP_CLAIM_LESS, 1, 0}, {TP_QUANTITY_EPOCH_TIME, TP_CLAIM_LESS, 2, 1}},
         .comparison_count = 2},
        {.id = "C18",
         .differ = "cluster,stages",
         .label = "cluster",
         .side_count = 2,
         .sides = {{"pipedream", "paper-b", 0, 0}, {"pipedream", "paper-c", 0, 0}},
         .comparisons = {{TP_QUANTITY_EPOCH_TIME, TP_CLAIM_NOT_LESS, 1, 0}},
         .comparison_count = 1},
        {.id = "C19",
         .differ = "micro-batches",
         .label = "micro-batches",
         .side_count = 2,
         .sides = {{"timeprest", "paper-c", 3, 1}, {"timeprest", "paper-c", 2, 1}},
         .comparisons = {{TP_QUANTITY_EPOCH_TIME, TP_CLAIM_LESS, 0, 1},
                         {TP_QUANTITY_TOP1_AT_EPOCH, TP_CLAIM_MORE, 0, 1}},
         .comparison_count = 2},
        {.id = "C20",
         .differ = "micro-batches,batch",
         .label = "micro-batches,batch",
         .side_count = 3,
         .sides = {{"timeprest", "paper-c", 2, 1}, {"timeprest", "paper-c", 2, 2}, {"timeprest", "paper-c", 3, 2}},
         .comparisons = {{TP_QUANTITY_EPOCH_TIME, TP_CLAIM_MORE, 0, 1},
                         {TP_QUANTITY_EPOCH_TIME, TP_CLAIM_MORE, 0, 2},
                         {TP_QUANTITY_TOP1_AT_EPOCH, TP_CLAIM_LESS, 0, 1},
                         {TP_QUANTITY_TOP1_AT_EPOCH, TP_CLAIM_LESS, 0, 2}},
         .comparison_count = 4},
        PAIR("C21", "timeprest", "gpipe", BACKWARD, LESS),
};

static const struct rule *find_rule(const char *id)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (strcmp(rules[i].id, id) == 0)
			return &rules[i];
	}
	return NULL;
}

static bool fits(const struct side *side, const struct tp_group *group)
{
	return group->run_count > 0 && strcmp(side->schedule, group->schedule) == 0 &&
	       (!side->cluster || strcmp(side->cluster, group->cluster) == 0) &&
	       (side->micro_batches == 0 || side->micro_batches == group->micro_batches);
}

/* The groups of all sides, beginning with `first`; false when one is missing. */
static bool find_sides(const struct rule *rule, const struct tp_claim_groups *groups,
                       const struct tp_claim_group *first, const struct tp_claim_group **sides)
{
	if (!fits(&rule->sides[0], first->group))
		return false;
	sides[0] = first;
	for (int32_t s = 1; s < rule->side_count; s++) {
		const struct side *side = &rule->sides[s];
		sides[s] = NULL;
		for (int32_t g = 0; g < groups->count && !sides[s]; g++) {
			const struct tp_group *group = groups->groups[g].group;
			if (fits(side, group) && tp_groups_alike_but(first->group, group, rule->differ) &&
			    (side->batch_times == 0 ||
			     first->group->batch_samples == side->batch_times * group->batch_samples))
				sides[s] = &groups->groups[g];
		}
		if (!sides[s])
			return false;
	}
	return true;
}

/* --- findings
 * ------------------------------------------------------------------------------------------------------------ */

struct tp_claim_finding *tp_claim_add_finding(struct tp_claim *claim, int32_t measures)
{
	struct tp_claim_finding *more = tp_alloc_array((size_t)claim->finding_count + 1, sizeof *more);
	if (!more)
		return NULL;
	if (claim->finding_count > 0)
		memcpy(more, claim->findings, (size_t)claim->finding_count * sizeof *more);
	tp_free(claim->findings);
	claim->findings = more;
	struct tp_claim_finding *finding = &more[claim->finding_count++];
	finding->measures = tp_alloc_array((size_t)measures, sizeof *finding->measures);
	return finding->measures ? finding : NULL;
}

void tp_claim_conclude_finding(struct tp_claim_finding *finding)
{
	int32_t holds = 0;
	finding->verdict = TP_NOT_TESTED;
	for (int32_t m = 0; m < finding->measure_count; m++) {
		holds += finding->measures[m].verdict == TP_HOLDS;
		if (finding->measures[m].verdict == TP_FAILS)
			finding->verdict = TP_FAILS;
	}
	if (holds > 0 && holds == finding->measure_count)
		finding->verdict = TP_HOLDS;
}

void tp_claim_conclude(struct tp_claim *claim)
{
	bool holds = false, fails = false;
	for (int32_t f = 0; f < claim->finding_count; f++) {
		holds = holds || claim->findings[f].verdict == TP_HOLDS;
		fails = fails || claim->findings[f].verdict == TP_FAILS;
	}
	claim->verdict = holds && fails ? TP_MIXED : holds ? TP_HOLDS : fails ? TP_FAILS : TP_NOT_TESTED;
}

const char *tp_verdict_text(enum tp_verdict verdict)
{
	static const char *const texts[] = {"not tested", "holds", "fails", "mixed"};
	return texts[verdict];
}

/* Further settings, where they are not what they are mostly. */
static void add_unusual(const struct tp_group *group, struct tp_text *text)
{
	static const struct {
		const char *name, *usual;
	} settings[] = {{"hidden", "256"},          {"lr", "0.01"},         {"momentum", "0.9"},
	                {"weight-decay", "0.0005"}, {"augment", "off"},     {"shuffle", "on"},
	                {"partition", "auto"},      {"backward", "stored"}, {"backward-version", "default"},
	                {"sequence", "merged"},     {"max-staleness", "0"}, {"in-flight", "0"},
	                {"synthetic-train", "0"},   {"mini-batches", "0"},  {"load-weights", ""}};
	char value[128];
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		if (tp_group_setting(group, settings[i].name, value, sizeof value) &&
		    strcmp(value, settings[i].usual) != 0)
			tp_text_add(text, ", %s %s", settings[i].name, value);
	}
}

/* What all sides have in common. */
static char *conditions_of(const struct tp_claim_group *const *sides, const char *differ)
{
	const struct tp_group *group = sides[0]->group;
	struct tp_text text = {0};
	bool clusters = strstr(differ, "cluster") != NULL;
	tp_text_add(&text, "%s on %s", group->model, group->dataset);
	if (!clusters)
		tp_text_add(&text, ", W %" PRId32, group->stages);
	char micro_batches[16] = ""; /* as given, since a schedule may ignore it */
	(void)tp_group_setting(group, "micro-batches", micro_batches, sizeof micro_batches);
	if (!strstr(differ, "micro-batches") && micro_batches[0])
		tp_text_add(&text, ", N %s", micro_batches);
	if (!strstr(differ, "batch") || strcmp(differ, "micro-batches") == 0)
		tp_text_add(&text, ", batch %" PRId32, group->batch_samples);
	tp_text_add(&text, ", epochs %" PRId32 ", device %s, order %s, time %s", group->runs[0].epochs, group->device,
	            group->order, tp_claim_modelled(group) ? "modelled" : "measured");
	if (group->costs[0])
		tp_text_add(&text, " by costs %s", group->costs);
	if (group->cluster[0] && !clusters)
		tp_text_add(&text, ", cluster %s", group->cluster);
	if (group->link[0])
		tp_text_add(&text, ", link %s", group->link);
	else if (!group->cluster[0])
		tp_text_add(&text, ", no link");
	add_unusual(group, &text);
	char *kept = text.failed ? NULL : tp_claims_keep(tp_text_get(&text));
	tp_text_release(&text);
	return kept;
}

static enum tp_status add_side(const struct tp_claim_group *group, const char *label, struct tp_claim_finding *finding)
{
	struct tp_claim_side *side = &finding->sides[finding->side_count++];
	if (strcmp(label, "micro-batches") == 0)
		(void)snprintf(side->label, sizeof side->label, "N %" PRId32, group->group->micro_batches);
	else if (strcmp(label, "micro-batches,batch") == 0)
		(void)snprintf(side->label, sizeof side->label, "N %" PRId32 " batch %" PRId32,
		               group->group->micro_batches, group->group->batch_samples);
	else if (strcmp(label, "cluster") == 0)
		(void)snprintf(side->label, sizeof side->label, "%s", group->group->cluster);
	else
		(void)snprintf(side->label, sizeof side->label, "%s", group->group->schedule);
	side->run_ids = tp_alloc_array((size_t)group->group->run_count, sizeof *side->run_ids);
	if (!side->run_ids)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < group->group->run_count; r++)
		side->run_ids[side->run_count++] = group->runs[r].run_id;
	return TP_OK;
}

/* --- judging
 * ------------------------------------------------------------------------------------------------------------- */

static enum tp_status judge_sides(const struct rule *rule, const struct tp_claim_group *const *sides,
                                  struct tp_claim *claim)
{
	struct tp_claim_finding *finding =
	        tp_claim_add_finding(claim, rule->comparison_count * sides[0]->group->stages);
	if (!finding)
		return TP_ERR_NOMEM;
	finding->conditions = conditions_of(sides, rule->differ);
	if (!finding->conditions)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < rule->side_count; s++)
		TP_TRY(add_side(sides[s], rule->label, finding));
	for (int32_t c = 0; c < rule->comparison_count; c++)
		TP_TRY(tp_claim_judge(sides, &rule->comparisons[c], finding));
	tp_claim_conclude_finding(finding);
	return TP_OK;
}

/* In-flight limits and staleness bounds of their own are no part of what is claimed. */
static bool as_in_the_paper(const struct tp_group *group)
{
	static const char *const axes[] = {"max-staleness", "in-flight"};
	char value[32];
	for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
		if (tp_group_setting(group, axes[i], value, sizeof value) && strcmp(value, "0") != 0)
			return false;
	}
	return group->run_count > 0 && strcmp(group->schedule, "timeprest") == 0;
}

static enum tp_status judge_versions(const struct tp_claim_group *group, struct tp_claim *claim)
{
	struct tp_claim_finding *finding = tp_claim_add_finding(claim, 1);
	if (!finding)
		return TP_ERR_NOMEM;
	finding->conditions = conditions_of(&group, "");
	if (!finding->conditions)
		return TP_ERR_NOMEM;
	TP_TRY(add_side(group, "schedule", finding));
	tp_claim_judge_versions(claim->id, group, finding);
	tp_claim_conclude_finding(finding);
	return TP_OK;
}

static enum tp_status judge_claim(const struct tp_claim_groups *groups, struct tp_claim *claim)
{
	const struct rule *rule = find_rule(claim->id);
	for (int32_t g = 0; g < groups->count; g++) {
		const struct tp_claim_group *sides[TP_CLAIM_SIDES];
		if (rule && find_sides(rule, groups, &groups->groups[g], sides))
			TP_TRY(judge_sides(rule, sides, claim));
		if (tp_claim_of_versions(claim->id) && as_in_the_paper(groups->groups[g].group))
			TP_TRY(judge_versions(&groups->groups[g], claim));
	}
	tp_claim_conclude(claim);
	return TP_OK;
}

static enum tp_status judge_all(struct tp_store *store, const struct tp_groups *groups, struct tp_claims *claims)
{
	struct tp_claim_groups read;
	TP_TRY(tp_claims_load(claims));
	TP_TRY(tp_claim_groups_read(store, groups, &read));
	enum tp_status status = TP_OK;
	for (int32_t c = 0; c < claims->count && status == TP_OK; c++)
		status = judge_claim(&read, &claims->claims[c]);
	tp_claim_groups_release(&read);
	return status;
}

enum tp_status tp_claims_read(struct tp_store *store, const struct tp_groups *groups, struct tp_claims *claims)
{
	*claims = (struct tp_claims){.stand_in_runs = tp_groups_stand_ins(groups)};
	enum tp_status status = judge_all(store, groups, claims);
	if (status != TP_OK)
		tp_claims_release(claims);
	return status;
}

static void release_finding(struct tp_claim_finding *finding)
{
	for (int32_t s = 0; s < finding->side_count; s++)
		tp_free(finding->sides[s].run_ids);
	tp_free(finding->conditions);
	tp_free(finding->measures);
}

void tp_claims_release(struct tp_claims *claims)
{
	for (int32_t c = 0; c < claims->count; c++) {
		for (int32_t f = 0; f < claims->claims[c].finding_count; f++)
			release_finding(&claims->claims[c].findings[f]);
		tp_free(claims->claims[c].findings);
	}
	for (int32_t r = 0; r < claims->reading_count; r++) {
		tp_free(claims->readings[r].text);
		tp_free(claims->readings[r].claims);
	}
	for (int32_t t = 0; t < claims->text_count; t++)
		tp_free(claims->texts[t]);
	tp_free(claims->claims);
	tp_free(claims->readings);
	tp_free(claims->texts);
	*claims = (struct tp_claims){0};
}
