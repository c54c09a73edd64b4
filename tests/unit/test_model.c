/* Models as data: names, shapes, parameter counts and initial values against what torchvision has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/model/builder.h"
#include "engine/model/model.h"

static const struct tp_model_options cifar100 = {{3, 32, 32}, 100, 256};
static struct tp_model model;

/* The names of all layers of a kind, parted by blanks. */
static const char *names_of(enum tp_layer_kind kind)
{
	static char names[1024];
	size_t used = 0;
	names[0] = '\0';
	for (int32_t i = 0; i < model.layer_count; i++)
		if (model.layers[i].kind == kind)
			used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? " " : "",
			                         model.layers[i].name);
	return names;
}

static const struct tp_layer *layer_called(const char *name)
{
	for (int32_t i = 0; i < model.layer_count; i++)
		if (strcmp(model.layers[i].name, name) == 0)
			return &model.layers[i];
	fail_msg("no layer %s", name);
	return NULL;
}

static void check_blocks_cover_layers(void)
{
	int32_t next = 0;
	for (int32_t b = 0; b < model.block_count; b++) {
		assert_int_equal(model.blocks[b].first_layer, next);
		assert_true(model.blocks[b].layer_count > 0);
		next += model.blocks[b].layer_count;
	}
	assert_int_equal(next, model.layer_count);
}

static void test_vgg16(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("vgg16", &cifar100, &model), TP_OK);
	assert_string_equal(names_of(TP_LAYER_CONV),
	                    "features.0 features.2 features.5 features.7 features.10 features.12 features.14 "
	                    "features.17 features.19 features.21 features.24 features.26 features.28");
	assert_string_equal(names_of(TP_LAYER_MAXPOOL), "features.4 features.9 features.16 features.23 features.30");
	assert_string_equal(names_of(TP_LAYER_LINEAR), "classifier");
	assert_int_equal(model.block_count, 14);
	check_blocks_cover_layers();
	/* torchvision's vgg16().features has 14714688 parameters */
	assert_int_equal(tp_model_parameter_count(&model), 14714688 + 512 * 100 + 100);
	assert_true(layer_called("features.0")->relu);
	assert_false(layer_called("classifier")->relu);
	assert_int_equal(layer_called("features.28")->in_shape.h, 2);
	assert_int_equal(layer_called("avgpool")->in_shape.h, 1);
}

static void test_vgg16_bn(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("vgg16-bn", &cifar100, &model), TP_OK);
	assert_string_equal(names_of(TP_LAYER_CONV),
	                    "features.0 features.3 features.7 features.10 features.14 features.17 features.20 "
	                    "features.24 features.27 features.30 features.34 features.37 features.40");
	assert_string_equal(names_of(TP_LAYER_BATCHNORM),
	                    "features.1 features.4 features.8 features.11 features.15 features.18 features.21 "
	                    "features.25 features.28 features.31 features.35 features.38 features.41");
	assert_string_equal(names_of(TP_LAYER_MAXPOOL), "features.6 features.13 features.23 features.33 features.43");
	assert_int_equal(model.block_count, 14);
	check_blocks_cover_layers();
	/* torchvision's vgg16_bn().features has 14723136: two more per channel */
	assert_int_equal(tp_model_parameter_count(&model), 14723136 + 512 * 100 + 100);
	assert_false(layer_called("features.0")->relu);
	assert_true(layer_called("features.1")->relu);
}

static void test_vgg11(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("vgg11", &cifar100, &model), TP_OK);
	assert_string_equal(names_of(TP_LAYER_CONV), "features.0 features.3 features.6 features.8 features.11 "
	                                             "features.13 features.16 features.18");
	assert_int_equal(model.block_count, 9);
	check_blocks_cover_layers();
	assert_int_equal(tp_model_parameter_count(&model), 9220480 + 512 * 100 + 100);
	assert_int_equal(tp_model_build("vgg11-bn", &cifar100, &model), TP_OK);
	assert_string_equal(names_of(TP_LAYER_CONV), "features.0 features.4 features.8 features.11 features.15 "
	                                             "features.18 features.22 features.25");
	assert_int_equal(model.block_count, 9);
	assert_int_equal(tp_model_parameter_count(&model), 9225984 + 512 * 100 + 100);
}

