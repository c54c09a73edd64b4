/* tpbench plan: a run planned and described, and nothing trained. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "baselines/policies.h"
#include "cli/forecasting.h"
#include "cli/recording.h"
#include "engine/run/trainer.h"
#include "engine/schedule/cost_file.h"
#include "results/stand_in.h"

#define MIB (1024.0 * 1024.0)

struct plan {
	const struct tp_options *options;
	const struct tp_trainer *trainer;
	const struct tp_run_info *info;
	const struct tp_emulation *emulation;
	struct tp_cost_table costs;
	struct tp_sim_summary forecast;
	bool stand_in; /* times of its device say nothing */
};

static int64_t reserved_total(const struct tp_stage_info *stage)
{
	int64_t total = 0;
	for (int32_t kind = 0; kind < TP_MEM_KINDS; kind++)
		total += stage->memory->reserved_bytes[kind];
	return total;
}

/* --- what the links carry -------------------------------------------------------------------------------------------
 */

/* Messages and bytes of one mini-batch over the boundary behind a stage. */
struct traffic {
	int64_t down_messages, up_messages, down_bytes, up_bytes;
};

static struct traffic traffic_of(const struct plan *plan, int32_t stage)
{
	int64_t bytes = tp_trainer_stage(plan->trainer, stage)->output_sample_bytes * plan->info->config->batch;
	return (struct traffic){
	        .down_messages = tp_forwards_per_mini(plan->info->policy, plan->info->micro_batches),
	        .up_messages = tp_backwards_per_mini(plan->info->policy, plan->info->micro_batches),
	        .down_bytes = bytes,
	        .up_bytes = bytes,
	};
}

/* The paper's volumes of one mini-batch, Eq. 17 to 21, summed over the boundaries since D, one micro-batch's
 * activation, differs between them: naive 2 N D each, nF1B (N + 1) D each. */
static void paper_volumes(const struct plan *plan, double *naive, double *nf1b)
{
	int32_t n = plan->info->micro_batches; /* 1 where a schedule ignores the option */
	*naive = *nf1b = 0;
	for (int32_t s = 0; s + 1 < plan->info->stages; s++) {
		double micro =
		        (double)tp_trainer_stage(plan->trainer, s)->output_sample_bytes * plan->info->config->batch / n;
		*naive += 2 * n * micro;
		*nf1b += (n + 1) * micro;
	}
}

/* --- text ------------------------------------------------------------------------------------------------------------
 */

static void print_head(const struct plan *plan)
{
	const struct tp_run_config *config = plan->info->config;
	const struct tp_run_info *info = plan->info;
	printf("%s on %s (%s), %s, %s order, %s clock\n", config->model, config->dataset, config->device,
	       info->policy->name, config->order == TP_ORDER_STATIC ? "static" : "dynamic",
	       config->clock == TP_CLOCK_REAL ? "real" : "virtual");
	printf("W = %" PRId32 ", N = %" PRId32 ", M = %" PRId32 ", %" PRId64 " mini-batches in an epoch, %" PRId64
	       " samples dropped\n\n",
	       info->stages, info->micro_batches, config->batch, info->minis_per_epoch, info->dropped_samples);
}

static void write_ring(char out[32], int64_t least, int64_t ring)
{
	if (ring == 0) /* no neighbour on this side */
		(void)snprintf(out, 32, "-");
	else
		(void)snprintf(out, 32, "%" PRId64 " of %" PRId64, least, ring);
}

static void print_stages(const struct plan *plan)
{
	printf("%5s  %-16.16s %6s %12s %14s %9s %9s %14s %9s %9s  %s\n", "stage", "worker", "blocks", "parameters",
	       "Mflop/sample F", "in flight", "versions", "slots x sample", "F needs", "B needs", "layers");
	for (int32_t s = 0; s < plan->info->stages; s++) {
		const struct tp_stage_info *stage = tp_trainer_stage(plan->trainer, s);
		char slots[32], rings[2][32];
		write_ring(rings[0], stage->least_forward, stage->ring_forward);
		write_ring(rings[1], stage->least_backward, stage->ring_backward);
		(void)snprintf(slots, sizeof slots, "%" PRId32 " x %" PRId32, stage->slots, stage->slot_samples);
		printf("%5" PRId32 "  %-16.16s %6" PRId32 " %12" PRId64 " %14.2f %9" PRId32 " %9" PRId32
		       " %14s %9s %9s  %s\n",
		       s, plan->emulation->cluster.worker_count ? plan->emulation->cluster.workers[s].name : "this",
		       stage->block_count, stage->parameters, (double)stage->forward_flops_per_sample * 1e-6,
		       stage->in_flight_limit, stage->version_buffers, slots, rings[0], rings[1], stage->blocks);
	}
	printf("verified; needs: of the messages that a queue holds, those for which nobody waits; %s\n",
	       plan->info->rendezvous ? "would run under rendezvous sends, too"
	                              : "would stand still under rendezvous sends");
}

