/* `tpbench report` against the database: every number of every format is recomputed here by plain SQL. argv[1] is the
 * built tpbench. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "reports/escape.h"
#include "reports/summary_columns.h"
#include "tests/cli/harness.h"
#include "tests/cli/report_fixture.h"

/* --- what is expected ------------------------------------------------------------------------------------------------
 */

/* The middle of `what` over the epochs of the row: IDS stands for its runs, BASE for those of its baseline. */
#define MEDIAN_OF(values)                                                                                        \
	"SELECT avg(x) FROM (SELECT x, row_number() OVER (ORDER BY x) AS r, count(*) OVER () AS n FROM (" values \
	") WHERE x IS NOT NULL) WHERE r IN ((n + 1) / 2, (n + 2) / 2)"
#define EPOCHS(what) "SELECT " what " AS x FROM epoch JOIN run USING (run_id) WHERE run_id IN (IDS)"
#define FIGURES(what)                                                                                        \
	"SELECT " what " AS x FROM epoch_figures AS f JOIN epoch AS e USING (run_id, epoch) JOIN run USING " \
	"(run_id) WHERE run_id IN (IDS)"
#define WINDOW "(window_end_ns - window_start_ns)"
#define PAIRS                                                                                                    \
	"SELECT (1.0 * b.trained_samples / (b.window_end_ns - b.window_start_ns)) / (1.0 * a.trained_samples / " \
	"(a.window_end_ns - a.window_start_ns)) AS x FROM epoch AS a, epoch AS b WHERE a.run_id IN (BASE) AND "  \
	"b.run_id IN (IDS)"
/* 6 epochs on either side: Mann and Whitney's U is at most 5 in 19 of 924 orders, so the ends are the 6th pairs. */
#define PAIR(number) "SELECT x FROM (" PAIRS ") WHERE 'IDS' <> 'BASE' ORDER BY x LIMIT 1 OFFSET " #number
#define LAST(what, which)                                                                                           \
	"SELECT " which "(x) FROM (SELECT " what " AS x FROM epoch AS e WHERE run_id IN (IDS) AND epoch = (SELECT " \
	"max(epoch) FROM epoch AS l WHERE l.run_id = e.run_id AND test_samples IS NOT NULL))"
#define STAGES                                                                                               \
	"(SELECT stage, max(peak) AS peak FROM (SELECT stage, sum(at_peak_bytes) AS peak FROM memory WHERE " \
	"run_id IN (IDS) AND stage >= 0 GROUP BY run_id, epoch, stage) GROUP BY stage)"
#define RUN(what) "SELECT " what " FROM run WHERE run_id IN (IDS) LIMIT 1"
#define PARAMETER(name) "SELECT value FROM run_parameter WHERE run_id IN (IDS) AND name = '" name "' LIMIT 1"
#define TARGET(what) "SELECT " what " FROM time_to_target WHERE run_id IN (IDS) AND target = 'target-loss'"

