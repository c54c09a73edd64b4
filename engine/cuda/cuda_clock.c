/* A GPU's clock: an event at its start, and more events as the run goes on. */
#include <float.h>
#include <math.h>

#include "engine/base/clock.h"
#include "engine/cuda/cuda_gpu.h"

/* Float milliseconds have 24 bits: half a second to 30 ns, an hour to 0.2 ms. */
#define ANCHOR_EVERY_NS (TP_NS_PER_S / 2)
/* The start is bracketed by the machine's clock so many times, and the closest counts. */
#define START_TRIES 5

static cudaEvent_t *anchor(struct tp_cuda_clock *clock, int64_t number)
{
	return &clock->anchors[number % TP_CUDA_ANCHORS];
}

static enum tp_status make_anchors(struct tp_cuda_clock *clock)
{
	for (int i = 0; i < TP_CUDA_ANCHORS; i++)
		if (!clock->anchors[i])
			TP_TRY(TP_CUDA_CHECK(cudaEventCreateWithFlags, &clock->anchors[i], cudaEventDefault));
	return TP_OK;
}

static enum tp_status await_event(cudaEvent_t event)
{
	const int64_t deadline = tp_now_ns() + TP_CUDA_PATIENCE_NS;
	cudaError_t error = cudaSuccess;
	while ((error = tp_cuda.cudaEventQuery(event)) == cudaErrorNotReady)
		if (tp_now_ns() >= deadline)
			return tp_fail(TP_ERR_TIMEOUT, "device cuda: the GPU does not answer");
	return tp_cuda_status(error, "cudaEventQuery", __FILE__, __LINE__);
}

/* The event lies between the two readings of the machine's clock; the last one recorded is the start. So tries end with
 * the first that is as close as the closest before it, or with the last. */
static enum tp_status bracket_start(struct tp_cuda_device *device, struct tp_cuda_clock *clock)
{
	int64_t closest = INT64_MAX;
	for (int i = 0; i < START_TRIES; i++) {
		const int64_t before = tp_now_ns();
		TP_TRY(TP_CUDA_CHECK(cudaEventRecord, *anchor(clock, 0), device->compute));
		TP_TRY(await_event(*anchor(clock, 0)));
		const int64_t width = tp_now_ns() - before;
		clock->monotonic_ns = before + width / 2;
		clock->error_ns = (width + 1) / 2;
		if (i > 0 && width <= closest)
			break;
		closest = width < closest ? width : closest;
	}
	return TP_OK;
}

static enum tp_status start_epoch(struct tp_cuda_device *device, struct tp_cuda_clock *clock)
{
	TP_TRY(make_anchors(clock));
	clock->epoch++;
	clock->recorded = clock->measured = 0;
	TP_TRY(bracket_start(device, clock));
	clock->anchor_ns[0] = 0;
	clock->recorded = clock->measured = 1;
	clock->recorded_at_ns = clock->monotonic_ns;
	return TP_OK;
}

/* The first device that starts a second time begins the next epoch; the others on its GPU join it. */
enum tp_status tp_cuda_clock_start(struct tp_cuda_device *device, int64_t *error_ns)
{
	struct tp_cuda_clock *clock = &device->shared->clock;
	enum tp_status status = TP_OK;
	(void)pthread_mutex_lock(&clock->lock);
	if (clock->measured == 0 || device->clock_epoch == clock->epoch)
		status = start_epoch(device, clock);
	device->clock_epoch = clock->epoch;
	*error_ns = clock->error_ns;
	(void)pthread_mutex_unlock(&clock->lock);
	return status;
}

