/* Input, update, loss and sums: our own kernels, issued on the compute stream. Hooks that return nothing keep their
 * first failure, which whoever waits for the device finds; after it nothing more is issued. */
#include "engine/cuda/cuda_devices.h"
#include "engine/cuda/cuda_gpu.h"

/* In pieces of whole samples, as large as the ring of host memory has parts. */
static enum tp_status upload(struct tp_cuda_device *device, const float *from, unsigned char *to, struct tp_shape shape,
                             int64_t samples)
{
	const int64_t elements = tp_shape_elements(shape);
	const int64_t sample_bytes = elements * (int64_t)sizeof *from;
	const int64_t fit = (int64_t)tp_cuda_stage_bytes(device) / sample_bytes;
	const int64_t piece = fit > 0 ? fit : 1;
	for (int64_t first = 0; first < samples; first += piece) {
		const int64_t count = samples - first < piece ? samples - first : piece;
		void *staged = NULL;
		TP_TRY(tp_cuda_stage(device, from + first * elements, (size_t)(count * sample_bytes), &staged));
		const struct tpb_upload_args args = {
		        .from = staged,
		        .to = to + first * elements * device->base.ops->element_bytes,
		        .samples = count,
		        .c = shape.c,
		        .hw = shape.h * shape.w,
		        .type = device->type,
		};
		TP_TRY(tp_cuda_launch(device, TPB_UPLOAD, &args, count * elements));
		TP_TRY(tp_cuda_unstage(device));
	}
	return TP_OK;
}

/* Is there any use in issuing more, and does this thread speak to the right GPU? */
static bool goes_on(struct tp_cuda_device *device)
{
	return device->failure == TP_OK && tp_cuda_keep(device, tp_cuda_enter(device)) == TP_OK;
}

void tp_cuda_upload(struct tp_device *base, const float *from, void *to, struct tp_shape shape, int32_t samples)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	if (goes_on(device))
		(void)tp_cuda_keep(device, upload(device, from, to, shape, samples));
}

void tp_cuda_sgd(struct tp_device *base, const struct tp_sgd *step, const void *from, void *to, void *gradient,
                 void *momentum, size_t bytes)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	const struct tpb_sgd_args args = {
	        .from = from,
	        .to = to,
	        .gradient = gradient,
	        .momentum_buffer = momentum,
	        .count = (int64_t)(bytes / sizeof(float)),
	        .lr = (float)step->lr,
	        .momentum = (float)step->momentum,
	        .weight_decay = (float)step->weight_decay,
	        .first_step = step->first_step,
	};
	if (goes_on(device))
		(void)tp_cuda_keep(device, tp_cuda_launch(device, TPB_SGD, &args, args.count));
}

static enum tp_status loss(struct tp_cuda_device *device, enum tpb_kernel kernel, struct tpb_loss_args *args,
                           const int32_t *labels)
{
	void *staged = NULL;
	TP_TRY(tp_cuda_stage(device, labels, (size_t)args->rows * sizeof *labels, &staged));
	args->labels = staged;
	TP_TRY(tp_cuda_launch(device, kernel, args, (int64_t)args->rows * args->classes));
	return tp_cuda_unstage(device);
}

void tp_cuda_loss_forward(struct tp_device *base, int32_t samples, int32_t classes, const void *logits,
                          const int32_t *labels, void *probabilities, struct tp_loss_result *result)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	struct tpb_loss_args args = {
	        .logits = logits,
	        .probabilities = probabilities,
	        .sums = device->loss_sums,
	        .rows = samples,
	        .classes = classes,
	        .type = device->type,
	};
	*result = (struct tp_loss_result){0}; /* collect_loss has it */
	if (goes_on(device))
		(void)tp_cuda_keep(device, loss(device, TPB_LOSS_FORWARD, &args, labels));
}

void tp_cuda_loss_backward(struct tp_device *base, int32_t samples, int32_t classes, const void *probabilities,
                           const int32_t *labels, double scale, void *dlogits)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	struct tpb_loss_args args = {
	        .dlogits = dlogits,
	        .rows = samples,
	        .classes = classes,
	        .type = device->type,
	        .scale = (float)scale,
	};
	/* The kernel only reads them; the field serves the forward, which writes. */
	args.probabilities = (void *)(uintptr_t)probabilities;
	if (goes_on(device))
		(void)tp_cuda_keep(device, loss(device, TPB_LOSS_BACKWARD, &args, labels));
}

static void blend(struct tp_cuda_device *device, enum tpb_type type, double a, const void *x, double b, const void *y,
                  void *to, size_t bytes)
{
	const struct tpb_blend_args args = {
	        .x = x,
	        .y = y,
	        .to = to,
	        .count = (int64_t)(bytes / (type == TPB_BF16 ? 2 : sizeof(float))),
	        .a = (float)a,
	        .b = (float)b,
	        .type = type,
	};
	if (goes_on(device))
		(void)tp_cuda_keep(device, tp_cuda_launch(device, TPB_BLEND, &args, args.count));
}

void tp_cuda_blend(struct tp_device *base, double a, const void *x, double b, const void *y, void *to, size_t bytes)
{
	blend(tp_cuda_of(base), TPB_F32, a, x, b, y, to, bytes);
}

void tp_cuda_blend_values(struct tp_device *base, double a, const void *x, double b, const void *y, void *to,
                          size_t bytes)
{
	blend(tp_cuda_of(base), tp_cuda_of(base)->type, a, x, b, y, to, bytes);
}

void tp_cuda_copy(struct tp_device *base, const void *from, void *to, size_t bytes)
{
	struct tp_cuda_device *device = tp_cuda_of(base);
	if (bytes > 0 && goes_on(device))
		(void)tp_cuda_keep(device, TP_CUDA_CHECK(cudaMemcpyAsync, to, from, bytes, cudaMemcpyDeviceToDevice,
		                                         device->compute));
}
