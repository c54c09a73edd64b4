/* What needs no training: simulate with costs and links, theory, plan. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/cli/harness.h"

#define SMALL "--device reference --model mlp --hidden 8 --batch 12 --synthetic-train 48 --synthetic-test 4"

static json_int_t integer_of(json_t *root, const char *key)
{
	json_t *value = json_object_get(root, key);
	if (!json_is_integer(value))
		fail_msg("expected an integer '%s'", key);
	return json_integer_value(value);
}

/* --- simulate -------------------------------------------------------------------------------------------------------
 */

/* Two stages of gpipe, two micro-batches, forward 1 ms, backward 2 ms: F F . . B B and . F F B B . with B twice as long
 * give 1 + 1 + 1 + 2 + 2 + 2 ms; each message takes 1 ms more each way where the link does. */
static void simulated_times_are_those_of_the_costs(void **state)
{
	(void)state;
	json_t *root =
	        cli_run_json("simulate gpipe --stages 2 --micro-batches 2 --mini-batches 1 --costs uniform:1ms,2ms "
	                     "--format json");
	assert_string_equal(json_string_value(json_object_get(root, "time_unit")), "ns");
	assert_int_equal(integer_of(root, "makespan_ns"), 9000000);
	json_decref(root);
	root = cli_run_json(
	        "simulate gpipe --stages 2 --micro-batches 2 --mini-batches 1 --costs uniform:1ms,2ms --link "
	        "inf,1ms --message 1kB --format json");
	assert_int_equal(integer_of(root, "makespan_ns"), 11000000);
	json_decref(root);
	/* 1 kB at 8 mbit/s takes 1 ms on the link, too, and the second message follows the first without a gap. */
	root = cli_run_json(
	        "simulate gpipe --stages 2 --micro-batches 2 --mini-batches 1 --costs uniform:1ms,2ms --link "
	        "8mbit,0 --message 1kB --format json");
	assert_int_equal(integer_of(root, "makespan_ns"), 11000000);
	json_decref(root);
}

static void every_operation_is_listed_once(void **state)
{
	(void)state;
	json_t *root = cli_run_json("simulate zb-h1 --stages 3 --micro-batches 4 --mini-batches 2 --format json --ops");
	json_t *operations = json_object_get(root, "per_operation"), *row;
	size_t index;
	int kinds[3] = {0};
	assert_int_equal(json_array_size(operations), integer_of(root, "operations"));
	json_array_foreach(operations, index, row)
	{
		const char *kind = json_string_value(json_object_get(row, "operation"));
		kinds[strcmp(kind, "F") == 0 ? 0 : strcmp(kind, "BX") == 0 ? 1 : 2]++;
	}
	for (int k = 0; k < 3; k++)
		assert_int_equal(kinds[k], 3 * 4 * 2);
	json_decref(root);
}

/* Costs written and read again give the same times; for other stages they are refused, by file. */
static void costs_are_kept_in_files(void **state)
{
	(void)state;
	json_t *first =
	        cli_run_json("simulate timeprest --stages 2 " SMALL " --costs flops:2gflops --save-costs costs.csv "
	                     "--order dynamic --format json");
	json_t *second = cli_run_json("simulate timeprest --stages 2 --costs costs.csv --order dynamic --format json");
	assert_int_equal(integer_of(first, "makespan_ns"), integer_of(second, "makespan_ns"));
	assert_true(integer_of(first, "makespan_ns") > 0);
	json_decref(first);
	json_decref(second);
	cli_expect_refusal("simulate timeprest --stages 3 --costs costs.csv", "costs.csv", "stage 2");
	cli_expect_refusal("simulate timeprest --stages 1 --costs costs.csv", "costs.csv: line", "stage");
	cli_expect_refusal("simulate gpipe --stages 2 --costs costs.csv", "costs.csv: line", "micro_batch");
}

/* A worker of half the speed takes twice as long, and saved costs are those of this machine. */
static void workers_have_speeds(void **state)
{
	(void)state;
	static const char cluster[] = "worker name=a speed=0.5\nworker name=b speed=0.5\n";
	cli_write_file("slow.cluster", cluster, sizeof cluster - 1);
	json_t *root =
	        cli_run_json("simulate gpipe --micro-batches 2 --mini-batches 1 --costs uniform:1ms,2ms --cluster "
	                     "slow.cluster --message 1kB --save-costs slow.csv --format json");
	assert_int_equal(integer_of(root, "stages"), 2); /* as many as the cluster's workers */
	assert_int_equal(integer_of(root, "makespan_ns"), 18000000);
	json_decref(root);
	root = cli_run_json(
	        "simulate gpipe --stages 2 --micro-batches 2 --mini-batches 1 --costs slow.csv --format json");
	assert_int_equal(integer_of(root, "makespan_ns"), 9000000);
	json_decref(root);
}

