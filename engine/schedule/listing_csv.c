#include "engine/schedule/listing_csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"

/* Numbers beyond these are taken for damage. */
enum { STAGES_MAX = 4096, MICROS_MAX = 1 << 20, RANKS_MAX = 4096, CELL_MAX = 64 };
#define FILE_MAX ((size_t)256 << 20)

static const struct csv_action {
	const char *name;
	enum tp_listed_kind kind; /* IDLE: passed over, and without a micro-batch */
} actions[] = {
        {"F", TP_LISTED_F},
        {"B", TP_LISTED_B},
        {"I", TP_LISTED_BX},
        {"W", TP_LISTED_BW},
        {"BW", TP_LISTED_B}, /* as older files name a whole one */
        {"SEND_F", TP_LISTED_SEND_F},
        {"RECV_F", TP_LISTED_RECV_F},
        {"SEND_B", TP_LISTED_SEND_B},
        {"RECV_B", TP_LISTED_RECV_B},
        {"UNSHARD", TP_LISTED_IDLE},
        {"RESHARD", TP_LISTED_IDLE},
        {"REDUCE_GRAD", TP_LISTED_IDLE},
};
#define ACTIONS (sizeof actions / sizeof *actions)

struct csv {
	const char *name;
	struct tp_listing *listing;
	int32_t row, column; /* 1-based, of the cell at hand */
	int32_t stages;      /* one more than the largest, and of micro-batches the same */
	int32_t micro_batches;
	bool names_input_parts; /* there is an I */
	int32_t *rank_of;       /* by stage: rank + 1 */
};

static enum tp_status fail_at(const struct csv *csv, const char *expected, const char *found, size_t length)
{
	return tp_fail(TP_ERR_INPUT, "%s: row %d, column %d: expected %s, found '%.*s'", csv->name, csv->row,
	               csv->column, expected, (int)(length < CELL_MAX ? length : CELL_MAX), found);
}

/* --- cells -------------------------------------------------------------------------------------------------------- */

/* Digits from *at on, below `limit`; *at moves behind them. -1: none, -2: too large. */
static int32_t take_number(const char **at, const char *end, int32_t limit)
{
	const char *start = *at;
	int32_t value = 0;
	for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		value = value * 10 + (**at - '0');
		if (value >= limit)
			return -2;
	}
	return *at == start ? -1 : value;
}

static const struct csv_action *take_action(const char **at, const char *end)
{
	const char *start = *at;
	while (*at < end && ((**at >= 'A' && **at <= 'Z') || **at == '_'))
		++*at;
	size_t length = (size_t)(*at - start);
	for (size_t i = 0; i < ACTIONS; i++) {
		if (strlen(actions[i].name) == length && memcmp(actions[i].name, start, length) == 0)
			return &actions[i];
	}
	return NULL;
}

static enum tp_status note_stage(struct csv *csv, int32_t stage)
{
	int32_t *rank = &csv->rank_of[stage];
	if (*rank != 0 && *rank != csv->row)
		return tp_fail(TP_ERR_INPUT,
		               "%s: row %d, column %d: expected every stage on one rank, found stage %d, which row %d "
		               "has, too",
		               csv->name, csv->row, csv->column, stage, *rank);
	*rank = csv->row;
	csv->listing->names_stages |= stage != csv->row - 1;
	csv->stages = stage >= csv->stages ? stage + 1 : csv->stages;
	return TP_OK;
}

static void note_kind(struct csv *csv, const struct tp_listed *op)
{
	csv->micro_batches = op->micro >= csv->micro_batches ? op->micro + 1 : csv->micro_batches;
	csv->listing->split |= op->kind == TP_LISTED_BX || op->kind == TP_LISTED_BW;
	csv->names_input_parts |= op->kind == TP_LISTED_BX;
	csv->listing->names_messages |= !tp_listed_computes(op->kind);
}

