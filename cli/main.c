/* tpbench: parse, hand over to a subcommand, and turn its status into a message and an exit code. */
#include <errno.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/help.h"

static enum tp_status dispatch(int argc, char **argv)
{
	const struct tp_command *command;
	struct tp_arguments arguments;
	int first;
	TP_TRY(tp_arguments_command(argc, argv, &command, &first));
	TP_TRY(tp_arguments_parse(command, argc, argv, first, &arguments));
	if (arguments.version) {
		tp_help_version(stdout);
		return TP_OK;
	}
	if (arguments.help || !command) {
		tp_help_print(stdout, command);
		return TP_OK;
	}
	return command->run(&arguments);
}

int main(int argc, char **argv)
{
	enum tp_status status = dispatch(argc, argv);
	/* A full disk behind stdout shows up here at the latest. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == TP_OK)
		status = tp_fail(TP_ERR_IO, "standard output: %s", strerror(errno));
	if (status != TP_OK)
		fprintf(stderr, "tpbench: %s\n", tp_detail()[0] ? tp_detail() : tp_status_text(status));
	return tp_status_exit_code(status);
}
