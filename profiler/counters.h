/* Counters of the processor, of one thread over a span of time: perf_event of Linux. What the kernel or the machine
 * does not tell is absent, with the reason; it never is a failure. */
#ifndef TP_PROFILER_COUNTERS_H
#define TP_PROFILER_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

/* What to count, in the words of perf_event_open(2). */
struct tp_counter_event {
	const char *name;
	uint32_t type;
	uint64_t config;
};

enum { TP_COUNTERS = 3 };

/* Of a stage: cycles, instructions, cache_misses (of the last level), in user space. */
extern const struct tp_counter_event tp_counter_events[TP_COUNTERS];

struct tp_counter_record {
	const char *counter; /* its event's name */
	int16_t stage;
	bool present;
	int64_t value;    /* scaled up when the counter had to share the processor's with others */
	char reason[128]; /* why it is not present; "" when it is */
};

/* One group of counters: all of them count at the same time. */
struct tp_counters {
	const struct tp_counter_event *events;
	int32_t count;
	int fd[TP_COUNTERS]; /* -1: absent, for `reason` */
	char reason[TP_COUNTERS][128];
};

/* Begin to count `count` events (at most TP_COUNTERS, which must outlive the counters) of the calling thread. */
void tp_counters_start(struct tp_counters *counters, const struct tp_counter_event *events, int32_t count);

/* Stop, on the same thread, and fill one record for each event. */
void tp_counters_stop(struct tp_counters *counters, int16_t stage, struct tp_counter_record *records);

/* What was counted while it ran, over the whole time that it was to run; -1 when it never ran. */
int64_t tp_counter_scale(uint64_t value, uint64_t enabled_ns, uint64_t running_ns);

#endif
