/* The numbers of a report, computed once from the database; writers format these and nothing else. Internal to reports.
 */
#ifndef TP_REPORTS_REPORT_DATA_H
#define TP_REPORTS_REPORT_DATA_H

#include "profiler/metrics.h"
#include "profiler/statistics.h"
#include "reports/reports.h"

struct tp_report_epoch {
	struct tp_store_epoch row; /* its record arrays are gone: NULL */
	bool has_records;          /* metrics below mean something: operations were recorded, none was lost */
	struct tp_metrics metrics;
	/* Of all boundaries, bytes per mini-batch: what went over them, and the paper's volumes (Eq. 17 to 21), naive
	 * 2 N D and TiMePReSt's (N + 1) D at a boundary with D the bytes of one micro-batch's activation there. */
	double sent_bytes, naive_bytes, timeprest_bytes;
	int64_t *stage_peak_bytes;       /* per stage */
	struct tp_memory_record *memory; /* stages, then the process */
	int32_t memory_count;
	int64_t window_ns;
	double samples_per_s;
	double steady_samples_per_s; /* without the first and last W mini-batches; 0: none are left */
};

struct tp_report_run {
	int64_t run_id;
	int32_t repeat;
	char state[16];        /* done, failed, interrupted, running */
	bool checked, invalid; /* checks were made, and one failed */
	int32_t epoch_count;
	struct tp_report_epoch *epochs;
};

enum { TP_REPORT_TOP1, TP_REPORT_LOSS, TP_REPORT_TARGETS };

/* All runs of one schedule. */
struct tp_report_schedule {
	char name[64];
	int32_t stages, micro_batches;
	char clock[16];                       /* real, virtual */
	bool bounded;                         /* --max-staleness */
	int64_t version_paper, version_exact; /* v by Eq. 3 and for ideal slots; 0: they do not hold for it */
	int32_t run_count;
	struct tp_report_run *runs;
	/* Summaries over all epochs of all runs; times in ns. */
	struct tp_statistics window, samples_per_s;
	int64_t measured_epochs;       /* with records */
	double idle_total, idle_ideal; /* medians */
	int64_t steady_epochs;         /* long enough for a steady window; medians over them: */
	double steady_samples_per_s, steady_idle_total;
	int64_t predicted_epochs;    /* whose time the virtual clock predicted */
	double predicted_ns;         /* median */
	double difference;           /* median of (window - prediction) / prediction */
	bool transfers;              /* some messages took time: */
	double alpha, exposed_ns;    /* medians; exposed summed over the stages */
	double staleness_idle_total; /* median share of idle/total that the staleness bound caused */
	int64_t version_difference_max, version_chains;
	double version_difference_mean;
	int64_t *versions_alive_max; /* per stage */
	int64_t *stage_peak_bytes;   /* per stage */
	int64_t peak_total_bytes;
	int32_t fullest_stage;
	/* --target-top1 and --target-loss: of the runs that had one, how many reached it, and medians over those. */
	struct tp_report_target {
		double wanted; /* 0: none */
		int32_t runs, reached;
		double epochs, seconds;
	} targets[TP_REPORT_TARGETS];
	/* --profile-cost: pairs of epochs of all runs, and over the runs the median of the ratio and its ends. */
	int64_t cost_pairs;
	char cost_level[16];
	double cost, cost_min, cost_max;
	/* The latest epoch of the first run. */
	const struct tp_report_epoch *last;
	bool evaluated;
	/* Means over the runs' latest epochs; of the test, over those evaluated. */
	double train_loss, test_top1, test_top5, test_loss;
};

struct tp_report {
	char *database;
	int32_t schedule_count;
	struct tp_report_schedule *schedules;
	int32_t run_total;
	char model[64], dataset[64], device[64], order[16];
	int32_t batch_samples;
	int64_t dropped_samples;
	int64_t dropped_records;
	uint64_t window_allocations;
	int32_t unfinished_runs;
	bool modelled;                         /* some run went by the virtual clock */
	bool stand_in;                         /* some run was on one, see results/stand_in.h: times are not written */
	char costs[64], link[64], cluster[64]; /* of the first run, "" for none */
	char transport[16];                    /* of the first run on GPUs; "" elsewhere */
	struct tp_text parameters;             /* "name=value" lines of the first run */
	struct tp_text environment;
	struct tp_text failed_checks; /* one line each */
};

/* The failure of a query. */
struct tp_store;
enum tp_status tp_report_query_failed(struct tp_store *store);

/* The text of a column, cut to `size`; "" for NULL. */
struct sqlite3_stmt;
void tp_report_copy_column(struct sqlite3_stmt *statement, int column, char *out, size_t size);

/* The object that tp_report_write_json() writes, the caller's; NULL when memory runs out or a text is not UTF-8. */
struct json_t;
struct json_t *tp_report_object(const struct tp_report *report);

/* Is v predicted for it? Its backward covers a mini-batch and it holds W - s of them. */
bool tp_report_predicts_versions(const char *schedule);

/* What is said of whole runs of a schedule. */
enum tp_status tp_report_read_verdicts(struct tp_store *store, struct tp_report *report,
                                       struct tp_report_schedule *schedule);

#endif
