/* The summary: one row for each group of runs that are samples of one experiment. Numbers are computed once, from the
 * figures of epochs and never from operations; writers format these and nothing else, all by one table of columns. */
#ifndef TP_REPORTS_SUMMARY_H
#define TP_REPORTS_SUMMARY_H

#include "reports/groups.h"

struct tp_summary_list {
	int64_t *values;
	int32_t count;
};

/* NAN, "" and an empty list: not known, or there is none. Times in ns, memory in bytes, shares and ratios of 1.
 * Medians, ends and intervals of an epoch are over all epochs of all runs of the group. */
struct tp_summary_row {
	double number; /* 1-based */
	char *schedule, *model, *dataset, *device, *order, *clock, *cluster, *link, *costs;
	char *others; /* other settings that not all rows share, "lr=0.1 momentum=0" */
	double stages, micro_batches, batch_samples;
	double runs, seeds, epochs, left_out;
	struct tp_summary_list run_ids;

	double epoch_ns, epoch_min_ns, epoch_max_ns;
	double epoch_low_ns, epoch_high_ns; /* 95 % interval of the median, by ranks; none below 6 epochs */
	double samples_per_s, epochs_per_h;
	double baseline; /* number of the row that it is compared with: alike but for the schedule and its axes */
	/* samples/s against it: Hodges and Lehmann's ratio with its interval, see interval.h. */
	double speed_up, speed_up_low, speed_up_high, speed_up_confidence;

	double idle_total, idle_ideal, steady_samples_per_s, steady_idle_total;
	double alpha, exposed_ns; /* exposed summed over stages */
	double predicted_ns, difference;

	double fullest_bytes, fullest_stage, total_bytes;   /* peaks; the total is the largest sum of an epoch */
	struct tp_summary_list stage_bytes, versions_alive; /* per stage, highest of any epoch */
	double version_paper, version_exact;                /* Eq. 3; for ideal slots */
	double version_timed_max, version_timed_mean;       /* as the virtual clock has it with the epochs' own costs */
	double version_max, version_mean, version_chains;

	/* Over the runs, each at its latest evaluated epoch. */
	double evaluated;
	double top1, top1_min, top1_max, top5, top5_min, top5_max, loss, loss_min, loss_max;
	struct tp_summary_target {
		double wanted, runs, reached; /* of `runs` that wanted it; medians over those that reached it */
		double epochs, seconds;
	} target_top1, target_loss;
};

struct tp_summary {
	char *baseline;              /* the schedule that others are compared with; "" when there is no run */
	struct tp_summary_row *rows; /* one for each group with a usable run */
	int32_t row_count;
	int32_t left_out_groups; /* without one */
	int32_t stand_in_runs;   /* left out for that, see groups.h */
	bool needs_numbers;      /* some rows have the same schedule, W and N */
};

/* `baseline` is a schedule; NULL: gpipe, or else pipedream, or else that of the first group, whichever has a usable
 * run. A schedule of which there is no group is TP_ERR_INPUT. Release with tp_summary_release(), safe after a failure.
 */
enum tp_status tp_summary_read(struct tp_store *store, const struct tp_groups *groups, const char *baseline,
                               struct tp_summary *summary);
void tp_summary_release(struct tp_summary *summary);

/* All columns, as a table for each of their blocks, units in the heading; `-` for what is not known. */
void tp_summary_write_text(const struct tp_summary *summary, struct tp_text *out);
void tp_summary_write_markdown(const struct tp_summary *summary, struct tp_text *out);
/* A document that compiles as it is; read by \input where \tpbenchinput is defined, it is its tables alone. */
void tp_summary_write_latex(const struct tp_summary *summary, struct tp_text *out);
/* A fragment of a page. */
void tp_summary_write_html(const struct tp_summary *summary, struct tp_text *out);
/* Raw values in one table, units in the names of columns; empty, in JSON null, for what is not known. */
void tp_summary_write_csv(const struct tp_summary *summary, struct tp_text *out);
enum tp_status tp_summary_write_json(const struct tp_summary *summary, struct tp_text *out);

/* The most wanted columns as one table for a terminal of 120 columns; with `colour` the best of each stands out. */
void tp_summary_write_brief(const struct tp_summary *summary, bool colour, struct tp_text *out);

#endif
