#include "engine/schedule/cost_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"

#define FIRST_LINE "# tpbench costs 1"
#define HEADER "stage,operation,micro_batch,cost_ns"

/* Longer lines are none of ours. */
enum { LINE_BYTES = 256, FIELDS = 4 };
/* A longer path is shown by its end, so that the rest of an error has room. */
enum { SHOWN_PATH_BYTES = 200, NAME_BYTES = 320 };

struct reader {
	const char *path;
	FILE *file;
	int line_number;
	char line[LINE_BYTES];
	struct tp_cost_table *table;
	bool *seen; /* by place in `values`, then the updates */
};

static const char *shown(const char *path)
{
	size_t length = strlen(path);
	return length > SHOWN_PATH_BYTES ? path + length - SHOWN_PATH_BYTES : path;
}

static enum tp_status fail_at(const struct reader *reader, const char *field, const char *expected, const char *found)
{
	return tp_fail(TP_ERR_INPUT, "%s: line %d: %s: expected %s, found '%.60s'", reader->path, reader->line_number,
	               field, expected, found);
}

/* The next line without its end; *more false at the end of the file. */
static enum tp_status next_line(struct reader *reader, bool *more)
{
	*more = fgets(reader->line, sizeof reader->line, reader->file) != NULL;
	if (!*more)
		return ferror(reader->file)
		               ? tp_fail(TP_ERR_INPUT, "%s: cannot be read: %s", reader->path, strerror(errno))
		               : TP_OK;
	reader->line_number++;
	size_t length = strcspn(reader->line, "\n");
	if (reader->line[length] == '\0' && !feof(reader->file))
		return fail_at(reader, "line", "at most 254 characters, and no NUL", reader->line);
	/* A number that lost its last digits is a number too. */
	if (reader->line[length] == '\0')
		return fail_at(reader, "line", "an end of line, the file is cut short", reader->line);
	if (length > 0 && reader->line[length - 1] == '\r')
		length--;
	reader->line[length] = '\0';
	return TP_OK;
}

static bool is_skipped(const char *line)
{
	return line[0] == '#' || line[strspn(line, " \t")] == '\0';
}

static enum tp_status read_head(struct reader *reader)
{
	bool more;
	TP_TRY(next_line(reader, &more));
	if (!more || strcmp(reader->line, FIRST_LINE) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: line 1: expected '%s', found %s%.40s%s", reader->path, FIRST_LINE,
		               more ? "'" : "an empty file", more ? reader->line : "", more ? "'" : "");
	do
		TP_TRY(next_line(reader, &more));
	while (more && is_skipped(reader->line));
	if (!more || strcmp(reader->line, HEADER) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: line %d: expected the header '%s', found '%.60s'", reader->path,
		               reader->line_number, HEADER, more ? reader->line : "the end of the file");
	return TP_OK;
}

/* Cut a line at its commas. */
static enum tp_status split(struct reader *reader, char *fields[FIELDS])
{
	char *next = reader->line;
	for (int i = 0; i < FIELDS; i++) {
		fields[i] = next;
		char *comma = strchr(next, ',');
		if ((comma != NULL) != (i < FIELDS - 1))
			return fail_at(reader, "fields", "four, parted by commas", comma ? "more" : "fewer");
		if (comma)
			*comma = '\0';
		next = comma + 1;
	}
	return TP_OK;
}

static enum tp_status find_kind(const struct reader *reader, const char *text, enum tp_op_kind *kind)
{
	for (enum tp_op_kind k = 0; k < TP_OP_KINDS; k++) {
		if (strcmp(text, tp_op_kind_text(k)) == 0) {
			*kind = k;
			if (tp_cost_entries(&reader->table->shape, k) > 0)
				return TP_OK;
			return fail_at(reader, "operation",
			               reader->table->shape.split ? "BX and BW, since the schedule splits backwards"
			                                          : "B, since the schedule does not split backwards",
			               text);
		}
	}
	return fail_at(reader, "operation", "F, B, BX, BW or U", text);
}

/* What names the field in an error of the number parsers. */
static const char *field_name(const struct reader *reader, const char *field, char name[NAME_BYTES])
{
	(void)snprintf(name, NAME_BYTES, "%s: line %d: %s", reader->path, reader->line_number, field);
	return name;
}

static enum tp_status read_micro(const struct reader *reader, const char *text, enum tp_op_kind kind, int64_t *micro)
{
	int32_t entries = tp_cost_entries(&reader->table->shape, kind);
	char name[NAME_BYTES];
	*micro = 0;
	if (strcmp(text, "-") == 0)
		return entries == 1 ? TP_OK
		                    : fail_at(reader, "micro_batch",
		                              "a number, since the operation has one row for each", text);
	return tp_parse_i64(field_name(reader, "micro_batch", name), text, 0, entries - 1, micro);
}

