#include "cli/forecasting.h"

#include "engine/data/dataset.h"

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

enum tp_status tp_forecasting_make(struct tp_forecasting *forecasting, const struct tp_options *options,
                                   const struct tp_run_config *config, const struct tp_policy *policy, int64_t minis,
                                   struct tp_forecast *forecast)
{
	(void)options;
	const struct tp_forecast_request request = {
	        .config = config,
	        .named = policy,
	        .minis = minis,
	        .dataset = forecasting->dataset,
	        .control = &forecasting->control,
	        .given = forecasting->stored.values ? &forecasting->stored : NULL,
	        .message_bytes = forecasting->message_bytes,
	};
	return tp_forecast_init(forecast, &request);
}
