#include "cli/simulated_run.h"

#include "baselines/policies.h"
#include "engine/run/simulated_records.h"

static enum tp_status begin_run(struct tp_store *store, const struct tp_run_config *config,
                                const struct tp_forecast *forecast, int64_t *run_id)
{
	struct tp_text config_text = {0};
	const struct tp_pipeline *pipeline = &forecast->pipeline;
	tp_run_config_text(config, &config_text);
	const struct tp_store_run run = {
	        .name = "",
	        .note = "",
	        .schedule = pipeline->policy->name,
	        .model = "",
	        .dataset = "",
	        .device = "",
	        .order = !forecast->timed || config->order == TP_ORDER_STATIC ? "static" : "dynamic",
	        .clock = forecast->timed ? "virtual" : "slots",
	        .stages = pipeline->stages,
	        .micro_batches = pipeline->micro_batches,
	        .batch_samples = pipeline->micro_batches, /* see simulated_records.h */
	        .repeat = 1,
	        .comparison = "",
	        .config_hash = tp_run_config_hash(config),
	        .config_text = tp_text_get(&config_text),
	        .minis_per_epoch = pipeline->minis,
	};
	enum tp_status status = config_text.failed ? TP_ERR_NOMEM : tp_store_begin_run(store, &run, run_id);
	tp_text_release(&config_text);
	return status;
}

static enum tp_status add_epoch(struct tp_store *store, int64_t run_id, const struct tp_forecast *forecast,
                                const struct tp_simulated_records *made)
{
	const struct tp_pipeline *pipeline = &forecast->pipeline;
	const struct tp_metrics_input input = {pipeline->stages, tp_policy_flushes(pipeline->policy), made->records};
	struct tp_metrics metrics;
	TP_TRY(tp_metrics_compute(&input, &metrics));
	metrics.version_count = 0;
	const struct tp_store_epoch epoch = {
	        .epoch = 1,
	        .profile_level = "ops",
	        .minis = pipeline->minis,
	        .samples = pipeline->minis * pipeline->micro_batches,
	        .end_ns = made->end,
	        .records = made->records,
	        .metrics = &metrics,
	};
	enum tp_status status = tp_store_add_epoch(store, run_id, &epoch);
	tp_metrics_release(&metrics);
	return status;
}

enum tp_status tp_simulated_run_store(struct tp_store *store, const struct tp_run_config *config,
                                      const struct tp_forecast *forecast, int64_t *run_id)
{
	struct tp_simulated_records made;
	TP_TRY(tp_simulated_records_make(forecast, &made));
	enum tp_status status = begin_run(store, config, forecast, run_id);
	if (status == TP_OK)
		status = add_epoch(store, *run_id, forecast, &made);
	if (status == TP_OK)
		status = tp_store_end_run(store, *run_id, TP_STORE_DONE, "", NULL, 0);
	tp_simulated_records_release(&made);
	return status;
}

enum tp_status tp_simulated_run_slots(struct tp_store *store, const struct tp_run_config *config, int64_t minis,
                                      int64_t *run_id)
{
	const struct tp_policy *policy;
	struct tp_forecast forecast;
	TP_TRY(tp_policy_find(config->schedule, &policy));
	const struct tp_forecast_request request = {.config = config, .named = policy, .minis = minis};
	enum tp_status status = tp_forecast_init(&forecast, &request);
	if (status == TP_OK)
		status = tp_simulated_run_store(store, config, &forecast, run_id);
	tp_forecast_release(&forecast);
	return status;
}
