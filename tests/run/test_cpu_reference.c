/* The CPU device against the reference device through whole models: every gradient of the first mini-batch, and where
 * twenty mini-batches lead. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/run/training.h"

static struct tp_run_config config_for(const char *model, const char *device)
{
	struct tp_run_config config = training_config("timeprest", 2, 2);
	(void)snprintf(config.model, sizeof config.model, "%s", model);
	(void)snprintf(config.device, sizeof config.device, "%s", device);
	config.hidden = 64;
	config.batch = 8;
	config.lr = 0.01;
	return config;
}

/* One step of plain SGD so large that the new weights are the gradient but for rounding: g = (w0 - w1) / lr. */
static double *first_gradient(struct tp_run_config config, const struct tp_dataset *dataset, size_t *count)
{
	config.mini_batches = 1;
	config.momentum = 0;
	config.weight_decay = 0;
	config.lr = 4096;
	double *after = training_run(&config, dataset, count);
	config.epochs = 0;
	double *before = training_run(&config, dataset, count);
	for (size_t i = 0; i < *count; i++)
		after[i] = (before[i] - after[i]) / config.lr;
	free(before);
	return after;
}

/* Largest difference within each tensor, relative to the tensor's largest gradient: the worst tensor's. */
static void check_first_gradient(const char *model)
{
	struct tp_dataset *dataset = training_dataset(160, 10);
	struct tp_run_config on_cpu = config_for(model, "cpu"), on_reference = config_for(model, "reference");
	size_t count;
	double *found = first_gradient(on_cpu, dataset, &count);
	double *expected = first_gradient(on_reference, dataset, &count);
	double *zero = calloc(count, sizeof *zero);
	on_cpu.epochs = 0;
	struct training shape;
	training_begin(&shape, &on_cpu, dataset);
	double distance = training_distance(&shape, expected, found, zero);
	training_end(&shape);
	print_message("%s: gradients within %.1e of the reference\n", model, distance);
	assert_true(distance < 1e-5);
	free(found);
	free(expected);
	free(zero);
	tp_dataset_free(dataset);
}

static void test_first_gradient(void **state)
{
	(void)state;
	check_first_gradient("mlp");
	check_first_gradient("vgg11");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* After 20 mini-batches: how far each element is from the reference's, relative to how far the largest element of all
 * went. A single ReLU that falls on the other side moves some further; the median must not notice. */
static void check_twenty(const char *model)
{
	struct tp_dataset *dataset = training_dataset(160, 10);
	struct tp_run_config on_cpu = config_for(model, "cpu"), on_reference = config_for(model, "reference");
	size_t count, far = 0;
	double *found = training_run(&on_cpu, dataset, &count);
	double *expected = training_run(&on_reference, dataset, &count);
	on_reference.epochs = 0;
	double *start = training_run(&on_reference, dataset, &count);
	double change = 0;
	for (size_t i = 0; i < count; i++)
		change = fmax(change, fabs(expected[i] - start[i]));
	assert_true(change > 0);
	for (size_t i = 0; i < count; i++) {
		found[i] = fabs(found[i] - expected[i]) / change;
		far += found[i] > 1e-4;
	}
	qsort(found, count, sizeof *found, by_value);
	print_message("%s: median element within %.1e, %.3f %% of the elements beyond 1e-4\n", model, found[count / 2],
	              100.0 * (double)far / (double)count);
	assert_true(found[count / 2] < 1e-4);
	free(found);
	free(expected);
	free(start);
	tp_dataset_free(dataset);
}

static void test_twenty_mini_batches(void **state)
{
	(void)state;
	check_twenty("mlp");
	check_twenty("vgg11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_first_gradient),
	        cmocka_unit_test(test_twenty_mini_batches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
