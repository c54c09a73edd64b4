#include "tests/run/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/model/builder.h"

const char *const pipe_devices[DEVICES] = {"reference", "cpu"};

static struct tp_model model;

/* Everything that keeps something: batch statistics, indices of maxima, values with several readers, masks. */
void pipe_build_model(void)
{
	struct tp_builder b;
	tp_builder_init(&b, "small", &(struct tp_model_options){{3, 8, 8}, PIPE_CLASSES, 0}, &model);
	tp_build_block(&b);
	int32_t v = tp_build_relu(&b, tp_build_batchnorm(&b, "n", tp_build_conv(&b, "a", 0, 16, 3, 1, 1)));
	v = tp_build_maxpool(&b, "p", v, 2, 2);
	tp_build_block(&b);
	v = tp_build_relu(&b, tp_build_conv(&b, "b", 0, 16, 3, 1, 1));
	v = tp_build_batchnorm(&b, "m", tp_build_conv(&b, "c", v, 16, 3, 1, 1));
	(void)tp_build_relu(&b, tp_build_add(&b, "sum", v, 0));
	tp_build_block(&b);
	(void)tp_build_linear(&b, "head", tp_build_flatten(&b, "f", tp_build_global_avgpool(&b, "g", 0)), PIPE_CLASSES,
	                      0.1);
	assert_int_equal(tp_builder_finish(&b), TP_OK);
}

static double next_value(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*seed >> 40) / (double)(1 << 24) - 0.5;
}

/* Other weights in each version buffer, and running statistics that are a network's. */
static void fill_weights(struct tp_stage *stage)
{
	static float plain[4096];
	for (int32_t version = 0; version < PIPE_VERSIONS; version++) {
		for (int32_t l = 0; l < stage->layer_count; l++) {
			struct tp_param params[TP_LAYER_MAX_PARAMS];
			int32_t count = tp_layer_params(stage->layers[l].kernel->layer, params);
			uint64_t seed = (uint64_t)(1 + version * 100 + stage->first_layer + l);
			for (int32_t p = 0; p < count; p++) {
				assert_true(params[p].elements <= 4096);
				for (int64_t i = 0; i < params[p].elements; i++)
					plain[i] = (float)next_value(&seed) + (params[p].rank == 1 ? 0.6F : 0.0F);
				tp_stage_import(stage, l, p, plain, version);
			}
		}
	}
}

struct pipe *pipe_open(struct pipe_kind kind)
{
	struct pipe *pipe = calloc(1, sizeof *pipe);
	const struct tp_device_ops *ops = NULL;
	const struct tp_device_options options = {.conv = TP_CONV_DIRECT, .kernel_names = kind.kernel_names};
	assert_non_null(pipe);
	pipe->kind = kind;
	assert_int_equal(tp_device_find(pipe_devices[kind.device], TP_MATH_FP32, &ops), TP_OK);
	if (ops->enter_thread)
		ops->enter_thread();
	struct tp_stage_spec spec = {
	        .model = &model,
	        .stages = kind.stages,
	        .block_count = kind.stages == 1 ? PIPE_BLOCKS : 1,
	        .input = tp_device_input(ops, model.input),
	        .slicing = {PIPE_BATCH, PIPE_SLICES},
	        .span = kind.span,
	        .split = kind.split,
	        .recompute = kind.recompute,
	        .blends = kind.blends,
	        .slots = kind.span == TP_SPAN_SLICE ? PIPE_SLICES : 1,
	        .version_buffers = PIPE_VERSIONS,
	        .momentum_buffers = 2,
	};
	for (int32_t s = 0; s < kind.stages; s++) {
		assert_int_equal(tp_stage_init(&pipe->stage[s], &spec, ops, &options), TP_OK);
		fill_weights(&pipe->stage[s]);
		memset(pipe->stage[s].weights.gradient, 0xff, pipe->stage[s].weights.params_bytes);
		spec.index++;
		spec.first_block = spec.block_count;
		spec.block_count = PIPE_BLOCKS - spec.first_block;
		spec.input = *tp_stage_output(&pipe->stage[s]);
	}
	return pipe;
}

void pipe_close(struct pipe *pipe)
{
	for (int32_t s = 0; s < pipe->kind.stages; s++)
		tp_stage_release(&pipe->stage[s]);
	free(pipe);
}

