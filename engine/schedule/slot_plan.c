#include "engine/schedule/slot_plan.h"

#include "engine/base/memory.h"

struct layout {
	struct tp_slot_plan *plan;
	int64_t *filled; /* operations laid out, per stage */
	int32_t forwards_per_mini;
};

static enum tp_status lay_out(void *context, const struct tp_sim_op *op)
{
	struct layout *layout = context;
	struct tp_slot_plan *plan = layout->plan;
	plan->ops[op->stage * plan->ops_per_stage + layout->filled[op->stage]++] = (struct tp_planned_op){
	        .action = op->action,
	        .seen = op->seen,
	        .seen_at_end = op->seen_at_end,
	};
	if (op->stage == 0 && op->action.kind == TP_OP_F)
		plan->stamps.tags[tp_forward_index(&op->action, layout->forwards_per_mini)] = op->version_read;
	if (op->stamp >= 0)
		plan->stamps.stamps[op->action.mini - 1] = op->stamp;
	return TP_OK;
}

enum tp_status tp_slot_plan_init(struct tp_slot_plan *plan, const struct tp_pipeline *pipeline)
{
	int32_t forwards = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	*plan = (struct tp_slot_plan){
	        .stages = pipeline->stages,
	        .ops_per_stage = tp_operations_per_stage(pipeline),
	        .stamps = {.tag_mask = INT64_MAX, .stamp_mask = INT64_MAX},
	};
	plan->ops = tp_alloc_array((size_t)(plan->stages * plan->ops_per_stage), sizeof *plan->ops);
	plan->stamps.tags = tp_alloc_array((size_t)(pipeline->minis * forwards), sizeof *plan->stamps.tags);
	plan->stamps.stamps = tp_alloc_array((size_t)pipeline->minis, sizeof *plan->stamps.stamps);
	struct layout layout = {.plan = plan, .forwards_per_mini = forwards};
	layout.filled = tp_alloc_array((size_t)plan->stages, sizeof *layout.filled);
	enum tp_status status = TP_ERR_NOMEM;
	if (plan->ops && plan->stamps.tags && plan->stamps.stamps && layout.filled) {
		struct tp_sim_summary summary;
		status = tp_simulate(pipeline, NULL, lay_out, &layout, &summary);
		plan->versions_alive_max = summary.versions_alive_max; /* taken over */
		summary.versions_alive_max = NULL;
		tp_sim_summary_release(&summary);
	}
	tp_free(layout.filled);
	if (status != TP_OK)
		tp_slot_plan_release(plan);
	return status;
}

void tp_slot_plan_release(struct tp_slot_plan *plan)
{
	tp_free(plan->ops);
	tp_free(plan->stamps.tags);
	tp_free(plan->stamps.stamps);
	tp_free(plan->versions_alive_max);
	*plan = (struct tp_slot_plan){0};
}
