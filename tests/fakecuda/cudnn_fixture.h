/* Tensors for tests of the stand-in for cuDNN: plain doubles in NCHW (filters in KCRS) beside the same in the memory,
 * type and format that a descriptor says. */
#ifndef TP_TESTS_FAKECUDA_CUDNN_FIXTURE_H
#define TP_TESTS_FAKECUDA_CUDNN_FIXTURE_H

#include <cudnn.h>

#include "tests/fakecuda/run_at_once.h"

/* One combination to test under. */
struct mode {
	cudnnTensorFormat_t format;
	cudnnDataType_t type;
};

enum { MODES = 4 };
extern const struct mode modes[MODES];

/* Of results after they were written. */
double mode_tolerance(struct mode mode);

/* n, c, h, w, or k, c, h, w of a filter. */
struct dims {
	int n, c, h, w;
};

struct tensor {
	struct mode mode;
	struct dims dims;
	int64_t count;
	size_t bytes;
	double *plain;
	void *memory;
	cudnnTensorDescriptor_t desc;
	cudnnFilterDescriptor_t filter; /* the same sizes */
};

/* With values from `seed`, in both. */
void tensor_init(struct tensor *tensor, struct mode mode, struct dims dims, uint32_t seed);
void tensor_release(struct tensor *tensor);

/* Into memory, and one value out of it. Indices are NCHW. */
void tensor_put(struct tensor *tensor);
double tensor_get(const struct tensor *tensor, int64_t index);

/* What is in memory is `alpha` * expected + `beta` * plain, all in NCHW. */
void tensor_expect(const struct tensor *tensor, const double *expected, double alpha, double beta);

#endif
