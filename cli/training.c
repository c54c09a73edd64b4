#include "cli/training.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "baselines/policies.h"
#include "cli/interrupt.h"
#include "cli/kept_costs.h"
#include "cli/profile_cost.h"
#include "cli/progress.h"
#include "cli/recording.h"
#include "cli/stored_costs.h"
#include "engine/backend/device.h"
#include "engine/base/memory.h"
#include "engine/run/axes.h"
#include "engine/run/cost_source.h"

/* In a comparison an axis concerns those schedules that have it; one that none of them has is refused later. */
static void spare_those_without(struct tp_training *training, enum tp_axis axis)
{
	bool some = false;
	for (int32_t i = 0; i < training->count; i++) {
		const struct tp_contestant *contestant = &training->contestants[i];
		some = some || tp_axis_check(&contestant->config, contestant->policy, axis) == TP_OK;
	}
	for (int32_t i = 0; some && i < training->count; i++) {
		struct tp_contestant *contestant = &training->contestants[i];
		if (tp_axis_check(&contestant->config, contestant->policy, axis) != TP_OK)
			tp_axis_reset(&contestant->config, axis);
	}
}

/* Take the list apart into contestants: each name known, none twice. */
static enum tp_status find_contestants(struct tp_training *training, const char *schedules)
{
	for (const char *rest = schedules;; rest++) {
		size_t length = strcspn(rest, ",");
		char name[TP_CONFIG_NAME_BYTES];
		if (length == 0)
			return tp_fail(TP_ERR_INPUT,
			               "--schedule: expected names parted by commas, found an empty one in '%s'",
			               schedules);
		if (length >= sizeof name)
			return tp_fail(TP_ERR_INPUT, "--schedule: there is no schedule '%.*s'", (int)length, rest);
		memcpy(name, rest, length);
		name[length] = '\0';
		if (training->count == TP_SCHEDULES_MAX)
			return tp_fail(TP_ERR_INPUT, "--schedule: expected at most %d names, found more",
			               TP_SCHEDULES_MAX);
		struct tp_contestant *contestant = &training->contestants[training->count];
		TP_TRY(tp_policy_find(name, &contestant->policy));
		for (int32_t i = 0; i < training->count; i++) {
			if (training->contestants[i].policy == contestant->policy)
				return tp_fail(TP_ERR_INPUT, "--schedule: %s is named twice; --repeats runs it again",
				               name);
		}
		contestant->config = training->options->config;
		memcpy(contestant->config.schedule, name, length + 1);
		training->count++;
		rest += length;
		if (*rest == '\0')
			return TP_OK;
	}
}

static enum tp_status open_dataset(struct tp_training *training)
{
	const struct tp_run_config *config = &training->options->config;
	const struct tp_dataset_options options = {
	        .dir = config->data_dir[0] ? config->data_dir : NULL,
	        .seed = config->seed,
	        .synthetic_train = config->synthetic_train,
	        .synthetic_test = config->synthetic_test,
	};
	return tp_dataset_open(config->dataset, &options, &training->dataset);
}

/* Can a file be made at `path`? Nothing is made. */
static enum tp_status check_place(const char *option, const char *path)
{
	struct stat info;
	char folder[TP_CONFIG_PATH_BYTES];
	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return tp_fail(TP_ERR_INPUT, "%s: %s: expected a file, found a folder", option, path);
	(void)snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (!slash)
		(void)strcpy(folder, ".");
	else
		slash[slash == folder] = '\0';
	if (access(folder, W_OK | X_OK) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: %s: cannot be written: %s: %s", option, path, folder,
		               strerror(errno));
	return TP_OK;
}

static enum tp_status plan_run(struct tp_training *training, const struct tp_contestant *contestant,
                               struct tp_trainer **trainer)
{
	const struct tp_cost_table *costs = contestant->costs.values ? &contestant->costs : NULL;
	return tp_trainer_new_with_costs(&contestant->config, contestant->policy, training->dataset, &training->control,
	                                 costs, trainer);
}

