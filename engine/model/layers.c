/* What a layer is, apart from its arithmetic: its tensors, how they start, and what it costs. */
#include <math.h>
#include <stdio.h>

#include "engine/base/prng.h"
#include "engine/model/model.h"

const char *tp_layer_kind_text(enum tp_layer_kind kind)
{
	static const char *const texts[TP_LAYER_KINDS] = {
	        [TP_LAYER_CONV] = "conv",       [TP_LAYER_BATCHNORM] = "batchnorm",
	        [TP_LAYER_MAXPOOL] = "maxpool", [TP_LAYER_GLOBAL_AVGPOOL] = "global_avgpool",
	        [TP_LAYER_FLATTEN] = "flatten", [TP_LAYER_LINEAR] = "linear",
	        [TP_LAYER_ADD] = "add",
	};
	return texts[kind];
}

static const struct {
	const char *suffix;
	bool trainable;
} roles[TP_PARAM_ROLES] = {
        [TP_PARAM_WEIGHT] = {"weight", true},
        [TP_PARAM_BIAS] = {"bias", true},
        [TP_PARAM_RUNNING_MEAN] = {"running_mean", false},
        [TP_PARAM_RUNNING_VAR] = {"running_var", false},
};

static struct tp_param make_param(const struct tp_layer *layer, enum tp_param_role role, int32_t rank,
                                  const int64_t dims[])
{
	struct tp_param param = {.role = role, .trainable = roles[role].trainable, .rank = rank, .elements = 1};
	(void)snprintf(param.name, sizeof param.name, "%s.%s", layer->name, roles[role].suffix);
	for (int32_t i = 0; i < rank; i++) {
		param.dims[i] = dims[i];
		param.elements *= dims[i];
	}
	return param;
}

int32_t tp_layer_params(const struct tp_layer *layer, struct tp_param params[TP_LAYER_MAX_PARAMS])
{
	int64_t in = layer->in_shape.c, out = layer->out_shape.c, k = layer->kernel;
	int32_t count = 0;
	switch (layer->kind) {
	case TP_LAYER_CONV:
		params[count++] = make_param(layer, TP_PARAM_WEIGHT, 4, (const int64_t[]){out, in, k, k});
		params[count++] = make_param(layer, TP_PARAM_BIAS, 1, &out);
		break;
	case TP_LAYER_LINEAR:
		params[count++] = make_param(layer, TP_PARAM_WEIGHT, 2, (const int64_t[]){out, in});
		params[count++] = make_param(layer, TP_PARAM_BIAS, 1, &out);
		break;
	case TP_LAYER_BATCHNORM:
		for (enum tp_param_role role = TP_PARAM_WEIGHT; role < TP_PARAM_ROLES; role++)
			params[count++] = make_param(layer, role, 1, &out);
		break;
	case TP_LAYER_MAXPOOL:
	case TP_LAYER_GLOBAL_AVGPOOL:
	case TP_LAYER_FLATTEN:
	case TP_LAYER_ADD:
	case TP_LAYER_KINDS:
		break;
	}
	return count;
}

static void fill(float *values, int64_t count, float value)
{
	for (int64_t i = 0; i < count; i++)
		values[i] = value;
}

static void fill_normal(float *values, int64_t count, struct tp_prng *prng, double std)
{
	for (int64_t i = 0; i < count; i++)
		values[i] = (float)(std * tp_prng_normal(prng));
}

static void fill_uniform(float *values, int64_t count, struct tp_prng *prng, double bound)
{
	for (int64_t i = 0; i < count; i++)
		values[i] = (float)(bound * (2.0 * tp_prng_unit(prng) - 1.0));
}

void tp_param_initial(const struct tp_layer *layer, const struct tp_param *param, uint64_t seed, float *values)
{
	struct tp_prng prng;
	tp_prng_init(&prng, seed, tp_hash_text(param->name));
	if (layer->kind == TP_LAYER_BATCHNORM) {
		bool one = param->role == TP_PARAM_WEIGHT || param->role == TP_PARAM_RUNNING_VAR;
		fill(values, param->elements, one ? 1.0F : 0.0F);
	} else if (layer->uniform_init) {
		double fan_in = (double)layer->in_shape.c; /* only linear layers start so */
		fill_uniform(values, param->elements, &prng, 1.0 / sqrt(fan_in));
	} else if (param->role == TP_PARAM_WEIGHT) {
		fill_normal(values, param->elements, &prng, layer->weight_std);
	} else {
		fill(values, param->elements, 0.0F);
	}
}

int64_t tp_layer_forward_flops(const struct tp_layer *layer)
{
	int64_t in = tp_shape_elements(layer->in_shape), out = tp_shape_elements(layer->out_shape);
	int64_t window = (int64_t)layer->kernel * layer->kernel;
	int64_t flops = layer->relu ? out : 0;
	switch (layer->kind) {
	case TP_LAYER_CONV: /* a sum that starts at the bias: one multiplication and one addition per term */
		return flops + 2 * out * layer->in_shape.c * window;
	case TP_LAYER_LINEAR:
		return flops + 2 * out * layer->in_shape.c;
	case TP_LAYER_BATCHNORM: /* mean 1, variance 3, x - mean, * scale, + shift */
		return flops + 7 * out;
	case TP_LAYER_MAXPOOL: /* comparisons */
		return flops + out * (window - 1);
	case TP_LAYER_GLOBAL_AVGPOOL: /* additions, and one division per channel */
		return flops + in;
	case TP_LAYER_ADD:
		return flops + out;
	case TP_LAYER_FLATTEN:
	case TP_LAYER_KINDS:
		break;
	}
	return flops;
}
