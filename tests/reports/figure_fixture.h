/* A database with runs that fill some figures, and what tests of figures look up. Include behind <cmocka.h>. */
#ifndef TP_TESTS_REPORTS_FIGURE_FIXTURE_H
#define TP_TESTS_REPORTS_FIGURE_FIXTURE_H

#include "reports/figure.h"

/* A run of two epochs whose values depend on `seed`; window 1 s and 2 s, and `seed` ns more. */
void add_run(struct tp_store *store, const char *schedule, const char *model, const char *dataset, const char *cluster,
             const char *link, int32_t seed);
void read_figures(struct tp_store *store, struct tp_figures *figures);
/* Fail the test when there is none. */
const struct tp_figure *figure_of(const struct tp_figures *figures, const char *id);
const struct tp_figure_series *series_of(const struct tp_figure *figure, const char *name);
int32_t category_of(const struct tp_figure *figure, const char *name);

#endif
