/* A timeline as SVG. Kinds differ by pattern as well as by label, and what is waiting is low and patterned: nothing is
 * told by colour alone. The colours are Paul Tol's light scheme, made for labelled fields and safe for colour-blind
 * readers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/escape.h"
#include "reports/timeline_css.h"
#include "reports/timeline_internal.h"

/* Sizes in pixels. */
enum {
	LEFT = 70,
	RIGHT = 18,
	HEAD = 48,
	LANE = 30,
	GAP = 8,
	MESSAGE_GAP = 20, /* room for arrows */
	VERSION_GAP = 18, /* room for what an update made */
	AXIS = 40,
	LEGEND_ROW = 22,
	LEGEND_ITEM = 190,
	SLOT = 36,
	WIDEST = 1200,
	NARROWEST = 720,
	CHARACTER = 7,
};
/* A shape that would be narrower is drawn so, lest it vanish. */
static const double narrowest_operation = 0.5, narrowest_update = 2;

/* The place of times and stages on the paper. */
struct paper {
	const struct tp_timeline *timeline;
	const char *id;
	struct tp_text *out;
	int width, plot, top,
	        pitch; /* of the picture, of what times have of it, of the first lane, from lane to lane */
};

static double x_of(const struct paper *paper, int64_t time)
{
	const struct tp_timeline *timeline = paper->timeline;
	int64_t inside = time < timeline->from ? timeline->from : time > timeline->to ? timeline->to : time;
	return LEFT + (double)(inside - timeline->from) * paper->plot / (double)(timeline->to - timeline->from);
}

