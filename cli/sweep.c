/* tpbench sweep: every combination of what its options list, trained run by run, and stored so that it can go on where
 * it was cut off. */
#include "cli/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/recording.h"
#include "cli/sweep_points.h"
#include "cli/sweep_report.h"
#include "cli/training.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

struct sweep {
	const struct tp_options *options;
	struct tp_sweep_points points;
	uint64_t *config_hashes; /* by point */
	bool *settled;           /* [repeat][point]: nothing to do */
	char comparison[40];     /* given, or "sweep-" and the hash of what defines it, "-2" .. after restarts */
	struct tp_store *store;
	struct tp_store_outcome *outcomes; /* what the database has of it */
	int64_t outcome_count;
	struct tp_options point;       /* of the run in progress */
	struct tp_run_control control; /* stop: between runs, too */
	int64_t runs_left, runs_done, began_ns;
};

static bool *settled_at(struct sweep *sweep, int32_t repeat, int32_t point)
{
	return &sweep->settled[(int64_t)(repeat - 1) * sweep->points.count + point];
}

/* --- what there is already -------------------------------------------------------------------------------------------
 */

/* The newest of this sweep's restarts, or a new one. */
static enum tp_status find_comparison(struct sweep *sweep, uint64_t hash)
{
	char earlier[sizeof sweep->comparison] = "";
	int64_t runs = 1;
	for (int32_t restart = 1; runs > 0; restart++) {
		memcpy(earlier, sweep->comparison, sizeof earlier);
		(void)snprintf(sweep->comparison, sizeof sweep->comparison, "sweep-%016" PRIx64, hash);
		if (restart > 1)
			(void)snprintf(sweep->comparison, sizeof sweep->comparison, "sweep-%016" PRIx64 "-%" PRId32,
			               hash, restart);
		TP_TRY(tp_store_count_comparison(sweep->store, sweep->comparison, &runs));
	}
	if (!sweep->options->restart && earlier[0])
		memcpy(sweep->comparison, earlier, sizeof earlier);
	return TP_OK;
}

static enum tp_status read_outcomes(struct sweep *sweep)
{
	tp_free(sweep->outcomes);
	return tp_store_read_outcomes(sweep->store, sweep->comparison, &sweep->outcomes, &sweep->outcome_count);
}

/* Done runs are not trained again; failed ones when asked. Of two points with the same configuration both are. */
static void settle(struct sweep *sweep)
{
	for (int64_t i = 0; i < sweep->outcome_count; i++) {
		const struct tp_store_outcome *outcome = &sweep->outcomes[i];
		bool settles = outcome->state == TP_STORE_STATE_DONE || outcome->state == TP_STORE_STATE_RUNNING ||
		               (outcome->state == TP_STORE_STATE_FAILED && !sweep->options->retry_failed);
		for (int32_t p = 0; p < sweep->points.count && outcome->repeat <= sweep->options->repeats; p++) {
			if (settles && sweep->config_hashes[p] == outcome->config_hash)
				*settled_at(sweep, outcome->repeat, p) = true;
		}
	}
	sweep->runs_left = 0;
	for (int64_t i = 0; i < (int64_t)sweep->points.count * sweep->options->repeats; i++)
		sweep->runs_left += !sweep->settled[i];
}

static enum tp_status set_point(struct sweep *sweep, int32_t point)
{
	TP_TRY(tp_sweep_point_options(&sweep->points, point, &sweep->point));
	sweep->point.repeats = 1;
	return TP_OK;
}

/* The points, and what the sweep and each of its runs are known by. */
static enum tp_status begin(struct sweep *sweep, uint64_t *hash)
{
	TP_TRY(tp_sweep_points_init(&sweep->points, sweep->options));
	sweep->config_hashes = tp_alloc_array((size_t)sweep->points.count, sizeof *sweep->config_hashes);
	sweep->settled =
	        tp_alloc_array((size_t)sweep->points.count * (size_t)sweep->options->repeats, sizeof *sweep->settled);
	if (!sweep->config_hashes || !sweep->settled)
		return TP_ERR_NOMEM;
	for (int32_t p = 0; p < sweep->points.count; p++) {
		TP_TRY(set_point(sweep, p));
		sweep->config_hashes[p] = tp_run_config_hash(&sweep->point.config);
	}
	return tp_sweep_points_hash(&sweep->points, hash);
}

