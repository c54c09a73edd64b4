#include "engine/backend/cpu_loss.h"

#include <math.h>

/* How many classes come before the label when ordered by logit, largest first, lower class first on ties; a label whose
 * logit is not a number comes after all. */
static int32_t rank_of_label(const float *row, int32_t classes, int32_t label)
{
	if (isnan(row[label]))
		return INT32_MAX;
	int32_t rank = 0;
	for (int32_t c = 0; c < classes; c++)
		rank += row[c] > row[label] || (row[c] == row[label] && c < label);
	return rank;
}

/* Logits relative to the largest of the row, so that nothing overflows; their sum of exponentials. */
static double sum_exponentials(const float *row, int32_t classes, float *largest)
{
	double sum = 0;
	*largest = row[0];
	for (int32_t c = 1; c < classes; c++)
		*largest = row[c] > *largest ? row[c] : *largest;
	for (int32_t c = 0; c < classes; c++)
		sum += (double)expf(row[c] - *largest);
	return sum;
}

void tp_cpu_loss_forward(struct tp_device *device, int32_t samples, int32_t classes, const void *logits,
                         const int32_t *labels, void *probabilities, struct tp_loss_result *result)
{
	(void)device;
	const float *row = logits;
	float *out = probabilities;
	*result = (struct tp_loss_result){0};
	for (int32_t n = 0; n < samples; n++, row += classes) {
		float largest = 0.0F;
		double sum = sum_exponentials(row, classes, &largest);
		int32_t rank = rank_of_label(row, classes, labels[n]);
		result->loss_sum += log(sum) - ((double)row[labels[n]] - (double)largest);
		result->top1 += rank < 1;
		result->top5 += rank < 5;
		if (!out)
			continue;
		float factor = (float)(1.0 / sum);
		for (int32_t c = 0; c < classes; c++)
			out[c] = expf(row[c] - largest) * factor;
		out += classes;
	}
}

void tp_cpu_loss_backward(struct tp_device *device, int32_t samples, int32_t classes, const void *probabilities,
                          const int32_t *labels, double scale, void *dlogits)
{
	(void)device;
	const float *from = probabilities;
	float *to = dlogits;
	for (int32_t n = 0; n < samples; n++, from += classes, to += classes) {
		for (int32_t c = 0; c < classes; c++)
			to[c] = from[c] * (float)scale;
		to[labels[n]] = (from[labels[n]] - 1.0F) * (float)scale;
	}
}
