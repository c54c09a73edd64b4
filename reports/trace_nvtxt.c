/* NVTXT, the text that Nsight Systems' ImportNvtxt turns into a report: pairs of RangePush and RangePop. There are no
 * counters and no arrows in it. Times are those of the run's clock. */
#include "reports/trace_internal.h"

/* By name, as NVTXT takes them. */
static const char *const colours[TP_TRACE_CATEGORIES] = {
        [TP_TRACE_F] = "Blue",      [TP_TRACE_B] = "Green",        [TP_TRACE_U] = "Orange",
        [TP_TRACE_KERNEL] = "Teal", [TP_TRACE_SEND] = "Purple",    [TP_TRACE_RECEIVE] = "Violet",
        [TP_TRACE_WAIT] = "Gray",   [TP_TRACE_EPOCH] = "DarkBlue",
};

/* There is no way to escape: quotes become apostrophes, a backslash a slash, control characters spaces. */
static unsigned char *put_string(unsigned char *at, const char *text)
{
	*at++ = '"';
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*at++ = ' ';
		else
			*at++ = *c == '"' ? '\'' : *c == '\\' ? '/' : *c;
	}
	*at++ = '"';
	return at;
}

/* ",PROCESS,THREAD" */
static unsigned char *put_place(unsigned char *at, const struct tp_trace_track *track)
{
	*at++ = ',';
	at = tp_put_integer(at, track->process ? track->process : track->id);
	if (track->process == 0)
		return at;
	*at++ = ',';
	return tp_put_integer(at, track->id);
}

static void begin(struct tp_trace_out *out, const struct tp_trace_names *names)
{
	(void)names; /* written out each time */
	unsigned char *at = tp_trace_out_room(out);
	at = tp_put_text(at, "# tpbench trace; categories:");
	for (int c = 0; c < TP_TRACE_CATEGORIES; c++) {
		at = tp_put_integer(tp_put_text(at, c ? ", " : " "), c + 1);
		at = tp_put_text(tp_put_text(at, " "), tp_trace_category_text((enum tp_trace_category)c));
	}
	at = tp_put_text(at, "\n@NameProcess,ProcessId,Name\n"
	                     "@NameOsThread,ProcessId,ThreadId,Name\n"
	                     "@RangePush,Time,ProcessId,ThreadId,CategoryId,Color,Message\n"
	                     "@RangePop,Time,ProcessId,ThreadId\n"
	                     "TimeBase=Manual\n"
	                     "Payload=0\n");
	tp_trace_out_take(out, at);
}

static void declare(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name)
{
	unsigned char *at = tp_trace_out_room(out);
	at = put_place(tp_put_text(at, track->process ? "NameOsThread" : "NameProcess"), track);
	*at++ = ',';
	tp_trace_out_take(out, tp_put_text(put_string(at, name), "\n"));
}

/* An instant is a range of one nanosecond. */
static void add_slice(struct tp_trace_out *out, const struct tp_trace_slice *slice)
{
	unsigned char *at = tp_put_text(tp_trace_out_room(out), "RangePush,");
	at = put_place(tp_put_integer(at, slice->start_ns), slice->track);
	*at++ = ',';
	at = tp_put_integer(at, (int64_t)slice->category + 1);
	*at++ = ',';
	at = tp_put_text(at, colours[slice->category]);
	*at++ = ',';
	at = put_string(at, slice->name);
	at = tp_put_integer(tp_put_text(at, "\nRangePop,"), slice->end_ns + slice->instant);
	tp_trace_out_take(out, tp_put_text(put_place(at, slice->track), "\n"));
}

const struct tp_trace_writer tp_trace_nvtxt = {
        .format = "nvtxt",
        .ending = "nvtxt",
        .begin = begin,
        .track = declare,
        .slice = add_slice,
};