static int y_of(const struct paper *paper, int32_t stage)
{
	return paper->top + stage * paper->pitch;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static double width_of(const struct tp_timeline_op *op, double left, double right)
{
	double least = op->kind == TP_OP_U ? narrowest_update : narrowest_operation;
	return right - left > least ? right - left : least;
}

static const char *const kind_words[] = {
        [TP_OP_F] = "forward",
        [TP_OP_B] = "backward",
        [TP_OP_U] = "update",
        [TP_OP_BX] = "backward, gradient of the input",
        [TP_OP_BW] = "backward, gradient of the weights",
};

static void add_tooltip(const struct paper *paper, const struct tp_timeline_op *op)
{
	char start[TP_TIMELINE_TIME_BYTES], length[TP_TIMELINE_TIME_BYTES];
	tp_text_add(paper->out, "<title>%s (%s) of mini-batch %" PRId64, tp_op_kind_text(op->kind),
	            kind_words[op->kind], op->mini);
	if (op->micro != TP_WHOLE)
		tp_text_add(paper->out, ", micro-batch %" PRId32, op->micro);
	tp_text_add(paper->out,
	            ", stage %" PRId32 "; starts at %s, takes %s; version read %" PRId64 ", live %" PRId64
	            ", committed %" PRId64 "</title>",
	            op->stage, tp_timeline_time(paper->timeline, op->start, start),
	            tp_timeline_time(paper->timeline, op->end - op->start, length), op->version_read, op->version_live,
	            op->version_committed);
}

static void add_label(const struct paper *paper, const struct tp_timeline_op *op, double left, double width)
{
	char label[TP_TIMELINE_LABEL_BYTES];
	double middle = left + width / 2;
	int y = y_of(paper, op->stage);
	bool fits = (double)(strlen(tp_timeline_label(op, label)) * CHARACTER) <= width;
	if (op->kind == TP_OP_U) {
		if (paper->timeline->versions)
			tp_text_add(paper->out, "<text class=\"v u\" x=\"%.2f\" y=\"%d\">v%" PRId64 "</text>", middle,
			            y - 4, op->mini);
		return;
	}
	if (!fits)
		return;
	bool two = paper->timeline->versions && width >= 3 * CHARACTER;
	tp_text_add(paper->out, "<text x=\"%.2f\" y=\"%d\">%s</text>", middle, y + (two ? LANE / 2 : LANE / 2 + 4),
	            label);
	if (two)
		tp_text_add(paper->out, "<text class=\"v\" x=\"%.2f\" y=\"%d\">v%" PRId64 "</text>", middle,
		            y + LANE - 4, op->version_read);
}

static void add_operation(const struct paper *paper, const struct tp_timeline_op *op)
{
	double left = x_of(paper, op->start), width = width_of(op, left, x_of(paper, op->end));
	int y = y_of(paper, op->stage);
	bool update = op->kind == TP_OP_U;
	if (update && op->end == op->start)
		left -= width / 2; /* of no length: on the edge that it is */
	tp_text_add(paper->out, "<g>");
	add_tooltip(paper, op);
	if (update)
		tp_text_add(paper->out, "<rect class=\"U\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>", left,
		            y - 2, width, LANE + 4);
	else
		tp_text_add(paper->out, "<rect class=\"c%d\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>",
		            tp_timeline_colour(op->mini), left, y, width, LANE);
	if (!update && op->kind != TP_OP_F)
		tp_text_add(paper->out, "<path class=\"%s\" fill=\"url(#%s-%s)\" d=\"M%.2f %dh%.2fv%dh-%.2fz\"/>",
		            tp_op_kind_text(op->kind), paper->id, tp_op_kind_text(op->kind), left, y, width, LANE,
		            width);
	add_label(paper, op, left, width);
	tp_text_add(paper->out, "</g>\n");
}

/* Forward and backward touch their neighbours; a paper-coloured hairline would cost more than it shows, so the shapes
 * of one colour form one path, and those of one pattern another above it. */
static void add_merged(const struct paper *paper, int colour, int kind)
{
	const struct tp_timeline *timeline = paper->timeline;
	bool begun = false;
	for (int64_t i = 0; i < timeline->op_count; i++) {
		const struct tp_timeline_op *op = &timeline->ops[i];
		bool chosen = kind >= 0 ? (int)op->kind == kind
		                        : op->kind != TP_OP_U && tp_timeline_colour(op->mini) == colour;
		if (!chosen)
			continue;
		if (!begun && kind < 0)
			tp_text_add(paper->out, "<path class=\"c%d\" d=\"", colour);
		else if (!begun && kind == TP_OP_U)
			tp_text_add(paper->out, "<path class=\"U\" d=\"");
		else if (!begun)
			tp_text_add(paper->out, "<path class=\"merged\" fill=\"url(#%s-%s)\" d=\"", paper->id,
			            tp_op_kind_text((enum tp_op_kind)kind));
		double left = x_of(paper, op->start), width = x_of(paper, op->end) - left;
		width = width > narrowest_operation ? width : narrowest_operation;
		tp_text_add(paper->out, "M%.1f %dh%.1fv%dh-%.1fz", left, y_of(paper, op->stage), width, LANE, width);
		begun = true;
	}
	if (begun)
		tp_text_add(paper->out, "\"/>\n");
}

static void add_operations(const struct paper *paper)
{
	const struct tp_timeline *timeline = paper->timeline;
	tp_text_add(paper->out, "<g class=\"o\">\n");
	if (!tp_timeline_merged(timeline)) {
		/* Updates last: they may lie on the edge between two others. */
		for (int pass = 0; pass < 2; pass++) {
			for (int64_t i = 0; i < timeline->op_count; i++) {
				if ((timeline->ops[i].kind == TP_OP_U) == (pass == 1))
					add_operation(paper, &timeline->ops[i]);
			}
		}
	} else {
		for (int colour = 0; colour < TP_TIMELINE_COLOURS; colour++)
			add_merged(paper, colour, -1);
		for (int kind = TP_OP_B; kind < TP_OP_KINDS; kind++)
			add_merged(paper, 0, kind);
	}
	tp_text_add(paper->out, "</g>\n");
}

/* --- waiting and messages ----------------------------------------------------------------------------------------- */

static void add_waits_of(const struct paper *paper, enum tp_idle_cause cause)
{
	const struct tp_timeline *timeline = paper->timeline;
	bool merged = tp_timeline_merged(timeline);
	const char *name = tp_idle_cause_text(cause);
	bool begun = false;
	char start[TP_TIMELINE_TIME_BYTES], length[TP_TIMELINE_TIME_BYTES];
	for (int64_t i = 0; i < timeline->wait_count; i++) {
		const struct tp_timeline_wait *wait = &timeline->waits[i];
		if (wait->cause != cause)
			continue;
		double left = x_of(paper, wait->start), width = x_of(paper, wait->end) - left;
		int y = y_of(paper, wait->stage) + LANE / 4, height = LANE / 2;
		if (!merged || !begun)
			tp_text_add(paper->out, "<path class=\"%s\" fill=\"url(#%s-%s)\" d=\"",
			            merged ? "merged" : "box", paper->id, name);
		begun = true;
		if (merged)
			tp_text_add(paper->out, "M%.1f %dh%.1fv%dh-%.1fz", left, y, width, height, width);
		else
			tp_text_add(paper->out,
			            "M%.2f %dh%.2fv%dh-%.2fz\"><title>%s: stage %" PRId32
			            " waits from %s for %s</title></path>\n",
			            left, y, width, height, width, name, wait->stage,
			            tp_timeline_time(timeline, wait->start, start),
			            tp_timeline_time(timeline, wait->end - wait->start, length));
	}
	if (merged && begun)
		tp_text_add(paper->out, "\"/>\n");
}

/* An arrow from the lane it left to the lane it came to, with its head drawn into the path. */
static void add_messages(const struct paper *paper)
{
	const struct tp_timeline *timeline = paper->timeline;
	bool merged = tp_timeline_merged(timeline);
	char length[TP_TIMELINE_TIME_BYTES];
	if (timeline->message_count == 0)
		return;
	tp_text_add(paper->out, merged ? "<path class=\"m many\" d=\"" : "<g class=\"m\">\n");
	for (int64_t i = 0; i < timeline->message_count; i++) {
		const struct tp_timeline_message *message = &timeline->messages[i];
		bool down = message->to_stage > message->from_stage;
		double left = x_of(paper, message->sent), right = x_of(paper, message->arrived);
		int from = y_of(paper, message->from_stage) + (down ? LANE : 0);
		int to = y_of(paper, message->to_stage) + (down ? 0 : LANE), head = down ? -4 : 4;
		if (!merged)
			tp_text_add(paper->out, "<path d=\"");
		tp_text_add(paper->out, "M%.1f %dL%.1f %dm-3 %dl3 %dl3 %d", left, from, right, to, head, -head, head);
		if (!merged)
			tp_text_add(
			        paper->out,
			        "\"><title>%s of mini-batch %" PRId64 ", stage %" PRId32 " to %" PRId32
			        ": %s on its way, %" PRId64 " bytes</title></path>\n",
			        down ? "activation" : "gradient", message->mini, message->from_stage, message->to_stage,
			        tp_timeline_time(timeline, message->arrived - message->sent, length), message->bytes);
	}
	tp_text_add(paper->out, merged ? "\"/>\n" : "</g>\n");
}

/* --- axis --------------------------------------------------------------------------------------------------------- */

/* The shortest of 1, 2, 5, 10, .. of which at most `most` make up `span`. */
static int64_t tick_of(int64_t span, int64_t most)
{
	static const int64_t steps[] = {2, 5, 10};
	int64_t decade = 1, tick = 1;
	for (int i = 0; span / tick > most && decade < INT64_MAX / 100; i = (i + 1) % 3) {
		tick = decade * steps[i];
		decade *= i == 2 ? 10 : 1;
	}
	return tick;
}

/* Ticks in the largest unit in which they are whole numbers, or in tenths and so on of seconds. */
static void add_axis(const struct paper *paper, int bottom)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"\xc2\xb5s", 1000}, {"ns", 1}};
	const struct tp_timeline *timeline = paper->timeline;
	int64_t tick = tick_of(timeline->to - timeline->from, paper->plot / 70);
	size_t unit = 0;
	while (!timeline->slots && unit < 3 && units[unit].ns > tick)
		unit++;
	int64_t scale = timeline->slots ? 1 : units[unit].ns;
	tp_text_add(paper->out, "<g class=\"x\">\n");
	for (int64_t time = (timeline->from + tick - 1) / tick * tick; time <= timeline->to; time += tick) {
		double x = x_of(paper, time);
		tp_text_add(paper->out, "<path d=\"M%.2f %dV%d\"/><text x=\"%.2f\" y=\"%d\">%" PRId64 "</text>\n", x,
		            paper->top - 4, bottom + 4, x, bottom + 16, time / scale);
	}
	tp_text_add(paper->out, "<text x=\"%d\" y=\"%d\">time from the start of the epoch, %s</text>\n</g>\n",
	            LEFT + paper->plot / 2, bottom + 32, timeline->slots ? "slots" : units[unit].name);
}

