/* A measure and the runs of a finding in words, as every writer has them. */
#include <inttypes.h>
#include <math.h>

#include "reports/claims_internal.h"

static void add_value(const struct tp_claim_measure *measure, double value, struct tp_text *out)
{
	if (isnan(value))
		tp_text_add(out, "-");
	else
		tp_text_add(out, "%.4g%s%s", value, measure->unit[0] ? " " : "", measure->unit);
}

static void add_interval(const struct tp_claim_measure *measure, struct tp_text *out)
{
	const struct tp_interval *interval = &measure->interval;
	if (isnan(interval->mid))
		return;
	tp_text_add(out, "; %s %.4g", measure->kind == TP_MEASURE_RATIO ? "ratio" : "difference", interval->mid);
	if (measure->extremes && interval->low == interval->high)
		tp_text_add(out, ", no spread");
	else if (interval->confidence > 0)
		tp_text_add(out, ", %.4g to %.4g", interval->low, interval->high);
	if (!measure->extremes && interval->confidence > 0)
		tp_text_add(out, " (%.0f %%)", 100 * interval->confidence);
	tp_text_add(out, ", n %" PRId64 " and %" PRId64, interval->n_b, interval->n_a);
}

void tp_claim_measure_text(const struct tp_claim_finding *finding, const struct tp_claim_measure *measure,
                           struct tp_text *out)
{
	tp_text_add(out, "%s: ", measure->what);
	if (measure->kind == TP_MEASURE_COUNT) {
		add_value(measure, measure->subject, out);
		if (finding->side_count == 0)
			tp_text_add(out, " of %.4g", measure->other);
		else if (!isnan(measure->subject) && isnan(measure->other))
			tp_text_add(out, ", claimed above 1");
		else if (!isnan(measure->subject))
			tp_text_add(out, ", claimed %.4g", measure->other);
	} else {
		tp_text_add(out, "%s ", finding->sides[measure->subject_side].label);
		add_value(measure, measure->subject, out);
		tp_text_add(out, ", %s ", finding->sides[measure->other_side].label);
		add_value(measure, measure->other, out);
		add_interval(measure, out);
	}
	if (measure->note[0])
		tp_text_add(out, "; %s", measure->note);
}

/* Numbers that follow each other as FIRST..LAST. */
static void add_ids(const struct tp_claim_side *side, struct tp_text *out)
{
	for (int32_t first = 0, last; first < side->run_count; first = last + 1) {
		last = first;
		while (last + 1 < side->run_count && side->run_ids[last + 1] == side->run_ids[last] + 1)
			last++;
		tp_text_add(out, "%s%" PRId64, first > 0 ? ", " : "", side->run_ids[first]);
		if (last > first)
			tp_text_add(out, "%s%" PRId64, last > first + 1 ? ".." : ", ", side->run_ids[last]);
	}
}

void tp_claim_runs_text(const struct tp_claim_finding *finding, struct tp_text *out)
{
	if (finding->side_count == 0)
		tp_text_add(out, "no runs");
	for (int32_t s = 0; s < finding->side_count; s++) {
		tp_text_add(out, "%s", s > 0 ? "; " : "runs ");
		add_ids(&finding->sides[s], out);
		tp_text_add(out, " (%s)", finding->sides[s].label);
	}
}
