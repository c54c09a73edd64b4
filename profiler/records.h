/* The plain records of a run: what happened, when, with which weights. Written by the engine into per-thread rings
 * (profiler/recorder.h), read by metrics and stored by results. No record points at anything.
 *
 * Times are nanoseconds of the run's clock (0 = start of the run). Mini-batches are 1-based and counted over the whole
 * run, micro-batches 0-based within their mini-batch, stages and epochs 0-based and 1-based. */
#ifndef TP_PROFILER_RECORDS_H
#define TP_PROFILER_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

/* Operations: forward, backward, weight update; a backward may be split into the part that gives the gradient of its
 * input (BX) and the part that gives the gradient of the weights (BW). */
#define TP_OP_KIND_LIST(X) \
	X(TP_OP_F, "F")    \
	X(TP_OP_B, "B")    \
	X(TP_OP_U, "U")    \
	X(TP_OP_BX, "BX")  \
	X(TP_OP_BW, "BW")

enum tp_op_kind {
#define TP_OP_ENUM(name, text) name,
	TP_OP_KIND_LIST(TP_OP_ENUM)
#undef TP_OP_ENUM
	        TP_OP_KINDS
};

/* "F", "B", "U", "BX", "BW". */
const char *tp_op_kind_text(enum tp_op_kind kind);

/* Micro-batch of an operation that covers the whole mini-batch. */
#define TP_WHOLE (-1)

struct tp_op_record {
	int64_t start_ns;
	int64_t end_ns;
	int64_t mini;              /* 1-based over the run */
	int64_t version_read;      /* weights read; for U: the version the update was applied to */
	int64_t version_live;      /* the stage's live version when the operation started */
	int64_t version_committed; /* newest version applied at all stages, as the stage knew it at the start */
	int64_t version_forward; /* B: oldest version that the forwards of this backward read here; else version_read */
	int32_t epoch;           /* 1-based */
	int32_t micro;           /* 0-based, or TP_WHOLE */
	int32_t samples;         /* samples the operation covers */
	int16_t stage;
	int16_t kind;           /* enum tp_op_kind */
	int16_t versions_alive; /* versions the stage held when the operation ended */
	int16_t in_place;       /* U: 1 when the live buffer was overwritten, 0 when a new one became live */
	int64_t held_until_ns;  /* B at the last stage: until when the staleness bound held it back; 0: it did not */
};

/* What the backward of one micro-batch read, where the micro-batches of a backward may read different weights: version
 * `version_forward` (its forward's), or between it and `version_newest`. */
struct tp_read_record {
	int64_t mini;            /* 1-based over the run */
	int64_t version_forward; /* read with weight lambda */
	int64_t version_newest;  /* read with weight 1 - lambda; equal to version_forward when lambda is 1 */
	double lambda;           /* 0 to 1; 0 only where it is too small for a number */
	int32_t epoch;
	int32_t micro;
	int16_t stage;
};

/* One message between neighbouring stages. `ready`: the sender had it; `sent`: it left; `arrived`: the receiver could
 * use it; `wanted`: the receiver had nothing else to do and waited for it, or, when it was there first, took it. */
struct tp_message_record {
	int64_t ready_ns;
	int64_t sent_ns;
	int64_t arrived_ns;
	int64_t wanted_ns;
	int64_t bytes;
	int64_t mini;
	int32_t micro; /* or TP_WHOLE */
	int32_t epoch;
	int16_t from_stage;
	int16_t to_stage;
	int16_t is_gradient; /* 0: activation, downstream; 1: gradient, upstream */
	int16_t handed_over; /* 1: a pointer changed hands and nothing was copied */
};

/* A version of a stage's weights whose last reader is done. */
struct tp_version_record {
	int64_t freed_ns;
	int64_t version; /* over the run */
	int16_t stage;
};

/* Kinds of memory. The first seven are held per stage, the others by the process. */
#define TP_MEM_KIND_LIST(X)                            \
	X(TP_MEM_WEIGHTS_LIVE, "weights_live")         \
	X(TP_MEM_WEIGHTS_RETAINED, "weights_retained") \
	X(TP_MEM_GRADIENTS, "gradients")               \
	X(TP_MEM_OPTIMIZER, "optimizer_state")         \
	X(TP_MEM_ACTIVATIONS, "activations")           \
	X(TP_MEM_MESSAGES, "messages")                 \
	X(TP_MEM_WORKSPACE, "workspace")               \
	X(TP_MEM_DATA, "data")                         \
	X(TP_MEM_PROFILER, "profiler")                 \
	X(TP_MEM_LIBRARY, "library")                   \
	X(TP_MEM_PROGRAM, "program")                   \
	X(TP_MEM_UNACCOUNTED, "unaccounted")

