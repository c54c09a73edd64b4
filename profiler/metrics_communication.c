/* What went between stages, and how much of the time it took was hidden behind computing. */
#include <stdlib.h>

#include "engine/base/memory.h"
#include "profiler/metrics_internal.h"

struct interval {
	int64_t start, end;
};

static enum tp_status count_messages(const struct tp_metrics_input *input, struct tp_metrics *metrics)
{
	for (int64_t i = 0; i < input->records.message_count; i++) {
		const struct tp_message_record *message = &input->records.messages[i];
		int32_t boundary = message->is_gradient ? message->to_stage : message->from_stage;
		if (boundary < 0 || boundary + 1 >= input->stages)
			return tp_fail(TP_ERR_INPUT, "records: a message between stages %d and %d of %d",
			               message->from_stage, message->to_stage, input->stages);
		struct tp_boundary_metrics *at = &metrics->boundary[boundary];
		*(message->is_gradient ? &at->up_messages : &at->down_messages) += 1;
		*(message->is_gradient ? &at->up_bytes : &at->down_bytes) += message->bytes;
		metrics->transfers |= !message->handed_over;
	}
	return TP_OK;
}

static int by_start(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* Sorted intervals made disjoint, in place; returns how many are left. */
static int64_t merge(struct interval *intervals, int64_t count)
{
	int64_t merged = 0;
	qsort(intervals, (size_t)count, sizeof *intervals, by_start);
	for (int64_t i = 0; i < count; i++) {
		if (merged > 0 && intervals[i].start <= intervals[merged - 1].end) {
			if (intervals[i].end > intervals[merged - 1].end)
				intervals[merged - 1].end = intervals[i].end;
			continue;
		}
		intervals[merged++] = intervals[i];
	}
	return merged;
}

/* When a message to or from the stage was under way. */
static int64_t collect_transfers(const struct tp_metrics_input *input, int32_t stage, struct interval *intervals)
{
	int64_t count = 0;
	for (int64_t i = 0; i < input->records.message_count; i++) {
		const struct tp_message_record *message = &input->records.messages[i];
		bool concerns = message->from_stage == stage || message->to_stage == stage;
		if (concerns && !message->handed_over && message->arrived_ns > message->sent_ns)
			intervals[count++] = (struct interval){message->sent_ns, message->arrived_ns};
	}
	return merge(intervals, count);
}

/* The stage's operations, in order and disjoint, against its transfers. */
static void measure_overlap(const struct tp_metrics_input *input, int32_t stage, const struct interval *transfers,
                            int64_t count, struct tp_stage_metrics *metrics)
{
	int64_t first = 0;
	for (int64_t t = 0; t < count; t++)
		metrics->transfer_ns += transfers[t].end - transfers[t].start;
	for (int64_t i = 0; i < input->records.op_count; i++) {
		const struct tp_op_record *op = &input->records.ops[i];
		if (op->stage != stage)
			continue;
		while (first < count && transfers[first].end <= op->start_ns)
			first++;
		for (int64_t t = first; t < count && transfers[t].start < op->end_ns; t++) {
			int64_t from = op->start_ns > transfers[t].start ? op->start_ns : transfers[t].start;
			int64_t to = op->end_ns < transfers[t].end ? op->end_ns : transfers[t].end;
			metrics->overlap_ns += to - from;
		}
	}
	metrics->exposed_ns = metrics->transfer_ns - metrics->overlap_ns;
}

enum tp_status tp_metrics_communication(const struct tp_metrics_input *input, struct tp_metrics *metrics)
{
	double overlap = 0, transfer = 0;
	TP_TRY(count_messages(input, metrics));
	if (!metrics->transfers)
		return TP_OK;
	struct interval *intervals = tp_alloc_array((size_t)input->records.message_count, sizeof *intervals);
	if (!intervals)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < input->stages; s++) {
		int64_t count = collect_transfers(input, s, intervals);
		measure_overlap(input, s, intervals, count, &metrics->stage[s]);
		overlap += (double)metrics->stage[s].overlap_ns;
		transfer += (double)metrics->stage[s].transfer_ns;
	}
	metrics->alpha = transfer > 0 ? overlap / transfer : 0;
	tp_free(intervals);
	return TP_OK;
}
