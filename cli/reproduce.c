/* tpbench reproduce: the paper's experiments in one go, as a plan of sweeps. Each step is a comparison of a fixed name,
 * so the same command goes on where it was cut off. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/reproduce_plan.h"
#include "cli/reproduce_readme.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/process.h"
#include "engine/config/link.h"
#include "results/store.h"

#define STEPS_MAX 32

struct reproduction {
	const struct tp_options *options;
	struct tp_reproduce_setting setting;
	char database[TP_CONFIG_PATH_BYTES];
	char out[TP_CONFIG_PATH_BYTES], found_data[TP_CONFIG_PATH_BYTES];
	struct tp_arguments sweep; /* of the step at hand */
	char comparison[TP_SWEEP_COMPARISON_BYTES];
	int64_t runs[STEPS_MAX], left[STEPS_MAX]; /* by step; 0 left where the step cannot be run here */
	int64_t began_ns, unfinished;
	double expected_done_s; /* of what this call has run, by the plan's figures */
};

/* --- where things are ------------------------------------------------------------------------------------------------
 */

/* Is there a training file of CIFAR-100 in `folder`? */
static bool holds_data(const char *folder)
{
	char path[TP_CONFIG_PATH_BYTES + 16];
	(void)snprintf(path, sizeof path, "%s/train.bin", folder);
	return access(path, R_OK) == 0;
}

static const char *find_data(struct reproduction *reproduction)
{
	const char *base = getenv("TPBENCH_DATA");
	if (reproduction->options->config.data_dir[0])
		return reproduction->options->config.data_dir;
	if (reproduction->options->tiny)
		return NULL;
	if (base) {
		int length = snprintf(reproduction->found_data, sizeof reproduction->found_data, "%s/cifar-100-binary",
		                      base);
		if (length > 0 && (size_t)length < sizeof reproduction->found_data &&
		    holds_data(reproduction->found_data))
			return reproduction->found_data;
	}
	return holds_data("cifar-100-binary") ? "cifar-100-binary" : NULL;
}

static enum tp_status choose_plan(const struct tp_options *options, const struct tp_reproduce_plan **plan)
{
	if (options->quick + options->full + options->tiny > 1)
		return tp_fail(TP_ERR_INPUT, "reproduce: expected one of --quick, --full and --tiny, found more");
	*plan = options->full ? &tp_reproduce_full : options->tiny ? &tp_reproduce_tiny : &tp_reproduce_quick;
	TP_CHECK((*plan)->step_count <= STEPS_MAX);
	return TP_OK;
}

static enum tp_status check_out(const char *out)
{
	struct stat info;
	if (out[0] == '\0')
		return tp_fail(TP_ERR_INPUT, "--out: expected a folder for database, costs and report, found none");
	if (stat(out, &info) == 0 && !S_ISDIR(info.st_mode))
		return tp_fail(TP_ERR_INPUT, "--out: %s: expected a folder, found a file", out);
	return TP_OK;
}

static enum tp_status begin(struct reproduction *reproduction, const struct tp_options *options)
{
	struct tp_link link;
	reproduction->options = options;
	TP_TRY(tp_link_parse("--link", options->config.link, &link));
	TP_TRY(choose_plan(options, &reproduction->setting.plan));
	TP_TRY(check_out(options->out));
	int length = snprintf(reproduction->database, sizeof reproduction->database, "%s/results.db", options->out);
	if (length < 0 || (size_t)length >= sizeof reproduction->database)
		return tp_fail(TP_ERR_INPUT, "--out: expected a shorter path, found %.40s..", options->out);
	memcpy(reproduction->out, options->out, sizeof reproduction->out);
	reproduction->setting.out = reproduction->out;
	reproduction->setting.link = options->config.link;
	reproduction->setting.data_dir = find_data(reproduction);
	return TP_OK;
}

/* The folder and its database; one that is not ours is refused before anything is planned for it. */
static enum tp_status make_place(const struct reproduction *reproduction)
{
	struct tp_store *store;
	if (mkdir(reproduction->setting.out, 0777) != 0 && errno != EEXIST)
		return tp_fail(TP_ERR_INPUT, "--out: %s: %s", reproduction->setting.out, strerror(errno));
	TP_TRY(tp_store_open(reproduction->database, &store));
	tp_store_close(store);
	return tp_reproduce_write_readme(&reproduction->setting);
}

