#include "cli/help.h"

#include <string.h>

#define LINE_COLUMNS 100
#define HELP_COLUMN 28

/* `text`, wrapped, the cursor being at `column`; further lines start at `indent`. */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
	while (*text) {
		int length = (int)strcspn(text, " ");
		if (column > indent && column + 1 + length > LINE_COLUMNS) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* "  left            right, wrapped" */
static void print_entry(FILE *out, const char *left, const char *right)
{
	int width = fprintf(out, "  %s", left);
	if (width + 2 > HELP_COLUMN) {
		fputc('\n', out);
		width = 0;
	}
	fprintf(out, "%*s", HELP_COLUMN - width, "");
	print_wrapped(out, right, HELP_COLUMN, HELP_COLUMN);
}

void tp_option_syntax(const struct tp_option *option, struct tp_text *text)
{
	tp_text_add(text, "--%s", option->name);
	if (option->metavar) {
		tp_text_add(text, " %s", option->metavar);
	} else if (option->type != TP_OPTION_FLAG) {
		tp_text_add(text, " ");
		tp_option_range(option, text);
	}
}

void tp_option_notes(const struct tp_option *option, struct tp_text *text)
{
	if (option->type == TP_OPTION_FLAG)
		return;
	tp_text_add(text, "[%s", option->default_note ? option->default_note : option->default_text);
	if (option->type == TP_OPTION_INT || option->type == TP_OPTION_REAL || option->type == TP_OPTION_DURATION ||
	    option->type == TP_OPTION_BYTES) {
		tp_text_add(text, "; ");
		tp_option_range(option, text);
	}
	tp_text_add(text, "]");
}

static void print_option(FILE *out, const struct tp_option *option)
{
	struct tp_text left = {0}, right = {0};
	tp_option_syntax(option, &left);
	tp_text_add(&right, "%s ", option->help);
	tp_option_notes(option, &right);
	print_entry(out, tp_text_get(&left), tp_text_get(&right));
	tp_text_release(&left);
	tp_text_release(&right);
}

static void print_options(FILE *out, const struct tp_command *command)
{
	for (int group = 0; group < TP_OPTION_GROUPS; group++) {
		bool titled = false;
		for (const struct tp_option *option = tp_option_table; option->name; option++) {
			if ((int)option->group != group || !(option->commands & command->takes))
				continue;
			if (!titled)
				fprintf(out, "\n%s:\n", tp_option_group_text(option->group));
			titled = true;
			print_option(out, option);
		}
	}
	fprintf(out, "\nOther:\n");
	print_entry(out, "--help", "print this and exit");
	print_entry(out, "--version", "print the version and exit");
}

static void print_listing(FILE *out, enum tp_listing listing)
{
	struct tp_listing_row row;
	fprintf(out, "%s:\n", tp_listing_title(listing));
	for (size_t i = 0; tp_listing_row(listing, i, &row); i++)
		print_entry(out, row.name, row.summary);
}

static void print_overview(FILE *out)
{
	fprintf(out,
	        "Usage: tpbench --compare [SCHEDULE,..] [OPTION]...\n"
	        "       tpbench COMMAND [OPTION]...\n"
	        "\n"
	        "Measures what a schedule of pipeline-parallel training really costs, in time, memory and learning.\n"
	        "\n"
	        "Commands:\n");
	for (const struct tp_command *command = tp_commands; command->name; command++)
		print_entry(out, command->name, command->summary);
	fprintf(out, "\n`tpbench COMMAND --help` lists a command's options, `tpbench help man | man -l -` shows the "
	             "manual.\n"
	             "Exit status: 0 done, 1 a run failed or was interrupted, 2 wrong usage or input.\n");
}

void tp_help_print(FILE *out, const struct tp_command *command)
{
	if (!command) {
		print_overview(out);
		return;
	}
	fprintf(out, "Usage: tpbench %s%s%s\n", command->name, command->usage[0] ? " " : "", command->usage);
	if (strcmp(command->name, "compare") == 0)
		fprintf(out, "       tpbench --compare [SCHEDULE,..] [OPTION]...\n");
	fputc('\n', out);
	print_wrapped(out, command->description ? command->description : command->summary, 0, 0);
	print_options(out, command);
	for (int listing = 0; listing < TP_LISTINGS; listing++) {
		if (tp_listing_concerns(listing, command->takes)) {
			fputc('\n', out);
			print_listing(out, listing);
		}
	}
}

void tp_help_version(FILE *out)
{
	fprintf(out, "tpbench %s\n", TPBENCH_VERSION);
}

enum tp_status tp_command_help(const struct tp_arguments *arguments)
{
	const struct tp_command *command = NULL;
	const char *topic = arguments->word;
	if (topic && strcmp(topic, "man") == 0) {
		tp_man_print(stdout);
		return TP_OK;
	}
	for (int listing = 0; topic && listing < TP_LISTINGS; listing++) {
		const char *listed = tp_listing_topic(listing);
		if (listed && strcmp(topic, listed) == 0) {
			print_listing(stdout, listing);
			return TP_OK;
		}
	}
	if (topic)
		TP_TRY(tp_command_find(topic, &command));
	tp_help_print(stdout, command);
	return TP_OK;
}
