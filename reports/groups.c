#include "reports/groups.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "results/queries.h"
#include "results/stand_in.h"

/* --- settings: lines of "name=value", sorted by name -------------------------------------------------------------- */

/* One line; *next is the one behind it, and false says that there was none. */
struct line {
	const char *name, *value;
	size_t name_length, value_length;
};

static bool take_line(const char **next, struct line *line)
{
	const char *at = *next, *end = at + strcspn(at, "\n"), *equals = memchr(at, '=', (size_t)(end - at));
	if (*at == '\0')
		return false;
	*next = *end ? end + 1 : end;
	const char *name_end = equals ? equals : end;
	*line = (struct line){at, equals ? equals + 1 : end, (size_t)(name_end - at), 0};
	line->value_length = (size_t)(end - line->value);
	return true;
}

static bool is_named(const struct line *line, const char *name)
{
	return strlen(name) == line->name_length && strncmp(line->name, name, line->name_length) == 0;
}

static bool same_name(const struct line *a, const struct line *b)
{
	return a->name_length == b->name_length && strncmp(a->name, b->name, a->name_length) == 0;
}

static bool find_line(const char *settings, const char *name, struct line *line)
{
	while (take_line(&settings, line)) {
		if (is_named(line, name))
			return true;
	}
	return false;
}

bool tp_group_setting(const struct tp_group *group, const char *name, char *value, size_t size)
{
	struct line line;
	if (!find_line(group->settings, name, &line))
		return false;
	(void)snprintf(value, size, "%.*s", (int)line.value_length, line.value);
	return true;
}

/* Lines of `a` that `b` has not, or has otherwise; those of `missing` alone: that it has not. */
static void add_differing(const char *a, const char *b, bool missing, struct tp_text *names)
{
	struct line line, other;
	while (take_line(&a, &line)) {
		const char *rest = b;
		bool found = false;
		while (!found && take_line(&rest, &other))
			found = same_name(&line, &other);
		bool same = found && line.value_length == other.value_length &&
		            strncmp(line.value, other.value, line.value_length) == 0;
		if (missing ? !found : !same)
			tp_text_add(names, "%s%.*s", names->length ? "," : "", (int)line.name_length, line.name);
	}
}

void tp_groups_differ(const struct tp_group *a, const struct tp_group *b, struct tp_text *names)
{
	add_differing(a->settings, b->settings, false, names);
	add_differing(b->settings, a->settings, true, names);
}

static bool is_listed(const char *name, size_t length, const char *list)
{
	for (const char *at = list; *at;) {
		size_t here = strcspn(at, ",");
		if (here == length && strncmp(at, name, length) == 0)
			return true;
		at += here + (at[here] == ',');
	}
	return false;
}

bool tp_groups_alike_but(const struct tp_group *a, const struct tp_group *b, const char *names)
{
	struct tp_text differ = {0};
	tp_groups_differ(a, b, &differ);
	bool alike = !differ.failed;
	for (const char *at = tp_text_get(&differ); alike && *at;) {
		size_t length = strcspn(at, ",");
		alike = is_listed(at, length, names);
		at += length + (at[length] == ',');
	}
	tp_text_release(&differ);
	return alike;
}

/* Settings that make samples of the same experiment differ, or do not touch it. */
static bool is_of_sample(const struct line *line)
{
	return is_named(line, "seed") || is_named(line, "profile") || is_named(line, "data-dir");
}

static void add_settings(const char *config_text, struct tp_text *settings)
{
	struct line line;
	while (take_line(&config_text, &line)) {
		if (!is_of_sample(&line))
			tp_text_add(settings, "%.*s=%.*s\n", (int)line.name_length, line.name, (int)line.value_length,
			            line.value);
	}
}

/* Where data are read from files, how many samples they hold stands for which they are: a part of a data set is not the
 * whole of it, wherever either lies. `samples` is 0 where that is not known. */
