/* The table of all schedules. A new one is one file and one line in policies.c. */
#ifndef TP_BASELINES_POLICIES_H
#define TP_BASELINES_POLICIES_H

#include "engine/schedule/policy.h"

extern const struct tp_policy tp_policy_sequential;
extern const struct tp_policy tp_policy_gpipe;
extern const struct tp_policy tp_policy_1f1b;
extern const struct tp_policy tp_policy_zb_h1;
extern const struct tp_policy tp_policy_pipedream;
extern const struct tp_policy tp_policy_pipedream_vsync;
extern const struct tp_policy tp_policy_pipedream_2bw;

/* NULL-ended. */
extern const struct tp_policy *const tp_policies[];

/* Look a schedule up by name; an unknown one is TP_ERR_INPUT with the nearest offered. */
enum tp_status tp_policy_find(const char *name, const struct tp_policy **policy);

#endif
