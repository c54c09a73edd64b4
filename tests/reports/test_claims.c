/* Verdicts on the paper's claims: each holds, fails and is not tested where it should, by numbers computed by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims_fixture.h"
#include "test_store_support.h"

#define VIRTUAL .clock = "virtual", .costs = "flops"

static void assert_near(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-9 * fabs(expected) + 1e-12))
		fail_msg("expected %.12g, found %.12g", expected, found);
}

static const struct tp_claim_measure *measure_of(const char *id, int32_t number)
{
	const struct tp_claim *claim = fixture_claim(id);
	assert_int_equal(claim->finding_count, 1);
	assert_true(number < claim->findings[0].measure_count);
	return &claim->findings[0].measures[number];
}

/* Without runs there is no verdict, and a command for each. */
static void nothing_is_tested_by_nothing(void **state)
{
	(void)state;
	const struct tp_claims *claims = fixture_judge();
	assert_int_equal(claims->count, 21);
	for (int32_t c = 0; c < claims->count; c++) {
		char id[16];
		(void)snprintf(id, sizeof id, "C%02d", (int)c + 1);
		assert_string_equal(claims->claims[c].id, id);
		assert_int_equal(claims->claims[c].verdict, TP_NOT_TESTED);
		assert_int_equal(claims->claims[c].finding_count, 0);
		assert_int_equal(strncmp(claims->claims[c].command, "tpbench ", 8), 0);
		assert_true(claims->claims[c].needs[0] && claims->claims[c].holds_if[0] && claims->claims[c].place[0]);
	}
}

/* --- time
 * ---------------------------------------------------------------------------------------------------------------- */

static void add_times(const char *schedule, double first, double second, double third)
{
	fixture_run((struct fixture){.schedule = schedule, .epoch_ms = first});
	fixture_run((struct fixture){.schedule = schedule, .epoch_ms = second});
	fixture_run((struct fixture){.schedule = schedule, .epoch_ms = third});
}

static void time_holds_with_its_interval(void **state)
{
	(void)state;
	add_times("timeprest", 10, 11, 12);
	add_times("pipedream", 20, 21, 22);
	expect_verdict("C01", TP_HOLDS);
	const struct tp_claim_measure *measure = measure_of("C01", 0);
	assert_near(measure->subject, 11);
	assert_near(measure->other, 21);
	/* The nine ratios: 10/22 10/21 1/2 1/2 11/21 12/22 11/20 12/21 12/20. */
	assert_near(measure->interval.mid, 11.0 / 21);
	assert_near(measure->interval.low, 10.0 / 22);
	assert_near(measure->interval.high, 12.0 / 20);
	assert_near(measure->interval.confidence, 0.9);
	assert_int_equal(measure->interval.n_a, 3);
	assert_int_equal(measure->interval.n_b, 3);
	const struct tp_claim_finding *finding = &fixture_claim("C01")->findings[0];
	for (int32_t r = 0; r < 3; r++) {
		assert_int_equal(finding->sides[0].run_ids[r], r + 1);
		assert_int_equal(finding->sides[1].run_ids[r], r + 4);
	}
	assert_non_null(strstr(finding->conditions, "mlp on synthetic, W 2, N 3, batch 48, epochs 2, device cpu"));
	assert_non_null(strstr(finding->conditions, "time measured, no link"));
}

/* Runs on a stand-in for a GPU are no samples, and it is said how many they are, in every format. */
static void a_stand_in_judges_nothing(void **state)
{
	(void)state;
	static const char said[] = "2 runs left out: their device stands in for a GPU and its clock says nothing";
	struct tp_text text[3] = {{0}, {0}, {0}}, json = {0};
	add_times("timeprest", 10, 11, 12);
	add_times("pipedream", 20, 21, 22);
	expect_verdict("C01", TP_HOLDS);
	assert_int_equal(fixture_judge()->stand_in_runs, 0);
	sql_execute(fixture_path(), "UPDATE run SET device = 'fakecuda (no GPU)' WHERE run_id > 4");
	expect_verdict("C01", TP_NOT_TESTED);
	const struct tp_claims *claims = fixture_judge();
	tp_claims_write_text(claims, false, &text[0]);
	tp_claims_write_markdown(claims, &text[1]);
	tp_claims_write_html(claims, &text[2]);
	for (int i = 0; i < 3; i++) {
		assert_non_null(strstr(tp_text_get(&text[i]), said));
		tp_text_release(&text[i]);
	}
	assert_ok(tp_claims_write_json(claims, &json));
	assert_non_null(strstr(tp_text_get(&json), "\"stand_in_runs\": 2"));
	tp_text_release(&json);
	sql_execute(fixture_path(), "UPDATE run SET device = 'fakecuda (no GPU)'");
	assert_int_equal(fixture_claim("C01")->finding_count, 0);
}

