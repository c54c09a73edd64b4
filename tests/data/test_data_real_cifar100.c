/* The real CIFAR-100 subset: counts, balance, and the published mean and standard deviation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/data/data_files.h"

static void it_is_whole_and_balanced(void **state)
{
	struct tp_dataset *dataset = *state;
	assert_int_equal(dataset->count[TP_TRAIN], 18000);
	assert_int_equal(dataset->count[TP_TEST], 3000);
	int seen[2][100] = {{0}};
	for (int i = 0; i < 21000; i++)
		seen[i >= 18000][dataset->labels[i]]++;
	for (int k = 0; k < 100; k++) {
		assert_int_equal(seen[TP_TRAIN][k], 180);
		assert_int_equal(seen[TP_TEST][k], 30);
	}
}

/* Read as batches, so that channels that were mixed up or a wrong offset would show. */
static void its_mean_and_deviation_are_the_published(void **state)
{
	struct tp_dataset *dataset = *state;
	static float x[100 * 3072];
	struct tp_sample_order order;
	assert_int_equal(tp_sample_order_init(&order, dataset, 1, true, false), TP_OK);
	double sum[3] = {0}, squares[3] = {0};
	for (int64_t first = 0; first < 18000; first += 100) {
		tp_batch_train(dataset, &order, first, 100, x, NULL);
		for (int i = 0; i < 100 * 3072; i++) {
			int c = i / 1024 % 3;
			sum[c] += (double)x[i];
			squares[c] += (double)x[i] * (double)x[i];
		}
	}
	for (int c = 0; c < 3; c++) {
		double mean = sum[c] / (18000 * 1024.0), deviation = sqrt(squares[c] / (18000 * 1024.0) - mean * mean);
		print_message("channel %d: mean %.4f, standard deviation %.4f after normalisation\n", c, mean,
		              deviation);
		assert_true(fabs(mean) < 0.01);
		assert_true(fabs(deviation - 1) < 0.01);
	}
	tp_sample_order_release(&order);
}

int main(void)
{
	struct tp_dataset *dataset = test_open("cifar100", test_real_data("cifar-100-binary", "train.bin"));
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_prestate(it_is_whole_and_balanced, dataset),
	        cmocka_unit_test_prestate(its_mean_and_deviation_are_the_published, dataset),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	tp_dataset_free(dataset);
	return failed;
}