static void add_data(const char *config_text, int64_t samples, struct tp_text *settings)
{
	struct line line;
	if (samples > 0 && find_line(config_text, "data-dir", &line) && line.value_length > 0)
		tp_text_add(settings, "train-samples=%" PRId64 "\n", samples);
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

enum {
	RUN_ID,
	REPEAT,
	SCHEDULE,
	MODEL,
	DATASET,
	DEVICE,
	ORDER,
	CLOCK,
	STAGES,
	MICROS,
	BATCH,
	CONFIG,
	SEED,
	USABLE,
	EPOCHS,
	SAMPLES
};

static const char runs_sql[] =
        "SELECT run_id, repeat_number, schedule, model, dataset, device, operation_order, clock, stage_count, "
        "micro_batch_count, batch_samples, config_text, (SELECT value FROM run_parameter AS p WHERE p.run_id = "
        "run.run_id AND p.name = 'seed'), state = 'done' AND coalesce(valid, 1) = 1, (SELECT count(*) FROM epoch AS e "
        "WHERE e.run_id = run.run_id), mini_batches_per_epoch_count * batch_samples + dropped_per_epoch_samples FROM "
        "run "
        "JOIN run_state USING (run_id) WHERE ?1 IS NULL OR comparison = ?1 ORDER BY run_id";

static const char *text_of(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	return text ? (const char *)text : "";
}

static char *keep(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *kept = tp_alloc(bytes);
	if (kept)
		memcpy(kept, text, bytes);
	return kept;
}

static char *keep_setting(const char *settings, const char *name)
{
	struct line line;
	char *kept = tp_alloc(strlen(settings) + 1);
	if (kept && find_line(settings, name, &line))
		memcpy(kept, line.value, line.value_length);
	return kept;
}

static enum tp_status begin_group(sqlite3_stmt *row, const char *settings, struct tp_group *group)
{
	*group = (struct tp_group){
	        .stages = sqlite3_column_int(row, STAGES),
	        .micro_batches = sqlite3_column_int(row, MICROS),
	        .batch_samples = sqlite3_column_int(row, BATCH),
	        .settings = keep(settings),
	        .link = keep_setting(settings, "link"),
	        .cluster = keep_setting(settings, "cluster"),
	        .costs = keep_setting(settings, "costs"),
	};
	(void)snprintf(group->schedule, sizeof group->schedule, "%s", text_of(row, SCHEDULE));
	(void)snprintf(group->model, sizeof group->model, "%s", text_of(row, MODEL));
	(void)snprintf(group->dataset, sizeof group->dataset, "%s", text_of(row, DATASET));
	(void)snprintf(group->device, sizeof group->device, "%s", text_of(row, DEVICE));
	(void)snprintf(group->order, sizeof group->order, "%s", text_of(row, ORDER));
	(void)snprintf(group->clock, sizeof group->clock, "%s", text_of(row, CLOCK));
	return group->settings && group->link && group->cluster && group->costs ? TP_OK : TP_ERR_NOMEM;
}

static enum tp_status add_run(struct tp_group *group, const struct tp_group_run *run)
{
	bool full = (group->run_count & (group->run_count - 1)) == 0; /* room is a power of two */
	if (full) {
		size_t room = group->run_count > 0 ? 2 * (size_t)group->run_count : 1;
		struct tp_group_run *more = tp_alloc_array(room, sizeof *more);
		if (!more)
			return TP_ERR_NOMEM;
		if (group->run_count > 0)
			memcpy(more, group->runs, (size_t)group->run_count * sizeof *more);
		tp_free(group->runs);
		group->runs = more;
	}
	group->runs[group->run_count++] = *run;
	return TP_OK;
}

static enum tp_status take_run(sqlite3_stmt *row, struct tp_groups *groups)
{
	struct tp_text settings = {0};
	add_settings(text_of(row, CONFIG), &settings);
	add_data(text_of(row, CONFIG), sqlite3_column_int64(row, SAMPLES), &settings);
	enum tp_status status = settings.failed ? TP_ERR_NOMEM : TP_OK;
	struct tp_group *group = NULL;
	for (int32_t i = 0; i < groups->count && !group && status == TP_OK; i++) {
		if (strcmp(groups->groups[i].settings, tp_text_get(&settings)) == 0)
			group = &groups->groups[i];
	}
	if (!group && status == TP_OK) {
		group = &groups->groups[groups->count++];
		status = begin_group(row, tp_text_get(&settings), group);
	}
	tp_text_release(&settings);
	TP_TRY(status);
	int32_t epochs = sqlite3_column_int(row, EPOCHS);
	bool stand_in = tp_is_stand_in(text_of(row, DEVICE));
	if (!sqlite3_column_int(row, USABLE) || epochs == 0 || stand_in) {
		group->left_out++;
		group->stand_ins += stand_in;
		return TP_OK;
	}
	if (group->run_count == 0) /* what began the group may be a stand-in for it */
		(void)snprintf(group->device, sizeof group->device, "%s", text_of(row, DEVICE));
	const struct tp_group_run run = {
	        .run_id = sqlite3_column_int64(row, RUN_ID),
	        .seed = strtoull(text_of(row, SEED), NULL, 10),
	        .repeat = sqlite3_column_int(row, REPEAT),
	        .epochs = epochs,
	};
	return add_run(group, &run);
}

static enum tp_status read_failed(struct tp_store *store)
{
	return tp_fail(TP_ERR_IO, "the runs could not be read: %s", sqlite3_errmsg(tp_store_connection(store)));
}

static enum tp_status count_runs(struct tp_store *store, int32_t *count)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), "SELECT count(*) FROM run", -1, &statement, NULL) !=
	    SQLITE_OK)
		return read_failed(store);
	enum tp_status status = sqlite3_step(statement) == SQLITE_ROW ? TP_OK : read_failed(store);
	*count = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return status;
}

