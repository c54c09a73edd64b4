/* tpbench claims: which of the paper's claims the runs of a database bear out. */
#include "cli/claims.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "engine/base/colour.h"
#include "engine/schedule/policy.h"
#include "engine/schedule/simulator.h"

/* Both sides of W = N + 1, and past the first pair at which Eq. 3 is not exact, (6, 2). */
enum { STAGES_MIN = 2, STAGES_MAX = 16, MICROS_MAX = 8, PLANS = (STAGES_MAX - STAGES_MIN + 1) * MICROS_MAX };

static enum tp_status simulate_plan(struct tp_claim_plan *plan)
{
	struct tp_sim_summary summary;
	const struct tp_pipeline pipeline = {.policy = &tp_policy_timeprest,
	                                     .stages = plan->stages,
	                                     .micro_batches = plan->micro_batches,
	                                     .minis = 3 * (int64_t)plan->stages + 8}; /* long full, as in `theory` */
	TP_TRY(tp_simulate(&pipeline, NULL, NULL, NULL, &summary));
	plan->version_difference_max = summary.version_difference_max;
	plan->version_chains = summary.version_chains;
	tp_sim_summary_release(&summary);
	return TP_OK;
}

static enum tp_status add_plans(struct tp_claims *claims)
{
	struct tp_claim_plan plans[PLANS];
	int32_t count = 0;
	for (int32_t w = STAGES_MIN; w <= STAGES_MAX; w++) {
		for (int32_t n = 1; n <= MICROS_MAX; n++) {
			plans[count] = (struct tp_claim_plan){.stages = w, .micro_batches = n};
			TP_TRY(simulate_plan(&plans[count++]));
		}
	}
	return tp_claims_add_plans(claims, plans, count);
}

enum tp_status tp_claims_read_with_plans(struct tp_store *store, const struct tp_groups *groups,
                                         struct tp_claims *claims)
{
	TP_TRY(tp_claims_read(store, groups, claims));
	enum tp_status status = add_plans(claims);
	if (status != TP_OK)
		tp_claims_release(claims);
	return status;
}

static enum tp_status write_claims(const struct tp_claims *claims, enum tp_claims_format format)
{
	struct tp_text text = {0};
	enum tp_status status = TP_OK;
	switch (format) {
	case TP_CLAIMS_TEXT:
		tp_claims_write_text(claims, tp_colour_wanted(STDOUT_FILENO), &text);
		break;
	case TP_CLAIMS_MARKDOWN:
		tp_claims_write_markdown(claims, &text);
		break;
	case TP_CLAIMS_JSON:
		status = tp_claims_write_json(claims, &text);
		break;
	}
	if (status == TP_OK && text.failed)
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		(void)fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status;
}

static enum tp_status judge(struct tp_store *store, enum tp_claims_format format)
{
	struct tp_groups groups;
	struct tp_claims claims = {0};
	TP_TRY(tp_groups_read(store, NULL, &groups));
	enum tp_status status = tp_claims_read_with_plans(store, &groups, &claims);
	if (status == TP_OK)
		status = write_claims(&claims, format);
	tp_claims_release(&claims);
	tp_groups_release(&groups);
	return status;
}

enum tp_status tp_command_claims(const struct tp_arguments *arguments)
{
	struct tp_store *store;
	TP_TRY(tp_store_open_readonly(arguments->options.db, &store));
	enum tp_status status = judge(store, arguments->options.claims_format);
	tp_store_close(store);
	return status;
}
