#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/reports/drawing.h"

enum { LANES_MAX = 256, DEPTH_MAX = 32, NAME_BYTES = 32 };

int count_of(const char *text, const char *part)
{
	int count = 0;
	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

/* The number behind `before`, at or after `*at`, which moves on. */
static double number_behind(const char **at, const char *before)
{
	const char *found = strstr(*at, before);
	double number = 0;
	int read = 0;
	assert_non_null(found);
	found += strlen(before);
	assert_int_equal(sscanf(found, "%lf%n", &number, &read), 1);
	*at = found + read;
	return number;
}

/* The lane that a shape lies on, which may stand out of it by a little. */
static int lane_at(const int *tops, int lanes, double y)
{
	for (int lane = 0; lane < lanes; lane++) {
		if (y >= tops[lane] - 3 && y <= tops[lane] + 3)
			return lane;
	}
	return -1;
}

static struct drawn_op read_op(const char *at, const int *tops, int lanes)
{
	struct drawn_op op = {.micro = -1};
	const char *end = strstr(at, "</g>"), *tooltip_end = strstr(at, "</title>");
	assert_true(end && tooltip_end && tooltip_end < end);
	assert_int_equal(sscanf(at, "<g><title>%3[A-Z] ", op.kind), 1);
	op.mini = (long long)number_behind(&at, "of mini-batch ");
	const char *micro = strstr(at, ", micro-batch ");
	if (micro && micro < tooltip_end)
		op.micro = (long long)number_behind(&at, ", micro-batch ");
	op.stage = (long long)number_behind(&at, ", stage ");
	op.read = (long long)number_behind(&at, "version read ");
	op.live = (long long)number_behind(&at, "live ");
	op.committed = (long long)number_behind(&at, "committed ");
	op.x = number_behind(&at, "x=\"");
	op.lane = lane_at(tops, lanes, number_behind(&at, "y=\""));
	op.width = number_behind(&at, "width=\"");
	const char *label = strstr(at, "<text x=");
	if (label && label < end)
		assert_int_equal(sscanf(strchr(label, '>'), ">%23[^<]", op.label), 1);
	return op;
}

struct drawing read_drawing(const char *svg)
{
	struct drawing drawing = {0};
	int tops[LANES_MAX];
	static const char lane[] = "<rect class=\"lane\"", op[] = "<g><title>";
	for (const char *at = svg; (at = strstr(at, lane)); drawing.lanes++) {
		assert_true(drawing.lanes < LANES_MAX);
		drawing.left = number_behind(&at, "x=\"");
		tops[drawing.lanes] = (int)number_behind(&at, "y=\"");
		assert_true(drawing.lanes == 0 || tops[drawing.lanes] > tops[drawing.lanes - 1]);
		drawing.width = number_behind(&at, "width=\"");
	}
	drawing.ops = calloc((size_t)count_of(svg, op) + 1, sizeof *drawing.ops);
	assert_non_null(drawing.ops);
	for (const char *at = svg; (at = strstr(at, op)); at += strlen(op))
		drawing.ops[drawing.count++] = read_op(at, tops, drawing.lanes);
	return drawing;
}

/* --- well-formed -------------------------------------------------------------------------------------------------- */

static void check_reference(const char *at)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&apos;"};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strncmp(at, known[i], strlen(known[i])) == 0)
			return;
	}
	fail_msg("expected a reference, found '%.12s'", at);
}

static const char *skip_value(const char *at)
{
	assert_int_equal(*at, '"');
	for (at++; *at != '"'; at++) {
		if (*at == '\0' || *at == '<')
			fail_msg("an attribute does not end");
		if (*at == '&')
			check_reference(at);
	}
	return at + 1;
}

/* From behind `<` to behind `>`; the name goes onto the stack unless the element is empty. */
static const char *read_start(const char *at, char stack[DEPTH_MAX][NAME_BYTES], int *depth)
{
	char name[NAME_BYTES];
	if (sscanf(at, "%31[A-Za-z]", name) != 1)
		fail_msg("expected a name, found '%.12s'", at);
	at += strlen(name);
	while (*at == ' ') {
		at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789");
		assert_int_equal(*at, '=');
		at = skip_value(at + 1);
	}
	if (strncmp(at, "/>", 2) == 0)
		return at + 2;
	if (*at != '>' || *depth == DEPTH_MAX)
		fail_msg("element '%s': expected its end, found '%.12s'", name, at);
	memcpy(stack[(*depth)++], name, sizeof name);
	return at + 1;
}

static const char *read_end(const char *at, char stack[DEPTH_MAX][NAME_BYTES], int *depth)
{
	assert_true(*depth > 0);
	const char *name = stack[--*depth];
	if (strncmp(at, name, strlen(name)) != 0 || at[strlen(name)] != '>')
		fail_msg("expected </%s>, found '</%.12s'", name, at);
	return at + strlen(name) + 1;
}

void check_well_formed(const char *xml)
{
	char stack[DEPTH_MAX][NAME_BYTES];
	int depth = 0, elements = 0;
	for (const char *at = xml; *at;) {
		if (depth == 0)
			elements += *at == '<';
		if (*at == '<')
			at = at[1] == '/' ? read_end(at + 2, stack, &depth) : read_start(at + 1, stack, &depth);
		else if (*at == '&')
			check_reference(at++);
		else if ((unsigned char)*at < ' ' && *at != '\n' && *at != '\t')
			fail_msg("a control character: %d", *at);
		else
			at++;
	}
	assert_int_equal(depth, 0);
	assert_int_equal(elements, 1);
}
