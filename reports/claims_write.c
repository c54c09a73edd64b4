/* Claims for a terminal, for a document and for a page. */
#include <string.h>

#include "engine/base/colour.h"
#include "reports/claims_internal.h"
#include "reports/escape.h"

enum { COLUMNS = 120, ID_COLUMNS = 5, INDENT = 17 };

static int32_t count_verdicts(const struct tp_claims *claims, enum tp_verdict verdict)
{
	int32_t count = 0;
	for (int32_t c = 0; c < claims->count; c++)
		count += claims->claims[c].verdict == verdict;
	return count;
}

static void add_tally(const struct tp_claims *claims, struct tp_text *out)
{
	tp_text_add(out, "%d of %d claims hold, %d fail, %d are mixed, %d are not tested",
	            (int)count_verdicts(claims, TP_HOLDS), (int)claims->count, (int)count_verdicts(claims, TP_FAILS),
	            (int)count_verdicts(claims, TP_MIXED), (int)count_verdicts(claims, TP_NOT_TESTED));
}

/* What was not judged, and why; nothing where there is none. */
static void add_stand_ins(const struct tp_claims *claims, const char *before, const char *after, struct tp_text *out)
{
	if (claims->stand_in_runs == 0)
		return;
	tp_text_add(out, "%s", before);
	tp_groups_say_stand_ins(claims->stand_in_runs, out);
	tp_text_add(out, "%s", after);
}

static const char approximate[] =
        "What the paper shows was read off its plots by eye: ~ marks ranges, not measurements.";

typedef void escape_text(struct tp_text *out, const char *text);

static void add_measure(const struct tp_claim_finding *finding, int32_t m, escape_text *escape, struct tp_text *out)
{
	struct tp_text words = {0};
	tp_claim_measure_text(finding, &finding->measures[m], &words);
	escape(out, tp_text_get(&words));
	out->failed = out->failed || words.failed;
	tp_text_release(&words);
}

static void add_runs(const struct tp_claim_finding *finding, escape_text *escape, struct tp_text *out)
{
	struct tp_text words = {0};
	tp_claim_runs_text(finding, &words);
	escape(out, tp_text_get(&words));
	out->failed = out->failed || words.failed;
	tp_text_release(&words);
}

/* --- a terminal
 * ---------------------------------------------------------------------------------------------------------- */

static size_t columns_of(const char *word, size_t bytes)
{
	size_t columns = 0;
	for (size_t i = 0; i < bytes; i++)
		columns += ((unsigned char)word[i] & 0xc0) != 0x80; /* not what continues a character */
	return columns;
}

