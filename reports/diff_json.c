#include "reports/diff.h"
#include "reports/json_text.h"

static json_t *run_ids(const struct tp_group *group)
{
	json_t *ids = json_array();
	for (int32_t r = 0; r < group->run_count; r++)
		(void)json_array_append_new(ids, json_integer((json_int_t)group->runs[r].run_id));
	return ids;
}

static json_t *experiment(const struct tp_group *group)
{
	return json_pack("{s:o, s:o, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "schedule",
	                 tp_json_text(group->schedule), "model", tp_json_text(group->model), "dataset",
	                 tp_json_text(group->dataset), "stages", (int)group->stages, "micro_batches",
	                 (int)group->micro_batches, "batch_samples", (int)group->batch_samples, "clock",
	                 tp_json_text(group->clock), "order", tp_json_text(group->order), "device",
	                 tp_json_text(group->device), "link", tp_json_text(group->link), "cluster",
	                 tp_json_text(group->cluster), "costs", tp_json_text(group->costs));
}

static json_t *line_object(const struct tp_diff_line *line)
{
	const struct tp_interval *change = &line->change;
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:f, s:I, s:I, s:s, s:s}", "metric",
	                 line->metric->name, "unit", line->metric->unit, "a_median", tp_json_number(line->a),
	                 "b_median", tp_json_number(line->b), "change_kind",
	                 line->metric->share ? "difference" : "relative", "change", tp_json_number(change->mid),
	                 "change_low", tp_json_number(change->low), "change_high", tp_json_number(change->high),
	                 "confidence_share", change->confidence, "a_count", (json_int_t)change->n_a, "b_count",
	                 (json_int_t)change->n_b, "samples", line->of_runs ? "runs" : "epochs", "verdict",
	                 tp_diff_verdict_text(line->verdict));
}

static json_t *group_object(const struct tp_diff_group *group)
{
	json_t *object = experiment(group->a), *lines = json_array();
	for (int32_t i = 0; i < group->line_count; i++)
		(void)json_array_append_new(lines, line_object(&group->lines[i]));
	if (!object) {
		json_decref(lines);
		return NULL;
	}
	(void)json_object_set_new(object, "a_runs", run_ids(group->a));
	(void)json_object_set_new(object, "b_runs", run_ids(group->b));
	(void)json_object_set_new(object, "metrics", lines);
	return object;
}

static json_t *unmatched(const struct tp_diff *diff, int side)
{
	json_t *array = json_array();
	for (int32_t i = 0; i < diff->groups[side].count; i++) {
		const struct tp_group *group = &diff->groups[side].groups[i];
		if (tp_diff_is_compared(diff, side, group))
			continue;
		json_t *object = experiment(group);
		(void)json_object_set_new(object, "runs", run_ids(group));
		(void)json_object_set_new(object, "unusable_runs", json_integer(group->left_out));
		(void)json_array_append_new(array, object);
	}
	return array;
}

static void add_difference(const char *name, const char *a, const char *b, void *to)
{
	(void)json_array_append_new(to, json_pack("{s:o, s:o, s:o}", "name", tp_json_text(name), "a", tp_json_text(a),
	                                          "b", tp_json_text(b)));
}

enum tp_status tp_diff_write_json(const struct tp_diff *diff, struct tp_text *out)
{
	json_t *groups = json_array(), *verdicts = json_object(), *environment = json_array();
	for (int32_t i = 0; i < diff->compared_count; i++)
		(void)json_array_append_new(groups, group_object(&diff->compared[i]));
	for (int verdict = 0; verdict < TP_DIFF_VERDICTS; verdict++)
		(void)json_object_set_new(verdicts, tp_diff_verdict_text((enum tp_diff_verdict)verdict),
		                          json_integer(diff->verdicts[verdict]));
	enum tp_status status = tp_diff_environment(diff, add_difference, environment);
	json_t *root =
	        json_pack("{s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i}}", "version", 1, "a",
	                  tp_json_text(diff->path[0]), "b", tp_json_text(diff->path[1]), "threshold_share",
	                  diff->threshold, "verdicts", verdicts, "groups", groups, "only_in_a", unmatched(diff, 0),
	                  "only_in_b", unmatched(diff, 1), "environment_differs", environment, "stand_in_runs", "a",
	                  (int)tp_groups_stand_ins(&diff->groups[0]), "b", (int)tp_groups_stand_ins(&diff->groups[1]));
	if (status == TP_OK)
		return tp_json_write(root, out);
	json_decref(root);
	return status;
}
