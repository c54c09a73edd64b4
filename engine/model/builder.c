#include "engine/model/builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void tp_builder_init(struct tp_builder *builder, const char *name, const struct tp_model_options *options,
                     struct tp_model *model)
{
	*builder = (struct tp_builder){model, TP_OK};
	memset(model, 0, sizeof *model);
	TP_CHECK(strlen(name) < sizeof model->name);
	memcpy(model->name, name, strlen(name) + 1);
	model->input = options->input;
	model->classes = options->classes;
	struct tp_shape in = options->input;
	if (in.c < 1 || in.h < 1 || in.w < 1)
		builder->status =
		        tp_fail(TP_ERR_INPUT, "model %s: expected samples with at least one element, found %dx%dx%d",
		                name, in.c, in.h, in.w);
	else if (options->classes < 1)
		builder->status = tp_fail(TP_ERR_INPUT, "model %s: expected at least one class, found %d", name,
		                          options->classes);
}

void tp_build_block(struct tp_builder *builder)
{
	struct tp_model *model = builder->model;
	if (builder->status != TP_OK)
		return;
	TP_CHECK(model->block_count < TP_MODEL_MAX_BLOCKS);
	model->blocks[model->block_count++] = (struct tp_block){model->layer_count, 0};
}

static struct tp_block *current_block(struct tp_builder *builder)
{
	TP_CHECK(builder->model->block_count > 0);
	return &builder->model->blocks[builder->model->block_count - 1];
}

static struct tp_shape value_shape(struct tp_builder *builder, int32_t value)
{
	const struct tp_block *block = current_block(builder);
	TP_CHECK(value >= 0 && value <= block->layer_count);
	int32_t layer = block->first_layer + value - 1; /* for value 0 the last layer of the block before */
	return layer < 0 ? builder->model->input : builder->model->layers[layer].out_shape;
}

/* A new layer of the current block with its first input; NULL once the builder has failed. */
static struct tp_layer *add_layer(struct tp_builder *builder, enum tp_layer_kind kind, const char *name, int32_t from)
{
	struct tp_model *model = builder->model;
	if (builder->status != TP_OK)
		return NULL;
	TP_CHECK(model->layer_count < TP_MODEL_MAX_LAYERS);
	TP_CHECK(strlen(name) < TP_NAME_BYTES);
	struct tp_layer *layer = &model->layers[model->layer_count];
	layer->kind = kind;
	memcpy(layer->name, name, strlen(name) + 1);
	layer->inputs = 1;
	layer->in[0] = from;
	layer->in_shape = value_shape(builder, from);
	layer->out_shape = layer->in_shape;
	model->layer_count++;
	current_block(builder)->layer_count++;
	return layer;
}

/* The number of the value that the newest layer computes. */
static int32_t newest_value(struct tp_builder *builder)
{
	return builder->status == TP_OK ? current_block(builder)->layer_count : 0;
}

/* Height and width after a window of `kernel` moves by `stride` over the padded input. */
static void slide_window(struct tp_builder *builder, struct tp_layer *layer, int32_t channels)
{
	struct tp_shape in = layer->in_shape;
	int32_t room_h = in.h + 2 * layer->padding - layer->kernel;
	int32_t room_w = in.w + 2 * layer->padding - layer->kernel;
	if (room_h < 0 || room_w < 0) {
		builder->status =
		        tp_fail(TP_ERR_INPUT, "model %s: layer %s: expected an input of at least %dx%d, found %dx%d",
		                builder->model->name, layer->name, layer->kernel - 2 * layer->padding,
		                layer->kernel - 2 * layer->padding, in.h, in.w);
		return;
	}
	layer->out_shape = (struct tp_shape){channels, room_h / layer->stride + 1, room_w / layer->stride + 1};
}

int32_t tp_build_conv(struct tp_builder *builder, const char *name, int32_t from, int32_t channels, int32_t kernel,
                      int32_t stride, int32_t padding)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_CONV, name, from);
	if (layer) {
		layer->kernel = kernel;
		layer->stride = stride;
		layer->padding = padding;
		layer->weight_std = sqrt(2.0 / ((double)channels * kernel * kernel));
		slide_window(builder, layer, channels);
	}
	return newest_value(builder);
}

int32_t tp_build_batchnorm(struct tp_builder *builder, const char *name, int32_t from)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_BATCHNORM, name, from);
	if (layer) {
		layer->eps = 1e-5;
		layer->momentum = 0.1;
	}
	return newest_value(builder);
}

int32_t tp_build_maxpool(struct tp_builder *builder, const char *name, int32_t from, int32_t kernel, int32_t stride)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_MAXPOOL, name, from);
	if (layer) {
		layer->kernel = kernel;
		layer->stride = stride;
		slide_window(builder, layer, layer->in_shape.c);
	}
	return newest_value(builder);
}

int32_t tp_build_global_avgpool(struct tp_builder *builder, const char *name, int32_t from)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_GLOBAL_AVGPOOL, name, from);
	if (layer)
		layer->out_shape = (struct tp_shape){layer->in_shape.c, 1, 1};
	return newest_value(builder);
}

int32_t tp_build_flatten(struct tp_builder *builder, const char *name, int32_t from)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_FLATTEN, name, from);
	if (layer) {
		int64_t elements = tp_shape_elements(layer->in_shape);
		if (elements > INT32_MAX)
			builder->status =
			        tp_fail(TP_ERR_INPUT, "model %s: layer %s: expected at most %d elements, found %lld",
			                builder->model->name, name, INT32_MAX, (long long)elements);
		layer->out_shape = (struct tp_shape){(int32_t)elements, 1, 1};
	}
	return newest_value(builder);
}

int32_t tp_build_linear(struct tp_builder *builder, const char *name, int32_t from, int32_t features, double weight_std)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_LINEAR, name, from);
	if (layer) {
		TP_CHECK(layer->in_shape.h == 1 && layer->in_shape.w == 1);
		layer->weight_std = weight_std;
		layer->uniform_init = weight_std <= 0;
		layer->out_shape = (struct tp_shape){features, 1, 1};
	}
	return newest_value(builder);
}

int32_t tp_build_add(struct tp_builder *builder, const char *name, int32_t first, int32_t second)
{
	struct tp_layer *layer = add_layer(builder, TP_LAYER_ADD, name, first);
	if (layer) {
		layer->inputs = 2;
		layer->in[1] = second;
		TP_CHECK(second < newest_value(builder));
		TP_CHECK(tp_shape_equal(layer->in_shape, value_shape(builder, second)));
	}
	return newest_value(builder);
}

int32_t tp_build_relu(struct tp_builder *builder, int32_t value)
{
	if (builder->status == TP_OK) {
		const struct tp_block *block = current_block(builder);
		TP_CHECK(value >= 1 && value <= block->layer_count);
		struct tp_layer *layer = &builder->model->layers[block->first_layer + value - 1];
		TP_CHECK(layer->kind == TP_LAYER_CONV || layer->kind == TP_LAYER_BATCHNORM ||
		         layer->kind == TP_LAYER_LINEAR || layer->kind == TP_LAYER_ADD);
		layer->relu = true;
	}
	return value;
}

enum tp_status tp_builder_finish(const struct tp_builder *builder)
{
	return builder->status;
}
