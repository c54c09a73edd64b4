/* Bars: one number of each group, or its parts on each other. */
#include <stdio.h>
#include <string.h>

#include "reports/figure_internal.h"

/* One bar of `group`. A second group of the same place is left out: the one that ran first is shown. */
static enum tp_status add_bar(struct tp_store *store, const struct tp_group *group, const char *sql, int64_t number,
                              const char *text, int32_t series, int32_t category, struct tp_figure *figure)
{
	struct tp_samples samples = {0};
	if (series < 0 || category < 0)
		return TP_ERR_NOMEM;
	if (tp_figure_has_point(figure, series, category))
		return TP_OK;
	enum tp_status status = tp_samples_read(store, group, sql, number, text, &samples);
	if (status == TP_OK)
		status = tp_figure_add_samples(figure, series, category, &samples);
	tp_samples_release(&samples);
	return status;
}

enum tp_status tp_figure_fill_groups(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure)
{
	for (int32_t i = 0; i < panel->count; i++) {
		char name[TP_FIGURE_TEXT_BYTES];
		tp_figure_group_name(family, panel->groups[i], name, sizeof name);
		TP_TRY(add_bar(store, panel->groups[i], family->value, 0, NULL,
		               tp_figure_series_named(figure, "epoch time"), tp_figure_category_named(figure, name),
		               figure));
	}
	return TP_OK;
}

enum tp_status tp_figure_fill_workloads(struct tp_store *store, const struct tp_figure_family *family,
                                        const struct tp_panel *panel, struct tp_figure *figure)
{
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		char name[TP_FIGURE_TEXT_BYTES];
		(void)snprintf(name, sizeof name, "%s, %s", group->model, group->dataset);
		TP_TRY(add_bar(store, group, family->value, 0, NULL, tp_figure_series_named(figure, group->schedule),
		               tp_figure_category_named(figure, name), figure));
	}
	return TP_OK;
}

/* The next cluster in the order of names, so that A, B and C stand so whatever ran first; NULL: none is left. */
static const char *next_cluster(const struct tp_panel *panel, const char *latest)
{
	const char *next = NULL;
	for (int32_t i = 0; i < panel->count; i++) {
		const char *cluster = panel->groups[i]->cluster;
		if (strcmp(cluster, latest) > 0 && (!next || strcmp(cluster, next) < 0))
			next = cluster;
	}
	return next;
}

enum tp_status tp_figure_fill_clusters(struct tp_store *store, const struct tp_figure_family *family,
                                       const struct tp_panel *panel, struct tp_figure *figure)
{
	for (const char *name = next_cluster(panel, ""); name; name = next_cluster(panel, name)) {
		if (tp_figure_category_named(figure, name) < 0)
			return TP_ERR_NOMEM;
	}
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		if (group->cluster[0] == '\0')
			continue;
		TP_TRY(add_bar(store, group, family->value, 0, NULL, tp_figure_series_named(figure, group->schedule),
		               tp_figure_category_named(figure, group->cluster), figure));
	}
	return TP_OK;
}

/* --- memory
 * ----------------------------------------------------------------------------------------------------------- */

/* The stages' peaks in the epoch where their sum was highest: what they come to is the run's peak. */
static const char stage_peak_sql[] =
        "SELECT sum(at_peak_bytes) FROM memory WHERE run_id = ?1 AND stage = ?2 AND epoch = (SELECT epoch FROM memory "
        "WHERE run_id = ?1 AND stage >= 0 GROUP BY epoch ORDER BY sum(at_peak_bytes) DESC, epoch LIMIT 1)";

static const char kind_peak_sql[] =
        "SELECT sum(at_peak_bytes) FROM memory WHERE run_id = ?1 AND stage = ?2 AND kind = ?3 AND epoch = (SELECT "
        "epoch "
        "FROM memory WHERE run_id = ?1 AND stage = ?2 GROUP BY epoch ORDER BY sum(at_peak_bytes) DESC, epoch LIMIT 1)";

