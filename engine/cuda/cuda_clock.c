/* A GPU's clock: an event at its start, and more events as the run goes on. */
#include <math.h>

#include "engine/base/clock.h"
#include "engine/cuda/cuda_gpu.h"

/* Short enough for exact steps as long as work is issued as it runs; where a pause makes one longer it is off by a
 * 2^24th of its length. */
#define ANCHOR_EVERY_NS INT64_C(7000000)
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

static enum tp_status await_event(const struct tp_cuda_device *device, cudaEvent_t event)
{
	const int64_t deadline = tp_now_ns() + device->patience_ns;
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
		TP_TRY(await_event(device, *anchor(clock, 0)));
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

static enum tp_status elapsed_ns(cudaEvent_t from, cudaEvent_t to, int64_t *ns)
{
	float ms = 0;
	TP_TRY(TP_CUDA_CHECK(cudaEventElapsedTime, &ms, from, to));
	*ns = llround((double)ms * 1e6);
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
		int64_t step_ns = 0;
		TP_TRY(elapsed_ns(*anchor(clock, number - 1), *anchor(clock, number), &step_ns));
		clock->anchor_ns[number % TP_CUDA_ANCHORS] = clock->anchor_ns[(number - 1) % TP_CUDA_ANCHORS] + step_ns;
		clock->measured++;
	}
	return TP_OK;
}

static enum tp_status tick(struct tp_cuda_device *device, struct tp_cuda_clock *clock, int64_t now_ns)
{
	if (clock->measured == 0 || now_ns - clock->recorded_at_ns < ANCHOR_EVERY_NS)
		return TP_OK;
	TP_TRY(measure(clock));
	/* The latest that was measured keeps its place: the next are measured from it. */
	if (clock->recorded - clock->measured >= TP_CUDA_ANCHORS - 1)
		return TP_OK;
	TP_TRY(TP_CUDA_CHECK(cudaEventRecord, *anchor(clock, clock->recorded), device->compute));
	clock->recorded++;
	clock->recorded_at_ns = now_ns;
	return TP_OK;
}

enum tp_status tp_cuda_clock_tick(struct tp_cuda_device *device, int64_t now_ns)
{
	struct tp_cuda_clock *clock = &device->shared->clock;
	(void)pthread_mutex_lock(&clock->lock);
	const enum tp_status status = tick(device, clock, now_ns);
	(void)pthread_mutex_unlock(&clock->lock);
	return status;
}

/* The anchor that is measured and nearest to a time. */
static int64_t nearest_anchor(const struct tp_cuda_clock *clock, int64_t ns)
{
	int64_t nearest = clock->measured - 1;
	for (int64_t number = nearest - 1; number >= 0 && number >= clock->recorded - TP_CUDA_ANCHORS; number--) {
		if (clock->anchor_ns[nearest % TP_CUDA_ANCHORS] <= ns)
			break;
		nearest = number;
	}
	return nearest;
}

/* First roughly, from the last anchor, then from one close by. */
static enum tp_status read_event(struct tp_cuda_clock *clock, cudaEvent_t event, int64_t *ns)
{
	TP_TRY(measure(clock));
	if (clock->measured == 0)
		return tp_fail(TP_ERR_DEVICE, "device cuda: a time was asked for before the clock was started");
	const int64_t last = clock->measured - 1;
	int64_t from_anchor_ns = 0;
	TP_TRY(elapsed_ns(*anchor(clock, last), event, &from_anchor_ns));
	*ns = clock->anchor_ns[last % TP_CUDA_ANCHORS] + from_anchor_ns;
	const int64_t near = nearest_anchor(clock, *ns);
	if (near == last)
		return TP_OK;
	TP_TRY(elapsed_ns(*anchor(clock, near), event, &from_anchor_ns));
	*ns = clock->anchor_ns[near % TP_CUDA_ANCHORS] + from_anchor_ns;
	return TP_OK;
}

enum tp_status tp_cuda_clock_read(struct tp_cuda_device *device, cudaEvent_t event, int64_t *monotonic_ns)
{
	int64_t ns = 0;
	struct tp_cuda_clock *clock = &device->shared->clock;
	(void)pthread_mutex_lock(&clock->lock);
	const enum tp_status status = read_event(clock, event, &ns);
	*monotonic_ns = clock->monotonic_ns + ns;
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