/* --- the plan --------------------------------------------------------------------------------------------------------
 */

static enum tp_status set_step(struct reproduction *reproduction, int32_t step)
{
	return tp_reproduce_sweep(&reproduction->setting, &reproduction->setting.plan->steps[step],
	                          &reproduction->sweep, reproduction->comparison);
}

static bool can_run(const struct tp_reproduce_step *step)
{
	return tp_free_cores() >= step->cores;
}

static enum tp_status count_runs(struct reproduction *reproduction)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	for (int32_t i = 0; i < plan->step_count; i++) {
		TP_TRY(set_step(reproduction, i));
		TP_TRY(tp_sweep_count(&reproduction->sweep.options, reproduction->comparison, &reproduction->runs[i],
		                      &reproduction->left[i]));
		if (!can_run(&plan->steps[i]))
			reproduction->left[i] = 0;
	}
	return TP_OK;
}

/* Of the steps from `first` on, as the plan's figures have it. */
static double expected_s(const struct reproduction *reproduction, int32_t first)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	double seconds = 0;
	for (int32_t i = first; i < plan->step_count; i++)
		seconds += (double)reproduction->left[i] * plan->steps[i].seconds_per_run;
	return seconds;
}

/* "40 s", "7 min", "30 h": an estimate has no more digits. */
static void add_time(struct tp_text *text, double seconds)
{
	if (seconds < 90)
		tp_text_add(text, "%.0f s", seconds);
	else if (seconds < 5400)
		tp_text_add(text, "%.0f min", seconds / 60);
	else
		tp_text_add(text, "%.0f h", seconds / 3600);
}

static enum tp_status print_text(struct tp_text *text, FILE *file)
{
	enum tp_status status = text->failed ? TP_ERR_NOMEM : TP_OK;
	if (status == TP_OK)
		fputs(tp_text_get(text), file);
	tp_text_release(text);
	return status;
}

static enum tp_status print_step(const struct reproduction *reproduction, int32_t index)
{
	const struct tp_reproduce_step *step = &reproduction->setting.plan->steps[index];
	struct tp_text text = {0};
	struct tp_reproduce_line *line = tp_alloc(sizeof *line);
	enum tp_status status = line ? tp_reproduce_line_init(line, &reproduction->setting, step) : TP_ERR_NOMEM;
	if (status == TP_OK) {
		tp_text_add(&text, "%" PRId32 ". %s: %s\n   for %s\n   %" PRId64 " runs, %" PRId64 " to do", index + 1,
		            step->name, step->title, step->serves, reproduction->runs[index],
		            reproduction->left[index]);
		if (!can_run(step))
			tp_text_add(&text, ": not here, it needs %" PRId32 " free cores", step->cores);
		tp_text_add(&text, "; comparison %s\n   %s\n   ", reproduction->comparison, step->scaled);
		tp_reproduce_line_write(line, &text);
		tp_text_add(&text, "\n\n");
	}
	tp_free(line);
	enum tp_status printed = print_text(&text, stdout);
	return status == TP_OK ? printed : status;
}

static enum tp_status print_plan(struct reproduction *reproduction)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	int64_t runs = 0, left = 0;
	TP_TRY(count_runs(reproduction));
	printf("Plan %s, %s\n\n", plan->name,
	       reproduction->setting.data_dir ? "on CIFAR-100" : "on synthetic data: no CIFAR-100 was found");
	for (int32_t i = 0; i < plan->step_count; i++) {
		TP_TRY(set_step(reproduction, i));
		TP_TRY(tp_sweep_plan(&reproduction->sweep.options));
		TP_TRY(print_step(reproduction, i));
		runs += reproduction->runs[i];
		left += reproduction->left[i];
	}
	struct tp_text text = {0};
	tp_text_add(&text, "%" PRId64 " runs, %" PRId64 " to do, in about ", runs, left);
	add_time(&text, expected_s(reproduction, 0));
	tp_text_add(&text, " on two cores.\nNot there: %s.\nNothing was trained; every run can be planned.\n",
	            plan->leaves_out);
	return print_text(&text, stdout);
}

/* --- running ---------------------------------------------------------------------------------------------------------
 */

