#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/run/worker_nvtx.h"

/* A waiting stage looks up this often, to see that the run was stopped or its time is over. */
#define LOOK_UP_NS (TP_NS_PER_S / 10)
/* One whose device works on its own, which wakes nobody, looks all the time at first, where it has a core of its own,
 * then this often. */
#define STARE_AT_DEVICE_NS (TP_NS_PER_S / 2000)
#define LOOK_AT_DEVICE_NS (TP_NS_PER_S / 50000)

void tp_crew_fail(struct tp_crew *crew, enum tp_status status)
{
	(void)pthread_mutex_lock(&crew->failure_mutex);
	if (crew->failure == TP_OK) {
		crew->failure = status;
		(void)snprintf(crew->failure_detail, sizeof crew->failure_detail, "%s", tp_detail());
	}
	(void)pthread_mutex_unlock(&crew->failure_mutex);
	atomic_store(&crew->abort, true);
	tp_crew_abort_links(crew);
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		tp_waiter_signal(&crew->workers[s].waiter);
}

static enum tp_status check_stop(const struct tp_crew *crew)
{
	if (atomic_load_explicit(&crew->abort, memory_order_relaxed))
		return tp_fail(TP_ERR_ABORTED, "stopped because another stage failed");
	if (atomic_load_explicit(&crew->control->stop, memory_order_relaxed))
		return tp_fail(TP_ERR_INTERRUPTED, "interrupted");
	return TP_OK;
}

static enum tp_status time_is_over(const struct tp_worker *worker)
{
	const struct tp_progress *progress = &worker->station.progress;
	if (worker->flight.next > worker->flight.settled)
		return tp_fail(
		        TP_ERR_TIMEOUT,
		        "stage %d waited %.1f s for its device or its neighbours (--timeout): %lld operations are "
		        "over, more were issued",
		        worker->index, (double)worker->crew->config->timeout_ns * 1e-9,
		        (long long)worker->flight.harvested);
	return tp_fail(
	        TP_ERR_TIMEOUT,
	        "stage %d waited %.1f s for its neighbours (--timeout): %lld forwards and %lld backwards done of "
	        "%lld mini-batches",
	        worker->index, (double)worker->crew->config->timeout_ns * 1e-9, (long long)progress->forward.done,
	        (long long)progress->backward.done, (long long)progress->minis);
}

static enum tp_status wait_until(struct tp_worker *worker, tp_worker_ready *ready, void *context)
{
	int64_t deadline = 0, stare_until = 0;
	for (;;) {
		uint32_t count = tp_waiter_count(&worker->waiter);
		TP_TRY(check_stop(worker->crew));
		if (ready(worker, context))
			return TP_OK;
		int64_t now = tp_now_ns();
		if (deadline == 0) {
			deadline = now + worker->crew->config->timeout_ns;
			stare_until = worker->flight.stares ? now + STARE_AT_DEVICE_NS : 0;
		}
		if (now >= deadline)
			return time_is_over(worker);
		if (now < stare_until)
			continue;
		int64_t look_up = now + (worker->flight.ops ? LOOK_AT_DEVICE_NS : LOOK_UP_NS);
		(void)tp_waiter_wait(&worker->waiter, count, look_up < deadline ? look_up : deadline);
	}
}

enum tp_status tp_worker_wait(struct tp_worker *worker, tp_worker_ready *ready, void *context)
{
	TP_TRY(check_stop(worker->crew));
	if (ready(worker, context))
		return TP_OK;
	tp_worker_push_wait(worker);
	enum tp_status status = wait_until(worker, ready, context);
	tp_nvtx_pop();
	return status;
}
