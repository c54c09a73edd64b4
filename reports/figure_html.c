/* Figures as a fragment of a page: drawings inlined, so that the page is one file, and their numbers beside them. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/escape.h"
#include "reports/figure.h"

/* --- the drawing
 * ------------------------------------------------------------------------------------------------------ */

/* Far above what gnuplot writes of a figure; one that is larger is not ours. */
#define SVG_MAX_BYTES (4 << 20)

/* The whole file, NUL-ended; NULL: there is none, or memory ran out. Free with tp_free(). */
static char *read_drawing(const char *dir, const char *id)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof path, "%s/%s.svg", dir, id);
	FILE *file = length > 0 && length < (int)sizeof path ? fopen(path, "r") : NULL;
	if (!file)
		return NULL;
	char *text = tp_alloc(SVG_MAX_BYTES);
	size_t bytes = text ? fread(text, 1, SVG_MAX_BYTES - 1, file) : 0;
	(void)fclose(file);
	if (bytes > 0)
		return text;
	tp_free(text);
	return NULL;
}

static bool begins(const char *at, const char *word)
{
	return strncmp(at, word, strlen(word)) == 0;
}

/* Behind the element that begins at `at`. */
static const char *behind(const char *at, const char *end)
{
	const char *found = strstr(at, end);
	return found ? found + strlen(end) : at + strlen(at);
}

/* Titles that gnuplot makes up, which would be tool-tips: of the file, and of plots without one. */
static bool is_empty_title(const char *at)
{
	return begins(at, "<title>Gnuplot</title>") || begins(at, "<title>gnuplot_plot_");
}

/* What names an element, or refers to one, gets the figure's id before it: on a page there are many drawings. */
static const char *add_token(struct tp_text *out, const char *at, const char *id)
{
	static const char *const names[] = {" id='", " id=\"", "href='#", "href=\"#", "url(#"};
	static const char grey[] = "rgb(115, 115, 115)";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (begins(at, names[i])) {
			tp_text_add(out, "%s%s-", names[i], id);
			return at + strlen(names[i]);
		}
	}
	if (begins(at, grey)) {
		tp_text_add(out, "currentColor");
		return at + strlen(grey);
	}
	if (is_empty_title(at))
		return behind(at, "</title>");
	if (begins(at, "<desc>"))
		return behind(at, "</desc>");
	tp_text_add(out, "%c", *at);
	return at + 1;
}

static void add_drawing(const struct tp_figure *figure, const char *svg, struct tp_text *out)
{
	const char *at = strstr(svg, "<svg");
	if (!at)
		return;
	tp_text_add(out, "<svg role=\"img\" aria-label=\"");
	tp_escape_html(out, figure->title);
	tp_text_add(out, "\"");
	for (at += strlen("<svg"); *at && !begins(at, "</svg>");)
		at = add_token(out, at, figure->id);
	tp_text_add(out, "</svg>\n");
}

/* --- numbers
 * ---------------------------------------------------------------------------------------------------------- */

static void add_number(struct tp_text *out, double value)
{
	if (isfinite(value))
		tp_text_add(out, "<td>%.6g</td>", value);
	else
		tp_text_add(out, "<td>-</td>");
}

static void add_row(const struct tp_figure *figure, const struct tp_figure_series *series, int32_t p,
                    struct tp_text *out)
{
	tp_text_add(out, "<tr><td>");
	tp_escape_html(out, series->name);
	tp_text_add(out, "</td>");
	if (figure->kind == TP_FIGURE_LINES) {
		add_number(out, series->x[p]);
	} else {
		tp_text_add(out, "<td>");
		tp_escape_html(out, figure->categories[(int32_t)series->x[p]]);
		tp_text_add(out, "</td>");
	}
	add_number(out, series->y[p]);
	add_number(out, series->low[p]);
	add_number(out, series->high[p]);
	if (series->samples[p] > 0)
		tp_text_add(out, "<td>%" PRId64 "</td></tr>\n", series->samples[p]);
	else
		tp_text_add(out, "<td>-</td></tr>\n");
}

static void add_table(const struct tp_figure *figure, struct tp_text *out)
{
	tp_text_add(out, "<details><summary>Numbers</summary>\n<table>\n<thead><tr><th>Series</th><th>");
	tp_escape_html(out, figure->x_label);
	tp_text_add(out, "</th><th>");
	tp_escape_html(out, figure->y_label);
	tp_text_add(out, "</th><th>lowest</th><th>highest</th><th>samples</th></tr></thead>\n<tbody>\n");
	for (int32_t i = 0; i < figure->series_count; i++) {
		for (int32_t p = 0; p < figure->series[i].count; p++)
			add_row(figure, &figure->series[i], p, out);
	}
	tp_text_add(out, "</tbody>\n</table>\n</details>\n");
}

