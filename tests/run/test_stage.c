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

enum { BATCH = 5, SLICES = 2, CHANNELS = 3, SIDE = 4, CLASSES = 4 };

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
 * so that the block's input has two readers. Block 2: pool and linear. */
static void residual_model(struct tp_model *model)
{
	struct tp_layer add = conv(0, CHANNELS, true);
	add.kind = TP_LAYER_ADD;
	add.inputs = 2;
	*model = (struct tp_model){
	        .input = {CHANNELS, SIDE, SIDE},
	        .classes = CLASSES,
	        .block_count = 3,
	        .blocks = {{0, 3}, {3, 2}, {5, 2}},
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
	        .kind = TP_LAYER_GLOBAL_AVGPOOL,
	        .name = "pool",
	        .inputs = 1,
	        .in_shape = {CHANNELS, SIDE, SIDE},
	        .out_shape = {CHANNELS, 1, 1},
	};
	layers[6] = (struct tp_layer){
	        .kind = TP_LAYER_LINEAR,
	        .name = "linear",
	        .inputs = 1,
	        .in = {1},
	        .in_shape = {CHANNELS, 1, 1},
	        .out_shape = {CLASSES, 1, 1},
	};
	model->layer_count = 7;
}

struct fixture {
	struct tp_model model;
	struct tp_stage stage[2];
	struct tp_activation_slot *slot[2];
	int32_t count;
	bool whole;
	double samples[BATCH * CHANNELS * SIDE * SIDE];
};

static double next_value(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*seed >> 40) / (double)(1 << 24) - 0.5;
}

/* One stage, or two with the boundary after `cut` blocks. */
static void set_up(struct fixture *fixture, int32_t cut, bool whole)
{
	const struct tp_device_ops *ops;
	int64_t budget = 0;
	struct tp_device_options options = {.conv = TP_CONV_DIRECT, .choice_budget_ns = &budget};
	residual_model(&fixture->model);
	assert_int_equal(tp_device_find("reference", &ops), TP_OK);
	fixture->count = cut ? 2 : 1;
	fixture->whole = whole;
	struct tp_stage_spec spec = {
	        .model = &fixture->model,
	        .stages = fixture->count,
	        .block_count = cut ? cut : 3,
	        .input = tp_tensor_plain(fixture->model.input, ops->element_bytes),
	        .slicing = {BATCH, SLICES},
	        .backward_whole = whole,
	        .slots = 1,
	        .version_buffers = 1,
	};
	uint64_t seed = 11;
	for (int32_t s = 0; s < fixture->count; s++) {
		struct tp_stage *stage = &fixture->stage[s];
		assert_int_equal(tp_stage_init(stage, &spec, ops, &options), TP_OK);
		double *params = stage->weights.buffer[0];
		for (size_t i = 0; i < stage->weights.params_bytes / sizeof *params; i++)
			params[i] = 0.8 * next_value(&seed);
		fixture->slot[s] = tp_activations_take(&stage->activations, 1, &stage->memory);
		spec.index++;
		spec.first_block = spec.block_count;
		spec.block_count = 3 - spec.first_block;
		spec.input = *tp_stage_output(stage);
	}
	if (cut) {
		fixture->slot[1]->input = tp_stage_output_data(&fixture->stage[0], fixture->slot[0]);
		fixture->slot[1]->input_gradient = fixture->slot[0]->output_gradient;
	}
	double *input = tp_stage_input_data(&fixture->stage[0], fixture->slot[0]);
	for (size_t i = 0; i < sizeof fixture->samples / sizeof *fixture->samples; i++)
		input[i] = 2 * next_value(&seed);
	for (int i = 0; i < BATCH; i++)
		fixture->slot[fixture->count - 1]->labels[i] = i % CLASSES;
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
			assert_int_equal(tp_stage_forward(&fixture->stage[s], fixture->slot[s], slice, 0), TP_OK);
		struct tp_loss_result loss = {0};
		int32_t last = fixture->count - 1;
		tp_stage_loss(&fixture->stage[last], fixture->slot[last], slice, &loss);
		sum += loss.loss_sum;
	}
	return sum / BATCH;
}

static void backward(struct fixture *fixture)
{
	for (int32_t slice = fixture->whole ? TP_WHOLE : SLICES - 1; slice >= TP_WHOLE; slice--) {
		if (slice == TP_WHOLE && !fixture->whole)
			break;
		int32_t last = fixture->count - 1;
		tp_stage_loss_gradient(&fixture->stage[last], fixture->slot[last], slice);
		for (int32_t s = last; s >= 0; s--)
			assert_int_equal(tp_stage_backward(&fixture->stage[s], fixture->slot[s], slice, 0,
			                                   slice != TP_WHOLE && slice != SLICES - 1),
			                 TP_OK);
	}
}

static void check_gradients(int32_t cut, bool whole)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	set_up(fixture, cut, whole);
	(void)forward(fixture);
	backward(fixture);
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

static void test_one_stage(void **state)
{
	(void)state;
	check_gradients(0, true);
	check_gradients(0, false);
}

/* The boundary before the block whose input is read twice: its gradient is summed in the message. */
static void test_two_stages(void **state)
{
	(void)state;
	check_gradients(1, true);
	check_gradients(1, false);
	check_gradients(2, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_stage),
	        cmocka_unit_test(test_two_stages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
