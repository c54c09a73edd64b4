/* The command line without training: help, names, numbers, the simulator. argv[1] is the built tpbench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/commands.h"
#include "tests/cli/harness.h"

static const char *const command_names[] = {"compare", "run",    "sweep",  "plan",   "simulate",
                                            "verify",  "theory", "trace",  "show",   "diff",
                                            "claims",  "db",     "models", "doctor", "help"};
#define COMMAND_COUNT (sizeof command_names / sizeof *command_names)

static void help_of_every_command(void **state)
{
	(void)state;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		char arguments[64], usage[64];
		(void)snprintf(usage, sizeof usage, "Usage: tpbench %s", command_names[i]);
		(void)snprintf(arguments, sizeof arguments, "%s --help", command_names[i]);
		struct cli_result asked = cli_run(arguments);
		cli_expect_exit(&asked, arguments, 0);
		assert_int_equal(strncmp(asked.out, usage, strlen(usage)), 0);
		assert_string_equal(asked.err, "");
		(void)snprintf(arguments, sizeof arguments, "help %s", command_names[i]);
		struct cli_result explained = cli_run(arguments);
		assert_string_equal(explained.out, asked.out);
		cli_release(&asked);
		cli_release(&explained);
	}
}

static void version_of_every_command(void **state)
{
	(void)state;
	struct cli_result bare = cli_run("--version");
	cli_expect_exit(&bare, "--version", 0);
	assert_int_equal(strncmp(bare.out, "tpbench ", 8), 0);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		char arguments[64];
		(void)snprintf(arguments, sizeof arguments, "%s --version", command_names[i]);
		struct cli_result result = cli_run(arguments);
		cli_expect_exit(&result, arguments, 0);
		assert_string_equal(result.out, bare.out);
		cli_release(&result);
	}
	cli_release(&bare);
}

/* Help and manual name every option, and say what the defaults are. */
static void help_and_manual_are_complete(void **state)
{
	(void)state;
	struct cli_result help = cli_run("--compare --help");
	struct cli_result manual = cli_run("help man");
	cli_expect_exit(&help, "--compare --help", 0);
	cli_expect_exit(&manual, "help man", 0);
	assert_int_equal(strncmp(manual.out, ".TH TPBENCH 1", 13), 0);
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		char plain[64], roff[128] = "";
		(void)snprintf(plain, sizeof plain, "--%s", option->name);
		for (const char *c = plain; *c; c++)
			(void)snprintf(roff + strlen(roff), sizeof roff - strlen(roff), *c == '-' ? "\\-" : "%c", *c);
		cli_expect_part(manual.out, roff);
		if (option->commands & TP_FOR_COMPARE)
			cli_expect_part(help.out, plain);
	}
	cli_expect_part(help.out, "[48; 1 to 65536]");
	cli_expect_part(help.out, "timeprest");
	cli_expect_part(help.out, "cifar100");
	cli_release(&help);
	cli_release(&manual);
}

static void wrong_names_are_refused_with_the_nearest(void **state)
{
	(void)state;
	cli_expect_refusal("comprae", "comprae", "'compare'");
	cli_expect_refusal("help simulat", "simulat", "'simulate'");
	cli_expect_refusal("--comprae", "--comprae", "--compare");
	cli_expect_refusal("run --bacth 4", "--bacth", "--batch?");
	cli_expect_refusal("run --bacth=4", "--bacth", "--batch?");
	cli_expect_refusal("run --schedule timeprst", "timeprst", "'timeprest'");
	cli_expect_refusal("run timeprst", "timeprst", "'timeprest'");
	cli_expect_refusal("simulate --schedule gpip", "gpip", "'gpipe'");
	cli_expect_refusal("--compare gpipe,timperest", "timperest", "'timeprest'");
	cli_expect_refusal("compare gpipe,,timeprest", "--schedule", "empty");
	cli_expect_refusal("compare gpipe,timeprest,gpipe", "gpipe", "twice");
	cli_expect_refusal("run --model vgg166", "vgg166", "'vgg16'");
	cli_expect_refusal("run --dataset cifar1000", "cifar1000", "'cifar100'");
	cli_expect_refusal("run --device cpuu", "cpuu", "'cpu'");
	cli_expect_refusal("run --order statik", "--order", "static|dynamic");
	cli_expect_refusal("simulate --format gird", "--format", "grid");
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	cli_expect_refusal("", "no command", "--compare");
	cli_expect_refusal("--model mlp", "--model", "--compare");
	cli_expect_refusal("run --model", "--model", "value");
	cli_expect_refusal("run -m mlp", "-m", "two dashes");
	cli_expect_refusal("models mlp", "mlp", "models");
	cli_expect_refusal("run gpipe timeprest", "timeprest", "one");
	cli_expect_refusal("--compare gpipe timeprest", "timeprest", "commas");
	cli_expect_refusal("simulate --momentum 0.5", "--momentum", "compare, run");
	cli_expect_refusal("--compare --save-weights x", "--save-weights", "run");
	cli_expect_refusal("run --help=yes", "--help", "no value");
	cli_expect_refusal("run --pin=perhaps", "--pin", "on|off");
	cli_expect_refusal("run -- --stages", "--stages", NULL);
}

