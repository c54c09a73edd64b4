/* The ledgers behind the figures of the small epoch of two_stages.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "two_stages.h"

static const struct tp_version_record freed[] = {{.freed_ns = 199, .version = 0, .stage = 0},
                                                 {.freed_ns = 185, .version = 0, .stage = 1}};

static const struct tp_metrics_input input = {
        .stages = 2,
        .records = {.ops = ops,
                    .op_count = OPS,
                    .messages = messages,
                    .message_count = MESSAGES,
                    .freed = freed,
                    .freed_count = 2},
};

static struct tp_metrics metrics;

static int measure(void **state)
{
	(void)state;
	return tp_metrics_compute(&input, &metrics) == TP_OK ? 0 : -1;
}

static int forget(void **state)
{
	(void)state;
	tp_metrics_release(&metrics);
	return 0;
}

static void every_gap_has_its_causes(void **state)
{
	(void)state;
	static const struct tp_idle_interval expected[] = {
	        {110, 115, 1, 0, TP_IDLE_HOST}, {125, 145, 2, 0, TP_IDLE_SENDER}, {145, 148, 2, 0, TP_IDLE_MESSAGE},
	        {148, 150, 2, 0, TP_IDLE_HOST}, {162, 185, 4, 0, TP_IDLE_SENDER}, {185, 190, 4, 0, TP_IDLE_HOST},
	        {100, 112, 0, 1, TP_IDLE_FILL}, {186, 200, -1, 1, TP_IDLE_DRAIN},
	};
	assert_int_equal(metrics.idle_count, sizeof expected / sizeof *expected);
	for (int64_t i = 0; i < metrics.idle_count; i++) {
		assert_int_equal(metrics.idle[i].start_ns, expected[i].start_ns);
		assert_int_equal(metrics.idle[i].end_ns, expected[i].end_ns);
		assert_int_equal(metrics.idle[i].operation, expected[i].operation);
		assert_int_equal(metrics.idle[i].stage, expected[i].stage);
		assert_int_equal(metrics.idle[i].cause, expected[i].cause);
	}
	assert_int_equal(tp_metrics_check(&input, &metrics), TP_OK);
}

static void expect_refused(const struct tp_metrics *wrong, const char *part)
{
	assert_int_equal(tp_metrics_check(&input, wrong), TP_ERR_INPUT);
	if (!strstr(tp_detail(), part))
		fail_msg("'%s' lacks '%s'", tp_detail(), part);
}

/* An account that does not close is found, whatever is wrong with it. */
static void a_wrong_account_is_found(void **state)
{
	(void)state;
	metrics.stage[1].idle_ns[TP_IDLE_HOST]++;
	expect_refused(&metrics, "stage 1: expected computing and idle causes to fill the window of 100 ns, found 101");
	metrics.stage[1].idle_ns[TP_IDLE_HOST]--;
	metrics.idle[3].end_ns--; /* sums right, interval short */
	expect_refused(&metrics, "stage 0");
	metrics.idle[3].end_ns++;
	metrics.idle_count--; /* the drain is missing */
	expect_refused(&metrics, "at 186 ns");
	metrics.idle_count++;
	struct tp_idle_interval kept = metrics.idle[1];
	metrics.idle[1] = metrics.idle[0];
	expect_refused(&metrics, "stage 0");
	metrics.idle[1] = kept;
	assert_int_equal(tp_metrics_check(&input, &metrics), TP_OK);
}

static void mini_batches_know_their_chain(void **state)
{
	(void)state;
	static const struct tp_mini_figures expected[] = {{1, 100, 162, 0, 0, 1}, {2, 115, 200, 0, 0, 2}};
	assert_int_equal(metrics.mini_count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(metrics.minis[i].mini, expected[i].mini);
		assert_int_equal(metrics.minis[i].start_ns, expected[i].start_ns);
		assert_int_equal(metrics.minis[i].end_ns, expected[i].end_ns);
		assert_int_equal(metrics.minis[i].committed, expected[i].committed);
		assert_int_equal(metrics.minis[i].read, expected[i].read);
		assert_int_equal(metrics.minis[i].chain, expected[i].chain);
	}
}

