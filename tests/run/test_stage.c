/* A stage with a residual unit: values with several readers, whose gradients meet; compared with central differences in
 * double precision. Blocks are graphs, so this needs no model of the tables. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/run/stage.h"

enum { BATCH = 5, SLICES = 3, CHANNELS = 3, SIDE = 4, CLASSES = 4 };

static struct tp_layer conv(int32_t from, int32_t in_channels, bool relu)
{
	return (struct tp_layer){
	        .kind = TP_LAYER_CONV,
	        .name = "conv",
	        .relu = relu,
	        .inputs = 1,
	        .in = {from},
	        .in_shape = {in_channels, SIDE, SIDE},
	        .out_shape = {CHANNELS, SIDE, SIDE},
	        .kernel = 3,
	        .stride = 1,
	        .padding = 1,
	};
}

/* Block 0: conv, conv, add of its output and the first conv's, with ReLU. Block 1: the same again on the block's input,
 * so that the block's input has two readers. Block 2: batch normalisation, pool and linear. */
static void residual_model(struct tp_model *model)
{
	struct tp_layer add = conv(0, CHANNELS, true);
	add.kind = TP_LAYER_ADD;
	add.inputs = 2;
	*model = (struct tp_model){
	        .input = {CHANNELS, SIDE, SIDE},
	        .classes = CLASSES,
	        .block_count = 3,
	        .blocks = {{0, 3}, {3, 2}, {5, 3}},
	};
	struct tp_layer *layers = model->layers;
	layers[0] = conv(0, CHANNELS, false);
	layers[1] = conv(1, CHANNELS, true);
	layers[2] = add;
	layers[2].in[0] = 2;
	layers[2].in[1] = 1;
	layers[3] = conv(0, CHANNELS, true);
	layers[4] = add;
	layers[4].in[0] = 0;
	layers[4].in[1] = 1;
	layers[5] = (struct tp_layer){
	        .kind = TP_LAYER_BATCHNORM,
	        .name = "norm",
	        .inputs = 1,
	        .in_shape = {CHANNELS, SIDE, SIDE},
	        .out_shape = {CHANNELS, SIDE, SIDE},
	        .eps = 1e-5,
	        .momentum = 0.1,
	};
	layers[6] = (struct tp_layer){
	        .kind = TP_LAYER_GLOBAL_AVGPOOL,
	        .name = "pool",
	        .inputs = 1,
	        .in = {1},
	        .in_shape = {CHANNELS, SIDE, SIDE},
	        .out_shape = {CHANNELS, 1, 1},
	};
	layers[7] = (struct tp_layer){
	        .kind = TP_LAYER_LINEAR,
	        .name = "linear",
	        .inputs = 1,
	        .in = {2},
	        .in_shape = {CHANNELS, 1, 1},
	        .out_shape = {CLASSES, 1, 1},
	};
	model->layer_count = 8;
}

/* How the model is cut and its backward done. */
struct variant {
	int32_t cut; /* blocks before the boundary; 0: one stage */
	enum tp_span span;
	bool split, recompute;
};

struct fixture {
	struct variant variant;
	struct tp_model model;
	struct tp_stage stage[2];
	struct tp_activation_slot *slot[2][SLICES]; /* of each slice; the same where a slot holds the mini-batch */
	int32_t count;
};

static double next_value(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*seed >> 40) / (double)(1 << 24) - 0.5;
}

/* The input of a slice at stage 0, and its labels. */
static void draw_slice(struct fixture *fixture, int32_t slice, uint64_t *seed)
{
	struct tp_stage *first = &fixture->stage[0], *last = &fixture->stage[fixture->count - 1];
	int32_t samples = tp_slice_size(first->spec.slicing, slice), at = tp_stage_slot_first(first, slice);
	double *input = tp_stage_input_data(first, fixture->slot[0][slice]);
	for (int32_t i = at * CHANNELS * SIDE * SIDE; i < (at + samples) * CHANNELS * SIDE * SIDE; i++)
		input[i] = 2 * next_value(seed);
	for (int32_t i = 0; i < samples; i++)
		fixture->slot[fixture->count - 1][slice]->labels[tp_stage_slot_first(last, slice) + i] =
		        (tp_slice_first(first->spec.slicing, slice) + i) % CLASSES;
}

