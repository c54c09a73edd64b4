/* A figure as commands of gnuplot. Neutral greys and a transparent background suit light and dark pages; series differ
 * in colour (Okabe and Ito's, told apart by colour-blind people), and in dash, marker or pattern as well. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/escape.h"
#include "reports/figure.h"

#define GREY "rgb '#737373'" /* the page makes it the colour of its text */

enum { WIDTH = 800, WIDTH_MAX = 1600, HEIGHT = 420, NAME_MAX_CHARACTERS = 40 };

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31"};
static const int dashes[] = {1, 2, 4, 5, 3};
static const int markers[] = {7, 5, 9, 4, 6, 8, 13, 12, 11, 10};
static const int patterns[] = {4, 5, 1, 6, 7, 2};
#define CHOOSE(list, number) ((list)[(size_t)(number) % (sizeof(list) / sizeof *(list))])

/* In single quotes gnuplot takes everything as it is but the quote. Names of a database may hold that, too, and lines.
 */
static void add_quoted(struct tp_text *out, const char *name)
{
	int characters = 0;
	tp_text_add(out, "'");
	while (*name) {
		size_t bytes = tp_utf8_bytes(name);
		if (++characters > NAME_MAX_CHARACTERS) {
			tp_text_add(out, "\u2026");
			break;
		}
		if (bytes == 0)
			tp_text_add(out, "\ufffd");
		else if (*name == '\'' || *name == '`')
			tp_text_add(out, "\u2019");
		else if ((unsigned char)*name < 0x20 || *name == 0x7f)
			tp_text_add(out, " ");
		else
			tp_text_add(out, "%.*s", (int)bytes, name);
		name += bytes ? bytes : 1;
	}
	tp_text_add(out, "'");
}

static int drawn_series(const struct tp_figure *figure)
{
	int count = 0;
	for (int32_t i = 0; i < figure->series_count; i++)
		count += !figure->series[i].in_table && figure->series[i].count > 0;
	return count;
}

/* --- data: a block for each series, of x, y, its ends, and for bars the corners -------------------------------------
 */

static void add_line_data(const struct tp_figure_series *series, struct tp_text *out)
{
	for (int32_t p = 0; p < series->count; p++)
		tp_text_add(out, "%.10g %.10g %.10g %.10g\n", series->x[p], series->y[p], series->low[p],
		            series->high[p]);
}

/* Place `place` of `places` beside each other. */
static void add_bar_data(const struct tp_figure_series *series, int place, int places, struct tp_text *out)
{
	double width = 0.8 / places;
	for (int32_t p = 0; p < series->count; p++) {
		double left = series->x[p] - 0.4 + width * place;
		tp_text_add(out, "%.10g %.10g %.10g %.10g %.10g %.10g 0 %.10g\n", left + width / 2, series->y[p],
		            series->low[p], series->high[p], left, left + width, series->y[p]);
	}
}

static double value_at(const struct tp_figure_series *series, double x)
{
	double value = 0;
	for (int32_t p = 0; p < series->count; p++)
		value += series->x[p] == x ? series->y[p] : 0;
	return value;
}

static void add_stack_data(const struct tp_figure *figure, int32_t number, struct tp_text *out)
{
	const struct tp_figure_series *series = &figure->series[number];
	for (int32_t p = 0; p < series->count; p++) {
		double x = series->x[p], base = 0;
		for (int32_t below = 0; below < number; below++)
			base += figure->series[below].in_table ? 0 : value_at(&figure->series[below], x);
		double top = base + series->y[p];
		tp_text_add(out, "%.10g %.10g %.10g %.10g %.10g %.10g %.10g %.10g\n", x, top, top, top, x - 0.4,
		            x + 0.4, base, top);
	}
}

