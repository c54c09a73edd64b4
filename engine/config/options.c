#include "engine/config/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/process.h"
#include "engine/config/cluster.h"

static const char *const group_texts[] = {
        [TP_GROUP_TRAINING] = "What is trained",      [TP_GROUP_PIPELINE] = "The pipeline",
        [TP_GROUP_OPTIMIZER] = "The optimizer (sgd)", [TP_GROUP_MACHINE] = "Where it runs",
        [TP_GROUP_RESULTS] = "Measuring and results",
};

static const char *const on_off[] = {"off", "on", NULL};

const char *tp_option_group_text(enum tp_option_group group)
{
	return group_texts[group];
}

const struct tp_option *tp_option_find(const char *name, unsigned command)
{
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (strcmp(option->name, name) == 0 && (command == 0 || (option->commands & command)))
			return option;
	}
	return NULL;
}

static const char *const *choices_of(const struct tp_option *option)
{
	return option->type == TP_OPTION_SWITCH || option->type == TP_OPTION_FLAG ? on_off : option->choices;
}

/* Whole numbers, switches and choices: everything that is an integer of some size. */
static void store_integer(const struct tp_option *option, void *field, uint64_t value)
{
	if (option->size == sizeof(bool))
		*(bool *)field = value != 0;
	else if (option->size == sizeof(int32_t))
		*(int32_t *)field = (int32_t)value;
	else
		*(uint64_t *)field = value;
}

static uint64_t load_integer(const struct tp_option *option, const void *field)
{
	if (option->size == sizeof(bool))
		return *(const bool *)field;
	if (option->size == sizeof(int32_t))
		return (uint64_t) * (const int32_t *)field;
	return *(const uint64_t *)field;
}

static enum tp_status store_text(const struct tp_option *option, void *field, const char *value)
{
	size_t length = strlen(value);
	if (length >= option->size)
		return tp_fail(TP_ERR_INPUT, "--%s: expected at most %zu bytes, found %zu", option->name,
		               option->size - 1, length);
	memcpy(field, value, length + 1);
	return TP_OK;
}

static enum tp_status find_choice(const struct tp_option *option, const char *value, uint64_t *index)
{
	const char *const *choices = choices_of(option);
	for (*index = 0; choices[*index]; ++*index) {
		if (strcmp(choices[*index], value) == 0)
			return TP_OK;
	}
	struct tp_text range = {0};
	tp_option_range(option, &range);
	enum tp_status status =
	        tp_fail(TP_ERR_INPUT, "--%s: expected %s, found '%s'", option->name, tp_text_get(&range), value);
	tp_text_release(&range);
	return status;
}

enum tp_status tp_option_set(const struct tp_option *option, const char *value, void *base)
{
	void *field = (char *)base + option->offset;
	char what[64];
	(void)snprintf(what, sizeof what, "--%s", option->name);
	uint64_t index = 0;
	int64_t whole = 0;
	double real = 0;
	switch (option->type) {
	case TP_OPTION_INT:
		TP_TRY(tp_parse_i64(what, value, (int64_t)option->min, (int64_t)option->max, &whole));
		store_integer(option, field, (uint64_t)whole);
		return TP_OK;
	case TP_OPTION_REAL:
		TP_TRY(tp_parse_f64(what, value, option->min, option->max, &real));
		*(double *)field = real;
		return TP_OK;
	case TP_OPTION_DURATION:
	case TP_OPTION_BYTES:
		TP_TRY((option->type == TP_OPTION_BYTES ? tp_parse_bytes : tp_parse_duration)(what, value, &whole));
		if ((double)whole < option->min || (double)whole > option->max) {
			struct tp_text range = {0};
			tp_option_range(option, &range);
			enum tp_status status =
			        tp_fail(TP_ERR_INPUT, "%s: expected %s, found '%s'", what, tp_text_get(&range), value);
			tp_text_release(&range);
			return status;
		}
		*(int64_t *)field = whole;
		return TP_OK;
	case TP_OPTION_SWITCH:
	case TP_OPTION_FLAG:
	case TP_OPTION_CHOICE:
		TP_TRY(find_choice(option, value, &index));
		store_integer(option, field, index);
		return TP_OK;
	case TP_OPTION_WORD:
		TP_TRY(find_choice(option, value, &index));
		return store_text(option, field, value);
	case TP_OPTION_TEXT:
		if (*value == '\0')
			return tp_fail(TP_ERR_INPUT, "%s: expected a value, found an empty one", what);
		return store_text(option, field, value);
	}
	return TP_OK;
}

/* The shortest text that reads back as the same number. */
static void add_real(struct tp_text *text, double value)
{
	char shortest[40];
	for (int digits = 6; digits <= 17; digits++) {
		(void)snprintf(shortest, sizeof shortest, "%.*g", digits, value);
		if (strtod(shortest, NULL) == value)
			break;
	}
	tp_text_add(text, "%s", shortest);
}

