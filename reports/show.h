/* Stored runs for a person at a terminal, or as JSON: a list of them, and everything about one. Text of the database is
 * made harmless for either. */
#ifndef TP_REPORTS_SHOW_H
#define TP_REPORTS_SHOW_H

#include "engine/base/text.h"
#include "results/maintenance.h"

#define TP_SHOW_TIME_BYTES 32

/* "2026-11-24 13:28", local time; returns `out`. */
char *tp_show_time(char out[TP_SHOW_TIME_BYTES], int64_t unix_s);

/* Of struct tp_run_listing: "yes", "NO", "-". */
const char *tp_show_valid(int valid);

/* A cell of a table, `text` on the left of at least `width` columns, and a space. */
void tp_show_cell(struct tp_text *out, int width, const char *text);

/* A line for each run, the latest first. */
void tp_show_list(const struct tp_run_listing *runs, int64_t count, bool coloured, struct tp_text *out);
enum tp_status tp_show_list_json(const struct tp_run_listing *runs, int64_t count, const char *database,
                                 struct tp_text *out);

/* Which run, and how. */
struct tp_show {
	const char *database; /* its path, to be named */
	int64_t run_id;
	bool coloured;
	/* Would the run have had this without being asked for it? Such parameters are left out of the text. */
	bool (*is_default)(const char *name, const char *value);
};

/* Everything about one run: what was asked for, how it ended, checks, stages, epochs, figures, memory, what it ran on.
 * TP_ERR_INPUT when there is no such run. The object is that of `tpbench run --json` with one more member, `run`. */
enum tp_status tp_show_run(struct tp_store *store, const struct tp_show *show, struct tp_text *out);
enum tp_status tp_show_run_json(struct tp_store *store, const struct tp_show *show, struct tp_text *out);

#endif