/* Costs that need no measuring: of --costs run:ID for each schedule's own operations, or kept from an earlier run. */
static enum tp_status read_stored_costs(struct tp_training *training, struct tp_contestant *contestant)
{
	const char *folder = training->options->keep_costs;
	struct tp_policy applied;
	struct tp_pipeline pipeline;
	int64_t run_id;
	bool is_run;
	TP_TRY(tp_cost_source_run(contestant->config.costs, &is_run, &run_id));
	if (!is_run && !folder[0])
		return TP_OK;
	TP_TRY(tp_axes_apply(&contestant->config, contestant->policy, 1, &applied, &pipeline));
	struct tp_cost_shape shape = tp_cost_shape_of(&pipeline);
	if (!is_run)
		return tp_kept_costs_read(folder, &contestant->config, shape, &contestant->costs);
	return tp_stored_costs_read(training->options->db, run_id, shape, &contestant->costs);
}

/* Keep the costs that planning measured, for the repeats and, when asked to, for other runs. */
static enum tp_status keep_costs(struct tp_training *training, struct tp_contestant *contestant,
                                 const struct tp_cost_table *costs)
{
	if (!costs || contestant->costs.values)
		return TP_OK;
	TP_TRY(tp_cost_table_copy(&contestant->costs, costs, costs->shape));
	if (training->options->keep_costs[0] == '\0')
		return TP_OK;
	return tp_kept_costs_write(training->options->keep_costs, &contestant->config, costs);
}

/* Plan each run and let it go again: what a plan refuses, it refuses now, for all of them. The costs that the virtual
 * clock goes by are those of this plan in every repeat. */
static enum tp_status check_plans(struct tp_training *training)
{
	for (int32_t i = 0; i < training->count; i++) {
		struct tp_contestant *contestant = &training->contestants[i];
		struct tp_trainer *trainer = NULL;
		TP_TRY(read_stored_costs(training, contestant));
		TP_TRY(plan_run(training, contestant, &trainer));
		contestant->minis_per_epoch = tp_trainer_info(trainer)->minis_per_epoch;
		enum tp_status status = keep_costs(training, contestant, tp_trainer_costs(trainer));
		tp_trainer_free(trainer);
		TP_TRY(status);
	}
	return TP_OK;
}

enum tp_status tp_training_init(struct tp_training *training, const struct tp_options *options, const char *schedules)
{
	const struct tp_device_ops *device;
	*training = (struct tp_training){.options = options};
	training->contestants = tp_alloc_array(TP_SCHEDULES_MAX, sizeof *training->contestants);
	if (!training->contestants)
		return TP_ERR_NOMEM;
	if (options->config.costs[0] && options->config.clock == TP_CLOCK_REAL)
		return tp_fail(TP_ERR_INPUT, "--costs: decides the time of --clock virtual; expected that with it");
	TP_TRY(tp_profile_cost_check(options));
	TP_TRY(find_contestants(training, schedules));
	for (enum tp_axis axis = 0; axis < TP_AXES; axis++)
		spare_those_without(training, axis);
	for (int32_t i = 0; i < training->count; i++)
		TP_TRY(tp_run_config_check(&training->contestants[i].config));
	TP_TRY(tp_device_find(options->config.device, options->config.math, &device));
	if (options->config.save_weights[0])
		TP_TRY(check_place("--save-weights", options->config.save_weights));
	training->run_ids =
	        tp_alloc_array((size_t)options->repeats * (size_t)training->count, sizeof *training->run_ids);
	if (!training->run_ids)
		return TP_ERR_NOMEM;
	TP_TRY(open_dataset(training));
	TP_TRY(check_plans(training));
	if (options->config.epochs > 0)
		TP_TRY(tp_store_open(options->db, &training->store));
	return TP_OK;
}

