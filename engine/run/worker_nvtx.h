/* Ranges of a worker for outside tools, on the thread that works. Numbers of the epoch become numbers of the run, as in
 * the records. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_WORKER_NVTX_H
#define TP_ENGINE_RUN_WORKER_NVTX_H

#include "engine/run/worker.h"
#include "profiler/nvtx.h"

static inline int64_t tp_crew_run_id(const struct tp_crew *crew)
{
	return atomic_load_explicit(&crew->control->run_id, memory_order_relaxed);
}

/* What `action` does with weights of version `read`, or the message it takes or sends. tp_nvtx_pop() ends it. */
static inline void tp_worker_push_range(const struct tp_worker *worker, enum tp_nvtx_range range,
                                        const struct tp_action *action, int64_t read)
{
	const struct tp_crew *crew = worker->crew;
	tp_nvtx_push(range, (struct tp_nvtx_payload){
	                            .run = tp_crew_run_id(crew),
	                            .stage = worker->index,
	                            .micro_batch = action->micro,
	                            .mini_batch = crew->minis_before + action->mini,
	                            .version = crew->minis_before + read,
	                    });
}

/* Waiting for nothing in particular. tp_nvtx_pop() ends it. */
static inline void tp_worker_push_wait(const struct tp_worker *worker)
{
	tp_nvtx_push(TP_NVTX_WAIT, (struct tp_nvtx_payload){tp_crew_run_id(worker->crew), worker->index, -1, -1, -1});
}

#endif
