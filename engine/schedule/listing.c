#include "engine/schedule/listing.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/grid.h"
#include "engine/schedule/simulator.h"

enum { FIRST_CAPACITY = 16 };

const char *tp_listed_kind_text(enum tp_listed_kind kind)
{
	static const char *const texts[TP_LISTED_KINDS] = {"F",      "B",      "BX",     "BW",  "SEND_F",
	                                                   "RECV_F", "SEND_B", "RECV_B", "idle"};
	return texts[kind];
}

enum tp_status tp_listing_init(struct tp_listing *listing, int32_t ranks)
{
	*listing = (struct tp_listing){.ranks = ranks};
	listing->lists = tp_alloc_array((size_t)ranks, sizeof *listing->lists);
	return listing->lists ? TP_OK : TP_ERR_NOMEM;
}

void tp_listing_release(struct tp_listing *listing)
{
	for (int32_t r = 0; listing->lists && r < listing->ranks; r++)
		tp_free(listing->lists[r].ops);
	tp_free(listing->lists);
	tp_free(listing->versions_at_end);
	*listing = (struct tp_listing){0};
}

static enum tp_status reserve(struct tp_listed_rank *list, int64_t capacity)
{
	struct tp_listed *ops = tp_alloc_array((size_t)capacity, sizeof *ops);
	if (!ops)
		return TP_ERR_NOMEM;
	if (list->count > 0)
		memcpy(ops, list->ops, (size_t)list->count * sizeof *ops);
	tp_free(list->ops);
	list->ops = ops;
	list->capacity = capacity;
	return TP_OK;
}

enum tp_status tp_listing_add(struct tp_listing *listing, int32_t rank, const struct tp_listed *op)
{
	struct tp_listed_rank *list = &listing->lists[rank];
	if (list->count == list->capacity)
		TP_TRY(reserve(list, list->capacity > 0 ? 2 * list->capacity : FIRST_CAPACITY));
	list->ops[list->count++] = *op;
	return TP_OK;
}

/* --- from a pipeline ---------------------------------------------------------------------------------------------- */

static enum tp_listed_kind listed_kind(enum tp_op_kind kind)
{
	switch (kind) {
	case TP_OP_F:
		return TP_LISTED_F;
	case TP_OP_BX:
		return TP_LISTED_BX;
	case TP_OP_BW:
		return TP_LISTED_BW;
	default:
		return TP_LISTED_B;
	}
}

static enum tp_status list_op(void *context, const struct tp_sim_op *op)
{
	const struct tp_listed listed = {
	        .kind = listed_kind(op->action.kind),
	        .stage = op->stage,
	        .micro = op->action.micro,
	        .mini = op->action.mini,
	        .version_read = op->version_read,
	        .version_live = op->version_live,
	        .versions_alive = op->versions_alive,
	        .updates = op->updates,
	};
	return tp_listing_add(context, op->stage, &listed);
}

static enum tp_status lay_out(const struct tp_pipeline *pipeline, struct tp_station *const *stations,
                              struct tp_listing *listing)
{
	const struct tp_sim_hooks hooks = {.end = list_op};
	const struct tp_sim_input input = {
	        .pipeline = pipeline,
	        .stations = stations,
	        .hooks = &hooks,
	        .context = listing,
	};
	struct tp_sim_summary summary;
	TP_TRY(tp_simulate_epoch(&input, &summary));
	tp_sim_summary_release(&summary);
	for (int32_t s = 0; s < listing->stages; s++) {
		tp_ledger_drain(&stations[s]->ledger);
		listing->versions_at_end[s] = stations[s]->ledger.alive;
	}
	return TP_OK;
}

/* With stations of our own, to see what they still hold when all is over. */
static enum tp_status with_stations(const struct tp_pipeline *pipeline, struct tp_listing *listing)
{
	size_t stages = (size_t)listing->stages;
	struct tp_station *stations = tp_alloc_array(stages, sizeof *stations);
	struct tp_station **each = tp_alloc_array(stages, sizeof *each);
	listing->versions_at_end = tp_alloc_array(stages, sizeof *listing->versions_at_end);
	enum tp_status status = stations && each && listing->versions_at_end ? TP_OK : TP_ERR_NOMEM;
	for (int32_t s = 0; status == TP_OK && s < listing->stages; s++) {
		each[s] = &stations[s];
		status = tp_station_init(each[s], pipeline, s);
		if (status == TP_OK)
			status = reserve(&listing->lists[s], tp_operations_per_stage(pipeline));
	}
	if (status == TP_OK)
		status = lay_out(pipeline, each, listing);
	for (size_t s = 0; stations && s < stages; s++)
		tp_station_release(&stations[s]);
	tp_free(each);
	tp_free(stations);
	return status;
}

enum tp_status tp_listing_from_pipeline(const struct tp_pipeline *pipeline, struct tp_listing *listing)
{
	const struct tp_policy *policy = pipeline->policy;
	struct tp_pipeline whole = *pipeline;
	if (policy->single_stage)
		whole.stages = 1;
	enum tp_status status = tp_listing_init(listing, whole.stages);
	listing->stages = whole.stages;
	listing->micro_batches = tp_forwards_per_mini(policy, whole.micro_batches);
	listing->backwards_per_mini = tp_backwards_per_mini(policy, whole.micro_batches);
	listing->minis = whole.minis;
	listing->max_staleness = whole.max_staleness;
	listing->split = policy->backward_split;
	listing->knows_versions = true;
	listing->reads_lag = policy->forward_reads == TP_READS_DELAYED;
	if (status == TP_OK)
		status = with_stations(&whole, listing);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

/* --- tokens --------------------------------------------------------------------------------------------------------
 */

void tp_listed_token(const struct tp_listed *op, bool with_stage, struct tp_text *text)
{
	if (op->kind == TP_LISTED_IDLE) {
		tp_text_add(text, ".");
		return;
	}
	bool forward = op->kind == TP_LISTED_F || op->kind == TP_LISTED_SEND_F || op->kind == TP_LISTED_RECV_F;
	char letters[8] = "";
	if (forward) /* a whole mini-batch is its only micro-batch */
		tp_micro_letters(op->micro == TP_WHOLE ? 0 : op->micro, true, letters);
	else if (op->micro != TP_WHOLE)
		tp_micro_letters(op->micro, false, letters);
	if (with_stage)
		tp_text_add(text, "%d:", op->stage);
	tp_text_add(text, "%s%lld%s%s", tp_listed_computes(op->kind) ? "" : tp_listed_kind_text(op->kind),
	            (long long)op->mini, letters, op->kind == TP_LISTED_BW ? "'" : "");
}
