/* Text that grows, numbers with units, and the nearest name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"

static void a_text_grows(void **state)
{
	(void)state;
	struct tp_text text = {0};
	assert_string_equal(tp_text_get(&text), "");
	for (int i = 0; i < 1000; i++)
		tp_text_add(&text, "%03d,", i);
	assert_false(text.failed);
	assert_int_equal(text.length, 4000);
	assert_int_equal(strlen(tp_text_get(&text)), 4000);
	assert_memory_equal(tp_text_get(&text), "000,001,002,", 12);
	assert_string_equal(tp_text_get(&text) + 3996, "999,");
	tp_text_add(&text, "%s", "");
	assert_int_equal(text.length, 4000);
	tp_text_release(&text);
	assert_null(text.data);
	assert_int_equal(text.length, 0);
}

static void a_text_grows_at_once_where_it_must(void **state)
{
	(void)state;
	struct tp_text text = {0};
	tp_text_add(&text, "%5000s", "x");
	assert_false(text.failed);
	assert_int_equal(strlen(tp_text_get(&text)), 5000);
	tp_text_release(&text);
}

static void a_text_without_memory_keeps_what_it_has(void **state)
{
	(void)state;
	struct tp_text text = {0};
	uint64_t held = tp_alloc_bytes();
	tp_text_add(&text, "kept");
	tp_alloc_fail_after(0);
	tp_text_add(&text, "%1000s", "lost");
	tp_alloc_fail_after(-1);
	assert_true(text.failed);
	assert_string_equal(tp_text_get(&text), "kept");
	tp_text_add(&text, "more");
	assert_string_equal(tp_text_get(&text), "kept"); /* no gap that nobody sees */
	tp_text_release(&text);
	assert_int_equal(tp_alloc_bytes(), held);
}

static void refuse_i64(const char *s, int64_t min, int64_t max, const char *expected)
{
	int64_t value = 77;
	if (tp_parse_i64("--stages", s, min, max, &value) != TP_ERR_INPUT)
		fail_msg("accepted '%s'", s);
	assert_int_equal(value, 77);
	assert_non_null(strstr(tp_detail(), "--stages: "));
	assert_non_null(strstr(tp_detail(), expected));
	assert_non_null(strstr(tp_detail(), s));
}

static void whole_numbers(void **state)
{
	(void)state;
	int64_t value;
	assert_int_equal(tp_parse_i64("x", "0", 0, 9, &value), TP_OK);
	assert_int_equal(value, 0);
	assert_int_equal(tp_parse_i64("x", "-12", -12, 9, &value), TP_OK);
	assert_int_equal(value, -12);
	assert_int_equal(tp_parse_i64("x", "+007", 0, 9, &value), TP_OK);
	assert_int_equal(value, 7);
	assert_int_equal(tp_parse_i64("x", "9223372036854775807", INT64_MIN, INT64_MAX, &value), TP_OK);
	assert_true(value == INT64_MAX);
	assert_int_equal(tp_parse_i64("x", "-9223372036854775808", INT64_MIN, INT64_MAX, &value), TP_OK);
	assert_true(value == INT64_MIN);
	static const char *const bad[] = {"",    " ",   "x",    "4x",  "4 ", " 4", "\t4",
	                                  "4.0", "1e3", "0x10", "--4", "-",  "4,5"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refuse_i64(bad[i], -100, 100, "expected a whole number");
	refuse_i64("0", 1, 8, "expected 1 to 8");
	refuse_i64("9", 1, 8, "expected 1 to 8");
	refuse_i64("9223372036854775808", INT64_MIN, INT64_MAX, "expected -9223372036854775808 to");
	refuse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, "expected -9223372036854775808 to");
}

static void refuse_f64(const char *s, double min, double max, const char *expected)
{
	double value = 77;
	if (tp_parse_f64("--lr", s, min, max, &value) != TP_ERR_INPUT)
		fail_msg("accepted '%s'", s);
	assert_true(value == 77);
	assert_non_null(strstr(tp_detail(), "--lr: "));
	assert_non_null(strstr(tp_detail(), expected));
}

