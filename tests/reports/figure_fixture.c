#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "figure_fixture.h"
#include "test_store_support.h"

static struct tp_store_epoch epoch_of(int32_t number, int32_t seed)
{
	struct tp_store_epoch epoch = sample_epoch(number);
	epoch.end_ns = number * INT64_C(1000000000) + seed;
	epoch.test_top1 = 0.1 * number + 0.01 * seed;
	epoch.test_loss = 3.0 / number - 0.1 * seed;
	return epoch;
}

void add_run(struct tp_store *store, const char *schedule, const char *model, const char *dataset, const char *cluster,
             const char *link, int32_t seed)
{
	char config[512], seed_text[16];
	const struct tp_store_pair parameters[] = {{"seed", seed_text}};
	const struct tp_store_link links[] = {{0, 1, strcmp(link, "10mbit,50us") == 0 ? 1.25e6 : 1.25e8, 50000}};
	struct tp_store_run run = sample_run;
	int64_t run_id;
	(void)snprintf(seed_text, sizeof seed_text, "%d", seed);
	(void)snprintf(config, sizeof config,
	               "batch=48\ncluster=%s\ndataset=%s\nlink=%s\nmodel=%s\nschedule=%s\nseed=%d\nstages=2\n", cluster,
	               dataset, link, model, schedule, seed);
	run.schedule = schedule;
	run.model = model;
	run.dataset = dataset;
	run.config_text = config;
	run.parameters = parameters;
	run.parameter_count = 1;
	run.links = link[0] ? links : NULL;
	run.link_count = link[0] ? 1 : 0;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	for (int32_t number = 1; number <= 2; number++) {
		struct tp_store_epoch epoch = epoch_of(number, seed);
		assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	}
	assert_ok(tp_store_end_run(store, run_id, TP_STORE_DONE, "", NULL, 0));
}

void read_figures(struct tp_store *store, struct tp_figures *figures)
{
	struct tp_groups groups;
	assert_ok(tp_groups_read(store, NULL, &groups));
	assert_ok(tp_figures_read(store, &groups, figures));
	tp_groups_release(&groups);
}

const struct tp_figure *figure_of(const struct tp_figures *figures, const char *id)
{
	for (int32_t i = 0; i < figures->count; i++) {
		if (strcmp(figures->figures[i].id, id) == 0)
			return &figures->figures[i];
	}
	fail_msg("no figure '%s'", id);
	return NULL;
}

const struct tp_figure_series *series_of(const struct tp_figure *figure, const char *name)
{
	for (int32_t i = 0; i < figure->series_count; i++) {
		if (strcmp(figure->series[i].name, name) == 0)
			return &figure->series[i];
	}
	fail_msg("no series '%s' in '%s'", name, figure->id);
	return NULL;
}

int32_t category_of(const struct tp_figure *figure, const char *name)
{
	for (int32_t i = 0; i < figure->category_count; i++) {
		if (strcmp(figure->categories[i], name) == 0)
			return i;
	}
	fail_msg("no category '%s' in '%s'", name, figure->id);
	return -1;
}