static void take_slots(struct fixture *fixture, int32_t s)
{
	struct tp_stage *stage = &fixture->stage[s];
	bool apart = fixture->variant.span == TP_SPAN_SLICE;
	for (int32_t slice = 0; slice < SLICES; slice++) {
		struct tp_activation_slot *slot =
		        apart || slice == 0 ? tp_activations_take(&stage->activations, slice + 1, &stage->memory)
		                            : fixture->slot[s][0];
		fixture->slot[s][slice] = slot;
		if (s > 0) {
			slot->input = tp_stage_output_data(&fixture->stage[0], fixture->slot[0][slice]);
			slot->input_gradient = fixture->slot[0][slice]->output_gradient;
		}
	}
}

static void set_up(struct fixture *fixture, struct variant variant)
{
	int32_t cut = variant.cut;
	const struct tp_device_ops *ops;
	int64_t budget = 0;
	struct tp_device_options options = {.conv = TP_CONV_DIRECT, .choice_budget_ns = &budget};
	residual_model(&fixture->model);
	assert_int_equal(tp_device_find("reference", TP_MATH_FP32, &ops), TP_OK);
	fixture->count = cut ? 2 : 1;
	fixture->variant = variant;
	struct tp_stage_spec spec = {
	        .model = &fixture->model,
	        .stages = fixture->count,
	        .block_count = cut ? cut : 3,
	        .input = tp_device_input(ops, fixture->model.input),
	        .slicing = {BATCH, SLICES},
	        .span = variant.span,
	        .split = variant.split,
	        .recompute = variant.recompute,
	        .slots = variant.span == TP_SPAN_SLICE ? SLICES : 1,
	        .version_buffers = 2,
	        .momentum_buffers = 2,
	};
	uint64_t seed = 11;
	for (int32_t s = 0; s < fixture->count; s++) {
		struct tp_stage *stage = &fixture->stage[s];
		assert_int_equal(tp_stage_init(stage, &spec, ops, &options), TP_OK);
		double *params = stage->weights.buffer[0];
		for (size_t i = 0; i < stage->weights.params_bytes / sizeof *params; i++)
			params[i] = 0.8 * next_value(&seed);
		take_slots(fixture, s);
		spec.index++;
		spec.first_block = spec.block_count;
		spec.block_count = 3 - spec.first_block;
		spec.input = *tp_stage_output(stage);
	}
	for (int32_t slice = 0; slice < SLICES; slice++)
		draw_slice(fixture, slice, &seed);
}

static void tear_down(struct fixture *fixture)
{
	for (int32_t s = 0; s < fixture->count; s++)
		tp_stage_release(&fixture->stage[s]);
}

/* Mean loss over the mini-batch, forward in micro-batches. */
static double forward(struct fixture *fixture)
{
	double sum = 0;
	for (int32_t slice = 0; slice < SLICES; slice++) {
		for (int32_t s = 0; s < fixture->count; s++)
			assert_int_equal(tp_stage_forward(&fixture->stage[s], fixture->slot[s][slice], slice, 0),
			                 TP_OK);
		struct tp_loss_result loss = {0};
		int32_t last = fixture->count - 1;
		tp_stage_loss(&fixture->stage[last], fixture->slot[last][slice], slice, &loss);
		sum += loss.loss_sum;
	}
	return sum / BATCH;
}

static void backward_of(struct fixture *fixture, struct tp_stage_backward call)
{
	for (int32_t s = fixture->count - 1; s >= 0; s--)
		assert_int_equal(tp_stage_backward(&fixture->stage[s], fixture->slot[s][call.first_slice], &call),
		                 TP_OK);
}

/* All of the mini-batch, with version buffer `version`: at once, by runs of two and one, or by micro-batches from the
 * last to the first; split, all input parts first. */