static const struct expectation {
	const char *name;
	double scale; /* 0: as it is */
	int decimals;
	const char *sql;
} expectations[] = {
        {"schedule", 0, 0, RUN("schedule")},
        {"row_number", 0, 0, "SELECT ROW"},
        {"stage_count", 0, 0, RUN("stage_count")},
        {"micro_batch_count", 0, 0, RUN("micro_batch_count")},
        {"epoch_median_ns", 1e-6, 1, MEDIAN_OF(EPOCHS(WINDOW))},
        {"epoch_min_ns", 1e-6, 1, "SELECT min(x) FROM (" EPOCHS(WINDOW) ")"},
        {"epoch_max_ns", 1e-6, 1, "SELECT max(x) FROM (" EPOCHS(WINDOW) ")"},
        /* Of 6 values the ends lie around the median with 1 - 2 / 64. */
        {"epoch_low_ns", 1e-6, 1, "SELECT min(x) FROM (" EPOCHS(WINDOW) ")"},
        {"epoch_high_ns", 1e-6, 1, "SELECT max(x) FROM (" EPOCHS(WINDOW) ")"},
        {"samples_per_s_median", 1, 1, MEDIAN_OF(EPOCHS("trained_samples * 1e9 / " WINDOW))},
        {"epochs_per_h", 1, 1, MEDIAN_OF(EPOCHS("3600e9 / " WINDOW))},
        {"baseline_row_number", 0, 0, "SELECT BASEROW"},
        {"speed_up_ratio", 1, 3, MEDIAN_OF(PAIRS)},
        {"speed_up_low_ratio", 1, 3, PAIR(5)},
        {"speed_up_high_ratio", 1, 3, PAIR(30)},
        {"speed_up_confidence_share", 100, 0, "SELECT 1 - 2 * 19 / 924.0 WHERE 'IDS' <> 'BASE'"},
        {"idle_total_ratio", 100, 1, MEDIAN_OF(FIGURES("idle_total_ratio"))},
        {"idle_ideal_ratio", 100, 1, MEDIAN_OF(FIGURES("idle_ideal_ratio"))},
        {"steady_samples_per_s", 1, 1,
         MEDIAN_OF(FIGURES("1e9 * steady_mini_batch_count * batch_samples / nullif(steady_window_ns, 0)"))},
        {"steady_idle_total_ratio", 100, 1, MEDIAN_OF(FIGURES("steady_idle_total_ratio"))},
        {"alpha_ratio", 1, 3, MEDIAN_OF(FIGURES("alpha_ratio"))},
        {"exposed_ns", 1e-6, 1,
         MEDIAN_OF(FIGURES("CASE WHEN alpha_ratio IS NOT NULL THEN (SELECT sum(exposed_ns) FROM stage_figures AS s "
                           "WHERE s.run_id = e.run_id AND s.epoch = e.epoch) END"))},
        {"predicted_median_ns", 1e-6, 1, MEDIAN_OF("SELECT predicted_ns AS x FROM prediction WHERE run_id IN (IDS)")},
        {"difference_ratio", 100, 1,
         MEDIAN_OF("SELECT 1.0 * " WINDOW " / predicted_ns - 1 AS x FROM prediction JOIN epoch USING (run_id, epoch) "
                   "WHERE run_id IN (IDS)")},
        {"largest_stage_peak_bytes", 1 / 1048576.0, 2, "SELECT max(peak) FROM " STAGES},
        {"fullest_stage", 0, 0, "SELECT stage FROM " STAGES " ORDER BY peak DESC, stage LIMIT 1"},
        {"peak_total_bytes", 1 / 1048576.0, 2,
         "SELECT max(total) FROM (SELECT sum(at_peak_bytes) AS total FROM memory WHERE run_id IN (IDS) AND stage >= 0 "
         "GROUP BY run_id, epoch)"},
        {"stage_peak_bytes", 1 / 1048576.0, 2, "SELECT peak FROM " STAGES " ORDER BY stage"},
        {"versions_alive_max", 1, 0,
         "SELECT max(alive_version_max_count) FROM stage_figures WHERE run_id IN (IDS) GROUP BY stage ORDER BY stage"},
        {"version_difference_paper", 0, 0,
         "SELECT DISTINCT paper_prediction_count FROM version_difference WHERE run_id IN (IDS)"},
        {"version_difference_exact", 0, 0,
         "SELECT DISTINCT exact_prediction_count FROM version_difference WHERE run_id IN (IDS)"},
        {"timed_prediction_max_count", 0, 0,
         "SELECT max(version_difference_max_count) FROM prediction WHERE run_id IN (IDS)"},
        {"timed_prediction_mean_count", 1, 2,
         "SELECT avg(version_difference_mean_count) FROM prediction WHERE run_id IN (IDS)"},
        {"version_difference_max", 0, 0, "SELECT max(version_difference_count) FROM mini_batch WHERE run_id IN (IDS)"},
        {"version_difference_mean", 1, 2,
         "SELECT avg(x) FROM (SELECT avg(version_difference_count) AS x FROM mini_batch WHERE run_id IN (IDS) GROUP BY "
         "run_id, epoch)"},
        {"version_chains", 0, 0,
         "SELECT max(x) FROM (SELECT count(DISTINCT chain_mini_batch) AS x FROM mini_batch WHERE run_id IN (IDS) GROUP "
         "BY run_id, epoch)"},
        {"evaluated_run_count", 0, 0,
         "SELECT count(DISTINCT run_id) FROM epoch WHERE run_id IN (IDS) AND test_samples IS NOT NULL"},
        {"test_top1_share", 100, 2, LAST("test_top1_share", "avg")},
        {"test_top1_min_share", 100, 2, LAST("test_top1_share", "min")},
        {"test_top1_max_share", 100, 2, LAST("test_top1_share", "max")},
        {"test_top5_share", 100, 2, LAST("test_top5_share", "avg")},
        {"test_top5_min_share", 100, 2, LAST("test_top5_share", "min")},
        {"test_top5_max_share", 100, 2, LAST("test_top5_share", "max")},
        {"test_loss", 1, 4, LAST("test_loss", "avg")},
        {"test_loss_min", 1, 4, LAST("test_loss", "min")},
        {"test_loss_max", 1, 4, LAST("test_loss", "max")},
        {"target_top1_share", 100, 2, "SELECT NULL"},
        {"target_top1_run_count", 0, 0, "SELECT NULL"},
        {"target_top1_reached_count", 0, 0, "SELECT NULL"},
        {"target_top1_epochs_median", 1, 1, "SELECT NULL"},
        {"target_top1_median_s", 1, 3, "SELECT NULL"},
        {"target_loss", 1, 4, TARGET("max(target_value)")},
        {"target_loss_run_count", 0, 0, TARGET("nullif(count(*), 0)")},
        {"target_loss_reached_count", 0, 0, TARGET("CASE WHEN count(*) > 0 THEN count(reached_epoch) END")},
        {"target_loss_epochs_median", 1, 1, MEDIAN_OF(TARGET("reached_epoch AS x"))},
        {"target_loss_median_s", 1, 3, MEDIAN_OF(TARGET("reached_s AS x"))},
        {"batch_samples", 0, 0, RUN("batch_samples")},
        {"model", 0, 0, RUN("model")},
        {"dataset", 0, 0, RUN("dataset")},
        {"device", 0, 0, RUN("device")},
        {"operation_order", 0, 0, RUN("operation_order")},
        {"clock", 0, 0, RUN("clock")},
        {"cluster", 0, 0, PARAMETER("cluster")},
        {"link", 0, 0, PARAMETER("link")},
        {"costs", 0, 0, PARAMETER("costs")},
        {"run_count", 0, 0, "SELECT count(*) FROM run WHERE run_id IN (IDS)"},
        {"seed_count", 0, 0, "SELECT count(DISTINCT value) FROM run_parameter WHERE run_id IN (IDS) AND name = 'seed'"},
        {"epoch_count", 0, 0, "SELECT count(*) FROM epoch WHERE run_id IN (IDS)"},
        {"left_out_run_count", 0, 0,
         "SELECT count(*) FROM run JOIN run_state USING (run_id) WHERE state <> 'done' AND (schedule, clock) = (SELECT "
         "schedule, clock FROM run WHERE run_id IN (IDS))"},
        {"run_ids", 1, 0, "SELECT run_id FROM run WHERE run_id IN (IDS) ORDER BY run_id"},
        {"other_settings", 0, 0,
         "SELECT 'lr=' || value FROM run_parameter WHERE run_id IN (IDS) AND name = 'lr' LIMIT 1"},
};
#define EXPECTATIONS (sizeof expectations / sizeof *expectations)

