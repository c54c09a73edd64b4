#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "reports/claims_internal.h"
#include "reports/escape.h"

#define JSON_VERSION 1

/* A text that may not be UTF-8, which JSON has to be. */
static json_t *text_of(const char *text)
{
	struct tp_text safe = {0};
	while (*text) {
		size_t bytes = tp_utf8_bytes(text);
		if (bytes == 0)
			tp_text_add(&safe, "\xef\xbf\xbd");
		else
			tp_text_add(&safe, "%.*s", (int)bytes, text);
		text += bytes ? bytes : 1;
	}
	json_t *string = safe.failed ? NULL : json_string(tp_text_get(&safe));
	tp_text_release(&safe);
	return string;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *measure_object(const struct tp_claim_measure *measure)
{
	static const char *const kinds[] = {"ratio", "difference", "count"};
	const struct tp_interval *interval = &measure->interval;
	bool compared = measure->kind != TP_MEASURE_COUNT, sure = compared && interval->confidence > 0;
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:s, s:s}", "what", measure->what, "unit",
	        measure->unit, "kind", kinds[measure->kind], "subject", number(measure->subject), "other",
	        number(measure->other), "value", number(compared ? interval->mid : (double)NAN), "low",
	        number(sure ? interval->low : (double)NAN), "high", number(sure ? interval->high : (double)NAN),
	        "confidence", number(sure ? interval->confidence : (double)NAN), "no_spread", (int)measure->extremes,
	        "subject_count", compared ? json_integer(interval->n_b) : json_null(), "other_count",
	        compared ? json_integer(interval->n_a) : json_null(), "verdict", tp_verdict_text(measure->verdict),
	        "note", measure->note);
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
		(void)json_array_append_new(sides, json_pack("{s:o, s:o}", "label", text_of(finding->sides[s].label),
		                                             "runs", run_array(&finding->sides[s])));
	for (int32_t m = 0; m < finding->measure_count; m++)
		(void)json_array_append_new(measures, measure_object(&finding->measures[m]));
	return json_pack("{s:s, s:o, s:o, s:o}", "verdict", tp_verdict_text(finding->verdict), "conditions",
	                 text_of(finding->conditions), "sides", sides, "measures", measures);
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
	json_t *root = json_pack("{s:i, s:o}", "version", JSON_VERSION, "claims", list);
	char *text = root && complete ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return tp_fail(TP_ERR_NOMEM, "claims: no memory for the JSON object");
	tp_text_add(out, "%s\n", text);
	free(text);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
