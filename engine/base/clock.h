/* The machine's monotonic clock. Every time in tpbench is nanoseconds as int64_t, named `_ns`. */
#ifndef TP_ENGINE_BASE_CLOCK_H
#define TP_ENGINE_BASE_CLOCK_H

#include <stdint.h>

#define TP_NS_PER_S INT64_C(1000000000)

/* Now, in nanoseconds since an arbitrary start; never goes back. About 25 ns a call. */
int64_t tp_now_ns(void);

/* Seconds since 1970, for the date of a run; not for durations. */
int64_t tp_unix_s(void);

#endif
