/* Tables of costs: where each cost lies, uniform, scaled and copied ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/base/memory.h"
#include "engine/schedule/cost_table.h"

static const struct tp_cost_shape micro_mini = {2, 3, 1, false}; /* as timeprest, W = 2, N = 3 */
static const struct tp_cost_shape mini_mini = {2, 1, 1, false};  /* as pipedream */
static const struct tp_cost_shape micro_split = {2, 3, 3, true}; /* as zb-h1 */

static const struct tp_policy *policy_named(const char *name)
{
	const struct tp_policy *policy;
	assert_int_equal(tp_policy_find(name, &policy), TP_OK);
	return policy;
}

static void shapes_are_those_of_schedules(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct tp_cost_shape shape;
	} cases[] = {{"timeprest", {4, 3, 1, false}},
	             {"gpipe", {4, 3, 3, false}},
	             {"pipedream", {4, 1, 1, false}},
	             {"zb-h1", {4, 3, 3, true}}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_pipeline pipeline = {
		        .policy = policy_named(cases[i].name), .stages = 4, .micro_batches = 3, .minis = 1};
		struct tp_cost_shape shape = tp_cost_shape_of(&pipeline);
		assert_int_equal(shape.stages, 4);
		assert_int_equal(shape.forwards_per_mini, cases[i].shape.forwards_per_mini);
		assert_int_equal(shape.backwards_per_mini, cases[i].shape.backwards_per_mini);
		assert_int_equal(shape.split, cases[i].shape.split);
	}
}

static void every_operation_has_its_place(void **state)
{
	(void)state;
	static const struct tp_cost_shape *const shapes[] = {&micro_mini, &mini_mini, &micro_split};
	for (size_t i = 0; i < 3; i++) {
		struct tp_cost_table table;
		int64_t next = 100;
		assert_int_equal(tp_cost_table_init(&table, *shapes[i]), TP_OK);
		for (int32_t s = 0; s < shapes[i]->stages; s++) {
			for (enum tp_op_kind kind = 0; kind < TP_OP_KINDS; kind++) {
				for (int32_t j = 0; j < tp_cost_entries(shapes[i], kind); j++) {
					int64_t *entry = tp_cost_entry(&table, s, kind, j);
					assert_int_equal(*entry, 0); /* fresh, and nobody else's */
					*entry = next++;
				}
			}
		}
		/* as the simulator reads them */
		const struct tp_cost_shape *shape = shapes[i];
		for (int32_t s = 0; s < shape->stages; s++) {
			for (int32_t j = 0; j < shape->forwards_per_mini; j++)
				assert_int_equal(table.stage[s].forward[j], *tp_cost_entry(&table, s, TP_OP_F, j));
			for (int32_t j = 0; j < shape->backwards_per_mini; j++) {
				enum tp_op_kind kind = shape->split ? TP_OP_BX : TP_OP_B;
				assert_int_equal(table.stage[s].backward[j], *tp_cost_entry(&table, s, kind, j));
				if (shape->split)
					assert_int_equal(table.stage[s].weights[j],
					                 *tp_cost_entry(&table, s, TP_OP_BW, j));
			}
			assert_int_equal(table.stage[s].weights != NULL, shape->split);
			assert_ptr_equal(&table.stage[s].update, tp_cost_entry(&table, s, TP_OP_U, TP_WHOLE));
			assert_ptr_equal(tp_cost_entry(&table, s, TP_OP_F, TP_WHOLE),
			                 tp_cost_entry(&table, s, TP_OP_F, 0));
		}
		tp_cost_table_release(&table);
	}
}

static void uniform_costs_follow_the_units(void **state)
{
	(void)state;
	struct tp_cost_table table;
	assert_int_equal(tp_cost_table_uniform(&table, micro_mini, 3, "1ms,2500us,7ns"), TP_OK);
	for (int32_t s = 0; s < 2; s++) {
		for (int32_t j = 0; j < 3; j++)
			assert_int_equal(*tp_cost_entry(&table, s, TP_OP_F, j), 1000000);
		assert_int_equal(*tp_cost_entry(&table, s, TP_OP_B, TP_WHOLE), 3 * 2500000);
		assert_int_equal(*tp_cost_entry(&table, s, TP_OP_U, TP_WHOLE), 7);
	}
	tp_cost_table_release(&table);
	assert_int_equal(tp_cost_table_uniform(&table, mini_mini, 5, "1ms,2ms"), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_F, TP_WHOLE), 5000000);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_B, TP_WHOLE), 10000000);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_U, TP_WHOLE), 0);
	tp_cost_table_release(&table);
	assert_int_equal(tp_cost_table_uniform(&table, micro_split, 3, "10ns,7ns,0"), TP_OK);
	for (int32_t j = 0; j < 3; j++) {
		assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_F, j), 10);
		assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_BX, j), 4); /* the parts add up to B */
		assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_BW, j), 3);
	}
	tp_cost_table_release(&table);
	assert_int_equal(tp_cost_table_uniform(&table, micro_split, 3, "1ns,1ns"), TP_OK);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_BX, 0), 1);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_BW, 0), 1); /* no operation takes no time */
	tp_cost_table_release(&table);
}

