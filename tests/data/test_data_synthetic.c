/* The made-up data set: the same for the same seed, balanced, scaled as it says, and learnable. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/data/dataset.h"

#define IMAGE_BYTES 3072

static struct tp_dataset *make(uint64_t seed, int64_t train, int64_t test)
{
	const struct tp_dataset_options options = {.seed = seed, .synthetic_train = train, .synthetic_test = test};
	struct tp_dataset *dataset;
	assert_int_equal(tp_dataset_open("synthetic", &options, &dataset), TP_OK);
	return dataset;
}

static void it_has_the_shape_of_cifar100(void **state)
{
	(void)state;
	struct tp_dataset *dataset = make(1, 0, 0);
	assert_true(tp_shape_equal(dataset->shape, (struct tp_shape){3, 32, 32}));
	assert_int_equal(dataset->classes, 100);
	assert_int_equal(dataset->count[TP_TRAIN], 480);
	assert_int_equal(dataset->count[TP_TEST], 240);
	tp_dataset_free(dataset);
}

static void classes_are_balanced(void **state)
{
	(void)state;
	struct tp_dataset *dataset = make(1, 500, 300);
	int seen[2][100] = {{0}};
	for (int i = 0; i < 800; i++) {
		assert_in_range(dataset->labels[i], 0, 99);
		seen[i >= 500][dataset->labels[i]]++;
	}
	for (int k = 0; k < 100; k++) {
		assert_int_equal(seen[TP_TRAIN][k], 5);
		assert_int_equal(seen[TP_TEST][k], 3);
	}
	tp_dataset_free(dataset);
}

static void the_seed_decides_the_samples_and_their_number_does_not(void **state)
{
	(void)state;
	struct tp_dataset *few = make(7, 150, 20), *many = make(7, 300, 40), *other = make(8, 150, 20);
	assert_memory_equal(few->pixels, many->pixels, 150 * IMAGE_BYTES);
	assert_memory_equal(few->labels, many->labels, 150 * sizeof(int32_t));
	assert_memory_equal(few->pixels + 150 * IMAGE_BYTES, many->pixels + 300 * IMAGE_BYTES, 20 * IMAGE_BYTES);
	for (int i = 0; i < 150; i++)
		assert_memory_not_equal(few->pixels + i * IMAGE_BYTES, other->pixels + i * IMAGE_BYTES, IMAGE_BYTES);
	tp_dataset_free(few);
	tp_dataset_free(many);
	tp_dataset_free(other);
}

static void no_sample_is_in_there_twice(void **state)
{
	(void)state;
	struct tp_dataset *dataset = make(1, 300, 200);
	for (int i = 0; i < 500; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(dataset->pixels + i * IMAGE_BYTES, dataset->pixels + j * IMAGE_BYTES,
			                        IMAGE_BYTES);
	tp_dataset_free(dataset);
}

static void the_normalisation_fits(void **state)
{
	(void)state;
	struct tp_dataset *dataset = make(3, 1000, 1);
	for (int c = 0; c < 3; c++) {
		double sum = 0, squares = 0;
		for (int i = 0; i < 1000; i++) {
			for (int p = 0; p < 1024; p++) {
				double x = (double)dataset->value[c][dataset->pixels[i * IMAGE_BYTES + c * 1024 + p]];
				sum += x;
				squares += x * x;
			}
		}
		double mean = sum / 1024000, deviation = sqrt(squares / 1024000 - mean * mean);
		assert_true(fabs(mean) < 0.1);
		assert_true(deviation > 0.85 && deviation < 1.15);
	}
	tp_dataset_free(dataset);
}

/* How many test samples are nearest to the mean of the training samples of their own class. */
static int right_by_nearest_mean(const struct tp_dataset *dataset)
{
	static double mean[100][IMAGE_BYTES];
	int members[100] = {0}, right = 0;
	memset(mean, 0, sizeof mean);
	for (int64_t i = 0; i < dataset->count[TP_TRAIN]; i++) {
		members[dataset->labels[i]]++;
		for (int p = 0; p < IMAGE_BYTES; p++)
			mean[dataset->labels[i]][p] += dataset->pixels[i * IMAGE_BYTES + p];
	}
	for (int64_t i = 0; i < dataset->count[TP_TEST]; i++) {
		const uint8_t *pixels = dataset->pixels + (dataset->count[TP_TRAIN] + i) * IMAGE_BYTES;
		int best = 0;
		double least = HUGE_VAL;
		for (int k = 0; k < 100; k++) {
			double distance = 0;
			for (int p = 0; p < IMAGE_BYTES; p++) {
				double difference = pixels[p] - mean[k][p] / members[k];
				distance += difference * difference;
			}
			if (distance < least) {
				least = distance;
				best = k;
			}
		}
		right += best == dataset->labels[dataset->count[TP_TRAIN] + i];
	}
	return right;
}

static void it_can_be_learnt(void **state)
{
	(void)state;
	struct tp_dataset *dataset = make(1, 0, 0);
	int right = right_by_nearest_mean(dataset);
	print_message("nearest mean: %d of 240 right\n", right);
	assert_true(right > 200);
	tp_dataset_free(dataset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(it_has_the_shape_of_cifar100),
	        cmocka_unit_test(classes_are_balanced),
	        cmocka_unit_test(the_seed_decides_the_samples_and_their_number_does_not),
	        cmocka_unit_test(no_sample_is_in_there_twice),
	        cmocka_unit_test(the_normalisation_fits),
	        cmocka_unit_test(it_can_be_learnt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
