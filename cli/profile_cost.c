#include "cli/profile_cost.h"

#include "engine/base/memory.h"
#include "profiler/statistics.h"

enum tp_status tp_profile_cost_check(const struct tp_options *options)
{
	const struct tp_run_config *config = &options->config;
	if (!options->profile_cost)
		return TP_OK;
	if (config->profile == TP_PROFILE_OFF)
		return tp_fail(TP_ERR_INPUT, "--profile-cost: expected --profile ops or kernels, found off");
	if (config->clock == TP_CLOCK_VIRTUAL)
		return tp_fail(TP_ERR_INPUT,
		               "--profile-cost: expected --clock real, found virtual, whose time recording "
		               "does not change");
	if (config->epochs % 2 != 0 || config->epochs < 4) /* the first epoch is cold: one pair would tell of that */
		return tp_fail(TP_ERR_INPUT,
		               "--profile-cost: expected an even number of --epochs, at least 4, found %d",
		               config->epochs);
	return TP_OK;
}

enum tp_status tp_profile_cost_compute(const int64_t *window_ns, int32_t epochs, const char *level,
                                       struct tp_store_profile_cost *cost)
{
	int32_t pairs = epochs / 2;
	double *recorded = tp_alloc_array(3 * (size_t)pairs, sizeof *recorded);
	if (!recorded)
		return TP_ERR_NOMEM;
	double *bare = recorded + pairs, *ratios = bare + pairs;
	for (int32_t i = 0; i < pairs; i++) {
		bool first = tp_profile_cost_records(2 * i + 1);
		recorded[i] = (double)window_ns[2 * i + !first];
		bare[i] = (double)window_ns[2 * i + first];
		ratios[i] = bare[i] > 0 ? recorded[i] / bare[i] : 1;
	}
	struct tp_statistics ratio = tp_statistics_of(ratios, pairs);
	*cost = (struct tp_store_profile_cost){
	        .profile_level = level,
	        .pairs = pairs,
	        .profiled_median_ns = (int64_t)tp_statistics_of(recorded, pairs).median,
	        .unprofiled_median_ns = (int64_t)tp_statistics_of(bare, pairs).median,
	        .ratio = ratio.median,
	        .min_ratio = ratio.min,
	        .max_ratio = ratio.max,
	};
	tp_free(recorded);
	return TP_OK;
}
