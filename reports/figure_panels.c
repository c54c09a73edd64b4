/* Which groups stand in one figure: those that differ in nothing but what the figure varies. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/figure_internal.h"

bool tp_figure_listed(const char *list, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = list; *at;) {
		size_t here = strcspn(at, ",");
		if (here == length && strncmp(at, word, length) == 0)
			return true;
		at += here + (at[here] == ',');
	}
	return false;
}

static bool is_accepted(const struct tp_figure_family *family, const struct tp_group *group)
{
	if (group->run_count == 0 || (family->schedules && !tp_figure_listed(family->schedules, group->schedule)))
		return false;
	return !family->cluster || strcmp(family->cluster, group->cluster) == 0;
}

static bool is_member(const struct tp_figure_family *family, const struct tp_panel *panel, const struct tp_group *group)
{
	if (!family->varying) {
		const struct tp_panel alone = {.groups = &group, .count = 1};
		return tp_panels_same_key(panel, &alone, family->key);
	}
	return tp_groups_alike_but(panel->groups[0], group, family->varying);
}

bool tp_panels_same_key(const struct tp_panel *a, const struct tp_panel *b, unsigned key)
{
	const struct tp_group *x = a->groups[0], *y = b->groups[0];
	if ((key & TP_KEY_MODEL) && (strcmp(x->model, y->model) != 0 || strcmp(x->dataset, y->dataset) != 0))
		return false;
	if ((key & TP_KEY_CLUSTER) && strcmp(x->cluster, y->cluster) != 0)
		return false;
	if ((key & TP_KEY_STAGES) && x->stages != y->stages)
		return false;
	return !(key & TP_KEY_CLOCK) || strcmp(x->clock, y->clock) == 0;
}

/* The fullest first; of equals the one that ran first. */
static int compare_panels(const void *left, const void *right)
{
	const struct tp_panel *a = left, *b = right;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (a->runs != b->runs)
		return a->runs > b->runs ? -1 : 1;
	return a->groups[0] < b->groups[0] ? -1 : 1;
}

static enum tp_status take_group(const struct tp_groups *groups, const struct tp_figure_family *family,
                                 const struct tp_group *group, struct tp_panels *panels)
{
	struct tp_panel *panel = panels->panels, *end = panel + panels->count;
	while (panel < end && !is_member(family, panel, group))
		panel++;
	if (panel == end) {
		panel->groups = tp_alloc_array((size_t)groups->count, sizeof(const struct tp_group *));
		if (!panel->groups)
			return TP_ERR_NOMEM;
		panels->count++;
	}
	panel->groups[panel->count++] = group;
	panel->runs += group->run_count;
	return TP_OK;
}

enum tp_status tp_panels_read(const struct tp_groups *groups, const struct tp_figure_family *family,
                              struct tp_panels *panels)
{
	*panels = (struct tp_panels){0};
	panels->panels = tp_alloc_array((size_t)groups->count, sizeof *panels->panels);
	enum tp_status status = panels->panels ? TP_OK : TP_ERR_NOMEM;
	for (int32_t i = 0; i < groups->count && status == TP_OK; i++) {
		if (is_accepted(family, &groups->groups[i]))
			status = take_group(groups, family, &groups->groups[i], panels);
	}
	if (status == TP_OK && panels->count > 1)
		qsort(panels->panels, (size_t)panels->count, sizeof *panels->panels, compare_panels);
	if (status != TP_OK)
		tp_panels_release(panels);
	return status;
}

void tp_panels_release(struct tp_panels *panels)
{
	for (int32_t i = 0; i < panels->count; i++)
		tp_free(panels->panels[i].groups);
	tp_free(panels->panels);
	*panels = (struct tp_panels){0};
}