static const struct expectation *expectation_of(const char *name)
{
	for (size_t i = 0; i < EXPECTATIONS; i++) {
		if (strcmp(expectations[i].name, name) == 0)
			return &expectations[i];
	}
	fail_msg("no query for the column %s", name);
	return NULL;
}

/* A row as the database has it: schedules of one clock. */
struct row {
	char ids[64], base_ids[64];
	int number, base_number;
};
enum { ROWS_MOST = 8 };
static struct row rows[ROWS_MOST];
static int row_count;

static void find_rows(void)
{
	static const char sql[] =
	        "WITH usable AS (SELECT schedule, clock, group_concat(run_id) AS ids, row_number() OVER (ORDER BY "
	        "min(run_id)) AS number FROM run JOIN run_state USING (run_id) WHERE state = 'done' GROUP BY schedule, "
	        "clock) SELECT u.ids, u.number, b.ids, b.number FROM usable AS u JOIN usable AS b ON b.schedule = "
	        "'gpipe' AND b.clock = u.clock ORDER BY u.number";
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	row_count = 0;
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct row *row = &rows[row_count++];
		(void)snprintf(row->ids, sizeof row->ids, "%s", (const char *)sqlite3_column_text(statement, 0));
		row->number = sqlite3_column_int(statement, 1);
		(void)snprintf(row->base_ids, sizeof row->base_ids, "%s",
		               (const char *)sqlite3_column_text(statement, 2));
		row->base_number = sqlite3_column_int(statement, 3);
	}
	(void)sqlite3_finalize(statement);
}

