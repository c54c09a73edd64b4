/* The tables of reports/paper/, which are embedded at build: CSV with quoted cells, a row of names first. */
#include <string.h>

#include "engine/base/memory.h"
#include "reports/claims_internal.h"
#include "reports/paper_claims.h"
#include "reports/paper_epoch_minutes.h"
#include "reports/paper_independent_reproduction.h"
#include "reports/paper_memory_total_gb.h"
#include "reports/paper_quality.h"
#include "reports/paper_throughput.h"

enum { MOST_CELLS = 16 };

struct row {
	char *cells[MOST_CELLS];
	int32_t count;
};

char *tp_claims_keep(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *kept = tp_alloc(bytes);
	if (kept)
		memcpy(kept, text, bytes);
	return kept;
}

/* Ends the cell at `at` in place and gives what follows its comma or newline; *last says that it was the row's last. */
static char *take_cell(char *at, char **cell, bool *last)
{
	char *to = at;
	bool quoted = *at == '"';
	*cell = at;
	at += quoted;
	while (*at && (quoted || (*at != ',' && *at != '\n'))) {
		if (quoted && *at == '"' && *++at != '"') {
			quoted = false;
			continue;
		}
		*to++ = *at++;
	}
	*last = *at != ',';
	at += *at != '\0';
	*to = '\0';
	return at;
}

static bool take_row(char **next, struct row *row)
{
	bool last = false;
	row->count = 0;
	if (**next == '\0')
		return false;
	while (!last) {
		TP_CHECK(row->count < MOST_CELLS);
		*next = take_cell(*next, &row->cells[row->count++], &last);
	}
	return true;
}

static int32_t count_rows(const char *text)
{
	int32_t count = 0;
	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* The cell under `name`; "" when the table has no such column. */
static const char *cell(const struct row *names, const struct row *row, const char *name)
{
	for (int32_t i = 0; i < names->count && i < row->count; i++) {
		if (strcmp(names->cells[i], name) == 0)
			return row->cells[i];
	}
	return "";
}

/* A copy of a shipped table that `claims` owns; NULL when memory ran out. */
static char *keep_table(struct tp_claims *claims, const char *table)
{
	char *text = tp_claims_keep(table);
	if (text)
		claims->texts[claims->text_count++] = text;
	return text;
}

static enum tp_status load_claims(struct tp_claims *claims)
{
	struct row names, row;
	char *next = keep_table(claims, tp_paper_claims);
	if (!next)
		return TP_ERR_NOMEM;
	claims->claims = tp_alloc_array((size_t)count_rows(next), sizeof *claims->claims);
	if (!claims->claims)
		return TP_ERR_NOMEM;
	(void)take_row(&next, &names);
	while (take_row(&next, &row)) {
		claims->claims[claims->count++] = (struct tp_claim){
		        .id = cell(&names, &row, "id"),
		        .place = cell(&names, &row, "place"),
		        .claim = cell(&names, &row, "claim"),
		        .needs = cell(&names, &row, "needs"),
		        .holds_if = cell(&names, &row, "holds_if"),
		        .paper = cell(&names, &row, "paper"),
		        .reproduction = cell(&names, &row, "reproduction"),
		        .command = cell(&names, &row, "command"),
		};
	}
	return TP_OK;
}

/* A range from the columns whose names end so; its unit is what the name begins with, or the column `metric`. */
static void add_range(const struct row *names, const struct row *row, struct tp_text *text)
{
	const char *low = "", *high = "", *unit = cell(names, row, "metric");
	int unit_length = (int)strlen(unit);
	for (int32_t i = 0; i < row->count; i++) {
		const char *end = strstr(names->cells[i], "low");
		if (end) {
			low = row->cells[i];
			high = row->cells[i + 1];
		}
		if (end && end > names->cells[i]) {
			unit = names->cells[i];
			unit_length = (int)(end - unit) - 1;
		}
	}
	tp_text_add(text, "~%s", low);
	if (strcmp(low, high) != 0)
		tp_text_add(text, " to %s", high);
	tp_text_add(text, " %.*s", unit_length, unit);
}

static void add_reading(const struct row *names, const struct row *row, struct tp_text *text)
{
	tp_text_add(text, "Fig. %s, cluster %s, %s on %s, %s: ", cell(names, row, "figure"),
	            cell(names, row, "cluster"), cell(names, row, "model"), cell(names, row, "dataset"),
	            cell(names, row, "system"));
	add_range(names, row, text);
	const char *axis = cell(names, row, "axis");
	if (*axis)
		tp_text_add(text, " at %s %s", cell(names, row, "axis_value"), axis);
}

static void add_found(const struct row *names, const struct row *row, struct tp_text *text)
{
	tp_text_add(text, "%s, %s workers, %s, %s: timeprest %s, pipedream %s %s", cell(names, row, "workload"),
	            cell(names, row, "workers"), cell(names, row, "link"), cell(names, row, "finding"),
	            cell(names, row, "timeprest"), cell(names, row, "pipedream"), cell(names, row, "unit"));
}

static enum tp_status load_readings(struct tp_claims *claims, const char *table, bool reproduction)
{
	struct row names, row;
	char *next = keep_table(claims, table);
	if (!next)
		return TP_ERR_NOMEM;
	(void)take_row(&next, &names);
	while (take_row(&next, &row)) {
		struct tp_text text = {0};
		if (reproduction)
			add_found(&names, &row, &text);
		else
			add_reading(&names, &row, &text);
		struct tp_claim_reading *reading = &claims->readings[claims->reading_count++];
		reading->reproduction = reproduction;
		reading->claims = tp_claims_keep(cell(&names, &row, "claims"));
		reading->text = tp_claims_keep(tp_text_get(&text));
		bool failed = text.failed || !reading->claims || !reading->text;
		tp_text_release(&text);
		if (failed)
			return TP_ERR_NOMEM;
	}
	return TP_OK;
}

enum tp_status tp_claims_load(struct tp_claims *claims)
{
	static const char *const tables[] = {tp_paper_epoch_minutes, tp_paper_throughput, tp_paper_memory_total_gb,
	                                     tp_paper_quality, tp_paper_independent_reproduction};
	enum { TABLES = sizeof tables / sizeof *tables };
	int32_t rows = 0;
	for (size_t i = 0; i < TABLES; i++)
		rows += count_rows(tables[i]);
	claims->texts = tp_alloc_array(TABLES + 1, sizeof *claims->texts);
	claims->readings = tp_alloc_array((size_t)rows, sizeof *claims->readings);
	if (!claims->texts || !claims->readings)
		return TP_ERR_NOMEM;
	TP_TRY(load_claims(claims));
	for (size_t i = 0; i < TABLES; i++)
		TP_TRY(load_readings(claims, tables[i], tables[i] == tp_paper_independent_reproduction));
	return TP_OK;
}

bool tp_claim_reading_of(const struct tp_claim_reading *reading, const char *id)
{
	size_t length = strlen(id);
	for (const char *at = reading->claims; *at;) {
		size_t here = strcspn(at, " ");
		if (here == length && strncmp(at, id, length) == 0)
			return true;
		at += here + (at[here] == ' ');
	}
	return false;
}
