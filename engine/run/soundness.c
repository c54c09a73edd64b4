#include "engine/run/soundness.h"

enum tp_status tp_soundness_check(const struct tp_pipeline *pipeline, int64_t ring_forward, int64_t ring_backward,
                                  struct tp_listing *listing, struct tp_verify_report *report)
{
	int64_t operations = pipeline->stages * tp_operations_per_stage(pipeline);
	if (operations > TP_VERIFY_OPERATIONS_MAX)
		return tp_fail(TP_ERR_INPUT,
		               "--mini-batches: expected a schedule of at most %lld operations, found %lld; fewer "
		               "mini-batches show the same",
		               (long long)TP_VERIFY_OPERATIONS_MAX, (long long)operations);
	TP_TRY(tp_listing_from_pipeline(pipeline, listing));
	enum tp_status status = tp_verify_pipeline(pipeline, listing, ring_forward, ring_backward, report);
	if (status != TP_OK)
		tp_listing_release(listing);
	return status;
}

/* By then every policy here has filled the pipeline and repeats its steady state; as many as can be listed. */
static int64_t minis_until_steady(const struct tp_pipeline *pipeline)
{
	struct tp_pipeline one = *pipeline;
	one.minis = 1;
	int64_t minis = 4 * (tp_minis_in_flight(pipeline, 0) + pipeline->stages) + 8;
	int64_t most = TP_VERIFY_OPERATIONS_MAX / (one.stages * tp_operations_per_stage(&one));
	minis = minis < most ? minis : most;
	return pipeline->minis < minis ? pipeline->minis : minis;
}

enum tp_status tp_soundness_require(const struct tp_pipeline *pipeline, int64_t ring_forward, int64_t ring_backward,
                                    struct tp_verify_report *report)
{
	struct tp_pipeline beginning = *pipeline;
	struct tp_listing listing;
	beginning.minis = minis_until_steady(pipeline);
	TP_TRY(tp_soundness_check(&beginning, ring_forward, ring_backward, &listing, report));
	tp_listing_release(&listing);
	if (report->ok)
		return TP_OK;
	enum tp_status status =
	        tp_fail(TP_ERR_INPUT, "schedule %s is not sound: %s: %s (tpbench verify draws it)",
	                pipeline->policy->name, tp_fault_kind_text(report->fault.kind), report->fault.text);
	tp_verify_release(report);
	return status;
}
