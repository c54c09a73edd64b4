/* How a stage lies in memory: kernels, offsets in a slot, and which gradient buffer each value uses. Internal to the
 * stage. */
#ifndef TP_ENGINE_RUN_STAGE_LAYOUT_H
#define TP_ENGINE_RUN_STAGE_LAYOUT_H

#include "engine/run/stage.h"

struct tp_stage_sizes {
	size_t params_bytes, state_bytes, scratch_bytes;
	size_t slot_bytes;         /* in each slot */
	size_t work_bytes;         /* of the work area: what a backward computes again */
	size_t gradient_sum_bytes; /* 0 when no value has several readers */
	int32_t gradient_count;
	size_t *gradient_bytes; /* of each gradient buffer; freed by the caller with tp_free */
};

/* Build the kernels of stage->spec into stage->layers and values, and compute all sizes. */
enum tp_status tp_stage_lay_out(struct tp_stage *stage, struct tp_stage_sizes *sizes);

#endif
