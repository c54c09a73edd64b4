#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/trace/trace_fixture.h"
#include "tests/trace/trace_model.h"

struct model_event *model_add(struct model *model)
{
	if (model->event_count == model->room) {
		model->room = model->room ? 2 * model->room : 256;
		model->events = realloc(model->events, (size_t)model->room * sizeof *model->events);
		assert_non_null(model->events);
	}
	struct model_event *event = &model->events[model->event_count++];
	memset(event, 0, sizeof *event);
	return event;
}

struct model_track *model_add_track(struct model *model)
{
	assert_in_range(model->track_count, 0, MODEL_TRACKS - 1);
	return &model->tracks[model->track_count++];
}

const struct model_track *model_track(const struct model *model, int64_t id)
{
	for (int i = 0; i < model->track_count; i++) {
		if (model->tracks[i].id == id)
			return &model->tracks[i];
	}
	return NULL;
}

static bool name_is_fixed(const struct model_event *event)
{
	return strcmp(event->name, "queue") == 0 || strcmp(event->name, "wanted") == 0;
}

void model_find_instant(struct model_event *event)
{
	bool message = strcmp(event->category, "send") == 0 || strcmp(event->category, "receive") == 0;
	if (!message || name_is_fixed(event) || event->end_ns != event->start_ns + 1)
		return;
	event->type = MODEL_INSTANT;
	event->end_ns = event->start_ns;
}

void model_release(struct model *model)
{
	free(model->events);
	free(model);
}

/* --- lists to compare with SQL ------------------------------------------------------------------------------------ */

struct list {
	char **lines;
	int count;
};

