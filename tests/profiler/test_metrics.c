/* Metrics of the small epoch of two_stages.h, and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "profiler/statistics.h"
#include "two_stages.h"

static const struct tp_metrics_input input = {
        .stages = 2,
        .records = {.ops = ops, .op_count = OPS, .messages = messages, .message_count = MESSAGES},
};

static void check_idle(const struct tp_metrics *metrics, int32_t s, int64_t fill, int64_t drain, int64_t sender,
                       int64_t message, int64_t host)
{
	const struct tp_stage_metrics *stage = &metrics->stage[s];
	assert_int_equal(stage->idle_ns[TP_IDLE_FILL], fill);
	assert_int_equal(stage->idle_ns[TP_IDLE_DRAIN], drain);
	assert_int_equal(stage->idle_ns[TP_IDLE_SENDER], sender);
	assert_int_equal(stage->idle_ns[TP_IDLE_MESSAGE], message);
	assert_int_equal(stage->idle_ns[TP_IDLE_HOST], host);
	assert_int_equal(stage->compute_ns + fill + drain + sender + message + host, metrics->window_ns);
}

static void test_time(void **state)
{
	(void)state;
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&input, &metrics), TP_OK);
	assert_int_equal(metrics.window_ns, 100);
	assert_int_equal(metrics.stage[0].forward_ns, 20);
	assert_int_equal(metrics.stage[0].backward_ns, 19);
	assert_int_equal(metrics.stage[0].update_ns, 3);
	/* Stage 0: [110,115) host; [125,150): sender until 145, message until 148, host; [162,190): sender until 185,
	 * host. */
	check_idle(&metrics, 0, 0, 0, 20 + 23, 3, 5 + 2 + 5);
	/* Stage 1: fill until 112, drain from 186. */
	check_idle(&metrics, 1, 12, 14, 0, 0, 0);
	assert_int_equal(metrics.stage[0].received_messages, 2);
	assert_int_equal(metrics.stage[1].received_bytes, 16);
	/* bubbles 58 and 26 of two windows of 100; computed 42 and 74 */
	assert_true(metrics.bubble_idle_total > 0.4199 && metrics.bubble_idle_total < 0.4201);
	assert_true(metrics.bubble_idle_ideal > 84.0 / 116 - 1e-9 && metrics.bubble_idle_ideal < 84.0 / 116 + 1e-9);
	tp_metrics_release(&metrics);
}

static void test_versions(void **state)
{
	(void)state;
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&input, &metrics), TP_OK);
	/* v(1) = 1 - 0, v(2) = 2 - 0; both backwards read version 0: two chains. */
	assert_int_equal(metrics.version_difference_max, 2);
	assert_true(metrics.version_difference_mean > 1.4999 && metrics.version_difference_mean < 1.5001);
	assert_int_equal(metrics.version_chains, 2);
	/* U2 was applied to version 1, its gradient taken at version 0. */
	assert_int_equal(metrics.stage[0].update_staleness_max, 1);
	assert_int_equal(metrics.stage[1].versions_alive_max, 2);
	tp_metrics_release(&metrics);
}

/* Under a flush a gap between mini-batches is drain until the one before has ended everywhere, then fill. */
static void test_flush(void **state)
{
	(void)state;
	static const struct tp_op_record flushed[] = {
	        OP(0, TP_OP_F, 1, 0, 10, 0, 0, 0),  OP(0, TP_OP_B, 1, 30, 40, 0, 0, 0),
	        OP(0, TP_OP_F, 2, 42, 52, 1, 1, 1), OP(1, TP_OP_F, 1, 10, 20, 0, 0, 0),
	        OP(1, TP_OP_B, 1, 20, 30, 0, 0, 0), OP(1, TP_OP_F, 2, 52, 60, 1, 1, 1),
	};
	struct tp_metrics_input flush = {.stages = 2, .flush = true, .records = {.ops = flushed, .op_count = 6}};
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&flush, &metrics), TP_OK);
	check_idle(&metrics, 0, 2, 8, 0, 0, 20);
	check_idle(&metrics, 1, 10 + 12, 10, 0, 0, 0);
	tp_metrics_release(&metrics);
}

