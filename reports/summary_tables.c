/* The summary as tables that people read. */
#include <stdio.h>
#include <string.h>

#include "engine/base/colour.h"
#include "reports/escape.h"
#include "reports/summary_columns.h"

typedef void (*escape_fn)(struct tp_text *out, const char *text);

static void add_cell(const struct tp_summary_column *column, const struct tp_summary_row *row, escape_fn escape,
                     struct tp_text *out)
{
	struct tp_text cell = {0};
	tp_summary_cell(column, row, &cell);
	out->failed |= cell.failed;
	escape(out, tp_text_get(&cell));
	tp_text_release(&cell);
}

/* "epoch ms" */
static void add_heading(const struct tp_summary_column *column, escape_fn escape, struct tp_text *out)
{
	escape(out, column->header);
	if (column->unit[0])
		tp_text_add(out, " ");
	escape(out, column->unit);
}

static bool is_number(const struct tp_summary_column *column)
{
	return column->kind == TP_SUMMARY_COUNT || column->kind == TP_SUMMARY_NUMBER;
}

/* The sentences below the tables, each between two marks. */
static void add_notes(const struct tp_summary *summary, const char *before, const char *after, escape_fn escape,
                      struct tp_text *out)
{
	struct tp_text notes = {0};
	tp_summary_notes(summary, &notes);
	out->failed |= notes.failed;
	for (char *line = notes.data; line && *line;) {
		char *end = strchr(line, '\n');
		*end = '\0';
		tp_text_add(out, "%s", before);
		escape(out, line);
		tp_text_add(out, "%s", after);
		line = end + 1;
	}
	tp_text_release(&notes);
}

/* --- for a terminal --------------------------------------------------------------------------------------------------
 */

/* Characters, each taken to be one column wide. */
static int width_of(const char *text)
{
	int width = 0;
	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

struct terminal_table {
	const struct tp_summary *summary;
	enum tp_summary_block block;
	bool colour;
};

static int column_width(const struct terminal_table *table, const struct tp_summary_column *column)
{
	bool first = column == tp_summary_columns;
	int width = width_of(first ? tp_summary_block_word(table->block) : column->header);
	width = width_of(column->unit) > width ? width_of(column->unit) : width;
	for (int32_t i = 0; i < table->summary->row_count; i++) {
		struct tp_text cell = {0};
		add_cell(column, &table->summary->rows[i], tp_escape_terminal, &cell);
		int cell_width = width_of(tp_text_get(&cell));
		width = cell_width > width ? cell_width : width;
		tp_text_release(&cell);
	}
	return width;
}

/* A cell of a line: numbers to the right, text to the left. The first column ends no line, so it is always padded. */
static void add_padded(const struct tp_summary_column *column, int width, const char *text, bool stands_out,
                       struct tp_text *out)
{
	bool first = column == tp_summary_columns;
	int pad = width - width_of(text);
	bool right = is_number(column);
	tp_text_add(out, "%s%*s", first ? "" : " ", right ? pad : 0, "");
	tp_colour_add(out, stands_out, TP_COLOUR_GOOD, 0, text);
	tp_text_add(out, "%*s", right ? 0 : pad, "");
}

/* Blanks at the end of a line say nothing. */
static void end_line(struct tp_text *out)
{
	while (out->length > 0 && out->data[out->length - 1] == ' ')
		out->data[--out->length] = '\0';
	tp_text_add(out, "\n");
}

#define COLUMNS_MOST 96

static void write_terminal_table(const struct terminal_table *table, struct tp_text *out)
{
	int widths[COLUMNS_MOST];
	int count = 0;
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		TP_CHECK(count < COLUMNS_MOST);
		widths[count++] =
		        tp_summary_shows(table->summary, column, table->block) ? column_width(table, column) : -1;
	}
	for (int line = 0; line < 2; line++) {
		for (int i = 0; i < count; i++) {
			const struct tp_summary_column *column = &tp_summary_columns[i];
			const char *header = i == 0 ? tp_summary_block_word(table->block) : column->header;
			if (widths[i] >= 0)
				add_padded(column, widths[i], line == 0 ? header : column->unit, false, out);
		}
		end_line(out);
	}
	for (int32_t r = 0; r < table->summary->row_count; r++) {
		for (int i = 0; i < count; i++) {
			struct tp_text cell = {0};
			if (widths[i] < 0)
				continue;
			add_cell(&tp_summary_columns[i], &table->summary->rows[r], tp_escape_terminal, &cell);
			out->failed |= cell.failed;
			add_padded(&tp_summary_columns[i], widths[i], tp_text_get(&cell),
			           table->colour && tp_summary_is_best(table->summary, &tp_summary_columns[i], r), out);
			tp_text_release(&cell);
		}
		end_line(out);
	}
}

