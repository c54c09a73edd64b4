#include "reports/diff.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "reports/escape.h"
#include "reports/report_data.h"
#include "results/queries.h"
#include "results/stand_in.h"

/* --- which metrics ------------------------------------------------------------------------------------------------ */

static bool is_wanted(const char *name, const char *list)
{
	size_t length = strlen(name);
	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
		if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
			return true;
	}
	return list[0] == '\0';
}

static enum tp_status check_metrics(const char *list)
{
	const char *names[TP_DIFF_METRICS + 1] = {NULL};
	for (int i = 0; i < TP_DIFF_METRICS; i++)
		names[i] = tp_diff_metrics[i].name;
	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
		char name[64];
		bool known = false;
		(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
		for (int i = 0; i < TP_DIFF_METRICS && !known; i++)
			known = strcmp(name, names[i]) == 0;
		if (!known)
			return tp_fail_unknown("metric", name, names);
	}
	return TP_OK;
}

/* --- the environment ---------------------------------------------------------------------------------------------- */

/* Is the line of `length` bytes at `line` one of `lines`? */
static bool has_line(const char *lines, const char *line, size_t length)
{
	for (const char *at = lines; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, line, length) == 0 && at[length] == '\n')
			return true;
	}
	return false;
}

/* What a run ran on, and what was recorded of it, which takes time. Each line has one newline and a '='. */
static enum tp_status add_environment(struct tp_store *store, int64_t run_id, struct tp_text *lines)
{
	static const char sql[] =
	        "SELECT replace(name || '=' || value, char(10), ' ') FROM environment WHERE run_id = ?1 UNION "
	        "SELECT 'profile_level=' || profile_level FROM epoch WHERE run_id = ?1 ORDER BY 1";
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) != SQLITE_OK)
		return tp_report_query_failed(store);
	(void)sqlite3_bind_int64(statement, 1, run_id);
	int rc;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(statement, 0);
		if (line && strchr(line, '=') && !has_line(tp_text_get(lines), line, strlen(line)))
			tp_text_add(lines, "%s\n", line);
	}
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_report_query_failed(store);
	(void)sqlite3_finalize(statement);
	return lines->failed ? TP_ERR_NOMEM : status;
}

/* The first value of `name`, which ends with '=' after `length` bytes; `found` gets "" when there is none. */
static void first_value(const char *lines, const char *name, size_t length, struct tp_text *found)
{
	for (const char *at = lines; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, name, length) == 0) {
			tp_text_add(found, "%.*s", (int)strcspn(at + length, "\n"), at + length);
			return;
		}
	}
}

/* Is each line of `name` in `a` one of `b`, too? */
static bool values_in(const char *a, const char *b, const char *name, size_t length)
{
	for (const char *at = a; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, name, length) == 0 && !has_line(b, at, strcspn(at, "\n")))
			return false;
	}
	return true;
}

/* Whether a line before `line` has its name already. */
static bool seen_before(const char *lines, const char *line, size_t length)
{
	for (const char *at = lines; at < line; at = strchr(at, '\n') + 1) {
		if (strncmp(at, line, length) == 0)
			return true;
	}
	return false;
}

