#include "reports/page.h"

#include "reports/escape.h"
#include "reports/page_css.h"
#include "reports/page_js.h"
#include "reports/timeline_css.h"

/* Everything that a section may need. */
struct page {
	struct tp_store *store;
	const struct tp_groups *groups;
	const struct tp_summary *summary;
	const struct tp_page_request *request;
};

static enum tp_status write_summary(const struct page *page, struct tp_text *out)
{
	tp_summary_write_html(page->summary, out);
	return TP_OK;
}

static enum tp_status write_claims(const struct page *page, struct tp_text *out)
{
	tp_claims_write_html(page->request->claims, out);
	return TP_OK;
}

static enum tp_status write_figures(const struct page *page, struct tp_text *out)
{
	int32_t stand_ins = tp_groups_stand_ins(page->groups);
	if (stand_ins > 0) {
		tp_text_add(out, "<p class=\"warn\">");
		tp_groups_say_stand_ins(stand_ins, out);
		tp_text_add(out, ".</p>\n");
	}
	tp_figures_write_html(page->request->figures, page->request->folder, out);
	return TP_OK;
}

static enum tp_status write_slots(const struct page *page, struct tp_text *out)
{
	return tp_page_write_slots(page->request, out);
}

static enum tp_status write_timelines(const struct page *page, struct tp_text *out)
{
	return tp_page_write_timelines(page->store, page->groups, out);
}

static enum tp_status write_runs(const struct page *page, struct tp_text *out)
{
	return tp_page_write_runs(page->store, page->groups, page->request, out);
}

static enum tp_status write_origin(const struct page *page, struct tp_text *out)
{
	return tp_page_write_origin(page->store, page->request, out);
}

static const struct section {
	const char *id, *title;
	bool whole; /* what it writes is a section already, of that id */
	enum tp_status (*write)(const struct page *page, struct tp_text *out);
} sections[] = {
        {"summary", "Summary", false, write_summary},       {"claims", "Claims", true, write_claims},
        {"figures", "Figures", false, write_figures},       {"slots", "Schedules", false, write_slots},
        {"timelines", "Timelines", false, write_timelines}, {"runs", "Runs and settings", false, write_runs},
        {"origin", "Where it ran", false, write_origin},
};
#define SECTIONS (sizeof sections / sizeof *sections)

static void write_head(const struct tp_page_request *request, struct tp_text *out)
{
	tp_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>tpbench: ");
	tp_escape_html(out, request->database);
	tp_text_add(out, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n", tp_page_css, tp_timeline_css);
}

/* What is on the page, in a sentence, and where. */
static void write_lead(const struct page *page, struct tp_text *out)
{
	int64_t used = 0, left_out = 0;
	for (int32_t i = 0; i < page->groups->count; i++) {
		used += page->groups->groups[i].run_count;
		left_out += page->groups->groups[i].left_out;
	}
	tp_text_add(out, "<header>\n<h1>Schedules of pipeline-parallel training, compared</h1>\n<p class=\"lead\">");
	tp_text_add(out, "%lld runs of %d configurations", (long long)used, (int)page->summary->row_count);
	if (left_out > 0)
		tp_text_add(out, ", and %lld that cannot be used", (long long)left_out);
	if (page->request->comparison) {
		tp_text_add(out, ", of the comparison <code>");
		tp_escape_html(out, page->request->comparison);
		tp_text_add(out, "</code>");
	}
	tp_text_add(out, "; from the database <code>");
	tp_escape_html(out, page->request->database);
	tp_text_add(out, "</code>.</p>\n<nav><ul>\n");
	for (size_t i = 0; i < SECTIONS; i++)
		tp_text_add(out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id, sections[i].title);
	tp_text_add(out, "</ul></nav>\n</header>\n<main>\n");
}

enum tp_status tp_page_write(struct tp_store *store, const struct tp_groups *groups, const struct tp_summary *summary,
                             const struct tp_page_request *request, struct tp_text *out)
{
	const struct page page = {store, groups, summary, request};
	write_head(request, out);
	write_lead(&page, out);
	for (size_t i = 0; i < SECTIONS; i++) {
		const struct section *section = &sections[i];
		if (!section->whole)
			tp_text_add(out, "<section id=\"%s\">\n<h2>%s</h2>\n", section->id, section->title);
		TP_TRY(section->write(&page, out));
		tp_text_add(out, "%s", section->whole ? "" : "</section>\n");
	}
	tp_text_add(out, "</main>\n<script>\n%s</script>\n</body>\n</html>\n", tp_page_js);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
