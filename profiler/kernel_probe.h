/* Where a thread records the kernels that it runs. A stage's thread sets the probe for an epoch that is recorded with
 * --profile kernels and clears it after; on all other threads, and then, it is clear and a kernel costs one branch.
 *
 *	int64_t start_ns = tp_kernel_begin();
 *	... the kernel ...
 *	tp_kernel_end(start_ns, name);
 *
 * Kernels do not nest: the pair goes around one primitive or one loop. */
#ifndef TP_PROFILER_KERNEL_PROBE_H
#define TP_PROFILER_KERNEL_PROBE_H

#include "engine/base/clock.h"
#include "profiler/kernel_names.h"
#include "profiler/recorder.h"

struct tp_kernel_probe {
	struct tp_recorder *recorder; /* NULL: clear */
	int64_t zero_ns;              /* the machine's clock at the start of the run's */
};

extern _Thread_local struct tp_kernel_probe tp_kernel_probe;

/* The start of a kernel by the machine's clock; 0: nobody wants it. */
static inline int64_t tp_kernel_begin(void)
{
	return __builtin_expect(tp_kernel_probe.recorder != NULL, 0) ? tp_now_ns() : 0;
}

/* The record of a kernel that has ended: its number in the names of the run, its start as tp_kernel_begin() gave it. It
 * belongs to the operation under way. */
void tp_kernel_record(int64_t start_ns, int32_t name);

static inline void tp_kernel_end(int64_t start_ns, int32_t name)
{
	if (__builtin_expect(start_ns != 0, 0))
		tp_kernel_record(start_ns, name);
}

#endif
