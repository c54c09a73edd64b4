#include "engine/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

static bool grow(struct tp_text *text, size_t need)
{
	if (need <= text->capacity)
		return true;
	size_t capacity = text->capacity ? text->capacity : 128;
	while (capacity < need)
		capacity *= 2;
	char *data = tp_alloc(capacity);
	if (!data)
		return false;
	if (text->data)
		memcpy(data, text->data, text->length + 1);
	tp_free(text->data);
	text->data = data;
	text->capacity = capacity;
	return true;
}

void tp_text_add(struct tp_text *text, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (length < 0 || text->failed || !grow(text, text->length + (size_t)length + 1)) {
		text->failed = true;
	} else {
		(void)vsnprintf(text->data + text->length, (size_t)length + 1, fmt, again);
		text->length += (size_t)length;
	}
	va_end(again);
}

void tp_text_release(struct tp_text *text)
{
	tp_free(text->data);
	*text = (struct tp_text){0};
}

const char *tp_text_get(const struct tp_text *text)
{
	return text->data ? text->data : "";
}

/* strtoll() and strtod() also take blanks in front, hexadecimal numbers and "inf"; options do not. Whether a parse that
 * stopped at `end` took something, and nothing but characters of `plain`. */
static bool took_only(const char *s, const char *end, const char *plain)
{
	return end > s && (size_t)(end - s) <= strspn(s, plain);
}

#define PLAIN_WHOLE "+-0123456789"
#define PLAIN_NUMBER "+-.eE0123456789"

enum tp_status tp_parse_i64(const char *what, const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	errno = 0;
	long long value = strtoll(s, &end, 10);
	if (!took_only(s, end, PLAIN_WHOLE) || *end != '\0')
		return tp_fail(TP_ERR_INPUT, "%s: expected a whole number, found '%s'", what, s);
	if (errno == ERANGE || value < min || value > max)
		return tp_fail(TP_ERR_INPUT, "%s: expected %lld to %lld, found '%s'", what, (long long)min,
		               (long long)max, s);
	*out = value;
	return TP_OK;
}

