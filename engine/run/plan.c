#include "engine/base/memory.h"
#include "engine/run/axes.h"
#include "engine/run/crew.h"

/* How the mini-batches of an epoch are cut. */
static enum tp_status plan_batches(struct tp_plan *plan, const struct tp_run_config *config,
                                   const struct tp_dataset *dataset)
{
	int64_t samples = dataset->count[TP_TRAIN];
	if (config->micro_batches > config->batch)
		return tp_fail(TP_ERR_INPUT,
		               "--micro-batches: expected at most the %d samples of a mini-batch (--batch), found %d",
		               config->batch, config->micro_batches);
	if (config->micro_batches > TP_MAX_SLICES)
		return tp_fail(TP_ERR_INPUT, "--micro-batches: expected at most %d, found %d", TP_MAX_SLICES,
		               config->micro_batches);
	plan->minis_per_epoch = samples / config->batch;
	if (plan->minis_per_epoch == 0)
		return tp_fail(TP_ERR_INPUT, "--batch: expected at most the %lld training samples of '%s', found %d",
		               (long long)samples, dataset->name, config->batch);
	if (config->mini_batches > 0 && config->mini_batches < plan->minis_per_epoch)
		plan->minis_per_epoch = config->mini_batches;
	plan->dropped_samples = samples - plan->minis_per_epoch * config->batch;
	return TP_OK;
}

/* What a backward covers decides what a slot holds, and that is what an evaluation can take at once. */
static void plan_slices(struct tp_plan *plan, const struct tp_run_config *config, const struct tp_dataset *dataset)
{
	const struct tp_policy *policy = &plan->policy;
	bool apart = tp_policy_keeps_forward_versions(policy) && policy->forward_unit == TP_UNIT_MICRO;
	plan->slicing = (struct tp_slicing){config->batch, plan->pipeline.micro_batches};
	plan->span = policy->backward_unit == TP_UNIT_MICRO ? TP_SPAN_SLICE : apart ? TP_SPAN_RUNS : TP_SPAN_MINI;
	if (config->evaluate) {
		int64_t tests = dataset->count[TP_TEST];
		int32_t at_once = tp_slot_samples(plan->slicing, plan->span);
		plan->infer_sizes[0] = tests >= at_once ? at_once : 0;
		plan->infer_sizes[1] = (int32_t)(tests % at_once);
	}
}

static enum tp_status plan_model(struct tp_plan *plan, const struct tp_run_config *config,
                                 const struct tp_dataset *dataset)
{
	struct tp_model_options options = {
	        .input = dataset->shape,
	        .classes = dataset->classes,
	        .hidden = config->hidden,
	};
	int32_t stages = plan->pipeline.stages;
	plan->model = tp_alloc(sizeof *plan->model);
	plan->blocks_per_stage = tp_alloc_array((size_t)stages, sizeof *plan->blocks_per_stage);
	if (!plan->model || !plan->blocks_per_stage)
		return TP_ERR_NOMEM;
	TP_TRY(tp_model_build(config->model, &options, plan->model));
	/* One stage has all blocks, whatever --partition says of more. */
	return tp_partition(plan->model, plan->policy.single_stage ? "auto" : config->partition, stages,
	                    plan->blocks_per_stage);
}

enum tp_status tp_plan_init(struct tp_plan *plan, const struct tp_run_config *config, const struct tp_policy *policy,
                            const struct tp_dataset *dataset)
{
	*plan = (struct tp_plan){0};
	TP_TRY(plan_batches(plan, config, dataset));
	TP_TRY(tp_axes_apply(config, policy, plan->minis_per_epoch, &plan->policy, &plan->pipeline));
	plan_slices(plan, config, dataset);
	TP_TRY(tp_emulation_init(&plan->emulation, config, plan->pipeline.stages));
	return plan_model(plan, config, dataset);
}

void tp_plan_release(struct tp_plan *plan)
{
	tp_free(plan->model);
	tp_free(plan->blocks_per_stage);
	tp_emulation_release(&plan->emulation);
	*plan = (struct tp_plan){0};
}
