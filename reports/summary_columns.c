#include "reports/summary_columns.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define AT(member) offsetof(struct tp_summary_row, member)
#define TEXT(column, title, which, member)                                                                  \
	{                                                                                                   \
		.name = (column), .header = (title), .unit = "", .block = (which), .kind = TP_SUMMARY_TEXT, \
		.offset = AT(member)                                                                        \
	}
#define LIST(column, title, of, which, member, factor, digits)                                                \
	{                                                                                                     \
		.name = (column), .header = (title), .unit = (of), .block = (which), .kind = TP_SUMMARY_LIST, \
		.offset = AT(member), .scale = (factor), .decimals = (digits)                                 \
	}
#define COUNT(column, title, of, which, member, ...)                                                           \
	{                                                                                                      \
		.name = (column), .header = (title), .unit = (of), .block = (which), .kind = TP_SUMMARY_COUNT, \
		.offset = AT(member), .scale = 1, __VA_ARGS__                                                  \
	}
#define NUMBER(column, title, of, which, member, factor, digits, ...)                                           \
	{                                                                                                       \
		.name = (column), .header = (title), .unit = (of), .block = (which), .kind = TP_SUMMARY_NUMBER, \
		.offset = AT(member), .scale = (factor), .decimals = (digits), __VA_ARGS__                      \
	}
#define MS 1e-6
#define MIB (1.0 / 1048576)
#define PERCENT 100.0
#define BRIEF .brief = true
#define LESS .better = -1
#define MORE .better = 1
#define PLAIN .better = 0

