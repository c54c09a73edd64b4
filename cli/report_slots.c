#include "cli/report_slots.h"

#include <stdio.h>
#include <string.h>

#include "cli/simulated_run.h"
#include "engine/config/options.h"

/* A picture with more lanes shows nothing. */
enum { STAGES_MOST = 16 };

/* Mini-batches until the pipeline is full, and some more. */
static int64_t minis_of(int32_t stages)
{
	return stages + 4;
}

static enum tp_status add(struct tp_report_slots *slots, const struct tp_run_config *config)
{
	TP_TRY(tp_simulated_run_slots(slots->store, config, minis_of(config->stages), &slots->run_ids[slots->count]));
	slots->count++;
	return TP_OK;
}

static enum tp_status add_example(struct tp_report_slots *slots, const char *schedule)
{
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	(void)snprintf(config.schedule, sizeof config.schedule, "%s", schedule);
	config.stages = 3;
	config.micro_batches = 2;
	return add(slots, &config);
}

/* Schedule, pipeline and axes of a group. */
static enum tp_status take_config(const struct tp_group *group, struct tp_run_config *config)
{
	static const char *const axes[] = {"backward-version", "sequence", "max-staleness", "in-flight"};
	char value[64];
	tp_run_config_defaults(config);
	(void)snprintf(config->schedule, sizeof config->schedule, "%s", group->schedule);
	config->stages = group->stages;
	config->micro_batches = group->micro_batches;
	for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
		const struct tp_option *option = tp_option_find(axes[i], TP_FOR_SIMULATE);
		if (option && tp_group_setting(group, axes[i], value, sizeof value) && strcmp(value, "0") != 0)
			TP_TRY(tp_option_set(option, value, config));
	}
	return TP_OK;
}

static bool same_pipeline(const struct tp_run_config *a, const struct tp_run_config *b)
{
	return strcmp(a->schedule, b->schedule) == 0 && a->stages == b->stages &&
	       a->micro_batches == b->micro_batches && a->backward_version == b->backward_version &&
	       a->sequence == b->sequence && a->max_staleness == b->max_staleness && a->in_flight == b->in_flight;
}

static enum tp_status fill(struct tp_report_slots *slots, const struct tp_groups *groups)
{
	struct tp_run_config drawn[TP_REPORT_SLOTS_MOST];
	int32_t drawn_count = 0;
	TP_TRY(add_example(slots, "timeprest"));
	TP_TRY(add_example(slots, "pipedream"));
	for (int32_t i = 0; i < groups->count && slots->count < TP_REPORT_SLOTS_MOST; i++) {
		struct tp_run_config config;
		bool there = false;
		/* A schedule of another version of the program, or one that is refused now, is not drawn. */
		if (groups->groups[i].stages > STAGES_MOST || take_config(&groups->groups[i], &config) != TP_OK)
			continue;
		for (int32_t j = 0; j < drawn_count; j++)
			there = there || same_pipeline(&drawn[j], &config);
		if (there)
			continue;
		enum tp_status status = add(slots, &config);
		if (status == TP_OK)
			drawn[drawn_count++] = config;
		else if (status != TP_ERR_INPUT)
			return status;
	}
	return TP_OK;
}

enum tp_status tp_report_slots_init(struct tp_report_slots *slots, const struct tp_groups *groups)
{
	*slots = (struct tp_report_slots){0};
	TP_TRY(tp_store_open_memory(&slots->store));
	return fill(slots, groups);
}

void tp_report_slots_release(struct tp_report_slots *slots)
{
	tp_store_close(slots->store);
	*slots = (struct tp_report_slots){0};
}
