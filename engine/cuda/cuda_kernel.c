#include "engine/cuda/cuda_kernel.h"

#include <string.h>

#include "engine/base/memory.h"

enum tp_status tp_cuda_kernel_alloc(size_t bytes, const struct tp_kernel_ops *ops, struct tp_device *device,
                                    const struct tp_kernel_spec *spec, void *kernel)
{
	struct tp_cuda_kernel *head = tp_alloc(bytes);
	if (!head)
		return TP_ERR_NOMEM;
	head->base.ops = ops;
	head->base.layer = spec->layer;
	head->device = tp_cuda_of(device);
	head->slicing = spec->slicing;
	head->span = spec->span;
	memcpy(head->in, spec->in, sizeof head->in);
	memcpy(kernel, &head, sizeof head);
	return TP_OK;
}

static int32_t element_bytes(enum tpb_type type)
{
	return type == TPB_BF16 ? 2 : 4;
}

bool tp_cuda_is_plain(struct tp_tensor_desc desc)
{
	return desc.layout == TP_LAYOUT_PLAIN || desc.shape.c == 1 || desc.shape.h * desc.shape.w == 1;
}

struct tp_tensor_desc tp_cuda_tensor(const struct tp_cuda_device *device, struct tp_shape shape)
{
	struct tp_tensor_desc desc = tp_tensor_plain(shape, element_bytes(device->type));
	desc.layout = TP_LAYOUT_NHWC;
	if (tp_cuda_is_plain(desc))
		desc.layout = TP_LAYOUT_PLAIN;
	return desc;
}

enum tp_status tp_cuda_check_alignment(const struct tp_cuda_kernel *kernel)
{
	const struct tp_tensor_desc descs[] = {kernel->in[0], kernel->base.out};
	for (size_t i = 0; i < sizeof descs / sizeof descs[0] && kernel->slicing.count > 1; i++)
		if (descs[i].sample_bytes % 16 != 0)
			return tp_fail(TP_ERR_UNSUPPORTED,
			               "cuDNN reads samples from multiples of 16 bytes; a sample of %dx%dx%d has %zu: "
			               "expected one micro-batch per mini-batch, or other channels",
			               descs[i].shape.c, descs[i].shape.h, descs[i].shape.w, descs[i].sample_bytes);
	return TP_OK;
}

void tp_cuda_place_param(struct tp_cuda_kernel *kernel, int32_t index, size_t bytes, bool trainable)
{
	size_t *block = trainable ? &kernel->base.params_bytes : &kernel->base.state_bytes;
	kernel->base.params[index] = (struct tp_kernel_param){*block, bytes};
	*block += tp_align_up(bytes);
}

void tp_cuda_need_scratch(struct tp_cuda_kernel *kernel, size_t bytes)
{
	if (bytes > kernel->base.scratch_bytes)
		kernel->base.scratch_bytes = bytes;
}

void tp_cuda_import_plain(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	struct tp_cuda_device *device = ((struct tp_cuda_kernel *)kernel)->device;
	const struct tp_kernel_param param = kernel->params[index];
	(void)tp_cuda_keep(device, tp_cuda_to_device(device, plain, (char *)block + param.offset_bytes, param.bytes));
}

void tp_cuda_export_plain(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	struct tp_cuda_device *device = ((struct tp_cuda_kernel *)kernel)->device;
	const struct tp_kernel_param param = kernel->params[index];
	const size_t count = param.bytes / sizeof(float);
	float *values = tp_alloc(param.bytes);
	enum tp_status status = TP_ERR_NOMEM;
	if (values)
		status = tp_cuda_to_host(device, (const char *)block + param.offset_bytes, values, param.bytes);
	for (size_t i = 0; i < count; i++)
		plain[i] = status == TP_OK ? (double)values[i] : 0;
	tp_free(values);
	(void)tp_cuda_keep(device, status);
}

enum tp_status tp_cuda_clear_gaps(const struct tp_cuda_kernel *kernel, void *dparams)
{
	for (int32_t i = 0; i < 2; i++) { /* every layer with parameters has two */
		const struct tp_kernel_param param = kernel->base.params[i];
		const size_t gap_bytes = tp_align_up(param.bytes) - param.bytes;
		if (gap_bytes > 0)
			TP_TRY(TP_CUDA_CHECK(cudaMemsetAsync, (char *)dparams + param.offset_bytes + param.bytes, 0,
			                     gap_bytes, kernel->device->compute));
	}
	return TP_OK;
}

/* Values of the layer's output, as rows of channels. */
static int64_t output_rows(const struct tp_cuda_kernel *kernel, int32_t samples)
{
	const struct tp_shape shape = kernel->base.out.shape;
	return (int64_t)samples * shape.h * shape.w;
}