static void add_data(const struct tp_figure *figure, struct tp_text *out)
{
	int place = 0, places = drawn_series(figure);
	for (int32_t i = 0; i < figure->series_count; i++) {
		const struct tp_figure_series *series = &figure->series[i];
		if (series->in_table || series->count == 0)
			continue;
		tp_text_add(out, "$s%d << EOD\n", i);
		if (figure->kind == TP_FIGURE_LINES)
			add_line_data(series, out);
		else if (figure->kind == TP_FIGURE_BARS)
			add_bar_data(series, place, places, out);
		else
			add_stack_data(figure, i, out);
		tp_text_add(out, "EOD\n");
		place++;
	}
}

/* --- how a series is drawn
 * -------------------------------------------------------------------------------------------- */

/* The band between the ends behind, the line before it, with about ten markers. */
static void plot_line(const struct tp_figure_series *series, int32_t number, struct tp_text *out)
{
	const char *colour = CHOOSE(colours, number);
	if (series->reference) {
		tp_text_add(out, "$s%d using 1:2:3:4 with yerrorbars pt %d ps 0.8 lw 2 lc " GREY " title ", number,
		            CHOOSE(markers, number));
		add_quoted(out, series->name);
		return;
	}
	if (series->count > 1)
		tp_text_add(out,
		            "$s%d using 1:3:4 with filledcurves fs transparent solid 0.15 noborder fc rgb '%s' "
		            "notitle, ",
		            number, colour);
	tp_text_add(out, "$s%d using 1:2 with linespoints dt %d lw 2 pt %d ps 0.7 pointinterval %d lc rgb '%s' title ",
	            number, CHOOSE(dashes, number), CHOOSE(markers, number), series->count / 10 + 1, colour);
	add_quoted(out, series->name);
}

static void plot_bars(const struct tp_figure *figure, const struct tp_figure_series *series, int32_t number,
                      struct tp_text *out)
{
	const char *colour = series->reference ? "#737373" : CHOOSE(colours, number);
	tp_text_add(out,
	            "$s%d using 1:2:5:6:7:8 with boxxyerror fs transparent solid 0.3 noborder fc rgb '%s' notitle, ",
	            number, colour);
	tp_text_add(out,
	            "$s%d using 1:2:5:6:7:8 with boxxyerror fs transparent pattern %d border lc rgb '%s' fc rgb '%s' "
	            "title ",
	            number, CHOOSE(patterns, number), colour, colour);
	add_quoted(out, series->name);
	if (figure->kind == TP_FIGURE_BARS)
		tp_text_add(out,
		            ", $s%d using 1:3:(0):($4-$3) with vectors heads size graph 0.006,90 lw 1.5 lc " GREY
		            " notitle",
		            number);
}

static void add_plot(const struct tp_figure *figure, struct tp_text *out)
{
	const char *separator = "plot ";
	for (int32_t i = 0; i < figure->series_count; i++) {
		const struct tp_figure_series *series = &figure->series[i];
		if (series->in_table || series->count == 0)
			continue;
		tp_text_add(out, "%s", separator);
		if (figure->kind == TP_FIGURE_LINES)
			plot_line(series, i, out);
		else
			plot_bars(figure, series, i, out);
		separator = ", ";
	}
	tp_text_add(out, "\n");
}

/* --- axes
 * ------------------------------------------------------------------------------------------------------------- */

static void find_range(const struct tp_figure *figure, double *low, double *high, double *far)
{
	*low = (double)INFINITY;
	*high = *far = -(double)INFINITY;
	for (int32_t i = 0; i < figure->series_count; i++) {
		const struct tp_figure_series *series = &figure->series[i];
		for (int32_t p = 0; p < series->count && !series->in_table; p++) {
			*low = fmin(*low, series->low[p]);
			*high = fmax(*high, series->high[p]);
			*far = fmax(*far, series->x[p]);
		}
	}
}