/* `sql` with the row in the place of its words. */
static sqlite3_stmt *query_row(const char *sql, const struct row *row)
{
	struct tp_text text = {0};
	sqlite3_stmt *statement;
	while (*sql) {
		if (strncmp(sql, "BASEROW", 7) == 0)
			tp_text_add(&text, "%d", row->base_number);
		else if (strncmp(sql, "BASE", 4) == 0)
			tp_text_add(&text, "%s", row->base_ids);
		else if (strncmp(sql, "IDS", 3) == 0)
			tp_text_add(&text, "%s", row->ids);
		else if (strncmp(sql, "ROW", 3) == 0)
			tp_text_add(&text, "%d", row->number);
		else {
			tp_text_add(&text, "%c", *sql++);
			continue;
		}
		sql += strncmp(sql, "BASEROW", 7) == 0 ? 7 : strncmp(sql, "BASE", 4) == 0 ? 4 : 3;
	}
	if (sqlite3_prepare_v2(database, tp_text_get(&text), -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", tp_text_get(&text), sqlite3_errmsg(database));
	tp_text_release(&text);
	return statement;
}

static bool is_text(const struct tp_summary_column *column)
{
	return column->kind == TP_SUMMARY_TEXT;
}

/* As people should read it. */
static void expected_cell(const struct tp_summary_column *column, const struct row *row, struct tp_text *cell)
{
	const struct expectation *expectation = expectation_of(column->name);
	sqlite3_stmt *statement = query_row(expectation->sql, row);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);
		if (!text || !*text)
			continue;
		tp_text_add(cell, "%s", cell->length ? " " : "");
		if (expectation->scale == 0)
			tp_text_add(cell, "%s", text);
		else
			tp_text_add(cell, "%.*f", expectation->decimals,
			            sqlite3_column_double(statement, 0) * expectation->scale);
	}
	if (cell->length == 0)
		tp_text_add(cell, "-");
	(void)sqlite3_finalize(statement);
}

static int fill_and_find(void **state)
{
	if (fill(state) != 0)
		return -1;
	find_rows();
	assert_int_equal(row_count, 5);
	return 0;
}

/* --- raw values ------------------------------------------------------------------------------------------------------
 */

static void expect_near(const char *name, double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-9 * fmax(1, fabs(expected))))
		fail_msg("%s: expected %.17g, found %.17g", name, expected, found);
}

