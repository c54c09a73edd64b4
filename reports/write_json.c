#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/report_data.h"

#define JSON_VERSION 1

/* JSON has no NaN: what is not a number is null. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *optional(bool there, double value)
{
	return there ? number(value) : json_null();
}

/* Lines of "name=value" as an object. */
static json_t *pairs(const struct tp_text *lines)
{
	json_t *object = json_object();
	for (const char *at = tp_text_get(lines); *at;) {
		const char *equals = strchr(at, '='), *end = strchr(at, '\n');
		if (!equals || !end)
			break;
		char name[128] = "";
		if (equals < end && (size_t)(equals - at) < sizeof name) {
			memcpy(name, at, (size_t)(equals - at));
			(void)json_object_set_new(object, name, json_stringn(equals + 1, (size_t)(end - equals - 1)));
		}
		at = end + 1;
	}
	return object;
}

static json_t *stage_object(const struct tp_report_epoch *epoch, int32_t s)
{
	const struct tp_stage_metrics *m = &epoch->metrics.stage[s];
	json_t *idle = json_object();
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		(void)json_object_set_new(idle, tp_idle_cause_text((enum tp_idle_cause)cause),
		                          json_integer(m->idle_ns[cause]));
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I}", "stage",
	                 (int)s, "compute_ns", (json_int_t)m->compute_ns, "forward_ns", (json_int_t)m->forward_ns,
	                 "backward_ns", (json_int_t)m->backward_ns, "update_ns", (json_int_t)m->update_ns, "idle_ns",
	                 idle, "versions_alive_max", (json_int_t)m->versions_alive_max, "received_messages",
	                 (json_int_t)m->received_messages, "received_bytes", (json_int_t)m->received_bytes,
	                 "update_staleness_max", (json_int_t)m->update_staleness_max, "mismatch_max",
	                 (json_int_t)m->mismatch_max, "staleness_mean", m->staleness_mean, "peak_bytes",
	                 (json_int_t)epoch->stage_peak_bytes[s], "transfer_ns", (json_int_t)m->transfer_ns,
	                 "overlap_ns", (json_int_t)m->overlap_ns, "exposed_ns", (json_int_t)m->exposed_ns);
}

/* The sums of an epoch, and what they are for each mini-batch. */
static json_t *direction(int64_t messages, int64_t bytes, int64_t minis)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "messages", (json_int_t)messages, "bytes", (json_int_t)bytes,
	                 "messages_per_mini_batch", number((double)messages / (double)minis), "bytes_per_mini_batch",
	                 number((double)bytes / (double)minis));
}

/* Beside the paper's volumes, see struct tp_report_epoch. */
static json_t *communication(const struct tp_report_schedule *schedule, const struct tp_report_epoch *epoch)
{
	if (!epoch->has_records || schedule->stages < 2 || epoch->row.minis == 0)
		return json_null();
	json_t *boundaries = json_array();
	for (int32_t b = 0; b + 1 < schedule->stages; b++) {
		const struct tp_boundary_metrics *m = &epoch->metrics.boundary[b];
		(void)json_array_append_new(boundaries,
		                            json_pack("{s:i, s:o, s:o}", "after_stage", (int)b, "down",
		                                      direction(m->down_messages, m->down_bytes, epoch->row.minis),
		                                      "up", direction(m->up_messages, m->up_bytes, epoch->row.minis)));
	}
	return json_pack("{s:o, s:f, s:f, s:f}", "boundaries", boundaries, "bytes_per_mini_batch", epoch->sent_bytes,
	                 "naive_bytes_per_mini_batch", epoch->naive_bytes, "timeprest_bytes_per_mini_batch",
	                 epoch->timeprest_bytes);
}

