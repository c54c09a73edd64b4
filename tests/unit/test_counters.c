/* Counters of the processor: a software event goes through the same code where the kernel allows any; what is refused
 * is absent and says why. */
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "profiler/counters.h"

/* Keeps the thread busy for so long, by its clock. */
static void spin(int64_t ns)
{
	int64_t end_ns = tp_now_ns() + ns;
	while (tp_now_ns() < end_ns)
		;
}

/* The kernel's own clock of the thread needs no hardware; sandboxes may refuse even that. */
static void a_software_event_is_counted_or_says_why(void **state)
{
	(void)state;
	static const struct tp_counter_event events[] = {
	        {"task_clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
	        {"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	};
	struct tp_counters counters;
	struct tp_counter_record records[2];
	tp_counters_start(&counters, events, 2);
	spin(2000000);
	tp_counters_stop(&counters, 5, records);
	for (int i = 0; i < 2; i++) {
		assert_ptr_equal(records[i].counter, events[i].name);
		assert_int_equal(records[i].stage, 5);
		assert_int_equal(records[i].present, records[i].reason[0] == '\0');
	}
	if (!records[0].present)
		print_message("not counted here: %s\n", records[0].reason);
	else
		assert_true(records[0].value > 0);
}

static void what_is_refused_is_absent_with_a_reason(void **state)
{
	(void)state;
	static const struct tp_counter_event events[] = {
	        {"nonsense", PERF_TYPE_SOFTWARE, UINT64_MAX},
	        {"task_clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
	        {"more_nonsense", UINT32_MAX, 0},
	};
	struct tp_counters counters;
	struct tp_counter_record records[3];
	tp_counters_start(&counters, events, 3);
	spin(1000000);
	tp_counters_stop(&counters, 0, records);
	for (int i = 0; i < 3; i += 2) {
		assert_false(records[i].present);
		assert_int_equal(strncmp(records[i].reason, "perf_event_open: ", 17), 0);
		assert_true(strlen(records[i].reason) > 17);
	}
	/* a member that is refused takes nothing from the others */
	assert_true(records[1].present ? records[1].value > 0 : records[1].reason[0] != '\0');
}

static void values_are_scaled_by_the_time_they_ran(void **state)
{
	(void)state;
	assert_int_equal(tp_counter_scale(100, 10, 10), 100);
	assert_int_equal(tp_counter_scale(100, 40, 10), 400);
	assert_int_equal(tp_counter_scale(0, 40, 10), 0);
	assert_int_equal(tp_counter_scale(100, 40, 0), -1);
}

static void a_stage_counts_three_events_of_the_hardware(void **state)
{
	(void)state;
	struct tp_counters counters;
	struct tp_counter_record records[TP_COUNTERS];
	tp_counters_start(&counters, tp_counter_events, TP_COUNTERS);
	spin(1000000);
	tp_counters_stop(&counters, 0, records);
	for (int i = 0; i < TP_COUNTERS; i++)
		assert_true(records[i].present ? records[i].value >= 0 : records[i].reason[0] != '\0');
	if (records[0].present)
		assert_true(records[0].value > 0);
	else
		print_message("not counted here: %s\n", records[0].reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_software_event_is_counted_or_says_why),
	        cmocka_unit_test(what_is_refused_is_absent_with_a_reason),
	        cmocka_unit_test(values_are_scaled_by_the_time_they_ran),
	        cmocka_unit_test(a_stage_counts_three_events_of_the_hardware),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
