/* The tracer of the CUDA device: CUPTI's activity records, each joined to the operation that issued it. */
#ifndef TP_ENGINE_CUDA_CUPTI_TRACER_H
#define TP_ENGINE_CUDA_CUPTI_TRACER_H

#include <stdint.h>

#include "profiler/gpu_trace.h"

extern const struct tp_gpu_tracer tp_cuda_tracer;

/* What this thread issues from now on belongs to an operation of a stage, counted over the epoch; -1: to none. Ends
 * what the last call began. Costs a read of memory while nothing is traced. */
void tp_cuda_trace_operation(int32_t stage, int64_t operation);

#endif
