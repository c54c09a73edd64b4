/* Building a model layer by layer, for the files that define models and for tests.
 *
 * A function that adds a layer returns the number of the value it computes, to be named as input by later layers of the
 * same block; value 0 is the block's input. A shape that cannot work is kept as the builder's status and makes all
 * later calls do nothing, so only tp_builder_finish() needs a check. Wrong use (too many layers, a value that does not
 * exist) is a bug of the model's file and aborts. */
#ifndef TP_ENGINE_MODEL_BUILDER_H
#define TP_ENGINE_MODEL_BUILDER_H

#include "engine/model/model.h"

struct tp_builder {
	struct tp_model *model; /* borrowed */
	enum tp_status status;
};

/* Empty `model`, name it, and note the input. An input or a class count that no model can take is the first failure. */
void tp_builder_init(struct tp_builder *builder, const char *name, const struct tp_model_options *options,
                     struct tp_model *model);

/* The layers that follow belong to a new block, whose input is the value of the last layer so far. */
void tp_build_block(struct tp_builder *builder);

/* Square kernel, with bias. The weight starts Kaiming-normal over its fan-out, the bias at 0. */
int32_t tp_build_conv(struct tp_builder *builder, const char *name, int32_t from, int32_t channels, int32_t kernel,
                      int32_t stride, int32_t padding);
/* eps 1e-5, momentum 0.1; weight and variance start at 1, bias and mean at 0. */
int32_t tp_build_batchnorm(struct tp_builder *builder, const char *name, int32_t from);
int32_t tp_build_maxpool(struct tp_builder *builder, const char *name, int32_t from, int32_t kernel, int32_t stride);
int32_t tp_build_global_avgpool(struct tp_builder *builder, const char *name, int32_t from);
int32_t tp_build_flatten(struct tp_builder *builder, const char *name, int32_t from);
/* Reads a vector {n, 1, 1}. weight_std > 0: the weight starts N(0, weight_std), the bias at 0; weight_std 0: both start
 * as PyTorch's defaults. */
int32_t tp_build_linear(struct tp_builder *builder, const char *name, int32_t from, int32_t features,
                        double weight_std);
/* Both values must have the same shape. */
int32_t tp_build_add(struct tp_builder *builder, const char *name, int32_t first, int32_t second);
/* Fuse a ReLU into the layer that computes `value`; returns `value`. */
int32_t tp_build_relu(struct tp_builder *builder, int32_t value);

enum tp_status tp_builder_finish(const struct tp_builder *builder);

#endif
