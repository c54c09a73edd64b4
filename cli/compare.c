/* tpbench compare, also --compare: several schedules side by side. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/training.h"
#include "engine/base/clock.h"
#include "engine/base/colour.h"
#include "reports/summary.h"

/* On made data a comparison is about time, which needs repeats; on real data one run of each may take hours. */
#define REPEATS_SYNTHETIC 3

/* The summary comes last, where the eye is when the prompt returns; the first schedule listed is what the table of
 * times compares with, too. */
static enum tp_status print_summary(const struct tp_training *training)
{
	struct tp_groups groups;
	struct tp_summary summary;
	struct tp_text text = {0};
	TP_TRY(tp_groups_read(training->store, training->comparison, &groups));
	enum tp_status status =
	        tp_summary_read(training->store, &groups, training->contestants[0].config.schedule, &summary);
	tp_groups_release(&groups);
	TP_TRY(status);
	if (summary.row_count > 0)
		tp_text_add(&text, "\n");
	tp_summary_write_brief(&summary, tp_colour_wanted(STDOUT_FILENO), &text);
	fputs(tp_text_get(&text), stdout);
	tp_summary_release(&summary);
	status = text.failed ? TP_ERR_NOMEM : TP_OK;
	tp_text_release(&text);
	return status;
}

enum tp_status tp_command_compare(const struct tp_arguments *arguments)
{
	struct tp_options options = arguments->options;
	if (options.repeats == 0)
		options.repeats = strcmp(options.config.dataset, "synthetic") == 0 ? REPEATS_SYNTHETIC : 1;
	if (options.config.epochs == 0)
		return tp_fail(TP_ERR_INPUT, "--epochs: expected at least 1 to compare, found 0");
	struct tp_training training;
	enum tp_status status = tp_training_init(&training, &options, options.schedules);
	(void)snprintf(training.comparison, sizeof training.comparison, "%" PRId64 "-%ld", tp_unix_s(), (long)getpid());
	if (status == TP_OK)
		status = tp_training_execute(&training);
	if (status == TP_OK)
		status = tp_training_report(&training, tp_report_write_compare);
	if (status == TP_OK && !options.json)
		status = print_summary(&training);
	tp_training_release(&training);
	return status;
}