static void print_memory(const struct plan *plan)
{
	printf("\n%-18s", "reserved, MiB");
	for (int32_t s = 0; s < plan->info->stages; s++)
		printf(" %8s %2" PRId32, "stage", s);
	for (int32_t kind = 0; kind < TP_MEM_DATA; kind++) {
		printf("\n%-18s", tp_mem_kind_text((enum tp_mem_kind)kind));
		for (int32_t s = 0; s < plan->info->stages; s++)
			printf(" %11.1f",
			       (double)tp_trainer_stage(plan->trainer, s)->memory->reserved_bytes[kind] / MIB);
	}
	printf("\n%-18s", "total");
	for (int32_t s = 0; s < plan->info->stages; s++)
		printf(" %11.1f", (double)reserved_total(tp_trainer_stage(plan->trainer, s)) / MIB);
	if (plan->emulation->cluster.worker_count) {
		printf("\n%-18s", "worker's limit");
		for (int32_t s = 0; s < plan->info->stages; s++) {
			int64_t limit = plan->emulation->cluster.workers[s].memory_bytes;
			if (limit)
				printf(" %11.1f", (double)limit / MIB);
			else
				printf(" %11s", "none");
		}
	}
	putchar('\n');
}

static void print_communication(const struct plan *plan)
{
	double naive, nf1b;
	if (plan->info->stages < 2)
		return;
	printf("\n%-9s %10s %12s %10s %12s  %s\n", "boundary", "messages", "KiB down", "messages", "KiB up",
	       "link down / up, per mini-batch");
	for (int32_t s = 0; s + 1 < plan->info->stages; s++) {
		struct traffic traffic = traffic_of(plan, s);
		struct tp_text links = {0};
		if (plan->emulation->downstream) {
			tp_link_text(&plan->emulation->downstream[s], &links);
			tp_text_add(&links, " / ");
			tp_link_text(&plan->emulation->upstream[s], &links);
		}
		printf("%3" PRId32 " - %-3" PRId32 " %10" PRId64 " %12.1f %10" PRId64 " %12.1f  %s\n", s, s + 1,
		       traffic.down_messages, (double)traffic.down_bytes / 1024, traffic.up_messages,
		       (double)traffic.up_bytes / 1024, links.length ? tp_text_get(&links) : "none");
		tp_text_release(&links);
	}
	paper_volumes(plan, &naive, &nf1b);
	printf("the paper's Eq. 17 to 21, all boundaries: naive 2 N D = %.1f KiB, nF1B (N+1) D = %.1f KiB, D one "
	       "micro-batch's\nactivation; a backward over the mini-batch sends the gradient of all its samples, that "
	       "is N "
	       "D, not D\n",
	       naive / 1024, nf1b / 1024);
}

