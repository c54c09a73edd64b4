/* What the writers make of claims: the same numbers in every form, and nothing that a hostile name could do. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "claims_fixture.h"
#include "engine/base/memory.h"
#include "test_store_support.h"

#define HOSTILE "<script>alert(1)</script>|`*_\"'&\033[31m\r\n# \xff\xc0"

static void write_text(const struct tp_claims *claims, struct tp_text *out)
{
	tp_claims_write_text(claims, false, out);
}

static void write_json(const struct tp_claims *claims, struct tp_text *out)
{
	assert_ok(tp_claims_write_json(claims, out));
}

typedef void write_claims(const struct tp_claims *claims, struct tp_text *out);
static write_claims *const writers[] = {write_text, tp_claims_write_markdown, tp_claims_write_html, write_json};
enum { WRITERS = sizeof writers / sizeof *writers };

static void expect_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in:\n%s", part, text);
}

static size_t count_parts(const char *text, const char *part)
{
	size_t count = 0;
	for (; (text = strstr(text, part)) != NULL; text += strlen(part))
		count++;
	return count;
}

/* Verdicts of all kinds, more than a line of conditions. */
static void fill(const char *model)
{
	fixture_run((struct fixture){.model = model, .repeats = 3, .epoch_ms = 10, .peak_bytes = {500000, 700000}});
	fixture_run((struct fixture){.model = model, .repeats = 3, .schedule = "pipedream", .epoch_ms = 20});
	fixture_run((struct fixture){.model = model, .repeats = 1, .schedule = "timeprest-stash", .top1 = {1, 2}});
	fixture_run((struct fixture){.model = model, .repeats = 1, .schedule = "gpipe"});
	fixture_run((struct fixture){.model = model, .clock = "virtual", .costs = "flops", .epoch_ms = 20});
	fixture_run((struct fixture){
	        .model = model, .schedule = "pipedream", .clock = "virtual", .costs = "flops", .epoch_ms = 10});
}

static void every_claim_is_in_every_form(void **state)
{
	(void)state;
	const struct tp_claims *claims = fixture_judge();
	for (size_t w = 0; w < WRITERS; w++) {
		struct tp_text text = {0};
		writers[w](claims, &text);
		for (int32_t c = 0; c < claims->count; c++) {
			expect_part(tp_text_get(&text), claims->claims[c].id);
			if (writers[w] != write_text) /* which wraps it */
				expect_part(tp_text_get(&text), claims->claims[c].command);
		}
		tp_text_release(&text);
	}
}

static void numbers_are_the_same_in_every_form(void **state)
{
	(void)state;
	static const char numbers[] =
	        "epoch time: timeprest 10 ms, pipedream 20 ms; ratio 0.5, 0.5 to 0.5 (90 %), n 3 and 3";
	static const char runs[] = "runs 1..3 (timeprest); 4..6 (pipedream)";
	fill("mlp");
	const struct tp_claims *claims = fixture_judge();
	assert_int_equal(claims->claims[0].verdict, TP_MIXED);
	for (size_t w = 0; w < 3; w++) {
		struct tp_text text = {0};
		writers[w](claims, &text);
		expect_part(tp_text_get(&text), numbers);
		expect_part(tp_text_get(&text), runs);
		expect_part(tp_text_get(&text), "ratio 2, no spread, n 1 and 1");
		tp_text_release(&text);
	}
	struct tp_text text = {0};
	write_json(claims, &text);
	json_t *root = json_loads(tp_text_get(&text), 0, NULL);
	json_t *claim = json_array_get(json_object_get(root, "claims"), 0);
	json_t *finding = json_array_get(json_object_get(claim, "findings"), 0);
	json_t *measure = json_array_get(json_object_get(finding, "measures"), 0);
	assert_string_equal(json_string_value(json_object_get(claim, "verdict")), "mixed");
	assert_string_equal(json_string_value(json_object_get(finding, "verdict")), "holds");
	assert_true(fabs(json_number_value(json_object_get(measure, "subject")) - 10) < 1e-9);
	assert_true(fabs(json_number_value(json_object_get(measure, "low")) - 0.5) < 1e-9);
	assert_true(fabs(json_number_value(json_object_get(measure, "confidence")) - 0.9) < 1e-9);
	json_t *side = json_array_get(json_object_get(finding, "sides"), 1);
	assert_int_equal(json_array_size(json_object_get(side, "runs")), 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(side, "runs"), 2)), 6);
	json_decref(root);
	tp_text_release(&text);
}