/* What is wrong with every point is wrong with the command: then nothing is stored. */
static enum tp_status require_one_that_plans(struct sweep *sweep)
{
	char first[TP_DETAIL_BYTES] = "";
	for (int32_t p = 0; p < sweep->points.count; p++) {
		struct tp_training training;
		TP_TRY(set_point(sweep, p));
		sweep->point.config.epochs = 0; /* so that no database is made */
		enum tp_status status = tp_training_init(&training, &sweep->point, sweep->point.config.schedule);
		tp_training_release(&training);
		if (status == TP_OK)
			return TP_OK;
		if (status != TP_ERR_INPUT && status != TP_ERR_UNSUPPORTED)
			return status;
		if (p == 0)
			(void)snprintf(first, sizeof first, "%s", tp_detail());
	}
	return tp_fail(TP_ERR_INPUT, "sweep: no point of %" PRId32 " can be run; the first: %s", sweep->points.count,
	               first);
}

/* --- running ---------------------------------------------------------------------------------------------------------
 */

/* One line per run on a terminal: which it is, what is left, for how long. */
static void announce(const struct sweep *sweep, int32_t repeat, int32_t point)
{
	char left[24] = "";
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "[%" PRId64 "/%" PRId64 "]", sweep->runs_done + 1, sweep->runs_done + sweep->runs_left);
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		const char *value = tp_sweep_point_value(&sweep->points, point, axis);
		if (value)
			fprintf(stderr, " %s %s", tp_sweep_axis_name(axis), value);
	}
	if (sweep->options->repeats > 1)
		fprintf(stderr, ", run %" PRId32 " of %" PRId32, repeat, sweep->options->repeats);
	if (sweep->runs_done > 0) {
		int64_t each = (tp_now_ns() - sweep->began_ns) / sweep->runs_done;
		fprintf(stderr, "  %s left", tp_format_ns(left, sizeof left, each * sweep->runs_left));
	}
	fprintf(stderr, "\n");
}

/* Has the run that was begun been stored as failed? Then the sweep can go on. */
static enum tp_status require_stored(struct sweep *sweep, int64_t run_id, enum tp_status failure)
{
	enum tp_store_state state;
	char why[TP_DETAIL_BYTES];
	(void)snprintf(why, sizeof why, "%s", tp_detail());
	TP_TRY(tp_store_run_state(sweep->store, run_id, &state));
	return state == TP_STORE_STATE_FAILED ? TP_OK : tp_fail(failure, "%s", why);
}

static enum tp_status interrupted(const struct sweep *sweep)
{
	return tp_fail(TP_ERR_INTERRUPTED, "interrupted: what was recorded until then is kept in %s",
	               sweep->options->db);
}

/* Train and store one run. A failure that is stored is none here. */
static enum tp_status run_point(struct sweep *sweep, int32_t repeat, int32_t point)
{
	struct tp_training training;
	announce(sweep, repeat, point);
	TP_TRY(set_point(sweep, point));
	enum tp_status status = tp_training_init(&training, &sweep->point, sweep->point.config.schedule);
	memcpy(training.comparison, sweep->comparison, sizeof training.comparison);
	training.repeats_before = repeat - 1;
	if (status == TP_OK)
		status = tp_training_execute(&training);
	int64_t run_id = training.run_ids ? training.run_ids[0] : 0;
	tp_training_release(&training);
	if (status == TP_OK || status == TP_ERR_INTERRUPTED)
		return status;
	if (atomic_load(&sweep->control.stop))
		return interrupted(sweep);
	if (run_id != 0)
		return require_stored(sweep, run_id, status);
	char why[TP_DETAIL_BYTES];
	(void)snprintf(why, sizeof why, "%s", tp_detail());
	return tp_recording_refused(sweep->store, &sweep->point, sweep->comparison, repeat, why);
}

static enum tp_status run_all(struct sweep *sweep)
{
	sweep->began_ns = tp_now_ns();
	for (int32_t repeat = 1; repeat <= sweep->options->repeats; repeat++) {
		for (int32_t p = 0; p < sweep->points.count; p++) {
			if (*settled_at(sweep, repeat, p))
				continue;
			if (atomic_load(&sweep->control.stop))
				return interrupted(sweep);
			TP_TRY(run_point(sweep, repeat, p));
			sweep->runs_done++;
			sweep->runs_left--;
		}
	}
	return TP_OK;
}

/* --- the sweep as a whole --------------------------------------------------------------------------------------------
 */

static struct sweep *new_sweep(const struct tp_options *options)
{
	struct sweep *sweep = tp_alloc(sizeof *sweep);
	if (sweep)
		sweep->options = options;
	return sweep;
}

static void free_sweep(struct sweep *sweep)
{
	tp_store_close(sweep->store);
	tp_free(sweep->outcomes);
	tp_free(sweep->config_hashes);
	tp_free(sweep->settled);
	tp_sweep_points_release(&sweep->points);
	tp_free(sweep);
}

