#include "baselines/policies.h"

/* PipeDream-Flush (ICML'21), the 1F1B of DAPPLE, DeepSpeed and Megatron: as GPipe a flush after each mini-batch, but a
 * stage holds at most W - s micro-batches, so that memory does not grow with their number. */
const struct tp_policy tp_policy_1f1b = {
        .name = "1f1b",
        .summary = "one micro-batch forward, one backward, a flush and one update per mini-batch",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MICRO,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_LIVE,
        .mini_limit = TP_LIMIT_ONE,
        .micro_limit = TP_LIMIT_DEPTH,
};