static void say_nothing_is_there(const struct tp_summary *summary, escape_fn escape, struct tp_text *out)
{
	if (summary->stand_in_runs > 0) {
		struct tp_text why = {0};
		tp_text_add(&why, "No run can be used. ");
		tp_groups_say_stand_ins(summary->stand_in_runs, &why);
		tp_text_add(&why, ".");
		escape(out, tp_text_get(&why));
		out->failed |= why.failed;
		tp_text_release(&why);
		return;
	}
	escape(out, summary->left_out_groups > 0
	                    ? "No run can be used: none is done, with an epoch and no check failed."
	                    : "The database has no run.");
}

void tp_summary_write_brief(const struct tp_summary *summary, bool colour, struct tp_text *out)
{
	const struct terminal_table table = {summary, TP_SUMMARY_KEY, colour};
	if (summary->row_count == 0)
		return;
	write_terminal_table(&table, out);
	tp_text_add(out, "# epoch: median and ends; speed-up: samples/s against ");
	tp_escape_terminal(out, summary->baseline);
	tp_text_add(out, ", with its interval; fullest: peak of that stage\n");
}

void tp_summary_write_text(const struct tp_summary *summary, struct tp_text *out)
{
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS && summary->row_count > 0; block++) {
		const struct terminal_table table = {summary, (enum tp_summary_block)block, false};
		if (!tp_summary_has(summary, table.block))
			continue;
		write_terminal_table(&table, out);
		tp_text_add(out, "\n");
	}
	if (summary->row_count == 0) {
		say_nothing_is_there(summary, tp_escape_terminal, out);
		tp_text_add(out, "\n");
	}
	add_notes(summary, "# ", "\n", tp_escape_terminal, out);
}

/* --- Markdown --------------------------------------------------------------------------------------------------------
 */

static void write_markdown_row(const struct tp_summary *summary, enum tp_summary_block block, int32_t row,
                               struct tp_text *out)
{
	tp_text_add(out, "|");
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (!tp_summary_shows(summary, column, block))
			continue;
		tp_text_add(out, " ");
		if (row < 0)
			add_heading(column, tp_escape_markdown, out);
		else
			add_cell(column, &summary->rows[row], tp_escape_markdown, out);
		tp_text_add(out, " |");
	}
	tp_text_add(out, "\n");
}

static void write_markdown_block(const struct tp_summary *summary, enum tp_summary_block block, struct tp_text *out)
{
	tp_text_add(out, "## %s\n\n", tp_summary_block_title(block));
	write_markdown_row(summary, block, -1, out);
	tp_text_add(out, "|");
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (tp_summary_shows(summary, column, block))
			tp_text_add(out, is_number(column) ? " ---: |" : " --- |");
	}
	tp_text_add(out, "\n");
	for (int32_t r = 0; r < summary->row_count; r++)
		write_markdown_row(summary, block, r, out);
	tp_text_add(out, "\n");
}

void tp_summary_write_markdown(const struct tp_summary *summary, struct tp_text *out)
{
	tp_text_add(out, "# Summary\n\n");
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS; block++) {
		if (tp_summary_has(summary, (enum tp_summary_block)block))
			write_markdown_block(summary, (enum tp_summary_block)block, out);
	}
	if (summary->row_count == 0) {
		say_nothing_is_there(summary, tp_escape_markdown, out);
		tp_text_add(out, "\n");
	}
	add_notes(summary, "* ", "\n", tp_escape_markdown, out);
}

