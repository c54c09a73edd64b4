/* Our kernels as host functions, written once more and plainly, over the structures of engine/cuda/cuda_kernels.h. */
#include <math.h>

#include "engine/cuda/cuda_kernels.h"
#include "tests/fakecuda/fake.h"

static size_t bytes_of(int64_t count, int32_t type)
{
	return (size_t)count * (type == TPB_BF16 ? sizeof(uint16_t) : sizeof(float));
}

static float get(const void *values, int64_t i, int32_t type)
{
	return type == TPB_BF16 ? fake_from_bf16(((const uint16_t *)values)[i]) : ((const float *)values)[i];
}

static void put(void *values, int64_t i, int32_t type, float value)
{
	if (type == TPB_BF16)
		((uint16_t *)values)[i] = fake_to_bf16(value);
	else
		((float *)values)[i] = value;
}

static float relu_of(float value)
{
	return value < 0 ? 0 : value;
}

static void run_tpb_upload(const void *args)
{
	const struct tpb_upload_args *a = args;
	int64_t at = 0;
	for (int64_t n = 0; n < a->samples; n++)
		for (int32_t p = 0; p < a->hw; p++)
			for (int32_t c = 0; c < a->c; c++)
				put(a->to, at++, a->type, a->from[(n * a->c + c) * a->hw + p]);
}

static void touch_tpb_upload(const void *args, struct fake_touches *touches)
{
	const struct tpb_upload_args *a = args;
	int64_t count = a->samples * a->c * a->hw;
	fake_reads(touches, a->from, bytes_of(count, TPB_F32));
	fake_writes(touches, a->to, bytes_of(count, a->type));
}

static void run_tpb_sgd(const void *args)
{
	const struct tpb_sgd_args *a = args;
	for (int64_t i = 0; i < a->count; i++) {
		float g = a->gradient[i] + a->weight_decay * a->from[i];
		float m = a->first_step ? g : a->momentum * a->momentum_buffer[i] + g;
		a->momentum_buffer[i] = m;
		a->to[i] = a->from[i] - a->lr * m;
	}
}

static void touch_tpb_sgd(const void *args, struct fake_touches *touches)
{
	const struct tpb_sgd_args *a = args;
	size_t bytes = bytes_of(a->count, TPB_F32);
	fake_reads(touches, a->from, bytes);
	fake_reads(touches, a->gradient, bytes);
	if (!a->first_step)
		fake_reads(touches, a->momentum_buffer, bytes);
	fake_writes(touches, a->momentum_buffer, bytes);
	fake_writes(touches, a->to, bytes);
}

static void run_tpb_blend(const void *args)
{
	const struct tpb_blend_args *a = args;
	for (int64_t i = 0; i < a->count; i++)
		put(a->to, i, a->type, a->a * get(a->x, i, a->type) + a->b * get(a->y, i, a->type));
}

static void touch_tpb_blend(const void *args, struct fake_touches *touches)
{
	const struct tpb_blend_args *a = args;
	size_t bytes = bytes_of(a->count, a->type);
	fake_reads(touches, a->x, bytes);
	fake_reads(touches, a->y, bytes);
	fake_writes(touches, a->to, bytes);
}

/* Largest logit first, of equals the lower class. */
static int32_t rank_of_label(const struct tpb_loss_args *a, int64_t first, int32_t label)
{
	float of_label = get(a->logits, first + label, a->type);
	int32_t rank = 0;
	for (int32_t c = 0; c < a->classes; c++) {
		float value = get(a->logits, first + c, a->type);
		rank += value > of_label || (value == of_label && c < label);
	}
	return isnan(of_label) ? INT32_MAX : rank;
}

static void run_tpb_loss_forward(const void *args)
{
	const struct tpb_loss_args *a = args;
	for (int64_t row = 0; row < a->rows; row++) {
		int64_t first = row * a->classes;
		float largest = -INFINITY;
		double sum = 0;
		for (int32_t c = 0; c < a->classes; c++)
			largest = fmaxf(largest, get(a->logits, first + c, a->type));
		for (int32_t c = 0; c < a->classes; c++)
			sum += (double)expf(get(a->logits, first + c, a->type) - largest);
		for (int32_t c = 0; c < a->classes && a->probabilities; c++)
			put(a->probabilities, first + c, a->type,
			    expf(get(a->logits, first + c, a->type) - largest) * (float)(1 / sum));
		int32_t rank = rank_of_label(a, first, a->labels[row]);
		double of_label = (double)get(a->logits, first + a->labels[row], a->type);
		a->sums->loss_sum += log(sum) - (of_label - (double)largest);
		a->sums->top1 += rank < 1;
		a->sums->top5 += rank < 5;
	}
}

static void touch_tpb_loss_forward(const void *args, struct fake_touches *touches)
{
	const struct tpb_loss_args *a = args;
	size_t bytes = bytes_of((int64_t)a->rows * a->classes, a->type);
	fake_reads(touches, a->logits, bytes);
	fake_reads(touches, a->labels, sizeof *a->labels * (size_t)a->rows);
	fake_reads(touches, a->sums, sizeof *a->sums);
	fake_writes(touches, a->sums, sizeof *a->sums);
	fake_writes(touches, a->probabilities, bytes);
}

static void run_tpb_loss_backward(const void *args)
{
	const struct tpb_loss_args *a = args;
	for (int64_t row = 0; row < a->rows; row++) {
		for (int32_t c = 0; c < a->classes; c++) {
			int64_t i = row * a->classes + c;
			float target = c == a->labels[row] ? 1 : 0;
			put(a->dlogits, i, a->type, (get(a->probabilities, i, a->type) - target) * a->scale);
		}
	}
}

