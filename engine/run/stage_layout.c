#include "engine/run/stage_layout.h"

/* Samples that a slot, and with it a gradient buffer, must hold. */
static size_t slot_samples(const struct tp_stage_spec *spec)
{
	return (size_t)tp_slot_samples(spec->slicing, spec->span);
}

/* Connect the stage's layers: a layer names values of its block, the block's input is the last value of the block
 * before. */
static void connect(struct tp_stage *stage)
{
	const struct tp_model *model = stage->spec.model;
	int32_t next = 0; /* layer of the stage */
	for (int32_t b = 0; b < stage->spec.block_count; b++) {
		const struct tp_block *block = &model->blocks[stage->spec.first_block + b];
		int32_t block_input = next; /* value number of the block's input: output of the layer before */
		for (int32_t l = 0; l < block->layer_count; l++, next++) {
			const struct tp_layer *layer = &model->layers[block->first_layer + l];
			for (int32_t i = 0; i < layer->inputs; i++)
				stage->layers[next].in[i] = block_input + layer->in[i];
		}
	}
}

static enum tp_status make_kernel(struct tp_stage *stage, int32_t at)
{
	const struct tp_stage_spec *spec = &stage->spec;
	struct tp_stage_layer *layer = &stage->layers[at];
	const struct tp_layer *described = &spec->model->layers[stage->first_layer + at];
	struct tp_kernel_spec kernel_spec = {
	        .layer = described,
	        .slicing = spec->slicing,
	        .span = spec->span,
	        .accumulate = spec->span != TP_SPAN_MINI && spec->slicing.count > 1,
	        .input_gradient = spec->index > 0 || stage->values[layer->in[0]].root > 0,
	        .infer_sizes = {spec->infer_sizes[0], spec->infer_sizes[1]},
	};
	for (int32_t i = 0; i < described->inputs; i++)
		kernel_spec.in[i] = stage->values[layer->in[i]].desc;
	enum tp_status status = stage->ops->kernel_new(stage->device, &kernel_spec, &layer->kernel);
	return status == TP_OK ? TP_OK : tp_fail_in(status, "layer %s", described->name);
}

static size_t place(size_t *total, size_t bytes)
{
	size_t offset = *total;
	*total += tp_align_up(bytes);
	return offset;
}

/* The layer's output value, but for its place. */
static void describe_value(struct tp_stage *stage, int32_t at)
{
	const struct tp_stage_layer *layer = &stage->layers[at];
	const struct tp_kernel *kernel = layer->kernel;
	struct tp_stage_value *value = &stage->values[at + 1];
	value->desc = kernel->out;
	value->root = kernel->aliases_input ? stage->values[layer->in[0]].root : at + 1;
	for (int32_t i = 0; i < kernel->layer->inputs && !kernel->aliases_input; i++) {
		int32_t root = stage->values[layer->in[i]].root;
		stage->values[root].readers++;
		if (root == 0)
			stage->input_layers = at + 1;
	}
}

/* What a backward computes again lies in the work area, everything else in the slots. */
static size_t *passing_total(const struct tp_stage *stage, struct tp_stage_sizes *sizes)
{
	return stage->recomputes ? &sizes->work_bytes : &sizes->slot_bytes;
}

/* The place of the layer's output value, parameters and saved area. The output of the stage stays in the slot: the next
 * stage's backward reads it. */
static void place_layer(struct tp_stage *stage, int32_t at, struct tp_stage_sizes *sizes)
{
	struct tp_stage_layer *layer = &stage->layers[at];
	const struct tp_kernel *kernel = layer->kernel;
	struct tp_stage_value *value = &stage->values[at + 1];
	if (value->root == at + 1) {
		value->passing = stage->recomputes && at + 1 != stage->values[stage->layer_count].root;
		value->offset = place(value->passing ? &sizes->work_bytes : &sizes->slot_bytes,
		                      kernel->out.sample_bytes * slot_samples(&stage->spec));
	}
	layer->params_offset = place(&sizes->params_bytes, kernel->params_bytes);
	layer->state_offset = place(&sizes->state_bytes, kernel->state_bytes);
	layer->saved_offset = place(passing_total(stage, sizes), kernel->saved_bytes);
	if (kernel->scratch_bytes > sizes->scratch_bytes)
		sizes->scratch_bytes = kernel->scratch_bytes;
}