enum tp_status tp_cuda_bias_relu(const struct tp_cuda_kernel *kernel, int32_t samples, void *y, const float *bias,
                                 bool relu)
{
	const struct tpb_bias_args args = {
	        .y = y,
	        .bias = bias,
	        .rows = output_rows(kernel, samples),
	        .channels = kernel->base.out.shape.c,
	        .relu = relu,
	        .type = kernel->device->type,
	};
	return tp_cuda_launch(kernel->device, TPB_BIAS_RELU, &args, args.rows * args.channels);
}

enum tp_status tp_cuda_mask_gradient(const struct tp_cuda_kernel *kernel, const struct tp_backward_args *args,
                                     void *masked)
{
	const struct tpb_mask_args mask = {
	        .dy = args->dy,
	        .y = args->y,
	        .masked = masked,
	        .count = tp_cuda_backward_samples(kernel, args) * tp_shape_elements(kernel->base.out.shape),
	        .type = kernel->device->type,
	};
	return tp_cuda_launch(kernel->device, TPB_RELU_MASK, &mask, mask.count);
}

/* How many sums a pass makes of so many rows: enough threads for the largest GPU, each with rows enough to be worth its
 * start. Few rows are summed at once. */
enum { SUMS_AT_ONCE = 128 * 1024, ROWS_EACH = 32 };

static int32_t chunks_of(int64_t rows, int32_t channels)
{
	const int64_t wanted = SUMS_AT_ONCE / channels, worth = (rows + ROWS_EACH - 1) / ROWS_EACH;
	if (rows <= 2 * ROWS_EACH || wanted <= 1)
		return 1;
	return (int32_t)(wanted < worth ? wanted : worth);
}

static size_t sums_bytes(int32_t chunks, int32_t channels)
{
	return chunks > 1 ? tp_align_up(sizeof(float) * (size_t)chunks * (size_t)channels) : 0;
}

size_t tp_cuda_bias_gradient_bytes(const struct tp_cuda_kernel *kernel, int32_t samples)
{
	const int32_t channels = kernel->base.out.shape.c;
	const int32_t first = chunks_of(output_rows(kernel, samples), channels);
	return sums_bytes(first, channels) + sums_bytes(chunks_of(first, channels), channels);
}

/* Pass after pass, between two areas of scratch, until there is one sum per channel. */
enum tp_status tp_cuda_bias_gradient(const struct tp_cuda_kernel *kernel, int32_t samples, const void *dy,
                                     float *bias_gradient, bool accumulate, void *scratch)
{
	struct tpb_sums_args args = {
	        .from = dy,
	        .rows = output_rows(kernel, samples),
	        .channels = kernel->base.out.shape.c,
	        .type = kernel->device->type,
	};
	float *const first = scratch;
	float *const second =
	        (void *)((char *)scratch + sums_bytes(chunks_of(args.rows, args.channels), args.channels));
	for (bool done = false; !done; args.from = args.to, args.rows = args.chunks, args.type = TPB_F32) {
		args.chunks = chunks_of(args.rows, args.channels);
		done = args.chunks == 1;
		args.to = args.from == first ? second : first;
		if (done)
			args.to = bias_gradient;
		args.accumulate = done && accumulate;
		TP_TRY(tp_cuda_launch(kernel->device, TPB_BIAS_GRADIENT, &args, (int64_t)args.chunks * args.channels));
	}
	return TP_OK;
}

enum tp_status tp_cuda_convert(const struct tp_cuda_kernel *kernel, const void *from, enum tpb_type from_type, void *to,
                               enum tpb_type to_type, int64_t count, bool accumulate)
{
	const struct tpb_convert_args args = {
	        .from = from,
	        .to = to,
	        .count = count,
	        .from_type = from_type,
	        .to_type = to_type,
	        .accumulate = accumulate,
	};
	return tp_cuda_launch(kernel->device, TPB_CONVERT, &args, count);
}

size_t tp_cuda_typed_params_bytes(const struct tp_cuda_kernel *kernel)
{
	return kernel->device->type == TPB_F32 ? 0 : tp_align_up(kernel->base.params_bytes / 2);
}

enum tp_status tp_cuda_typed_params(const struct tp_cuda_kernel *kernel, const void *params, void *scratch,
                                    const void **typed)
{
	*typed = params;
	if (kernel->device->type == TPB_F32)
		return TP_OK;
	*typed = scratch;
	const int64_t count = (int64_t)(kernel->base.params_bytes / sizeof(float));
	return tp_cuda_convert(kernel, params, TPB_F32, scratch, TPB_BF16, count, false);
}

const void *tp_cuda_typed_param(const struct tp_cuda_kernel *kernel, const void *typed, int32_t index)
{
	const size_t offset_bytes = kernel->base.params[index].offset_bytes;
	return (const char *)typed + (kernel->device->type == TPB_F32 ? offset_bytes : offset_bytes / 2);
}