/* Known by `comparison`, or when that is NULL by what defines it. */
static enum tp_status train(struct sweep *sweep, const char *comparison)
{
	uint64_t hash;
	if (sweep->options->config.epochs == 0)
		return tp_fail(TP_ERR_INPUT, "--epochs: expected at least 1 to sweep, found 0");
	TP_TRY(begin(sweep, &hash));
	TP_TRY(require_one_that_plans(sweep));
	TP_TRY(tp_store_open(sweep->options->db, &sweep->store));
	if (comparison)
		(void)snprintf(sweep->comparison, sizeof sweep->comparison, "%s", comparison);
	else
		TP_TRY(find_comparison(sweep, hash));
	TP_TRY(read_outcomes(sweep));
	settle(sweep);
	tp_interrupt_install(&sweep->control);
	enum tp_status status = run_all(sweep);
	tp_interrupt_restore();
	TP_TRY(status);
	return read_outcomes(sweep);
}

static enum tp_status count_left(struct sweep *sweep, const char *comparison)
{
	uint64_t hash;
	TP_TRY(begin(sweep, &hash));
	if (access(sweep->options->db, F_OK) == 0) {
		TP_TRY(tp_store_open_readonly(sweep->options->db, &sweep->store));
		(void)snprintf(sweep->comparison, sizeof sweep->comparison, "%s", comparison);
		TP_TRY(read_outcomes(sweep));
	}
	settle(sweep);
	return TP_OK;
}

enum tp_status tp_sweep_count(const struct tp_options *options, const char *comparison, int64_t *runs, int64_t *left)
{
	struct sweep *sweep = new_sweep(options);
	if (!sweep)
		return TP_ERR_NOMEM;
	enum tp_status status = count_left(sweep, comparison);
	*runs = (int64_t)sweep->points.count * options->repeats;
	*left = sweep->runs_left;
	free_sweep(sweep);
	return status;
}

static bool has_first_seed(const struct tp_sweep_points *points, int32_t point)
{
	const struct tp_sweep_values *seeds = &points->values[TP_SWEEP_SEED];
	return seeds->count == 0 || tp_sweep_point_value(points, point, TP_SWEEP_SEED) == seeds->texts[0];
}

static enum tp_status plan_points(struct sweep *sweep)
{
	TP_TRY(tp_sweep_points_init(&sweep->points, sweep->options));
	for (int32_t p = 0; p < sweep->points.count; p++) {
		struct tp_training training;
		if (!has_first_seed(&sweep->points, p))
			continue;
		TP_TRY(set_point(sweep, p));
		sweep->point.config.epochs = 0; /* so that no database is made */
		sweep->point.keep_costs[0] = '\0';
		(void)strcpy(sweep->point.config.device, "null"); /* so that no weights are made */
		if (sweep->point.config.clock == TP_CLOCK_VIRTUAL)
			(void)strcpy(sweep->point.config.costs, "uniform:1ms,1ms");
		enum tp_status status = tp_training_init(&training, &sweep->point, sweep->point.config.schedule);
		tp_training_release(&training);
		TP_TRY(status);
	}
	return TP_OK;
}

enum tp_status tp_sweep_plan(const struct tp_options *options)
{
	struct sweep *sweep = new_sweep(options);
	if (!sweep)
		return TP_ERR_NOMEM;
	enum tp_status status = plan_points(sweep);
	free_sweep(sweep);
	return status;
}

enum tp_status tp_sweep_train(const struct tp_options *options, const char *comparison, int64_t *unfinished)
{
	struct sweep *sweep = new_sweep(options);
	if (!sweep)
		return TP_ERR_NOMEM;
	enum tp_status status = train(sweep, comparison);
	if (status == TP_OK)
		settle(sweep);
	*unfinished = sweep->runs_left;
	free_sweep(sweep);
	return status;
}

/* --- the command -----------------------------------------------------------------------------------------------------
 */

static enum tp_status train_and_report(struct sweep *sweep)
{
	int32_t unfinished;
	TP_TRY(train(sweep, NULL));
	TP_TRY(tp_sweep_report(&sweep->points, sweep->comparison, sweep->config_hashes, sweep->outcomes,
	                       sweep->outcome_count, &unfinished));
	if (unfinished > 0)
		return tp_fail(TP_ERR_ABORTED, "%" PRId32 " of %" PRId32 " points failed", unfinished,
		               sweep->points.count);
	return TP_OK;
}

enum tp_status tp_command_sweep(const struct tp_arguments *arguments)
{
	struct sweep *sweep = new_sweep(&arguments->options);
	if (!sweep)
		return TP_ERR_NOMEM;
	enum tp_status status = train_and_report(sweep);
	free_sweep(sweep);
	return status;
}
