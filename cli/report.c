/* tpbench report: stored runs as a page and as tables. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/claims.h"
#include "cli/commands.h"
#include "cli/report_slots.h"
#include "engine/base/text.h"
#include "reports/page.h"
#include "reports/summary.h"

/* --- formats ---------------------------------------------------------------------------------------------------------
 */

/* Of writers that cannot fail but for memory, which the text says. */
#define WRITER(format)                                                                              \
	static enum tp_status write_##format(const struct tp_summary *summary, struct tp_text *out) \
	{                                                                                           \
		tp_summary_write_##format(summary, out);                                            \
		return TP_OK;                                                                       \
	}
WRITER(text)
WRITER(markdown)
WRITER(csv)
WRITER(latex)
WRITER(html)

static const struct format {
	const char *name, *file; /* file: of a folder; NULL: none */
	enum tp_status (*write)(const struct tp_summary *summary, struct tp_text *out);
} formats[] = {
        {"text", NULL, write_text},
        {"markdown", "summary.md", write_markdown},
        {"csv", "summary.csv", write_csv},
        {"json", "summary.json", tp_summary_write_json},
        {"latex", "summary.tex", write_latex},
        {"html", NULL, write_html},
};
#define FORMATS (sizeof formats / sizeof *formats)

static enum tp_status print_summary(const char *name, const struct tp_summary *summary)
{
	const struct format *format = formats; /* text, unless another was asked for */
	struct tp_text text = {0};
	for (size_t i = 0; i < FORMATS; i++) {
		if (strcmp(name, formats[i].name) == 0)
			format = &formats[i];
	}
	enum tp_status status = format->write(summary, &text);
	if (status == TP_OK && text.failed)
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		fputs(tp_text_get(&text), stdout);
	tp_text_release(&text);
	return status;
}

/* --- files -----------------------------------------------------------------------------------------------------------
 */

static enum tp_status write_file(const char *folder, const char *name, const struct tp_text *text)
{
	char path[2 * TP_CONFIG_PATH_BYTES];
	if (text->failed)
		return TP_ERR_NOMEM;
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (!file)
		return tp_fail(TP_ERR_IO, "%s: could not be made: %s", path, strerror(errno));
	bool written = fwrite(tp_text_get(text), 1, text->length, file) == text->length;
	if (fclose(file) != 0 || !written)
		return tp_fail(TP_ERR_IO, "%s: could not be written: %s", path, strerror(errno));
	return TP_OK;
}

static enum tp_status write_summaries(const char *folder, const struct tp_summary *summary)
{
	enum tp_status status = TP_OK;
	for (size_t i = 0; i < FORMATS && status == TP_OK; i++) {
		struct tp_text text = {0};
		if (!formats[i].file)
			continue;
		status = formats[i].write(summary, &text);
		if (status == TP_OK)
			status = write_file(folder, formats[i].file, &text);
		tp_text_release(&text);
	}
	return status;
}

/* --- a folder, complete or not at all --------------------------------------------------------------------------------
 */

/* Call `each` with every file of a folder. */
static enum tp_status for_each_file(const char *folder, const char *to,
                                    enum tp_status (*each)(const char *folder, const char *to, const char *name))
{
	enum tp_status status = TP_OK;
	DIR *listing = opendir(folder);
	if (!listing)
		return tp_fail(TP_ERR_IO, "%s: could not be read: %s", folder, strerror(errno));
	for (struct dirent *entry; status == TP_OK && (entry = readdir(listing));) {
		if (entry->d_name[0] != '.')
			status = each(folder, to, entry->d_name);
	}
	(void)closedir(listing);
	return status;
}

static enum tp_status remove_file(const char *folder, const char *to, const char *name)
{
	char path[2 * TP_CONFIG_PATH_BYTES];
	(void)to;
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	(void)unlink(path); /* what cannot be removed keeps the folder, which says so */
	return TP_OK;
}

static enum tp_status move_file(const char *folder, const char *to, const char *name)
{
	char from_path[2 * TP_CONFIG_PATH_BYTES], to_path[2 * TP_CONFIG_PATH_BYTES];
	(void)snprintf(from_path, sizeof from_path, "%s/%s", folder, name);
	(void)snprintf(to_path, sizeof to_path, "%s/%s", to, name);
	if (rename(from_path, to_path) != 0)
		return tp_fail(TP_ERR_IO, "%s: could not be put in place: %s", to_path, strerror(errno));
	return TP_OK;
}

/* The page is last: when it is there, so is what belongs to it. Other files of the folder stay. */
static enum tp_status move_all(const char *folder, const char *to)
{
	char aside[2 * TP_CONFIG_PATH_BYTES], page[2 * TP_CONFIG_PATH_BYTES];
	if (mkdir(to, 0777) != 0 && errno != EEXIST)
		return tp_fail(TP_ERR_IO, "--out %s: could not be made: %s", to, strerror(errno));
	(void)snprintf(aside, sizeof aside, "%s/.index.html", folder);
	TP_TRY(for_each_file(folder, to, move_file));
	(void)snprintf(page, sizeof page, "%s/index.html", to);
	if (rename(aside, page) != 0)
		return tp_fail(TP_ERR_IO, "%s: could not be put in place: %s", page, strerror(errno));
	return TP_OK;
}