static void numbers(void **state)
{
	(void)state;
	double value;
	assert_int_equal(tp_parse_f64("x", "0.01", 0, 1, &value), TP_OK);
	assert_true(value == 0.01);
	assert_int_equal(tp_parse_f64("x", "5e-4", 0, 1, &value), TP_OK);
	assert_true(value == 5e-4);
	assert_int_equal(tp_parse_f64("x", "-.5", -1, 1, &value), TP_OK);
	assert_true(value == -.5);
	assert_int_equal(tp_parse_f64("x", "1", 0, 1, &value), TP_OK);
	assert_true(value == 1);
	static const char *const bad[] = {"",    "x",     "1x", "1 ", " 1",    "nan", "inf",     "-inf",
	                                  "NAN", "1e999", "1e", ".",  "0x1p3", "1,5", "infinity"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refuse_f64(bad[i], -1e300, 1e300, "expected a number");
	refuse_f64("1.5", 0, 1, "expected 0 to 1, found '1.5'");
	refuse_f64("-0.1", 0, 1, "expected 0 to 1");
}

static void expect_bytes(const char *s, int64_t expected)
{
	int64_t value = -1;
	assert_int_equal(tp_parse_bytes("x", s, &value), TP_OK);
	assert_int_equal(value, expected);
}

static void expect_duration(const char *s, int64_t expected)
{
	int64_t value = -1;
	assert_int_equal(tp_parse_duration("x", s, &value), TP_OK);
	assert_int_equal(value, expected);
}

static void expect_rate(const char *s, double expected)
{
	double value = -1;
	assert_int_equal(tp_parse_rate("x", s, &value), TP_OK);
	assert_true(value == expected);
}

static void values_with_units(void **state)
{
	(void)state;
	expect_bytes("0", 0);
	expect_bytes("300", 300);
	expect_bytes("300B", 300);
	expect_bytes("1.5kB", 1500);
	expect_bytes("2MB", 2000000);
	expect_bytes("1.5GB", 1500000000);
	expect_bytes("64KiB", 65536);
	expect_bytes("64MiB", 67108864);
	expect_bytes("24GiB", INT64_C(25769803776));
	expect_duration("300ns", 300);
	expect_duration("50us", 50000);
	expect_duration("1.5ms", 1500000);
	expect_duration("10s", INT64_C(10000000000));
	expect_duration("2min", INT64_C(120000000000));
	expect_duration("6h", INT64_C(21600000000000));
	expect_duration("30d", INT64_C(2592000000000000));
	expect_duration("0s", 0);
	expect_rate("8kbit", 1000);
	expect_rate("100mbit", 12.5e6);
	expect_rate("10gbit", 1.25e9);
	expect_rate("5B/s", 5);
	expect_rate("1.5GB/s", 1.5e9);
	expect_rate("2kB/s", 2000);
	expect_rate("3MB/s", 3e6);
}

static void units_that_are_wrong_are_refused(void **state)
{
	(void)state;
	int64_t whole = 77;
	double rate = 77;
	static const char *const bytes[] = {"",     "MiB", "-1",        "64mib",       "64 MiB", "64MiBs",
	                                    "1e30", "nan", "inf",       " 64",         "0x10",   "0x1B",
	                                    "5s",   "--1", "9300000TB", "9300000000GB"};
	for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
		if (tp_parse_bytes("--limit", bytes[i], &whole) != TP_ERR_INPUT)
			fail_msg("accepted '%s'", bytes[i]);
		assert_non_null(strstr(tp_detail(), "--limit: expected a value with a unit such as 64MiB"));
	}
	static const char *const durations[] = {"", "10", "s", "-5s", "5S", "5sec", "5MiB", "1e12min"};
	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		if (tp_parse_duration("--timeout", durations[i], &whole) != TP_ERR_INPUT)
			fail_msg("accepted '%s'", durations[i]);
		assert_non_null(strstr(tp_detail(), "--timeout: expected"));
	}
	static const char *const rates[] = {"", "10", "10gb", "10Gbit", "-1gbit", "gbit", "10gbit/s"};
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		if (tp_parse_rate("--link", rates[i], &rate) != TP_ERR_INPUT)
			fail_msg("accepted '%s'", rates[i]);
		assert_non_null(strstr(tp_detail(), "--link: expected"));
	}
	assert_int_equal(whole, 77);
	assert_true(rate == 77);
}

