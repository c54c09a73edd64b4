/* What the parts of a trace export share. A reader (trace_read.c) turns rows into events in the order of time, and one
 * of the writers turns events into bytes of its format. Internal to reports. */
#ifndef TP_REPORTS_TRACE_INTERNAL_H
#define TP_REPORTS_TRACE_INTERNAL_H

#include <stddef.h>
#include <string.h>

#include "reports/trace.h"

/* --- output: one buffer in front of a descriptor ------------------------------------------------------------------ */

/* Names are cut to this, with their NUL; no event takes more room than TP_TRACE_EVENT_BYTES, names escaped. */
#define TP_TRACE_NAME_BYTES 512
#define TP_TRACE_EVENT_BYTES 8192
#define TP_TRACE_BUFFER_BYTES (256 * 1024)

struct tp_trace_out {
	unsigned char *buffer;
	size_t used;
	int descriptor;
	int error; /* errno of the first write that failed; all later output is dropped */
	int64_t written_bytes, event_count;
	int64_t start_ns;                             /* of the trace, for formats whose times count from there */
	char path[PATH_MAX], temporary[PATH_MAX + 8]; /* the latter "" where the output is not renamed */
};

/* Open the place that `request` names; nothing is left to release on failure. */
enum tp_status tp_trace_out_open(struct tp_trace_out *out, const struct tp_trace_request *request,
                                 const char *default_path);
/* Flush, close and, when `status` is TP_OK, give the file its name; else remove it. Returns `status` or the failure. */
enum tp_status tp_trace_out_close(struct tp_trace_out *out, enum tp_status status);
void tp_trace_out_flush(struct tp_trace_out *out);

/* Room for one event: the place to write it to; tp_trace_out_take() says where it ended. */
static inline unsigned char *tp_trace_out_room(struct tp_trace_out *out)
{
	if (out->used + TP_TRACE_EVENT_BYTES > TP_TRACE_BUFFER_BYTES)
		tp_trace_out_flush(out);
	return out->buffer + out->used;
}

static inline void tp_trace_out_take(struct tp_trace_out *out, const unsigned char *end)
{
	out->used = (size_t)(end - out->buffer);
}

/* --- text into a buffer, without printf --------------------------------------------------------------------------- */

static inline unsigned char *tp_put_text(unsigned char *at, const char *text)
{
	size_t length = strlen(text);
	memcpy(at, text, length);
	return at + length;
}

/* Decimal digits. */
unsigned char *tp_put_integer(unsigned char *at, int64_t value);

/* --- what writers are given --------------------------------------------------------------------------------------- */

#define TP_TRACE_CATEGORY_LIST(X)      \
	X(TP_TRACE_F, "F")             \
	X(TP_TRACE_B, "B")             \
	X(TP_TRACE_U, "U")             \
	X(TP_TRACE_KERNEL, "kernel")   \
	X(TP_TRACE_SEND, "send")       \
	X(TP_TRACE_RECEIVE, "receive") \
	X(TP_TRACE_WAIT, "wait")       \
	X(TP_TRACE_EPOCH, "epoch")

enum tp_trace_category {
#define TP_TRACE_ENUM(name, text) name,
	TP_TRACE_CATEGORY_LIST(TP_TRACE_ENUM)
#undef TP_TRACE_ENUM
	        TP_TRACE_CATEGORIES
};
const char *tp_trace_category_text(enum tp_trace_category category);

#define TP_TRACE_ARGUMENT_LIST(X)                          \
	X(TP_TRACE_MINI_BATCH, "mini_batch")               \
	X(TP_TRACE_MICRO_BATCH, "micro_batch")             \
	X(TP_TRACE_SAMPLES, "samples")                     \
	X(TP_TRACE_VERSION_READ, "version_read")           \
	X(TP_TRACE_VERSION_LIVE, "version_live")           \
	X(TP_TRACE_VERSION_COMMITTED, "version_committed") \
	X(TP_TRACE_STALENESS, "staleness")                 \
	X(TP_TRACE_BYTES, "bytes")                         \
	X(TP_TRACE_FROM_STAGE, "from_stage")               \
	X(TP_TRACE_TO_STAGE, "to_stage")                   \
	X(TP_TRACE_OPERATION, "operation_number")          \
	X(TP_TRACE_MINI_BATCHES, "mini_batches")

enum tp_trace_argument {
#define TP_TRACE_ENUM(name, text) name,
	TP_TRACE_ARGUMENT_LIST(TP_TRACE_ENUM)
#undef TP_TRACE_ENUM
	        TP_TRACE_ARGUMENTS
};
const char *tp_trace_argument_text(enum tp_trace_argument argument);
#define TP_TRACE_ARGUMENTS_MAX 7

/* A line of the timeline, or a process that holds such lines. */
struct tp_trace_track {
	int64_t id;      /* from 1, never used twice; 0: not declared yet */
	int64_t process; /* id of the process it belongs to; 0: it is one */
	int32_t rank;    /* its place among its siblings, from 0 */
	enum { TP_TRACE_SLICES, TP_TRACE_COUNT, TP_TRACE_BYTE_COUNT } holds;
};

/* Names that many slices share, by number; the rest of the names is written out. Valid UTF-8 of at most
 * TP_TRACE_NAME_BYTES. */
