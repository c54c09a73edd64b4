/* What the ways to carry messages share. Internal to the plugin. */
#ifndef TP_ENGINE_CUDA_LINKS_H
#define TP_ENGINE_CUDA_LINKS_H

#include "engine/cuda/cuda_devices.h"

/* What is issued on the stream from now on waits for both marks (NULL: for none); then `began` is recorded (NULL: is
 * not). */
enum tp_status tp_cuda_begin_transfer(cudaStream_t stream, const struct tp_mark *first, const struct tp_mark *second,
                                      const struct tp_mark *began);

#endif