static void wrong_numbers_are_refused(void **state)
{
	(void)state;
	cli_expect_refusal("run --batch x", "--batch", "'x'");
	cli_expect_refusal("run --batch 0", "--batch", "1 to 65536");
	cli_expect_refusal("run --batch 12.5", "--batch", "whole number");
	cli_expect_refusal("run --batch=", "--batch", "whole number");
	cli_expect_refusal("run --epochs -1", "--epochs", "'-1'");
	cli_expect_refusal("run --epochs 99999999999999999999", "--epochs", "99999999999999999999");
	cli_expect_refusal("run --lr nan", "--lr", "'nan'");
	cli_expect_refusal("run --lr -0.1", "--lr", "'-0.1'");
	cli_expect_refusal("run --momentum 1.5", "--momentum", "0 to 1");
	cli_expect_refusal("run --timeout 5", "--timeout", "unit");
	cli_expect_refusal("run --timeout 1ns", "--timeout", "1ms");
	cli_expect_refusal("run --micro-batches 5 --batch 4", "--micro-batches", "--batch");
	cli_expect_refusal("--compare --micro-batches 49", "--micro-batches", "48");
}

static void grid_is_the_papers(void **state)
{
	(void)state;
	const char *arguments =
	        "simulate --schedule timeprest --stages 3 --micro-batches 2 --mini-batches 7 --format grid";
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	/* Figure 2 of the paper as far as it goes, then the drain */
	assert_string_equal(result.out, "1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A 7B 5 . . 6 . . 7\n"
	                                ". 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B 5 7A 7B 6 . . 7 .\n"
	                                ". . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 6A 6B 6 7A 7B 7 . .\n");
	assert_string_equal(result.err, "");
	cli_release(&result);
}

static void verify_says_sound_or_where_not(void **state)
{
	(void)state;
	static const char crossed[] = "0F0,0F1,0B0,0B1\n,1F0,1B1,1F1,1B0\n";
	cli_write_file("bad.csv", crossed, sizeof crossed - 1);
	struct cli_result result = cli_run("verify gpipe --stages 3 --micro-batches 2 --mini-batches 4");
	cli_expect_exit(&result, "verify gpipe", 0);
	cli_expect_part(result.out, "SOUND: 48 operations");
	cli_expect_part(result.out, "it runs, too");
	cli_release(&result);
	result = cli_run("verify timeprest --stages 2 --micro-batches 2 --mini-batches 3 --format grid");
	cli_expect_exit(&result, "verify --format grid", 0);
	struct cli_result simulated =
	        cli_run("simulate timeprest --stages 2 --micro-batches 2 --mini-batches 3 --format grid");
	assert_string_equal(result.out, simulated.out);
	cli_release(&simulated);
	cli_release(&result);
	result = cli_run("verify --file bad.csv");
	cli_expect_exit(&result, "verify --file bad.csv", 2);
	cli_expect_part(result.out, "NOT SOUND");
	cli_expect_part(result.out, ">1a<");
	cli_expect_part(result.err, "bad.csv: message order");
	cli_release(&result);
	result = cli_run("verify --file bad.csv --format json");
	cli_expect_exit(&result, "verify --format json", 2);
	json_t *root = json_loads(result.out, 0, NULL);
	assert_non_null(root);
	assert_true(json_is_false(json_object_get(root, "sound")));
	json_t *fault = json_object_get(root, "fault");
	assert_string_equal(json_string_value(json_object_get(fault, "kind")), "message order");
	assert_int_equal(json_integer_value(json_object_get(fault, "stage")), 0);
	assert_int_equal(json_integer_value(json_object_get(fault, "step")), 2);
	json_decref(root);
	cli_release(&result);
	cli_expect_refusal("verify --file none.csv", "none.csv", "cannot be opened");
	cli_expect_refusal("verify gpipe --file bad.csv", "--file", "'gpipe'");
	cli_expect_refusal("verify pipedream-2bw --stages 3 --micro-batches 2", "--micro-batches", "3");
	cli_expect_refusal("verify --stages 100 --micro-batches 1000 --mini-batches 1000", "--mini-batches",
	                   "20000000");
}

