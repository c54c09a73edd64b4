/* Perfetto traces, decoded by protoc with the published field numbers, against the database they were made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trace/trace_fixture.h"
#include "tests/trace/trace_model.h"

enum { INTERNED = 64 };

/* What protoc's text says, line by line: `path` is where it is in the message, the packet under way is collected. */
struct decoder {
	struct model *model;
	char path[256];
	char event_names[INTERNED][600], argument_names[INTERNED][32];
	long long flags, sequence;
	bool first_packet;
	/* of the packet */
	bool has_time;
	long long time_ns, iid, pid;
	char text[600], type[32];
	struct model_event event;
	struct model_track track;
};

/* C escapes, as protoc writes them. */
static void unescape(const char *from, char *to, size_t size)
{
	size_t used = 0;
	assert_int_equal(from[0], '"');
	for (from++; *from && *from != '"'; from++) {
		assert_true(used + 1 < size);
		if (*from != '\\') {
			to[used++] = *from;
			continue;
		}
		from++;
		if (*from >= '0' && *from <= '7') {
			char digits[4] = {from[0], from[1], from[2], '\0'};
			to[used++] = (char)strtol(digits, NULL, 8);
			from += 2;
		} else {
			to[used++] = (char)(*from == 'n' ? '\n' : *from == 't' ? '\t' : *from == 'r' ? '\r' : *from);
		}
	}
	to[used] = '\0';
}

static bool at(const struct decoder *decoder, const char *path)
{
	return strcmp(decoder->path, path) == 0;
}

static void set_field(struct decoder *decoder, const char *name, const char *value)
{
	struct model_event *event = &decoder->event;
	struct model_track *track = &decoder->track;
	char path[320];
	long long number = strtoll(value, NULL, 0);
	/* A field that the subset does not have is shown by its number. */
	assert_false(name[0] >= '0' && name[0] <= '9');
	(void)snprintf(path, sizeof path, "%s%s", decoder->path, name);
#define FIELD(text) (strcmp(path, "packet." text) == 0)
	if (FIELD("timestamp"))
		decoder->time_ns = number, decoder->has_time = true;
	else if (FIELD("trusted_packet_sequence_id"))
		decoder->sequence = number;
	else if (FIELD("sequence_flags"))
		decoder->flags = number;
	else if (FIELD("interned_data.event_names.iid") || FIELD("interned_data.debug_annotation_names.iid"))
		decoder->iid = number;
	else if (FIELD("interned_data.event_names.name") || FIELD("interned_data.debug_annotation_names.name"))
		unescape(value, decoder->text, sizeof decoder->text);
	else if (FIELD("track_descriptor.uuid"))
		track->id = number;
	else if (FIELD("track_descriptor.parent_uuid"))
		track->process = number;
	else if (FIELD("track_descriptor.name") || FIELD("track_descriptor.process.process_name"))
		unescape(value, track->name, sizeof track->name);
	else if (FIELD("track_descriptor.process.pid"))
		decoder->pid = number;
	else if (FIELD("track_descriptor.sibling_order_rank"))
		track->rank = (int)number;
	else if (FIELD("track_descriptor.child_ordering"))
		track->explicit_order = strcmp(value, "EXPLICIT") == 0;
	else if (FIELD("track_descriptor.counter.unit"))
		track->bytes = strcmp(value, "UNIT_SIZE_BYTES") == 0;
	else if (FIELD("track_event.type"))
		(void)snprintf(decoder->type, sizeof decoder->type, "%s", value);
	else if (FIELD("track_event.track_uuid"))
		event->track = number;
	else if (FIELD("track_event.name"))
		unescape(value, event->name, sizeof event->name);
	else if (FIELD("track_event.name_iid"))
		strcpy(event->name, decoder->event_names[number]);
	else if (FIELD("track_event.categories"))
		unescape(value, event->category, sizeof event->category);
	else if (FIELD("track_event.counter_value"))
		event->value = number;
	else if (FIELD("track_event.flow_ids"))
		event->flow_from = (uint64_t)number;
	else if (FIELD("track_event.terminating_flow_ids"))
		event->flow_to = (uint64_t)number;
	else if (FIELD("track_event.debug_annotations.name_iid"))
		strcpy(event->arguments[event->argument_count].name, decoder->argument_names[number]);
	else if (FIELD("track_event.debug_annotations.int_value"))
		event->arguments[event->argument_count++].value = number;
	else
		fail_msg("unexpected field %s", path);
#undef FIELD
}

/* An end closes the latest slice of its track. */
static void end_slice(struct decoder *decoder)
{
	for (int i = decoder->model->event_count - 1; i >= 0; i--) {
		struct model_event *event = &decoder->model->events[i];
		if (event->track != decoder->event.track)
			continue;
		assert_int_equal(event->type, MODEL_SLICE);
		assert_int_equal(event->end_ns, -1); /* still open */
		event->end_ns = decoder->time_ns;
		return;
	}
	fail_msg("an end without a beginning");
}