static enum tp_status tick(struct tp_cuda_device *device, struct tp_cuda_clock *clock)
{
	const int64_t now = tp_now_ns();
	/* One place stays free for the latest that was measured, from which the next ones are. */
	if (clock->measured == 0 || now - clock->recorded_at_ns < ANCHOR_EVERY_NS ||
	    clock->recorded - clock->measured >= TP_CUDA_ANCHORS - 1)
		return TP_OK;
	TP_TRY(TP_CUDA_CHECK(cudaEventRecord, *anchor(clock, clock->recorded), device->compute));
	clock->recorded++;
	clock->recorded_at_ns = now;
	return TP_OK;
}

enum tp_status tp_cuda_clock_tick(struct tp_cuda_device *device)
{
	struct tp_cuda_clock *clock = &device->shared->clock;
	(void)pthread_mutex_lock(&clock->lock);
	const enum tp_status status = tick(device, clock);
	(void)pthread_mutex_unlock(&clock->lock);
	return status;
}

static enum tp_status elapsed_ns(cudaEvent_t from, cudaEvent_t to, double *ns)
{
	float ms = 0;
	TP_TRY(TP_CUDA_CHECK(cudaEventElapsedTime, &ms, from, to));
	*ns = (double)ms * 1e6;
	return TP_OK;
}

/* Measure the anchors that were reached, each from the one before it. */
static enum tp_status measure(struct tp_cuda_clock *clock)
{
	while (clock->measured < clock->recorded) {
		const int64_t number = clock->measured;
		const cudaError_t error = tp_cuda.cudaEventQuery(*anchor(clock, number));
		if (error == cudaErrorNotReady)
			return TP_OK;
		TP_TRY(tp_cuda_status(error, "cudaEventQuery", __FILE__, __LINE__));
		double step_ns = 0;
		TP_TRY(elapsed_ns(*anchor(clock, number - 1), *anchor(clock, number), &step_ns));
		clock->anchor_ns[number % TP_CUDA_ANCHORS] = clock->anchor_ns[(number - 1) % TP_CUDA_ANCHORS] + step_ns;
		clock->measured++;
	}
	return TP_OK;
}

/* From the anchor that is nearest: later ones are nearer as long as the event lies behind them. */
static enum tp_status read_event(struct tp_cuda_clock *clock, cudaEvent_t event, int64_t *monotonic_ns)
{
	TP_TRY(measure(clock));
	if (clock->measured == 0)
		return tp_fail(TP_ERR_DEVICE, "device cuda: a time was asked for before the clock was started");
	double best_ns = 0, best_distance = DBL_MAX;
	for (int64_t number = clock->measured - 1; number >= 0 && number > clock->recorded - TP_CUDA_ANCHORS;
	     number--) {
		double from_anchor_ns = 0;
		TP_TRY(elapsed_ns(*anchor(clock, number), event, &from_anchor_ns));
		if (fabs(from_anchor_ns) > best_distance)
			break;
		best_distance = fabs(from_anchor_ns);
		best_ns = clock->anchor_ns[number % TP_CUDA_ANCHORS] + from_anchor_ns;
		if (from_anchor_ns >= 0)
			break;
	}
	*monotonic_ns = clock->monotonic_ns + llround(best_ns);
	return TP_OK;
}

enum tp_status tp_cuda_clock_read(struct tp_cuda_device *device, cudaEvent_t event, int64_t *monotonic_ns)
{
	struct tp_cuda_clock *clock = &device->shared->clock;
	(void)pthread_mutex_lock(&clock->lock);
	const enum tp_status status = read_event(clock, event, monotonic_ns);
	(void)pthread_mutex_unlock(&clock->lock);
	return status;
}

void tp_cuda_clock_release(struct tp_cuda_clock *clock)
{
	(void)pthread_mutex_lock(&clock->lock);
	for (int i = 0; i < TP_CUDA_ANCHORS; i++) {
		if (clock->anchors[i])
			(void)tp_cuda.cudaEventDestroy(clock->anchors[i]);
		clock->anchors[i] = NULL;
	}
	clock->recorded = clock->measured = 0;
	(void)pthread_mutex_unlock(&clock->lock);
}