enum tp_status tp_figure_fill_total_memory(struct tp_store *store, const struct tp_figure_family *family,
                                           const struct tp_panel *panel, struct tp_figure *figure)
{
	(void)family;
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		for (int32_t stage = 0; stage < group->stages; stage++) {
			char name[TP_FIGURE_TEXT_BYTES];
			(void)snprintf(name, sizeof name, "stage %d", stage);
			TP_TRY(add_bar(store, group, stage_peak_sql, stage, NULL, tp_figure_series_named(figure, name),
			               tp_figure_category_named(figure, group->schedule), figure));
		}
	}
	return TP_OK;
}

/* What a stage may hold; the other kinds are the process's. */
static const char *const stage_kinds[][2] = {
        {"weights_live", "weights, live"}, {"weights_retained", "weights, retained"},
        {"gradients", "gradients"},        {"optimizer_state", "optimizer state"},
        {"activations", "activations"},    {"messages", "messages"},
        {"workspace", "workspace"},
};

enum tp_status tp_figure_fill_stage_memory(struct tp_store *store, const struct tp_figure_family *family,
                                           const struct tp_panel *panel, struct tp_figure *figure)
{
	(void)family;
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		for (int32_t stage = 0; stage < group->stages; stage++) {
			char name[TP_FIGURE_TEXT_BYTES];
			(void)snprintf(name, sizeof name, "%s %d", group->schedule, stage);
			int32_t category = tp_figure_category_named(figure, name);
			for (size_t kind = 0; kind < sizeof stage_kinds / sizeof *stage_kinds; kind++)
				TP_TRY(add_bar(store, group, kind_peak_sql, stage, stage_kinds[kind][0],
				               tp_figure_series_named(figure, stage_kinds[kind][1]), category, figure));
		}
	}
	return TP_OK;
}

/* --- version difference
 * ----------------------------------------------------------------------------------------------- */

#define PAPER_V "paper's Eq. 3"
#define EXACT_V "exact, ideal slots"
#define TIMED_V "timed, the epoch's costs"
#define MEASURED_V "measured"

/* A limit of the run's own makes it another schedule than the one that v is predicted for. */
static bool is_limited(const struct tp_group *group)
{
	char value[32];
	if (tp_group_setting(group, "in-flight", value, sizeof value) && strcmp(value, "0") != 0)
		return true;
	return tp_group_setting(group, "max-staleness", value, sizeof value) && strcmp(value, "0") != 0;
}

static bool same_grid(const struct tp_group *a, const struct tp_group *b)
{
	return strcmp(a->schedule, b->schedule) == 0 && a->stages == b->stages && a->micro_batches == b->micro_batches;
}

/* Epochs of all groups of one schedule, W and N, whatever else they differ in: v is said not to depend on it. */
static enum tp_status add_versions(struct tp_store *store, const struct tp_panel *panel, const struct tp_group *like,
                                   const char *sql, int32_t series, int32_t category, struct tp_figure *figure)
{
	struct tp_samples samples = {0};
	enum tp_status status = series < 0 ? TP_ERR_NOMEM : TP_OK;
	for (int32_t i = 0; i < panel->count && status == TP_OK; i++) {
		if (same_grid(panel->groups[i], like) && !is_limited(panel->groups[i]))
			status = tp_samples_read(store, panel->groups[i], sql, 0, NULL, &samples);
	}
	if (status == TP_OK)
		status = tp_figure_add_samples(figure, series, category, &samples);
	tp_samples_release(&samples);
	return status;
}

static enum tp_status add_prediction(struct tp_figure *figure, const char *name, int32_t category, int32_t count)
{
	return tp_figure_add_point(figure, tp_figure_series_named(figure, name), category, count, count, count, 0);
}

/* Nothing when none was measured, and when a limit of its own leaves nothing to predict. */
static enum tp_status add_grid(struct tp_store *store, const struct tp_panel *panel, const struct tp_group *group,
                               struct tp_figure *figure)
{
	int32_t stages = group->stages, micros = group->micro_batches, known = figure->category_count;
	char name[TP_FIGURE_TEXT_BYTES];
	(void)snprintf(name, sizeof name, "%s W=%d N=%d", group->schedule, stages, micros);
	int32_t category = tp_figure_category_named(figure, name);
	if (category < 0)
		return TP_ERR_NOMEM;
	if (category < known)
		return TP_OK;
	if (micros >= 2) /* as the paper states it */
		TP_TRY(add_prediction(figure, PAPER_V, category, (stages + micros - 2) / micros));
	TP_TRY(add_prediction(figure, EXACT_V, category, (stages + micros) / (micros + 1)));
	TP_TRY(add_versions(store, panel, group,
	                    "SELECT version_difference_max_count FROM prediction WHERE run_id = ?1",
	                    tp_figure_series_named(figure, TIMED_V), category, figure));
	return add_versions(store, panel, group,
	                    "SELECT version_difference_max_count FROM epoch_figures WHERE run_id = ?1",
	                    tp_figure_series_named(figure, MEASURED_V), category, figure);
}