/* One row, one column: laid out by hand. */
/* clang-format off */
const struct tp_summary_column tp_summary_columns[] = {
	{.name = "schedule", .header = "schedule", .unit = "", .block = TP_SUMMARY_KEY, .kind = TP_SUMMARY_TEXT,
	 .offset = AT(schedule), BRIEF},
	COUNT("row_number", "row", "", TP_SUMMARY_KEY, number, PLAIN),
	COUNT("stage_count", "W", "", TP_SUMMARY_KEY, stages, BRIEF),
	COUNT("micro_batch_count", "N", "", TP_SUMMARY_KEY, micro_batches, BRIEF),

	NUMBER("epoch_median_ns", "epoch", "ms", TP_SUMMARY_TIME, epoch_ns, MS, 1, LESS, BRIEF),
	NUMBER("epoch_min_ns", "min", "ms", TP_SUMMARY_TIME, epoch_min_ns, MS, 1, BRIEF),
	NUMBER("epoch_max_ns", "max", "ms", TP_SUMMARY_TIME, epoch_max_ns, MS, 1, BRIEF),
	NUMBER("epoch_low_ns", "low", "ms", TP_SUMMARY_TIME, epoch_low_ns, MS, 1, PLAIN),
	NUMBER("epoch_high_ns", "high", "ms", TP_SUMMARY_TIME, epoch_high_ns, MS, 1, PLAIN),
	NUMBER("samples_per_s_median", "samples/s", "", TP_SUMMARY_TIME, samples_per_s, 1, 1, MORE, BRIEF),
	NUMBER("epochs_per_h", "epochs/h", "", TP_SUMMARY_TIME, epochs_per_h, 1, 1, MORE),
	COUNT("baseline_row_number", "against", "row", TP_SUMMARY_TIME, baseline, PLAIN),
	NUMBER("speed_up_ratio", "speed-up", "ratio", TP_SUMMARY_TIME, speed_up, 1, 3, MORE, BRIEF),
	NUMBER("speed_up_low_ratio", "low", "ratio", TP_SUMMARY_TIME, speed_up_low, 1, 3, BRIEF),
	NUMBER("speed_up_high_ratio", "high", "ratio", TP_SUMMARY_TIME, speed_up_high, 1, 3, BRIEF),
	NUMBER("speed_up_confidence_share", "sure", "%", TP_SUMMARY_TIME, speed_up_confidence, PERCENT, 0, PLAIN),

	NUMBER("idle_total_ratio", "bubble", "idle/total %", TP_SUMMARY_WAITING, idle_total, PERCENT, 1, LESS, BRIEF),
	NUMBER("idle_ideal_ratio", "bubble", "idle/ideal %", TP_SUMMARY_WAITING, idle_ideal, PERCENT, 1, LESS),
	NUMBER("steady_samples_per_s", "steady", "samples/s", TP_SUMMARY_WAITING, steady_samples_per_s, 1, 1, MORE),
	NUMBER("steady_idle_total_ratio", "steady", "idle/total %", TP_SUMMARY_WAITING, steady_idle_total, PERCENT, 1, LESS),
	NUMBER("alpha_ratio", "alpha", "overlap", TP_SUMMARY_WAITING, alpha, 1, 3, MORE),
	NUMBER("exposed_ns", "exposed", "ms", TP_SUMMARY_WAITING, exposed_ns, MS, 1, LESS),
	NUMBER("predicted_median_ns", "predicted", "ms", TP_SUMMARY_WAITING, predicted_ns, MS, 1, PLAIN),
	NUMBER("difference_ratio", "differs by", "%", TP_SUMMARY_WAITING, difference, PERCENT, 1, PLAIN),

	NUMBER("largest_stage_peak_bytes", "fullest", "MiB", TP_SUMMARY_WEIGHTS, fullest_bytes, MIB, 2, LESS, BRIEF),
	COUNT("fullest_stage", "fullest", "stage", TP_SUMMARY_WEIGHTS, fullest_stage, PLAIN),
	NUMBER("peak_total_bytes", "all", "MiB", TP_SUMMARY_WEIGHTS, total_bytes, MIB, 2, LESS),
	LIST("stage_peak_bytes", "by stage", "MiB", TP_SUMMARY_WEIGHTS, stage_bytes, MIB, 2),
	LIST("versions_alive_max", "versions alive", "by stage", TP_SUMMARY_WEIGHTS, versions_alive, 1, 0),
	COUNT("version_difference_paper", "v", "Eq.3", TP_SUMMARY_WEIGHTS, version_paper, PLAIN),
	COUNT("version_difference_exact", "v", "slot", TP_SUMMARY_WEIGHTS, version_exact, PLAIN),
	COUNT("timed_prediction_max_count", "v timed", "max", TP_SUMMARY_WEIGHTS, version_timed_max, PLAIN),
	NUMBER("timed_prediction_mean_count", "v timed", "mean", TP_SUMMARY_WEIGHTS, version_timed_mean, 1, 2, PLAIN),
	COUNT("version_difference_max", "v", "max", TP_SUMMARY_WEIGHTS, version_max, LESS, BRIEF),
	NUMBER("version_difference_mean", "v", "mean", TP_SUMMARY_WEIGHTS, version_mean, 1, 2, LESS),
	COUNT("version_chains", "chains", "", TP_SUMMARY_WEIGHTS, version_chains, PLAIN),

	COUNT("evaluated_run_count", "runs", "", TP_SUMMARY_LEARNING, evaluated, PLAIN),
	NUMBER("test_top1_share", "top-1", "%", TP_SUMMARY_LEARNING, top1, PERCENT, 2, MORE, BRIEF),
	NUMBER("test_top1_min_share", "min", "%", TP_SUMMARY_LEARNING, top1_min, PERCENT, 2, PLAIN),
	NUMBER("test_top1_max_share", "max", "%", TP_SUMMARY_LEARNING, top1_max, PERCENT, 2, PLAIN),
	NUMBER("test_top5_share", "top-5", "%", TP_SUMMARY_LEARNING, top5, PERCENT, 2, MORE),
	NUMBER("test_top5_min_share", "min", "%", TP_SUMMARY_LEARNING, top5_min, PERCENT, 2, PLAIN),
	NUMBER("test_top5_max_share", "max", "%", TP_SUMMARY_LEARNING, top5_max, PERCENT, 2, PLAIN),
	NUMBER("test_loss", "test loss", "", TP_SUMMARY_LEARNING, loss, 1, 4, LESS, BRIEF),
	NUMBER("test_loss_min", "min", "", TP_SUMMARY_LEARNING, loss_min, 1, 4, PLAIN),
	NUMBER("test_loss_max", "max", "", TP_SUMMARY_LEARNING, loss_max, 1, 4, PLAIN),

	NUMBER("target_top1_share", "top-1", "%", TP_SUMMARY_TARGETS, target_top1.wanted, PERCENT, 2, PLAIN),
	COUNT("target_top1_run_count", "of", "runs", TP_SUMMARY_TARGETS, target_top1.runs, PLAIN),
	COUNT("target_top1_reached_count", "reached", "runs", TP_SUMMARY_TARGETS, target_top1.reached, MORE),
	NUMBER("target_top1_epochs_median", "epochs", "", TP_SUMMARY_TARGETS, target_top1.epochs, 1, 1, LESS),
	NUMBER("target_top1_median_s", "seconds", "", TP_SUMMARY_TARGETS, target_top1.seconds, 1, 3, LESS),
	NUMBER("target_loss", "test loss", "", TP_SUMMARY_TARGETS, target_loss.wanted, 1, 4, PLAIN),
	COUNT("target_loss_run_count", "of", "runs", TP_SUMMARY_TARGETS, target_loss.runs, PLAIN),
	COUNT("target_loss_reached_count", "reached", "runs", TP_SUMMARY_TARGETS, target_loss.reached, MORE),
	NUMBER("target_loss_epochs_median", "epochs", "", TP_SUMMARY_TARGETS, target_loss.epochs, 1, 1, LESS),
	NUMBER("target_loss_median_s", "seconds", "", TP_SUMMARY_TARGETS, target_loss.seconds, 1, 3, LESS),

	COUNT("batch_samples", "M", "", TP_SUMMARY_SETTINGS, batch_samples, PLAIN),
	TEXT("model", "model", TP_SUMMARY_SETTINGS, model),
	TEXT("dataset", "data", TP_SUMMARY_SETTINGS, dataset),
	TEXT("device", "device", TP_SUMMARY_SETTINGS, device),
	TEXT("operation_order", "order", TP_SUMMARY_SETTINGS, order),
	TEXT("clock", "clock", TP_SUMMARY_SETTINGS, clock),
	TEXT("cluster", "cluster", TP_SUMMARY_SETTINGS, cluster),
	TEXT("link", "link", TP_SUMMARY_SETTINGS, link),
	TEXT("costs", "costs", TP_SUMMARY_SETTINGS, costs),
	COUNT("run_count", "runs", "", TP_SUMMARY_SETTINGS, runs, PLAIN),
	COUNT("seed_count", "seeds", "", TP_SUMMARY_SETTINGS, seeds, PLAIN),
	COUNT("epoch_count", "epochs", "", TP_SUMMARY_SETTINGS, epochs, PLAIN),
	COUNT("left_out_run_count", "left out", "runs", TP_SUMMARY_SETTINGS, left_out, PLAIN),
	LIST("run_ids", "run ids", "", TP_SUMMARY_SETTINGS, run_ids, 1, 0),
	TEXT("other_settings", "other settings", TP_SUMMARY_SETTINGS, others),
	{.name = NULL},
};
/* clang-format on */

