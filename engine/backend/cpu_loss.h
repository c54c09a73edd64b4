/* Softmax cross-entropy of the CPU device, hooks of tp_device_ops. */
#ifndef TP_ENGINE_BACKEND_CPU_LOSS_H
#define TP_ENGINE_BACKEND_CPU_LOSS_H

#include "engine/backend/device.h"

void tp_cpu_loss_forward(struct tp_device *device, int32_t samples, int32_t classes, const void *logits,
                         const int32_t *labels, void *probabilities, struct tp_loss_result *result);
void tp_cpu_loss_backward(struct tp_device *device, int32_t samples, int32_t classes, const void *probabilities,
                          const int32_t *labels, double scale, void *dlogits);

#endif