/* In the largest unit that needs no fraction. */
/* In the largest unit that leaves a whole number. */
static void add_quantity(struct tp_text *text, enum tp_option_type type, int64_t value)
{
	static const struct unit {
		const char *name;
		int64_t size;
	} durations[] = {{"s", TP_NS_PER_S}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}},
	  bytes[] = {{"GiB", INT64_C(1) << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};
	const struct unit *unit = type == TP_OPTION_BYTES ? bytes : durations;
	while (value % unit->size)
		unit++;
	tp_text_add(text, "%" PRId64 "%s", value / unit->size, unit->name);
}

void tp_option_get(const struct tp_option *option, const void *base, struct tp_text *text)
{
	const void *field = (const char *)base + option->offset;
	switch (option->type) {
	case TP_OPTION_INT:
		tp_text_add(text, "%" PRId64, (int64_t)load_integer(option, field));
		break;
	case TP_OPTION_REAL:
		add_real(text, *(const double *)field);
		break;
	case TP_OPTION_DURATION:
	case TP_OPTION_BYTES:
		add_quantity(text, option->type, *(const int64_t *)field);
		break;
	case TP_OPTION_SWITCH:
	case TP_OPTION_FLAG:
	case TP_OPTION_CHOICE:
		tp_text_add(text, "%s", choices_of(option)[load_integer(option, field)]);
		break;
	case TP_OPTION_WORD:
	case TP_OPTION_TEXT:
		tp_text_add(text, "%s", (const char *)field);
		break;
	}
}

void tp_option_range(const struct tp_option *option, struct tp_text *text)
{
	switch (option->type) {
	case TP_OPTION_INT:
		tp_text_add(text, "%" PRId64 " to %" PRId64, (int64_t)option->min, (int64_t)option->max);
		break;
	case TP_OPTION_REAL:
		tp_text_add(text, "%g to %g", option->min, option->max);
		break;
	case TP_OPTION_DURATION:
	case TP_OPTION_BYTES:
		add_quantity(text, option->type, (int64_t)option->min);
		tp_text_add(text, " to ");
		add_quantity(text, option->type, (int64_t)option->max);
		break;
	case TP_OPTION_SWITCH:
	case TP_OPTION_FLAG:
		tp_text_add(text, "on|off");
		break;
	case TP_OPTION_CHOICE:
	case TP_OPTION_WORD:
		for (const char *const *choice = option->choices; *choice; choice++)
			tp_text_add(text, "%s%s", choice == option->choices ? "" : "|", *choice);
		break;
	case TP_OPTION_TEXT:
		break;
	}
}

/* A default the table cannot read is a broken table. */
void tp_option_default(const struct tp_option *option, void *base)
{
	if (option->default_text)
		TP_CHECK(tp_option_set(option, option->default_text, base) == TP_OK);
	else
		memset((char *)base + option->offset, 0, option->size);
}

enum tp_status tp_option_check(const struct tp_option *option, const void *base)
{
	const void *field = (const char *)base + option->offset;
	bool fits = true;
	switch (option->type) {
	case TP_OPTION_INT: {
		double value = (double)(int64_t)load_integer(option, field);
		fits = (value >= option->min && value <= option->max) || (!option->default_text && value == 0);
		break;
	}
	case TP_OPTION_REAL: {
		double value = *(const double *)field;
		fits = value >= option->min && value <= option->max;
		break;
	}
	case TP_OPTION_DURATION:
	case TP_OPTION_BYTES: {
		double value = (double)*(const int64_t *)field;
		fits = value >= option->min && value <= option->max;
		break;
	}
	case TP_OPTION_WORD: {
		uint64_t index;
		return find_choice(option, field, &index);
	}
	case TP_OPTION_TEXT:
		if (option->default_text && *(const char *)field == '\0')
			return tp_fail(TP_ERR_INPUT, "--%s: expected a value, found an empty one", option->name);
		break;
	case TP_OPTION_SWITCH:
	case TP_OPTION_FLAG:
	case TP_OPTION_CHOICE:
		break;
	}
	if (fits)
		return TP_OK;
	struct tp_text range = {0}, found = {0};
	tp_option_range(option, &range);
	tp_option_get(option, base, &found);
	enum tp_status status = tp_fail(TP_ERR_INPUT, "--%s: expected %s, found %s", option->name, tp_text_get(&range),
	                                tp_text_get(&found));
	tp_text_release(&range);
	tp_text_release(&found);
	return status;
}

void tp_options_defaults(struct tp_options *options, unsigned command)
{
	memset(options, 0, sizeof *options);
	tp_run_config_defaults(&options->config);
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (option->commands & command)
			tp_option_default(option, options);
	}
	if (!(command & (TP_FOR_SIMULATE | TP_FOR_VERIFY))) {
		int32_t cores = tp_free_cores();
		options->config.stages = cores < 2 ? 2 : cores > 4 ? 4 : cores;
	}
}

enum tp_status tp_options_resolve(struct tp_options *options)
{
	struct tp_run_config *config = &options->config;
	struct tp_cluster cluster;
	if (options->stages_given || config->cluster[0] == '\0')
		return TP_OK;
	TP_TRY(tp_cluster_read(config->cluster, &cluster));
	config->stages = cluster.worker_count;
	tp_cluster_release(&cluster);
	return TP_OK;
}
