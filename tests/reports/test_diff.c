/* What a change of a figure is called. How it is read and printed is tested with the program, in tests/cli. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "reports/diff.h"

static const struct tp_diff_metric time_metric = {.name = "time"},
                                   rate_metric = {.name = "rate", .higher_better = true};

static void expect(double low, double high, double threshold, enum tp_diff_verdict of_time,
                   enum tp_diff_verdict of_rate)
{
	const struct tp_interval change = {.low = low, .mid = (low + high) / 2, .high = high, .confidence = 0.95};
	assert_int_equal(tp_diff_judge(&time_metric, &change, false, threshold), of_time);
	assert_int_equal(tp_diff_judge(&rate_metric, &change, false, threshold), of_rate);
}

static void the_whole_interval_decides(void **state)
{
	(void)state;
	expect(0.06, 0.2, 0.05, TP_DIFF_WORSE, TP_DIFF_BETTER);
	expect(-0.2, -0.06, 0.05, TP_DIFF_BETTER, TP_DIFF_WORSE);
	expect(-0.05, 0.05, 0.05, TP_DIFF_SAME, TP_DIFF_SAME);
	expect(0.04, 0.06, 0.05, TP_DIFF_UNCLEAR, TP_DIFF_UNCLEAR);
	expect(-0.06, 0.06, 0.05, TP_DIFF_UNCLEAR, TP_DIFF_UNCLEAR);
	expect(0.06, 0.2, 0.2, TP_DIFF_SAME, TP_DIFF_SAME);
	expect(0.001, 0.002, 0, TP_DIFF_WORSE, TP_DIFF_BETTER);
}

/* 1.1 - 1 is more than 0.1 in a double. */
static void exactly_the_threshold_is_not_beyond_it(void **state)
{
	(void)state;
	expect(1.1 - 1, 1.1 - 1, 0.1, TP_DIFF_SAME, TP_DIFF_SAME);
}

static void too_few_values_are_unclear(void **state)
{
	(void)state;
	const struct tp_interval none = {.low = (double)NAN, .mid = 0.5, .high = (double)NAN},
	                         few = {0.4, 0.5, 0.6, 0.9, 3, 3};
	assert_int_equal(tp_diff_judge(&time_metric, &none, false, 0.05), TP_DIFF_UNCLEAR);
	assert_int_equal(tp_diff_judge(&time_metric, &few, false, 0.05), TP_DIFF_UNCLEAR);
	assert_int_equal(tp_diff_judge(&time_metric, &none, true, 0.05), TP_DIFF_SAME);
}

static void every_verdict_has_a_word(void **state)
{
	(void)state;
	assert_string_equal(tp_diff_verdict_text(TP_DIFF_SAME), "same");
	assert_string_equal(tp_diff_verdict_text(TP_DIFF_BETTER), "better");
	assert_string_equal(tp_diff_verdict_text(TP_DIFF_WORSE), "worse");
	assert_string_equal(tp_diff_verdict_text(TP_DIFF_UNCLEAR), "unclear");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_whole_interval_decides),
	        cmocka_unit_test(exactly_the_threshold_is_not_beyond_it),
	        cmocka_unit_test(too_few_values_are_unclear),
	        cmocka_unit_test(every_verdict_has_a_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