/* Give every value that lives and dies inside a backward a gradient buffer: walking the layers as backward will, a
 * value takes a buffer when its first reader is reached and gives it back after its producer. */
static enum tp_status assign_gradients(struct tp_stage *stage, struct tp_stage_sizes *sizes)
{
	size_t values = (size_t)stage->layer_count + 1;
	bool *taken = tp_alloc_array(values, sizeof *taken);
	sizes->gradient_bytes = tp_alloc_array(values, sizeof *sizes->gradient_bytes);
	if (!taken || !sizes->gradient_bytes) {
		tp_free(taken);
		return TP_ERR_NOMEM;
	}
	for (size_t v = 0; v < values; v++)
		stage->values[v].gradient_index = -1;
	int32_t output_root = stage->values[stage->layer_count].root;
	for (int32_t l = stage->layer_count - 1; l >= 0; l--) {
		const struct tp_stage_layer *layer = &stage->layers[l];
		if (layer->kernel->aliases_input)
			continue;
		for (int32_t i = 0; i < layer->kernel->layer->inputs; i++) {
			struct tp_stage_value *in = &stage->values[stage->values[layer->in[i]].root];
			if (in->root == 0 || in->root == output_root)
				continue; /* their gradients are messages */
			size_t bytes = in->desc.sample_bytes * slot_samples(&stage->spec);
			if (in->readers > 1 && bytes > sizes->gradient_sum_bytes)
				sizes->gradient_sum_bytes = bytes;
			if (in->gradient_index >= 0 || in->gradient_offset > 0)
				continue;
			if (stage->spec.split) { /* it outlives this part of the backward */
				in->gradient_offset = place(&sizes->slot_bytes, bytes);
				continue;
			}
			int32_t index = 0;
			while (taken[index])
				index++;
			taken[index] = true;
			in->gradient_index = index;
			if (index >= sizes->gradient_count)
				sizes->gradient_count = index + 1;
			if (bytes > sizes->gradient_bytes[index])
				sizes->gradient_bytes[index] = bytes;
		}
		int32_t done = stage->values[l + 1].gradient_index;
		if (done >= 0)
			taken[done] = false;
	}
	if (stage->values[0].readers > 1 && stage->spec.index > 0) {
		size_t bytes = stage->values[0].desc.sample_bytes * slot_samples(&stage->spec);
		if (bytes > sizes->gradient_sum_bytes)
			sizes->gradient_sum_bytes = bytes;
	}
	tp_free(taken);
	return TP_OK;
}

enum tp_status tp_stage_lay_out(struct tp_stage *stage, struct tp_stage_sizes *sizes)
{
	*sizes = (struct tp_stage_sizes){0};
	connect(stage);
	stage->values[0] = (struct tp_stage_value){.desc = stage->spec.input};
	/* The samples are uploaded into the slot; elsewhere the input is upstream's buffer, unless it is needed for
	 * longer than upstream keeps it. */
	stage->owns_input = stage->spec.index == 0 || stage->spec.split || stage->spec.copies;
	if (stage->owns_input)
		stage->values[0].offset =
		        place(&sizes->slot_bytes, stage->spec.input.sample_bytes * slot_samples(&stage->spec));
	stage->recomputes = stage->spec.recompute && !stage->spec.split;
	for (int32_t l = 0; l < stage->layer_count; l++) {
		TP_TRY(make_kernel(stage, l));
		describe_value(stage, l);
	}
	for (int32_t l = 0; l < stage->layer_count; l++)
		place_layer(stage, l, sizes);
	TP_CHECK(stage->values[stage->layer_count].root != 0);
	if (stage->spec.index == stage->spec.stages - 1) {
		const struct tp_tensor_desc *logits = &stage->values[stage->layer_count].desc;
		stage->probabilities_offset =
		        place(passing_total(stage, sizes), logits->sample_bytes * slot_samples(&stage->spec));
	}
	return assign_gradients(stage, sizes);
}
