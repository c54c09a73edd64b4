/* A small epoch written by hand. Two stages, N = 1, times in ns; the window is [100, 200):
 *
 *   stage 0: F1 [100,110)  F2 [115,125)            B1 [150,160) U1 [160,162)   B2 [190,199) U2 [199,200)
 *   stage 1:     F1 [112,130)  B1 [130,145) U1 [145,146) F2 [146,160) B2 [160,185) U2 [185,186)
 *
 * Messages are handed over the moment they are ready, but for the gradient of 1, which arrives at 148. B2 reads version
 * 0 at both stages, so each mini-batch begins a chain of its own. */
#ifndef TP_TESTS_PROFILER_TWO_STAGES_H
#define TP_TESTS_PROFILER_TWO_STAGES_H

#include "profiler/metrics.h"

#define OP(stage_, kind_, mini_, start, end, read, live, committed)                                                 \
	{                                                                                                           \
		.stage = (stage_), .kind = (kind_), .mini = (mini_), .start_ns = (start), .end_ns = (end),          \
		.version_read = (read), .version_forward = (kind_) == TP_OP_B ? 0 : (read), .version_live = (live), \
		.version_committed = (committed), .versions_alive = 1 + (live), .micro = TP_WHOLE, .epoch = 1       \
	}

enum { OPS = 12, MESSAGES = 4 };
static const struct tp_op_record ops[OPS] = {
        OP(0, TP_OP_F, 1, 100, 110, 0, 0, 0), OP(0, TP_OP_F, 2, 115, 125, 0, 0, 0),
        OP(0, TP_OP_B, 1, 150, 160, 0, 0, 0), OP(0, TP_OP_U, 1, 160, 162, 0, 0, 0),
        OP(0, TP_OP_B, 2, 190, 199, 0, 1, 1), OP(0, TP_OP_U, 2, 199, 200, 1, 1, 1),
        OP(1, TP_OP_F, 1, 112, 130, 0, 0, 0), OP(1, TP_OP_B, 1, 130, 145, 0, 0, 0),
        OP(1, TP_OP_U, 1, 145, 146, 0, 0, 0), OP(1, TP_OP_F, 2, 146, 160, 0, 1, 0),
        OP(1, TP_OP_B, 2, 160, 185, 0, 1, 0), OP(1, TP_OP_U, 2, 185, 186, 1, 1, 0),
};

#define MESSAGE(to, gradient, mini_, ready, arrived)                                                             \
	{                                                                                                        \
		.from_stage = 1 - (to), .to_stage = (to), .is_gradient = (gradient), .mini = (mini_),            \
		.micro = TP_WHOLE, .ready_ns = (ready), .sent_ns = (ready), .arrived_ns = (arrived), .bytes = 8, \
		.epoch = 1                                                                                       \
	}

static const struct tp_message_record messages[MESSAGES] = {
        MESSAGE(0, 1, 1, 145, 148),
        MESSAGE(0, 1, 2, 185, 185),
        MESSAGE(1, 0, 1, 110, 110),
        MESSAGE(1, 0, 2, 125, 125),
};

#endif