static void backward(struct fixture *fixture, int32_t version)
{
	const struct variant *variant = &fixture->variant;
	const struct tp_stage_read read = {.version_buffer = version, .lambda = 1};
	if (variant->span == TP_SPAN_MINI) {
		backward_of(fixture, (struct tp_stage_backward){TP_BACKWARD_BOTH, 0, SLICES, read, false});
		return;
	}
	if (variant->span == TP_SPAN_RUNS) {
		backward_of(fixture, (struct tp_stage_backward){TP_BACKWARD_BOTH, 1, SLICES - 1, read, false});
		backward_of(fixture, (struct tp_stage_backward){TP_BACKWARD_BOTH, 0, 1, read, true});
		return;
	}
	for (int32_t part = variant->split ? TP_BACKWARD_INPUT : TP_BACKWARD_BOTH;
	     part <= (variant->split ? TP_BACKWARD_WEIGHTS : TP_BACKWARD_BOTH); part++) {
		for (int32_t slice = SLICES - 1; slice >= 0; slice--)
			backward_of(fixture, (struct tp_stage_backward){(enum tp_backward_part)part, slice, 1, read,
			                                                slice != SLICES - 1});
	}
}

static void check_gradients(struct variant variant)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	set_up(fixture, variant);
	(void)forward(fixture);
	backward(fixture, 0);
	for (int32_t s = 0; s < fixture->count; s++) {
		double *params = fixture->stage[s].weights.buffer[0];
		const double *gradient = fixture->stage[s].weights.gradient;
		size_t elements = fixture->stage[s].weights.params_bytes / sizeof *params;
		double largest = 0;
		for (size_t i = 0; i < elements; i += 3) {
			const double step = 1e-6, kept = params[i];
			params[i] = kept + step;
			double above = forward(fixture);
			params[i] = kept - step;
			double below = forward(fixture);
			params[i] = kept;
			double expected = (above - below) / (2 * step);
			assert_true(fabs(gradient[i] - expected) < 1e-7);
			largest = fmax(largest, fabs(expected));
		}
		assert_true(largest > 1e-3); /* there was something to compare */
	}
	tear_down(fixture);
	free(fixture);
}

static void check_cut(int32_t cut)
{
	check_gradients((struct variant){cut, TP_SPAN_MINI, false, false});
	check_gradients((struct variant){cut, TP_SPAN_RUNS, false, false});
	check_gradients((struct variant){cut, TP_SPAN_SLICE, false, false});
	check_gradients((struct variant){cut, TP_SPAN_SLICE, true, false});
	check_gradients((struct variant){cut, TP_SPAN_MINI, false, true});
	check_gradients((struct variant){cut, TP_SPAN_RUNS, false, true});
	check_gradients((struct variant){cut, TP_SPAN_SLICE, true, true});
}

static void test_one_stage(void **state)
{
	(void)state;
	check_cut(0);
}

/* The boundary before the block whose input is read twice: its gradient is summed in the message. */
static void test_two_stages(void **state)
{
	(void)state;
	check_cut(1);
	check_cut(2);
}

/* --- what a backward reads
 * ---------------------------------------------------------------------------------------------- */

/* Give buffer 1 of every stage other weights. */
static void draw_second_version(struct fixture *fixture)
{
	uint64_t seed = 23;
	for (int32_t s = 0; s < fixture->count; s++) {
		double *params = fixture->stage[s].weights.buffer[1];
		for (size_t i = 0; i < fixture->stage[s].weights.params_bytes / sizeof *params; i++)
			params[i] = 0.8 * next_value(&seed);
	}
}

static void copy_gradient(const struct tp_stage *stage, double *to)
{
	memcpy(to, stage->weights.gradient, stage->weights.params_bytes);
}

/* Recomputing with other weights is what a forward with those weights and a stored backward give; running statistics
 * are left alone by it, and the memory it saves is that of values between input and output. */