static void time_fails(void **state)
{
	(void)state;
	add_times("timeprest", 30, 31, 32);
	add_times("pipedream", 20, 21, 22);
	expect_verdict("C01", TP_FAILS);
	add_times("timeprest-1f1b", 30, 30, 30); /* in no pair slower */
	expect_verdict("C16", TP_FAILS);
}

static void time_between_is_no_verdict(void **state)
{
	(void)state;
	add_times("timeprest", 10, 11, 22);
	add_times("pipedream", 9, 21, 22);
	expect_not_tested("C01", "holds both answers");
}

static void one_measured_run_is_no_verdict(void **state)
{
	(void)state;
	fixture_run((struct fixture){.epoch_ms = 10});
	fixture_run((struct fixture){.schedule = "pipedream", .epoch_ms = 20});
	expect_not_tested("C01", "needed: 3, found 1 and 1");
	expect_not_tested("C02", "needed: 3, found 1 and 1");
	fixture_run((struct fixture){.epoch_ms = 10});
	fixture_run((struct fixture){.schedule = "pipedream", .epoch_ms = 20});
	expect_not_tested("C01", "needed: 3, found 2 and 2");
}

static void modelled_time_takes_one_run(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .epoch_ms = 10});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 20});
	fixture_run((struct fixture){VIRTUAL, .schedule = "timeprest-1f1b", .epoch_ms = 15});
	expect_verdict("C01", TP_HOLDS);
	expect_verdict("C16", TP_HOLDS);
	const struct tp_claim_measure *measure = measure_of("C01", 0);
	assert_true(measure->extremes);
	assert_near(measure->interval.low, 0.5);
	assert_near(measure->interval.high, 0.5);
	assert_non_null(strstr(fixture_claim("C01")->findings[0].conditions, "time modelled by costs flops"));
	/* Another run of other costs, as when they were measured anew: from the least to the greatest. */
	fixture_run((struct fixture){VIRTUAL, .epoch_ms = 25});
	expect_not_tested("C01", "holds both answers");
	measure = measure_of("C01", 0);
	assert_near(measure->interval.low, 0.5);
	assert_near(measure->interval.high, 1.25);
}

static void uniform_costs_compare_slots(void **state)
{
	(void)state;
	fixture_run((struct fixture){.clock = "virtual", .costs = "uniform:1ms,2ms", .alpha = 0.9});
	fixture_run((struct fixture){
	        .clock = "virtual", .costs = "uniform:1ms,2ms", .schedule = "pipedream", .epoch_ms = 20, .alpha = 0.1});
	expect_not_tested("C01", "uniform");
	expect_not_tested("C13", "uniform");
	expect_verdict("C02", TP_FAILS); /* memory does not depend on them */
}

/* Runs that differ in more than the claim says are not set side by side. */
static void unlike_runs_are_no_pair(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .epoch_ms = 10});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 20, .batch = 96});
	expect_verdict("C01", TP_NOT_TESTED);
	assert_int_equal(fixture_claim("C01")->finding_count, 0);
}

static void conditions_may_disagree(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .epoch_ms = 10});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 20});
	fixture_run((struct fixture){VIRTUAL, .batch = 96, .epoch_ms = 30});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .batch = 96, .epoch_ms = 20});
	expect_verdict("C01", TP_MIXED);
	const struct tp_claim *claim = fixture_claim("C01");
	assert_int_equal(claim->finding_count, 2);
	assert_int_equal(claim->findings[0].verdict, TP_HOLDS);
	assert_int_equal(claim->findings[1].verdict, TP_FAILS);
}

