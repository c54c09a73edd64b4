#include "engine/run/flight.h"

#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/run/flight_messages.h"
#include "engine/run/worker.h"
#include "engine/run/worker_records.h"

/* How far a stage's thread is ahead of its device at most. An operation takes two stamps, its update one more. */
enum { STAMPS = TP_FLIGHT_MESSAGES, STAMPS_OF_OP = 3 };

/* --- memory --------------------------------------------------------------------------------------------------------
 */

/* Records that can be noted before the first of them is harvested. */
static void count_noted(const struct tp_worker *worker, int64_t counts[TP_RECORD_KINDS])
{
	const struct tp_crew *crew = worker->crew;
	for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
		counts[kind] = 0;
	counts[TP_RECORD_OP] = STAMPS;
	counts[TP_RECORD_READ] = crew->span == TP_SPAN_RUNS ? (int64_t)STAMPS * crew->slicing.count : 0;
	/* A slot and its message taken or given back, versions and lineages counted when it begins and ends. */
	counts[TP_RECORD_MEMORY] = (int64_t)STAMPS * (2 + 2 * 2);
	counts[TP_RECORD_VERSION] = STAMPS + worker->stage.spec.version_buffers;
}

static enum tp_status reserve_noted(struct tp_flight *flight, const struct tp_worker *worker)
{
	int64_t counts[TP_RECORD_KINDS];
	size_t bytes = 0;
	count_noted(worker, counts);
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++)
		bytes += tp_align_up((size_t)counts[kind] * tp_record_bytes(kind));
	unsigned char *at = flight->memory = tp_alloc(bytes);
	if (!at)
		return TP_ERR_NOMEM;
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++) {
		struct tp_ring *ring = &flight->noted.rings[kind];
		ring->slots = at;
		ring->record_bytes = tp_record_bytes(kind);
		ring->capacity = counts[kind];
		at += tp_align_up((size_t)counts[kind] * ring->record_bytes);
	}
	flight->noted.stage = (int16_t)worker->index;
	return TP_OK;
}

static enum tp_status make_marks(struct tp_flight *flight, const struct tp_worker *worker)
{
	const int32_t slots = worker->stage.spec.slots;
	flight->marks = tp_alloc_array(STAMPS, sizeof(struct tp_mark *));
	flight->slots = tp_alloc_array((size_t)slots, sizeof *flight->slots);
	flight->messages = tp_alloc_array(STAMPS, sizeof *flight->messages);
	if (!flight->marks || !flight->slots || !flight->messages)
		return TP_ERR_NOMEM;
	flight->mask = STAMPS - 1;
	for (int32_t i = 0; i < STAMPS; i++)
		TP_TRY(flight->ops->mark_new(flight->device, &flight->marks[i]));
	for (int32_t i = 0; i < slots; i++) {
		TP_TRY(flight->ops->mark_new(flight->device, &flight->slots[i].room));
		TP_TRY(flight->ops->mark_new(flight->device, &flight->slots[i].left));
		TP_TRY(flight->ops->mark_new(flight->device, &flight->slots[i].output_left));
	}
	return TP_OK;
}

enum tp_status tp_flight_init(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	const struct tp_crew *crew = worker->crew;
	if (!worker->stage.ops->async)
		return TP_OK;
	flight->ops = worker->stage.ops->async;
	flight->device = worker->stage.device;
	flight->runs_ahead = crew->static_order && crew->pipeline.max_staleness == 0;
	TP_TRY(reserve_noted(flight, worker));
	TP_TRY(make_marks(flight, worker));
	return tp_flight_init_channels(worker);
}

void tp_flight_release(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	if (!flight->ops)
		return;
	tp_flight_release_channels(worker);
	for (int32_t i = 0; flight->marks && i < STAMPS; i++)
		flight->ops->mark_free(flight->device, flight->marks[i]);
	for (int32_t i = 0; flight->slots && i < worker->stage.spec.slots; i++) {
		flight->ops->mark_free(flight->device, flight->slots[i].room);
		flight->ops->mark_free(flight->device, flight->slots[i].left);
		flight->ops->mark_free(flight->device, flight->slots[i].output_left);
	}
	tp_free(flight->marks);
	tp_free(flight->slots);
	tp_free(flight->messages);
	tp_free(flight->memory);
	*flight = (struct tp_flight){0};
}

void tp_flight_begin_epoch(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	if (!flight->ops)
		return;
	tp_recorder_restart(&flight->noted);
	flight->next = flight->settled = flight->harvested = 0;
	flight->message_first = flight->message_end = 0;
	flight->peak_bytes = worker->stage.memory.record.peak_total_bytes;
	flight->peak_ns = worker->stage.memory.record.peak_ns;
	for (int32_t i = 0; i < worker->stage.spec.slots; i++)
		flight->slots[i].given_back = flight->slots[i].sent = false;
	worker->notes = &flight->noted;
	if (worker->stage.memory.recorder)
		worker->stage.memory.recorder = &flight->noted;
}

