#include "profiler/metrics.h"

#include <stdlib.h>

#include "engine/base/memory.h"
#include "profiler/metrics_internal.h"

const char *tp_idle_cause_text(enum tp_idle_cause cause)
{
	static const char *const names[] = {
#define TP_IDLE_TEXT(name, text) text,
	        TP_IDLE_CAUSE_LIST(TP_IDLE_TEXT)
#undef TP_IDLE_TEXT
	};
	return names[cause];
}

/* What the passes over the records share. */
struct pass {
	const struct tp_metrics_input *input;
	struct tp_metrics *metrics;
	int64_t window_start, window_end;
	int64_t first_mini, mini_count;
	int64_t *mini_end; /* last moment of each mini-batch over all stages */
};

static void find_window(struct pass *pass)
{
	int64_t last_mini = 0;
	pass->window_start = INT64_MAX;
	pass->window_end = INT64_MIN;
	pass->first_mini = INT64_MAX;
	for (int64_t i = 0; i < pass->input->op_count; i++) {
		const struct tp_op_record *op = &pass->input->ops[i];
		pass->window_start = op->start_ns < pass->window_start ? op->start_ns : pass->window_start;
		pass->window_end = op->end_ns > pass->window_end ? op->end_ns : pass->window_end;
		pass->first_mini = op->mini < pass->first_mini ? op->mini : pass->first_mini;
		last_mini = op->mini > last_mini ? op->mini : last_mini;
	}
	pass->mini_count = last_mini - pass->first_mini + 1;
	pass->metrics->window_ns = pass->window_end - pass->window_start;
}

static void find_mini_ends(struct pass *pass)
{
	for (int64_t i = 0; i < pass->input->op_count; i++) {
		const struct tp_op_record *op = &pass->input->ops[i];
		int64_t *end = &pass->mini_end[op->mini - pass->first_mini];
		*end = op->end_ns > *end ? op->end_ns : *end;
	}
}

/* --- idle time ------------------------------------------------------------------------------------------------------
 */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* Split [from, to), in which the stage waited for `op`. */
static void charge_gap(const struct pass *pass, struct tp_stage_metrics *stage, int64_t from, int64_t to,
                       const struct tp_op_record *before, const struct tp_op_record *op,
                       const struct tp_message_record *message)
{
	if (!before) {
		stage->idle_ns[TP_IDLE_FILL] += to - from;
		return;
	}
	if (pass->input->flush && before->mini != op->mini) {
		int64_t flushed = clamp(pass->mini_end[before->mini - pass->first_mini], from, to);
		stage->idle_ns[TP_IDLE_DRAIN] += flushed - from;
		stage->idle_ns[TP_IDLE_FILL] += to - flushed;
		return;
	}
	int64_t ready = message ? clamp(message->ready_ns, from, to) : from;
	int64_t arrived = message ? clamp(message->arrived_ns, ready, to) : from;
	int64_t held = op->held_until_ns > 0 ? clamp(op->held_until_ns, arrived, to) : arrived;
	stage->idle_ns[TP_IDLE_SENDER] += ready - from;
	stage->idle_ns[TP_IDLE_MESSAGE] += arrived - ready;
	stage->idle_ns[TP_IDLE_STALENESS] += held - arrived;
	stage->idle_ns[TP_IDLE_HOST] += to - held;
}

static bool consumes(const struct tp_op_record *op, const struct tp_message_record *message)
{
	return message->mini == op->mini && message->micro == op->micro &&
	       message->is_gradient == (op->kind != TP_OP_F);
}

/* Does an operation of this kind at this stage take a message? */
static bool needs_message(const struct tp_metrics_input *input, const struct tp_op_record *op)
{
	return (op->kind == TP_OP_F && op->stage > 0) ||
	       ((op->kind == TP_OP_B || op->kind == TP_OP_BX) && op->stage < input->stages - 1);
}

/* --- one stage
 * -------------------------------------------------------------------------------------------------------- */

static void add_operation(struct tp_stage_metrics *stage, const struct tp_op_record *op, int64_t *backward_read,
                          double *staleness_sum, int64_t *reads)
{
	int64_t duration = op->end_ns - op->start_ns, stale = op->version_live - op->version_read;
	stage->compute_ns += duration;
	if (op->versions_alive > stage->versions_alive_max)
		stage->versions_alive_max = op->versions_alive;
	if (op->kind == TP_OP_U) {
		stage->update_ns += duration;
		int64_t at_update = op->version_live - *backward_read;
		if (at_update > stage->update_staleness_max)
			stage->update_staleness_max = at_update;
		return;
	}
	*(op->kind == TP_OP_F ? &stage->forward_ns : &stage->backward_ns) += duration;
	*staleness_sum += (double)stale;
	(*reads)++;
	if (stale > stage->staleness_max)
		stage->staleness_max = stale;
	if (op->kind != TP_OP_F) {
		int64_t mismatch = llabs((long long)(op->version_read - op->version_forward));
		*backward_read = op->version_read;
		if (mismatch > stage->mismatch_max)
			stage->mismatch_max = mismatch;
	}
}

