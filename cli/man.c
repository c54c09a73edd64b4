/* tpbench(1), from the same tables as the help. */
#include <string.h>

#include "cli/help.h"

/* Text with what roff would take for its own made harmless; `code` is set in bold. */
static void print_text(FILE *out, const char *text)
{
	bool bold = false, line_start = true;
	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		line_start = *text == '\n';
		if (*text == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fR", out);
		} else if (*text == '\\') {
			fputs("\\e", out);
		} else if (*text == '-') {
			fputs("\\-", out);
		} else if (*text == '\'') {
			fputs("\\(aq", out);
		} else {
			fputc(*text, out);
		}
	}
}

/* A paragraph with a bold tag. */
static void print_tagged(FILE *out, const char *tag, const char *text)
{
	fputs(".TP\n\\fB", out);
	print_text(out, tag);
	fputs("\\fR\n", out);
	print_text(out, text);
	fputc('\n', out);
}

/* A row, with the commands that take it. */
static void print_option(FILE *out, const struct tp_option *option)
{
	struct tp_text tag = {0}, text = {0};
	tp_option_syntax(option, &tag);
	tp_text_add(&text, "%s ", option->help);
	tp_option_notes(option, &text);
	const char *separator = ". For ";
	for (const struct tp_command *command = tp_commands; command->name; command++) {
		if (option->commands & command->takes) {
			tp_text_add(&text, "%s`%s`", separator, command->name);
			separator = ", ";
		}
	}
	tp_text_add(&text, ".");
	print_tagged(out, tp_text_get(&tag), tp_text_get(&text));
	tp_text_release(&tag);
	tp_text_release(&text);
}

static void print_commands(FILE *out)
{
	fputs(".SH COMMANDS\n", out);
	for (const struct tp_command *command = tp_commands; command->name; command++) {
		struct tp_text tag = {0};
		tp_text_add(&tag, "%s %s", command->name, command->usage);
		print_tagged(out, tp_text_get(&tag), command->description ? command->description : command->summary);
		tp_text_release(&tag);
	}
}

static void print_options(FILE *out)
{
	fputs(".SH OPTIONS\n"
	      "Options are written \\fB\\-\\-name value\\fR or \\fB\\-\\-name=value\\fR; the last of a repeated option "
	      "wins.\n",
	      out);
	for (int group = 0; group < TP_OPTION_GROUPS; group++) {
		fputs(".SS ", out);
		print_text(out, tp_option_group_text(group));
		fputc('\n', out);
		for (const struct tp_option *option = tp_option_table; option->name; option++) {
			if ((int)option->group == group)
				print_option(out, option);
		}
	}
	fputs(".SS Other\n", out);
	print_tagged(out, "--help", "print help on the command and exit");
	print_tagged(out, "--version", "print the version and exit");
}

static void print_listings(FILE *out)
{
	for (int listing = 0; listing < TP_LISTINGS; listing++) {
		struct tp_listing_row row;
		fprintf(out, ".SH %s\n", tp_listing_title(listing));
		for (size_t i = 0; tp_listing_row(listing, i, &row); i++)
			print_tagged(out, row.name, row.summary);
	}
}

void tp_man_print(FILE *out)
{
	fprintf(out, ".TH TPBENCH 1 \"\" \"tpbench %s\" \"User Commands\"\n", TPBENCH_VERSION);
	fputs(".SH NAME\n"
	      "tpbench \\- measure what a schedule of pipeline\\-parallel training really costs\n"
	      ".SH SYNOPSIS\n"
	      ".B tpbench \\-\\-compare\n[\\fISCHEDULE\\fR,..] [\\fIOPTION\\fR]...\n.br\n"
	      ".B tpbench\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
	      ".SH DESCRIPTION\n"
	      "Trains a network with its layers spread over the stages of a pipeline, one worker each, under one or "
	      "more\n"
	      "schedules, with the weight versions that each schedule prescribes. Every operation is recorded in an "
	      "SQLite\n"
	      "database; tables show time, idle time and its causes, memory by kind, staleness and learning.\n",
	      out);
	print_commands(out);
	print_options(out);
	print_listings(out);
	fputs(".SH EXIT STATUS\n", out);
	print_tagged(out, "0", "done");
	print_tagged(out, "1", "a run failed or was interrupted; what it recorded is kept");
	print_tagged(out, "2", "wrong usage or input; nothing was trained");
	fputs(".SH FILES\n", out);
	print_tagged(out, "tpbench.db", "the database, in the current folder unless `--db` says otherwise");
	fputs(".SH ENVIRONMENT\n", out);
	print_tagged(out, "NO_COLOR", "when set and not empty, no colours");
	print_tagged(out, "XDG_CACHE_HOME", "folder below which choices of convolution algorithms are kept");
	fputs(".SH EXAMPLES\n"
	      ".nf\n"
	      "tpbench \\-\\-compare\n"
	      "tpbench \\-\\-compare gpipe,timeprest \\-\\-model vgg11 \\-\\-epochs 2 \\-\\-repeats 3\n"
	      "tpbench run timeprest \\-\\-dataset cifar100 \\-\\-data\\-dir cifar\\-100\\-binary \\-\\-save\\-weights "
	      "out.safetensors\n"
	      "tpbench simulate timeprest \\-\\-stages 3 \\-\\-micro\\-batches 2 \\-\\-mini\\-batches 7 \\-\\-format "
	      "grid\n"
	      ".fi\n",
	      out);
}
