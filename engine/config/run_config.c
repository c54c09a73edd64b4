#include "engine/config/run_config.h"

#include <string.h>

#include "engine/base/prng.h"
#include "engine/config/options.h"

void tp_run_config_defaults(struct tp_run_config *config)
{
	memset(config, 0, sizeof *config);
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (tp_option_of_config(option) && (option->commands & TP_FOR_RUN))
			tp_option_default(option, config);
	}
}

enum tp_status tp_run_config_check(const struct tp_run_config *config)
{
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (tp_option_of_config(option) && (option->commands & TP_FOR_RUN))
			TP_TRY(tp_option_check(option, config));
	}
	if (config->micro_batches > config->batch)
		return tp_fail(TP_ERR_INPUT,
		               "--micro-batches: expected at most the %d samples of a mini-batch (--batch), found %d",
		               config->batch, config->micro_batches);
	if (config->partial && config->load_weights[0] == '\0')
		return tp_fail(TP_ERR_INPUT, "--partial: says how to read --load-weights, which was not given");
	if (config->profile == TP_PROFILE_KERNELS && config->clock == TP_CLOCK_VIRTUAL)
		return tp_fail(TP_ERR_INPUT,
		               "--profile kernels: kernels are timed by the machine's clock; expected --clock real");
	return TP_OK;
}

/* The row that decides results and whose name is the next one after `last` in alphabetical order. */
static const struct tp_option *next_deciding(const char *last)
{
	const struct tp_option *next = NULL;
	for (const struct tp_option *option = tp_option_table; option->name; option++) {
		if (option->decides && strcmp(option->name, last) > 0 &&
		    (!next || strcmp(option->name, next->name) < 0))
			next = option;
	}
	return next;
}

void tp_run_config_text(const struct tp_run_config *config, struct tp_text *text)
{
	for (const struct tp_option *option = next_deciding(""); option; option = next_deciding(option->name)) {
		tp_text_add(text, "%s=", option->name);
		tp_option_get(option, config, text);
		tp_text_add(text, "\n");
	}
}

uint64_t tp_run_config_hash(const struct tp_run_config *config)
{
	struct tp_text text = {0};
	tp_run_config_text(config, &text);
	uint64_t hash = tp_hash_text(tp_text_get(&text));
	tp_text_release(&text);
	return hash;
}
