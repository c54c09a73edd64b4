/* Ranges for outside tools such as Nsight Systems, by NVTX: domain `tpbench`, registered strings only, one payload
 * layout. A tool attaches by itself (it names an injection library in the environment); without one a range costs a
 * load and a branch. Built without NVTX (TPBENCH_NVTX is 0) all of it is empty.
 *
 * Ranges nest per thread: each push is popped on its thread, the latest first. */
#ifndef TP_PROFILER_NVTX_H
#define TP_PROFILER_NVTX_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/records.h"

/* name, number as tools see it, text, colour (ARGB) */
#define TP_NVTX_CATEGORY_LIST(X)                        \
	X(TP_NVTX_CATEGORY_F, 1, "F", 0xff4e79a7)       \
	X(TP_NVTX_CATEGORY_B, 2, "B", 0xfff28e2b)       \
	X(TP_NVTX_CATEGORY_U, 3, "U", 0xff59a14f)       \
	X(TP_NVTX_CATEGORY_SEND, 4, "SEND", 0xffb07aa1) \
	X(TP_NVTX_CATEGORY_RECV, 5, "RECV", 0xff76b7b2) \
	X(TP_NVTX_CATEGORY_WAIT, 6, "WAIT", 0xffbab0ac) \
	X(TP_NVTX_CATEGORY_EPOCH, 7, "EPOCH", 0xffedc948)

/* name, text, category. The operations come first, in the order of enum tp_op_kind. */
#define TP_NVTX_RANGE_LIST(X)                             \
	X(TP_NVTX_F, "F", TP_NVTX_CATEGORY_F)             \
	X(TP_NVTX_B, "B", TP_NVTX_CATEGORY_B)             \
	X(TP_NVTX_U, "U", TP_NVTX_CATEGORY_U)             \
	X(TP_NVTX_BX, "BX", TP_NVTX_CATEGORY_B)           \
	X(TP_NVTX_BW, "BW", TP_NVTX_CATEGORY_B)           \
	X(TP_NVTX_SEND, "SEND", TP_NVTX_CATEGORY_SEND)    \
	X(TP_NVTX_RECV, "RECV", TP_NVTX_CATEGORY_RECV)    \
	X(TP_NVTX_WAIT, "WAIT", TP_NVTX_CATEGORY_WAIT)    \
	X(TP_NVTX_EPOCH, "epoch", TP_NVTX_CATEGORY_EPOCH) \
	X(TP_NVTX_MEASURE, "measure", TP_NVTX_CATEGORY_EPOCH)

enum tp_nvtx_category {
#define TP_NVTX_ENUM(name, number, text, colour) name = number,
	TP_NVTX_CATEGORY_LIST(TP_NVTX_ENUM)
#undef TP_NVTX_ENUM
};

enum tp_nvtx_range {
#define TP_NVTX_ENUM(name, text, category) name,
	TP_NVTX_RANGE_LIST(TP_NVTX_ENUM)
#undef TP_NVTX_ENUM
	        TP_NVTX_RANGES
};

_Static_assert(TP_NVTX_F == (int)TP_OP_F && TP_NVTX_B == (int)TP_OP_B && TP_NVTX_U == (int)TP_OP_U &&
                       TP_NVTX_BX == (int)TP_OP_BX && TP_NVTX_BW == (int)TP_OP_BW,
               "an operation's kind is the number of its range");

/* What every range carries. -1 where something does not apply. */
struct tp_nvtx_payload {
	int64_t run;         /* the database's number of the run; 0: not stored, as in a warm-up */
	int32_t stage;       /* 0-based */
	int32_t micro_batch; /* 0-based, or -1: the whole mini-batch */
	int64_t mini_batch;  /* 1-based over the run */
	int64_t version;     /* weights read, over the run */
};

/* What this build does with NVTX, for people. */
const char *tp_nvtx_build_text(void);

#if TPBENCH_NVTX

/* Some tool took the domain. Written once, by tp_nvtx_init(). */
extern bool tp_nvtx_listening;

/* Register all there is with the tool, if there is one. Call before the measured window and before other threads push;
 * only the first call does anything. */
void tp_nvtx_init(void);

/* The measured window begins and ends, on one thread: range `measure`, and around it cudaProfilerStart and Stop where a
 * tool listens or CUDA is in the process already. Looks for CUDA's library, so not inside the window. */
void tp_nvtx_begin_measure(const struct tp_nvtx_payload *payload);
void tp_nvtx_end_measure(void);

void tp_nvtx_push_listened(enum tp_nvtx_range range, const struct tp_nvtx_payload *payload);
void tp_nvtx_pop_listened(void);

static inline void tp_nvtx_push(enum tp_nvtx_range range, struct tp_nvtx_payload payload)
{
	if (tp_nvtx_listening)
		tp_nvtx_push_listened(range, &payload);
}

static inline void tp_nvtx_pop(void)
{
	if (tp_nvtx_listening)
		tp_nvtx_pop_listened();
}

#else

static inline void tp_nvtx_init(void)
{
}

static inline void tp_nvtx_begin_measure(const struct tp_nvtx_payload *payload)
{
	(void)payload;
}

static inline void tp_nvtx_end_measure(void)
{
}

static inline void tp_nvtx_push(enum tp_nvtx_range range, struct tp_nvtx_payload payload)
{
	(void)range;
	(void)payload;
}

static inline void tp_nvtx_pop(void)
{
}

#endif

#endif
