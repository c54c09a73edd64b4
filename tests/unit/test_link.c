/* Links: the texts that name one, what is refused, and how long bytes take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/prng.h"
#include "engine/config/link.h"

static void texts_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double bytes_per_s;
		int64_t latency_ns;
		const char *written; /* by tp_link_text() */
	} cases[] = {
	        {"1gbit,50us", 125e6, 50000, "1gbit,50us"},
	        {"1gbit", 125e6, 0, "1gbit,0us"},
	        {"100mbit,0", 12.5e6, 0, "100mbit,0us"},
	        {"1000mbit,0us", 125e6, 0, "1gbit,0us"},
	        {"inf,10us", 0, 10000, "inf,10us"},
	        {"inf", 0, 0, "inf,0us"},
	        {"1.5GB/s,1.5ms", 1.5e9, 1500000, "12gbit,1500us"},
	        {"2.5gbit,999ns", 312.5e6, 999, "2.5gbit,999ns"},
	        {"64kbit,60s", 8000, INT64_C(60000000000), "64kbit,60000000us"},
	        {"56000bit,1s", 7000, 1000000000, "56kbit,1000000us"},
	        {"8bit", 1, 0, "8bit,0us"},
	        {"1tbit,1ns", 125e9, 1, "1tbit,1ns"},
	        {"400gbit,2us", 50e9, 2000, "400gbit,2us"},
	        {"1e2mbit", 12.5e6, 0, "100mbit,0us"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_link link = {.bytes_per_s = 7, .latency_ns = 7};
		struct tp_text text = {0};
		assert_int_equal(tp_link_parse("--link", cases[i].text, &link), TP_OK);
		assert_true(link.bytes_per_s == cases[i].bytes_per_s);
		assert_int_equal(link.latency_ns, cases[i].latency_ns);
		tp_link_text(&link, &text);
		assert_string_equal(tp_text_get(&text), cases[i].written);
		tp_text_release(&text);
	}
}

/* The detail must name the option, say what was expected, and hold `found`. */
static void nonsense_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *found;
	} cases[] = {
	        {"", "''"},
	        {",", "','"},
	        {",50us", "',50us'"},
	        {"0gbit", "'0gbit'"},
	        {"0gbit,50us", "'0gbit'"},
	        {"-1gbit", "'-1gbit'"},
	        {"-0gbit", "'-0gbit'"},
	        {"1e-9bit", "'1e-9bit'"},
	        {"1gbit,-5us", "'-5us'"},
	        {"1gbit,", "''"},
	        {"1gbit,50", "'50'"},
	        {"1gbit,61s", "'61s'"},
	        {"1gbit,50us,3", "'50us,3'"},
	        {"1gbit 50us", "'1gbit 50us'"},
	        {"1 gbit", "'1 gbit'"},
	        {" 1gbit", "' 1gbit'"},
	        {"1gbit, 50us", "' 50us'"},
	        {"1", "'1'"},
	        {"gbit", "'gbit'"},
	        {"1Gbit", "'1Gbit'"},
	        {"1gb", "'1gb'"},
	        {"nan", "'nan'"},
	        {"nangbit", "'nangbit'"},
	        {"infgbit", "'infgbit'"},
	        {"-inf", "'-inf'"},
	        {"0x10gbit", "'0x10gbit'"},
	        {"1e400gbit", "'1e400gbit'"},
	        {"1e30gbit", "'1e30gbit'"},
	        {"50us,1gbit", "'50us'"},
	        {"11111111111111111111111111111111111111111111111111111111111111111111gbit", "1111gbit'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_link link;
		(void)tp_fail(TP_OK, "%s", "");
		assert_int_equal(tp_link_parse("--link", cases[i].text, &link), TP_ERR_INPUT);
		assert_non_null(strstr(tp_detail(), "--link"));
		assert_non_null(strstr(tp_detail(), "expected "));
		assert_non_null(strstr(tp_detail(), "found "));
		assert_non_null(strstr(tp_detail(), cases[i].found));
	}
}