static void print_forecast(const struct plan *plan)
{
	const struct tp_sim_summary *forecast = &plan->forecast;
	double samples = (double)(plan->info->minis_per_epoch * plan->info->config->batch);
	int64_t busy = 0;
	for (int32_t s = 0; s < plan->info->stages; s++)
		busy += forecast->busy[s];
	const char *costs = plan->info->config->costs;
	if (plan->stand_in) {
		printf("\ntimes: none, what runs as device %s " TP_STAND_IN_SAYS "\n", plan->info->config->device);
		printf("Nothing was trained; the plan holds.\n");
		return;
	}
	printf("\npredicted with costs %s: %.1f ms an epoch, %.1f samples/s, idle/total %.1f %%, v at most %" PRId64
	       ", mean %.2f\n",
	       costs[0] ? costs : "alone", (double)forecast->makespan * 1e-6,
	       samples / ((double)forecast->makespan * 1e-9),
	       100 * (1 - (double)busy / ((double)forecast->makespan * plan->info->stages)),
	       forecast->version_difference_max, forecast->version_difference_mean);
	printf("Nothing was trained; the plan holds.\n");
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

/* Of a device whose clock says nothing: null. */
static json_t *time_json(const struct plan *plan, int64_t ns)
{
	return plan->stand_in ? json_null() : json_integer(ns);
}

static json_t *stage_json(const struct plan *plan, int32_t s)
{
	const struct tp_stage_info *stage = tp_trainer_stage(plan->trainer, s);
	json_t *memory = json_object();
	for (int32_t kind = 0; kind < TP_MEM_DATA; kind++)
		json_object_set_new(memory, tp_mem_kind_text((enum tp_mem_kind)kind),
		                    json_integer(stage->memory->reserved_bytes[kind]));
	return json_pack("{s:i, s:s, s:i, s:I, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "stage",
	                 (int)s, "layers", stage->blocks, "blocks", (int)stage->block_count, "parameters",
	                 (json_int_t)stage->parameters, "forward_flops_per_sample",
	                 (json_int_t)stage->forward_flops_per_sample, "in_flight_mini_batches",
	                 (int)stage->in_flight_limit, "slots", (int)stage->slots, "slot_samples",
	                 (int)stage->slot_samples, "version_buffers", (int)stage->version_buffers, "ring_forward",
	                 (json_int_t)stage->ring_forward, "ring_backward", (json_int_t)stage->ring_backward,
	                 "ring_forward_least", (json_int_t)stage->least_forward, "ring_backward_least",
	                 (json_int_t)stage->least_backward, "reserved_bytes", memory, "reserved_total_bytes",
	                 (json_int_t)reserved_total(stage), "busy_ns", time_json(plan, plan->forecast.busy[s]));
}

static enum tp_status print_json(const struct plan *plan)
{
	const struct tp_run_config *config = plan->info->config;
	json_t *stages = json_array(), *boundaries = json_array();
	double naive, nf1b;
	paper_volumes(plan, &naive, &nf1b);
	for (int32_t s = 0; s < plan->info->stages; s++)
		json_array_append_new(stages, stage_json(plan, s));
	for (int32_t s = 0; s + 1 < plan->info->stages; s++) {
		struct traffic traffic = traffic_of(plan, s);
		json_array_append_new(boundaries,
		                      json_pack("{s:i, s:i, s:I, s:I, s:I, s:I}", "from_stage", (int)s, "to_stage",
		                                (int)s + 1, "down_messages", (json_int_t)traffic.down_messages,
		                                "down_bytes", (json_int_t)traffic.down_bytes, "up_messages",
		                                (json_int_t)traffic.up_messages, "up_bytes",
		                                (json_int_t)traffic.up_bytes));
	}
	json_t *root = json_pack(
	        "{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:b, s:o, s:o, s:f, s:f, s:s, s:o, s:I, s:f}", "schedule",
	        plan->info->policy->name, "model", config->model, "device", config->device, "stages",
	        (int)plan->info->stages, "micro_batches", (int)plan->info->micro_batches, "batch_samples",
	        (int)config->batch, "mini_batches_per_epoch", (json_int_t)plan->info->minis_per_epoch,
	        "dropped_samples", (json_int_t)plan->info->dropped_samples, "rendezvous", plan->info->rendezvous,
	        "per_stage", stages, "per_boundary_and_mini_batch", boundaries, "paper_naive_bytes", naive,
	        "paper_nf1b_bytes", nf1b, "costs", config->costs[0] ? config->costs : "alone", "predicted_epoch_ns",
	        time_json(plan, plan->forecast.makespan), "version_difference_max",
	        (json_int_t)plan->forecast.version_difference_max, "version_difference_mean",
	        plan->forecast.version_difference_mean);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "plan: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

/* --- the command -----------------------------------------------------------------------------------------------------
 */

static enum tp_status describe(struct plan *plan)
{
	if (plan->options->save_costs[0])
		TP_TRY(tp_cost_file_write(plan->options->save_costs, &plan->costs));
	if (plan->options->json)
		return print_json(plan);
	print_head(plan);
	print_stages(plan);
	print_memory(plan);
	print_communication(plan);
	print_forecast(plan);
	return TP_OK;
}

static enum tp_status make_plan(struct tp_forecasting *forecasting, const struct tp_options *options)
{
	const struct tp_policy *policy;
	struct tp_run_config config = options->config;
	struct tp_trainer *trainer = NULL;
	struct plan plan = {.options = options, .stand_in = tp_recording_on_stand_in(&options->config)};
	TP_TRY(tp_policy_find(config.schedule, &policy));
	TP_TRY(tp_run_config_check(&config));
	TP_TRY(tp_forecasting_open_dataset(forecasting, &config));
	TP_TRY(tp_forecasting_init(forecasting, options));
	const struct tp_cost_table *given;
	TP_TRY(tp_forecasting_stored_costs(forecasting, options, &config, policy, &given));
	TP_TRY(tp_trainer_new_with_costs(&config, policy, forecasting->dataset, &forecasting->control, given,
	                                 &trainer));
	enum tp_status status = tp_trainer_forecast(trainer, given, &plan.costs, &plan.forecast);
	if (status == TP_OK) {
		plan.trainer = trainer;
		plan.info = tp_trainer_info(trainer);
		plan.emulation = tp_trainer_emulation(trainer);
		status = describe(&plan);
	}
	tp_sim_summary_release(&plan.forecast);
	tp_cost_table_release(&plan.costs);
	tp_trainer_free(trainer);
	return status;
}

enum tp_status tp_command_plan(const struct tp_arguments *arguments)
{
	struct tp_forecasting forecasting = {0};
	enum tp_status status = make_plan(&forecasting, &arguments->options);
	tp_forecasting_release(&forecasting);
	return status;
}
