#include "engine/run/forecast.h"

#include <string.h>

#include "engine/run/axes.h"
#include "engine/run/crew.h"

/* Values between stages are counted as 32-bit floats, as the cpu device sends them. */
enum { VALUE_BYTES = 4 };

bool tp_forecast_needs_model(const struct tp_run_config *config, int64_t message_bytes)
{
	bool emulated = config->link[0] || config->cluster[0];
	if (config->costs[0] == '\0' ? emulated : tp_cost_source_needs_model(config->costs))
		return true;
	return emulated && message_bytes == 0;
}

/* What message sizes come from. */
struct sizes {
	const struct tp_forecast *forecast;
	const struct tp_plan *plan; /* NULL: message_bytes */
	int64_t message_bytes;
};

static int64_t message_size(void *context, int32_t stage, bool upstream, int32_t micro)
{
	const struct sizes *sizes = context;
	const struct tp_pipeline *pipeline = &sizes->forecast->pipeline;
	int32_t per_mini = upstream ? tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches)
	                            : tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	if (!sizes->plan)
		return sizes->message_bytes * (pipeline->micro_batches / per_mini);
	const struct tp_model *model = sizes->plan->model;
	int32_t last_block = -1;
	for (int32_t s = 0; s <= stage; s++)
		last_block += sizes->plan->blocks_per_stage[s];
	const struct tp_block *block = &model->blocks[last_block];
	const struct tp_layer *layer = &model->layers[block->first_layer + block->layer_count - 1];
	int32_t samples = tp_slice_size(sizes->plan->slicing, per_mini == 1 ? TP_WHOLE : micro);
	return tp_shape_elements(layer->out_shape) * VALUE_BYTES * samples;
}

static enum tp_status size_messages(struct tp_forecast *forecast, const struct tp_forecast_request *request)
{
	struct tp_cost_shape shape = tp_cost_shape_of(&forecast->pipeline);
	struct sizes sizes = {.forecast = forecast, .message_bytes = request->message_bytes};
	struct tp_plan plan;
	if (!forecast->emulation.downstream || request->message_bytes > 0)
		return tp_emulation_size_messages(&forecast->emulation, &shape, message_size, &sizes);
	enum tp_status status = tp_plan_init(&plan, request->config, request->named, request->dataset);
	sizes.plan = &plan;
	if (status == TP_OK)
		status = tp_emulation_size_messages(&forecast->emulation, &shape, message_size, &sizes);
	tp_plan_release(&plan);
	return status;
}

static enum tp_status take_costs(struct tp_forecast *forecast, const struct tp_forecast_request *request)
{
	const struct tp_cost_request costs = {request->config,  request->named,      request->dataset,
	                                      request->control, &forecast->pipeline, request->given};
	TP_TRY(tp_costs_obtain(&costs, &forecast->measured));
	TP_TRY(tp_cost_table_copy(&forecast->costs, &forecast->measured, forecast->measured.shape));
	tp_emulation_scale(&forecast->emulation, &forecast->costs);
	return TP_OK;
}

enum tp_status tp_forecast_init(struct tp_forecast *forecast, const struct tp_forecast_request *request)
{
	const struct tp_run_config *config = request->config;
	*forecast = (struct tp_forecast){
	        .timed = config->costs[0] || config->link[0] || config->cluster[0] || request->given,
	};
	TP_TRY(tp_axes_apply(config, request->named, request->minis, &forecast->policy, &forecast->pipeline));
	if (!forecast->timed)
		return TP_OK;
	TP_TRY(tp_emulation_init(&forecast->emulation, config, forecast->pipeline.stages));
	TP_TRY(take_costs(forecast, request));
	TP_TRY(size_messages(forecast, request));
	TP_TRY(tp_emulation_check_time(&forecast->emulation, &forecast->costs, (double)forecast->pipeline.minis));
	forecast->replays = config->order == TP_ORDER_STATIC;
	return forecast->replays ? tp_slot_plan_init(&forecast->plan, &forecast->pipeline) : TP_OK;
}

void tp_forecast_release(struct tp_forecast *forecast)
{
	tp_cost_table_release(&forecast->measured);
	tp_cost_table_release(&forecast->costs);
	tp_emulation_release(&forecast->emulation);
	tp_slot_plan_release(&forecast->plan);
	*forecast = (struct tp_forecast){0};
}

enum tp_status tp_forecast_simulate(const struct tp_forecast *forecast, const struct tp_sim_hooks *hooks, void *context,
                                    struct tp_sim_summary *summary)
{
	const struct tp_sim_input input = {
	        .pipeline = &forecast->pipeline,
	        .costs = forecast->timed ? forecast->costs.stage : NULL,
	        .boundaries = forecast->emulation.boundaries,
	        .plan = forecast->replays ? &forecast->plan : NULL,
	        .hooks = hooks,
	        .context = context,
	};
	return tp_simulate_epoch(&input, summary);
}

double tp_version_difference_estimate(const struct tp_cost_table *costs, const struct tp_boundary_cost *boundaries,
                                      const struct tp_sim_summary *summary)
{
	int32_t stages = costs->shape.stages;
	double backwards = 0, messages = 0;
	if (summary->last_stage_backwards < 2)
		return 0;
	for (int32_t s = 0; s < stages; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			if (kind != TP_OP_F && kind != TP_OP_U && tp_cost_entries(&costs->shape, kind) > 0)
				backwards += (double)*tp_cost_entry(costs, s, kind, 0);
		}
	}
	for (int32_t s = 0; s + 1 < stages && boundaries; s++)
		messages += (double)(boundaries[s].upstream.transfer[0] + boundaries[s].upstream.latency);
	double period = (double)(summary->last_backward_start - summary->first_backward_start) /
	                (double)(summary->last_stage_backwards - 1);
	return period > 0 ? (backwards + messages) / period : 0;
}
