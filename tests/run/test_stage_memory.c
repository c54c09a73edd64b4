/* What recomputation, split backwards, blends and lineages cost in memory, as the ledger of a stage counts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/run/pipe.h"

static int64_t now(const struct pipe *pipe, int32_t s, enum tp_mem_kind kind)
{
	return pipe->stage[s].memory.record.now_bytes[kind];
}

/* In a slot, of a value for its samples. */
static int64_t value_bytes(const struct tp_stage *stage, int32_t value)
{
	int32_t samples = tp_slot_samples(stage->spec.slicing, stage->spec.span);
	return (int64_t)tp_align_up(stage->values[value].desc.sample_bytes * (size_t)samples);
}

static void recomputation_moves_activations_into_the_workspace(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		const struct pipe_kind kind = {.device = device, .stages = 2, .span = TP_SPAN_SLICE};
		struct pipe_kind recomputing = kind;
		recomputing.recompute = true;
		struct pipe *stored = pipe_open(kind), *again = pipe_open(recomputing);
		pipe_forward(stored, 0); /* all slots are in use */
		pipe_forward(again, 0);
		for (int32_t s = 0; s < 2; s++) {
			const struct tp_stage *stage = &again->stage[s];
			int64_t kept = value_bytes(stage, stage->layer_count);
			kept += s == 0 ? value_bytes(stage, 0) : 3 * (int64_t)sizeof(int32_t); /* samples or labels */
			int64_t moved =
			        (now(stored, s, TP_MEM_ACTIVATIONS) - now(again, s, TP_MEM_ACTIVATIONS)) / PIPE_SLICES;
			assert_int_equal(now(again, s, TP_MEM_ACTIVATIONS), PIPE_SLICES * kept);
			assert_true(moved > 0);
			assert_int_equal(now(again, s, TP_MEM_WORKSPACE), now(stored, s, TP_MEM_WORKSPACE) + moved);
		}
		pipe_close(stored);
		pipe_close(again);
	}
}

static void a_split_keeps_gradients_in_the_slots(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		const struct pipe_kind kind = {.device = device, .stages = 2, .span = TP_SPAN_SLICE};
		struct pipe_kind splitting = kind;
		splitting.split = true;
		struct pipe *both = pipe_open(kind), *split = pipe_open(splitting);
		pipe_forward(both, 0);
		pipe_forward(split, 0);
		for (int32_t s = 0; s < 2; s++) {
			const struct tp_stage *stage = &split->stage[s];
			/* and what it was sent, since it may need that for longer than the sender keeps it */
			int64_t gradients = s > 0 ? value_bytes(stage, 0) : 0;
			for (int32_t v = 1; v < stage->layer_count; v++)
				if (stage->values[v].root == v)
					gradients += value_bytes(stage, v);
			assert_int_equal(now(split, s, TP_MEM_ACTIVATIONS),
			                 now(both, s, TP_MEM_ACTIVATIONS) + PIPE_SLICES * gradients);
			assert_true(now(split, s, TP_MEM_WORKSPACE) < now(both, s, TP_MEM_WORKSPACE));
		}
		pipe_close(both);
		pipe_close(split);
	}
}

static void a_blend_and_momenta_are_counted(void **unused)
{
	(void)unused;
	const struct pipe_kind kind = {.device = REFERENCE, .stages = 1, .span = TP_SPAN_MINI};
	struct pipe_kind blending = kind;
	blending.blends = true;
	struct pipe *plain = pipe_open(kind), *blends = pipe_open(blending);
	struct tp_stage *stage = &blends->stage[0];
	int64_t bytes = (int64_t)stage->weights.params_bytes;
	assert_int_equal(now(blends, 0, TP_MEM_WORKSPACE),
	                 now(plain, 0, TP_MEM_WORKSPACE) + (int64_t)tp_align_up((size_t)bytes));
	assert_int_equal(now(blends, 0, TP_MEM_OPTIMIZER), bytes);
	assert_int_equal(stage->memory.record.reserved_bytes[TP_MEM_OPTIMIZER], 2 * bytes);
	tp_weights_count_momenta(&stage->weights, 2, &stage->memory);
	assert_int_equal(now(blends, 0, TP_MEM_OPTIMIZER), 2 * bytes);
	tp_weights_count_momenta(&stage->weights, 1, &stage->memory);
	assert_int_equal(now(blends, 0, TP_MEM_OPTIMIZER), bytes);
	int64_t sum = 0;
	for (int i = 0; i < TP_MEM_KINDS; i++)
		sum += stage->memory.record.now_bytes[i];
	assert_int_equal(sum, stage->memory.now_total_bytes);
	pipe_close(plain);
	pipe_close(blends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(recomputation_moves_activations_into_the_workspace),
	        cmocka_unit_test(a_split_keeps_gradients_in_the_slots),
	        cmocka_unit_test(a_blend_and_momenta_are_counted),
	};
	pipe_build_model();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