const char *tp_summary_block_word(enum tp_summary_block block)
{
#define TP_SUMMARY_TEXT_OF(name, word, title) [name] = (word),
	static const char *const words[] = {TP_SUMMARY_BLOCK_LIST(TP_SUMMARY_TEXT_OF)};
#undef TP_SUMMARY_TEXT_OF
	return words[block];
}

const char *tp_summary_block_title(enum tp_summary_block block)
{
#define TP_SUMMARY_TEXT_OF(name, word, title) [name] = (title),
	static const char *const titles[] = {TP_SUMMARY_BLOCK_LIST(TP_SUMMARY_TEXT_OF)};
#undef TP_SUMMARY_TEXT_OF
	return titles[block];
}

static bool is_known(const struct tp_summary_column *column, const struct tp_summary_row *row)
{
	switch (column->kind) {
	case TP_SUMMARY_TEXT:
		return tp_summary_text(column, row)[0] != '\0';
	case TP_SUMMARY_LIST:
		return tp_summary_list_of(column, row)->count > 0;
	default:
		return isfinite(tp_summary_number(column, row));
	}
}

bool tp_summary_shows(const struct tp_summary *summary, const struct tp_summary_column *column,
                      enum tp_summary_block block)
{
	bool names_row = column->block == TP_SUMMARY_KEY, known = names_row;
	bool numbers_row = column->offset == AT(number) && summary->needs_numbers;
	if (block == TP_SUMMARY_KEY ? !column->brief && !numbers_row : column->block != block && !names_row)
		return false;
	for (int32_t i = 0; i < summary->row_count && !known; i++)
		known = is_known(column, &summary->rows[i]);
	return known;
}