/* Words behind the indent, wrapped; `joint` ends every line but the last. */
static void wrap(struct tp_text *out, const char *text, const char *joint)
{
	size_t column = INDENT;
	while (*text) {
		size_t bytes = strcspn(text, " "), wide = columns_of(text, bytes);
		if (column > INDENT && column + 1 + wide + strlen(joint) > COLUMNS) {
			tp_text_add(out, "%s\n%*s", joint, INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			tp_text_add(out, " ");
			column++;
		}
		tp_text_add(out, "%.*s", (int)bytes, text);
		column += wide;
		text += bytes;
		text += strspn(text, " ");
	}
	tp_text_add(out, "\n");
}

static void add_text(struct tp_text *out, const char *text)
{
	struct tp_text safe = {0};
	tp_escape_terminal(&safe, text);
	wrap(out, tp_text_get(&safe), "");
	out->failed = out->failed || safe.failed;
	tp_text_release(&safe);
}

static void add_line(struct tp_text *out, const char *head, const char *text)
{
	tp_text_add(out, "%*s%-*s", ID_COLUMNS, "", INDENT - ID_COLUMNS, head);
	add_text(out, text);
}

static void add_verdict_line(struct tp_text *out, const char *id, bool coloured, enum tp_verdict verdict,
                             const char *text)
{
	static const enum tp_colour colours[] = {[TP_NOT_TESTED] = TP_COLOUR_NONE,
	                                         [TP_HOLDS] = TP_COLOUR_GOOD,
	                                         [TP_FAILS] = TP_COLOUR_BAD,
	                                         [TP_MIXED] = TP_COLOUR_WARNING};
	tp_text_add(out, "%-*s", ID_COLUMNS, id);
	tp_colour_add(out, coloured, colours[verdict], INDENT - ID_COLUMNS, tp_verdict_text(verdict));
	add_text(out, text);
}

/* As found: add_text() escapes. */
static void as_is(struct tp_text *out, const char *text)
{
	tp_text_add(out, "%s", text);
}

static void add_finding(struct tp_text *out, const struct tp_claim_finding *finding, bool coloured)
{
	for (int32_t m = 0; m < finding->measure_count; m++) {
		struct tp_text words = {0};
		add_measure(finding, m, as_is, &words);
		add_verdict_line(out, "", coloured, finding->measures[m].verdict, tp_text_get(&words));
		out->failed = out->failed || words.failed;
		tp_text_release(&words);
	}
	struct tp_text words = {0};
	if (finding->side_count > 0) {
		add_runs(finding, as_is, &words);
		tp_text_add(&words, ": ");
	}
	tp_text_add(&words, "%s", finding->conditions);
	add_line(out, "", tp_text_get(&words));
	out->failed = out->failed || words.failed;
	tp_text_release(&words);
}

static void add_claim(struct tp_text *out, const struct tp_claim *claim, bool coloured)
{
	struct tp_text title = {0};
	tp_text_add(&title, "%s (%s)", claim->claim, claim->place);
	add_verdict_line(out, claim->id, coloured, claim->verdict, tp_text_get(&title));
	out->failed = out->failed || title.failed;
	tp_text_release(&title);
	for (int32_t f = 0; f < claim->finding_count; f++)
		add_finding(out, &claim->findings[f], coloured);
	if (claim->verdict == TP_NOT_TESTED) {
		add_line(out, "needs", claim->needs);
		tp_text_add(out, "%*s%-*s", ID_COLUMNS, "", INDENT - ID_COLUMNS, "test it by");
		wrap(out, claim->command, " \\");
	}
	if (claim->paper[0])
		add_line(out, "the paper", claim->paper);
	if (claim->reproduction[0])
		add_line(out, "reproduced", claim->reproduction);
}

void tp_claims_write_text(const struct tp_claims *claims, bool coloured, struct tp_text *out)
{
	tp_text_add(out, "%-*s%-*s%s\n", ID_COLUMNS, "id", INDENT - ID_COLUMNS, "verdict",
	            "claim (place in the paper)");
	for (int32_t c = 0; c < claims->count; c++)
		add_claim(out, &claims->claims[c], coloured);
	tp_text_add(out, "\n# ");
	add_tally(claims, out);
	tp_text_add(out, "\n# %s\n# reproduced: by a third party, independent of the paper and of this program\n",
	            approximate);
	add_stand_ins(claims, "# ", "\n", out);
	if (count_verdicts(claims, TP_NOT_TESTED) > 0)
		tp_text_add(out, "# commands add to tpbench.db; --db FILE adds to another\n");
}

/* --- a document
 * ---------------------------------------------------------------------------------------------------------- */

static void add_markdown_row(struct tp_text *out, const struct tp_claim *claim, const struct tp_claim_finding *finding)
{
	tp_text_add(out, "| %s | ", claim->id);
	tp_escape_markdown(out, claim->claim);
	tp_text_add(out, " | %s | ", tp_verdict_text(finding ? finding->verdict : claim->verdict));
	for (int32_t m = 0; finding && m < finding->measure_count; m++) {
		tp_text_add(out, "%s", m > 0 ? "; " : "");
		add_measure(finding, m, tp_escape_markdown, out);
	}
	if (!finding) {
		tp_text_add(out, "needs ");
		tp_escape_markdown(out, claim->needs);
		tp_text_add(out, ": `%s`", claim->command);
	}
	tp_text_add(out, " | ");
	if (finding)
		add_runs(finding, tp_escape_markdown, out);
	tp_text_add(out, " | ");
	if (finding)
		tp_escape_markdown(out, finding->conditions);
	tp_text_add(out, " | ");
	tp_escape_markdown(out, claim->paper);
	tp_text_add(out, " | ");
	tp_escape_markdown(out, claim->reproduction);
	tp_text_add(out, " |\n");
}

void tp_claims_write_markdown(const struct tp_claims *claims, struct tp_text *out)
{
	tp_text_add(out,
	            "| id | claim | verdict | numbers | runs | conditions | the paper, approximate | reproduced |\n"
	            "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (int32_t c = 0; c < claims->count; c++) {
		const struct tp_claim *claim = &claims->claims[c];
		for (int32_t f = 0; f < claim->finding_count; f++)
			add_markdown_row(out, claim, &claim->findings[f]);
		if (claim->verdict == TP_NOT_TESTED)
			add_markdown_row(out, claim, NULL);
	}
	tp_text_add(out, "\n");
	add_tally(claims, out);
	tp_text_add(out, ". %s\n\n", approximate);
	add_stand_ins(claims, "", ".\n\n", out);
	for (int32_t r = 0; r < claims->reading_count; r++) {
		const struct tp_claim_reading *reading = &claims->readings[r];
		tp_text_add(out, "* %s, %s: ", reading->claims, reading->reproduction ? "reproduced" : "the paper");
		tp_escape_markdown(out, reading->text);
		tp_text_add(out, "\n");
	}
}

/* --- a page
 * -------------------------------------------------------------------------------------------------------------- */

static const char *verdict_class(enum tp_verdict verdict)
{
	static const char *const classes[] = {"not-tested", "holds", "fails", "mixed"};
	return classes[verdict];
}

static void add_verdict(struct tp_text *out, enum tp_verdict verdict)
{
	tp_text_add(out, "<strong class=\"verdict %s\">%s</strong>", verdict_class(verdict), tp_verdict_text(verdict));
}

static void add_html_findings(struct tp_text *out, const struct tp_claim *claim)
{
	if (claim->finding_count == 0)
		return;
	tp_text_add(out,
	            "<table><thead><tr><th>Verdict</th><th>Numbers</th><th>Runs</th><th>Conditions</th></tr></thead>"
	            "<tbody>\n");
	for (int32_t f = 0; f < claim->finding_count; f++) {
		const struct tp_claim_finding *finding = &claim->findings[f];
		tp_text_add(out, "<tr><td>");
		add_verdict(out, finding->verdict);
		tp_text_add(out, "</td><td>");
		for (int32_t m = 0; m < finding->measure_count; m++) {
			tp_text_add(out, "%s", m > 0 ? "<br>" : "");
			add_measure(finding, m, tp_escape_html, out);
		}
		tp_text_add(out, "</td><td>");
		add_runs(finding, tp_escape_html, out);
		tp_text_add(out, "</td><td>");
		tp_escape_html(out, finding->conditions);
		tp_text_add(out, "</td></tr>\n");
	}
	tp_text_add(out, "</tbody></table>\n");
}

static void add_html_line(struct tp_text *out, const char *head, const char *text)
{
	if (!text[0])
		return;
	tp_text_add(out, "<p>%s: ", head);
	tp_escape_html(out, text);
	tp_text_add(out, "</p>\n");
}

static void add_html_readings(struct tp_text *out, const struct tp_claims *claims, const char *id)
{
	bool begun = false;
	for (int32_t r = 0; r < claims->reading_count; r++) {
		const struct tp_claim_reading *reading = &claims->readings[r];
		if (!tp_claim_reading_of(reading, id))
			continue;
		tp_text_add(out, "%s<li>%s: ", begun ? "" : "<ul>\n",
		            reading->reproduction ? "reproduced" : "the paper");
		tp_escape_html(out, reading->text);
		tp_text_add(out, "</li>\n");
		begun = true;
	}
	if (begun)
		tp_text_add(out, "</ul>\n");
}

static void add_html_claim(struct tp_text *out, const struct tp_claims *claims, const struct tp_claim *claim)
{
	tp_text_add(out, "<details id=\"claim-%s\"><summary>%s ", claim->id, claim->id);
	add_verdict(out, claim->verdict);
	tp_text_add(out, " ");
	tp_escape_html(out, claim->claim);
	tp_text_add(out, "</summary>\n");
	add_html_line(out, "In the paper", claim->place);
	add_html_line(out, "Needs", claim->needs);
	add_html_line(out, "Holds if", claim->holds_if);
	add_html_findings(out, claim);
	if (claim->verdict == TP_NOT_TESTED) {
		tp_text_add(out, "<p>Test it by <code>");
		tp_escape_html(out, claim->command);
		tp_text_add(out, "</code></p>\n");
	}
	add_html_line(out, "The paper, approximate", claim->paper);
	add_html_line(out, "Reproduced", claim->reproduction);
	add_html_readings(out, claims, claim->id);
	tp_text_add(out, "</details>\n");
}

void tp_claims_write_html(const struct tp_claims *claims, struct tp_text *out)
{
	tp_text_add(out, "<section id=\"claims\">\n<h2>Claims</h2>\n<p>");
	add_tally(claims, out);
	tp_text_add(out, ". %s</p>\n", approximate);
	add_stand_ins(claims, "<p>", ".</p>\n", out);
	for (int32_t c = 0; c < claims->count; c++)
		add_html_claim(out, claims, &claims->claims[c]);
	tp_text_add(out, "</section>\n");
}
