/* The order of an epoch, normalisation and augmentation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/data/dataset.h"

#define TRAIN 300
#define TEST 70
#define ELEMENTS 3072
#define SIDE 32

static struct tp_dataset *dataset;
static float x[TRAIN * ELEMENTS], again[TRAIN * ELEMENTS];
static int32_t labels[TRAIN];

static int open_dataset(void **state)
{
	(void)state;
	const struct tp_dataset_options options = {.seed = 5, .synthetic_train = TRAIN, .synthetic_test = TEST};
	return tp_dataset_open("synthetic", &options, &dataset) == TP_OK ? 0 : -1;
}

static int free_dataset(void **state)
{
	(void)state;
	tp_dataset_free(dataset);
	return 0;
}

static struct tp_sample_order make_order(uint64_t seed, bool shuffle, bool augment)
{
	struct tp_sample_order order;
	assert_int_equal(tp_sample_order_init(&order, dataset, seed, shuffle, augment), TP_OK);
	return order;
}

static void a_shuffle_is_a_permutation(void **state)
{
	(void)state;
	struct tp_sample_order order = make_order(1, true, false);
	for (int32_t epoch = 1; epoch <= 5; epoch++) {
		bool seen[TRAIN] = {false};
		tp_sample_order_begin_epoch(&order, epoch);
		for (int i = 0; i < TRAIN; i++) {
			assert_in_range(order.index[i], 0, TRAIN - 1);
			assert_false(seen[order.index[i]]);
			seen[order.index[i]] = true;
		}
	}
	tp_sample_order_release(&order);
	assert_null(order.index);
}

static int places_that_agree(const struct tp_sample_order *a, const struct tp_sample_order *b)
{
	int agree = 0;
	for (int i = 0; i < TRAIN; i++)
		agree += a->index[i] == b->index[i];
	return agree;
}

/* Two random permutations agree in one place on average, in ten hardly ever. */
static void a_shuffle_is_decided_by_seed_and_epoch_alone(void **state)
{
	(void)state;
	struct tp_sample_order a = make_order(1, true, false), b = make_order(1, true, false);
	assert_int_equal(places_that_agree(&a, &b), TRAIN);
	tp_sample_order_begin_epoch(&b, 2);
	assert_in_range(places_that_agree(&a, &b), 0, 9);
	tp_sample_order_begin_epoch(&a, 9);
	tp_sample_order_begin_epoch(&a, 2);
	assert_int_equal(places_that_agree(&a, &b), TRAIN);
	struct tp_sample_order c = make_order(2, true, true);
	tp_sample_order_begin_epoch(&c, 2);
	assert_in_range(places_that_agree(&a, &c), 0, 9);
	tp_sample_order_release(&a);
	tp_sample_order_release(&b);
	tp_sample_order_release(&c);
}

/* Over 4000 epochs sample 0 lands all over the place (10 bins of 400 expected, deviation 19), and on average one sample
 * of an epoch stays where it was (4000 expected, deviation 63). */
