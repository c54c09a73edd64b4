/* tpbench theory: the version difference of nF1B as predicted, by the paper and exactly, beside the simulated one, over
 * ranges of stages and micro-batches; with costs also under those, where order is dynamic and time is uneven. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/forecasting.h"

/* "3" or "2..40". */
static enum tp_status parse_range(const char *what, const char *text, int64_t most, int64_t *first, int64_t *last)
{
	char begin[32];
	const char *dots = strstr(text, "..");
	(void)snprintf(begin, sizeof begin, "%.*s", dots ? (int)(dots - text) : (int)strlen(text), text);
	TP_TRY(tp_parse_i64(what, begin, 1, most, first));
	*last = *first;
	if (dots)
		TP_TRY(tp_parse_i64(what, dots + 2, 1, most, last));
	if (*last < *first)
		return tp_fail(TP_ERR_INPUT, "%s: expected FIRST..LAST with FIRST at most LAST, found '%s'", what,
		               text);
	return TP_OK;
}

/* One line of the table. */
struct prediction {
	int64_t stages, micro_batches;
	int64_t simulated, chains;   /* in slots */
	int64_t timed;               /* most, under the costs, dynamic order */
	double timed_mean, estimate; /* mean v, simulated and by the formula */
};

/* Mini-batches until every pipeline of the range has long been full. */
static int64_t minis_of(int64_t stages)
{
	return 3 * stages + 8;
}

static enum tp_status predict_timed(struct tp_forecasting *forecasting, const struct tp_options *options,
                                    const struct tp_run_config *config, struct prediction *prediction)
{
	struct tp_forecast forecast;
	struct tp_sim_summary summary = {0};
	enum tp_status status = tp_forecasting_make(forecasting, options, config, &tp_policy_timeprest,
	                                            minis_of(prediction->stages), &forecast);
	if (status == TP_OK)
		status = tp_forecast_simulate(&forecast, NULL, NULL, &summary);
	if (status == TP_OK) {
		prediction->timed = summary.version_difference_max;
		prediction->timed_mean = summary.version_difference_mean;
		prediction->estimate =
		        tp_version_difference_estimate(&forecast.costs, forecast.emulation.boundaries, &summary);
	}
	tp_sim_summary_release(&summary);
	tp_forecast_release(&forecast);
	return status;
}

static enum tp_status predict(struct tp_forecasting *forecasting, const struct tp_options *options,
                              struct prediction *prediction, bool timed)
{
	struct tp_run_config config = options->config;
	struct tp_sim_summary summary;
	const struct tp_pipeline pipeline = {.policy = &tp_policy_timeprest,
	                                     .stages = (int32_t)prediction->stages,
	                                     .micro_batches = (int32_t)prediction->micro_batches,
	                                     .minis = minis_of(prediction->stages)};
	TP_TRY(tp_simulate(&pipeline, NULL, NULL, NULL, &summary));
	prediction->simulated = summary.version_difference_max;
	prediction->chains = summary.version_chains;
	tp_sim_summary_release(&summary);
	if (!timed)
		return TP_OK;
	config.stages = (int32_t)prediction->stages;
	config.micro_batches = (int32_t)prediction->micro_batches;
	config.order = TP_ORDER_DYNAMIC;
	return predict_timed(forecasting, options, &config, prediction);
}

static void print_row(const struct prediction *row, bool csv, bool timed)
{
	int64_t exact = tp_version_difference_exact(row->stages, row->micro_batches);
	char paper[24] = ""; /* Eq. 3 is stated for N >= 2 */
	if (row->micro_batches >= 2)
		(void)snprintf(paper, sizeof paper, "%" PRId64,
		               tp_version_difference_paper(row->stages, row->micro_batches));
	if (csv) {
		printf("%" PRId64 ",%" PRId64 ",%s,%" PRId64 ",%" PRId64 ",%" PRId64, row->stages, row->micro_batches,
		       paper, exact, row->simulated, row->chains);
		if (timed)
			printf(",%" PRId64 ",%.3f,%.3f", row->timed, row->timed_mean, row->estimate);
	} else {
		printf("%4" PRId64 " %4" PRId64 " %8s %8" PRId64 " %12" PRId64 " %7" PRId64, row->stages,
		       row->micro_batches, paper[0] ? paper : "-", exact, row->simulated, row->chains);
		if (timed)
			printf(" %8" PRId64 " %13.2f %16.2f", row->timed, row->timed_mean, row->estimate);
	}
	putchar('\n');
}

static enum tp_status print_all(struct tp_forecasting *forecasting, const struct tp_options *options, bool timed)
{
	bool csv = options->theory_format == TP_THEORY_CSV;
	int64_t w_first, w_last, n_first, n_last;
	TP_TRY(parse_range("--stages", options->stage_range, 1024, &w_first, &w_last));
	TP_TRY(parse_range("--micro-batches", options->micro_range, 1024, &n_first, &n_last));
	if (csv)
		printf("W,N,v_paper,v_exact,v_simulated,chains%s\n",
		       timed ? ",v_timed,v_timed_mean,v_mean_estimate" : "");
	else
		printf("%4s %4s %8s %8s %12s %7s%s\n", "W", "N", "v_paper", "v_exact", "v_simulated", "chains",
		       timed ? "  v_timed  v_timed_mean  v_mean_estimate" : "");
	for (int64_t w = w_first; w <= w_last; w++) {
		for (int64_t n = n_first; n <= n_last; n++) {
			struct prediction row = {.stages = w, .micro_batches = n};
			TP_TRY(predict(forecasting, options, &row, timed));
			print_row(&row, csv, timed);
		}
	}
	return TP_OK;
}

enum tp_status tp_command_theory(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	const struct tp_run_config *config = &options->config;
	bool timed = config->costs[0] || config->link[0];
	struct tp_forecasting forecasting = {0};
	enum tp_status status = TP_OK;
	if (timed)
		status = tp_forecasting_init(&forecasting, options);
	if (status == TP_OK)
		status = print_all(&forecasting, options, timed);
	tp_forecasting_release(&forecasting);
	return status;
}
