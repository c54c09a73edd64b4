/* Intervals against cases worked out by hand, and against every order that two samples can have. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "reports/interval.h"

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

/* Fails unless `value` is `wanted` but for rounding, or as far off as `within` allows. */
static void expect_near(double value, double wanted, double within)
{
	if (!(fabs(value - wanted) <= within))
		fail_msg("expected %.17g, found %.17g", wanted, value);
}

static void expect(const struct tp_interval *interval, double low, double mid, double high, double confidence)
{
	expect_near(interval->low, low, 1e-12);
	expect_near(interval->mid, mid, 1e-12);
	expect_near(interval->high, high, 1e-12);
	expect_near(interval->confidence, confidence, 1e-12);
}

/* Two and two: all four pairs, of which the ends are missed by 2 of the 6 orders. */
static void test_small_samples_by_hand(void **state)
{
	(void)state;
	static const double a[] = {2, 1}, b[] = {8, 3};
	struct tp_interval interval;
	assert_int_equal(tp_ratio_interval(a, 2, b, 2, &interval), TP_OK); /* 1.5, 3, 4, 8 */
	expect(&interval, 1.5, 3.5, 8, 1 - 2.0 / 6);
	assert_int_equal(interval.n_a, 2);
	assert_int_equal(interval.n_b, 2);
	assert_int_equal(tp_difference_interval(a, 2, b, 2, &interval), TP_OK); /* 1, 2, 6, 7 */
	expect(&interval, 1, 4, 7, 1 - 2.0 / 6);
	expect_near(a[0], 2, 0); /* the caller's order is left alone */
}

/* Five and five: U is at most 2 in 1 + 1 + 2 of 252 orders, at most 3 in 7, which would be more than 2.5 %. */
static void test_the_rank_by_hand(void **state)
{
	(void)state;
	static const double a[] = {0, 0, 0, 0, 0}, b[] = {1, 2, 3, 4, 5};
	struct tp_interval interval;
	assert_int_equal(tp_difference_interval(a, 5, b, 5, &interval), TP_OK);
	expect(&interval, 1, 3, 5, 1 - 8.0 / 252); /* the third of five ones, and of five fives */
	static const double apart[] = {10, 20, 30, 40, 50}, steps[] = {1, 2, 3, 4, 5};
	assert_int_equal(tp_difference_interval(steps, 5, apart, 5, &interval), TP_OK);
	expect(&interval, 7, 27, 47, 1 - 8.0 / 252); /* 5, 6, 7 from below, 49, 48, 47 from above */
}

static void test_what_has_none(void **state)
{
	(void)state;
	static const double one[] = {4}, some[] = {1, 2, 8}, zero[] = {0, 1, 2};
	struct tp_interval interval;
	assert_int_equal(tp_ratio_interval(one, 1, some, 3, &interval), TP_OK);
	expect_near(interval.mid, 0.5, 0);
	assert_true(isnan(interval.low) && isnan(interval.high));
	expect_near(interval.confidence, 0, 0);
	assert_int_equal(tp_ratio_interval(some, 3, NULL, 0, &interval), TP_OK);
	assert_true(isnan(interval.mid));
	assert_int_equal(interval.n_a, 3);
	assert_int_equal(tp_ratio_interval(zero, 3, some, 3, &interval), TP_OK);
	assert_true(isnan(interval.mid) && interval.confidence == 0);
	assert_int_equal(tp_difference_interval(zero, 3, some, 3, &interval), TP_OK);
	assert_false(isnan(interval.low));
}

static void test_equal_values(void **state)
{
	(void)state;
	double a[100], b[100];
	struct tp_interval interval;
	for (int64_t n = 2; n <= 100; n++) {
		for (int64_t i = 0; i < n; i++)
			a[i] = b[i] = 7;
		assert_int_equal(tp_ratio_interval(a, n, b, n, &interval), TP_OK);
		assert_true(interval.low == 1 && interval.mid == 1 && interval.high == 1);
	}
}

/* Over every order of both samples, all as likely when nothing differs, the interval holds 0 as often as it says. */
static void check_orders(int n_a, int n_b)
{
	int orders = 0, held = 0, n = n_a + n_b;
	double confidence = 0;
	for (unsigned chosen = 0; chosen < 1U << n; chosen++) {
		double a[16], b[16];
		int in_a = 0, in_b = 0;
		for (int i = 0; i < n; i++) {
			if (chosen >> i & 1U)
				a[in_a++] = i;
			else
				b[in_b++] = i;
		}
		if (in_a != n_a)
			continue;
		struct tp_interval interval;
		assert_int_equal(tp_difference_interval(a, n_a, b, n_b, &interval), TP_OK);
		orders++;
		held += interval.low <= 0 && interval.high >= 0;
		confidence = interval.confidence;
	}
	expect_near((double)held / orders, confidence, 1e-12);
	if (n_a >= 4 && n_b >= 4)
		assert_true(confidence >= TP_INTERVAL_CONFIDENCE);
}

static void test_every_order(void **state)
{
	(void)state;
	for (int n_a = 2; n_a <= 6; n_a++) {
		for (int n_b = 2; n_b <= 6; n_b++)
			check_orders(n_a, n_b);
	}
}

/* Where counting ends and the normal distribution goes on, the interval does not jump. */
static void test_many_values(void **state)
{
	(void)state;
	double a[26], b[26];
	struct tp_interval counted, normal;
	for (int i = 0; i < 26; i++) {
		a[i] = 100 + i;
		b[i] = 110 + i;
	}
	assert_int_equal(tp_difference_interval(a, 25, b, 25, &counted), TP_OK);
	assert_int_equal(tp_difference_interval(a, 26, b, 26, &normal), TP_OK);
	assert_true(counted.confidence >= 0.95 && counted.confidence < 0.953);
	assert_true(normal.confidence == TP_INTERVAL_CONFIDENCE);
	expect_near(counted.mid, 10, 1e-12);
	expect_near(normal.mid, 10, 1e-12);
	expect_near(counted.low, normal.low, 1);
	expect_near(counted.high, normal.high, 1);
}

static void test_no_memory(void **state)
{
	(void)state;
	static const double a[] = {1, 2}, b[] = {3, 4};
	struct tp_interval interval;
	for (int successes = 0; successes < 2; successes++) {
		uint64_t held = tp_alloc_bytes();
		tp_alloc_fail_after(successes);
		assert_int_equal(tp_ratio_interval(a, COUNT(a), b, COUNT(b), &interval), TP_ERR_NOMEM);
		tp_alloc_fail_after(-1);
		assert_int_equal(tp_alloc_bytes(), held);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_small_samples_by_hand),
	        cmocka_unit_test(test_the_rank_by_hand),
	        cmocka_unit_test(test_what_has_none),
	        cmocka_unit_test(test_equal_values),
	        cmocka_unit_test(test_every_order),
	        cmocka_unit_test(test_many_values),
	        cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
