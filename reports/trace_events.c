/* Rows of the database as events of a timeline. */
#include <sqlite3.h>

#include "engine/base/memory.h"
#include "engine/schedule/grid.h"
#include "profiler/metrics.h"
#include "reports/trace_internal.h"

/* Ranks of a stage's tracks: what computes first, then messages, then counters. Lanes follow their first. */
enum {
	RANK_COMPUTE = 0,
	RANK_KERNELS = 1000,
	RANK_SEND = 2000,
	RANK_RECEIVE = 3000,
	RANK_WAIT = 4000,
	RANK_IN_FLIGHT = 5000,
	RANK_LAG,
	RANK_MEMORY
};

void tp_trace_declare(struct tp_trace *trace, struct tp_trace_track *track, const char *name)
{
	track->id = ++trace->track_count;
	trace->writer->track(&trace->out, track, name);
}

/* The track of `stage` that counts something, declared at first use. */
static void count(struct tp_trace *trace, int32_t stage, struct tp_trace_track *track, const char *name, int32_t rank,
                  int64_t time_ns, int64_t value)
{
	if (!trace->writer->counter)
		return;
	if (track->id == 0) {
		track->process = trace->stages[stage].process.id;
		track->rank = rank;
		track->holds = rank >= RANK_MEMORY ? TP_TRACE_BYTE_COUNT : TP_TRACE_COUNT;
		tp_trace_declare(trace, track, name);
	}
	trace->writer->counter(&trace->out, track, name, time_ns, value);
	trace->out.event_count++;
}

