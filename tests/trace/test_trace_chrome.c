/* Chrome's JSON, read by jansson, against the database it was made from. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/trace/trace_fixture.h"
#include "tests/trace/trace_model.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	assert_non_null(text);
	return text;
}

static int64_t integer_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/* Microseconds with three decimals hold every nanosecond. */
static int64_t nanoseconds_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	assert_true(json_is_real(value));
	double ns = json_real_value(value) * 1e3;
	assert_true(fabs(ns - nearbyint(ns)) < 1e-3);
	return (int64_t)nearbyint(ns);
}

static struct model_track *find_track(struct model *model, int64_t id)
{
	for (int i = 0; i < model->track_count; i++) {
		if (model->tracks[i].id == id)
			return &model->tracks[i];
	}
	struct model_track *track = model_add_track(model);
	track->id = id;
	return track;
}

/* Names and places of processes and threads. */
static void read_metadata(struct model *model, const json_t *object)
{
	const char *name = text_of(object, "name");
	const json_t *arguments = json_object_get(object, "args");
	bool thread = strncmp(name, "thread_", 7) == 0;
	struct model_track *track = find_track(model, integer_of(object, thread ? "tid" : "pid"));
	if (thread)
		track->process = integer_of(object, "pid");
	if (strcmp(name, "process_name") == 0 || strcmp(name, "thread_name") == 0) {
		(void)snprintf(track->name, sizeof track->name, "%s", text_of(arguments, "name"));
	} else {
		assert_true(strcmp(name, "process_sort_index") == 0 || strcmp(name, "thread_sort_index") == 0);
		track->rank = (int)integer_of(arguments, "sort_index");
	}
}

static void read_slice(struct model *model, const json_t *object, int64_t start_ns)
{
	struct model_event *event = model_add(model);
	const char *key;
	json_t *value;
	event->track = integer_of(object, "tid");
	event->start_ns = start_ns + nanoseconds_of(object, "ts");
	event->end_ns = event->start_ns + nanoseconds_of(object, "dur");
	assert_int_equal(find_track(model, event->track)->process, integer_of(object, "pid"));
	(void)snprintf(event->name, sizeof event->name, "%s", text_of(object, "name"));
	(void)snprintf(event->category, sizeof event->category, "%s", text_of(object, "cat"));
	model_find_instant(event);
	json_object_foreach(json_object_get(object, "args"), key, value)
	{
		assert_in_range(event->argument_count, 0, MODEL_ARGUMENTS - 1);
		(void)snprintf(event->arguments[event->argument_count].name, 32, "%s", key);
		event->arguments[event->argument_count++].value = json_integer_value(value);
	}
}

/* It binds to a slice of its thread around its time, here the one before it. */
static void read_flow(struct model *model, const json_t *object, bool begins, int64_t start_ns)
{
	struct model_event *event = &model->events[model->event_count - 1];
	assert_int_equal(event->track, integer_of(object, "tid"));
	assert_int_equal(event->start_ns, start_ns + nanoseconds_of(object, "ts"));
	assert_string_equal(text_of(object, "cat"), "message");
	assert_string_equal(text_of(object, "name"), "message");
	assert_string_equal(text_of(object, "bp"), "e");
	*(begins ? &event->flow_from : &event->flow_to) = (uint64_t)integer_of(object, "id");
}

/* A counter is known by its process and name; it has no thread. */
static void read_counter(struct model *model, const json_t *object, int64_t start_ns)
{
	const char *name = text_of(object, "name");
	int64_t process = integer_of(object, "pid"), id = -1;
	for (int i = 0; i < model->track_count; i++) {
		const struct model_track *track = &model->tracks[i];
		if (track->counter && track->process == process && strcmp(track->name, name) == 0)
			id = track->id;
	}
	if (id == -1) {
		struct model_track *track = model_add_track(model);
		track->id = id = 100000 + model->track_count;
		track->process = process;
		track->counter = true;
		(void)snprintf(track->name, sizeof track->name, "%s", name);
	}
	struct model_event *event = model_add(model);
	event->type = MODEL_COUNTER;
	event->track = id;
	event->start_ns = event->end_ns = start_ns + nanoseconds_of(object, "ts");
	event->value = integer_of(json_object_get(object, "args"), "value");
}

