#include "tests/parity/oracle_mlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *oracle_array(size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	if (array == NULL) {
		fprintf(stderr, "oracle: no memory for %zu elements of %zu bytes\n", count, size);
		abort();
	}
	return array;
}

size_t oracle_mlp_size(const struct oracle_mlp *mlp, int first, int count)
{
	size_t size = 0;

	for (int l = first; l < first + count; l++)
		size += (size_t)mlp->width[l + 1] * ((size_t)mlp->width[l] + 1);
	return size;
}

void oracle_mlp_forward(const struct oracle_mlp *mlp, int layer, const double *w, int rows, const double *x, double *y)
{
	size_t in = (size_t)mlp->width[layer];
	size_t out = (size_t)mlp->width[layer + 1];
	const double *bias = w + out * in;

	for (size_t r = 0; r < (size_t)rows; r++)
		for (size_t o = 0; o < out; o++) {
			double z = bias[o];

			for (size_t k = 0; k < in; k++)
				z += w[o * in + k] * x[r * in + k];
			y[r * out + o] = layer == ORACLE_LAYERS - 1 || z > 0 ? z : 0;
		}
}

void oracle_mlp_backward(const struct oracle_mlp *mlp, int layer, const double *w, int rows, const double *x,
                         const double *y, const double *dy, double *dx, double *gradient)
{
	size_t in = (size_t)mlp->width[layer];
	size_t out = (size_t)mlp->width[layer + 1];
	double *bias_gradient = gradient + out * in;

	for (size_t r = 0; r < (size_t)rows; r++) {
		for (size_t k = 0; dx != NULL && k < in; k++)
			dx[r * in + k] = 0;
		for (size_t o = 0; o < out; o++) {
			double dz = layer == ORACLE_LAYERS - 1 || y[r * out + o] > 0 ? dy[r * out + o] : 0;

			for (size_t k = 0; k < in; k++) {
				gradient[o * in + k] += dz * x[r * in + k];
				if (dx != NULL)
					dx[r * in + k] += dz * w[o * in + k];
			}
			bias_gradient[o] += dz;
		}
	}
}

double oracle_mlp_loss(int classes, int rows, const double *logits, const int *labels, int batch, double *dlogits)
{
	double loss = 0;

	for (int r = 0; r < rows; r++) {
		const double *z = logits + (size_t)r * (size_t)classes;
		double *dz = dlogits + (size_t)r * (size_t)classes;
		double top = z[0];
		double sum = 0;

		for (int c = 1; c < classes; c++)
			top = fmax(top, z[c]);
		for (int c = 0; c < classes; c++)
			sum += exp(z[c] - top);
		for (int c = 0; c < classes; c++)
			dz[c] = (exp(z[c] - top) / sum - (c == labels[r] ? 1 : 0)) / batch;
		loss += (log(sum) + top - z[labels[r]]) / batch;
	}
	return loss;
}

void oracle_mlp_sgd(size_t count, const double *live, const double *gradient, double *m, double *next, double lr,
                    double momentum, double decay)
{
	for (size_t k = 0; k < count; k++) {
		double g = gradient[k] + decay * live[k];

		m[k] = momentum * m[k] + g;
		next[k] = live[k] - lr * m[k];
	}
}

double oracle_mlp_gradient(const struct oracle_mlp *mlp, const double *forward, const double *backward, int rows,
                           const double *samples, const int *labels, double *gradient)
{
	double *activation[ORACLE_LAYERS];
	double *derivative[ORACLE_LAYERS];
	double loss;

	for (int l = 0; l < ORACLE_LAYERS; l++) {
		size_t count = (size_t)rows * (size_t)mlp->width[l + 1];

		activation[l] = oracle_array(count, sizeof(double));
		derivative[l] = oracle_array(count, sizeof(double));
		oracle_mlp_forward(mlp, l, forward + oracle_mlp_size(mlp, 0, l), rows,
		                   l == 0 ? samples : activation[l - 1], activation[l]);
	}
	loss = oracle_mlp_loss(mlp->width[ORACLE_LAYERS], rows, activation[ORACLE_LAYERS - 1], labels, rows,
	                       derivative[ORACLE_LAYERS - 1]);
	memset(gradient, 0, oracle_mlp_size(mlp, 0, ORACLE_LAYERS) * sizeof(*gradient));
	for (int l = ORACLE_LAYERS - 1; l >= 0; l--) {
		size_t offset = oracle_mlp_size(mlp, 0, l);

		oracle_mlp_backward(mlp, l, backward + offset, rows, l == 0 ? samples : activation[l - 1],
		                    activation[l], derivative[l], l == 0 ? NULL : derivative[l - 1], gradient + offset);
	}
	for (int l = 0; l < ORACLE_LAYERS; l++) {
		free(activation[l]);
		free(derivative[l]);
	}
	return loss;
}
