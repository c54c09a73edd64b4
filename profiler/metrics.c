#include "profiler/metrics.h"

#include <stdlib.h>
#include <string.h>

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
	int64_t first_mini;
	int64_t steady_start, steady_end;
};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void find_window(struct pass *pass)
{
	pass->window_start = INT64_MAX;
	pass->window_end = INT64_MIN;
	for (int64_t i = 0; i < pass->input->records.op_count; i++) {
		const struct tp_op_record *op = &pass->input->records.ops[i];
		pass->window_start = op->start_ns < pass->window_start ? op->start_ns : pass->window_start;
		pass->window_end = op->end_ns > pass->window_end ? op->end_ns : pass->window_end;
	}
	pass->metrics->window_ns = pass->window_end - pass->window_start;
}

static void find_steady_window(struct pass *pass)
{
	struct tp_metrics *metrics = pass->metrics;
	int64_t stages = pass->input->stages;
	if (metrics->mini_count <= 2 * stages)
		return;
	pass->steady_start = metrics->minis[stages - 1].end_ns;
	pass->steady_end = metrics->minis[metrics->mini_count - stages - 1].end_ns;
	metrics->steady_ns = pass->steady_end - pass->steady_start;
	metrics->steady_minis = metrics->mini_count - 2 * stages;
}

/* --- idle time ------------------------------------------------------------------------------------------------------
 */

/* The stage was idle in [from, to) because of `cause`, before its operation number `operation`. */
static enum tp_status charge(const struct pass *pass, int32_t stage, enum tp_idle_cause cause, int64_t from, int64_t to,
                             int64_t operation)
{
	struct tp_metrics *metrics = pass->metrics;
	if (to <= from)
		return TP_OK;
	metrics->stage[stage].idle_ns[cause] += to - from;
	if (metrics->idle_count == metrics->idle_room) {
		int64_t room = metrics->idle_room > 0 ? 2 * metrics->idle_room : 1024;
		struct tp_idle_interval *more = tp_alloc_array((size_t)room, sizeof *more);
		if (!more)
			return TP_ERR_NOMEM;
		if (metrics->idle_count > 0)
			memcpy(more, metrics->idle, (size_t)metrics->idle_count * sizeof *more);
		tp_free(metrics->idle);
		metrics->idle = more;
		metrics->idle_room = room;
	}
	metrics->idle[metrics->idle_count++] =
	        (struct tp_idle_interval){from, to, operation, (int16_t)stage, (int16_t)cause};
	return TP_OK;
}