static void transfers_take_their_time(void **state)
{
	(void)state;
	static const struct {
		double bytes_per_s;
		int64_t bytes, ns;
	} cases[] = {
	        {125e6, 0, 0},
	        {125e6, 1, 8}, /* 1gbit */
	        {125e6, 125, 1000},
	        {125e6, 602112, 4816896},                /* 48 samples of 64 x 7 x 7 floats */
	        {12.5e6, 1, 80},                         /* 100mbit */
	        {1.25e9, 1, 1},                          /* 10gbit: 0.8 ns, rounded up */
	        {1.25e9, 3, 3},                          /* 2.4 ns */
	        {125e9, 1, 1},                           /* never nothing */
	        {1, 3, INT64_C(3000000000)},             /* 8bit */
	        {125e6, 1000000007, 8000000056},         /* beyond 32 bits */
	        {3, 1, 333333334},                       /* a third of a second, rounded up */
	        {0, INT64_MAX, 0},                       /* no limit */
	        {1, INT64_MAX, INT64_C(86400000000000)}, /* longest: a day */
	        {125e6, INT64_MAX, INT64_C(86400000000000)},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_link link = {.bytes_per_s = cases[i].bytes_per_s, .latency_ns = 12345};
		assert_int_equal(tp_link_transfer_ns(&link, cases[i].bytes), cases[i].ns);
	}
	/* whole nanoseconds stay whole: a byte takes 8 ns at 1gbit */
	for (int64_t bytes = 1; bytes < 200000; bytes++) {
		struct tp_link link = {.bytes_per_s = 125e6};
		assert_int_equal(tp_link_transfer_ns(&link, bytes), 8 * bytes);
	}
}

/* What is written reads back as the same link, to the last bit. */
static void texts_go_round(void **state)
{
	(void)state;
	struct tp_prng prng;
	tp_prng_init(&prng, 20240229, tp_hash_text("links"));
	for (int i = 0; i < 20000; i++) {
		double scale = 1;
		for (uint64_t p = tp_prng_below(&prng, 16); p > 0; p--)
			scale *= 10;
		struct tp_link link = {.bytes_per_s = 1 + tp_prng_unit(&prng) * scale,
		                       .latency_ns = (int64_t)tp_prng_below(&prng, 60000000001)};
		if (i % 3 == 0)
			link.latency_ns -= link.latency_ns % 1000;
		struct tp_link again;
		struct tp_text text = {0};
		tp_link_text(&link, &text);
		assert_int_equal(tp_link_parse("x", tp_text_get(&text), &again), TP_OK);
		assert_true(again.bytes_per_s == link.bytes_per_s);
		assert_int_equal(again.latency_ns, link.latency_ns);
		tp_text_release(&text);
	}
}

/* Any text is read or refused with the option's name; what is read is in range. */
static void mutations_are_read_or_refused(void **state)
{
	(void)state;
	static const char *const good[] = {"1gbit,50us", "inf,10us", "2.5GB/s,0", "100mbit"};
	enum { MUTATIONS = 50000 };
	struct tp_prng prng;
	int read = 0, refused = 0;
	tp_prng_init(&prng, 20240229, tp_hash_text("mutated links"));
	for (int i = 0; i < MUTATIONS; i++) {
		char text[64];
		struct tp_link link;
		strcpy(text, good[tp_prng_below(&prng, 4)]);
		for (uint64_t changes = 1 + tp_prng_below(&prng, 3); changes > 0; changes--) {
			size_t length = strlen(text), at = (size_t)tp_prng_below(&prng, length + 1);
			static const char likely[] = "0123456789-.,einfgb";
			if (tp_prng_below(&prng, 4) == 0)
				text[at] = '\0';
			else if (at < length && tp_prng_below(&prng, 2) == 0)
				text[at] = likely[tp_prng_below(&prng, sizeof likely - 1)];
			else if (at < length)
				text[at] = (char)tp_prng_below(&prng, 256);
		}
		if (tp_link_parse("--link", text, &link) == TP_OK) {
			read++;
			assert_true(link.bytes_per_s == 0 || link.bytes_per_s >= 1);
			assert_in_range(link.latency_ns, 0, INT64_C(60000000000));
		} else {
			refused++;
			assert_non_null(strstr(tp_detail(), "--link"));
		}
	}
	assert_true(read > MUTATIONS / 50 && refused > MUTATIONS / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_are_read),
	        cmocka_unit_test(nonsense_is_refused),
	        cmocka_unit_test(transfers_take_their_time),
	        cmocka_unit_test(texts_go_round),
	        cmocka_unit_test(mutations_are_read_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
