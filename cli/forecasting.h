/* What simulate, theory and plan share: a forecast made from options, with whatever data and database it needs. */
#ifndef TP_CLI_FORECASTING_H
#define TP_CLI_FORECASTING_H

#include "cli/commands.h"
#include "engine/run/forecast.h"

struct tp_forecasting {
	struct tp_run_control control;
	struct tp_dataset *dataset;  /* opened when a model is needed; owned */
	struct tp_cost_table stored; /* of --costs run:ID, for the latest pipeline asked for */
	int64_t message_bytes;
};

/* Open what `options` calls for, into a zeroed structure. Release with tp_forecasting_release(), safe after a failure.
 */
enum tp_status tp_forecasting_init(struct tp_forecasting *forecasting, const struct tp_options *options);
void tp_forecasting_release(struct tp_forecasting *forecasting);

/* Open the data set whether it is called for or not. */
enum tp_status tp_forecasting_open_dataset(struct tp_forecasting *forecasting, const struct tp_run_config *config);

/* Costs of --costs run:ID for a schedule, in forecasting->stored; *given NULL when they come from elsewhere. */
enum tp_status tp_forecasting_stored_costs(struct tp_forecasting *forecasting, const struct tp_options *options,
                                           const struct tp_run_config *config, const struct tp_policy *policy,
                                           const struct tp_cost_table **given);

/* A forecast of `config` (options->config, or a variation of it) over `minis` mini-batches. */
enum tp_status tp_forecasting_make(struct tp_forecasting *forecasting, const struct tp_options *options,
                                   const struct tp_run_config *config, const struct tp_policy *policy, int64_t minis,
                                   struct tp_forecast *forecast);

#endif
