/* What reproduce runs, as data: plans of sweeps, each for some of the paper's claims and figures. */
#ifndef TP_CLI_REPRODUCE_PLAN_H
#define TP_CLI_REPRODUCE_PLAN_H

#include "cli/commands.h"
#include "cli/sweep.h"

/* Which --link a step's sweep gets beside its own options. */
enum tp_reproduce_link {
	TP_REPRODUCE_LINK_NONE,   /* none */
	TP_REPRODUCE_LINK_GIVEN,  /* that of the command line */
	TP_REPRODUCE_LINK_OTHERS, /* those of the table's speeds that it is not: its points are another step's */
};

struct tp_reproduce_step {
	const char *name;    /* part of its comparison's name and of its files: one word */
	const char *title;   /* what is varied */
	const char *serves;  /* claims and figures */
	const char *options; /* of tpbench sweep, parted by single spaces; no data set, link, database or note */
	const char *scaled;  /* how it differs from the paper's experiment: the note of its runs, below 256 bytes */
	enum tp_reproduce_link link;
	double seconds_per_run;  /* as measured on two free cores; for estimates */
	int32_t cores;           /* free ones that it needs; 0: any number */
	int32_t synthetic_train; /* samples of synthetic data */
	bool synthetic;          /* even where a data set was found, of which an epoch would be too long */
	const char *target_top1; /* what counts as learnt of CIFAR-100; NULL: nothing. Synthetic data are all learnt */
};

struct tp_reproduce_plan {
	const char *name;
	const char *leaves_out; /* of the paper's experiments, a sentence */
	const struct tp_reproduce_step *steps;
	int32_t step_count;
};

extern const struct tp_reproduce_plan tp_reproduce_quick, tp_reproduce_full, tp_reproduce_tiny;

/* What is the same for all steps. */
struct tp_reproduce_setting {
	const struct tp_reproduce_plan *plan;
	const char *out;      /* the folder of it all */
	const char *data_dir; /* of CIFAR-100; NULL: synthetic data */
	const char *link;
};

/* A step as words of a command line. */
#define TP_REPRODUCE_WORDS 64
struct tp_reproduce_line {
	char storage[4 * TP_CONFIG_PATH_BYTES];
	size_t used; /* bytes of it */
	char *words[TP_REPRODUCE_WORDS];
	int count;
};

/* The words behind `tpbench sweep`. TP_ERR_INPUT when a path is too long. */
enum tp_status tp_reproduce_line_init(struct tp_reproduce_line *line, const struct tp_reproduce_setting *setting,
                                      const struct tp_reproduce_step *step);

/* The same as a user would type them. */
void tp_reproduce_line_write(const struct tp_reproduce_line *line, struct tp_text *text);

/* The sweep of a step, and the name of its comparison. */
enum tp_status tp_reproduce_sweep(const struct tp_reproduce_setting *setting, const struct tp_reproduce_step *step,
                                  struct tp_arguments *arguments, char comparison[TP_SWEEP_COMPARISON_BYTES]);

#endif
