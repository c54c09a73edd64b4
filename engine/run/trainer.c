#include "engine/run/trainer.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/process.h"
#include "engine/run/checkpoint.h"
#include "engine/run/cost_source.h"
#include "engine/run/costs.h"
#include "engine/run/crew.h"
#include "engine/run/evaluate.h"
#include "engine/run/forecast.h"
#include "engine/run/real_driver.h"
#include "engine/run/trainer_gpu.h"
#include "engine/run/trainer_internal.h"
#include "engine/run/trainer_records.h"
#include "engine/run/virtual_driver.h"
#include "engine/run/worker_nvtx.h"

struct tp_trainer {
	const struct tp_policy *named; /* as in the table of policies */
	struct tp_plan plan;
	struct tp_crew crew;
	struct tp_run_info info;
	struct tp_stage_info *stages;
	struct tp_text *algorithms; /* per stage */
	struct tp_tracked tracked;
	struct tp_text left_out; /* of the weights to load */
	struct tp_trainer_records records;
	struct tp_trainer_gpu gpu;
	struct tp_cost_table measured; /* virtual clock: costs as on this machine; empty under the real one */
	struct tp_cost_table costs;    /* and at the workers' speeds, which time goes by */
	int64_t modelled_ns;           /* virtual clock: where the next epoch begins */
	bool failed;
};

/* --- planning -------------------------------------------------------------------------------------------------------
 */

static enum tp_status describe_stage(struct tp_trainer *trainer, int32_t s, int32_t first_block)
{
	const struct tp_model *model = trainer->plan.model;
	const struct tp_stage *stage = &trainer->crew.workers[s].stage;
	struct tp_stage_info *info = &trainer->stages[s];
	const struct tp_layer *first = &model->layers[stage->first_layer];
	const struct tp_layer *last = &first[stage->layer_count - 1];
	*info = (struct tp_stage_info){
	        .stage = s,
	        .first_block = first_block,
	        .block_count = trainer->plan.blocks_per_stage[s],
	        .in_flight_limit = (int32_t)tp_minis_in_flight(&trainer->crew.pipeline, s),
	        .slots = stage->spec.slots,
	        .slot_samples = tp_slot_samples(stage->spec.slicing, stage->spec.span),
	        .version_buffers = stage->spec.version_buffers,
	        .ring_forward = s > 0 ? trainer->crew.workers[s].activations.mask + 1 : 0,
	        .ring_backward = s + 1 < stage->spec.stages ? trainer->crew.workers[s].gradients.mask + 1 : 0,
	        .least_forward = s > 0 ? trainer->crew.soundness.min_ring_forward[s - 1] : 0,
	        .least_backward = s + 1 < stage->spec.stages ? trainer->crew.soundness.min_ring_backward[s] : 0,
	        .output_sample_bytes = (int64_t)tp_stage_output(stage)->sample_bytes,
	        .memory = &stage->memory.record,
	};
	(void)snprintf(info->blocks, sizeof info->blocks, "%s .. %s", first->name, last->name);
	for (int32_t b = 0; b < info->block_count; b++)
		info->forward_flops_per_sample += tp_block_forward_flops(model, first_block + b);
	for (int32_t l = 0; l < stage->layer_count; l++) {
		const struct tp_kernel *kernel = stage->layers[l].kernel;
		struct tp_param params[TP_LAYER_MAX_PARAMS];
		int32_t count = tp_layer_params(kernel->layer, params);
		for (int32_t p = 0; p < count; p++)
			info->parameters += params[p].trainable ? params[p].elements : 0;
		if (kernel->algorithms[0])
			tp_text_add(&trainer->algorithms[s], "%s: %s\n", kernel->layer->name, kernel->algorithms);
	}
	info->algorithms = tp_text_get(&trainer->algorithms[s]);
	return trainer->algorithms[s].failed ? TP_ERR_NOMEM : TP_OK;
}

static enum tp_status describe(struct tp_trainer *trainer)
{
	const struct tp_crew *crew = &trainer->crew;
	size_t stages = (size_t)crew->pipeline.stages;
	trainer->stages = tp_alloc_array(stages, sizeof *trainer->stages);
	trainer->algorithms = tp_alloc_array(stages, sizeof *trainer->algorithms);
	if (!trainer->stages || !trainer->algorithms)
		return TP_ERR_NOMEM;
	int32_t first_block = 0;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		TP_TRY(describe_stage(trainer, s, first_block));
		first_block += trainer->plan.blocks_per_stage[s];
	}
	trainer->info.config = crew->config;
	trainer->info.policy = &trainer->plan.policy;
	trainer->info.model = trainer->plan.model;
	trainer->info.stages = crew->pipeline.stages;
	trainer->info.micro_batches = crew->pipeline.micro_batches;
	trainer->info.minis_per_epoch = trainer->plan.minis_per_epoch;
	trainer->info.rendezvous = trainer->crew.soundness.rendezvous_ok;
	trainer->info.dropped_samples = trainer->plan.dropped_samples;
	trainer->info.streamed = trainer->records.streamed;
	trainer->info.gpus = trainer->gpu.infos;
	trainer->info.gpu_count = trainer->gpu.count;
	trainer->info.not_loaded = tp_text_get(&trainer->left_out);
	return TP_OK;
}

