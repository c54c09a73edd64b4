/* tpbench simulate: a schedule without arithmetic, on ideal slots or with the costs of operations and links, as a grid,
 * a table, JSON or a timeline. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "baselines/policies.h"
#include "cli/forecasting.h"
#include "cli/simulated_picture.h"
#include "engine/schedule/cost_file.h"
#include "engine/schedule/grid.h"

/* "slots" or "ns": what times are in. */
static const char *unit_of(const struct tp_forecast *forecast)
{
	return forecast->timed ? "ns" : "slots";
}

static double idle_share(const struct tp_sim_summary *summary, int32_t stage)
{
	return 1 - (double)summary->busy[stage] / (double)summary->makespan;
}

static double mean_idle_share(const struct tp_forecast *forecast, const struct tp_sim_summary *summary)
{
	double sum = 0;
	for (int32_t s = 0; s < forecast->pipeline.stages; s++)
		sum += idle_share(summary, s);
	return sum / forecast->pipeline.stages;
}

/* --- grid ----------------------------------------------------------------------------------------------------------
 */

/* The grid has one token per slot, so only slots can be drawn. */
static enum tp_status print_grid(const struct tp_forecast *forecast)
{
	struct tp_text grid = {0};
	if (forecast->timed)
		return tp_fail(TP_ERR_INPUT,
		               "--format grid: draws slots; expected no --costs, --link or --cluster with it");
	enum tp_status status = tp_grid_text(&forecast->pipeline, &grid);
	if (status == TP_OK)
		fputs(tp_text_get(&grid), stdout);
	tp_text_release(&grid);
	return status;
}

/* --- table ---------------------------------------------------------------------------------------------------------
 */

static void print_head(const struct tp_forecast *forecast, const struct tp_run_config *config)
{
	const struct tp_pipeline *pipeline = &forecast->pipeline;
	printf("schedule %s, %" PRId32 " stages, %" PRId32 " micro-batches, %" PRId64 " mini-batches, ",
	       pipeline->policy->name, pipeline->stages, pipeline->micro_batches, pipeline->minis);
	if (!forecast->timed) {
		printf("ideal slots\n\n");
		return;
	}
	printf("%s order, costs %s", config->order == TP_ORDER_STATIC ? "static" : "dynamic",
	       config->costs[0] ? config->costs : "alone");
	printf("%s%s%s%s\n\n", config->link[0] ? ", link " : "", config->link, config->cluster[0] ? ", cluster " : "",
	       config->cluster);
}

static void print_table(const struct tp_forecast *forecast, const struct tp_run_config *config,
                        const struct tp_sim_summary *summary)
{
	const char *unit = unit_of(forecast);
	print_head(forecast, config);
	printf("makespan %" PRId64 " %s, %" PRId64 " operations, idle/total %.1f %%\n", summary->makespan, unit,
	       summary->operations, 100 * mean_idle_share(forecast, summary));
	printf("version difference: most %" PRId64 ", mean %.2f; chains of updates: %" PRId64 "\n\n",
	       summary->version_difference_max, summary->version_difference_mean, summary->version_chains);
	printf("%5s  %10s %-5s  %10s %-5s  %10s  %16s\n", "stage", "busy", unit, "idle", unit, "idle/total",
	       "versions at most");
	for (int32_t s = 0; s < forecast->pipeline.stages; s++)
		printf("%5" PRId32 "  %16" PRId64 "  %16" PRId64 "  %8.1f %%  %16" PRId32 "\n", s, summary->busy[s],
		       summary->makespan - summary->busy[s], 100 * idle_share(summary, s),
		       summary->versions_alive_max[s]);
}

/* --- JSON ----------------------------------------------------------------------------------------------------------
 */

static enum tp_status add_operation(void *context, const struct tp_sim_op *op)
{
	char letters[8];
	json_t *micro = op->action.micro == TP_WHOLE ? json_null()
	                                             : json_string(tp_micro_letters(op->action.micro, true, letters));
	json_t *row = json_pack("{s:i, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:b}", "stage", (int)op->stage, "operation",
	                        tp_op_kind_text(op->action.kind), "mini_batch", (json_int_t)op->action.mini,
	                        "micro_batch", micro, "start", (json_int_t)op->start, "end", (json_int_t)op->end,
	                        "version_read", (json_int_t)op->version_read, "version_live",
	                        (json_int_t)op->version_live, "updates", op->updates);
	if (!row || json_array_append_new(context, row) != 0)
		return tp_fail(TP_ERR_NOMEM, "simulate: no memory for the JSON object");
	return TP_OK;
}

