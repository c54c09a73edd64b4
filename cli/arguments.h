/* From argv to a parsed command line, by the option table. GNU style: --name value, --name=value, `--` ends the
 * options, the last of a repeated option wins, options and words in any order. */
#ifndef TP_CLI_ARGUMENTS_H
#define TP_CLI_ARGUMENTS_H

#include "cli/commands.h"

/* Which command `argv` asks for, and the index of the first argument after its name. --compare anywhere asks for
 * compare; neither a command nor --compare, --help or --version is TP_ERR_INPUT. *command is NULL for a bare --help,
 * --version. */
enum tp_status tp_arguments_command(int argc, char **argv, const struct tp_command **command, int *first);

/* Parse argv[first ..] for `command` (NULL: only --help and --version are known). The word points into argv.
 * TP_ERR_INPUT names the argument and what was expected. Stops at --help and --version. */
enum tp_status tp_arguments_parse(const struct tp_command *command, int argc, char **argv, int first,
                                  struct tp_arguments *arguments);

#endif
