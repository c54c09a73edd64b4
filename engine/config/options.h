/* The option table: one row per option drives parsing, ranges, defaults, help, the man page and the recorded parameters
 * of a run. A new option is one field and one row. */
#ifndef TP_ENGINE_CONFIG_OPTIONS_H
#define TP_ENGINE_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/config/run_config.h"

/* What simulate and verify print; pictures are of simulate. */
enum tp_simulate_format { TP_SIMULATE_TABLE, TP_SIMULATE_GRID, TP_SIMULATE_JSON, TP_SIMULATE_SVG, TP_SIMULATE_HTML };
enum tp_claims_format { TP_CLAIMS_TEXT, TP_CLAIMS_MARKDOWN, TP_CLAIMS_JSON };
enum tp_theory_format { TP_THEORY_TABLE, TP_THEORY_CSV };

/* What a sweep varies, as lists; "" where it does not. Read by cli/sweep_points.h. */
struct tp_varied {
	char schedule[512], stages[512], micro_batches[512], batch[512], link[512], cluster[4096], seed[512];
};

/* Everything a command line can say: the experiment, and what to do around it. */
struct tp_options {
	struct tp_run_config config; /* first, so that rows of the configuration apply to a bare one, too */
	char schedules[512];         /* of a comparison, parted by commas */
	int32_t repeats;             /* 0: not given */
	int32_t warm_up;             /* mini-batches of each schedule before the first repeat */
	char db[TP_CONFIG_PATH_BYTES];
	bool json;
	char run_name[TP_CONFIG_NAME_BYTES]; /* "" for none */
	char note[256];
	enum tp_simulate_format format;
	bool ops;                                 /* of simulate: with all operations */
	bool versions;                            /* of simulate: labelled in a picture */
	char schedule_file[TP_CONFIG_PATH_BYTES]; /* of verify; "" for a policy's own list */
	int32_t ring;                             /* of verify: messages per boundary and direction; 0: any number */
	struct tp_varied varied;                  /* of sweep */
	bool retry_failed, restart;               /* of sweep */
	enum tp_theory_format theory_format;
	char stage_range[32], micro_range[32]; /* of theory */
	bool profile_cost;                     /* of compare and run */
	char message[32];                      /* bytes of a micro-batch between stages; "" for the model's */
	char save_costs[TP_CONFIG_PATH_BYTES];
	/* of compare, run and sweep: folder of measured costs; "" for none */
	char keep_costs[TP_CONFIG_PATH_BYTES];
	uint64_t run_id;                /* of a stored run; 0: the latest */
	int32_t epoch;                  /* of a stored run; 0: all */
	char trace_format[16];          /* of trace */
	char out[TP_CONFIG_PATH_BYTES]; /* of trace, "" for a name from the run; of simulate, "" for standard output; of
	                                   reproduce, its folder; of report, "" for none */
	char report_format[16];         /* of report; "": not given */
	char comparison[64];            /* of report; "" for all runs */
	char baseline[64];              /* of report; "" for what is there */
	int64_t older_than_ns;          /* of db prune; 0: not given */
	bool keep_summaries;            /* of db prune */
	bool dry_run;                   /* of db prune and reproduce */
	bool quick, full, tiny;         /* of reproduce; none: quick */
	char threshold[32], metrics[256]; /* of diff; metrics parted by commas, "" for all */
	enum tp_claims_format claims_format;
	bool stages_given; /* --stages was on the command line */
};

enum tp_option_type {
	TP_OPTION_INT,      /* int32_t or, by size, uint64_t */
	TP_OPTION_REAL,     /* double */
	TP_OPTION_SWITCH,   /* bool, on|off */
	TP_OPTION_FLAG,     /* bool; on by its name alone, --name=on|off also taken */
	TP_OPTION_CHOICE,   /* one of `choices`, stored as its index in an enum or bool */
	TP_OPTION_WORD,     /* one of `choices`, stored as text */
	TP_OPTION_TEXT,     /* text; whoever uses it knows what is valid */
	TP_OPTION_DURATION, /* int64_t nanoseconds, written with a unit */
	TP_OPTION_BYTES,    /* int64_t bytes, written with a unit */
};

/* Commands that take options; a row says which of them take it. */
#define TP_FOR_COMPARE 1U
#define TP_FOR_RUN 2U
#define TP_FOR_SIMULATE 4U
#define TP_FOR_PLAN 8U
#define TP_FOR_VERIFY 16U
#define TP_FOR_THEORY 32U
#define TP_FOR_SWEEP 64U
#define TP_FOR_TRACE 128U
#define TP_FOR_DB 256U
#define TP_FOR_DIFF 512U
#define TP_FOR_SHOW 1024U
#define TP_FOR_CLAIMS 4096U
#define TP_FOR_REPRODUCE 8192U
#define TP_FOR_REPORT 2048U

enum tp_option_group {
	TP_GROUP_TRAINING,
	TP_GROUP_PIPELINE,
	TP_GROUP_OPTIMIZER,
	TP_GROUP_MACHINE,
	TP_GROUP_RESULTS,
	TP_OPTION_GROUPS
};

struct tp_option {
	const char *name; /* without the dashes */
	enum tp_option_type type;
	enum tp_option_group group;
	unsigned commands;          /* TP_FOR_* */
	size_t offset, size;        /* in struct tp_options */
	const char *default_text;   /* as a user would write it; NULL: zero, and default_note says what happens then */
	const char *default_note;   /* what help says instead of default_text; NULL: default_text */
	double min, max;            /* INT and REAL; DURATION in nanoseconds */
	const char *const *choices; /* CHOICE and WORD, NULL-ended */
	const char *metavar;        /* of the value in help */
	bool decides;               /* a field of the configuration that decides results: part of its canonical text */
	const char *help;           /* one sentence without a full stop */
};

/* All options, ended by a row whose name is NULL. A name may stand in several rows for different commands. */
extern const struct tp_option tp_option_table[];

/* Is its field one of struct tp_run_config? */
static inline bool tp_option_of_config(const struct tp_option *option)
{
	return option->offset + option->size <= sizeof(struct tp_run_config);
}

/* "What is trained", ... */
const char *tp_option_group_text(enum tp_option_group group);

/* The row of `name` for `command`; NULL when there is none. `command` 0 finds the first of that name. */
const struct tp_option *tp_option_find(const char *name, unsigned command);

/* In these four, `base` is a struct tp_options or, for rows of the configuration, a bare struct tp_run_config. */

/* Parse `value` into the field of `option`. TP_ERR_INPUT names the option, what was expected and what was found. */
enum tp_status tp_option_set(const struct tp_option *option, const char *value, void *base);

/* Add the field as text that tp_option_set() would read back to the same value. */
void tp_option_get(const struct tp_option *option, const void *base, struct tp_text *text);

/* Set the field to its default. */
void tp_option_default(const struct tp_option *option, void *base);

/* The field as it is against the range of its row, for values that no command line set. Errors as tp_option_set(). */
enum tp_status tp_option_check(const struct tp_option *option, const void *base);

/* What help says about valid values: "1 to 1024", "on|off"; adds nothing when anything goes. */
void tp_option_range(const struct tp_option *option, struct tp_text *text);

/* Every default for `command`; stages are the free cores, at most 4 and at least 2, unless the command's row says
 * otherwise. */
void tp_options_defaults(struct tp_options *options, unsigned command);

/* After the command line: stages that were not given are the cluster's workers, when there is a cluster. */
enum tp_status tp_options_resolve(struct tp_options *options);

#endif
