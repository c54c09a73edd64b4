#include "cli/commands.h"

#include <string.h>

const struct tp_command tp_commands[] = {
        {.name = "compare",
         .summary = "train under several schedules, side by side, and compare them",
         .usage = "[OPTION]... [SCHEDULE,..]",
         .description = "Trains the same network from the same weights on the same samples under each schedule, stores "
                        "every run in the database and prints the comparison. Repeats are interleaved over the "
                        "schedules. `tpbench --compare [SCHEDULE,..]` is the same.",
         .takes = TP_FOR_COMPARE,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_compare},
        {.name = "run",
         .summary = "train under one schedule",
         .usage = "[OPTION]... [SCHEDULE]",
         .description = "Trains under one schedule, stores the run in the database and prints what it measured.",
         .takes = TP_FOR_RUN,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_run},
        {.name = "simulate",
         .summary = "lay a schedule out on ideal slots, without arithmetic",
         .usage = "[OPTION]... [SCHEDULE]",
         .description =
                 "Every forward and backward takes one slot, messages take none. The grid has one line per stage and "
                 "one token per slot: `.` idle, `1A` forward of micro-batch A of mini-batch 1, `1` backward of the "
                 "whole mini-batch, `1a` backward of one micro-batch.",
         .takes = TP_FOR_SIMULATE,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_simulate},
        {.name = "models",
         .summary = "list the models: blocks, parameters, operations",
         .usage = "",
         .run = tp_command_models},
        {.name = "doctor",
         .summary = "say what this machine offers: devices, libraries, versions, and why not",
         .usage = "",
         .run = tp_command_doctor},
        {.name = "help",
         .summary = "explain a command or list names; `tpbench help man` prints the man page",
         .usage = "[COMMAND|schedules|datasets|devices|man]",
         .takes_word = true,
         .run = tp_command_help},
        {.name = NULL},
};

#define COMMANDS (sizeof tp_commands / sizeof *tp_commands)

enum tp_status tp_command_find(const char *name, const struct tp_command **command)
{
	const char *names[COMMANDS] = {NULL};
	for (size_t i = 0; tp_commands[i].name; i++) {
		names[i] = tp_commands[i].name;
		if (strcmp(name, tp_commands[i].name) == 0) {
			*command = &tp_commands[i];
			return TP_OK;
		}
	}
	return tp_fail_unknown("command", name, names);
}
