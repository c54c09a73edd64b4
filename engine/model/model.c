#include "engine/model/model.h"

#include <string.h>

#include "engine/base/text.h"
#include "engine/model/models.h"

const struct tp_model_entry tp_models[] = {
        {"mlp", "three hidden layers, ReLU; for quick runs and tests", tp_build_mlp, 0, false},
        {"vgg11", "8 convolutions, torchvision's features, one linear layer", tp_build_vgg, 11, false},
        {"vgg11-bn", "vgg11 with batch normalisation", tp_build_vgg, 11, true},
        {"vgg16", "13 convolutions, torchvision's features, one linear layer", tp_build_vgg, 16, false},
        {"vgg16-bn", "vgg16 with batch normalisation", tp_build_vgg, 16, true},
        {NULL, NULL, NULL, 0, false},
};

enum tp_status tp_model_build(const char *name, const struct tp_model_options *options, struct tp_model *model)
{
	const char *names[sizeof tp_models / sizeof tp_models[0]];
	int32_t count = 0;
	for (const struct tp_model_entry *entry = tp_models; entry->name; entry++) {
		if (strcmp(entry->name, name) == 0) {
			TP_TRY(entry->build(entry, options, model));
			struct tp_shape out = model->layers[model->layer_count - 1].out_shape;
			TP_CHECK(tp_shape_equal(out, (struct tp_shape){options->classes, 1, 1}));
			return TP_OK;
		}
		names[count++] = entry->name;
	}
	names[count] = NULL;
	return tp_fail_unknown("model", name, names);
}

int64_t tp_block_forward_flops(const struct tp_model *model, int32_t block)
{
	const struct tp_block *at = &model->blocks[block];
	int64_t flops = 0;
	for (int32_t i = 0; i < at->layer_count; i++)
		flops += tp_layer_forward_flops(&model->layers[at->first_layer + i]);
	return flops;
}

int64_t tp_model_parameter_count(const struct tp_model *model)
{
	int64_t elements = 0;
	for (int32_t i = 0; i < model->layer_count; i++) {
		struct tp_param params[TP_LAYER_MAX_PARAMS];
		int32_t count = tp_layer_params(&model->layers[i], params);
		for (int32_t p = 0; p < count; p++)
			elements += params[p].trainable ? params[p].elements : 0;
	}
	return elements;
}
