#include "cli/forecasting.h"

#include "cli/stored_costs.h"
#include "engine/data/dataset.h"
#include "engine/run/axes.h"

enum tp_status tp_forecasting_open_dataset(struct tp_forecasting *forecasting, const struct tp_run_config *config)
{
	const struct tp_dataset_options options = {
	        .dir = config->data_dir[0] ? config->data_dir : NULL,
	        .seed = config->seed,
	        .synthetic_train = config->synthetic_train,
	        .synthetic_test = config->synthetic_test,
	};
	return tp_dataset_open(config->dataset, &options, &forecasting->dataset);
}

enum tp_status tp_forecasting_init(struct tp_forecasting *forecasting, const struct tp_options *options)
{
	if (options->message[0]) {
		TP_TRY(tp_parse_bytes("--message", options->message, &forecasting->message_bytes));
		if (forecasting->message_bytes < 1)
			return tp_fail(TP_ERR_INPUT, "--message: expected at least 1 byte, found '%s'",
			               options->message);
	}
	bool needs_model = tp_forecast_needs_model(&options->config, forecasting->message_bytes);
	return needs_model && !forecasting->dataset ? tp_forecasting_open_dataset(forecasting, &options->config)
	                                            : TP_OK;
}

void tp_forecasting_release(struct tp_forecasting *forecasting)
{
	tp_dataset_free(forecasting->dataset);
	tp_cost_table_release(&forecasting->stored);
	*forecasting = (struct tp_forecasting){0};
}

enum tp_status tp_forecasting_stored_costs(struct tp_forecasting *forecasting, const struct tp_options *options,
                                           const struct tp_run_config *config, const struct tp_policy *policy,
                                           const struct tp_cost_table **given)
{
	struct tp_policy applied;
	struct tp_pipeline pipeline;
	int64_t run_id;
	bool is_run;
	*given = NULL;
	TP_TRY(tp_cost_source_run(config->costs, &is_run, &run_id));
	if (!is_run)
		return TP_OK;
	tp_cost_table_release(&forecasting->stored);
	TP_TRY(tp_axes_apply(config, policy, 1, &applied, &pipeline));
	TP_TRY(tp_stored_costs_read(options->db, run_id, tp_cost_shape_of(&pipeline), &forecasting->stored));
	*given = &forecasting->stored;
	return TP_OK;
}

enum tp_status tp_forecasting_make(struct tp_forecasting *forecasting, const struct tp_options *options,
                                   const struct tp_run_config *config, const struct tp_policy *policy, int64_t minis,
                                   struct tp_forecast *forecast)
{
	const struct tp_cost_table *given;
	*forecast = (struct tp_forecast){0};
	TP_TRY(tp_forecasting_stored_costs(forecasting, options, config, policy, &given));
	const struct tp_forecast_request request = {
	        .config = config,
	        .named = policy,
	        .minis = minis,
	        .dataset = forecasting->dataset,
	        .control = &forecasting->control,
	        .given = given,
	        .message_bytes = forecasting->message_bytes,
	};
	return tp_forecast_init(forecast, &request);
}
