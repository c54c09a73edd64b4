/* The engine's records of a GPU are as good as events tell; a trace of kernels and copies knows better. */
#include <stdbool.h>
#include <stdlib.h>

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

/* The operations of a stage. */
static struct span span_of(const struct tp_op_record *ops, int64_t count, int16_t stage)
{
	int64_t first = 0;
	while (first < count && ops[first].stage < stage)
		first++;
	struct span none = {.first = count, .stage = stage};
	return first < count && ops[first].stage == stage ? span_at(ops, count, first) : none;
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

/* Streams of a stage that copy, at most. */
enum { STREAMS = 16 };

/* What went one way, in the order in which it arrived, and the operations of the stage that it went to. */
struct traffic {
	struct tp_message_record **messages;
	int64_t count;
	const struct tp_op_record *ops;
	struct span readers;
};

static bool reads(const struct tp_op_record *op, const struct tp_message_record *message)
{
	bool direction = message->is_gradient ? op->kind == TP_OP_B || op->kind == TP_OP_BX : op->kind == TP_OP_F;
	bool part = op->micro == message->micro || op->micro == TP_WHOLE || message->micro == TP_WHOLE;
	return direction && part && op->mini == message->mini;
}

/* The number of the operation that read it, at `from` or later: they read in the order of arrival. -1: none did. */
static int64_t find_reader(const struct traffic *traffic, const struct tp_message_record *message, int64_t from)
{
	const struct span *span = &traffic->readers;
	while (from < span->count && !reads(&traffic->ops[span->first + from], message))
		from++;
	return from < span->count ? from : -1;
}

static bool moves(const struct tp_gpu_copy *copy)
{
	return copy->kind == COPY_WITHIN || copy->kind == COPY_BETWEEN;
}

static bool same_stream(const struct tp_gpu_copy *a, const struct tp_gpu_copy *b)
{
	const struct tp_gpu_place *x = &a->place, *y = &b->place;
	return x->stage == y->stage && x->stream_number == y->stream_number && x->context_number == y->context_number &&
	       x->gpu_number == y->gpu_number;
}

/* The stream's next copy from `at` on; the number of copies: there is none. */
static int64_t next_copy(const struct tp_gpu_records *records, const struct tp_gpu_copy *of, int64_t at)
{
	while (at < records->copy_count && !(moves(&records->copies[at]) && same_stream(&records->copies[at], of)))
		at++;
	return at;
}

/* How far the ends of a stream's copies are from the arrivals, `first` being the stream's first copy; -1: these are not
 * the messages' copies. */
static double compare(const struct tp_gpu_records *records, int64_t first, const struct traffic *traffic)
{
	const struct tp_gpu_copy *of = &records->copies[first];
	double apart_ns = 0;
	int64_t m = 0;
	for (int64_t i = first; i < records->copy_count; i = next_copy(records, of, i + 1)) {
		const struct tp_gpu_copy *copy = &records->copies[i];
		if (m == traffic->count || copy->bytes != traffic->messages[m]->bytes)
			return -1;
		double apart = (double)(copy->place.end_ns - traffic->messages[m++]->arrived_ns);
		apart_ns += apart < 0 ? -apart : apart;
	}
	return m == traffic->count ? apart_ns : -1;
}

/* The messages get the times of their copies. A receiver's copies, which it asked for at any time, get the operation
 * that they were made for. */
static void take(struct tp_gpu_records *records, int64_t first, const struct traffic *traffic)
{
	const struct tp_gpu_copy *of = &records->copies[first];
	int64_t at = first, from = 0;
	for (int64_t m = 0; m < traffic->count; m++, at = next_copy(records, of, at + 1)) {
		struct tp_message_record *message = traffic->messages[m];
		struct tp_gpu_place *place = &records->copies[at].place;
		message->sent_ns = place->start_ns;
		message->arrived_ns = place->end_ns;
		message->ready_ns = message->ready_ns < message->sent_ns ? message->ready_ns : message->sent_ns;
		if (place->stage != message->to_stage)
			continue;
		place->operation = find_reader(traffic, message, from);
		from = place->operation > from ? place->operation : from;
	}
}

/* The first copy of the stream that carried the messages; -1: none did. Either side may have copied; where two streams
 * fit it is the one that was nearer in time. */
static int64_t find_stream(const struct tp_gpu_records *records, int16_t stage, int16_t other,
                           const struct traffic *traffic)
{
	int64_t seen[STREAMS], found = -1;
	double best = 0;
	int count = 0;
	for (int64_t i = 0; i < records->copy_count && count < STREAMS; i++) {
		const struct tp_gpu_copy *copy = &records->copies[i];
		bool known = !moves(copy) || (copy->place.stage != stage && copy->place.stage != other);
		for (int k = 0; k < count && !known; k++)
			known = same_stream(copy, &records->copies[seen[k]]);
		if (known)
			continue;
		seen[count++] = i;
		double apart = compare(records, i, traffic);
		if (apart >= 0 && (found < 0 || apart < best)) {
			best = apart;
			found = i;
		}
	}
	return found;
}

static int by_arrival(const void *a, const void *b)
{
	const struct tp_message_record *x = *(struct tp_message_record *const *)a,
	                               *y = *(struct tp_message_record *const *)b;
	return (x->arrived_ns > y->arrived_ns) - (x->arrived_ns < y->arrived_ns);
}

/* Copies carry no name of what they move. But all messages one way go over one stream, and nothing else does: where the
 * sizes agree from the first to the last these are the copies, else no message is changed. `list` has room for all. */
static void refine_messages(struct tp_gpu_records *records, const struct tp_op_record *ops, int64_t op_count,
                            struct tp_message_record *messages, int64_t count, struct tp_message_record **list)
{
	for (int64_t first = 0, end; first < count; first = end) {
		const int16_t stage = messages[first].to_stage;
		for (end = first; end < count && messages[end].to_stage == stage;)
			end++;
		for (int side = -1; side <= 1; side += 2) {
			const int16_t other = (int16_t)(stage + side);
			struct traffic traffic = {
			        .messages = list, .ops = ops, .readers = span_of(ops, op_count, stage)};
			for (int64_t i = first; i < end; i++)
				if (messages[i].from_stage == other && !messages[i].handed_over)
					list[traffic.count++] = &messages[i];
			if (traffic.count == 0)
				continue;
			qsort(list, (size_t)traffic.count, sizeof *list, by_arrival);
			int64_t stream = find_stream(records, stage, other, &traffic);
			if (stream >= 0)
				take(records, stream, &traffic);
		}
	}
}

enum tp_status tp_gpu_refine(struct tp_gpu_records *records, struct tp_op_record *ops, int64_t op_count,
                             struct tp_message_record *messages, int64_t message_count)
{
	bool *found = tp_alloc_array((size_t)op_count, sizeof *found);
	struct tp_message_record **list = tp_alloc_array((size_t)message_count, sizeof(struct tp_message_record *));
	enum tp_status status = found && list ? TP_OK : TP_ERR_NOMEM;
	if (status == TP_OK) {
		refine_operations(records, ops, op_count, found);
		refine_messages(records, ops, op_count, messages, message_count, list);
	}
	tp_free(found);
	tp_free(list);
	return status;
}
