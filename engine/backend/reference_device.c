/* The reference device: plain loops in double precision, the oracle for the others. */
#include <math.h>
#include <string.h>

#include "engine/backend/devices.h"
#include "engine/backend/reference_kernel.h"
#include "engine/base/memory.h"

static bool probe(struct tp_text *line)
{
	tp_text_add(line, "plain C loops in double precision");
	return true;
}

static enum tp_status open_device(const struct tp_device_options *options, int32_t stage, struct tp_device **device)
{
	*device = tp_alloc(sizeof **device);
	if (!*device)
		return TP_ERR_NOMEM;
	**device = (struct tp_device){&tp_device_reference, stage, options->kernel_names};
	return TP_OK;
}

static void close_device(struct tp_device *device)
{
	tp_free(device);
}

static void upload(struct tp_device *device, const float *from, void *to, struct tp_shape shape, int32_t samples)
{
	(void)device;
	double *values = to;
	const int64_t count = samples * tp_shape_elements(shape);
	for (int64_t i = 0; i < count; i++)
		values[i] = (double)from[i];
}

static void sgd(struct tp_device *device, const struct tp_sgd *sgd, const void *from, void *to, void *gradient,
                void *momentum, size_t bytes)
{
	(void)device;
	const double *weight = from, *g = gradient;
	double *updated = to, *m = momentum;
	for (size_t i = 0; i < bytes / sizeof(double); i++) {
		double decayed = g[i] + sgd->weight_decay * weight[i];
		m[i] = sgd->first_step ? decayed : sgd->momentum * m[i] + decayed;
		updated[i] = weight[i] - sgd->lr * m[i];
	}
}

/* How many classes come before the label when ordered by logit, largest first, lower class first on ties. */
static int32_t rank_of_label(const double *logits, int32_t classes, int32_t label)
{
	if (isnan(logits[label]))
		return classes;
	int32_t rank = 0;
	for (int32_t c = 0; c < classes; c++)
		rank += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
	return rank;
}

static void loss_forward(struct tp_device *device, int32_t samples, int32_t classes, const void *logits,
                         const int32_t *labels, void *probabilities, struct tp_loss_result *result)
{
	(void)device;
	*result = (struct tp_loss_result){0};
	for (int32_t n = 0; n < samples; n++) {
		const double *row = (const double *)logits + (int64_t)n * classes;
		double largest = row[0], sum = 0;
		for (int32_t c = 1; c < classes; c++)
			largest = row[c] > largest ? row[c] : largest;
		for (int32_t c = 0; c < classes; c++)
			sum += exp(row[c] - largest);
		result->loss_sum += log(sum) - (row[labels[n]] - largest);
		int32_t rank = rank_of_label(row, classes, labels[n]);
		result->top1 += rank < 1;
		result->top5 += rank < 5;
		if (!probabilities)
			continue;
		double *out = (double *)probabilities + (int64_t)n * classes;
		for (int32_t c = 0; c < classes; c++)
			out[c] = exp(row[c] - largest) / sum;
	}
}

static void loss_backward(struct tp_device *device, int32_t samples, int32_t classes, const void *probabilities,
                          const int32_t *labels, double scale, void *dlogits)
{
	(void)device;
	const double *from = probabilities;
	double *to = dlogits;
	for (int32_t n = 0; n < samples; n++)
		for (int32_t c = 0; c < classes; c++, from++, to++)
			*to = (*from - (c == labels[n])) * scale;
}

static void blend(struct tp_device *device, double a, const void *x, double b, const void *y, void *to, size_t bytes)
{
	(void)device;
	const double *from_x = x, *from_y = y;
	double *result = to;
	for (size_t i = 0; i < bytes / sizeof(double); i++)
		result[i] = a * from_x[i] + b * from_y[i];
}

const struct tp_device_ops tp_device_reference = {
        .name = "reference",
        .summary = "plain loops in double precision: slow, exact, what the others are checked against",
        .element_bytes = sizeof(double),
        .probe = probe,
        .open = open_device,
        .close = close_device,
        .kernel_new = tp_reference_kernel_new,
        .upload = upload,
        .sgd = sgd,
        .loss_forward = loss_forward,
        .loss_backward = loss_backward,
        .blend = blend,
};