static void expect_ns(int64_t ns, const char *expected)
{
	char out[24];
	assert_string_equal(tp_format_ns(out, sizeof out, ns), expected);
}

static void expect_size(int64_t bytes, const char *expected)
{
	char out[24];
	assert_string_equal(tp_format_bytes(out, sizeof out, bytes), expected);
}

static void times_and_sizes_are_readable(void **state)
{
	(void)state;
	expect_ns(0, "0.00 ns");
	expect_ns(12, "12.0 ns");
	expect_ns(999, "999 ns");
	expect_ns(1000, "1.00 us");
	expect_ns(45600000, "45.6 ms");
	expect_ns(1234567890, "1.23 s");
	expect_ns(-1500, "-1.50 us");
	expect_ns(INT64_C(123456789012345), "123457 s");
	expect_ns(999600, "1.00 ms");
	expect_ns(999999999, "1.00 s");
	expect_ns(999400000, "999 ms");
	expect_size(0, "0 B");
	expect_size(512, "512 B");
	expect_size(1023, "1023 B");
	expect_size(1024, "1.0 KiB");
	expect_size(1258291, "1.2 MiB");
	expect_size(1048575, "1.0 MiB");
	expect_size(1048000, "1023.4 KiB");
	expect_size(INT64_C(5) << 30, "5.0 GiB");
	expect_size(-2048, "-2.0 KiB");
	char out[24];
	assert_true(strlen(tp_format_ns(out, sizeof out, INT64_MIN)) < sizeof out - 1);
	assert_true(strlen(tp_format_bytes(out, sizeof out, INT64_MIN)) < sizeof out - 1);
}

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	static const char *const names[] = {"sequential", "gpipe", "pipedream", "timeprest", NULL};
	assert_string_equal(tp_nearest("gpipe", names), "gpipe");
	assert_string_equal(tp_nearest("gppe", names), "gpipe");          /* one left out */
	assert_string_equal(tp_nearest("gpippe", names), "gpipe");        /* one too many */
	assert_string_equal(tp_nearest("timeprets", names), "timeprest"); /* two swapped */
	assert_string_equal(tp_nearest("pipedraem", names), "pipedream");
	assert_string_equal(tp_nearest("sequence-al", names), "sequential"); /* three of eleven */
	assert_null(tp_nearest("adam", names));
	assert_null(tp_nearest("", names));
	static const char *const none[] = {NULL};
	assert_null(tp_nearest("gpipe", none));
	/* Of two that are as near the first; a name that is too long to compare is passed over. */
	char endless[200];
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	const char *const ties[] = {endless, "ab", "ac", NULL};
	assert_string_equal(tp_nearest("ad", ties), "ab");
	assert_null(tp_nearest(endless, ties));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_text_grows),
	        cmocka_unit_test(a_text_grows_at_once_where_it_must),
	        cmocka_unit_test(a_text_without_memory_keeps_what_it_has),
	        cmocka_unit_test(whole_numbers),
	        cmocka_unit_test(numbers),
	        cmocka_unit_test(values_with_units),
	        cmocka_unit_test(units_that_are_wrong_are_refused),
	        cmocka_unit_test(times_and_sizes_are_readable),
	        cmocka_unit_test(the_nearest_name_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
