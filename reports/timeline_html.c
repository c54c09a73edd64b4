/* A timeline as part of a page: a figure with the still picture, the same as numbers, and a script that draws them.
 * Only numbers and words of ours are handed to the script; names stand in the caption, escaped. */
#include <inttypes.h>

#include "reports/escape.h"
#include "reports/timeline_css.h"
#include "reports/timeline_internal.h"
#include "reports/timeline_js.h"

static void add_operations(const struct tp_timeline *timeline, struct tp_text *out)
{
	for (int64_t i = 0; i < timeline->op_count; i++) {
		const struct tp_timeline_op *op = &timeline->ops[i];
		tp_text_add(out,
		            "%s%" PRId32 ",%d,%" PRId64 ",%" PRId32 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
		            ",%" PRId64,
		            i > 0 ? ",\n" : "", op->stage, (int)op->kind, op->mini, op->micro, op->start,
		            op->end - op->start, op->version_read, op->version_live, op->version_committed);
	}
}

static void add_waits(const struct tp_timeline *timeline, struct tp_text *out)
{
	for (int64_t i = 0; i < timeline->wait_count; i++) {
		const struct tp_timeline_wait *wait = &timeline->waits[i];
		tp_text_add(out, "%s%" PRId32 ",%d,%" PRId64 ",%" PRId64, i > 0 ? ",\n" : "", wait->stage,
		            (int)wait->cause, wait->start, wait->end - wait->start);
	}
}

static void add_messages(const struct tp_timeline *timeline, struct tp_text *out)
{
	for (int64_t i = 0; i < timeline->message_count; i++) {
		const struct tp_timeline_message *message = &timeline->messages[i];
		tp_text_add(out, "%s%" PRId32 ",%" PRId32 ",%" PRId64 ",%" PRId32 ",%" PRId64 ",%" PRId64 ",%" PRId64,
		            i > 0 ? ",\n" : "", message->from_stage, message->to_stage, message->mini, message->micro,
		            message->sent, message->arrived, message->bytes);
	}
}

/* One array of numbers per kind, row behind row: half the bytes of arrays in arrays. */
static void add_numbers(const struct tp_timeline *timeline, struct tp_text *out)
{
	tp_text_add(out,
	            "<script type=\"application/json\">{\"from\":%" PRId64 ",\"to\":%" PRId64
	            ",\"slots\":%s,\"versions\":%s,\"stages\":%" PRId32 ",\"causes\":[",
	            timeline->from, timeline->to, timeline->slots ? "true" : "false",
	            timeline->versions ? "true" : "false", timeline->stages);
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		tp_text_add(out, "%s\"%s\"", cause > 0 ? "," : "", tp_idle_cause_text((enum tp_idle_cause)cause));
	tp_text_add(out, "],\n\"ops\":[");
	add_operations(timeline, out);
	tp_text_add(out, "],\n\"waits\":[");
	add_waits(timeline, out);
	tp_text_add(out, "],\n\"messages\":[");
	add_messages(timeline, out);
	tp_text_add(out, "]}</script>\n");
}

static void add_controls(struct tp_text *out)
{
	static const struct {
		const char *action, *text, *name;
	} buttons[] = {{"in", "+", "Zoom in"},
	               {"out", "&#8722;", "Zoom out"},
	               {"left", "&#8592;", "Earlier"},
	               {"right", "&#8594;", "Later"},
	               {"all", "All", "Whole window"}};
	tp_text_add(out, "<div class=\"tp-live\" hidden>\n");
	for (size_t i = 0; i < sizeof buttons / sizeof *buttons; i++)
		tp_text_add(out, "<button type=\"button\" data-do=\"%s\" aria-label=\"%s\" title=\"%s\">%s</button>",
		            buttons[i].action, buttons[i].name, buttons[i].name, buttons[i].text);
	tp_text_add(
	        out,
	        "\n<canvas tabindex=\"0\" role=\"img\" aria-label=\"Timeline; plus, minus, arrows and Home move the "
	        "view\"></canvas>\n<p class=\"tp-about\" aria-live=\"polite\" data-hint=\"Point at an operation for "
	        "its "
	        "details. Drag to move; click, then wheel or + and - to zoom; arrows move, Home shows all.\"></p>\n"
	        "</div>\n");
}

enum tp_status tp_timeline_write_html(const struct tp_timeline *timeline, struct tp_text *out)
{
	char id[32];
	tp_text_add(out, "<figure class=\"tp-timeline\">\n<style>\n%s</style>\n<figcaption><b>", tp_timeline_css);
	tp_timeline_title(timeline, out);
	tp_text_add(out, "</b><span>");
	if (timeline->absent)
		tp_escape_html(out, timeline->absent);
	else
		tp_timeline_notes(timeline, false, out);
	tp_text_add(out, "</span></figcaption>\n");
	if (!timeline->absent) {
		(void)tp_timeline_id(timeline, id);
		add_controls(out);
		tp_text_add(out, "<div class=\"tp-still\">\n");
		tp_timeline_svg(timeline, TP_TIMELINE_LANES, id, out);
		tp_text_add(out, "</div>\n");
		tp_timeline_svg(timeline, TP_TIMELINE_LEGEND, id, out);
		add_numbers(timeline, out);
		tp_text_add(out, "<script>\n%s</script>\n", tp_timeline_js);
	}
	tp_text_add(out, "</figure>\n");
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