void tp_flight_end_epoch(struct tp_worker *worker)
{
	struct tp_memory_ledger *memory = &worker->stage.memory;
	if (!worker->flight.ops)
		return;
	worker->notes = &worker->recorder;
	if (memory->recorder)
		memory->recorder = &worker->recorder;
	if (worker->flight.peak_ns > 0)
		memory->record.peak_ns = worker->flight.peak_ns;
}

/* --- stamps --------------------------------------------------------------------------------------------------------
 */

void tp_flight_keep(struct tp_flight *flight, enum tp_status status)
{
	if (flight->failure == TP_OK)
		flight->failure = status;
}

int64_t tp_flight_stamp(struct tp_flight *flight)
{
	TP_CHECK(flight->next - flight->settled < STAMPS);
	tp_flight_keep(flight, flight->ops->record(flight->device, flight->marks[flight->next & flight->mask]));
	return flight->next++;
}

static struct tp_mark *mark_of(const struct tp_flight *flight, int64_t stamp)
{
	return flight->marks[stamp & flight->mask];
}

/* --- harvest -------------------------------------------------------------------------------------------------------
 */

/* An operation that is over: its record still has stamps, these are the times. */
struct over {
	const struct tp_op_record *noted;
	int64_t start_ns, end_ns;
};

static int64_t time_of(const struct over *over, int64_t stamp)
{
	return stamp <= over->noted->start_ns ? over->start_ns : over->end_ns;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The oldest noted record of a kind, or NULL. */
static const void *peek(const struct tp_flight *flight, enum tp_record_kind kind)
{
	int64_t first, count;
	const void *record = tp_ring_peek(&flight->noted.rings[kind], &first, &count);
	return count > 0 ? record : NULL;
}

static void hand_on(struct tp_worker *worker, enum tp_record_kind kind, const void *record)
{
	struct tp_ring *ring = &worker->recorder.rings[kind];
	void *to = tp_ring_next(ring);
	if (to) {
		memcpy(to, record, tp_record_bytes(kind));
		tp_ring_commit(ring);
	}
	tp_ring_release(&worker->flight.noted.rings[kind], 1);
}

static void harvest_changes(struct tp_worker *worker, const struct over *over)
{
	struct tp_flight *flight = &worker->flight;
	for (const struct tp_memory_change *noted; (noted = peek(flight, TP_RECORD_MEMORY)) != NULL;) {
		if (noted->time_ns > over->noted->end_ns)
			return;
		struct tp_memory_change change = *noted;
		change.time_ns = time_of(over, noted->time_ns);
		if (change.stage_bytes > flight->peak_bytes) {
			flight->peak_bytes = change.stage_bytes;
			flight->peak_ns = change.time_ns;
		}
		hand_on(worker, TP_RECORD_MEMORY, &change);
	}
}

static void harvest_versions(struct tp_worker *worker, const struct over *over)
{
	for (const struct tp_version_record *noted; (noted = peek(&worker->flight, TP_RECORD_VERSION)) != NULL;) {
		if (noted->freed_ns > over->noted->end_ns)
			return;
		struct tp_version_record version = *noted;
		version.freed_ns = time_of(over, noted->freed_ns);
		hand_on(worker, TP_RECORD_VERSION, &version);
	}
}

static void harvest_reads(struct tp_worker *worker, const struct over *over)
{
	for (const struct tp_read_record *noted; (noted = peek(&worker->flight, TP_RECORD_READ)) != NULL;) {
		if (noted->mini > over->noted->mini)
			return;
		const struct tp_read_record read = *noted;
		hand_on(worker, TP_RECORD_READ, &read);
	}
}

/* The run's clock at a mark that was reached. */
static int64_t run_time(struct tp_worker *worker, const struct tp_mark *mark)
{
	struct tp_flight *flight = &worker->flight;
	int64_t monotonic_ns = worker->crew->clock_zero_ns;
	tp_flight_keep(flight, flight->ops->time(flight->device, mark, &monotonic_ns));
	return monotonic_ns - worker->crew->clock_zero_ns;
}

static void harvest_message(struct tp_worker *worker, const struct over *over)
{
	struct tp_flight *flight = &worker->flight;
	struct tp_noted_message *noted = &flight->messages[flight->message_first & flight->mask];
	if (flight->message_first == flight->message_end || noted->taken != over->noted->start_ns)
		return;
	struct tp_message message = noted->message;
	const struct tp_message_marks *marks = message.marks;
	/* GPUs' clocks differ a little: it was there when the operation began. A transport may have begun to wait
	 * before there was anything to carry. */
	message.ready_ns = earlier(run_time(worker, marks->ready), over->start_ns);
	message.sent_ns = message.arrived_ns = message.ready_ns;
	if (marks->arrived) {
		message.arrived_ns = earlier(run_time(worker, marks->arrived), over->start_ns);
		message.ready_ns = earlier(message.ready_ns, message.arrived_ns);
		message.sent_ns = earlier(later(run_time(worker, marks->began), message.ready_ns), message.arrived_ns);
	}
	tp_worker_write_message(worker, &message, over->start_ns);
	tp_channel_pop(noted->channel);
	flight->message_first++;
}

/* The oldest operation in flight, if it is over. */
static bool harvest_one(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	const struct tp_op_record *noted = peek(flight, TP_RECORD_OP);
	bool reached = false;
	if (!noted)
		return false;
	tp_flight_keep(flight, flight->ops->reached(flight->device, mark_of(flight, noted->end_ns), &reached));
	if (!reached || flight->failure != TP_OK)
		return false;
	/* In the order of the stream, whatever the last digits of the clock say. */
	const int64_t start_ns = later(run_time(worker, mark_of(flight, noted->start_ns)), worker->idle_since_ns);
	const struct over over = {noted, start_ns, later(run_time(worker, mark_of(flight, noted->end_ns)), start_ns)};
	harvest_changes(worker, &over);
	harvest_versions(worker, &over);
	harvest_reads(worker, &over);
	harvest_message(worker, &over);
	struct tp_op_record record = *noted;
	record.start_ns = over.start_ns;
	record.end_ns = over.end_ns;
	record.held_until_ns = noted->held_until_ns > 0 ? over.start_ns : 0;
	tp_ring_release(&flight->noted.rings[TP_RECORD_OP], 1);
	tp_worker_write_op(worker, &record);
	flight->settled = noted->end_ns; /* an update begins where its backward ends */
	flight->harvested++;
	return true;
}

void tp_flight_service(struct tp_worker *worker)
{
	while (harvest_one(worker))
		;
	tp_flight_accept(worker);
}

/* --- versions ------------------------------------------------------------------------------------------------------
 */

void tp_flight_note_freed(struct tp_worker *worker, int64_t version)
{
	const struct tp_version_ledger *ledger = &worker->station.ledger;
	int32_t buffer = ledger->versions[version & ledger->version_mask].buffer;
	/* Of an update in place the buffer goes on: only one that was put back is free. */
	if (ledger->free_count > 0 && ledger->free_buffers[ledger->free_count - 1] == buffer)
		worker->retired[worker->retired_count++] = buffer;
}

static bool is_free(const struct tp_version_ledger *ledger, int32_t buffer)
{
	for (int32_t i = 0; i < ledger->free_count; i++)
		if (ledger->free_buffers[i] == buffer)
			return true;
	return false;
}

/* One that was taken again meanwhile has been written by now. */
void tp_flight_retire(struct tp_worker *worker)
{
	for (int32_t i = 0; i < worker->retired_count; i++) {
		if (is_free(&worker->station.ledger, worker->retired[i]))
			tp_stage_retire(&worker->stage, worker->retired[i]);
	}
	worker->retired_count = 0;
}

/* --- waiting -------------------------------------------------------------------------------------------------------
 */

static bool has_failed(const struct tp_worker *worker)
{
	return worker->flight.failure != TP_OK;
}

/* tp_worker_ready: */
static bool has_marks(struct tp_worker *worker, void *context)
{
	(void)context;
	const struct tp_flight *flight = &worker->flight;
	tp_flight_service(worker);
	return has_failed(worker) || STAMPS - (flight->next - flight->settled) >= STAMPS_OF_OP;
}

static bool has_reached(struct tp_worker *worker, void *context)
{
	struct tp_flight *flight = &worker->flight;
	bool reached = false;
	tp_flight_accept(worker);
	tp_flight_keep(flight, flight->ops->reached(flight->device, context, &reached));
	return reached || has_failed(worker);
}

static bool has_harvested(struct tp_worker *worker, void *context)
{
	const int64_t *before = context;
	tp_flight_service(worker);
	return worker->flight.harvested > *before || has_failed(worker);
}

enum tp_status tp_flight_begin(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_flight *flight = &worker->flight;
	TP_TRY(tp_worker_wait(worker, has_marks, NULL));
	if (flight->failure == TP_OK)
		tp_flight_keep(flight, tp_flight_await_message(worker, action));
	return flight->failure;
}

void tp_flight_tell(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	flight->ops->operation(flight->device, tp_recorder_operation(&flight->noted));
}

enum tp_status tp_flight_settle(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	if (flight->runs_ahead || flight->next == 0)
		return TP_OK;
	TP_TRY(tp_worker_wait(worker, has_reached, mark_of(flight, flight->next - 1)));
	return flight->failure;
}

enum tp_status tp_flight_land(struct tp_worker *worker)
{
	struct tp_flight *flight = &worker->flight;
	if (flight->ops)
		flight->ops->operation(flight->device, -1);
	while (flight->failure == TP_OK && peek(flight, TP_RECORD_OP)) {
		int64_t before = flight->harvested;
		TP_TRY(tp_worker_wait(worker, has_harvested, &before));
	}
	/* Nor does anything else read what the next epoch writes. */
	return flight->failure == TP_OK ? tp_stage_finish(&worker->stage) : flight->failure;
}
