/* The tables that make up the device. Internal to the plugin. */
#ifndef TP_ENGINE_CUDA_DEVICES_H
#define TP_ENGINE_CUDA_DEVICES_H

#include "engine/cuda/cuda_device.h"

extern const struct tp_device_ops tp_cuda_device_f32;  /* --math fp32 and tf32 */
extern const struct tp_device_ops tp_cuda_device_bf16; /* values are bfloat16; parameters stay float32 */

extern const struct tp_memory_ops tp_cuda_memory;
extern const struct tp_async_ops tp_cuda_async;

extern const struct tp_link_ops tp_cuda_link_copy, tp_cuda_link_direct, tp_cuda_link_nccl;

/* Hooks of tp_device_ops that both tables share. */
void tp_cuda_upload(struct tp_device *base, const float *from, void *to, struct tp_shape shape, int32_t samples);
void tp_cuda_sgd(struct tp_device *base, const struct tp_sgd *step, const void *from, void *to, void *gradient,
                 void *momentum, size_t bytes);
void tp_cuda_loss_forward(struct tp_device *base, int32_t samples, int32_t classes, const void *logits,
                          const int32_t *labels, void *probabilities, struct tp_loss_result *result);
void tp_cuda_loss_backward(struct tp_device *base, int32_t samples, int32_t classes, const void *probabilities,
                           const int32_t *labels, double scale, void *dlogits);
void tp_cuda_blend(struct tp_device *base, double a, const void *x, double b, const void *y, void *to, size_t bytes);
void tp_cuda_blend_values(struct tp_device *base, double a, const void *x, double b, const void *y, void *to,
                          size_t bytes);
void tp_cuda_copy(struct tp_device *base, const void *from, void *to, size_t bytes);

/* See tp_device_ops. */
const char *tp_cuda_stand_in(void);
bool tp_cuda_probe(struct tp_text *line);

/* A moment in the work of one GPU. */
struct tp_mark {
	struct tp_cuda_device *device; /* that made it */
	cudaEvent_t event;
};

#endif
