/* The kernels of a stage, where they are recorded: names of those around its layers, and how many run at most. Internal
 * to engine/run. */
#ifndef TP_ENGINE_RUN_STAGE_KERNELS_H
#define TP_ENGINE_RUN_STAGE_KERNELS_H

#include "engine/backend/kernel_naming.h"
#include "engine/run/stage.h"

/* Once the stage is laid out and its memory reserved. `names` may be NULL. */
enum tp_status tp_stage_name_kernels(struct tp_stage *stage, struct tp_kernel_names *names);
void tp_stage_release_names(struct tp_stage *stage);

/* Kernels of one operation at most; a backward's part counts as a backward. None on a device without values. */
struct tp_stage_kernel_bound {
	int64_t forward, backward, update;
};
struct tp_stage_kernel_bound tp_stage_kernel_bound(const struct tp_stage *stage);

#endif
