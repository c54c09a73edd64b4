#include "engine/schedule/cost_table.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"

struct tp_cost_shape tp_cost_shape_of(const struct tp_pipeline *pipeline)
{
	return (struct tp_cost_shape){
	        .stages = pipeline->stages,
	        .forwards_per_mini = tp_forwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .backwards_per_mini = tp_backwards_per_mini(pipeline->policy, pipeline->micro_batches),
	        .split = pipeline->policy->backward_split,
	};
}

static size_t values_per_stage(const struct tp_cost_shape *shape)
{
	return (size_t)shape->forwards_per_mini + (size_t)shape->backwards_per_mini * (shape->split ? 2 : 1);
}

int64_t tp_cost_value_count(const struct tp_cost_shape *shape)
{
	return shape->stages * (int64_t)values_per_stage(shape);
}

enum tp_status tp_cost_table_init(struct tp_cost_table *table, struct tp_cost_shape shape)
{
	size_t per_stage = values_per_stage(&shape);
	*table = (struct tp_cost_table){.shape = shape};
	table->values = tp_alloc_array((size_t)tp_cost_value_count(&shape), sizeof *table->values);
	table->stage = tp_alloc_array((size_t)shape.stages, sizeof *table->stage);
	if (!table->values || !table->stage) {
		tp_cost_table_release(table);
		return TP_ERR_NOMEM;
	}
	for (int32_t s = 0; s < shape.stages; s++) {
		const int64_t *first = table->values + (size_t)s * per_stage;
		table->stage[s].forward = first;
		table->stage[s].backward = first + shape.forwards_per_mini;
		if (shape.split)
			table->stage[s].weights = first + shape.forwards_per_mini + shape.backwards_per_mini;
	}
	return TP_OK;
}

void tp_cost_table_release(struct tp_cost_table *table)
{
	tp_free(table->values);
	tp_free(table->stage);
	*table = (struct tp_cost_table){0};
}

enum tp_status tp_cost_table_copy(struct tp_cost_table *table, const struct tp_cost_table *from,
                                  struct tp_cost_shape shape)
{
	const struct tp_cost_shape *had = &from->shape;
	if (had->stages != shape.stages || had->forwards_per_mini != shape.forwards_per_mini ||
	    had->backwards_per_mini != shape.backwards_per_mini || had->split != shape.split)
		return tp_fail(
		        TP_ERR_INPUT,
		        "--costs: expected %d stages with %d forwards and %d %sbackwards of a mini-batch, found %d "
		        "with %d and %d%s",
		        shape.stages, shape.forwards_per_mini, shape.backwards_per_mini, shape.split ? "split " : "",
		        had->stages, had->forwards_per_mini, had->backwards_per_mini, had->split ? " split" : "");
	TP_TRY(tp_cost_table_init(table, shape));
	memcpy(table->values, from->values, (size_t)tp_cost_value_count(&shape) * sizeof *table->values);
	for (int32_t s = 0; s < shape.stages; s++)
		table->stage[s].update = from->stage[s].update;
	return TP_OK;
}

int32_t tp_cost_entries(const struct tp_cost_shape *shape, enum tp_op_kind kind)
{
	switch (kind) {
	case TP_OP_F:
		return shape->forwards_per_mini;
	case TP_OP_B:
		return shape->split ? 0 : shape->backwards_per_mini;
	case TP_OP_BX:
	case TP_OP_BW:
		return shape->split ? shape->backwards_per_mini : 0;
	case TP_OP_U:
		return 1;
	case TP_OP_KINDS:
		break;
	}
	return 0;
}

int64_t *tp_cost_entry(const struct tp_cost_table *table, int32_t stage, enum tp_op_kind kind, int32_t micro)
{
	const struct tp_cost_shape *shape = &table->shape;
	int64_t at = micro == TP_WHOLE ? 0 : micro;
	TP_CHECK(stage >= 0 && stage < shape->stages && at >= 0 && at < tp_cost_entries(shape, kind));
	if (kind == TP_OP_U)
		return &table->stage[stage].update;
	if (kind != TP_OP_F)
		at += shape->forwards_per_mini;
	if (kind == TP_OP_BW)
		at += shape->backwards_per_mini;
	return &table->values[(size_t)stage * values_per_stage(shape) + (size_t)at];
}

