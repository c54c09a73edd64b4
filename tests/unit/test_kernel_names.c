/* Names of kernels are kept once, and a kernel is recorded only where a probe is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

enum { MANY = 1000 };

static struct tp_kernel_name numbered(int number)
{
	struct tp_kernel_name name = {
	        .name = "convolution", .implementation = "jit", .pass = "F", .moved_bytes = number};
	(void)snprintf(name.layer, sizeof name.layer, "features.%d", number);
	return name;
}

static void equal_names_are_kept_once(void **state)
{
	(void)state;
	struct tp_kernel_names names = {0};
	int32_t number;
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < MANY; i++) {
			struct tp_kernel_name name = numbered(i);
			assert_int_equal(tp_kernel_names_add(&names, &name, &number), TP_OK);
			assert_int_equal(number, i);
		}
	}
	assert_int_equal(names.count, MANY);
	assert_int_equal(names.entries[MANY - 1].moved_bytes, MANY - 1);
	assert_true(tp_kernel_names_bytes(&names) >= MANY * (int64_t)sizeof(struct tp_kernel_name));
	tp_kernel_names_release(&names);
	assert_int_equal(tp_kernel_names_bytes(&names), 0);
}

static void every_text_tells_names_apart(void **state)
{
	(void)state;
	struct tp_kernel_name variants[6];
	for (int i = 0; i < 6; i++)
		variants[i] = numbered(1);
	variants[1].name[0] = 'x';
	variants[2].implementation[0] = 'x';
	variants[3].pass[0] = 'x';
	variants[4].layer[0] = 'x';
	variants[5].shape[0] = 'x';
	struct tp_kernel_names names = {0};
	int32_t number;
	for (int i = 0; i < 6; i++)
		assert_int_equal(tp_kernel_names_add(&names, &variants[i], &number), TP_OK);
	assert_int_equal(names.count, 6);
	tp_kernel_names_release(&names);
}

static void names_survive_a_failed_allocation(void **state)
{
	(void)state;
	struct tp_kernel_names names = {0};
	struct tp_kernel_name name = numbered(0);
	int32_t number, added = 0;
	for (int64_t successes = 0; successes < 2; successes++) {
		tp_alloc_fail_after(successes);
		assert_int_equal(tp_kernel_names_add(&names, &name, &number), TP_ERR_NOMEM);
	}
	tp_alloc_fail_after(-1);
	for (; added == 0 || added < names.capacity; added++) {
		name = numbered(added);
		assert_int_equal(tp_kernel_names_add(&names, &name, &number), TP_OK);
	}
	tp_alloc_fail_after(1);
	name = numbered(added);
	assert_int_equal(tp_kernel_names_add(&names, &name, &number), TP_ERR_NOMEM);
	tp_alloc_fail_after(-1);
	assert_int_equal(names.count, added);
	assert_int_equal(tp_kernel_names_add(&names, &name, &number), TP_OK);
	assert_int_equal(number, added);
	tp_kernel_names_release(&names);
}

static void a_clear_probe_records_nothing(void **state)
{
	(void)state;
	int64_t start_ns = tp_kernel_begin();
	assert_int_equal(start_ns, 0);
	tp_kernel_end(start_ns, TP_KERNEL_UNNAMED);
}

static void a_kernel_is_recorded_on_the_clock_of_the_run(void **state)
{
	(void)state;
	struct tp_kernel_record room[2] = {{0}};
	struct tp_recorder recorder = {.stage = 3};
	recorder.rings[TP_RECORD_KERNEL] =
	        (struct tp_ring){.slots = (void *)room, .record_bytes = sizeof *room, .capacity = 2};
	tp_recorder_restart(&recorder);
	int64_t zero_ns = tp_now_ns();
	tp_kernel_probe = (struct tp_kernel_probe){&recorder, zero_ns};
	for (int32_t name = 7; name < 10; name++) {
		int64_t start_ns = tp_kernel_begin();
		assert_true(start_ns >= zero_ns);
		tp_kernel_end(start_ns, name);
	}
	tp_kernel_probe = (struct tp_kernel_probe){0};
	int64_t now_ns = tp_now_ns() - zero_ns;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(room[i].name, 7 + i);
		assert_int_equal(room[i].stage, 3);
		assert_int_equal(room[i].operation, 0);
		assert_true(room[i].start_ns >= 0 && room[i].start_ns <= room[i].end_ns && room[i].end_ns <= now_ns);
	}
	assert_true(room[0].end_ns <= room[1].start_ns);
	assert_int_equal(tp_recorder_dropped(&recorder), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(equal_names_are_kept_once),
	        cmocka_unit_test(every_text_tells_names_apart),
	        cmocka_unit_test(names_survive_a_failed_allocation),
	        cmocka_unit_test(a_clear_probe_records_nothing),
	        cmocka_unit_test(a_kernel_is_recorded_on_the_clock_of_the_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
