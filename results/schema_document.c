#include "results/schema_document.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "results/store_internal.h"

/* What the name of a column ends with, or is; the first that fits. */
static const struct {
	const char *end;
	bool whole; /* the name is nothing else */
	const char *unit;
} units[] = {
        {"_bytes_per_s", false, "bytes per second"},
        {"_per_s", false, "per second"},
        {"_per_h", false, "per hour"},
        {"_unix_s", false, "seconds since 1970"},
        {"_ns", false, "nanoseconds"},
        {"_s", false, "seconds"},
        {"_bytes", false, "bytes"},
        {"_flops", false, "floating-point operations"},
        {"_samples", false, "samples"},
        {"_share", false, "share, 0 to 1"},
        {"_ratio", false, "ratio"},
        {"_count", false, "count"},
        {"_number", false, "number"},
        {"_ticks", false, "clock ticks"},
        {"_hz", false, "hertz"},
        {"_loss", false, "nats, mean over samples"},
        {"epoch", false, "number, from 1"},
        {"mini_batch", false, "number, from 1 over the run"},
        {"micro_batch", true, "number, from 0; -1: the whole mini-batch"},
        {"stage", false, "number, from 0"},
        {"boundary", true, "number, from 0"},
        {"first_block", true, "number, from 0"},
        {"schema_version", true, "number"},
        {"version", false, "number of updates, over the run"},
        {"version_read", true, "number of updates, over the run"},
        {"version_live", true, "number of updates, over the run"},
        {"version_committed", true, "number of updates, over the run"},
        {"version_forward", true, "number of updates, over the run"},
        {"version_newest", true, "number of updates, over the run"},
        {"in_place", true, "0 or 1"},
        {"handed_over", true, "0 or 1"},
        {"passed", true, "0 or 1"},
        {"valid", true, "0 or 1"},
        {"start", true, "nanoseconds"},
        {"end", true, "nanoseconds"},
        {"bytes", true, "bytes"},
};

const char *tp_schema_unit(const char *column)
{
	size_t length = strlen(column);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t tail = strlen(units[i].end);
		bool fits = units[i].whole ? length == tail : length >= tail;
		if (fits && strcmp(column + length - tail, units[i].end) == 0)
			return units[i].unit;
	}
	return NULL;
}

static const char *skip_blanks(const char *line)
{
	return line + strspn(line, " \t");
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');
	return end ? end + 1 : line + strlen(line);
}

static bool is_comment(const char *line)
{
	return strncmp(line, "--", 2) == 0;
}

/* Up to the end of the line, behind its dashes; in a table's cell a bar would end the cell. */
static void add_comment(struct tp_text *text, const char *comment, bool in_cell)
{
	comment = skip_blanks(comment + 2);
	for (; *comment && *comment != '\n'; comment++)
		tp_text_add(text, in_cell && *comment == '|' ? "\\%c" : "%c", *comment);
}

/* The comment lines behind the first line of a definition, as one paragraph. */
static void add_head(struct tp_text *text, const char *sql)
{
	const char *between = "";
	for (const char *line = skip_blanks(next_line(sql)); is_comment(line); line = skip_blanks(next_line(line))) {
		tp_text_add(text, "%s", between);
		add_comment(text, line, false);
		between = " ";
	}
	tp_text_add(text, "\n");
}

/* The comment behind a column's line in the definition of its table; NULL when there is none. */
static const char *column_comment(const char *sql, const char *column)
{
	size_t length = strlen(column);
	for (const char *line = next_line(sql); *line; line = next_line(line)) {
		const char *word = skip_blanks(line);
		if (strncmp(word, column, length) != 0 || !isspace((unsigned char)word[length]))
			continue;
		const char *comment = strstr(word, "-- ");
		return comment && comment < next_line(line) ? comment : NULL;
	}
	return NULL;
}

static bool same_line(const char *a, const char *b)
{
	size_t length = strcspn(a, "\n");
	return length == strcspn(b, "\n") && strncmp(a, b, length) == 0;
}

static enum tp_status failed(sqlite3 *db, sqlite3_stmt *statement)
{
	enum tp_status status = tp_fail(TP_ERR_IO, "the schema: %s", sqlite3_errmsg(db));
	(void)sqlite3_finalize(statement);
	return status;
}

/* A column of a view is what the tables call by that name, where they agree on it. */
static enum tp_status add_inherited(sqlite3 *db, const char *column, struct tp_text *text)
{
	struct tp_text found = {0}, one = {0};
	bool agreed = true;
	sqlite3_stmt *tables;
	if (sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema WHERE type = 'table'", -1, &tables, NULL) !=
	    SQLITE_OK)
		return failed(db, NULL);
	while (sqlite3_step(tables) == SQLITE_ROW) {
		const char *comment = column_comment((const char *)sqlite3_column_text(tables, 0), column);
		if (!comment)
			continue;
		tp_text_release(&one);
		add_comment(&one, comment, true);
		if (!found.length)
			tp_text_add(&found, "%s", tp_text_get(&one));
		agreed = agreed && same_line(tp_text_get(&found), tp_text_get(&one));
	}
	(void)sqlite3_finalize(tables);
	if (agreed)
		tp_text_add(text, "%s", tp_text_get(&found));
	tp_text_release(&found);
	tp_text_release(&one);
	return TP_OK;
}