/* The operations [first, end) of one stage, and its messages from *message on. */
static enum tp_status measure_stage(const struct pass *pass, int64_t first, int64_t end, int64_t *message)
{
	const struct tp_metrics_input *input = pass->input;
	const struct tp_op_record *before = NULL;
	int32_t s = input->ops[first].stage;
	struct tp_stage_metrics *stage = &pass->metrics->stage[s];
	int64_t free_since = pass->window_start, backward_read = 0, reads = 0;
	double staleness_sum = 0;
	for (int64_t i = first; i < end; i++) {
		const struct tp_op_record *op = &input->ops[i];
		const struct tp_message_record *taken = NULL;
		if (op->start_ns < free_since || op->end_ns < op->start_ns)
			return tp_fail(TP_ERR_INPUT, "records: operations of stage %d overlap at %lld ns", s,
			               (long long)op->start_ns);
		if (needs_message(input, op) && *message < input->message_count &&
		    input->messages[*message].to_stage == s && consumes(op, &input->messages[*message])) {
			taken = &input->messages[(*message)++];
			stage->received_messages++;
			stage->received_bytes += taken->bytes;
		}
		charge_gap(pass, stage, free_since, op->start_ns, before, op, taken);
		add_operation(stage, op, &backward_read, &staleness_sum, &reads);
		free_since = op->end_ns;
		before = op;
	}
	stage->idle_ns[TP_IDLE_DRAIN] += pass->window_end - free_since;
	stage->bubble_ns = pass->metrics->window_ns - stage->compute_ns;
	stage->staleness_mean = reads ? staleness_sum / (double)reads : 0;
	return TP_OK;
}

/* v(i), and the roots of the chains of updates, from the last stage's first backward of each mini-batch. */
static void measure_versions(const struct pass *pass)
{
	struct tp_metrics *metrics = pass->metrics;
	int64_t counted = 0, sum = 0, latest = 0;
	for (int64_t i = 0; i < pass->input->op_count; i++) {
		const struct tp_op_record *op = &pass->input->ops[i];
		if ((op->kind != TP_OP_B && op->kind != TP_OP_BX) || op->stage != pass->input->stages - 1 ||
		    op->mini == latest)
			continue;
		int64_t difference = op->mini - op->version_committed;
		latest = op->mini;
		counted++;
		sum += difference;
		if (difference > metrics->version_difference_max)
			metrics->version_difference_max = difference;
		/* It extends the mini-batch whose update is the newest it read: none of this epoch makes it a root. */
		metrics->version_chains += op->version_read < pass->first_mini;
	}
	metrics->version_difference_mean = counted ? (double)sum / (double)counted : 0;
}

static enum tp_status measure(struct pass *pass)
{
	const struct tp_metrics_input *input = pass->input;
	int64_t message = 0, bubble = 0, compute = 0;
	for (int64_t first = 0, end; first < input->op_count; first = end) {
		int32_t s = input->ops[first].stage;
		if (s < 0 || s >= input->stages)
			return tp_fail(TP_ERR_INPUT, "records: expected stages 0 to %d, found %d", input->stages - 1,
			               s);
		for (end = first; end < input->op_count && input->ops[end].stage == s; end++)
			;
		while (message < input->message_count && input->messages[message].to_stage < s)
			message++;
		TP_TRY(measure_stage(pass, first, end, &message));
	}
	for (int32_t s = 0; s < input->stages; s++) {
		struct tp_stage_metrics *stage = &pass->metrics->stage[s];
		if (stage->compute_ns == 0 && stage->bubble_ns == 0) { /* a stage that never worked only waited */
			stage->bubble_ns = pass->metrics->window_ns;
			stage->idle_ns[TP_IDLE_FILL] = stage->bubble_ns;
		}
		bubble += stage->bubble_ns;
		compute += stage->compute_ns;
	}
	measure_versions(pass);
	TP_TRY(tp_metrics_communication(input, pass->metrics));
	double window = (double)pass->metrics->window_ns * input->stages, held = 0;
	for (int32_t s = 0; s < input->stages; s++)
		held += (double)pass->metrics->stage[s].idle_ns[TP_IDLE_STALENESS];
	pass->metrics->staleness_idle_total = window > 0 ? held / window : 0;
	pass->metrics->bubble_idle_total = window > 0 ? (double)bubble / window : 0;
	pass->metrics->bubble_idle_ideal = compute > 0 ? (double)bubble / (double)compute : 0;
	return TP_OK;
}

enum tp_status tp_metrics_compute(const struct tp_metrics_input *input, struct tp_metrics *metrics)
{
	*metrics = (struct tp_metrics){0};
	metrics->stage = tp_alloc_array((size_t)input->stages, sizeof *metrics->stage);
	metrics->boundary = tp_alloc_array((size_t)input->stages, sizeof *metrics->boundary);
	if (!metrics->stage || !metrics->boundary) {
		tp_metrics_release(metrics);
		return TP_ERR_NOMEM;
	}
	if (input->op_count == 0)
		return TP_OK;
	struct pass pass = {.input = input, .metrics = metrics};
	find_window(&pass);
	pass.mini_end = tp_alloc_array((size_t)pass.mini_count, sizeof *pass.mini_end);
	enum tp_status status = TP_ERR_NOMEM;
	if (pass.mini_end) {
		find_mini_ends(&pass);
		status = measure(&pass);
	}
	tp_free(pass.mini_end);
	if (status != TP_OK)
		tp_metrics_release(metrics);
	return status;
}

void tp_metrics_release(struct tp_metrics *metrics)
{
	tp_free(metrics->stage);
	tp_free(metrics->boundary);
	*metrics = (struct tp_metrics){0};
}
