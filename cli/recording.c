#include "cli/recording.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "engine/backend/device.h"
#include "engine/base/memory.h"
#include "engine/run/emulation.h"
#include "results/environment.h"
#include "results/stand_in.h"

#define PARAMETERS_MAX 64

/* Every option that shaped the run, by name, as a user would write it. */
struct parameters {
	struct tp_store_pair pairs[PARAMETERS_MAX];
	struct tp_text values[PARAMETERS_MAX];
	int32_t count;
};

static void add_parameter(struct parameters *parameters, const struct tp_option *option, const void *base)
{
	TP_CHECK(parameters->count < PARAMETERS_MAX);
	struct tp_text *value = &parameters->values[parameters->count];
	tp_option_get(option, base, value);
	parameters->pairs[parameters->count++] = (struct tp_store_pair){option->name, tp_text_get(value)};
}

static void collect_parameters(struct parameters *parameters, const struct tp_options *options,
                               const struct tp_run_config *config)
{
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (tp_option_of_config(option) && (option->commands & TP_FOR_RUN))
			add_parameter(parameters, option, config);
	}
	add_parameter(parameters, tp_option_find("warm-up", TP_FOR_RUN), options);
	add_parameter(parameters, tp_option_find("repeats", TP_FOR_RUN), options);
}

static enum tp_status release_parameters(struct parameters *parameters)
{
	bool failed = false;
	for (int32_t i = 0; i < parameters->count; i++) {
		failed = failed || parameters->values[i].failed;
		tp_text_release(&parameters->values[i]);
	}
	tp_free(parameters);
	return failed ? TP_ERR_NOMEM : TP_OK;
}

static enum tp_status collect_environment(const struct tp_device_ops *device, struct tp_environment *environment)
{
	struct tp_text probed = {0};
	(void)device->probe(&probed);
	const struct tp_store_pair extra[] = {
	        {"device", tp_text_get(&probed)},
	        {"jansson_version", jansson_version_str()},
	        {"zlib_version", zlibVersion()},
	};
	enum tp_status status = tp_environment_collect(environment, extra, (int32_t)(sizeof extra / sizeof *extra));
	tp_text_release(&probed);
	return status;
}

/* The stages as the database wants them, `info->stages` of them; NULL when memory runs out. */
static struct tp_store_stage *collect_stages(const struct tp_trainer *trainer, const struct tp_run_info *info)
{
	struct tp_store_stage *stages = tp_alloc_array((size_t)info->stages, sizeof *stages);
	for (int32_t s = 0; stages && s < info->stages; s++) {
		const struct tp_stage_info *stage = tp_trainer_stage(trainer, s);
		stages[s] = (struct tp_store_stage){
		        .stage = s,
		        .first_block = stage->first_block,
		        .block_count = stage->block_count,
		        .layers = stage->blocks,
		        .parameters = stage->parameters,
		        .forward_flops_per_sample = stage->forward_flops_per_sample,
		        .in_flight_limit_minis = stage->in_flight_limit,
		        .algorithms = stage->algorithms,
		};
	}
	return stages;
}

/* Links and workers, in one piece of memory. */
struct emulated {
	int32_t link_count, worker_count;
	struct tp_store_worker *workers;
	struct tp_store_link links[];
};

static struct emulated *collect_emulation(const struct tp_trainer *trainer)
{
	const struct tp_emulation *emulation = tp_trainer_emulation(trainer);
	int32_t links = emulation->downstream ? 2 * (emulation->stages - 1) : 0;
	int32_t workers = emulation->cluster.worker_count > 0 ? emulation->stages : 0;
	struct emulated *emulated = tp_alloc(sizeof *emulated + (size_t)links * sizeof *emulated->links +
	                                     (size_t)workers * sizeof *emulated->workers);
	if (!emulated)
		return NULL;
	emulated->link_count = links;
	emulated->worker_count = workers;
	emulated->workers = (void *)&emulated->links[links];
	for (int32_t i = 0; i < links; i++) {
		const struct tp_link *link = i % 2 ? &emulation->upstream[i / 2] : &emulation->downstream[i / 2];
		emulated->links[i] =
		        (struct tp_store_link){i / 2 + i % 2, i / 2 + 1 - i % 2, link->bytes_per_s, link->latency_ns};
	}
	for (int32_t s = 0; s < workers; s++) {
		const struct tp_cluster_worker *worker = &emulation->cluster.workers[s];
		emulated->workers[s] = (struct tp_store_worker){s, worker->name, worker->speed, worker->memory_bytes};
	}
	return emulated;
}

/* What the virtual clock goes by. */
static enum tp_status record_costs(struct tp_recording *recording, const struct tp_trainer *trainer)
{
	const struct tp_cost_table *table = tp_trainer_costs(trainer);
	if (!table)
		return TP_OK;
	int64_t most = tp_cost_value_count(&table->shape) + table->shape.stages, count = 0;
	struct tp_store_cost *costs = tp_alloc_array((size_t)most, sizeof *costs);
	if (!costs)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < table->shape.stages; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			int32_t entries = tp_cost_entries(&table->shape, kind);
			for (int32_t j = 0; j < entries; j++)
				costs[count++] = (struct tp_store_cost){s, kind, entries == 1 ? TP_WHOLE : j,
				                                        *tp_cost_entry(table, s, kind, j)};
		}
	}
	enum tp_status status = tp_store_add_costs(recording->store, recording->run_id, costs, count);
	tp_free(costs);
	return status;
}

