#include "tests/parity/oracle_play.h"

#include <stdio.h>

/* A, B, .. Z, AA, AB, .. in text; returns its end. */
static char *letters(char *text, int micro, bool lower)
{
	if (micro >= 26)
		text = letters(text, micro / 26 - 1, lower);
	*text++ = (char)((lower ? 'a' : 'A') + micro % 26);
	return text;
}

char *oracle_draw(const struct oracle_op *ops, size_t count, int stages, int slots)
{
	enum { TOKEN = 32 }; /* more than the longest token and a space */
	char *text = oracle_array((size_t)stages * (size_t)slots * TOKEN + 1, 1);
	char *end = text;

	for (int s = 0; s < stages; s++)
		for (int t = 0; t < slots; t++) {
			const struct oracle_op *op = NULL;

			for (size_t k = 0; k < count; k++)
				if (ops[k].stage == s && ops[k].slot == t)
					op = &ops[k];
			if (op == NULL) {
				*end++ = '.';
			} else {
				end += sprintf(end, "%d", op->mini);
				if (!op->backward || op->micro >= 0)
					end = letters(end, op->micro < 0 ? 0 : op->micro, op->backward);
				if (op->part == ORACLE_WEIGHT)
					*end++ = '\'';
			}
			*end++ = t + 1 < slots ? ' ' : '\n';
		}
	*end = '\0';
	return text;
}
