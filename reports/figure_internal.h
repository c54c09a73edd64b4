/* What the parts that read figures share. Internal to reports. */
#ifndef TP_REPORTS_FIGURE_INTERNAL_H
#define TP_REPORTS_FIGURE_INTERNAL_H

#include "reports/figure.h"

/* --- panels: groups that are comparable ----------------------------------------------------------------------------
 */

/* In what two panels of a family must differ for both of them to be drawn. */
enum {
	TP_KEY_MODEL = 1U, /* and data set */
	TP_KEY_CLUSTER = 2U,
	TP_KEY_STAGES = 4U,
	TP_KEY_CLOCK = 8U,
	TP_KEY_ALL = 15U,
};

/* Groups that differ in nothing but what their family varies, in the order first run. */
struct tp_panel {
	const struct tp_group **groups;
	int32_t count;
	int64_t runs;
};

struct tp_panels {
	struct tp_panel *panels; /* fullest first */
	int32_t count;
};

struct tp_figure_family;
enum tp_status tp_panels_read(const struct tp_groups *groups, const struct tp_figure_family *family,
                              struct tp_panels *panels);
void tp_panels_release(struct tp_panels *panels);
/* Are both of one model, data set and so on, as far as `key` asks? */
bool tp_panels_same_key(const struct tp_panel *a, const struct tp_panel *b, unsigned key);

/* --- families: figures of one kind ---------------------------------------------------------------------------------
 */

struct tp_figure_family {
	const char *id, *paper, *title, *x_label, *y_label;
	enum tp_figure_kind kind;
	bool log_x;
	/* Which groups: of these schedules (parted by commas; NULL: all), of this cluster (NULL: any). */
	const char *schedules, *cluster;
	const char *varying; /* settings in which the groups of a panel may differ, parted by commas; NULL: in any */
	unsigned key;
	int32_t least_groups;     /* a panel with fewer shows nothing */
	int32_t least_categories; /* of bars; of lines: points of the longest series */
	enum tp_status (*fill)(struct tp_store *store, const struct tp_figure_family *family,
	                       const struct tp_panel *panel, struct tp_figure *figure);
	const char *value; /* SQL of what is drawn, as `fill` takes it */
	bool by_time;      /* of curves */
	/* The paper's readings that belong here: of its figures first to last, of this metric where there are several.
	 */
	enum { TP_READ_NONE, TP_READ_QUALITY, TP_READ_MINUTES, TP_READ_THROUGHPUT, TP_READ_MEMORY } readings;
	int first_figure, last_figure;
	const char *metric;
	const char *sampled; /* what the samples of a point are */
	const char *missing; /* what there is none of when it has no data */
	const char *command; /* lines of arguments of tpbench that give it */
};

/* NULL-ended by id. */
extern const struct tp_figure_family tp_figure_families[];

/* --- samples --------------------------------------------------------------------------------------------------------
 */

struct tp_samples {
	double *values;
	int64_t count;
};

enum tp_status tp_samples_add(struct tp_samples *samples, double value);
void tp_samples_release(struct tp_samples *samples);
/* Add the first column of every row of `sql` for each run of the group, where it is not NULL. ?1 is the run, ?2 the
 * number and ?3 the text given; a text of NULL is left unbound. */
enum tp_status tp_samples_read(struct tp_store *store, const struct tp_group *group, const char *sql, int64_t number,
                               const char *text, struct tp_samples *samples);
struct sqlite3_stmt;
enum tp_status tp_figure_prepare(struct tp_store *store, const char *sql, struct sqlite3_stmt **statement);
enum tp_status tp_figure_query_failed(struct tp_store *store);

/* --- building a figure ----------------------------------------------------------------------------------------------
 */

/* `array` of `count` elements with room for one more, which is zeroed; NULL when memory runs out, and then `array` is
 * as it was. */
void *tp_figure_grown(void *array, int32_t count, size_t size);
/* Index of the series of that name, made when there is none; -1: out of memory. The same for a category. */
int32_t tp_figure_series_named(struct tp_figure *figure, const char *name);
int32_t tp_figure_category_named(struct tp_figure *figure, const char *name);
/* A point, behind the others of the series. No samples: no point. `mean` as said of stacked bars. */
enum tp_status tp_figure_add_samples(struct tp_figure *figure, int32_t series, double x,
                                     const struct tp_samples *samples);
enum tp_status tp_figure_add_point(struct tp_figure *figure, int32_t series, double x, double y, double low,
                                   double high, int64_t samples);
bool tp_figure_has_point(const struct tp_figure *figure, int32_t series, double x);
/* Where the label of y says "bytes" they become kB, MB or GB (powers of 1000), whichever suits the largest. */
void tp_figure_scale_bytes(struct tp_figure *figure);
/* A panel's own kinds of fill, see the families. */
enum tp_status tp_figure_fill_curves(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_groups(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_workloads(struct tp_store *store, const struct tp_figure_family *family,
                                        const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_clusters(struct tp_store *store, const struct tp_figure_family *family,
                                       const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_stage_memory(struct tp_store *store, const struct tp_figure_family *family,
                                           const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_total_memory(struct tp_store *store, const struct tp_figure_family *family,
                                           const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_versions(struct tp_store *store, const struct tp_figure_family *family,
                                       const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_volume(struct tp_store *store, const struct tp_figure_family *family,
                                     const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_links(struct tp_store *store, const struct tp_figure_family *family,
                                    const struct tp_panel *panel, struct tp_figure *figure);
enum tp_status tp_figure_fill_idle(struct tp_store *store, const struct tp_figure_family *family,
                                   const struct tp_panel *panel, struct tp_figure *figure);

/* What a series of `group` is called where schedules, N and M may differ: no more than what tells them apart. */
void tp_figure_group_name(const struct tp_figure_family *family, const struct tp_group *group, char *name, size_t size);

/* Is `word` among those of `list`, parted by commas? */
bool tp_figure_listed(const char *list, const char *word);

/* --- the paper's own readings (figure_paper.c) ----------------------------------------------------------------------
 */

/* Add what the paper shows in the same place for the same model, data set and cluster, as ranges. */
enum tp_status tp_figure_add_paper(const struct tp_figure_family *family, const struct tp_panel *panel,
                                   struct tp_figure *figure);

#endif