/* The costs given, or those that the configuration names; as on this machine, and at the workers' speeds. */
static enum tp_status obtain_costs(struct tp_trainer *trainer, const struct tp_cost_table *given,
                                   struct tp_cost_table *measured, struct tp_cost_table *scaled)
{
	struct tp_crew *crew = &trainer->crew;
	struct tp_cost_request request = {crew->config,  trainer->named,  crew->dataset,
	                                  crew->control, &crew->pipeline, given};
	TP_TRY(tp_costs_obtain(&request, measured));
	TP_TRY(tp_cost_table_copy(scaled, measured, measured->shape));
	tp_emulation_scale(&trainer->plan.emulation, scaled);
	double epochs = crew->config->epochs > 0 ? crew->config->epochs : 1;
	return tp_emulation_check_time(&trainer->plan.emulation, scaled, epochs * (double)crew->pipeline.minis);
}

static enum tp_status build(struct tp_trainer *trainer, const struct tp_run_config *config,
                            const struct tp_policy *policy, const struct tp_dataset *dataset,
                            struct tp_run_control *control, const struct tp_cost_table *costs)
{
	int64_t heap_before = tp_heap_bytes() - (int64_t)tp_alloc_heap_bytes();
	trainer->info.rss_before_bytes = tp_resident_bytes();
	trainer->named = policy;
	TP_TRY(tp_plan_init(&trainer->plan, config, policy, dataset));
	TP_TRY(tp_trainer_gpu_start(&trainer->gpu, config));
	TP_TRY(tp_crew_init(&trainer->crew, &trainer->plan, config, dataset, control));
	TP_TRY(tp_checkpoint_begin(&trainer->crew, trainer->plan.model, &trainer->tracked, &trainer->left_out));
	TP_TRY(tp_trainer_records_init(&trainer->records, &trainer->crew));
	int64_t heap_after = tp_heap_bytes() - (int64_t)tp_alloc_heap_bytes();
	trainer->records.library_bytes = heap_after > heap_before ? heap_after - heap_before : 0;
	if (config->clock == TP_CLOCK_VIRTUAL)
		TP_TRY(obtain_costs(trainer, costs, &trainer->measured, &trainer->costs));
	return describe(trainer);
}

enum tp_status tp_trainer_new(const struct tp_run_config *config, const struct tp_policy *policy,
                              const struct tp_dataset *dataset, struct tp_run_control *control,
                              struct tp_trainer **trainer)
{
	return tp_trainer_new_with_costs(config, policy, dataset, control, NULL, trainer);
}

enum tp_status tp_trainer_new_with_costs(const struct tp_run_config *config, const struct tp_policy *policy,
                                         const struct tp_dataset *dataset, struct tp_run_control *control,
                                         const struct tp_cost_table *costs, struct tp_trainer **trainer)
{
	struct tp_trainer *made = tp_alloc(sizeof *made);
	*trainer = NULL;
	if (!made)
		return TP_ERR_NOMEM;
	enum tp_status status = build(made, config, policy, dataset, control, costs);
	if (status == TP_OK)
		*trainer = made;
	else
		tp_trainer_free(made);
	return status;
}

void tp_trainer_free(struct tp_trainer *trainer)
{
	if (!trainer)
		return;
	for (int32_t s = 0; trainer->algorithms && s < trainer->crew.pipeline.stages; s++)
		tp_text_release(&trainer->algorithms[s]);
	tp_free(trainer->algorithms);
	tp_free(trainer->stages);
	tp_trainer_records_release(&trainer->records);
	tp_cost_table_release(&trainer->measured);
	tp_cost_table_release(&trainer->costs);
	tp_text_release(&trainer->left_out);
	tp_crew_release(&trainer->crew);
	tp_trainer_gpu_stop(&trainer->gpu);
	tp_plan_release(&trainer->plan);
	tp_free(trainer);
}

