/* The ways in which a stage can run its backward (over runs of micro-batches, in two parts, on recomputed values,
 * between two versions, from slots of either size) against the plain one, which test_stage.c checks by differences. On
 * both devices with arithmetic: to the bit where the same sums are formed in the same order, else within rounding. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/run/pipe.h"

static const struct tp_stage_read version_0 = {.lambda = 1}, version_1 = {.version_buffer = 1, .lambda = 1};

static double element(const struct pipe *pipe, const void *values, size_t i)
{
	return pipe->kind.device == CPU ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

/* Gradients of one stage; blocks of layers may have gaps between them, which nobody writes. */
static void compare_stage(const char *what, const struct pipe *found, const struct pipe *expected, int32_t s,
                          double tolerance)
{
	const struct tp_stage *stage = &found->stage[s];
	const unsigned char *a = stage->weights.gradient, *b = expected->stage[s].weights.gradient;
	size_t size = found->kind.device == CPU ? sizeof(float) : sizeof(double);
	for (int32_t l = 0; l < stage->layer_count; l++) {
		const struct tp_stage_layer *layer = &stage->layers[l];
		size_t count = layer->kernel->params_bytes / size;
		double largest = 0;
		for (size_t i = 0; i < count; i++)
			largest = fmax(largest, fabs(element(expected, b + layer->params_offset, i)));
		assert_true(count == 0 || largest > 1e-4); /* there is something to compare */
		for (size_t i = 0; i < count; i++) {
			double x = element(found, a + layer->params_offset, i);
			double y = element(expected, b + layer->params_offset, i);
			if (!(fabs(x - y) <= tolerance * largest))
				fail_msg("%s on %s, %s, gradient %zu: expected %.17g, found %.17g (largest %g)", what,
				         pipe_devices[found->kind.device], layer->kernel->layer->name, i, y, x,
				         largest);
		}
	}
}

/* Gradients and running statistics of both; tolerance 0: to the bit. */
static void compare(const char *what, const struct pipe *found, const struct pipe *expected, double tolerance)
{
	assert_int_equal(found->kind.stages, expected->kind.stages);
	for (int32_t s = 0; s < found->kind.stages; s++) {
		const struct tp_weights *a = &found->stage[s].weights, *b = &expected->stage[s].weights;
		compare_stage(what, found, expected, s, tolerance);
		assert_memory_equal(a->state, b->state, a->state_bytes);
	}
	assert_true(fabs(found->loss_sum - expected->loss_sum) <= 1e-12 * expected->loss_sum);
}

/* A pipe that ran one mini-batch: forward with one version, backward in runs. */
static struct pipe *ran(struct pipe_kind kind, int32_t version, int cuts, struct tp_stage_read read)
{
	struct pipe *pipe = pipe_open(kind);
	pipe_forward(pipe, version);
	pipe_backward(pipe, cuts, read);
	return pipe;
}

static void expect_equal(const char *what, struct pipe *found, struct pipe *expected, double tolerance)
{
	compare(what, found, expected, tolerance);
	pipe_close(found);
	pipe_close(expected);
}

static double rounding(int device)
{
	return device == CPU ? 1e-5 : 1e-12;
}

static void any_partition_into_runs_adds_up_to_the_whole(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		const struct pipe_kind mini = {.device = device, .stages = 2, .span = TP_SPAN_MINI};
		for (int cuts = 0; cuts <= EACH_SLICE; cuts++) {
			struct pipe_kind runs = mini;
			runs.span = TP_SPAN_RUNS;
			expect_equal("runs", ran(runs, 0, cuts, version_0), ran(mini, 0, WHOLE, version_0),
			             cuts == WHOLE ? 0 : rounding(device));
			runs.split = true;
			expect_equal("split runs", ran(runs, 0, cuts, version_0), ran(mini, 0, WHOLE, version_0),
			             cuts == WHOLE ? 0 : rounding(device));
		}
	}
}

static void slots_of_a_slice_give_what_slots_of_a_mini_batch_give(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		const struct pipe_kind slice = {.device = device, .stages = 2, .span = TP_SPAN_SLICE};
		const struct pipe_kind runs = {.device = device, .stages = 2, .span = TP_SPAN_RUNS};
		expect_equal("slices", ran(slice, 0, EACH_SLICE, version_0), ran(runs, 0, EACH_SLICE, version_0), 0);
	}
}