/* The only message that takes time travels [145, 148): stage 0 waits for it, stage 1 computes meanwhile. */
static void test_communication(void **state)
{
	(void)state;
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&input, &metrics), TP_OK);
	assert_true(metrics.transfers);
	assert_int_equal(metrics.stage[0].transfer_ns, 3);
	assert_int_equal(metrics.stage[0].overlap_ns, 0);
	assert_int_equal(metrics.stage[0].exposed_ns, 3);
	assert_int_equal(metrics.stage[1].transfer_ns, 3);
	assert_int_equal(metrics.stage[1].overlap_ns, 3);
	assert_int_equal(metrics.stage[1].exposed_ns, 0);
	assert_true(metrics.alpha == 0.5);
	assert_int_equal(metrics.boundary[0].down_messages, 2);
	assert_int_equal(metrics.boundary[0].up_messages, 2);
	assert_int_equal(metrics.boundary[0].down_bytes, 16);
	assert_int_equal(metrics.boundary[0].up_bytes, 16);
	tp_metrics_release(&metrics);
}

/* Two messages under way at once count once: [10, 30) and [20, 40) are 30 ns, of which the stage computes 5 + 10. */
static void test_overlapping_transfers(void **state)
{
	(void)state;
	static const struct tp_op_record computed[] = {OP(0, TP_OP_F, 1, 0, 15, 0, 0, 0),
	                                               OP(0, TP_OP_F, 2, 25, 35, 0, 0, 0),
	                                               OP(1, TP_OP_F, 1, 30, 60, 0, 0, 0)};
	struct tp_message_record travelling[] = {MESSAGE(1, 0, 1, 10, 30), MESSAGE(1, 0, 2, 20, 40)};
	struct tp_metrics_input both = {
	        .stages = 2, .records = {.ops = computed, .op_count = 3, .messages = travelling, .message_count = 2}};
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&both, &metrics), TP_OK);
	assert_int_equal(metrics.stage[0].transfer_ns, 30);
	assert_int_equal(metrics.stage[0].overlap_ns, 15);
	assert_int_equal(metrics.stage[1].overlap_ns, 10);
	assert_true(metrics.alpha > 25.0 / 60 - 1e-12 && metrics.alpha < 25.0 / 60 + 1e-12);
	tp_metrics_release(&metrics);
	travelling[0].handed_over = travelling[1].handed_over = 1;
	assert_int_equal(tp_metrics_compute(&both, &metrics), TP_OK);
	assert_false(metrics.transfers);
	assert_int_equal(metrics.stage[0].transfer_ns, 0);
	tp_metrics_release(&metrics);
}

/* The last stage idles [20, 50); its backward was held until 44. */
static void test_staleness_bound(void **state)
{
	(void)state;
	struct tp_op_record held[] = {OP(0, TP_OP_F, 1, 0, 20, 0, 0, 0), OP(0, TP_OP_B, 1, 50, 60, 0, 0, 0)};
	struct tp_metrics_input bounded = {.stages = 1, .records = {.ops = held, .op_count = 2}};
	struct tp_metrics metrics;
	held[1].held_until_ns = 44;
	assert_int_equal(tp_metrics_compute(&bounded, &metrics), TP_OK);
	assert_int_equal(metrics.stage[0].idle_ns[TP_IDLE_STALENESS], 24);
	assert_int_equal(metrics.stage[0].idle_ns[TP_IDLE_HOST], 6);
	assert_true(metrics.staleness_idle_total == 24.0 / 60);
	tp_metrics_release(&metrics);
}

static void test_overlapping_records_are_refused(void **state)
{
	(void)state;
	static const struct tp_op_record wrong[] = {OP(0, TP_OP_F, 1, 0, 10, 0, 0, 0),
	                                            OP(0, TP_OP_B, 1, 9, 12, 0, 0, 0)};
	struct tp_metrics_input overlap = {.stages = 1, .records = {.ops = wrong, .op_count = 2}};
	struct tp_metrics metrics;
	assert_int_equal(tp_metrics_compute(&overlap, &metrics), TP_ERR_INPUT);
}

static void test_statistics(void **state)
{
	(void)state;
	double values[] = {4, 1, 3, 2};
	struct tp_statistics figures = tp_statistics_of(values, 4);
	assert_true(figures.median == 2.5 && figures.min == 1 && figures.max == 4 && figures.mean == 2.5);
	assert_true(figures.p95 > 3.8499 && figures.p95 < 3.8501);
	assert_true(figures.stdev > 1.2909 && figures.stdev < 1.2911);
	assert_int_equal(tp_statistics_of(values, 0).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_time),
	        cmocka_unit_test(test_versions),
	        cmocka_unit_test(test_flush),
	        cmocka_unit_test(test_overlapping_records_are_refused),
	        cmocka_unit_test(test_communication),
	        cmocka_unit_test(test_overlapping_transfers),
	        cmocka_unit_test(test_staleness_bound),
	        cmocka_unit_test(test_statistics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
