#include "engine/run/stage_kernels.h"

#include <stdio.h>

#include "engine/base/memory.h"

/* A loop over values of one shape. */
static struct tp_named_kernel over_values(const char *name, const char *pass, struct tp_shape shape,
                                          size_t sample_bytes)
{
	return (struct tp_named_kernel){
	        .name = name, .pass = pass, .from = shape, .to = shape, .sample_bytes = (int64_t)sample_bytes};
}

static enum tp_status name_input(struct tp_stage *stage, struct tp_kernel_names *names)
{
	const struct tp_stage_spec *spec = &stage->spec;
	const struct tp_tensor_desc *input = &stage->values[0].desc;
	size_t staged_bytes = (size_t)tp_shape_elements(input->shape) * sizeof(float);
	if (spec->index == 0) {
		const struct tp_named_kernel draw = over_values("draw_samples", "F", input->shape, staged_bytes);
		const struct tp_named_kernel upload =
		        over_values("upload", "F", input->shape, staged_bytes + input->sample_bytes);
		TP_TRY(tp_name_forwards(names, &draw, spec->slicing, &stage->names.draw));
		return tp_name_forwards(names, &upload, spec->slicing, &stage->names.upload);
	}
	if (!stage->owns_input)
		return TP_OK;
	const struct tp_named_kernel keep = over_values("keep_input", "F", input->shape, 2 * input->sample_bytes);
	return tp_name_forwards(names, &keep, spec->slicing, &stage->names.keep_input);
}

static enum tp_status name_loss(struct tp_stage *stage, struct tp_kernel_names *names)
{
	const struct tp_stage_spec *spec = &stage->spec;
	const struct tp_tensor_desc *logits = tp_stage_output(stage);
	const size_t sample_bytes = 2 * logits->sample_bytes + sizeof(int32_t);
	const struct tp_named_kernel forward = over_values("loss", "F", logits->shape, sample_bytes);
	const struct tp_named_kernel backward = over_values("loss_gradient", "BD", logits->shape, sample_bytes);
	if (spec->index < spec->stages - 1)
		return TP_OK;
	TP_TRY(tp_name_forwards(names, &forward, spec->slicing, &stage->names.loss_forward));
	return tp_name_backwards(names, &backward, spec->slicing, spec->span, &stage->names.loss_backward);
}

/* Gradients are added up where a value has several readers. */
static enum tp_status name_sums(struct tp_stage *stage, struct tp_kernel_names *names)
{
	for (int32_t v = 0; v <= stage->layer_count; v++) {
		struct tp_stage_value *value = &stage->values[v];
		if (value->root != v || value->readers < 2)
			continue;
		struct tp_named_kernel sum =
		        over_values("add_gradient", "BD", value->desc.shape, 2 * value->desc.sample_bytes);
		sum.layer = v > 0 ? stage->layers[v - 1].kernel->layer : NULL;
		TP_TRY(tp_name_backwards(names, &sum, stage->spec.slicing, stage->spec.span, &value->sum_names));
	}
	return TP_OK;
}

/* Flat loops over all weights of the stage. */
static enum tp_status name_weights(struct tp_stage *stage, struct tp_kernel_names *names)
{
	const int64_t bytes = (int64_t)stage->weights.params_bytes;
	const struct tp_named_kernel update = {.name = "sgd", .pass = "U", .fixed_bytes = 4 * bytes};
	const struct tp_named_kernel fork = {.name = "fork_momentum", .pass = "U", .fixed_bytes = 2 * bytes};
	const struct tp_named_kernel blend = {.name = "blend_weights", .pass = "B", .fixed_bytes = 3 * bytes};
	char shape[24];
	(void)snprintf(shape, sizeof shape, "%lld", (long long)bytes / stage->ops->element_bytes);
	TP_TRY(tp_name_fixed(names, &update, shape, &stage->names.update));
	if (stage->spec.momentum_buffers > 1)
		TP_TRY(tp_name_fixed(names, &fork, shape, &stage->names.fork_momentum));
	return stage->spec.blends ? tp_name_fixed(names, &blend, shape, &stage->names.blend) : TP_OK;
}

enum tp_status tp_stage_name_kernels(struct tp_stage *stage, struct tp_kernel_names *names)
{
	stage->names.update = stage->names.fork_momentum = stage->names.blend = TP_KERNEL_UNNAMED;
	if (!names || stage->ops->element_bytes == 0)
		return TP_OK;
	TP_TRY(name_input(stage, names));
	TP_TRY(name_loss(stage, names));
	TP_TRY(name_sums(stage, names));
	return name_weights(stage, names);
}

void tp_stage_release_names(struct tp_stage *stage)
{
	struct tp_stage_names *names = &stage->names;
	tp_free(names->draw);
	tp_free(names->upload);
	tp_free(names->keep_input);
	tp_free(names->loss_forward);
	tp_free(names->loss_backward);
	for (int32_t v = 0; stage->values && v <= stage->layer_count; v++)
		tp_free(stage->values[v].sum_names);
	*names = (struct tp_stage_names){0};
}

struct tp_stage_kernel_bound tp_stage_kernel_bound(const struct tp_stage *stage)
{
	const struct tp_stage_spec *spec = &stage->spec;
	/* A backward is one call of each layer for every run of micro-batches that it reads apart. */
	int64_t calls = spec->span == TP_SPAN_RUNS ? spec->slicing.count : 1;
	int64_t slices = spec->span == TP_SPAN_SLICE ? 1 : spec->slicing.count;
	int64_t forward = 0, backward = 0, slice = 0;
	if (stage->ops->element_bytes == 0)
		return (struct tp_stage_kernel_bound){0};
	for (int32_t l = 0; l < stage->layer_count; l++) {
		const struct tp_kernel *kernel = stage->layers[l].kernel;
		forward += kernel->forward_kernels;
		backward += kernel->backward_kernels + kernel->layer->inputs; /* and a sum for each input */
		slice += kernel->slice_kernels;
	}
	/* Around the layers: samples drawn and uploaded, or the input kept, and the loss; weights blended and the
	 * loss's gradient; a momentum forked and the update. */
	forward += 3;
	backward += 2;
	slice += spec->recompute ? forward : 0;
	return (struct tp_stage_kernel_bound){forward, calls * backward + slices * slice, 2};
}
