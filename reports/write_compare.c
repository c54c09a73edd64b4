#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/report_data.h"
#include "results/stand_in.h"

#define MS(ns) ((ns)*1e-6)
#define KIB(bytes) ((bytes) / 1024.0)
#define MIB(bytes) ((double)(bytes) / 1048576.0)

static void write_time(const struct tp_report *report, struct tp_text *out)
{
	const struct tp_report_schedule *base = &report->schedules[0];
	tp_text_add(out, "%-15s %3s %3s %6s %9s %9s %9s %10s %7s %9s %7s %10s %10s\n", "time", "W", "N", "epochs",
	            "epoch ms", "min", "max", "samples/s", "speed", "predicted", "differs", "bubble", "bubble");
	tp_text_add(out, "%-15s %3s %3s %6s %9s %9s %9s %10s %7s %9s %7s %10s %10s\n", "", "", "", "", "(median)", "",
	            "", "(median)", "(ratio)", "ms", "by", "idle/total", "idle/ideal");
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		tp_text_add(out, "%-15s %3d %3d %6" PRId64 " %9.1f %9.1f %9.1f %10.1f %7.2f", s->name, s->stages,
		            s->micro_batches, s->window.count, MS(s->window.median), MS(s->window.min),
		            MS(s->window.max), s->samples_per_s.median,
		            base->samples_per_s.median > 0 ? s->samples_per_s.median / base->samples_per_s.median
		                                           : 0.0);
		if (s->predicted_epochs)
			tp_text_add(out, " %9.1f %+6.1f%%", MS(s->predicted_ns), 100 * s->difference);
		else
			tp_text_add(out, " %9s %7s", "-", "-");
		if (s->measured_epochs)
			tp_text_add(out, " %9.1f%% %9.1f%%\n", 100 * s->idle_total, 100 * s->idle_ideal);
		else
			tp_text_add(out, " %10s %10s\n", "-", "-");
	}
}

/* What takes the place of all that was measured by a clock that says nothing. */
static void write_no_time(const struct tp_report *report, struct tp_text *out)
{
	tp_text_add(out, "times: none, %s " TP_STAND_IN_SAYS "\n", report->device);
}

/* Only where links are emulated or a bound was set: else there is nothing to say. */
static void write_waiting(const struct tp_report *report, struct tp_text *out)
{
	bool any = false;
	for (int32_t i = 0; i < report->schedule_count; i++)
		any |= report->schedules[i].transfers || report->schedules[i].bounded;
	if (!any)
		return;
	tp_text_add(out, "\n%-15s %10s %12s %18s\n", "waiting", "alpha", "exposed ms", "staleness bound");
	tp_text_add(out, "%-15s %10s %12s %18s\n", "", "(overlap)", "(all stages)", "(share of W*window)");
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		tp_text_add(out, "%-15s", s->name);
		if (s->transfers)
			tp_text_add(out, " %10.3f %12.1f", s->alpha, MS(s->exposed_ns));
		else
			tp_text_add(out, " %10s %12s", "-", "-");
		if (s->bounded && s->measured_epochs)
			tp_text_add(out, " %17.1f%%\n", 100 * s->staleness_idle_total);
		else
			tp_text_add(out, " %18s\n", "-");
	}
}

/* "1,2,3" */
static void list_versions(const struct tp_report_schedule *s, char *out, size_t size)
{
	size_t used = 0;
	for (int32_t i = 0; i < s->stages && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? "," : "", s->versions_alive_max[i]);
}

/* A prediction of v, where it holds. */
static void prediction(int64_t predicted, char out[24])
{
	if (predicted > 0)
		(void)snprintf(out, 24, "%" PRId64, predicted);
	else
		(void)snprintf(out, 24, "-");
}

