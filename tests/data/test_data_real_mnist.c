/* The real MNIST from its official gzip files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/data/data_files.h"

static void it_is_whole(void **state)
{
	struct tp_dataset *dataset = *state;
	assert_int_equal(dataset->count[TP_TRAIN], 60000);
	assert_int_equal(dataset->count[TP_TEST], 10000);
	/* Published digits per class. */
	static const int train[10] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
	static const int test[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
	int seen[2][10] = {{0}};
	for (int i = 0; i < 70000; i++)
		seen[i >= 60000][dataset->labels[i]]++;
	for (int k = 0; k < 10; k++) {
		assert_int_equal(seen[TP_TRAIN][k], train[k]);
		assert_int_equal(seen[TP_TEST][k], test[k]);
	}
}

static void its_mean_and_deviation_are_the_published(void **state)
{
	struct tp_dataset *dataset = *state;
	double sum = 0, squares = 0, count = 60000.0 * 784;
	for (int64_t i = 0; i < INT64_C(60000) * 784; i++) {
		double x = (double)dataset->value[0][dataset->pixels[i]];
		sum += x;
		squares += x * x;
	}
	double mean = sum / count, deviation = sqrt(squares / count - mean * mean);
	assert_true(fabs(mean) < 0.001);
	assert_true(fabs(deviation - 1) < 0.001);
}

int main(void)
{
	struct tp_dataset *dataset = test_open("mnist", test_real_data("mnist", "train-images-idx3-ubyte.gz"));
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_prestate(it_is_whole, dataset),
	        cmocka_unit_test_prestate(its_mean_and_deviation_are_the_published, dataset),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	tp_dataset_free(dataset);
	return failed;
}
