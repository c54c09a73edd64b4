/* What jansson does not take as it comes. Internal to reports. */
#ifndef TP_REPORTS_JSON_TEXT_H
#define TP_REPORTS_JSON_TEXT_H

#include <jansson.h>

#include "engine/base/text.h"

/* A string; what is not UTF-8 becomes U+FFFD, since jansson refuses it. NULL when memory runs out. */
json_t *tp_json_text(const char *text);

/* A number, null when it is not finite. */
json_t *tp_json_number(double value);

/* Add the object, indented, and a newline; takes it over, also NULL, which is a lack of memory. */
enum tp_status tp_json_write(json_t *root, struct tp_text *out);

#endif
