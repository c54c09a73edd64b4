/* The names of a run's kernels, so that the record of one needs a number only. The table grows while the run is
 * planned, by one thread, and is read-only from then on. */
#ifndef TP_PROFILER_KERNEL_NAMES_H
#define TP_PROFILER_KERNEL_NAMES_H

#include <stdint.h>

#include "engine/base/status.h"

/* Of a kernel that nobody wants recorded. */
#define TP_KERNEL_UNNAMED (-1)

struct tp_kernel_name {
	char name[64];            /* of the library's primitive, the engine's loop or the GPU's kernel: "sgd" */
	char implementation[192]; /* as the library names it, with all a GPU's kernel is called; "" for loops of the
	                             engine */
	char pass[4];             /* F, BD (gradient of the input), BW (of the weights), B (both), U */
	char layer[48];           /* "features.0"; "" where it is no layer's */
	char shape[64];           /* "48x3x32x32 -> 48x64x32x32 k3s1p1" */
	int64_t moved_bytes;      /* sizes of its arguments; 0: not known */
	int64_t kernel_flops;     /* counted from the shape, 2 for a multiplication with addition; 0: not counted */
};

/* Zeroed: empty. */
struct tp_kernel_names {
	struct tp_kernel_name *entries;
	int32_t count, capacity;
	int32_t *buckets; /* places of entries plus 1, 0 for none; twice as many as the capacity, a power of two */
};

/* The number of `name`, which is copied unless there is one with the same texts; that one stays as it is then. */
enum tp_status tp_kernel_names_add(struct tp_kernel_names *names, const struct tp_kernel_name *name, int32_t *number);
void tp_kernel_names_release(struct tp_kernel_names *names);

/* Memory that the table takes. */
int64_t tp_kernel_names_bytes(const struct tp_kernel_names *names);

#endif