static enum tp_status add_columns(sqlite3 *db, const char *name, const char *sql, bool is_view, struct tp_text *text)
{
	sqlite3_stmt *columns;
	if (sqlite3_prepare_v2(db, "SELECT name, type FROM pragma_table_info(?)", -1, &columns, NULL) != SQLITE_OK)
		return failed(db, NULL);
	(void)sqlite3_bind_text(columns, 1, name, -1, SQLITE_STATIC);
	tp_text_add(text, "\n| column | type | unit | what it is |\n| --- | --- | --- | --- |\n");
	int rc;
	while ((rc = sqlite3_step(columns)) == SQLITE_ROW) {
		const char *column = (const char *)sqlite3_column_text(columns, 0);
		const char *type = (const char *)sqlite3_column_text(columns, 1);
		const char *unit = strcmp(type, "TEXT") == 0 ? NULL : tp_schema_unit(column);
		const char *comment = column_comment(sql, column);
		tp_text_add(text, "| `%s` | %s | %s | ", column, type, unit ? unit : "");
		enum tp_status status = TP_OK;
		if (comment && !is_view)
			add_comment(text, comment, true);
		else if (is_view)
			status = add_inherited(db, column, text);
		tp_text_add(text, " |\n");
		if (status != TP_OK) {
			(void)sqlite3_finalize(columns);
			return status;
		}
	}
	if (rc != SQLITE_DONE)
		return failed(db, columns);
	(void)sqlite3_finalize(columns);
	return TP_OK;
}

/* In the order of their definitions. */
static enum tp_status add_objects(sqlite3 *db, const char *title, const char *condition, struct tp_text *text)
{
	char query[160];
	sqlite3_stmt *objects;
	(void)snprintf(query, sizeof query,
	               "SELECT name, sql, type = 'view' FROM sqlite_schema WHERE %s ORDER BY rowid", condition);
	if (sqlite3_prepare_v2(db, query, -1, &objects, NULL) != SQLITE_OK)
		return failed(db, NULL);
	tp_text_add(text, "\n## %s\n", title);
	enum tp_status status = TP_OK;
	int rc = SQLITE_DONE;
	while (status == TP_OK && (rc = sqlite3_step(objects)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(objects, 0);
		const char *sql = (const char *)sqlite3_column_text(objects, 1);
		tp_text_add(text, "\n### %s\n\n", name);
		add_head(text, sql);
		status = add_columns(db, name, sql, sqlite3_column_int(objects, 2) != 0, text);
	}
	if (status == TP_OK && rc != SQLITE_DONE)
		return failed(db, objects);
	(void)sqlite3_finalize(objects);
	return status;
}

static enum tp_status add_document(sqlite3 *db, struct tp_text *text)
{
	for (const char *const *part = tp_store_schema; *part; part++) {
		if (sqlite3_exec(db, *part, NULL, NULL, NULL) != SQLITE_OK)
			return failed(db, NULL);
	}
	tp_text_add(
	        text,
	        "# The database\n\n"
	        "One SQLite file, WAL, `application_id` 0x%x (`TPBN`), `user_version` = schema version (%d). Tables "
	        "are STRICT; rows\n"
	        "are written once and never edited; units are in the column names. Stages count from 0, epochs and "
	        "mini-batches from\n"
	        "1, micro-batches from 0; -1 stands for all of it: stage -1 is the process, micro_batch -1 the whole "
	        "mini-batch. All\n"
	        "times of one run share its clock, which starts at 0.\n\n"
	        "    sqlite3 -readonly -box tpbench.db 'SELECT * FROM compare'\n\n"
	        "This page is what `tpbench db schema` prints: the comments of the definitions, which every database "
	        "holds as well.\n",
	        (unsigned)TP_STORE_APPLICATION_ID, TP_STORE_SCHEMA_VERSION);
	TP_TRY(add_objects(db, "Tables", "type = 'table'", text));
	TP_TRY(add_objects(db, "Views", "type = 'view' AND name GLOB '[a-z]*'", text));
	return add_objects(db, "Views for queries that Nsight Systems' export answers",
	                   "type = 'view' AND name GLOB '[A-Z]*'", text);
}

enum tp_status tp_schema_document(struct tp_text *text)
{
	sqlite3 *db = NULL;
	enum tp_status status = TP_ERR_NOMEM;
	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		status = add_document(db, text);
	(void)sqlite3_close(db);
	return status == TP_OK && text->failed ? TP_ERR_NOMEM : status;
}