struct tp_crew *tp_trainer_crew(struct tp_trainer *trainer)
{
	return &trainer->crew;
}

const struct tp_run_info *tp_trainer_info(const struct tp_trainer *trainer)
{
	return &trainer->info;
}

const struct tp_stage_info *tp_trainer_stage(const struct tp_trainer *trainer, int32_t stage)
{
	TP_CHECK(stage >= 0 && stage < trainer->info.stages);
	return &trainer->stages[stage];
}

void tp_trainer_set_sink(struct tp_trainer *trainer, const struct tp_record_sink *sink)
{
	trainer->records.drain.sink = *sink;
}

void tp_trainer_profile(struct tp_trainer *trainer, bool on)
{
	trainer->records.on = on && trainer->crew.config->profile != TP_PROFILE_OFF;
}

const struct tp_kernel_name *tp_trainer_kernel_names(const struct tp_trainer *trainer, int32_t *count)
{
	*count = trainer->crew.kernel_names.count;
	return trainer->crew.kernel_names.entries;
}

/* --- training -------------------------------------------------------------------------------------------------------
 */

/* Window and training figures, from what the workers noted. */
static void sum_up(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	const struct tp_crew *crew = &trainer->crew;
	const struct tp_worker *last = &crew->workers[crew->pipeline.stages - 1];
	result->start_ns = INT64_MAX;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		const struct tp_worker *worker = &crew->workers[s];
		if (worker->first_start_ns < 0)
			continue; /* stopped before its first operation */
		if (worker->first_start_ns < result->start_ns)
			result->start_ns = worker->first_start_ns;
		if (worker->last_end_ns > result->end_ns)
			result->end_ns = worker->last_end_ns;
	}
	if (result->start_ns == INT64_MAX)
		result->start_ns = 0;
	result->samples = last->samples_seen;
	result->minis = crew->workers[0].station.ledger.live;
	if (last->samples_seen > 0) {
		result->train_loss = last->loss.loss_sum / (double)last->samples_seen;
		result->train_top1 = (double)last->loss.top1 / (double)last->samples_seen;
	}
}

static enum tp_status evaluate(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	struct tp_evaluation evaluation;
	TP_TRY(tp_evaluate(&trainer->crew, &evaluation));
	result->evaluation_ns = evaluation.duration_ns;
	if (evaluation.samples == 0)
		return TP_OK;
	double samples = (double)evaluation.samples;
	result->evaluated = true;
	result->test_samples = evaluation.samples;
	result->test_loss = evaluation.sums.loss_sum / samples;
	result->test_top1 = (double)evaluation.sums.top1 / samples;
	result->test_top5 = (double)evaluation.sums.top5 / samples;
	return TP_OK;
}

/* The first mini-batch, and the version that it starts from. */
static struct tp_nvtx_payload epoch_payload(const struct tp_crew *crew)
{
	return (struct tp_nvtx_payload){tp_crew_run_id(crew), -1, -1, crew->minis_before + 1, crew->minis_before};
}

/* The pipeline's part of an epoch, by the clock of the run. */
static enum tp_status drive(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	struct tp_crew *crew = &trainer->crew;
	if (crew->config->clock == TP_CLOCK_VIRTUAL)
		return tp_virtual_driver_run(crew, &trainer->costs, &trainer->records.drain, trainer->modelled_ns,
		                             &trainer->modelled_ns);
	/* A warm-up is no part of what is measured; a tool that waits for the window must not take it for that. */
	bool measured = tp_crew_run_id(crew) > 0;
	TP_TRY(tp_crew_start_clocks(crew));
	if (measured) {
		struct tp_nvtx_payload payload = epoch_payload(crew);
		tp_nvtx_begin_measure(&payload);
	}
	enum tp_status status = tp_real_driver_run(crew, tp_worker_epoch, &result->allocations_in_window);
	if (measured)
		tp_nvtx_end_measure();
	return status;
}

/* How far the schedule explains an epoch's time. */
enum tp_status tp_trainer_predict(struct tp_trainer *trainer, const struct tp_op_record *ops, int64_t count,
                                  struct tp_epoch_prediction *prediction)
{
	const struct tp_crew *crew = &trainer->crew;
	struct tp_cost_table costs;
	struct tp_sim_summary summary;
	*prediction = (struct tp_epoch_prediction){0};
	if (crew->config->clock == TP_CLOCK_VIRTUAL || count == 0)
		return TP_OK;
	TP_TRY(tp_costs_from_records(tp_cost_shape_of(&crew->pipeline), ops, count, &costs));
	enum tp_status status = tp_predict_epoch(crew, &costs, &summary);
	if (status == TP_OK)
		*prediction = (struct tp_epoch_prediction){
		        .window_ns = summary.makespan,
		        .version_difference_max = summary.version_difference_max,
		        .version_difference_mean = summary.version_difference_mean,
		        .version_difference_estimate =
		                tp_version_difference_estimate(&costs, crew->emulation->boundaries, &summary),
		};
	tp_sim_summary_release(&summary);
	tp_cost_table_release(&costs);
	return status;
}

