/* What a timeline says in words: labels, times, and above the picture what it shows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/schedule/grid.h"
#include "reports/escape.h"
#include "reports/timeline_internal.h"

char *tp_timeline_label(const struct tp_timeline_op *op, char out[TP_TIMELINE_LABEL_BYTES])
{
	char letters[8] = "";
	if (op->kind == TP_OP_F) /* a whole mini-batch is its only micro-batch */
		tp_micro_letters(op->micro == TP_WHOLE ? 0 : op->micro, true, letters);
	else if (op->micro != TP_WHOLE)
		tp_micro_letters(op->micro, false, letters);
	(void)snprintf(out, TP_TIMELINE_LABEL_BYTES, "%s%" PRId64 "%s%s", op->kind == TP_OP_U ? "U" : "", op->mini,
	               letters, op->kind == TP_OP_BW ? "'" : "");
	return out;
}

char *tp_timeline_time(const struct tp_timeline *timeline, int64_t time, char out[TP_TIMELINE_TIME_BYTES])
{
	if (timeline->slots)
		(void)snprintf(out, TP_TIMELINE_TIME_BYTES, "%" PRId64 " slot%s", time, time == 1 ? "" : "s");
	else if (time == 0)
		(void)snprintf(out, TP_TIMELINE_TIME_BYTES, "0");
	else
		(void)tp_format_ns(out, TP_TIMELINE_TIME_BYTES, time);
	return out;
}

void tp_timeline_title(const struct tp_timeline *timeline, struct tp_text *out)
{
	tp_escape_html(out, timeline->schedule);
	tp_text_add(out, ", W = %" PRId32 ", N = %" PRId32, timeline->stages, timeline->micro_batches);
	if (timeline->slots)
		tp_text_add(out, ", ideal slots");
	else
		tp_text_add(out, ", run %" PRId64 ", epoch %" PRId32, timeline->run_id, timeline->epoch);
	if (timeline->name[0]) {
		tp_text_add(out, ": ");
		tp_escape_html(out, timeline->name);
	}
}

void tp_timeline_notes(const struct tp_timeline *timeline, bool merged, struct tp_text *out)
{
	char from[TP_TIMELINE_TIME_BYTES], to[TP_TIMELINE_TIME_BYTES], end[TP_TIMELINE_TIME_BYTES];
	tp_text_add(out, "%s%" PRId64 " operations", timeline->modelled ? "Virtual clock: time is modelled. " : "",
	            timeline->op_count);
	if (timeline->from > 0 || timeline->to < timeline->epoch_end)
		tp_text_add(out, " from %s to %s of %s", tp_timeline_time(timeline, timeline->from, from),
		            tp_timeline_time(timeline, timeline->to, to),
		            tp_timeline_time(timeline, timeline->epoch_end, end));
	if (timeline->op_count < timeline->wanted_ops)
		tp_text_add(out, ": the first of %" PRId64 ", the others are left out", timeline->wanted_ops);
	tp_text_add(out, ".%s", merged ? " Too many for labels and tooltips here: shapes are merged." : "");
}
