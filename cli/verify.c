/* tpbench verify: is a schedule sound, one of ours or one from a file? */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "baselines/policies.h"
#include "cli/commands.h"
#include "engine/run/axes.h"
#include "engine/run/soundness.h"
#include "engine/schedule/listing_csv.h"
#include "engine/schedule/verify.h"

/* What is verified, and what came of it. */
struct verification {
	const char *name;   /* of the schedule or the file */
	const char *format; /* NULL: the schedule is one of ours */
	struct tp_listing listing;
	struct tp_verify_report report;
};

/* --- verifying ---------------------------------------------------------------------------------------------------- */

static enum tp_status verify_file(const struct tp_options *options, struct verification *verification)
{
	const struct tp_verify_limits limits = {.ring_forward = options->ring, .ring_backward = options->ring};
	verification->name = options->schedule_file;
	verification->format = "csv";
	TP_TRY(tp_listing_read_csv(options->schedule_file, &verification->listing));
	return tp_verify(&verification->listing, &limits, &verification->report);
}

static enum tp_status verify_schedule(const struct tp_options *options, struct verification *verification)
{
	const struct tp_policy *named;
	struct tp_policy policy;
	struct tp_pipeline pipeline;
	TP_TRY(tp_policy_find(options->config.schedule, &named));
	TP_TRY(tp_axes_apply(&options->config, named, options->config.mini_batches, &policy, &pipeline));
	verification->name = named->name;
	return tp_soundness_check(&pipeline, options->ring, options->ring, &verification->listing,
	                          &verification->report);
}

/* --- as a table --------------------------------------------------------------------------------------------------- */

static void print_stages(const struct verification *verification)
{
	const struct tp_verify_report *report = &verification->report;
	printf("%5s  %23s  %24s  %13s\n", "stage", "mini-batches in flight", "micro-batches in flight",
	       "versions held");
	for (int32_t s = 0; s < report->stages; s++) {
		printf("%5" PRId32 "  %23" PRId64 "  %24" PRId64, s, report->minis_in_flight_max[s],
		       report->micros_in_flight_max[s]);
		if (verification->listing.knows_versions)
			printf("  %13" PRId32 "\n", report->versions_alive_max[s]);
		else
			printf("  %13s\n", "-");
	}
	if (report->stages == 1)
		return;
	printf("\n%8s  %12s  %13s\n", "boundary", "forward ring", "backward ring");
	for (int32_t s = 0; s + 1 < report->stages; s++) {
		char boundary[32];
		(void)snprintf(boundary, sizeof boundary, "%" PRId32 "-%" PRId32, s, s + 1);
		if (report->min_ring_forward[s] > 0)
			printf("%8s  %12" PRId64 "  %13" PRId64 "\n", boundary, report->min_ring_forward[s],
			       report->min_ring_backward[s]);
		else
			printf("%8s  %12s  %13s\n", boundary, "one rank", "one rank");
	}
}

static void print_rings(const struct tp_verify_report *report)
{
	if (report->stages == 1)
		return;
	printf("\nRings are the shortest with which no stage waits for a place.\n");
	if (report->rendezvous_ok)
		printf("Without rings (rendezvous) it runs, too.\n");
	else
		printf("Without rings (rendezvous) it sticks: %s\n", report->rendezvous.text);
}

static enum tp_status print_fault(const struct verification *verification)
{
	struct tp_text text = {0};
	enum tp_status status = tp_verify_explain(&verification->listing, &verification->report, &text);
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status;
}

static enum tp_status print_table(const struct verification *verification)
{
	const struct tp_listing *listing = &verification->listing;
	const struct tp_verify_report *report = &verification->report;
	printf("%s %s: %" PRId32 " stages on %" PRId32 " ranks, %" PRId32 " micro-batches, %" PRId64
	       " mini-batches\n\n",
	       verification->format ? "file" : "schedule", verification->name, listing->stages, listing->ranks,
	       listing->micro_batches, listing->minis);
	if (report->replayed) {
		print_stages(verification);
		print_rings(report);
		putchar('\n');
	}
	if (!report->ok) {
		printf("NOT SOUND\n");
		return print_fault(verification);
	}
	printf("SOUND: %" PRId64 " operations, each once, in %" PRId64
	       " slots; nothing waits for what does not come%s%s\n",
	       report->operations, report->makespan, report->ring_forward > 0 ? ", rings of this length included" : "",
	       listing->knows_versions ? "; every version read exists" : "");
	return TP_OK;
}

