/* The verifier: every schedule is sound and so are its versions, and a fault of each kind is found where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/base/memory.h"
#include "engine/schedule/grid.h"
#include "engine/schedule/simulator.h"
#include "engine/schedule/verify.h"

static const struct tp_verify_limits no_limits;

/* --- schedules of ours -------------------------------------------------------------------------------------------- */

static struct tp_pipeline pipeline_of(const char *schedule, int32_t stages, int32_t micro_batches, int64_t minis)
{
	struct tp_pipeline pipeline = {.stages = stages, .micro_batches = micro_batches, .minis = minis};
	assert_int_equal(tp_policy_find(schedule, &pipeline.policy), TP_OK);
	if (pipeline.policy->single_stage)
		pipeline.stages = 1;
	if (pipeline.policy->forward_unit == TP_UNIT_MINI)
		pipeline.micro_batches = 1;
	return pipeline;
}

static void list_pipeline(const struct tp_pipeline *pipeline, struct tp_listing *listing)
{
	assert_int_equal(tp_listing_from_pipeline(pipeline, listing), TP_OK);
}

static void expect_sound(const struct tp_pipeline *pipeline, int64_t ring)
{
	struct tp_listing listing;
	struct tp_verify_report report;
	list_pipeline(pipeline, &listing);
	assert_int_equal(tp_verify_pipeline(pipeline, &listing, ring, ring, &report), TP_OK);
	if (!report.ok)
		fail_msg("%s W=%d N=%d: %s", pipeline->policy->name, pipeline->stages, pipeline->micro_batches,
		         report.fault.text);
	struct tp_sim_summary summary;
	assert_int_equal(tp_simulate(pipeline, NULL, NULL, NULL, &summary), TP_OK);
	assert_true(report.replayed);
	assert_int_equal(report.operations, summary.operations);
	assert_int_equal(report.makespan, summary.makespan);
	for (int32_t s = 0; s < pipeline->stages; s++) {
		assert_true(report.minis_in_flight_max[s] >= 1);
		assert_true(report.minis_in_flight_max[s] <= tp_minis_in_flight(pipeline, s));
		assert_true(report.micros_in_flight_max[s] <= tp_micros_in_flight(pipeline, s));
		assert_true(report.versions_alive_max[s] <= summary.versions_alive_max[s]);
		if (s + 1 < pipeline->stages)
			assert_true(report.min_ring_forward[s] >= 1 && report.min_ring_backward[s] >= 1);
	}
	tp_sim_summary_release(&summary);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static void test_every_schedule_is_sound(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		for (int32_t w = 1; w <= 8; w++) {
			for (int32_t n = 1; n <= 6; n++) {
				if (tp_policies[p]->forward_reads == TP_READS_DELAYED && n < w)
					continue;
				struct tp_pipeline pipeline = pipeline_of(tp_policies[p]->name, w, n, 11);
				expect_sound(&pipeline, 0);
			}
		}
	}
}

static void test_axes_are_sound(void **state)
{
	(void)state;
	for (int32_t w = 1; w <= 6; w++) {
		for (int32_t n = 1; n <= 4; n++) {
			struct tp_pipeline pipeline = pipeline_of("timeprest", w, n, 9);
			pipeline.independent = true;
			expect_sound(&pipeline, 0);
			pipeline.independent = false;
			pipeline.max_staleness = 1;
			expect_sound(&pipeline, 0);
			pipeline.max_staleness = 0;
			pipeline.depth = 2;
			expect_sound(&pipeline, 0);
			pipeline.depth = w + 2;
			expect_sound(&pipeline, 0);
		}
	}
}

/* The replay of a slot plan is the slot plan. */
static void test_grid_is_the_slot_plan(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		struct tp_pipeline pipeline = pipeline_of(tp_policies[p]->name, 4, 4, 6);
		struct tp_listing listing;
		struct tp_text plan = {0}, replay = {0};
		list_pipeline(&pipeline, &listing);
		assert_int_equal(tp_grid_text(&pipeline, &plan), TP_OK);
		assert_int_equal(tp_listing_grid(&listing, &replay), TP_OK);
		assert_string_equal(tp_text_get(&replay), tp_text_get(&plan));
		tp_text_release(&plan);
		tp_text_release(&replay);
		tp_listing_release(&listing);
	}
}