static void clusters_are_steps(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .cluster = "paper-a", .stages = 2, .epoch_ms = 30});
	fixture_run((struct fixture){VIRTUAL, .cluster = "paper-b", .stages = 3, .epoch_ms = 20});
	expect_verdict("C17", TP_NOT_TESTED);
	fixture_run((struct fixture){VIRTUAL, .cluster = "paper-c", .stages = 4, .epoch_ms = 10});
	expect_verdict("C17", TP_HOLDS);
	assert_near(measure_of("C17", 0)->interval.mid, 20.0 / 30);
	assert_near(measure_of("C17", 1)->interval.mid, 10.0 / 20);
	fixture_run((struct fixture){VIRTUAL, .cluster = "paper-c", .stages = 4, .epoch_ms = 21}); /* its repeat */
	expect_not_tested("C17", "holds both answers");
	fixture_run(
	        (struct fixture){VIRTUAL, .schedule = "pipedream", .cluster = "paper-b", .stages = 3, .epoch_ms = 20});
	fixture_run(
	        (struct fixture){VIRTUAL, .schedule = "pipedream", .cluster = "paper-c", .stages = 4, .epoch_ms = 20});
	expect_verdict("C18", TP_HOLDS); /* as long does not fall */
}

static void a_step_up_fails(void **state)
{
	(void)state;
	for (int c = 0; c < 3; c++) {
		const char *const clusters[] = {"paper-a", "paper-b", "paper-c"};
		const double times[] = {30, 20, 25}, falling[] = {30, 20, 10};
		fixture_run((struct fixture){VIRTUAL, .cluster = clusters[c], .stages = c + 2, .epoch_ms = times[c]});
		fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .cluster = clusters[c], .stages = c + 2,
		                             .epoch_ms = falling[c]});
	}
	expect_verdict("C17", TP_FAILS);
	assert_int_equal(measure_of("C17", 0)->verdict, TP_HOLDS);
	assert_int_equal(measure_of("C17", 1)->verdict, TP_FAILS);
	expect_verdict("C18", TP_FAILS);
}

/* --- memory
 * -------------------------------------------------------------------------------------------------------------- */

static void memory_in_total_and_at_every_stage(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .peak_bytes = {400, 1200}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .peak_bytes = {1200, 800}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "1f1b", .peak_bytes = {400, 400}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "timeprest-stash", .peak_bytes = {800, 1200}});
	expect_verdict("C02", TP_HOLDS); /* 1600 against 2000 */
	assert_near(measure_of("C02", 0)->interval.mid, 0.8);
	assert_near(measure_of("C02", 0)->subject, 1600.0 / (1 << 20));
	expect_verdict("C03", TP_FAILS);
	assert_int_equal(measure_of("C03", 0)->verdict, TP_HOLDS);
	assert_int_equal(measure_of("C03", 1)->verdict, TP_FAILS);
	expect_verdict("C04", TP_HOLDS); /* 800 against 1600 */
	expect_verdict("C15", TP_HOLDS); /* 2000 against 1600 */
}

static void memory_the_other_way(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .peak_bytes = {400, 400}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream", .peak_bytes = {404, 404}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "1f1b", .peak_bytes = {400, 404}});
	fixture_run((struct fixture){VIRTUAL, .schedule = "timeprest-stash", .peak_bytes = {400, 400}});
	expect_verdict("C03", TP_HOLDS);
	expect_verdict("C04", TP_FAILS);
	expect_verdict("C15", TP_FAILS);
	fixture_run((struct fixture){VIRTUAL, .model = "other", .peak_bytes = {400, 800}});
	fixture_run((struct fixture){VIRTUAL, .model = "other", .schedule = "pipedream", .peak_bytes = {400, 400}});
	expect_verdict("C02", TP_MIXED);
}

/* --- accuracy
 * ------------------------------------------------------------------------------------------------------------ */

/* Three seeds, a point apart. */
static void add_seeds(struct fixture run)
{
	for (int seed = 1; seed <= 3; seed++) {
		run.seed = seed;
		fixture_run(run);
		run.top1[0] += 1;
		run.top1[1] += 1;
	}
}

static void accuracy_takes_seeds(void **state)
{
	(void)state;
	/* When timeprest has ended its second epoch, after 20 ms, pipedream has ended its first. */
	add_seeds((struct fixture){VIRTUAL, .epoch_ms = 10, .top1 = {30, 50}});
	add_seeds((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 20, .top1 = {40, 60}});
	add_seeds((struct fixture){VIRTUAL, .schedule = "timeprest-stash", .epoch_ms = 10, .top1 = {30, 55}});
	expect_verdict("C05", TP_HOLDS);
	const struct tp_claim_measure *measure = measure_of("C05", 0);
	assert_near(measure->subject, 51);
	assert_near(measure->other, 41);
	assert_near(measure->interval.mid, 10);
	assert_near(measure->interval.low, 8);
	assert_near(measure->interval.high, 12);
	expect_verdict("C14", TP_HOLDS);
	assert_near(measure_of("C14", 0)->interval.mid, 5);
}

