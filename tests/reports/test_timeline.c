/* Timelines against the rows they were drawn from. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/base/memory.h"
#include "reports/timeline.h"
#include "results/queries.h"
#include "tests/reports/drawing.h"
#include "tests/results/test_store_support.h"

enum { OPERATIONS = 3000 };
static const struct tp_timeline_request all = {0};

/* A run in memory with one epoch, in nanoseconds of the sample. */
static int64_t store_sample(struct tp_store **store, const struct tp_store_run *run)
{
	int64_t run_id;
	struct tp_store_epoch epoch = sample_epoch(1);
	assert_ok(tp_store_open_memory(store));
	assert_ok(tp_store_begin_run(*store, run, &run_id));
	assert_ok(tp_store_add_epoch(*store, run_id, &epoch));
	return run_id;
}

/* One stage with OPERATIONS forwards of one nanosecond, mini-batches 1 and on. */
static int64_t store_long(struct tp_store **store)
{
	int64_t run_id;
	struct tp_store_run run = sample_run;
	struct tp_store_epoch epoch = long_epoch(1, OPERATIONS);
	run.stages = 1;
	run.stages_planned = NULL;
	assert_ok(tp_store_open_memory(store));
	assert_ok(tp_store_begin_run(*store, &run, &run_id));
	assert_ok(tp_store_add_epoch(*store, run_id, &epoch));
	return run_id;
}

static struct tp_text draw(struct tp_store *store, int64_t run_id, int32_t epoch,
                           const struct tp_timeline_request *request, bool html)
{
	struct tp_timeline *timeline;
	struct tp_text text = {0};
	assert_ok(tp_timeline_read(store, run_id, epoch, request, &timeline));
	assert_ok(html ? tp_timeline_write_html(timeline, &text) : tp_timeline_write_svg(timeline, &text));
	tp_timeline_free(timeline);
	if (!html)
		check_well_formed(tp_text_get(&text));
	return text;
}

static void expect_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in '%.3000s'", part, text);
}

/* The drawn operation that a row asks for, once. */
static void expect_row(const struct drawing *drawing, sqlite3_stmt *row, double window_ns)
{
	const struct drawn_op *found = NULL;
	for (int i = 0; i < drawing->count; i++) {
		const struct drawn_op *op = &drawing->ops[i];
		if (op->stage != sqlite3_column_int64(row, 0) || op->mini != sqlite3_column_int64(row, 2) ||
		    op->micro != sqlite3_column_int64(row, 3) ||
		    strcmp(op->kind, (const char *)sqlite3_column_text(row, 1)) != 0)
			continue;
		assert_null(found);
		found = op;
	}
	assert_non_null(found);
	double start = sqlite3_column_double(row, 4), end = sqlite3_column_double(row, 5);
	assert_int_equal(found->lane, found->stage);
	assert_true(fabs(found->x - (drawing->left + start * drawing->width / window_ns)) < 0.011);
	assert_true(fabs(found->width - (end - start) * drawing->width / window_ns) < 0.011);
	assert_int_equal(found->read, sqlite3_column_int64(row, 6));
	assert_int_equal(found->live, sqlite3_column_int64(row, 7));
	assert_int_equal(found->committed, sqlite3_column_int64(row, 8));
	assert_string_equal(found->label, (const char *)sqlite3_column_text(row, 9));
}

static void every_operation_is_drawn_once(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id = store_sample(&store, &sample_run);
	struct tp_text svg = draw(store, run_id, 0, &all, false);
	struct drawing drawing = read_drawing(tp_text_get(&svg));
	sqlite3_stmt *row;
	int rows = 0;
	assert_int_equal(
	        sqlite3_prepare_v2(tp_store_connection(store),
	                           "SELECT stage, kind, mini_batch, micro_batch, start_ns, end_ns, version_read, "
	                           "version_live, version_committed, CASE kind WHEN 'U' THEN '' WHEN 'F' THEN "
	                           "mini_batch || char(65 + micro_batch) ELSE mini_batch END FROM operation",
	                           -1, &row, NULL),
	        SQLITE_OK);
	for (; sqlite3_step(row) == SQLITE_ROW; rows++)
		expect_row(&drawing, row, 65);
	assert_int_equal(rows, SAMPLE_OPS);
	assert_int_equal(drawing.count, SAMPLE_OPS);
	assert_int_equal(drawing.lanes, SAMPLE_STAGES);
	(void)sqlite3_finalize(row);
	free(drawing.ops);
	tp_text_release(&svg);
	tp_store_close(store);
}

