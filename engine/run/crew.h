/* Planning: from a configuration to a crew of workers with all memory reserved, or a refusal. Internal to engine/run.
 */
#ifndef TP_ENGINE_RUN_CREW_H
#define TP_ENGINE_RUN_CREW_H

#include "engine/run/worker.h"

/* What the plan decides beyond the crew itself. */
struct tp_plan {
	struct tp_model *model;
	struct tp_policy policy; /* with --backward-version applied */
	struct tp_pipeline pipeline;
	struct tp_slicing slicing;
	enum tp_span span;
	struct tp_emulation emulation;
	int32_t *blocks_per_stage;
	int64_t minis_per_epoch;
	int64_t dropped_samples;
	int32_t infer_sizes[2]; /* batches of evaluation: whole ones, and the rest; 0 where unused */
};

/* Everything that can be refused without building anything; fills `plan`, which stays where it is (it points into
 * itself) and is safe to release also after a failure. */
enum tp_status tp_plan_init(struct tp_plan *plan, const struct tp_run_config *config, const struct tp_policy *policy,
                            const struct tp_dataset *dataset);
void tp_plan_release(struct tp_plan *plan);

/* Build stages and workers by the plan; refuses a worker whose memory limit would be passed. Safe to release after a
 * failure. */
enum tp_status tp_crew_init(struct tp_crew *crew, struct tp_plan *plan, const struct tp_run_config *config,
                            const struct tp_dataset *dataset, struct tp_run_control *control);
void tp_crew_release(struct tp_crew *crew);

/* Real clock: compare the clocks of the devices with the machine's, while all stages rest. Nothing on blocking devices.
 */
enum tp_status tp_crew_start_clocks(struct tp_crew *crew);

#endif