static void a_shuffle_is_even(void **state)
{
	(void)state;
	struct tp_sample_order order = make_order(3, true, false);
	int bins[10] = {0}, stayed = 0;
	for (int32_t epoch = 1; epoch <= 4000; epoch++) {
		tp_sample_order_begin_epoch(&order, epoch);
		int at = 0;
		while (order.index[at] != 0)
			at++;
		bins[at * 10 / TRAIN]++;
		for (int i = 0; i < TRAIN; i++)
			stayed += order.index[i] == i;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(bins[i], 300, 500);
	assert_in_range(stayed, 3700, 4300);
	tp_sample_order_release(&order);
}

static void without_shuffle_the_file_decides(void **state)
{
	(void)state;
	struct tp_sample_order order = make_order(1, false, false);
	tp_sample_order_begin_epoch(&order, 3);
	tp_batch_train(dataset, &order, 0, TRAIN, NULL, labels);
	assert_memory_equal(labels, dataset->labels, sizeof labels);
	tp_sample_order_release(&order);
}

static void an_order_without_memory_is_refused(void **state)
{
	(void)state;
	struct tp_sample_order order;
	tp_alloc_fail_after(0);
	enum tp_status status = tp_sample_order_init(&order, dataset, 1, true, false);
	tp_alloc_fail_after(-1);
	assert_int_equal(status, TP_ERR_NOMEM);
	tp_sample_order_release(&order);
}

static void expect_normalised(const float *sample, const uint8_t *pixels)
{
	for (int i = 0; i < ELEMENTS; i++) {
		int c = i / (SIDE * SIDE);
		double expected = (pixels[i] / 255.0 - dataset->mean[c]) / dataset->std[c];
		assert_true(fabs((double)sample[i] - expected) <= 1e-7 * (1 + fabs(expected)));
	}
}

static void training_batches_follow_the_order(void **state)
{
	(void)state;
	struct tp_sample_order order = make_order(1, true, false);
	for (int64_t first = 0; first + 50 <= TRAIN; first += 50) {
		tp_batch_train(dataset, &order, first, 50, x, labels);
		for (int i = 0; i < 50; i++) {
			int64_t sample = order.index[first + i];
			assert_int_equal(labels[i], dataset->labels[sample]);
			expect_normalised(x + i * ELEMENTS, dataset->pixels + sample * ELEMENTS);
		}
	}
	tp_sample_order_release(&order);
}

static void test_batches_follow_the_file(void **state)
{
	(void)state;
	tp_batch_test(dataset, 30, TEST - 30, x, labels);
	for (int i = 0; i < TEST - 30; i++) {
		assert_int_equal(labels[i], dataset->labels[TRAIN + 30 + i]);
		expect_normalised(x + i * ELEMENTS, dataset->pixels + (TRAIN + 30 + i) * ELEMENTS);
	}
	tp_batch_test(dataset, TEST, 0, NULL, NULL);
}

static void batches_allocate_nothing(void **state)
{
	(void)state;
	struct tp_sample_order order = make_order(1, true, true);
	uint64_t before = tp_alloc_count();
	tp_sample_order_begin_epoch(&order, 2);
	tp_batch_train(dataset, &order, 0, TRAIN, x, labels);
	tp_batch_test(dataset, 0, TEST, x, labels);
	assert_int_equal(tp_alloc_count(), before);
	tp_sample_order_release(&order);
}

/* Whether `sample` shows `pixels` moved by (dy, dx), mirrored or not; written from the definition, pixel by pixel. */
static bool shows(const float *sample, const uint8_t *pixels, int dy, int dx, bool flip)
{
	for (int c = 0; c < 3; c++) {
		for (int y = 0; y < SIDE; y++) {
			for (int column = 0; column < SIDE; column++) {
				int from_y = y + dy, from_x = (flip ? SIDE - 1 - column : column) + dx;
				bool inside = from_y >= 0 && from_y < SIDE && from_x >= 0 && from_x < SIDE;
				float expected = 0.0f;
				if (inside)
					expected = dataset->value[c][pixels[(c * SIDE + from_y) * SIDE + from_x]];
				if (sample[(c * SIDE + y) * SIDE + column] != expected)
					return false;
			}
		}
	}
	return true;
}

static void augmentation_shifts_and_mirrors(void **state)
{
	(void)state;
	int shifts[9][9] = {{0}}, mirrored = 0, last_way = -1, repeated = 0;
	dataset->flip_ok = true;
	struct tp_sample_order order = make_order(4, false, true);
	for (int32_t epoch = 1; epoch <= 4; epoch++) {
		tp_sample_order_begin_epoch(&order, epoch);
		tp_batch_train(dataset, &order, 0, TRAIN, x, NULL);
		for (int i = 0; i < TRAIN; i++) {
			int found = 0;
			for (int way = 0; way < 162; way++) {
				int dy = way / 2 / 9 - 4, dx = way / 2 % 9 - 4;
				if (shows(x + i * ELEMENTS, dataset->pixels + i * ELEMENTS, dy, dx, way & 1)) {
					found++;
					shifts[dy + 4][dx + 4]++;
					mirrored += way & 1;
					repeated += way == last_way;
					last_way = way;
				}
			}
			assert_int_equal(found, 1);
		}
	}
	dataset->flip_ok = false;
	for (int i = 0; i < 81; i++)
		assert_in_range(shifts[i / 9][i % 9], 1, 45); /* of 1200: 15 expected, deviation 4 */
	assert_in_range(repeated, 0, 30);                     /* 7 expected */
	assert_in_range(mirrored, 500, 700);                  /* 600 expected, deviation 17 */
	tp_sample_order_release(&order);
}

static void digits_are_never_mirrored(void **state)
{
	(void)state;
	assert_false(dataset->flip_ok);
	struct tp_sample_order order = make_order(4, false, true);
	tp_batch_train(dataset, &order, 0, TRAIN, x, NULL);
	for (int i = 0; i < TRAIN; i++) {
		int found = 0;
		for (int way = 0; way < 81; way++)
			found += shows(x + i * ELEMENTS, dataset->pixels + i * ELEMENTS, way / 9 - 4, way % 9 - 4,
			               false);
		assert_int_equal(found, 1);
	}
	tp_sample_order_release(&order);
}

/* Neither the place in the epoch nor the batch it is drawn with changes a sample; epoch and seed do. */
static void augmentation_is_decided_by_seed_epoch_and_sample_alone(void **state)
{
	(void)state;
	struct tp_sample_order shuffled = make_order(4, true, true), plain = make_order(4, false, true);
	tp_batch_train(dataset, &plain, 0, TRAIN, x, NULL);
	for (int64_t first = 0; first < TRAIN; first += 30)
		tp_batch_train(dataset, &shuffled, first, 30, again + first * ELEMENTS, NULL);
	for (int i = 0; i < TRAIN; i++)
		assert_memory_equal(again + i * ELEMENTS, x + shuffled.index[i] * ELEMENTS, ELEMENTS * sizeof(float));

	tp_sample_order_begin_epoch(&plain, 2);
	tp_batch_train(dataset, &plain, 0, TRAIN, again, NULL);
	int same = 0;
	for (int i = 0; i < TRAIN; i++)
		same += memcmp(again + i * ELEMENTS, x + i * ELEMENTS, ELEMENTS * sizeof(float)) == 0;
	assert_in_range(same, 0, 20); /* one in 81 draws the same shift again */

	struct tp_sample_order other = make_order(5, false, true);
	tp_batch_train(dataset, &other, 0, TRAIN, again, NULL);
	same = 0;
	for (int i = 0; i < TRAIN; i++)
		same += memcmp(again + i * ELEMENTS, x + i * ELEMENTS, ELEMENTS * sizeof(float)) == 0;
	assert_in_range(same, 0, 20);
	tp_sample_order_release(&shuffled);
	tp_sample_order_release(&plain);
	tp_sample_order_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_shuffle_is_a_permutation),
	        cmocka_unit_test(a_shuffle_is_decided_by_seed_and_epoch_alone),
	        cmocka_unit_test(a_shuffle_is_even),
	        cmocka_unit_test(without_shuffle_the_file_decides),
	        cmocka_unit_test(an_order_without_memory_is_refused),
	        cmocka_unit_test(training_batches_follow_the_order),
	        cmocka_unit_test(test_batches_follow_the_file),
	        cmocka_unit_test(batches_allocate_nothing),
	        cmocka_unit_test(augmentation_shifts_and_mirrors),
	        cmocka_unit_test(digits_are_never_mirrored),
	        cmocka_unit_test(augmentation_is_decided_by_seed_epoch_and_sample_alone),
	};
	return cmocka_run_group_tests(tests, open_dataset, free_dataset);
}
