/* NVTXT, line by line, against the database it was made from: names of processes and threads, then pairs of RangePush
 * and RangePop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trace/trace_fixture.h"
#include "tests/trace/trace_model.h"

/* The categories by number, as the comment of the first line has them, and their colours. */
static const struct {
	const char *name, *colour;
} categories[] = {{"", ""},           {"F", "Blue"},         {"B", "Green"},   {"U", "Orange"},      {"kernel", "Teal"},
                  {"send", "Purple"}, {"receive", "Violet"}, {"wait", "Gray"}, {"epoch", "DarkBlue"}};

/* "text" at the end of a line, with nothing in it that could end it early. */
static void read_quoted(const char *from, char *to, size_t size)
{
	size_t length = strlen(from);
	assert_true(length >= 2 && from[0] == '"' && from[length - 1] == '"');
	for (size_t i = 1; i + 1 < length; i++) {
		assert_true((unsigned char)from[i] >= 0x20);
		assert_true(from[i] != '"' && from[i] != '\\');
	}
	(void)snprintf(to, size, "%.*s", (int)(length - 2), from + 1);
}

static void read_push(struct model *model, const char *line)
{
	long long time_ns, process, track;
	int category, message = 0;
	char colour[16];
	assert_int_equal(sscanf(line, "RangePush,%lld,%lld,%lld,%d,%15[^,],%n", &time_ns, &process, &track, &category,
	                        colour, &message),
	                 5);
	struct model_event *event = model_add(model);
	event->track = track;
	event->start_ns = time_ns;
	event->end_ns = -1;
	assert_in_range(category, 1, 8);
	assert_string_equal(colour, categories[category].colour);
	(void)snprintf(event->category, sizeof event->category, "%s", categories[category].name);
	read_quoted(line + message, event->name, sizeof event->name);
	assert_int_equal(model_track(model, track)->process, process);
}

static void read_pop(struct model *model, const char *line)
{
	long long time_ns, process, track;
	struct model_event *event = &model->events[model->event_count - 1];
	assert_int_equal(sscanf(line, "RangePop,%lld,%lld,%lld", &time_ns, &process, &track), 3);
	assert_int_equal(event->end_ns, -1);
	assert_int_equal(event->track, track);
	event->end_ns = time_ns;
	model_find_instant(event);
}

static void read_name(struct model *model, const char *line, bool thread)
{
	long long process, id;
	int name = 0;
	if (thread)
		assert_int_equal(sscanf(line, "NameOsThread,%lld,%lld,%n", &process, &id, &name), 2);
	else
		assert_int_equal(sscanf(line, "NameProcess,%lld,%n", &id, &name), 1);
	struct model_track *track = model_add_track(model);
	track->id = id;
	track->process = thread ? process : 0;
	read_quoted(line + name, track->name, sizeof track->name);
}

/* Each kind of line is declared before its first. */
static void read_line(struct model *model, const char *line, int number)
{
	static const char *const head[] = {
	        "# tpbench trace; categories: 1 F, 2 B, 3 U, 4 kernel, 5 send, 6 receive, 7 wait, 8 epoch",
	        "@NameProcess,ProcessId,Name",
	        "@NameOsThread,ProcessId,ThreadId,Name",
	        "@RangePush,Time,ProcessId,ThreadId,CategoryId,Color,Message",
	        "@RangePop,Time,ProcessId,ThreadId",
	        "TimeBase=Manual",
	        "Payload=0",
	};
	if (number < 7)
		assert_string_equal(line, head[number]);
	else if (strncmp(line, "RangePush,", 10) == 0)
		read_push(model, line);
	else if (strncmp(line, "RangePop,", 9) == 0)
		read_pop(model, line);
	else if (strncmp(line, "NameOsThread,", 13) == 0)
		read_name(model, line, true);
	else if (strncmp(line, "NameProcess,", 12) == 0)
		read_name(model, line, false);
	else
		fail_msg("unexpected line '%s'", line);
}

static struct model *read_trace(const char *path)
{
	struct model *model = calloc(1, sizeof *model);
	FILE *file = fopen(path, "r");
	char line[4096];
	assert_non_null(model);
	assert_non_null(file);
	for (int number = 0; fgets(line, sizeof line, file); number++) {
		assert_non_null(strchr(line, '\n'));
		line[strcspn(line, "\n")] = '\0';
		read_line(model, line, number);
	}
	(void)fclose(file);
	return model;
}

static void check_export(const char *name, const struct fixture *fixture, int epoch)
{
	struct tp_trace_result result;
	const char *database = fixture_database(name, fixture);
	struct model *model = read_trace(fixture_export(database, "nvtxt", epoch, &result));
	model_check(model, database, epoch);
	assert_int_equal(result.event_count, model->event_count);
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

static void hostile_names_stay_on_their_line(void **state)
{
	(void)state;
	struct tp_trace_result result;
	const char *database = fixture_database("hostile.db", &(struct fixture){.hostile = true});
	struct model *model = read_trace(fixture_export(database, "nvtxt", 0, &result));
	model_check(model, database, 0);
	const char *expected = "stage 0: q'/   \xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
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
	        cmocka_unit_test(hostile_names_stay_on_their_line),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