static void json_has_what_queries_give(void **state)
{
	(void)state;
	json_t *root = cli_run_json("report --format json"), *found_rows = json_object_get(root, "rows");
	assert_string_equal(json_string_value(json_object_get(root, "baseline")), "gpipe");
	assert_int_equal(json_array_size(found_rows), row_count);
	for (int r = 0; r < row_count; r++) {
		json_t *object = json_array_get(found_rows, (size_t)r);
		assert_int_equal(json_object_size(object), EXPECTATIONS);
		for (size_t i = 0; i < EXPECTATIONS; i++) {
			const char *name = expectations[i].name;
			json_t *found = json_object_get(object, name);
			sqlite3_stmt *statement = query_row(expectations[i].sql, &rows[r]);
			bool some = sqlite3_step(statement) == SQLITE_ROW &&
			            sqlite3_column_type(statement, 0) != SQLITE_NULL;
			if (json_is_array(found)) {
				for (size_t v = 0; v < json_array_size(found); v++) {
					assert_int_equal(json_integer_value(json_array_get(found, v)),
					                 sqlite3_column_int64(statement, 0));
					some = sqlite3_step(statement) == SQLITE_ROW;
				}
				assert_false(some);
			} else if (!some) {
				if (!json_is_null(found))
					fail_msg("%s of row %d: expected null", name, r + 1);
			} else if (json_is_string(found)) {
				assert_string_equal(json_string_value(found), sqlite3_column_text(statement, 0));
			} else {
				if (!json_is_number(found))
					fail_msg("%s of row %d: expected a number", name, r + 1);
				expect_near(name, json_number_value(found), sqlite3_column_double(statement, 0));
			}
			(void)sqlite3_finalize(statement);
		}
	}
	json_decref(root);
}

static void csv_has_what_queries_give(void **state)
{
	(void)state;
	struct cli_result result = cli_run("report --format csv");
	const char *at = result.out;
	char cell[512];
	for (size_t i = 0; i < EXPECTATIONS; i++) {
		take_csv(&at, cell, sizeof cell);
		assert_string_equal(cell, expectations[i].name);
	}
	for (int r = 0; r < row_count; r++) {
		for (size_t i = 0; i < EXPECTATIONS; i++) {
			sqlite3_stmt *statement = query_row(expectations[i].sql, &rows[r]);
			const struct tp_summary_column *column = &tp_summary_columns[i];
			struct tp_text list = {0};
			take_csv(&at, cell, sizeof cell);
			while (sqlite3_step(statement) == SQLITE_ROW &&
			       sqlite3_column_type(statement, 0) != SQLITE_NULL) {
				if (column->kind == TP_SUMMARY_COUNT || column->kind == TP_SUMMARY_NUMBER)
					expect_near(column->name, cell[0] ? strtod(cell, NULL) : (double)NAN,
					            sqlite3_column_double(statement, 0));
				tp_text_add(&list, "%s%s", list.length ? " " : "",
				            (const char *)sqlite3_column_text(statement, 0));
			}
			if (is_text(column) || column->kind == TP_SUMMARY_LIST || list.length == 0)
				assert_string_equal(cell, tp_text_get(&list));
			tp_text_release(&list);
			(void)sqlite3_finalize(statement);
		}
	}
	assert_int_equal(*at, '\0');
	cli_release(&result);
}

/* --- what people read ------------------------------------------------------------------------------------------------
 */

/* How a format writes a row of cells. */
struct dress {
	const char *format;
	void (*escape)(struct tp_text *out, const char *text);
	const char *begin, *between, *end;
};

/* Is a column there when no row knows it? Those that name the row are. */
static bool is_shown(const struct tp_summary_column *column, enum tp_summary_block block)
{
	bool known = column->block == TP_SUMMARY_KEY;
	if (block == TP_SUMMARY_KEY ? !column->brief && strcmp(column->name, "row_number") != 0
	                            : column->block != block && column->block != TP_SUMMARY_KEY)
		return false;
	for (int r = 0; r < row_count && !known; r++) {
		struct tp_text cell = {0};
		expected_cell(column, &rows[r], &cell);
		known = strcmp(tp_text_get(&cell), "-") != 0;
		tp_text_release(&cell);
	}
	return known;
}