enum tp_status tp_recording_kernel_names(struct tp_recording *recording)
{
	int32_t count, stored = recording->names_stored;
	const struct tp_kernel_name *names = tp_trainer_kernel_names(recording->trainer, &count);
	if (count > stored)
		TP_TRY(tp_store_add_kernel_names(recording->store, recording->run_id, names + stored, count - stored));
	recording->names_stored = count;
	return TP_OK;
}

bool tp_recording_on_stand_in(const struct tp_run_config *config)
{
	const struct tp_device_ops *device;
	return tp_device_find(config->device, config->math, &device) == TP_OK &&
	       tp_is_stand_in(tp_device_label(device));
}

/* What a run's row says whether it was planned or not. Texts are gathered here and released by the caller. */
struct described {
	struct tp_environment environment;
	struct tp_text config_text;
	struct parameters *parameters;
	struct tp_store_run run;
};

static enum tp_status describe(struct described *described, const struct tp_options *options,
                               const struct tp_run_config *config, const char *comparison, int32_t repeat)
{
	*described = (struct described){.parameters = tp_alloc(sizeof *described->parameters)};
	if (!described->parameters)
		return TP_ERR_NOMEM;
	const struct tp_device_ops *device;
	TP_TRY(tp_device_find(config->device, config->math, &device));
	TP_TRY(collect_environment(device, &described->environment));
	tp_run_config_text(config, &described->config_text);
	collect_parameters(described->parameters, options, config);
	described->run = (struct tp_store_run){
	        .name = options->run_name,
	        .note = options->note,
	        .schedule = config->schedule,
	        .model = config->model,
	        .dataset = config->dataset,
	        .device = tp_device_label(device),
	        .order = config->order == TP_ORDER_STATIC ? "static" : "dynamic",
	        .clock = config->clock == TP_CLOCK_REAL ? "real" : "virtual",
	        .stages = config->stages,
	        .micro_batches = config->micro_batches,
	        .batch_samples = config->batch,
	        .repeat = repeat,
	        .comparison = comparison,
	        .config_hash = tp_run_config_hash(config),
	        .config_text = tp_text_get(&described->config_text),
	        .parameters = described->parameters->pairs,
	        .parameter_count = described->parameters->count,
	        .environment = described->environment.pairs,
	        .environment_count = described->environment.count,
	};
	return TP_OK;
}

/* `status`, or that memory ran out on the way. */
static enum tp_status release_described(struct described *described, enum tp_status status)
{
	if (described->parameters && release_parameters(described->parameters) != TP_OK)
		status = TP_ERR_NOMEM;
	tp_text_release(&described->config_text);
	tp_environment_release(&described->environment);
	return status;
}

/* The run as it was planned: its stages, links and workers. */
static enum tp_status begin_planned(struct tp_recording *recording, const struct tp_trainer *trainer,
                                    struct tp_store_run *run)
{
	const struct tp_run_info *info = tp_trainer_info(trainer);
	struct tp_store_stage *stages = collect_stages(trainer, info);
	struct emulated *emulated = collect_emulation(trainer);
	enum tp_status status = TP_ERR_NOMEM;
	if (stages && emulated) {
		run->stages = info->stages;
		run->micro_batches = info->micro_batches;
		run->minis_per_epoch = info->minis_per_epoch;
		run->dropped_samples_per_epoch = info->dropped_samples;
		run->rss_before_bytes = info->rss_before_bytes;
		run->stages_planned = stages;
		run->links = emulated->links;
		run->link_count = emulated->link_count;
		run->workers = emulated->workers;
		run->worker_count = emulated->worker_count;
		run->gpus = info->gpus;
		run->gpu_count = info->gpu_count;
		status = tp_store_begin_run(recording->store, run, &recording->run_id);
		if (status == TP_OK)
			status = record_costs(recording, trainer);
		if (status == TP_OK)
			status = tp_recording_kernel_names(recording);
	}
	tp_free(emulated);
	tp_free(stages);
	return status;
}

enum tp_status tp_recording_begin(struct tp_recording *recording, const struct tp_training *training,
                                  struct tp_trainer *trainer, int32_t repeat)
{
	struct described described;
	const struct tp_run_info *info = tp_trainer_info(trainer);
	recording->store = training->store;
	recording->trainer = trainer;
	recording->stages = info->stages;
	recording->flush = tp_policy_flushes(info->policy);
	tp_trainer_set_sink(trainer, &(struct tp_record_sink){tp_recording_take, recording});
	if (info->streamed) { /* each update frees one version at most, and what the epoch began with goes, too */
		recording->freed_room = info->stages * (info->minis_per_epoch + 2);
		recording->freed = tp_alloc_array((size_t)recording->freed_room, sizeof *recording->freed);
		if (!recording->freed)
			return TP_ERR_NOMEM;
	}
	enum tp_status status = describe(&described, training->options, info->config, training->comparison, repeat);
	if (status == TP_OK)
		status = begin_planned(recording, trainer, &described.run);
	return release_described(&described, status);
}

enum tp_status tp_recording_refused(struct tp_store *store, const struct tp_options *options, const char *comparison,
                                    int32_t repeat, const char *reason)
{
	struct described described;
	int64_t run_id;
	enum tp_status status = describe(&described, options, &options->config, comparison, repeat);
	if (status == TP_OK)
		status = tp_store_begin_run(store, &described.run, &run_id);
	if (status == TP_OK)
		status = tp_store_end_run(store, run_id, TP_STORE_FAILED, reason, NULL, 0);
	return release_described(&described, status);
}
