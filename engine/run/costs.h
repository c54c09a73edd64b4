/* What the operations of a pipeline cost: measured by themselves, or taken from the records of a run. With them the
 * simulator predicts an epoch; with zero link its makespan is the bound of the schedule. */
#ifndef TP_ENGINE_RUN_COSTS_H
#define TP_ENGINE_RUN_COSTS_H

#include "engine/run/trainer.h"
#include "engine/schedule/simulator.h"

/* Nanoseconds, per stage, in the form the simulator takes. */
struct tp_cost_table {
	int32_t stages;
	int32_t forwards_per_mini, backwards_per_mini;
	int64_t *values;             /* owns the numbers that `stage` points at */
	struct tp_stage_cost *stage; /* one per stage */
};

void tp_cost_table_release(struct tp_cost_table *table);

/* Loaded costs: the median of each operation over the records of one epoch, while the other stages ran. */
enum tp_status tp_costs_from_records(const struct tp_run_info *info, const struct tp_epoch_result *result,
                                     struct tp_cost_table *table);

/* Costs alone: each operation of each stage by itself on the calling thread, warm, the median of `rounds` (at least 5).
 * The weights are worth nothing afterwards: for a trainer that does not train. */
enum tp_status tp_costs_alone(struct tp_trainer *trainer, int32_t rounds, struct tp_cost_table *table);

#endif
