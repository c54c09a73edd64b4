/* tpbench show: the runs of a database, or one of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "engine/base/colour.h"
#include "engine/base/memory.h"
#include "reports/show.h"

/* What `tpbench run` takes when nothing is said. How many stages that is depends on the machine: they are always said.
 */
static bool is_default(const char *name, const char *value)
{
	const struct tp_option *option = tp_option_find(name, TP_FOR_RUN);
	if (!option || strcmp(name, "stages") == 0)
		return false;
	struct tp_options *defaults = tp_alloc(sizeof *defaults);
	struct tp_text text = {0};
	if (!defaults)
		return false;
	tp_option_default(option, defaults);
	tp_option_get(option, defaults, &text);
	bool same = strcmp(tp_text_get(&text), value) == 0;
	tp_text_release(&text);
	tp_free(defaults);
	return same;
}

static enum tp_status list(struct tp_store *store, const struct tp_options *options, bool coloured, struct tp_text *out)
{
	struct tp_run_listing *runs;
	int64_t count;
	TP_TRY(tp_store_list_runs(store, false, &runs, &count));
	enum tp_status status = TP_OK;
	if (options->json)
		status = tp_show_list_json(runs, count, options->db, out);
	else
		tp_show_list(runs, count, coloured, out);
	tp_free(runs);
	return status;
}

static enum tp_status compose(const struct tp_arguments *arguments, struct tp_store *store, struct tp_text *out)
{
	const struct tp_options *options = &arguments->options;
	bool coloured = tp_colour_wanted(STDOUT_FILENO);
	if (options->run_id == 0)
		return list(store, options, coloured, out);
	const struct tp_show show = {.database = options->db,
	                             .run_id = (int64_t)options->run_id,
	                             .coloured = coloured,
	                             .is_default = is_default};
	return options->json ? tp_show_run_json(store, &show, out) : tp_show_run(store, &show, out);
}

enum tp_status tp_command_show(const struct tp_arguments *arguments)
{
	struct tp_store *store;
	struct tp_text out = {0};
	TP_TRY(tp_store_open_readonly(arguments->options.db, &store));
	enum tp_status status = compose(arguments, store, &out);
	tp_store_close(store);
	if (status == TP_OK && out.failed)
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		fputs(tp_text_get(&out), stdout);
	tp_text_release(&out);
	return status;
}
