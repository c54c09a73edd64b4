/* From a configuration to the pipeline of one epoch: the policy with its axes applied, or a refusal of what contradicts
 * itself. Everything that lays a schedule out (training, simulate, verify, plan) goes through it. */
#ifndef TP_ENGINE_RUN_AXES_H
#define TP_ENGINE_RUN_AXES_H

#include "engine/config/run_config.h"
#include "engine/schedule/progress.h"

/* Axes that a schedule may or may not have. */
enum tp_axis {
	TP_AXIS_BACKWARD_VERSION,
	TP_AXIS_SEQUENCE,
	TP_AXIS_MAX_STALENESS,
	TP_AXIS_IN_FLIGHT,
	TP_AXIS_STALENESS_DECAY,
	TP_AXES
};

/* Can the schedule, with the rest of the configuration, take what is asked for? TP_ERR_INPUT says why not. */
enum tp_status tp_axis_check(const struct tp_run_config *config, const struct tp_policy *policy, enum tp_axis axis);
/* Back to the default, for a schedule of a comparison that the axis does not concern. */
void tp_axis_reset(struct tp_run_config *config, enum tp_axis axis);

/* Fill `policy`, a copy of `named` with --backward-version applied, and `pipeline`, which points at it. `minis`: of an
 * epoch. A schedule of whole mini-batches has one micro-batch, one of a single stage one stage. */
enum tp_status tp_axes_apply(const struct tp_run_config *config, const struct tp_policy *named, int64_t minis,
                             struct tp_policy *policy, struct tp_pipeline *pipeline);

#endif