static void expected_row(const struct dress *dress, enum tp_summary_block block, const struct row *row,
                         struct tp_text *line)
{
	bool first = true;
	tp_text_add(line, "%s", dress->begin);
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
		struct tp_text cell = {0};
		if (!is_shown(column, block))
			continue;
		expected_cell(column, row, &cell);
		if (!first)
			tp_text_add(line, "%s", dress->between);
		dress->escape(line, tp_text_get(&cell));
		tp_text_release(&cell);
		first = false;
	}
	tp_text_add(line, "%s", dress->end);
}

/* HTML's rows as the cells alone: "<tr><th ..>a</th><td ..>b</td></tr>" is "<tr>a|b|</tr>". */
static char *undress_html(const char *html)
{
	char *plain = calloc(strlen(html) + 1, 1), *to = plain;
	assert_non_null(plain);
	while (*html) {
		bool opens = strncmp(html, "<td", 3) == 0 || strncmp(html, "<th scope=\"row\"", 15) == 0;
		bool closes = strncmp(html, "</td>", 5) == 0 || strncmp(html, "</th>", 5) == 0;
		if (opens || closes) {
			html = strchr(html, '>') + 1;
			if (closes)
				*to++ = '|';
		} else {
			*to++ = *html++;
		}
	}
	return plain;
}

static void expect_rows(const struct dress *dress)
{
	char arguments[64];
	(void)snprintf(arguments, sizeof arguments, "report --format %s", dress->format);
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	char *plain = strcmp(dress->format, "html") == 0 ? undress_html(result.out) : strdup(result.out);
	const char *at = plain;
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS; block++) {
		for (int r = 0; r < row_count; r++) {
			struct tp_text line = {0};
			expected_row(dress, (enum tp_summary_block)block, &rows[r], &line);
			const char *found = strstr(at, tp_text_get(&line)); /* in this order, each once */
			if (!found)
				fail_msg("%s: expected the row\n%s in\n%s", dress->format, tp_text_get(&line), at);
			at = found + line.length;
			tp_text_release(&line);
		}
	}
	free(plain);
	cli_release(&result);
}

static void tables_have_what_queries_give(void **state)
{
	(void)state;
	static const struct dress dresses[] = {
	        {"markdown", tp_escape_markdown, "\n| ", " | ", " |"},
	        {"latex", tp_escape_latex, "\n", " & ", " \\\\"},
	        {"html", tp_escape_html, "<tr>", "|", "|</tr>"},
	};
	for (size_t i = 0; i < sizeof dresses / sizeof *dresses; i++)
		expect_rows(&dresses[i]);
}

/* Runs of blanks are one: what the text format pads. */
static char *squeeze(const char *text)
{
	char *squeezed = calloc(strlen(text) + 1, 1), *to = squeezed;
	assert_non_null(squeezed);
	for (; *text; text++) {
		if (*text != ' ' || to == squeezed || to[-1] != ' ')
			*to++ = *text;
	}
	return squeezed;
}

static void text_has_what_queries_give(void **state)
{
	(void)state;
	static const struct dress dress = {"text", tp_escape_terminal, "\n", " ", "\n"};
	struct cli_result result = cli_run("report");
	char *squeezed = squeeze(result.out);
	for (int block = TP_SUMMARY_KEY; block < TP_SUMMARY_BLOCKS; block++) {
		for (int r = 0; r < row_count; r++) {
			struct tp_text line = {0};
			expected_row(&dress, (enum tp_summary_block)block, &rows[r], &line);
			cli_expect_part(squeezed, tp_text_get(&line));
			tp_text_release(&line);
		}
	}
	if (strchr(result.out, '\033'))
		fail_msg("colour in what is no terminal:\n%s", result.out);
	free(squeezed);
	cli_release(&result);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(json_has_what_queries_give),
	        cmocka_unit_test(csv_has_what_queries_give),
	        cmocka_unit_test(tables_have_what_queries_give),
	        cmocka_unit_test(text_has_what_queries_give),
	};
	if (argc != 2)
		return 1;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, fill_and_find, finish);
	cli_leave_folder();
	return failed;
}