/* The same picture to standard output and into a file, which is there only when it is whole. */
static void a_schedule_is_drawn(void **state)
{
	(void)state;
	static const char to_output[] = "simulate timeprest --stages 2 --micro-batches 2 --mini-batches 3 --format svg",
	                  to_file[] = "simulate timeprest --stages 2 --micro-batches 2 --mini-batches 3 --format svg "
	                              "--out drawn.svg",
	                  page[] = "simulate gpipe --stages 2 --costs uniform:1ms,2ms --link inf,1ms --message 1kB "
	                           "--format html --versions",
	                  nowhere[] = "simulate --format svg --out nowhere/drawn.svg";
	struct cli_result output = cli_run(to_output);
	cli_expect_exit(&output, to_output, 0);
	cli_expect_part(output.out, "<svg xmlns=");
	cli_expect_part(output.out, "timeprest, W = 2, N = 2, ideal slots");
	struct cli_result result = cli_run(to_file);
	cli_expect_exit(&result, to_file, 0);
	assert_string_equal(result.out, "");
	FILE *file = fopen("drawn.svg", "r");
	assert_non_null(file);
	for (const char *c = output.out; *c; c++)
		assert_int_equal(fgetc(file), (unsigned char)*c);
	assert_int_equal(fgetc(file), EOF);
	(void)fclose(file);
	cli_release(&result);
	cli_release(&output);
	result = cli_run(page);
	cli_expect_exit(&result, page, 0);
	cli_expect_part(result.out, "<!DOCTYPE html>");
	cli_expect_part(result.out, "Virtual clock: time is modelled.");
	cli_release(&result);
	result = cli_run(nowhere);
	cli_expect_exit(&result, nowhere, 1);
	cli_expect_part(result.err, "--out nowhere/drawn.svg");
	cli_release(&result);
	cli_expect_refusal("simulate --out drawn.svg", "--out", "svg or html");
	cli_expect_refusal("simulate --versions", "--versions", "svg or html");
	cli_expect_refusal("verify --format svg", "--format", "svg");
}

static void what_cannot_be_simulated_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("simulate --costs uniform:1ms,2ms --format grid", "--format grid", "slots");
	cli_expect_refusal("simulate --ops", "--ops", "json");
	cli_expect_refusal("simulate --save-costs f.csv", "--save-costs", "--costs");
	cli_expect_refusal("simulate --costs uniform:1ms", "uniform", "1ms,2ms");
	cli_expect_refusal("simulate --costs nothing.csv", "nothing.csv", "uniform:F,B");
	cli_expect_refusal("simulate gpipe --mini-batches 3000000 --costs uniform:1200s,1200s", "--costs", "292 years");
	cli_expect_refusal("simulate gpipe --mini-batches 3000000 --costs uniform:1s,1s --link 8bit --message 1GB",
	                   "--link", "292 years");
	cli_expect_refusal("simulate --micro-batches 1000 --costs uniform:1s,3600s", "uniform", "an hour");
	cli_expect_refusal("simulate --stages 2 --costs flops:0gflops", "flops", "0gflops");
	cli_expect_refusal("simulate --stages 65536 --micro-batches 1000000", "--stages, --micro-batches", "65536");
	cli_expect_refusal("simulate --stages 20 --costs flops", "20", "14"); /* vgg16 has 14 blocks */
	cli_expect_refusal("simulate pipedream-2bw --stages 4 --micro-batches 3", "pipedream-2bw", "--stages (4)");
	cli_expect_refusal("simulate --cluster paper-a --stages 3", "paper-a", "(3)");
	cli_expect_refusal("simulate --cluster paper-x", "paper-x", "paper-a");
}

/* --- theory ---------------------------------------------------------------------------------------------------------
 */

static void theory_agrees_with_the_simulator(void **state)
{
	(void)state;
	struct cli_result result = cli_run("theory --stages 2..40 --micro-batches 1..16 --format csv");
	cli_expect_exit(&result, "theory", 0);
	char *line = strtok(result.out, "\n");
	assert_string_equal(line, "W,N,v_paper,v_exact,v_simulated,chains");
	int rows = 0;
	for (line = strtok(NULL, "\n"); line; line = strtok(NULL, "\n"), rows++) {
		int w, n, paper = 0, exact, simulated, chains;
		if (sscanf(line, "%d,%d,%d,%d,%d,%d", &w, &n, &paper, &exact, &simulated, &chains) != 6)
			assert_int_equal(sscanf(line, "%d,%d,,%d,%d,%d", &w, &n, &exact, &simulated, &chains), 5);
		assert_int_equal(w, 2 + rows / 16);
		assert_int_equal(n, 1 + rows % 16);
		assert_int_equal(exact, (w + n) / (n + 1)); /* ceil(W / (N + 1)) */
		assert_int_equal(simulated, exact);
		assert_int_equal(chains, exact);
		if (n >= 2)
			assert_int_equal(paper, (w + n - 2) / n);
	}
	assert_int_equal(rows, 39 * 16);
	cli_release(&result);
}