/* Without gnuplot the page has the numbers of the figures, and says what is missing. */
static enum tp_status draw_figures(const struct tp_figures *figures, const char *folder)
{
	enum tp_status status = tp_figures_draw(figures, folder);
	if (status != TP_ERR_UNSUPPORTED)
		return status;
	(void)fprintf(stderr, "tpbench: report: %s; the figures are left to their tables\n", tp_detail());
	return TP_OK;
}

static enum tp_status write_page(const char *folder, struct tp_store *store, const struct tp_options *options,
                                 const struct tp_groups *groups, const struct tp_summary *summary,
                                 const struct tp_figures *figures, const struct tp_report_slots *slots)
{
	struct tp_claims claims;
	struct tp_text page = {0};
	TP_TRY(tp_claims_read_with_plans(store, groups, &claims));
	const struct tp_page_request request = {
	        .database = options->db,
	        .comparison = options->comparison[0] ? options->comparison : NULL,
	        .folder = folder,
	        .claims = &claims,
	        .figures = figures,
	        .slots = slots->store,
	        .slot_runs = slots->run_ids,
	        .slot_run_count = slots->count,
	};
	enum tp_status status = tp_page_write(store, groups, summary, &request, &page);
	tp_claims_release(&claims);
	if (status == TP_OK)
		status = write_file(folder, ".index.html", &page); /* out of sight of for_each_file() */
	tp_text_release(&page);
	return status;
}

static enum tp_status fill(const char *folder, struct tp_store *store, const struct tp_options *options,
                           const struct tp_groups *groups, const struct tp_summary *summary)
{
	struct tp_figures figures;
	struct tp_report_slots slots;
	TP_TRY(write_summaries(folder, summary));
	TP_TRY(tp_figures_read(store, groups, &figures));
	enum tp_status status = tp_report_slots_init(&slots, groups);
	if (status == TP_OK)
		status = draw_figures(&figures, folder);
	if (status == TP_OK)
		status = write_page(folder, store, options, groups, summary, &figures, &slots);
	tp_report_slots_release(&slots);
	tp_figures_release(&figures);
	return status;
}

static enum tp_status write_folder(struct tp_store *store, const struct tp_options *options,
                                   const struct tp_groups *groups, const struct tp_summary *summary)
{
	char beside[TP_CONFIG_PATH_BYTES + 16], out[TP_CONFIG_PATH_BYTES];
	size_t length = strlen(options->out);
	while (length > 1 && options->out[length - 1] == '/')
		length--;
	(void)snprintf(out, sizeof out, "%.*s", (int)length, options->out);
	(void)snprintf(beside, sizeof beside, "%s.XXXXXX", out);
	if (!mkdtemp(beside))
		return tp_fail(TP_ERR_IO, "--out %s: no folder could be made beside it: %s", out, strerror(errno));
	enum tp_status status = fill(beside, store, options, groups, summary);
	if (status == TP_OK)
		status = move_all(beside, out);
	if (status != TP_OK) {
		char why[TP_DETAIL_BYTES];
		(void)snprintf(why, sizeof why, "%s", tp_detail());
		(void)remove_file(beside, NULL, ".index.html");
		(void)for_each_file(beside, NULL, remove_file);
		(void)tp_fail(status, "%s", why);
	}
	(void)rmdir(beside);
	if (status == TP_OK)
		printf("%s/index.html\n", out);
	return status;
}

/* --- the command -----------------------------------------------------------------------------------------------------
 */

static enum tp_status report(struct tp_store *store, const struct tp_options *options)
{
	const char *comparison = options->comparison[0] ? options->comparison : NULL;
	struct tp_groups groups;
	struct tp_summary summary;
	TP_TRY(tp_groups_read(store, comparison, &groups));
	enum tp_status status = TP_OK;
	if (comparison && groups.count == 0)
		status = tp_fail(TP_ERR_INPUT, "--comparison: the database has no run of '%s'", comparison);
	if (status == TP_OK)
		status = tp_summary_read(store, &groups, options->baseline[0] ? options->baseline : NULL, &summary);
	if (status == TP_OK) {
		status = options->out[0] ? write_folder(store, options, &groups, &summary)
		                         : print_summary(options->report_format, &summary);
		tp_summary_release(&summary);
	}
	tp_groups_release(&groups);
	return status;
}

enum tp_status tp_command_report(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct tp_store *store;
	if (options->out[0] && options->report_format[0])
		return tp_fail(TP_ERR_INPUT,
		               "report: expected --out, which writes every format, or --format, found both");
	TP_TRY(tp_store_open_readonly(options->db, &store));
	enum tp_status status = report(store, options);
	tp_store_close(store);
	return status;
}