static void accuracy_fails(void **state)
{
	(void)state;
	add_seeds((struct fixture){VIRTUAL, .epoch_ms = 20, .top1 = {30, 50}});
	add_seeds((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 20, .top1 = {40, 60}});
	add_seeds((struct fixture){VIRTUAL, .schedule = "timeprest-stash", .top1 = {30, 45}});
	expect_verdict("C05", TP_FAILS);
	expect_verdict("C14", TP_FAILS);
}

/* The same seed again is not another sample, under the virtual clock least of all. */
static void repeats_are_no_seeds(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .repeats = 5, .top1 = {30, 50}});
	fixture_run((struct fixture){VIRTUAL, .repeats = 5, .schedule = "pipedream", .top1 = {10, 20}});
	fixture_run((struct fixture){VIRTUAL, .repeats = 5, .schedule = "timeprest-stash", .top1 = {30, 60}});
	expect_not_tested("C05", "seeds of each side needed: 3, found 1 and 1");
	expect_not_tested("C14", "seeds of each side needed: 3, found 1 and 1");
	fixture_run((struct fixture){.model = "other", .repeats = 5});
	fixture_run((struct fixture){.model = "other", .repeats = 5, .schedule = "timeprest-stash"});
	expect_not_tested("C14", "not recorded on both sides"); /* not evaluated */
}

static void targets(void **state)
{
	(void)state;
	/* timeprest needs both epochs, 20 ms; pipedream the first, 25 ms. */
	add_seeds((struct fixture){VIRTUAL, .epoch_ms = 10, .top1 = {30, 50}, .target = 40});
	add_seeds((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 25, .top1 = {41, 60}, .target = 40});
	expect_verdict("C06", TP_HOLDS);
	assert_near(measure_of("C06", 0)->interval.mid, 20.0 / 25);
	expect_verdict("C07", TP_HOLDS);
	assert_near(measure_of("C07", 0)->interval.mid, 2);
	assert_near(measure_of("C07", 0)->interval.low, 2);
}

static void targets_the_other_way(void **state)
{
	(void)state;
	add_seeds((struct fixture){VIRTUAL, .epoch_ms = 30, .top1 = {45, 50}, .target = 40});
	add_seeds((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 10, .top1 = {30, 60}, .target = 40});
	expect_verdict("C06", TP_FAILS);
	expect_verdict("C07", TP_FAILS);
}

/* Who did not reach the target needs more than it trained: enough to lose, never to win. */
static void targets_not_reached(void **state)
{
	(void)state;
	add_seeds((struct fixture){VIRTUAL, .epoch_ms = 10, .top1 = {41, 50}, .target = 40});
	add_seeds((struct fixture){VIRTUAL, .schedule = "pipedream", .epoch_ms = 10, .top1 = {10, 20}, .target = 40});
	expect_verdict("C06", TP_HOLDS);
	expect_verdict("C07", TP_FAILS);
	add_seeds((struct fixture){VIRTUAL, .model = "other", .epoch_ms = 10, .top1 = {10, 20}, .target = 40});
	add_seeds((struct fixture){VIRTUAL, .model = "other", .schedule = "pipedream", .epoch_ms = 30, .top1 = {10, 20},
	                           .target = 40});
	assert_int_equal(fixture_claim("C06")->finding_count, 2);
	assert_int_equal(fixture_claim("C06")->findings[1].verdict, TP_NOT_TESTED);
}

static void micro_batches_and_batch(void **state)
{
	(void)state;
	add_seeds((struct fixture){VIRTUAL, .cluster = "paper-c", .stages = 4, .micro_batches = 3, .epoch_ms = 10,
	                           .top1 = {1, 50}});
	add_seeds((struct fixture){VIRTUAL, .cluster = "paper-c", .stages = 4, .micro_batches = 2, .epoch_ms = 15,
	                           .top1 = {1, 40}});
	expect_verdict("C19", TP_HOLDS);
	expect_verdict("C20", TP_NOT_TESTED);
	add_seeds((struct fixture){VIRTUAL, .cluster = "paper-c", .stages = 4, .micro_batches = 2, .batch = 96,
	                           .epoch_ms = 20, .top1 = {1, 30}});
	expect_verdict("C20", TP_HOLDS);
	assert_string_equal(fixture_claim("C20")->findings[0].sides[0].label, "N 2 batch 96");
	/* Another model, where it is the fastest and the best. */
	add_seeds((struct fixture){VIRTUAL, .model = "other", .cluster = "paper-c", .stages = 4, .micro_batches = 3,
	                           .epoch_ms = 20, .top1 = {1, 50}});
	add_seeds((struct fixture){VIRTUAL, .model = "other", .cluster = "paper-c", .stages = 4, .micro_batches = 2,
	                           .epoch_ms = 15, .top1 = {1, 40}});
	add_seeds((struct fixture){VIRTUAL, .model = "other", .cluster = "paper-c", .stages = 4, .micro_batches = 2,
	                           .batch = 96, .epoch_ms = 10, .top1 = {1, 60}});
	expect_verdict("C19", TP_MIXED);
	expect_verdict("C20", TP_MIXED);
}

