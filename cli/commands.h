/* The subcommands: a table with one row each, one file each. */
#ifndef TP_CLI_COMMANDS_H
#define TP_CLI_COMMANDS_H

#include "engine/base/status.h"
#include "engine/config/options.h"

/* Most words behind the first. */
#define TP_MORE_WORDS 64

/* A parsed command line. */
struct tp_arguments {
	struct tp_options options;
	const char *word;                /* the first word that is no option; NULL: none */
	const char *more[TP_MORE_WORDS]; /* those behind it, of a command that takes more than one */
	int more_count;
	bool help, version;
};

struct tp_command {
	const char *name;
	const char *summary;
	const char *usage;       /* what follows the name */
	const char *description; /* paragraphs parted by newlines, for help and the man page; NULL: none */
	unsigned takes;          /* TP_FOR_*: which rows of the option table */
	bool takes_word;
	bool takes_more;         /* words behind the first */
	const char *word_option; /* the word is the value of this option; NULL: it is the command's own affair */
	/* Results to stdout. On failure a detail is set; main prints it. */
	enum tp_status (*run)(const struct tp_arguments *arguments);
};

/* All subcommands, ended by a row whose name is NULL. */
extern const struct tp_command tp_commands[];

/* The row called `name`; an unknown one is TP_ERR_INPUT with the nearest offered. */
enum tp_status tp_command_find(const char *name, const struct tp_command **command);

enum tp_status tp_command_compare(const struct tp_arguments *arguments);
enum tp_status tp_command_run(const struct tp_arguments *arguments);
enum tp_status tp_command_sweep(const struct tp_arguments *arguments);
enum tp_status tp_command_reproduce(const struct tp_arguments *arguments);
enum tp_status tp_command_simulate(const struct tp_arguments *arguments);
enum tp_status tp_command_verify(const struct tp_arguments *arguments);
enum tp_status tp_command_theory(const struct tp_arguments *arguments);
enum tp_status tp_command_trace(const struct tp_arguments *arguments);
enum tp_status tp_command_report(const struct tp_arguments *arguments);
enum tp_status tp_command_plan(const struct tp_arguments *arguments);
enum tp_status tp_command_claims(const struct tp_arguments *arguments);
enum tp_status tp_command_db(const struct tp_arguments *arguments);
enum tp_status tp_command_show(const struct tp_arguments *arguments);
enum tp_status tp_command_diff(const struct tp_arguments *arguments);
enum tp_status tp_command_models(const struct tp_arguments *arguments);
enum tp_status tp_command_doctor(const struct tp_arguments *arguments);
enum tp_status tp_command_help(const struct tp_arguments *arguments);

#endif
