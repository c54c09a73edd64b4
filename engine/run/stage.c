#include "engine/run/stage.h"

#include <string.h>

#include "engine/run/stage_kernels.h"
#include "engine/run/stage_layout.h"
#include "profiler/kernel_probe.h"

static enum tp_status reserve_workspace(struct tp_stage *stage, const struct tp_stage_sizes *sizes)
{
	size_t blended_bytes = stage->spec.blends ? sizes->params_bytes : 0;
	size_t total = tp_align_up(sizes->scratch_bytes) + tp_align_up(sizes->gradient_sum_bytes) +
	               tp_align_up(sizes->work_bytes) + tp_align_up(blended_bytes);
	for (int32_t i = 0; i < sizes->gradient_count; i++)
		total += tp_align_up(sizes->gradient_bytes[i]);
	stage->gradient_buffers = tp_alloc_array((size_t)sizes->gradient_count, sizeof *stage->gradient_buffers);
	if (!stage->gradient_buffers)
		return TP_ERR_NOMEM;
	TP_TRY(tp_arena_init_from(&stage->workspace, &stage->source, total));
	stage->scratch = tp_arena_take(&stage->workspace, sizes->scratch_bytes);
	for (int32_t i = 0; i < sizes->gradient_count; i++)
		stage->gradient_buffers[i] = tp_arena_take(&stage->workspace, sizes->gradient_bytes[i]);
	if (sizes->gradient_sum_bytes)
		stage->gradient_sum_buffer = tp_arena_take(&stage->workspace, sizes->gradient_sum_bytes);
	if (stage->recomputes)
		stage->work = tp_arena_take(&stage->workspace, sizes->work_bytes);
	if (stage->spec.blends)
		stage->blended = tp_arena_take(&stage->workspace, blended_bytes);
	tp_memory_reserve(&stage->memory, TP_MEM_WORKSPACE, (int64_t)total);
	tp_memory_use(&stage->memory, TP_MEM_WORKSPACE, (int64_t)total);
	return TP_OK;
}

static enum tp_status reserve(struct tp_stage *stage, const struct tp_stage_sizes *sizes)
{
	const struct tp_stage_spec *spec = &stage->spec;
	int32_t samples = tp_slot_samples(spec->slicing, spec->span);
	size_t output_bytes = tp_stage_output(stage)->sample_bytes * (size_t)samples;
	bool last = spec->index == spec->stages - 1;
	TP_TRY(reserve_workspace(stage, sizes));
	TP_TRY(tp_weights_init(&stage->weights, sizes->params_bytes, sizes->state_bytes, spec->version_buffers,
	                       spec->momentum_buffers, &stage->source, &stage->memory));
	size_t own_gradient_bytes =
	        spec->copies && spec->index > 0 ? stage->values[0].desc.sample_bytes * (size_t)samples : 0;
	return tp_activations_init(&stage->activations, spec->slots, sizes->slot_bytes, output_bytes,
	                           own_gradient_bytes, last ? samples : 0, &stage->source, &stage->memory);
}

enum tp_status tp_stage_init(struct tp_stage *stage, const struct tp_stage_spec *spec, const struct tp_device_ops *ops,
                             const struct tp_device_options *options)
{
	*stage = (struct tp_stage){.spec = *spec, .ops = ops};
	stage->memory.record.stage = (int16_t)spec->index;
	stage->first_layer = spec->model->blocks[spec->first_block].first_layer;
	for (int32_t b = 0; b < spec->block_count; b++)
		stage->layer_count += spec->model->blocks[spec->first_block + b].layer_count;
	stage->layers = tp_alloc_array((size_t)stage->layer_count, sizeof *stage->layers);
	stage->values = tp_alloc_array((size_t)stage->layer_count + 1, sizeof *stage->values);
	stage->gradient_written = tp_alloc_array((size_t)stage->layer_count + 1, sizeof *stage->gradient_written);
	struct tp_stage_sizes sizes = {0};
	enum tp_status status = TP_ERR_NOMEM;
	if (stage->layers && stage->values && stage->gradient_written)
		status = ops->open(options, spec->index, &stage->device);
	if (status == TP_OK) {
		stage->source = tp_device_memory(stage->device);
		status = tp_stage_lay_out(stage, &sizes);
	}
	if (status == TP_OK)
		status = reserve(stage, &sizes);
	if (status == TP_OK)
		status = tp_stage_name_kernels(stage, options->kernel_names);
	tp_free(sizes.gradient_bytes);
	return status;
}