/* `0F1` */
static enum tp_status add_operation(struct csv *csv, const char *cell, size_t length)
{
	const char *at = cell, *end = cell + length;
	struct tp_listed op = {.mini = 1, .column = csv->column};
	op.stage = take_number(&at, end, STAGES_MAX);
	if (op.stage < 0)
		return fail_at(csv,
		               op.stage == -1 ? "a stage, an action and a micro-batch, like 0F1" : "a stage below 4096",
		               cell, length);
	const struct csv_action *action = take_action(&at, end);
	if (!action)
		return fail_at(csv,
		               "one of the actions F, B, I, W, BW, SEND_F, RECV_F, SEND_B, RECV_B, UNSHARD, RESHARD, "
		               "REDUCE_GRAD",
		               cell, length);
	op.micro = take_number(&at, end, MICROS_MAX);
	if (op.micro == -2)
		return fail_at(csv, "a micro-batch below 1048576", cell, length);
	if (at < end || (op.micro < 0) != (action->kind == TP_LISTED_IDLE))
		return fail_at(csv,
		               action->kind == TP_LISTED_IDLE
		                       ? "nothing behind this action"
		                       : "a micro-batch behind the action, and nothing behind it",
		               cell, length);
	TP_TRY(note_stage(csv, op.stage));
	if (action->kind == TP_LISTED_IDLE)
		return TP_OK;
	op.kind = action->kind;
	note_kind(csv, &op);
	return tp_listing_add(csv->listing, csv->row - 1, &op);
}

/* `(0F1;1B0)OVERLAP_F_B` */
static enum tp_status add_overlap(struct csv *csv, const char *cell, size_t length)
{
	static const char behind[] = ")OVERLAP_F_B";
	const size_t behind_length = sizeof behind - 1;
	const char *middle = memchr(cell, ';', length);
	if (!middle || length < behind_length + 1 || middle > cell + length - behind_length ||
	    memcmp(cell + length - behind_length, behind, behind_length) != 0)
		return fail_at(csv, "two operations, like (0F1;1B0)OVERLAP_F_B", cell, length);
	TP_TRY(add_operation(csv, cell + 1, (size_t)(middle - cell) - 1));
	return add_operation(csv, middle + 1, (size_t)(cell + length - behind_length - middle) - 1);
}

