/* What reports say of links, bounds and predictions, held against the database and against itself; and that they fit a
 * terminal. Mostly under the virtual clock, whose numbers are the same each time. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/cli/harness.h"

/* 12 mini-batches of 4 samples, on 3 stages. */
#define SMALL                                                                                                    \
	"--device reference --model mlp --hidden 8 --stages 3 --micro-batches 2 --batch 4 --synthetic-train 48 " \
	"--synthetic-test 4"
#define VIRTUAL " --clock virtual --costs uniform:1ms,1ms,1ms"
#define LINKED " --link 1mbit,50us"
enum { STAGES = 3, MICROS = 2, MINIS = 12 };

static int begin(void **state)
{
	(void)state;
	cli_remove_database();
	return 0;
}

static int64_t query(const char *sql)
{
	return cli_query("tpbench.db", sql);
}

static json_t *schedule_at(json_t *root, size_t i)
{
	return json_array_get(json_object_get(root, "schedules"), i);
}

static json_t *epoch_of_run(json_t *root, size_t i)
{
	json_t *run = json_array_get(json_object_get(root, "runs"), i);
	return json_array_get(json_object_get(run, "epochs"), 0);
}

static double number_at(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	if (!json_is_number(value))
		fail_msg("expected the number %s", key);
	return json_number_value(value);
}

static bool is_null(json_t *object, const char *key)
{
	return json_is_null(json_object_get(object, key));
}

static void expect_narrow(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	for (const char *line = result.out; *line;) {
		size_t length = strcspn(line, "\n");
		if (length > 120)
			fail_msg("tpbench %s: %zu columns: %.*s", arguments, length, (int)length, line);
		line += length + (line[length] == '\n');
	}
	cli_release(&result);
}

static void reports_fit_a_terminal(void **state)
{
	(void)state;
	expect_narrow("run " SMALL VIRTUAL LINKED " --max-staleness 1");
	expect_narrow("run " SMALL " --in-flight 6");
	expect_narrow("--compare sequential,gpipe,pipedream,pipedream-vsync,timeprest,timeprest-stash,timeprest-1f1b,"
	              "1f1b,v-timeprest,i-timeprest,zb-h1 " SMALL " --repeats 1");
	expect_narrow("--compare pipedream-vsync,timeprest " SMALL VIRTUAL LINKED " --max-staleness 1 --repeats 1");
}

/* Volumes: those of the messages stored, and the paper's by their definition. */
static void volumes_are_those_of_the_messages(void **state)
{
	(void)state;
	json_t *root = cli_run_json("run --schedule timeprest " SMALL VIRTUAL LINKED " --json");
	json_t *communication = json_object_get(epoch_of_run(root, 0), "communication");
	json_t *boundaries = json_object_get(communication, "boundaries");
	double activations = 0;
	assert_int_equal(json_array_size(boundaries), STAGES - 1);
	for (size_t b = 0; b < STAGES - 1; b++) {
		json_t *down = json_object_get(json_array_get(boundaries, b), "down");
		json_t *up = json_object_get(json_array_get(boundaries, b), "up");
		assert_true(number_at(down, "messages_per_mini_batch") == MICROS);
		assert_true(number_at(up, "messages_per_mini_batch") == 1);
		assert_true(number_at(down, "messages") == MICROS * MINIS);
		assert_true(number_at(up, "bytes") == number_at(up, "bytes_per_mini_batch") * MINIS);
		char sql[96];
		(void)snprintf(sql, sizeof sql,
		               "select sum(message_bytes) from message where from_stage = %zu and to_stage = %zu", b,
		               b + 1);
		assert_true(number_at(down, "bytes") == (double)query(sql));
		activations += number_at(down, "bytes_per_mini_batch") / MICROS;
	}
	assert_true(number_at(communication, "bytes_per_mini_batch") * MINIS ==
	            (double)query("select sum(message_bytes) from message"));
	assert_true(number_at(communication, "naive_bytes_per_mini_batch") == 2 * MICROS * activations);
	assert_true(number_at(communication, "timeprest_bytes_per_mini_batch") == (MICROS + 1) * activations);
	json_decref(root);
}

static void check_parts_of_the_window(json_t *epoch)
{
	json_t *stages = json_object_get(epoch, "stages"), *stage, *idle;
	const char *cause;
	size_t s;
	assert_int_equal(json_array_size(stages), STAGES);
	json_array_foreach(stages, s, stage)
	{
		double sum = number_at(stage, "compute_ns");
		json_object_foreach(json_object_get(stage, "idle_ns"), cause, idle) sum += json_number_value(idle);
		assert_true(sum == number_at(epoch, "window_ns"));
		assert_true(number_at(stage, "overlap_ns") + number_at(stage, "exposed_ns") ==
		            number_at(stage, "transfer_ns"));
	}
}

/* A bound that only one of the schedules has: its share is charged to that one, and v is predicted for the other alone.
 */