/* --- the caption
 * ------------------------------------------------------------------------------------------------------ */

/* "1 to 4, 7". */
static void add_runs(const struct tp_figure *figure, struct tp_text *out)
{
	for (int32_t i = 0; i < figure->run_count;) {
		int32_t last = i;
		while (last + 1 < figure->run_count && figure->run_ids[last + 1] == figure->run_ids[last] + 1)
			last++;
		tp_text_add(out, "%s%" PRId64, i > 0 ? ", " : "", figure->run_ids[i]);
		if (last > i)
			tp_text_add(out, " to %" PRId64, figure->run_ids[last]);
		i = last + 1;
	}
}

static void add_paper_note(const struct tp_figure *figure, struct tp_text *out)
{
	bool reference = false, hidden = false;
	for (int32_t i = 0; i < figure->series_count; i++) {
		reference = reference || figure->series[i].reference;
		hidden = hidden || figure->series[i].in_table;
	}
	if (reference)
		tp_text_add(out, " The paper's values were read off its plots by eye and are approximate ranges%s.",
		            hidden ? ", in the table only: their axis or scale is another (the paper's time points "
		                     "have no unit)"
		                   : "");
}

static void add_caption(const struct tp_figure *figure, struct tp_text *out)
{
	tp_text_add(out, "<figcaption><strong>");
	tp_escape_html(out, figure->title);
	tp_text_add(out, "</strong>%s%s%s. ", figure->paper[0] ? " (paper: " : "", figure->paper,
	            figure->paper[0] ? ")" : "");
	tp_escape_html(out, figure->conditions ? figure->conditions : "");
	tp_text_add(out, ". Time is %s. ",
	            !figure->modelled  ? "measured"
	            : figure->measured ? "measured in some runs and modelled by the virtual clock in others"
	                               : "modelled by the virtual clock");
	tp_text_add(out, "%s between lowest and highest; samples: %s. Runs ",
	            figure->kind == TP_FIGURE_STACKED ? "Mean" : "Median", figure->sampled);
	add_runs(figure, out);
	tp_text_add(out, ".");
	if (figure->not_drawn > 0)
		tp_text_add(out, " %d more in other settings not drawn.", figure->not_drawn);
	add_paper_note(figure, out);
	tp_text_add(out, "</figcaption>\n");
}

static void add_missing(const struct tp_figure *figure, struct tp_text *out)
{
	tp_text_add(out, "<figcaption><strong>");
	tp_escape_html(out, figure->title);
	tp_text_add(out, "</strong>%s%s%s is missing: ", figure->paper[0] ? " (paper: " : "", figure->paper,
	            figure->paper[0] ? ")" : "");
	tp_escape_html(out, figure->missing);
	tp_text_add(out, ". This would give it:</figcaption>\n<pre><code>");
	tp_escape_html(out, figure->command);
	tp_text_add(out, "</code></pre>\n");
}

/* A page of many comparisons stays below 5 MB: drawings are in it until they take so much, the others stay files. */
#define DRAWINGS_BYTES ((size_t)2 << 20)

static void add_picture(const struct tp_figure *figure, const char *dir, size_t *room, struct tp_text *out)
{
	char *svg = read_drawing(dir, figure->id);
	size_t before = out->length;
	if (svg && strlen(svg) <= *room)
		add_drawing(figure, svg, out);
	else if (svg)
		tp_text_add(out, "<p>Drawn in %s.svg beside this page, which would grow too large with it.</p>\n",
		            figure->id);
	else
		tp_text_add(out, "<p>Not drawn; its numbers are below.</p>\n");
	size_t taken = out->length - before;
	*room -= taken < *room ? taken : *room;
	tp_free(svg);
}

void tp_figures_write_html(const struct tp_figures *figures, const char *dir, struct tp_text *out)
{
	size_t room = DRAWINGS_BYTES;
	for (int32_t i = 0; i < figures->count; i++) {
		const struct tp_figure *figure = &figures->figures[i];
		tp_text_add(out, "<figure class=\"%s\" id=\"figure-%s\">\n", figure->missing ? "missing" : "chart",
		            figure->id);
		if (figure->missing) {
			add_missing(figure, out);
		} else {
			add_picture(figure, dir, &room, out);
			add_caption(figure, out);
			add_table(figure, out);
		}
		tp_text_add(out, "</figure>\n");
	}
}