/* --- LaTeX -----------------------------------------------------------------------------------------------------------
 */

/* A character that LaTeX has no glyph for stops it; names may hold any, so it is a question mark. */
static const char latex_begin[] =
        "% Compiles as it is. To take the tables alone: \\def\\tpbenchinput{} \\input{summary}\n"
        "% in a document with booktabs.\n"
        "\\ifx\\tpbenchinput\\undefined\n"
        "\\documentclass[10pt]{article}\n"
        "\\usepackage[a3paper,landscape,margin=15mm]{geometry}\n"
        "\\usepackage[T1]{fontenc}\n"
        "\\IfFileExists{lmodern.sty}{\\usepackage{lmodern}}{}\n"
        "\\usepackage[utf8]{inputenc}\n"
        "\\usepackage{booktabs}\n"
        "\\makeatletter\\def\\UTFviii@undefined@err#1{?}\\makeatother\n"
        "\\pagestyle{empty}\n"
        "\\begin{document}\n"
        "\\fi\n";
static const char latex_end[] = "\\ifx\\tpbenchinput\\undefined\n"
                                "\\end{document}\n"
                                "\\fi\n";

static void write_latex_row(const struct tp_summary *summary, enum tp_summary_block block, int32_t row,
                            struct tp_text *out)
{
	bool first = true;
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (!tp_summary_shows(summary, column, block))
			continue;
		tp_text_add(out, "%s", first ? "" : " & ");
		if (row < 0)
			add_heading(column, tp_escape_latex, out);
		else
			add_cell(column, &summary->rows[row], tp_escape_latex, out);
		first = false;
	}
	tp_text_add(out, " \\\\\n");
}

static void write_latex_block(const struct tp_summary *summary, enum tp_summary_block block, struct tp_text *out)
{
	tp_text_add(out, "\n\\begin{table}[!htbp]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n\\caption{");
	tp_escape_latex(out, tp_summary_block_title(block));
	tp_text_add(out, "}\n\\begin{tabular}{@{}");
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (tp_summary_shows(summary, column, block))
			tp_text_add(out, is_number(column) ? "r" : "l");
	}
	tp_text_add(out, "@{}}\n\\toprule\n");
	write_latex_row(summary, block, -1, out);
	tp_text_add(out, "\\midrule\n");
	for (int32_t r = 0; r < summary->row_count; r++)
		write_latex_row(summary, block, r, out);
	tp_text_add(out, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}

void tp_summary_write_latex(const struct tp_summary *summary, struct tp_text *out)
{
	tp_text_add(out, "%s", latex_begin);
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS; block++) {
		if (tp_summary_has(summary, (enum tp_summary_block)block))
			write_latex_block(summary, (enum tp_summary_block)block, out);
	}
	if (summary->row_count == 0) {
		say_nothing_is_there(summary, tp_escape_latex, out);
		tp_text_add(out, "\n");
	}
	add_notes(summary, "\n\\noindent ", "\n", tp_escape_latex, out);
	tp_text_add(out, "%s", latex_end);
}

/* --- HTML ------------------------------------------------------------------------------------------------------------
 */

static void write_html_head(const struct tp_summary *summary, enum tp_summary_block block, struct tp_text *out)
{
	tp_text_add(out, "<thead><tr>");
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (!tp_summary_shows(summary, column, block))
			continue;
		tp_text_add(out, "<th scope=\"col\"%s>", is_number(column) ? " class=\"number\"" : "");
		tp_escape_html(out, column->header);
		if (column->unit[0]) {
			tp_text_add(out, " <small>");
			tp_escape_html(out, column->unit);
			tp_text_add(out, "</small>");
		}
		tp_text_add(out, "</th>");
	}
	tp_text_add(out, "</tr></thead>\n");
}

