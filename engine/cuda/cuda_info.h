/* What the GPUs of this machine are, for results. */
#ifndef TP_ENGINE_CUDA_INFO_H
#define TP_ENGINE_CUDA_INFO_H

#include "profiler/gpu_trace.h"

/* Describe the first `most` GPUs, by number; returns how many there are of them. 0 where there are none. */
int32_t tp_cuda_gpus(struct tp_gpu_info *infos, int32_t most);

#endif
