/* Where the costs of operations come from, --costs: measured here (alone, loaded), counted (flops), assumed (uniform)
 * or read from a file. Costs of a stored run (run:ID) are read by whoever has the database, and given. */
#ifndef TP_ENGINE_RUN_COST_SOURCE_H
#define TP_ENGINE_RUN_COST_SOURCE_H

#include "engine/run/trainer.h"

/* Needs the model and data of a run: alone, which is also the default (""), loaded, flops. */
bool tp_cost_source_needs_model(const char *source);
/* "run:ID": a positive number after "run:"; TP_ERR_INPUT when it is not. *is_run false: another source. */
enum tp_status tp_cost_source_run(const char *source, bool *is_run, int64_t *run_id);

struct tp_cost_request {
	const struct tp_run_config *config;
	const struct tp_policy *named;    /* as in the table of policies, for measuring */
	const struct tp_dataset *dataset; /* NULL unless the source needs a model */
	struct tp_run_control *control;   /* NULL unless the source measures */
	const struct tp_pipeline *pipeline;
	const struct tp_cost_table *given; /* NULL: from config->costs */
};

/* Costs for the pipeline, as on this machine, that is, before any worker's speed. TP_ERR_INPUT names the option, file,
 * line and field. Release with tp_cost_table_release(). */
enum tp_status tp_costs_obtain(const struct tp_cost_request *request, struct tp_cost_table *table);

#endif