enum tp_status tp_diff_environment(const struct tp_diff *diff, tp_diff_environment_fn take, void *to)
{
	const char *lines[2] = {tp_text_get(&diff->environment[0]), tp_text_get(&diff->environment[1])};
	bool failed = false;
	for (int side = 0; side < 2 && !failed; side++) {
		for (const char *at = lines[side]; *at && !failed; at = strchr(at, '\n') + 1) {
			size_t length = strcspn(at, "=") + 1;
			struct tp_text name = {0}, a = {0}, b = {0};
			first_value(lines[0], at, length, &a);
			first_value(lines[1], at, length, &b);
			bool told = seen_before(lines[side], at, length) || (side == 1 && a.data);
			tp_text_add(&name, "%.*s", (int)length - 1, at);
			failed = name.failed || a.failed || b.failed;
			if (!told && !failed &&
			    (!values_in(lines[0], lines[1], at, length) || !values_in(lines[1], lines[0], at, length)))
				take(tp_text_get(&name), tp_text_get(&a), tp_text_get(&b), to);
			tp_text_release(&name);
			tp_text_release(&a);
			tp_text_release(&b);
		}
	}
	return failed ? TP_ERR_NOMEM : TP_OK;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static const struct tp_group *find_like(const struct tp_group *group, const struct tp_groups *among)
{
	for (int32_t i = 0; i < among->count; i++) {
		if (among->groups[i].run_count > 0 && strcmp(among->groups[i].settings, group->settings) == 0)
			return &among->groups[i];
	}
	return NULL;
}

bool tp_diff_is_compared(const struct tp_diff *diff, int side, const struct tp_group *group)
{
	return group->run_count > 0 && find_like(group, &diff->groups[1 - side]) != NULL;
}

static enum tp_status compare_group(struct tp_store *const stores[2], const struct tp_diff_request *request,
                                    struct tp_diff *diff, struct tp_diff_group *compared)
{
	const struct tp_group *const groups[2] = {compared->a, compared->b};
	for (const struct tp_diff_metric *metric = tp_diff_metrics; metric->name; metric++) {
		struct tp_diff_line *line = &compared->lines[compared->line_count];
		bool there = false;
		if (is_wanted(metric->name, request->metrics))
			TP_TRY(tp_diff_compare(stores, groups, metric, request->threshold, line, &there));
		compared->line_count += there;
		if (there)
			diff->verdicts[line->verdict]++;
	}
	for (int side = 0; side < 2; side++) {
		for (int32_t r = 0; r < groups[side]->run_count; r++)
			TP_TRY(add_environment(stores[side], groups[side]->runs[r].run_id, &diff->environment[side]));
	}
	return TP_OK;
}

/* --- when nothing is alike ---------------------------------------------------------------------------------------- */

static size_t count_names(const char *names)
{
	size_t count = names[0] != '\0';
	for (; *names; names++)
		count += *names == ',';
	return count;
}

/* The pair of usable groups that differ in the fewest settings. */
static enum tp_status find_nearest(const struct tp_diff *diff, const struct tp_group **a, const struct tp_group **b,
                                   struct tp_text *names)
{
	*a = *b = NULL;
	for (int32_t i = 0; i < diff->groups[0].count; i++) {
		for (int32_t j = 0; j < diff->groups[1].count; j++) {
			const struct tp_group *first = &diff->groups[0].groups[i], *second = &diff->groups[1].groups[j];
			struct tp_text differ = {0};
			if (first->run_count == 0 || second->run_count == 0)
				continue;
			tp_groups_differ(first, second, &differ);
			if (!*a || count_names(tp_text_get(&differ)) < count_names(tp_text_get(names))) {
				*a = first;
				*b = second;
				tp_text_release(names);
				*names = differ;
			} else {
				tp_text_release(&differ);
			}
		}
	}
	return names->failed ? TP_ERR_NOMEM : TP_OK;
}

static enum tp_status refuse(const struct tp_diff *diff)
{
	const struct tp_group *a, *b;
	struct tp_text names = {0}, said = {0};
	enum tp_status status = find_nearest(diff, &a, &b, &names);
	for (const char *at = tp_text_get(&names); status == TP_OK && *at;) {
		char name[64], value[2][64] = {"", ""};
		(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
		(void)tp_group_setting(a, name, value[0], sizeof value[0]);
		(void)tp_group_setting(b, name, value[1], sizeof value[1]);
		tp_text_add(&said, "%s--", said.length ? ", " : "");
		tp_escape_terminal(&said, name);
		tp_text_add(&said, " ('");
		tp_escape_terminal(&said, value[0]);
		tp_text_add(&said, "' and '");
		tp_escape_terminal(&said, value[1]);
		tp_text_add(&said, "')");
		at += strcspn(at, ",");
		at += *at == ',';
	}
	if (status == TP_OK && a)
		status =
		        tp_fail(TP_ERR_INPUT,
		                "diff: nothing to compare: run %" PRId64 " of %s and run %" PRId64
		                " of %s are the nearest, and differ in %s",
		                a->runs[0].run_id, diff->path[0], b->runs[0].run_id, diff->path[1], tp_text_get(&said));
	tp_text_release(&names);
	tp_text_release(&said);
	return status;
}

/* A side without any run that ended well cannot be compared. */
static enum tp_status check_usable(const struct tp_diff *diff)
{
	for (int side = 0; side < 2; side++) {
		int32_t usable = 0;
		for (int32_t i = 0; i < diff->groups[side].count; i++)
			usable += diff->groups[side].groups[i].run_count;
		if (usable == 0 && tp_groups_stand_ins(&diff->groups[side]) > 0)
			return tp_fail(TP_ERR_INPUT,
			               "diff: nothing to compare: database '%s' has no run but on a device "
			               "that " TP_STAND_IN_SAYS,
			               diff->path[side]);
		if (usable == 0)
			return tp_fail(TP_ERR_INPUT,
			               "diff: nothing to compare: database '%s' has no run that is done, valid and has "
			               "an epoch",
			               diff->path[side]);
	}
	return TP_OK;
}

static enum tp_status read_all(struct tp_store *const stores[2], const struct tp_diff_request *request,
                               struct tp_diff *diff)
{
	TP_TRY(check_metrics(request->metrics));
	for (int side = 0; side < 2; side++)
		TP_TRY(tp_groups_read(stores[side], NULL, &diff->groups[side]));
	TP_TRY(check_usable(diff));
	diff->compared = tp_alloc_array((size_t)diff->groups[0].count, sizeof *diff->compared);
	if (!diff->compared)
		return TP_ERR_NOMEM;
	for (int32_t i = 0; i < diff->groups[0].count; i++) {
		const struct tp_group *a = &diff->groups[0].groups[i];
		if (!tp_diff_is_compared(diff, 0, a))
			continue;
		struct tp_diff_group *compared = &diff->compared[diff->compared_count++];
		*compared = (struct tp_diff_group){.a = a, .b = find_like(a, &diff->groups[1])};
		TP_TRY(compare_group(stores, request, diff, compared));
	}
	return diff->compared_count > 0 ? TP_OK : refuse(diff);
}

enum tp_status tp_diff_read(struct tp_store *a, struct tp_store *b, const struct tp_diff_request *request,
                            struct tp_diff *diff)
{
	struct tp_store *const stores[2] = {a, b};
	*diff = (struct tp_diff){.path = {request->path[0], request->path[1]}, .threshold = request->threshold};
	enum tp_status status = read_all(stores, request, diff);
	if (status != TP_OK)
		tp_diff_release(diff);
	return status;
}

void tp_diff_release(struct tp_diff *diff)
{
	for (int side = 0; side < 2; side++) {
		tp_groups_release(&diff->groups[side]);
		tp_text_release(&diff->environment[side]);
	}
	tp_free(diff->compared);
	*diff = (struct tp_diff){0};
}
