/* Training through the command line, on the reference and null devices: what is printed, what is stored, how runs end.
 * argv[1] is the built tpbench. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/cli/harness.h"

#define SMALL                                                                                                    \
	"--device reference --model mlp --hidden 8 --stages 2 --micro-batches 2 --batch 4 --synthetic-train 12 " \
	"--synthetic-test 4"

/* Each test has a database of its own. */
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

/* Runs and expects success; the result is to be released. */
static struct cli_result run_well(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	return result;
}

static void expect_well(const char *arguments)
{
	struct cli_result result = run_well(arguments);
	cli_release(&result);
}

static void comparison_is_printed_and_stored(void **state)
{
	(void)state;
	struct cli_result result = run_well("--compare gpipe,timeprest " SMALL
	                                    " --repeats 2 --name trial --note remark --epochs 3 --epochs 2");
	cli_expect_part(result.out, "gpipe");
	cli_expect_part(result.out, "timeprest");
	cli_expect_part(result.out, "tpbench.db");
	assert_string_equal(result.err, ""); /* no terminal, no progress */
	cli_release(&result);
	assert_int_equal(query("select count(*) from run"), 4); /* the warm-up is not stored */
	assert_int_equal(query("select count(*) from run_end where ending = 'done'"), 4);
	assert_int_equal(query("select group_concat(schedule || repeat_number) = "
	                       "'gpipe1,timeprest1,gpipe2,timeprest2' from (select * from run order by run_id)"),
	                 1);
	assert_int_equal(query("select count(distinct comparison) from run where comparison <> ''"), 1);
	assert_int_equal(query("select count(*) from run where name = 'trial' and note = 'remark'"), 4);
	assert_int_equal(query("select count(*) from epoch"), 4 * 2);
	/* 3 mini-batches of 2 micro-batches on 2 stages: gpipe 2 F + 2 B + U, timeprest 2 F + B + U */
	assert_int_equal(query("select count(*) from operation"), 2 * 2 * 3 * 2 * (5 + 4));
	assert_int_equal(query("select count(*) from run_parameter where name = 'batch' and value = '4'"), 4);
	assert_int_equal(query("select count(*) from run_parameter where name = 'repeats' and value = '2'"), 4);
	assert_int_equal(query("select count(*) from environment where name = 'jansson_version'"), 4);
}

static void json_is_one_object_and_nothing_else(void **state)
{
	(void)state;
	static const char *const commands[] = {
	        "--compare gpipe,pipedream,timeprest " SMALL " --repeats 2 --json",
	        "run " SMALL " --json",
	        "run " SMALL " --json --lr 1000000 --epochs 3", /* diverges: no NaN in JSON */
	        "run " SMALL " --json --profile off",
	        "run " SMALL " --json --device null",
	        "run " SMALL " --json --epochs 0",
	};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		json_decref(cli_run_json(commands[i]));
}

static void odd_shapes_work(void **state)
{
	(void)state;
	expect_well("--compare sequential,gpipe,pipedream,timeprest " SMALL " --stages 1 --repeats 1");
	expect_well("--compare gpipe,pipedream,timeprest " SMALL " --micro-batches 1 --repeats 1");
	expect_well("--compare gpipe,pipedream,timeprest " SMALL " --batch 5 --micro-batches 3 --repeats 1");
	expect_well("--compare gpipe,pipedream,timeprest " SMALL " --mini-batches 1 --stages 4 --repeats 1");
	expect_well("--compare gpipe,pipedream,timeprest " SMALL " --device null --repeats 1 --warm-up 0");
	expect_well("--compare gpipe,timeprest " SMALL " --backward-version latest --repeats 1");
	assert_int_equal(query("select count(*) from run_end where ending = 'done'"), 4 + 3 + 3 + 3 + 3 + 2);
	/* 12 samples in mini-batches of 5 leave 2 */
	assert_int_equal(query("select count(*) from run where dropped_per_epoch_samples = 2"), 3);
}

/* Static order: same seed, same losses, to the bit; another seed, others. */
static void static_order_repeats_itself(void **state)
{
	(void)state;
	expect_well("run " SMALL " --order static --epochs 2 --repeats 3");
	assert_int_equal(query("select count(*) from run"), 3);
	assert_int_equal(query("select count(distinct train_loss) from epoch where epoch = 2"), 1);
	expect_well("run " SMALL " --order static --epochs 2 --seed 2");
	assert_int_equal(query("select count(distinct train_loss) from epoch where epoch = 2"), 2);
}