static json_t *epoch_object(const struct tp_report_schedule *schedule, const struct tp_report_epoch *epoch)
{
	const struct tp_store_epoch *row = &epoch->row;
	json_t *object = json_pack("{s:i, s:I, s:I, s:I, s:o, s:o, s:o}", "epoch", (int)row->epoch, "mini_batches",
	                           (json_int_t)row->minis, "samples", (json_int_t)row->samples, "window_ns",
	                           (json_int_t)epoch->window_ns, "samples_per_s", number(epoch->samples_per_s),
	                           "train_loss", number(row->train_loss), "train_top1_share", number(row->train_top1));
	if (!object)
		return NULL;
	(void)json_object_set_new(object, "test_samples", json_integer(row->test_samples));
	(void)json_object_set_new(object, "test_loss", optional(row->evaluated, row->test_loss));
	(void)json_object_set_new(object, "test_top1_share", optional(row->evaluated, row->test_top1));
	(void)json_object_set_new(object, "test_top5_share", optional(row->evaluated, row->test_top5));
	(void)json_object_set_new(object, "dropped_records", json_integer(row->dropped_records));
	(void)json_object_set_new(object, "rss_bytes", json_integer(row->rss_bytes));
	bool known = epoch->has_records;
	(void)json_object_set_new(object, "idle_total_ratio", optional(known, epoch->metrics.bubble_idle_total));
	(void)json_object_set_new(object, "idle_ideal_ratio", optional(known, epoch->metrics.bubble_idle_ideal));
	(void)json_object_set_new(object, "version_difference_max",
	                          optional(known, (double)epoch->metrics.version_difference_max));
	(void)json_object_set_new(object, "version_difference_mean",
	                          optional(known, epoch->metrics.version_difference_mean));
	(void)json_object_set_new(object, "predicted_ns",
	                          row->predicted.window_ns > 0 ? json_integer(row->predicted.window_ns) : json_null());
	(void)json_object_set_new(object, "alpha_ratio",
	                          optional(known && epoch->metrics.transfers, epoch->metrics.alpha));
	(void)json_object_set_new(object, "staleness_idle_total_ratio",
	                          optional(known, epoch->metrics.staleness_idle_total));
	(void)json_object_set_new(object, "version_chains",
	                          known ? json_integer(epoch->metrics.version_chains) : json_null());
	bool steady = known && epoch->metrics.steady_ns > 0;
	(void)json_object_set_new(object, "steady_samples_per_s", optional(steady, epoch->steady_samples_per_s));
	(void)json_object_set_new(object, "steady_idle_total_ratio",
	                          optional(steady, epoch->metrics.steady_idle_total));
	(void)json_object_set_new(object, "communication", communication(schedule, epoch));
	json_t *stages = json_array();
	for (int32_t s = 0; known && s < schedule->stages; s++)
		(void)json_array_append_new(stages, stage_object(epoch, s));
	(void)json_object_set_new(object, "stages", stages);
	return object;
}

static void add_runs(const struct tp_report_schedule *schedule, json_t *runs)
{
	for (int32_t r = 0; r < schedule->run_count; r++) {
		const struct tp_report_run *run = &schedule->runs[r];
		json_t *epochs = json_array();
		for (int32_t e = 0; e < run->epoch_count; e++)
			(void)json_array_append_new(epochs, epoch_object(schedule, &run->epochs[e]));
		(void)json_array_append_new(
		        runs, json_pack("{s:I, s:s, s:s, s:i, s:i, s:i, s:s, s:o, s:o}", "run_id",
		                        (json_int_t)run->run_id, "schedule", schedule->name, "clock", schedule->clock,
		                        "stages", (int)schedule->stages, "micro_batches", (int)schedule->micro_batches,
		                        "repeat", (int)run->repeat, "state", run->state, "valid",
		                        run->checked ? json_boolean(!run->invalid) : json_null(), "epochs", epochs));
	}
}

static json_t *target_object(const struct tp_report_target *target)
{
	if (target->runs == 0)
		return json_null();
	return json_pack("{s:f, s:i, s:i, s:o, s:o}", "wanted", target->wanted, "runs", (int)target->runs, "reached",
	                 (int)target->reached, "epochs_median", optional(target->reached > 0, target->epochs),
	                 "seconds_median", optional(target->reached > 0, target->seconds));
}

static json_t *cost_object(const struct tp_report_schedule *s)
{
	if (s->cost_pairs == 0)
		return json_null();
	return json_pack("{s:s, s:I, s:f, s:f, s:f}", "profile_level", s->cost_level, "pairs",
	                 (json_int_t)s->cost_pairs, "cost_ratio", s->cost, "cost_min_ratio", s->cost_min,
	                 "cost_max_ratio", s->cost_max);
}

