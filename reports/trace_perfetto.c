/* Perfetto's own format: TracePackets with TrackEvents. Field numbers are those of Perfetto's published
 * protos/perfetto/trace; tests/trace/perfetto_subset.proto holds the part that is used here. Times are those of the
 * run's clock. */
#include "reports/trace_internal.h"
#include "reports/trace_proto.h"

enum { TRACE_PACKET = 1 };
enum {
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE_ID = 10,
	PACKET_TRACK_EVENT = 11,
	PACKET_INTERNED_DATA = 12,
	PACKET_SEQUENCE_FLAGS = 13,
	PACKET_TRACK_DESCRIPTOR = 60
};
/* The first packet clears what a sequence may have kept; those behind it need what it kept since. */
enum { SEQUENCE = 1, SEQUENCE_CLEARED = 1, SEQUENCE_NEEDS_STATE = 2 };
enum {
	DESCRIPTOR_UUID = 1,
	DESCRIPTOR_NAME = 2,
	DESCRIPTOR_PROCESS = 3,
	DESCRIPTOR_PARENT = 5,
	DESCRIPTOR_COUNTER = 8,
	DESCRIPTOR_CHILD_ORDERING = 11,
	DESCRIPTOR_RANK = 12
};
enum { PROCESS_PID = 1, PROCESS_NAME = 6 };
enum { COUNTER_UNIT = 3, UNIT_COUNT = 2, UNIT_BYTES = 3, ORDER_EXPLICIT = 3 };
enum {
	EVENT_ANNOTATIONS = 4,
	EVENT_TYPE = 9,
	EVENT_NAME_NUMBER = 10,
	EVENT_TRACK = 11,
	EVENT_CATEGORIES = 22,
	EVENT_NAME = 23,
	EVENT_COUNTER_VALUE = 30,
	EVENT_FLOWS = 47,
	EVENT_LAST_FLOWS = 48
};
enum { SLICE_BEGIN = 1, SLICE_END = 2, INSTANT = 3, COUNTER = 4 };
enum { ANNOTATION_NAME_NUMBER = 1, ANNOTATION_INTEGER = 4 };
enum { INTERNED_EVENT_NAMES = 2, INTERNED_ANNOTATION_NAMES = 3, INTERNED_NUMBER = 1, INTERNED_TEXT = 2 };

/* Numbers of interned texts start at 1. */
#define INTERNED(number) ((number) + 1)

/* A packet under way: where it writes, and the lengths to fill in. */
struct packet {
	struct tp_trace_out *out;
	unsigned char *at, *length, *inner;
};

static void open_packet(struct packet *packet, struct tp_trace_out *out, int64_t flags)
{
	packet->out = out;
	packet->at = tp_proto_open(tp_trace_out_room(out), TRACE_PACKET, &packet->length);
	packet->at = tp_proto_number(packet->at, PACKET_SEQUENCE_ID, SEQUENCE);
	packet->at = tp_proto_number(packet->at, PACKET_SEQUENCE_FLAGS, flags);
}

static void close_packet(struct packet *packet)
{
	tp_trace_out_take(packet->out, tp_proto_close(packet->at, packet->length));
}

static void intern(struct tp_trace_out *out, uint32_t list, int32_t number, const char *text, int64_t flags)
{
	struct packet packet;
	unsigned char *entry;
	open_packet(&packet, out, flags);
	packet.at = tp_proto_open(packet.at, PACKET_INTERNED_DATA, &packet.inner);
	packet.at = tp_proto_open(packet.at, list, &entry);
	packet.at = tp_proto_number(packet.at, INTERNED_NUMBER, INTERNED(number));
	packet.at = tp_proto_text(packet.at, INTERNED_TEXT, text);
	packet.at = tp_proto_close(packet.at, entry);
	packet.at = tp_proto_close(packet.at, packet.inner);
	close_packet(&packet);
}

static void begin(struct tp_trace_out *out, const struct tp_trace_names *names)
{
	for (int a = 0; a < TP_TRACE_ARGUMENTS; a++)
		intern(out, INTERNED_ANNOTATION_NAMES, a, tp_trace_argument_text((enum tp_trace_argument)a),
		       a == 0 ? SEQUENCE_CLEARED | SEQUENCE_NEEDS_STATE : SEQUENCE_NEEDS_STATE);
	for (int32_t n = 0; n < names->count; n++)
		intern(out, INTERNED_EVENT_NAMES, n, names->texts[n], SEQUENCE_NEEDS_STATE);
}