static enum tp_status print_grid(const struct verification *verification)
{
	if (!verification->report.replayed)
		return print_fault(verification);
	struct tp_text text = {0};
	enum tp_status status = tp_listing_grid(&verification->listing, &text);
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status == TP_OK && !verification->report.ok ? print_fault(verification) : status;
}

/* --- as JSON ------------------------------------------------------------------------------------------------------ */

static json_t *fault_json(const struct tp_fault *fault)
{
	if (fault->kind == TP_FAULT_NONE)
		return json_null();
	return json_pack("{s:s, s:i, s:i, s:I, s:s}", "kind", tp_fault_kind_text(fault->kind), "rank", (int)fault->rank,
	                 "stage", (int)fault->stage, "step", (json_int_t)fault->step, "text", fault->text);
}

static json_t *stages_json(const struct verification *verification)
{
	const struct tp_verify_report *report = &verification->report;
	json_t *stages = json_array();
	for (int32_t s = 0; s < report->stages; s++) {
		json_t *versions = verification->listing.knows_versions ? json_integer(report->versions_alive_max[s])
		                                                        : json_null();
		json_array_append_new(
		        stages, json_pack("{s:i, s:I, s:I, s:o}", "stage", (int)s, "mini_batches_in_flight_max",
		                          (json_int_t)report->minis_in_flight_max[s], "micro_batches_in_flight_max",
		                          (json_int_t)report->micros_in_flight_max[s], "versions_alive_max", versions));
	}
	return stages;
}

static json_t *boundaries_json(const struct tp_verify_report *report)
{
	json_t *boundaries = json_array();
	for (int32_t s = 0; s + 1 < report->stages; s++)
		json_array_append_new(boundaries,
		                      json_pack("{s:i, s:i, s:I, s:I}", "from_stage", (int)s, "to_stage", (int)s + 1,
		                                "forward_ring_min", (json_int_t)report->min_ring_forward[s],
		                                "backward_ring_min", (json_int_t)report->min_ring_backward[s]));
	return boundaries;
}

static enum tp_status print_json(const struct verification *verification)
{
	const struct tp_listing *listing = &verification->listing;
	const struct tp_verify_report *report = &verification->report;
	json_t *root =
	        json_pack("{s:s, s:i, s:i, s:i, s:I, s:b, s:o, s:o}", verification->format ? "file" : "schedule",
	                  verification->name, "ranks", (int)listing->ranks, "stages", (int)listing->stages,
	                  "micro_batches", (int)listing->micro_batches, "mini_batches", (json_int_t)listing->minis,
	                  "sound", (int)report->ok, "fault", fault_json(&report->fault), "ring",
	                  report->ring_forward > 0 ? json_integer(report->ring_forward) : json_null());
	if (root && report->replayed) {
		json_t *replay =
		        json_pack("{s:I, s:I, s:b, s:o, s:o, s:o}", "operations", (json_int_t)report->operations,
		                  "makespan_slots", (json_int_t)report->makespan, "rendezvous_runs",
		                  (int)report->rendezvous_ok, "rendezvous_fault", fault_json(&report->rendezvous),
		                  "per_stage", stages_json(verification), "per_boundary", boundaries_json(report));
		json_object_update_missing(root, replay);
		json_decref(replay);
	}
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "verify: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static enum tp_status print(const struct verification *verification, enum tp_simulate_format format)
{
	switch (format) {
	case TP_SIMULATE_GRID:
		return print_grid(verification);
	case TP_SIMULATE_JSON:
		return print_json(verification);
	case TP_SIMULATE_SVG: /* the option table does not offer pictures of it */
	case TP_SIMULATE_HTML:
	case TP_SIMULATE_TABLE:
		break;
	}
	return print_table(verification);
}

enum tp_status tp_command_verify(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct verification verification = {0};
	if (options->schedule_file[0] && arguments->word)
		return tp_fail(TP_ERR_INPUT, "--file: expected no schedule beside it, found '%s'", arguments->word);
	enum tp_status status = options->schedule_file[0] ? verify_file(options, &verification)
	                                                  : verify_schedule(options, &verification);
	if (status == TP_OK)
		status = print(&verification, options->format);
	const struct tp_fault *fault = &verification.report.fault;
	if (status == TP_OK && !verification.report.ok)
		status = tp_fail(TP_ERR_INPUT, "%s: %s: %s", verification.name, tp_fault_kind_text(fault->kind),
		                 fault->text);
	tp_verify_release(&verification.report);
	tp_listing_release(&verification.listing);
	return status;
}