/* --- versions, messages, overlap, backwards
 * ------------------------------------------------------------------------------- */

static void versions(void **state)
{
	(void)state;
	fixture_run((struct fixture){.clock = "virtual", .stages = 3});
	static const char *const ids[] = {"C08", "C09", "C10", "C11"};
	for (size_t i = 0; i < 4; i++)
		expect_verdict(ids[i], TP_HOLDS);
	fixture_run((struct fixture){.clock = "virtual", .stages = 3, .model = "b", .staleness = 1});
	expect_verdict("C08", TP_MIXED);
	fixture_run((struct fixture){.clock = "virtual", .stages = 3, .model = "c", .v = 2, .chains = 1});
	expect_verdict("C09", TP_MIXED);
	expect_verdict("C10", TP_MIXED);
	expect_verdict("C11", TP_MIXED);
	assert_int_equal(fixture_claim("C08")->findings[2].verdict, TP_NOT_TESTED); /* v is above 1 */
}

/* W = 4, N = 2: v is above 1 by Eq. 2, and 2 by Eq. 3. */
static void versions_beyond_one(void **state)
{
	(void)state;
	fixture_run((struct fixture){.clock = "virtual", .stages = 4, .micro_batches = 2, .v = 1});
	expect_verdict("C09", TP_FAILS);
	expect_verdict("C10", TP_FAILS);
	expect_verdict("C11", TP_HOLDS);
	fixture_run((struct fixture){.clock = "virtual", .stages = 4, .micro_batches = 2, .v = 2, .model = "b"});
	expect_verdict("C09", TP_MIXED);
	expect_verdict("C10", TP_MIXED);
}

static void versions_in_dynamic_order_take_runs(void **state)
{
	(void)state;
	fixture_run((struct fixture){.repeats = 2});
	expect_not_tested("C09", "needed in dynamic order: 3, found 2");
	fixture_run((struct fixture){0});
	expect_verdict("C09", TP_HOLDS);
	fixture_run((struct fixture){.v = 2}); /* one counter-example is enough */
	expect_verdict("C09", TP_FAILS);
	fixture_run((struct fixture){.model = "short", .clock = "virtual", .mini_batches = 3});
	assert_int_equal(fixture_claim("C09")->findings[1].verdict, TP_NOT_TESTED);
}

static void static_order_takes_one_run(void **state)
{
	(void)state;
	fixture_run((struct fixture){.order = "static"});
	expect_verdict("C09", TP_HOLDS);
	fixture_run((struct fixture){.model = "b", .order = "static", .unrecorded = true});
	assert_int_equal(fixture_claim("C09")->findings[1].verdict, TP_NOT_TESTED);
}

static void volumes(void **state)
{
	(void)state;
	/* (N + 1) / (2 N) = 2/3; bytes have no spread under any clock. */
	fixture_run((struct fixture){.sent_bytes = 410});
	fixture_run((struct fixture){.schedule = "gpipe", .sent_bytes = 600});
	expect_verdict("C12", TP_HOLDS);
	assert_near(measure_of("C12", 0)->interval.mid, 410.0 / 600);
	fixture_run((struct fixture){.model = "b", .sent_bytes = 600});
	fixture_run((struct fixture){.model = "b", .schedule = "gpipe", .sent_bytes = 600});
	assert_int_equal(fixture_claim("C12")->findings[1].verdict, TP_FAILS);
	fixture_run((struct fixture){.model = "c", .unrecorded = true});
	fixture_run((struct fixture){.model = "c", .schedule = "gpipe", .sent_bytes = 600});
	assert_int_equal(fixture_claim("C12")->findings[2].verdict, TP_NOT_TESTED);
}