static json_t *summary_object(const struct tp_report_schedule *s)
{
	bool measured = s->measured_epochs > 0;
	json_t *versions = json_array(), *peaks = json_array();
	for (int32_t i = 0; i < s->stages; i++) {
		if (measured)
			(void)json_array_append_new(versions, json_integer(s->versions_alive_max[i]));
		(void)json_array_append_new(peaks, json_integer(s->stage_peak_bytes[i]));
	}
	return json_pack(
	        "{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:o, s:o, s:o, s:o, s:o, "
	        "s:o, s:o, s:o, s:o, s:o}",
	        "schedule", s->name, "epochs", (json_int_t)s->window.count, "window_median_ns",
	        number(s->window.median), "window_min_ns", number(s->window.min), "window_max_ns",
	        number(s->window.max), "window_stdev_ns", number(s->window.stdev), "samples_per_s_median",
	        number(s->samples_per_s.median), "idle_total_ratio", optional(measured, s->idle_total),
	        "idle_ideal_ratio", optional(measured, s->idle_ideal), "version_difference_max",
	        measured ? json_integer(s->version_difference_max) : json_null(), "versions_alive_max", versions,
	        "stage_peak_bytes", peaks, "peak_total_bytes", (json_int_t)s->peak_total_bytes, "fullest_stage",
	        (int)s->fullest_stage, "test_loss", optional(s->evaluated, s->test_loss), "test_top1_share",
	        optional(s->evaluated, s->test_top1), "test_top5_share", optional(s->evaluated, s->test_top5),
	        "predicted_median_ns", optional(s->predicted_epochs > 0, s->predicted_ns), "difference_ratio",
	        optional(s->predicted_epochs > 0, s->difference), "alpha_ratio", optional(s->transfers, s->alpha),
	        "exposed_ns", optional(s->transfers, s->exposed_ns), "staleness_idle_total_ratio",
	        optional(s->bounded && measured, s->staleness_idle_total), "version_difference_paper",
	        s->version_paper > 0 ? json_integer(s->version_paper) : json_null(), "version_difference_exact",
	        s->version_exact > 0 ? json_integer(s->version_exact) : json_null());
}

/* With what only some comparisons have. */
static json_t *extended_summary(const struct tp_report_schedule *s)
{
	json_t *object = summary_object(s);
	if (!object)
		return NULL;
	(void)json_object_set_new(object, "version_chains",
	                          s->measured_epochs > 0 ? json_integer(s->version_chains) : json_null());
	(void)json_object_set_new(object, "steady_samples_per_s",
	                          optional(s->steady_epochs > 0, s->steady_samples_per_s));
	(void)json_object_set_new(object, "steady_idle_total_ratio",
	                          optional(s->steady_epochs > 0, s->steady_idle_total));
	(void)json_object_set_new(object, "target_top1", target_object(&s->targets[TP_REPORT_TOP1]));
	(void)json_object_set_new(object, "target_loss", target_object(&s->targets[TP_REPORT_LOSS]));
	(void)json_object_set_new(object, "profile_cost", cost_object(s));
	return object;
}

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), tail = strlen(end);
	return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* Is it a time, a rate, or a ratio of times? Units are in the names. */
static bool is_of_time(const char *name)
{
	static const char *const others[] = {"alpha_ratio", "difference_ratio", "profile_cost", "seconds_median"};
	bool is =
	        ends_with(name, "_ns") || ends_with(name, "_per_s") || strstr(name, "_per_s_") || strstr(name, "idle_");
	for (size_t i = 0; i < sizeof others / sizeof *others && !is; i++)
		is = strcmp(name, others[i]) == 0;
	return is;
}

/* A clock that says nothing leaves null, at any depth. */
static void forget_times(json_t *value)
{
	const char *name;
	json_t *member;
	void *next;
	size_t i;
	json_object_foreach_safe(value, next, name, member)
	{
		if (is_of_time(name))
			(void)json_object_set_new(value, name, json_null());
		else
			forget_times(member);
	}
	json_array_foreach(value, i, member) forget_times(member);
}

json_t *tp_report_object(const struct tp_report *report)
{
	json_t *runs = json_array(), *schedules = json_array();
	for (int32_t i = 0; i < report->schedule_count; i++) {
		add_runs(&report->schedules[i], runs);
		(void)json_array_append_new(schedules, extended_summary(&report->schedules[i]));
	}
	if (report->stand_in) {
		forget_times(schedules);
		forget_times(runs);
	}
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:s, s:i, s:I, s:o, s:o, s:o, s:o}", "version", JSON_VERSION,
	                 "database", report->database, "model", report->model, "dataset", report->dataset, "device",
	                 report->device, "stand_in", (int)report->stand_in, "order", report->order, "batch_samples",
	                 (int)report->batch_samples, "dropped_samples_per_epoch", (json_int_t)report->dropped_samples,
	                 "parameters", pairs(&report->parameters), "environment", pairs(&report->environment),
	                 "schedules", schedules, "runs", runs);
}

enum tp_status tp_report_write_json(const struct tp_report *report, struct tp_text *out)
{
	json_t *root = tp_report_object(report);
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return tp_fail(TP_ERR_NOMEM, "report: no memory for the JSON object");
	tp_text_add(out, "%s\n", text);
	free(text);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
