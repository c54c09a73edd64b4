/* A link between neighbouring workers, one direction: what it carries in a second, and how long the first bit takes. */
#ifndef TP_ENGINE_CONFIG_LINK_H
#define TP_ENGINE_CONFIG_LINK_H

#include <stdint.h>

#include "engine/base/text.h"

struct tp_link {
	double bytes_per_s; /* 0: no limit */
	int64_t latency_ns;
};

/* "1gbit,50us", "100mbit" (no latency), "inf,50us". `what` names the option or field in errors: a rate or latency that
 * is negative, zero or nonsense is TP_ERR_INPUT. */
enum tp_status tp_link_parse(const char *what, const char *text, struct tp_link *link);
/* One of the two alone: "1gbit" or "inf"; "50us" or "0". */
enum tp_status tp_link_parse_bandwidth(const char *what, const char *text, struct tp_link *link);
enum tp_status tp_link_parse_latency(const char *what, const char *text, struct tp_link *link);

/* As tp_link_parse() reads it. */
void tp_link_text(const struct tp_link *link, struct tp_text *text);

/* How long `bytes` occupy the link, rounded up; at most a day. */
int64_t tp_link_transfer_ns(const struct tp_link *link, int64_t bytes);

#endif