/* Rows that differ in nothing but the schedule and how it cuts a mini-batch stand together. */
static bool same_set(const struct tp_summary_row *a, const struct tp_summary_row *b)
{
	return strcmp(a->model, b->model) == 0 && strcmp(a->dataset, b->dataset) == 0 &&
	       strcmp(a->device, b->device) == 0 && strcmp(a->order, b->order) == 0 &&
	       strcmp(a->clock, b->clock) == 0 && strcmp(a->cluster, b->cluster) == 0 &&
	       strcmp(a->link, b->link) == 0 && strcmp(a->costs, b->costs) == 0 && strcmp(a->others, b->others) == 0 &&
	       a->batch_samples == b->batch_samples;
}

static void add_named(const char *before, const char *text, struct tp_text *out)
{
	if (!text[0])
		return;
	tp_text_add(out, "%s", before);
	tp_escape_html(out, text);
}

/* What the rows that follow have in common, where not all rows of the table have it. */
static void write_html_set(const struct tp_summary *summary, enum tp_summary_block block, int32_t row,
                           struct tp_text *out)
{
	const struct tp_summary_row *of = &summary->rows[row];
	int columns = 0;
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++)
		columns += tp_summary_shows(summary, column, block);
	tp_text_add(out, "<tr class=\"set\"><th scope=\"rowgroup\" colspan=\"%d\">", columns);
	tp_escape_html(out, of->model);
	add_named(" on ", of->dataset, out);
	tp_text_add(out, ", M = %.0f", of->batch_samples);
	add_named(", cluster ", of->cluster, out);
	add_named(", link ", of->link, out);
	add_named(", order ", of->order, out);
	tp_text_add(out, strcmp(of->clock, "virtual") == 0 ? ", time modelled" : ", time measured");
	add_named(", costs ", of->costs, out);
	add_named(", ", of->others, out);
	tp_text_add(out, "</th></tr>\n");
}

static bool has_sets(const struct tp_summary *summary)
{
	for (int32_t r = 1; r < summary->row_count; r++) {
		if (!same_set(&summary->rows[r - 1], &summary->rows[r]))
			return true;
	}
	return false;
}

static void write_html_row(const struct tp_summary *summary, enum tp_summary_block block, int32_t row,
                           struct tp_text *out)
{
	tp_text_add(out, "<tr>");
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		if (!tp_summary_shows(summary, column, block))
			continue;
		bool best = tp_summary_is_best(summary, column, row);
		if (column == tp_summary_columns)
			tp_text_add(out, "<th scope=\"row\">");
		else if (is_number(column))
			tp_text_add(out, "<td class=\"number%s\">", best ? " best" : "");
		else
			tp_text_add(out, column->kind == TP_SUMMARY_LIST ? "<td class=\"list\">" : "<td>");
		add_cell(column, &summary->rows[row], tp_escape_html, out);
		tp_text_add(out, column == tp_summary_columns ? "</th>" : "</td>");
	}
	tp_text_add(out, "</tr>\n");
}

void tp_summary_write_html(const struct tp_summary *summary, struct tp_text *out)
{
	bool sets = has_sets(summary);
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS; block++) {
		enum tp_summary_block which = (enum tp_summary_block)block;
		if (!tp_summary_has(summary, which))
			continue;
		tp_text_add(out, "<div class=\"wide\"><table>\n<caption>%s</caption>\n", tp_summary_block_title(which));
		write_html_head(summary, which, out);
		tp_text_add(out, "<tbody>\n");
		for (int32_t r = 0; r < summary->row_count; r++) {
			bool begins = r == 0 || !same_set(&summary->rows[r - 1], &summary->rows[r]);
			if (sets && begins)
				write_html_set(summary, which, r, out);
			write_html_row(summary, which, r, out);
		}
		tp_text_add(out, "</tbody></table></div>\n");
	}
	if (summary->row_count == 0) {
		tp_text_add(out, "<p class=\"missing\">");
		say_nothing_is_there(summary, tp_escape_html, out);
		tp_text_add(out, "</p>\n");
		return;
	}
	tp_text_add(out, "<ul class=\"notes\">\n");
	add_notes(summary, "<li>", "</li>\n", tp_escape_html, out);
	tp_text_add(out, "</ul>\n");
}
