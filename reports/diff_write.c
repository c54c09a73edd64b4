#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/base/colour.h"
#include "reports/diff.h"
#include "reports/escape.h"

static const enum tp_colour colours[] = {[TP_DIFF_SAME] = TP_COLOUR_NONE,
                                         [TP_DIFF_BETTER] = TP_COLOUR_GOOD,
                                         [TP_DIFF_WORSE] = TP_COLOUR_BAD,
                                         [TP_DIFF_UNCLEAR] = TP_COLOUR_WARNING};

static void add_setting(struct tp_text *out, const char *before, const char *value)
{
	if (!value[0])
		return;
	tp_text_add(out, "%s", before);
	tp_escape_terminal(out, value);
}

static void add_experiment(struct tp_text *out, const struct tp_group *group)
{
	tp_escape_terminal(out, group->schedule);
	add_setting(out, ": ", group->model);
	add_setting(out, " on ", group->dataset);
	tp_text_add(out, ", W %d, N %d, M %d", group->stages, group->micro_batches, group->batch_samples);
	add_setting(out, ", clock ", group->clock);
	add_setting(out, ", order ", group->order);
	add_setting(out, ", device ", group->device);
	add_setting(out, ", link ", group->link);
	add_setting(out, ", cluster ", group->cluster);
	add_setting(out, ", costs ", group->costs);
	tp_text_add(out, "\n");
}

static void add_value(struct tp_text *out, const struct tp_diff_metric *metric, double value)
{
	if (isnan(value))
		tp_text_add(out, " %12s", "-");
	else
		tp_text_add(out, " %12.*f", metric->decimals, value * metric->scale);
}

/* "+1.23%" of a ratio, "+1.23 pt" of a share. */
static void add_change(struct tp_text *out, const struct tp_diff_metric *metric, double change)
{
	if (isnan(change))
		tp_text_add(out, " %12s", "-");
	else if (metric->share)
		tp_text_add(out, " %+9.2f pt", 100 * change);
	else
		tp_text_add(out, " %+11.2f%%", 100 * change);
}

static void add_line(struct tp_text *out, const struct tp_diff_line *line, bool coloured)
{
	const struct tp_interval *change = &line->change;
	tp_text_add(out, "%-18s", line->metric->title);
	add_value(out, line->metric, line->a);
	add_value(out, line->metric, line->b);
	add_change(out, line->metric, change->mid);
	add_change(out, line->metric, change->low);
	add_change(out, line->metric, change->high);
	if (change->confidence > 0)
		tp_text_add(out, " %5.1f%%", 100 * change->confidence);
	else
		tp_text_add(out, " %6s", "-");
	tp_text_add(out, " %4" PRId64 " %4" PRId64 " %-6s  ", change->n_a, change->n_b,
	            line->of_runs ? "runs" : "epochs");
	tp_colour_add(out, coloured, colours[line->verdict], 0, tp_diff_verdict_text(line->verdict));
	tp_text_add(out, "\n");
}

static void add_group(struct tp_text *out, const struct tp_diff_group *group, bool coloured)
{
	tp_text_add(out, "\n");
	add_experiment(out, group->a);
	tp_text_add(out, "%-18s %12s %12s %12s %12s %12s %6s %9s %-6s  %s\n", "", "A median", "B median", "change",
	            "from", "to", "sure", "n A, n B", "of", "verdict");
	for (int32_t i = 0; i < group->line_count; i++)
		add_line(out, &group->lines[i], coloured);
}

/* Experiments of one side alone, and those without a run that could be used. */
static void add_unmatched(struct tp_text *out, const struct tp_diff *diff, int side)
{
	bool some = false;
	for (int32_t i = 0; i < diff->groups[side].count; i++) {
		const struct tp_group *group = &diff->groups[side].groups[i];
		if (tp_diff_is_compared(diff, side, group))
			continue;
		tp_text_add(out, "%sonly %s %c: ", some ? "" : "\n", group->run_count ? "in" : "unusable runs in",
		            'A' + side);
		add_experiment(out, group);
		some = true;
	}
}