/* Runs that appear while this reads are left for the next time. */
static enum tp_status read_runs(struct tp_store *store, const char *comparison, int32_t most, struct tp_groups *groups)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), runs_sql, -1, &statement, NULL) != SQLITE_OK)
		return read_failed(store);
	if (comparison)
		(void)sqlite3_bind_text(statement, 1, comparison, -1, SQLITE_STATIC);
	enum tp_status status = TP_OK;
	int rc = SQLITE_DONE;
	for (int32_t seen = 0; seen < most && status == TP_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW; seen++)
		status = take_run(statement, groups);
	if (status == TP_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		status = read_failed(store);
	(void)sqlite3_finalize(statement);
	return status;
}

enum tp_status tp_groups_read(struct tp_store *store, const char *comparison, struct tp_groups *groups)
{
	int32_t most = 0;
	*groups = (struct tp_groups){0};
	TP_TRY(count_runs(store, &most));
	groups->groups = tp_alloc_array((size_t)most, sizeof *groups->groups);
	if (!groups->groups)
		return TP_ERR_NOMEM;
	enum tp_status status = read_runs(store, comparison, most, groups);
	if (status != TP_OK)
		tp_groups_release(groups);
	return status;
}

int32_t tp_groups_stand_ins(const struct tp_groups *groups)
{
	int32_t count = 0;
	for (int32_t i = 0; i < groups->count; i++)
		count += groups->groups[i].stand_ins;
	return count;
}

void tp_groups_say_stand_ins(int32_t count, struct tp_text *out)
{
	tp_text_add(out, "%d run%s left out: %s device " TP_STAND_IN_SAYS, (int)count, count == 1 ? "" : "s",
	            count == 1 ? "its" : "their");
}

void tp_groups_release(struct tp_groups *groups)
{
	for (int32_t i = 0; i < groups->count; i++) {
		struct tp_group *group = &groups->groups[i];
		tp_free(group->settings);
		tp_free(group->link);
		tp_free(group->cluster);
		tp_free(group->costs);
		tp_free(group->runs);
	}
	tp_free(groups->groups);
	*groups = (struct tp_groups){0};
}