static enum tp_status read_row(struct reader *reader)
{
	const struct tp_cost_shape *shape = &reader->table->shape;
	char *fields[FIELDS] = {NULL}, name[NAME_BYTES];
	enum tp_op_kind kind = TP_OP_F;
	int64_t stage = 0, micro = 0, cost = 0;
	TP_TRY(split(reader, fields));
	TP_TRY(tp_parse_i64(field_name(reader, "stage", name), fields[0], 0, INT32_MAX, &stage));
	if (stage >= shape->stages)
		return tp_fail(TP_ERR_INPUT,
		               "%s: line %d: stage: expected costs for the %d stages of the run, found stage %s",
		               reader->path, reader->line_number, shape->stages, fields[0]);
	TP_TRY(find_kind(reader, fields[1], &kind));
	TP_TRY(read_micro(reader, fields[2], kind, &micro));
	TP_TRY(tp_parse_i64(field_name(reader, "cost_ns", name), fields[3], kind == TP_OP_U ? 0 : 1, TP_COST_MAX_NS,
	                    &cost));
	int64_t *entry = tp_cost_entry(reader->table, (int32_t)stage, kind, (int32_t)micro);
	int64_t place = kind == TP_OP_U ? tp_cost_value_count(shape) + stage : entry - reader->table->values;
	if (reader->seen[place])
		return tp_fail(TP_ERR_INPUT, "%s: line %d: a second cost of stage %d, %s, micro-batch %d", reader->path,
		               reader->line_number, (int)stage, tp_op_kind_text(kind), (int)micro);
	reader->seen[place] = true;
	*entry = cost;
	return TP_OK;
}

static enum tp_status check_complete(const struct reader *reader)
{
	const struct tp_cost_shape *shape = &reader->table->shape;
	for (int32_t s = 0; s < shape->stages; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			for (int32_t j = 0; j < tp_cost_entries(shape, kind); j++) {
				int64_t place = kind == TP_OP_U ? tp_cost_value_count(shape) + s
				                                : tp_cost_entry(reader->table, s, kind, j) -
				                                          reader->table->values;
				if (!reader->seen[place])
					return tp_fail(TP_ERR_INPUT,
					               "%s: expected a cost of %s, micro-batch %d, at stage %d of %d, "
					               "found none",
					               reader->path, tp_op_kind_text(kind), j, s, shape->stages);
			}
		}
	}
	return TP_OK;
}

static enum tp_status read_rows(struct reader *reader)
{
	TP_TRY(read_head(reader));
	for (;;) {
		bool more;
		TP_TRY(next_line(reader, &more));
		if (!more)
			return check_complete(reader);
		if (!is_skipped(reader->line))
			TP_TRY(read_row(reader));
	}
}

enum tp_status tp_cost_file_read(const char *path, struct tp_cost_shape shape, struct tp_cost_table *table)
{
	struct reader reader = {.path = shown(path), .table = table};
	TP_TRY(tp_cost_table_init(table, shape));
	reader.seen = tp_alloc_array((size_t)(tp_cost_value_count(&shape) + shape.stages), sizeof *reader.seen);
	reader.file = fopen(path, "r");
	enum tp_status status = TP_ERR_NOMEM;
	if (!reader.file)
		status = tp_fail(TP_ERR_INPUT,
		                 "--costs %s: expected alone, loaded, flops, uniform:F,B, run:ID or a file: %s",
		                 reader.path, strerror(errno));
	else if (reader.seen)
		status = read_rows(&reader);
	if (reader.file)
		(void)fclose(reader.file);
	tp_free(reader.seen);
	if (status != TP_OK)
		tp_cost_table_release(table);
	return status;
}

static void write_rows(FILE *file, const struct tp_cost_table *table)
{
	const struct tp_cost_shape *shape = &table->shape;
	fprintf(file, "%s\n%s\n", FIRST_LINE, HEADER);
	for (int32_t s = 0; s < shape->stages; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			int32_t entries = tp_cost_entries(shape, kind);
			for (int32_t j = 0; j < entries; j++) {
				char micro[16] = "-";
				if (entries > 1)
					(void)snprintf(micro, sizeof micro, "%d", j);
				fprintf(file, "%d,%s,%s,%lld\n", s, tp_op_kind_text(kind), micro,
				        (long long)*tp_cost_entry(table, s, kind, j));
			}
		}
	}
}

enum tp_status tp_cost_file_write(const char *path, const struct tp_cost_table *table)
{
	struct tp_text temporary = {0};
	tp_text_add(&temporary, "%s.%ld.tmp", path, (long)getpid());
	if (temporary.failed) {
		tp_text_release(&temporary);
		return TP_ERR_NOMEM;
	}
	FILE *file = fopen(tp_text_get(&temporary), "w");
	bool failed = !file;
	if (file) {
		write_rows(file, table);
		failed = ferror(file) != 0;
		failed = fclose(file) != 0 || failed;
		failed = failed || rename(tp_text_get(&temporary), path) != 0;
	}
	enum tp_status status =
	        failed ? tp_fail(TP_ERR_IO, "%s: cannot be written: %s", shown(path), strerror(errno)) : TP_OK;
	if (failed && file)
		(void)unlink(tp_text_get(&temporary));
	tp_text_release(&temporary);
	return status;
}
