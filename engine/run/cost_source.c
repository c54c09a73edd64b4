#include "engine/run/cost_source.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/run/costs.h"
#include "engine/run/crew.h"
#include "engine/schedule/cost_file.h"

/* Each operation alone is the median of so many rounds, after one that is not counted. */
enum { ALONE_ROUNDS = 9 };

/* Loaded costs come from an epoch of so many mini-batches beyond what fills and drains the pipeline, after one that
 * warms up. */
enum { LOADED_MINIS = 12 };

/* A rate to count operations by when none is given, flop/s: what one core of a present processor reaches. */
static const double FLOPS_DEFAULT = 1e11;

static const char *after(const char *source, const char *prefix)
{
	size_t length = strlen(prefix);
	return strncmp(source, prefix, length) == 0 ? source + length : NULL;
}

static bool is_flops(const char *source)
{
	const char *rest = after(source, "flops");
	return rest && (*rest == '\0' || *rest == ':');
}

bool tp_cost_source_needs_model(const char *source)
{
	return *source == '\0' || strcmp(source, "alone") == 0 || strcmp(source, "loaded") == 0 || is_flops(source);
}

enum tp_status tp_cost_source_run(const char *source, bool *is_run, int64_t *run_id)
{
	const char *number = after(source, "run:");
	*is_run = number != NULL;
	return number ? tp_parse_i64("--costs run", number, 1, INT64_MAX, run_id) : TP_OK;
}

/* --- measured -------------------------------------------------------------------------------------------------------
 */

/* The experiment itself, in real time and without anything emulated. */
static struct tp_run_config measuring_config(const struct tp_run_config *config)
{
	struct tp_run_config measured = *config;
	measured.clock = TP_CLOCK_REAL;
	measured.costs[0] = measured.link[0] = measured.cluster[0] = '\0';
	measured.load_weights[0] = '\0';
	measured.partial = false;
	measured.evaluate = false;
	measured.profile = TP_PROFILE_OPS;
	return measured;
}

static enum tp_status measure_alone(const struct tp_cost_request *request, struct tp_cost_table *table)
{
	struct tp_run_config config = measuring_config(request->config);
	struct tp_trainer *trainer = NULL;
	TP_TRY(tp_trainer_new(&config, request->named, request->dataset, request->control, &trainer));
	enum tp_status status = tp_costs_alone(trainer, ALONE_ROUNDS, table);
	tp_trainer_free(trainer);
	return status;
}

static enum tp_status measure_loaded(const struct tp_cost_request *request, struct tp_cost_table *table)
{
	struct tp_run_config config = measuring_config(request->config);
	int32_t minis = LOADED_MINIS + 2 * request->pipeline->stages;
	if (config.mini_batches == 0 || config.mini_batches > minis)
		config.mini_batches = minis;
	struct tp_trainer *trainer = NULL;
	struct tp_epoch_result result;
	TP_TRY(tp_trainer_new(&config, request->named, request->dataset, request->control, &trainer));
	enum tp_status status = tp_trainer_epoch(trainer, &result);
	if (status == TP_OK)
		status = tp_trainer_epoch(trainer, &result);
	if (status == TP_OK)
		status = tp_costs_from_records(tp_cost_shape_of(request->pipeline), result.records.ops,
		                               result.records.op_count, table);
	tp_trainer_free(trainer);
	return status;
}

/* --- counted --------------------------------------------------------------------------------------------------------
 */

static enum tp_status count_flops(const struct tp_cost_request *request, struct tp_cost_table *table)
{
	const char *rate = after(request->config->costs, "flops:");
	double flops_per_s = FLOPS_DEFAULT;
	if (rate)
		TP_TRY(tp_parse_flops("--costs flops", rate, &flops_per_s));
	struct tp_plan plan;
	enum tp_status status = tp_plan_init(&plan, request->config, request->named, request->dataset);
	if (status == TP_OK)
		status = tp_costs_flops(plan.model, plan.blocks_per_stage, plan.slicing,
		                        tp_cost_shape_of(request->pipeline),
		                        request->config->backward == TP_BACKWARD_RECOMPUTE, flops_per_s, table);
	tp_plan_release(&plan);
	return status;
}

enum tp_status tp_costs_obtain(const struct tp_cost_request *request, struct tp_cost_table *table)
{
	const char *source = request->config->costs;
	struct tp_cost_shape shape = tp_cost_shape_of(request->pipeline);
	const char *uniform = after(source, "uniform:");
	int64_t run_id;
	bool is_run;
	if (request->given)
		return tp_cost_table_copy(table, request->given, shape);
	if (*source == '\0' || strcmp(source, "alone") == 0)
		return measure_alone(request, table);
	if (strcmp(source, "loaded") == 0)
		return measure_loaded(request, table);
	if (is_flops(source))
		return count_flops(request, table);
	if (uniform)
		return tp_cost_table_uniform(table, shape, request->pipeline->micro_batches, uniform);
	TP_TRY(tp_cost_source_run(source, &is_run, &run_id));
	if (is_run)
		return tp_fail(TP_ERR_INPUT, "--costs %s: no database to read it from here", source);
	return tp_cost_file_read(source, shape, table);
}