static void overlap(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL});
	fixture_run((struct fixture){VIRTUAL, .schedule = "pipedream"});
	expect_not_tested("C13", "needs a link");
	fixture_run((struct fixture){VIRTUAL, .model = "b", .alpha = 0.75});
	fixture_run((struct fixture){VIRTUAL, .model = "b", .schedule = "pipedream", .alpha = 0.5});
	expect_verdict("C13", TP_HOLDS);
	assert_near(fixture_claim("C13")->findings[1].measures[0].interval.mid, 0.25);
	fixture_run((struct fixture){VIRTUAL, .model = "c", .alpha = 0.5});
	fixture_run((struct fixture){VIRTUAL, .model = "c", .schedule = "pipedream", .alpha = 0.5});
	expect_verdict("C13", TP_MIXED);
}

static void backwards(void **state)
{
	(void)state;
	fixture_run((struct fixture){VIRTUAL, .backward_ms = 1});
	fixture_run((struct fixture){VIRTUAL, .schedule = "gpipe", .backward_ms = 2});
	expect_not_tested("C21", "needs the real clock");
	fixture_run((struct fixture){.repeats = 3, .backward_ms = 1});
	fixture_run((struct fixture){.repeats = 3, .schedule = "gpipe", .backward_ms = 2});
	expect_verdict("C21", TP_HOLDS);
	assert_near(fixture_claim("C21")->findings[1].measures[0].interval.mid, 0.5);
	fixture_run((struct fixture){.model = "b", .repeats = 3, .backward_ms = 3});
	fixture_run((struct fixture){.model = "b", .repeats = 3, .schedule = "gpipe", .backward_ms = 2});
	expect_verdict("C21", TP_MIXED);
}

/* --- plans
 * --------------------------------------------------------------------------------------------------------------- */

static const struct tp_claim *planned(struct tp_claims *claims, const char *id)
{
	for (int32_t c = 0; c < claims->count; c++) {
		if (strcmp(claims->claims[c].id, id) == 0)
			return &claims->claims[c];
	}
	return NULL;
}

static void plans(void **state)
{
	(void)state;
	/* W = 6, N = 2: v is 2 where Eq. 3 has 3. N = 1 is nothing to Eq. 3. */
	static const struct tp_claim_plan good[] = {{3, 2, 1, 1}, {4, 2, 2, 2}, {4, 1, 2, 2}};
	static const struct tp_claim_plan bad[] = {{3, 2, 1, 1}, {6, 2, 2, 2}, {2, 3, 2, 3}};
	static const char *const ids[] = {"C09", "C10", "C11"};
	struct tp_claims *claims = fixture_judge();
	assert_ok(tp_claims_add_plans(claims, good, 3));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(planned(claims, ids[i])->verdict, TP_HOLDS);
	assert_int_equal(planned(claims, "C08")->verdict, TP_NOT_TESTED);
	const struct tp_claim_finding *finding = &planned(claims, "C10")->findings[0];
	assert_string_equal(finding->conditions, "slot plans of timeprest, W 3 to 4, N 1 to 2, simulated");
	assert_near(finding->measures[0].subject, 2);
	assert_near(finding->measures[0].other, 2);
	claims = fixture_judge();
	assert_ok(tp_claims_add_plans(claims, bad, 3));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(planned(claims, ids[i])->verdict, TP_FAILS);
	assert_non_null(strstr(planned(claims, "C10")->findings[0].measures[0].note, "W = 6, N = 2, v = 2"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_begin, fixture_end)
	const struct CMUnitTest tests[] = {
	        TEST(nothing_is_tested_by_nothing),
	        TEST(time_holds_with_its_interval),
	        TEST(a_stand_in_judges_nothing),
	        TEST(time_fails),
	        TEST(time_between_is_no_verdict),
	        TEST(one_measured_run_is_no_verdict),
	        TEST(modelled_time_takes_one_run),
	        TEST(uniform_costs_compare_slots),
	        TEST(unlike_runs_are_no_pair),
	        TEST(conditions_may_disagree),
	        TEST(clusters_are_steps),
	        TEST(a_step_up_fails),
	        TEST(memory_in_total_and_at_every_stage),
	        TEST(memory_the_other_way),
	        TEST(accuracy_takes_seeds),
	        TEST(accuracy_fails),
	        TEST(repeats_are_no_seeds),
	        TEST(targets),
	        TEST(targets_the_other_way),
	        TEST(targets_not_reached),
	        TEST(micro_batches_and_batch),
	        TEST(versions),
	        TEST(versions_beyond_one),
	        TEST(versions_in_dynamic_order_take_runs),
	        TEST(static_order_takes_one_run),
	        TEST(volumes),
	        TEST(overlap),
	        TEST(backwards),
	        TEST(plans),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
