/* The slot plan of one epoch, laid out once: each stage's list of operations in order, with what the stage knew of the
 * others at each (hence every version it reads and frees), and all tags and stamps. Replaying the list gives the same
 * weights whatever the timing, since nothing but the plan decides which version is read. Read-only once made. */
#ifndef TP_ENGINE_SCHEDULE_SLOT_PLAN_H
#define TP_ENGINE_SCHEDULE_SLOT_PLAN_H

#include "engine/schedule/simulator.h"

struct tp_planned_op {
	struct tp_action action;
	struct tp_observation seen;
	struct tp_observation seen_at_end;
};

struct tp_slot_plan {
	int32_t stages;
	int64_t ops_per_stage;       /* the same for all */
	struct tp_planned_op *ops;   /* stage s at [s * ops_per_stage] */
	struct tp_stamps stamps;     /* whole arrays, not rings */
	int32_t *versions_alive_max; /* per stage */
};

/* Lay out one epoch. Release with tp_slot_plan_release(); safe after a failure. */
enum tp_status tp_slot_plan_init(struct tp_slot_plan *plan, const struct tp_pipeline *pipeline);
void tp_slot_plan_release(struct tp_slot_plan *plan);

#endif
