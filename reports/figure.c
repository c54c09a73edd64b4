/* Which figures there are, and reading all of them. A family is a kind of figure; for each of its panels that has data
 * it makes one, and one that says what is missing when none has. */
#include "reports/figure.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "reports/figure_internal.h"
#include "results/queries.h"

static bool has_data(const struct tp_figure_family *family, const struct tp_figure *figure)
{
	int32_t longest = 0;
	for (int32_t i = 0; i < figure->series_count; i++) {
		if (figure->series[i].count > longest)
			longest = figure->series[i].count;
	}
	int32_t found = family->kind == TP_FIGURE_LINES || longest == 0 ? longest : figure->category_count;
	return found > 0 && found >= family->least_categories;
}

/* --- what is said of a figure ---------------------------------------------------------------------------------------
 */

static int compare_ids(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return (a > b) - (a < b);
}

static enum tp_status note_runs(const struct tp_panel *panel, struct tp_figure *figure)
{
	figure->run_ids = tp_alloc_array((size_t)panel->runs, sizeof *figure->run_ids);
	if (!figure->run_ids)
		return TP_ERR_NOMEM;
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		for (int32_t run = 0; run < group->run_count; run++)
			figure->run_ids[figure->run_count++] = group->runs[run].run_id;
		if (strcmp(group->clock, "virtual") == 0)
			figure->modelled = true;
		else
			figure->measured = true;
	}
	if (figure->run_count > 1)
		qsort(figure->run_ids, (size_t)figure->run_count, sizeof *figure->run_ids, compare_ids);
	return TP_OK;
}

/* One condition where all groups agree on it; where they do not, the figure itself says so. */
static void add_condition(const struct tp_panel *panel, const char *setting, const char *before, struct tp_text *out)
{
	char value[TP_FIGURE_TEXT_BYTES], other[TP_FIGURE_TEXT_BYTES];
	if (!tp_group_setting(panel->groups[0], setting, value, sizeof value) || value[0] == '\0')
		return;
	for (int32_t i = 1; i < panel->count; i++) {
		if (!tp_group_setting(panel->groups[i], setting, other, sizeof other) || strcmp(value, other) != 0)
			return;
	}
	tp_text_add(out, "%s%s", out->length ? before : "", value);
}

static enum tp_status note_conditions(const struct tp_panel *panel, struct tp_figure *figure)
{
	static const char *const conditions[][2] = {
	        {"model", ", "},       {"dataset", " on "},       {"stages", ", W = "},    {"micro-batches", ", N = "},
	        {"batch", ", M = "},   {"cluster", ", cluster "}, {"link", ", link "},     {"order", ", order "},
	        {"costs", ", costs "}, {"hidden", ", hidden "},   {"epochs", ", epochs "},
	};
	struct tp_text text = {0};
	for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
		add_condition(panel, conditions[i][0], conditions[i][1], &text);
	figure->conditions = text.data;
	return text.failed ? TP_ERR_NOMEM : TP_OK;
}

static void entitle(const struct tp_figure_family *family, const struct tp_panel *panel, struct tp_figure *figure)
{
	const struct tp_group *group = panel->groups[0];
	char cluster[sizeof group->model + 16] = "";
	if (group->cluster[0] && (family->key & TP_KEY_CLUSTER))
		(void)snprintf(cluster, sizeof cluster, ", cluster %.40s", group->cluster);
	if (family->key & TP_KEY_MODEL)
		(void)snprintf(figure->title, sizeof figure->title, "%s: %s on %s%s", family->title, group->model,
		               group->dataset, cluster);
	else
		(void)snprintf(figure->title, sizeof figure->title, "%s", family->title);
}

/* --- a family
 * --------------------------------------------------------------------------------------------------------- */

static void release_figure(struct tp_figure *figure)
{
	for (int32_t i = 0; i < figure->series_count; i++) {
		struct tp_figure_series *series = &figure->series[i];
		tp_free(series->x);
		tp_free(series->y);
		tp_free(series->low);
		tp_free(series->high);
		tp_free(series->samples);
	}
	tp_free(figure->series);
	tp_free(figure->categories);
	tp_free(figure->run_ids);
	tp_free(figure->conditions);
	tp_free(figure->command);
}

static void begin_figure(const struct tp_figure_family *family, struct tp_figure *figure)
{
	*figure = (struct tp_figure){
	        .paper = family->paper,
	        .sampled = family->sampled,
	        .kind = family->kind,
	        .log_x = family->log_x,
	};
	(void)snprintf(figure->id, sizeof figure->id, "%s", family->id);
	(void)snprintf(figure->title, sizeof figure->title, "%s", family->title);
	(void)snprintf(figure->x_label, sizeof figure->x_label, "%s", family->x_label);
	(void)snprintf(figure->y_label, sizeof figure->y_label, "%s", family->y_label);
}

static enum tp_status fill_figure(struct tp_store *store, const struct tp_figure_family *family,
                                  const struct tp_panel *panel, struct tp_figure *figure)
{
	TP_TRY(family->fill(store, family, panel, figure));
	if (!has_data(family, figure))
		return TP_OK;
	entitle(family, panel, figure);
	TP_TRY(note_runs(panel, figure));
	TP_TRY(note_conditions(panel, figure));
	TP_TRY(tp_figure_add_paper(family, panel, figure));
	tp_figure_scale_bytes(figure);
	return TP_OK;
}