static void write_versions(const struct tp_report *report, struct tp_text *out)
{
	tp_text_add(out, "\n%-15s %5s %6s %6s %6s %7s  %-16s %10s %10s  %s\n", "weights", "v max", "v mean", "v Eq.3",
	            "v slot", "chains", "versions alive", "peak MiB", "peak MiB", "fullest");
	tp_text_add(out, "%-15s %5s %6s %6s %6s %7s  %-16s %10s %10s  %s\n", "", "", "", "", "", "", "(by stage)",
	            "(all)", "(fullest)", "stage");
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		char paper[24], exact[24], versions[64] = "-";
		prediction(s->version_paper, paper);
		prediction(s->version_exact, exact);
		if (s->measured_epochs) {
			list_versions(s, versions, sizeof versions);
			tp_text_add(out, "%-15s %5" PRId64 " %6.2f %6s %6s %7" PRId64 "  %-16s", s->name,
			            s->version_difference_max, s->version_difference_mean, paper, exact,
			            s->version_chains, versions);
		} else {
			tp_text_add(out, "%-15s %5s %6s %6s %6s %7s  %-16s", s->name, "-", "-", paper, exact, "-", "-");
		}
		tp_text_add(out, " %10.1f %10.1f  %d\n", MIB(s->peak_total_bytes),
		            MIB(s->stage_peak_bytes[s->fullest_stage]), s->fullest_stage);
	}
}

static void write_learning(const struct tp_report *report, struct tp_text *out)
{
	tp_text_add(out, "\n%-15s %11s %10s %10s %10s\n", "learning", "train loss", "test loss", "top-1 %", "top-5 %");
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		if (!s->last)
			continue;
		tp_text_add(out, "%-15s %11.4f", s->name, s->train_loss);
		if (s->evaluated)
			tp_text_add(out, " %10.4f %10.2f %10.2f\n", s->test_loss, 100 * s->test_top1,
			            100 * s->test_top5);
		else
			tp_text_add(out, " %10s %10s %10s\n", "-", "-", "-");
	}
}

/* The pipeline when it is full. */
static void write_steady(const struct tp_report *report, struct tp_text *out)
{
	bool some = false;
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		if (s->steady_epochs == 0)
			continue;
		if (!some)
			tp_text_add(out, "\n%-15s %10s %10s   (medians without the first and last W mini-batches)\n",
			            "steady window", "samples/s", "idle/total");
		some = true;
		tp_text_add(out, "%-15s %10.1f %9.1f%%\n", s->name, s->steady_samples_per_s,
		            100 * s->steady_idle_total);
	}
}

/* When each schedule had learnt what was wanted; evaluations take no part in the seconds. */
static void write_targets(const struct tp_report *report, struct tp_text *out)
{
	static const char *const names[TP_REPORT_TARGETS] = {"top-1 share", "test loss"};
	for (int which = 0; which < TP_REPORT_TARGETS; which++) {
		bool some = false;
		for (int32_t i = 0; i < report->schedule_count; i++) {
			const struct tp_report_schedule *s = &report->schedules[i];
			const struct tp_report_target *target = &s->targets[which];
			if (target->runs == 0)
				continue;
			if (!some)
				tp_text_add(out, "\n%-15s %8s %8s %9s   (median to %s %g)\n", "to target", "reached",
				            "epochs", "seconds", names[which], target->wanted);
			some = true;
			tp_text_add(out, "%-15s %4d of %d", s->name, target->reached, target->runs);
			if (target->reached > 0 && report->stand_in)
				tp_text_add(out, " %8.1f %9s\n", target->epochs, "-");
			else if (target->reached > 0)
				tp_text_add(out, " %8.1f %9.2f\n", target->epochs, target->seconds);
			else
				tp_text_add(out, " %8s %9s\n", "-", "-");
		}
	}
}

/* Epochs recorded against epochs not recorded. */
static void write_profile_cost(const struct tp_report *report, struct tp_text *out)
{
	bool some = false;
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		if (s->cost_pairs == 0)
			continue;
		if (!some)
			tp_text_add(out, "\n%-15s %8s %6s %9s %9s %9s   (epoch recorded / not recorded)\n",
			            "cost of profile", "level", "pairs", "median", "min", "max");
		some = true;
		tp_text_add(out, "%-15s %8s %6" PRId64 " %+8.2f%% %+8.2f%% %+8.2f%%\n", s->name, s->cost_level,
		            s->cost_pairs, 100 * (s->cost - 1), 100 * (s->cost_min - 1), 100 * (s->cost_max - 1));
	}
}

/* Where the times come from. */
static void write_clock(const struct tp_report *report, struct tp_text *out)
{
	if (report->stand_in)
		return;
	if (report->modelled)
		tp_text_add(
		        out,
		        "# TIME IS MODELLED, by the virtual clock with costs %s; arithmetic and staleness are real\n",
		        report->costs[0] ? report->costs : "alone");
	else
		tp_text_add(out, "# times are measured; predicted = the virtual clock's epoch with the run's own "
		                 "median costs;\n# differs by = (measured - predicted) / predicted\n");
}