/* One line per step on a terminal. What is left is the plan's figure, corrected by how long this machine has taken for
 * what it was expected to. */
static enum tp_status announce(const struct reproduction *reproduction, int32_t index)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	double elapsed_s = (double)(tp_now_ns() - reproduction->began_ns) * 1e-9;
	double slower = reproduction->expected_done_s > 0 ? elapsed_s / reproduction->expected_done_s : 1;
	struct tp_text text = {0};
	if (!isatty(STDERR_FILENO))
		return TP_OK;
	tp_text_add(&text, "step %" PRId32 " of %" PRId32 ": %s, %" PRId64 " runs; ", index + 1, plan->step_count,
	            plan->steps[index].title, reproduction->left[index]);
	add_time(&text, elapsed_s);
	tp_text_add(&text, " passed, about ");
	add_time(&text, expected_s(reproduction, index) * slower);
	tp_text_add(&text, " left\n");
	return print_text(&text, stderr);
}

static enum tp_status run_steps(struct reproduction *reproduction)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	reproduction->began_ns = tp_now_ns();
	for (int32_t i = 0; i < plan->step_count; i++) {
		int64_t unfinished = 0;
		if (reproduction->left[i] == 0)
			continue;
		TP_TRY(announce(reproduction, i));
		TP_TRY(set_step(reproduction, i));
		TP_TRY(tp_sweep_train(&reproduction->sweep.options, reproduction->comparison, &unfinished));
		reproduction->unfinished += unfinished;
		reproduction->expected_done_s += (double)reproduction->left[i] * plan->steps[i].seconds_per_run;
	}
	return TP_OK;
}

static void print_end(const struct reproduction *reproduction)
{
	const struct tp_reproduce_plan *plan = reproduction->setting.plan;
	int64_t runs = 0, trained = 0;
	for (int32_t i = 0; i < plan->step_count; i++) {
		if (!can_run(&plan->steps[i])) {
			printf("step %s: left out, it needs %" PRId32 " free cores\n", plan->steps[i].name,
			       plan->steps[i].cores);
			continue;
		}
		runs += reproduction->runs[i];
		trained += reproduction->left[i];
	}
	printf("plan %s: %" PRId64 " runs, %" PRId64 " of them trained now, %" PRId64 " not done; database %s\n"
	       "what is scaled down: %s/README-%s.md\n",
	       plan->name, runs, trained, reproduction->unfinished, reproduction->database, reproduction->out,
	       plan->name);
}

static enum tp_status run_command(const char *name, char **words, int count)
{
	const struct tp_command *command;
	struct tp_arguments *arguments = tp_alloc(sizeof *arguments);
	enum tp_status status = arguments ? tp_command_find(name, &command) : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_arguments_parse(command, count, words, 0, arguments);
	if (status == TP_OK)
		status = command->run(arguments);
	tp_free(arguments);
	return status;
}

/* The page and the tables into the folder, the verdicts on the claims to stdout: as their commands do it. */
static enum tp_status report_all(struct reproduction *reproduction)
{
	char db_option[] = "--db", out_option[] = "--out";
	char *words[] = {db_option, reproduction->database, out_option, reproduction->out};
	TP_TRY(run_command("report", words, 4));
	return run_command("claims", words, 2);
}

static enum tp_status reproduce(struct reproduction *reproduction, const struct tp_options *options)
{
	TP_TRY(begin(reproduction, options));
	if (options->dry_run)
		return print_plan(reproduction);
	TP_TRY(make_place(reproduction));
	TP_TRY(count_runs(reproduction));
	TP_TRY(run_steps(reproduction));
	print_end(reproduction);
	TP_TRY(report_all(reproduction));
	if (reproduction->unfinished > 0)
		return tp_fail(TP_ERR_ABORTED, "reproduce: %" PRId64 " runs failed; `tpbench db list --db %s` says why",
		               reproduction->unfinished, reproduction->database);
	return TP_OK;
}

enum tp_status tp_command_reproduce(const struct tp_arguments *arguments)
{
	struct reproduction *reproduction = tp_alloc(sizeof *reproduction);
	if (!reproduction)
		return TP_ERR_NOMEM;
	enum tp_status status = reproduce(reproduction, &arguments->options);
	tp_free(reproduction);
	return status;
}