/* A run of no epochs ends with the weights it was given, or with those of its seed. */
static void weights_are_saved_and_loaded(void **state)
{
	(void)state;
	expect_well("run " SMALL " --seed 7 --epochs 0 --save-weights first.safetensors");
	assert_int_not_equal(access("tpbench.db", F_OK), 0); /* nothing trained, nothing stored */
	expect_well("run " SMALL
	            " --seed 8 --epochs 0 --load-weights first.safetensors --save-weights second.safetensors");
	struct cli_result same = run_well("run " SMALL " --seed 8 --epochs 0 --save-weights third.safetensors");
	cli_expect_part(same.out, "third.safetensors");
	cli_release(&same);
	assert_int_equal(system("cmp -s first.safetensors second.safetensors"), 0);
	assert_int_not_equal(system("cmp -s first.safetensors third.safetensors"), 0);
	expect_well("run " SMALL " --load-weights first.safetensors --save-weights trained.safetensors");
	assert_int_not_equal(system("cmp -s first.safetensors trained.safetensors"), 0);
}

static void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&time, NULL);
}

/* Start a run that would go on for long, signal it when its first epoch is stored. */
static void end_by_signal(int number)
{
	const char *arguments = "run " SMALL " --epochs 100000 --name endless";
	pid_t child = cli_start(arguments);
	int patience = 600; /* a minute: the timeout of the test is longer */
	while (query("select count(*) from epoch") < 1 && patience-- > 0)
		sleep_ms(100);
	assert_true(patience > 0);
	assert_int_equal(kill(child, number), 0);
	struct cli_result result = cli_finish(child);
	cli_expect_exit(&result, arguments, 1);
	cli_expect_part(result.err, "tpbench: interrupted");
	cli_expect_part(result.err, "tpbench.db");
	assert_string_equal(result.out, "");
	cli_release(&result);
	assert_int_equal(query("select count(*) from run_end where ending = 'interrupted'"), 1);
	assert_int_equal(query("select count(*) from run"), 1);
	assert_true(query("select count(*) from epoch") >= 1);
}

static void ctrl_c_keeps_what_is_there(void **state)
{
	(void)state;
	end_by_signal(SIGINT);
}

static void sigterm_ends_cleanly_too(void **state)
{
	(void)state;
	end_by_signal(SIGTERM);
}

/* No file may grow beyond a megabyte: the run fails with the reason, the database opens and holds what came before. */
static void full_disk_ends_the_run(void **state)
{
	(void)state;
	const char *arguments = "run " SMALL " --epochs 100000";
	struct cli_result result = cli_run_limited(arguments, 1 << 20);
	cli_expect_exit(&result, arguments, 1);
	cli_expect_part(result.err, "tpbench: ");
	cli_expect_part(result.err, "tpbench.db");
	cli_release(&result);
	assert_int_equal(query("select count(*) from pragma_integrity_check where integrity_check = 'ok'"), 1);
	assert_int_equal(query("select count(*) from run"), 1);
	assert_true(query("select count(*) from epoch") >= 1);
	assert_int_equal(query("select count(*) from run_end where ending = 'done'"), 0);
}

static void runs_are_added(void **state)
{
	(void)state;
	expect_well("run " SMALL);
	expect_well("run pipedream " SMALL);
	assert_int_equal(query("select count(*) from run"), 2);
	expect_well("run " SMALL " --db other.db");
	assert_int_equal(query("select count(*) from run"), 2);
	assert_int_equal(cli_query("other.db", "select count(*) from run"), 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s TPBENCH\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(comparison_is_printed_and_stored, begin),
	        cmocka_unit_test_setup(json_is_one_object_and_nothing_else, begin),
	        cmocka_unit_test_setup(odd_shapes_work, begin),
	        cmocka_unit_test_setup(static_order_repeats_itself, begin),
	        cmocka_unit_test_setup(weights_are_saved_and_loaded, begin),
	        cmocka_unit_test_setup(ctrl_c_keeps_what_is_there, begin),
	        cmocka_unit_test_setup(sigterm_ends_cleanly_too, begin),
	        cmocka_unit_test_setup(full_disk_ends_the_run, begin),
	        cmocka_unit_test_setup(runs_are_added, begin),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
