#include "engine/config/link.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"

/* Longer is a mistake, not a link. */
#define LATENCY_MAX_NS (60 * TP_NS_PER_S)
#define TRANSFER_MAX_NS (86400 * TP_NS_PER_S)

enum tp_status tp_link_parse_bandwidth(const char *what, const char *text, struct tp_link *link)
{
	link->bytes_per_s = 0;
	if (strcmp(text, "inf") == 0)
		return TP_OK;
	TP_TRY(tp_parse_rate(what, text, &link->bytes_per_s));
	if (link->bytes_per_s < 1)
		return tp_fail(TP_ERR_INPUT, "%s: expected a bandwidth of at least 1 B/s, or inf, found '%s'", what,
		               text);
	return TP_OK;
}

enum tp_status tp_link_parse_latency(const char *what, const char *text, struct tp_link *link)
{
	link->latency_ns = 0;
	if (strcmp(text, "0") == 0) /* needs no unit */
		return TP_OK;
	TP_TRY(tp_parse_duration(what, text, &link->latency_ns));
	if (link->latency_ns < 0 || link->latency_ns > LATENCY_MAX_NS)
		return tp_fail(TP_ERR_INPUT, "%s: expected a latency of 0 to 60s, found '%s'", what, text);
	return TP_OK;
}

enum tp_status tp_link_parse(const char *what, const char *text, struct tp_link *link)
{
	char bandwidth[64];
	size_t length = strcspn(text, ",");
	*link = (struct tp_link){0};
	if (length == 0 || length >= sizeof bandwidth)
		return tp_fail(TP_ERR_INPUT, "%s: expected a bandwidth and a latency, like 1gbit,50us, found '%s'",
		               what, text);
	memcpy(bandwidth, text, length);
	bandwidth[length] = '\0';
	TP_TRY(tp_link_parse_bandwidth(what, bandwidth, link));
	return text[length] == ',' ? tp_link_parse_latency(what, text + length + 1, link) : TP_OK;
}

/* In the largest unit of which it is one or more, with the fewest digits that read back as the same rate. */
static void add_bandwidth(struct tp_text *text, double bytes_per_s)
{
	static const struct {
		const char *name;
		double bytes_per_s;
	} units[] = {{"tbit", 125e9}, {"gbit", 125e6}, {"mbit", 125e3}, {"kbit", 125}, {"bit", 0.125}, {"B/s", 1}};
	enum { UNITS = sizeof units / sizeof *units };
	size_t unit = 0;
	while (unit < UNITS - 2 && bytes_per_s < units[unit].bytes_per_s)
		unit++;
	char number[40];
	for (;;) {
		for (int digits = 3; digits <= 17; digits++) { /* with less, 100 were 1e+02 */
			(void)snprintf(number, sizeof number, "%.*g", digits, bytes_per_s / units[unit].bytes_per_s);
			if (strtod(number, NULL) * units[unit].bytes_per_s == bytes_per_s) {
				tp_text_add(text, "%s%s", number, units[unit].name);
				return;
			}
		}
		unit = UNITS - 1; /* no number of that unit gives exactly this rate */
	}
}

void tp_link_text(const struct tp_link *link, struct tp_text *text)
{
	if (link->bytes_per_s == 0)
		tp_text_add(text, "inf");
	else
		add_bandwidth(text, link->bytes_per_s);
	if (link->latency_ns % 1000 == 0)
		tp_text_add(text, ",%lldus", (long long)(link->latency_ns / 1000));
	else
		tp_text_add(text, ",%lldns", (long long)link->latency_ns);
}

int64_t tp_link_transfer_ns(const struct tp_link *link, int64_t bytes)
{
	if (link->bytes_per_s == 0 || bytes == 0)
		return 0;
	/* in this order, so that what is a whole number of nanoseconds is not one more */
	double ns = ceil((double)bytes * 1e9 / link->bytes_per_s);
	return ns < (double)TRANSFER_MAX_NS ? (int64_t)ns : TRANSFER_MAX_NS;
}
