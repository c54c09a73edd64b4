/* What a schedule would do, without doing it: the pipeline of one epoch with its costs and links, ready for the
 * simulator. In slots, when nothing that has a duration was asked for. */
#ifndef TP_ENGINE_RUN_FORECAST_H
#define TP_ENGINE_RUN_FORECAST_H

#include "engine/run/cost_source.h"
#include "engine/run/emulation.h"
#include "engine/schedule/slot_plan.h"

struct tp_forecast_request {
	const struct tp_run_config *config; /* costs "" is slots here, unless there are links or workers: then alone */
	const struct tp_policy *named;
	int64_t minis;
	const struct tp_dataset *dataset;  /* NULL unless tp_forecast_needs_model() */
	struct tp_run_control *control;    /* as in tp_cost_request */
	const struct tp_cost_table *given; /* costs from elsewhere; NULL: from config */
	int64_t message_bytes;             /* of one micro-batch between stages; 0: the model's */
};

struct tp_forecast {
	struct tp_policy policy;
	struct tp_pipeline pipeline;
	bool timed;                    /* in nanoseconds; else in slots */
	struct tp_cost_table measured; /* as on this machine */
	struct tp_cost_table costs;    /* at the workers' speeds */
	struct tp_emulation emulation;
	struct tp_slot_plan plan; /* static order and timed */
	bool replays;
};

/* Does the configuration want costs or message sizes of a model? */
bool tp_forecast_needs_model(const struct tp_run_config *config, int64_t message_bytes);

/* The forecast stays where it is: it points into itself. TP_ERR_INPUT for what a run would refuse, too. Release with
 * tp_forecast_release(), safe after a failure. */
enum tp_status tp_forecast_init(struct tp_forecast *forecast, const struct tp_forecast_request *request);
void tp_forecast_release(struct tp_forecast *forecast);

/* Simulate it. `hooks` may be NULL. Release the summary. */
enum tp_status tp_forecast_simulate(const struct tp_forecast *forecast, const struct tp_sim_hooks *hooks, void *context,
                                    struct tp_sim_summary *summary);

/* Estimate of the mean version difference: mean v = (W b + (W - 1) c) / P. One backward takes b and one message c, on
 * average over stages and boundaries, and a backward begins at the last stage every P. 0 with fewer than two of them.
 * `boundaries` may be NULL. */
double tp_version_difference_estimate(const struct tp_cost_table *costs, const struct tp_boundary_cost *boundaries,
                                      const struct tp_sim_summary *summary);

#endif
