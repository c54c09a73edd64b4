#include "engine/run/costs.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/run/trainer_internal.h"

static enum tp_status table_init(struct tp_cost_table *table, const struct tp_run_info *info)
{
	*table = (struct tp_cost_table){
	        .stages = info->stages,
	        .forwards_per_mini = tp_forwards_per_mini(info->policy, info->micro_batches),
	        .backwards_per_mini = tp_backwards_per_mini(info->policy, info->micro_batches),
	};
	size_t per_stage = (size_t)(table->forwards_per_mini + table->backwards_per_mini);
	table->values = tp_alloc_array((size_t)table->stages * per_stage, sizeof *table->values);
	table->stage = tp_alloc_array((size_t)table->stages, sizeof *table->stage);
	if (!table->values || !table->stage) {
		tp_cost_table_release(table);
		return TP_ERR_NOMEM;
	}
	for (int32_t s = 0; s < table->stages; s++) {
		table->stage[s].forward = table->values + (size_t)s * per_stage;
		table->stage[s].backward = table->stage[s].forward + table->forwards_per_mini;
	}
	return TP_OK;
}

void tp_cost_table_release(struct tp_cost_table *table)
{
	tp_free(table->values);
	tp_free(table->stage);
	*table = (struct tp_cost_table){0};
}

/* Where the cost of an operation goes; NULL micro-batches are the only one. */
static int64_t *entry(struct tp_cost_table *table, int32_t stage, enum tp_op_kind kind, int32_t micro)
{
	int64_t per_stage = table->forwards_per_mini + table->backwards_per_mini;
	int64_t at = stage * per_stage + (micro == TP_WHOLE ? 0 : micro);
	if (kind == TP_OP_U)
		return &table->stage[stage].update;
	return &table->values[kind == TP_OP_F ? at : at + table->forwards_per_mini];
}

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

static size_t collect(const struct tp_epoch_result *result, int32_t stage, enum tp_op_kind kind, int32_t micro,
                      int64_t *samples)
{
	size_t count = 0;
	for (int64_t i = 0; i < result->op_count; i++) {
		const struct tp_op_record *op = &result->ops[i];
		if (op->stage == stage && op->kind == (int16_t)kind && (op->micro == TP_WHOLE || op->micro == micro))
			samples[count++] = op->end_ns - op->start_ns;
	}
	return count;
}

enum tp_status tp_costs_from_records(const struct tp_run_info *info, const struct tp_epoch_result *result,
                                     struct tp_cost_table *table)
{
	TP_TRY(table_init(table, info));
	int64_t *samples = tp_alloc_array((size_t)result->op_count, sizeof *samples);
	enum tp_status status = samples ? TP_OK : TP_ERR_NOMEM;
	for (int32_t s = 0; s < table->stages && status == TP_OK; s++) {
		const int32_t units[TP_OP_KINDS] = {table->forwards_per_mini, table->backwards_per_mini, 1};
		for (int32_t kind = 0; kind < TP_OP_KINDS && status == TP_OK; kind++) {
			for (int32_t j = 0; j < units[kind]; j++) {
				size_t count = collect(result, s, (enum tp_op_kind)kind, j, samples);
				if (count == 0) {
					status =
					        tp_fail(TP_ERR_INPUT, "no records of %s at stage %d to take costs from",
					                tp_op_kind_text((enum tp_op_kind)kind), s);
					break;
				}
				*entry(table, s, (enum tp_op_kind)kind, j) = median_ns(samples, count);
			}
		}
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
	struct tp_crew *crew;
	struct tp_worker *worker;
	struct tp_activation_slot *slot;
	int32_t slice;
	bool accumulate;
};

typedef enum tp_status timed_op(const struct alone *alone);

static enum tp_status do_forward(const struct alone *alone)
{
	struct tp_action action = {.kind = TP_OP_F, .mini = 1, .micro = alone->slice};
	return tp_worker_compute_forward(alone->worker, alone->slot, &action, 0);
}

static enum tp_status do_backward(const struct alone *alone)
{
	struct tp_action action = {.kind = TP_OP_B, .mini = 1, .micro = alone->slice};
	return tp_worker_compute_backward(alone->worker, alone->slot, &action, 0, alone->accumulate);
}

static enum tp_status do_update(const struct alone *alone)
{
	tp_stage_update(&alone->worker->stage, 0, 0, 0.0, 0.9, 0.0);
	return TP_OK;
}

static enum tp_status time_op(timed_op *op, const struct alone *alone, int32_t rounds, int64_t *median)
{
	int64_t samples[ALONE_MOST_ROUNDS];
	for (int32_t i = -1; i < rounds; i++) { /* the first is a warm-up */
		int64_t start = tp_now_ns();
		TP_TRY(op(alone));
		if (i >= 0)
			samples[i] = tp_now_ns() - start;
	}
	*median = median_ns(samples, (size_t)rounds);
	return TP_OK;
}

/* All operations of one stage; its output and input gradient are then there for its neighbours. */
static enum tp_status measure_stage(struct alone *alone, int32_t rounds, struct tp_cost_table *table)
{
	int32_t s = alone->worker->index;
	for (int32_t j = 0; j < table->forwards_per_mini; j++) {
		alone->slice = table->forwards_per_mini == 1 ? TP_WHOLE : j;
		TP_TRY(time_op(do_forward, alone, rounds, entry(table, s, TP_OP_F, j)));
	}
	for (int32_t j = 0; j < table->backwards_per_mini; j++) {
		alone->slice = table->backwards_per_mini == 1 ? TP_WHOLE : j;
		/* the backward that comes first overwrites the gradient, the others add to it */
		alone->accumulate =
		        alone->crew->pipeline.policy->backward_reversed ? j < table->backwards_per_mini - 1 : j > 0;
		TP_TRY(time_op(do_backward, alone, rounds, entry(table, s, TP_OP_B, j)));
	}
	return time_op(do_update, alone, rounds, entry(table, s, TP_OP_U, 0));
}

enum tp_status tp_costs_alone(struct tp_trainer *trainer, int32_t rounds, struct tp_cost_table *table)
{
	struct tp_crew *crew = tp_trainer_crew(trainer);
	TP_CHECK(rounds >= 5 && rounds <= ALONE_MOST_ROUNDS);
	TP_TRY(table_init(table, tp_trainer_info(trainer)));
	enum tp_status status = TP_OK;
	for (int32_t s = 0; s < crew->pipeline.stages && status == TP_OK; s++) {
		struct alone alone = {.crew = crew, .worker = &crew->workers[s]};
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
