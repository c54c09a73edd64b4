/* Two databases set against each other, experiment by experiment: what changed from A to B, how sure that is, and
 * whether it is worse. Experiments are those of reports/groups.h; only like is compared with like. */
#ifndef TP_REPORTS_DIFF_H
#define TP_REPORTS_DIFF_H

#include "reports/groups.h"
#include "reports/interval.h"

enum tp_diff_verdict {
	TP_DIFF_SAME,    /* the interval lies within the threshold, or both have nothing but the same values */
	TP_DIFF_BETTER,  /* all of it lies beyond the threshold, on the good side */
	TP_DIFF_WORSE,   /* on the bad side */
	TP_DIFF_UNCLEAR, /* neither, or values are too few for an interval of 95 % */
	TP_DIFF_VERDICTS
};

/* "same", "better", "worse", "unclear". */
const char *tp_diff_verdict_text(enum tp_diff_verdict verdict);

/* What is compared, and how it is printed. */
struct tp_diff_metric {
	const char *name; /* of --metric and in JSON */
	const char *title, *unit;
	double scale; /* from the unit stored to that of the title */
	int decimals;
	bool share;         /* changes by a difference of shares, in points; else by a ratio */
	bool higher_better; /* else lower is */
	bool of_run;        /* one value for each run; else one for each epoch */
	const char *sql;    /* the values of a run */
};

/* All of them, ended by one without a name. */
extern const struct tp_diff_metric tp_diff_metrics[];
#define TP_DIFF_METRICS 10

struct tp_diff_line {
	const struct tp_diff_metric *metric;
	double a, b;               /* medians; NAN without values */
	struct tp_interval change; /* relative, or of a share its difference; 0: none */
	bool of_runs;              /* what was counted: runs, each by its median, or epochs */
	enum tp_diff_verdict verdict;
};

/* One experiment in both. */
struct tp_diff_group {
	const struct tp_group *a, *b;
	struct tp_diff_line lines[TP_DIFF_METRICS];
	int32_t line_count;
};

struct tp_diff {
	const char *path[2]; /* A and B, the caller's */
	double threshold;
	struct tp_groups groups[2];
	struct tp_diff_group *compared;
	int32_t compared_count;
	int32_t verdicts[TP_DIFF_VERDICTS]; /* lines of each */
	struct tp_text environment[2];      /* "name=value" lines of the runs compared, each once */
};

struct tp_diff_request {
	const char *path[2];
	double threshold;    /* as a share */
	const char *metrics; /* names parted by commas; "" for all */
};

/* Compare; release with tp_diff_release(), safe after a failure. TP_ERR_INPUT when nothing can be compared, naming the
 * settings in which the nearest experiments differ, or when a metric is unknown. */
enum tp_status tp_diff_read(struct tp_store *a, struct tp_store *b, const struct tp_diff_request *request,
                            struct tp_diff *diff);
void tp_diff_release(struct tp_diff *diff);

/* What the interval of a change says of a metric; `equal`: the values are the same, whatever the interval. */
enum tp_diff_verdict tp_diff_judge(const struct tp_diff_metric *metric, const struct tp_interval *change, bool equal,
                                   double threshold);

/* Compare one metric of an experiment; *there is false when neither side has a value. */
enum tp_status tp_diff_compare(struct tp_store *const stores[2], const struct tp_group *const groups[2],
                               const struct tp_diff_metric *metric, double threshold, struct tp_diff_line *line,
                               bool *there);

/* Does the experiment of `side` (0: A, 1: B) take part? Those that do not are listed. */
bool tp_diff_is_compared(const struct tp_diff *diff, int side, const struct tp_group *group);

/* Hand over each name of the environment whose values differ, with one of either side, "" for none. */
typedef void (*tp_diff_environment_fn)(const char *name, const char *a, const char *b, void *to);
enum tp_status tp_diff_environment(const struct tp_diff *diff, tp_diff_environment_fn take, void *to);

/* For a terminal of 120 columns, and as one JSON object. */
enum tp_status tp_diff_write(const struct tp_diff *diff, bool coloured, struct tp_text *out);
enum tp_status tp_diff_write_json(const struct tp_diff *diff, struct tp_text *out);

#endif
