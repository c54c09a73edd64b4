/* Reading PyTorch's pipelining CSV. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/schedule/listing.h"

/* What is longer is not a schedule. */
enum { FILE_MAX_BYTES = 64 << 20, STAGES_MAX = 65536, MICROS_MAX = 1000000 };

struct parser {
	const char *file;
	struct tp_listing *listing;
	int64_t count, capacity; /* items */
	int32_t rank_capacity;
	int row, column; /* 1-based, of the cell */
	const char *at;  /* in the cell */
	const char *end;
	int32_t micro_most;
	bool *has_stage; /* by stage, and on which rank: in listing->rank_of_stage */
};

static enum tp_status fail_here(const struct parser *parser, const char *expected)
{
	return tp_fail(TP_ERR_INPUT, "%s: row %d, column %d: expected %s, found '%.*s'", parser->file, parser->row,
	               parser->column, expected, (int)(parser->end - parser->at < 40 ? parser->end - parser->at : 40),
	               parser->at);
}

/* Twice the room when it is used up. */
static enum tp_status grow(void **array, int64_t used, int64_t *capacity, size_t bytes)
{
	if (used < *capacity)
		return TP_OK;
	int64_t more = *capacity ? 2 * *capacity : 64;
	void *grown = tp_alloc_array((size_t)more, bytes);
	if (!grown)
		return TP_ERR_NOMEM;
	if (*array)
		memcpy(grown, *array, (size_t)used * bytes);
	tp_free(*array);
	*array = grown;
	*capacity = more;
	return TP_OK;
}

static enum tp_status take_number(struct parser *parser, const char *what, int64_t most, int32_t *number)
{
	int64_t value = 0;
	const char *digits = parser->at;
	while (parser->at < parser->end && isdigit((unsigned char)*parser->at) && value <= most)
		value = 10 * value + (*parser->at++ - '0');
	if (parser->at == digits || value > most) {
		parser->at = digits;
		return fail_here(parser, what);
	}
	*number = (int32_t)value;
	return TP_OK;
}

static const struct action {
	const char *name;
	enum tp_listed_what what;
	enum tp_op_kind kind;
	bool passed_over; /* no micro-batch, nothing for a schedule to do */
} actions[] = {
        {"SEND_F", TP_LISTED_SEND_F, TP_OP_F, false},        {"RECV_F", TP_LISTED_RECV_F, TP_OP_F, false},
        {"SEND_B", TP_LISTED_SEND_B, TP_OP_B, false},        {"RECV_B", TP_LISTED_RECV_B, TP_OP_B, false},
        {"UNSHARD", TP_LISTED_OPERATION, TP_OP_F, true},     {"RESHARD", TP_LISTED_OPERATION, TP_OP_F, true},
        {"REDUCE_GRAD", TP_LISTED_OPERATION, TP_OP_F, true}, {"F", TP_LISTED_OPERATION, TP_OP_F, false},
        {"B", TP_LISTED_OPERATION, TP_OP_B, false},          {"I", TP_LISTED_OPERATION, TP_OP_BX, false},
        {"W", TP_LISTED_OPERATION, TP_OP_BW, false},
};

static enum tp_status take_action(struct parser *parser, const struct action **action)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
		size_t length = strlen(actions[i].name);
		if ((size_t)(parser->end - parser->at) >= length && strncmp(parser->at, actions[i].name, length) == 0) {
			parser->at += length;
			*action = &actions[i];
			return TP_OK;
		}
	}
	return fail_here(parser, "F, B, I, W, SEND_F, RECV_F, SEND_B or RECV_B");
}

/* A stage belongs to the rank where its operations stand. */
static enum tp_status note_stage(struct parser *parser, int32_t stage)
{
	struct tp_listing *listing = parser->listing;
	int32_t rank = listing->ranks - 1;
	if (!parser->has_stage[stage]) {
		parser->has_stage[stage] = true;
		listing->rank_of_stage[stage] = rank;
		listing->stages = stage + 1 > listing->stages ? stage + 1 : listing->stages;
	} else if (listing->rank_of_stage[stage] != rank) {
		return tp_fail(TP_ERR_INPUT, "%s: row %d, column %d: stage %d stands in row %d, too", parser->file,
		               parser->row, parser->column, stage, listing->rank_of_stage[stage] + 1);
	}
	return TP_OK;
}

/* `0F3` */
static enum tp_status take_item(struct parser *parser)
{
	struct tp_listing *listing = parser->listing;
	struct tp_listed item = {.mini = 1};
	const struct action *action;
	TP_TRY(take_number(parser, "a stage", STAGES_MAX - 1, &item.stage));
	TP_TRY(take_action(parser, &action));
	TP_TRY(note_stage(parser, item.stage));
	if (action->passed_over)
		return TP_OK;
	TP_TRY(take_number(parser, "a micro-batch", MICROS_MAX, &item.micro));
	item.what = action->what;
	item.kind = action->kind;
	parser->micro_most = item.micro > parser->micro_most ? item.micro : parser->micro_most;
	void *items = listing->items;
	enum tp_status status = grow(&items, parser->count, &parser->capacity, sizeof *listing->items);
	listing->items = items;
	TP_TRY(status);
	listing->items[parser->count++] = item;
	return TP_OK;
}