/* Lines of the environment: what is there to be compared, and what should not differ for that. */
struct environment {
	struct tp_text compared, spoiling;
};

static void add_difference(const char *name, const char *a, const char *b, void *to)
{
	struct environment *environment = to;
	bool compared = strcmp(name, "commit") == 0 || strcmp(name, "tpbench_version") == 0;
	struct tp_text *out = compared ? &environment->compared : &environment->spoiling;
	tp_text_add(out, "%s", compared ? "# " : "# WARNING: A and B differ in ");
	tp_escape_terminal(out, name);
	tp_text_add(out, ": ");
	tp_escape_terminal(out, a[0] ? a : "-");
	tp_text_add(out, " against ");
	tp_escape_terminal(out, b[0] ? b : "-");
	tp_text_add(out, "\n");
}

static enum tp_status add_environment(struct tp_text *out, const struct tp_diff *diff)
{
	struct environment environment = {{0}, {0}};
	enum tp_status status = tp_diff_environment(diff, add_difference, &environment);
	tp_text_add(out, "%s", tp_text_get(&environment.compared));
	tp_text_add(out, "%s", tp_text_get(&environment.spoiling));
	if (environment.compared.failed || environment.spoiling.failed)
		status = TP_ERR_NOMEM;
	tp_text_release(&environment.compared);
	tp_text_release(&environment.spoiling);
	return status;
}

/* Lines that are unclear because there are so few values. */
static int32_t count_too_few(const struct tp_diff *diff)
{
	int32_t count = 0;
	for (int32_t g = 0; g < diff->compared_count; g++) {
		for (int32_t i = 0; i < diff->compared[g].line_count; i++) {
			const struct tp_diff_line *line = &diff->compared[g].lines[i];
			count += line->verdict == TP_DIFF_UNCLEAR && line->change.confidence < TP_INTERVAL_CONFIDENCE;
		}
	}
	return count;
}

static void add_left_out(struct tp_text *out, const struct tp_diff *diff, int side)
{
	int32_t stand_ins = tp_groups_stand_ins(&diff->groups[side]), left_out = -stand_ins;
	for (int32_t i = 0; i < diff->groups[side].count; i++)
		left_out += diff->groups[side].groups[i].left_out;
	if (left_out > 0)
		tp_text_add(out, "# %d run%s of %c left out: not done, not valid, or without an epoch\n", left_out,
		            left_out == 1 ? "" : "s", 'A' + side);
	if (stand_ins > 0) {
		tp_text_add(out, "# of %c ", 'A' + side);
		tp_groups_say_stand_ins(stand_ins, out);
		tp_text_add(out, "\n");
	}
}

enum tp_status tp_diff_write(const struct tp_diff *diff, bool coloured, struct tp_text *out)
{
	int32_t too_few = count_too_few(diff);
	tp_text_add(out, "A ");
	tp_escape_terminal(out, diff->path[0]);
	tp_text_add(out, ", B ");
	tp_escape_terminal(out, diff->path[1]);
	tp_text_add(out, ": change from A to B\n");
	for (int32_t i = 0; i < diff->compared_count; i++)
		add_group(out, &diff->compared[i], coloured);
	add_unmatched(out, diff, 0);
	add_unmatched(out, diff, 1);
	tp_text_add(out, "\n# %d worse, %d better, %d same, %d unclear, beyond %g %% or points\n",
	            diff->verdicts[TP_DIFF_WORSE], diff->verdicts[TP_DIFF_BETTER], diff->verdicts[TP_DIFF_SAME],
	            diff->verdicts[TP_DIFF_UNCLEAR], 100 * diff->threshold);
	tp_text_add(
	        out,
	        "# change and interval: Hodges and Lehmann's, by ranks; sure: the confidence that the values allow\n");
	if (too_few > 0)
		tp_text_add(out, "# %d unclear for want of values; 4 on each side give 95 %%\n", too_few);
	add_left_out(out, diff, 0);
	add_left_out(out, diff, 1);
	TP_TRY(add_environment(out, diff));
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