static enum tp_status add_figure(struct tp_figures *figures, const struct tp_figure *figure)
{
	struct tp_figure *more = tp_figure_grown(figures->figures, figures->count, sizeof *more);
	if (!more)
		return TP_ERR_NOMEM;
	figures->figures = more;
	more[figures->count++] = *figure;
	return TP_OK;
}

/* A word of a shell, whatever is in it. */
static void add_shell_word(struct tp_text *out, const char *word)
{
	tp_text_add(out, "'");
	for (const char *at = word; *at; at++) {
		if (*at == '\'')
			tp_text_add(out, "'\\''");
		else
			tp_text_add(out, "%c", *at);
	}
	tp_text_add(out, "'");
}

/* The database as it is reached from the current folder; one that is not in a file has the default's name. */
static void add_database(struct tp_store *store, struct tp_text *out)
{
	const char *path = sqlite3_db_filename(tp_store_connection(store), "main");
	char folder[PATH_MAX];
	if (!path || path[0] == '\0')
		return;
	size_t length = getcwd(folder, sizeof folder) ? strlen(folder) : 0;
	if (length > 0 && strncmp(path, folder, length) == 0 && path[length] == '/')
		path += length + 1;
	tp_text_add(out, " --db ");
	add_shell_word(out, path);
}

static enum tp_status note_missing(struct tp_store *store, const struct tp_figure_family *family,
                                   struct tp_figure *figure)
{
	struct tp_text command = {0};
	for (const char *at = family->command; *at;) {
		size_t length = strcspn(at, "\n");
		tp_text_add(&command, "%stpbench %.*s", command.length ? " && " : "", (int)length, at);
		add_database(store, &command);
		at += length + (at[length] == '\n');
	}
	figure->missing = family->missing;
	figure->command = command.data;
	return command.failed ? TP_ERR_NOMEM : TP_OK;
}

/* Of the panels that share a key the first with data is drawn; the others are counted. `drawn` holds one flag a panel.
 */
static bool is_shadowed(const struct tp_figure_family *family, const struct tp_panels *panels, int32_t number,
                        const bool *drawn)
{
	for (int32_t i = 0; i < number; i++) {
		if (drawn[i] && tp_panels_same_key(&panels->panels[i], &panels->panels[number], family->key))
			return true;
	}
	return false;
}

static int32_t count_shadowed(const struct tp_figure_family *family, const struct tp_panels *panels, int32_t number)
{
	int32_t count = 0;
	for (int32_t i = number + 1; i < panels->count; i++)
		count += panels->panels[i].count >= family->least_groups &&
		         tp_panels_same_key(&panels->panels[number], &panels->panels[i], family->key);
	return count;
}

static enum tp_status read_panel(struct tp_store *store, const struct tp_figure_family *family,
                                 const struct tp_panels *panels, int32_t number, int32_t *made, bool *drawn,
                                 struct tp_figures *figures)
{
	struct tp_figure figure;
	begin_figure(family, &figure);
	enum tp_status status = fill_figure(store, family, &panels->panels[number], &figure);
	if (status == TP_OK && has_data(family, &figure)) {
		if (++*made > 1)
			(void)snprintf(figure.id, sizeof figure.id, "%s-%d", family->id, *made);
		figure.not_drawn = count_shadowed(family, panels, number);
		status = add_figure(figures, &figure);
		*drawn = status == TP_OK;
	}
	if (!*drawn)
		release_figure(&figure);
	return status;
}

static enum tp_status read_panels(struct tp_store *store, const struct tp_figure_family *family,
                                  const struct tp_panels *panels, int32_t *made, struct tp_figures *figures)
{
	bool *drawn = tp_alloc_array((size_t)panels->count, sizeof *drawn);
	enum tp_status status = drawn ? TP_OK : TP_ERR_NOMEM;
	for (int32_t i = 0; i < panels->count && status == TP_OK; i++) {
		if (panels->panels[i].count >= family->least_groups && !is_shadowed(family, panels, i, drawn))
			status = read_panel(store, family, panels, i, made, &drawn[i], figures);
	}
	tp_free(drawn);
	return status;
}

static enum tp_status read_family(struct tp_store *store, const struct tp_groups *groups,
                                  const struct tp_figure_family *family, struct tp_figures *figures)
{
	struct tp_panels panels;
	int32_t made = 0;
	TP_TRY(tp_panels_read(groups, family, &panels));
	enum tp_status status = read_panels(store, family, &panels, &made, figures);
	tp_panels_release(&panels);
	if (status != TP_OK || made > 0)
		return status;
	struct tp_figure figure;
	begin_figure(family, &figure);
	status = note_missing(store, family, &figure);
	if (status == TP_OK)
		status = add_figure(figures, &figure);
	if (status != TP_OK)
		release_figure(&figure);
	return status;
}

enum tp_status tp_figures_read(struct tp_store *store, const struct tp_groups *groups, struct tp_figures *figures)
{
	*figures = (struct tp_figures){0};
	enum tp_status status = TP_OK;
	for (const struct tp_figure_family *family = tp_figure_families; family->id && status == TP_OK; family++)
		status = read_family(store, groups, family, figures);
	if (status != TP_OK)
		tp_figures_release(figures);
	return status;
}

void tp_figures_release(struct tp_figures *figures)
{
	for (int32_t i = 0; i < figures->count; i++)
		release_figure(&figures->figures[i]);
	tp_free(figures->figures);
	*figures = (struct tp_figures){0};
}
