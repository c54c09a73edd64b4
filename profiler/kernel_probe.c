#include "profiler/kernel_probe.h"

_Thread_local struct tp_kernel_probe tp_kernel_probe;

void tp_kernel_record(int64_t start_ns, int32_t name)
{
	int64_t end_ns = tp_now_ns(), zero_ns = tp_kernel_probe.zero_ns;
	struct tp_recorder *recorder = tp_kernel_probe.recorder;
	struct tp_ring *ring = &recorder->rings[TP_RECORD_KERNEL];
	TP_CHECK(name >= 0); /* all that runs on a stage's thread was named when it was planned */
	struct tp_kernel_record *record = tp_ring_next(ring);
	if (!record)
		return;
	*record = (struct tp_kernel_record){
	        .start_ns = start_ns - zero_ns,
	        .end_ns = end_ns - zero_ns,
	        .operation = tp_recorder_operation(recorder),
	        .name = name,
	        .stage = recorder->stage,
	};
	tp_ring_commit(ring);
}
