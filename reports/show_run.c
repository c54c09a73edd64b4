#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#include "engine/base/colour.h"
#include "reports/escape.h"
#include "reports/json_text.h"
#include "reports/report_data.h"
#include "reports/show.h"
#include "results/queries.h"
#include "results/stand_in.h"

enum {
	NAME,
	NOTE,
	COMPARISON,
	REPEAT,
	SCHEDULE,
	MODEL,
	DATASET,
	DEVICE,
	ORDER,
	CLOCK,
	STAGES,
	MICROS,
	BATCH,
	STARTED,
	ENDED,
	REASON,
	VALID
};

static const char run_sql[] =
        "SELECT name, note, comparison, repeat_number, schedule, model, dataset, device, operation_order, clock, "
        "stage_count, micro_batch_count, batch_samples, run.started_unix_s, ended_unix_s, reason, valid "
        "FROM run JOIN run_state USING (run_id) WHERE run_id = ?";
static const char checks_sql[] =
        "SELECT check_name, passed, detail FROM run_check WHERE run_id = ? ORDER BY check_name";
static const char parameters_sql[] = "SELECT name, value FROM run_parameter WHERE run_id = ? ORDER BY name";
static const char environment_sql[] = "SELECT name, value FROM environment WHERE run_id = ? ORDER BY name";
static const char stages_sql[] =
        "SELECT stage, first_block, block_count, layers, parameter_count, forward_per_sample_flops, "
        "in_flight_mini_batch_count, algorithms FROM stage WHERE run_id = ? ORDER BY stage";

static const char *text_of(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	return text ? (const char *)text : "";
}

/* Hand each row of a query on one run to `take`. */
typedef void (*take_fn)(sqlite3_stmt *row, void *to);

static enum tp_status each_row(struct tp_store *store, const char *sql, int64_t run_id, take_fn take, void *to)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	(void)sqlite3_bind_int64(statement, 1, run_id);
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		take(statement, to);
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(store);
	(void)sqlite3_finalize(statement);
	return status;
}

/* --- the report of one run ---------------------------------------------------------------------------------------- */

/* Its names come from the database: no control character goes into a table, and jansson takes no broken UTF-8. */
static void clean(char *text)
{
	for (size_t i = 0; text[i];) {
		size_t bytes = tp_utf8_bytes(&text[i]);
		unsigned char first = (unsigned char)text[i];
		if (bytes == 0 || first < ' ' || first == 0x7f)
			text[i] = '?';
		i += bytes > 1 ? bytes : 1;
	}
}

static enum tp_status read_report(struct tp_store *store, const struct tp_show *show, struct tp_report **report)
{
	TP_TRY(tp_report_read(store, show->database, &show->run_id, 1, report));
	struct tp_report *r = *report;
	char *const names[] = {r->database, r->model, r->dataset, r->device, r->order, r->costs, r->link, r->cluster};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		clean(names[i]);
	for (int32_t i = 0; i < r->schedule_count; i++) {
		clean(r->schedules[i].name);
		clean(r->schedules[i].clock);
		clean(r->schedules[i].cost_level);
	}
	return TP_OK;
}

static void add_lines(struct tp_text *out, char *lines)
{
	for (char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		*end = '\0';
		tp_escape_terminal(out, lines);
		tp_text_add(out, "\n");
	}
}

static enum tp_status add_figures(struct tp_store *store, const struct tp_show *show, struct tp_text *out)
{
	struct tp_report *report;
	struct tp_text text = {0};
	TP_TRY(read_report(store, show, &report));
	if (report->schedules[0].runs[0].epoch_count == 0) {
		tp_text_add(out, "\nno epoch was stored\n");
	} else {
		tp_report_write_run(report, &text);
		if (text.data)
			add_lines(out, text.data);
	}
	enum tp_status status = text.failed ? TP_ERR_NOMEM : TP_OK;
	tp_text_release(&text);
	tp_report_free(report);
	return status;
}

/* --- for a terminal ----------------------------------------------------------------------------------------------- */

/* What the rows of a query are written to. */
struct page {
	const struct tp_show *show;
	struct tp_text *out;
	enum tp_store_state state;
	int rows; /* of this query */
};

static void add_field(struct tp_text *out, const char *label, const char *value)
{
	tp_text_add(out, "%-11s ", label);
	tp_escape_terminal(out, value);
	tp_text_add(out, "\n");
}

static void add_words(struct tp_text *out, sqlite3_stmt *row)
{
	static const struct {
		int column;
		const char *before;
	} words[] = {{SCHEDULE, ": "}, {MODEL, ", "}, {DATASET, " on "},   {STAGES, ", W "},           {MICROS, ", N "},
	             {BATCH, ", M "},  {CLOCK, ", "}, {ORDER, " clock, "}, {DEVICE, " order, device "}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		tp_text_add(out, "%s", words[i].before);
		tp_escape_terminal(out, text_of(row, words[i].column));
	}
	tp_text_add(out, "\n");
}