static void write_footer(const struct tp_report *report, struct tp_text *out)
{
	int32_t runs_each = report->schedule_count ? report->schedules[0].run_count : 0;
	tp_text_add(out, "\n# %s on %s, %d samples a mini-batch, %s order, device %s\n", report->model, report->dataset,
	            report->batch_samples, report->order, report->device);
	write_clock(report, out);
	if (report->link[0] || report->cluster[0])
		tp_text_add(out, "# links are emulated:%s%s%s%s\n", report->cluster[0] ? " cluster " : "",
		            report->cluster, report->link[0] ? " link " : "", report->link);
	else if (report->transport[0])
		tp_text_add(out, "# messages travel between GPUs or within one: --transport %s\n", report->transport);
	else
		tp_text_add(out, "# messages change hands in memory\n");
	if (!report->stand_in)
		tp_text_add(out,
		            "# bubble idle/total = idle time / (W * window); idle/ideal = idle time / compute time\n");
	tp_text_add(
	        out,
	        "# v = mini-batch - mini-batches committed when its backward starts at the last stage\n"
	        "# v Eq.3 and v slot are predictions, for ideal slots; - where they do not hold for the schedule\n");
	if (report->dropped_samples)
		tp_text_add(out,
		            "# %" PRId64 " training samples of an epoch are left out (incomplete or beyond "
		            "--mini-batches)\n",
		            report->dropped_samples);
	tp_text_add(out, "# database %s, runs", report->database);
	for (int32_t i = 0; i < report->schedule_count; i++) {
		for (int32_t r = 0; r < report->schedules[i].run_count; r++)
			tp_text_add(out, " %" PRId64, report->schedules[i].runs[r].run_id);
	}
	tp_text_add(out, "\n");
	if (runs_each == 1)
		tp_text_add(out, "# one run of each schedule: no spread over runs; --repeats shows it\n");
	if (report->dropped_records)
		tp_text_add(out, "# WARNING: %" PRId64 " records were lost; bubbles and versions are void\n",
		            report->dropped_records);
	if (report->window_allocations)
		tp_text_add(out, "# WARNING: memory was allocated %" PRIu64 " times inside a measured window\n",
		            report->window_allocations);
	for (const char *line = tp_text_get(&report->failed_checks); *line; line = strchr(line, '\n') + 1)
		tp_text_add(out, "# WARNING: %.*s\n", (int)strcspn(line, "\n"), line);
	if (report->unfinished_runs)
		tp_text_add(out, "# WARNING: %d of the runs did not end well\n", report->unfinished_runs);
}

/* Every table; `learning`: with that one. */
static void write_figures(const struct tp_report *report, bool learning, struct tp_text *out)
{
	if (report->stand_in) {
		write_no_time(report, out);
	} else {
		write_time(report, out);
		write_waiting(report, out);
	}
	write_versions(report, out);
	if (!report->stand_in)
		write_steady(report, out);
	if (learning)
		write_learning(report, out);
	write_targets(report, out);
	if (!report->stand_in)
		write_profile_cost(report, out);
	write_footer(report, out);
}

void tp_report_write_compare(const struct tp_report *report, struct tp_text *out)
{
	if (report->schedule_count == 0)
		return;
	write_figures(report, true, out);
}

/* --- one schedule in detail --------------------------------------------------------------------------------------- */

static void write_stages(const struct tp_report_schedule *s, const struct tp_report_epoch *epoch, struct tp_text *out)
{
	tp_text_add(out, "\n%-9s %8s %8s %8s %8s", "stage, ms", "forward", "backward", "update", "compute");
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		tp_text_add(out, " %9s", tp_idle_cause_text((enum tp_idle_cause)cause));
	tp_text_add(out, " %8s\n", "window");
	for (int32_t i = 0; i < s->stages; i++) {
		const struct tp_stage_metrics *m = &epoch->metrics.stage[i];
		tp_text_add(out, "%-9d %8.1f %8.1f %8.1f %8.1f", i, MS((double)m->forward_ns),
		            MS((double)m->backward_ns), MS((double)m->update_ns), MS((double)m->compute_ns));
		for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
			tp_text_add(out, " %9.1f", MS((double)m->idle_ns[cause]));
		tp_text_add(out, " %8.1f\n", MS((double)epoch->metrics.window_ns));
	}
}

