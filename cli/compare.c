/* tpbench compare, also --compare: several schedules side by side. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/training.h"
#include "engine/base/clock.h"

/* On made data a comparison is about time, which needs repeats; on real data one run of each may take hours. */
#define REPEATS_SYNTHETIC 3

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
	tp_training_release(&training);
	return status;
}
