/* The tables that make up the device. Internal to the plugin. */
#ifndef TP_ENGINE_CUDA_DEVICES_H
#define TP_ENGINE_CUDA_DEVICES_H

#include "engine/cuda/cuda_device.h"

extern const struct tp_device_ops tp_cuda_device_f32;  /* --math fp32 and tf32 */
extern const struct tp_device_ops tp_cuda_device_bf16; /* values are bfloat16; parameters stay float32 */

#endif
