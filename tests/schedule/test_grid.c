/* The drawn slot plans against grids written by hand: the paper's Fig. 2, and small ones of the baselines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/schedule/grid.h"

static void check_grid(const char *schedule, int32_t stages, int32_t micro_batches, int64_t minis, const char *expected)
{
	struct tp_pipeline pipeline = {.stages = stages, .micro_batches = micro_batches, .minis = minis};
	struct tp_text text = {0};
	assert_int_equal(tp_policy_find(schedule, &pipeline.policy), TP_OK);
	assert_int_equal(tp_grid_text(&pipeline, &text), TP_OK);
	assert_string_equal(tp_text_get(&text), expected);
	tp_text_release(&text);
}

/* Fig. 2c of arXiv 2410.14312 (W = 3, N = 2), then the drain. */
static void test_timeprest_three_stages(void **state)
{
	(void)state;
	check_grid("timeprest", 3, 2, 7,
	           "1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A 7B 5 . . 6 . . 7\n"
	           ". 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B 5 7A 7B 6 . . 7 .\n"
	           ". . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 6A 6B 6 7A 7B 7 . .\n");
}

/* Fig. 2a (W = 4, N = 2). */
static void test_timeprest_four_stages(void **state)
{
	(void)state;
	check_grid("timeprest", 4, 2, 7,
	           "1A 1B 2A 2B 3A 3B 4A 4B 1 5A 5B 2 6A 6B 3 7A 7B 4 . . 5 . . 6 . . 7\n"
	           ". 1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A 7B 5 . . 6 . . 7 .\n"
	           ". . 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B 5 7A 7B 6 . . 7 . .\n"
	           ". . . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 6A 6B 6 7A 7B 7 . . .\n");
}

static void test_gpipe(void **state)
{
	(void)state;
	check_grid("gpipe", 3, 3, 2,
	           "1A 1B 1C . . . . 1c 1b 1a 2A 2B 2C . . . . 2c 2b 2a\n"
	           ". 1A 1B 1C . . 1c 1b 1a . . 2A 2B 2C . . 2c 2b 2a .\n"
	           ". . 1A 1B 1C 1c 1b 1a . . . . 2A 2B 2C 2c 2b 2a . .\n");
}

static void test_pipedream_ignores_micro_batches(void **state)
{
	(void)state;
	check_grid("pipedream", 2, 5, 4,
	           "1A 2A . 1 3A 2 4A 3 . 4\n"
	           ". 1A 1 2A 2 3A 3 4A 4 .\n");
}

static void test_sequential_ignores_stages(void **state)
{
	(void)state;
	check_grid("sequential", 4, 3, 3, "1A 1 2A 2 3A 3\n");
}

static void test_one_stage(void **state)
{
	(void)state;
	check_grid("timeprest", 1, 2, 2, "1A 1B 1 2A 2B 2\n");
	check_grid("gpipe", 1, 2, 1, "1A 1B 1b 1a\n");
}

static void test_one_micro_batch(void **state)
{
	(void)state;
	check_grid("timeprest", 2, 1, 3,
	           "1A 2A . 1 3A 2 . 3\n"
	           ". 1A 1 2A 2 3A 3 .\n");
}

static void test_micro_batch_letters(void **state)
{
	(void)state;
	char out[8];
	assert_string_equal(tp_micro_letters(0, true, out), "A");
	assert_string_equal(tp_micro_letters(25, false, out), "z");
	assert_string_equal(tp_micro_letters(26, true, out), "AA");
	assert_string_equal(tp_micro_letters(27, true, out), "AB");
	assert_string_equal(tp_micro_letters(701, true, out), "ZZ");
	assert_string_equal(tp_micro_letters(702, false, out), "aaa");
}

static void test_unknown_schedule_offers_the_nearest(void **state)
{
	(void)state;
	const struct tp_policy *policy;
	assert_int_equal(tp_policy_find("timeprst", &policy), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "timeprest"));
}

/* A policy under which nothing gets ready must end with a reason, not hang: no stage may ever start. */
static void test_standstill_is_reported(void **state)
{
	(void)state;
	struct tp_policy stuck = tp_policy_gpipe;
	stuck.micro_limit = TP_LIMIT_ONE; /* the last backward comes first, but only one forward may be in flight */
	struct tp_pipeline pipeline = {.policy = &stuck, .stages = 2, .micro_batches = 2, .minis = 1};
	struct tp_text text = {0};
	assert_int_equal(tp_grid_text(&pipeline, &text), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "stands still"));
	tp_text_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_timeprest_three_stages),
	        cmocka_unit_test(test_timeprest_four_stages),
	        cmocka_unit_test(test_gpipe),
	        cmocka_unit_test(test_pipedream_ignores_micro_batches),
	        cmocka_unit_test(test_sequential_ignores_stages),
	        cmocka_unit_test(test_one_stage),
	        cmocka_unit_test(test_one_micro_batch),
	        cmocka_unit_test(test_micro_batch_letters),
	        cmocka_unit_test(test_unknown_schedule_offers_the_nearest),
	        cmocka_unit_test(test_standstill_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
