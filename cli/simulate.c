/* tpbench simulate: the slot plan of a schedule as a grid, a table or JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "baselines/policies.h"
#include "cli/commands.h"
#include "engine/schedule/grid.h"
#include "engine/schedule/simulator.h"

static enum tp_status print_grid(const struct tp_pipeline *pipeline)
{
	struct tp_text grid = {0};
	enum tp_status status = tp_grid_text(pipeline, &grid);
	if (status == TP_OK)
		fputs(tp_text_get(&grid), stdout);
	tp_text_release(&grid);
	return status;
}

static double idle_share(const struct tp_sim_summary *summary, int32_t stage)
{
	return 1 - (double)summary->busy[stage] / (double)summary->makespan;
}

static double mean_idle_share(const struct tp_pipeline *pipeline, const struct tp_sim_summary *summary)
{
	double sum = 0;
	for (int32_t s = 0; s < pipeline->stages; s++)
		sum += idle_share(summary, s);
	return sum / pipeline->stages;
}

static void print_table(const struct tp_pipeline *pipeline, const struct tp_sim_summary *summary)
{
	printf("schedule %s, %" PRId32 " stages, %" PRId32 " micro-batches, %" PRId64 " mini-batches, ideal slots\n\n",
	       pipeline->policy->name, pipeline->stages, pipeline->micro_batches, pipeline->minis);
	printf("makespan %" PRId64 " slots, %" PRId64 " operations, idle/total %.1f %%\n", summary->makespan,
	       summary->operations, 100 * mean_idle_share(pipeline, summary));
	printf("version difference: most %" PRId64 ", mean %.2f\n\n", summary->version_difference_max,
	       summary->version_difference_mean);
	printf("%5s  %10s  %10s  %10s  %16s\n", "stage", "busy slots", "idle slots", "idle/total", "versions at most");
	for (int32_t s = 0; s < pipeline->stages; s++)
		printf("%5" PRId32 "  %10" PRId64 "  %10" PRId64 "  %8.1f %%  %16" PRId32 "\n", s, summary->busy[s],
		       summary->makespan - summary->busy[s], 100 * idle_share(summary, s),
		       summary->versions_alive_max[s]);
}

static enum tp_status print_json(const struct tp_pipeline *pipeline, const struct tp_sim_summary *summary)
{
	json_t *stages = json_array();
	for (int32_t s = 0; s < pipeline->stages; s++)
		json_array_append_new(stages, json_pack("{s:i, s:I, s:I, s:f, s:i}", "stage", (int)s, "busy_slots",
		                                        (json_int_t)summary->busy[s], "idle_slots",
		                                        (json_int_t)(summary->makespan - summary->busy[s]),
		                                        "idle_share_of_total", idle_share(summary, s),
		                                        "versions_alive_max", (int)summary->versions_alive_max[s]));
	json_t *root = json_pack(
	        "{s:s, s:i, s:i, s:I, s:I, s:I, s:f, s:I, s:f, s:o}", "schedule", pipeline->policy->name, "stages",
	        (int)pipeline->stages, "micro_batches", (int)pipeline->micro_batches, "mini_batches",
	        (json_int_t)pipeline->minis, "operations", (json_int_t)summary->operations, "makespan_slots",
	        (json_int_t)summary->makespan, "idle_share_of_total", mean_idle_share(pipeline, summary),
	        "version_difference_max", (json_int_t)summary->version_difference_max, "version_difference_mean",
	        summary->version_difference_mean, "per_stage", stages);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "simulate: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

/* `--backward-version` on a policy that has the choice. */
static enum tp_status apply_backward_version(const struct tp_run_config *config, struct tp_policy *policy)
{
	if (config->backward_version == TP_BACKWARD_DEFAULT)
		return TP_OK;
	if (!policy->backward_version_option)
		return tp_fail(TP_ERR_INPUT, "--backward-version: %s has no choice of what a backward reads",
		               policy->name);
	policy->backward_reads = config->backward_version == TP_BACKWARD_LATEST ? TP_READS_LIVE : TP_READS_COMMITTED;
	return TP_OK;
}

enum tp_status tp_command_simulate(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	const struct tp_policy *named;
	TP_TRY(tp_policy_find(options->config.schedule, &named));
	struct tp_policy policy = *named;
	TP_TRY(apply_backward_version(&options->config, &policy));
	struct tp_pipeline pipeline = {
	        .policy = &policy,
	        .stages = policy.single_stage ? 1 : options->config.stages,
	        .micro_batches = options->config.micro_batches,
	        .minis = options->config.mini_batches,
	};
	if (options->format == TP_SIMULATE_GRID)
		return print_grid(&pipeline);
	struct tp_sim_summary summary = {0};
	enum tp_status status = tp_simulate(&pipeline, NULL, NULL, NULL, &summary);
	if (status == TP_OK && options->format == TP_SIMULATE_JSON)
		status = print_json(&pipeline, &summary);
	else if (status == TP_OK)
		print_table(&pipeline, &summary);
	tp_sim_summary_release(&summary);
	return status;
}