static void theory_under_costs_has_more_columns(void **state)
{
	(void)state;
	struct cli_result result = cli_run("theory --stages 2 --micro-batches 3 --costs uniform:1ms,2ms --format csv");
	int w, n, paper, exact, simulated, chains, timed;
	double mean, estimate;
	cli_expect_exit(&result, "theory --costs", 0);
	cli_expect_part(result.out, "v_timed,v_timed_mean,v_mean_estimate");
	assert_int_equal(sscanf(strchr(result.out, '\n'), "\n%d,%d,%d,%d,%d,%d,%d,%lf,%lf", &w, &n, &paper, &exact,
	                        &simulated, &chains, &timed, &mean, &estimate),
	                 9);
	assert_int_equal(timed, 2); /* the limit W, although slots give 1 */
	assert_true(mean > 1 && mean <= 2);
	assert_true(estimate > 1.3 && estimate < 1.4); /* (2 x 6 ms) / 9 ms */
	cli_release(&result);
	cli_expect_refusal("theory --stages 5..2", "--stages", "5..2");
	cli_expect_refusal("theory --stages 2..", "--stages", "whole number");
	cli_expect_refusal("theory --micro-batches x", "--micro-batches", "x");
}

/* --- plan -----------------------------------------------------------------------------------------------------------
 */

static void plan_describes_and_trains_nothing(void **state)
{
	(void)state;
	json_t *root = cli_run_json("plan timeprest --stages 2 --micro-batches 3 " SMALL " --costs flops --json");
	json_t *stages = json_object_get(root, "per_stage"), *stage;
	size_t index;
	assert_int_equal(json_array_size(stages), 2);
	assert_int_equal(integer_of(root, "mini_batches_per_epoch"), 4);
	json_array_foreach(stages, index, stage)
	{
		json_t *kinds = json_object_get(stage, "reserved_bytes"), *bytes;
		const char *kind;
		json_int_t total = 0;
		json_object_foreach(kinds, kind, bytes) total += json_integer_value(bytes);
		assert_int_equal(total, integer_of(stage, "reserved_total_bytes"));
		assert_true(total > 0);
	}
	/* 8 values of 8 bytes, 12 samples, each way */
	json_t *boundary = json_array_get(json_object_get(root, "per_boundary_and_mini_batch"), 0);
	assert_int_equal(integer_of(boundary, "down_messages"), 3);
	assert_int_equal(integer_of(boundary, "up_messages"), 1);
	assert_int_equal(integer_of(boundary, "down_bytes"), 8 * 8 * 12);
	assert_int_equal(integer_of(boundary, "up_bytes"), 8 * 8 * 12);
	assert_true(integer_of(root, "predicted_epoch_ns") > 0);
	json_decref(root);
	assert_int_equal(cli_query("tpbench.db", "SELECT count(*) FROM run"), -1); /* no database was made */
}

static void plan_refuses_what_a_run_refuses(void **state)
{
	(void)state;
	static const char tiny[] = "worker name=big\nworker name=small memory=1kB\n";
	cli_write_file("tiny.cluster", tiny, sizeof tiny - 1);
	cli_expect_refusal("plan " SMALL " --stages 5 --costs flops", "5", "4");
	cli_expect_refusal("plan " SMALL " --stages 2 --micro-batches 13 --costs flops", "--micro-batches", "12");
	cli_expect_refusal("plan gpipe " SMALL " --stages 2 --max-staleness 1 --costs flops", "--max-staleness",
	                   "gpipe");
	cli_expect_refusal("plan " SMALL " --cluster tiny.cluster --costs flops", "'small'", "activations");
}

static int begin(void **state)
{
	(void)state;
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(simulated_times_are_those_of_the_costs),
	        cmocka_unit_test(every_operation_is_listed_once),
	        cmocka_unit_test(costs_are_kept_in_files),
	        cmocka_unit_test(workers_have_speeds),
	        cmocka_unit_test(a_schedule_is_drawn),
	        cmocka_unit_test(what_cannot_be_simulated_is_refused),
	        cmocka_unit_test(theory_agrees_with_the_simulator),
	        cmocka_unit_test(theory_under_costs_has_more_columns),
	        cmocka_unit_test(plan_describes_and_trains_nothing),
	        cmocka_unit_test(plan_refuses_what_a_run_refuses),
	};
	if (argc < 2) {
		fprintf(stderr, "usage: %s TPBENCH\n", argv[0]);
		return 2;
	}
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, begin, NULL);
	cli_leave_folder();
	return failed;
}