static void versions_know_their_readers(void **state)
{
	(void)state;
	static const struct tp_version_figures expected[] = {
	        {.version = 0, .made_ns = -1, .freed_ns = 199, .forward_reads = 2, .backward_reads = 2, .stage = 0},
	        {.version = 1, .base = 0, .made_ns = 162, .freed_ns = -1, .stage = 0, .made = true},
	        {.version = 2, .base = 1, .made_ns = 200, .freed_ns = -1, .stage = 0, .made = true},
	        {.version = 0, .made_ns = -1, .freed_ns = 185, .forward_reads = 2, .backward_reads = 2, .stage = 1},
	        {.version = 1, .base = 0, .made_ns = 146, .freed_ns = -1, .stage = 1, .made = true},
	        {.version = 2, .base = 1, .made_ns = 186, .freed_ns = -1, .stage = 1, .made = true},
	};
	assert_int_equal(metrics.version_count, 6);
	for (int i = 0; i < 6; i++) {
		const struct tp_version_figures *found = &metrics.versions[i], *want = &expected[i];
		assert_int_equal(found->version, want->version);
		assert_int_equal(found->made, want->made);
		assert_int_equal(found->made_ns, want->made_ns);
		assert_int_equal(found->freed_ns, want->freed_ns);
		assert_int_equal(found->forward_reads, want->forward_reads);
		assert_int_equal(found->backward_reads, want->backward_reads);
		assert_int_equal(found->stage, want->stage);
		if (want->made)
			assert_int_equal(found->base, want->base);
	}
}

/* Micro-batches that read apart count one by one, and a blend reads two versions. */
static void reads_apart_are_counted(void **state)
{
	(void)state;
	static const struct tp_read_record reads[] = {
	        {.mini = 2, .version_forward = 0, .version_newest = 1, .lambda = 0.5, .micro = 0, .stage = 1},
	        {.mini = 2, .version_forward = 1, .version_newest = 1, .lambda = 1, .micro = 1, .stage = 1},
	};
	struct tp_metrics_input apart = input;
	struct tp_metrics found;
	apart.records.reads = reads;
	apart.records.read_count = 2;
	assert_int_equal(tp_metrics_compute(&apart, &found), TP_OK);
	assert_int_equal(found.versions[3].backward_reads, 1);
	assert_int_equal(found.versions[4].backward_reads, 2);
	tp_metrics_release(&found);
}

/* One stage, five mini-batches of F, B, U of 10, 10 and 0 ns, with 5 ns between them: without the first and the last
 * the window is [20, 95), in which 60 ns are computed. */
static void the_steady_window_leaves_out_both_ends(void **state)
{
	(void)state;
	struct tp_op_record steps[15];
	struct tp_metrics_input steady = {.stages = 1, .records = {.ops = steps, .op_count = 15}};
	struct tp_metrics found;
	for (int i = 0; i < 5; i++) {
		int64_t start = 25 * i;
		steps[3 * i] = (struct tp_op_record)OP(0, TP_OP_F, i + 1, start, start + 10, i, i, i);
		steps[3 * i + 1] = (struct tp_op_record)OP(0, TP_OP_B, i + 1, start + 10, start + 20, i, i, i);
		steps[3 * i + 2] = (struct tp_op_record)OP(0, TP_OP_U, i + 1, start + 20, start + 20, i, i, i);
	}
	assert_int_equal(tp_metrics_compute(&steady, &found), TP_OK);
	assert_int_equal(found.steady_ns, 75);
	assert_int_equal(found.steady_minis, 3);
	assert_int_equal(found.stage[0].steady_compute_ns, 60);
	assert_true(found.steady_idle_total > 0.2 - 1e-12 && found.steady_idle_total < 0.2 + 1e-12);
	assert_int_equal(found.version_chains, 1); /* each reads what the one before made */
	assert_int_equal(found.minis[4].chain, 1);
	tp_metrics_release(&found);
	steady.records.op_count = 6; /* two mini-batches: nothing is left between the ends */
	assert_int_equal(tp_metrics_compute(&steady, &found), TP_OK);
	assert_int_equal(found.steady_ns, 0);
	assert_int_equal(found.steady_minis, 0);
	tp_metrics_release(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_gap_has_its_causes),
	        cmocka_unit_test(a_wrong_account_is_found),
	        cmocka_unit_test(mini_batches_know_their_chain),
	        cmocka_unit_test(versions_know_their_readers),
	        cmocka_unit_test(reads_apart_are_counted),
	        cmocka_unit_test(the_steady_window_leaves_out_both_ends),
	};
	return cmocka_run_group_tests(tests, measure, forget);
}