/* --- lists by hand ------------------------------------------------------------------------------------------------ */

struct lists {
	int32_t ranks, stages, micro_batches, backwards_per_mini;
	int64_t minis;
	bool split;
	const char *ops[3]; /* tokens of the grid, `stage:` before them where that is not the rank */
};

static struct tp_listed parse(const char *token, int32_t rank, bool split)
{
	struct tp_listed op = {.stage = rank, .micro = TP_WHOLE};
	if (strchr(token, ':')) {
		op.stage = (int32_t)strtol(token, NULL, 10);
		token = strchr(token, ':') + 1;
	}
	char *rest;
	op.mini = strtoll(token, &rest, 10);
	op.kind = split ? TP_LISTED_BX : TP_LISTED_B;
	if (*rest >= 'A' && *rest <= 'Z') {
		op.kind = TP_LISTED_F;
		op.micro = *rest++ - 'A';
	} else if (*rest >= 'a' && *rest <= 'z') {
		op.micro = *rest++ - 'a';
	}
	if (*rest == '\'')
		op.kind = TP_LISTED_BW;
	return op;
}

static void list_by_hand(const struct lists *lists, struct tp_listing *listing)
{
	assert_int_equal(tp_listing_init(listing, lists->ranks), TP_OK);
	listing->stages = lists->stages;
	listing->micro_batches = lists->micro_batches;
	listing->backwards_per_mini = lists->backwards_per_mini;
	listing->minis = lists->minis;
	listing->split = lists->split;
	for (int32_t r = 0; r < lists->ranks; r++) {
		char text[256], *rest = NULL;
		assert_true(strlen(lists->ops[r]) < sizeof text);
		strcpy(text, lists->ops[r]);
		for (char *token = strtok_r(text, " ", &rest); token; token = strtok_r(NULL, " ", &rest)) {
			struct tp_listed op = parse(token, r, lists->split);
			listing->names_stages |= op.stage != r;
			assert_int_equal(tp_listing_add(listing, r, &op), TP_OK);
		}
	}
}

/* Verify by hand-made lists; with a fault, where it is expected, and two parts of what is said. */
static void expect_fault(const struct lists *lists, const struct tp_verify_limits *limits, enum tp_fault_kind kind,
                         int32_t rank, int32_t stage, int64_t step, const char *part, const char *marked)
{
	struct tp_listing listing;
	struct tp_verify_report report;
	struct tp_text text = {0};
	list_by_hand(lists, &listing);
	assert_int_equal(tp_verify(&listing, limits, &report), TP_OK);
	assert_false(report.ok);
	if (report.fault.kind != kind || report.fault.rank != rank || report.fault.stage != stage ||
	    report.fault.step != step)
		fail_msg("%s: found %s at rank %d: %s", lists->ops[0], tp_fault_kind_text(report.fault.kind),
		         report.fault.rank, report.fault.text);
	assert_int_equal(tp_verify_explain(&listing, &report, &text), TP_OK);
	if (!strstr(report.fault.text, part) || !strstr(tp_text_get(&text), marked))
		fail_msg("expected '%s' and '%s' in: %s", part, marked, tp_text_get(&text));
	tp_text_release(&text);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static void expect_pass(const struct lists *lists, const struct tp_verify_limits *limits, int64_t makespan)
{
	struct tp_listing listing;
	struct tp_verify_report report;
	list_by_hand(lists, &listing);
	assert_int_equal(tp_verify(&listing, limits, &report), TP_OK);
	if (!report.ok)
		fail_msg("%s: %s", lists->ops[0], report.fault.text);
	assert_int_equal(report.makespan, makespan);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static const struct lists nf1b = {2, 2, 2, 1, 2, false, {"1A 1B 2A 2B 1 2", "1A 1B 1 2A 2B 2"}};

/* The lists of `base` with those of one rank replaced. */
static struct lists with_rank(const struct lists *base, int32_t rank, const char *ops)
{
	struct lists changed = *base;
	changed.ops[rank] = ops;
	return changed;
}

static void test_once_each(void **state)
{
	(void)state;
	expect_pass(&nf1b, &no_limits, 8);
	struct lists lists = with_rank(&nf1b, 1, "1A 1B 1 2A 2");
	expect_fault(&lists, &no_limits, TP_FAULT_MISSING, 1, 1, 5, "F 2B of stage 1 is missing", ">end<");
	lists = with_rank(&nf1b, 0, "1A 1B 2A 2B 1");
	expect_fault(&lists, &no_limits, TP_FAULT_MISSING, 0, 0, 5, "B 2 of stage 0 is missing", ">end<");
	lists = with_rank(&nf1b, 1, "1A 1B 1 2A 2A 2B 2");
	expect_fault(&lists, &no_limits, TP_FAULT_TWICE, 1, 1, 4, "step 3 already", ">2A<");
	lists = with_rank(&nf1b, 1, "1A 1B 1 2A 2A 2");
	expect_fault(&lists, &no_limits, TP_FAULT_TWICE, 1, 1, 4, "step 3 already", ">2A<");
	lists = with_rank(&nf1b, 0, "1A 1C 2A 2B 1 2");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 0, 0, 1, "2 forwards", ">1C<");
	lists = with_rank(&nf1b, 0, "1A 1B 2A 2B 1 3");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 0, 0, 5, "2 mini-batches", ">3<");
	lists = with_rank(&nf1b, 0, "1A 1B 2A 2B 1a 2");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 0, 0, 4, "1 backwards", ">1a<");
	lists = with_rank(&nf1b, 0, "1A 1B 2A 2:2B 1 2");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 0, 2, 3, "below 2", ">2:2B<");
	lists = with_rank(&nf1b, 1, "1A 1B 0:1 2A 2B 2");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 1, 0, 2, "rank 0 already", ">0:1<");
	lists = with_rank(&nf1b, 1, "1A 1B 1 2A 2B 2'");
	expect_fault(&lists, &no_limits, TP_FAULT_PLACE, 1, 1, 5, "not a kind", ">2'<");
	lists = with_rank(&nf1b, 1, "");
	expect_fault(&lists, &no_limits, TP_FAULT_MISSING, 1, 1, 0, "no operation", ">end<");
}

