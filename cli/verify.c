/* tpbench verify: a schedule, or a file that lists one, handed to the verifier; as a table, a grid or JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "baselines/policies.h"
#include "cli/commands.h"
#include "engine/base/memory.h"
#include "engine/run/axes.h"
#include "engine/run/soundness.h"

/* What was verified, and what came of it. */
struct verdict {
	const char *subject; /* a schedule's or a file's name */
	struct tp_listing listing;
	struct tp_verify_report report;
};

static int64_t operations_of(const struct tp_listing *listing)
{
	int64_t count = 0;
	for (int64_t i = 0; i < listing->first[listing->ranks]; i++)
		count += listing->items[i].what == TP_LISTED_OPERATION;
	return count;
}

/* --- what to print ---------------------------------------------------------------------------------------------------
 */

static void print_table(const struct verdict *verdict)
{
	const struct tp_listing *listing = &verdict->listing;
	const struct tp_verify_report *report = &verdict->report;
	printf("%s: sound. %" PRId32 " ranks, %" PRId32 " stages, %" PRId64 " mini-batches of %" PRId32
	       " forwards and %" PRId32 " backwards, %" PRId64 " operations in %" PRId64 " slots\n",
	       verdict->subject, listing->ranks, listing->stages, listing->minis, listing->forwards_per_mini,
	       listing->backwards_per_mini, operations_of(listing), report->makespan);
	if (report->rendezvous)
		printf("rendezvous sends: it runs, too, when a sender waits until its message is taken\n\n");
	else
		printf("rendezvous sends: it would stand still, rank %" PRId32 " first, at step %" PRId64 "\n\n",
		       report->rendezvous_rank, report->rendezvous_step);
	printf("%5s  %5s  %13s  %13s  %8s  %16s  %16s\n", "stage", "rank", "mini-batches", "micro-batches", "versions",
	       "ring to the next", "ring to the last");
	for (int32_t s = 0; s < listing->stages; s++) {
		printf("%5" PRId32 "  %5" PRId32 "  %13" PRId64 "  %13" PRId64, s, listing->rank_of_stage[s],
		       report->minis_in_flight[s], report->micros_in_flight[s]);
		if (listing->versions)
			printf("  %8" PRId32, report->versions[s]);
		else
			printf("  %8s", "-");
		if (s + 1 < listing->stages)
			printf("  %16" PRId64, report->ring_forward[s]);
		else
			printf("  %16s", "-");
		if (s > 0)
			printf("  %16" PRId64 "\n", report->ring_backward[s - 1]);
		else
			printf("  %16s\n", "-");
	}
	printf("\nat most, per stage: held between forward and backward, versions needed at once, and the messages that "
	       "must\nfind a place so that nothing stands still\n");
}

static json_t *stages_json(const struct verdict *verdict)
{
	const struct tp_listing *listing = &verdict->listing;
	const struct tp_verify_report *report = &verdict->report;
	json_t *stages = json_array();
	for (int32_t s = 0; s < listing->stages; s++) {
		bool last = s + 1 == listing->stages;
		json_array_append_new(
		        stages,
		        json_pack("{s:i, s:i, s:I, s:I, s:o, s:o, s:o}", "stage", (int)s, "rank",
		                  (int)listing->rank_of_stage[s], "mini_batches_in_flight",
		                  (json_int_t)report->minis_in_flight[s], "micro_batches_in_flight",
		                  (json_int_t)report->micros_in_flight[s], "versions",
		                  listing->versions ? json_integer(report->versions[s]) : json_null(), "ring_forward",
		                  last ? json_null() : json_integer(report->ring_forward[s]), "ring_backward",
		                  s == 0 ? json_null() : json_integer(report->ring_backward[s - 1])));
	}
	return stages;
}

static enum tp_status print_json(const struct verdict *verdict)
{
	const struct tp_listing *listing = &verdict->listing;
	const struct tp_verify_report *report = &verdict->report;
	json_t *root = json_pack("{s:s, s:b, s:i, s:i, s:I, s:I, s:I, s:b, s:o}", "schedule", verdict->subject, "sound",
	                         1, "ranks", (int)listing->ranks, "stages", (int)listing->stages, "mini_batches",
	                         (json_int_t)listing->minis, "operations", (json_int_t)operations_of(listing),
	                         "makespan_slots", (json_int_t)report->makespan, "rendezvous", report->rendezvous,
	                         "per_stage", stages_json(verdict));
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "verify: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

static enum tp_status print_grid(const struct verdict *verdict)
{
	struct tp_text grid = {0};
	enum tp_status status = tp_listing_grid(&verdict->listing, &grid);
	if (status == TP_OK)
		fputs(tp_text_get(&grid), stdout);
	tp_text_release(&grid);
	return status;
}

/* The lists around it to stderr, where they belong to the error that main prints last. */
static enum tp_status print_fault(const struct verdict *verdict)
{
	struct tp_text around = {0};
	tp_verify_explain(&verdict->listing, &verdict->report, &around);
	fprintf(stderr, "%s\n", tp_text_get(&around));
	tp_text_release(&around);
	return tp_fail(TP_ERR_INPUT, "%s: not sound", verdict->subject);
}

/* --- the command -----------------------------------------------------------------------------------------------------
 */

/* The same ring at every boundary; NULL when any number may wait. */
static enum tp_status make_rings(int32_t ring, int32_t stages, int64_t **rings)
{
	*rings = NULL;
	if (ring == 0)
		return TP_OK;
	*rings = tp_alloc_array((size_t)stages, sizeof **rings);
	if (!*rings)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < stages; s++)
		(*rings)[s] = ring;
	return TP_OK;
}

static enum tp_status verify_file(const struct tp_options *options, struct verdict *verdict)
{
	int64_t *rings;
	verdict->subject = options->schedule_file;
	TP_TRY(tp_listing_read_csv(options->schedule_file, &verdict->listing));
	TP_TRY(make_rings(options->ring, verdict->listing.stages, &rings));
	const struct tp_verify_limits limits = {.ring_forward = rings, .ring_backward = rings};
	enum tp_status status = tp_verify(&verdict->listing, &limits, &verdict->report);
	tp_free(rings);
	return status;
}

static enum tp_status verify_schedule(const struct tp_options *options, struct verdict *verdict)
{
	const struct tp_policy *named;
	struct tp_policy policy;
	struct tp_pipeline pipeline;
	int64_t *rings;
	verdict->subject = options->config.schedule;
	TP_TRY(tp_policy_find(options->config.schedule, &named));
	TP_TRY(tp_axes_apply(&options->config, named, options->config.mini_batches, &policy, &pipeline));
	TP_TRY(make_rings(options->ring, pipeline.stages, &rings));
	enum tp_status status = tp_soundness_check(&pipeline, rings, rings, &verdict->listing, &verdict->report);
	tp_free(rings);
	return status;
}

enum tp_status tp_command_verify(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct verdict verdict = {0};
	enum tp_status status =
	        options->schedule_file[0] ? verify_file(options, &verdict) : verify_schedule(options, &verdict);
	if (status == TP_OK && verdict.report.fault != TP_FAULT_NONE)
		status = print_fault(&verdict);
	else if (status == TP_OK && options->format == TP_SIMULATE_GRID)
		status = print_grid(&verdict);
	else if (status == TP_OK && options->format == TP_SIMULATE_JSON)
		status = print_json(&verdict);
	else if (status == TP_OK)
		print_table(&verdict);
	tp_verify_release(&verdict.report);
	tp_listing_release(&verdict.listing);
	return status;
}