enum tp_status tp_parse_f64(const char *what, const char *s, double min, double max, double *out)
{
	char *end;
	double value = strtod(s, &end);
	if (!took_only(s, end, PLAIN_NUMBER) || *end != '\0' || !isfinite(value))
		return tp_fail(TP_ERR_INPUT, "%s: expected a number, found '%s'", what, s);
	if (value < min || value > max)
		return tp_fail(TP_ERR_INPUT, "%s: expected %g to %g, found '%s'", what, min, max, s);
	*out = value;
	return TP_OK;
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit byte_units[] = {{"", 1},       {"B", 1},         {"kB", 1e3},         {"MB", 1e6}, {"GB", 1e9},
                                         {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit time_units[] = {{"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},
                                         {"min", 6e10}, {"h", 3.6e12}, {"d", 8.64e13}, {NULL, 0}};
static const struct unit rate_units[] = {{"bit", 1.0 / 8},   {"kbit", 1e3 / 8}, {"mbit", 1e6 / 8}, {"gbit", 1e9 / 8},
                                         {"tbit", 1e12 / 8}, {"B/s", 1},        {"kB/s", 1e3},     {"MB/s", 1e6},
                                         {"GB/s", 1e9},      {NULL, 0}};
static const struct unit flops_units[] = {{"mflops", 1e6}, {"gflops", 1e9}, {"tflops", 1e12}, {NULL, 0}};

/* A non-negative number, then one of `units`. */
static enum tp_status parse_with_unit(const char *what, const char *s, const struct unit *units, const char *example,
                                      double *out)
{
	char *end;
	double value = strtod(s, &end);
	if (took_only(s, end, PLAIN_NUMBER) && isfinite(value) && value >= 0) {
		for (const struct unit *unit = units; unit->name; unit++) {
			if (strcmp(end, unit->name) == 0 && value * unit->factor < 9e18) {
				*out = value * unit->factor;
				return TP_OK;
			}
		}
	}
	return tp_fail(TP_ERR_INPUT, "%s: expected a value with a unit such as %s, found '%s'", what, example, s);
}

enum tp_status tp_parse_bytes(const char *what, const char *s, int64_t *bytes)
{
	double value = 0;
	TP_TRY(parse_with_unit(what, s, byte_units, "64MiB or 1GB", &value));
	*bytes = (int64_t)(value + 0.5);
	return TP_OK;
}

enum tp_status tp_parse_duration(const char *what, const char *s, int64_t *ns)
{
	double value = 0;
	TP_TRY(parse_with_unit(what, s, time_units, "50us or 10s", &value));
	*ns = (int64_t)(value + 0.5);
	return TP_OK;
}

enum tp_status tp_parse_rate(const char *what, const char *s, double *bytes_per_s)
{
	return parse_with_unit(what, s, rate_units, "10gbit or 1.5GB/s", bytes_per_s);
}

enum tp_status tp_parse_flops(const char *what, const char *s, double *flops_per_s)
{
	TP_TRY(parse_with_unit(what, s, flops_units, "50gflops or 1tflops", flops_per_s));
	return *flops_per_s > 0 ? TP_OK : tp_fail(TP_ERR_INPUT, "%s: expected more than nothing, found '%s'", what, s);
}

char *tp_format_ns(char *out, size_t size, int64_t ns)
{
	static const struct unit shown[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
	size_t i = 0;
	while (i < 3 && fabs((double)ns) < shown[i].factor * 0.9995) /* else it would read 1000 */
		i++;
	double value = (double)ns / shown[i].factor;
	(void)snprintf(out, size, "%.*f %s", fabs(value) >= 100 ? 0 : fabs(value) >= 10 ? 1 : 2, value, shown[i].name);
	return out;
}

char *tp_format_bytes(char *out, size_t size, int64_t bytes)
{
	static const struct unit shown[] = {{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024}, {"B", 1}};
	size_t i = 0;
	while (i < 3 && fabs((double)bytes) < shown[i].factor * (1 - 0.05 / 1024)) /* else 1024.0 */
		i++;
	(void)snprintf(out, size, "%.*f %s", i == 3 ? 0 : 1, (double)bytes / shown[i].factor, shown[i].name);
	return out;
}

/* Levenshtein distance of two short names, with one row. */
#define NAME_MAX_CHARS 64
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_CHARS + 1];
	size_t columns = strlen(b);
	if (columns > NAME_MAX_CHARS)
		return SIZE_MAX;
	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < columns; j++) {
			size_t replaced = diagonal + (a[i] != b[j]);
			size_t inserted = row[j] + 1, removed = row[j + 1] + 1;
			diagonal = row[j + 1];
			size_t best = inserted < removed ? inserted : removed;
			row[j + 1] = replaced < best ? replaced : best;
		}
	}
	return row[columns];
}

const char *tp_nearest(const char *wrong, const char *const *names)
{
	const char *nearest = NULL;
	size_t limit = strlen(wrong) / 3;
	size_t best = (limit > 2 ? limit : 2) + 1;
	for (; *names; names++) {
		size_t distance = edit_distance(wrong, *names);
		if (distance < best) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}

enum tp_status tp_fail_unknown(const char *what, const char *wrong, const char *const *names)
{
	const char *nearest = tp_nearest(wrong, names);
	if (nearest)
		return tp_fail(TP_ERR_INPUT, "unknown %s '%s': did you mean '%s'?", what, wrong, nearest);
	char list[TP_DETAIL_BYTES] = "";
	size_t used = 0;
	for (size_t i = 0; names[i] && used < sizeof list; i++)
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
	return tp_fail(TP_ERR_INPUT, "unknown %s '%s': expected one of %s", what, wrong, list);
}