/* What went over the boundaries, beside the paper's volumes. */
static void write_communication(const struct tp_report_schedule *s, const struct tp_report_epoch *epoch,
                                struct tp_text *out)
{
	double minis = (double)epoch->row.minis;
	if (s->stages < 2 || epoch->row.minis == 0)
		return;
	tp_text_add(out, "\n%-14s %9s %12s %9s %12s   (per mini-batch)\n", "boundary", "down", "KiB", "up", "KiB");
	for (int32_t b = 0; b + 1 < s->stages; b++) {
		const struct tp_boundary_metrics *m = &epoch->metrics.boundary[b];
		tp_text_add(out, "%3d - %-8d %9.1f %12.1f %9.1f %12.1f\n", b, b + 1, (double)m->down_messages / minis,
		            KIB((double)m->down_bytes / minis), (double)m->up_messages / minis,
		            KIB((double)m->up_bytes / minis));
	}
	tp_text_add(
	        out,
	        "all: %.1f KiB; the paper's Eq. 17 to 21: naive 2(W-1)N D = %.1f, TiMePReSt (W-1)(N+1)D = %.1f KiB\n",
	        KIB(epoch->sent_bytes), KIB(epoch->naive_bytes), KIB(epoch->timeprest_bytes));
	tp_text_add(out,
	            "D: bytes of one micro-batch's activation, at each boundary its own; the sums take each once\n");
}

static void write_memory(const struct tp_report_epoch *epoch, struct tp_text *out)
{
	tp_text_add(out, "\n%-20s", "at the peak, MiB");
	for (int32_t i = 0; i < epoch->memory_count; i++)
		tp_text_add(out, epoch->memory[i].stage < 0 ? " %11s" : " %10s%d",
		            epoch->memory[i].stage < 0 ? "process" : "stage ", epoch->memory[i].stage);
	for (int kind = 0; kind < TP_MEM_KINDS; kind++) {
		tp_text_add(out, "\n%-20s", tp_mem_kind_text((enum tp_mem_kind)kind));
		for (int32_t i = 0; i < epoch->memory_count; i++)
			tp_text_add(out, " %11.1f", MIB(epoch->memory[i].at_peak_bytes[kind]));
	}
	tp_text_add(out, "\n%-20s", "sum");
	for (int32_t i = 0; i < epoch->memory_count; i++)
		tp_text_add(out, " %11.1f", MIB(epoch->memory[i].peak_total_bytes));
	tp_text_add(out, "\n");
}

static void write_epochs(const struct tp_report *report, const struct tp_report_run *run, struct tp_text *out)
{
	tp_text_add(out, "\n%-6s %11s %10s %11s %10s %10s %10s\n", "epoch", "window ms", "samples/s", "train loss",
	            "test loss", "top-1 %", "top-5 %");
	for (int32_t e = 0; e < run->epoch_count; e++) {
		const struct tp_report_epoch *epoch = &run->epochs[e];
		if (report->stand_in)
			tp_text_add(out, "%-6d %11s %10s", epoch->row.epoch, "-", "-");
		else
			tp_text_add(out, "%-6d %11.1f %10.1f", epoch->row.epoch, MS((double)epoch->window_ns),
			            epoch->samples_per_s);
		tp_text_add(out, " %11.4f", epoch->row.train_loss);
		if (epoch->row.evaluated)
			tp_text_add(out, " %10.4f %10.2f %10.2f\n", epoch->row.test_loss, 100 * epoch->row.test_top1,
			            100 * epoch->row.test_top5);
		else
			tp_text_add(out, " %10s %10s %10s\n", "-", "-", "-");
	}
}

void tp_report_write_run(const struct tp_report *report, struct tp_text *out)
{
	for (int32_t i = 0; i < report->schedule_count; i++) {
		const struct tp_report_schedule *s = &report->schedules[i];
		for (int32_t r = 0; r < s->run_count; r++)
			write_epochs(report, &s->runs[r], out);
		if (s->last && s->last->has_records && !report->stand_in)
			write_stages(s, s->last, out);
		if (s->last && s->last->has_records)
			write_communication(s, s->last, out);
		if (s->last)
			write_memory(s->last, out);
		tp_text_add(out, "\n");
	}
	if (report->schedule_count)
		write_figures(report, false, out);
}