static bool skip(struct parser *parser, const char *text)
{
	size_t length = strlen(text);
	if ((size_t)(parser->end - parser->at) < length || strncmp(parser->at, text, length) != 0)
		return false;
	parser->at += length;
	return true;
}

/* Nothing, one item, or `(item;item)OVERLAP_F_B`. */
static enum tp_status take_cell(struct parser *parser)
{
	while (parser->at < parser->end && isspace((unsigned char)*parser->at))
		parser->at++;
	while (parser->end > parser->at && isspace((unsigned char)parser->end[-1]))
		parser->end--;
	if (parser->at == parser->end)
		return TP_OK;
	if (skip(parser, "(")) {
		do
			TP_TRY(take_item(parser));
		while (skip(parser, ";"));
		if (!skip(parser, ")OVERLAP_F_B"))
			return fail_here(parser, "; or )OVERLAP_F_B");
	} else {
		TP_TRY(take_item(parser));
	}
	return parser->at == parser->end ? TP_OK : fail_here(parser, "a comma");
}

static enum tp_status take_row(struct parser *parser, const char *row, const char *row_end)
{
	struct tp_listing *listing = parser->listing;
	int64_t capacity = parser->rank_capacity;
	void *first = listing->first;
	enum tp_status status = grow(&first, listing->ranks + 1, &capacity, sizeof *listing->first);
	listing->first = first;
	parser->rank_capacity = (int32_t)capacity;
	TP_TRY(status);
	listing->first[listing->ranks++] = parser->count;
	parser->column = 0;
	for (const char *cell = row; cell <= row_end;) {
		const char *comma = memchr(cell, ',', (size_t)(row_end - cell));
		parser->column++;
		parser->at = cell;
		parser->end = comma ? comma : row_end;
		TP_TRY(take_cell(parser));
		cell = (comma ? comma : row_end) + 1;
	}
	return TP_OK;
}

static bool is_blank(const char *text, const char *end)
{
	while (text < end && isspace((unsigned char)*text))
		text++;
	return text == end;
}

static enum tp_status take_rows(struct parser *parser, const char *text)
{
	struct tp_listing *listing = parser->listing;
	const char *row = text;
	for (parser->row = 1; *row; parser->row++) {
		const char *row_end = row + strcspn(row, "\n");
		if (!is_blank(row, row_end))
			TP_TRY(take_row(parser, row, row_end));
		else if (!is_blank(row_end, row_end + strlen(row_end)))
			return tp_fail(TP_ERR_INPUT, "%s: row %d: expected a rank's operations, found an empty row",
			               parser->file, parser->row);
		row = *row_end ? row_end + 1 : row_end;
	}
	if (parser->count == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a row for each rank, found no operation", parser->file);
	listing->first[listing->ranks] = parser->count;
	for (int32_t s = 0; s < listing->stages; s++) {
		if (!parser->has_stage[s])
			return tp_fail(TP_ERR_INPUT,
			               "%s: expected operations of stages 0 to %d, found none of stage %d",
			               parser->file, listing->stages - 1, s);
	}
	listing->minis = 1;
	listing->forwards_per_mini = listing->backwards_per_mini = parser->micro_most + 1;
	return TP_OK;
}

enum tp_status tp_listing_parse_csv(const char *file_name, const char *text, struct tp_listing *listing)
{
	struct parser parser = {.file = file_name, .listing = listing, .micro_most = -1};
	*listing = (struct tp_listing){0};
	listing->rank_of_stage = tp_alloc_array(STAGES_MAX, sizeof *listing->rank_of_stage);
	parser.has_stage = tp_alloc_array(STAGES_MAX, sizeof *parser.has_stage);
	enum tp_status status = listing->rank_of_stage && parser.has_stage ? take_rows(&parser, text) : TP_ERR_NOMEM;
	tp_free(parser.has_stage);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

enum tp_status tp_listing_read_csv(const char *path, struct tp_listing *listing)
{
	*listing = (struct tp_listing){0};
	FILE *file = fopen(path, "r");
	if (!file)
		return tp_fail(TP_ERR_INPUT, "--file %s: cannot be read: %s", path, strerror(errno));
	char *text = tp_alloc(FILE_MAX_BYTES + 1);
	enum tp_status status = TP_ERR_NOMEM;
	if (text) {
		size_t length = fread(text, 1, FILE_MAX_BYTES + 1, file);
		if (ferror(file))
			status = tp_fail(TP_ERR_INPUT, "--file %s: cannot be read: %s", path, strerror(errno));
		else if (length > FILE_MAX_BYTES || memchr(text, '\0', length))
			status = tp_fail(TP_ERR_INPUT, "%s: expected a text of at most 64 MiB, found %s", path,
			                 length > FILE_MAX_BYTES ? "more" : "a NUL in it");
		else
			status = tp_listing_parse_csv(path, text, listing);
	}
	(void)fclose(file);
	tp_free(text);
	return status;
}
