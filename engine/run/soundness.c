#include "engine/run/soundness.h"

#include "engine/base/memory.h"
#include "engine/schedule/version_ledger.h"

/* Per stage, as the policy and the ledger say. */
struct limits {
	int64_t *minis, *micros;
	int32_t *versions;
};

static void release(struct limits *limits)
{
	tp_free(limits->minis);
	tp_free(limits->micros);
	tp_free(limits->versions);
}

static enum tp_status fill(const struct tp_pipeline *pipeline, struct limits *limits)
{
	size_t stages = (size_t)pipeline->stages;
	limits->minis = tp_alloc_array(stages, sizeof *limits->minis);
	limits->micros = tp_alloc_array(stages, sizeof *limits->micros);
	limits->versions = tp_alloc_array(stages, sizeof *limits->versions);
	if (!limits->minis || !limits->micros || !limits->versions)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < pipeline->stages; s++) {
		limits->minis[s] = tp_minis_in_flight(pipeline, s);
		limits->micros[s] = tp_micros_in_flight(pipeline, s);
		limits->versions[s] = tp_ledger_buffer_bound(pipeline, s);
	}
	return TP_OK;
}

static enum tp_status check_length(const struct tp_pipeline *pipeline)
{
	int64_t per_stage = tp_operations_per_stage(pipeline);
	if (per_stage <= TP_VERIFY_OPERATIONS_MAX / pipeline->stages)
		return TP_OK;
	return tp_fail(TP_ERR_INPUT,
	               "verify: expected at most %lld operations, found %lld on each of %d stages (--mini-batches, "
	               "--micro-batches, --stages)",
	               TP_VERIFY_OPERATIONS_MAX, (long long)per_stage, pipeline->stages);
}

enum tp_status tp_soundness_check(const struct tp_pipeline *pipeline, const int64_t *ring_forward,
                                  const int64_t *ring_backward, struct tp_listing *listing,
                                  struct tp_verify_report *report)
{
	struct limits own = {0};
	TP_TRY(check_length(pipeline));
	TP_TRY(tp_listing_from_pipeline(pipeline, listing));
	enum tp_status status = fill(pipeline, &own);
	if (status == TP_OK) {
		const struct tp_verify_limits limits = {
		        .ring_forward = ring_forward,
		        .ring_backward = ring_backward,
		        .mini_limit = own.minis,
		        .micro_limit = own.micros,
		        .version_limit = own.versions,
		};
		status = tp_verify(listing, &limits, report);
	}
	release(&own);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

/* By then every policy here has filled the pipeline and repeats its steady state. */
static int64_t minis_until_steady(const struct tp_pipeline *pipeline)
{
	int64_t minis = 4 * (tp_minis_in_flight(pipeline, 0) + pipeline->stages) + 8;
	return pipeline->minis < minis ? pipeline->minis : minis;
}

enum tp_status tp_soundness_require(const struct tp_pipeline *pipeline, const int64_t *ring_forward,
                                    const int64_t *ring_backward, struct tp_verify_report *report)
{
	struct tp_pipeline beginning = *pipeline;
	struct tp_listing listing;
	beginning.minis = minis_until_steady(pipeline);
	TP_TRY(tp_soundness_check(&beginning, ring_forward, ring_backward, &listing, report));
	tp_listing_release(&listing);
	if (report->fault == TP_FAULT_NONE)
		return TP_OK;
	enum tp_status status =
	        tp_fail(TP_ERR_INPUT, "schedule %s is not sound: rank %d, step %lld: %s (tpbench verify draws it)",
	                pipeline->policy->name, report->rank, (long long)report->step, report->reason);
	tp_verify_release(report);
	return status;
}
