#include "engine/run/costs.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/run/trainer_internal.h"
#include "engine/run/worker_compute.h"

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The median; at least 1, since the simulator's operations take time. */
static int64_t median_ns(int64_t *samples, size_t count)
{
	qsort(samples, count, sizeof *samples, by_value);
	int64_t median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
	return median > 0 ? median : 1;
}

/* --- from records ---------------------------------------------------------------------------------------------------
 */

struct records {
	const struct tp_op_record *ops;
	int64_t count;
};

static size_t collect(const struct records *records, int32_t stage, enum tp_op_kind kind, int32_t micro,
                      int64_t *samples)
{
	size_t count = 0;
	for (int64_t i = 0; i < records->count; i++) {
		const struct tp_op_record *op = &records->ops[i];
		if (op->stage == stage && op->kind == (int16_t)kind && (op->micro == TP_WHOLE || op->micro == micro))
			samples[count++] = op->end_ns - op->start_ns;
	}
	return count;
}

/* All operations of one kind at one stage. */
static enum tp_status take_medians(const struct records *records, int32_t stage, enum tp_op_kind kind, int64_t *samples,
                                   struct tp_cost_table *table)
{
	int32_t entries = tp_cost_entries(&table->shape, kind);
	for (int32_t j = 0; j < entries; j++) {
		size_t count = collect(records, stage, kind, j, samples);
		if (count == 0)
			return tp_fail(TP_ERR_INPUT, "no records of %s at stage %d to take costs from",
			               tp_op_kind_text(kind), stage);
		*tp_cost_entry(table, stage, kind, j) = median_ns(samples, count);
	}
	return TP_OK;
}

enum tp_status tp_costs_from_records(struct tp_cost_shape shape, const struct tp_op_record *ops, int64_t count,
                                     struct tp_cost_table *table)
{
	const struct records records = {ops, count};
	TP_TRY(tp_cost_table_init(table, shape));
	int64_t *samples = tp_alloc_array((size_t)count, sizeof *samples);
	enum tp_status status = samples ? TP_OK : TP_ERR_NOMEM;
	for (int32_t s = 0; s < table->shape.stages && status == TP_OK; s++) {
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS && status == TP_OK; kind++)
			status = take_medians(&records, s, kind, samples, table);
	}
	tp_free(samples);
	if (status != TP_OK)
		tp_cost_table_release(table);
	return status;
}

/* --- alone
 * ------------------------------------------------------------------------------------------------------------ */

enum { ALONE_MOST_ROUNDS = 64 };

struct alone {
	struct tp_worker *worker;
	struct tp_activation_slot *slot;
	struct tp_action action;
	bool accumulate;
};

static enum tp_status compute(const struct alone *alone)
{
	switch (alone->action.kind) {
	case TP_OP_F:
		return tp_worker_forward(alone->worker, alone->slot, &alone->action, 0);
	case TP_OP_U:
		tp_stage_update(&alone->worker->stage, 0, 0, 0, 0.0, 0.9, 0.0);
		return TP_OK;
	default:
		return tp_worker_backward(alone->worker, alone->slot, &alone->action, 0, alone->accumulate);
	}
}

static enum tp_status time_op(const struct alone *alone, int32_t rounds, int64_t *median)
{
	int64_t samples[ALONE_MOST_ROUNDS];
	for (int32_t i = -1; i < rounds; i++) { /* the first is a warm-up */
		int64_t start = tp_now_ns();
		TP_TRY(compute(alone));
		TP_TRY(tp_stage_finish(&alone->worker->stage));
		if (i >= 0)
			samples[i] = tp_now_ns() - start;
	}
	*median = median_ns(samples, (size_t)rounds);
	return TP_OK;
}

/* All operations of one stage; its output and input gradient are then there for its neighbours. With slots of one
 * micro-batch all micro-batches use the same. */