enum tp_mem_kind {
#define TP_MEM_ENUM(name, text) name,
	TP_MEM_KIND_LIST(TP_MEM_ENUM)
#undef TP_MEM_ENUM
	        TP_MEM_KINDS
};

/* "weights_live" and so on: the names used in the database. */
const char *tp_mem_kind_text(enum tp_mem_kind kind);

/* Memory of one stage (stage >= 0) or of the process (stage == -1) over one epoch. Bytes in use; a pooled buffer that
 * nobody uses is not in use, but is part of `reserved`. */
struct tp_memory_record {
	int64_t now_bytes[TP_MEM_KINDS];      /* at the end of the epoch */
	int64_t peak_bytes[TP_MEM_KINDS];     /* each kind's own peak */
	int64_t at_peak_bytes[TP_MEM_KINDS];  /* the parts at the moment of the highest sum */
	int64_t reserved_bytes[TP_MEM_KINDS]; /* allocated, in use or pooled */
	int64_t peak_total_bytes;             /* the highest sum; equals the sum of at_peak_bytes */
	int64_t peak_ns;                      /* when it was reached; 0: it began the epoch so, or nobody looked */
	int64_t peak_operation;               /* the stage's operation under way, counted over the epoch; -1: none */
	int32_t epoch;
	int16_t stage;
};

/* A change of what a stage has in use. */
struct tp_memory_change {
	int64_t time_ns;
	int64_t kind_bytes;  /* of this kind from now on */
	int64_t stage_bytes; /* of all kinds */
	int64_t operation; /* the stage's operation under way, counted over the epoch; -1: held when the epoch began */
	int16_t stage;
	int16_t kind; /* enum tp_mem_kind */
};

/* One kernel that ran: a primitive of a library or a loop of the engine. */
struct tp_kernel_record {
	int64_t start_ns, end_ns;
	int64_t operation; /* the stage's operation it ran for, counted over the epoch */
	int32_t name;      /* its place in the names of the run, see profiler/kernel_names.h */
	int16_t stage;
};

/* The records of a stage, by kind. A kind has its own ring and its own numbers: a record's number is its place in the
 * order of time among those of its kind, stage and epoch, from 0. */
#define TP_RECORD_KIND_LIST(X)                         \
	X(TP_RECORD_OP, struct tp_op_record)           \
	X(TP_RECORD_MESSAGE, struct tp_message_record) \
	X(TP_RECORD_READ, struct tp_read_record)       \
	X(TP_RECORD_MEMORY, struct tp_memory_change)   \
	X(TP_RECORD_VERSION, struct tp_version_record) \
	X(TP_RECORD_KERNEL, struct tp_kernel_record)

enum tp_record_kind {
#define TP_RECORD_ENUM(name, type) name,
	TP_RECORD_KIND_LIST(TP_RECORD_ENUM)
#undef TP_RECORD_ENUM
	        TP_RECORD_KINDS
};

/* Bytes of one record. */
size_t tp_record_bytes(enum tp_record_kind kind);

/* All records of an epoch: by stage, then by time. */
struct tp_records {
	const struct tp_op_record *ops;
	const struct tp_message_record *messages; /* by receiving stage, then in the order they were taken */
	const struct tp_read_record *reads;       /* where micro-batches of a backward may read different weights */
	const struct tp_memory_change *changes;
	const struct tp_version_record *freed;
	const struct tp_kernel_record *kernels;
	int64_t op_count, message_count, read_count, change_count, freed_count, kernel_count;
};

/* Records of one kind, stage and epoch that lie one behind another, the first being number `first`. */
struct tp_record_batch {
	enum tp_record_kind kind;
	int32_t epoch;
	int16_t stage;
	int64_t first, count;
	const void *records;
};

/* Where records go while an epoch is under way. Called by one thread at a time, batches of a kind and stage in order; a
 * status other than TP_OK ends the run. */
struct tp_record_sink {
	enum tp_status (*take)(void *context, const struct tp_record_batch *batch);
	void *context;
};

#endif
