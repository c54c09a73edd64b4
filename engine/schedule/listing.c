#include "engine/schedule/listing.h"

#include "engine/base/memory.h"
#include "engine/schedule/grid.h"

struct filling {
	struct tp_listing *listing;
	int64_t *filled; /* items so far, per rank */
};

static enum tp_status list_operation(void *context, const struct tp_sim_op *op)
{
	struct filling *filling = context;
	struct tp_listing *listing = filling->listing;
	listing->items[listing->first[op->stage] + filling->filled[op->stage]++] = (struct tp_listed){
	        .kind = op->action.kind,
	        .stage = op->stage,
	        .mini = op->action.mini,
	        .micro = op->action.micro,
	        .version_read = op->version_read,
	        .versions_alive = op->versions_alive,
	        .updates = op->updates,
	};
	return TP_OK;
}

static enum tp_status allocate(struct tp_listing *listing, int64_t per_rank)
{
	listing->first = tp_alloc_array((size_t)listing->ranks + 1, sizeof *listing->first);
	listing->items = tp_alloc_array((size_t)(per_rank * listing->ranks), sizeof *listing->items);
	listing->rank_of_stage = tp_alloc_array((size_t)listing->stages, sizeof *listing->rank_of_stage);
	if (!listing->first || !listing->items || !listing->rank_of_stage)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r <= listing->ranks; r++)
		listing->first[r] = r * per_rank;
	for (int32_t s = 0; s < listing->stages; s++)
		listing->rank_of_stage[s] = s;
	return TP_OK;
}

enum tp_status tp_listing_from_pipeline(const struct tp_pipeline *pipeline, struct tp_listing *listing)
{
	int32_t stages = pipeline->policy->single_stage ? 1 : pipeline->stages;
	*listing = (struct tp_listing){
	        .ranks = stages,
	        .stages = stages,
	        .forwards_per_mini = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .backwards_per_mini = tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .minis = pipeline->minis,
	        .versions = true,
	};
	struct filling filling = {.listing = listing};
	struct tp_sim_summary summary = {0};
	filling.filled = tp_alloc_array((size_t)stages, sizeof *filling.filled);
	enum tp_status status = filling.filled ? allocate(listing, tp_operations_per_stage(pipeline)) : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_simulate(pipeline, NULL, list_operation, &filling, &summary);
	tp_sim_summary_release(&summary);
	tp_free(filling.filled);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

void tp_listing_release(struct tp_listing *listing)
{
	tp_free(listing->first);
	tp_free(listing->items);
	tp_free(listing->rank_of_stage);
	*listing = (struct tp_listing){0};
}

static bool is_forward(const struct tp_listed *item)
{
	return item->what == TP_LISTED_OPERATION ? item->kind == TP_OP_F : item->what <= TP_LISTED_RECV_F;
}

int64_t tp_listed_unit(const struct tp_listing *listing, const struct tp_listed *item)
{
	int32_t per_mini = is_forward(item) ? listing->forwards_per_mini : listing->backwards_per_mini;
	return (item->mini - 1) * per_mini + (item->micro == TP_WHOLE ? 0 : item->micro);
}

void tp_listed_token(const struct tp_listing *listing, const struct tp_listed *item, struct tp_text *text)
{
	char letters[8] = "";
	bool forward = is_forward(item);
	bool receives = item->what == TP_LISTED_RECV_F || item->what == TP_LISTED_RECV_B;
	bool sends = item->what == TP_LISTED_SEND_F || item->what == TP_LISTED_SEND_B;
	if (forward)
		tp_micro_letters(item->micro == TP_WHOLE ? 0 : item->micro, true, letters);
	else if (item->micro != TP_WHOLE)
		tp_micro_letters(item->micro, false, letters);
	if (listing->ranks != listing->stages)
		tp_text_add(text, "%d:", item->stage);
	tp_text_add(text, "%s%lld%s%s%s", receives ? ">" : "", (long long)item->mini, letters,
	            item->what == TP_LISTED_OPERATION && item->kind == TP_OP_BW ? "'" : "", sends ? ">" : "");
}
