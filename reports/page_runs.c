/* The sections of the page on runs: which there are, how they ended, what was asked for, and what they ran on. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "reports/escape.h"
#include "reports/page.h"
#include "reports/report_data.h"
#include "results/queries.h"
#include "results/stand_in.h"

/* Newest first, so many that the page stays small. */
#define RUNS_MOST 1000

static enum tp_status prepare(struct tp_store *store, const char *sql, const struct tp_page_request *request,
                              sqlite3_stmt **statement)
{
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	if (request->comparison)
		(void)sqlite3_bind_text(*statement, 1, request->comparison, -1, SQLITE_STATIC);
	return TP_OK;
}

static void add_column(sqlite3_stmt *row, int column, const char *class, struct tp_text *out)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	tp_text_add(out, class ? "<td class=\"%s\">" : "<td>", class);
	tp_escape_html(out, text && *text ? (const char *)text : "-");
	tp_text_add(out, "</td>");
}

/* A table of what a query gives, a column for each heading; those in `numbers`, a bit each, to the right. NULL and
 * empty are `-`. `*rows`: how many there were. */
static enum tp_status write_table(struct tp_store *store, const char *sql, const struct tp_page_request *request,
                                  const char *const *headings, unsigned numbers, struct tp_text *out, int64_t *rows)
{
	sqlite3_stmt *statement;
	int rc;
	*rows = 0;
	TP_TRY(prepare(store, sql, request, &statement));
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if ((*rows)++ == 0) {
			tp_text_add(out, "<div class=\"wide\"><table>\n<thead><tr>");
			for (int i = 0; headings[i]; i++)
				tp_text_add(out, "<th scope=\"col\"%s>%s</th>",
				            numbers >> i & 1U ? " class=\"number\"" : "", headings[i]);
			tp_text_add(out, "</tr></thead>\n<tbody>\n");
		}
		tp_text_add(out, "<tr>");
		for (int i = 0; headings[i]; i++)
			add_column(statement, i, numbers >> i & 1U ? "number" : "text", out);
		tp_text_add(out, "</tr>\n");
	}
	if (*rows > 0)
		tp_text_add(out, "</tbody></table></div>\n");
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(store);
	(void)sqlite3_finalize(statement);
	return status;
}

/* --- runs ------------------------------------------------------------------------------------------------------------
 */

/* Runs that no number of the page comes from, and why. */
static enum tp_status write_left_out(struct tp_store *store, const struct tp_page_request *request, struct tp_text *out)
{
	static const char sql[] =
	        "SELECT run_id, schedule, state, CASE WHEN run_id NOT IN (SELECT run_id FROM timed_run) THEN device || "
	        "' " TP_STAND_IN_SAYS "' WHEN reason <> '' THEN reason WHEN valid = 0 THEN (SELECT "
	        "group_concat(check_name || ': ' || detail, '; ') FROM run_check AS c WHERE c.run_id = run.run_id AND "
	        "passed = 0) WHEN state = 'done' THEN 'no epoch' ELSE '' END FROM run JOIN run_state USING (run_id) "
	        "WHERE (?1 IS NULL OR comparison = ?1) AND (state <> 'done' OR valid = 0 OR run_id NOT IN (SELECT "
	        "run_id FROM timed_run) OR NOT EXISTS (SELECT 1 FROM "
	        "epoch AS e WHERE e.run_id = run.run_id)) ORDER BY run_id DESC LIMIT 1000";
	static const char *const headings[] = {"run", "schedule", "state", "why", NULL};
	int64_t rows;
	struct tp_text table = {0};
	enum tp_status status = write_table(store, sql, request, headings, 1, &table, &rows);
	if (status == TP_OK && rows > 0)
		tp_text_add(out,
		            "<h3>Not used</h3>\n<p class=\"warn\">No number of this page comes from these runs: they "
		            "did not end well, a check of their records failed, or their clock says nothing.</p>\n%s",
		            tp_text_get(&table));
	out->failed |= table.failed;
	tp_text_release(&table);
	return status;
}

static void write_settings(const struct tp_groups *groups, struct tp_text *out)
{
	int32_t row = 0;
	for (int32_t i = 0; i < groups->count; i++) {
		const struct tp_group *group = &groups->groups[i];
		if (group->run_count == 0)
			continue;
		tp_text_add(out, "<details><summary>Row %d: ", (int)++row);
		tp_escape_html(out, group->schedule);
		tp_text_add(out, ", W = %d, N = %d</summary><pre>", (int)group->stages, (int)group->micro_batches);
		tp_escape_html(out, group->settings);
		tp_text_add(out, "</pre></details>\n");
	}
}

enum tp_status tp_page_write_runs(struct tp_store *store, const struct tp_groups *groups,
                                  const struct tp_page_request *request, struct tp_text *out)
{
	static const char sql[] =
	        "SELECT run_id, strftime('%Y-%m-%d %H:%M', run.started_unix_s, 'unixepoch'), schedule, model, dataset, "
	        "stage_count, micro_batch_count, clock, (SELECT value FROM run_parameter AS p WHERE p.run_id = "
	        "run.run_id AND p.name = 'seed'), repeat_number, (SELECT count(*) FROM epoch AS e WHERE e.run_id = "
	        "run.run_id), state, CASE valid WHEN 1 THEN 'yes' WHEN 0 THEN 'NO' END, name, note, comparison FROM "
	        "run "
	        "JOIN run_state USING (run_id) WHERE ?1 IS NULL OR comparison = ?1 ORDER BY run_id DESC LIMIT 1000";
	static const char *const headings[] = {"run",     "began (UTC)", "schedule", "model",      "data",   "W",
	                                       "N",       "clock",       "seed",     "repeat",     "epochs", "state",
	                                       "checked", "name",        "note",     "comparison", NULL};
	int64_t rows;
	TP_TRY(write_left_out(store, request, out));
	tp_text_add(out, "<h3>All runs</h3>\n");
	TP_TRY(write_table(store, sql, request, headings, 1U | 1U << 5 | 1U << 6 | 1U << 8 | 1U << 9 | 1U << 10, out,
	                   &rows));
	if (rows == 0)
		tp_text_add(out,
		            "<p class=\"missing\">There is none. <code>tpbench --compare</code> makes some.</p>\n");
	if (rows == RUNS_MOST)
		tp_text_add(out, "<p class=\"lead\">Only the latest %d are listed.</p>\n", RUNS_MOST);
	tp_text_add(out, "<h3>Settings</h3>\n<p>Every option that decides a result, but the seed.</p>\n");
	write_settings(groups, out);
	return TP_OK;
}

/* --- machines --------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_page_write_origin(struct tp_store *store, const struct tp_page_request *request, struct tp_text *out)
{
	static const char sql[] =
	        "SELECT environment.name, value, count(*), min(run_id), max(run_id) FROM environment "
	        "JOIN run USING (run_id) WHERE ?1 IS NULL OR comparison = ?1 GROUP BY environment.name, "
	        "value ORDER BY environment.name, min(run_id) LIMIT 1000";
	static const char *const headings[] = {"what", "value", "runs", "first", "last", NULL};
	int64_t rows;
	TP_TRY(write_table(store, sql, request, headings, 1U << 2 | 1U << 3 | 1U << 4, out, &rows));
	if (rows == 0)
		tp_text_add(out, "<p class=\"missing\">No run says what it ran on.</p>\n");
	return TP_OK;
}