/* --- patterns and legend ------------------------------------------------------------------------------------------ */

/* What fills a shape besides its colour, as the content of a tile of 6 by 6; of waits the tile stands alone. */
static const char *const kind_tiles[] = {
        [TP_OP_B] = "<path class=\"hatch\" d=\"M-1 1l2-2M0 6l6-6M5 7l2-2\"/>",
        [TP_OP_BX] = "<path class=\"hatch\" d=\"M-1 5l2 2M0 0l6 6M5-1l2 2\"/>",
        [TP_OP_BW] = "<circle class=\"dots\" cx=\"3\" cy=\"3\" r=\"1.2\"/>",
        [TP_OP_KINDS] = NULL,
};
static const char *const cause_tiles[] = {
        [TP_IDLE_FILL] = "<path class=\"w\" d=\"M0 6l6-6\"/>",
        [TP_IDLE_DRAIN] = "<path class=\"w\" d=\"M0 0l6 6\"/>",
        [TP_IDLE_SENDER] = "<path class=\"w\" d=\"M0 3h6\"/>",
        [TP_IDLE_MESSAGE] = "<circle class=\"wd\" cx=\"3\" cy=\"3\" r=\"1.3\"/>",
        [TP_IDLE_STALENESS] = "<path class=\"held\" d=\"M0 0l6 6M0 6l6-6\"/>",
        [TP_IDLE_HOST] = "<path class=\"w\" d=\"M3 0v6\"/>",
};
static const char *const cause_words[] = {
        [TP_IDLE_FILL] = "fill: before its first work",   [TP_IDLE_DRAIN] = "drain: after its last work",
        [TP_IDLE_SENDER] = "sender: input not computed",  [TP_IDLE_MESSAGE] = "message: input on its way",
        [TP_IDLE_STALENESS] = "staleness: held by bound", [TP_IDLE_HOST] = "host: machine or engine",
};

