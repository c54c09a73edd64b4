/*
 * The arithmetic of the oracle: a perceptron of four linear layers with a ReLU after the first three, in double
 * precision and plain loops. It shares nothing with the engine, so that equal results mean something.
 *
 * Layouts: samples and activations are rows, sample after sample. Weights lie layer by layer, each as in PyTorch:
 * weight (out x in, row-major), then bias (out). The caller owns all arrays.
 */
#ifndef TPBENCH_TESTS_PARITY_ORACLE_MLP_H
#define TPBENCH_TESTS_PARITY_ORACLE_MLP_H

#include <stddef.h>

enum { ORACLE_LAYERS = 4 };

/* width[0] inputs per sample, width[l + 1] outputs of layer l (fc1 is layer 0); width[ORACLE_LAYERS] classes. */
struct oracle_mlp {
	int width[ORACLE_LAYERS + 1];
};

/* An array of zeros, freed by free(); prints a reason and aborts when there is no memory. */
void *oracle_array(size_t count, size_t size);

/* Number of doubles that the weights of `count` layers from layer `first` take. */
size_t oracle_mlp_size(const struct oracle_mlp *mlp, int first, int count);

/* y (rows x out) = w x + b for x (rows x in), and ReLU unless it is the last layer; w is this layer's weights. */
void oracle_mlp_forward(const struct oracle_mlp *mlp, int layer, const double *w, int rows, const double *x, double *y);

/*
 * Backward of one layer from what its forward stored: x, and y, whose positive elements are the ReLU mask (the last
 * layer has none). Only dx reads w, which may be another version than the forward's. Adds to gradient (laid out as
 * w); writes dx (rows x in) unless it is NULL.
 */
void oracle_mlp_backward(const struct oracle_mlp *mlp, int layer, const double *w, int rows, const double *x,
                         const double *y, const double *dy, double *dx, double *gradient);

/*
 * Softmax cross-entropy of rows x classes logits, summed over the rows and divided by `batch`, the size of the whole
 * mini-batch, of which the rows may be a part. Writes its derivative to dlogits; returns the loss.
 */
double oracle_mlp_loss(int classes, int rows, const double *logits, const int *labels, int batch, double *dlogits);

/*
 * One step of SGD as PyTorch's: g = gradient + decay * live; m = momentum * m + g; next = live - lr * m. The caller
 * starts m at zero, which makes the first step m = g. next may be live itself.
 */
void oracle_mlp_sgd(size_t count, const double *live, const double *gradient, double *m, double *next, double lr,
                    double momentum, double decay);

/*
 * A whole mini-batch: forward with the weights `forward`, backward reading `backward` (the same array for an ordinary
 * gradient). Overwrites gradient (laid out as the weights); returns the loss.
 */
double oracle_mlp_gradient(const struct oracle_mlp *mlp, const double *forward, const double *backward, int rows,
                           const double *samples, const int *labels, double *gradient);

#endif
