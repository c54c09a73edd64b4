/* Chrome's JSON: an array of events, one a line. Times are microseconds with three decimals, counted from the start of
 * the trace. Every line of the timeline is a thread; its id is that of the track, which no process has. */
#include "reports/trace_internal.h"

static unsigned char *put_string(unsigned char *at, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	*at++ = '"';
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			*at++ = '\\';
		if (*c >= 0x20 && *c != 0x7f) {
			*at++ = *c;
			continue;
		}
		at = tp_put_text(at, "\\u00");
		*at++ = (unsigned char)hex[*c >> 4];
		*at++ = (unsigned char)hex[*c & 15];
	}
	*at++ = '"';
	return at;
}

/* 1234567 ns: 1234.567 */
static unsigned char *put_microseconds(unsigned char *at, int64_t ns)
{
	uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	unsigned rest = (unsigned)(size % 1000);
	if (ns < 0)
		*at++ = '-';
	at = tp_put_integer(at, (int64_t)(size / 1000));
	*at++ = '.';
	*at++ = (unsigned char)('0' + rest / 100);
	*at++ = (unsigned char)('0' + rest / 10 % 10);
	*at++ = (unsigned char)('0' + rest % 10);
	return at;
}

/* {"ph":"X","pid":1,"tid":2 */
static unsigned char *put_head(unsigned char *at, const char *phase, const struct tp_trace_track *track)
{
	at = tp_put_text(tp_put_text(at, "{\"ph\":\""), phase);
	at = tp_put_integer(tp_put_text(at, "\",\"pid\":"), track->process ? track->process : track->id);
	if (track->process && track->holds == TP_TRACE_SLICES)
		at = tp_put_integer(tp_put_text(at, ",\"tid\":"), track->id);
	return at;
}

static unsigned char *put_time(unsigned char *at, const struct tp_trace_out *out, int64_t time_ns)
{
	return put_microseconds(tp_put_text(at, ",\"ts\":"), time_ns - out->start_ns);
}

static void begin(struct tp_trace_out *out, const struct tp_trace_names *names)
{
	(void)names; /* written out each time */
	tp_trace_out_take(out, tp_put_text(tp_trace_out_room(out), "{\"displayTimeUnit\":\"ns\",\"traceEvents\":["));
}

/* Counters are declared by their first sample. The run, the first track of all, is what no comma stands before. */
static void declare(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name)
{
	if (track->holds != TP_TRACE_SLICES)
		return;
	bool process = track->process == 0;
	unsigned char *at = tp_put_text(tp_trace_out_room(out), track->id == 1 ? "\n" : ",\n");
	at = put_head(at, "M", track);
	at = tp_put_text(at, process ? ",\"name\":\"process_name\"" : ",\"name\":\"thread_name\"");
	at = tp_put_text(put_string(tp_put_text(at, ",\"args\":{\"name\":"), name), "}},\n");
	at = put_head(at, "M", track);
	at = tp_put_text(at, process ? ",\"name\":\"process_sort_index\"" : ",\"name\":\"thread_sort_index\"");
	at = tp_put_integer(tp_put_text(at, ",\"args\":{\"sort_index\":"), track->rank);
	tp_trace_out_take(out, tp_put_text(at, "}}"));
}

/* The end of an arrow binds to the slice around its time. */
static unsigned char *put_flow(unsigned char *at, const struct tp_trace_out *out, const struct tp_trace_slice *slice,
                               const char *phase, uint64_t flow)
{
	at = put_head(tp_put_text(at, ",\n"), phase, slice->track);
	at = put_time(at, out, slice->start_ns);
	at = tp_put_integer(tp_put_text(at, ",\"id\":"), (int64_t)flow);
	return tp_put_text(at, ",\"bp\":\"e\",\"cat\":\"message\",\"name\":\"message\"}");
}

/* An instant is a slice of one nanosecond: arrows bind to nothing less. */
static void add_slice(struct tp_trace_out *out, const struct tp_trace_slice *slice)
{
	unsigned char *at = put_head(tp_put_text(tp_trace_out_room(out), ",\n"), "X", slice->track);
	at = put_time(at, out, slice->start_ns);
	at = tp_put_text(at, ",\"dur\":");
	at = put_microseconds(at, slice->instant ? 1 : slice->end_ns - slice->start_ns);
	at = put_string(tp_put_text(at, ",\"name\":"), slice->name);
	at = tp_put_text(tp_put_text(at, ",\"cat\":\""), tp_trace_category_text(slice->category));
	at = tp_put_text(at, "\",\"args\":{");
	for (int32_t i = 0; i < slice->argument_count; i++) {
		at = tp_put_text(at, i ? ",\"" : "\"");
		at = tp_put_text(at, tp_trace_argument_text(slice->arguments[i].argument));
		at = tp_put_integer(tp_put_text(at, "\":"), slice->arguments[i].value);
	}
	at = tp_put_text(at, "}}");
	if (slice->flow_from)
		at = put_flow(at, out, slice, "s", slice->flow_from);
	if (slice->flow_to)
		at = put_flow(at, out, slice, "f", slice->flow_to);
	tp_trace_out_take(out, at);
}

static void add_count(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name, int64_t time_ns,
                      int64_t value)
{
	unsigned char *at = put_head(tp_put_text(tp_trace_out_room(out), ",\n"), "C", track);
	at = put_string(tp_put_text(put_time(at, out, time_ns), ",\"name\":"), name);
	at = tp_put_integer(tp_put_text(at, ",\"args\":{\"value\":"), value);
	tp_trace_out_take(out, tp_put_text(at, "}}"));
}

static void end(struct tp_trace_out *out)
{
	tp_trace_out_take(out, tp_put_text(tp_trace_out_room(out), "\n]}\n"));
}

const struct tp_trace_writer tp_trace_chrome = {
        .format = "chrome",
        .ending = "json",
        .begin = begin,
        .track = declare,
        .slice = add_slice,
        .counter = add_count,
        .end = end,
};