enum tp_status tp_stage_finish(struct tp_stage *stage)
{
	return stage->ops->async ? stage->ops->async->finish(stage->device, stage->spec.timeout_ns) : TP_OK;
}

void tp_stage_retire(struct tp_stage *stage, int32_t version_buffer)
{
	const struct tp_weights *weights = &stage->weights;
	if (stage->ops->async && stage->ops->async->retire)
		stage->ops->async->retire(stage->device, weights->buffer[version_buffer], weights->params_bytes);
}

enum tp_status tp_stage_collect_loss(struct tp_stage *stage, struct tp_loss_result *result)
{
	struct tp_loss_result sums = {0};
	if (!stage->ops->async)
		return TP_OK;
	TP_TRY(stage->ops->async->collect_loss(stage->device, &sums));
	result->loss_sum += sums.loss_sum;
	result->top1 += sums.top1;
	result->top5 += sums.top5;
	return TP_OK;
}

void tp_stage_release(struct tp_stage *stage)
{
	for (int32_t l = 0; stage->layers && l < stage->layer_count; l++) {
		if (stage->layers[l].kernel)
			stage->layers[l].kernel->ops->free(stage->layers[l].kernel);
	}
	tp_stage_release_names(stage);
	tp_free(stage->layers);
	tp_free(stage->values);
	tp_free(stage->gradient_written);
	tp_free(stage->gradient_buffers);
	tp_arena_release(&stage->workspace);
	tp_weights_release(&stage->weights);
	tp_activations_release(&stage->activations);
	if (stage->device)
		stage->ops->close(stage->device);
	*stage = (struct tp_stage){0};
}

const struct tp_tensor_desc *tp_stage_output(const struct tp_stage *stage)
{
	return &stage->values[stage->layer_count].desc;
}

int32_t tp_stage_slot_first(const struct tp_stage *stage, int32_t slice)
{
	return tp_slot_first(stage->spec.slicing, stage->spec.span, slice);
}

/* A value at a sample of a slot, wherever it lies. */
static unsigned char *value_data(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t value, int32_t sample)
{
	const struct tp_stage_value *root = &stage->values[stage->values[value].root];
	unsigned char *base = root->passing ? stage->work : slot->base;
	return base + root->offset + (size_t)sample * root->desc.sample_bytes;
}

/* What a forward saves for the backward, and the probabilities of the loss. */
static unsigned char *saved_data(struct tp_stage *stage, struct tp_activation_slot *slot, size_t offset)
{
	return (stage->recomputes ? (unsigned char *)stage->work : slot->base) + offset;
}

static const void *value_read(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t value, int32_t sample)
{
	if (stage->values[value].root > 0 || stage->owns_input)
		return value_data(stage, slot, value, sample);
	return (const unsigned char *)slot->input + (size_t)sample * stage->values[0].desc.sample_bytes;
}

void *tp_stage_output_data(struct tp_stage *stage, struct tp_activation_slot *slot)
{
	return value_data(stage, slot, stage->layer_count, 0);
}

void *tp_stage_input_data(struct tp_stage *stage, struct tp_activation_slot *slot)
{
	return value_data(stage, slot, 0, 0);
}

static void *at_offset(void *base, size_t offset)
{
	return (unsigned char *)base + offset;
}

/* What forward and infer are called with, alike but for the slice. */
static struct tp_forward_args forward_args(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t l,
                                           int32_t slice, int32_t sample, void *weights)
{
	const struct tp_stage_layer *layer = &stage->layers[l];
	struct tp_forward_args args = {
	        .slice = slice,
	        .y = value_data(stage, slot, l + 1, sample),
	        .params = at_offset(weights, layer->params_offset),
	        .state = at_offset(stage->weights.state, layer->state_offset),
	        .saved = saved_data(stage, slot, layer->saved_offset),
	        .scratch = stage->scratch,
	};
	for (int32_t i = 0; i < layer->kernel->layer->inputs; i++)
		args.x[i] = value_read(stage, slot, layer->in[i], sample);
	return args;
}