static void add_event(struct decoder *decoder)
{
	const struct model_track *track = model_track(decoder->model, decoder->event.track);
	assert_true(decoder->has_time);
	assert_non_null(track); /* declared before it is used */
	assert_int_not_equal(track->process, 0);
	if (strcmp(decoder->type, "TYPE_SLICE_END") == 0) {
		end_slice(decoder);
		return;
	}
	struct model_event *event = model_add(decoder->model);
	*event = decoder->event;
	event->start_ns = event->end_ns = decoder->time_ns;
	assert_int_equal(track->counter, strcmp(decoder->type, "TYPE_COUNTER") == 0);
	if (strcmp(decoder->type, "TYPE_SLICE_BEGIN") == 0) {
		event->type = MODEL_SLICE;
		event->end_ns = -1;
	} else if (strcmp(decoder->type, "TYPE_INSTANT") == 0) {
		event->type = MODEL_INSTANT;
	} else {
		assert_string_equal(decoder->type, "TYPE_COUNTER");
		event->type = MODEL_COUNTER;
		strcpy(event->name, "sample");
	}
	assert_true(event->name[0]);
}

/* A message has ended; `path` still names it. */
static void end_message(struct decoder *decoder)
{
	if (at(decoder, "packet.interned_data.event_names.")) {
		assert_in_range(decoder->iid, 1, INTERNED - 1);
		strcpy(decoder->event_names[decoder->iid], decoder->text);
	} else if (at(decoder, "packet.interned_data.debug_annotation_names.")) {
		assert_in_range(decoder->iid, 1, INTERNED - 1);
		(void)snprintf(decoder->argument_names[decoder->iid], 32, "%.31s", decoder->text);
	} else if (at(decoder, "packet.track_descriptor.counter.")) {
		decoder->track.counter = true;
	} else if (at(decoder, "packet.track_descriptor.")) {
		if (decoder->track.process == 0) {
			assert_true(decoder->track.explicit_order);
			assert_int_equal(decoder->pid, decoder->track.id);
		}
		*model_add_track(decoder->model) = decoder->track;
	} else if (at(decoder, "packet.track_event.")) {
		add_event(decoder);
	} else if (at(decoder, "packet.")) {
		/* The first packet clears the sequence's state, the others build on it. */
		assert_int_equal(decoder->flags, decoder->first_packet ? 3 : 2);
		assert_int_equal(decoder->sequence, 1);
		decoder->first_packet = false;
	}
}

static void leave(struct decoder *decoder)
{
	end_message(decoder);
	decoder->path[strlen(decoder->path) - 1] = '\0';
	char *dot = strrchr(decoder->path, '.');
	*(dot ? dot + 1 : decoder->path) = '\0';
}

static void enter(struct decoder *decoder, const char *name)
{
	size_t length = strlen(decoder->path);
	(void)snprintf(decoder->path + length, sizeof decoder->path - length, "%s.", name);
	if (!at(decoder, "packet."))
		return;
	decoder->has_time = false;
	memset(&decoder->event, 0, sizeof decoder->event);
	memset(&decoder->track, 0, sizeof decoder->track);
}

static void decode_line(struct decoder *decoder, char *line)
{
	line += strspn(line, " ");
	line[strcspn(line, "\n")] = '\0';
	char *space = strchr(line, ' ');
	if (strcmp(line, "}") == 0) {
		leave(decoder);
	} else if (space && strcmp(space, " {") == 0) {
		*space = '\0';
		enter(decoder, line);
	} else {
		char *colon = strchr(line, ':');
		assert_non_null(colon);
		*colon = '\0';
		set_field(decoder, line, colon + 2);
	}
}

static struct model *decode(const char *path)
{
	struct decoder *decoder = calloc(1, sizeof *decoder);
	char command[1024], line[4096];
	(void)snprintf(command, sizeof command,
	               "protoc --proto_path='%s' --decode=perfetto.protos.Trace perfetto_subset.proto < '%s'",
	               TPBENCH_TRACE_TESTS, path);
	assert_non_null(decoder);
	decoder->model = calloc(1, sizeof *decoder->model);
	decoder->first_packet = true;
	struct model *model = decoder->model;
	assert_non_null(model);
	model->has_flows = model->has_counters = model->has_arguments = true;
	FILE *text = popen(command, "r");
	assert_non_null(text);
	while (fgets(line, sizeof line, text))
		decode_line(decoder, line);
	assert_int_equal(pclose(text), 0);
	for (int i = 0; i < model->event_count; i++)
		assert_true(model->events[i].type != MODEL_SLICE || model->events[i].end_ns >= 0); /* all are closed */
	free(decoder);
	return model;
}

static void check_export(const char *name, const struct fixture *fixture, int epoch)
{
	struct tp_trace_result result;
	const char *database = fixture_database(name, fixture);
	struct model *model = decode(fixture_export(database, "perfetto", epoch, &result));
	model_check(model, database, epoch);
	model_check_order(model);
	for (int i = 0; i < model->track_count; i++)
		assert_int_equal(model->tracks[i].bytes, strncmp(model->tracks[i].name, "memory ", 7) == 0);
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

/* What was recorded before there were tables for gaps, changes of memory and kernels. */
static void tables_without_rows(void **state)
{
	(void)state;
	check_export("bare.db", &(struct fixture){.bare = true}, 0);
}

static void hostile_names_stay_text(void **state)
{
	(void)state;
	struct tp_trace_result result;
	const char *database = fixture_database("hostile.db", &(struct fixture){.hostile = true});
	struct model *model = decode(fixture_export(database, "perfetto", 0, &result));
	model_check(model, database, 0);
	/* U+FFFD for each byte that is no UTF-8. */
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
	if (system("protoc --version > /dev/null 2>&1") != 0) {
		(void)fprintf(stderr, "skipped: protoc not found (Debian and Ubuntu: protobuf-compiler)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
