/* The rows of the summary, and how they compare. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/interval.h"
#include "reports/report_data.h"
#include "reports/summary_columns.h"
#include "reports/summary_read.h"

/* --- rows ------------------------------------------------------------------------------------------------------------
 */

static char *keep(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *kept = tp_alloc(bytes);
	if (kept)
		memcpy(kept, text, bytes);
	return kept;
}

static double count_seeds(const struct tp_group *group)
{
	int32_t seeds = 0;
	for (int32_t r = 0; r < group->run_count; r++) {
		bool seen = false;
		for (int32_t before = 0; before < r && !seen; before++)
			seen = group->runs[before].seed == group->runs[r].seed;
		seeds += !seen;
	}
	return seeds;
}

/* Settings that have no column of their own and in which the group differs from some other. */
static char *keep_others(const struct tp_groups *groups, const struct tp_group *group)
{
	static const char shown[] =
	        ",schedule,stages,micro-batches,batch,model,dataset,device,order,clock,cluster,link,costs,";
	struct tp_text others = {0};
	const char *line = group->settings;
	for (size_t length; (length = strcspn(line, "\n")) > 0; line += length + (line[length] == '\n')) {
		char name[64], between[68], value[256], other[256];
		(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "=\n"), line);
		(void)snprintf(between, sizeof between, ",%s,", name);
		bool differs = false;
		if (strstr(shown, between) || !tp_group_setting(group, name, value, sizeof value))
			continue;
		for (int32_t i = 0; i < groups->count && !differs; i++)
			differs = groups->groups[i].run_count > 0 &&
			          (!tp_group_setting(&groups->groups[i], name, other, sizeof other) ||
			           strcmp(other, value) != 0);
		if (differs)
			tp_text_add(&others, "%s%s=%s", others.length ? " " : "", name, value);
	}
	char *kept = others.failed ? NULL : keep(tp_text_get(&others));
	tp_text_release(&others);
	return kept;
}

static bool is_off(const struct tp_group *group, const char *axis)
{
	char value[32];
	return !tp_group_setting(group, axis, value, sizeof value) || value[0] == '\0' || strcmp(value, "0") == 0;
}

/* Predictions of v, where they hold: with other limits in flight, or a bound, v is not as predicted. */
static void predict_versions(const struct tp_group *group, struct tp_summary_row *row)
{
	int64_t w = group->stages, n = group->micro_batches;
	if (!tp_report_predicts_versions(group->schedule) || !is_off(group, "in-flight") ||
	    !is_off(group, "max-staleness"))
		return;
	if (n >= 2) /* what Eq. 3 is stated for */
		row->version_paper = (double)((w + n - 2) / n);
	row->version_exact = (double)((w + n) / (n + 1));
}

static enum tp_status begin_row(const struct tp_groups *groups, const struct tp_group *group, int32_t index,
                                struct tp_summary_row *row)
{
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (column->kind == TP_SUMMARY_COUNT || column->kind == TP_SUMMARY_NUMBER)
			*(double *)((char *)row + column->offset) = (double)NAN;
	}
	row->number = index + 1;
	row->schedule = keep(group->schedule);
	row->model = keep(group->model);
	row->dataset = keep(group->dataset);
	row->device = keep(group->device);
	row->order = keep(group->order);
	row->clock = keep(group->clock);
	row->cluster = keep(group->cluster);
	row->link = keep(group->link);
	row->costs = keep(group->costs);
	row->others = keep_others(groups, group);
	row->stages = group->stages;
	row->micro_batches = group->micro_batches;
	row->batch_samples = group->batch_samples;
	row->runs = group->run_count;
	row->seeds = count_seeds(group);
	row->left_out = group->left_out;
	row->run_ids.values = tp_alloc_array((size_t)group->run_count, sizeof(int64_t));
	row->stage_bytes.values = tp_alloc_array((size_t)group->stages, sizeof(int64_t));
	row->versions_alive.values = tp_alloc_array((size_t)group->stages, sizeof(int64_t));
	if (!row->schedule || !row->model || !row->dataset || !row->device || !row->order || !row->clock ||
	    !row->cluster || !row->link || !row->costs || !row->others || !row->run_ids.values ||
	    !row->stage_bytes.values || !row->versions_alive.values)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < group->run_count; r++)
		row->run_ids.values[row->run_ids.count++] = group->runs[r].run_id;
	predict_versions(group, row);
	return TP_OK;
}

/* --- comparing -------------------------------------------------------------------------------------------------------
 */

/* Options that belong to some schedules only. */
#define AXES "schedule,backward-version,sequence,max-staleness,in-flight,staleness-decay"

/* How near `other` is to be the group that `group` is compared with: 0 not at all. N does not matter to a schedule
 * whose forwards are of whole mini-batches, nor do stages to one without a pipeline. */
static int nearness(const struct tp_group *group, const struct tp_group *other)
{
	if (tp_groups_alike_but(group, other, "schedule"))
		return 4;
	if (tp_groups_alike_but(group, other, AXES))
		return 3;
	bool one_is_whole = group->micro_batches == 1 || other->micro_batches == 1;
	if (one_is_whole && tp_groups_alike_but(group, other, AXES ",micro-batches"))
		return 2;
	bool one_is_single = group->stages == 1 || other->stages == 1;
	return one_is_single && tp_groups_alike_but(group, other, AXES ",micro-batches,stages") ? 1 : 0;
}