void tp_training_release(struct tp_training *training)
{
	tp_store_close(training->store);
	tp_dataset_free(training->dataset);
	tp_free(training->run_ids);
	for (int32_t i = 0; i < training->count; i++)
		tp_cost_table_release(&training->contestants[i].costs);
	tp_free(training->contestants);
	*training = (struct tp_training){0};
}

/* The samples by which the progress line tells how fast a run is: none where its clock says nothing. */
static int32_t told_batch(const struct tp_run_config *config)
{
	return tp_recording_on_stand_in(config) ? 0 : config->batch;
}

/* A short run of each schedule that is not stored: caches fill, clocks rise, pages are mapped. The virtual clock has no
 * need of it. */
static enum tp_status warm_up(struct tp_training *training, struct tp_progress_line *line)
{
	bool wanted = training->options->warm_up > 0 && training->options->config.clock == TP_CLOCK_REAL;
	for (int32_t i = 0; i < training->count && wanted; i++) {
		const struct tp_contestant *contestant = &training->contestants[i];
		struct tp_run_config config = contestant->config;
		char title[96];
		if (config.mini_batches == 0 || config.mini_batches > training->options->warm_up)
			config.mini_batches = training->options->warm_up;
		config.evaluate = false;
		(void)snprintf(title, sizeof title, "%s, warm-up", config.schedule);
		struct tp_trainer *trainer = NULL;
		struct tp_epoch_result result = {0};
		atomic_store(&training->control.minis_done, 0);
		TP_TRY(tp_trainer_new(&config, contestant->policy, training->dataset, &training->control, &trainer));
		tp_progress_line_begin(line, title, told_batch(&config), &training->control);
		enum tp_status status = tp_trainer_epoch(trainer, &result);
		tp_progress_line_end(line, result.minis);
		tp_trainer_free(trainer);
		TP_TRY(status);
	}
	return TP_OK;
}

/* `window_ns`: NULL, or room for the time of each epoch, of which some are not recorded then. */
static enum tp_status train_epochs(const struct tp_contestant *contestant, struct tp_trainer *trainer,
                                   struct tp_recording *recording, int64_t *window_ns)
{
	for (int32_t epoch = 1; epoch <= contestant->config.epochs; epoch++) {
		struct tp_epoch_result result = {0};
		tp_trainer_profile(trainer, !window_ns || tp_profile_cost_records(epoch));
		enum tp_status trained = tp_trainer_epoch(trainer, &result);
		char why[TP_DETAIL_BYTES];
		(void)snprintf(why, sizeof why, "%s", tp_detail());
		/* What a failed epoch recorded is kept, but its own failure is the one to tell. */
		enum tp_status stored = tp_recording_epoch(recording, &result);
		if (trained != TP_OK)
			return tp_fail(trained, "%s", why);
		TP_TRY(stored);
		if (window_ns)
			window_ns[epoch - 1] = result.end_ns - result.start_ns;
	}
	if (contestant->config.save_weights[0])
		TP_TRY(tp_trainer_save(trainer, contestant->config.save_weights));
	return TP_OK;
}

/* The epochs of a run, or with --profile-cost pairs of them and what recording cost. */
static enum tp_status train_run(const struct tp_training *training, const struct tp_contestant *contestant,
                                struct tp_trainer *trainer, struct tp_recording *recording)
{
	const struct tp_run_config *config = &contestant->config;
	if (!training->options->profile_cost)
		return train_epochs(contestant, trainer, recording, NULL);
	int64_t *window_ns = tp_alloc_array((size_t)config->epochs, sizeof *window_ns);
	if (!window_ns)
		return TP_ERR_NOMEM;
	struct tp_store_profile_cost cost;
	enum tp_status status = train_epochs(contestant, trainer, recording, window_ns);
	if (status == TP_OK)
		status = tp_profile_cost_compute(window_ns, config->epochs, tp_recording_level(config->profile), &cost);
	if (status == TP_OK)
		status = tp_store_add_profile_cost(recording->store, recording->run_id, &cost);
	tp_free(window_ns);
	return status;
}

