/* One stage at work: what it owns, and what all workers of a run share. Three files act on it: worker_compute.c does
 * the arithmetic of operations, worker.c drives it in real time on a thread of its own, virtual_driver.c drives all
 * workers one operation at a time. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_WORKER_H
#define TP_ENGINE_RUN_WORKER_H

#include "engine/config/run_config.h"
#include "engine/data/dataset.h"
#include "engine/run/emulation.h"
#include "engine/run/flight.h"
#include "engine/run/soundness.h"
#include "engine/run/stage.h"
#include "engine/run/trainer.h"
#include "engine/schedule/slot_plan.h"
#include "engine/transport/board.h"
#include "engine/transport/channel.h"
#include "engine/transport/courier.h"
#include "profiler/counters.h"
#include "profiler/kernel_names.h"
#include "profiler/recorder.h"

struct tp_worker {
	struct tp_crew *crew;
	int32_t index;
	struct tp_stage stage;
	struct tp_station station;
	struct tp_recorder recorder;
	struct tp_recorder *notes; /* what the stage's thread writes to: the recorder, or that of what is in flight */
	struct tp_waiter waiter;
	struct tp_channel activations; /* from the stage before; unused at stage 0 */
	struct tp_channel gradients;   /* from the stage after; unused at the last stage */
	float *staging;                /* stage 0: a mini-batch of samples as the data set gives them */
	struct tp_read_run *runs;      /* room for those of one backward */
	int64_t *freed;                /* versions that the ledger gave up, not yet recorded */
	int32_t freed_count;
	int32_t *
	        retired; /* buffers of versions given up, until the operation under way is issued; async devices only */
	int32_t retired_count;
	int64_t planned;       /* static order: operations taken from the plan */
	bool held;             /* idle with a backward that only the staleness bound keeps from starting */
	int64_t idle_since_ns; /* end of the latest operation */
	/* of the epoch */
	int64_t first_start_ns, last_end_ns;
	struct tp_loss_result loss; /* last stage: summed over the forwards */
	int64_t samples_seen;
	struct tp_counters counters; /* of the stage's thread, with --profile kernels; and what they came to: */
	struct tp_counter_record counted[TP_COUNTERS];
	int32_t counted_count;
	struct tp_flight flight;
};

/* What the workers of a run share. Everything but the atomics is read-only while they work. */
struct tp_crew {
	const struct tp_run_config *config;
	const struct tp_dataset *dataset;
	struct tp_sample_order order;
	struct tp_run_control *control;
	struct tp_pipeline pipeline;
	struct tp_slicing slicing;
	enum tp_span span;         /* what a backward covers, and a slot holds */
	struct tp_worker *workers; /* one per stage */
	struct tp_board board;
	struct tp_slot_plan plan; /* static order only */
	bool static_order;
	struct tp_kernel_names kernel_names; /* --profile kernels only */
	struct tp_verify_report soundness;   /* the verifier's, of this plan and these rings */
	const struct tp_emulation *emulation;
	struct tp_courier courier;      /* real clock with links only */
	const struct tp_link_ops *link; /* between devices that work on their own; else NULL */
	int64_t clock_zero_ns;
	int64_t clock_error_ns; /* how far the devices' clocks may be off the machine's, at most */
	/* the epoch: its number, and mini-batches (hence updates) before it */
	int32_t epoch;
	int64_t minis_before;
	/* the first failure ends the run for all */
	_Atomic bool abort;
	pthread_mutex_t failure_mutex;
	enum tp_status failure;
	char failure_detail[TP_DETAIL_BYTES];
};

/* Everything a worker owns but its stage's weights. The stage itself is made by the plan. Safe to release after a
 * failure. */
enum tp_status tp_worker_init(struct tp_worker *worker, int64_t spin_ns);
void tp_worker_release(struct tp_worker *worker);

/* Before an epoch, while nobody works; and before one that is trained, at `now_ns` of the run's clock, what it begins
 * with. */
void tp_worker_begin_epoch(struct tp_worker *worker);
void tp_worker_begin_records(struct tp_worker *worker, int64_t now_ns);

/* All of an epoch on the calling thread, in real time. Returns when the stage has done its part or the run ended; a
 * failure is in the crew then. */
void tp_worker_epoch(struct tp_worker *worker);

/* After an epoch that ended well: the pipeline has drained, and only what the next epoch starts from is kept. */
void tp_worker_drain(struct tp_worker *worker);

static inline bool tp_worker_is_last(const struct tp_worker *worker)
{
	return worker->index == worker->crew->pipeline.stages - 1;
}

/* The queue that the operation takes a message from; NULL when it takes none. */
struct tp_channel *tp_worker_message_channel(struct tp_worker *worker, const struct tp_action *action);

/* Wait on the worker's own thread until `ready` says so; it is asked again whenever a neighbour has sent something.
 * Fails when the run was stopped (TP_ERR_INTERRUPTED), another stage failed (TP_ERR_ABORTED) or --timeout is over
 * (TP_ERR_TIMEOUT). */
typedef bool tp_worker_ready(struct tp_worker *worker, void *context);
enum tp_status tp_worker_wait(struct tp_worker *worker, tp_worker_ready *ready, void *context);

/* Nobody waits for a message between devices any more. */
void tp_crew_abort_links(struct tp_crew *crew);

/* Note a failure (with this thread's detail) and stop everyone; only the first counts. */
void tp_crew_fail(struct tp_crew *crew, enum tp_status status);

#endif