static void touch_tpb_loss_backward(const void *args, struct fake_touches *touches)
{
	const struct tpb_loss_args *a = args;
	size_t bytes = bytes_of((int64_t)a->rows * a->classes, a->type);
	fake_reads(touches, a->probabilities, bytes);
	fake_reads(touches, a->labels, sizeof *a->labels * (size_t)a->rows);
	fake_writes(touches, a->dlogits, bytes);
}

static void run_tpb_bias_relu(const void *args)
{
	const struct tpb_bias_args *a = args;
	for (int64_t row = 0; row < a->rows; row++) {
		for (int32_t c = 0; c < a->channels; c++) {
			int64_t i = row * a->channels + c;
			float value = get(a->y, i, a->type) + (a->bias ? a->bias[c] : 0);
			put(a->y, i, a->type, a->relu ? relu_of(value) : value);
		}
	}
}

static void touch_tpb_bias_relu(const void *args, struct fake_touches *touches)
{
	const struct tpb_bias_args *a = args;
	size_t bytes = bytes_of(a->rows * a->channels, a->type);
	fake_reads(touches, a->bias, bytes_of(a->channels, TPB_F32));
	fake_reads(touches, a->y, bytes);
	fake_writes(touches, a->y, bytes);
}

static void run_tpb_bias_gradient(const void *args)
{
	const struct tpb_sums_args *a = args;
	for (int64_t chunk = 0; chunk < a->chunks; chunk++) {
		int64_t begin = chunk * a->rows / a->chunks, end = (chunk + 1) * a->rows / a->chunks;
		for (int32_t c = 0; c < a->channels; c++) {
			double sum = 0;
			for (int64_t row = begin; row < end; row++)
				sum += (double)get(a->from, row * a->channels + c, a->type);
			float *to = &a->to[chunk * a->channels + c];
			*to = (a->accumulate ? *to : 0) + (float)sum;
		}
	}
}

static void touch_tpb_bias_gradient(const void *args, struct fake_touches *touches)
{
	const struct tpb_sums_args *a = args;
	size_t sums_bytes = bytes_of((int64_t)a->chunks * a->channels, TPB_F32);
	fake_reads(touches, a->from, bytes_of(a->rows * a->channels, a->type));
	if (a->accumulate)
		fake_reads(touches, a->to, sums_bytes);
	fake_writes(touches, a->to, sums_bytes);
}

static void run_tpb_relu_mask(const void *args)
{
	const struct tpb_mask_args *a = args;
	for (int64_t i = 0; i < a->count; i++)
		put(a->masked, i, a->type, get(a->y, i, a->type) > 0 ? get(a->dy, i, a->type) : 0);
}

static void touch_tpb_relu_mask(const void *args, struct fake_touches *touches)
{
	const struct tpb_mask_args *a = args;
	size_t bytes = bytes_of(a->count, a->type);
	fake_reads(touches, a->dy, bytes);
	fake_reads(touches, a->y, bytes);
	fake_writes(touches, a->masked, bytes);
}

static void run_tpb_add_relu(const void *args)
{
	const struct tpb_add_args *a = args;
	for (int64_t i = 0; i < a->count; i++) {
		float sum = get(a->a, i, a->type) + get(a->b, i, a->type);
		put(a->y, i, a->type, a->relu ? relu_of(sum) : sum);
	}
}

static void touch_tpb_add_relu(const void *args, struct fake_touches *touches)
{
	const struct tpb_add_args *a = args;
	size_t bytes = bytes_of(a->count, a->type);
	fake_reads(touches, a->a, bytes);
	fake_reads(touches, a->b, bytes);
	fake_writes(touches, a->y, bytes);
}

static void run_tpb_convert(const void *args)
{
	const struct tpb_convert_args *a = args;
	for (int64_t i = 0; i < a->count; i++) {
		float old = a->accumulate ? get(a->to, i, a->to_type) : 0;
		put(a->to, i, a->to_type, old + get(a->from, i, a->from_type));
	}
}

static void touch_tpb_convert(const void *args, struct fake_touches *touches)
{
	const struct tpb_convert_args *a = args;
	fake_reads(touches, a->from, bytes_of(a->count, a->from_type));
	if (a->accumulate)
		fake_reads(touches, a->to, bytes_of(a->count, a->to_type));
	fake_writes(touches, a->to, bytes_of(a->count, a->to_type));
}

static void run_tpb_permute(const void *args)
{
	const struct tpb_permute_args *a = args;
	for (int64_t n = 0; n < a->samples; n++) {
		int64_t first = n * a->c * a->hw;
		for (int32_t c = 0; c < a->c; c++) {
			for (int32_t p = 0; p < a->hw; p++) {
				int64_t plain = first + (int64_t)c * a->hw + p, last = first + (int64_t)p * a->c + c;
				if (a->to_plain)
					put(a->to, plain, a->type, get(a->from, last, a->type));
				else
					put(a->to, last, a->type, get(a->from, plain, a->type));
			}
		}
	}
}

static void touch_tpb_permute(const void *args, struct fake_touches *touches)
{
	const struct tpb_permute_args *a = args;
	size_t bytes = bytes_of(a->samples * a->c * a->hw, a->type);
	fake_reads(touches, a->from, bytes);
	fake_writes(touches, a->to, bytes);
}

/* A kernel of the list that is not written here does not compile. */
const struct fake_kernel fake_kernels[] = {
#define FAKE_KERNEL(number, name, args) {#name, sizeof(args), run_##name, touch_##name},
        TPB_KERNEL_LIST(FAKE_KERNEL)
#undef FAKE_KERNEL
                {NULL, 0, NULL, NULL},
};
