/* The drawn slot plans against grids written by hand: those of the papers, and small ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/schedule/grid.h"
#include "tests/schedule/known_grids.h"

static void draw(const struct known_grid *known, struct tp_text *text)
{
	struct tp_pipeline pipeline = {
	        .stages = known->stages,
	        .micro_batches = known->micro_batches,
	        .minis = known->mini_batches,
	        .depth = known->in_flight,
	        .max_staleness = known->max_staleness,
	};
	assert_int_equal(tp_policy_find(known->schedule, &pipeline.policy), TP_OK);
	assert_int_equal(tp_grid_text(&pipeline, text), TP_OK);
}

/* Every line of the drawn grid against the known one, which may be only its beginning. */
static void compare_grids(const struct known_grid *known, const char *drawn)
{
	for (const char *expected = known->grid; *expected;) {
		size_t length = strcspn(expected, "\n"), found = strcspn(drawn, "\n");
		bool same = found >= length && strncmp(expected, drawn, length) == 0 &&
		            (found == length || (known->begins && drawn[length] == ' '));
		if (!same)
			fail_msg("%s W=%d N=%d: expected '%.*s', drew '%.*s'", known->schedule, known->stages,
			         known->micro_batches, (int)length, expected, (int)found, drawn);
		expected += length + 1;
		drawn += found + 1;
	}
	assert_string_equal(drawn, "");
}

static void test_known_grids(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN_GRIDS; i++) {
		struct tp_text text = {0};
		draw(&known_grids[i], &text);
		compare_grids(&known_grids[i], tp_text_get(&text));
		tp_text_release(&text);
	}
}

/* Every schedule has a known grid of two and of four stages, or is one that differs from such a one in versions alone.
 */
static void test_every_schedule_is_known(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		bool known = false;
		for (size_t i = 0; i < KNOWN_GRIDS; i++) {
			const struct tp_policy *policy;
			assert_int_equal(tp_policy_find(known_grids[i].schedule, &policy), TP_OK);
			known |= policy->forward_unit == tp_policies[p]->forward_unit &&
			         policy->backward_unit == tp_policies[p]->backward_unit &&
			         policy->backward_split == tp_policies[p]->backward_split &&
			         policy->mini_limit == tp_policies[p]->mini_limit &&
			         policy->micro_limit == tp_policies[p]->micro_limit;
		}
		if (!known)
			fail_msg("no known grid for %s", tp_policies[p]->name);
	}
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
	        cmocka_unit_test(test_known_grids),
	        cmocka_unit_test(test_every_schedule_is_known),
	        cmocka_unit_test(test_micro_batch_letters),
	        cmocka_unit_test(test_unknown_schedule_offers_the_nearest),
	        cmocka_unit_test(test_standstill_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
