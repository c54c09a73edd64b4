/* One or two stages of a small network, without workers: what the tests of a stage drive by hand. All pipes of a device
 * start from the same weights and see the same mini-batch. Failures end the test. */
#ifndef TP_TESTS_RUN_PIPE_H
#define TP_TESTS_RUN_PIPE_H

#include "engine/run/stage.h"

enum { PIPE_BATCH = 7, PIPE_SLICES = 3, PIPE_CLASSES = 5, PIPE_BLOCKS = 3, PIPE_VERSIONS = 3 };

enum { REFERENCE, CPU, DEVICES };
extern const char *const pipe_devices[DEVICES];

enum { EACH_SLICE = 3, WHOLE = 0 }; /* cuts, see pipe_backward */

/* What a pipeline is to be like. */
struct pipe_kind {
	int device;
	int32_t stages;
	enum tp_span span;
	bool split, recompute, blends;
	struct tp_kernel_names *kernel_names; /* NULL: kernels are not named */
};

struct pipe {
	struct pipe_kind kind;
	struct tp_stage stage[2];
	double loss_sum;
};

/* Once, before all else. */
void pipe_build_model(void);

/* Weights differ between the version buffers; the gradient is not a number. */
struct pipe *pipe_open(struct pipe_kind kind);
void pipe_close(struct pipe *pipe);

/* The slot of a slice at stage `s`. */
struct tp_activation_slot *pipe_slot(struct pipe *pipe, int32_t s, int32_t slice);

/* All slices through all stages with one version; takes the slots. */
void pipe_forward(struct pipe *pipe, int32_t version);

/* One run back through all stages. */
void pipe_backward_run(struct pipe *pipe, enum tp_backward_part part, int32_t first, int32_t count,
                       struct tp_stage_read read, bool accumulate);

/* The mini-batch in the runs that end where a bit of `cuts` is set, in order. Split: the first parts of all runs, then
 * the second parts, which do not come in the same order. */
void pipe_backward(struct pipe *pipe, int cuts, struct tp_stage_read read);

#endif