static void runs_are_named_in_short(void **state)
{
	(void)state;
	struct tp_text text = {0};
	fixture_run((struct fixture){.repeats = 2});
	fixture_run((struct fixture){.schedule = "pipedream"});
	fixture_run((struct fixture){.repeats = 1});
	fixture_run((struct fixture){.schedule = "pipedream", .repeats = 4});
	write_text(fixture_judge(), &text);
	expect_part(tp_text_get(&text), "runs 1, 2, 4 (timeprest); 3, 5..8 (pipedream): mlp");
	tp_text_release(&text);
}

static void readings_stand_beside(void **state)
{
	(void)state;
	struct tp_text text = {0};
	write_json(fixture_judge(), &text);
	json_t *root = json_loads(tp_text_get(&text), 0, NULL);
	json_t *claims = json_object_get(root, "claims");
	json_t *time = json_object_get(json_array_get(claims, 0), "paper");
	json_t *memory = json_object_get(json_array_get(claims, 1), "paper");
	json_t *volume = json_object_get(json_array_get(claims, 11), "reproduction");
	assert_true(json_is_true(json_object_get(time, "approximate")));
	assert_int_equal(json_array_size(json_object_get(time, "readings")), 40);
	assert_string_equal(json_string_value(json_array_get(json_object_get(time, "readings"), 0)),
	                    "Fig. 16a, cluster B, vgg16 on cifar100, timeprest: ~10 to 12 minutes");
	assert_int_equal(json_array_size(json_object_get(memory, "readings")), 20);
	assert_string_equal(json_string_value(json_array_get(json_object_get(memory, "readings"), 1)),
	                    "Fig. 15, cluster C, vgg16 on cifar100, timeprest: ~7 total_gb");
	assert_int_equal(json_array_size(json_object_get(volume, "readings")), 1);
	json_decref(root);
	tp_text_release(&text);
	tp_claims_write_html(fixture_judge(), &text);
	expect_part(tp_text_get(&text), "top-1 after 160 epochs (lr 0.02): timeprest 72.44, pipedream 72.25 percent");
	expect_part(tp_text_get(&text), "timeprest: ~72 to 75 top1_percent at 27 time_points");
	tp_text_release(&text);
}

static void a_terminal_has_120_columns(void **state)
{
	(void)state;
	fill("a model with a rather long name that takes much of a line by itself, as some do");
	struct tp_text text = {0};
	write_text(fixture_judge(), &text);
	for (const char *line = tp_text_get(&text); *line;) {
		size_t length = strcspn(line, "\n");
		if (length > 120)
			fail_msg("%zu columns: %.*s", length, (int)length, line);
		line += length + (line[length] == '\n');
	}
	assert_null(strchr(tp_text_get(&text), '\033'));
	tp_text_release(&text);
	tp_claims_write_text(fixture_judge(), true, &text);
	expect_part(tp_text_get(&text), "\033[32mholds\033[0m       epoch time");
	tp_text_release(&text);
}

