/* Where a stage's thread writes its records: one ring for each kind, one writer. Rings that hold a whole epoch are read
 * when it has ended; shorter ones are emptied meanwhile by a thread of their own (profiler/drain.h). A record that
 * finds its ring full is counted as dropped, and the figures that need it are void. */
#ifndef TP_PROFILER_RECORDER_H
#define TP_PROFILER_RECORDER_H

#include "profiler/records.h"
#include "profiler/ring.h"

struct tp_recorder {
	struct tp_ring rings[TP_RECORD_KINDS];
	int64_t now_ns; /* of what is recorded without a time of its own; the writer keeps it */
	int16_t stage;
};

static inline void tp_recorder_restart(struct tp_recorder *recorder)
{
	for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
		tp_ring_restart(&recorder->rings[kind]);
	recorder->now_ns = 0;
}

/* The number of the operation under way: that of its record, which is written when it ends. */
static inline int64_t tp_recorder_operation(const struct tp_recorder *recorder)
{
	return atomic_load_explicit(&recorder->rings[TP_RECORD_OP].written, memory_order_relaxed);
}

static inline int64_t tp_recorder_dropped(const struct tp_recorder *recorder)
{
	int64_t dropped = 0;
	for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
		dropped += recorder->rings[kind].dropped;
	return dropped;
}

#endif
