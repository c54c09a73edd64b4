#include <math.h>

#include "reports/claims_internal.h"
#include "reports/json_text.h"

#define JSON_VERSION 1

static json_t *measure_object(const struct tp_claim_measure *measure)
{
	static const char *const kinds[] = {"ratio", "difference", "count"};
	const struct tp_interval *interval = &measure->interval;
	bool compared = measure->kind != TP_MEASURE_COUNT, sure = compared && interval->confidence > 0;
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:s, s:s}", "what",
	                 measure->what, "unit", measure->unit, "kind", kinds[measure->kind], "subject",
	                 tp_json_number(measure->subject), "other", tp_json_number(measure->other), "value",
	                 tp_json_number(compared ? interval->mid : (double)NAN), "low",
	                 tp_json_number(sure ? interval->low : (double)NAN), "high",
	                 tp_json_number(sure ? interval->high : (double)NAN), "confidence",
	                 tp_json_number(sure ? interval->confidence : (double)NAN), "no_spread", (int)measure->extremes,
	                 "subject_count", compared ? json_integer(interval->n_b) : json_null(), "other_count",
	                 compared ? json_integer(interval->n_a) : json_null(), "verdict",
	                 tp_verdict_text(measure->verdict), "note", measure->note);
}

static json_t *run_array(const struct tp_claim_side *side)
{
	json_t *runs = json_array();
	for (int32_t r = 0; r < side->run_count; r++)
		(void)json_array_append_new(runs, json_integer(side->run_ids[r]));
	return runs;
}

static json_t *finding_object(const struct tp_claim_finding *finding)
{
	json_t *sides = json_array(), *measures = json_array();
	for (int32_t s = 0; s < finding->side_count; s++)
		(void)json_array_append_new(sides,
		                            json_pack("{s:o, s:o}", "label", tp_json_text(finding->sides[s].label),
		                                      "runs", run_array(&finding->sides[s])));
	for (int32_t m = 0; m < finding->measure_count; m++)
		(void)json_array_append_new(measures, measure_object(&finding->measures[m]));
	return json_pack("{s:s, s:o, s:o, s:o}", "verdict", tp_verdict_text(finding->verdict), "conditions",
	                 tp_json_text(finding->conditions), "sides", sides, "measures", measures);
}

static json_t *readings_array(const struct tp_claims *claims, const char *id, bool reproduction)
{
	json_t *readings = json_array();
	for (int32_t r = 0; r < claims->reading_count; r++) {
		const struct tp_claim_reading *reading = &claims->readings[r];
		if (reading->reproduction == reproduction && tp_claim_reading_of(reading, id))
			(void)json_array_append_new(readings, json_string(reading->text));
	}
	return readings;
}

static json_t *claim_object(const struct tp_claims *claims, const struct tp_claim *claim)
{
	json_t *findings = json_array();
	for (int32_t f = 0; f < claim->finding_count; f++)
		(void)json_array_append_new(findings, finding_object(&claim->findings[f]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:b, s:s, s:o}, s:{s:s, s:o}, s:s}", "id", claim->id,
	                 "place", claim->place, "claim", claim->claim, "needs", claim->needs, "holds_if",
	                 claim->holds_if, "verdict", tp_verdict_text(claim->verdict), "findings", findings, "paper",
	                 "approximate", 1, "says", claim->paper, "readings", readings_array(claims, claim->id, false),
	                 "reproduction", "says", claim->reproduction, "readings",
	                 readings_array(claims, claim->id, true), "command", claim->command);
}

enum tp_status tp_claims_write_json(const struct tp_claims *claims, struct tp_text *out)
{
	json_t *list = json_array();
	bool complete = true;
	for (int32_t c = 0; c < claims->count; c++)
		complete = json_array_append_new(list, claim_object(claims, &claims->claims[c])) == 0 && complete;
	json_t *root = json_pack("{s:i, s:i, s:o}", "version", JSON_VERSION, "stand_in_runs",
	                         (int)claims->stand_in_runs, "claims", list);
	if (complete)
		return tp_json_write(root, out);
	json_decref(root);
	return tp_fail(TP_ERR_NOMEM, "claims: no memory for the JSON object");
}