static void add_patterns(const struct paper *paper)
{
	static const char frame[] =
	        "<pattern id=\"%s-%s\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">%s</pattern>\n";
	tp_text_add(paper->out, "<defs>\n");
	for (int kind = 0; kind < TP_OP_KINDS; kind++) {
		if (kind_tiles[kind])
			tp_text_add(paper->out, frame, paper->id, tp_op_kind_text((enum tp_op_kind)kind),
			            kind_tiles[kind]);
	}
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		tp_text_add(paper->out, frame, paper->id, tp_idle_cause_text((enum tp_idle_cause)cause),
		            cause_tiles[cause]);
	tp_text_add(paper->out, "</defs>\n");
}

/* Which kinds and causes the picture has. */
struct present {
	bool kinds[TP_OP_KINDS], causes[TP_IDLE_CAUSES], messages;
	int count;
};

static struct present find_present(const struct tp_timeline *timeline)
{
	struct present present = {.messages = timeline->message_count > 0};
	for (int64_t i = 0; i < timeline->op_count; i++)
		present.kinds[timeline->ops[i].kind] = true;
	for (int64_t i = 0; i < timeline->wait_count; i++)
		present.causes[timeline->waits[i].cause] = true;
	for (int kind = 0; kind < TP_OP_KINDS; kind++)
		present.count += present.kinds[kind];
	for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
		present.count += present.causes[cause];
	present.count += present.messages;
	return present;
}

static int legend_columns(const struct paper *paper)
{
	return (paper->width - LEFT) / LEGEND_ITEM;
}

static int legend_height(const struct paper *paper, const struct present *present)
{
	int columns = legend_columns(paper);
	return ((present->count + columns - 1) / columns + 1) * LEGEND_ROW;
}