static enum tp_status train_one(struct tp_training *training, int32_t repeat, const struct tp_contestant *contestant,
                                struct tp_progress_line *line)
{
	char title[96];
	if (training->options->repeats > 1)
		(void)snprintf(title, sizeof title, "%s, run %d of %d", contestant->config.schedule, repeat,
		               training->options->repeats);
	else
		(void)snprintf(title, sizeof title, "%s", contestant->config.schedule);
	struct tp_trainer *trainer = NULL;
	atomic_store(&training->control.minis_done, 0);
	TP_TRY(plan_run(training, contestant, &trainer));
	struct tp_recording recording = {0};
	enum tp_status status = tp_recording_begin(&recording, training, trainer, training->repeats_before + repeat);
	if (status == TP_OK) {
		training->run_ids[training->run_count] = recording.run_id;
		atomic_store(&training->control.run_id, recording.run_id);
		tp_progress_line_begin(line, title, told_batch(&contestant->config), &training->control);
		status = train_run(training, contestant, trainer, &recording);
		tp_progress_line_end(line, atomic_load(&training->control.minis_done));
		atomic_store(&training->control.run_id, 0); /* planning the next one may train, too */
		status = tp_recording_end(&recording, status);
		training->run_count += status == TP_OK;
	}
	tp_trainer_free(trainer);
	return status;
}

static enum tp_status train_all(struct tp_training *training, struct tp_progress_line *line)
{
	TP_TRY(warm_up(training, line));
	for (int32_t repeat = 1; repeat <= training->options->repeats; repeat++) {
		for (int32_t i = 0; i < training->count; i++)
			TP_TRY(train_one(training, repeat, &training->contestants[i], line));
	}
	return TP_OK;
}

/* --epochs 0: the initial weights, where they are wanted. */
static enum tp_status save_initial(struct tp_training *training)
{
	const struct tp_contestant *contestant = &training->contestants[0];
	struct tp_trainer *trainer = NULL;
	if (contestant->config.save_weights[0] == '\0')
		return TP_OK;
	TP_TRY(tp_trainer_new(&contestant->config, contestant->policy, training->dataset, &training->control,
	                      &trainer));
	enum tp_status status = tp_trainer_save(trainer, contestant->config.save_weights);
	tp_trainer_free(trainer);
	return status;
}

static int64_t total_minis(const struct tp_training *training)
{
	int64_t total = 0;
	for (int32_t i = 0; i < training->count; i++) {
		const struct tp_contestant *contestant = &training->contestants[i];
		int64_t warm_up = training->options->warm_up;
		total += warm_up < contestant->minis_per_epoch ? warm_up : contestant->minis_per_epoch;
		total += contestant->minis_per_epoch * contestant->config.epochs * training->options->repeats;
	}
	return total;
}

enum tp_status tp_training_execute(struct tp_training *training)
{
	if (training->options->config.epochs == 0)
		return save_initial(training);
	struct tp_progress_line *line;
	TP_TRY(tp_progress_line_new(total_minis(training), &line));
	tp_interrupt_install(&training->control);
	enum tp_status status = train_all(training, line);
	tp_interrupt_restore();
	tp_progress_line_free(line);
	if (status == TP_ERR_INTERRUPTED)
		return tp_fail(status, "interrupted: what was recorded until then is kept in %s",
		               training->options->db);
	return status;
}

enum tp_status tp_training_report(const struct tp_training *training,
                                  void (*write)(const struct tp_report *report, struct tp_text *out))
{
	struct tp_report *report;
	struct tp_text text = {0};
	TP_TRY(tp_report_read(training->store, training->options->db, training->run_ids, training->run_count, &report));
	enum tp_status status = TP_OK;
	if (training->options->json)
		status = tp_report_write_json(report, &text);
	else
		write(report, &text);
	if (status == TP_OK && text.failed)
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	tp_report_free(report);
	return status;
}
