/* The table of devices, and the null device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/backend/device.h"
#include "engine/base/memory.h"
#include "tests/backend/graph.h"

static void test_tables_are_complete(void **state)
{
	(void)state;
	int32_t count = 0;
	for (const struct tp_device_ops *const *device = tp_devices; *device; device++, count++) {
		assert_int_equal(tp_device_check(*device), TP_OK);
		assert_true((*device)->summary[0] != '\0');
	}
	assert_true(count >= 2);
}

static void test_find(void **state)
{
	(void)state;
	const struct tp_device_ops *ops = NULL;
	assert_int_equal(tp_device_find("reference", TP_MATH_FP32, &ops), TP_OK);
	assert_string_equal(ops->name, "reference");
	assert_int_equal(ops->element_bytes, 8);
	assert_int_equal(tp_device_find("null", TP_MATH_FP32, &ops), TP_OK);
	assert_int_equal(ops->element_bytes, 0);
	assert_int_equal(tp_device_find("referense", TP_MATH_FP32, &ops), TP_ERR_INPUT);
	assert_string_equal(tp_detail(), "unknown device 'referense': did you mean 'reference'?");
	assert_int_equal(tp_device_find("abacus", TP_MATH_FP32, &ops), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "reference, null"));
}

static void test_missing_hook_is_named(void **state)
{
	(void)state;
	const struct tp_device_ops *ops = NULL;
	assert_int_equal(tp_device_find("null", TP_MATH_FP32, &ops), TP_OK);
	struct tp_device_ops broken = *ops;
	broken.sgd = NULL;
	assert_int_equal(tp_device_check(&broken), TP_ERR_UNSUPPORTED);
	assert_string_equal(tp_detail(), "device null: the required hook 'sgd' is missing");
	broken = *ops;
	broken.enter_thread = NULL;
	assert_int_equal(tp_device_check(&broken), TP_OK);
}

/* All of a model runs on it, and nothing holds a byte. */
static void test_null_device_holds_nothing(void **state)
{
	(void)state;
	static struct tp_model model;
	static struct graph graph;
	const struct tp_device_ops *ops = NULL;
	const struct tp_model_options model_options = {{3, 32, 32}, 10, 0};
	const struct graph_options options = {.slicing = {4, 2}, .span = TP_SPAN_MINI, .infer_samples = 4};
	assert_int_equal(tp_device_find("null", TP_MATH_FP32, &ops), TP_OK);
	assert_int_equal(tp_model_build("vgg11-bn", &model_options, &model), TP_OK);
	graph_open(&graph, ops, &model, &options, 1);
	for (int32_t layer = 0; layer < model.layer_count; layer++) {
		const struct tp_kernel *kernel = graph.kernels[layer];
		assert_int_equal(kernel->params_bytes + kernel->state_bytes + kernel->saved_bytes, 0);
		assert_int_equal(kernel->scratch_bytes + kernel->out.sample_bytes, 0);
		assert_true(tp_shape_equal(kernel->out.shape, model.layers[layer].out_shape));
	}
	graph_forward(&graph, 0);
	graph_forward(&graph, 1);
	struct tp_loss_result loss = {1, 1, 1};
	const int32_t labels[4] = {0};
	ops->loss_forward(graph.device, 4, 10, graph_output(&graph), labels, NULL, &loss);
	assert_true(loss.loss_sum == 0 && loss.top1 == 0 && loss.top5 == 0);
	graph_backward(&graph, TP_WHOLE, false);
	graph_infer(&graph, 4);
	double bias[64];
	memset(bias, 1, sizeof bias);
	graph.kernels[0]->ops->export_param(graph.kernels[0], 1, graph.params[0], bias);
	for (int i = 0; i < 64; i++)
		assert_true(bias[i] == 0);
	graph_close(&graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_tables_are_complete),
	        cmocka_unit_test(test_find),
	        cmocka_unit_test(test_missing_hook_is_named),
	        cmocka_unit_test(test_null_device_holds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
