/* Text of a database made harmless for where it is written: names and notes may hold anything. What is not UTF-8
 * becomes U+FFFD everywhere. */
#ifndef TP_REPORTS_ESCAPE_H
#define TP_REPORTS_ESCAPE_H

#include <stdbool.h>

#include "engine/base/text.h"

/* Bytes of the UTF-8 character at `text`, which is not its end; 0 when it is none: cut short, overlong, a surrogate, or
 * beyond Unicode. */
size_t tp_utf8_bytes(const char *text);

/* Character data and attribute values in double quotes, of HTML and of SVG. Control characters but tab and newline,
 * which XML does not know, become U+FFFD. */
void tp_escape_html(struct tp_text *out, const char *text);

/* Running text and cells of LaTeX tables: nothing is a command, nothing ends a cell. Characters beyond ASCII stay as
 * they are (UTF-8 is LaTeX's own encoding); control characters become spaces. */
void tp_escape_latex(struct tp_text *out, const char *text);

/* A cell of CSV (RFC 4180), in quotes when it needs them. One that a spreadsheet would take for a formula begins with
 * an apostrophe. For text, not for numbers. */
void tp_escape_csv(struct tp_text *out, const char *text);

/* A cell of a Markdown table: no markup, no HTML, no new row. */
void tp_escape_markdown(struct tp_text *out, const char *text);

/* A terminal: control characters, which could move the cursor or worse, become \xNN. */
void tp_escape_terminal(struct tp_text *out, const char *text);

#endif
