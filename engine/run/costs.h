/* What the operations of a pipeline cost: measured by themselves, or taken from the records of a run. With them the
 * simulator predicts an epoch; with zero link its makespan is the bound of the schedule. */
#ifndef TP_ENGINE_RUN_COSTS_H
#define TP_ENGINE_RUN_COSTS_H

#include "engine/backend/kernel.h"
#include "engine/run/trainer.h"
#include "engine/schedule/cost_table.h"

/* Loaded costs: the median of each operation over `count` records, of an epoch, while the other stages ran.
 * TP_ERR_INPUT when an operation has none. */
enum tp_status tp_costs_from_records(struct tp_cost_shape shape, const struct tp_op_record *ops, int64_t count,
                                     struct tp_cost_table *table);

/* Costs alone: each operation of each stage by itself on the calling thread, warm, the median of `rounds` (at least 5).
 * The weights are worth nothing afterwards: for a trainer that does not train. */
enum tp_status tp_costs_alone(struct tp_trainer *trainer, int32_t rounds, struct tp_cost_table *table);

/* Costs counted: a forward is the stage's counted floating-point operations at `flops_per_s`, a backward twice that
 * (each part of a split one once) and once more when it runs the forward again (`recompute`), an update three
 * operations for each parameter. */
enum tp_status tp_costs_flops(const struct tp_model *model, const int32_t *blocks_per_stage, struct tp_slicing slicing,
                              struct tp_cost_shape shape, bool recompute, double flops_per_s,
                              struct tp_cost_table *table);

#endif