static enum tp_status forward_slice(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                                    void *weights, bool recompute)
{
	int32_t sample = tp_stage_slot_first(stage, slice);
	for (int32_t l = 0; l < stage->layer_count; l++) {
		struct tp_kernel *kernel = stage->layers[l].kernel;
		if (kernel->aliases_input)
			continue;
		struct tp_forward_args args = forward_args(stage, slot, l, slice, sample, weights);
		args.recompute = recompute;
		TP_TRY(kernel->ops->forward(kernel, &args));
	}
	return TP_OK;
}

static void copy(struct tp_stage *stage, const void *from, void *to, size_t bytes)
{
	if (stage->ops->copy)
		stage->ops->copy(stage->device, from, to, bytes);
	else
		memcpy(to, from, bytes);
}

/* A stage whose weight part comes when the stage before may be done with its slot keeps what it was sent. */
static void keep_input(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice)
{
	size_t sample_bytes = stage->values[0].desc.sample_bytes;
	size_t offset = (size_t)tp_stage_slot_first(stage, slice) * sample_bytes;
	int32_t samples = tp_slice_size(stage->spec.slicing, slice);
	if (!stage->owns_input || stage->spec.index == 0)
		return;
	unsigned char *kept = tp_stage_input_data(stage, slot);
	if (slot->input == kept) /* a transport has put it there */
		return;
	int64_t start_ns = tp_kernel_begin();
	copy(stage, (const unsigned char *)slot->input + offset, kept + offset, (size_t)samples * sample_bytes);
	tp_kernel_end(start_ns, tp_name_of(stage->names.keep_input, samples));
}

enum tp_status tp_stage_forward(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                                int32_t version_buffer)
{
	keep_input(stage, slot, slice);
	return forward_slice(stage, slot, slice, stage->weights.buffer[version_buffer], false);
}

void tp_stage_loss(struct tp_stage *stage, struct tp_activation_slot *slot, int32_t slice,
                   struct tp_loss_result *result)
{
	int32_t sample = tp_stage_slot_first(stage, slice), samples = tp_slice_size(stage->spec.slicing, slice);
	const struct tp_tensor_desc *logits = tp_stage_output(stage);
	int64_t start_ns = tp_kernel_begin();
	stage->ops->loss_forward(
	        stage->device, samples, logits->shape.c, value_data(stage, slot, stage->layer_count, sample),
	        slot->labels + sample,
	        saved_data(stage, slot, stage->probabilities_offset) + (size_t)sample * logits->sample_bytes, result);
	tp_kernel_end(start_ns, tp_name_of(stage->names.loss_forward, samples));
}

/* --- backward -------------------------------------------------------------------------------------------------------
 */

/* A backward under way: its samples in the slot, and the weights it reads. */
struct backward {
	const struct tp_stage_backward *call;
	struct tp_activation_slot *slot;
	void *weights;
	int32_t sample, samples;
};

/* Where the gradient of a root value is collected; NULL for the input of the model. */
static void *gradient_of(struct tp_stage *stage, const struct backward *backward, int32_t root)
{
	const struct tp_stage_value *value = &stage->values[root];
	struct tp_activation_slot *slot = backward->slot;
	size_t offset = (size_t)backward->sample * value->desc.sample_bytes;
	if (root == stage->values[stage->layer_count].root)
		return at_offset(slot->output_gradient, offset);
	if (root == 0)
		return slot->input_gradient ? at_offset(slot->input_gradient, offset) : NULL;
	if (stage->spec.split)
		return slot->base + value->gradient_offset + offset;
	return stage->gradient_buffers[value->gradient_index];
}

/* Add up where a value has several readers. */
static void add_gradient(struct tp_stage *stage, const struct backward *backward, int32_t root, const void *more,
                         void *gradient)
{
	size_t bytes = stage->values[root].desc.sample_bytes * (size_t)backward->samples;
	int64_t start_ns = tp_kernel_begin();
	if (stage->ops->blend_values)
		stage->ops->blend_values(stage->device, 1, more, 1, gradient, gradient, bytes);
	else
		stage->ops->blend(stage->device, 1, more, 1, gradient, gradient, bytes);
	tp_kernel_end(start_ns, tp_name_of(stage->values[root].sum_names, backward->samples));
}