/* After the last operation: what is counted over the run, the prediction, the evaluation. */
static enum tp_status conclude(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	struct tp_crew *crew = &trainer->crew;
	crew->minis_before += crew->pipeline.minis;
	trainer->tracked.here +=
	        crew->pipeline.minis * tp_forwards_per_mini(crew->pipeline.policy, crew->pipeline.micro_batches);
	if (result->dropped_records == 0)
		TP_TRY(tp_trainer_predict(trainer, result->records.ops, result->records.op_count, &result->predicted));
	return crew->config->evaluate ? evaluate(trainer, result) : TP_OK;
}

static enum tp_status run_epoch(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	struct tp_crew *crew = &trainer->crew;
	*result = (struct tp_epoch_result){.epoch = ++crew->epoch};
	tp_sample_order_begin_epoch(&crew->order, crew->epoch);
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		tp_worker_begin_epoch(&crew->workers[s]);
	tp_board_reset(&crew->board);
	int64_t now_ns = tp_now_ns() - crew->clock_zero_ns;
	enum tp_status status = tp_trainer_records_begin(
	        &trainer->records, crew, crew->config->clock == TP_CLOCK_VIRTUAL ? trainer->modelled_ns : now_ns);
	struct tp_worker *last = &crew->workers[crew->pipeline.stages - 1];
	tp_trainer_gpu_begin(&trainer->gpu);
	if (status == TP_OK)
		status = drive(trainer, result);
	if (status == TP_OK)
		status = tp_stage_collect_loss(&last->stage, &last->loss);
	enum tp_status traced = tp_trainer_gpu_end(&trainer->gpu, crew);
	if (status == TP_OK)
		status = traced;
	sum_up(trainer, result);
	for (int32_t s = 0; s < crew->pipeline.stages && status == TP_OK; s++)
		tp_worker_drain(&crew->workers[s]);
	enum tp_status stored = tp_trainer_records_end(&trainer->records, crew, trainer->info.rss_before_bytes, result);
	if (stored == TP_OK)
		stored = tp_trainer_gpu_add(&trainer->gpu, &trainer->records, result);
	if (status == TP_OK)
		status = stored == TP_OK ? conclude(trainer, result) : stored;
	return status;
}

enum tp_status tp_trainer_epoch(struct tp_trainer *trainer, struct tp_epoch_result *result)
{
	TP_CHECK(!trainer->failed); /* a pipeline that stopped half-way cannot go on */
	tp_nvtx_init();
	tp_nvtx_push(TP_NVTX_EPOCH, epoch_payload(&trainer->crew));
	enum tp_status status = run_epoch(trainer, result);
	tp_nvtx_pop();
	trainer->failed = status != TP_OK;
	return status;
}

enum tp_status tp_trainer_forecast(struct tp_trainer *trainer, const struct tp_cost_table *costs,
                                   struct tp_cost_table *used, struct tp_sim_summary *summary)
{
	struct tp_cost_table measured = {0}, scaled = {0};
	*summary = (struct tp_sim_summary){0};
	enum tp_status status = obtain_costs(trainer, costs, &measured, &scaled);
	if (status == TP_OK)
		status = tp_predict_epoch(&trainer->crew, &scaled, summary);
	if (status == TP_OK && used)
		status = tp_cost_table_copy(used, &measured, measured.shape);
	tp_cost_table_release(&measured);
	tp_cost_table_release(&scaled);
	return status;
}

const struct tp_cost_table *tp_trainer_costs(const struct tp_trainer *trainer)
{
	return trainer->crew.config->clock == TP_CLOCK_VIRTUAL ? &trainer->measured : NULL;
}

const struct tp_emulation *tp_trainer_emulation(const struct tp_trainer *trainer)
{
	return &trainer->plan.emulation;
}

enum tp_status tp_trainer_export(struct tp_trainer *trainer, const char *name, double *values, int64_t elements)
{
	return tp_checkpoint_export(&trainer->crew, name, values, elements);
}

enum tp_status tp_trainer_save(struct tp_trainer *trainer, const char *path)
{
	return tp_checkpoint_save(&trainer->crew, trainer->plan.model, &trainer->tracked, path);
}
