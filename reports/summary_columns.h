/* The columns of the summary: one table that every writer goes by. Internal to reports. */
#ifndef TP_REPORTS_SUMMARY_COLUMNS_H
#define TP_REPORTS_SUMMARY_COLUMNS_H

#include "reports/summary.h"

/* Tables that people read. Columns of the first name the row, and begin each table; that table itself has the most
 * wanted columns of all. */
#define TP_SUMMARY_BLOCK_LIST(X)                                  \
	X(TP_SUMMARY_KEY, "summary", "At a glance")               \
	X(TP_SUMMARY_TIME, "time", "Time and speed-up")           \
	X(TP_SUMMARY_WAITING, "waiting", "Bubble and waiting")    \
	X(TP_SUMMARY_WEIGHTS, "memory", "Memory and versions")    \
	X(TP_SUMMARY_LEARNING, "learning", "Accuracy at the end") \
	X(TP_SUMMARY_TARGETS, "targets", "To target")             \
	X(TP_SUMMARY_SETTINGS, "settings", "What was compared")

enum tp_summary_block {
#define TP_SUMMARY_ENUM(name, word, title) name,
	TP_SUMMARY_BLOCK_LIST(TP_SUMMARY_ENUM)
#undef TP_SUMMARY_ENUM
	        TP_SUMMARY_BLOCKS
};
const char *tp_summary_block_word(enum tp_summary_block block);
const char *tp_summary_block_title(enum tp_summary_block block);

struct tp_summary_column {
	const char *name;          /* with the unit of the raw value */
	const char *header, *unit; /* as people read it */
	enum tp_summary_block block;
	enum { TP_SUMMARY_TEXT, TP_SUMMARY_COUNT, TP_SUMMARY_NUMBER, TP_SUMMARY_LIST } kind;
	size_t offset; /* in struct tp_summary_row */
	double scale;  /* from the raw value to what people read */
	int decimals;
	int better; /* -1: less is, 1: more is, 0: neither */
	bool brief; /* most wanted */
};

/* Ended by one whose name is NULL. */
extern const struct tp_summary_column tp_summary_columns[];

static inline double tp_summary_number(const struct tp_summary_column *column, const struct tp_summary_row *row)
{
	return *(const double *)((const char *)row + column->offset);
}
static inline const char *tp_summary_text(const struct tp_summary_column *column, const struct tp_summary_row *row)
{
	return *(char *const *)((const char *)row + column->offset);
}
static inline const struct tp_summary_list *tp_summary_list_of(const struct tp_summary_column *column,
                                                               const struct tp_summary_row *row)
{
	return (const struct tp_summary_list *)((const char *)row + column->offset);
}

/* Is it a column of that table, and worth its place: known in some row? Those that name the row always are. */
bool tp_summary_shows(const struct tp_summary *summary, const struct tp_summary_column *column,
                      enum tp_summary_block block);
bool tp_summary_has(const struct tp_summary *summary, enum tp_summary_block block);

/* As people read it, not escaped: "-" where it is not known. */
void tp_summary_cell(const struct tp_summary_column *column, const struct tp_summary_row *row, struct tp_text *out);

/* None is better among the rows with the same baseline, and one is worse. */
bool tp_summary_is_best(const struct tp_summary *summary, const struct tp_summary_column *column, int32_t row);

/* What must be known to read the tables, one sentence a line; plain text of ours and the baseline's name, not escaped.
 */
void tp_summary_notes(const struct tp_summary *summary, struct tp_text *out);

#endif