static void simulate_json_is_one_object(void **state)
{
	(void)state;
	json_t *root = cli_run_json("simulate gpipe --stages 3 --micro-batches 2 --mini-batches 4 --format json");
	assert_string_equal(json_string_value(json_object_get(root, "schedule")), "gpipe");
	/* per flush 2 + 2 slots of work and 2 + 2 of fill and drain, four flushes */
	assert_int_equal(json_integer_value(json_object_get(root, "makespan_slots")), 4 * 8);
	assert_int_equal(json_array_size(json_object_get(root, "per_stage")), 3);
	json_decref(root);
}

static int count_lines(const char *text)
{
	int lines = 0;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void last_of_a_repeated_option_wins(void **state)
{
	(void)state;
	const char *arguments = "simulate gpipe --stages 5 --format json --stages=2 --format grid";
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 0);
	assert_int_equal(count_lines(result.out), 2);
	cli_release(&result);
}

static void words_and_options_mix(void **state)
{
	(void)state;
	static const char *const same[] = {
	        "simulate pipedream --stages 2 --format grid",
	        "simulate --stages 2 pipedream --format grid",
	        "simulate --stages=2 --format=grid -- pipedream",
	        "simulate --stages 2 --format grid --schedule pipedream",
	};
	struct cli_result first = cli_run(same[0]);
	cli_expect_exit(&first, same[0], 0);
	for (size_t i = 1; i < sizeof same / sizeof *same; i++) {
		struct cli_result other = cli_run(same[i]);
		cli_expect_exit(&other, same[i], 0);
		assert_string_equal(other.out, first.out);
		cli_release(&other);
	}
	cli_release(&first);
}

static void models_are_listed(void **state)
{
	(void)state;
	struct cli_result result = cli_run("models");
	cli_expect_exit(&result, "models", 0);
	static const char *const names[] = {"mlp", "vgg11", "vgg11-bn", "vgg16", "vgg16-bn"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cli_expect_part(result.out, names[i]);
	/* torchvision's features of vgg16 have 14714688 parameters, the classifier 512 * 100 + 100 */
	cli_expect_part(result.out, "14765988");
	cli_release(&result);
}

static void doctor_names_devices_and_libraries(void **state)
{
	(void)state;
	struct cli_result result = cli_run("doctor");
	cli_expect_exit(&result, "doctor", 0);
	static const char *const parts[] = {"cpu",     "reference", "null", "cuda", "SQLite",
	                                    "jansson", "zlib",      "NVTX", "cores"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		cli_expect_part(result.out, parts[i]);
	cli_release(&result);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s TPBENCH\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(help_of_every_command),
	        cmocka_unit_test(version_of_every_command),
	        cmocka_unit_test(help_and_manual_are_complete),
	        cmocka_unit_test(wrong_names_are_refused_with_the_nearest),
	        cmocka_unit_test(wrong_usage_is_refused),
	        cmocka_unit_test(wrong_numbers_are_refused),
	        cmocka_unit_test(grid_is_the_papers),
	        cmocka_unit_test(verify_says_sound_or_where_not),
	        cmocka_unit_test(simulate_json_is_one_object),
	        cmocka_unit_test(last_of_a_repeated_option_wins),
	        cmocka_unit_test(words_and_options_mix),
	        cmocka_unit_test(models_are_listed),
	        cmocka_unit_test(doctor_names_devices_and_libraries),
	};
	cli_enter_folder(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_leave_folder();
	return failed;
}