static void add_ending(sqlite3_stmt *row, const struct page *page)
{
	struct tp_text *out = page->out;
	char time[TP_SHOW_TIME_BYTES];
	add_field(out, "started", tp_show_time(time, sqlite3_column_int64(row, STARTED)));
	bool done = page->state == TP_STORE_STATE_DONE, running = page->state == TP_STORE_STATE_RUNNING;
	tp_text_add(out, "%-11s ", running ? "now" : "ended");
	tp_colour_add(out, page->show->coloured,
	              done      ? TP_COLOUR_GOOD
	              : running ? TP_COLOUR_WARNING
	                        : TP_COLOUR_BAD,
	              0, tp_store_state_text(page->state));
	if (sqlite3_column_type(row, ENDED) != SQLITE_NULL && !tp_is_stand_in(text_of(row, DEVICE)))
		tp_text_add(out, " after %" PRId64 " s",
		            (int64_t)(sqlite3_column_int64(row, ENDED) - sqlite3_column_int64(row, STARTED)));
	if (text_of(row, REASON)[0]) {
		tp_text_add(out, ": ");
		tp_escape_terminal(out, text_of(row, REASON));
	}
	tp_text_add(out, "\n");
}

static void add_head(sqlite3_stmt *row, void *to)
{
	struct page *page = to;
	page->rows++;
	tp_text_add(page->out, "run %" PRId64, page->show->run_id);
	add_words(page->out, row);
	if (text_of(row, NAME)[0])
		add_field(page->out, "name", text_of(row, NAME));
	if (text_of(row, NOTE)[0])
		add_field(page->out, "note", text_of(row, NOTE));
	if (text_of(row, COMPARISON)[0]) {
		tp_text_add(page->out, "%-11s repeat %d of ", "comparison", sqlite3_column_int(row, REPEAT));
		tp_escape_terminal(page->out, text_of(row, COMPARISON));
		tp_text_add(page->out, "\n");
	}
	add_ending(row, page);
	if (sqlite3_column_type(row, VALID) == SQLITE_NULL)
		add_field(page->out, "checks", "none were made");
}

static void add_check(sqlite3_stmt *row, void *to)
{
	struct page *page = to;
	bool passed = sqlite3_column_int(row, 1) != 0;
	tp_text_add(page->out, "%-11s ", page->rows++ == 0 ? "checks" : "");
	tp_colour_add(page->out, page->show->coloured, passed ? TP_COLOUR_GOOD : TP_COLOUR_BAD, 6,
	              passed ? "passed" : "FAILED");
	tp_text_add(page->out, " ");
	tp_escape_terminal(page->out, text_of(row, 0));
	tp_text_add(page->out, "%s", passed ? "" : ": ");
	tp_escape_terminal(page->out, text_of(row, 2));
	tp_text_add(page->out, "\n");
}

static void add_pair(struct tp_text *out, sqlite3_stmt *row)
{
	struct tp_text name = {0};
	tp_escape_terminal(&name, text_of(row, 0));
	tp_text_add(out, "  %-18s ", tp_text_get(&name));
	tp_escape_terminal(out, text_of(row, 1));
	tp_text_add(out, "\n");
	tp_text_release(&name);
}

static void add_parameter(sqlite3_stmt *row, void *to)
{
	struct page *page = to;
	if (page->show->is_default && page->show->is_default(text_of(row, 0), text_of(row, 1)))
		return;
	if (page->rows++ == 0)
		tp_text_add(page->out, "\nasked for, other than by default\n");
	add_pair(page->out, row);
}

static void add_environment(sqlite3_stmt *row, void *to)
{
	struct page *page = to;
	if (page->rows++ == 0)
		tp_text_add(page->out, "\nran on\n");
	add_pair(page->out, row);
}

static void add_stage(sqlite3_stmt *row, void *to)
{
	struct page *page = to;
	if (page->rows++ == 0)
		tp_text_add(page->out, "\n%5s %7s %7s %12s %14s %10s  %s\n", "stage", "block", "blocks", "parameters",
		            "Mflop/sample", "in flight", "layers");
	tp_text_add(page->out, "%5d %7d %7d %12" PRId64 " %14.3f %10d  ", sqlite3_column_int(row, 0),
	            sqlite3_column_int(row, 1), sqlite3_column_int(row, 2), (int64_t)sqlite3_column_int64(row, 4),
	            sqlite3_column_double(row, 5) / 1e6, sqlite3_column_int(row, 6));
	tp_escape_terminal(page->out, text_of(row, 3));
	tp_text_add(page->out, "\n");
}

