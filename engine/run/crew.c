#include "engine/run/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/process.h"

/* Convolution algorithms are tried for this long in all; beyond it a rule by shape decides. */
#define CHOICE_BUDGET_NS (10 * TP_NS_PER_S)

/* A wait shorter than this is spun through when every stage can have a core of its own. */
#define SPIN_NS 50000

/* Where choices made by timing are kept; "" when there is no place. */
static void find_cache_dir(char *dir, size_t size)
{
	const char *own = getenv("TPBENCH_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	dir[0] = '\0';
	if (own && *own)
		(void)snprintf(dir, size, "%s", own);
	else if (xdg && *xdg)
		(void)snprintf(dir, size, "%s/tpbench", xdg);
	else if (home && *home)
		(void)snprintf(dir, size, "%s/.cache/tpbench", home);
}

static enum tp_conv_choice conv_choice(const struct tp_run_config *config)
{
	if (strcmp(config->conv, "direct") == 0)
		return TP_CONV_DIRECT;
	return strcmp(config->conv, "winograd") == 0 ? TP_CONV_WINOGRAD : TP_CONV_AUTO;
}

static enum tp_status make_stages(struct tp_crew *crew, const struct tp_plan *plan)
{
	const struct tp_device_ops *ops;
	char cache_dir[TP_CONFIG_PATH_BYTES];
	int64_t budget = CHOICE_BUDGET_NS;
	TP_TRY(tp_device_find(crew->config->device, &ops));
	if (ops->enter_thread)
		ops->enter_thread();
	find_cache_dir(cache_dir, sizeof cache_dir);
	struct tp_device_options options = {
	        .conv = conv_choice(crew->config),
	        .cache_dir = cache_dir[0] ? cache_dir : NULL,
	        .choice_budget_ns = &budget,
	};
	struct tp_stage_spec spec = {
	        .model = plan->model,
	        .stages = crew->pipeline.stages,
	        .input = tp_tensor_plain(plan->model->input, ops->element_bytes),
	        .slicing = crew->slicing,
	        .backward_whole = plan->policy.backward_unit == TP_UNIT_MINI,
	        .infer_sizes = {plan->infer_sizes[0], plan->infer_sizes[1]},
	};
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		spec.index = s;
		spec.block_count = plan->blocks_per_stage[s];
		spec.slots = (int32_t)tp_minis_in_flight(&crew->pipeline, s);
		spec.version_buffers = crew->static_order ? crew->plan.versions_alive_max[s]
		                                          : tp_ledger_buffer_bound(&crew->pipeline, s);
		enum tp_status status = tp_stage_init(&crew->workers[s].stage, &spec, ops, &options);
		if (status != TP_OK)
			return tp_fail_in(status, "stage %d", s);
		spec.first_block += spec.block_count;
		spec.input = *tp_stage_output(&crew->workers[s].stage);
	}
	return TP_OK;
}

static enum tp_status make_workers(struct tp_crew *crew)
{
	/* Spinning steals the core from the stage that is waited for when there are not enough. */
	int64_t spin_ns = crew->pipeline.stages <= tp_free_cores() ? SPIN_NS : 0;
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		TP_TRY(tp_worker_init(&crew->workers[s], spin_ns));
	const struct tp_version_ledger *first = &crew->workers[0].ledger;
	return tp_board_init(&crew->board, first->forward_mask + 1, first->mini_mask + 1);
}

enum tp_status tp_crew_init(struct tp_crew *crew, const struct tp_plan *plan, const struct tp_run_config *config,
                            const struct tp_dataset *dataset, struct tp_run_control *control)
{
	bool whole = plan->policy.forward_unit == TP_UNIT_MINI;
	*crew = (struct tp_crew){
	        .config = config,
	        .dataset = dataset,
	        .control = control,
	        .pipeline = {.policy = &plan->policy,
	                     .stages = plan->policy.single_stage ? 1 : config->stages,
	                     .micro_batches = whole ? 1 : config->micro_batches,
	                     .minis = plan->minis_per_epoch},
	        .slicing = {.batch = config->batch, .count = whole ? 1 : config->micro_batches},
	        .static_order = config->order == TP_ORDER_STATIC,
	        .failure_mutex = PTHREAD_MUTEX_INITIALIZER,
	        .clock_zero_ns = tp_now_ns(),
	};
	crew->workers = tp_alloc_array((size_t)crew->pipeline.stages, sizeof *crew->workers);
	if (!crew->workers)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		crew->workers[s].crew = crew;
		crew->workers[s].index = s;
	}
	TP_TRY(tp_sample_order_init(&crew->order, dataset, config->seed, config->shuffle, config->augment));
	if (crew->static_order)
		TP_TRY(tp_slot_plan_init(&crew->plan, &crew->pipeline));
	TP_TRY(make_stages(crew, plan));
	return make_workers(crew);
}

void tp_crew_release(struct tp_crew *crew)
{
	for (int32_t s = 0; crew->workers && s < crew->pipeline.stages; s++)
		tp_worker_release(&crew->workers[s]);
	tp_free(crew->workers);
	if (crew->board.stamps.tags)
		tp_board_release(&crew->board);
	tp_slot_plan_release(&crew->plan);
	tp_sample_order_release(&crew->order);
	(void)pthread_mutex_destroy(&crew->failure_mutex);
	*crew = (struct tp_crew){0};
}