static void test_order_and_deadlock(void **state)
{
	(void)state;
	struct lists lists = with_rank(&nf1b, 1, "1B 1A 1 2A 2B 2");
	expect_fault(&lists, &no_limits, TP_FAULT_ORDER, 1, 1, 0, "1A of stage 0", ">1B<");
	lists = with_rank(&nf1b, 0, "1A 1B 2A 2B 2 1");
	expect_fault(&lists, &no_limits, TP_FAULT_ORDER, 0, 0, 4, "B 1 of stage 1", ">2<");
	lists = with_rank(&nf1b, 1, "1A 1 1B 2A 2B 2");
	expect_fault(&lists, &no_limits, TP_FAULT_DEADLOCK, 1, 1, 1, "waits for F 1B of stage 1, step 2 of its own",
	             ">1<");
	lists = with_rank(&nf1b, 0, "1A 1 1B 2A 2B 2");
	expect_fault(&lists, &no_limits, TP_FAULT_DEADLOCK, 0, 0, 1,
	             "waits for B 1 of stage 1, step 2 there; F 1B of stage 1 waits for F 1B of stage 0, step 2 there",
	             ">1<");
	/* Stages 1 and 2 wait for each other; stage 0 waits, too, but nobody waits for it. */
	struct lists three = {3, 3, 1, 1, 2, false, {"1A 2A 1 2", "1A 1 2A 2", "1A 2A 1 2"}};
	expect_fault(&three, &no_limits, TP_FAULT_DEADLOCK, 1, 1, 1, "B 1 of stage 2", ">1<");
	struct lists split = {2, 2, 1, 1, 1, true, {"1A 1a 1a'", "1A 1a 1a'"}};
	expect_pass(&split, &no_limits, 5);
	split = with_rank(&split, 0, "1A 1a' 1a");
	expect_fault(&split, &no_limits, TP_FAULT_DEADLOCK, 0, 0, 1, "waits for BX 1a of stage 0", ">1a'<");
}

