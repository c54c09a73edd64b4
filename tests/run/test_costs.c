/* Costs that are counted, against a model counted by hand, and costs taken from records, against records made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/run/costs.h"

static struct tp_model model;

/* 12 inputs, two hidden layers of 5 in each stage, 3 classes. Forward flops of a sample: fc1 2*12*5 and 5 for the ReLU,
 * fc2 and fc3 2*5*5 + 5, fc4 2*5*3. Parameters: 65, 30, 30, 18. */
static const int32_t blocks_per_stage[] = {2, 2};
static const int64_t flops[] = {125 + 55, 55 + 30}, parameters[] = {65 + 30, 30 + 18};

static int build_model(void **state)
{
	(void)state;
	const struct tp_model_options options = {.input = {3, 2, 2}, .classes = 3, .hidden = 5};
	return tp_model_build("mlp", &options, &model) == TP_OK && model.block_count == 4 ? 0 : -1;
}

/* At 1 Gflop/s a flop takes a nanosecond. Five samples in two slices: three and two. */
static void counted_costs_are_flops_over_rate(void **state)
{
	(void)state;
	static const struct tp_cost_shape whole = {2, 2, 1, false}, split = {2, 2, 2, true}, mini = {2, 1, 1, false};
	static const int32_t samples[] = {3, 2};
	const struct tp_slicing slices = {.batch = 5, .count = 2}, one = {.batch = 5, .count = 1};
	struct tp_cost_table table;
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, slices, whole, false, 1e9, &table), TP_OK);
	for (int32_t s = 0; s < 2; s++) {
		for (int32_t j = 0; j < 2; j++)
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_F, j), flops[s] * samples[j]);
		assert_int_equal(*tp_cost_entry(&table, s, TP_OP_B, TP_WHOLE), 2 * 5 * flops[s]);
		assert_int_equal(*tp_cost_entry(&table, s, TP_OP_U, TP_WHOLE), 3 * parameters[s]);
	}
	tp_cost_table_release(&table);
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, slices, split, false, 5e8, &table), TP_OK);
	for (int32_t s = 0; s < 2; s++) {
		for (int32_t j = 0; j < 2; j++) {
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_F, j), 2 * flops[s] * samples[j]);
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_BX, j), 2 * flops[s] * samples[j]);
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_BW, j), 2 * flops[s] * samples[j]);
		}
	}
	tp_cost_table_release(&table);
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, one, mini, false, 1e9, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_F, TP_WHOLE), 5 * flops[1]);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_B, TP_WHOLE), 10 * flops[1]);
	tp_cost_table_release(&table);
	/* run again: by a backward, or by the first part of a split one */
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, slices, whole, true, 1e9, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 0), 3 * flops[0]);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_B, TP_WHOLE), 3 * 5 * flops[0]);
	tp_cost_table_release(&table);
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, slices, split, true, 1e9, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_BX, 1), 2 * 2 * flops[0]);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_BW, 1), 2 * flops[0]);
	tp_cost_table_release(&table);
	/* never nothing, never beyond the longest */
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, one, mini, false, 1e15, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 0), 1);
	tp_cost_table_release(&table);
	assert_int_equal(tp_costs_flops(&model, blocks_per_stage, one, mini, false, 1e-3, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 0), TP_COST_MAX_NS);
	tp_cost_table_release(&table);
}

enum { MOST_RECORDS = 64 };

struct records {
	struct tp_op_record ops[MOST_RECORDS];
	int64_t count;
};

static void add(struct records *records, int16_t stage, enum tp_op_kind kind, int64_t mini, int32_t micro, int64_t ns)
{
	struct tp_op_record *op = &records->ops[records->count];
	*op = (struct tp_op_record){.stage = stage, .kind = (int16_t)kind, .mini = mini, .micro = micro};
	op->start_ns = 1000 * ++records->count;
	op->end_ns = op->start_ns + ns;
}

/* Three mini-batches at each of two stages; the middle one of three durations is the median. */
static void add_split(struct records *records, int16_t stage, bool with_weights)
{
	static const int64_t extra[] = {900, 0, -3};
	for (int64_t mini = 1; mini <= 3; mini++) {
		int64_t base = 100 + 50 * stage + extra[mini - 1];
		for (int32_t j = 0; j < 2; j++) {
			add(records, stage, TP_OP_F, mini, j, base + j);
			add(records, stage, TP_OP_BX, mini, j, base + 10 + j);
			if (with_weights)
				add(records, stage, TP_OP_BW, mini, j, base + 20 + j);
		}
		add(records, stage, TP_OP_U, mini, TP_WHOLE, base + 30);
	}
}

static void records_give_medians_of_each_kind(void **state)
{
	(void)state;
	static const struct tp_cost_shape split = {2, 2, 2, true};
	static struct records records;
	struct tp_cost_table table;
	records.count = 0;
	add_split(&records, 1, true);
	add_split(&records, 0, true);
	assert_int_equal(tp_costs_from_records(split, records.ops, records.count, &table), TP_OK);
	for (int32_t s = 0; s < 2; s++) {
		for (int32_t j = 0; j < 2; j++) {
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_F, j), 100 + 50 * s + j);
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_BX, j), 110 + 50 * s + j);
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_BW, j), 120 + 50 * s + j);
		}
		assert_int_equal(*tp_cost_entry(&table, s, TP_OP_U, TP_WHOLE), 130 + 50 * s);
	}
	tp_cost_table_release(&table);
}

/* One backward for the whole mini-batch, of an even number of them: the mean of the middle two. */
static void whole_backwards_are_one_entry(void **state)
{
	(void)state;
	static const struct tp_cost_shape whole = {1, 1, 1, false};
	static const int64_t durations[] = {70, 40, 50, 900};
	static struct records records;
	struct tp_cost_table table;
	records.count = 0;
	for (int64_t mini = 1; mini <= 4; mini++) {
		add(&records, 0, TP_OP_F, mini, TP_WHOLE, mini == 1 ? 5 : 0); /* the clock did not move: still 1 */
		add(&records, 0, TP_OP_B, mini, TP_WHOLE, durations[mini - 1]);
		add(&records, 0, TP_OP_U, mini, TP_WHOLE, 3);
	}
	assert_int_equal(tp_costs_from_records(whole, records.ops, records.count, &table), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, TP_WHOLE), 1);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_B, TP_WHOLE), 60);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_U, TP_WHOLE), 3);
	tp_cost_table_release(&table);
}

static void an_operation_without_records_is_refused(void **state)
{
	(void)state;
	static const struct tp_cost_shape split = {2, 2, 2, true};
	static struct records records;
	struct tp_cost_table table;
	uint64_t held = tp_alloc_bytes();
	records.count = 0;
	add_split(&records, 0, true);
	add_split(&records, 1, false);
	assert_int_equal(tp_costs_from_records(split, records.ops, records.count, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "no records of BW at stage 1"));
	assert_int_equal(tp_costs_from_records(split, NULL, 0, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "no records of F at stage 0"));
	assert_int_equal(tp_alloc_bytes(), held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(counted_costs_are_flops_over_rate),
	        cmocka_unit_test(records_give_medians_of_each_kind),
	        cmocka_unit_test(whole_backwards_are_one_entry),
	        cmocka_unit_test(an_operation_without_records_is_refused),
	};
	return cmocka_run_group_tests(tests, build_model, NULL);
}
