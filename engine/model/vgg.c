/* VGG (Simonyan, Zisserman 2015) as torchvision builds and names it, with the head that small images want: global
 * average pooling and one linear layer instead of three. One block per convolution, with its norm, ReLU and pooling. */
#include "engine/model/models.h"

#include <stdio.h>

#include "engine/model/builder.h"

#define POOL (-1)
#define END 0

/* Channels of each convolution: torchvision's configurations "A" and "D". */
static const int32_t vgg11_features[] = {64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL, END};
static const int32_t vgg16_features[] = {64,  64,  POOL, 128,  128, POOL, 256, 256,  256, POOL,
                                         512, 512, 512,  POOL, 512, 512,  512, POOL, END};

/* Five poolings by two must leave at least one pixel. */
#define SMALLEST_SIDE 32

/* "features.K": K counts convolutions, norms, ReLUs and poolings alike. */
static const char *feature_name(char name[TP_NAME_BYTES], int32_t index)
{
	(void)snprintf(name, TP_NAME_BYTES, "features.%d", index);
	return name;
}

enum tp_status tp_build_vgg(const struct tp_model_entry *entry, const struct tp_model_options *options,
                            struct tp_model *model)
{
	struct tp_builder builder;
	char name[TP_NAME_BYTES];
	struct tp_shape in = options->input;
	int32_t index = 0, value = 0;

	if (in.h < SMALLEST_SIDE || in.w < SMALLEST_SIDE)
		return tp_fail(
		        TP_ERR_INPUT,
		        "model %s: expected images of at least %dx%d pixels (five poolings halve them), found %dx%d",
		        entry->name, SMALLEST_SIDE, SMALLEST_SIDE, in.h, in.w);
	tp_builder_init(&builder, entry->name, options, model);
	for (const int32_t *item = entry->variant == 11 ? vgg11_features : vgg16_features; *item != END; item++) {
		if (*item == POOL) {
			tp_build_maxpool(&builder, feature_name(name, index++), value, 2, 2);
			continue;
		}
		tp_build_block(&builder);
		value = tp_build_conv(&builder, feature_name(name, index++), 0, *item, 3, 1, 1);
		if (entry->batchnorm)
			value = tp_build_batchnorm(&builder, feature_name(name, index++), value);
		tp_build_relu(&builder, value);
		index++; /* the ReLU's own number */
	}
	tp_build_block(&builder);
	value = tp_build_global_avgpool(&builder, "avgpool", 0);
	tp_build_linear(&builder, "classifier", value, options->classes, 0.01);
	return tp_builder_finish(&builder);
}