static enum tp_status backward_layer(struct tp_stage *stage, const struct backward *backward, int32_t l)
{
	const struct tp_stage_layer *layer = &stage->layers[l];
	struct tp_kernel *kernel = layer->kernel;
	bool inputs_wanted = backward->call->part != TP_BACKWARD_WEIGHTS;
	struct tp_backward_args args = {
	        .first_slice = backward->call->first_slice,
	        .slice_count = backward->call->slice_count,
	        .part = backward->call->part,
	        .y = value_data(stage, backward->slot, l + 1, backward->sample),
	        .dy = gradient_of(stage, backward, stage->values[l + 1].root),
	        .params = at_offset(backward->weights, layer->params_offset),
	        .dparams = at_offset(stage->weights.gradient, layer->params_offset),
	        .accumulate = backward->call->accumulate,
	        .saved = saved_data(stage, backward->slot, layer->saved_offset),
	        .scratch = stage->scratch,
	};
	void *wanted[TP_LAYER_INPUTS] = {NULL};
	for (int32_t i = 0; i < kernel->layer->inputs; i++) {
		int32_t root = stage->values[layer->in[i]].root;
		args.x[i] = value_read(stage, backward->slot, layer->in[i], backward->sample);
		if (!inputs_wanted)
			continue;
		wanted[i] = gradient_of(stage, backward, root);
		args.dx[i] = wanted[i] && stage->gradient_written[root] ? stage->gradient_sum_buffer : wanted[i];
	}
	TP_TRY(kernel->ops->backward(kernel, &args));
	for (int32_t i = 0; i < kernel->layer->inputs && inputs_wanted; i++) {
		int32_t root = stage->values[layer->in[i]].root;
		if (args.dx[i] != wanted[i])
			add_gradient(stage, backward, root, args.dx[i], wanted[i]);
		stage->gradient_written[root] = true;
	}
	return TP_OK;
}

/* The last stage's output gradient. */
static void loss_gradient(struct tp_stage *stage, const struct backward *backward)
{
	const struct tp_tensor_desc *logits = tp_stage_output(stage);
	size_t offset = (size_t)backward->sample * logits->sample_bytes;
	struct tp_activation_slot *slot = backward->slot;
	int64_t start_ns = tp_kernel_begin();
	stage->ops->loss_backward(stage->device, backward->samples, logits->shape.c,
	                          saved_data(stage, slot, stage->probabilities_offset) + offset,
	                          slot->labels + backward->sample, 1.0 / stage->spec.slicing.batch,
	                          at_offset(slot->output_gradient, offset));
	tp_kernel_end(start_ns, tp_name_of(stage->names.loss_backward, backward->samples));
}

/* The buffer to read, or what lies between two of them. */
static void *weights_to_read(struct tp_stage *stage, const struct tp_stage_read *read)
{
	const struct tp_weights *weights = &stage->weights;
	if (read->lambda == 1)
		return weights->buffer[read->version_buffer];
	TP_CHECK(stage->blended);
	int64_t start_ns = tp_kernel_begin();
	stage->ops->blend(stage->device, read->lambda, weights->buffer[read->version_buffer], 1 - read->lambda,
	                  weights->buffer[read->newest_buffer], stage->blended, weights->params_bytes);
	tp_kernel_end(start_ns, stage->names.blend);
	return stage->blended;
}

/* Forward and loss once more, with the backward's weights. */
static enum tp_status recompute(struct tp_stage *stage, const struct backward *backward, bool last)
{
	const struct tp_stage_backward *call = backward->call;
	for (int32_t slice = call->first_slice; slice < call->first_slice + call->slice_count; slice++) {
		struct tp_loss_result unused = {0};
		TP_TRY(forward_slice(stage, backward->slot, slice, backward->weights, true));
		if (last)
			tp_stage_loss(stage, backward->slot, slice, &unused);
	}
	return TP_OK;
}

enum tp_status tp_stage_backward(struct tp_stage *stage, struct tp_activation_slot *slot,
                                 const struct tp_stage_backward *call)
{
	bool last = stage->spec.index == stage->spec.stages - 1;
	const struct backward backward = {
	        .call = call,
	        .slot = slot,
	        .weights = weights_to_read(stage, &call->read),
	        .sample = tp_stage_slot_first(stage, call->first_slice),
	        .samples = tp_slices_samples(stage->spec.slicing, call->first_slice, call->slice_count),
	};
	if (call->part != TP_BACKWARD_WEIGHTS) {
		if (stage->spec.recompute)
			TP_TRY(recompute(stage, &backward, last));
		if (last)
			loss_gradient(stage, &backward);
	}
	for (int32_t v = 0; v <= stage->layer_count; v++)
		stage->gradient_written[v] = false;
	for (int32_t l = stage->layer_count - 1; l >= 0; l--) {
		if (!stage->layers[l].kernel->aliases_input)
			TP_TRY(backward_layer(stage, &backward, l));
	}
	return TP_OK;
}