bool tp_summary_has(const struct tp_summary *summary, enum tp_summary_block block)
{
	for (const struct tp_summary_column *column = tp_summary_columns; column->name && summary->row_count > 0;
	     column++) {
		if (column->block == block && tp_summary_shows(summary, column, block))
			return true;
	}
	return false;
}

/* Long lists are those of run ids. */
#define LIST_MOST 16

void tp_summary_cell(const struct tp_summary_column *column, const struct tp_summary_row *row, struct tp_text *out)
{
	if (!is_known(column, row)) {
		tp_text_add(out, "-");
	} else if (column->kind == TP_SUMMARY_TEXT) {
		tp_text_add(out, "%s", tp_summary_text(column, row));
	} else if (column->kind == TP_SUMMARY_LIST) {
		const struct tp_summary_list *list = tp_summary_list_of(column, row);
		for (int32_t i = 0; i < list->count && i < LIST_MOST; i++)
			tp_text_add(out, "%s%.*f", i ? " " : "", column->decimals,
			            (double)list->values[i] * column->scale);
		if (list->count > LIST_MOST)
			tp_text_add(out, " .. %" PRId64, list->values[list->count - 1]);
	} else {
		tp_text_add(out, "%.*f", column->decimals, tp_summary_number(column, row) * column->scale);
	}
}

bool tp_summary_is_best(const struct tp_summary *summary, const struct tp_summary_column *column, int32_t row)
{
	double baseline = summary->rows[row].baseline;
	bool some_is_worse = false;
	if (column->better == 0 || !is_known(column, &summary->rows[row]))
		return false;
	double value = tp_summary_number(column, &summary->rows[row]);
	for (int32_t i = 0; i < summary->row_count; i++) {
		if (summary->rows[i].baseline != baseline || !is_known(column, &summary->rows[i]))
			continue;
		double ahead = column->better * (tp_summary_number(column, &summary->rows[i]) - value);
		if (ahead > 0)
			return false;
		some_is_worse |= ahead < 0;
	}
	return some_is_worse;
}

/* A word of the settings that some row has. */
static bool some(const struct tp_summary *summary, size_t offset, const char *word)
{
	for (int32_t i = 0; i < summary->row_count; i++) {
		const char *text = *(char *const *)((const char *)&summary->rows[i] + offset);
		if (word ? strcmp(text, word) == 0 : text[0] != '\0')
			return true;
	}
	return false;
}

void tp_summary_notes(const struct tp_summary *summary, struct tp_text *out)
{
	bool modelled = some(summary, AT(clock), "virtual"), measured = some(summary, AT(clock), "real");
	if (summary->row_count == 0)
		return;
	if (modelled)
		tp_text_add(out, "Time %s modelled by the virtual clock%s; arithmetic and staleness are real.\n",
		            measured ? "of some rows is" : "is",
		            measured ? " (clock virtual), of the others measured" : "");
	else
		tp_text_add(out, "Time is measured.\n");
	if (some(summary, AT(cluster), NULL) || some(summary, AT(link), NULL))
		tp_text_add(out, "Links and clusters are emulated; their speed is a parameter of the run.\n");
	tp_text_add(
	        out,
	        "epoch: median over all epochs of the row's runs, with the 95 %% interval of the median (low, high) "
	        "from 6 epochs on.\n");
	tp_text_add(out,
	            "speed-up: samples/s against %s with the same settings, and how sure its interval is (95 %% is "
	            "aimed at).\n",
	            summary->baseline);
	tp_text_add(out,
	            "bubble: idle/total = idle time / (W * window), idle/ideal = idle time / compute time; steady: "
	            "without the first and last W mini-batches.\n");
	tp_text_add(out,
	            "v: mini-batches by which a backward is ahead of the last commit; Eq.3 and slot are predictions "
	            "for ideal slots.\n");
	tp_text_add(out,
	            "Accuracy and loss: mean over runs, each at its latest evaluated epoch. -: not known, or does not "
	            "apply.\n");
	if (summary->left_out_groups > 0)
		tp_text_add(out, "%" PRId32 " configuration%s without a usable run %s left out.\n",
		            summary->left_out_groups, summary->left_out_groups == 1 ? "" : "s",
		            summary->left_out_groups == 1 ? "is" : "are");
	if (summary->stand_in_runs > 0) {
		tp_groups_say_stand_ins(summary->stand_in_runs, out);
		tp_text_add(out, ".\n");
	}
}
