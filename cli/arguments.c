#include "cli/arguments.h"

#include <string.h>

/* Most names an option can be misspelt from: those of a command, and the three that are always there. */
#define NAMES_MAX 96

static bool is_compare_option(const char *argument)
{
	return strcmp(argument, "--compare") == 0 || strncmp(argument, "--compare=", 10) == 0;
}

enum tp_status tp_arguments_command(int argc, char **argv, const struct tp_command **command, int *first)
{
	*command = NULL;
	*first = 1;
	if (argc < 2)
		return tp_fail(
		        TP_ERR_INPUT,
		        "no command: `tpbench --compare` runs a comparison, `tpbench --help` says what else there is");
	if (argv[1][0] != '-') {
		*first = 2;
		return tp_command_find(argv[1], command);
	}
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (is_compare_option(argv[i]))
			return tp_command_find("compare", command);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--version") == 0)
		return TP_OK;
	if (argv[1][1] == '-' && argv[1][2] != '\0') {
		static const char *const names[] = {"compare", "help", "version", NULL};
		const char *nearest = tp_nearest(argv[1] + 2, names);
		if (nearest)
			return tp_fail(TP_ERR_INPUT, "%s: unknown option; did you mean --%s?", argv[1], nearest);
	}
	return tp_fail(TP_ERR_INPUT, "%s: expected a command or --compare first; `tpbench --help` lists them", argv[1]);
}

/* No such option of this command: say what may have been meant. */
static enum tp_status unknown_option(const struct tp_command *command, const char *name)
{
	const char *names[NAMES_MAX] = {"help", "version"};
	size_t count = 2;
	if (strcmp(command->name, "compare") == 0)
		names[count++] = "compare";
	for (const struct tp_option *option = tp_option_table; option->name && count + 1 < NAMES_MAX; option++) {
		if (option->commands & command->takes)
			names[count++] = option->name;
	}
	names[count] = NULL;
	if (tp_option_find(name, 0)) {
		struct tp_text takers = {0};
		for (const struct tp_command *other = tp_commands; other->name; other++) {
			if (other->takes && tp_option_find(name, other->takes))
				tp_text_add(&takers, "%s%s", takers.length ? ", " : "", other->name);
		}
		enum tp_status status = tp_fail(TP_ERR_INPUT, "--%s: not an option of %s, but of: %s", name,
		                                command->name, tp_text_get(&takers));
		tp_text_release(&takers);
		return status;
	}
	const char *nearest = tp_nearest(name, names);
	if (nearest)
		return tp_fail(TP_ERR_INPUT, "--%s: unknown option of %s; did you mean --%s?", name, command->name,
		               nearest);
	return tp_fail(TP_ERR_INPUT, "--%s: unknown option of %s; `tpbench %s --help` lists them", name, command->name,
	               command->name);
}

/* What is left of argv. */
struct cursor {
	int argc;
	char **argv;
	int next;
};

static enum tp_status take_word(const struct tp_command *command, const char *word, struct tp_arguments *arguments)
{
	if (command->takes_more && arguments->word && arguments->more_count < TP_MORE_WORDS) {
		arguments->more[arguments->more_count++] = word;
		return TP_OK;
	}
	if (!command->takes_word || arguments->word)
		return tp_fail(TP_ERR_INPUT, "%s: unexpected word; %s takes %s", word, command->name,
		               command->takes_word ? "one, a list has commas" : "none");
	arguments->word = word;
	if (!command->word_option)
		return TP_OK;
	return tp_option_set(tp_option_find(command->word_option, command->takes), word, &arguments->options);
}

/* --compare [LIST] of the compare command: the next argument is the list unless it begins with a dash. */
static enum tp_status take_compare(const struct tp_command *command, const char *value, struct cursor *cursor,
                                   struct tp_arguments *arguments)
{
	if (!value && cursor->next < cursor->argc && cursor->argv[cursor->next][0] != '-')
		value = cursor->argv[cursor->next++];
	return value ? take_word(command, value, arguments) : TP_OK;
}

static enum tp_status take_option(const struct tp_command *command, const char *argument, struct cursor *cursor,
                                  struct tp_arguments *arguments)
{
	char name[TP_CONFIG_NAME_BYTES];
	const char *equals = strchr(argument, '=');
	size_t length = equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2;
	if (length >= sizeof name)
		return tp_fail(TP_ERR_INPUT, "%.20s..: unknown option", argument);
	memcpy(name, argument + 2, length);
	name[length] = '\0';
	const char *value = equals ? equals + 1 : NULL;

	if (strcmp(name, "help") == 0 || strcmp(name, "version") == 0) {
		if (value)
			return tp_fail(TP_ERR_INPUT, "--%s: takes no value, found '%s'", name, value);
		*(name[0] == 'h' ? &arguments->help : &arguments->version) = true;
		return TP_OK;
	}
	if (strcmp(name, "compare") == 0 && strcmp(command->name, "compare") == 0)
		return take_compare(command, value, cursor, arguments);
	const struct tp_option *option = tp_option_find(name, command->takes);
	if (!option || !(option->commands & command->takes))
		return unknown_option(command, name);
	if (!value && option->type == TP_OPTION_FLAG)
		value = "on";
	if (!value && cursor->next < cursor->argc)
		value = cursor->argv[cursor->next++];
	if (!value)
		return tp_fail(TP_ERR_INPUT, "--%s: expected a value, found the end of the command line", name);
	arguments->options.stages_given |= strcmp(name, "stages") == 0;
	return tp_option_set(option, value, &arguments->options);
}

enum tp_status tp_arguments_parse(const struct tp_command *command, int argc, char **argv, int first,
                                  struct tp_arguments *arguments)
{
	static const struct tp_command none = {.name = "tpbench"};
	if (!command)
		command = &none;
	memset(arguments, 0, sizeof *arguments);
	tp_options_defaults(&arguments->options, command->takes);
	struct cursor cursor = {argc, argv, first};
	bool options_ended = false;
	while (cursor.next < argc && !arguments->help && !arguments->version) {
		const char *argument = argv[cursor.next++];
		if (options_ended || argument[0] != '-' || argument[1] == '\0') {
			TP_TRY(take_word(command, argument, arguments));
		} else if (strcmp(argument, "--") == 0) {
			options_ended = true;
		} else if (strcmp(argument, "-h") == 0) {
			arguments->help = true;
		} else if (argument[1] != '-') {
			return tp_fail(TP_ERR_INPUT, "%s: unknown option; options have two dashes", argument);
		} else {
			TP_TRY(take_option(command, argument, &cursor, arguments));
		}
	}
	return arguments->help || arguments->version ? TP_OK : tp_options_resolve(&arguments->options);
}