/* From zero, so that lengths compare; lines that lie far above it have no lengths. */
static void add_ranges(const struct tp_figure *figure, struct tp_text *out)
{
	double low, high, far;
	find_range(figure, &low, &high, &far);
	if (figure->kind != TP_FIGURE_LINES)
		tp_text_add(out, "set xrange [-0.6:%g]\n", figure->category_count - 0.4);
	else if (far <= 12 && strcmp(figure->x_label, "Epoch") == 0)
		tp_text_add(out, "set xtics 1\n");
	if (!(high > 0))
		tp_text_add(out, "set yrange [%s:1]\n", low < 0 ? "*" : "0");
	else if (figure->kind != TP_FIGURE_LINES || low < high / 2)
		tp_text_add(out, "set yrange [%s:*]\n", low < 0 ? "*" : "0");
	if (figure->log_x)
		tp_text_add(out, "set logscale x\n");
}

/* Of the longest label, as far as it is drawn. */
static int label_characters(const struct tp_figure *figure)
{
	size_t longest = 0;
	for (int32_t i = 0; i < figure->category_count; i++) {
		size_t length = strlen(figure->categories[i]);
		longest = length > longest ? length : longest;
	}
	return longest > NAME_MAX_CHARACTERS ? NAME_MAX_CHARACTERS : (int)longest;
}

static void add_categories(const struct tp_figure *figure, bool turned, struct tp_text *out)
{
	tp_text_add(out, "set xtics %s (", turned ? "rotate by -35 left" : "norotate");
	for (int32_t i = 0; i < figure->category_count; i++) {
		tp_text_add(out, "%s", i > 0 ? ", " : "");
		add_quoted(out, figure->categories[i]);
		tp_text_add(out, " %d", i);
	}
	tp_text_add(out, ")\n");
}

static void add_label(const char *axis, const char *label, struct tp_text *out)
{
	tp_text_add(out, "set %slabel ", axis);
	add_quoted(out, label);
	tp_text_add(out, " textcolor " GREY "\n");
}

/* Rooms in pixels, of the fonts below. */
static void find_size(const struct tp_figure *figure, int *width, int *height, bool *turned)
{
	int longest = label_characters(figure);
	*width = WIDTH;
	*height = HEIGHT;
	*turned = false;
	if (figure->kind == TP_FIGURE_LINES)
		return;
	int bars = figure->category_count * (figure->kind == TP_FIGURE_BARS ? drawn_series(figure) : 2);
	*width += bars > 40 ? 12 * (bars - 40) : 0;
	*width = *width > WIDTH_MAX ? WIDTH_MAX : *width;
	*turned = 8 * (longest + 1) * figure->category_count > *width - 260;
	*height += *turned ? 4 * longest : 0;
}

void tp_figure_write_script(const struct tp_figure *figure, struct tp_text *out)
{
	int width, height;
	bool turned;
	find_size(figure, &width, &height, &turned);
	tp_text_add(out, "reset session\nset encoding utf8\nset border 3 lc " GREY
	                 "\nset tics nomirror out textcolor " GREY "\n"
	                 "set grid ytics lc " GREY " lw 0.3\nset offsets 0, 0, graph 0.04, 0\n"
	                 "set key outside right top vertical Left reverse samplen 3 spacing 1.2 textcolor " GREY "\n");
	add_label("x", figure->x_label, out);
	add_label("y", figure->y_label, out);
	add_ranges(figure, out);
	if (figure->kind != TP_FIGURE_LINES)
		add_categories(figure, turned, out);
	add_data(figure, out);
	tp_text_add(out, "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,13'\n", width, height);
	tp_text_add(out, "set output '%s.svg.part'\n", figure->id);
	add_plot(figure, out);
	tp_text_add(out, "set terminal pngcairo size %d,%d transparent noenhanced font 'sans-serif,10'\n", width,
	            height);
	tp_text_add(out, "set output '%s.png.part'\n", figure->id);
	add_plot(figure, out);
	tp_text_add(out, "unset output\n");
}