/* Stage 0 waits from 20 to 40; stage 1 from 0 to 10 and, when it is done, from 45 to 65. One message takes time. */
static void waits_and_messages_are_drawn(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id = store_sample(&store, &sample_run);
	struct tp_text svg = draw(store, run_id, 1, &all, false);
	const char *text = tp_text_get(&svg);
	expect_part(text, "fill: stage 1 waits from 0 for 10.0 ns");
	expect_part(text, "drain: stage 1 waits from 45.0 ns for 20.0 ns");
	expect_part(text, "sender: stage 0 waits from 20.0 ns for 18.0 ns");
	expect_part(text, "message: stage 0 waits from 38.0 ns for 1.00 ns");
	expect_part(text, "activation of mini-batch 1, stage 0 to 1: 1.00 ns on its way, 2048 bytes");
	assert_int_equal(count_of(text, "on its way, "), 1);
	assert_int_equal(count_of(text, " waits from "), 5); /* the last nanosecond of stage 0's gap is the host's */
	assert_int_equal(count_of(text, ">v1</text>"), 0);
	tp_text_release(&svg);
	svg = draw(store, run_id, 1, &(struct tp_timeline_request){.versions = true}, false);
	assert_int_equal(count_of(tp_text_get(&svg), ">v1</text>"), 2); /* mini-batch 1 is applied at two stages */
	tp_text_release(&svg);
	tp_store_close(store);
}

static void a_window_has_what_lies_in_it(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id = store_long(&store);
	struct tp_text svg = draw(store, run_id, 1, &(struct tp_timeline_request){1000, 1500, 0, false}, false);
	struct drawing drawing = read_drawing(tp_text_get(&svg));
	assert_int_equal(drawing.count, 500);
	assert_int_equal(drawing.ops[0].mini, 1001);
	assert_int_equal(drawing.ops[499].mini, 1500);
	expect_part(tp_text_get(&svg), "from 1.00 us to 1.50 us of 3.00 us.");
	free(drawing.ops);
	tp_text_release(&svg);
	tp_store_close(store);
}

static void too_many_operations_are_thinned_by_the_rule(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id = store_long(&store);
	struct tp_text svg = draw(store, run_id, 1, &(struct tp_timeline_request){.most_operations = 100}, false);
	struct drawing drawing = read_drawing(tp_text_get(&svg));
	assert_int_equal(drawing.count, 100);
	assert_int_equal(drawing.ops[99].mini, 100);
	expect_part(tp_text_get(&svg),
	            "100 operations from 0 to 100 ns of 3.00 us: the first of 3000, the others are left out");
	free(drawing.ops);
	tp_text_release(&svg);
	/* All of them: merged into a shape for each colour, which the picture says. */
	svg = draw(store, run_id, 1, &all, false);
	assert_int_equal(count_of(tp_text_get(&svg), "<g><title>"), 0);
	expect_part(tp_text_get(&svg), "shapes are merged");
	assert_true(count_of(tp_text_get(&svg), "<path") < 100);
	assert_int_equal(count_of(strstr(tp_text_get(&svg), "<g class=\"o\">"), "h0.5v"), OPERATIONS);
	tp_text_release(&svg);
	tp_store_close(store);
}

/* What the script is given is all there is, and nothing is fetched. */
static void the_page_part_holds_every_operation(void **state)
{
	(void)state;
	static const char begin[] = "<script type=\"application/json\">";
	struct tp_store *store;
	int64_t run_id = store_long(&store);
	struct tp_text html = draw(store, run_id, 0, &all, true);
	const char *json = strstr(tp_text_get(&html), begin);
	assert_non_null(json);
	json_t *root = json_loads(json + strlen(begin), JSON_DISABLE_EOF_CHECK, NULL);
	json_t *ops = json_object_get(root, "ops");
	assert_int_equal(json_array_size(ops), 9 * OPERATIONS);
	for (size_t i = 0; i < OPERATIONS; i++) {
		assert_int_equal(json_integer_value(json_array_get(ops, 9 * i + 2)), i + 1);
		assert_int_equal(json_integer_value(json_array_get(ops, 9 * i + 4)), i);
		assert_int_equal(json_integer_value(json_array_get(ops, 9 * i + 5)), 1);
	}
	json_decref(root);
	assert_int_equal(count_of(tp_text_get(&html), "http"),
	                 count_of(tp_text_get(&html), "http://www.w3.org/2000/svg"));
	assert_int_equal(count_of(tp_text_get(&html), "src="), 0);
	assert_int_equal(count_of(tp_text_get(&html), "</script>"), 2);
	tp_text_release(&html);
	tp_store_close(store);
}

static void names_cannot_break_it(void **state)
{
	(void)state;
	struct tp_store *store;
	struct tp_store_run run = sample_run;
	run.name = "</text></svg></figure><script>alert(1)</script>\"'&\x01\xff]]>";
	run.schedule = "<style>*{display:none}</style>";
	int64_t run_id = store_sample(&store, &run);
	for (int32_t epoch = 1; epoch <= 2; epoch++) { /* the second is not there, and says so */
		struct tp_text svg = draw(store, run_id, epoch, &all, false);
		struct tp_text html = draw(store, run_id, epoch, &all, true);
		assert_int_equal(count_of(tp_text_get(&svg), "alert(1)"), epoch == 1);
		assert_int_equal(count_of(tp_text_get(&svg), "<script>alert"), 0);
		assert_int_equal(count_of(tp_text_get(&html), "<script>alert"), 0);
		assert_int_equal(count_of(tp_text_get(&html), "<style>*"), 0);
		expect_part(tp_text_get(&html), "&lt;script&gt;alert(1)");
		tp_text_release(&svg);
		tp_text_release(&html);
	}
	tp_store_close(store);
}