static int64_t scaled(int64_t cost, double speed, int64_t least)
{
	double ns = (double)cost / speed;
	int64_t rounded = ns < (double)TP_COST_MAX_NS ? (int64_t)(ns + 0.5) : TP_COST_MAX_NS;
	return rounded < least ? least : rounded;
}

void tp_cost_table_scale(struct tp_cost_table *table, int32_t stage, double speed)
{
	size_t per_stage = values_per_stage(&table->shape);
	int64_t *values = table->values + (size_t)stage * per_stage;
	if (speed == 1)
		return;
	for (size_t i = 0; i < per_stage; i++)
		values[i] = scaled(values[i], speed, 1);
	table->stage[stage].update = scaled(table->stage[stage].update, speed, 0);
}

/* --- uniform --------------------------------------------------------------------------------------------------------
 */

/* "F,B[,U]" into three durations. */
static enum tp_status parse_uniform(const char *spec, int64_t ns[3])
{
	static const char *const names[] = {"the forward", "the backward", "the update"};
	const char *rest = spec;
	for (int i = 0; i < 3; i++) {
		char one[40];
		size_t length = strcspn(rest, ",");
		if (length == 0 || length >= sizeof one)
			return tp_fail(TP_ERR_INPUT,
			               "--costs uniform: expected durations of forward, backward and, if need be, "
			               "update, like 1ms,2ms or 1ms,2ms,100us, found '%s'",
			               spec);
		memcpy(one, rest, length);
		one[length] = '\0';
		if (strcmp(one, "0") != 0) /* zero needs no unit */
			TP_TRY(tp_parse_duration("--costs uniform", one, &ns[i]));
		if (ns[i] < (i < 2) || ns[i] > TP_COST_MAX_NS)
			return tp_fail(TP_ERR_INPUT,
			               "--costs uniform: expected %s to take %s and at most an hour, found '%s'",
			               names[i], i < 2 ? "more than nothing" : "0 or more", one);
		rest += length;
		if (*rest == '\0' && i > 0)
			return TP_OK;
		if (*rest == ',' && i < 2)
			rest++;
	}
	return *rest == '\0'
	               ? TP_OK
	               : tp_fail(TP_ERR_INPUT, "--costs uniform: expected at most three durations, found '%s'", spec);
}

enum tp_status tp_cost_table_uniform(struct tp_cost_table *table, struct tp_cost_shape shape, int32_t micro_batches,
                                     const char *spec)
{
	int64_t ns[3] = {0};
	*table = (struct tp_cost_table){0};
	TP_TRY(parse_uniform(spec, ns));
	/* an hour times the most micro-batches is far from overflow */
	int64_t forward = ns[0] * (micro_batches / shape.forwards_per_mini);
	int64_t backward = ns[1] * (micro_batches / shape.backwards_per_mini);
	if (forward > TP_COST_MAX_NS || backward > TP_COST_MAX_NS)
		return tp_fail(TP_ERR_INPUT,
		               "--costs uniform: expected operations of at most an hour, found '%s' for each of %d "
		               "micro-batches",
		               spec, micro_batches);
	TP_TRY(tp_cost_table_init(table, shape));
	for (int32_t s = 0; s < shape.stages; s++) {
		for (int32_t j = 0; j < shape.forwards_per_mini; j++)
			*tp_cost_entry(table, s, TP_OP_F, j) = forward;
		for (int32_t j = 0; j < shape.backwards_per_mini; j++) {
			if (!shape.split) {
				*tp_cost_entry(table, s, TP_OP_B, j) = backward;
				continue;
			}
			*tp_cost_entry(table, s, TP_OP_BX, j) = (backward + 1) / 2;
			*tp_cost_entry(table, s, TP_OP_BW, j) = backward / 2 > 0 ? backward / 2 : 1;
		}
		table->stage[s].update = ns[2];
	}
	return TP_OK;
}
