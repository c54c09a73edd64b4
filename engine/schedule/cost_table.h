/* What every operation of a pipeline costs, in nanoseconds, in the form the simulator takes: one number for each
 * operation of a mini-batch at each stage. */
#ifndef TP_ENGINE_SCHEDULE_COST_TABLE_H
#define TP_ENGINE_SCHEDULE_COST_TABLE_H

#include "engine/schedule/simulator.h"

struct tp_cost_shape {
	int32_t stages;
	int32_t forwards_per_mini, backwards_per_mini;
	bool split; /* backwards in two parts */
};

struct tp_cost_shape tp_cost_shape_of(const struct tp_pipeline *pipeline);

struct tp_cost_table {
	struct tp_cost_shape shape;
	int64_t *values;             /* owns the numbers that `stage` points at */
	struct tp_stage_cost *stage; /* one per stage */
};

/* All zero. TP_ERR_NOMEM. Release with tp_cost_table_release(), safe after a failure. */
enum tp_status tp_cost_table_init(struct tp_cost_table *table, struct tp_cost_shape shape);
void tp_cost_table_release(struct tp_cost_table *table);

/* A copy, for a pipeline of `shape`; TP_ERR_INPUT when the table is for another. */
enum tp_status tp_cost_table_copy(struct tp_cost_table *table, const struct tp_cost_table *from,
                                  struct tp_cost_shape shape);

/* Operations of one kind that a stage of the shape has in a mini-batch: 0 for a kind it has not. */
int32_t tp_cost_entries(const struct tp_cost_shape *shape, enum tp_op_kind kind);

/* Numbers that `values` holds. */
int64_t tp_cost_value_count(const struct tp_cost_shape *shape);

/* The cost of an operation; `micro` may be TP_WHOLE, which is entry 0. The entry must exist. */
int64_t *tp_cost_entry(const struct tp_cost_table *table, int32_t stage, enum tp_op_kind kind, int32_t micro);

/* No single cost may be longer than this, an hour; what a run adds up to, see tp_emulation_check_time(). */
#define TP_COST_MAX_NS (INT64_C(3600) * 1000000000)

/* Divide a stage's costs by its worker's speed; nothing but an update becomes less than 1 ns. */
void tp_cost_table_scale(struct tp_cost_table *table, int32_t stage, double speed);

/* Every stage alike, from "F,B[,U]", durations with units: of the forward of a micro-batch, of its share of a backward,
 * of an update. A forward of a whole mini-batch of `micro_batches` costs N F, its backward N B, each part of a split
 * backward half of B. TP_ERR_INPUT for anything else, and for an operation that would take more than an hour. */
enum tp_status tp_cost_table_uniform(struct tp_cost_table *table, struct tp_cost_shape shape, int32_t micro_batches,
                                     const char *spec);

#endif
