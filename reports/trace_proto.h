/* Protocol buffers, as much as a trace needs: fields of varints, fixed 64-bit numbers, text and messages, written
 * forwards into a buffer that has room for them. */
#ifndef TP_REPORTS_TRACE_PROTO_H
#define TP_REPORTS_TRACE_PROTO_H

#include <stdint.h>
#include <string.h>

#include "engine/base/status.h"

enum { TP_WIRE_VARINT = 0, TP_WIRE_FIXED64 = 1, TP_WIRE_LENGTH = 2 };

/* Bytes of a message's length. Two hold 16383, and a number may be written longer than it need be, so that the length
 * can be filled in when the message has ended. */
#define TP_PROTO_LENGTH_BYTES 2
#define TP_PROTO_LENGTH_MAX 16383

static inline unsigned char *tp_proto_varint(unsigned char *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	*at++ = (unsigned char)value;
	return at;
}

static inline unsigned char *tp_proto_tag(unsigned char *at, uint32_t field, uint32_t wire)
{
	return tp_proto_varint(at, (uint64_t)field << 3 | wire);
}

/* uint64, int64, int32, bool and enum alike: a negative number has ten bytes. */
static inline unsigned char *tp_proto_number(unsigned char *at, uint32_t field, int64_t value)
{
	return tp_proto_varint(tp_proto_tag(at, field, TP_WIRE_VARINT), (uint64_t)value);
}

static inline unsigned char *tp_proto_fixed64(unsigned char *at, uint32_t field, uint64_t value)
{
	at = tp_proto_tag(at, field, TP_WIRE_FIXED64);
	for (int i = 0; i < 8; i++)
		*at++ = (unsigned char)(value >> 8 * i);
	return at;
}

static inline unsigned char *tp_proto_text(unsigned char *at, uint32_t field, const char *text)
{
	size_t length = strlen(text);
	at = tp_proto_varint(tp_proto_tag(at, field, TP_WIRE_LENGTH), length);
	memcpy(at, text, length);
	return at + length;
}

/* A message inside: `*length` is where its length goes, for tp_proto_close(). */
static inline unsigned char *tp_proto_open(unsigned char *at, uint32_t field, unsigned char **length)
{
	*length = tp_proto_tag(at, field, TP_WIRE_LENGTH);
	return *length + TP_PROTO_LENGTH_BYTES;
}

static inline unsigned char *tp_proto_close(unsigned char *at, unsigned char *length)
{
	size_t bytes = (size_t)(at - length) - TP_PROTO_LENGTH_BYTES;
	TP_CHECK(bytes <= TP_PROTO_LENGTH_MAX);
	length[0] = (unsigned char)(bytes | 0x80);
	length[1] = (unsigned char)(bytes >> 7);
	return at;
}

#endif