struct tp_activation_slot *pipe_slot(struct pipe *pipe, int32_t s, int32_t slice)
{
	return tp_activations_of(&pipe->stage[s].activations, pipe->kind.span == TP_SPAN_SLICE ? slice + 1 : 1);
}

/* A slice's samples, the same for every pipe. */
static void draw(struct pipe *pipe, int32_t slice)
{
	static float plain[PIPE_BATCH * 3 * 8 * 8];
	const struct tp_slicing slicing = {PIPE_BATCH, PIPE_SLICES};
	struct tp_stage *first = &pipe->stage[0], *last = &pipe->stage[pipe->kind.stages - 1];
	int32_t from = tp_slice_first(slicing, slice), samples = tp_slice_size(slicing, slice);
	int64_t elements = samples * tp_shape_elements(model.input);
	uint64_t seed = (uint64_t)(1000 + slice);
	for (int64_t i = 0; i < elements; i++)
		plain[i] = (float)(3 * next_value(&seed));
	unsigned char *input = tp_stage_input_data(first, pipe_slot(pipe, 0, slice));
	size_t offset = (size_t)tp_stage_slot_first(first, slice) * first->spec.input.sample_bytes;
	first->ops->upload(first->device, plain, input + offset, model.input, samples);
	int32_t *labels = pipe_slot(pipe, pipe->kind.stages - 1, slice)->labels + tp_stage_slot_first(last, slice);
	for (int32_t i = 0; i < samples; i++)
		labels[i] = (from + i) * 3 % PIPE_CLASSES;
}

void pipe_forward(struct pipe *pipe, int32_t version)
{
	pipe->loss_sum = 0;
	for (int32_t slice = 0; slice < PIPE_SLICES; slice++) {
		for (int32_t s = 0; s < pipe->kind.stages; s++) {
			struct tp_stage *stage = &pipe->stage[s];
			if (slice == 0 || pipe->kind.span == TP_SPAN_SLICE)
				(void)tp_activations_take(&stage->activations, slice + 1, &stage->memory);
			struct tp_activation_slot *slot = pipe_slot(pipe, s, slice);
			if (s > 0) {
				struct tp_activation_slot *from = pipe_slot(pipe, s - 1, slice);
				slot->input = tp_stage_output_data(&pipe->stage[s - 1], from);
				slot->input_gradient = from->output_gradient;
			}
		}
		draw(pipe, slice);
		for (int32_t s = 0; s < pipe->kind.stages; s++)
			assert_int_equal(tp_stage_forward(&pipe->stage[s], pipe_slot(pipe, s, slice), slice, version),
			                 TP_OK);
		struct tp_loss_result loss;
		int32_t last = pipe->kind.stages - 1;
		tp_stage_loss(&pipe->stage[last], pipe_slot(pipe, last, slice), slice, &loss);
		pipe->loss_sum += loss.loss_sum;
	}
}

void pipe_backward_run(struct pipe *pipe, enum tp_backward_part part, int32_t first, int32_t count,
                       struct tp_stage_read read, bool accumulate)
{
	const struct tp_stage_backward backward = {part, first, count, read, accumulate};
	for (int32_t s = pipe->kind.stages - 1; s >= 0; s--)
		assert_int_equal(tp_stage_backward(&pipe->stage[s], pipe_slot(pipe, s, first), &backward), TP_OK);
}

void pipe_backward(struct pipe *pipe, int cuts, struct tp_stage_read read)
{
	bool split = pipe->kind.split;
	int32_t first[PIPE_SLICES], count[PIPE_SLICES], runs = 0;
	for (int32_t slice = 0, begin = 0; slice < PIPE_SLICES; slice++) {
		if (slice < PIPE_SLICES - 1 && !(cuts & 1 << slice))
			continue;
		first[runs] = begin;
		count[runs++] = slice + 1 - begin;
		begin = slice + 1;
	}
	for (int32_t r = 0; r < runs; r++)
		pipe_backward_run(pipe, split ? TP_BACKWARD_INPUT : TP_BACKWARD_BOTH, first[r], count[r], read, r > 0);
	for (int32_t r = runs - 1; split && r >= 0; r--)
		pipe_backward_run(pipe, TP_BACKWARD_WEIGHTS, first[r], count[r], read, r < runs - 1);
}