/* Split [from, to), in which the stage waited for `op`, its operation `number`. */
static enum tp_status charge_gap(const struct pass *pass, int64_t from, const struct tp_op_record *before,
                                 const struct tp_op_record *op, int64_t number, const struct tp_message_record *message)
{
	int64_t to = op->start_ns;
	int32_t s = op->stage;
	if (!before)
		return charge(pass, s, TP_IDLE_FILL, from, to, number);
	if (pass->input->flush && before->mini != op->mini) {
		int64_t ended = pass->metrics->minis[before->mini - pass->first_mini].end_ns;
		int64_t flushed = clamp(ended, from, to);
		TP_TRY(charge(pass, s, TP_IDLE_DRAIN, from, flushed, number));
		return charge(pass, s, TP_IDLE_FILL, flushed, to, number);
	}
	int64_t ready = message ? clamp(message->ready_ns, from, to) : from;
	int64_t arrived = message ? clamp(message->arrived_ns, ready, to) : from;
	int64_t held = op->held_until_ns > 0 ? clamp(op->held_until_ns, arrived, to) : arrived;
	TP_TRY(charge(pass, s, TP_IDLE_SENDER, from, ready, number));
	TP_TRY(charge(pass, s, TP_IDLE_MESSAGE, ready, arrived, number));
	TP_TRY(charge(pass, s, TP_IDLE_STALENESS, arrived, held, number));
	return charge(pass, s, TP_IDLE_HOST, held, to, number);
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

static void add_operation(const struct pass *pass, struct tp_stage_metrics *stage, const struct tp_op_record *op,
                          int64_t *backward_read, double *staleness_sum, int64_t *reads)
{
	int64_t duration = op->end_ns - op->start_ns, stale = op->version_live - op->version_read;
	stage->compute_ns += duration;
	stage->steady_compute_ns += clamp(op->end_ns, pass->steady_start, pass->steady_end) -
	                            clamp(op->start_ns, pass->steady_start, pass->steady_end);
	stage->forward_count += op->kind == TP_OP_F;
	stage->backward_count += op->kind == TP_OP_B || op->kind == TP_OP_BX;
	stage->update_count += op->kind == TP_OP_U;
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
	int32_t s = input->records.ops[first].stage;
	struct tp_stage_metrics *stage = &pass->metrics->stage[s];
	int64_t free_since = pass->window_start, backward_read = 0, reads = 0;
	double staleness_sum = 0;
	for (int64_t i = first; i < end; i++) {
		const struct tp_op_record *op = &input->records.ops[i];
		const struct tp_message_record *taken = NULL;
		if (op->start_ns < free_since || op->end_ns < op->start_ns)
			return tp_fail(TP_ERR_INPUT, "records: operations of stage %d overlap at %lld ns", s,
			               (long long)op->start_ns);
		if (needs_message(input, op) && *message < input->records.message_count &&
		    input->records.messages[*message].to_stage == s &&
		    consumes(op, &input->records.messages[*message])) {
			taken = &input->records.messages[(*message)++];
			stage->received_messages++;
			stage->received_bytes += taken->bytes;
		}
		TP_TRY(charge_gap(pass, free_since, before, op, i - first, taken));
		add_operation(pass, stage, op, &backward_read, &staleness_sum, &reads);
		free_since = op->end_ns;
		before = op;
	}
	TP_TRY(charge(pass, s, TP_IDLE_DRAIN, free_since, pass->window_end, -1));
	stage->bubble_ns = pass->metrics->window_ns - stage->compute_ns;
	stage->staleness_mean = reads ? staleness_sum / (double)reads : 0;
	return TP_OK;
}

static enum tp_status measure(struct pass *pass)
{
	const struct tp_metrics_input *input = pass->input;
	int64_t message = 0;
	for (int64_t first = 0, end; first < input->records.op_count; first = end) {
		int32_t s = input->records.ops[first].stage;
		if (s < 0 || s >= input->stages)
			return tp_fail(TP_ERR_INPUT, "records: expected stages 0 to %d, found %d", input->stages - 1,
			               s);
		for (end = first; end < input->records.op_count && input->records.ops[end].stage == s; end++)
			;
		while (message < input->records.message_count && input->records.messages[message].to_stage < s)
			message++;
		TP_TRY(measure_stage(pass, first, end, &message));
	}
	return tp_metrics_communication(input, pass->metrics);
}

/* A stage that never worked only waited. */
static enum tp_status charge_workless(const struct pass *pass, int32_t stage)
{
	struct tp_stage_metrics *metrics = &pass->metrics->stage[stage];
	if (metrics->compute_ns > 0 || metrics->bubble_ns > 0)
		return TP_OK;
	metrics->bubble_ns = pass->metrics->window_ns;
	return charge(pass, stage, TP_IDLE_FILL, pass->window_start, pass->window_end, -1);
}

static void sum_up(struct tp_metrics *metrics, int32_t stages)
{
	double window = (double)metrics->window_ns * stages, steady = (double)metrics->steady_ns * stages;
	double held = 0, bubble = 0, compute = 0, steady_compute = 0;
	for (int32_t s = 0; s < stages; s++) {
		held += (double)metrics->stage[s].idle_ns[TP_IDLE_STALENESS];
		bubble += (double)metrics->stage[s].bubble_ns;
		compute += (double)metrics->stage[s].compute_ns;
		steady_compute += (double)metrics->stage[s].steady_compute_ns;
	}
	metrics->staleness_idle_total = window > 0 ? held / window : 0;
	metrics->bubble_idle_total = window > 0 ? bubble / window : 0;
	metrics->bubble_idle_ideal = compute > 0 ? bubble / compute : 0;
	metrics->steady_idle_total = steady > 0 ? (steady - steady_compute) / steady : 0;
}

enum tp_status tp_metrics_compute(const struct tp_metrics_input *input, struct tp_metrics *metrics)
{
	*metrics = (struct tp_metrics){.stages = input->stages,
	                               .op_count = input->records.op_count,
	                               .message_count = input->records.message_count};
	metrics->stage = tp_alloc_array((size_t)input->stages, sizeof *metrics->stage);
	metrics->boundary = tp_alloc_array((size_t)input->stages, sizeof *metrics->boundary);
	if (!metrics->stage || !metrics->boundary) {
		tp_metrics_release(metrics);
		return TP_ERR_NOMEM;
	}
	if (input->records.op_count == 0)
		return TP_OK;
	struct pass pass = {.input = input, .metrics = metrics, .first_mini = INT64_MAX};
	for (int64_t i = 0; i < input->records.op_count; i++)
		pass.first_mini =
		        input->records.ops[i].mini < pass.first_mini ? input->records.ops[i].mini : pass.first_mini;
	find_window(&pass);
	enum tp_status status = tp_metrics_minis(input, pass.first_mini, metrics);
	if (status == TP_OK) {
		find_steady_window(&pass);
		status = measure(&pass);
	}
	for (int32_t s = 0; s < input->stages && status == TP_OK; s++)
		status = charge_workless(&pass, s);
	if (status == TP_OK)
		status = tp_metrics_versions(input, pass.first_mini, metrics);
	sum_up(metrics, input->stages);
	if (status != TP_OK)
		tp_metrics_release(metrics);
	return status;
}

void tp_metrics_release(struct tp_metrics *metrics)
{
	tp_free(metrics->stage);
	tp_free(metrics->boundary);
	tp_free(metrics->idle);
	tp_free(metrics->minis);
	tp_free(metrics->versions);
	*metrics = (struct tp_metrics){0};
}