static void test_mlp(void **state)
{
	(void)state;
	struct tp_model_options mnist = {{1, 28, 28}, 10, 64};
	assert_int_equal(tp_model_build("mlp", &mnist, &model), TP_OK);
	assert_string_equal(names_of(TP_LAYER_LINEAR), "fc1 fc2 fc3 fc4");
	assert_int_equal(model.block_count, 4);
	check_blocks_cover_layers();
	assert_int_equal(model.blocks[0].layer_count, 2);
	assert_int_equal(tp_model_parameter_count(&model), 784 * 64 + 64 + 2 * (64 * 64 + 64) + 64 * 10 + 10);
	assert_true(layer_called("fc3")->relu);
	assert_false(layer_called("fc4")->relu);
}

static void test_tensor_names_and_shapes(void **state)
{
	(void)state;
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	assert_int_equal(tp_model_build("vgg11-bn", &cifar100, &model), TP_OK);
	assert_int_equal(tp_layer_params(layer_called("features.4"), params), 2);
	assert_string_equal(params[0].name, "features.4.weight");
	assert_int_equal(params[0].rank, 4);
	const int64_t oihw[] = {128, 64, 3, 3};
	assert_memory_equal(params[0].dims, oihw, sizeof oihw);
	assert_string_equal(params[1].name, "features.4.bias");
	assert_int_equal(params[1].elements, 128);

	assert_int_equal(tp_layer_params(layer_called("features.5"), params), 4);
	assert_string_equal(params[2].name, "features.5.running_mean");
	assert_string_equal(params[3].name, "features.5.running_var");
	assert_true(params[1].trainable);
	assert_false(params[2].trainable);
	assert_false(params[3].trainable);

	assert_int_equal(tp_layer_params(layer_called("classifier"), params), 2);
	assert_int_equal(params[0].dims[0], 100);
	assert_int_equal(params[0].dims[1], 512);
	assert_int_equal(tp_layer_params(layer_called("avgpool"), params), 0);
}

struct spread {
	double mean, std, largest;
};

static struct spread spread_of(const char *layer_name, int32_t index, uint64_t seed)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const struct tp_layer *layer = layer_called(layer_name);
	tp_layer_params(layer, params);
	size_t count = (size_t)params[index].elements;
	float *values = tp_alloc_array(count, sizeof *values);
	assert_non_null(values);
	tp_param_initial(layer, &params[index], seed, values);
	struct spread spread = {0};
	for (size_t i = 0; i < count; i++) {
		spread.mean += (double)values[i] / (double)count;
		spread.std += (double)values[i] * (double)values[i] / (double)count;
		spread.largest = fmax(spread.largest, fabs((double)values[i]));
	}
	spread.std = sqrt(spread.std - spread.mean * spread.mean);
	tp_free(values);
	return spread;
}

static void assert_near(double value, double expected, double tolerance)
{
	if (!(fabs(value - expected) <= tolerance))
		fail_msg("expected %g within %g, found %g", expected, tolerance, value);
}

static void test_initial_values_of_vgg(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("vgg16-bn", &cifar100, &model), TP_OK);
	/* Kaiming-normal over the fan-out; 2.4 million values */
	struct spread conv = spread_of("features.40", 0, 1);
	double expected = sqrt(2.0 / (512 * 9));
	assert_near(conv.std, expected, expected * 0.005);
	assert_near(conv.mean, 0, expected * 0.005);
	assert_true(conv.largest > 3 * expected);
	assert_true(spread_of("features.40", 1, 1).largest == 0);
	struct spread first = spread_of("features.0", 0, 1); /* 1728 values */
	assert_near(first.std, sqrt(2.0 / (64 * 9)), sqrt(2.0 / (64 * 9)) * 0.1);

	struct spread classifier = spread_of("classifier", 0, 1);
	assert_near(classifier.std, 0.01, 0.0002);
	assert_true(spread_of("classifier", 1, 1).largest == 0);

	const double norm[4] = {1, 0, 0, 1};
	for (int32_t i = 0; i < 4; i++) {
		struct spread spread = spread_of("features.41", i, 1);
		assert_true(spread.mean == norm[i] && spread.largest == norm[i]);
	}
}

static void test_initial_values_of_mlp(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("mlp", &cifar100, &model), TP_OK);
	double bound = 1 / sqrt(3072);
	struct spread weight = spread_of("fc1", 0, 7), bias = spread_of("fc1", 1, 7);
	assert_near(weight.std, bound / sqrt(3), bound * 0.01);
	assert_true(weight.largest <= bound && weight.largest > bound * 0.999);
	assert_true(bias.largest <= bound && bias.largest > bound * 0.9);
}