static void test_recompute_reads_its_own_version(void **state)
{
	(void)state;
	static double expected[10000], found[10000];
	struct fixture *stored = calloc(1, sizeof *stored), *again = calloc(1, sizeof *again);
	assert_true(stored && again);
	set_up(stored, (struct variant){0, TP_SPAN_MINI, false, false});
	set_up(again, (struct variant){0, TP_SPAN_MINI, false, true});
	draw_second_version(stored);
	draw_second_version(again);
	struct tp_stage *stage = &again->stage[0];
	assert_true(stage->weights.params_bytes <= sizeof expected);
	for (int32_t slice = 0; slice < SLICES; slice++) {
		struct tp_loss_result loss = {0};
		assert_int_equal(tp_stage_forward(&stored->stage[0], stored->slot[0][0], slice, 1), TP_OK);
		tp_stage_loss(&stored->stage[0], stored->slot[0][0], slice, &loss);
	}
	backward(stored, 1);
	copy_gradient(&stored->stage[0], expected);

	(void)forward(again); /* with version 0 */
	double statistics[2 * CHANNELS];
	assert_true(stage->weights.state_bytes >= sizeof statistics);
	memcpy(statistics, stage->weights.state, sizeof statistics);
	backward(again, 1);
	copy_gradient(stage, found);
	assert_memory_equal(statistics, stage->weights.state, sizeof statistics);
	assert_memory_equal(expected, found, stage->weights.params_bytes);
	assert_true(stage->activations.slot_bytes < stored->stage[0].activations.slot_bytes);
	tear_down(stored);
	tear_down(again);
	free(stored);
	free(again);
}

/* Between two versions: the gradient with the weights blended by hand. */
static void test_blend(void **state)
{
	(void)state;
	struct tp_stage_spec spec;
	static double expected[10000];
	const double lambda = 0.3;
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	set_up(fixture, (struct variant){0, TP_SPAN_RUNS, false, false});
	spec = fixture->stage[0].spec;
	assert_false(spec.blends);
	draw_second_version(fixture);
	(void)forward(fixture);
	struct tp_stage *stage = &fixture->stage[0];
	size_t elements = stage->weights.params_bytes / sizeof(double);
	double *zero = stage->weights.buffer[0], *one = stage->weights.buffer[1],
	       *kept = malloc(elements * sizeof *kept);
	assert_non_null(kept);
	memcpy(kept, one, elements * sizeof *kept);
	for (size_t i = 0; i < elements; i++)
		one[i] = lambda * zero[i] + (1 - lambda) * one[i];
	struct tp_stage_backward call = {TP_BACKWARD_BOTH, 0, SLICES, {1, 1, 1.0}, false};
	backward_of(fixture, call);
	copy_gradient(stage, expected);
	memcpy(one, kept, elements * sizeof *kept);
	stage->blended = tp_alloc(stage->weights.params_bytes);
	assert_non_null(stage->blended);
	call.read = (struct tp_stage_read){0, 1, lambda};
	backward_of(fixture, call);
	assert_memory_equal(expected, stage->weights.gradient, stage->weights.params_bytes);
	tp_free(stage->blended);
	tear_down(fixture);
	free(kept);
	free(fixture);
}

/* A fork starts with the momentum of the lineage it leaves, and whether there is any. */
static void test_fork_of_momentum(void **state)
{
	(void)state;
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	set_up(fixture, (struct variant){0, TP_SPAN_MINI, false, false});
	struct tp_weights *weights = &fixture->stage[0].weights;
	(void)forward(fixture);
	backward(fixture, 0);
	tp_stage_fork_momentum(&fixture->stage[0], 0, 1);
	assert_false(weights->stepped[1]);
	tp_stage_update(&fixture->stage[0], 0, 0, 0, 0.1, 0.9, 0.01);
	assert_false(weights->stepped[1]);
	tp_stage_fork_momentum(&fixture->stage[0], 0, 1);
	assert_true(weights->stepped[1]);
	assert_memory_equal(weights->momentum[0], weights->momentum[1], weights->params_bytes);
	tear_down(fixture);
	free(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_stage),
	        cmocka_unit_test(test_two_stages),
	        cmocka_unit_test(test_recompute_reads_its_own_version),
	        cmocka_unit_test(test_blend),
	        cmocka_unit_test(test_fork_of_momentum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