static void add_legend(const struct paper *paper, const struct present *present, int top)
{
	int item = 0, columns = legend_columns(paper);
	for (int i = 0; i < TP_OP_KINDS + TP_IDLE_CAUSES + 1; i++) {
		int cause = i - TP_OP_KINDS;
		bool operation = i < TP_OP_KINDS, message = cause == TP_IDLE_CAUSES;
		if (operation ? !present->kinds[i] : message ? !present->messages : !present->causes[cause])
			continue;
		int x = LEFT + item % columns * LEGEND_ITEM, y = top + item / columns * LEGEND_ROW;
		item++;
		if (operation && i == TP_OP_U)
			tp_text_add(paper->out, "<path class=\"U\" d=\"M%d %dh4v14h-4z\"/>", x + 8, y);
		else if (operation)
			tp_text_add(paper->out, "<path class=\"c0\" d=\"M%d %dh20v14h-20z\"/>", x, y);
		else if (message)
			tp_text_add(paper->out, "<path class=\"m\" d=\"M%d %dL%d %dm-4-3l4 3l-4 3\"/>", x, y + 7,
			            x + 20, y + 7);
		if (operation && kind_tiles[i])
			tp_text_add(paper->out, "<path class=\"%s\" fill=\"url(#%s-%s)\" d=\"M%d %dh20v14h-20z\"/>",
			            tp_op_kind_text((enum tp_op_kind)i), paper->id, tp_op_kind_text((enum tp_op_kind)i),
			            x, y);
		else if (!operation && !message)
			tp_text_add(paper->out, "<path class=\"box\" fill=\"url(#%s-%s)\" d=\"M%d %dh20v14h-20z\"/>",
			            paper->id, tp_idle_cause_text((enum tp_idle_cause)cause), x, y);
		tp_text_add(paper->out, "<text class=\"n\" x=\"%d\" y=\"%d\">%s%s%s</text>\n", x + 26, y + 11,
		            operation ? tp_op_kind_text((enum tp_op_kind)i) : "", operation ? ": " : "",
		            operation ? (i == TP_OP_BX   ? "backward, input part"
		                         : i == TP_OP_BW ? "backward, weights part"
		                                         : kind_words[i])
		            : message ? "message on its way"
		                      : cause_words[cause]);
	}
	int y = top + (item + columns - 1) / columns * LEGEND_ROW;
	for (int colour = 0; colour < TP_TIMELINE_COLOURS; colour++)
		tp_text_add(paper->out, "<path class=\"c%d\" d=\"M%d %dh14v14h-14z\"/>", colour, LEFT + colour * 16, y);
	tp_text_add(
	        paper->out,
	        "<text class=\"n\" x=\"%d\" y=\"%d\">mini-batches, in turn; 1A: forward of micro-batch A of mini-batch "
	        "1, 1a: its backward, 1: backward of all of it%s</text>\n",
	        LEFT + TP_TIMELINE_COLOURS * 16 + 8, y + 11,
	        paper->timeline->versions ? "; v1: weights after mini-batch 1" : "");
}

/* --- the picture -------------------------------------------------------------------------------------------------- */

static void add_lanes(const struct paper *paper)
{
	for (int32_t s = 0; s < paper->timeline->stages; s++) {
		int y = y_of(paper, s);
		tp_text_add(paper->out,
		            "<rect class=\"lane\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/><text x=\"8\" "
		            "y=\"%d\">stage %" PRId32 "</text>\n",
		            LEFT, y, paper->plot, LANE, y + LANE / 2 + 4, s);
	}
}

static void add_head(const struct paper *paper)
{
	tp_text_add(paper->out, "<text class=\"h\" x=\"8\" y=\"18\">");
	tp_timeline_title(paper->timeline, paper->out);
	tp_text_add(paper->out, "</text>\n<text class=\"n\" x=\"8\" y=\"34\">");
	tp_timeline_notes(paper->timeline, tp_timeline_merged(paper->timeline), paper->out);
	tp_text_add(paper->out, "</text>\n");
}