/* Two stages on each of two ranks; what stays on a rank needs no ring. */
static void test_stages_share_ranks(void **state)
{
	(void)state;
	struct lists lists = {2, 4, 1, 1, 1, false, {"0:1A 3:1A 3:1 0:1", "1:1A 2:1A 2:1 1:1"}};
	struct tp_listing listing;
	struct tp_verify_report report;
	struct tp_text grid = {0};
	list_by_hand(&lists, &listing);
	assert_int_equal(tp_verify(&listing, &no_limits, &report), TP_OK);
	assert_true(report.ok);
	assert_int_equal(report.min_ring_forward[0], 1);
	assert_int_equal(report.min_ring_forward[1], 0);
	assert_int_equal(report.min_ring_backward[2], 1);
	assert_int_equal(report.min_ring_backward[1], 0);
	assert_int_equal(tp_listing_grid(&listing, &grid), TP_OK);
	assert_string_equal(tp_text_get(&grid), "0:1A . . 3:1A 3:1 . . 0:1\n. 1:1A 2:1A . . 2:1 1:1 .\n");
	tp_text_release(&grid);
	tp_verify_release(&report);
	tp_listing_release(&listing);
	lists = with_rank(&lists, 0, "0:1A 3:1A 0:1 3:1");
	expect_fault(&lists, &no_limits, TP_FAULT_DEADLOCK, 0, 0, 2, "B 1 of stage 1", ">0:1<");
}

