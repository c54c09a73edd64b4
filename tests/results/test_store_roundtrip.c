/* What is stored is what plain SQL and the queries give back, and the views say what follows from it by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "results/queries.h"
#include "test_store_support.h"

static const char *path;

static int store_the_sample(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	path = strdup(in_folder("runs.db"));
	struct tp_store *store = open_store(path);
	int64_t run_id = begin_sample(store);
	struct tp_store_epoch first = sample_epoch(1), second = sample_epoch(2);
	second.evaluated = false;
	second.train_loss = (double)NAN;
	second.train_top1 = (double)INFINITY;
	second.dropped_records = 4;
	second.metrics = NULL;
	assert_ok(tp_store_add_epoch(store, run_id, &first));
	assert_ok(tp_store_add_epoch(store, run_id, &second));
	assert_ok(tp_store_end_run(store, run_id, TP_STORE_FAILED, "the reason", NULL, 0));
	tp_store_close(store);
	return 0;
}

static void expect_rows(const char *sql, const char *rows)
{
	assert_string_equal(sql_text(path, sql), rows);
}

static void the_run_reads_back(void **state)
{
	(void)state;
	expect_rows(
	        "SELECT name, note, comparison, repeat_number, schedule, model, dataset, device, operation_order, "
	        "clock, "
	        "stage_count, micro_batch_count, batch_samples, mini_batches_per_epoch_count, "
	        "dropped_per_epoch_samples, rss_before_bytes, config_hash, config_text FROM run",
	        "a name|it's a note; \"quoted\"|c1|2|timeprest|mlp|synthetic|reference|static|real|2|2|48|2|5|123456|"
	        "fedcba9876543210|model = mlp\n");
	expect_rows("SELECT name, value FROM run_parameter ORDER BY name", "lr|0.01;seed|7");
	expect_rows("SELECT name, value FROM environment", "os|some system");
	expect_rows("SELECT stage, first_block, block_count, layers, parameter_count, forward_per_sample_flops, "
	            "in_flight_mini_batch_count, algorithms FROM stage ORDER BY stage",
	            "0|0|3|a .. c|1000|2000|2|a: direct\n;1|3|2|d .. e|5000000000|7000000000|1|");
	expect_rows("SELECT ending, reason FROM run_end", "failed|the reason");
	expect_rows("SELECT state, reason FROM run_state", "failed|the reason");
	assert_in_range(sql_integer(path, "SELECT started_unix_s FROM run"), 1600000000, 1L << 40);
}

static void the_epochs_read_back(void **state)
{
	(void)state;
	expect_rows("SELECT epoch, mini_batch_count, trained_samples, window_start_ns, window_end_ns, train_loss, "
	            "train_top1_share, test_samples, test_loss, test_top1_share, test_top5_share, evaluation_ns, "
	            "dropped_record_count, rss_bytes, window_allocation_count FROM epoch ORDER BY epoch",
	            "1|2|96|0|65|2.5|0.25|100|2.25|0.5|0.75|11|0|654321|3;"
	            "2|2|96|0|65|NULL|Inf|NULL|NULL|NULL|NULL|NULL|4|654321|3");
	expect_rows("SELECT stage, kind, mini_batch, micro_batch, operation_samples, start_ns, end_ns, version_read, "
	            "version_live, version_committed, version_forward, alive_version_count, in_place FROM operation "
	            "WHERE epoch = 1 AND (stage, record_number) IN (VALUES (0, 3), (1, 4)) ORDER BY stage",
	            "0|U|1|-1|48|60|65|0|0|0|0|1|1;1|B|2|-1|48|40|45|0|1|0|0|2|0");
	expect_rows("SELECT from_stage, to_stage, kind, mini_batch, micro_batch, message_bytes, ready_ns, sent_ns, "
	            "arrived_ns, wanted_ns, handed_over FROM message WHERE epoch = 1 ORDER BY to_stage",
	            "1|0|gradient|1|-1|4096|38|38|39|20|1;0|1|activation|1|0|2048|10|11|12|10|0");
	expect_rows("SELECT stage, now_bytes, peak_bytes, at_peak_bytes, reserved_bytes FROM memory "
	            "WHERE epoch = 1 AND kind IN ('messages', 'data') AND peak_bytes > 0 ORDER BY stage",
	            "-1|7|9|8|10;0|0|30|20|30");
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM memory"), 2 * SAMPLE_MEMORY * TP_MEM_KINDS);
}

static void the_views_follow(void **state)
{
	(void)state;
	expect_rows("SELECT stage, compute_ns, forward_ns, backward_ns, update_ns, forward_count, backward_count, "
	            "update_count, alive_version_max_count FROM stage_time WHERE epoch = 1 ORDER BY stage",
	            "0|45|20|20|5|2|1|1|1;1|35|20|13|2|2|2|1|2");
	expect_rows("SELECT stage, window_ns, compute_ns, bubble_ns FROM bubble WHERE epoch = 1 ORDER BY stage",
	            "0|65|45|20;1|65|35|30");
	assert_true(fabs(sql_real(path, "SELECT idle_total_ratio FROM bubble WHERE epoch = 1 AND stage = 0") -
	                 20.0 / 65) < 1e-12);
	assert_true(fabs(sql_real(path, "SELECT idle_ideal_ratio FROM bubble WHERE epoch = 1 AND stage = 1") -
	                 30.0 / 35) < 1e-12);
	expect_rows("SELECT mini_batch, version_difference_count, paper_prediction_count, exact_prediction_count "
	            "FROM version_difference WHERE epoch = 1 ORDER BY mini_batch",
	            "1|1|1|1;2|2|1|1");
	expect_rows("SELECT stage, peak_bytes, weights_live_bytes, activations_bytes, messages_bytes, data_bytes, "
	            "reserved_bytes FROM memory_peak WHERE epoch = 1 ORDER BY stage",
	            "-1|8|0|0|0|8|10;0|180|100|60|20|0|290;1|300|300|0|0|0|300");
	assert_true(fabs(sql_real(path, "SELECT samples_per_s FROM epoch_summary WHERE epoch = 1") - 96 / 65e-9) < 1);
	assert_true(fabs(sql_real(path, "SELECT idle_total_ratio FROM epoch_summary WHERE epoch = 1") - 50.0 / 130) <
	            1e-12);
	assert_true(fabs(sql_real(path, "SELECT idle_ideal_ratio FROM epoch_summary WHERE epoch = 1") - 50.0 / 80) <
	            1e-12);
	expect_rows(
	        "SELECT schedule, repeat_number, state, epoch_count, version_difference_max_count, stages_peak_bytes, "
	        "largest_stage_peak_bytes, test_top1_share FROM compare",
	        "timeprest|2|failed|2|2|480|300|0.5");
}

/* Epoch 2 lost records: its bubbles would be wrong. */
static void lost_records_void_the_bubble(void **state)
{
	(void)state;
	assert_int_equal(sql_integer(path, "SELECT count(*) FROM bubble WHERE epoch = 2"), 0);
	expect_rows("SELECT window_ns, idle_total_ratio, idle_ideal_ratio FROM epoch_summary WHERE epoch = 2",
	            "65|NULL|NULL");
}

