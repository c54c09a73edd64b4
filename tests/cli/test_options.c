/* The option table and the configuration it fills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/process.h"
#include "engine/config/options.h"

static const unsigned commands[] = {TP_FOR_COMPARE, TP_FOR_RUN, TP_FOR_SIMULATE};

static void every_row_is_complete(void **state)
{
	(void)state;
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		assert_non_null(option->help);
		assert_int_not_equal(option->commands, 0);
		assert_true(option->default_text || option->default_note);
		assert_true(option->offset + option->size <= sizeof(struct tp_options));
		assert_true(!option->decides || option->offset + option->size <= sizeof(struct tp_run_config));
		bool has_choices = option->type == TP_OPTION_CHOICE || option->type == TP_OPTION_WORD;
		assert_int_equal(has_choices, option->choices != NULL);
		if (option->type == TP_OPTION_INT || option->type == TP_OPTION_REAL)
			assert_true(option->min < option->max);
		for (const struct tp_option *other = option + 1; other->name; other++)
			assert_false(strcmp(option->name, other->name) == 0 && (option->commands & other->commands));
	}
}

/* What get writes, set reads back to the same text. */
static void values_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct tp_options options;
		tp_options_defaults(&options, commands[i]);
		for (const struct tp_option *option = tp_option_table; option->name; option++) {
			if (!(option->commands & commands[i]) || !option->default_text)
				continue;
			struct tp_text before = {0}, after = {0};
			tp_option_get(option, &options, &before);
			assert_int_equal(tp_option_set(option, tp_text_get(&before), &options), TP_OK);
			tp_option_get(option, &options, &after);
			assert_string_equal(tp_text_get(&before), tp_text_get(&after));
			tp_text_release(&before);
			tp_text_release(&after);
		}
	}
}

static void defaults_are_the_documented_ones(void **state)
{
	(void)state;
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	assert_string_equal(config.model, "vgg16");
	assert_string_equal(config.schedule, "timeprest");
	assert_string_equal(config.dataset, "synthetic");
	assert_string_equal(config.device, "cpu");
	assert_int_equal(config.stages, 2);
	assert_int_equal(config.micro_batches, 3);
	assert_int_equal(config.batch, 48);
	assert_int_equal(config.order, TP_ORDER_DYNAMIC);
	assert_true(config.lr == 0.01 && config.momentum == 0.9 && config.weight_decay == 5e-4);
	assert_true(config.shuffle && config.evaluate && config.profile == TP_PROFILE_OPS && !config.augment);
	assert_int_equal(config.seed, 1);
	assert_int_equal(config.timeout_ns, INT64_C(300000000000));
	assert_int_equal(config.profile_buffer_bytes, 1 << 28);
	assert_int_equal(tp_run_config_check(&config), TP_OK);
}

static void stages_follow_the_free_cores(void **state)
{
	(void)state;
	struct tp_options options;
	tp_options_defaults(&options, TP_FOR_COMPARE);
	int32_t cores = tp_free_cores();
	assert_true(cores >= 1);
	assert_int_equal(options.config.stages, cores < 2 ? 2 : cores > 4 ? 4 : cores);
	assert_string_equal(options.schedules, "gpipe,pipedream,timeprest");
}

static void check_refuses_what_no_command_line_could_set(void **state)
{
	(void)state;
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	config.batch = 0;
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "--batch"));
	tp_run_config_defaults(&config);
	config.lr = -1;
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "--lr"));
	tp_run_config_defaults(&config);
	strcpy(config.conv, "fast");
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "auto|direct|winograd"));
	tp_run_config_defaults(&config);
	config.model[0] = '\0';
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	tp_run_config_defaults(&config);
	config.micro_batches = config.batch + 1;
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "49"));
	config.micro_batches = config.batch;
	assert_int_equal(tp_run_config_check(&config), TP_OK);
	config.partial = true;
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
}

/* The hash moves with every field that decides results, and with no other. */
static void hash_covers_what_decides(void **state)
{
	(void)state;
	struct tp_run_config one, other;
	tp_run_config_defaults(&one);
	tp_run_config_defaults(&other);
	assert_true(tp_run_config_hash(&one) == tp_run_config_hash(&other));
	strcpy(other.save_weights, "weights.safetensors");
	other.timeout_ns = 1000000000;
	assert_true(tp_run_config_hash(&one) == tp_run_config_hash(&other));
	other.lr = 0.010000000000000002;
	assert_true(tp_run_config_hash(&one) != tp_run_config_hash(&other));
	tp_run_config_defaults(&other);
	other.shuffle = false;
	assert_true(tp_run_config_hash(&one) != tp_run_config_hash(&other));
}

static void text_is_sorted_and_has_each_name_once(void **state)
{
	(void)state;
	struct tp_run_config config;
	struct tp_text text = {0};
	tp_run_config_defaults(&config);
	tp_run_config_text(&config, &text);
	assert_false(text.failed);
	char last[64] = "";
	int lines = 0;
	for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		char *equals = strchr(line, '=');
		assert_non_null(equals);
		*equals = '\0';
		assert_true(strcmp(last, line) < 0);
		(void)strncpy(last, line, sizeof last - 1);
		if (strcmp(line, "weight-decay") == 0)
			assert_string_equal(equals + 1, "0.0005");
	}
	assert_true(lines > 20);
	tp_text_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_row_is_complete),
	        cmocka_unit_test(values_round_trip),
	        cmocka_unit_test(defaults_are_the_documented_ones),
	        cmocka_unit_test(stages_follow_the_free_cores),
	        cmocka_unit_test(check_refuses_what_no_command_line_could_set),
	        cmocka_unit_test(hash_covers_what_decides),
	        cmocka_unit_test(text_is_sorted_and_has_each_name_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