static json_t *stages_json(const struct tp_forecast *forecast, const struct tp_sim_summary *summary)
{
	const char *busy = forecast->timed ? "busy_ns" : "busy_slots",
	           *idle = forecast->timed ? "idle_ns" : "idle_slots";
	json_t *stages = json_array();
	for (int32_t s = 0; s < forecast->pipeline.stages; s++)
		json_array_append_new(stages, json_pack("{s:i, s:I, s:I, s:f, s:i}", "stage", (int)s, busy,
		                                        (json_int_t)summary->busy[s], idle,
		                                        (json_int_t)(summary->makespan - summary->busy[s]),
		                                        "idle_share_of_total", idle_share(summary, s),
		                                        "versions_alive_max", (int)summary->versions_alive_max[s]));
	return stages;
}

static enum tp_status print_json(const struct tp_forecast *forecast, const struct tp_sim_summary *summary,
                                 json_t *operations)
{
	const struct tp_pipeline *pipeline = &forecast->pipeline;
	json_t *root = json_pack(
	        "{s:s, s:i, s:i, s:I, s:s, s:I, s:I, s:f, s:I, s:f, s:I, s:o, s:o*}", "schedule",
	        pipeline->policy->name, "stages", (int)pipeline->stages, "micro_batches", (int)pipeline->micro_batches,
	        "mini_batches", (json_int_t)pipeline->minis, "time_unit", unit_of(forecast), "operations",
	        (json_int_t)summary->operations, forecast->timed ? "makespan_ns" : "makespan_slots",
	        (json_int_t)summary->makespan, "idle_share_of_total", mean_idle_share(forecast, summary),
	        "version_difference_max", (json_int_t)summary->version_difference_max, "version_difference_mean",
	        summary->version_difference_mean, "version_chains", (json_int_t)summary->version_chains, "per_stage",
	        stages_json(forecast, summary), "per_operation", operations);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "simulate: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

/* --- the command ---------------------------------------------------------------------------------------------------
 */

static enum tp_status simulate(const struct tp_forecast *forecast, const struct tp_options *options)
{
	const struct tp_sim_hooks hooks = {.end = add_operation};
	json_t *operations = options->ops ? json_array() : NULL;
	struct tp_sim_summary summary = {0};
	enum tp_status status = tp_forecast_simulate(forecast, operations ? &hooks : NULL, operations, &summary);
	if (status == TP_OK && options->format == TP_SIMULATE_JSON)
		status = print_json(forecast, &summary, operations);
	else if (status == TP_OK)
		print_table(forecast, &options->config, &summary);
	else if (operations)
		json_decref(operations);
	tp_sim_summary_release(&summary);
	return status;
}

static bool is_picture(const struct tp_options *options)
{
	return options->format == TP_SIMULATE_SVG || options->format == TP_SIMULATE_HTML;
}

static enum tp_status run(struct tp_forecasting *forecasting, const struct tp_options *options,
                          struct tp_forecast *forecast)
{
	const struct tp_policy *policy;
	TP_TRY(tp_policy_find(options->config.schedule, &policy));
	if (options->ops && options->format != TP_SIMULATE_JSON)
		return tp_fail(TP_ERR_INPUT, "--ops: expected --format json with it");
	if ((options->out[0] || options->versions) && !is_picture(options))
		return tp_fail(TP_ERR_INPUT, "%s: expected --format svg or html with it",
		               options->out[0] ? "--out" : "--versions");
	TP_TRY(tp_forecasting_init(forecasting, options));
	TP_TRY(tp_forecasting_make(forecasting, options, &options->config, policy, options->config.mini_batches,
	                           forecast));
	if (options->save_costs[0]) {
		if (!forecast->timed)
			return tp_fail(TP_ERR_INPUT, "--save-costs: expected --costs with it");
		TP_TRY(tp_cost_file_write(options->save_costs, &forecast->measured));
	}
	if (is_picture(options))
		return tp_simulated_picture(options, forecast);
	return options->format == TP_SIMULATE_GRID ? print_grid(forecast) : simulate(forecast, options);
}

enum tp_status tp_command_simulate(const struct tp_arguments *arguments)
{
	struct tp_forecasting forecasting = {0};
	struct tp_forecast forecast = {0};
	enum tp_status status = run(&forecasting, &arguments->options, &forecast);
	tp_forecast_release(&forecast);
	tp_forecasting_release(&forecasting);
	return status;
}