TP_PRINTF(2, 3) static void add_line(struct list *list, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	list->lines = realloc(list->lines, (size_t)(list->count + 1) * sizeof *list->lines);
	assert_non_null(list->lines);
	list->lines[list->count++] = strdup(line);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Both sorted as text, so that order does not matter. Releases the list. */
static void expect_lines(struct list *list, const char *database, const char *what, const char *sql)
{
	struct list expected = {NULL, 0};
	char *rows = strdup(sql_text(database, sql)), *rest = rows;
	for (char *row = strtok_r(rest, ";", &rest); row; row = strtok_r(NULL, ";", &rest))
		add_line(&expected, "%s", row);
	if (list->count)
		qsort(list->lines, (size_t)list->count, sizeof *list->lines, by_text);
	if (expected.count)
		qsort(expected.lines, (size_t)expected.count, sizeof *expected.lines, by_text);
	for (int i = 0; i < list->count && i < expected.count; i++) {
		if (strcmp(list->lines[i], expected.lines[i]) != 0)
			fail_msg("%s: expected '%s', found '%s'", what, expected.lines[i], list->lines[i]);
	}
	if (list->count != expected.count)
		fail_msg("%s: expected %d, found %d", what, expected.count, list->count);
	for (int i = 0; i < list->count; i++) {
		free(list->lines[i]);
		free(expected.lines[i]);
	}
	free(list->lines);
	free(expected.lines);
	free(rows);
}

/* The SQL with `epoch` in place of every "EPOCH". */
static const char *of_epoch(const char *sql, int epoch)
{
	static char text[4096];
	size_t used = 0;
	for (const char *c = sql; *c;) {
		if (strncmp(c, "EPOCH", 5) == 0) {
			used += (size_t)snprintf(text + used, sizeof text - used, "(%d = 0 OR epoch = %d)", epoch,
			                         epoch);
			c += 5;
			continue;
		}
		text[used++] = *c++;
		assert_in_range(used, 0, sizeof text - 64);
	}
	text[used] = '\0';
	return text;
}

/* --- where an event is -------------------------------------------------------------------------------------------- */

static const struct model_track *track_of(const struct model *model, const struct model_event *event)
{
	const struct model_track *track = model_track(model, event->track);
	if (!track) {
		fail_msg("'%s' is on track %lld, which was never declared", event->name, (long long)event->track);
		abort(); /* the compiler does not know that a failed test does not come back */
	}
	return track;
}

/* Is it on the track, or one of the tracks, of this name? */
static bool on(const struct model *model, const struct model_event *event, const char *name)
{
	const struct model_track *track = track_of(model, event);
	size_t length = strlen(name);
	return strncmp(track->name, name, length) == 0 && (!track->name[length] || track->name[length] == ' ');
}

/* -1: the run. */
static int stage_of(const struct model *model, const struct model_event *event)
{
	int stage = -1;
	const struct model_track *process = model_track(model, track_of(model, event)->process);
	assert_non_null(process);
	(void)sscanf(process->name, "stage %d", &stage);
	return stage;
}

static int64_t argument_of(const struct model_event *event, const char *name, int64_t otherwise)
{
	for (int i = 0; i < event->argument_count; i++) {
		if (strcmp(event->arguments[i].name, name) == 0)
			return event->arguments[i].value;
	}
	return otherwise;
}

/* --- the checks --------------------------------------------------------------------------------------------------- */

void model_check_processes(const struct model *model, const char *database)
{
	int stages = 0, runs = 0;
	for (int i = 0; i < model->track_count; i++) {
		const struct model_track *track = &model->tracks[i];
		for (int j = 0; j < i; j++)
			assert_int_not_equal(track->id, model->tracks[j].id);
		if (track->process != 0) {
			const struct model_track *process = model_track(model, track->process);
			assert_non_null(process);
			assert_int_equal(process->process, 0);
			continue;
		}
		if (strncmp(track->name, "run 1 ", 6) == 0) {
			const char *clock = sql_text(database, "SELECT clock || ' clock' FROM run WHERE run_id = 1");
			assert_non_null(strstr(track->name, clock));
			assert_int_equal(strstr(track->name, "time is modelled") != NULL, clock[0] == 'v');
			runs++;
		} else {
			char expected[32];
			(void)snprintf(expected, sizeof expected, "stage %d: ", stages++);
			assert_int_equal(strncmp(track->name, expected, strlen(expected)), 0);
		}
	}
	assert_int_equal(runs, 1);
	assert_int_equal(stages, FIXTURE_STAGES);
}

void model_check_operations(const struct model *model, const char *database, int epoch)
{
	struct list found = {NULL, 0};
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (event->type == MODEL_COUNTER || !on(model, event, "compute"))
			continue;
		assert_string_equal(track_of(model, event)->name, "compute"); /* they do not overlap: one is enough */
		add_line(&found, "%d|%s|%s|%lld|%lld", stage_of(model, event), event->name, event->category,
		         (long long)event->start_ns, (long long)event->end_ns);
		if (model->has_arguments)
			add_line(&found, "%d|%lld|%lld|%lld|%lld|%lld|%lld|%lld|%lld", stage_of(model, event),
			         (long long)event->start_ns, (long long)argument_of(event, "mini_batch", -99),
			         (long long)argument_of(event, "micro_batch", -1),
			         (long long)argument_of(event, "samples", -99),
			         (long long)argument_of(event, "version_read", -99),
			         (long long)argument_of(event, "version_live", -99),
			         (long long)argument_of(event, "version_committed", -99),
			         (long long)argument_of(event, "staleness", -1));
	}
	const char *names =
	        "SELECT stage, CASE WHEN kind = 'F' THEN mini_batch || char(65 + max(micro_batch, 0)) WHEN micro_batch "
	        "= "
	        "-1 THEN kind || ' ' || mini_batch ELSE kind || ' ' || mini_batch || char(97 + micro_batch) END, "
	        "substr(kind, 1, 1), start_ns, end_ns FROM operation WHERE EPOCH";
	const char *with =
	        " UNION ALL SELECT stage, start_ns, mini_batch, micro_batch, operation_samples || '|' || "
	        "version_read || '|' || version_live || '|' || version_committed || '|' || iif(kind = 'U', -1, "
	        "version_live - version_read) FROM operation WHERE EPOCH";
	char sql[2048];
	(void)snprintf(sql, sizeof sql, "%s%s", names, model->has_arguments ? with : "");
	expect_lines(&found, database, "operations", of_epoch(sql, epoch));
}

/* Slices on the tracks of a name as "stage|name|start|end". */
static struct list slices_on(const struct model *model, const char *track)
{
	struct list found = {NULL, 0};
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (event->type != MODEL_COUNTER && on(model, event, track))
			add_line(&found, "%d|%s|%lld|%lld", stage_of(model, event), event->name,
			         (long long)event->start_ns, (long long)event->end_ns);
	}
	return found;
}

void model_check_idle(const struct model *model, const char *database, int epoch)
{
	struct list found = slices_on(model, "wait");
	expect_lines(&found, database, "waits",
	             of_epoch("SELECT stage, iif(cause = 'unheard-of', 'other', cause), start_ns, end_ns FROM idle "
	                      "WHERE EPOCH",
	                      epoch));
}

void model_check_kernels(const struct model *model, const char *database, int epoch)
{
	struct list found = {NULL, 0};
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (event->type != MODEL_COUNTER && on(model, event, "kernels"))
			add_line(&found, "%d|%.4s|%lld|%lld", stage_of(model, event), event->name,
			         (long long)event->start_ns, (long long)event->end_ns);
	}
	expect_lines(&found, database, "kernels",
	             of_epoch("SELECT stage, substr(name, 1, 4), start_ns, end_ns FROM kernel JOIN kernel_name USING "
	                      "(kernel_name_id) WHERE EPOCH",
	                      epoch));
}