static void what_is_not_there_is_said(void **state)
{
	(void)state;
	struct tp_store *store;
	struct tp_timeline *timeline;
	int64_t run_id = store_sample(&store, &sample_run), empty_id;
	assert_ok(tp_store_begin_run(store, &sample_run, &empty_id));
	struct tp_text svg = draw(store, empty_id, 0, &all, false);
	expect_part(tp_text_get(&svg), "Run 2 has no records of operations");
	tp_text_release(&svg);
	svg = draw(store, run_id, 7, &all, true);
	expect_part(tp_text_get(&svg), "Epoch 7 of run 1 has no records of operations");
	assert_null(strstr(tp_text_get(&svg), "<script"));
	tp_text_release(&svg);
	svg = draw(store, run_id, 1, &(struct tp_timeline_request){.from_ns = 65}, false);
	expect_part(tp_text_get(&svg), "which takes 65.0 ns, has no operations in the window");
	tp_text_release(&svg);
	assert_fails(tp_timeline_read(store, 9, 0, &all, &timeline), TP_ERR_INPUT);
	assert_null(timeline);
	assert_fails(tp_timeline_read(store, run_id, 0, &(struct tp_timeline_request){5, 5, 0, false}, &timeline),
	             TP_ERR_INPUT);
	tp_store_close(store);
}

/* An epoch that was cut off has operations and no row: its window is theirs. */
static void an_epoch_without_its_row_is_drawn(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id;
	assert_ok(tp_store_open_memory(&store));
	assert_ok(tp_store_begin_run(store, &sample_run, &run_id));
	const struct tp_record_batch batch = {TP_RECORD_OP, 1, 1, 0, 5, sample_ops + 4};
	assert_ok(tp_store_add_records(store, run_id, &batch));
	struct tp_text svg = draw(store, run_id, 0, &all, false);
	struct drawing drawing = read_drawing(tp_text_get(&svg));
	assert_int_equal(drawing.count, 5);
	assert_true(fabs(drawing.ops[0].x - drawing.left) < 0.011);
	free(drawing.ops);
	tp_text_release(&svg);
	tp_store_close(store);
}

static void memory_may_run_out(void **state)
{
	(void)state;
	struct tp_store *store;
	int64_t run_id = store_sample(&store, &sample_run);
	enum tp_status status = TP_ERR_NOMEM;
	for (int64_t successes = 0; status != TP_OK; successes++) {
		struct tp_timeline *timeline;
		struct tp_text svg = {0}, html = {0};
		tp_alloc_fail_after(successes);
		status = tp_timeline_read(store, run_id, 0, &all, &timeline);
		if (status == TP_OK)
			status = tp_timeline_write_svg(timeline, &svg);
		if (status == TP_OK)
			status = tp_timeline_write_html(timeline, &html);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_OK || status == TP_ERR_NOMEM);
		assert_true(successes < 100);
		tp_timeline_free(timeline);
		tp_text_release(&svg);
		tp_text_release(&html);
	}
	tp_store_close(store);
}

/* Another program's opinion, where there is one. */
static void xmllint_takes_it(void **state)
{
	(void)state;
	struct tp_store *store;
	if (system("command -v xmllint >/dev/null 2>&1") != 0) {
		print_message("xmllint is missing: scripts/install-packages.sh\n");
		skip();
	}
	int64_t run_id = store_sample(&store, &sample_run);
	struct tp_text svg = draw(store, run_id, 0, &(struct tp_timeline_request){.versions = true}, false);
	FILE *lint = popen("xmllint --noout -", "w");
	assert_non_null(lint);
	assert_int_equal(fwrite(svg.data, 1, svg.length, lint), svg.length);
	assert_int_equal(pclose(lint), 0);
	tp_text_release(&svg);
	tp_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_operation_is_drawn_once),
	        cmocka_unit_test(waits_and_messages_are_drawn),
	        cmocka_unit_test(a_window_has_what_lies_in_it),
	        cmocka_unit_test(too_many_operations_are_thinned_by_the_rule),
	        cmocka_unit_test(the_page_part_holds_every_operation),
	        cmocka_unit_test(names_cannot_break_it),
	        cmocka_unit_test(what_is_not_there_is_said),
	        cmocka_unit_test(an_epoch_without_its_row_is_drawn),
	        cmocka_unit_test(memory_may_run_out),
	        cmocka_unit_test(xmllint_takes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