static void predictions_over_the_grid(void **state)
{
	(void)state;
	const char *grid = in_folder("grid.db");
	struct tp_store *store = open_store(grid);
	for (int32_t w = 1; w <= 8; w++) {
		for (int32_t n = 1; n <= 4; n++) {
			struct tp_store_stage stages[8];
			for (int32_t s = 0; s < w; s++)
				stages[s] = (struct tp_store_stage){.stage = s, .layers = "", .algorithms = ""};
			struct tp_store_run run = sample_run;
			run.stages = w;
			run.micro_batches = n;
			run.stages_planned = stages;
			struct tp_op_record op = {
			        .end_ns = 1, .mini = 1, .epoch = 1, .kind = TP_OP_B, .stage = (int16_t)(w - 1)};
			struct tp_store_epoch epoch = {.epoch = 1,
			                               .profile_level = "ops",
			                               .end_ns = 1,
			                               .records = {.ops = &op, .op_count = 1}};
			int64_t run_id;
			measure(&epoch, w);
			assert_ok(tp_store_begin_run(store, &run, &run_id));
			assert_ok(tp_store_add_epoch(store, run_id, &epoch));
		}
	}
	tp_store_close(store);
	/* ceil(W / (N + 1)) and floor((W + N - 2) / N), for (6, 2): 2 and 3; (8, 1): 4 and none */
	assert_string_equal(sql_text(grid,
	                             "SELECT exact_prediction_count, paper_prediction_count FROM version_difference "
	                             "JOIN run USING (run_id) WHERE (stage_count, micro_batch_count) IN "
	                             "(VALUES (1, 1), (3, 2), (6, 2), (8, 1), (8, 4)) ORDER BY run_id"),
	                    "1|NULL;1|1;2|3;4|NULL;2|2");
	assert_int_equal(sql_integer(grid, "SELECT count(*) FROM version_difference JOIN run USING (run_id) WHERE "
	                                   "exact_prediction_count <> stage_count / (micro_batch_count + 1) + "
	                                   "(stage_count % (micro_batch_count + 1) > 0)"),
	                 0);
}

static void expect_same_epoch(const struct tp_store_epoch *found, const struct tp_store_epoch *given)
{
	assert_int_equal(found->minis, given->minis);
	assert_int_equal(found->samples, given->samples);
	assert_int_equal(found->end_ns, given->end_ns);
	assert_int_equal(found->dropped_records, given->dropped_records);
	assert_int_equal(found->rss_bytes, given->rss_bytes);
	assert_int_equal(found->allocations_in_window, given->allocations_in_window);
	assert_string_equal(found->profile_level, given->profile_level);
	assert_int_equal(found->memory_count, given->memory_count);
}

