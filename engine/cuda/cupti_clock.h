/* CUPTI's clock beside the machine's monotonic one, where CUPTI does not take ours. */
#ifndef TP_ENGINE_CUDA_CUPTI_CLOCK_H
#define TP_ENGINE_CUDA_CUPTI_CLOCK_H

#include <cupti.h>
#include <stdint.h>

/* One look at both. */
struct tp_cupti_moment {
	int64_t cupti_ns;  /* CUPTI's time */
	int64_t offset_ns; /* what to add to it */
	int64_t error_ns;  /* how far that may be off; -1: CUPTI did not tell */
};

/* CUPTI's time between two readings of the monotonic clock, the closest of several. */
struct tp_cupti_moment tp_cupti_look(CUptiResult (*timestamp)(uint64_t *timestamp));

/* A time of CUPTI's on the monotonic clock: the offset is drawn as a line from one moment to a later one, which also
 * holds before and behind them. */
int64_t tp_cupti_to_monotonic(const struct tp_cupti_moment *first, const struct tp_cupti_moment *last,
                              int64_t cupti_ns);

#endif
