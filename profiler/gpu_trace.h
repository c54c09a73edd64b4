/* What a GPU says about itself: kernels, copies and sets of memory, each with its operation, on the machine's monotonic
 * clock. Filled by a device's tracer (CUPTI), read by the trainer and stored by results. */
#ifndef TP_PROFILER_GPU_TRACE_H
#define TP_PROFILER_GPU_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "profiler/kernel_names.h"
#include "profiler/records.h"

/* How GPU times of a run were obtained, from the best to the least. */
#define TP_GPU_TRACE_MODE_LIST(X)                                                              \
	X(TP_GPU_TRACE_CUPTI, "cupti")   /* of each kernel and copy, recorded by CUPTI */      \
	X(TP_GPU_TRACE_EVENTS, "events") /* of each operation and message, from CUDA events */ \
	X(TP_GPU_TRACE_HOST, "host")     /* of each operation, by the host's clock */

enum tp_gpu_trace_mode {
#define TP_GPU_TRACE_ENUM(name, text) name,
	TP_GPU_TRACE_MODE_LIST(TP_GPU_TRACE_ENUM)
#undef TP_GPU_TRACE_ENUM
	        TP_GPU_TRACE_MODES
};
const char *tp_gpu_trace_mode_text(enum tp_gpu_trace_mode mode);

/* Where something ran, and for what. */
struct tp_gpu_place {
	int64_t start_ns, end_ns; /* machine's monotonic clock */
	int64_t operation;        /* the stage's operation it belongs to, counted over the epoch; -1: none */
	int32_t gpu_number, context_number, stream_number;
	uint32_t correlation_number;
	int16_t stage; /* -1: not known */
};

struct tp_gpu_kernel {
	struct tp_gpu_place place;
	int32_t name; /* in tp_gpu_trace.names */
	int32_t grid[3], block[3];
	int32_t registers_per_thread, static_shared_bytes, dynamic_shared_bytes;
};

struct tp_gpu_copy {
	struct tp_gpu_place place;
	int64_t bytes;
	int32_t kind; /* as CUPTI numbers them: 1 host to device, 2 device to host, 8 within one, 10 between two; 0: a
	                 set */
};

/* Of one epoch; by time. Owned by the tracer and valid until its next begin_epoch or stop. */
struct tp_gpu_trace {
	enum tp_gpu_trace_mode mode;
	char reason[160]; /* why it is no better than that; "" when it is the best */
	const struct tp_gpu_kernel *kernels;
	const struct tp_gpu_copy *copies;
	int64_t kernel_count, copy_count;
	const char *const *names; /* of kernels, demangled as far as that is known; they keep their places over a run */
	int32_t name_count;
	int64_t dropped;        /* records that were lost: figures from the trace are void */
	int64_t untimed;        /* kernels without times, left out */
	int64_t unmatched;      /* records whose operation is not known */
	int64_t overhead_ns;    /* what the tracer says that it took of the epoch */
	int64_t clock_error_ns; /* how far GPU and host times may be apart; 0: one clock */
	/* Memory of all GPUs as the driver gave it to this process, so far as the tracer saw it; in the epoch there
	 * should be no allocation. */
	int64_t allocated_peak_bytes, allocations;
};

/* Everything that ran is there, with its times. */
static inline bool tp_gpu_trace_complete(const struct tp_gpu_trace *trace)
{
	return trace->mode == TP_GPU_TRACE_CUPTI && trace->dropped == 0 && trace->untimed == 0;
}

/* A GPU, as its driver describes it. 0 and "" where it does not tell. */
struct tp_gpu_info {
	int32_t number; /* as in tp_gpu_place */
	char name[128];
	char bus[32];  /* "0000:17:00.0" */
	char uuid[48]; /* "GPU-" and 32 digits in groups */
	int64_t memory_bytes, l2_cache_bytes, memory_bandwidth_bytes_per_s, clock_rate_hz;
	int32_t multiprocessors, compute_major, compute_minor;
};

/* An epoch's trace as records of the run: by stage (-1, not known, first), then by time, on the run's clock. */
struct tp_gpu_records {
	struct tp_kernel_record *kernels;
	struct tp_gpu_kernel *launches; /* how each of them ran, in the same order */
	struct tp_gpu_copy *copies;
	int64_t kernel_count, copy_count;
};

/* `clock_zero_ns` is the start of the run on the machine's monotonic clock. Kernels' names are added to `names`. What
 * belongs to no operation gets the stage whose operations ran on the same stream, if there is one. TP_ERR_NOMEM;
 * release also then. */
enum tp_status tp_gpu_records_make(const struct tp_gpu_trace *trace, int64_t clock_zero_ns,
                                   struct tp_kernel_names *names, struct tp_gpu_records *records);
void tp_gpu_records_release(struct tp_gpu_records *records);

/* Better times for what the engine recorded, from a trace that is complete: an operation lasts from its first kernel's
 * start to its last one's end, a message is under way while its copy is. Operations without kernels keep their times;
 * so do messages between two stages unless one stream of either has a copy within or between GPUs for each of them, of
 * its size and in their order, and no other; and memory and versions. Copies that a receiver asked for get the
 * operation that read the message. `ops` by stage, then by time, and they stay so: none of a stage begins before the
 * one before it ended. `messages` by receiving stage. TP_ERR_NOMEM, before anything is changed.
 */
enum tp_status tp_gpu_refine(struct tp_gpu_records *records, struct tp_op_record *ops, int64_t op_count,
                             struct tp_message_record *messages, int64_t message_count);

/* At most one run at a time. Nothing here ends a run: where tracing is refused the mode says so. */
struct tp_gpu_tracer {
	/* Before any device is opened; `wanted` false: --profile says that nothing is to be traced, the mode is events.
	 */
	enum tp_status (*start)(bool wanted);
	void (*stop)(void); /* after all devices were closed */
	void (*begin_epoch)(void);
	/* After all devices have finished. */
	enum tp_status (*end_epoch)(struct tp_gpu_trace *trace);
};

#endif