/* --- update ---------------------------------------------------------------------------------------------------------
 */

void tp_stage_update(struct tp_stage *stage, int32_t from_buffer, int32_t to_buffer, int32_t momentum_buffer, double lr,
                     double momentum, double weight_decay)
{
	struct tp_weights *weights = &stage->weights;
	struct tp_sgd sgd = {lr, momentum, weight_decay, !weights->stepped[momentum_buffer]};
	int64_t start_ns = tp_kernel_begin();
	stage->ops->sgd(stage->device, &sgd, weights->buffer[from_buffer], weights->buffer[to_buffer],
	                weights->gradient, weights->momentum[momentum_buffer], weights->params_bytes);
	tp_kernel_end(start_ns, stage->names.update);
	weights->stepped[momentum_buffer] = true;
}

void tp_stage_fork_momentum(struct tp_stage *stage, int32_t from, int32_t to)
{
	struct tp_weights *weights = &stage->weights;
	weights->stepped[to] = weights->stepped[from];
	if (!weights->stepped[from])
		return;
	int64_t start_ns = tp_kernel_begin();
	copy(stage, weights->momentum[from], weights->momentum[to], weights->params_bytes);
	tp_kernel_end(start_ns, stage->names.fork_momentum);
}

static enum tp_status infer_layers(struct tp_stage *stage, int32_t samples, int32_t first, int32_t end,
                                   int32_t version_buffer)
{
	struct tp_activation_slot *slot = &stage->activations.slots[0];
	for (int32_t l = first; l < end; l++) {
		struct tp_kernel *kernel = stage->layers[l].kernel;
		if (kernel->aliases_input)
			continue;
		struct tp_forward_args args =
		        forward_args(stage, slot, l, TP_WHOLE, 0, stage->weights.buffer[version_buffer]);
		TP_TRY(kernel->ops->infer(kernel, samples, &args));
	}
	return TP_OK;
}

enum tp_status tp_stage_infer_input(struct tp_stage *stage, int32_t samples, const void *input, int32_t version_buffer)
{
	struct tp_activation_slot *slot = &stage->activations.slots[0];
	TP_CHECK(slot->unit == 0);
	slot->input = input;
	if (stage->owns_input && stage->spec.index > 0)
		copy(stage, input, slot->base + stage->values[0].offset,
		     (size_t)samples * stage->values[0].desc.sample_bytes);
	return infer_layers(stage, samples, 0, stage->input_layers, version_buffer);
}

enum tp_status tp_stage_infer_rest(struct tp_stage *stage, int32_t samples, int32_t version_buffer)
{
	return infer_layers(stage, samples, stage->input_layers, stage->layer_count, version_buffer);
}

/* The block of a layer that holds one of its tensors: in a version, or in the state. */
static void *block_of(struct tp_stage *stage, int32_t layer, int32_t param, int32_t version_buffer)
{
	const struct tp_stage_layer *at = &stage->layers[layer];
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	(void)tp_layer_params(at->kernel->layer, params);
	return params[param].trainable ? at_offset(stage->weights.buffer[version_buffer], at->params_offset)
	                               : at_offset(stage->weights.state, at->state_offset);
}

void tp_stage_import(struct tp_stage *stage, int32_t layer, int32_t param, const float *plain, int32_t version_buffer)
{
	struct tp_kernel *kernel = stage->layers[layer].kernel;
	kernel->ops->import_param(kernel, param, plain, block_of(stage, layer, param, version_buffer));
}

void tp_stage_export(struct tp_stage *stage, int32_t layer, int32_t param, int32_t version_buffer, double *plain)
{
	struct tp_kernel *kernel = stage->layers[layer].kernel;
	kernel->ops->export_param(kernel, param, block_of(stage, layer, param, version_buffer), plain);
}