static enum tp_status add_cell(struct csv *csv, const char *cell, size_t length)
{
	while (length > 0 && (*cell == ' ' || *cell == '\t')) {
		cell++;
		length--;
	}
	while (length > 0 && (cell[length - 1] == ' ' || cell[length - 1] == '\t'))
		length--;
	if (length == 0)
		return TP_OK;
	if (memchr(cell, '\0', length))
		return fail_at(csv, "text", cell, length);
	return cell[0] == '(' ? add_overlap(csv, cell, length) : add_operation(csv, cell, length);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static enum tp_status add_row(struct csv *csv, const char *row, size_t length)
{
	const char *at = row, *end = row + length;
	if (length > 0 && end[-1] == '\r')
		end--;
	for (csv->column = 1; at <= end; csv->column++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *cell_end = comma ? comma : end;
		TP_TRY(add_cell(csv, at, (size_t)(cell_end - at)));
		at = cell_end + 1;
	}
	return TP_OK;
}

/* Rows of the file; a row without a line end at the very end counts, empty lines behind the last do not. */
static int64_t count_rows(const char *bytes, size_t *size)
{
	while (*size > 0 && (bytes[*size - 1] == '\n' || bytes[*size - 1] == '\r'))
		--*size;
	int64_t rows = *size > 0;
	for (size_t i = 0; i < *size; i++)
		rows += bytes[i] == '\n';
	return rows;
}

static enum tp_status check_stages(const struct csv *csv)
{
	if (csv->stages == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a row of operations per rank, found none", csv->name);
	for (int32_t s = 0; s < csv->stages; s++) {
		if (csv->rank_of[s] == 0)
			return tp_fail(TP_ERR_INPUT,
			               "%s: expected stages 0 to %d, one after another, found no operation of stage %d",
			               csv->name, csv->stages - 1, s);
	}
	if (csv->micro_batches == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected forwards and backwards, found none", csv->name);
	return TP_OK;
}

/* The nearest backward before step `at` of which that one is the weight part; -1: none. */
static int64_t backward_before(const struct tp_listed_rank *list, int64_t at)
{
	int64_t i = at - 1;
	while (i >= 0 && (list->ops[i].kind != TP_LISTED_B || list->ops[i].stage != list->ops[at].stage ||
	                  list->ops[i].micro != list->ops[at].micro))
		i--;
	return i;
}

/* Older files have no I: there a B that a W belongs to is the input part. */
static void name_input_parts(struct csv *csv)
{
	for (int32_t r = 0; r < csv->listing->ranks && !csv->names_input_parts; r++) {
		struct tp_listed_rank *list = &csv->listing->lists[r];
		for (int64_t i = 0; i < list->count; i++) {
			int64_t input = list->ops[i].kind == TP_LISTED_BW ? backward_before(list, i) : -1;
			if (input >= 0)
				list->ops[input].kind = TP_LISTED_BX;
		}
	}
}

static enum tp_status parse_rows(struct csv *csv, const char *bytes, size_t size)
{
	const char *at = bytes, *end = bytes + size;
	csv->rank_of = tp_alloc_array(STAGES_MAX, sizeof *csv->rank_of);
	if (!csv->rank_of)
		return TP_ERR_NOMEM;
	for (csv->row = 1; csv->row <= csv->listing->ranks; csv->row++) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = line ? line : end;
		TP_TRY(add_row(csv, at, (size_t)(line_end - at)));
		at = line_end + 1;
	}
	TP_TRY(check_stages(csv));
	name_input_parts(csv);
	csv->listing->stages = csv->stages;
	csv->listing->micro_batches = csv->listing->backwards_per_mini = csv->micro_batches;
	csv->listing->minis = 1;
	return TP_OK;
}

enum tp_status tp_listing_parse_csv(const char *name, const char *bytes, size_t size, struct tp_listing *listing)
{
	struct csv csv = {.name = name, .listing = listing};
	*listing = (struct tp_listing){0};
	int64_t rows = count_rows(bytes, &size);
	if (rows == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a row of operations per rank, found an empty file", name);
	if (rows > RANKS_MAX)
		return tp_fail(TP_ERR_INPUT, "%s: expected at most %d rows, one per rank, found %lld", name, RANKS_MAX,
		               (long long)rows);
	enum tp_status status = tp_listing_init(listing, (int32_t)rows);
	if (status == TP_OK)
		status = parse_rows(&csv, bytes, size);
	tp_free(csv.rank_of);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static enum tp_status read_all(const char *path, FILE *file, struct tp_text *text)
{
	char buffer[1 << 14];
	size_t read;
	while ((read = fread(buffer, 1, sizeof buffer, file)) > 0) {
		if (memchr(buffer, '\0', read))
			return tp_fail(TP_ERR_INPUT, "%s: expected text, found a NUL byte", path);
		tp_text_add(text, "%.*s", (int)read, buffer);
		if (text->failed)
			return TP_ERR_NOMEM;
		if (text->length > FILE_MAX)
			return tp_fail(TP_ERR_INPUT, "%s: expected a schedule of at most 256 MiB, found more", path);
	}
	return ferror(file) ? tp_fail(TP_ERR_IO, "%s: cannot be read: %s", path, strerror(errno)) : TP_OK;
}

enum tp_status tp_listing_read_csv(const char *path, struct tp_listing *listing)
{
	*listing = (struct tp_listing){0};
	FILE *file = fopen(path, "r");
	if (!file)
		return tp_fail(TP_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
	struct tp_text text = {0};
	enum tp_status status = read_all(path, file, &text);
	(void)fclose(file);
	if (status == TP_OK)
		status = tp_listing_parse_csv(path, tp_text_get(&text), text.length, listing);
	tp_text_release(&text);
	return status;
}
