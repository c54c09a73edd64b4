/* A model is data: a list of layers, grouped into blocks. Stage boundaries fall between blocks.
 *
 * Inside a block the layers form a small graph: value 0 is the block's input, value k (k >= 1) the output of the
 * block's k-th layer, and the block's output is the value of its last layer. Each layer names the values it reads, so a
 * residual unit is a block whose TP_LAYER_ADD reads two values. */
#ifndef TP_ENGINE_MODEL_MODEL_H
#define TP_ENGINE_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/tensor/shape.h"

enum tp_layer_kind {
	TP_LAYER_CONV,           /* square kernel, bias, optional fused ReLU */
	TP_LAYER_BATCHNORM,      /* over N, H, W; optional fused ReLU */
	TP_LAYER_MAXPOOL,        /* square window, no padding */
	TP_LAYER_GLOBAL_AVGPOOL, /* to {c, 1, 1} */
	TP_LAYER_FLATTEN,        /* {c, h, w} to {c*h*w, 1, 1}, plain order */
	TP_LAYER_LINEAR,         /* bias, optional fused ReLU */
	TP_LAYER_ADD,            /* sum of two values, optional fused ReLU */
	TP_LAYER_KINDS
};

/* "conv", "batchnorm", ... */
const char *tp_layer_kind_text(enum tp_layer_kind kind);

#define TP_LAYER_INPUTS 2
#define TP_NAME_BYTES 48

struct tp_layer {
	enum tp_layer_kind kind;
	char name[TP_NAME_BYTES]; /* prefix of its tensors, as torchvision: "features.0" */
	bool relu;
	int32_t inputs;              /* how many values it reads */
	int32_t in[TP_LAYER_INPUTS]; /* values of its block */
	struct tp_shape in_shape;    /* of in[0] */
	struct tp_shape out_shape;
	int32_t kernel, stride, padding; /* CONV, MAXPOOL */
	double eps, momentum;            /* BATCHNORM */
	double weight_std;               /* CONV, LINEAR: the weight starts N(0, weight_std), the bias at 0; ... */
	bool uniform_init;               /* ... or both as PyTorch's defaults, U(-1/sqrt(fan_in), 1/sqrt(fan_in)) */
};

struct tp_block {
	int32_t first_layer;
	int32_t layer_count;
};

#define TP_MODEL_MAX_LAYERS 256
#define TP_MODEL_MAX_BLOCKS 128

struct tp_model {
	char name[TP_NAME_BYTES];
	struct tp_shape input;
	int32_t classes;
	int32_t layer_count;
	int32_t block_count;
	struct tp_layer layers[TP_MODEL_MAX_LAYERS];
	struct tp_block blocks[TP_MODEL_MAX_BLOCKS];
};

/* What a builder may want to know. */
struct tp_model_options {
	struct tp_shape input;
	int32_t classes;
	int32_t hidden; /* mlp's hidden width */
};

/* One row of the table of models. */
struct tp_model_entry {
	const char *name;
	const char *summary;
	/* Fill a zeroed model; sets a detail when the input does not suit it. */
	enum tp_status (*build)(const struct tp_model_entry *entry, const struct tp_model_options *options,
	                        struct tp_model *model);
	int32_t variant; /* for builders that serve several names */
	bool batchnorm;
};

/* All models, ended by a row whose name is NULL. */
extern const struct tp_model_entry tp_models[];

/* Build the model called `name`; an unknown name is TP_ERR_INPUT with the nearest one offered. `model` is large: the
 * caller allocates it. */
enum tp_status tp_model_build(const char *name, const struct tp_model_options *options, struct tp_model *model);

/* A tensor of a layer as the outside world sees it. Trainable ones are updated and versioned; the others (running
 * statistics) are the layer's state. */
enum tp_param_role { TP_PARAM_WEIGHT, TP_PARAM_BIAS, TP_PARAM_RUNNING_MEAN, TP_PARAM_RUNNING_VAR, TP_PARAM_ROLES };

struct tp_param {
	enum tp_param_role role;
	bool trainable;
	char name[TP_NAME_BYTES + 24]; /* "features.0.weight" */
	int32_t rank;
	int64_t dims[4]; /* plain order: OIHW, or {out, in}, or {n} */
	int64_t elements;
};

#define TP_LAYER_MAX_PARAMS 4

/* The tensors of a layer, trainable ones first: conv and linear weight, bias; batchnorm weight, bias, running_mean,
 * running_var; others none. Returns how many. (PyTorch's num_batches_tracked is no value of a kernel: files have it,
 * layers do not.) */
int32_t tp_layer_params(const struct tp_layer *layer, struct tp_param params[TP_LAYER_MAX_PARAMS]);

/* The initial value of a tensor, from (seed, tensor name) alone: the same whatever the partition, device or schedule.
 */
void tp_param_initial(const struct tp_layer *layer, const struct tp_param *param, uint64_t seed, float *values);

/* Floating-point operations of one training forward of one sample: multiply and add count as two, a bias is where its
 * sum starts, a comparison (ReLU, pooling) counts as one. */
int64_t tp_layer_forward_flops(const struct tp_layer *layer);
int64_t tp_block_forward_flops(const struct tp_model *model, int32_t block);

/* Elements of all trainable tensors. */
int64_t tp_model_parameter_count(const struct tp_model *model);

/* Split the blocks over `stages`: `counts[s]` blocks for stage s, at least one each. `text` is "auto" (the split with
 * the least flops in its largest stage; of equals the one whose first boundary is earliest, then its second, ...) or
 * numbers parted by commas, one per stage, that add up to the blocks. TP_ERR_INPUT for anything else, and for more
 * stages than blocks. */
enum tp_status tp_partition(const struct tp_model *model, const char *text, int32_t stages, int32_t *counts);

#endif