/* Nothing but the seed and the name counts. */
static void test_initial_values_depend_on_seed_and_name(void **state)
{
	(void)state;
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	float first[512], second[512];
	assert_int_equal(tp_model_build("mlp", &cifar100, &model), TP_OK);
	const struct tp_layer *layer = layer_called("fc2");
	tp_layer_params(layer, params);
	tp_param_initial(layer, &params[1], 5, first);
	tp_param_initial(layer, &params[1], 5, second);
	assert_memory_equal(first, second, 256 * sizeof(float));
	tp_param_initial(layer, &params[1], 6, second);
	assert_memory_not_equal(first, second, 256 * sizeof(float));
	layer = layer_called("fc3");
	tp_layer_params(layer, params);
	tp_param_initial(layer, &params[1], 5, second);
	assert_memory_not_equal(first, second, 256 * sizeof(float));
}

static void test_flops(void **state)
{
	(void)state;
	assert_int_equal(tp_model_build("vgg16", &cifar100, &model), TP_OK);
	/* 313.2 million multiply-adds in the convolutions */
	int64_t convolutions = 0, blocks = 0;
	for (int32_t i = 0; i < model.layer_count; i++)
		if (model.layers[i].kind == TP_LAYER_CONV)
			convolutions +=
			        tp_layer_forward_flops(&model.layers[i]) - tp_shape_elements(model.layers[i].out_shape);
	assert_int_equal(convolutions, 2 * INT64_C(313196544));
	for (int32_t b = 0; b < model.block_count; b++)
		blocks += tp_block_forward_flops(&model, b);
	assert_true(blocks > convolutions && blocks < convolutions + convolutions / 100);
}

static void assert_refused(const char *name, struct tp_model_options options, const char *message)
{
	assert_int_equal(tp_model_build(name, &options, &model), TP_ERR_INPUT);
	if (!strstr(tp_detail(), message))
		fail_msg("expected a message with '%s', found '%s'", message, tp_detail());
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("vgg-16", cifar100, "unknown model 'vgg-16': did you mean 'vgg16'?");
	assert_refused("transformer", cifar100, "expected one of mlp, vgg11");
	assert_refused("vgg11", (struct tp_model_options){{1, 28, 28}, 10, 0}, "at least 32x32 pixels");
	assert_refused("vgg16-bn", (struct tp_model_options){{3, 64, 31}, 10, 0}, "found 64x31");
	assert_refused("mlp", (struct tp_model_options){{1, 28, 28}, 10, 0}, "hidden width of at least 1, found 0");
	assert_refused("mlp", (struct tp_model_options){{1, 28, 28}, 0, 8}, "at least one class");
	assert_refused("mlp", (struct tp_model_options){{0, 28, 28}, 10, 8}, "at least one element");
	assert_refused("mlp", (struct tp_model_options){{3, 60000, 60000}, 10, 8}, "layer flatten");
}

/* A residual unit, as later models will have, through the builder. */
static void test_builder_makes_graphs(void **state)
{
	(void)state;
	struct tp_builder builder;
	tp_builder_init(&builder, "toy", &cifar100, &model);
	tp_build_block(&builder);
	tp_build_conv(&builder, "stem", 0, 8, 3, 2, 1);
	tp_build_block(&builder);
	int32_t value = tp_build_relu(&builder, tp_build_conv(&builder, "a", 0, 8, 3, 1, 1));
	value = tp_build_conv(&builder, "b", value, 8, 3, 1, 1);
	value = tp_build_relu(&builder, tp_build_add(&builder, "sum", value, 0));
	assert_int_equal(tp_builder_finish(&builder), TP_OK);
	assert_int_equal(value, 3);
	const struct tp_layer *sum = layer_called("sum");
	assert_int_equal(sum->in[0], 2);
	assert_int_equal(sum->in[1], 0);
	assert_true(tp_shape_equal(sum->out_shape, (struct tp_shape){8, 16, 16}));

	tp_builder_init(&builder, "toy", &cifar100, &model);
	tp_build_block(&builder);
	value = tp_build_maxpool(&builder, "pool", 0, 33, 1);
	tp_build_relu(&builder, tp_build_conv(&builder, "after", value, 8, 3, 1, 1));
	assert_int_equal(tp_builder_finish(&builder), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "layer pool"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vgg16),
	        cmocka_unit_test(test_vgg16_bn),
	        cmocka_unit_test(test_vgg11),
	        cmocka_unit_test(test_mlp),
	        cmocka_unit_test(test_tensor_names_and_shapes),
	        cmocka_unit_test(test_initial_values_of_vgg),
	        cmocka_unit_test(test_initial_values_of_mlp),
	        cmocka_unit_test(test_initial_values_depend_on_seed_and_name),
	        cmocka_unit_test(test_flops),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_builder_makes_graphs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
