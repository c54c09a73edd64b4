/* The summary for other programs: raw values, units in the names. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reports/escape.h"
#include "reports/summary_columns.h"

#define JSON_VERSION 1

/* --- CSV -------------------------------------------------------------------------------------------------------------
 */

/* As few digits as give back the same number. */
static void add_number(double value, struct tp_text *out)
{
	char digits[40];
	for (int precision = 15; precision <= 17; precision++) {
		(void)snprintf(digits, sizeof digits, "%.*g", precision, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	tp_text_add(out, "%s", digits);
}

static void add_raw(const struct tp_summary_column *column, const struct tp_summary_row *row, struct tp_text *out)
{
	if (column->kind == TP_SUMMARY_TEXT) {
		tp_escape_csv(out, tp_summary_text(column, row));
	} else if (column->kind == TP_SUMMARY_LIST) {
		const struct tp_summary_list *list = tp_summary_list_of(column, row);
		for (int32_t i = 0; i < list->count; i++)
			tp_text_add(out, "%s%lld", i ? " " : "", (long long)list->values[i]);
	} else if (isfinite(tp_summary_number(column, row))) {
		add_number(tp_summary_number(column, row), out);
	}
}

void tp_summary_write_csv(const struct tp_summary *summary, struct tp_text *out)
{
	for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++)
		tp_text_add(out, "%s%s", column == tp_summary_columns ? "" : ",", column->name);
	tp_text_add(out, "\r\n");
	for (int32_t r = 0; r < summary->row_count; r++) {
		for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++) {
			tp_text_add(out, "%s", column == tp_summary_columns ? "" : ",");
			add_raw(column, &summary->rows[r], out);
		}
		tp_text_add(out, "\r\n");
	}
}

/* --- JSON ------------------------------------------------------------------------------------------------------------
 */

/* Text of a database may be no UTF-8, which JSON must be. */
static json_t *json_of_text(const char *text)
{
	struct tp_text valid = {0};
	while (*text) {
		size_t bytes = tp_utf8_bytes(text);
		if (bytes)
			tp_text_add(&valid, "%.*s", (int)bytes, text);
		else
			tp_text_add(&valid, "\xef\xbf\xbd");
		text += bytes ? bytes : 1;
	}
	json_t *value = valid.failed ? NULL : json_string(tp_text_get(&valid));
	tp_text_release(&valid);
	return value;
}

static json_t *json_of(const struct tp_summary_column *column, const struct tp_summary_row *row)
{
	const struct tp_summary_list *list;
	double number;
	switch (column->kind) {
	case TP_SUMMARY_TEXT:
		return json_of_text(tp_summary_text(column, row));
	case TP_SUMMARY_LIST:
		list = tp_summary_list_of(column, row);
		json_t *values = json_array();
		for (int32_t i = 0; i < list->count; i++)
			(void)json_array_append_new(values, json_integer(list->values[i]));
		return values;
	default:
		number = tp_summary_number(column, row);
		if (!isfinite(number))
			return json_null();
		return column->kind == TP_SUMMARY_COUNT ? json_integer((json_int_t)number) : json_real(number);
	}
}

enum tp_status tp_summary_write_json(const struct tp_summary *summary, struct tp_text *out)
{
	json_t *rows = json_array();
	for (int32_t r = 0; r < summary->row_count; r++) {
		json_t *object = json_object();
		for (const struct tp_summary_column *column = tp_summary_columns; column->name; column++)
			(void)json_object_set_new(object, column->name, json_of(column, &summary->rows[r]));
		(void)json_array_append_new(rows, object);
	}
	json_t *root =
	        json_pack("{s:i, s:o, s:i, s:i, s:o}", "version", JSON_VERSION, "baseline",
	                  json_of_text(summary->baseline), "configurations_without_a_run",
	                  (int)summary->left_out_groups, "stand_in_runs", (int)summary->stand_in_runs, "rows", rows);
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return tp_fail(TP_ERR_NOMEM, "summary: no memory for the JSON object");
	tp_text_add(out, "%s\n", text);
	free(text);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