static const struct model_event *flow_end(const struct model *model, uint64_t flow)
{
	const struct model_event *end = NULL;
	for (int i = 0; i < model->event_count; i++) {
		if (model->events[i].flow_to != flow)
			continue;
		if (end)
			fail_msg("arrow %llu ends twice", (unsigned long long)flow);
		end = &model->events[i];
	}
	if (!end)
		fail_msg("arrow %llu does not end", (unsigned long long)flow);
	return end;
}

/* What was sent, taken, and, where the format has arrows, that one leads to the other. */
void model_check_messages(const struct model *model, const char *database, int epoch)
{
	struct list sent = {NULL, 0}, taken = {NULL, 0}, queued = {NULL, 0}, pairs = {NULL, 0};
	int ends = 0;
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		ends += event->flow_to != 0;
		if (event->type == MODEL_COUNTER)
			continue;
		bool fixed_name = name_is_fixed(event);
		if (on(model, event, "send") || (on(model, event, "receive") && fixed_name))
			add_line(fixed_name ? &queued : &sent, "%d|%s|%lld|%lld", stage_of(model, event), event->name,
			         (long long)event->start_ns, (long long)event->end_ns);
		else if (on(model, event, "receive"))
			add_line(&taken, "%d|%s|%lld|%lld", stage_of(model, event), event->name,
			         (long long)event->start_ns, (long long)event->end_ns);
		if (!event->flow_from)
			continue;
		const struct model_event *end = flow_end(model, event->flow_from);
		assert_true(end->start_ns >= event->start_ns); /* an arrow cannot go back in time */
		assert_string_equal(end->name, event->name);
		add_line(&pairs, "%d|%d|%s|%lld|%lld|%lld", stage_of(model, event), stage_of(model, end), event->name,
		         (long long)event->start_ns, (long long)end->start_ns,
		         (long long)argument_of(event, "bytes", -1));
	}
#define MESSAGE_NAME                                                                                    \
	"iif(kind = 'activation', mini_batch || char(65 + max(micro_batch, 0)), 'B ' || mini_batch || " \
	"iif(micro_batch < 0, "                                                                         \
	"'', "                                                                                          \
	"char(97 + micro_batch)))"
#define TAKEN "max(wanted_ns, arrived_ns)"
	expect_lines(
	        &sent, database, "sent",
	        of_epoch("SELECT from_stage, " MESSAGE_NAME ", sent_ns, arrived_ns FROM message WHERE EPOCH", epoch));
	expect_lines(
	        &taken, database, "taken",
	        of_epoch("SELECT to_stage, " MESSAGE_NAME ", " TAKEN ", " TAKEN " FROM message WHERE EPOCH", epoch));
	expect_lines(&queued, database, "queued and wanted",
	             of_epoch("SELECT from_stage, 'queue', ready_ns, sent_ns FROM message WHERE EPOCH AND sent_ns > "
	                      "ready_ns UNION ALL SELECT to_stage, 'wanted', wanted_ns, arrived_ns FROM message WHERE "
	                      "EPOCH AND arrived_ns > wanted_ns",
	                      epoch));
	if (!model->has_flows)
		return;
	assert_int_equal(ends, pairs.count);
	expect_lines(&pairs, database, "arrows",
	             of_epoch("SELECT from_stage, to_stage, " MESSAGE_NAME ", sent_ns, " TAKEN
	                      ", message_bytes FROM message WHERE EPOCH",
	                      epoch));
}

/* At a moment, after all that happens in it. */
static int64_t in_flight(const char *database, int stage, int64_t time_ns)
{
	char sql[512];
	(void)snprintf(
	        sql, sizeof sql,
	        "SELECT count(*) FROM (SELECT min(CASE WHEN kind = 'F' THEN start_ns END) AS entered, max(CASE WHEN "
	        "kind IN ('B', 'BW') THEN end_ns END) AS gone FROM operation WHERE stage = %d GROUP BY mini_batch) "
	        "WHERE entered <= %lld AND gone > %lld",
	        stage, (long long)time_ns, (long long)time_ns);
	return sql_integer(database, sql);
}

/* Does the counter of event `i` have a later sample at the same moment? */
static bool sampled_again(const struct model *model, int i)
{
	for (int j = i + 1; j < model->event_count; j++) {
		if (model->events[j].track == model->events[i].track)
			return model->events[j].start_ns == model->events[i].start_ns;
	}
	return false;
}

/* Every change of the live version's lead is there: the latest sample at the start of an operation is its own. */
static void check_lag(const struct model *model, int stage)
{
	int64_t lag = -1;
	const struct model_event *operation = NULL;
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (stage_of(model, event) != stage)
			continue;
		if (event->type == MODEL_COUNTER && on(model, event, "version")) {
			assert_non_null(operation);
			assert_int_equal(event->start_ns, operation->start_ns);
			lag = event->value;
		}
		if (event->type != MODEL_SLICE || !on(model, event, "compute"))
			continue;
		if (operation && operation->category[0] != 'U')
			assert_int_equal(lag, argument_of(operation, "staleness", -1));
		operation = event;
	}
}

