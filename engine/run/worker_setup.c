#include "engine/base/memory.h"
#include "engine/run/worker_compute.h"
#include "engine/run/worker_records.h"

enum tp_status tp_worker_init(struct tp_worker *worker, int64_t spin_ns)
{
	const struct tp_crew *crew = worker->crew;
	const struct tp_pipeline *pipeline = &crew->pipeline;
	int32_t forwards = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches);
	int32_t backwards = tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches);
	/* A neighbour cannot send more than the first stage holds. */
	int64_t minis = tp_minis_in_flight(pipeline, 0);
	/* Where operations are in flight, their messages keep their places meanwhile. */
	int64_t more = worker->stage.ops->async ? TP_FLIGHT_MESSAGES : 0;
	/* Where the device works on its own there is more to look at than the waiter's signals. */
	worker->flight.stares = worker->stage.ops->async && spin_ns > 0;
	TP_TRY(tp_waiter_init(&worker->waiter, worker->stage.ops->async ? 0 : spin_ns));
	TP_TRY(tp_channel_init(&worker->activations, minis * forwards + more, &worker->waiter));
	TP_TRY(tp_channel_init(&worker->gradients, minis * backwards + more, &worker->waiter));
	TP_TRY(tp_station_init(&worker->station, pipeline, worker->index));
	worker->runs = tp_alloc_array((size_t)forwards, sizeof *worker->runs);
	worker->freed = tp_alloc_array((size_t)worker->stage.spec.version_buffers, sizeof *worker->freed);
	worker->retired = tp_alloc_array((size_t)worker->stage.spec.version_buffers, sizeof *worker->retired);
	if (!worker->runs || !worker->freed || !worker->retired)
		return TP_ERR_NOMEM;
	if (worker->index == 0) {
		int64_t elements = crew->slicing.batch * tp_shape_elements(worker->stage.spec.input.shape);
		worker->staging = tp_alloc_array((size_t)elements, sizeof *worker->staging);
		if (!worker->staging)
			return TP_ERR_NOMEM;
	}
	return TP_OK;
}

void tp_worker_release(struct tp_worker *worker)
{
	if (worker->activations.receiver) /* the waiter was made */
		tp_waiter_release(&worker->waiter);
	tp_channel_release(&worker->activations);
	tp_channel_release(&worker->gradients);
	tp_station_release(&worker->station);
	tp_free(worker->runs);
	tp_free(worker->freed);
	tp_free(worker->retired);
	tp_free(worker->staging);
	tp_stage_release(&worker->stage);
}

void tp_worker_begin_epoch(struct tp_worker *worker)
{
	tp_station_begin_epoch(&worker->station, &worker->crew->pipeline);
	tp_memory_restart(&worker->stage.memory, worker->crew->epoch);
	if (worker->index > 0)
		tp_channel_reset(&worker->activations);
	if (worker->index < worker->crew->pipeline.stages - 1)
		tp_channel_reset(&worker->gradients);
	worker->planned = 0;
	worker->held = false;
	worker->loss = (struct tp_loss_result){0};
	worker->samples_seen = 0;
	worker->first_start_ns = -1;
}

void tp_worker_begin_records(struct tp_worker *worker, int64_t now_ns)
{
	bool records = worker->recorder.rings[TP_RECORD_OP].capacity > 0;
	struct tp_version_ledger *ledger = &worker->station.ledger;
	tp_recorder_restart(&worker->recorder);
	worker->recorder.now_ns = now_ns;
	worker->notes = &worker->recorder;
	worker->stage.memory.recorder = records ? &worker->recorder : NULL;
	ledger->freed = records || worker->flight.ops ? tp_worker_note_freed : NULL;
	ledger->freed_context = worker;
	tp_memory_record_start(&worker->stage.memory);
}

void tp_worker_drain(struct tp_worker *worker)
{
	tp_ledger_drain(&worker->station.ledger);
	tp_worker_record_versions(worker, worker->last_end_ns);
	worker->stage.memory.recorder = NULL;
	worker->station.ledger.freed = NULL;
}
