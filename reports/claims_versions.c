/* The claims on versions: zero staleness, v, and chains of updates, as runs recorded them and as slot plans have them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/simulator.h"
#include "reports/claims_internal.h"

/* --- claims
 * ------------------------------------------------------------------------------------------------------------ */

/* What a run has, what is claimed of it (NAN: above 1), and whether that is so. */
struct count {
	double found, claimed;
	bool agrees;
};

/* Zero staleness where v = 1. */
static bool count_staleness(const struct tp_claim_group *group, const struct tp_claim_run *run, struct count *count)
{
	(void)group;
	*count = (struct count){run->staleness_max, 0, run->staleness_max == 0};
	return !isnan(run->staleness_max);
}

static bool one_version(int64_t stages, int64_t micro_batches)
{
	return stages <= micro_batches + 1;
}

/* An epoch that is too short for the pipeline to fill says nothing of the largest v. */
static bool fills(const struct tp_claim_group *group, const struct tp_claim_run *run)
{
	return run->mini_batches_min >= 2 * (int64_t)group->group->stages && !isnan(run->version_difference_max);
}

static bool count_one(const struct tp_claim_group *group, const struct tp_claim_run *run, struct count *count)
{
	bool one = one_version(group->group->stages, group->group->micro_batches);
	*count = (struct count){run->version_difference_max, one ? 1 : (double)NAN,
	                        (run->version_difference_max == 1) == one};
	return fills(group, run);
}

static bool count_paper(const struct tp_claim_group *group, const struct tp_claim_run *run, struct count *count)
{
	if (group->group->micro_batches < 2)
		return false;
	double claimed = (double)tp_version_difference_paper(group->group->stages, group->group->micro_batches);
	*count = (struct count){run->version_difference_max, claimed, run->version_difference_max == claimed};
	return fills(group, run);
}

static bool count_chains(const struct tp_claim_group *group, const struct tp_claim_run *run, struct count *count)
{
	*count = (struct count){run->version_chains_max, run->version_difference_max, run->chain_misses == 0};
	return fills(group, run);
}

/* What a plan has, and whether it agrees; false: the claim says nothing of it. */
static bool plan_one(const struct tp_claim_plan *plan, bool *agrees)
{
	*agrees = (plan->version_difference_max == 1) == one_version(plan->stages, plan->micro_batches);
	return true;
}

static bool plan_paper(const struct tp_claim_plan *plan, bool *agrees)
{
	*agrees = plan->version_difference_max == tp_version_difference_paper(plan->stages, plan->micro_batches);
	return plan->micro_batches >= 2;
}

static bool plan_chains(const struct tp_claim_plan *plan, bool *agrees)
{
	*agrees = plan->version_chains == plan->version_difference_max;
	return true;
}

static const struct version_claim {
	const char *id, *what;
	bool (*count)(const struct tp_claim_group *, const struct tp_claim_run *,
	              struct count *);                            /* false: nothing to say */
	bool (*plan)(const struct tp_claim_plan *, bool *agrees); /* NULL: plans do not tell */
	const char *missing;
} version_claims[] = {
        {"C08", "staleness at U, most", count_staleness, NULL, "v was above 1, or no operations were recorded"},
        {"C09", "v, most", count_one, plan_one, "not recorded, or an epoch of less than 2 W mini-batches"},
        {"C10", "v, most", count_paper, plan_paper, "N = 1, not recorded, or an epoch of less than 2 W mini-batches"},
        {"C11", "chains, most", count_chains, plan_chains, "not recorded, or an epoch of less than 2 W mini-batches"},
};
enum { VERSION_CLAIMS = sizeof version_claims / sizeof *version_claims };

static const struct version_claim *find(const char *id)
{
	for (size_t i = 0; i < VERSION_CLAIMS; i++) {
		if (strcmp(version_claims[i].id, id) == 0)
			return &version_claims[i];
	}
	return NULL;
}

bool tp_claim_of_versions(const char *id)
{
	return find(id) != NULL;
}

/* --- runs
 * -------------------------------------------------------------------------------------------------------------- */

/* Under the virtual clock and in static order versions are the same in every run; else one run that agrees shows only
 * that it can be so, while one that does not is a counter-example. */
static bool versions_repeat(const struct tp_group *group)
{
	return tp_claim_modelled(group) || strcmp(group->order, "static") == 0;
}