struct tp_trace_names {
	char **texts;
	int32_t count;
};
#define TP_TRACE_NO_NUMBER (-1)

struct tp_trace_slice {
	const struct tp_trace_track *track;
	int64_t start_ns, end_ns;
	bool instant; /* end_ns is start_ns; takes the track for one nanosecond */
	enum tp_trace_category category;
	const char *name;
	int32_t name_number;         /* in tp_trace_names, or TP_TRACE_NO_NUMBER */
	uint64_t flow_from, flow_to; /* an arrow that begins or ends here; 0: none */
	int32_t argument_count;
	struct {
		enum tp_trace_argument argument;
		int64_t value;
	} arguments[TP_TRACE_ARGUMENTS_MAX];
};

/* A format. A track is declared before its first event. Each track's events come in the order of time and its slices
 * do not overlap; a slice may come before others of an earlier time on other tracks. */
struct tp_trace_writer {
	const char *format, *ending; /* of the default file name */
	/* required */
	void (*begin)(struct tp_trace_out *out, const struct tp_trace_names *names);
	void (*track)(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name);
	void (*slice)(struct tp_trace_out *out, const struct tp_trace_slice *slice);
	/* optional: the format has no counters, no end */
	void (*counter)(struct tp_trace_out *out, const struct tp_trace_track *track, const char *name, int64_t time_ns,
	                int64_t value);
	void (*end)(struct tp_trace_out *out);
};

extern const struct tp_trace_writer tp_trace_perfetto, tp_trace_chrome, tp_trace_nvtxt;
/* All of them, NULL-ended. */
extern const struct tp_trace_writer *const tp_trace_writers[];

/* --- the stages while they are read ------------------------------------------------------------------------------- */

/* Tracks of one kind at one stage, as many as it takes for slices not to overlap. */
struct tp_trace_lanes {
	struct tp_trace_lane {
		struct tp_trace_track track;
		int64_t free_ns; /* end of its latest slice */
	} * lanes;
	int32_t count;
};

#define TP_TRACE_MEMORY_KINDS 24 /* at a stage; the first is their sum */

struct tp_trace_stage {
	struct tp_trace_track process, in_flight, lag;
	struct tp_trace_track memory[TP_TRACE_MEMORY_KINDS];
	struct tp_trace_lanes compute, send, receive, wait, kernels;
	/* Mini-batches counted up to the newest that has entered and the newest whose backward is complete. */
	int64_t entered_mini, left_mini;
	int64_t backward_mini, backward_samples; /* of the backward under way */
	int64_t latest_lag;
};

struct tp_trace {
	const struct tp_trace_writer *writer;
	struct tp_trace_out out;
	const atomic_bool *stop;
	struct tp_store *store;
	int64_t run_id;
	int32_t stage_count;
	int32_t first_epoch, last_epoch;
	int64_t batch_samples;
	struct tp_trace_stage *stages;
	struct tp_trace_track run, epochs;
	int64_t track_count;
	uint64_t flow_count;
	struct tp_trace_names names;               /* fixed ones, then the run's kernels */
	int64_t *kernel_ids;                       /* of the names from TP_TRACE_FIXED_NAMES on, ascending */
	char *memory_names[TP_TRACE_MEMORY_KINDS]; /* "memory activations", as met; of the first, the sum: NULL */
	bool failed_memory;                        /* an allocation failed while events were made */
};

/* The numbers of fixed names: idle causes first. */
enum { TP_TRACE_NAME_IDLE_OTHER = 6, TP_TRACE_NAME_QUEUE, TP_TRACE_NAME_WANTED, TP_TRACE_FIXED_NAMES };

/* Begin the output and declare the processes, once the reader knows when the trace starts. */
enum tp_status tp_trace_head_write(struct tp_trace *trace);

/* Stream all events of the epochs asked for. */
enum tp_status tp_trace_read(struct tp_trace *trace);

/* --- rows into events (trace_events.c) ---------------------------------------------------------------------------- */

struct sqlite3_stmt;
/* One row as its source selects it, see trace_read.c. */
void tp_trace_operation(struct tp_trace *trace, int32_t stage, struct sqlite3_stmt *row);
void tp_trace_idle(struct tp_trace *trace, int32_t stage, struct sqlite3_stmt *row);
/* Of a message to `stage`; the other end is in the row. */
void tp_trace_message(struct tp_trace *trace, int32_t stage, struct sqlite3_stmt *row);
void tp_trace_memory_change(struct tp_trace *trace, int32_t stage, struct sqlite3_stmt *row);
void tp_trace_kernel(struct tp_trace *trace, int32_t stage, struct sqlite3_stmt *row);

/* Nothing is in flight when an epoch begins. */
void tp_trace_epoch_begins(struct tp_trace *trace);
/* The bar of an epoch above all stages. */
void tp_trace_epoch(struct tp_trace *trace, int32_t epoch, int64_t start_ns, int64_t end_ns, int64_t mini_batches,
                    int64_t samples);

/* Declare a track with the next id. */
void tp_trace_declare(struct tp_trace *trace, struct tp_trace_track *track, const char *name);

/* A text of a database as a viewer can take it, allocated with tp_alloc(): what is no UTF-8 becomes U+FFFD, and what is
 * too long is cut. NULL is "". NULL when memory runs out. */
char *tp_trace_clean(const unsigned char *text);

#endif
