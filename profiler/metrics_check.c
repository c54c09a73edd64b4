/* The account of a stage's time must close: operations and idle intervals fill the window to the nanosecond. Checked
 * from the records again, not from the sums. */
#include "profiler/metrics.h"

static enum tp_status check_stage_sum(int32_t stage, const struct tp_stage_metrics *metrics, int64_t window_ns)
{
	int64_t sum = metrics->compute_ns;
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		sum += metrics->idle_ns[cause];
	if (sum == window_ns)
		return TP_OK;
	return tp_fail(TP_ERR_INPUT,
	               "stage %d: expected computing and idle causes to fill the window of %lld ns, found %lld", stage,
	               (long long)window_ns, (long long)sum);
}

/* Where the account of a stage has come to. */
struct walk {
	int64_t op, idle; /* next of each */
	int64_t now;
};

/* Step over whichever operation or idle interval of the stage begins now; false when none does. */
static bool step(const struct tp_metrics_input *input, const struct tp_metrics *metrics, int32_t stage,
                 struct walk *walk)
{
	const struct tp_op_record *op = &input->records.ops[walk->op];
	const struct tp_idle_interval *idle = &metrics->idle[walk->idle];
	bool some_op = walk->op < input->records.op_count && op->stage == stage && op->start_ns == walk->now;
	bool some_idle = walk->idle < metrics->idle_count && idle->stage == stage && idle->start_ns == walk->now;
	if (some_op && (!some_idle || op->end_ns == op->start_ns)) {
		walk->now = op->end_ns;
		walk->op++;
	} else if (some_idle) {
		walk->now = idle->end_ns;
		walk->idle++;
	}
	return some_op || some_idle;
}

enum tp_status tp_metrics_check(const struct tp_metrics_input *input, const struct tp_metrics *metrics)
{
	const struct tp_records *records = &input->records;
	int64_t start = INT64_MAX;
	for (int64_t i = 0; i < records->op_count; i++)
		start = records->ops[i].start_ns < start ? records->ops[i].start_ns : start;
	struct walk walk = {0};
	for (int32_t s = 0; s < input->stages && records->op_count > 0; s++) {
		TP_TRY(check_stage_sum(s, &metrics->stage[s], metrics->window_ns));
		walk.now = start;
		while (step(input, metrics, s, &walk))
			;
		bool op_left = walk.op < records->op_count && records->ops[walk.op].stage == s;
		bool idle_left = walk.idle < metrics->idle_count && metrics->idle[walk.idle].stage == s;
		if (op_left || idle_left || walk.now != start + metrics->window_ns)
			return tp_fail(
			        TP_ERR_INPUT,
			        "stage %d: expected operations and idle intervals to follow each other to the end of "
			        "the window at %lld ns, found a gap or an overlap at %lld ns",
			        s, (long long)(start + metrics->window_ns), (long long)walk.now);
	}
	return TP_OK;
}