void model_check_counters(const struct model *model, const char *database, int epoch)
{
	struct list memory = {NULL, 0};
	int flights = 0;
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (event->type != MODEL_COUNTER)
			continue;
		const struct model_track *track = track_of(model, event);
		for (int j = i - 1; j >= 0; j--) { /* time does not go back on a track */
			if (model->events[j].track == event->track) {
				assert_true(model->events[j].start_ns <= event->start_ns);
				break;
			}
		}
		if (strncmp(track->name, "memory ", 7) == 0) {
			add_line(&memory, "%d|%s|%lld|%lld", stage_of(model, event), track->name + 7,
			         (long long)event->start_ns, (long long)event->value);
		} else if (strcmp(track->name, "mini-batches in flight") == 0) {
			flights++;
			if (!sampled_again(model, i))
				assert_int_equal(event->value,
				                 in_flight(database, stage_of(model, event), event->start_ns));
		}
	}
	expect_lines(&memory, database, "changes of memory",
	             of_epoch("SELECT stage, kind, time_ns, kind_bytes FROM memory_change WHERE EPOCH UNION ALL SELECT "
	                      "stage, 'all', time_ns, stage_bytes FROM memory_change WHERE EPOCH",
	                      epoch));
	/* One for each that enters and one for each that leaves. */
	assert_int_equal(flights,
	                 sql_integer(database, of_epoch("SELECT 2 * count(*) FROM operation WHERE kind = 'U' AND "
	                                                "EPOCH",
	                                                epoch)));
	for (int stage = 0; stage < FIXTURE_STAGES; stage++)
		check_lag(model, stage);
}

void model_check_epochs(const struct model *model, const char *database, int epoch)
{
	struct list found = slices_on(model, "epochs");
	expect_lines(
	        &found, database, "epochs",
	        of_epoch("SELECT -1, 'epoch ' || epoch, window_start_ns, window_end_ns FROM epoch WHERE EPOCH", epoch));
}

/* Slices of a track come one after another. */
void model_check_nesting(const struct model *model)
{
	for (int t = 0; t < model->track_count; t++) {
		int64_t free_ns = INT64_MIN;
		for (int i = 0; i < model->event_count; i++) {
			const struct model_event *event = &model->events[i];
			if (event->type == MODEL_COUNTER || event->track != model->tracks[t].id)
				continue;
			if (event->start_ns < free_ns)
				fail_msg("track '%s': '%s' begins at %lld, before %lld", model->tracks[t].name,
				         event->name, (long long)event->start_ns, (long long)free_ns);
			assert_true(event->end_ns >= event->start_ns);
			free_ns = event->type == MODEL_INSTANT ? event->start_ns + 1 : event->end_ns;
		}
	}
}

/* Rows come in the order of time over all stages; a message does when it was ready, before what else it says. */
static void check_time(const struct model *model)
{
	int64_t now_ns = INT64_MIN;
	for (int i = 0; i < model->event_count; i++) {
		const struct model_event *event = &model->events[i];
		if (on(model, event, "compute") || on(model, event, "wait") || on(model, event, "kernels") ||
		    on(model, event, "memory") || strcmp(event->name, "queue") == 0) {
			assert_true(event->start_ns >= now_ns);
			now_ns = event->start_ns;
		}
	}
}

/* Computing stands above messages, those above waits, and counters below; all of a stage have places of their own. */
void model_check_order(const struct model *model)
{
	static const char *const order[] = {"compute", "kernels", "send",    "receive",
	                                    "wait",    "mini",    "version", "memory"};
	int places[MODEL_TRACKS];
	for (int i = 0; i < model->track_count; i++) {
		const struct model_track *track = &model->tracks[i];
		places[i] = -1;
		for (int k = 0; track->process && k < 8; k++) {
			if (strncmp(track->name, order[k], strlen(order[k])) == 0)
				places[i] = k;
		}
		for (int j = 0; j < i && places[i] >= 0; j++) {
			const struct model_track *other = &model->tracks[j];
			if (other->process != track->process || places[j] < 0)
				continue;
			assert_int_not_equal(track->rank, other->rank);
			if (places[i] != places[j])
				assert_int_equal(track->rank < other->rank, places[i] < places[j]);
		}
	}
}

void model_check(const struct model *model, const char *database, int epoch)
{
	model_check_processes(model, database);
	model_check_operations(model, database, epoch);
	model_check_idle(model, database, epoch);
	model_check_kernels(model, database, epoch);
	model_check_messages(model, database, epoch);
	model_check_epochs(model, database, epoch);
	model_check_nesting(model);
	check_time(model);
	if (model->has_counters)
		model_check_counters(model, database, epoch);
}
