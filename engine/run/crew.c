#include "engine/run/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/process.h"
#include "engine/run/crew_links.h"

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

/* Does what the stage reserves fit its worker? */
static enum tp_status check_memory(const struct tp_crew *crew, int32_t stage)
{
	const struct tp_cluster *cluster = &crew->emulation->cluster;
	const int64_t *reserved = crew->workers[stage].stage.memory.record.reserved_bytes;
	int64_t limit = cluster->worker_count > 0 ? cluster->workers[stage].memory_bytes : 0, total = 0;
	struct tp_text parts = {0};
	for (int32_t kind = 0; kind < TP_MEM_KINDS; kind++) {
		total += reserved[kind];
		if (reserved[kind] > 0)
			tp_text_add(&parts, "%s%s %lld", parts.length ? ", " : "",
			            tp_mem_kind_text((enum tp_mem_kind)kind), (long long)reserved[kind]);
	}
	enum tp_status status = TP_OK;
	if (limit > 0 && total > limit)
		status = tp_fail(TP_ERR_INPUT, "worker '%s' has %lld bytes (--cluster), the plan needs %lld: %s",
		                 cluster->workers[stage].name, (long long)limit, (long long)total, tp_text_get(&parts));
	tp_text_release(&parts);
	return status;
}

static enum tp_status make_stages(struct tp_crew *crew, const struct tp_plan *plan)
{
	const struct tp_device_ops *ops;
	char cache_dir[TP_CONFIG_PATH_BYTES];
	int64_t budget = CHOICE_BUDGET_NS;
	TP_TRY(tp_device_find(crew->config->device, crew->config->math, &ops));
	TP_TRY(tp_crew_choose_link(crew, ops));
	if (ops->enter_thread)
		ops->enter_thread();
	find_cache_dir(cache_dir, sizeof cache_dir);
	struct tp_device_options options = {
	        .conv = conv_choice(crew->config),
	        .math = crew->config->math,
	        .deterministic = crew->config->deterministic,
	        .workspace_limit_bytes = crew->config->workspace_limit_bytes,
	        /* One operation at a time reads its neighbour's memory where it lies. */
	        .gpus = crew->config->clock == TP_CLOCK_VIRTUAL ? 1 : crew->config->gpus,
	        .timeout_ns = crew->config->timeout_ns,
	        .upload_bytes = (size_t)(crew->slicing.batch * tp_shape_elements(plan->model->input)) * sizeof(float),
	        .stages = crew->pipeline.stages,
	        .cache_dir = cache_dir[0] ? cache_dir : NULL,
	        .choice_budget_ns = &budget,
	        /* A device that works on its own has a tracer that names its kernels. */
	        .kernel_names = crew->config->profile == TP_PROFILE_KERNELS && !ops->async ? &crew->kernel_names : NULL,
	};
	struct tp_stage_spec spec = {
	        .model = plan->model,
	        .stages = crew->pipeline.stages,
	        .input = tp_device_input(ops, plan->model->input),
	        .slicing = crew->slicing,
	        .span = crew->span,
	        .split = plan->policy.backward_split,
	        .recompute = crew->config->backward == TP_BACKWARD_RECOMPUTE,
	        .blends = plan->policy.backward_reads == TP_READS_BETWEEN,
	        .timeout_ns = crew->config->timeout_ns,
	        .copies = crew->link && crew->link->copies,
	        .infer_sizes = {plan->infer_sizes[0], plan->infer_sizes[1]},
	};
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		spec.index = s;
		spec.block_count = plan->blocks_per_stage[s];
		spec.slots = (int32_t)(crew->span == TP_SPAN_SLICE ? tp_micros_in_flight(&crew->pipeline, s)
		                                                   : tp_minis_in_flight(&crew->pipeline, s));
		spec.version_buffers = crew->static_order ? crew->plan.versions_alive_max[s]
		                                          : tp_ledger_buffer_bound(&crew->pipeline, s);
		spec.momentum_buffers = crew->pipeline.independent ? tp_ledger_buffer_bound(&crew->pipeline, s) : 1;
		enum tp_status status = tp_stage_init(&crew->workers[s].stage, &spec, ops, &options);
		if (status == TP_OK)
			status = check_memory(crew, s);
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
	const struct tp_version_ledger *first = &crew->workers[0].station.ledger;
	return tp_board_init(&crew->board, first->tags_in_flight, first->stamps_in_flight);
}

/* Nothing starts before the verifier has passed it, with the rings that it will have. */
static enum tp_status prove(struct tp_crew *crew)
{
	int64_t forward = crew->workers[0].activations.mask + 1, backward = crew->workers[0].gradients.mask + 1;
	for (int32_t s = 1; s < crew->pipeline.stages; s++) {
		const struct tp_worker *worker = &crew->workers[s];
		forward = worker->activations.mask + 1 < forward ? worker->activations.mask + 1 : forward;
		backward = worker->gradients.mask + 1 < backward ? worker->gradients.mask + 1 : backward;
	}
	return tp_soundness_require(&crew->pipeline, forward, backward, &crew->soundness);
}

enum tp_status tp_crew_init(struct tp_crew *crew, struct tp_plan *plan, const struct tp_run_config *config,
                            const struct tp_dataset *dataset, struct tp_run_control *control)
{
	*crew = (struct tp_crew){
	        .config = config,
	        .dataset = dataset,
	        .control = control,
	        .pipeline = plan->pipeline,
	        .slicing = plan->slicing,
	        .span = plan->span,
	        .emulation = &plan->emulation,
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
		crew->workers[s].notes = &crew->workers[s].recorder;
	}
	TP_TRY(tp_sample_order_init(&crew->order, dataset, config->seed, config->shuffle, config->augment));
	if (crew->static_order)
		TP_TRY(tp_slot_plan_init(&crew->plan, &crew->pipeline));
	TP_TRY(make_stages(crew, plan));
	TP_TRY(make_workers(crew));
	TP_TRY(prove(crew));
	return tp_crew_make_links(crew, &plan->emulation);
}

void tp_crew_release(struct tp_crew *crew)
{
	tp_crew_release_links(crew);
	for (int32_t s = 0; crew->workers && s < crew->pipeline.stages; s++)
		tp_worker_release(&crew->workers[s]);
	tp_free(crew->workers);
	if (crew->board.stamps.tags)
		tp_board_release(&crew->board);
	tp_slot_plan_release(&crew->plan);
	tp_verify_release(&crew->soundness);
	tp_kernel_names_release(&crew->kernel_names);
	tp_sample_order_release(&crew->order);
	(void)pthread_mutex_destroy(&crew->failure_mutex);
	*crew = (struct tp_crew){0};
}