static void add_slice(struct tp_trace *trace, const struct tp_trace_slice *slice)
{
	trace->writer->slice(&trace->out, slice);
	trace->out.event_count++;
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */

static struct tp_trace_lane *add_lane(struct tp_trace *trace, int32_t stage, struct tp_trace_lanes *lanes,
                                      const char *name, int32_t rank)
{
	/* Room doubles: it is full when the count is a power of two. */
	if ((lanes->count & (lanes->count - 1)) == 0) {
		size_t room = lanes->count ? 2 * (size_t)lanes->count : 1;
		struct tp_trace_lane *grown = tp_alloc_array(room, sizeof *grown);
		if (!grown)
			return NULL;
		if (lanes->count)
			memcpy(grown, lanes->lanes, (size_t)lanes->count * sizeof *grown);
		tp_free(lanes->lanes);
		lanes->lanes = grown;
	}
	struct tp_trace_lane *lane = &lanes->lanes[lanes->count++];
	lane->free_ns = INT64_MIN;
	lane->track =
	        (struct tp_trace_track){.process = trace->stages[stage].process.id, .rank = rank + lanes->count - 1};
	char numbered[32];
	unsigned char *at = tp_put_text((unsigned char *)numbered, name);
	if (lanes->count > 1)
		at = tp_put_integer(tp_put_text(at, " "), lanes->count);
	*at = '\0';
	tp_trace_declare(trace, &lane->track, numbered);
	return lane;
}

/* The first lane on which nothing lies from `start_ns` on, taken until `end_ns`. NULL when memory runs out. */
static const struct tp_trace_track *take_lane(struct tp_trace *trace, int32_t stage, struct tp_trace_lanes *lanes,
                                              const char *name, int32_t rank, int64_t start_ns, int64_t end_ns)
{
	struct tp_trace_lane *lane = NULL;
	for (int32_t i = 0; i < lanes->count && !lane; i++) {
		if (lanes->lanes[i].free_ns <= start_ns)
			lane = &lanes->lanes[i];
	}
	if (!lane)
		lane = add_lane(trace, stage, lanes, name, rank);
	if (!lane) {
		trace->failed_memory = true;
		return NULL;
	}
	lane->free_ns = end_ns;
	return &lane->track;
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* As in the grid, with the kind before what is no forward: "1A", "B 1", "B 1a", "BW 1a", "U 1". */
static void name_operation(char out[64], const char *kind, int64_t mini, int32_t micro)
{
	bool forward = strcmp(kind, "F") == 0;
	char letters[8] = "";
	unsigned char *at = (unsigned char *)out;
	if (!forward)
		at = tp_put_text(tp_put_text(at, kind), " ");
	at = tp_put_integer(at, mini);
	if (forward || micro != TP_WHOLE)
		at = tp_put_text(at, tp_micro_letters(micro < 0 ? 0 : micro, forward, letters));
	*at = '\0';
}

static void add_argument(struct tp_trace_slice *slice, enum tp_trace_argument argument, int64_t value)
{
	slice->arguments[slice->argument_count].argument = argument;
	slice->arguments[slice->argument_count++].value = value;
}

/* micro_batch is left out where all of the mini-batch is meant. */
static void add_batch(struct tp_trace_slice *slice, int64_t mini, int32_t micro)
{
	add_argument(slice, TP_TRACE_MINI_BATCH, mini);
	if (micro != TP_WHOLE)
		add_argument(slice, TP_TRACE_MICRO_BATCH, micro);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

/* Columns of an operation's row. */
enum { OP_START, OP_END, OP_KIND, OP_MINI, OP_MICRO, OP_SAMPLES, OP_READ, OP_LIVE, OP_COMMITTED };

static enum tp_op_kind operation_kind(sqlite3_stmt *row)
{
	const char *text = (const char *)sqlite3_column_text(row, OP_KIND);
	if (!text || text[0] == 'F')
		return TP_OP_F;
	if (text[0] == 'U')
		return TP_OP_U;
	return text[1] == 'X' ? TP_OP_BX : text[1] == 'W' ? TP_OP_BW : TP_OP_B;
}

static void count_in_flight(struct tp_trace *trace, int32_t stage, int64_t time_ns)
{
	struct tp_trace_stage *at = &trace->stages[stage];
	count(trace, stage, &at->in_flight, "mini-batches in flight", RANK_IN_FLIGHT, time_ns,
	      latest(at->entered_mini - at->left_mini, 0));
}

/* A mini-batch is in flight at a stage from its first forward there to the end of its backward, which is complete when
 * it has covered all samples. Both go in the order of mini-batches. */
static void follow_flight(struct tp_trace *trace, int32_t stage, enum tp_op_kind kind, sqlite3_stmt *row)
{
	struct tp_trace_stage *at = &trace->stages[stage];
	int64_t mini = sqlite3_column_int64(row, OP_MINI);
	if (kind == TP_OP_F && mini > at->entered_mini) {
		if (at->entered_mini == 0)
			at->left_mini = mini - 1;
		at->entered_mini = mini;
		count_in_flight(trace, stage, sqlite3_column_int64(row, OP_START));
	}
	if (kind != TP_OP_B && kind != TP_OP_BW)
		return;
	if (mini != at->backward_mini) {
		at->backward_mini = mini;
		at->backward_samples = 0;
	}
	at->backward_samples += sqlite3_column_int64(row, OP_SAMPLES);
	if (at->backward_samples >= trace->batch_samples && mini > at->left_mini) {
		at->left_mini = mini;
		count_in_flight(trace, stage, sqlite3_column_int64(row, OP_END));
	}
}

static void follow_lag(struct tp_trace *trace, int32_t stage, int64_t time_ns, int64_t lag)
{
	struct tp_trace_stage *at = &trace->stages[stage];
	if (lag == at->latest_lag)
		return;
	at->latest_lag = lag;
	count(trace, stage, &at->lag, "version lag (live - read)", RANK_LAG, time_ns, lag);
}

void tp_trace_operation(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row)
{
	static const enum tp_trace_category categories[TP_OP_KINDS] = {
	        [TP_OP_F] = TP_TRACE_F,  [TP_OP_B] = TP_TRACE_B,  [TP_OP_U] = TP_TRACE_U,
	        [TP_OP_BX] = TP_TRACE_B, [TP_OP_BW] = TP_TRACE_B,
	};
	enum tp_op_kind kind = operation_kind(row);
	int32_t micro = sqlite3_column_int(row, OP_MICRO);
	int64_t read = sqlite3_column_int64(row, OP_READ), live = sqlite3_column_int64(row, OP_LIVE);
	char name[64];
	struct tp_trace_slice slice = {
	        .start_ns = sqlite3_column_int64(row, OP_START),
	        .end_ns = sqlite3_column_int64(row, OP_END),
	        .category = categories[kind],
	        .name = name,
	        .name_number = TP_TRACE_NO_NUMBER,
	};
	name_operation(name, tp_op_kind_text(kind), sqlite3_column_int64(row, OP_MINI), micro);
	add_batch(&slice, sqlite3_column_int64(row, OP_MINI), micro);
	add_argument(&slice, TP_TRACE_SAMPLES, sqlite3_column_int64(row, OP_SAMPLES));
	add_argument(&slice, TP_TRACE_VERSION_READ, read);
	add_argument(&slice, TP_TRACE_VERSION_LIVE, live);
	add_argument(&slice, TP_TRACE_VERSION_COMMITTED, sqlite3_column_int64(row, OP_COMMITTED));
	if (kind != TP_OP_U) /* which reads the version that it is applied to, and is not behind */
		add_argument(&slice, TP_TRACE_STALENESS, live - read);
	slice.track = take_lane(trace, stage, &trace->stages[stage].compute, "compute", RANK_COMPUTE, slice.start_ns,
	                        slice.end_ns);
	if (!slice.track)
		return;
	add_slice(trace, &slice);
	follow_flight(trace, stage, kind, row);
	if (kind != TP_OP_U)
		follow_lag(trace, stage, slice.start_ns, live - read);
}

void tp_trace_epoch_begins(struct tp_trace *trace)
{
	for (int32_t s = 0; s < trace->stage_count; s++) {
		struct tp_trace_stage *at = &trace->stages[s];
		at->entered_mini = at->left_mini = at->backward_mini = 0;
		at->latest_lag = -1;
	}
}

/* --- the rest of a stage ------------------------------------------------------------------------------------------ */

/* Start, end, cause, operation. */
void tp_trace_idle(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row)
{
	const char *cause = (const char *)sqlite3_column_text(row, 2);
	int32_t number = 0;
	while (number < TP_TRACE_NAME_IDLE_OTHER && strcmp(trace->names.texts[number], cause ? cause : "") != 0)
		number++;
	struct tp_trace_slice slice = {
	        .start_ns = sqlite3_column_int64(row, 0),
	        .end_ns = sqlite3_column_int64(row, 1),
	        .category = TP_TRACE_WAIT,
	        .name = trace->names.texts[number],
	        .name_number = number,
	};
	if (sqlite3_column_int64(row, 3) >= 0)
		add_argument(&slice, TP_TRACE_OPERATION, sqlite3_column_int64(row, 3));
	slice.track =
	        take_lane(trace, stage, &trace->stages[stage].wait, "wait", RANK_WAIT, slice.start_ns, slice.end_ns);
	if (slice.track)
		add_slice(trace, &slice);
}

static int32_t kernel_name(const struct tp_trace *trace, int64_t id)
{
	int32_t low = 0, high = trace->names.count - TP_TRACE_FIXED_NAMES;
	while (low < high) {
		int32_t middle = low + (high - low) / 2;
		if (trace->kernel_ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == trace->names.count - TP_TRACE_FIXED_NAMES || trace->kernel_ids[low] != id)
		return TP_TRACE_NAME_IDLE_OTHER;
	return TP_TRACE_FIXED_NAMES + low;
}

/* Start, end, name, operation. */
void tp_trace_kernel(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row)
{
	int32_t number = kernel_name(trace, sqlite3_column_int64(row, 2));
	struct tp_trace_slice slice = {
	        .start_ns = sqlite3_column_int64(row, 0),
	        .end_ns = sqlite3_column_int64(row, 1),
	        .category = TP_TRACE_KERNEL,
	        .name = trace->names.texts[number],
	        .name_number = number,
	};
	if (sqlite3_column_int64(row, 3) >= 0)
		add_argument(&slice, TP_TRACE_OPERATION, sqlite3_column_int64(row, 3));
	slice.track = take_lane(trace, stage, &trace->stages[stage].kernels, "kernels", RANK_KERNELS, slice.start_ns,
	                        slice.end_ns);
	if (slice.track)
		add_slice(trace, &slice);
}

#define MEMORY "memory "

static int32_t known_memory(const struct tp_trace *trace, const char *kind)
{
	int32_t number = 1;
	while (number < TP_TRACE_MEMORY_KINDS && trace->memory_names[number] &&
	       strcmp(trace->memory_names[number] + strlen(MEMORY), kind) != 0)
		number++;
	return number;
}

/* The number of a kind of memory, kept when it is met first; 0, the sum, where there is no room for another. */
static int32_t memory_kind(struct tp_trace *trace, const unsigned char *text)
{
	int32_t number = known_memory(trace, text ? (const char *)text : "");
	if (number < TP_TRACE_MEMORY_KINDS && trace->memory_names[number])
		return number;
	char *clean = tp_trace_clean(text);
	char *name = tp_alloc(TP_TRACE_NAME_BYTES + sizeof MEMORY);
	number = clean ? known_memory(trace, clean) : TP_TRACE_MEMORY_KINDS;
	trace->failed_memory = trace->failed_memory || !clean || !name;
	if (number < TP_TRACE_MEMORY_KINDS && !trace->memory_names[number] && name) {
		*tp_put_text(tp_put_text((unsigned char *)name, MEMORY), clean) = '\0';
		trace->memory_names[number] = name;
		name = NULL;
	}
	tp_free(clean);
	tp_free(name);
	return number < TP_TRACE_MEMORY_KINDS && trace->memory_names[number] ? number : 0;
}

/* Time, kind, its bytes, all bytes. */
void tp_trace_memory_change(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row)
{
	int64_t time_ns = sqlite3_column_int64(row, 0);
	if (!trace->writer->counter)
		return;
	int32_t kind = memory_kind(trace, sqlite3_column_text(row, 1));
	struct tp_trace_track *tracks = trace->stages[stage].memory;
	if (kind > 0)
		count(trace, stage, &tracks[kind], trace->memory_names[kind], RANK_MEMORY + kind, time_ns,
		      sqlite3_column_int64(row, 2));
	count(trace, stage, &tracks[0], MEMORY "all", RANK_MEMORY, time_ns, sqlite3_column_int64(row, 3));
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Columns of a message's row. */
enum { MSG_READY, MSG_SENT, MSG_ARRIVED, MSG_WANTED, MSG_KIND, MSG_MINI, MSG_MICRO, MSG_BYTES, MSG_FROM };

struct message {
	int64_t ready_ns, sent_ns, arrived_ns, wanted_ns;
	int64_t mini, bytes;
	int32_t micro, from_stage, to_stage;
	uint64_t flow;
	char name[64];
};

static struct tp_trace_slice message_slice(const struct message *message, int64_t start_ns, int64_t end_ns,
                                           enum tp_trace_category category)
{
	struct tp_trace_slice slice = {.start_ns = start_ns,
	                               .end_ns = end_ns,
	                               .instant = start_ns == end_ns,
	                               .category = category,
	                               .name = message->name,
	                               .name_number = TP_TRACE_NO_NUMBER};
	add_batch(&slice, message->mini, message->micro);
	add_argument(&slice, TP_TRACE_BYTES, message->bytes);
	return slice;
}

static void rename_slice(const struct tp_trace *trace, struct tp_trace_slice *slice, int32_t number)
{
	slice->name = trace->names.texts[number];
	slice->name_number = number;
}

/* At the sender: until it left, and its way. */
static void add_send(struct tp_trace *trace, const struct message *message)
{
	int64_t left_ns = latest(message->sent_ns, message->ready_ns);
	int64_t arrived_ns = latest(message->arrived_ns, left_ns);
	const struct tp_trace_track *track =
	        take_lane(trace, message->from_stage, &trace->stages[message->from_stage].send, "send", RANK_SEND,
	                  message->ready_ns, latest(arrived_ns, left_ns + 1));
	if (!track)
		return;
	if (left_ns > message->ready_ns) {
		struct tp_trace_slice queue = message_slice(message, message->ready_ns, left_ns, TP_TRACE_SEND);
		rename_slice(trace, &queue, TP_TRACE_NAME_QUEUE);
		queue.track = track;
		add_slice(trace, &queue);
	}
	struct tp_trace_slice transfer = message_slice(message, left_ns, arrived_ns, TP_TRACE_SEND);
	add_argument(&transfer, TP_TRACE_TO_STAGE, message->to_stage);
	transfer.flow_from = message->flow;
	transfer.track = track;
	add_slice(trace, &transfer);
}

/* At the receiver: while it wanted the message, and when it took it. The arrow ends there, not where the wait began,
 * which may be long before the message was sent. */
static void add_receive(struct tp_trace *trace, const struct message *message)
{
	int64_t taken_ns = latest(message->wanted_ns, message->arrived_ns);
	const struct tp_trace_track *track =
	        take_lane(trace, message->to_stage, &trace->stages[message->to_stage].receive, "receive", RANK_RECEIVE,
	                  message->wanted_ns, taken_ns + 1);
	if (!track)
		return;
	if (taken_ns > message->wanted_ns) {
		struct tp_trace_slice wanted = message_slice(message, message->wanted_ns, taken_ns, TP_TRACE_RECEIVE);
		rename_slice(trace, &wanted, TP_TRACE_NAME_WANTED);
		wanted.track = track;
		add_slice(trace, &wanted);
	}
	struct tp_trace_slice taken = message_slice(message, taken_ns, taken_ns, TP_TRACE_RECEIVE);
	add_argument(&taken, TP_TRACE_FROM_STAGE, message->from_stage);
	taken.flow_to = message->flow;
	taken.track = track;
	add_slice(trace, &taken);
}

void tp_trace_message(struct tp_trace *trace, int32_t stage, sqlite3_stmt *row)
{
	const unsigned char *kind = sqlite3_column_text(row, MSG_KIND);
	struct message message = {
	        .ready_ns = sqlite3_column_int64(row, MSG_READY),
	        .sent_ns = sqlite3_column_int64(row, MSG_SENT),
	        .arrived_ns = sqlite3_column_int64(row, MSG_ARRIVED),
	        .wanted_ns = sqlite3_column_int64(row, MSG_WANTED),
	        .mini = sqlite3_column_int64(row, MSG_MINI),
	        .bytes = sqlite3_column_int64(row, MSG_BYTES),
	        .micro = sqlite3_column_int(row, MSG_MICRO),
	        .from_stage = sqlite3_column_int(row, MSG_FROM),
	        .to_stage = stage,
	        .flow = ++trace->flow_count,
	};
	name_operation(message.name, kind && kind[0] == 'g' ? "B" : "F", message.mini, message.micro);
	add_send(trace, &message);
	add_receive(trace, &message);
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

void tp_trace_epoch(struct tp_trace *trace, int32_t epoch, int64_t start_ns, int64_t end_ns, int64_t mini_batches,
                    int64_t samples)
{
	char name[32];
	struct tp_trace_slice slice = {.track = &trace->epochs,
	                               .start_ns = start_ns,
	                               .end_ns = end_ns,
	                               .category = TP_TRACE_EPOCH,
	                               .name = name,
	                               .name_number = TP_TRACE_NO_NUMBER};
	*tp_put_integer(tp_put_text((unsigned char *)name, "epoch "), epoch) = '\0';
	if (trace->epochs.id == 0) {
		trace->epochs.process = trace->run.id;
		tp_trace_declare(trace, &trace->epochs, "epochs");
	}
	add_argument(&slice, TP_TRACE_MINI_BATCHES, mini_batches);
	add_argument(&slice, TP_TRACE_SAMPLES, samples);
	add_slice(trace, &slice);
}