void tp_claim_judge_versions(const char *id, const struct tp_claim_group *group, struct tp_claim_finding *finding)
{
	const struct version_claim *claim = find(id);
	struct tp_claim_measure *measure = &finding->measures[finding->measure_count++];
	*measure = (struct tp_claim_measure){.kind = TP_MEASURE_COUNT, .subject = (double)NAN, .other = (double)NAN};
	int32_t counted = 0, disagree = 0;
	for (int32_t r = 0; r < group->group->run_count; r++) {
		struct count count;
		if (!claim->count(group, &group->runs[r], &count))
			continue;
		counted++;
		disagree += !count.agrees;
		if (isnan(measure->subject) || count.found > measure->subject) {
			measure->subject = count.found;
			measure->other = count.claimed;
		}
	}
	(void)snprintf(measure->what, sizeof measure->what, "%s", claim->what);
	if (counted == 0)
		(void)snprintf(measure->note, sizeof measure->note, "%s", claim->missing);
	else if (disagree > 0)
		(void)snprintf(measure->note, sizeof measure->note, "%d of %d runs disagree", (int)disagree,
		               (int)counted);
	else if (counted < TP_CLAIM_SAMPLES_MIN && !versions_repeat(group->group))
		(void)snprintf(measure->note, sizeof measure->note,
		               "undecided: runs needed in dynamic order: %d, found %d", TP_CLAIM_SAMPLES_MIN,
		               (int)counted);
	else
		measure->verdict = TP_HOLDS;
	if (disagree > 0)
		measure->verdict = TP_FAILS;
}

/* --- plans
 * ------------------------------------------------------------------------------------------------------------- */

static void judge_plans(const struct version_claim *claim, const struct tp_claim_plan *plans, int32_t count,
                        struct tp_claim_measure *measure)
{
	int64_t agree = 0, all = 0;
	for (int32_t i = 0; i < count; i++) {
		bool agrees;
		if (!claim->plan(&plans[i], &agrees))
			continue;
		all++;
		agree += agrees;
		if (!agrees && !measure->note[0])
			(void)snprintf(measure->note, sizeof measure->note,
			               "first that does not: W = %" PRId32 ", N = %" PRId32 ", v = %" PRId64
			               ", chains %" PRId64,
			               plans[i].stages, plans[i].micro_batches, plans[i].version_difference_max,
			               plans[i].version_chains);
	}
	measure->subject = (double)agree;
	measure->other = (double)all;
	measure->verdict = all == 0 ? TP_NOT_TESTED : agree == all ? TP_HOLDS : TP_FAILS;
}

static char *plan_conditions(const struct tp_claim_plan *plans, int32_t count)
{
	struct tp_text text = {0};
	struct tp_claim_plan least = plans[0], most = plans[0];
	for (int32_t i = 1; i < count; i++) {
		least.stages = plans[i].stages < least.stages ? plans[i].stages : least.stages;
		most.stages = plans[i].stages > most.stages ? plans[i].stages : most.stages;
		least.micro_batches =
		        plans[i].micro_batches < least.micro_batches ? plans[i].micro_batches : least.micro_batches;
		most.micro_batches =
		        plans[i].micro_batches > most.micro_batches ? plans[i].micro_batches : most.micro_batches;
	}
	tp_text_add(&text, "slot plans of timeprest, W %d to %d, N %d to %d, simulated", (int)least.stages,
	            (int)most.stages, (int)least.micro_batches, (int)most.micro_batches);
	char *kept = text.failed ? NULL : tp_claims_keep(tp_text_get(&text));
	tp_text_release(&text);
	return kept;
}

enum tp_status tp_claims_add_plans(struct tp_claims *claims, const struct tp_claim_plan *plans, int32_t count)
{
	for (int32_t c = 0; c < claims->count && count > 0; c++) {
		struct tp_claim *claim = &claims->claims[c];
		const struct version_claim *versions = find(claim->id);
		if (!versions || !versions->plan)
			continue;
		struct tp_claim_finding *finding = tp_claim_add_finding(claim, 1);
		if (!finding)
			return TP_ERR_NOMEM;
		finding->conditions = plan_conditions(plans, count);
		if (!finding->conditions)
			return TP_ERR_NOMEM;
		struct tp_claim_measure *measure = &finding->measures[finding->measure_count++];
		*measure = (struct tp_claim_measure){.kind = TP_MEASURE_COUNT};
		(void)snprintf(measure->what, sizeof measure->what, "pairs (W, N) as claimed");
		judge_plans(versions, plans, count, measure);
		tp_claim_conclude_finding(finding);
		tp_claim_conclude(claim);
	}
	return TP_OK;
}