static void malformed_uniform_costs_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *spec, *found;
	} cases[] = {
	        {"", "''"},
	        {",", "','"},
	        {"1ms", "'1ms'"},
	        {"1ms,", "'1ms,'"},
	        {",2ms", "',2ms'"},
	        {"1,2", "'1'"},
	        {"1ms,2", "'2'"},
	        {"0,1ms", "'0'"},
	        {"1ms,0", "'0'"},
	        {"0ms,1ms", "'0ms'"},
	        {"0.4ns,1ms", "'0.4ns'"},
	        {"-1ms,2ms", "'-1ms'"},
	        {"1ms,2ms,-1us", "'-1us'"},
	        {"1ms,2ms,", "'1ms,2ms,'"},
	        {"1ms,2ms,3ms,4ms", "'1ms,2ms,3ms,4ms'"},
	        {"1ms 2ms", "'1ms 2ms'"},
	        {"1ms, 2ms", "' 2ms'"},
	        {"nan,1ms", "'nan'"},
	        {"1e300s,1ms", "'1e300s'"},
	        {"61min,1ms", "'61min'"},
	        {"1ms,21min", "'1ms,21min' for each of 3"},
	        {"1111111111111111111111111111111111111111ns,1ms", "1111ns,1ms'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_cost_table table;
		uint64_t held = tp_alloc_bytes();
		assert_int_equal(tp_cost_table_uniform(&table, micro_mini, 3, cases[i].spec), TP_ERR_INPUT);
		assert_non_null(strstr(tp_detail(), "--costs uniform"));
		assert_non_null(strstr(tp_detail(), "expected "));
		if (!strstr(tp_detail(), cases[i].found))
			fail_msg("expected \"%s\" in: %s", cases[i].found, tp_detail());
		tp_cost_table_release(&table); /* safe after a failure */
		assert_int_equal(tp_alloc_bytes(), held);
	}
}

static void a_slower_worker_takes_longer(void **state)
{
	(void)state;
	struct tp_cost_table table;
	assert_int_equal(tp_cost_table_uniform(&table, micro_split, 3, "10ns,7ns,5ns"), TP_OK);
	tp_cost_table_scale(&table, 1, 0.4);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 2), 10); /* the other stage's */
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_F, 2), 25);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_BX, 0), 10);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_BW, 2), 8); /* 7.5, rounded */
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_U, 0), 13);
	tp_cost_table_scale(&table, 1, 1e6);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_F, 0), 1);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_BW, 0), 1);
	assert_int_equal(*tp_cost_entry(&table, 1, TP_OP_U, 0), 0);
	*tp_cost_entry(&table, 0, TP_OP_F, 0) = TP_COST_MAX_NS;
	tp_cost_table_scale(&table, 0, 1e-6);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 0), TP_COST_MAX_NS);
	assert_int_equal(*tp_cost_entry(&table, 0, TP_OP_F, 1), 10000000);
	tp_cost_table_release(&table);
}

static void a_copy_is_of_the_same_shape(void **state)
{
	(void)state;
	static const struct tp_cost_shape others[] = {
	        {3, 3, 3, true}, {2, 2, 3, true}, {2, 3, 2, true}, {2, 3, 3, false}};
	struct tp_cost_table table, copy;
	assert_int_equal(tp_cost_table_uniform(&table, micro_split, 3, "10ns,7ns,5ns"), TP_OK);
	*tp_cost_entry(&table, 1, TP_OP_BW, 2) = 77;
	assert_int_equal(tp_cost_table_copy(&copy, &table, micro_split), TP_OK);
	*tp_cost_entry(&table, 1, TP_OP_BW, 2) = 78;
	assert_int_equal(copy.stage[1].weights[2], 77);
	assert_int_equal(copy.stage[1].update, 5);
	tp_cost_table_release(&copy);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_int_equal(tp_cost_table_copy(&copy, &table, others[i]), TP_ERR_INPUT);
		assert_non_null(strstr(tp_detail(), "--costs: expected"));
		assert_non_null(strstr(tp_detail(), "found 2 with 3 and 3 split"));
	}
	tp_cost_table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(shapes_are_those_of_schedules),  cmocka_unit_test(every_operation_has_its_place),
	        cmocka_unit_test(uniform_costs_follow_the_units), cmocka_unit_test(malformed_uniform_costs_are_refused),
	        cmocka_unit_test(a_slower_worker_takes_longer),   cmocka_unit_test(a_copy_is_of_the_same_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