static struct paper lay_out(const struct tp_timeline *timeline, enum tp_timeline_part part, const char *id,
                            struct tp_text *out)
{
	struct paper paper = {.timeline = timeline, .id = id, .out = out};
	int64_t wanted = timeline->slots ? (timeline->to - timeline->from) * SLOT : WIDEST;
	paper.plot = wanted > WIDEST ? WIDEST : wanted < NARROWEST ? NARROWEST : (int)wanted;
	paper.width = LEFT + paper.plot + RIGHT;
	paper.pitch = LANE + GAP;
	if (timeline->message_count > 0)
		paper.pitch = LANE + MESSAGE_GAP;
	else if (timeline->versions)
		paper.pitch = LANE + VERSION_GAP;
	paper.top = (part == TP_TIMELINE_ALONE ? HEAD : 8) + (timeline->versions ? VERSION_GAP - GAP : 0);
	return paper;
}

void tp_timeline_svg(const struct tp_timeline *timeline, enum tp_timeline_part part, const char *id,
                     struct tp_text *out)
{
	struct paper paper = lay_out(timeline, part, id, out);
	struct present present = find_present(timeline);
	int bottom = y_of(&paper, timeline->stages - 1) + LANE, height = bottom + AXIS;
	if (part == TP_TIMELINE_ALONE)
		height += legend_height(&paper, &present);
	else if (part == TP_TIMELINE_LEGEND)
		height = legend_height(&paper, &present);
	tp_text_add(out,
	            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tp-timeline\" width=\"%d\" height=\"%d\" "
	            "viewBox=\"0 0 %d %d\"%s>\n",
	            paper.width, height, paper.width, height,
	            part == TP_TIMELINE_LEGEND ? " aria-hidden=\"true\"" : " role=\"img\"");
	if (part == TP_TIMELINE_ALONE)
		tp_text_add(out, "<style>\n%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
		            tp_timeline_css, paper.width, height);
	if (part != TP_TIMELINE_LANES)
		add_patterns(&paper);
	if (part == TP_TIMELINE_ALONE)
		add_head(&paper);
	if (part != TP_TIMELINE_LEGEND) {
		add_lanes(&paper);
		add_axis(&paper, bottom);
		for (int cause = 0; cause < TP_IDLE_CAUSES; cause++)
			add_waits_of(&paper, (enum tp_idle_cause)cause);
		add_operations(&paper);
		add_messages(&paper);
	}
	if (part != TP_TIMELINE_LANES)
		add_legend(&paper, &present, part == TP_TIMELINE_LEGEND ? 2 : bottom + AXIS);
	tp_text_add(out, "</svg>\n");
}

char *tp_timeline_id(const struct tp_timeline *timeline, char out[32])
{
	const uint64_t parts[] = {(uint64_t)timeline->run_id, (uint64_t)timeline->epoch,   (uint64_t)timeline->stages,
	                          (uint64_t)timeline->from,   (uint64_t)timeline->to,      (uint64_t)timeline->op_count,
	                          (uint64_t)timeline->slots,  (uint64_t)timeline->versions};
	uint64_t hash = 14695981039346656037U; /* FNV-1a */
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		hash = (hash ^ parts[i]) * 1099511628211U;
	for (const char *c = timeline->schedule; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211U;
	(void)snprintf(out, 32, "tl%08" PRIx32, (uint32_t)(hash >> 32));
	return out;
}

/* A sentence in place of the picture. */
static void write_absent(const struct tp_timeline *timeline, struct tp_text *out)
{
	tp_text_add(out,
	            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tp-timeline\" width=\"%d\" height=\"48\" "
	            "viewBox=\"0 0 %d 48\" role=\"img\">\n<style>\n%s</style>\n<rect class=\"paper\" width=\"%d\" "
	            "height=\"48\"/>\n<text x=\"8\" y=\"28\">",
	            NARROWEST + LEFT, NARROWEST + LEFT, tp_timeline_css, NARROWEST + LEFT);
	tp_escape_html(out, timeline->absent);
	tp_text_add(out, "</text>\n</svg>\n");
}

enum tp_status tp_timeline_write_svg(const struct tp_timeline *timeline, struct tp_text *out)
{
	char id[32];
	if (timeline->absent)
		write_absent(timeline, out);
	else
		tp_timeline_svg(timeline, TP_TIMELINE_ALONE, tp_timeline_id(timeline, id), out);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
