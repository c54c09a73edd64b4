/* The plain records of a run: what happened, when, with which weights. Written by the engine into per-thread rings
 * (profiler/recorder.h), read by metrics and stored by results. No record points at anything.
 *
 * Times are nanoseconds of the run's clock (0 = start of the run). Mini-batches are 1-based and counted over the whole
 * run, micro-batches 0-based within their mini-batch, stages and epochs 0-based and 1-based. */
#ifndef TP_PROFILER_RECORDS_H
#define TP_PROFILER_RECORDS_H

#include <stdint.h>

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

/* Kinds of memory. The first seven are held per stage, the last three by the process. */
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
	X(TP_MEM_LIBRARY, "library")

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
	int32_t epoch;
	int16_t stage;
};

#endif
