/* Colour on a terminal: it repeats what a word beside it says, and never says it alone. */
#ifndef TP_ENGINE_BASE_COLOUR_H
#define TP_ENGINE_BASE_COLOUR_H

#include "engine/base/text.h"

enum tp_colour { TP_COLOUR_NONE, TP_COLOUR_GOOD, TP_COLOUR_BAD, TP_COLOUR_WARNING, TP_COLOUR_FAINT };

/* Is `file` a terminal that knows colours, and NO_COLOR unset or empty (no-color.org)? */
bool tp_colour_wanted(int file);

/* Add `word`, on the left of at least `width` columns, in its colour when `coloured`. */
void tp_colour_add(struct tp_text *text, bool coloured, enum tp_colour colour, int width, const char *word);

#endif
