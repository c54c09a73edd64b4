/* What ends an export before its time leaves no file behind: memory that runs out, a request to stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/trace/trace_fixture.h"

static enum tp_status export_to(const char *database, const char *path, const atomic_bool *stop)
{
	struct tp_store *store;
	struct tp_trace_result result;
	const struct tp_trace_request request = {
	        .format = "perfetto", .database = database, .path = path, .stop = stop};
	assert_ok(tp_store_open_readonly(database, &store));
	enum tp_status status = tp_trace_export(store, &request, &result);
	tp_store_close(store);
	return status;
}

static void expect_nothing(const char *path)
{
	char part[300];
	(void)snprintf(part, sizeof part, "%s.part", path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_not_equal(access(part, F_OK), 0);
}

/* Every allocation in turn. */
static void memory_runs_out(void **state)
{
	(void)state;
	const char *database = fixture_database("memory.db", &(struct fixture){.hostile = true});
	const char *path = in_folder("trace");
	uint64_t held = tp_alloc_bytes();
	struct tp_store *store;
	struct tp_trace_result result;
	const struct tp_trace_request request = {.format = "perfetto", .database = database, .path = path};
	int failures = 0;
	enum tp_status status;
	do {
		assert_ok(tp_store_open_readonly(database, &store));
		tp_alloc_fail_after(failures);
		status = tp_trace_export(store, &request, &result);
		tp_alloc_fail_after(-1);
		tp_store_close(store);
		assert_int_equal(tp_alloc_bytes(), held);
		if (status == TP_OK)
			break;
		assert_int_equal(status, TP_ERR_NOMEM);
		expect_nothing(path);
		failures++;
	} while (failures < 1000);
	assert_ok(status);
	assert_in_range(failures, 20, 999);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_request_to_stop_is_heard(void **state)
{
	(void)state;
	const char *database = fixture_database("stop.db", &(struct fixture){.clock = "real"});
	const char *path = in_folder("stopped");
	atomic_bool stop = true;
	assert_fails(export_to(database, path, &stop), TP_ERR_INTERRUPTED);
	expect_nothing(path);
	stop = false;
	assert_ok(export_to(database, path, &stop));
	assert_int_equal(access(path, F_OK), 0);
}

/* They have no track of their own, and no place is written to that is not there. */
static void kinds_of_memory_beyond_the_room_count_in_the_sum(void **state)
{
	(void)state;
	const char *database = fixture_database("kinds.db", &(struct fixture){.bare = true});
	sql_execute(database,
	            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO "
	            "memory_change SELECT 1, 1, 0, i, 5000 + i, 'kind ' || i, i, i, -1 FROM n");
	assert_ok(export_to(database, in_folder("kinds"), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(memory_runs_out),
	        cmocka_unit_test(a_request_to_stop_is_heard),
	        cmocka_unit_test(kinds_of_memory_beyond_the_room_count_in_the_sum),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