static void declare_process(struct packet *packet, const struct tp_trace_track *track, const char *name)
{
	unsigned char *process;
	packet->at = tp_proto_open(packet->at, DESCRIPTOR_PROCESS, &process);
	packet->at = tp_proto_number(packet->at, PROCESS_PID, track->id);
	packet->at = tp_proto_text(packet->at, PROCESS_NAME, name);
	packet->at = tp_proto_close(packet->at, process);
	packet->at = tp_proto_number(packet->at, DESCRIPTOR_CHILD_ORDERING, ORDER_EXPLICIT);
}

static void declare(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name)
{
	struct packet packet;
	unsigned char *counter;
	open_packet(&packet, out, SEQUENCE_NEEDS_STATE);
	packet.at = tp_proto_open(packet.at, PACKET_TRACK_DESCRIPTOR, &packet.inner);
	packet.at = tp_proto_number(packet.at, DESCRIPTOR_UUID, track->id);
	if (track->process == 0) {
		declare_process(&packet, track, name);
	} else {
		packet.at = tp_proto_text(packet.at, DESCRIPTOR_NAME, name);
		packet.at = tp_proto_number(packet.at, DESCRIPTOR_PARENT, track->process);
	}
	if (track->holds != TP_TRACE_SLICES) {
		packet.at = tp_proto_open(packet.at, DESCRIPTOR_COUNTER, &counter);
		packet.at = tp_proto_number(packet.at, COUNTER_UNIT,
		                            track->holds == TP_TRACE_BYTE_COUNT ? UNIT_BYTES : UNIT_COUNT);
		packet.at = tp_proto_close(packet.at, counter);
	}
	packet.at = tp_proto_number(packet.at, DESCRIPTOR_RANK, track->rank);
	packet.at = tp_proto_close(packet.at, packet.inner);
	close_packet(&packet);
}

static void open_event(struct packet *packet, struct tp_trace_out *out, int64_t time_ns, int64_t type,
                       const struct tp_trace_track *track)
{
	open_packet(packet, out, SEQUENCE_NEEDS_STATE);
	packet->at = tp_proto_number(packet->at, PACKET_TIMESTAMP, time_ns);
	packet->at = tp_proto_open(packet->at, PACKET_TRACK_EVENT, &packet->inner);
	packet->at = tp_proto_number(packet->at, EVENT_TYPE, type);
	packet->at = tp_proto_number(packet->at, EVENT_TRACK, track->id);
}

static void close_event(struct packet *packet)
{
	packet->at = tp_proto_close(packet->at, packet->inner);
	close_packet(packet);
}

static void annotate(struct packet *packet, enum tp_trace_argument argument, int64_t value)
{
	unsigned char *annotation;
	packet->at = tp_proto_open(packet->at, EVENT_ANNOTATIONS, &annotation);
	packet->at = tp_proto_number(packet->at, ANNOTATION_NAME_NUMBER, INTERNED(argument));
	packet->at = tp_proto_number(packet->at, ANNOTATION_INTEGER, value);
	packet->at = tp_proto_close(packet->at, annotation);
}

static void add_slice(struct tp_trace_out *out, const struct tp_trace_slice *slice)
{
	struct packet packet;
	open_event(&packet, out, slice->start_ns, slice->instant ? INSTANT : SLICE_BEGIN, slice->track);
	if (slice->name_number == TP_TRACE_NO_NUMBER)
		packet.at = tp_proto_text(packet.at, EVENT_NAME, slice->name);
	else
		packet.at = tp_proto_number(packet.at, EVENT_NAME_NUMBER, INTERNED(slice->name_number));
	packet.at = tp_proto_text(packet.at, EVENT_CATEGORIES, tp_trace_category_text(slice->category));
	for (int32_t i = 0; i < slice->argument_count; i++)
		annotate(&packet, slice->arguments[i].argument, slice->arguments[i].value);
	if (slice->flow_from)
		packet.at = tp_proto_fixed64(packet.at, EVENT_FLOWS, slice->flow_from);
	if (slice->flow_to)
		packet.at = tp_proto_fixed64(packet.at, EVENT_LAST_FLOWS, slice->flow_to);
	close_event(&packet);
	if (slice->instant)
		return;
	open_event(&packet, out, slice->end_ns, SLICE_END, slice->track);
	close_event(&packet);
}

static void add_count(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name, int64_t time_ns,
                      int64_t value)
{
	struct packet packet;
	(void)name; /* said when the track was declared */
	open_event(&packet, out, time_ns, COUNTER, track);
	packet.at = tp_proto_number(packet.at, EVENT_COUNTER_VALUE, value);
	close_event(&packet);
}

const struct tp_trace_writer tp_trace_perfetto = {
        .format = "perfetto",
        .ending = "perfetto-trace",
        .begin = begin,
        .track = declare,
        .slice = add_slice,
        .counter = add_count,
};
