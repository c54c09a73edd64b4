/* The shapes that our layers have against those that cuDNN computes from its descriptions of them, for every layer of
 * every model. Takes cuDNN but no GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "engine/base/memory.h"
#include "engine/cuda/cuda_descriptors.h"
#include "engine/model/models.h"

enum { SAMPLES = 5 };

/* Of which layers all shapes were compared. */
static int32_t convolutions, pools;

static void must(enum tp_status status)
{
	if (status != TP_OK)
		fail_msg("%s: %s", tp_status_text(status), tp_detail());
}

static void compare(const char *model, const struct tp_layer *layer, const int found[4])
{
	const struct tp_shape out = layer->out_shape;
	if (found[0] != SAMPLES || found[1] != out.c || found[2] != out.h || found[3] != out.w)
		fail_msg("%s, layer %s: our shape is %d samples of %dx%dx%d, cuDNN's %d of %dx%dx%d", model,
		         layer->name, SAMPLES, out.c, out.h, out.w, found[0], found[1], found[2], found[3]);
}

static void compare_conv(const char *model, const struct tp_layer *layer, enum tpb_type type)
{
	static const cudnnMathType_t maths[] = {CUDNN_FMA_MATH, CUDNN_DEFAULT_MATH, CUDNN_TENSOR_OP_MATH};
	for (size_t i = 0; i < sizeof maths / sizeof maths[0]; i++) {
		cudnnTensorDescriptor_t x = NULL;
		cudnnFilterDescriptor_t filter = NULL;
		cudnnConvolutionDescriptor_t conv = NULL;
		int found[4] = {0};
		must(tp_cuda_describe_values(type, SAMPLES, layer->in_shape, &x));
		must(tp_cuda_describe_filter(type, layer, &filter));
		must(tp_cuda_describe_conv(layer, maths[i], &conv));
		must(TP_CUDNN_CHECK(cudnnGetConvolution2dForwardOutputDim, conv, x, filter, &found[0], &found[1],
		                    &found[2], &found[3]));
		compare(model, layer, found);
		tp_cuda_forget_values(x);
		tp_cuda_forget_filter(filter);
		tp_cuda_forget_conv(conv);
	}
	convolutions++;
}

static void compare_pool(const char *model, const struct tp_layer *layer, enum tpb_type type)
{
	for (int deterministic = 0; deterministic < 2; deterministic++) {
		cudnnTensorDescriptor_t x = NULL;
		cudnnPoolingDescriptor_t pool = NULL;
		int found[4] = {0};
		must(tp_cuda_describe_values(type, SAMPLES, layer->in_shape, &x));
		must(tp_cuda_describe_pool(layer, deterministic, &pool));
		must(TP_CUDNN_CHECK(cudnnGetPooling2dForwardOutputDim, pool, x, &found[0], &found[1], &found[2],
		                    &found[3]));
		compare(model, layer, found);
		tp_cuda_forget_values(x);
		tp_cuda_forget_pool(pool);
	}
	pools++;
}

static void compare_layer(const char *model, const struct tp_layer *layer)
{
	for (int type = TPB_F32; type <= TPB_BF16; type++) {
		if (layer->kind == TP_LAYER_CONV)
			compare_conv(model, layer, (enum tpb_type)type);
		if (layer->kind == TP_LAYER_MAXPOOL || layer->kind == TP_LAYER_GLOBAL_AVGPOOL)
			compare_pool(model, layer, (enum tpb_type)type);
		if (layer->kind == TP_LAYER_BATCHNORM) {
			cudnnTensorDescriptor_t channels = NULL;
			must(tp_cuda_describe_channels(layer->in_shape.c, &channels));
			tp_cuda_forget_values(channels);
		}
	}
}

/* A model that cannot have an input of this shape is none of ours. */
static bool compare_model(const struct tp_model_entry *entry, struct tp_shape input)
{
	const struct tp_model_options options = {input, 10, 64};
	struct tp_model *model = tp_alloc(sizeof *model);
	assert_non_null(model);
	const bool built = tp_model_build(entry->name, &options, model) == TP_OK;
	for (int32_t i = 0; i < model->layer_count && built; i++)
		compare_layer(model->name, &model->layers[i]);
	tp_free(model);
	return built;
}

static void every_layer_of_every_model_has_cudnns_shape(void **unused)
{
	(void)unused;
	static const struct tp_shape inputs[] = {{3, 32, 32}, {1, 28, 28}, {3, 64, 64}};
	for (const struct tp_model_entry *entry = tp_models; entry->name; entry++) {
		int built = 0;
		for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
			built += compare_model(entry, inputs[i]);
		assert_true(built >= 2);
	}
	assert_true(convolutions > 0);
	assert_true(pools > 0);
}

/* What no model has: a stride that leaves pixels over, the mean of each channel. */
static void odd_windows_have_cudnns_shape(void **unused)
{
	(void)unused;
	struct tp_layer layer = {
	        .kind = TP_LAYER_CONV, .name = "odd", .in_shape = {20, 9, 7}, .kernel = 3, .stride = 2, .padding = 1};
	layer.out_shape = (struct tp_shape){100, 5, 4};
	compare_layer("none", &layer);
	layer.kind = TP_LAYER_MAXPOOL;
	layer.padding = 0;
	layer.out_shape = (struct tp_shape){20, 4, 3};
	compare_layer("none", &layer);
	layer.kind = TP_LAYER_GLOBAL_AVGPOOL;
	layer.out_shape = (struct tp_shape){20, 1, 1};
	compare_layer("none", &layer);
}

int main(void)
{
	struct tp_text why_not = {0};
	if (!tp_cuda_load(&why_not)) {
		(void)printf("test_cudnn_descriptors: skipped: %s\n", tp_text_get(&why_not));
		tp_text_release(&why_not);
		return 77;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_layer_of_every_model_has_cudnns_shape),
	        cmocka_unit_test(odd_windows_have_cudnns_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
