/* tpbench db: what there is to do with a database beside reading and filling it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "results/schema_document.h"

static enum tp_status print_schema(const struct tp_arguments *arguments)
{
	(void)arguments;
	struct tp_text text = {0};
	enum tp_status status = tp_schema_document(&text);
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status;
}

static const struct {
	const char *name;
	enum tp_status (*run)(const struct tp_arguments *arguments);
} actions[] = {
        {"schema", print_schema},
};
#define ACTIONS (sizeof actions / sizeof *actions)

enum tp_status tp_command_db(const struct tp_arguments *arguments)
{
	const char *names[ACTIONS + 1] = {NULL};
	for (size_t i = 0; i < ACTIONS; i++) {
		names[i] = actions[i].name;
		if (arguments->word && strcmp(arguments->word, names[i]) == 0)
			return actions[i].run(arguments);
	}
	return arguments->word ? tp_fail_unknown("action of db", arguments->word, names)
	                       : tp_fail(TP_ERR_INPUT, "db: expected what to do; `tpbench db --help` lists it");
}
