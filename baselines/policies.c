#include "baselines/policies.h"

#include <string.h>

#include "engine/base/text.h"

const struct tp_policy *const tp_policies[] = {
        &tp_policy_sequential,
        &tp_policy_gpipe,
        &tp_policy_1f1b,
        &tp_policy_zb_h1,
        &tp_policy_pipedream,
        &tp_policy_pipedream_vsync,
        &tp_policy_pipedream_2bw,
        &tp_policy_timeprest,
        &tp_policy_timeprest_stash,
        &tp_policy_timeprest_1f1b,
        &tp_policy_v_timeprest,
        &tp_policy_i_timeprest,
        NULL,
};

enum tp_status tp_policy_find(const char *name, const struct tp_policy **policy)
{
	const char *names[sizeof tp_policies / sizeof *tp_policies];
	size_t count = 0;
	for (; tp_policies[count]; count++) {
		names[count] = tp_policies[count]->name;
		if (strcmp(name, names[count]) == 0) {
			*policy = tp_policies[count];
			return TP_OK;
		}
	}
	names[count] = NULL;
	return tp_fail_unknown("schedule", name, names);
}
