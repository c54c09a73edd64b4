/* Splitting blocks over stages, against an exhaustive search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/model/builder.h"
#include "engine/model/model.h"

#define MAX_BLOCKS 9

static struct tp_model model;

/* One linear layer per block; block b costs in proportion to widths[b] * widths[b + 1]. */
static void chain(const int32_t *widths, int32_t blocks)
{
	struct tp_model_options options = {{widths[0], 1, 1}, 1, 0};
	struct tp_builder builder;
	tp_builder_init(&builder, "chain", &options, &model);
	for (int32_t b = 0; b < blocks; b++) {
		tp_build_block(&builder);
		tp_build_linear(&builder, "linear", 0, widths[b + 1], 0);
	}
	assert_int_equal(tp_builder_finish(&builder), TP_OK);
}

static int64_t largest_stage(const int32_t *counts, int32_t stages)
{
	int64_t largest = 0;
	int32_t block = 0;
	for (int32_t s = 0; s < stages; s++) {
		int64_t flops = 0;
		for (int32_t i = 0; i < counts[s]; i++)
			flops += tp_block_forward_flops(&model, block++);
		largest = flops > largest ? flops : largest;
	}
	return largest;
}

/* Try all splits of the blocks from stage `s` on, earliest boundaries first; keep the first of the best. */
static void search(int32_t *counts, int32_t s, int32_t stages, int32_t left, int32_t *best, int64_t *best_flops)
{
	if (s == stages - 1) {
		counts[s] = left;
		int64_t flops = largest_stage(counts, stages);
		if (flops < *best_flops) {
			*best_flops = flops;
			memcpy(best, counts, (size_t)stages * sizeof *best);
		}
		return;
	}
	for (int32_t here = 1; here <= left - (stages - s - 1); here++) {
		counts[s] = here;
		search(counts, s + 1, stages, left - here, best, best_flops);
	}
}

static void test_auto_is_the_earliest_best(void **state)
{
	(void)state;
	const int32_t chains[][MAX_BLOCKS + 1] = {
	        {4, 4, 4, 4, 4, 4, 4, 4, 4, 4},   {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {10, 9, 8, 7, 6, 5, 4, 3, 2, 1},
	        {1, 1, 50, 50, 1, 1, 1, 1, 1, 1}, {7, 3, 9, 1, 8, 8, 2, 6, 4, 5},  {1, 30, 1, 30, 1, 30, 1, 30, 1, 30},
	};
	for (size_t c = 0; c < sizeof chains / sizeof chains[0]; c++) {
		for (int32_t blocks = 1; blocks <= MAX_BLOCKS; blocks++) {
			chain(chains[c], blocks);
			for (int32_t stages = 1; stages <= blocks; stages++) {
				int32_t counts[MAX_BLOCKS], tried[MAX_BLOCKS], best[MAX_BLOCKS];
				int64_t best_flops = INT64_MAX;
				search(tried, 0, stages, blocks, best, &best_flops);
				assert_int_equal(tp_partition(&model, "auto", stages, counts), TP_OK);
				assert_memory_equal(counts, best, (size_t)stages * sizeof *counts);
			}
		}
	}
}

static void test_auto_balances_vgg16(void **state)
{
	(void)state;
	const struct tp_model_options options = {{3, 32, 32}, 100, 0};
	int32_t counts[14];
	assert_int_equal(tp_model_build("vgg16", &options, &model), TP_OK);
	int64_t all = 0;
	for (int32_t b = 0; b < model.block_count; b++)
		all += tp_block_forward_flops(&model, b);
	assert_int_equal(tp_partition(&model, "auto", 2, counts), TP_OK);
	assert_int_equal(counts[0] + counts[1], 14);
	assert_true(largest_stage(counts, 2) < all * 56 / 100);
	assert_int_equal(tp_partition(&model, "auto", 14, counts), TP_OK);
	for (int32_t s = 0; s < 14; s++)
		assert_int_equal(counts[s], 1);
}

static void test_list(void **state)
{
	(void)state;
	const int32_t widths[] = {2, 2, 2, 2, 2};
	int32_t counts[4];
	chain(widths, 4);
	assert_int_equal(tp_partition(&model, "3,1", 2, counts), TP_OK);
	assert_int_equal(counts[0], 3);
	assert_int_equal(counts[1], 1);
	assert_int_equal(tp_partition(&model, "4", 1, counts), TP_OK);
	assert_int_equal(counts[0], 4);
}

static void assert_refused(const char *text, int32_t stages, const char *message)
{
	int32_t counts[64];
	assert_int_equal(tp_partition(&model, text, stages, counts), TP_ERR_INPUT);
	if (!strstr(tp_detail(), message))
		fail_msg("'%s': expected a message with '%s', found '%s'", text, message, tp_detail());
}

static void test_refusals(void **state)
{
	(void)state;
	const int32_t widths[] = {2, 2, 2, 2, 2};
	chain(widths, 4);
	assert_refused("2,2", 3, "expected 3 numbers, one per stage, found 2");
	assert_refused("1,1,1,1,1,1,1,1", 2, "expected 2 numbers, one per stage, found 8");
	assert_refused("2,3", 2, "add up to the 4 blocks of chain, found 5");
	assert_refused("4,0", 2, "from 1 on");
	assert_refused("5,-1", 2, "from 1 on");
	assert_refused("2,", 2, "parted by commas");
	assert_refused(",2", 2, "parted by commas");
	assert_refused("", 2, "expected 'auto' or");
	assert_refused("even", 2, "expected 'auto' or");
	assert_refused("2, 2", 2, "parted by commas");
	assert_refused("+2,2", 2, "parted by commas");
	assert_refused("2;2", 2, "found '2;2'");
	assert_refused("99999999999999999999,2", 2, "parted by commas");
	assert_refused("auto", 5, "at most 4, the number of blocks of chain, found 5");
	assert_refused("auto", 0, "at least 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_auto_is_the_earliest_best),
	        cmocka_unit_test(test_auto_balances_vgg16),
	        cmocka_unit_test(test_list),
	        cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
