/* Help, version and man page, written from the tables: commands, options, schedules, models, data sets, devices. */
#ifndef TP_CLI_HELP_H
#define TP_CLI_HELP_H

#include <stdio.h>

#include "cli/commands.h"

/* `command` NULL: the overview. */
void tp_help_print(FILE *out, const struct tp_command *command);
void tp_help_version(FILE *out);

/* The man page tpbench(1), roff with the man macros. */
void tp_man_print(FILE *out);

/* An option as it is written ("--stages W"), and what help says after its sentence: "[default; range]". */
void tp_option_syntax(const struct tp_option *option, struct tp_text *text);
void tp_option_notes(const struct tp_option *option, struct tp_text *text);

/* One line of a listing: a name of one of the tables, and what it is. */
struct tp_listing_row {
	const char *name, *summary;
};

/* The tables of names an option may take, as listings. Row `index` of listing `listing`; false past the end. */
enum tp_listing { TP_LIST_SCHEDULES, TP_LIST_MODELS, TP_LIST_DATASETS, TP_LIST_DEVICES, TP_LISTINGS };
const char *tp_listing_title(enum tp_listing listing);
const char *tp_listing_topic(enum tp_listing listing); /* `tpbench help TOPIC`; NULL: none */
bool tp_listing_row(enum tp_listing listing, size_t index, struct tp_listing_row *row);
/* Is the listing of use to one who reads about a command that takes `commands` (TP_FOR_*)? */
bool tp_listing_concerns(enum tp_listing listing, unsigned commands);

#endif
