/* The paper's figures but for its timelines: curves and bars, from whatever runs are in a database. Numbers are read
 * once (tp_figures_read); gnuplot draws them and the page shows them, and neither computes. */
#ifndef TP_REPORTS_FIGURE_H
#define TP_REPORTS_FIGURE_H

#include <stdbool.h>

#include "engine/base/text.h"
#include "reports/groups.h"
#include "results/store.h"

#define TP_FIGURE_TEXT_BYTES 160

enum tp_figure_kind {
	TP_FIGURE_LINES,   /* x is a number */
	TP_FIGURE_BARS,    /* x is the number of a category, series stand side by side */
	TP_FIGURE_STACKED, /* the same, series stand on each other */
};

/* Points in the order of x. A point is the median of its samples between the smallest and the largest of them; of
 * stacked bars it is the mean, so that parts add up to the mean of their sum. */
struct tp_figure_series {
	char name[TP_FIGURE_TEXT_BYTES];
	bool reference; /* read off the paper's plots by eye: y is the middle of a range, not a measurement */
	bool in_table;  /* not drawn: its scale would hide the rest, or its x has another unit */
	int32_t count;
	double *x, *y, *low, *high;
	int64_t *samples; /* 0: a formula or a reading */
};

struct tp_figure {
	char id[64];         /* of [a-z0-9-], unique: the name of its files and of its place on the page */
	const char *paper;   /* "Fig. 15", "" for none */
	const char *sampled; /* what its samples are: "epochs of all runs" */
	char title[2 * TP_FIGURE_TEXT_BYTES]; /* what it shows, of which model and data set */
	char x_label[TP_FIGURE_TEXT_BYTES], y_label[TP_FIGURE_TEXT_BYTES]; /* with units */
	enum tp_figure_kind kind;
	bool log_x;
	char (*categories)[TP_FIGURE_TEXT_BYTES]; /* of bars */
	int32_t category_count;
	struct tp_figure_series *series;
	int32_t series_count;
	int64_t *run_ids; /* ascending */
	int32_t run_count;
	bool measured, modelled; /* some of the runs went by the real clock, by the virtual one */
	char *conditions;        /* "3 stages, N = 3, .."; "" while missing */
	int32_t not_drawn;       /* comparisons of the same kind in other settings: the fullest is drawn */
	const char *missing;     /* what there is none of; NULL: it has data */
	char *command;           /* that would give it, a line for a shell; NULL: it has data */
};

struct tp_figures {
	struct tp_figure *figures; /* in the order of the paper; at least one of each kind, be it missing */
	int32_t count;
};

/* From the groups' runs. Where several comparisons could fill a figure there is one for each model, data set, cluster,
 * number of stages and clock, and of those the one with the most groups. TP_ERR_IO, TP_ERR_NOMEM; then nothing is held.
 */
enum tp_status tp_figures_read(struct tp_store *store, const struct tp_groups *groups, struct tp_figures *figures);
void tp_figures_release(struct tp_figures *figures);

/* ID.svg and ID.png of every figure that has data, into the existing folder `dir`; each is there completely or not at
 * all. TP_ERR_UNSUPPORTED: gnuplot is not installed, and nothing was written; TP_ERR_IO: it failed, or a file could not
 * be written. */
enum tp_status tp_figures_draw(const struct tp_figures *figures, const char *dir);

/* What gnuplot is told to draw the figure with, into ID.svg.part and ID.png.part of the current folder. */
void tp_figure_write_script(const struct tp_figure *figure, struct tp_text *out);

/* A fragment of HTML, figure by figure: the SVG from `dir` inlined, or a remark when it was not drawn; caption, runs
 * and whether time is measured or modelled; the numbers as a table under a fold; or what is missing. */
void tp_figures_write_html(const struct tp_figures *figures, const char *dir, struct tp_text *out);

#endif
