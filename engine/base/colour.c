#include "engine/base/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SGR parameters that every palette sets apart from its ground. */
static const char *const codes[] = {
        [TP_COLOUR_GOOD] = "32", [TP_COLOUR_BAD] = "31;1", [TP_COLOUR_WARNING] = "33", [TP_COLOUR_FAINT] = "2"};

bool tp_colour_wanted(int file)
{
	const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
	return !(refused && refused[0]) && terminal && strcmp(terminal, "dumb") != 0 && isatty(file);
}

void tp_colour_add(struct tp_text *text, bool coloured, enum tp_colour colour, int width, const char *word)
{
	int length = (int)strlen(word);
	bool shown = coloured && colour != TP_COLOUR_NONE;
	if (shown)
		tp_text_add(text, "\033[%sm%s\033[0m", codes[colour], word);
	else
		tp_text_add(text, "%s", word);
	tp_text_add(text, "%*s", length < width ? width - length : 0, "");
}