static enum tp_status has_versions(struct tp_store *store, const struct tp_group *group, bool *has)
{
	struct tp_samples samples = {0};
	enum tp_status status = tp_samples_read(
	        store, group, "SELECT version_difference_max_count FROM epoch_figures WHERE run_id = ?1", 0, NULL,
	        &samples);
	*has = samples.count > 0 && !is_limited(group);
	tp_samples_release(&samples);
	return status;
}

enum tp_status tp_figure_fill_versions(struct tp_store *store, const struct tp_figure_family *family,
                                       const struct tp_panel *panel, struct tp_figure *figure)
{
	static const char *const names[] = {PAPER_V, EXACT_V, TIMED_V, MEASURED_V};
	(void)family;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) { /* in this order, whatever comes first */
		if (tp_figure_series_named(figure, names[i]) < 0)
			return TP_ERR_NOMEM;
	}
	for (int32_t i = 0; i < panel->count; i++) {
		bool has = false;
		TP_TRY(has_versions(store, panel->groups[i], &has));
		if (has)
			TP_TRY(add_grid(store, panel, panel->groups[i], figure));
	}
	return TP_OK;
}

/* --- communication, idle time
 * ------------------------------------------------------------------------------------------ */

enum tp_status tp_figure_fill_volume(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure)
{
	static const char *const volumes[][2] = {
	        {"measured", "SELECT sum(per_mini_batch_bytes) FROM communication WHERE run_id = ?1 GROUP BY epoch"},
	        {"naive, 2 (W-1) N D",
	         "SELECT sum(naive_per_mini_batch_bytes) FROM communication WHERE run_id = ?1 GROUP BY epoch"},
	        {"TiMePReSt, (W-1) (N+1) D",
	         "SELECT sum(timeprest_per_mini_batch_bytes) FROM communication WHERE run_id = ?1 GROUP BY epoch"},
	};
	(void)family;
	for (int32_t i = 0; i < panel->count; i++) {
		const struct tp_group *group = panel->groups[i];
		for (size_t volume = 0; volume < sizeof volumes / sizeof *volumes && group->stages > 1; volume++)
			TP_TRY(add_bar(store, group, volumes[volume][1], 0, NULL,
			               tp_figure_series_named(figure, volumes[volume][0]),
			               tp_figure_category_named(figure, group->schedule), figure));
	}
	return TP_OK;
}

enum tp_status tp_figure_fill_idle(struct tp_store *store, const struct tp_figure_family *family,
                                   const struct tp_panel *panel, struct tp_figure *figure)
{
#define SHARE_OF(cause)             \
	"SELECT 100.0 * sum(" cause \
	"_ns) / nullif(sum(window_ns), 0) FROM stage_figures WHERE run_id = ?1 GROUP BY epoch"
	static const char *const causes[][2] = {
	        {"fill", SHARE_OF("fill")},       {"drain", SHARE_OF("drain")},         {"sender", SHARE_OF("sender")},
	        {"message", SHARE_OF("message")}, {"staleness", SHARE_OF("staleness")}, {"host", SHARE_OF("host")},
	};
	(void)family;
	for (int32_t i = 0; i < panel->count; i++) {
		for (size_t cause = 0; cause < sizeof causes / sizeof *causes; cause++)
			TP_TRY(add_bar(store, panel->groups[i], causes[cause][1], 0, NULL,
			               tp_figure_series_named(figure, causes[cause][0]),
			               tp_figure_category_named(figure, panel->groups[i]->schedule), figure));
	}
	return TP_OK;
}