static enum tp_status add_rows(struct tp_store *store, const char *sql, take_fn take, struct page *page)
{
	page->rows = 0;
	return each_row(store, sql, page->show->run_id, take, page);
}

enum tp_status tp_show_run(struct tp_store *store, const struct tp_show *show, struct tp_text *out)
{
	struct page page = {.show = show, .out = out};
	TP_TRY(tp_store_run_state(store, show->run_id, &page.state));
	TP_TRY(add_rows(store, run_sql, add_head, &page));
	TP_TRY(add_rows(store, checks_sql, add_check, &page));
	TP_TRY(add_rows(store, parameters_sql, add_parameter, &page));
	TP_TRY(add_rows(store, stages_sql, add_stage, &page));
	TP_TRY(add_figures(store, show, out));
	TP_TRY(add_rows(store, environment_sql, add_environment, &page));
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *column_text(sqlite3_stmt *row, int column)
{
	return tp_json_text(text_of(row, column));
}

static void take_run(sqlite3_stmt *row, void *to)
{
	json_t **run = to;
	bool ended = sqlite3_column_type(row, ENDED) != SQLITE_NULL,
	     checked = sqlite3_column_type(row, VALID) != SQLITE_NULL;
	*run = json_pack("{s:o, s:o, s:o, s:i, s:I, s:o, s:o, s:o}", "name", column_text(row, NAME), "note",
	                 column_text(row, NOTE), "comparison", column_text(row, COMPARISON), "repeat",
	                 sqlite3_column_int(row, REPEAT), "started_unix_s",
	                 (json_int_t)sqlite3_column_int64(row, STARTED), "ended_unix_s",
	                 ended ? json_integer((json_int_t)sqlite3_column_int64(row, ENDED)) : json_null(), "reason",
	                 column_text(row, REASON), "valid",
	                 checked ? json_boolean(sqlite3_column_int(row, VALID)) : json_null());
}

static void take_check(sqlite3_stmt *row, void *to)
{
	(void)json_array_append_new(to, json_pack("{s:o, s:b, s:o}", "check", column_text(row, 0), "passed",
	                                          sqlite3_column_int(row, 1), "detail", column_text(row, 2)));
}

static void take_stage(sqlite3_stmt *row, void *to)
{
	(void)json_array_append_new(
	        to, json_pack("{s:i, s:i, s:i, s:o, s:I, s:I, s:i, s:o}", "stage", sqlite3_column_int(row, 0),
	                      "first_block", sqlite3_column_int(row, 1), "blocks", sqlite3_column_int(row, 2), "layers",
	                      column_text(row, 3), "parameters", (json_int_t)sqlite3_column_int64(row, 4),
	                      "forward_flops_per_sample", (json_int_t)sqlite3_column_int64(row, 5), "in_flight",
	                      sqlite3_column_int(row, 6), "algorithms", column_text(row, 7)));
}

static enum tp_status describe(struct tp_store *store, const struct tp_show *show, json_t *root)
{
	enum tp_store_state state;
	json_t *run = NULL, *checks = json_array(), *stages = json_array();
	enum tp_status status = tp_store_run_state(store, show->run_id, &state);
	if (status == TP_OK)
		status = each_row(store, checks_sql, show->run_id, take_check, checks);
	if (status == TP_OK)
		status = each_row(store, stages_sql, show->run_id, take_stage, stages);
	if (status == TP_OK)
		status = each_row(store, run_sql, show->run_id, take_run, (void *)&run);
	if (status == TP_OK) {
		(void)json_object_set_new(run, "run_id", json_integer((json_int_t)show->run_id));
		(void)json_object_set_new(run, "state", json_string(tp_store_state_text(state)));
		(void)json_object_set(run, "checks", checks);
		(void)json_object_set(run, "stages", stages);
		status = json_object_set(root, "run", run) == 0 ? TP_OK : TP_ERR_NOMEM;
	}
	json_decref(checks);
	json_decref(stages);
	json_decref(run);
	return status;
}

enum tp_status tp_show_run_json(struct tp_store *store, const struct tp_show *show, struct tp_text *out)
{
	struct tp_report *report;
	enum tp_store_state state;
	TP_TRY(tp_store_run_state(store, show->run_id, &state)); /* names the database when there is no such run */
	TP_TRY(read_report(store, show, &report));
	json_t *root = tp_report_object(report);
	tp_report_free(report);
	enum tp_status status = root ? describe(store, show, root) : TP_OK;
	if (status == TP_OK)
		return tp_json_write(root, out);
	json_decref(root);
	return status;
}
