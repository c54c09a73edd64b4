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
        {.name = "sweep",
         .summary = "train every combination of lists and ranges of options; resumes where it was cut off",
         .usage = "[OPTION]... [SCHEDULE,..]",
         .description =
                 "--schedule, --stages, --micro-batches, --batch, --link, --cluster and --seed take lists; integers "
                 "also ranges, `2..8` or `2..8:2`; links, which hold commas, are parted by `+`. Every combination is a "
                 "point; repeats are interleaved over the points. A point that is refused or fails is stored as a "
                 "failed run and does not stop the rest. The same command on the same database goes on where it was "
                 "cut off: a finished run is not trained again. Exit 1 when points failed.",
         .takes = TP_FOR_SWEEP,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_sweep},
        {.name = "reproduce",
         .summary = "run what the claims and figures of the TiMePReSt paper need, in one go",
         .usage = "[OPTION]... --out FOLDER",
         .description =
                 "Plans sweeps for all of the paper's claims and figures, trains them under the virtual clock on the "
                 "paper's clusters, and two stages under the real clock where two cores are free. --quick (the "
                 "default) ends within ten minutes on two cores; --full trains longer and takes days. What is scaled "
                 "down is noted with the runs and in FOLDER/README-PLAN.md. The same command goes on where it was cut "
                 "off; --dry-run prints the plan and trains nothing. CIFAR-100 is taken from --data-dir, "
                 "$TPBENCH_DATA/cifar-100-binary or ./cifar-100-binary; without it the data are synthetic.",
         .takes = TP_FOR_REPRODUCE,
         .run = tp_command_reproduce},
        {.name = "plan",
         .summary = "dry run: stages, memory, rings, predicted time, what would be refused; trains nothing",
         .usage = "[OPTION]... [SCHEDULE]",
         .description = "Plans the run that the same options would train, and says what it found: the layers of each "
                        "stage, its memory by kind, versions and rings, what the links carry, and how long an epoch "
                        "would take with --costs. What a run would refuse is refused here, with exit 2.",
         .takes = TP_FOR_PLAN,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_plan},
        {.name = "simulate",
         .summary = "lay a schedule out without arithmetic, on ideal slots or with costs and links",
         .usage = "[OPTION]... [SCHEDULE]",
         .description =
                 "Without --costs, --link and --cluster every forward and backward takes one slot and messages take "
                 "none. The grid has one line per stage and one token per slot: `.` idle, `1A` forward of micro-batch "
                 "A "
                 "of mini-batch 1, `1` backward of the whole mini-batch, `1a` backward of one micro-batch, `1a'` its "
                 "weight part.",
         .takes = TP_FOR_SIMULATE,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_simulate},
        {.name = "verify",
         .summary = "check that a schedule is sound: complete, without deadlock, its versions there when read",
         .usage = "[OPTION]... [SCHEDULE]",
         .description =
                 "Lays a schedule out, or reads one from a file, and replays its lists by rules of its own: every "
                 "operation is there once and gets what it needs, messages come in order, no stage holds more than it "
                 "may, every weight version exists when it is read. Says how long the rings between neighbours must be "
                 "so that no stage waits for a place, and whether the schedule would run without any (rendezvous).\n"
                 "--file reads PyTorch's pipelining CSV: a row for each rank, cells such as `0F3`, `1SEND_F3`, `0B0`, "
                 "`0I0`, `0W0`, `(0F1;1B0)OVERLAP_F_B`.\n"
                 "Exit status 2 when the schedule is at fault: the first fault is shown with what stands around it.",
         .takes = TP_FOR_VERIFY,
         .takes_word = true,
         .word_option = "schedule",
         .run = tp_command_verify},
        {.name = "theory",
         .summary = "predicted against simulated version difference of nF1B, over ranges",
         .usage = "[OPTION]...",
         .description =
                 "For every number of stages W and micro-batches N: the paper's Eq. 3 floor((W+N-2)/N), the exact "
                 "value "
                 "on ideal slots ceil(W/(N+1)), the largest difference that the simulator finds, and the chains of "
                 "updates. With --costs or --link also the difference under those in dynamic order, its mean, and the "
                 "estimate of the mean (W b + (W-1) c) / P.",
         .takes = TP_FOR_THEORY,
         .run = tp_command_theory},
        {.name = "report",
         .summary = "summarize stored runs: a page, or tables as text, Markdown, CSV, JSON, LaTeX, HTML",
         .usage = "[OPTION]...",
         .description = "Runs with the same settings but for the seed are samples of one row. --out writes a page that "
                        "needs no network, index.html, with summary.md, summary.csv, summary.tex and summary.json "
                        "beside it; each file is replaced when all are complete. Without --out the summary is printed "
                        "in one --format. Numbers come from the figures stored with each epoch.",
         .takes = TP_FOR_REPORT,
         .run = tp_command_report},
        {.name = "trace",
         .summary = "write a stored run as a timeline for Perfetto, Chrome or Nsight Systems",
         .usage = "[OPTION]...",
         .description = "Operations, messages, waits and kernels as slices, an arrow from each send to where it was "
                        "received, and counters of memory, mini-batches in flight and version lag. A run without "
                        "records of operations is refused. An existing file is replaced when the new one is complete.",
         .takes = TP_FOR_TRACE,
         .run = tp_command_trace},
        {.name = "show",
         .summary = "list the stored runs, or show everything about one",
         .usage = "[OPTION]... [RUN]",
         .description =
                 "Without RUN a line for each run, the latest first. With RUN, its number: what was asked for, how "
                 "it ended, checks, stages, epochs, figures, memory, and what it ran on.",
         .takes = TP_FOR_SHOW,
         .takes_word = true,
         .word_option = "run",
         .run = tp_command_show},
        {.name = "diff",
         .summary = "compare two databases, experiment by experiment; exit 1 when the second is worse",
         .usage = "[OPTION]... A.db B.db",
         .description =
                 "Runs with the same settings, whatever their seeds, are samples of one experiment. Of each that is in "
                 "both files: the change of every figure from A to B with its confidence interval, and whether it is "
                 "the same, better, worse or unclear. Exit 1 when something is worse by more than --threshold, 2 when "
                 "nothing can be compared.",
         .takes = TP_FOR_DIFF,
         .takes_word = true,
         .takes_more = true,
         .run = tp_command_diff},
        {.name = "claims",
         .summary = "say which of the paper's claims the runs of a database bear out",
         .usage = "[OPTION]...",
         .description =
                 "Each claim of the TiMePReSt paper is judged under every set of conditions that the runs allow: "
                 "holds, "
                 "fails, or not tested, with the numbers, their interval, the runs, what the paper and an independent "
                 "reproduction found, and, when it is not tested, a command that would test it. Accuracy needs 3 seeds "
                 "of each side, measured time and memory 3 runs; modelled ones have no spread. Exit status 0 whatever "
                 "the verdicts.",
         .takes = TP_FOR_CLAIMS,
         .run = tp_command_claims},
        {.name = "db",
         .summary = "look after a database: list, check, prune, merge, vacuum; print its schema",
         .usage = "list|check|prune|merge|vacuum|schema [OPTION]... [RUN|OTHER.db]...",
         .description =
                 "`list` prints the runs. `check` looks for what is wrong with the file, and for runs that failed a "
                 "check; exit 1 when there is something. `prune RUN..` takes out runs, given by number or as "
                 "FIRST..LAST, "
                 "and those that --older-than names; a run that is being written is refused. Free pages are used "
                 "again; `vacuum` gives them back. `merge OTHER.db` copies every run of another database under new "
                 "numbers. `schema` prints every table, view and column, as in docs/schema.md. What changes the file "
                 "is done wholly or not at all.",
         .takes = TP_FOR_DB,
         .takes_word = true,
         .takes_more = true,
         .run = tp_command_db},
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
