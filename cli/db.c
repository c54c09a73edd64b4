/* tpbench db: looking after a database. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "reports/escape.h"
#include "reports/show.h"
#include "results/maintenance.h"
#include "results/schema_document.h"

static enum tp_status print_schema(void)
{
	struct tp_text text = {0};
	enum tp_status status = tp_schema_document(&text);
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status;
}

/* --- list ------------------------------------------------------------------------------------------------------------
 */

static void print_run(const struct tp_run_listing *run)
{
	char started[TP_SHOW_TIME_BYTES];
	struct tp_text out = {0};
	tp_text_add(&out, "%6" PRId64 "  ", run->run_id);
	tp_show_cell(&out, 16, run->schedule);
	tp_show_cell(&out, 10, run->model);
	tp_text_add(&out, "%4" PRId64 " %4" PRId64 " %6" PRId64 "  %-11s %-5s %12" PRId64 "  %-16s  ", run->stages,
	            run->micro_batches, run->epochs, tp_store_state_text(run->state), tp_show_valid(run->valid),
	            run->operations, tp_show_time(started, run->started_unix_s));
	tp_escape_terminal(&out, run->name);
	printf("%s\n", tp_text_get(&out));
	tp_text_release(&out);
}

static enum tp_status list(const struct tp_arguments *arguments, struct tp_store *store)
{
	struct tp_run_listing *runs;
	int64_t count, bytes;
	char size[24];
	TP_TRY(tp_store_size(store, &bytes));
	TP_TRY(tp_store_list_runs(store, true, &runs, &count));
	printf("%6s  %-16s %-10s %4s %4s %6s  %-11s %-5s %12s  %-16s  %s\n", "run", "schedule", "model", "W", "N",
	       "epochs", "state", "valid", "operations", "started", "name");
	for (int64_t i = 0; i < count; i++)
		print_run(&runs[i]);
	printf("\n# database %s: %" PRId64 " runs, %s\n", arguments->options.db, count,
	       tp_format_bytes(size, sizeof size, bytes));
	tp_free(runs);
	return TP_OK;
}

/* --- check, vacuum ---------------------------------------------------------------------------------------------------
 */

static enum tp_status check(const struct tp_arguments *arguments, struct tp_store *store)
{
	struct tp_text problems = {0};
	int64_t count;
	enum tp_status status = tp_store_check(store, &problems, &count);
	fputs(tp_text_get(&problems), stdout);
	tp_text_release(&problems);
	if (status != TP_OK)
		return status;
	if (count > 0)
		return tp_fail(TP_ERR_IO, "database '%s': found %" PRId64 " problem%s", arguments->options.db, count,
		               count == 1 ? "" : "s");
	printf("database %s: sound\n", arguments->options.db);
	return TP_OK;
}

static enum tp_status vacuum(const struct tp_arguments *arguments, struct tp_store *store)
{
	int64_t before_bytes, after_bytes;
	TP_TRY(tp_store_vacuum(store, &before_bytes, &after_bytes));
	printf("database %s: %" PRId64 " bytes before, %" PRId64 " after\n", arguments->options.db, before_bytes,
	       after_bytes);
	return TP_OK;
}

/* --- prune, merge ----------------------------------------------------------------------------------------------------
 */

/* "7" or "7..9". */
static enum tp_status parse_range(const char *word, struct tp_run_range *range)
{
	static const char what[] = "db prune: run";
	char first[32];
	const char *dots = strstr(word, "..");
	if (!dots) {
		TP_TRY(tp_parse_i64(what, word, 1, INT64_MAX, &range->first));
		range->last = range->first;
		return TP_OK;
	}
	(void)snprintf(first, sizeof first, "%.*s", (int)(dots - word), word);
	TP_TRY(tp_parse_i64(what, first, 1, INT64_MAX, &range->first));
	return tp_parse_i64(what, dots + 2, range->first, INT64_MAX, &range->last);
}

static enum tp_status prune(const struct tp_arguments *arguments, struct tp_store *store)
{
	const struct tp_options *options = &arguments->options;
	struct tp_run_range ranges[TP_MORE_WORDS];
	struct tp_prune what = {.ranges = ranges,
	                        .range_count = arguments->more_count,
	                        .keep_summaries = options->keep_summaries,
	                        .dry_run = options->dry_run};
	struct tp_changed pruned;
	if (arguments->more_count == 0 && options->older_than_ns == 0)
		return tp_fail(TP_ERR_INPUT, "db prune: expected runs by number, or --older-than");
	for (int i = 0; i < arguments->more_count; i++)
		TP_TRY(parse_range(arguments->more[i], &ranges[i]));
	if (options->older_than_ns > 0)
		what.started_before_unix_s = tp_unix_s() - options->older_than_ns / 1000000000;
	TP_TRY(tp_store_prune(store, &what, &pruned));
	printf("database %s: %s%s of %" PRId64 " run%s, %" PRId64 " rows\n", options->db,
	       options->dry_run ? "would prune " : "pruned ", options->keep_summaries ? "the records" : "all",
	       pruned.runs, pruned.runs == 1 ? "" : "s", pruned.rows);
	return TP_OK;
}

static enum tp_status merge(const struct tp_arguments *arguments, struct tp_store *store)
{
	struct tp_changed merged;
	if (arguments->more_count != 1)
		return tp_fail(TP_ERR_INPUT, "db merge: expected one other database, found %d", arguments->more_count);
	TP_TRY(tp_store_merge(store, arguments->more[0], &merged));
	printf("database %s: took over %" PRId64 " run%s of %s, %" PRId64 " rows\n", arguments->options.db, merged.runs,
	       merged.runs == 1 ? "" : "s", arguments->more[0], merged.rows);
	return TP_OK;
}

/* --- which -----------------------------------------------------------------------------------------------------------
 */

static const struct action {
	const char *name;
	bool takes_more, prunes;
	enum tp_status (*open)(const char *path, struct tp_store **store);
	enum tp_status (*run)(const struct tp_arguments *arguments, struct tp_store *store);
} actions[] = {
        {"list", false, false, tp_store_open_readonly, list},
        {"check", false, false, tp_store_open_readonly, check},
        {"prune", true, true, tp_store_open_existing, prune},
        {"merge", true, false, tp_store_open, merge},
        {"vacuum", false, false, tp_store_open_existing, vacuum},
};
#define ACTIONS (sizeof actions / sizeof *actions)

static enum tp_status run_action(const struct action *action, const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct tp_store *store;
	if (!action->takes_more && arguments->more_count > 0)
		return tp_fail(TP_ERR_INPUT, "%s: unexpected word; db %s takes none", arguments->more[0], action->name);
	if (!action->prunes && (options->older_than_ns > 0 || options->keep_summaries || options->dry_run))
		return tp_fail(TP_ERR_INPUT, "db %s: --older-than, --keep-summaries and --dry-run are for prune",
		               action->name);
	TP_TRY(action->open(options->db, &store));
	enum tp_status status = action->run(arguments, store);
	tp_store_close(store);
	return status;
}

enum tp_status tp_command_db(const struct tp_arguments *arguments)
{
	const char *names[ACTIONS + 2] = {"schema"};
	if (!arguments->word)
		return tp_fail(TP_ERR_INPUT, "db: expected what to do; `tpbench db --help` lists it");
	if (strcmp(arguments->word, "schema") == 0)
		return print_schema();
	for (size_t i = 0; i < ACTIONS; i++) {
		names[i + 1] = actions[i].name;
		if (strcmp(arguments->word, actions[i].name) == 0)
			return run_action(&actions[i], arguments);
	}
	return tp_fail_unknown("action of db", arguments->word, names);
}
