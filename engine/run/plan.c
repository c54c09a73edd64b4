#include "engine/base/memory.h"
#include "engine/run/crew.h"

static enum tp_status apply_backward_version(struct tp_plan *plan, const struct tp_run_config *config)
{
	if (config->backward_version == TP_BACKWARD_DEFAULT)
		return TP_OK;
	if (!plan->policy.backward_version_option)
		return tp_fail(TP_ERR_INPUT,
		               "--backward-version: schedule '%s' has its own; expected it with timeprest",
		               plan->policy.name);
	plan->policy.backward_reads =
	        config->backward_version == TP_BACKWARD_LATEST ? TP_READS_LIVE : TP_READS_COMMITTED;
	return TP_OK;
}

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
	if (config->evaluate) {
		int64_t tests = dataset->count[TP_TEST];
		plan->infer_sizes[0] = tests >= config->batch ? config->batch : 0;
		plan->infer_sizes[1] = (int32_t)(tests % config->batch);
	}
	return TP_OK;
}

static enum tp_status plan_model(struct tp_plan *plan, const struct tp_run_config *config,
                                 const struct tp_dataset *dataset)
{
	struct tp_model_options options = {
	        .input = dataset->shape,
	        .classes = dataset->classes,
	        .hidden = config->hidden,
	};
	int32_t stages = plan->policy.single_stage ? 1 : config->stages;
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
	*plan = (struct tp_plan){.policy = *policy};
	TP_TRY(apply_backward_version(plan, config));
	TP_TRY(plan_batches(plan, config, dataset));
	return plan_model(plan, config, dataset);
}

void tp_plan_release(struct tp_plan *plan)
{
	tp_free(plan->model);
	tp_free(plan->blocks_per_stage);
	*plan = (struct tp_plan){0};
}