static void both_parts_give_what_one_backward_gives(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		const struct pipe_kind both = {.device = device, .stages = 2, .span = TP_SPAN_SLICE};
		struct pipe_kind split = both;
		split.split = true;
		expect_equal("split", ran(split, 0, EACH_SLICE, version_0), ran(both, 0, EACH_SLICE, version_0),
		             rounding(device));
		split.recompute = true;
		expect_equal("split, recomputed", ran(split, 0, EACH_SLICE, version_0),
		             ran(both, 0, EACH_SLICE, version_0), rounding(device));
	}
}

/* The first part leaves the weights' gradient alone, but for batch normalisation; the second changes no other. */
static void parts_compute_their_part_only(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		struct pipe *pipe = pipe_open(
		        (struct pipe_kind){.device = device, .stages = 1, .span = TP_SPAN_MINI, .split = true});
		struct tp_stage *stage = &pipe->stage[0];
		pipe_forward(pipe, 0);
		pipe_backward_run(pipe, TP_BACKWARD_INPUT, 0, PIPE_SLICES, version_0, false);
		for (int32_t l = 0; l < stage->layer_count; l++) {
			const struct tp_kernel *kernel = stage->layers[l].kernel;
			const unsigned char *gradient =
			        (const unsigned char *)stage->weights.gradient + stage->layers[l].params_offset;
			size_t untouched = 0;
			for (size_t i = 0; i < kernel->params[0].bytes; i++)
				untouched += gradient[i] == 0xff;
			if (kernel->layer->kind == TP_LAYER_BATCHNORM)
				assert_true(untouched < kernel->params[0].bytes);
			else
				assert_int_equal(untouched, kernel->params[0].bytes);
		}
		size_t bytes = stage->activations.slot_bytes;
		void *before = malloc(bytes);
		assert_non_null(before);
		memcpy(before, pipe_slot(pipe, 0, 0)->base, bytes);
		pipe_backward_run(pipe, TP_BACKWARD_WEIGHTS, 0, PIPE_SLICES, version_0, false);
		assert_memory_equal(before, pipe_slot(pipe, 0, 0)->base, bytes);
		free(before);
		pipe_close(pipe);
	}
}

static void recomputing_with_the_same_weights_changes_nothing(void **unused)
{
	(void)unused;
	static const enum tp_span spans[] = {TP_SPAN_SLICE, TP_SPAN_MINI, TP_SPAN_RUNS};
	for (int device = 0; device < DEVICES; device++) {
		for (int i = 0; i < 3; i++) {
			const struct pipe_kind stored = {.device = device, .stages = 2, .span = spans[i]};
			int cuts = spans[i] == TP_SPAN_MINI ? WHOLE : EACH_SLICE;
			struct pipe_kind again = stored;
			again.recompute = true;
			expect_equal("recomputed", ran(again, 0, cuts, version_0), ran(stored, 0, cuts, version_0),
			             device == REFERENCE ? 0 : rounding(device));
		}
	}
}

/* The gradient is that of a forward with the backward's weights; the running statistics, which advance in a forward
 * only, are those of the forward that was made. */
static void recomputing_with_other_weights_differentiates_their_forward(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		for (int split = 0; split < 2; split++) {
			const struct pipe_kind stored = {.device = device, .stages = 1, .span = TP_SPAN_MINI};
			struct pipe_kind again = stored;
			again.recompute = true;
			again.split = split;
			struct pipe *found = ran(again, 0, WHOLE, version_1),
			            *expected = ran(stored, 1, WHOLE, version_1);
			struct pipe *as_forwarded = pipe_open(stored);
			pipe_forward(as_forwarded, 0);
			const struct tp_weights *weights = &as_forwarded->stage[0].weights;
			assert_memory_equal(found->stage[0].weights.state, weights->state, weights->state_bytes);
			assert_memory_not_equal(expected->stage[0].weights.state, weights->state, weights->state_bytes);
			memcpy(expected->stage[0].weights.state, weights->state, weights->state_bytes);
			expected->loss_sum = found->loss_sum;
			expect_equal("recomputed with others", found, expected,
			             device == REFERENCE ? 0 : rounding(device));
			pipe_close(as_forwarded);
		}
	}
}

