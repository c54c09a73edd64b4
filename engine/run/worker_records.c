#include "engine/run/worker_records.h"

#include "engine/run/worker_compute.h"
#include "profiler/kernel_probe.h"

/* The epoch's window, and when the stage became idle. */
static void note_time(struct tp_worker *worker, int64_t start_ns, int64_t end_ns)
{
	if (worker->first_start_ns < 0)
		worker->first_start_ns = start_ns;
	worker->last_end_ns = worker->idle_since_ns = end_ns;
}

void tp_worker_write_op(struct tp_worker *worker, const struct tp_op_record *record)
{
	struct tp_ring *ring = &worker->recorder.rings[TP_RECORD_OP];
	note_time(worker, record->start_ns, record->end_ns);
	struct tp_op_record *place = tp_ring_next(ring);
	if (!place)
		return;
	*place = *record;
	tp_ring_commit(ring);
}

void tp_worker_record_op(struct tp_worker *worker, const struct tp_action *action, const struct tp_op_times *times)
{
	const struct tp_crew *crew = worker->crew;
	const bool timed = worker->notes == &worker->recorder; /* else the times are stamps */
	if (timed)
		note_time(worker, times->start_ns, times->end_ns);
	struct tp_ring *ring = &worker->notes->rings[TP_RECORD_OP];
	struct tp_op_record *record = tp_ring_next(ring);
	TP_CHECK(record || timed);
	if (!record)
		return;
	*record = (struct tp_op_record){
	        .start_ns = times->start_ns,
	        .end_ns = times->end_ns,
	        .mini = crew->minis_before + action->mini,
	        .version_read = crew->minis_before + times->begun.read,
	        .version_live = crew->minis_before + times->begun.live,
	        .version_committed = crew->minis_before + times->committed,
	        .version_forward = crew->minis_before + times->begun.oldest_forward,
	        .epoch = crew->epoch,
	        .micro = action->micro,
	        .samples = tp_slice_size(crew->slicing, crew->slicing.count == 1 ? TP_WHOLE : action->micro),
	        .stage = (int16_t)worker->index,
	        .kind = (int16_t)action->kind,
	        .versions_alive = (int16_t)worker->station.ledger.alive,
	        .in_place = times->in_place,
	        .held_until_ns = times->held_until_ns,
	};
	tp_ring_commit(ring);
}

void tp_worker_record_reads(struct tp_worker *worker, const struct tp_action *action)
{
	const struct tp_crew *crew = worker->crew;
	struct tp_ring *ring = &worker->notes->rings[TP_RECORD_READ];
	if (crew->span != TP_SPAN_RUNS || ring->capacity == 0)
		return;
	int32_t count =
	        tp_ledger_read_runs(&worker->station.ledger, action, crew->config->staleness_decay, worker->runs);
	for (int32_t i = 0; i < count; i++) {
		const struct tp_read_run *run = &worker->runs[i];
		for (int32_t micro = run->first; micro < run->first + run->count; micro++) {
			struct tp_read_record *record = tp_ring_next(ring);
			if (!record)
				continue;
			*record = (struct tp_read_record){
			        .mini = crew->minis_before + action->mini,
			        .version_forward = crew->minis_before + run->version,
			        .version_newest = crew->minis_before + run->newest,
			        .lambda = run->lambda,
			        .epoch = crew->epoch,
			        .micro = micro,
			        .stage = (int16_t)worker->index,
			};
			tp_ring_commit(ring);
		}
	}
}

void tp_worker_write_message(struct tp_worker *worker, const struct tp_message *message, int64_t taken_ns)
{
	const struct tp_crew *crew = worker->crew;
	struct tp_ring *ring = &worker->recorder.rings[TP_RECORD_MESSAGE];
	struct tp_message_record *record = tp_ring_next(ring);
	if (!record)
		return;
	bool gradient = message->activation == NULL;
	*record = (struct tp_message_record){
	        .ready_ns = message->ready_ns,
	        .sent_ns = message->sent_ns,
	        .arrived_ns = message->arrived_ns,
	        /* The stage waited since its latest operation, unless the message was there first. */
	        .wanted_ns = message->arrived_ns > worker->idle_since_ns ? worker->idle_since_ns : taken_ns,
	        .bytes = message->bytes,
	        .mini = crew->minis_before + message->mini,
	        .micro = message->micro,
	        .epoch = crew->epoch,
	        .from_stage = (int16_t)(gradient ? worker->index + 1 : worker->index - 1),
	        .to_stage = (int16_t)worker->index,
	        .is_gradient = gradient,
	        .handed_over = crew->link ? !crew->link->copies : crew->emulation->boundaries == NULL,
	};
	tp_ring_commit(ring);
}

void tp_worker_note_freed(void *context, int64_t version)
{
	struct tp_worker *worker = context;
	TP_CHECK(worker->freed_count < worker->stage.spec.version_buffers);
	worker->freed[worker->freed_count++] = version;
	if (worker->flight.ops)
		tp_flight_note_freed(worker, version);
}

void tp_worker_record_versions(struct tp_worker *worker, int64_t now_ns)
{
	struct tp_ring *ring = &worker->notes->rings[TP_RECORD_VERSION];
	worker->notes->now_ns = now_ns;
	for (int32_t i = 0; i < worker->freed_count; i++) {
		struct tp_version_record *record = tp_ring_next(ring);
		if (!record)
			break;
		*record = (struct tp_version_record){
		        .freed_ns = now_ns,
		        .version = worker->crew->minis_before + worker->freed[i],
		        .stage = (int16_t)worker->index,
		};
		tp_ring_commit(ring);
	}
	worker->freed_count = 0;
	tp_worker_count_versions(worker);
}

void tp_worker_begin_kernels(struct tp_worker *worker)
{
	const struct tp_crew *crew = worker->crew;
	const struct tp_ring *rings = worker->recorder.rings;
	worker->counted_count = 0;
	if (crew->config->profile != TP_PROFILE_KERNELS || rings[TP_RECORD_OP].capacity == 0)
		return;
	/* A device without values has no kernels, and one that works on its own traces them itself. */
	if (rings[TP_RECORD_KERNEL].capacity > 0)
		tp_kernel_probe = (struct tp_kernel_probe){&worker->recorder, crew->clock_zero_ns};
	tp_counters_start(&worker->counters, tp_counter_events, TP_COUNTERS);
}

void tp_worker_end_kernels(struct tp_worker *worker)
{
	tp_kernel_probe = (struct tp_kernel_probe){0};
	worker->counted_count = worker->counters.count;
	tp_counters_stop(&worker->counters, (int16_t)worker->index, worker->counted);
}
