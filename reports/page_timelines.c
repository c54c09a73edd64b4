/* The section of the page on timelines: how the latest run of some configurations went. */
#include <string.h>

#include "reports/page.h"
#include "reports/timeline.h"

/* So many, and so many operations of each, that the page stays below 5 MB and opens at once. */
#define TIMELINES_MOST 6
#define OPERATIONS_MOST 2000

/* A fragment stands alone, so it brings its style; a page has that once, in its head, where alone it is valid. */
static void add_without_style(const char *fragment, struct tp_text *out)
{
	static const char opens[] = "<style>", closes[] = "</style>\n";
	const char *from = strstr(fragment, opens), *to = from ? strstr(from, closes) : NULL;
	if (to) {
		tp_text_add(out, "%.*s", (int)(from - fragment), fragment);
		fragment = to + sizeof closes - 1;
	}
	tp_text_add(out, "%s", fragment);
}

static enum tp_status write_one(struct tp_store *store, int64_t run_id, struct tp_text *out)
{
	const struct tp_timeline_request request = {.most_operations = OPERATIONS_MOST};
	struct tp_timeline *timeline;
	TP_TRY(tp_timeline_read(store, run_id, 0, &request, &timeline));
	struct tp_text fragment = {0};
	enum tp_status status = tp_timeline_write_html(timeline, &fragment);
	if (status == TP_OK)
		add_without_style(tp_text_get(&fragment), out);
	tp_text_release(&fragment);
	tp_timeline_free(timeline);
	return status;
}

enum tp_status tp_page_write_timelines(struct tp_store *store, const struct tp_groups *groups, struct tp_text *out)
{
	int32_t written = 0, left = 0;
	for (int32_t i = 0; i < groups->count; i++) {
		const struct tp_group *group = &groups->groups[i];
		if (group->run_count == 0)
			continue;
		if (written == TIMELINES_MOST) {
			left++;
			continue;
		}
		TP_TRY(write_one(store, group->runs[group->run_count - 1].run_id, out));
		written++;
	}
	if (written == 0)
		tp_text_add(out, "<p class=\"missing\">No run can be drawn: none is done, with an epoch and no check "
		                 "failed.</p>\n");
	if (left > 0)
		tp_text_add(
		        out,
		        "<p class=\"lead\">%d more configurations are not drawn; each timeline is of the latest run "
		        "of its configuration and has at most %d operations.</p>\n",
		        (int)left, OPERATIONS_MOST);
	return TP_OK;
}

enum tp_status tp_page_write_slots(const struct tp_page_request *request, struct tp_text *out)
{
	tp_text_add(out,
	            "<p class=\"lead\">Every forward and backward takes one slot and messages take none, as in the "
	            "paper's Fig. 2: what a schedule is, not what it cost. First the paper's own example, then the "
	            "schedules of this report.</p>\n");
	for (int32_t i = 0; i < request->slot_run_count; i++)
		TP_TRY(write_one(request->slots, request->slot_runs[i], out));
	return TP_OK;
}