/* Read between two versions is read from a buffer that holds what lies between them. */
static void weights_between_two_versions_are_blended(void **unused)
{
	(void)unused;
	const struct tp_stage_read between = {.version_buffer = 0, .newest_buffer = 1, .lambda = 0.3};
	const struct tp_stage_read there = {.version_buffer = 2, .lambda = 1};
	for (int device = 0; device < DEVICES; device++) {
		for (int again = 0; again < 2; again++) {
			const struct pipe_kind kind = {.device = device,
			                               .stages = 2,
			                               .span = TP_SPAN_RUNS,
			                               .recompute = again,
			                               .blends = true};
			struct pipe *found = ran(kind, 0, EACH_SLICE, between), *expected = pipe_open(kind);
			for (int32_t s = 0; s < 2; s++) {
				struct tp_weights *weights = &expected->stage[s].weights;
				for (size_t i = 0; i < weights->params_bytes / (device == CPU ? 4 : 8); i++) {
					double x = element(expected, weights->buffer[0], i);
					double y = element(expected, weights->buffer[1], i);
					if (device == CPU)
						((float *)weights->buffer[2])[i] = (float)(0.3 * x + 0.7 * y);
					else
						((double *)weights->buffer[2])[i] = 0.3 * x + (1 - 0.3) * y;
				}
			}
			pipe_forward(expected, 0);
			pipe_backward(expected, EACH_SLICE, there);
			expect_equal("between", found, expected, device == CPU ? 1e-4 : 1e-12);
			/* lambda 1 is the version itself, and that is something else */
			struct pipe *alone = ran(kind, 0, EACH_SLICE, version_0),
			            *other = ran(kind, 0, EACH_SLICE, between);
			assert_memory_not_equal(alone->stage[0].weights.gradient, other->stage[0].weights.gradient,
			                        alone->stage[0].weights.params_bytes);
			pipe_close(alone);
			pipe_close(other);
		}
	}
}

/* A lineage that was forked goes on as the one it came from. */
static void a_forked_momentum_goes_on_alike(void **unused)
{
	(void)unused;
	for (int device = 0; device < DEVICES; device++) {
		struct pipe *pipe = pipe_open((struct pipe_kind){.device = device, .stages = 1, .span = TP_SPAN_MINI});
		struct tp_stage *stage = &pipe->stage[0];
		struct tp_weights *weights = &stage->weights;
		size_t bytes = weights->params_bytes;
		pipe_forward(pipe, 0);
		pipe_backward(pipe, WHOLE, version_0);
		memset(weights->momentum[0], 0xff, bytes); /* not numbers: a first step may not look at them */
		memset(weights->momentum[1], 0xff, bytes);
		tp_stage_fork_momentum(stage, 0, 1); /* of a lineage that has not stepped */
		assert_false(weights->stepped[1]);
		tp_stage_update(stage, 0, 1, 1, 0.1, 0.9, 0.01);
		tp_stage_update(stage, 0, 2, 0, 0.1, 0.9, 0.01);
		assert_memory_equal(weights->buffer[1], weights->buffer[2], bytes);
		memset(weights->momentum[1], 0xff, bytes);
		weights->stepped[1] = false;
		tp_stage_fork_momentum(stage, 0, 1); /* of one that has */
		assert_true(weights->stepped[1]);
		tp_stage_update(stage, 2, 2, 0, 0.1, 0.9, 0.01);
		tp_stage_update(stage, 1, 1, 1, 0.1, 0.9, 0.01);
		assert_memory_equal(weights->buffer[1], weights->buffer[2], bytes);
		assert_memory_equal(weights->momentum[0], weights->momentum[1], bytes);
		pipe_close(pipe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_partition_into_runs_adds_up_to_the_whole),
	        cmocka_unit_test(slots_of_a_slice_give_what_slots_of_a_mini_batch_give),
	        cmocka_unit_test(both_parts_give_what_one_backward_gives),
	        cmocka_unit_test(parts_compute_their_part_only),
	        cmocka_unit_test(recomputing_with_the_same_weights_changes_nothing),
	        cmocka_unit_test(recomputing_with_other_weights_differentiates_their_forward),
	        cmocka_unit_test(weights_between_two_versions_are_blended),
	        cmocka_unit_test(a_forked_momentum_goes_on_alike),
	};
	pipe_build_model();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
