#include "reports/escape.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

size_t tp_utf8_bytes(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	if (at[0] < 0x80)
		return 1;
	size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < bytes; i++) {
		if (at[i] < (i == 1 ? low : 0x80) || at[i] > (i == 1 ? high : 0xbf))
			return 0;
	}
	return bytes;
}

/* What an ASCII character becomes; NULL: it stays. */
typedef const char *replace_ascii(char c);

static void escape(struct tp_text *out, const char *text, replace_ascii *replace)
{
	while (*text) {
		size_t bytes = tp_utf8_bytes(text);
		const char *other = bytes == 1 ? replace(*text) : NULL;
		if (bytes == 0)
			tp_text_add(out, REPLACEMENT);
		else if (other)
			tp_text_add(out, "%s", other);
		else
			tp_text_add(out, "%.*s", (int)bytes, text);
		text += bytes ? bytes : 1;
	}
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static const char *in_html(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\n':
		return NULL;
	default:
		return is_control(c) ? REPLACEMENT : NULL;
	}
}

void tp_escape_html(struct tp_text *out, const char *text)
{
	escape(out, text, in_html);
}

static const char *in_latex(char c)
{
	switch (c) {
	case '\\':
		return "\\textbackslash{}";
	case '~':
		return "\\textasciitilde{}";
	case '^':
		return "\\textasciicircum{}";
	case '<':
		return "\\textless{}";
	case '>':
		return "\\textgreater{}";
	case '|':
		return "\\textbar{}";
	case '"':
		return "\\textquotedbl{}";
	case '{':
		return "\\{";
	case '}':
		return "\\}";
	case '$':
		return "\\$";
	case '&':
		return "\\&";
	case '#':
		return "\\#";
	case '_':
		return "\\_";
	case '%':
		return "\\%";
	default:
		return is_control(c) ? " " : NULL;
	}
}

void tp_escape_latex(struct tp_text *out, const char *text)
{
	escape(out, text, in_latex);
}

static const char *in_csv(char c)
{
	return c == '"' ? "\"\"" : NULL;
}

void tp_escape_csv(struct tp_text *out, const char *text)
{
	bool formula = text[0] && strchr("=+-@\t\r", text[0]);
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;
	tp_text_add(out, "%s%s", quoted ? "\"" : "", formula ? "'" : "");
	escape(out, text, in_csv);
	tp_text_add(out, "%s", quoted ? "\"" : "");
}

static const char *in_markdown(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\\':
		return "\\\\";
	case '|':
		return "\\|";
	case '`':
		return "\\`";
	case '*':
		return "\\*";
	case '_':
		return "\\_";
	case '[':
		return "\\[";
	case ']':
		return "\\]";
	case '~':
		return "\\~";
	case '$':
		return "\\$";
	default:
		return is_control(c) ? " " : NULL;
	}
}

void tp_escape_markdown(struct tp_text *out, const char *text)
{
	escape(out, text, in_markdown);
}

void tp_escape_terminal(struct tp_text *out, const char *text)
{
	while (*text) {
		size_t bytes = tp_utf8_bytes(text);
		/* Controls of ISO 8859-1, which some terminals obey, are C2 80 to C2 9F. */
		bool control = bytes == 1
		                       ? is_control(*text)
		                       : bytes == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
		if (bytes == 0)
			tp_text_add(out, REPLACEMENT);
		else if (!control)
			tp_text_add(out, "%.*s", (int)bytes, text);
		for (size_t i = 0; control && i < bytes; i++)
			tp_text_add(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
		text += bytes ? bytes : 1;
	}
}