/* Four forwards ahead of the first backward: with rings of one, both ranks hold a message that finds no place. */
static void test_rings(void **state)
{
	(void)state;
	struct lists lists = {2, 2, 4, 4, 1, false, {"1A 1B 1C 1D 1a 1b 1c 1d", "1A 1a 1B 1b 1C 1c 1D 1d"}};
	struct tp_verify_limits limits = {.ring_forward = 1, .ring_backward = 1};
	expect_fault(&lists, &limits, TP_FAULT_RING, 0, 0, 3,
	             "waits for a place in the ring to stage 1, which holds 1; B 1b of stage 1 waits for a place",
	             ">1D<");
	limits.ring_forward = limits.ring_backward = 2;
	expect_pass(&lists, &limits, 10);
	struct tp_listing listing;
	struct tp_verify_report report;
	list_by_hand(&lists, &listing);
	assert_int_equal(tp_verify(&listing, &no_limits, &report), TP_OK);
	/* Forward: as D is sent, at 4, only A and B are taken. Backward: b is sent at 5, a taken at 4; c at 7. */
	assert_int_equal(report.min_ring_forward[0], 2);
	assert_int_equal(report.min_ring_backward[0], 1);
	assert_false(report.rendezvous_ok);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static void test_nf1b_needs_rings(void **state)
{
	(void)state;
	struct tp_pipeline pipeline = pipeline_of("timeprest", 2, 2, 4);
	struct tp_listing listing;
	struct tp_verify_report report;
	list_pipeline(&pipeline, &listing);
	assert_int_equal(tp_verify_pipeline(&pipeline, &listing, 1, 1, &report), TP_OK);
	assert_true(report.ok);
	assert_false(report.rendezvous_ok);
	assert_int_equal(report.rendezvous.kind, TP_FAULT_RING);
	assert_int_equal(report.rendezvous.stage, 0);
	assert_int_equal(report.rendezvous.step, 2); /* 2A: stage 1 would first hand on the backward of 1 */
	assert_non_null(strstr(report.rendezvous.text, "until stage 1 takes its message"));
	tp_verify_release(&report);
	tp_listing_release(&listing);
	pipeline = pipeline_of("gpipe", 2, 2, 4);
	list_pipeline(&pipeline, &listing);
	assert_int_equal(tp_verify_pipeline(&pipeline, &listing, 1, 1, &report), TP_OK);
	assert_true(report.rendezvous_ok);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static void test_in_flight(void **state)
{
	(void)state;
	static const int64_t one[] = {1, 1}, two[] = {2, 2}, three[] = {3, 3}, four[] = {4, 4};
	struct tp_verify_limits limits = {.mini_limit = one};
	expect_fault(&nf1b, &limits, TP_FAULT_IN_FLIGHT, 0, 0, 2, "at most 1, found 2", ">2A<");
	limits = (struct tp_verify_limits){.mini_limit = two, .micro_limit = three};
	expect_fault(&nf1b, &limits, TP_FAULT_IN_FLIGHT, 0, 0, 3, "at most 3, found 4", ">2B<");
	limits.micro_limit = four;
	expect_pass(&nf1b, &limits, 8);
	/* A split backward holds its micro-batch until the weight part. */
	struct lists split = {1, 1, 2, 2, 1, true, {"1A 1a 1B 1b 1a' 1b'"}};
	limits = (struct tp_verify_limits){.micro_limit = one};
	expect_fault(&split, &limits, TP_FAULT_IN_FLIGHT, 0, 0, 2, "found 2", ">1B<");
	split = with_rank(&split, 0, "1A 1a 1a' 1B 1b 1b'");
	expect_pass(&split, &limits, 6);
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

/* Of pipedream's three stages, stage 1: 1A 2A 1 3A 2 4A 3 .., holding two versions. */
static void list_versions(struct tp_listing *listing)
{
	struct tp_pipeline pipeline = pipeline_of("pipedream", 3, 1, 6);
	list_pipeline(&pipeline, listing);
	assert_int_equal(listing->lists[1].ops[3].kind, TP_LISTED_F);
	assert_int_equal(listing->lists[1].ops[3].version_read, 1);
}

static void expect_version_fault(struct tp_listing *listing, enum tp_fault_kind kind, int32_t stage, int64_t step,
                                 const char *part)
{
	struct tp_verify_report report;
	assert_int_equal(tp_verify(listing, &no_limits, &report), TP_OK);
	assert_false(report.ok);
	assert_true(report.replayed);
	if (report.fault.kind != kind || report.fault.stage != stage || report.fault.step != step ||
	    !strstr(report.fault.text, part))
		fail_msg("expected '%s', found %s: %s", part, tp_fault_kind_text(report.fault.kind), report.fault.text);
	tp_verify_release(&report);
	tp_listing_release(listing);
}

static void test_versions(void **state)
{
	(void)state;
	struct tp_listing listing;
	list_versions(&listing);
	listing.lists[1].ops[3].version_read = 2; /* before mini-batch 2 is done */
	expect_version_fault(&listing, TP_FAULT_VERSION, 1, 3, "at most 1, found version 2");
	list_versions(&listing);
	listing.lists[0].ops[0].version_read = -1;
	expect_version_fault(&listing, TP_FAULT_VERSION, 0, 0, "at least 0, found version -1");
	list_versions(&listing);
	listing.lists[2].ops[6].version_read = 2; /* the last stage holds its live one, 3 */
	expect_version_fault(&listing, TP_FAULT_VERSION, 2, 6, "only version 3 was alive after step 5");
	list_versions(&listing);
	listing.lists[1].ops[3].version_live = 0;
	expect_version_fault(&listing, TP_FAULT_UPDATE, 1, 3, "live version 1, found version 0");
	list_versions(&listing);
	listing.lists[1].ops[2].updates = false;
	expect_version_fault(&listing, TP_FAULT_UPDATE, 1, 2, "expected the update of mini-batch 1");
	list_versions(&listing);
	listing.lists[1].ops[1].updates = true;
	expect_version_fault(&listing, TP_FAULT_UPDATE, 1, 1, "expected no update");
	list_versions(&listing);
	listing.lists[0].ops[5].versions_alive = 2; /* backward of 2: 3 will read 0, 4 has read 1, 2 is live */
	expect_version_fault(&listing, TP_FAULT_ALIVE, 0, 5, "read later, 3, found 2");
	list_versions(&listing);
	listing.lists[0].ops[2].versions_alive = 0;
	expect_version_fault(&listing, TP_FAULT_ALIVE, 0, 2, "at least 1");
	list_versions(&listing);
	listing.versions_at_end[2] = 2;
	expect_version_fault(&listing, TP_FAULT_ALIVE, 2, 12, "left when drained");
}

/* --- against a plain replay --------------------------------------------------------------------------------------- */

enum { SMALL_STAGES = 3, SMALL_OPS = 12 };

/* Rounds over all stages, with the messages that lie at each boundary as lists, until nothing moves. */
static bool runs_plainly(const struct tp_listing *listing)
{
	struct tp_listed down[SMALL_STAGES][SMALL_OPS], up[SMALL_STAGES][SMALL_OPS];
	int64_t down_in[SMALL_STAGES] = {0}, down_out[SMALL_STAGES] = {0}, up_in[SMALL_STAGES] = {0},
	        up_out[SMALL_STAGES] = {0}, step[SMALL_STAGES] = {0}, forwards[SMALL_STAGES][SMALL_OPS] = {{0}};
	bool moved = true;
	while (moved) {
		moved = false;
		for (int32_t s = 0; s < SMALL_STAGES; s++) {
			const struct tp_listed *op = &listing->lists[s].ops[step[s]];
			if (step[s] == listing->lists[s].count)
				continue;
			if (op->kind == TP_LISTED_F) {
				if (s > 0 && (down_out[s] == down_in[s] || down[s][down_out[s]].mini != op->mini ||
				              down[s][down_out[s]].micro != op->micro))
					continue;
				down_out[s] += s > 0;
				forwards[s][op->mini]++;
				if (s < SMALL_STAGES - 1)
					down[s + 1][down_in[s + 1]++] = *op;
			} else {
				if (s == SMALL_STAGES - 1 && forwards[s][op->mini] < listing->micro_batches)
					continue;
				if (s < SMALL_STAGES - 1 &&
				    (up_out[s] == up_in[s] || up[s][up_out[s]].mini != op->mini))
					continue;
				up_out[s] += s < SMALL_STAGES - 1;
				if (s > 0)
					up[s - 1][up_in[s - 1]++] = *op;
			}
			step[s]++;
			moved = true;
		}
	}
	for (int32_t s = 0; s < SMALL_STAGES; s++) {
		if (step[s] < listing->lists[s].count)
			return false;
	}
	return true;
}

static void test_swapped_operations(void **state)
{
	(void)state;
	struct tp_pipeline pipeline = pipeline_of("timeprest", SMALL_STAGES, 2, 4);
	int sound = 0, faulty = 0;
	for (int swaps = 0; swaps < 3 * 11 * 3 * 11; swaps++) {
		struct tp_listing listing;
		struct tp_verify_report report;
		list_pipeline(&pipeline, &listing);
		listing.knows_versions = false;
		for (int rest = swaps; rest > 0; rest /= 33) { /* up to two pairs of neighbours change places */
			struct tp_listed *ops = &listing.lists[rest % 33 / 11].ops[rest % 11], first = ops[0];
			ops[0] = ops[1];
			ops[1] = first;
		}
		assert_int_equal(tp_verify(&listing, &no_limits, &report), TP_OK);
		assert_int_equal(report.ok, runs_plainly(&listing));
		sound += report.ok;
		faulty += !report.ok;
		tp_verify_release(&report);
		tp_listing_release(&listing);
	}
	assert_true(sound > 50 && faulty > 50);
}

/* --- without memory ----------------------------------------------------------------------------------------------- */

/* Every allocation fails once: TP_ERR_NOMEM, and nothing is lost. */
static void test_out_of_memory(void **state)
{
	(void)state;
	struct tp_pipeline pipeline = pipeline_of("timeprest", 3, 2, 4);
	uint64_t before = tp_alloc_bytes();
	int failed = 0;
	enum tp_status status = TP_ERR_NOMEM;
	for (int successes = 0; status != TP_OK; successes++) {
		struct tp_listing listing = {0};
		struct tp_verify_report report = {0};
		tp_alloc_fail_after(successes);
		status = tp_listing_from_pipeline(&pipeline, &listing);
		if (status == TP_OK)
			status = tp_verify_pipeline(&pipeline, &listing, 2, 2, &report);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_ERR_NOMEM || (status == TP_OK && report.ok));
		failed += status != TP_OK;
		tp_verify_release(&report);
		tp_listing_release(&listing);
		assert_int_equal(tp_alloc_bytes(), before);
	}
	assert_true(failed > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_schedule_is_sound),
	        cmocka_unit_test(test_axes_are_sound),
	        cmocka_unit_test(test_grid_is_the_slot_plan),
	        cmocka_unit_test(test_once_each),
	        cmocka_unit_test(test_order_and_deadlock),
	        cmocka_unit_test(test_stages_share_ranks),
	        cmocka_unit_test(test_rings),
	        cmocka_unit_test(test_nf1b_needs_rings),
	        cmocka_unit_test(test_in_flight),
	        cmocka_unit_test(test_versions),
	        cmocka_unit_test(test_swapped_operations),
	        cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