static void the_queries_give_the_records_back(void **state)
{
	(void)state;
	struct tp_store *store;
	assert_ok(tp_store_open_readonly(path, &store));
	int32_t epochs = 0;
	assert_ok(tp_store_count_epochs(store, 1, &epochs));
	assert_int_equal(epochs, 2);
	struct tp_stored_epoch stored;
	const struct tp_store_epoch given = sample_epoch(1);
	assert_ok(tp_store_read_epoch(store, 1, 1, &stored));
	expect_same_epoch(&stored.epoch, &given);
	assert_true(stored.epoch.evaluated && stored.epoch.test_top5 == given.test_top5);
	assert_int_equal(stored.epoch.evaluation_ns, given.evaluation_ns);
	for (int i = 0; i < SAMPLE_MEMORY; i++) {
		const struct tp_memory_record *found = &stored.memory[i], *want = &sample_memory[i];
		assert_int_equal(found->stage, want->stage);
		assert_int_equal(found->peak_total_bytes, want->peak_total_bytes);
		assert_memory_equal(found->now_bytes, want->now_bytes, sizeof want->now_bytes);
		assert_memory_equal(found->peak_bytes, want->peak_bytes, sizeof want->peak_bytes);
		assert_memory_equal(found->at_peak_bytes, want->at_peak_bytes, sizeof want->at_peak_bytes);
		assert_memory_equal(found->reserved_bytes, want->reserved_bytes, sizeof want->reserved_bytes);
	}
	tp_stored_epoch_release(&stored);

	struct tp_stored_records records;
	assert_ok(tp_store_read_records(store, 1, 1, &records));
	assert_int_equal(records.records.op_count, SAMPLE_OPS);
	assert_int_equal(records.records.message_count, SAMPLE_MESSAGES);
	assert_memory_equal(records.ops, sample_ops, sizeof sample_ops);
	assert_memory_equal(records.messages, sample_messages, sizeof sample_messages);
	tp_stored_records_release(&records);

	assert_ok(tp_store_read_epoch(store, 1, 2, &stored));
	assert_true(isnan(stored.epoch.train_loss) && isinf(stored.epoch.train_top1));
	assert_false(stored.epoch.evaluated);
	tp_stored_epoch_release(&stored);
	assert_fails(tp_store_read_epoch(store, 1, 3, &stored), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "no epoch 3"));
	tp_store_close(store);
}

/* Each allocation in turn fails: a status, nothing leaked, nothing half-held. */
static void running_out_of_memory_is_reported(void **state)
{
	(void)state;
	struct tp_store *store;
	uint64_t held = tp_alloc_bytes();
	for (int64_t successes = 0;; successes++) {
		struct tp_stored_epoch stored = {0};
		tp_alloc_fail_after(successes);
		enum tp_status status = tp_store_open_readonly(path, &store);
		if (status == TP_OK)
			status = tp_store_read_epoch(store, 1, 1, &stored);
		tp_alloc_fail_after(-1);
		tp_store_close(store);
		tp_stored_epoch_release(&stored);
		assert_int_equal(tp_alloc_bytes(), held);
		if (status == TP_OK) {
			assert_in_range(successes, 3, 20);
			break;
		}
		assert_fails(status, TP_ERR_NOMEM);
	}
}

static void rows_are_refused_that_belong_to_nothing(void **state)
{
	(void)state;
	const char *other = in_folder("other.db");
	struct tp_store *store = open_store(other);
	struct tp_store_epoch epoch = sample_epoch(1);
	assert_fails(tp_store_add_epoch(store, 99, &epoch), TP_ERR_IO);
	assert_non_null(strstr(tp_detail(), "FOREIGN KEY"));
	int64_t run_id = begin_sample(store);
	assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	assert_fails(tp_store_add_epoch(store, run_id, &epoch), TP_ERR_IO);
	assert_ok(tp_store_end_run(store, run_id, TP_STORE_DONE, "", NULL, 0));
	assert_fails(tp_store_end_run(store, run_id, TP_STORE_FAILED, "twice", NULL, 0), TP_ERR_IO);
	tp_store_close(store);
	assert_int_equal(sql_integer(other, "SELECT count(*) FROM operation"), SAMPLE_OPS);
	assert_string_equal(sql_text(other, "SELECT state FROM run_state"), "done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_run_reads_back),
	        cmocka_unit_test(the_epochs_read_back),
	        cmocka_unit_test(the_views_follow),
	        cmocka_unit_test(lost_records_void_the_bubble),
	        cmocka_unit_test(predictions_over_the_grid),
	        cmocka_unit_test(the_queries_give_the_records_back),
	        cmocka_unit_test(running_out_of_memory_is_reported),
	        cmocka_unit_test(rows_are_refused_that_belong_to_nothing),
	};
	return cmocka_run_group_tests(tests, store_the_sample, remove_folder);
}