static void a_bound_is_said_where_it_is(void **state)
{
	(void)state;
	json_t *root = cli_run_json("--compare pipedream,timeprest " SMALL VIRTUAL LINKED
	                            " --max-staleness 1 --repeats 1 --json");
	json_t *free_one = schedule_at(root, 0), *bounded = schedule_at(root, 1);
	assert_true(is_null(free_one, "staleness_idle_total_ratio"));
	assert_true(number_at(bounded, "staleness_idle_total_ratio") > 0);
	assert_true(number_at(bounded, "staleness_idle_total_ratio") < number_at(bounded, "idle_total_ratio"));
	assert_true(number_at(free_one, "version_difference_exact") == 2); /* W = 3, N = 1: Eq. 3 says nothing */
	assert_true(is_null(free_one, "version_difference_paper"));
	assert_true(is_null(bounded, "version_difference_exact") && is_null(bounded, "version_difference_paper"));
	assert_true(number_at(bounded, "alpha_ratio") > 0 && number_at(bounded, "exposed_ns") > 0);
	check_parts_of_the_window(epoch_of_run(root, 0));
	check_parts_of_the_window(epoch_of_run(root, 1));
	assert_int_equal(query("select count(*) from version_difference join run using (run_id) where schedule = "
	                       "'timeprest' and exact_prediction_count is not null"),
	                 0);
	assert_int_equal(query("select count(*) from version_difference join run using (run_id) where schedule = "
	                       "'pipedream' and exact_prediction_count = 2"),
	                 MINIS);
	json_decref(root);
	begin(state);
	struct cli_result text =
	        cli_run("--compare pipedream,timeprest " SMALL VIRTUAL " --max-staleness 1 --repeats 1");
	cli_expect_part(text.out, "staleness bound");
	cli_expect_part(text.out, "TIME IS MODELLED");
	cli_release(&text);
}

static void predictions_hold_for_some(void **state)
{
	(void)state;
	json_t *root = cli_run_json("--compare timeprest,gpipe " SMALL VIRTUAL " --repeats 1 --json");
	assert_true(number_at(schedule_at(root, 0), "version_difference_paper") == 1);
	assert_true(number_at(schedule_at(root, 0), "version_difference_exact") == 1);
	assert_true(is_null(schedule_at(root, 1), "version_difference_exact"));
	assert_true(is_null(schedule_at(root, 0), "predicted_median_ns")); /* it is the prediction */
	assert_true(is_null(schedule_at(root, 0), "alpha_ratio"));         /* messages change hands */
	json_decref(root);
	root = cli_run_json("run --schedule timeprest " SMALL " --in-flight 6 --json");
	assert_true(is_null(schedule_at(root, 0), "version_difference_exact"));
	double predicted = number_at(schedule_at(root, 0), "predicted_median_ns");
	assert_true(predicted == (double)query("select predicted_ns from prediction order by run_id desc"));
	double differs = (number_at(epoch_of_run(root, 0), "window_ns") - predicted) / predicted;
	assert_true(number_at(schedule_at(root, 0), "difference_ratio") > differs - 1e-9);
	assert_true(number_at(schedule_at(root, 0), "difference_ratio") < differs + 1e-9);
	json_decref(root);
}

/* One definition of the paper's volumes, also for a schedule that ignores --micro-batches. */
static void a_plan_has_the_volumes_of_its_run(void **state)
{
	(void)state;
	static const char *const names[] = {"pipedream", "timeprest"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char arguments[512];
		(void)snprintf(arguments, sizeof arguments, "plan --schedule %s " SMALL " --json", names[i]);
		json_t *plan = cli_run_json(arguments);
		(void)snprintf(arguments, sizeof arguments, "run --schedule %s " SMALL " --json", names[i]);
		json_t *root = cli_run_json(arguments);
		json_t *communication = json_object_get(epoch_of_run(root, 0), "communication");
		assert_true(number_at(plan, "paper_naive_bytes") ==
		            number_at(communication, "naive_bytes_per_mini_batch"));
		assert_true(number_at(plan, "paper_nf1b_bytes") ==
		            number_at(communication, "timeprest_bytes_per_mini_batch"));
		json_decref(root);
		json_decref(plan);
	}
}

/* Without records nothing is known of versions, which is not the same as none. */
static void what_was_not_recorded_is_not_zero(void **state)
{
	(void)state;
	json_t *root = cli_run_json("run --schedule timeprest " SMALL " --profile off --json");
	assert_true(is_null(schedule_at(root, 0), "version_difference_max"));
	assert_int_equal(json_array_size(json_object_get(schedule_at(root, 0), "versions_alive_max")), 0);
	json_decref(root);
	root = cli_run_json("sweep --schedule timeprest " SMALL " --profile off --json");
	json_t *point = json_array_get(json_object_get(root, "points"), 0);
	assert_true(is_null(point, "version_difference_max") && is_null(point, "idle_share_of_total"));
	assert_true(number_at(point, "stages_peak_bytes") > 0); /* counted all the same */
	json_decref(root);
}

/* Training loss and test loss of a row are of the same runs. In dynamic order under the real clock runs read other
 * versions each time, so that their losses differ. */
static void losses_are_means_over_the_runs(void **state)
{
	(void)state;
	struct cli_result text = cli_run("--compare timeprest " SMALL " --lr 0.02 --repeats 5");
	const char *row = strstr(text.out, "\nlearning");
	row = row ? strstr(row, "\ntimeprest") : NULL;
	assert_non_null(row);
	double printed = strtod(row + strlen("\ntimeprest"), NULL);
	double mean = (double)query("select avg(train_loss) * 1e6 from epoch") * 1e-6;
	assert_true(printed > mean - 1e-4 && printed < mean + 1e-4);
	cli_release(&text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(reports_fit_a_terminal, begin),
	        cmocka_unit_test_setup(volumes_are_those_of_the_messages, begin),
	        cmocka_unit_test_setup(a_bound_is_said_where_it_is, begin),
	        cmocka_unit_test_setup(predictions_hold_for_some, begin),
	        cmocka_unit_test_setup(a_plan_has_the_volumes_of_its_run, begin),
	        cmocka_unit_test_setup(what_was_not_recorded_is_not_zero, begin),
	        cmocka_unit_test_setup(losses_are_means_over_the_runs, begin),
	};
	if (argc != 2)
		return 1;
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