/* The row that a row is compared with; -1: none. Rows are groups with runs, in their order. */
static int32_t find_baseline(const struct tp_groups *groups, const struct tp_group *group, const char *schedule)
{
	int32_t found = -1, row = 0;
	int best = 0;
	for (int32_t i = 0; i < groups->count; i++) {
		const struct tp_group *other = &groups->groups[i];
		if (other->run_count == 0)
			continue;
		int near = strcmp(other->schedule, schedule) == 0 ? nearness(group, other) : 0;
		if (near > best) {
			best = near;
			found = row;
		}
		row++;
	}
	return found;
}

static enum tp_status compare_rows(const struct tp_groups *groups, const struct tp_summary_rates *rates,
                                   struct tp_summary *summary)
{
	int32_t index = 0;
	for (int32_t i = 0; i < groups->count; i++) {
		if (groups->groups[i].run_count == 0)
			continue;
		struct tp_summary_row *row = &summary->rows[index];
		int32_t base = find_baseline(groups, &groups->groups[i], summary->baseline);
		struct tp_interval ratio;
		if (base >= 0) {
			TP_TRY(tp_ratio_interval(rates[base].values, rates[base].count, rates[index].values,
			                         rates[index].count, &ratio));
			row->baseline = base + 1;
			row->speed_up = ratio.mid;
		}
		if (base >= 0 && base != index && ratio.confidence > 0) {
			row->speed_up_low = ratio.low;
			row->speed_up_high = ratio.high;
			row->speed_up_confidence = ratio.confidence;
		}
		index++;
	}
	return TP_OK;
}

/* --- the whole -------------------------------------------------------------------------------------------------------
 */

static bool has_runs(const struct tp_groups *groups, const char *schedule)
{
	for (int32_t i = 0; i < groups->count; i++) {
		if (groups->groups[i].run_count > 0 && strcmp(groups->groups[i].schedule, schedule) == 0)
			return true;
	}
	return false;
}

static enum tp_status choose_baseline(const struct tp_groups *groups, const char *asked, struct tp_summary *summary)
{
	const char *chosen = "";
	if (asked && groups->count > 0) {
		bool known = false;
		for (int32_t i = 0; i < groups->count && !known; i++)
			known = strcmp(groups->groups[i].schedule, asked) == 0;
		if (!known)
			return tp_fail(TP_ERR_INPUT, "--baseline: the database has no run of schedule '%s'", asked);
		chosen = asked;
	} else if (has_runs(groups, "gpipe")) {
		chosen = "gpipe";
	} else if (has_runs(groups, "pipedream")) {
		chosen = "pipedream";
	} else {
		for (int32_t i = 0; i < groups->count && !chosen[0]; i++)
			chosen = groups->groups[i].run_count > 0 ? groups->groups[i].schedule : "";
	}
	summary->baseline = keep(chosen);
	return summary->baseline ? TP_OK : TP_ERR_NOMEM;
}

static bool names_repeat(const struct tp_summary *summary)
{
	for (int32_t i = 0; i < summary->row_count; i++) {
		const struct tp_summary_row *row = &summary->rows[i];
		for (int32_t before = 0; before < i; before++) {
			const struct tp_summary_row *other = &summary->rows[before];
			if (strcmp(row->schedule, other->schedule) == 0 && row->stages == other->stages &&
			    row->micro_batches == other->micro_batches)
				return true;
		}
	}
	return false;
}

static enum tp_status read_rows(struct tp_summary_reader *reader, const struct tp_groups *groups,
                                struct tp_summary_rates *rates, struct tp_summary *summary)
{
	for (int32_t i = 0; i < groups->count; i++) {
		const struct tp_group *group = &groups->groups[i];
		if (group->run_count == 0) {
			summary->left_out_groups++;
			continue;
		}
		int32_t index = summary->row_count++;
		TP_TRY(begin_row(groups, group, index, &summary->rows[index]));
		TP_TRY(tp_summary_read_group(reader, group, &summary->rows[index], &rates[index]));
	}
	summary->needs_numbers = names_repeat(summary);
	return compare_rows(groups, rates, summary);
}

static enum tp_status read_all(struct tp_store *store, const struct tp_groups *groups, const char *baseline,
                               struct tp_summary *summary)
{
	struct tp_summary_reader reader;
	TP_TRY(choose_baseline(groups, baseline, summary));
	summary->rows = tp_alloc_array((size_t)groups->count, sizeof *summary->rows);
	struct tp_summary_rates *rates = tp_alloc_array((size_t)groups->count, sizeof *rates);
	enum tp_status status = summary->rows && rates ? tp_summary_reader_init(&reader, store) : TP_ERR_NOMEM;
	if (summary->rows && rates) {
		if (status == TP_OK)
			status = read_rows(&reader, groups, rates, summary);
		tp_summary_reader_release(&reader);
	}
	for (int32_t i = 0; rates && i < groups->count; i++)
		tp_free(rates[i].values);
	tp_free(rates);
	return status;
}

enum tp_status tp_summary_read(struct tp_store *store, const struct tp_groups *groups, const char *baseline,
                               struct tp_summary *summary)
{
	*summary = (struct tp_summary){.stand_in_runs = tp_groups_stand_ins(groups)};
	enum tp_status status = read_all(store, groups, baseline, summary);
	if (status != TP_OK)
		tp_summary_release(summary);
	return status;
}

void tp_summary_release(struct tp_summary *summary)
{
	for (int32_t i = 0; i < summary->row_count; i++) {
		for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
			if (column->kind == TP_SUMMARY_TEXT)
				tp_free(*(char **)((char *)&summary->rows[i] + column->offset));
			else if (column->kind == TP_SUMMARY_LIST)
				tp_free(((struct tp_summary_list *)((char *)&summary->rows[i] + column->offset))
				                ->values);
		}
	}
	tp_free(summary->rows);
	tp_free(summary->baseline);
	*summary = (struct tp_summary){0};
}
