/* Which axis goes with which schedule, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/run/axes.h"

static enum tp_status apply(const struct tp_run_config *config, const char *schedule, int64_t minis)
{
	const struct tp_policy *named;
	struct tp_policy policy;
	struct tp_pipeline pipeline;
	assert_int_equal(tp_policy_find(schedule, &named), TP_OK);
	return tp_axes_apply(config, named, minis, &policy, &pipeline);
}

static struct tp_run_config config_of(int32_t stages, int32_t micro_batches)
{
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	config.stages = stages;
	config.micro_batches = micro_batches;
	return config;
}

/* Written down by hand, a letter per axis that a schedule takes: version, sequence, staleness, flight, decay. */
static const struct {
	const char *schedule, *takes;
} table[] = {
        {"sequential", ""},
        {"gpipe", ""},
        {"1f1b", "f"},
        {"zb-h1", "f"},
        {"pipedream", "f"},
        {"pipedream-vsync", "f"},
        {"pipedream-2bw", "f"},
        {"timeprest", "vqsf"},
        {"timeprest-stash", "f"},
        {"timeprest-1f1b", "vqsf"},
        {"v-timeprest", "f"},
        {"i-timeprest", "sfd"},
};

static void expect(const char *schedule, const struct tp_run_config *config, bool taken, const char *option)
{
	enum tp_status status = apply(config, schedule, 10);
	if (status != (taken ? TP_OK : TP_ERR_INPUT))
		fail_msg("%s with %s: expected it %s", schedule, option, taken ? "taken" : "refused");
	if (!taken && (!strstr(tp_detail(), option) || !strstr(tp_detail(), schedule)))
		fail_msg("%s with %s: expected both named, found '%s'", schedule, option, tp_detail());
}

static void every_axis_with_every_schedule(void **state)
{
	(void)state;
	size_t count = sizeof table / sizeof *table;
	for (size_t p = 0; tp_policies[p]; p++)
		assert_true(p < count);
	for (size_t i = 0; i < count; i++) {
		const char *schedule = table[i].schedule, *takes = table[i].takes;
		struct tp_run_config config = config_of(3, 4);
		expect(schedule, &config, true, "nothing");
		for (int version = TP_BACKWARD_COMMITTED; version <= TP_BACKWARD_STASHED; version++) {
			config = config_of(3, 4);
			config.backward_version = (enum tp_backward_version)version;
			expect(schedule, &config, strchr(takes, 'v') != NULL, "--backward-version");
		}
		config = config_of(3, 4);
		config.sequence = TP_SEQUENCE_INDEPENDENT;
		expect(schedule, &config, strchr(takes, 'q') != NULL, "--sequence");
		config = config_of(3, 4);
		config.max_staleness = 2;
		expect(schedule, &config, strchr(takes, 's') != NULL, "--max-staleness");
		config = config_of(3, 4);
		config.in_flight = 2;
		expect(schedule, &config, strchr(takes, 'f') != NULL, "--in-flight");
		config = config_of(3, 4);
		config.staleness_decay = 0.5;
		expect(schedule, &config, strchr(takes, 'd') != NULL, "--staleness-decay");
		config = config_of(3, 4);
		config.backward = TP_BACKWARD_RECOMPUTE; /* goes with all */
		expect(schedule, &config, true, "--backward");
	}
}

/* An axis that would be taken, but not beside another one. */
static void axes_that_contradict_each_other(void **state)
{
	(void)state;
	struct tp_run_config config = config_of(3, 4);
	config.backward_version = TP_BACKWARD_LATEST;
	config.sequence = TP_SEQUENCE_INDEPENDENT;
	expect("timeprest", &config, false, "--sequence");
	config.sequence = TP_SEQUENCE_MERGED;
	config.max_staleness = 1;
	expect("timeprest", &config, false, "--max-staleness");
	config.backward_version = TP_BACKWARD_STASHED;
	expect("timeprest-1f1b", &config, false, "--max-staleness");
	config.backward_version = TP_BACKWARD_COMMITTED;
	config.sequence = TP_SEQUENCE_INDEPENDENT;
	expect("timeprest", &config, true, "all three");
}

static void two_versions_need_as_many_micro_batches_as_stages(void **state)
{
	(void)state;
	for (int32_t w = 1; w <= 6; w++) {
		for (int32_t n = 1; n <= 6; n++) {
			struct tp_run_config config = config_of(w, n);
			expect("pipedream-2bw", &config, n >= w, "--micro-batches");
		}
	}
	struct tp_run_config config = config_of(2, 3);
	config.in_flight = 4;
	expect("pipedream-2bw", &config, false, "--in-flight");
}

static void counts_that_would_overflow(void **state)
{
	(void)state;
	struct tp_run_config config = config_of(65536, 1000000);
	assert_int_equal(apply(&config, "timeprest", 1), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "65536 stages x 1000000 micro-batches"));
	config = config_of(INT32_MAX, INT32_MAX);
	assert_int_equal(apply(&config, "gpipe", INT64_MAX), TP_ERR_INPUT);
	config = config_of(1024, 10000);
	assert_int_equal(apply(&config, "timeprest", 100), TP_OK);
	assert_int_equal(apply(&config, "timeprest", INT64_MAX / 2), TP_ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_axis_with_every_schedule),
	        cmocka_unit_test(axes_that_contradict_each_other),
	        cmocka_unit_test(two_versions_need_as_many_micro_batches_as_stages),
	        cmocka_unit_test(counts_that_would_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
