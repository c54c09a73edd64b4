/* The engine's records of a GPU are as good as events tell; a trace of kernels and copies knows better. */
#include <stdbool.h>

#include "engine/base/memory.h"
#include "profiler/gpu_trace.h"

/* As CUPTI numbers them. */
enum { COPY_WITHIN = 8, COPY_BETWEEN = 10 };

/* The operations of one stage: number `n` is ops[first + n]. */
struct span {
	int64_t first, count;
	int16_t stage;
};

/* The stage that begins at `first`. */
static struct span span_at(const struct tp_op_record *ops, int64_t count, int64_t first)
{
	struct span span = {.first = first, .stage = ops[first].stage};
	while (first + span.count < count && ops[first + span.count].stage == span.stage)
		span.count++;
	return span;
}

/* --- operations ----------------------------------------------------------------------------------------------------
 */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What had no kernels goes between those that had; clocks that differ a little must not make operations overlap. */
static void put_in_order(struct tp_op_record *ops, const bool *found, int64_t count)
{
	int64_t limit = INT64_MAX, ended = INT64_MIN;
	for (int64_t i = count - 1; i >= 0; i--) {
		if (found[i]) {
			limit = ops[i].start_ns;
			continue;
		}
		ops[i].start_ns = ops[i].start_ns < limit ? ops[i].start_ns : limit;
		ops[i].end_ns = ops[i].end_ns < limit ? ops[i].end_ns : limit;
	}
	for (int64_t i = 0; i < count; i++) {
		ops[i].start_ns = later(ops[i].start_ns, ended);
		ops[i].end_ns = later(ops[i].end_ns, ops[i].start_ns);
		ended = ops[i].end_ns;
	}
}

static void refine_operations(const struct tp_gpu_records *records, struct tp_op_record *ops, int64_t count,
                              bool *found)
{
	int64_t k = 0;
	for (struct span span = {0}; span.first < count; span.first += span.count) {
		span = span_at(ops, count, span.first);
		for (; k < records->kernel_count && records->kernels[k].stage <= span.stage; k++) {
			const struct tp_kernel_record *kernel = &records->kernels[k];
			if (kernel->stage < span.stage || kernel->operation < 0 || kernel->operation >= span.count)
				continue;
			struct tp_op_record *op = &ops[span.first + kernel->operation];
			bool *known = &found[span.first + kernel->operation];
			op->start_ns = *known ? op->start_ns : kernel->start_ns;
			op->end_ns = *known ? later(op->end_ns, kernel->end_ns) : kernel->end_ns;
			*known = true;
		}
		put_in_order(ops + span.first, found + span.first, span.count);
	}
}

/* --- messages ------------------------------------------------------------------------------------------------------
 */

/* The copies of each operation, by time: places plus 1, 0 for none. */
struct copies_of {
	int64_t *first; /* by operation */
	int64_t *next;  /* by copy */
};

static void list_copies(const struct tp_gpu_records *records, const struct tp_op_record *ops, int64_t count,
                        struct copies_of *lists)
{
	int64_t at = records->copy_count;
	/* Both are by stage; from the end, so that each list begins with its earliest. */
	for (int64_t last = count; last > 0;) {
		struct span span = {.first = last, .stage = ops[last - 1].stage};
		while (span.first > 0 && ops[span.first - 1].stage == span.stage)
			span.first--;
		for (; at > 0 && records->copies[at - 1].place.stage >= span.stage; at--) {
			const struct tp_gpu_copy *copy = &records->copies[at - 1];
			int64_t operation = copy->place.operation;
			bool moves = copy->kind == COPY_WITHIN || copy->kind == COPY_BETWEEN;
			if (copy->place.stage != span.stage || !moves || operation < 0 ||
			    operation >= last - span.first)
				continue;
			lists->next[at - 1] = lists->first[span.first + operation];
			lists->first[span.first + operation] = at;
		}
		last = span.first;
	}
}

static bool reads(const struct tp_op_record *op, const struct tp_message_record *message)
{
	bool direction = message->is_gradient ? op->kind == TP_OP_B || op->kind == TP_OP_BX : op->kind == TP_OP_F;
	bool part = op->micro == message->micro || op->micro == TP_WHOLE || message->micro == TP_WHOLE;
	return direction && part && op->mini == message->mini;
}

static void refine_message(const struct tp_gpu_records *records, const struct copies_of *lists, int64_t operation,
                           struct tp_message_record *message)
{
	for (int64_t *link = &lists->first[operation]; *link; link = &lists->next[*link - 1]) {
		const struct tp_gpu_copy *copy = &records->copies[*link - 1];
		if (copy->bytes != message->bytes)
			continue;
		message->sent_ns = copy->place.start_ns;
		message->arrived_ns = copy->place.end_ns;
		message->ready_ns = message->ready_ns < message->sent_ns ? message->ready_ns : message->sent_ns;
		*link = lists->next[*link - 1]; /* each copy carries one message */
		return;
	}
}

/* Messages of a stage and direction are taken in the order of the operations that read them, so that the search goes on
 * where the last one ended. */
static void refine_messages(const struct tp_gpu_records *records, const struct copies_of *lists,
                            const struct tp_op_record *ops, int64_t op_count, struct tp_message_record *messages,
                            int64_t count)
{
	int64_t m = 0;
	for (struct span span = {0}; span.first < op_count; span.first += span.count) {
		span = span_at(ops, op_count, span.first);
		int64_t from[2] = {span.first, span.first};
		for (; m < count && messages[m].to_stage <= span.stage; m++) {
			struct tp_message_record *message = &messages[m];
			int64_t *at = &from[message->is_gradient != 0], i = *at;
			if (message->to_stage < span.stage || message->handed_over)
				continue;
			while (i < span.first + span.count && !reads(&ops[i], message))
				i++;
			if (i == span.first + span.count)
				continue;
			*at = i;
			refine_message(records, lists, i, message);
		}
	}
}

enum tp_status tp_gpu_refine(const struct tp_gpu_records *records, struct tp_op_record *ops, int64_t op_count,
                             struct tp_message_record *messages, int64_t message_count)
{
	bool *found = tp_alloc_array((size_t)op_count, sizeof *found);
	struct copies_of lists = {
	        .first = tp_alloc_array((size_t)op_count, sizeof *lists.first),
	        .next = tp_alloc_array((size_t)records->copy_count, sizeof *lists.next),
	};
	enum tp_status status = found && lists.first && lists.next ? TP_OK : TP_ERR_NOMEM;
	if (status == TP_OK) {
		refine_operations(records, ops, op_count, found);
		list_copies(records, ops, op_count, &lists);
		refine_messages(records, &lists, ops, op_count, messages, message_count);
	}
	tp_free(found);
	tp_free(lists.first);
	tp_free(lists.next);
	return status;
}