static enum tp_status measure_stage(struct alone *alone, int32_t rounds, struct tp_cost_table *table)
{
	static const enum tp_op_kind kinds[] = {TP_OP_F, TP_OP_B, TP_OP_BX, TP_OP_BW, TP_OP_U};
	const struct tp_policy *policy = alone->worker->crew->pipeline.policy;
	int32_t s = alone->worker->index;
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		int32_t entries = tp_cost_entries(&table->shape, kinds[k]);
		enum tp_unit unit = kinds[k] == TP_OP_F ? policy->forward_unit : policy->backward_unit;
		for (int32_t j = 0; j < entries; j++) {
			alone->action = (struct tp_action){
			        .kind = kinds[k], .mini = 1, .micro = unit == TP_UNIT_MICRO ? j : TP_WHOLE};
			/* the backward that comes first overwrites the gradient, the others add to it */
			alone->accumulate = policy->backward_reversed ? j < entries - 1 : j > 0;
			TP_TRY(time_op(alone, rounds, tp_cost_entry(table, s, kinds[k], j)));
		}
	}
	return TP_OK;
}

enum tp_status tp_costs_alone(struct tp_trainer *trainer, int32_t rounds, struct tp_cost_table *table)
{
	struct tp_crew *crew = tp_trainer_crew(trainer);
	TP_CHECK(rounds >= 5 && rounds <= ALONE_MOST_ROUNDS);
	TP_TRY(tp_cost_table_init(table, tp_cost_shape_of(&crew->pipeline)));
	enum tp_status status = TP_OK;
	for (int32_t s = 0; s < crew->pipeline.stages && status == TP_OK; s++) {
		struct alone alone = {.worker = &crew->workers[s]};
		struct tp_stage *stage = &alone.worker->stage;
		alone.slot = &stage->activations.slots[0];
		if (s > 0) {
			struct tp_stage *upstream = &crew->workers[s - 1].stage;
			struct tp_activation_slot *from = &upstream->activations.slots[0];
			alone.slot->input = tp_stage_output_data(upstream, from);
			alone.slot->input_gradient = from->output_gradient;
		}
		status = measure_stage(&alone, rounds, table);
	}
	if (status != TP_OK)
		tp_cost_table_release(table);
	return status;
}

/* --- counted --------------------------------------------------------------------------------------------------------
 */

/* Nanoseconds of so many operations; at least one. */
static int64_t counted_ns(double flops, double flops_per_s)
{
	double ns = flops / flops_per_s * 1e9;
	return ns < 1 ? 1 : ns < (double)TP_COST_MAX_NS ? (int64_t)ns : TP_COST_MAX_NS;
}

static double parameters_of(const struct tp_model *model, int32_t first_block, int32_t block_count)
{
	double sum = 0;
	for (int32_t b = first_block; b < first_block + block_count; b++) {
		const struct tp_block *block = &model->blocks[b];
		for (int32_t l = block->first_layer; l < block->first_layer + block->layer_count; l++) {
			struct tp_param params[TP_LAYER_MAX_PARAMS];
			int32_t count = tp_layer_params(&model->layers[l], params);
			for (int32_t p = 0; p < count; p++)
				sum += params[p].trainable ? (double)params[p].elements : 0;
		}
	}
	return sum;
}

enum tp_status tp_costs_flops(const struct tp_model *model, const int32_t *blocks_per_stage, struct tp_slicing slicing,
                              struct tp_cost_shape shape, bool recompute, double flops_per_s,
                              struct tp_cost_table *table)
{
	const int again = recompute; /* the first part of a backward runs the forward again */
	const double factor[TP_OP_KINDS] = {
	        [TP_OP_F] = 1, [TP_OP_B] = 2 + again, [TP_OP_BX] = 1 + again, [TP_OP_BW] = 1};
	TP_TRY(tp_cost_table_init(table, shape));
	for (int32_t s = 0, first_block = 0; s < shape.stages; first_block += blocks_per_stage[s], s++) {
		double forward = 0;
		for (int32_t b = first_block; b < first_block + blocks_per_stage[s]; b++)
			forward += (double)tp_block_forward_flops(model, b);
		for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
			int32_t entries = kind == TP_OP_U ? 0 : tp_cost_entries(&shape, kind);
			for (int32_t j = 0; j < entries; j++) {
				int32_t samples = tp_slice_size(slicing, entries == 1 ? TP_WHOLE : j);
				*tp_cost_entry(table, s, kind, j) =
				        counted_ns(factor[kind] * forward * samples, flops_per_s);
			}
		}
		table->stage[s].update =
		        counted_ns(3 * parameters_of(model, first_block, blocks_per_stage[s]), flops_per_s);
	}
	return TP_OK;
}