static struct model *read_trace(const char *path, int64_t start_ns)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *object;
	size_t i;
	struct model *model = calloc(1, sizeof *model);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	assert_non_null(model);
	model->has_flows = model->has_counters = model->has_arguments = true;
	json_array_foreach(json_object_get(root, "traceEvents"), i, object)
	{
		char phase = text_of(object, "ph")[0];
		if (phase == 'M')
			read_metadata(model, object);
		else if (phase == 'X')
			read_slice(model, object, start_ns);
		else if (phase == 's' || phase == 'f')
			read_flow(model, object, phase == 's', start_ns);
		else if (phase == 'C')
			read_counter(model, object, start_ns);
		else
			fail_msg("unexpected phase %c", phase);
	}
	json_decref(root);
	return model;
}

/* When the trace begins, by the database. */
static int64_t start_of(const char *database, int epoch)
{
	char sql[512];
	(void)snprintf(
	        sql, sizeof sql,
	        "SELECT min(at) FROM (SELECT min(window_start_ns) AS at FROM epoch WHERE epoch >= %d UNION ALL "
	        "SELECT min(start_ns) FROM operation WHERE epoch >= %d UNION ALL SELECT min(ready_ns) FROM message "
	        "WHERE epoch >= %d)",
	        epoch, epoch, epoch);
	return sql_integer(database, sql);
}

static void check_export(const char *name, const struct fixture *fixture, int epoch)
{
	struct tp_trace_result result;
	const char *database = fixture_database(name, fixture);
	const char *path = fixture_export(database, "chrome", epoch, &result);
	struct model *model = read_trace(path, start_of(database, epoch));
	int64_t first_ns = INT64_MAX;
	model_check(model, database, epoch);
	assert_int_equal(result.event_count, model->event_count);
	for (int i = 0; i < model->event_count; i++)
		first_ns = model->events[i].start_ns < first_ns ? model->events[i].start_ns : first_ns;
	assert_int_equal(first_ns, start_of(database, epoch));
	model_release(model);
}

static void whole_backwards(void **state)
{
	(void)state;
	check_export("whole.db", &(struct fixture){.clock = "real"}, 0);
}

static void split_backwards_and_a_virtual_clock(void **state)
{
	(void)state;
	check_export("split.db", &(struct fixture){.split = true, .clock = "virtual"}, 0);
}

static void forwards_of_whole_mini_batches(void **state)
{
	(void)state;
	check_export("forwards.db", &(struct fixture){.whole_forwards = true}, 0);
}

static void one_epoch_of_two(void **state)
{
	(void)state;
	check_export("one.db", &(struct fixture){.clock = "real"}, 2);
}

static void tables_without_rows(void **state)
{
	(void)state;
	check_export("bare.db", &(struct fixture){.bare = true}, 0);
}

/* Jansson refuses what is no UTF-8, and control characters that are not escaped. */
static void hostile_names_stay_text(void **state)
{
	(void)state;
	struct tp_trace_result result;
	const char *database = fixture_database("hostile.db", &(struct fixture){.hostile = true});
	struct model *model = read_trace(fixture_export(database, "chrome", 0, &result), start_of(database, 0));
	model_check(model, database, 0);
	const char *expected = "stage 0: q\"\\\x01\n\t\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
	assert_string_equal(model->tracks[1].name, expected);
	model_release(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_backwards),
	        cmocka_unit_test(split_backwards_and_a_virtual_clock),
	        cmocka_unit_test(forwards_of_whole_mini_batches),
	        cmocka_unit_test(one_epoch_of_two),
	        cmocka_unit_test(tables_without_rows),
	        cmocka_unit_test(hostile_names_stay_text),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