/* Each row of the table has as many cells as its head. */
static void expect_whole_rows(const char *markdown)
{
	for (const char *line = markdown; *line == '|';) {
		size_t length = strcspn(line, "\n"), cells = 0;
		for (size_t i = 0; i < length; i++)
			cells += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
		if (cells != 9)
			fail_msg("%zu bars: %.*s", cells, (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static void hostile_names_do_nothing(void **state)
{
	(void)state;
	fill(HOSTILE);
	fixture_run((struct fixture){.clock = "virtual", .model = HOSTILE, .costs = HOSTILE});
	const struct tp_claims *claims = fixture_judge();
	assert_true(claims->claims[0].finding_count > 0);
	struct tp_text texts[WRITERS] = {{0}};
	for (size_t w = 0; w < WRITERS; w++) {
		writers[w](claims, &texts[w]);
		for (const char *at = tp_text_get(&texts[w]); *at; at++)
			assert_true((unsigned char)*at >= 0x20 || *at == '\n');
		assert_null(strstr(tp_text_get(&texts[w]), "\xff"));
	}
	assert_null(strstr(tp_text_get(&texts[0]), "\n# \xff"));
	expect_whole_rows(tp_text_get(&texts[1]));
	assert_null(strstr(tp_text_get(&texts[1]), "<script"));
	assert_null(strstr(tp_text_get(&texts[2]), "<script"));
	expect_part(tp_text_get(&texts[2]), "&lt;script&gt;");
	json_t *root = json_loads(tp_text_get(&texts[3]), 0, NULL);
	assert_non_null(root);
	json_decref(root);
	for (size_t w = 0; w < WRITERS; w++)
		tp_text_release(&texts[w]);
}

static void elements_are_closed(void **state)
{
	(void)state;
	static const char *const names[] = {"section", "details", "summary", "table", "thead", "tbody",  "tr",
	                                    "th",      "td",      "p",       "ul",    "li",    "strong", "code"};
	struct tp_text text = {0};
	fill(HOSTILE);
	tp_claims_write_html(fixture_judge(), &text);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char plain[32], with[32], end[32];
		(void)snprintf(plain, sizeof plain, "<%s>", names[i]);
		(void)snprintf(with, sizeof with, "<%s ", names[i]);
		(void)snprintf(end, sizeof end, "</%s>", names[i]);
		size_t begun = count_parts(tp_text_get(&text), plain) + count_parts(tp_text_get(&text), with);
		assert_true(begun > 0);
		assert_int_equal(begun, count_parts(tp_text_get(&text), end));
	}
	assert_int_equal(count_parts(tp_text_get(&text), "<details id=\"claim-C"), 21);
	tp_text_release(&text);
}

/* Wherever memory runs out, that is said and nothing is left behind (which the sanitizer checks). */
static void memory_may_run_out(void **state)
{
	(void)state;
	struct tp_store *store;
	struct tp_groups groups;
	struct tp_claims claims;
	enum tp_status status = TP_ERR_NOMEM;
	static const struct tp_claim_plan plan = {3, 2, 1, 1};
	fill("mlp");
	assert_ok(tp_store_open_readonly(fixture_path(), &store));
	assert_ok(tp_groups_read(store, NULL, &groups));
	for (int64_t allowed = 0; status != TP_OK; allowed++) {
		tp_alloc_fail_after(allowed);
		status = tp_claims_read(store, &groups, &claims);
		if (status == TP_OK)
			status = tp_claims_add_plans(&claims, &plan, 1);
		tp_alloc_fail_after(-1);
		assert_true(status == TP_OK || status == TP_ERR_NOMEM);
		tp_claims_release(&claims);
		assert_true(allowed < 100000);
	}
	tp_groups_release(&groups);
	tp_store_close(store);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_begin, fixture_end)
	const struct CMUnitTest tests[] = {
	        TEST(every_claim_is_in_every_form), TEST(numbers_are_the_same_in_every_form),
	        TEST(runs_are_named_in_short),      TEST(readings_stand_beside),
	        TEST(a_terminal_has_120_columns),   TEST(hostile_names_do_nothing),
	        TEST(elements_are_closed),          TEST(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
